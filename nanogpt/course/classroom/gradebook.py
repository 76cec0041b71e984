"""The marks, in nbgrader's own gradebook: a SQLite file that its commands and its form for hand grading read too."""

import os
import sys
import warnings
from collections.abc import Container, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nbformat import NotebookNode

from nanogpt.course.classroom.roster import Student

GRADEBOOK = "gradebook.db"
COURSE_ID = "nanogpt"


@contextmanager
def open_gradebook(course: Path) -> Iterator[Any]:
    """nbgrader's Gradebook of a course, made if there is none yet. Raises OSError for a file that is none."""
    from nbgrader.api import Gradebook
    from sqlalchemy.exc import DatabaseError, OperationalError, SAWarning

    if not course.is_dir():
        raise FileNotFoundError(f"{course} is no folder; name the course's folder with --course")
    path = course / GRADEBOOK
    beside_python = str(Path(sys.executable).parent)  # where nbgrader looks for the program alembic
    if beside_python not in os.environ["PATH"].split(os.pathsep):
        os.environ["PATH"] += os.pathsep + beside_python
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SAWarning)  # nbgrader makes its objects before it adds them
        try:
            path.touch(mode=0o600)  # nobody else's to read
            book = Gradebook(f"sqlite:///{path.resolve()}", course_id=COURSE_ID)
        except OperationalError:
            raise OSError(f"{path} can't be opened; is another program, or another grading, at work on it?") from None
        except DatabaseError:
            raise OSError(f"{path} is not a gradebook that can be read; move it away, and a new one is made") from None
        try:
            with book:
                yield book
        except OperationalError:
            raise OSError(f"{path} can't be written; is another program, or another grading, at work on it?") from None


def register(book: Any, assignment: str, stem: str, notebook: NotebookNode) -> None:
    """Enter an assignment with its cells and points, as nbgrader's `generate_assignment` does.

    Raises ValueError if its cells are others than those that submissions were graded by.
    """
    from nbgrader.preprocessors import SaveCells

    book.update_or_create_assignment(assignment)
    resources = {"nbgrader": {"notebook": stem, "assignment": assignment, "db_url": str(book.engine.url)}}
    try:
        SaveCells().preprocess(notebook, resources)
    except RuntimeError:
        raise ValueError(
            f"the cells of {assignment} are others than when its submissions were graded; take its marks away with "
            f"`nbgrader db assignment remove {assignment} --force`, and grade all of it again"
        ) from None
    book.db.expire_all()


def enter_students(book: Any, students: list[Student]) -> None:
    """Enter the class, or bring its names up to date."""
    for student in students:
        names = {key: getattr(student, key) or None for key in ("first_name", "last_name", "email", "lms_user_id")}
        book.update_or_create_student(student.id, **names)


def clear(book: Any, assignment: str, student: str) -> None:
    """Take an old mark away before a submission is graded anew, so that it can't stand if that fails."""
    for grade in _grades(book, assignment, student).values():
        grade.auto_score, grade.needs_manual_grade = None, True
    book.db.commit()


def enter(
    book: Any, assignment: str, student: str, when: str, scores: dict[str, float | None], keep: Container[str] = ()
) -> list[str]:
    """Enter a submission's scores by cell; None waits for a person. Returns a sentence for each that went.

    `when` is the time of handing in, as "2026-01-31 12:00:00 UTC". What a person gave or said before goes, as it was of
    another submission, except for cells of the types in `keep`: "code", "markdown".
    """
    book.update_or_create_submission(assignment, student, timestamp=when)
    gone, grades = [], _grades(book, assignment, student)
    for notebook in book.find_submission(assignment, student).notebooks:
        for comment in notebook.comments:  # of code, they are kept under the answer's name, and not the test's
            if (grades[comment.name].cell_type if comment.name in grades else "code") not in keep:
                comment.manual_comment = None
    for name, grade in grades.items():
        grade.auto_score = scores.get(name)
        if grade.cell_type not in keep:
            if grade.manual_score is not None:
                gone.append(f"a person gave {grade.manual_score:g} for {name} as it was before: give it anew")
            grade.manual_score = grade.extra_credit = None
        grade.needs_manual_grade = grade.auto_score is None and grade.manual_score is None
    book.db.commit()
    return gone


def enter_written(book: Any, assignment: str, student: str, question: str, score: float | None, comment: str) -> None:
    """Enter what a person gave for a written answer, and said of it; without a score it waits for one."""
    grade = _grades(book, assignment, student)[question]
    grade.manual_score, grade.extra_credit = score, None
    grade.needs_manual_grade = score is None and grade.auto_score is None
    _comment(book, assignment, student, question, comment)
    book.db.commit()


def _comment(book: Any, assignment: str, student: str, cell: str, comment: str) -> None:
    for notebook in book.find_submission(assignment, student).notebooks:
        for found in notebook.comments:
            if found.name == cell:
                found.manual_comment = comment or None


def marks(book: Any, assignment: str) -> dict[str, dict[str, Any]]:
    """What the gradebook holds of each submission: student -> what is known of it, by these names.

    score: None as long as a test cell has no mark; written answers that wait for a person count 0 until then.
    id: the submission's in this gradebook and no other; max_score; by_hand: the cells that a person gave points for;
    waiting: the questions that do; cells, comments: by grade_id; handed_in: a time in UTC, or None.
    """
    found = {}
    for submission in book.assignment_submissions(assignment):
        grades = {grade.name: grade for notebook in submission.notebooks for grade in notebook.grades}
        comments = {c.name: c.comment or "" for notebook in submission.notebooks for c in notebook.comments}
        waiting = [name for name, grade in grades.items() if grade.needs_manual_grade]
        ungraded = any(grades[name].cell_type == "code" for name in waiting)
        found[submission.student.id] = {
            "score": None if ungraded else submission.score,
            "id": submission.id,
            "max_score": submission.max_score,
            "by_hand": [name for name, grade in grades.items() if grade.manual_score is not None],
            "waiting": waiting,
            "cells": {name: None if name in waiting else grade.score for name, grade in grades.items()},
            "comments": comments,
            "handed_in": submission.timestamp,
        }
    return found


def _grades(book: Any, assignment: str, student: str) -> dict[str, Any]:
    from nbgrader.api import MissingEntry

    try:
        submission = book.find_submission(assignment, student)
    except MissingEntry:
        return {}
    return {grade.name: grade for notebook in submission.notebooks for grade in notebook.grades}


def cells(book: Any, assignment: str) -> dict[str, float]:
    """The points of each cell of an assignment that is graded, tests and written answers alike."""
    return {c.name: c.max_score for nb in book.find_assignment(assignment).notebooks for c in nb.grade_cells}
