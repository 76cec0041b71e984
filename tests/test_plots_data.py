import numpy as np

from nanogpt.course.plots.data import (
    describe_batch,
    describe_leak,
    describe_lengths,
    describe_zipf,
    plot_batch,
    plot_leak,
    plot_lengths,
    plot_zipf,
)

X = [["The", " end", "<end>"], ["Two", " and", " two"]]
Y = [[" end", "<end>", "Two"], [" and", " two", "<end>"]]
LENGTHS = np.array([10] * 9 + [1000])
LOSSES = {"whole documents": [6.0, 4.7, 4.6, 4.8], "overlapping windows": [6.0, 3.7, 2.2, 0.9]}


def words_on(axes) -> list[str]:
    return [text.get_text() for text in axes.texts]


def test_the_batch_shows_every_token_and_marks_where_documents_end():
    axes = plot_batch(X, Y, "<end>", (0, 1))
    words = words_on(axes)
    assert words.count("The") == 1
    assert words.count("Two") == 2  # as a target, and as what is read
    dark = [patch for patch in axes.patches if sum(patch.get_facecolor()[:3]) < 0.6 and patch.get_fill()]
    assert len(dark) == words.count("end") == 3  # known by their darkness and their word, not by a colour
    assert "having read 'The end' the model is to say '<end>'" in describe_batch(X, Y, "<end>", (0, 1))


def test_the_lengths_say_where_half_of_the_documents_and_half_of_the_tokens_are():
    axes = plot_lengths(LENGTHS)
    assert any("half the documents on each side: 10" in word for word in words_on(axes))
    assert any("half the tokens on each side: 1,000" in word for word in words_on(axes))
    documents, tokens = axes.containers
    assert documents[0].get_hatch() and not tokens[0].get_hatch()
    assert abs(sum(bar.get_height() for bar in documents) - 1) < 1e-9
    assert abs(sum(bar.get_height() for bar in tokens) + 1) < 1e-9
    assert "half of all tokens stand in documents of 1,000" in describe_lengths(LENGTHS)


def test_the_frequencies_stand_beside_a_line_that_falls_as_one_over_the_rank():
    counts = np.array([100, 50, 30, 1])
    axes = plot_zipf(counts, {1: " the", 3: "$"}, vocab_size=10)
    guide, line = axes.lines[:2]
    assert list(line.get_ydata()) == list(counts)
    assert list(guide.get_ydata()) == [100, 50, 100 / 3, 25]
    assert guide.get_linestyle() != line.get_linestyle()
    assert {"␣the", r"\$"} <= set(words_on(axes))
    assert "' the' at rank 1 100 times" in describe_zipf(counts, {1: " the"}, 10)
    assert "6 of 10 tokens never occur" in describe_zipf(counts, {1: " the"}, 10)


def test_the_leak_has_a_line_for_each_way_and_rings_the_best_of_each():
    given = {"overlapping windows": 5.1}
    axes = plot_leak(LOSSES, given)
    lines = [line for line in axes.lines if len(line.get_xdata()) > 1]
    rings = [line for line in axes.lines if line.get_fillstyle() == "none"]
    crosses = [line for line in axes.lines if line.get_marker() == "X"]
    assert [list(line.get_ydata()) for line in lines] == list(LOSSES.values())
    assert [int(ring.get_xdata()[0]) for ring in rings] == [2, 3]
    assert len({line.get_marker() for line in lines}) == len({str(line.get_linestyle()) for line in lines}) == 2
    assert [(int(cross.get_xdata()[0]), float(cross.get_ydata()[0])) for cross in crosses] == [(3, 5.1)]
    words = describe_leak(LOSSES, given)
    assert "whole documents, best at 2 with 4.60;" in words
    assert "overlapping windows, best at 3 with 0.90, which gave 5.10 on new documents" in words
