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


RATES = {"rate 0.1": [6.0 - 0.01 * i for i in range(50)], "rate 9": [6.0, 7.0, 80.0] + [float("nan")] * 47}
MARKS = {"ln V": 6.2, "unigram": 5.2}


def run_of(name: str, freak: float) -> list[dict]:
    return [
        {"step": i, "loss": 6 - 0.05 * i, "grad_norm": freak if i == 7 else 0.5, "learning_rate": min(i, 10) / 1000}
        for i in range(40)
    ]


RUNS = {name: run_of(name, freak) for name, freak in (("clipped", 3.0), ("not clipped", 47.0))}
WHOLE = [6 - 0.02 * i for i in range(60)]
RESUME = WHOLE, WHOLE[30:], [loss + 0.3 * (i == 1) for i, loss in enumerate(WHOLE[30:])], 30
VIEWS = {
    "fresh": [(10, 5.0, 5.02), (20, 4.0, 4.01)],
    "again": [(10, 5.0, 5.1), (20, 2.5, 4.4)],
}


def styles(axes) -> set:
    return {(line.get_linestyle(), line.get_marker()) for line in axes.lines if len(line.get_xdata()) > 2}


def words_in(axes) -> str:
    return " ".join(text.get_text() for text in axes.texts)


def test_the_rates_are_told_apart_by_dashes_and_by_name():
    axes = train.plot_rates(RATES, MARKS)
    assert list(axes.lines[0].get_ydata()) == RATES["rate 0.1"]
    assert axes.lines[0].get_linestyle() != axes.lines[1].get_linestyle()
    assert "rate 0.1 5.55" in words_in(axes)
    assert "rate 9, comes apart" in words_in(axes)
    assert "ln V 6.20" in words_in(axes)


def test_the_words_of_the_rates_tell_which_came_apart():
    words = train.describe_rates(RATES, MARKS)
    assert "rate 0.1 ends at 5.55; rate 9 comes apart at step 2" in words
    assert "unigram 5.20" in words


def test_a_run_is_three_panels_over_the_same_steps():
    loss = train.plot_training(RUNS, limit=1.0, warmup=10)
    rate, norm, lowest = loss.figure.axes
    assert lowest is loss
    assert rate.get_xlim() == norm.get_xlim() == loss.get_xlim() == (0, 39)
    assert rate.get_position().y0 > norm.get_position().y0 > loss.get_position().y0
    assert norm.get_yscale() == "log"
    assert list(norm.lines[1].get_ydata()) == [m["grad_norm"] for m in RUNS["not clipped"]]
    assert loss.lines[0].get_linestyle() != loss.lines[1].get_linestyle()
    assert "47.0 at step 7" in words_in(norm)
    assert "clipped" in words_in(loss)


def test_the_words_of_a_run_hold_its_numbers():
    words = train.describe_training(RUNS, limit=1.0, warmup=10)
    assert "not clipped: gradient norm up to 47.0 at step 7, loss 4.28" in words
    assert "rises for 10 steps" in words


def test_the_resumed_run_lies_on_the_whole_one():
    loss = train.plot_resume(*RESUME)
    gap = loss.figure.axes[1]
    forgetful, resumed = (line.get_ydata() for line in gap.lines[:2])
    assert max(abs(resumed)) == 0
    assert max(forgetful) == pytest.approx(0.3)
    assert len(styles(loss)) == 3
    words = train.describe_resume(*RESUME)
    assert "30 of 30 losses are identical" in words
    assert "up to 0.30 nats" in words


def test_training_and_held_out_stand_side_by_side():
    axes = train.plot_epochs(VIEWS)
    fresh, again = axes.figure.axes
    assert fresh.get_ylim() == again.get_ylim()
    assert "gap +0.01" in words_in(fresh)
    assert "gap +1.90" in words_in(again)
    assert again.lines[0].get_linestyle() != again.lines[1].get_linestyle()
    words = train.describe_epochs(VIEWS)
    assert "again: training loss 2.50, held-out loss 4.40 after 20 steps" in words
