"""A class with invented results, kept and entered as the grader does, for what is shown of them."""

import shutil
import tempfile
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import nbformat

from nanogpt.course.check import items
from nanogpt.course.classroom import gradebook
from nanogpt.course.classroom.roster import Student
from nanogpt.course.classroom.sandbox import Limits
from nanogpt.course.classroom.submission import GRADED, REFUSED, Job, blank_result, fingerprint, keep_result

ROOT = Path(__file__).parents[1]
NAME, STEM, QUESTION = "03_attention", "attention", "attention_written"
POINTS = {"causal_mask": 1, "attention_weights": 4, "one_head": 2, "split_heads": 2, "merge_heads": 2, "multi_head": 4}
MOST = 17  # two of them for the written question
WHEN = f"{datetime(2026, 1, 31, 12, tzinfo=UTC):%Y-%m-%d %H:%M:%S} UTC"


def new_course(folder: Path, roster: str = "") -> Path:
    """A course of one exercise, with nobody's work in it. roster: ids with spaces between; none for no roster."""
    for part in ("solutions", "exercises"):
        shutil.copytree(ROOT / part / NAME, folder / part / NAME)
    (folder / gradebook.GRADEBOOK).write_bytes(empty_gradebook())
    if roster:
        (folder / "roster.csv").write_text("\n".join(["id", *roster.split()]) + "\n")
    return folder


@cache
def empty_gradebook() -> bytes:
    """A gradebook that knows the exercise and no student; making one takes nbgrader seconds."""
    exercise = nbformat.read(ROOT / "exercises" / NAME / f"{STEM}.ipynb", as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        with gradebook.open_gradebook(Path(folder)) as book:
            gradebook.register(book, NAME, STEM, exercise)
        return (Path(folder) / gradebook.GRADEBOOK).read_bytes()


def outcome(item: str, verdict: str = "right", report: str = "", cause: str | None = None) -> dict:
    points = float(POINTS[item])
    return {
        "test": f"{item}_test",
        "item": item,
        "points": points,
        "verdict": verdict,
        "report": report or f"{item}: {verdict}",
        "cause": cause,
        "earned": points if verdict == "right" else 0.0,
    }


def slip(item: str, number: int = 0) -> dict:
    """A wrong outcome that comes from one of the item's own slips."""
    sentence = list(items(STEM)[item].slips)[number]
    report = f"{item}: not right yet\n  asked for      {items(STEM)[item].asked}\n  it looks as if {sentence}"
    return outcome(item, "wrong", report, sentence)


def hand_in(
    course: Path,
    student: str,
    *outcomes: dict,
    status: str = GRADED,
    reason: str = "",
    written: str = "It is the past.",
    answers: dict[str, str] | None = None,
    remarks: list[str] | None = None,
    score: float | None = None,
    comment: str = "",
) -> dict:
    """Keep a result and enter it. Items that no outcome is given for are right; `score` is a person's."""
    job = Job(course, NAME, STEM, student, Limits())
    file = course / "submitted" / student / NAME / f"{STEM}.ipynb"
    file.parent.mkdir(parents=True)
    file.write_text("{}")
    result = blank_result(job, fingerprint(job)) | {"status": status, "reason": reason, "remarks": remarks or []}
    scores: dict[str, float | None] = dict.fromkeys([*(f"{item}_test" for item in POINTS), QUESTION], 0.0)
    if status == GRADED:
        given = {found["item"]: found for found in outcomes}
        result["outcomes"] = [given.get(item, outcome(item)) for item in POINTS]
        result["written"] = {QUESTION: {"points": 2.0, "answer": written, "attempted": bool(written)}}
        result["answers"] = {item: f"def {item}(*args):\n    return 1" for item in POINTS} | (answers or {})
        scores = {found["test"]: found["earned"] for found in result["outcomes"]}
        scores[QUESTION] = None if written else 0.0
    elif status != REFUSED:
        scores = {}
    with gradebook.open_gradebook(course) as book:
        gradebook.enter_students(book, [Student(student)])
        gradebook.enter(book, NAME, student, WHEN, scores)
        if score is not None:
            gradebook.enter_written(book, NAME, student, QUESTION, score, comment)
    keep_result(job, result)
    return result


def untouched(item: str) -> dict:
    return outcome(item, "not attempted", f"{item}: not attempted\n  asked for  {items(STEM)[item].asked}")
