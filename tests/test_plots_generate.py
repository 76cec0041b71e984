from nanogpt.course.plots.generate import describe_next_tokens, plot_next_tokens


def test_tokens_on_a_chart_can_be_read():
    axes = plot_next_tokens({"before": [(" the", 0.5), ("\n", 0.25), ("$x$", 0.1)]})
    assert [label.get_text() for label in axes.get_yticklabels()] == ["␣the", "⏎", r"\$x\$"]
    assert "before: ' the' 50.0%" in describe_next_tokens({"before": [(" the", 0.5)]})
