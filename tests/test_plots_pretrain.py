import numpy as np
import pytest

from nanogpt.course.plots import pretrain, train

METRICS = [{"step": i, "loss": 6.0 - 0.03 * i, "tokens_per_second": 1000.0} for i in range(50)]


def test_the_monitor_says_how_fast_it_goes_and_how_long_it_will_take():
    left = pretrain.plot_monitor(METRICS, {"uniform": 6.2}, 100, 1000, ceiling=4000)
    right = left.figure.axes[1]
    assert left.get_title(loc="left") == "step 50 of 100"
    assert right.get_title(loc="left") == "1,000 tokens/s, 25% of the peak; 50 s to go"
    assert right.lines[0].get_ydata() == pytest.approx(np.full(50, 1000.0))
    assert "25% of the peak; done" in pretrain.describe_monitor(METRICS, {}, 50, 1000, 4000)


def test_a_live_monitor_draws_itself_in_one_place(monkeypatch):
    shown = []
    monkeypatch.setattr(train, "show", lambda axes, alt, display_id, update: shown.append((display_id, update)))
    monitor = pretrain.LiveMonitor({}, 50, 1000, 4000)
    for metrics in METRICS:
        monitor.add(metrics)
    monitor.draw()
    assert [update for _, update in shown] == [False, True]
    assert shown[0][0] == shown[1][0]


def test_speeds_are_bars_with_their_share_of_the_peak():
    axes = pretrain.plot_throughput({1: 500.0, 8: 2000.0}, 4000.0)
    assert [bar.get_height() for bar in axes.patches] == [500, 2000]
    assert axes.texts[1].get_text() == "2,000\n50%"
    assert "8: 2,000 (50%)" in pretrain.describe_throughput({1: 500.0, 8: 2000.0}, 4000.0)


def test_memory_is_stacked_and_told_apart_by_hatching():
    parts = {"parameters": [1e9, 1e9], "logits": [1e9, 2e9], "blocks": [1e9, 4e9]}
    axes = pretrain.plot_memory(parts, [1, 4], {"8 GB": 8e9, "80 GB": 80e9})
    assert [bar.get_y() + bar.get_height() for bar in axes.patches][-2:] == [3, 7]
    assert len({bar.get_hatch() for bar in axes.patches}) == 3
    assert [text.get_text() for text in axes.texts] == ["8 GB"]  # the other is beyond the picture
    assert "micro-batch 4: 7.0 GB (parameters 1.00, logits 2.00, blocks 4.00)" in pretrain.describe_memory(
        parts, [1, 4], {"8 GB": 8e9}
    )
