"""The marks as CSV: one file to read, one with Canvas's columns, one with Moodle's."""

from pathlib import Path
from typing import Any

from nanogpt.course.classroom import gradebook
from nanogpt.course.classroom.build import assignments
from nanogpt.course.classroom.collect import SUBMITTED
from nanogpt.course.classroom.roster import read_roster
from nanogpt.course.classroom.spreadsheet import write_rows
from nanogpt.course.classroom.submission import FAILED, current_result, read_result

CANVAS = ["Student", "ID", "SIS User ID", "SIS Login ID", "Section"]
NEW = "handed in and not graded yet"
MOODLE = ["First name", "Last name", "ID number", "Email address"]


def export(book: Any, course: Path, out: Path, partial: bool = False) -> tuple[list[Path], list[str]]:
    """Write grades.csv, canvas.csv and moodle.csv of all assignments. Returns the files, and what isn't in them.

    A mark that isn't whole, because a written answer waits for a person, is left blank unless `partial`; so is one
    that isn't there, and a platform leaves a blank as it finds it.
    """
    ours, held_names = assignments(course), [assignment.name for assignment in book.assignments]
    names = [name for name in held_names if name in ours]
    if not names:
        raise FileNotFoundError(f"no mark is in {course / gradebook.GRADEBOOK} yet; next: nanogpt class grade ...")
    most = {name: sum(gradebook.cells(book, name).values()) for name in names}
    held = {name: gradebook.marks(book, name) for name in names}
    roster = {student.id: student for student in read_roster(course)}
    gradebook.enter_students(book, list(roster.values()))  # some may have joined since the last grading
    students = sorted((s for s in book.students if not roster or s.id in roster), key=lambda student: student.id)
    notes = [f"{name} has no solution here and is left out" for name in held_names if name not in ours]
    lines, totals = [], {student.id: {} for student in students}
    for name in names:
        waiting, statuses = 0, []
        for student in students:
            mark = held[name].get(student.id)
            status, score = _status(course, name, student.id, mark)
            statuses.append(status.partition(":")[0])
            if status == "waits for a person":
                waiting += 1
                score = score if partial else None
            totals[student.id][name] = "" if score is None else f"{score:g}"
            row = [name, student.id, student.last_name or "", student.first_name or ""]
            when = f"{mark['handed_in']:%Y-%m-%d %H:%M} UTC" if mark and mark["handed_in"] else ""
            lines.append([*row, totals[student.id][name], f"{most[name]:g}", status, when])
        for status, what in {NEW: "blank until they are graded", "not graded": "blank", "refused": "0"}.items():
            if statuses.count(status):
                notes.append(f"{name}: {statuses.count(status)} {status}, and {what}; grades.csv says which")
        if waiting and not partial:
            notes.append(
                f"{name}: {waiting} wait for a person's marks in written/{name}.csv and are blank; "
                "--partial gives them without"
            )
    canvas = [["    Points Possible", "", "", "", "", *(f"{most[name]:g}" for name in names)]]
    canvas += [
        [_name(s), s.lms_user_id or "", s.id, s.email or "", "", *(totals[s.id][name] for name in names)]
        for s in students
    ]
    moodle = [
        [s.first_name or "", s.last_name or "", s.id, s.email or "", *(totals[s.id][name] for name in names)]
        for s in students
    ]
    grades = ["assignment", "student", "last name", "first name", "score", "of", "status", "handed in"]
    return [
        write_rows(out / "grades.csv", [grades, *lines], "utf-8-sig"),
        write_rows(out / "canvas.csv", [[*CANVAS, *names], *canvas]),
        write_rows(out / "moodle.csv", [[*MOODLE, *(f"Assignment: {name} (Real)" for name in names)], *moodle]),
    ], notes


def _status(course: Path, assignment: str, student: str, mark: dict[str, Any] | None) -> tuple[str, float | None]:
    """Where a submission stands, and its score as far as there is one."""
    result = current_result(course, assignment, student)
    graded_by_nbgrader = mark is not None and read_result(course, assignment, student) is None
    if result is None and not graded_by_nbgrader and (course / SUBMITTED / student / assignment).is_dir():
        return NEW, None
    if mark is None:
        return "nothing handed in", None
    if mark["score"] is None:
        return (f"not graded: {result['reason']}" if result and result["status"] == FAILED else "not graded"), None
    if mark["waiting"]:
        return "waits for a person", mark["score"]
    return (f"refused: {result['reason']}" if result and result["reason"] else "graded"), mark["score"]


def _name(student: Any) -> str:
    return ", ".join(filter(None, [student.last_name, student.first_name])) or student.id
