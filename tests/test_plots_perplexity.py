import pytest
import torch

from nanogpt.course.plots import perplexity
from nanogpt.course.plots.perplexity import describe_ladder, plot_ladder


def test_the_ladder_has_a_bar_a_model():
    ladder = {"uniform": 3.5, "bigram": 2.4, "your GPT": 1.8}
    axes = plot_ladder(ladder, "your GPT")
    assert [bar.get_width() for bar in axes.patches] == [3.5, 2.4, 1.8]
    assert [bar.get_hatch() for bar in axes.patches] == ["///", "///", None]  # told apart without colour
    assert "your GPT 1.80" in describe_ladder(ladder)


def test_the_bigrams_are_a_heat_map_with_each_row_s_likeliest_at_its_end():
    probs, labels = torch.tensor([[0.1, 0.9], [0.7, 0.3]]), ["q", " "]
    axes = perplexity.plot_bigrams(probs, labels)
    assert torch.equal(torch.tensor(axes.images[0].get_array().data), probs)
    assert {"␣  90%", "q  70%"} <= {text.get_text() for text in axes.texts}
    assert "after 'q' comes ' ' in 90%" in perplexity.describe_bigrams(probs, labels)


def test_surprise_is_bars_for_one_model_and_dashes_for_the_other():
    nll = {"unigram": torch.tensor([3.0, 4.0, 5.0]), "bigram": torch.tensor([2.0, 1.0, 0.5])}
    axes = perplexity.plot_surprise("so ", nll)
    assert [bar.get_height() for bar in axes.patches] == [2.0, 1.0, 0.5]
    assert axes.lines[0].get_marker() == "_"
    assert axes.lines[0].get_ydata().tolist() == [3.0, 4.0, 5.0]
    words = perplexity.describe_surprise("so ", nll)
    assert "4.00 nats for the unigram" in words
    assert "' ' after 'o' (0.50)" in words


def test_what_was_learnt_is_shown_beside_what_was_counted():
    counted, learnt = torch.tensor([0.5, 0.2]), torch.tensor([0.4, 0.2])
    data = [5.5, 3.0, 2.4], {"counts": 2.3}, (counted, learnt), torch.tensor([0.75, 0.25])
    axes = perplexity.plot_learnt(*data)
    assert list(axes.lines[0].get_ydata()) == [5.5, 3.0, 2.4]
    assert axes.lines[1].get_linestyle() == "--"  # the counts' line is told from the curve without colour
    dots = axes.figure.axes[1].collections[0].get_offsets()
    assert dots.data.ravel().tolist() == pytest.approx([0.5, 0.4, 0.2, 0.2])
    words = perplexity.describe_learnt(*data)
    assert "from 5.50 to 2.40" in words
    assert "0.075 apart" in words


def test_two_scales_show_each_model_twice_and_the_ways_of_cutting_apart():
    scores = {"bytes": {"uniform": (256.0, 8.0), "bigram": (9.7, 3.3)},
              "512 tokens": {"uniform": (512.0, 3.8), "bigram": (11.8, 1.5)}}  # fmt: skip
    axes = perplexity.plot_two_scales(scores)
    left, right = axes.figure.axes
    assert [bar.get_width() for bar in left.patches] == [256.0, 9.7, 512.0, 11.8]
    assert [bar.get_width() for bar in right.patches] == [8.0, 3.3, 3.8, 1.5]
    assert [bar.get_hatch() for bar in left.patches] == ["///", "///", None, None]
    assert "bigram 11.80 and 1.50" in perplexity.describe_two_scales(scores)
