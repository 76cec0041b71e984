import torch
from matplotlib.patches import Rectangle

from nanogpt.course.plots.attention import (
    describe_attention,
    describe_leaks,
    describe_scale,
    describe_side_by_side,
    plot_attention,
    plot_leaks,
    plot_scale,
    plot_side_by_side,
)

WEIGHTS = torch.tensor([[1.0, 0, 0], [0.2, 0.8, 0], [0.1, 0.7, 0.2]])
LOSSES = {"as built": (2.0, 2.0), "no mask": (0.1, 7.0)}


def test_the_attention_chart_says_where_the_last_tokens_look():
    plot_attention(WEIGHTS, ["a", "b", "c"], "layer 0, head 1")
    words = describe_attention(WEIGHTS, ["a", "b", "c"], "layer 0, head 1")
    assert "'c' at 'b' (70%)" in words


def test_heads_side_by_side_show_their_weights_as_shades_and_numbers():
    panels = {"before": torch.eye(3), "after": WEIGHTS}
    axes = plot_side_by_side(panels, ["a", "b", "c"], numbers=True)
    first, second = axes.figure.axes
    assert (second.images[0].get_array() == WEIGHTS.numpy()).all()
    assert sorted(text.get_text() for text in second.texts) == ["10", "100", "20", "20", "70", "80"]
    assert first.get_title() == "before"


def test_marks_are_outlined_and_weighed():
    panels, marks = {"after": WEIGHTS}, [(1, 0), (2, 1)]
    outlines = [p for p in plot_side_by_side(panels, "abc", marks=marks).patches if isinstance(p, Rectangle)]
    assert [(p.get_y() + 0.5, p.get_x() + 0.5) for p in outlines] == marks
    words = describe_side_by_side(panels, "abc", marks)
    assert "the outlined squares hold 45%" in words
    assert "'c' looks most at 'b' in place 1 (70%), 'c' in place 2 (20%)" in words


def test_the_scale_is_two_curves_told_apart_by_dashes_and_markers():
    variance = {"q·k": [1.0, 16.0], "q·k / √D": [1.0, 1.0]}
    gradient = {"q·k": [0.2, 0.01], "q·k / √D": [0.2, 0.2]}
    axes = plot_scale([1, 16], variance, gradient)
    raw, scaled = axes.lines
    assert list(raw.get_ydata()) == [1.0, 16.0]
    assert (raw.get_linestyle(), raw.get_marker()) != (scaled.get_linestyle(), scaled.get_marker())
    words = describe_scale([1, 16], variance, gradient)
    assert "variance of the scores, q·k, from 1 at D = 1 to 16 at D = 16" in words
    assert "to 0.01 at D = 16" in words


def test_a_leak_shows_as_an_arrow_from_held_out_to_writing():
    axes = plot_leaks(LOSSES, uniform=4.0)
    texts = [text.get_text() for text in axes.texts]
    assert "held out 2.00, writing 2.00" in texts
    assert {"held out 0.10", "writing 7.00"} <= set(texts)
    assert len([text for text in axes.texts if getattr(text, "arrow_patch", None)]) == 1
    assert {line.get_marker() for line in axes.lines if len(line.get_xdata()) == 1} == {"o", "D"}
    assert "no mask 0.10 held out and 7.00 when writing" in describe_leaks(LOSSES, uniform=4.0)
