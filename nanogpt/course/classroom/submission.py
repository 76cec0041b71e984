"""One submission, from the file that was handed in to its result: read, put into the master, judged, kept.

A result is a dictionary that JSON can hold; it says what came of each test cell, of each written answer, and what
happened on the way.
"""

import contextlib
import hashlib
import json
import os
import re
import secrets
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

from nanogpt.checkpoint import write_whole
from nanogpt.course import check
from nanogpt.course.classroom.assemble import (
    LARGEST,
    assemble,
    grade_id,
    is_answer,
    make_master,
    read_submission,
)
from nanogpt.course.classroom.build import EXERCISES, SOLUTIONS, stem_of
from nanogpt.course.classroom.collect import SUBMITTED, TIMESTAMP
from nanogpt.course.classroom.judging import judge_notebook, variant
from nanogpt.course.classroom.sandbox import Limits

AUTOGRADED, RESULT, SALT = "autograded", "result.json", ".classroom-salt"
GRADED, REFUSED, FAILED = "graded", "refused", "failed"
RIGHT_ANSWERS = re.compile(  # where an answer may come from that isn't the student's
    r"\bnanogpt\b|\bor_reference\b|\bcheck\.(?!(\w+)\(\1\b)\w+|\b(?:vars|getattr|dir)\(\s*check\b|\bimport check as\b"
    r"|__(?:closure|globals|dict|import|builtins|code)__|\b_getframe\b|\bimportlib\b|\bimport_module\b|\bimport gc\b"
    r"|\bsys\.modules\b"
)


@dataclass(frozen=True)
class Job:
    """A submission that is to be graded."""

    course: Path
    assignment: str
    stem: str
    student: str
    limits: Limits
    sandboxed: bool = True

    @property
    def place(self) -> Path:
        """The folder for its notebook and its result."""
        return self.course / AUTOGRADED / self.student / self.assignment

    @property
    def folder(self) -> Path:
        """The folder for what was handed in."""
        return self.course / SUBMITTED / self.student / self.assignment

    @property
    def file(self) -> Path:
        """What was handed in; where several files were, the notebook with the exercise's name, or any notebook."""
        files = sorted(path for path in self.folder.iterdir() if path.is_file() and path.name != TIMESTAMP)
        rank = {f"{self.stem}.ipynb": 0}
        return min(
            files, key=lambda p: (rank.get(p.name, 1 if p.suffix == ".ipynb" else 2), p.name), default=self.folder
        )

    @property
    def handed_in(self) -> datetime:
        """When that was: what nbgrader's timestamp.txt says, or else when the file was last changed."""
        from nbgrader.utils import parse_utc

        try:
            return parse_utc((self.folder / TIMESTAMP).read_text(encoding="utf-8").strip()).replace(tzinfo=UTC)
        except (OSError, ValueError, OverflowError):  # there is none, or nothing that is a time
            return datetime.fromtimestamp(self.file.stat().st_mtime, UTC)


def read_result(course: Path, assignment: str, student: str) -> dict[str, Any] | None:
    """What came of a submission; None if it isn't graded."""
    path = course / AUTOGRADED / student / assignment / RESULT
    with contextlib.suppress(FileNotFoundError, ValueError):  # of a damaged one nothing is known: it is graded again
        return json.loads(path.read_text(encoding="utf-8"))
    return None


def current_result(course: Path, assignment: str, student: str) -> dict[str, Any] | None:
    """What came of a submission, if nothing of it and of its tests has changed since; None otherwise."""
    job = Job(course, assignment, stem_of(course, assignment), student, Limits())
    result = read_result(course, assignment, student)
    return result if result and job.folder.is_dir() and result["fingerprint"] == fingerprint(job) else None


def keep_result(job: Job, result: dict[str, Any]) -> None:
    """Write a result, whole or not at all."""
    job.place.mkdir(parents=True, exist_ok=True)
    text = json.dumps(result, indent=1, ensure_ascii=False) + "\n"
    _write(job.place / RESULT, text)


def _write(path: Path, text: str) -> None:
    """Write a file, whole or not at all. What a student put in that is no character becomes a question mark."""
    write_whole(path, lambda partial: partial.write_text(text, encoding="utf-8", errors="replace"))


def notebooks_of(course: Path, assignment: str, stem: str) -> tuple[NotebookNode, NotebookNode]:
    """An assignment's solution and its exercise. Raises FileNotFoundError where the exercise isn't made."""
    exercise = course / EXERCISES / assignment / f"{stem}.ipynb"
    if not exercise.exists():
        raise FileNotFoundError(f"{exercise} is not there; make it with: nanogpt class build {assignment}")
    solution = course / SOLUTIONS / assignment / f"{stem}.ipynb"
    return nbformat.read(solution, as_version=4), nbformat.read(exercise, as_version=4)


def fingerprint(job: Job) -> str:
    """Changes when what was handed in changes, or what it is judged by."""
    path = job.file
    parts = [os.fsencode(path.name), str(path.stat().st_size).encode()]
    if path.is_file() and path.stat().st_size <= LARGEST:
        with contextlib.suppress(OSError):  # who can't be read is told of when it is graded
            parts.append(path.read_bytes())
    banks = [Path(check.__file__).with_name(f"{name}.py") for name in (job.stem, "item", "trial", "values")]
    for name in (SOLUTIONS, EXERCISES):
        parts.append((job.course / name / job.assignment / f"{job.stem}.ipynb").read_bytes())
    parts += [*(bank.read_bytes() for bank in banks), salt(job.course).encode()]
    return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()


def salt(course: Path) -> str:
    """The course's own secret, made once, from which each student's hidden inputs follow."""
    path = course / SALT
    if not path.exists():
        write_whole(path, lambda partial: partial.write_text(secrets.token_hex(16), encoding="utf-8"))
        path.chmod(0o600)
    return path.read_text(encoding="utf-8").strip()


