import torch
import torch.nn.functional as F

from nanogpt.course.plots import block

SIZES = {"alike": [0.1, 1.0, 2.0, 3.5], "scaled": [0.1, 0.2, 0.3, 0.4]}
WALK = [0.1, 1.0, 1.4, 1.7]
LIKENESS = {"pre-norm": [0.0, 0.5, 0.8], "post-norm": [0.0, 0.3, 0.9], "no residuals": [0.0, 0.9, 1.0]}
GRADIENTS = {
    "pre-norm": {1: 0.02, 12: 0.02, 48: 0.01},
    "post-norm": {1: 0.02, 12: 1e-3, 48: 1e-6},
    "no residuals": {1: 0.02, 12: 1e-10, 48: 0.0},
}


def told_apart(lines) -> bool:
    """Whether no two lines share both dashes and marker, so that they differ in black and white."""
    looks = [(line.get_linestyle(), line.get_marker()) for line in lines]
    return len(set(looks)) == len(looks)


def test_the_plan_has_its_parts_and_a_row_a_design():
    texts = [text.get_text() for text in block.plot_wiring().texts]
    assert [texts.count(name) for name in ("attention", "MLP", "norm", "+", "x")] == [2, 2, 4, 4, 2]
    assert "pre-norm" in texts
    assert "post-norm" in texts
    words = block.describe_wiring(["pre-norm"])
    assert "x + branch(norm(x))" in words
    assert "Post-norm" not in words
    assert len(words) > 60


def test_the_bends_are_drawn_with_their_difference():
    x = torch.linspace(-4, 4, 101, dtype=torch.float64)
    tanh, exact = F.gelu(x, approximate="tanh"), F.gelu(x)
    picture = x, {"GELU": tanh, "ReLU": x.relu()}, tanh - exact
    left = block.plot_gelu(*picture)
    right = left.figure.axes[1]
    assert told_apart(left.lines)
    assert torch.equal(torch.as_tensor(left.lines[0].get_ydata()), tanh)
    assert {text.get_text() for text in left.texts} == {"GELU", "ReLU"}
    assert [text.get_text() for text in right.texts] == ["+4.7"]
    assert "at most 0.00047" in block.describe_gelu(*picture)


def test_the_stream_is_drawn_beside_a_random_walk():
    axes = block.plot_stream(SIZES, WALK)
    assert [list(line.get_ydata()) for line in axes.lines] == [WALK, *SIZES.values()]
    assert told_apart(axes.lines)
    assert {text.get_text() for text in axes.texts} == {
        "random walk",
        "alike: 3.5 at the end",
        "scaled: 0.4 at the end",
    }
    words = block.describe_stream(SIZES, WALK)
    assert "over 3 blocks: alike from 0.10 to 3.50" in words
    assert "ends at 1.70" in words


def test_the_designs_are_told_apart_and_named():
    left = block.plot_designs(LIKENESS, GRADIENTS)
    right = left.figure.axes[1]
    for axes in (left, right):
        assert told_apart(axes.lines)
        assert {text.get_text() for text in axes.texts} == set(LIKENESS)
    assert list(left.lines[1].get_ydata()) == LIKENESS["post-norm"]
    assert list(right.lines[0].get_ydata()) == list(GRADIENTS["pre-norm"].values())
    assert right.lines[2].get_ydata()[-1] < right.get_ylim()[0]  # nothing is left: off the chart


def test_the_words_of_the_designs_hold_their_numbers():
    words = block.describe_designs(LIKENESS, GRADIENTS)
    assert "no residuals 1.00" in words
    assert "post-norm 2e-02 at 1 and 1e-06 at 48 blocks" in words
