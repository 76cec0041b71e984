"""The commands of `nanogpt class`: what an instructor does with the exercises."""

import os
from pathlib import Path
from typing import Annotated

from tyro.conf import FlagCreatePairsOff, Positional, arg

Course = Annotated[Path, arg(help="The course's folder, which holds solutions/ and nbgrader_config.py.")]


def build(name: Positional[str | None] = None, course: Course = Path()) -> None:
    """Make the exercises of their solutions, in nbgrader's format.

    Args:
        name: One assignment, like 03_attention; all of them if left out.
    """
    from nanogpt.course.classroom.build import build as build_exercises

    for notebook in build_exercises(course, name):
        print(notebook)


def release(name: Positional[str], course: Course = Path()) -> None:
    """Try an assignment's solution and its untouched exercise, and pack it for the students.

    Args:
        name: The assignment, like 03_attention.
    """
    from nanogpt.course.classroom.release import release as give_out

    print(f"the solution has full marks and the untouched exercise none: {give_out(course, name)} is ready")


def collect(name: Positional[str], source: Positional[Path], course: Course = Path()) -> None:
    """Sort what was handed in by students, into submitted/.

    Args:
        name: The assignment, like 03_attention.
        source: The zip that your platform gives you, or a folder of files.
    """
    from nanogpt.course.classroom.collect import collect as sort_in

    students, remarks = sort_in(course, name, source)
    print(*remarks, sep="\n", end="\n" if remarks else "")
    if not students:
        raise ValueError(f"{source} holds nothing of anybody in the class; look at the lines above, and at roster.csv")
    print(f"students found: {len(students)}; their work is in {course / 'submitted'}; next: nanogpt class grade {name}")


def grade(
    name: Positional[str],
    course: Course = Path(),
    jobs: int = os.cpu_count() or 1,
    seconds: float = 10.0,
    again: FlagCreatePairsOff[bool] = False,
    unsandboxed: FlagCreatePairsOff[bool] = False,
) -> int:
    """Grade what was handed in, each submission in a sandbox. Stopped, the same command goes on.

    Args:
        name: The assignment, like 03_attention.
        jobs: How many submissions at a time.
        seconds: How long a cell, or an answer on one input, may take.
        again: Grade all of them anew, not only those that changed.
        unsandboxed: Run students' code as your own, with your rights. Only if you trust all of them.
    """
    if jobs < 1:
        raise ValueError(f"--jobs {jobs} leaves nobody to work; choose 1 or more")
    if not 0 < seconds <= 3600:
        raise ValueError(f"--seconds {seconds:g} is no time that an answer can take; choose above 0 and up to 3600")
    from nanogpt.course.classroom.grade import grade as grade_all
    from nanogpt.course.classroom.gradebook import marks, open_gradebook
    from nanogpt.course.classroom.sandbox import Limits
    from nanogpt.course.classroom.submission import FAILED, GRADED, REFUSED
    from nanogpt.course.classroom.written import take_in, write_sheet

    results = grade_all(course, name, Limits(seconds=seconds), jobs, not unsandboxed, again, print)
    if not results:
        raise FileNotFoundError(f"nothing was handed in for {name}; sort it in with: nanogpt class collect {name} ...")
    with open_gradebook(course) as book:
        left = take_in(book, course, name)
        sheet, waiting = write_sheet(book, course, name), sum(bool(m["waiting"]) for m in marks(book, name).values())
    counts = {status: sum(r["status"] == status for r in results) for status in (GRADED, REFUSED, FAILED)}
    print(
        ", ".join(f"{count} {status}" for status, count in counts.items() if count) + "; the marks are in gradebook.db"
    )
    print(*left, sep="\n", end="\n" if left else "")
    if sheet and waiting:
        print(f"written answers wait for you in {sheet}: fill in its column score, then go on")
    if counts[FAILED]:
        print(f"{counts[FAILED]} have no mark, for the reasons above; the same command tries them again")
        return 1
    print(f"next: nanogpt class feedback {name}, nanogpt class report {name}, nanogpt class export")
    return 0


def feedback(name: Positional[str], course: Course = Path()) -> None:
    """Write each student's page: what was right, what wasn't, and where that came from.

    Args:
        name: The assignment, like 03_attention.
    """
    from nanogpt.course.classroom.feedback import write_feedback

    _take_in(course, name)
    pages = write_feedback(course, name)
    if not pages:
        raise FileNotFoundError(f"nothing is graded yet; next: nanogpt class grade {name}")
    print(f"pages written: {len(pages)}, in {course / 'feedback'}")


def export(course: Course = Path(), out: Path = Path("grades"), partial: FlagCreatePairsOff[bool] = False) -> None:
    """Write the marks as CSV: one to read, one with Canvas's columns, one with Moodle's.

    Args:
        out: The folder for grades.csv, canvas.csv and moodle.csv.
        partial: Give marks too that still wait for a written answer to be read.
    """
    from nanogpt.course.classroom.export import export as write_marks
    from nanogpt.course.classroom.gradebook import open_gradebook
    from nanogpt.course.classroom.written import take_in

    with open_gradebook(course) as book:
        left = [line for assignment in book.assignments for line in take_in(book, course, assignment.name)]
        files, notes = write_marks(book, course, out, partial)
    print(*left, *notes, *files, sep="\n")


def report(name: Positional[str], course: Course = Path()) -> None:
    """Show the class on a page: marks, the items that most failed, and the slips behind them.

    Args:
        name: The assignment, like 03_attention.
    """
    from nanogpt.course.classroom.report import write_class_report

    _take_in(course, name)
    print(f"{write_class_report(course, name)} is ready to be opened in a browser")


def _take_in(course: Path, name: str) -> None:
    from nanogpt.course.classroom.build import stem_of
    from nanogpt.course.classroom.gradebook import open_gradebook
    from nanogpt.course.classroom.written import take_in

    stem_of(course, name)  # says so of a name that isn't known
    with open_gradebook(course) as book:
        left = take_in(book, course, name)
    print(*left, sep="\n", end="\n" if left else "")


COMMANDS = {f.__name__: f for f in (build, release, collect, grade, feedback, export, report)}