def grade_one(job: Job, mark: str) -> dict[str, Any]:
    """Grade a submission, and keep its notebook. `mark` is its fingerprint. What goes wrong stands in the result."""
    began, blank = time.monotonic(), blank_result(job, mark)
    try:
        path = job.file
        submission = read_submission(path)
    except ValueError as error:
        return blank | {"status": REFUSED, "reason": str(error), "code": mark}
    except Exception as error:
        return blank | {"status": FAILED, "reason": f"it can't be read: {error}"}
    try:
        solution, exercise = notebooks_of(job.course, job.assignment, job.stem)
        master = make_master(solution, exercise)
        if other := _another_exercise(master, submission):
            return blank | {"status": REFUSED, "reason": other, "code": mark}
        notebook, remarks = assemble(master, submission)
        vary = partial(variant, salt(job.course), job.student)
        judged = judge_notebook(notebook, job.stem, job.limits, job.course if job.sandboxed else None, vary)
        job.place.mkdir(parents=True, exist_ok=True)
        _write(job.place / f"{job.stem}.ipynb", nbformat.writes(notebook))
        return blank | {
            "status": GRADED,
            "outcomes": [asdict(outcome) | {"earned": outcome.earned} for outcome in judged.outcomes],
            "written": _written(notebook, exercise),
            "answers": _answers(notebook),
            "code": _code(submission),
            "remarks": [*remarks, *judged.remarks],
            "worth_a_look": [*_worth_a_look(notebook, exercise), *_own_words(submission, exercise)],
            "seconds": round(time.monotonic() - began, 2),
        }
    except Exception as error:  # of ours: the student has no mark then, and the next one's turn comes
        return blank | {"status": FAILED, "reason": f"the grader stopped with {type(error).__name__}: {error}"}


def blank_result(job: Job, mark: str) -> dict[str, Any]:
    """A result in which nothing has happened yet."""
    return {
        "student": job.student, "assignment": job.assignment, "fingerprint": mark, "status": FAILED, "reason": "",
        "outcomes": [], "written": {}, "answers": {}, "code": "", "remarks": [], "worth_a_look": [], "seconds": 0.0,
    }  # fmt: skip


def _written(notebook: NotebookNode, exercise: NotebookNode) -> dict[str, dict[str, Any]]:
    """The written answers, with their points, and whether there is any answer at all."""
    stubs = {grade_id(cell): cell.source.strip() for cell in exercise.cells if is_answer(cell)}
    return {
        grade_id(cell): {
            "points": float(cell.metadata["nbgrader"]["points"]),
            "answer": cell.source + _pictures(cell),
            "attempted": cell.source.strip() not in ("", stubs[grade_id(cell)]) or bool(_pictures(cell)),
        }
        for cell in notebook.cells
        if is_answer(cell) and cell.metadata["nbgrader"].get("grade")
    }


def _pictures(cell: NotebookNode) -> str:
    """What stands for a cell's pictures in its text; other pictures make another text."""
    if not cell.get("attachments"):
        return ""
    mark = hashlib.sha256(json.dumps(cell.attachments, sort_keys=True).encode()).hexdigest()[:8]
    return f"\n\n[with {', '.join(map(str, cell.attachments))}, see the notebook; {mark}]"


def _answers(notebook: NotebookNode) -> dict[str, str]:
    """All answers by grade_id, each with its parts in their order."""
    parts: dict[str, list[str]] = {}
    for cell in notebook.cells:
        if is_answer(cell):
            parts.setdefault(grade_id(cell), []).append(cell.source)
    return {name: "\n\n".join(sources) for name, sources in parts.items()}


def _code(submission: NotebookNode) -> str:
    """Changes when any code of what was handed in changes, wherever it stands."""
    sources = [cell.source for cell in submission.cells if cell.cell_type == "code"]
    return hashlib.sha256(json.dumps(sources).encode()).hexdigest()


def _another_exercise(master: NotebookNode, submission: NotebookNode) -> str:
    """A sentence for a notebook that has answer cells, and none of this exercise's."""
    ours = {grade_id(cell) for cell in master.cells if is_answer(cell)}
    theirs = {grade_id(cell) for cell in submission.cells if is_answer(cell)} - {None}
    if not theirs or theirs & ours:
        return ""
    one = min(theirs)[:40]
    return f"none of this exercise's answer cells is in it, but others are, like {one}; is it another exercise's?"


def _own_words(submission: NotebookNode, exercise: NotebookNode) -> list[str]:
    """A written answer may stand in a cell of the student's own, where nothing looks for it."""
    given = {"", *(cell.source.strip() for cell in exercise.cells)}
    own = [c for c in submission.cells if c.cell_type == "markdown" and grade_id(c) is None]
    if all(cell.source.strip() in given for cell in own):
        return []
    return ["there are words in a cell of the student's own: look at it"]


def _worth_a_look(notebook: NotebookNode, exercise: NotebookNode) -> list[str]:
    """A person should see answers that seem to use the library or the checks, where right ones are. It is a hint."""
    given = {line.strip() for cell in exercise.cells for line in cell.source.splitlines() if "import" in line}
    found = []
    for cell in notebook.cells:
        if cell.cell_type == "code" and (is_answer(cell) or grade_id(cell) is None):
            who = f"the answer {grade_id(cell)}" if is_answer(cell) else "a cell that the student added"
            own = "\n".join(line for line in cell.source.splitlines() if line.strip() not in given)
            if used := RIGHT_ANSWERS.search(own):
                found.append(f"{who} uses {used[0]}: look at it")
    return found
