from nanogpt.course.plots.classroom import describe_marks, describe_verdicts, plot_marks, plot_verdicts

COUNTS = {
    "causal_mask": {"right": 30, "not right yet": 8, "not attempted": 1, "stopped": 0},
    "multi_head": {"right": 10, "not right yet": 20, "not attempted": 5, "stopped": 4},
}


def test_marks_are_a_bar_for_each_point_rounded_down():
    axes = plot_marks([0, 3, 3.5, 5], most=5)
    assert [bar.get_height() for bar in axes.patches] == [1, 0, 0, 2, 0, 1]
    assert "median 3.25" in [text.get_text() for text in axes.texts]
    assert axes.lines[0].get_xdata() == [3.25, 3.25]
    words = describe_marks([0, 3, 3.5, 5], most=5)
    assert "4 submissions, of 5, rounded down: 1 with 0, 2 with 3, 1 with 5." in words
    assert "The median is 3.25, the lowest 0, the highest 5." in words


def test_a_mark_above_the_most_has_a_bar_too():
    assert len(plot_marks([7], most=5).patches) == 8


def test_verdicts_are_stacked_and_told_apart_without_colour():
    axes = plot_verdicts(COUNTS)
    bars = [(round(bar.get_y() + bar.get_height() / 2), bar.get_x(), bar.get_width()) for bar in axes.patches]
    first = [(x, width) for row, x, width in bars if row == 0]
    assert first == [(0, 30), (30, 8), (38, 1)]  # what nobody had has no bar
    assert [(x, width) for row, x, width in bars if row == 1] == [(0, 10), (10, 20), (30, 5), (35, 4)]
    (legend,) = axes.figure.legends
    looks = [(patch.get_hatch(), patch.get_facecolor()[:3] == (1, 1, 1)) for patch in legend.get_patches()]
    assert len(set(looks)) == 4
    assert [text.get_text() for text in legend.get_texts()] == list(COUNTS["causal_mask"])
    assert [label.get_text() for label in axes.get_yticklabels()] == list(COUNTS)
    assert axes.yaxis_inverted()  # the first item stands on top


def test_a_number_stands_in_each_bar_that_has_room_for_it():
    numbers = [text.get_text() for text in plot_verdicts(COUNTS).texts]
    assert sorted(numbers, key=int) == ["4", "5", "8", "10", "20", "30"]
    assert all(text.get_bbox_patch() for text in plot_verdicts(COUNTS).texts)  # no hatch runs through it


def test_verdicts_in_words():
    words = describe_verdicts(COUNTS)
    assert "causal_mask: 30 right, 8 not right yet, 1 not attempted; multi_head: 10 right" in words
    assert "0 stopped" not in words
