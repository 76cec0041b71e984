"""The small line chart: its axes, its lines, and what it leaves out."""

import pytest

from nanogpt.course.widgets.linechart import Line, line_chart, number, thin, ticks


def test_axes_have_round_numbers_that_enclose_the_values():
    assert ticks(3.1, 6.9) == [3, 4, 5, 6, 7]
    assert ticks(0, 0.001) == pytest.approx([0, 0.00025, 0.0005, 0.00075, 0.001])
    low, *_, high = ticks(5, 5)
    assert low < 5 < high
    assert [number(x) for x in (0.00075, 12345.6, 3.2123, 0, 1)] == ["0.00075", "12,346", "3.212", "0", "1"]


def test_a_thinned_line_keeps_its_highest_and_lowest_values():
    values = [1.0] * 1000
    values[500], values[700] = 9.0, -9.0
    steps, least, mean, most = thin(range(1000), values, 50)
    assert len(steps) == 50
    assert (most.max(), least.min(), mean[0]) == (9, -9, 1)
    steps, least, mean, most = thin([0, 1, 2], [3.0, 4.0, 5.0])
    assert list(mean) == list(least) == list(most) == [3, 4, 5]


def test_lines_are_told_apart_without_colour_and_values_that_are_no_numbers_left_out():
    chart = line_chart(
        "Loss", "nats", [Line("a", [0, 1], [1.0, float("nan")]), Line("b", [0, 1], [2.0, 3.0], dots=True)]
    )
    assert 'class="line dots"' in chart
    assert "nan" not in chart.replace("nanogpt", "")
    assert chart.count("<circle") == 2 + 1  # its values, and the key in the caption
    assert line_chart("Loss", "", [Line("a", [], [])]).endswith("nothing yet</figcaption></figure>")
