"""The written answers: a sheet for a person to mark, `written/<assignment>.csv`, and its way to the gradebook."""

import json
import shutil
from collections.abc import Container
from pathlib import Path
from typing import Any

from nanogpt.checkpoint import write_whole
from nanogpt.course.classroom import gradebook
from nanogpt.course.classroom.collect import students_of
from nanogpt.course.classroom.spreadsheet import read_rows, write_rows
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
        rows.append([student, question, f"{answer['points']:g}", score, comment, answer["answer"][:LONGEST]])
    if not rows:
        return None
    path = write_rows(_sheet(course, assignment), [COLUMNS, *rows], "utf-8-sig")
    _remember(path, _rows(path))
    return path


def take_in(book: Any, course: Path, assignment: str) -> list[str]:
    """Bring the sheet's scores and comments to the gradebook. Returns a sentence for each score that isn't as expected.

    What is on the sheet as it was when last read or written says nothing new, so that a mark which was changed in the
    gradebook since stands; what the gradebook lacks is taken in all the same. A line without a score leaves the score
    as it is. A score for an answer that isn't the one handed in last isn't taken in; the sheet is then kept as
    `<assignment>.old.csv` too. Raises ValueError, and takes nothing in, for a sheet that lacks a column, or a score
    that is no number or more than there is to get.
    """
    path = _sheet(course, assignment)
    if not path.exists():
        return []
    held, rows, before = gradebook.marks(book, assignment), _rows(path), _remembered(path)
    answers = {(student, question): answer for student, question, answer in _answers(course, assignment, held)}
    found, told, left = [], [], []
    for student, question, given, comment, answered in rows:
        answer, whose = answers.get((student, question)), f"{student}'s {question}"
        if answer is None or answer["answer"][:LONGEST].split() != answered.split():
            why = "nobody handed that in" if answer is None else "the answer is another one than on the sheet"
            if given:
                left.append(f"{whose}: {why}, so its score {given} was not taken in")
            continue
        score = _score(given, answer["points"], f"{whose} in {path}") if given else None
        mark, remark = held[student]["cells"][question], held[student]["comments"][question]
        mark_then, remark_then = before.get(f"{student} {question}", (None, ""))
        new_score = mark if score is None or (score == mark_then and mark is not None) else score
        new_comment = remark if comment == remark_then and remark else comment
        if mark not in (None, mark_then, new_score):
            told.append(f"{whose}: {mark:g} in the gradebook, {new_score:g} on the sheet, which was taken")
        if (new_score, new_comment) != (mark, remark):
            found.append((student, question, new_score, new_comment))
    for entry in found:
        gradebook.enter_written(book, assignment, *entry)
    _remember(path, rows)
    if left:
        shutil.copyfile(path, path.with_suffix(".old.csv"))
        left.append(f"the sheet as it was is kept in {path.with_suffix('.old.csv')}")
    return told + left


def _sheet(course: Path, assignment: str) -> Path:
    return course / WRITTEN / f"{assignment}.csv"


def _rows(path: Path) -> list[tuple[str, ...]]:
    """The lines of a sheet: student, question, score, comment, answer."""
    rows = read_rows(path, ["student", "question", "score", "answer"], COLUMNS)
    keys = ("student", "question", "score", "comment")
    return [(*(row.get(key, "").strip() for key in keys), row["answer"]) for _, row in rows]


def _remember(sheet: Path, rows: list[tuple[str, ...]]) -> None:
    """Keep beside the sheet which scores and comments were on it."""
    seen = {f"{student} {question}": (_number(score), comment) for student, question, score, comment, _ in rows}
    write_whole(_memory(sheet), lambda partial: partial.write_text(json.dumps(seen), encoding="utf-8"))


def _remembered(sheet: Path) -> dict[str, tuple[float | None, str]]:
    memory = _memory(sheet)
    return json.loads(memory.read_text(encoding="utf-8")) if memory.exists() else {}


def _memory(sheet: Path) -> Path:
    return sheet.with_name(f".{sheet.stem}.json")


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
    score = _number(given)
    if score is None or not 0 <= score <= points:
        raise ValueError(f"{place}: the score is {given!r}; write a number from 0 to {points:g}")
    return score


def _number(text: str) -> float | None:
    try:
        return float(text.replace(",", "."))
    except ValueError:
        return None
