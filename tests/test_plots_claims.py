"""The table of the claims: a row each, the bet and the verdict beside it, and the same in words."""

from itertools import pairwise

from nanogpt.course.claims import CLAIMS
from nanogpt.course.plots.canvas import as_png
from nanogpt.course.plots.claims import CLAIM, describe_claims, plot_claims, told_bet

BETS = {"C1": ("holds", 29.94), "C3": ("false", None), "C8": ("unsure", 0.1)}


def test_each_claim_has_a_row_with_its_bet():
    axes = plot_claims(BETS)
    cells = [text.get_text() for text in axes.texts]
    assert cells[:3] == ["", "the note claims", "your bet"]
    rows = [cells[i : i + 3] for i in range(3, len(cells), 3)]
    assert [row[0] for row in rows] == [claim.id for claim in CLAIMS]
    assert [row[2] for row in rows[:3]] == ["holds, 29.94", "unsure", "false"]
    assert all(len(row[1]) <= CLAIM for row in rows)
    assert rows[9][1].endswith("...")


def test_verdicts_stand_in_a_column_of_their_own():
    axes = plot_claims(BETS, {"C1": "holds", "C2": "not measured here"})
    cells = [text.get_text() for text in axes.texts]
    rows = [cells[i : i + 4] for i in range(4, len(cells), 4)]
    assert [row[3] for row in rows[:3]] == ["holds", "not measured here", "none"]


def test_no_cell_runs_into_the_next():
    axes = plot_claims(dict.fromkeys((c.id for c in CLAIMS), ("unsure", 12_345_678.9)), {"C7": "not measured here"})
    as_png(axes)
    boxes = [text.get_window_extent() for text in axes.texts]
    rows = [boxes[i : i + 4] for i in range(0, len(boxes), 4)]
    for row in rows:
        for left, right in pairwise(row):
            assert left.x1 <= right.x0
        assert row[-1].x1 <= axes.figure.bbox.x1


def test_the_words_name_every_claim_with_its_bet_and_verdict():
    assert "C1, The model has 29.94M parameters: bet holds, 29.94. C2, " in describe_claims(BETS)
    judged = describe_claims(BETS, {"C1": "holds"})
    assert "bet holds, 29.94; verdict: holds. C2, " in judged
    assert judged.count("verdict: none") == 10


def test_a_bet_is_told_in_a_word_and_a_figure():
    assert [told_bet(bet) for bet in (None, ("unsure", None), ("false", 655_360_000))] == [
        "unsure",
        "unsure",
        "false, 655,360,000",
    ]
