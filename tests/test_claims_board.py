"""The board of the claims: bets are kept as they are placed, read back, and held against the verdicts."""

import dataclasses
import json
import re
from html import unescape

import pytest
from touch import move

from nanogpt.course.claims import ANSWERS, CLAIMS
from nanogpt.course.progress import read_predictions, save_predictions
from nanogpt.course.verdicts import judge
from nanogpt.course.widgets.claims import claims_board, outcome, read_figure


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("NANOGPT_HOME", str(tmp_path))
    return tmp_path


def bet(board, claim: str, answer: str) -> None:
    move(board.rows[claim].answer, index=ANSWERS.index(answer))


@pytest.fixture
def verdicts():
    """C1 holds, C2 is false, C3 is open, whatever the course finds."""
    answers = ["holds", "false", "not measured here"]
    return [dataclasses.replace(v, answer=a) for v, a in zip(judge([])[:3], answers, strict=True)]


def test_it_has_every_claim_with_its_answers_and_a_labelled_box():
    board = claims_board()
    assert list(board.rows) == [claim.id for claim in CLAIMS]
    for claim, row in zip(CLAIMS, board.rows.values(), strict=True):
        assert row.answer.options == ANSWERS
        assert row.answer.description == f"{claim.id}:"
        assert row.figure.description == f"{claim.id}, {claim.figure}:"
        assert claim.text in unescape(row.widget.children[0].value)
    assert board.status.text == "0 of 11 placed."
    assert 'role="status"' in board.status.widget.value


def test_a_bet_is_kept_as_it_is_placed_and_read_back(home):
    board = claims_board()
    bet(board, "C1", "false")
    assert board.status.text == "1 of 11 placed. C1: false is kept."
    assert read_predictions() == {"C1": ("false", None)}
    move(board.rows["C1"].figure, value=" 30.5 ")
    assert read_predictions() == {"C1": ("false", 30.5)}
    bet(board, "C2", "holds")
    again = claims_board()
    assert again.status.text == "2 of 11 placed."
    assert (again.rows["C1"].answer.value, again.rows["C1"].figure.value) == ("false", "30.5")
    assert (again.rows["C2"].answer.value, again.rows["C2"].figure.value) == ("holds", "")


def test_a_bet_can_be_taken_back():
    board = claims_board()
    bet(board, "C1", "holds")
    move(board.rows["C1"].figure, value="29.94")
    move(board.rows["C1"].figure, value="")
    assert read_predictions() == {"C1": ("holds", None)}
    bet(board, "C1", "unsure")
    assert board.status.text == "0 of 11 placed. C1: unsure is kept."
    assert read_predictions() == {"C1": ("unsure", None)}


@pytest.mark.parametrize("text", ["3,5", "about 3", "nan", "inf", "1e999", "<b>"])
def test_a_figure_that_is_no_number_is_told_and_nothing_is_lost(text):
    board = claims_board()
    bet(board, "C3", "holds")
    move(board.rows["C3"].figure, value="4.2")
    move(board.rows["C3"].figure, value=text)
    assert board.status.text == (
        f"C3: {text!r} is not a number; write digits with a decimal point, like 3.5, or leave the box empty; "
        "4.2 stays kept"
    )
    assert read_predictions() == {"C3": ("holds", 4.2)}
    assert board.rows["C3"].figure.value == text
    assert "is not a number" in board.rows["C3"].note.value
    assert "<b>" not in board.status.widget.value + board.rows["C3"].note.value
    bet(board, "C3", "false")  # the answer is kept all the same
    assert read_predictions() == {"C3": ("false", 4.2)}
    move(board.rows["C3"].figure, value="5")
    assert read_predictions() == {"C3": ("false", 5.0)}
    assert "not a number" not in board.rows["C3"].note.value


def test_only_the_claim_that_was_touched_is_written():
    board = claims_board()
    save_predictions({"C1": ("holds", 29.94)})  # in another notebook meanwhile
    bet(board, "C2", "false")
    assert read_predictions() == {"C1": ("holds", 29.94), "C2": ("false", None)}


def test_a_file_that_cannot_be_read_or_written_is_told_and_the_controls_keep_what_they_say(home):
    (home / "progress.json").write_text("not ours")
    board = claims_board()
    assert "is not a progress file" in board.status.text
    bet(board, "C1", "holds")
    assert "is not a progress file" in board.status.text
    assert board.rows["C1"].answer.value == "holds"
    assert (home / "progress.json").read_text() == "not ours"
    (home / "progress.json").unlink()
    bet(board, "C2", "holds")
    assert board.status.text == "1 of 11 placed. C2: holds is kept."


