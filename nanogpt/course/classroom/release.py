"""Giving an assignment out: only if it is what its solution makes, its solution has full marks, and it itself none."""

import tempfile
import zipfile
from pathlib import Path

from nanogpt.checkpoint import write_whole
from nanogpt.course.classroom import gradebook, sandbox
from nanogpt.course.classroom.assemble import assemble, make_master
from nanogpt.course.classroom.build import CONFIG, EXERCISES, SOLUTIONS, build, stem_of
from nanogpt.course.classroom.judging import NOT_ATTEMPTED, RIGHT, judge_notebook, variant
from nanogpt.course.classroom.sandbox import Limits
from nanogpt.course.classroom.submission import notebooks_of, salt

RELEASED = "released"
SAME_TIME = (2020, 1, 1, 0, 0, 0)  # so that the same exercise makes the same zip


def release(course: Path, assignment: str) -> Path:
    """Make `released/<assignment>.zip` and enter the assignment in the gradebook. Returns the zip.

    Raises ValueError, and gives nothing out, if the exercise isn't up to date or the tests don't do their work.
    """
    stem = stem_of(course, assignment)
    solution, exercise = notebooks_of(course, assignment, stem)
    notebook = course / EXERCISES / assignment / f"{stem}.ipynb"
    if notebook.read_bytes() != _built_anew(course, assignment):
        raise ValueError(f"{notebook} is not what its solution makes; run: nanogpt class build {assignment}")
    master = make_master(solution, exercise)
    hidden_from = course if sandbox.trouble() is None else None  # both are the instructor's own
    for filled, wanted in ((assemble(master, solution)[0], RIGHT), (master, NOT_ATTEMPTED)):
        judged = judge_notebook(
            filled, stem, Limits(), hidden_from, lambda item, seed: variant(salt(course), "", item, seed)
        )
        for outcome in judged.outcomes:
            if outcome.verdict != wanted:
                whose = "the solution" if wanted == RIGHT else "the untouched exercise"
                raise ValueError(
                    f"{assignment}: {whose} should be {wanted} in {outcome.test}, and is {outcome.verdict}; mend the "
                    f"solution or its check: {outcome.report}"
                )
    with gradebook.open_gradebook(course) as book:
        gradebook.register(book, assignment, stem, exercise)
    path = course / RELEASED / f"{assignment}.zip"
    path.parent.mkdir(exist_ok=True)
    visible = [file for file in sorted(notebook.parent.iterdir()) if file.is_file() and not file.name.startswith(".")]

    def write(partial: Path) -> None:
        with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as archive:
            for file in visible:
                entry = zipfile.ZipInfo(f"{assignment}/{file.name}", SAME_TIME)
                entry.external_attr = 0o644 << 16
                archive.writestr(entry, file.read_bytes(), zipfile.ZIP_DEFLATED)

    write_whole(path, write)
    return path


def _built_anew(course: Path, assignment: str) -> bytes:
    with tempfile.TemporaryDirectory() as scratch:
        for name in (SOLUTIONS, CONFIG):
            Path(scratch, name).symlink_to((course / name).resolve())
        return build(Path(scratch), assignment)[0].read_bytes()
