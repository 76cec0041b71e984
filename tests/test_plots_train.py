import numpy as np
import pytest

from nanogpt.course.plots import train

METRICS = [{"step": i, "loss": 6.0 - 0.03 * i} for i in range(100)] + [{"step": 100, "loss": 3.0, "val_loss": 3.1}]
BASELINES = {"uniform": 6.2, "bigram": 3.9}


def test_the_loss_chart_shows_what_it_is_given():
    axes = train.plot_loss(METRICS, BASELINES)
    assert len(axes.lines) == 2 + 2 + 1  # the baselines, raw and smoothed, held out
    assert {text.get_text() for text in axes.texts} == {"uniform 6.20", "bigram 3.90"}
    assert axes.get_ylabel() == "loss (nats per token)"


def test_the_words_of_the_loss_chart_come_from_its_numbers():
    words = train.describe_loss(METRICS, BASELINES)
    assert "101 training steps: it falls from 6.00 to 3.0" in words
    assert "below uniform and bigram" in words
    assert "above every baseline" in train.describe_loss(METRICS[:2], {"bigram": 3.9})


def test_smoothing_keeps_a_constant_and_the_first_value():
    assert train.smooth(np.full(50, 2.0)) == pytest.approx(np.full(50, 2.0))
    assert train.smooth(np.arange(50.0))[0] == 0


def test_a_live_chart_draws_itself_in_one_place_and_not_at_every_step(monkeypatch):
    shown = []
    monkeypatch.setattr(train, "show", lambda axes, alt, display_id, update: shown.append((display_id, update)))
    chart = train.LiveLoss(BASELINES, every_seconds=1000)
    for metrics in METRICS:
        chart.add(metrics)
    chart.draw()
    assert len(shown) == 2
    assert shown[0][0] == shown[1][0]
    assert [update for _, update in shown] == [False, True]
