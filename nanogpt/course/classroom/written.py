"""The written answers: a sheet for a person to mark, `written/<assignment>.csv`, and its way to the gradebook."""

import contextlib
import json
import re
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
NUMBERLIKE = re.compile(r"\s*[\d\s.,:/%eE+-]*\d[\d\s.,:/%eE+-]*")
COLUMNS = ("student", "question", "out of", "score", "comment", "answer")


def write_sheet(book: Any, course: Path, assignment: str) -> Path | None:
    """Make the sheet: a line for each written answer, with what was given for it so far. None if there is no answer."""
    rows, held = [], gradebook.marks(book, assignment)
    for student, question, answer in _answers(course, assignment, held):
        cell = held[student]["cells"][question]
        comment = held[student]["comments"][question]
        score = "" if cell is None else f"{cell:g}"
        rows.append([student, question, f"{answer['points']:g}", score, comment, _on_sheet(answer["answer"])])
    if not rows:
        return None
    path = write_rows(_sheet(course, assignment), [COLUMNS, *rows], "utf-8-sig")
    _remember(path, _rows(path), held)
    return path


def take_in(book: Any, course: Path, assignment: str) -> list[str]:
    """Bring the sheet's scores and comments to the gradebook. Returns a sentence for each that isn't as expected.

    What is on the sheet as it was when last read or written says nothing new, so that a mark which was changed in the
    gradebook since stands; a gradebook that is new takes all. A line without a score leaves the score as it is. What
    is said of an answer that isn't the one handed in last isn't taken in; the sheet is then kept as
    `<assignment>.old.csv` too. Raises ValueError, and takes nothing in, for a sheet that lacks a column, or has lines
    with a score that is no number or more than there is to get, or two of one answer.
    """
    path = _sheet(course, assignment)
    if not path.exists():
        return []
    held, before = gradebook.marks(book, assignment), _remembered(path)
    answers = {(student, question): answer for student, question, answer in _answers(course, assignment, held)}
    rows = _by_their_ids(_rows(path), [student for student, _ in answers])
    found, told, left, wrong = {}, [], [], []
    for student, question, given, comment, answered in rows:
        answer, whose = answers.get((student, question)), f"{student}'s {question}"
        is_another = answer is None or _on_sheet(answer["answer"]).split() != answered.split()
        if is_another and (given or comment):
            why = "no such answer is graded" if answer is None else "the answer is another one than on the sheet"
            what = f"its score {given}" if given else "the comment on it"
            left.append(f"{whose}: {why}, so {what} was not taken in")
        if is_another:
            continue
        mark, remark = held[student]["cells"].get(question), held[student]["comments"].get(question, "")
        submission, mark_then, remark_then = before.get(f"{student} {question}", ("", None, ""))
        known = submission == held[student]["id"]  # so what the gradebook has now is newer
        says_nothing = not given or (known and mark_then is not None and _number(given) == mark_then)
        score = mark if says_nothing else _number(given)
        if not says_nothing and (score is None or not 0 <= score <= answer["points"]):
            wrong.append(f"{whose}: the score is {given!r}; write a number from 0 to {answer['points']:g}")
            continue
        if known and mark not in (None, mark_then, score):
            told.append(f"{whose}: {mark:g} in the gradebook, {score:g} on the sheet, which was taken")
        said = (remark if comment == remark_then else comment) if known else comment or remark
        if (student, question) in found:
            wrong.append(f"{whose} is there twice; leave one line out")
        found[student, question] = (score, said)
        if (score, said) == (mark, remark):
            found[student, question] = None
    if wrong:
        raise ValueError(f"{path} can't be taken in: {'; '.join(wrong)}")
    for (student, question), entry in found.items():
        if entry is not None:
            gradebook.enter_written(book, assignment, student, question, *entry)
    _remember(path, rows, held)
    if left:
        shutil.copyfile(path, path.with_suffix(".old.csv"))
        left.append(f"the sheet as it was is kept in {path.with_suffix('.old.csv')}")
    return told + left


def _by_their_ids(rows: list[tuple[str, ...]], students: list[str]) -> list[tuple[str, ...]]:
    """The rows with the ids that students have, where a spreadsheet made 7 of 007."""
    as_numbers = {student.lstrip("0"): student for student in students if student.isdecimal()}
    return [(row[0] if row[0] in students else as_numbers.get(row[0], row[0]), *row[1:]) for row in rows]


def _sheet(course: Path, assignment: str) -> Path:
    return course / WRITTEN / f"{assignment}.csv"


def _rows(path: Path) -> list[tuple[str, ...]]:
    """The lines of a sheet: student, question, score, comment, answer."""
    rows = read_rows(path, ["student", "question", "score", "answer"], COLUMNS)
    keys = ("student", "question", "score", "comment")
    return [(*(row.get(key, "").strip() for key in keys), row["answer"]) for _, row in rows]


def _remember(sheet: Path, rows: list[tuple[str, ...]], held: dict[str, dict[str, Any]]) -> None:
    """Keep beside the sheet which scores and comments were on it, and of which submission in the gradebook."""
    seen = {
        f"{student} {question}": (held[student]["id"], _number(score), comment)
        for student, question, score, comment, _ in rows
        if student in held
    }
    write_whole(_memory(sheet), lambda partial: partial.write_text(json.dumps(seen), encoding="utf-8"))


def _remembered(sheet: Path) -> dict[str, tuple[str, float | None, str]]:
    with contextlib.suppress(FileNotFoundError, ValueError):
        return json.loads(_memory(sheet).read_text(encoding="utf-8"))
    return {}


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


def _on_sheet(answer: str) -> str:
    """An answer as a spreadsheet leaves it: not too long, and no number or date, which it would write anew."""
    return f"({answer})" if len(answer) < 50 and NUMBERLIKE.fullmatch(answer) else answer[:LONGEST]


def _number(text: str) -> float | None:
    try:
        return float(text.replace(",", "."))
    except ValueError:
        return None
