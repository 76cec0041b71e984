"""The written answers: a sheet for a person to mark, `written/<assignment>.csv`, and its way to the gradebook."""

import csv
from pathlib import Path
from typing import Any

from nanogpt.checkpoint import write_whole
from nanogpt.course.classroom import gradebook
from nanogpt.course.classroom.collect import students_of
from nanogpt.course.classroom.submission import read_result

WRITTEN = "written"
COLUMNS = ("student", "question", "out of", "score", "comment", "answer")


def write_sheet(book: Any, course: Path, assignment: str) -> Path | None:
    """Make the sheet: a line for each written answer, with what was given for it so far. None if there is no answer."""
    rows, held = [], gradebook.marks(book, assignment)
    for student, question, answer in _answers(course, assignment):
        cell = held[student]["cells"][question]
        comment = held[student]["comments"][question]
        score = "" if cell is None else f"{cell:g}"
        rows.append([student, question, f"{answer['points']:g}", score, comment, _plain(answer["answer"])])
    if not rows:
        return None
    path = course / WRITTEN / f"{assignment}.csv"
    path.parent.mkdir(exist_ok=True)

    def write(partial: Path) -> None:
        with partial.open("w", newline="", encoding="utf-8-sig") as file:  # so that spreadsheets know it for UTF-8
            csv.writer(file).writerows([COLUMNS, *rows])

    write_whole(path, write)
    return path


def take_in(book: Any, course: Path, assignment: str) -> int:
    """Bring the sheet's scores and comments to the gradebook. Returns how many there are.

    A line without a score says nothing, and so does one whose answer isn't the one that was handed in last. Raises
    ValueError, with the line, for a score that is no number or more than there is to get; nothing is taken in then.
    """
    path = course / WRITTEN / f"{assignment}.csv"
    if not path.exists():
        return 0
    answers = {(student, question): answer for student, question, answer in _answers(course, assignment)}
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    found = []
    for line, row in enumerate(rows, 2):
        given, key = (row.get("score") or "").strip(), (row.get("student"), row.get("question"))
        answer = answers.get(key)
        if given and answer and _plain(answer["answer"]).split() == (row.get("answer") or "").split():
            found.append((*key, _score(given, answer["points"], f"line {line} of {path}"), row.get("comment") or ""))
    for student, question, score, comment in found:
        gradebook.enter_written(book, assignment, student, question, score, comment)
    return len(found)


def _answers(course: Path, assignment: str) -> list[tuple[str, str, dict[str, Any]]]:
    """The written answers that were attempted: (student, question, answer) each."""
    results = {s.id: read_result(course, assignment, s.id) for s in students_of(course, assignment)[0]}
    return [
        (student, question, answer)
        for student, result in results.items()
        if result
        for question, answer in result["written"].items()
        if answer["attempted"]
    ]


def _score(given: str, points: float, place: str) -> float:
    try:
        score = float(given.replace(",", "."))
    except ValueError:
        score = -1.0
    if not 0 <= score <= points:
        raise ValueError(f"{place}: the score is {given!r}; write a number from 0 to {points:g}")
    return score


def _plain(text: str) -> str:
    """A text that a spreadsheet won't take for a formula."""
    return "'" + text if text.startswith(("=", "+", "-", "@", "\t")) else text