@pytest.mark.parametrize("figure", ["3,5", [1], {}, True, float("nan"), pytest.param(10**400, id="large")])
def test_a_kept_figure_that_is_no_number_is_told_and_the_other_bets_stand(home, verdicts, figure, monkeypatch):
    monkeypatch.setenv("NANOGPT_PICTURES", "1")
    bets = {"C1": ["holds", figure], "C2": ["false", 9], "C99": ["holds", "of another course"]}
    (home / "progress.json").write_text(json.dumps({"predictions": bets}))
    for board in (claims_board(), claims_board(verdicts)):
        assert board.status.text.startswith("2 of 11 placed.")
        assert board.status.text.endswith(
            f" C1: the kept figure {str(figure)!r} is not a number; write digits with a decimal point, like 3.5, or "
            "leave the box empty."
        )
        assert "is not a number" in board.rows["C1"].note.value
        assert (board.rows["C1"].answer.value, board.rows["C1"].figure.value) == ("holds", "")
        assert (board.rows["C2"].answer.value, board.rows["C2"].figure.value) == ("false", "9")
        assert "bet false, 9" in board._repr_mimebundle_()[0]["text/plain"]
    move(board.rows["C1"].figure, value="3.5")
    assert read_predictions()["C1"] == ("holds", 3.5)
    assert claims_board().status.text == "2 of 11 placed."


def test_verdicts_stand_beside_the_bets_with_their_evidence_and_are_counted(verdicts):
    save_predictions({"C1": ("holds", None), "C2": ("holds", 9), "C3": ("false", None)})
    board = claims_board(verdicts)
    tally = "2 claims are decided by what is known here, and you bet on 2 of them: 1 right, 1 wrong."
    assert board.status.text == f"3 of 11 placed. {tally}"
    notes = [re.sub("<[^>]*>", "", board.rows[claim].note.value) for claim in ("C1", "C2", "C3", "C4")]
    assert notes == [
        "Your bet: holds. It was right.",
        "Your bet: holds, 9. It was wrong.",
        "Your bet: false. The verdict is open, so the bet is neither right nor wrong.",
        "",
    ]
    judged = board.rows["C1"].widget.children[-1].value
    assert "Verdict: <strong>holds</strong>" in judged
    assert "29,938,560 parameters" in judged
    assert "<summary>Evidence for C1</summary>" in judged
    bet(board, "C2", "false")
    assert "you bet on 2 of them: 2 right, 0 wrong." in board.status.text
    bet(board, "C1", "unsure")
    assert "you bet on 1 of them: 1 right, 0 wrong." in board.status.text
    assert "You placed no bet on this one." in board.rows["C1"].note.value


def test_a_bet_that_came_with_the_verdict_is_shown_where_none_is_kept(verdicts):
    given = [dataclasses.replace(verdicts[0], prediction=("false", 31.0)), verdicts[1]]
    board = claims_board(given)
    assert (board.rows["C1"].answer.value, board.rows["C1"].figure.value) == ("false", "31")
    assert "It was wrong." in board.rows["C1"].note.value


def test_a_figure_without_an_answer_is_no_bet(verdicts):
    assert outcome(("unsure", 3.5), verdicts[0]) == "You bet on no answer (unsure, 3.5)."


def test_evidence_is_escaped(verdicts):
    board = claims_board([dataclasses.replace(verdicts[0], why="<script>", measured="a < b", answer="<i>")])
    judged = board.rows["C1"].widget.children[-1].value
    assert "<script>" not in judged
    assert "<i>" not in judged
    assert "a &lt; b" in judged


def test_all_verdicts_of_the_course_fit_the_board():
    board = claims_board(judge([]))
    assert all("Verdict: <strong>" in row.widget.children[-1].value for row in board.rows.values())


def test_its_picture_stands_where_nothing_runs(monkeypatch, verdicts):
    monkeypatch.setenv("NANOGPT_PICTURES", "1")
    save_predictions({"C1": ("holds", 29.94)})
    bundle, metadata = claims_board()._repr_mimebundle_()
    assert set(bundle) == {"image/png", "text/plain"}
    assert bundle["text/plain"] == metadata["image/png"]["alt"]
    assert "bet holds, 29.94." in bundle["text/plain"]
    judged, _ = claims_board(verdicts)._repr_mimebundle_()
    assert "bet holds, 29.94; verdict: holds." in judged["text/plain"]


def test_figures_are_read_as_they_are_written():
    assert [read_figure(text) for text in ("", "  ", "3", " 29.94", "-1e-3")] == [None, None, 3, 29.94, -0.001]


def test_what_is_kept_is_plain_json(home):
    board = claims_board()
    move(board.rows["C9"].figure, value="55")
    assert json.loads((home / "progress.json").read_text()) == {"predictions": {"C9": ["unsure", 55.0]}}
    assert board.status.text == "0 of 11 placed. C9: unsure, 55 is kept."
