"""The written answers: a sheet for a person to mark, `written/<assignment>.csv`, and its way to the gradebook."""

import csv
import io
import shutil
from collections.abc import Container
from pathlib import Path
from typing import Any

from nanogpt.checkpoint import write_whole
from nanogpt.course.classroom import gradebook
from nanogpt.course.classroom.collect import students_of
from nanogpt.course.classroom.submission import read_result

WRITTEN = "written"
LONGEST = 30_000  # characters of an answer on the sheet; a cell of a spreadsheet holds a few more
COLUMNS = ("student", "question", "out of", "score", "comment", "answer")


def write_sheet(book: Any, course: Path, assignment: str) -> Path | None:
    """Make the sheet: a line for each written answer, with what was given for it so far. None if there is no answer."""
    rows, held = [], gradebook.marks(book, assignment)
    for student, question, answer in _answers(course, assignment, held):
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


def take_in(book: Any, course: Path, assignment: str) -> list[str]:
    """Bring the sheet's scores and comments to the gradebook. Returns a sentence for each score that wasn't taken in.

    A line without a score says nothing. A score for an answer that isn't the one handed in last isn't taken in; the
    sheet is then kept as `<assignment>.old.csv` too. Raises ValueError, and takes nothing in, for a sheet that lacks a
    column, or a score that is no number or more than there is to get.
    """
    path = course / WRITTEN / f"{assignment}.csv"
    if not path.exists():
        return []
    held = gradebook.marks(book, assignment)
    answers = {(student, question): answer for student, question, answer in _answers(course, assignment, held)}
    found, left = [], []
    for row in _rows(path):
        given, key = (row["score"] or "").strip(), (row["student"], row["question"])
        if not given:
            continue
        answer, whose = answers.get(key), f"{row['student']}'s {row['question']}"
        if answer is None:
            left.append(f"{whose}: nobody handed that in, so its score {given} was not taken in")
        elif _plain(answer["answer"]).split() != (row["answer"] or "").split():
            left.append(f"{whose}: the answer is another one than on the sheet, so its score {given} was not taken in")
        else:
            found.append((*key, _score(given, answer["points"], f"{whose} in {path}"), row.get("comment") or ""))
    for student, question, score, comment in found:
        gradebook.enter_written(book, assignment, student, question, score, comment)
    if left:
        shutil.copyfile(path, path.with_suffix(".old.csv"))
        left.append(f"the sheet as it was is kept in {path.with_suffix('.old.csv')}")
    return left


def _rows(path: Path) -> list[dict[str, str]]:
    """The lines of a sheet, as any spreadsheet may have saved it: with commas, semicolons or tabs."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not in UTF-8; save it again as CSV in UTF-8") from None
    head = text.partition("\n")[0]
    rows = csv.DictReader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=head.count))
    for column in ("student", "question", "score", "answer"):
        if column not in (rows.fieldnames or ()):
            raise ValueError(f"{path} has no column called {column}; its first line should be {','.join(COLUMNS)}")
    return list(rows)


def _answers(course: Path, assignment: str, held: Container[str]) -> list[tuple[str, str, dict[str, Any]]]:
    """The written answers that were attempted, of students `held` by the gradebook: (student, question, answer)."""
    students = [s.id for s in students_of(course, assignment)[0] if s.id in held]
    results = {student: read_result(course, assignment, student) for student in students}
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
    """A text that fits a spreadsheet's cell, and that it won't take for a formula."""
    text = text[:LONGEST]
    return "'" + text if text.startswith(("=", "+", "-", "@", "\t")) else text
