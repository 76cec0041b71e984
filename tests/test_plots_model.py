import torch

from nanogpt.course.plots import model

SHARES = {
    "small": {
        "parameters": {"vocabulary": 60, "positions": 1, "attention": 13, "MLP": 26, "norms": 0},
        "FLOPs a token": {"vocabulary": 50, "attention": 12, "scores": 14, "MLP": 24},
    },
    "large": {"parameters": {"vocabulary": 20, "positions": 1, "attention": 26, "MLP": 53, "norms": 0}},
}
CURVES = {"as built": [6.7, 1.0, 0.1], "stuck": [6.7, 4.4, 4.36], "echo": [5.7, 0.2, 0.01]}
LEVELS = {"ln V": 6.64, "entropy": 4.36}


def test_the_shares_of_each_bar_make_up_the_whole():
    axes = model.plot_shares(SHARES)
    rows = [[bar for bar in axes.patches if bar.get_y() == y] for y in sorted({bar.get_y() for bar in axes.patches})]
    assert [round(sum(bar.get_width() for bar in row), 6) for row in rows] == [1, 1, 1]
    assert axes.get_yticklabels()[0].get_text() == "small\n0.0M parameters"
    texts = [text.get_text() for text in axes.texts]
    assert "vocabulary\n60%" in texts
    assert "positions 1%" in texts  # too narrow for its name, which stands above it
    assert not [text for text in texts if text.startswith("norms")]


def test_the_parts_are_told_apart_without_colour():
    looks = {name: (hatch, ink) for name, (_, hatch, ink) in model.PARTS.items()}
    named = [looks[name] for name in ("vocabulary", "attention", "scores", "MLP")]
    assert len(set(named)) == len(named)


def test_the_words_of_the_shares_hold_their_numbers():
    words = model.describe_shares(SHARES)
    assert "small, parameters: vocabulary 60%" in words
    assert "large, parameters: vocabulary 20%, positions 1%, attention 26%, MLP 53%." in words


def test_what_does_not_move_is_left_white():
    moved = torch.rand(6, 6) + 0.1
    panels = {"causal": moved.triu(), "leaky": moved}
    left = model.plot_reach(panels)
    causal, leaky = (axes.images[0].get_array() for axes in left.figure.axes)
    assert (causal.mask == (moved.triu() == 0).numpy()).all()
    assert not leaky.mask.any()
    assert leaky.min() >= 0.25  # what moved at all can be seen
    words = model.describe_reach(panels)
    assert "causal: 21 pairs moved at or after the changed token, 0 before it" in words
    assert "leaky: 21 pairs moved at or after the changed token, 15 before it" in words


def test_the_curves_on_one_batch_are_named_and_told_apart():
    axes = model.plot_overfit(CURVES, LEVELS)
    curves = [line for line in axes.lines if len(line.get_ydata()) == 3]
    assert [list(line.get_ydata()) for line in curves] == list(CURVES.values())
    assert len({(line.get_linestyle(), line.get_marker()) for line in curves}) == 3
    assert {text.get_text() for text in axes.texts} == {*CURVES, "ln V: 6.64", "entropy: 4.36"}
    words = model.describe_overfit(CURVES, LEVELS)
    assert "stuck from 6.70 to 4.360" in words
    assert "Lines across: ln V 6.64, entropy 4.36." in words
