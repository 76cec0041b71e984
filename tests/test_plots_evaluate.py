"""The rest of plots/evaluate, the comparison's chart, is tested with the report that shows it."""

import pytest

from nanogpt.course.plots.evaluate import (
    describe_by_position,
    describe_protocols,
    plot_by_position,
    plot_protocols,
    stretches,
)

SCORES = {"disjoint": (20.0, 20.0, 20.0), "stride": (19.0, 19.0, 19.0), "lucky": (22.0, 15.0, 30.0)}


def test_each_protocol_is_a_mark_with_its_distance_from_the_first():
    axes = plot_protocols(SCORES)
    assert [label.get_text() for label in axes.get_yticklabels()] == list(SCORES)
    assert [text.get_text() for text in axes.texts] == ["20.00", "19.00  (-5%)", "22.00  (+10%)"]
    assert axes.containers[0][0].get_marker() != axes.containers[1][0].get_marker()  # told apart without colour
    assert "stride 19.00 (-5%), lucky 22.00 (+10%)" in describe_protocols(SCORES)


def test_the_places_in_a_window_are_gathered_in_stretches_that_double():
    losses = [5.0, 4.0, 3.0, 3.5, 2.0, 2.0, 2.0, 2.0, 1.0]
    assert stretches(losses) == [((1, 1), 5.0), ((2, 2), 4.0), ((3, 4), 3.25), ((5, 8), 2.0), ((9, 9), 1.0)]
    assert stretches([1.0]) == [((1, 1), 1.0)]


def test_the_loss_by_place_is_drawn_and_told():
    axes = plot_by_position([5.0, 4.0, 3.0, 3.5], 3.9)
    assert list(axes.lines[1].get_ydata()) == pytest.approx([5.0, 4.0, 3.25])
    assert [label.get_text() for label in axes.get_xticklabels()] == ["1", "2", "3-4"]
    words = describe_by_position([5.0, 4.0, 3.0, 3.5], 3.9)
    assert words.endswith("5.00 at 1, 4.00 at 2, 3.25 at 3-4. The average is 3.90.")
