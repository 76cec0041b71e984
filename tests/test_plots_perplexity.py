from nanogpt.course.plots.perplexity import describe_ladder, plot_ladder


def test_the_ladder_has_a_bar_a_model():
    ladder = {"uniform": 3.5, "bigram": 2.4, "your GPT": 1.8}
    axes = plot_ladder(ladder, "your GPT")
    assert [bar.get_width() for bar in axes.patches] == [3.5, 2.4, 1.8]
    assert [bar.get_hatch() for bar in axes.patches] == ["///", "///", None]  # told apart without colour
    assert "your GPT 1.80" in describe_ladder(ladder)
