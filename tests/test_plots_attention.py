import torch

from nanogpt.course.plots.attention import describe_attention, plot_attention


def test_the_attention_chart_says_where_the_last_tokens_look():
    weights = torch.tensor([[1.0, 0, 0], [0.2, 0.8, 0], [0.1, 0.7, 0.2]])
    plot_attention(weights, ["a", "b", "c"], "layer 0, head 1")
    words = describe_attention(weights, ["a", "b", "c"], "layer 0, head 1")
    assert "'c' at 'b' (70%)" in words
