"""Small classes to be graded: submissions to exercise 03, made of it by code, in a course folder of their own."""

import json
import re
import zipfile
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import nbformat
import pytest
from invented_class import NAME, POINTS, ROOT, STEM, new_course
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell

from nanogpt.course.classroom import sandbox
from nanogpt.course.classroom.assemble import grade_id
from nanogpt.course.classroom.grade import grade
from nanogpt.course.classroom.gradebook import marks, open_gradebook
from nanogpt.course.classroom.sandbox import Limits
from nanogpt.course.classroom.submission import SALT

needs_sandbox = pytest.mark.skipif(bool(sandbox.trouble()), reason=sandbox.trouble() or "")
QUICK = Limits(seconds=2.5, memory=900_000_000)
WORDS = "Outputs 3, 4, 5 and 6 change, as they look at token 3."
FULL = {f"{item}_test": float(points) for item, points in POINTS.items()}
STUB = 'raise NotImplementedError("your code here")'


@cache
def solved() -> dict[str, str]:
    """The answers of the solution by item, without its markers."""
    solution = nbformat.read(ROOT / "solutions" / NAME / f"{STEM}.ipynb", as_version=4)
    answers = {grade_id(cell): cell.source for cell in solution.cells if grade_id(cell) in POINTS}
    return {item: re.sub(r" *### (BEGIN|END) SOLUTION\n?", "", source) for item, source in answers.items()}


def untouched() -> NotebookNode:
    return nbformat.read(ROOT / "exercises" / NAME / f"{STEM}.ipynb", as_version=4)


def handed_in(
    answers: dict[str, str] | None = None,
    added: str = "",
    without: Iterable[str] = (),
    twice: Iterable[str] = (),
    below: Iterable[str] = (),
    setup: str = "",
    copies: dict[str, str] | None = None,
) -> NotebookNode:
    """The exercise with the right answers, or with others in their place; `added` is a cell of the student's own.

    Of the items named, the cell is left out, or there twice, or left as it was with the answer in a new one below it;
    `setup` is written into the cell that imports, which is not for that; `copies` of cells stand before them.
    """
    notebook, cells = untouched(), []
    for cell in notebook.cells:
        name = grade_id(cell)
        if name in POINTS and name not in below:
            cell.source = (answers or {}).get(name, solved()[name])
        elif name == "attention_setup" and setup:
            cell.source += f"\n{setup}"
        elif name == "attention_written":
            cell.source = WORDS
        cells += [new_code_cell(added)] if added and name == next(iter(POINTS)) else []
        cells += [new_code_cell(copies[name], metadata=cell.metadata)] if name in (copies or {}) else []
        cells += [] if name in without else [cell]
        cells += [new_code_cell(cell.source, metadata=cell.metadata)] if name in twice else []
        cells += [new_code_cell(solved()[name])] if name in below else []
    notebook.cells = cells
    return notebook


def hand_in(course: Path, student: str, work: NotebookNode | bytes, name: str = f"{STEM}.ipynb") -> Path:
    """Put a submission where the grader finds it."""
    file = course / "submitted" / student / NAME / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(work if isinstance(work, bytes) else nbformat.writes(work).encode())
    return file


def new_class(folder: Path, work: dict[str, NotebookNode | bytes], roster: str = "") -> Path:
    """A course with submissions in it and a fixed salt, so that hidden tests are the same in each."""
    course = new_course(folder, roster)
    (course / SALT).write_text("0" * 32)
    for student, notebook in work.items():
        hand_in(course, student, notebook)
    return course


def graded(course: Path, jobs: int = 2, **options) -> tuple[dict[str, dict], list[str]]:
    """Grade a class. Returns the results by student, and the lines that were said."""
    said: list[str] = []
    results = grade(course, NAME, QUICK, jobs, say=said.append, **options)
    return {result["student"]: result for result in results}, said


def scores(course: Path) -> dict[str, dict[str, float | None]]:
    """The gradebook's points by student and cell; None where a person is waited for."""
    with open_gradebook(course) as book:
        return {student: mark["cells"] for student, mark in marks(book, NAME).items()}


def verdicts(result: dict) -> dict[str, str]:
    return {outcome["item"]: outcome["verdict"] for outcome in result["outcomes"]}


def text_of(result: dict) -> str:
    """All that a result says in words, reports with their lines joined."""
    return re.sub(r"\s+", " ", json.dumps(result, ensure_ascii=False).replace("\\n", " "))


def zipped(path: Path, files: dict[str, bytes], year: int = 2026) -> Path:
    """A zip with these files, each from the first day of a year."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name, (year, 1, 1, 12, 0, 0)), content)
    return path
