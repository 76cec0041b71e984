import pytest

from nanogpt.course.plots.canvas import as_png
from nanogpt.course.plots.generate import (
    describe_next_tokens,
    describe_settings,
    describe_surprise,
    describe_token_times,
    describe_variety,
    plot_next_tokens,
    plot_settings,
    plot_surprise,
    plot_token_times,
    plot_variety,
)


def texts(axes) -> str:
    return " | ".join(text.get_text() for text in axes.texts)


def test_tokens_on_a_chart_can_be_read():
    axes = plot_next_tokens({"before": [(" the", 0.5), ("\n", 0.25), ("$x$", 0.1)]})
    assert [label.get_text() for label in axes.get_yticklabels()] == ["␣the", "⏎", r"\$x\$"]
    assert "before: ' the' 50.0%" in describe_next_tokens({"before": [(" the", 0.5)]})


SETTINGS = (
    [" the", "$", "7 others"],
    [0.5, 0.3, 0.2],
    {"temperature\n0.5": [0.66, 0.24, 0.1], "top-k 1": [1.0, 0.0, 0.0]},
)


def test_each_setting_has_its_bars_the_plain_outline_and_crosses_for_what_is_cut():
    first, second = plot_settings(*SETTINGS).figure.axes
    assert [label.get_text() for label in first.get_yticklabels()] == ["␣the", r"\$", "7 others"]
    widths = [bar.get_width() for bar in first.patches]
    assert widths == [0.66, 0.24, 0.1, 0.5, 0.3, 0.2]
    assert not first.patches[3].get_fill()
    assert first.lines[0].get_xdata().size == 0
    assert list(second.lines[0].get_ydata()) == [1, 2]
    assert first.get_xlim() == second.get_xlim()


def test_the_settings_in_words():
    said = describe_settings(*SETTINGS)
    assert "under 2 settings, beside the model's own (' the' 50.0%, beyond these 20.0%)" in said
    assert "temperature 0.5: ' the' 66.0%, all beyond these 10.0%;" in said
    assert "top-k 1: ' the' 100.0%, all beyond these 0.0%, 1 of the 2 shown can't be drawn" in said


SURPRISES = {"greedy": [4.0, 0.0, 0.0, 0.0], "real": [1.0, 7.0, 2.0, 2.0]}


def test_each_text_has_a_strip_of_its_own_with_its_mean():
    axes = plot_surprise(SURPRISES)
    heights = [bar.get_height() for bar in axes.patches]
    assert heights == [4, 0, 0, 0, 1, 7, 2, 2]
    assert axes.patches[4].get_y() + 7 < axes.patches[0].get_y()  # the strips don't touch
    for said in ("greedy", "mean 1.0", "real", "mean 3.0"):
        assert said in texts(axes)


def test_surprise_in_words():
    said = describe_surprise(SURPRISES)
    assert "greedy: 1.00 on average, 0.00 in its second half, 4.0 at most" in said
    assert "real: 3.00 on average, 2.00 in its second half, 7.0 at most" in said


VARIETY = (
    [0, 1, 1.5],
    {"distinct-2": [0.2, 0.8, 0.95], "repetition rate": [0.7, 0.1, 0.0]},
    {"distinct-2": 0.85, "repetition rate": 0.02},
    [(0.5, 4.0), (1.0, 3.0), (1.5, 3.5)],
)


def test_variety_and_its_cost_are_told_apart_without_colour():
    left, right = plot_variety(*VARIETY).figure.axes
    curves = [line for line in left.lines if line.get_marker() != "None"]
    assert [list(line.get_ydata()) for line in curves] == list(VARIETY[1].values())
    assert len({line.get_marker() for line in curves}) == len({line.get_linestyle() for line in curves}) == 2
    for said in ("distinct-2", "repetition rate", "real text 85%", "real text 2%"):
        assert said in texts(left)
    assert list(right.lines[0].get_ydata()) == [4.0, 3.0, 3.5]
    assert "3.00 at 1" in texts(right)


def test_variety_in_words():
    said = describe_variety(*VARIETY)
    assert "distinct-2 goes from 20% at temperature 0 to 95% at 1.5 (real text: 85%)" in said
    assert "4.00 nats per token at 0.5, least with 3.00 at 1, 3.50 at 1.5" in said


TIMES = {"this model (0.9M)": ([10, 100], [2.0, 9.0], [1.0, 1.5]), "larger": ([50, 500], [30, 400], [20, 25])}


def test_times_have_a_panel_a_model_and_names_at_the_lines():
    small, large = plot_token_times(TIMES).figure.axes
    assert [list(line.get_ydata()) for line in small.lines] == [[2.0, 9.0], [1.0, 1.5]]
    assert len({line.get_marker() for line in small.lines}) == 2
    assert "all read again | with the cache" in texts(large)
    assert "larger: after 50 tokens 30.0 ms when all are read again and 20.0 ms" in describe_token_times(TIMES)
    assert "after 500 tokens 400.0 and 25.0" in describe_token_times(TIMES)


@pytest.mark.parametrize(
    "axes", [plot_settings(*SETTINGS), plot_surprise(SURPRISES), plot_variety(*VARIETY), plot_token_times(TIMES)]
)
def test_it_can_be_drawn(axes):
    assert as_png(axes).startswith(b"\x89PNG")
