import math

import pytest
from matplotlib.patches import Rectangle

from nanogpt.course.plots.canvas import as_png
from nanogpt.course.plots.gpt2 import (
    describe_divergence,
    describe_divergences,
    describe_layouts,
    plot_divergence,
    plot_divergences,
    plot_layouts,
)
from nanogpt.divergence import Divergence, Layer

PLACES = [
    "embeddings",
    *(f"blocks.{place}" for place in ("0.attention_norm", "0.mlp.up", "0", "1.mlp.up", "1")),
    "logits",
]
SHAPES = {"attn.c_attn": (4, 12), "attn.c_proj": (4, 4)}


def report(differences: list[float]) -> Divergence:
    layers = [Layer(n, d, 1.0, not d <= 1e-5) for n, d in zip(PLACES, differences, strict=True)]
    return Divergence(layers, 1e-5)


WRONG = report([0.0, 1e-7, 2e-7, 1e-7, 0.25, 0.125, math.nan])
RIGHT = report([1e-7] * 7)


def words(axes) -> list[str]:
    return [text.get_text() for text in axes.texts]


def test_the_bars_are_as_long_as_the_differences_and_differ_without_colour():
    axes = plot_divergence(WRONG)
    bars = [bar for container in axes.containers for bar in container]
    ends = [bar.get_x() + bar.get_width() for bar in bars]
    assert ends[1:6] == pytest.approx([1e-7, 2e-7, 1e-7, 0.25, 0.125])
    assert ends[6] == 10  # what is no number is drawn as far as it goes
    assert [bool(bar.get_hatch()) for bar in bars] == [True] * 4 + [False] * 3
    darkness = [sum(bar.get_facecolor()[:3]) for bar in bars]
    assert darkness.index(min(darkness)) == 4  # the first that differs is the darkest
    assert axes.get_xscale() == "log"
    assert "differs first: 0.25" in words(axes)
    assert {"block 0", "block 1", "tolerance 1e-05"} <= set(words(axes))
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels == ["embeddings", "attention_norm", "mlp.up", "output", "mlp.up", "output", "logits"]


def test_the_words_say_what_is_the_same_and_what_differs_first():
    said = describe_divergence(WRONG)
    assert "over 7 places" in said
    assert "the first 4 are the same, then blocks.1.mlp.up differs by 0.25 of the values' size, and 2 places" in said
    assert "all are the same, and the largest difference is 1e-07" in describe_divergence(RIGHT)


def test_each_strip_names_its_first_place():
    reports = {"a bias dropped": WRONG, "nothing": RIGHT}
    axes = plot_divergences(reports)
    assert words(axes) == ["a bias dropped", "first: blocks.1.mlp.up", "nothing", "the same everywhere"]
    bars = [bar for container in axes.containers for bar in container]
    assert [bar.get_y() for bar in bars] == [0] * 7 + [-1] * 7
    assert bars[4].get_height() > bars[1].get_height() > 0
    assert [bool(bar.get_hatch()) for bar in bars] == [True] * 4 + [False] * 3 + [True] * 7
    said = describe_divergences(reports)
    assert "a bias dropped: blocks.1.mlp.up (0.25); nothing: nowhere" in said


def test_the_matrices_are_to_scale_and_the_square_one_is_marked():
    axes = plot_layouts(SHAPES)
    drawn = [patch for patch in axes.patches if isinstance(patch, Rectangle)]
    assert [(patch.get_height(), patch.get_width()) for patch in drawn] == [(4, 12), (12, 4), (4, 4), (4, 4)]
    assert [bool(patch.get_hatch()) for patch in drawn] == [False, False, True, True]
    dots = [(line.get_xdata()[0], line.get_ydata()[0]) for line in axes.lines]
    for patch, (x, y), upper in zip(drawn, dots, (True, False, True, False), strict=True):
        middle = patch.get_x() + patch.get_width() / 2, patch.get_y() + patch.get_height() / 2
        assert (x > middle[0], y > middle[1]) == (upper, upper)
    said = describe_layouts(SHAPES)
    assert "c_attn 4 by 12 becomes 12 by 4" in said
    assert "c_proj is 4 by 4 in both" in said


@pytest.mark.parametrize("axes", [plot_divergence(WRONG), plot_divergences({"x": RIGHT}), plot_layouts(SHAPES)])
def test_each_can_be_drawn(axes):
    assert as_png(axes).startswith(b"\x89PNG")
