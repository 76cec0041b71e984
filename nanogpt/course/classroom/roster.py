"""The class: who is in it, and whose a handed-in file is.

`roster.csv` has the columns that `nbgrader db student import` reads: id, first_name, last_name, email, lms_user_id.
"""

import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from nanogpt.course.classroom.spreadsheet import read_rows

ROSTER = "roster.csv"
COLUMNS = ("id", "first_name", "last_name", "email", "lms_user_id")
MOODLE = re.compile(r"(?P<name>.+)_[0-9]+_assignsubmission_file_?")
CANVAS = re.compile(r"(?P<name>[^_]+)_(?:LATE_)?(?P<number>[0-9]+)_[0-9]+_.+")
ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@-]*")  # names a folder, and can't climb out of it


@dataclass(frozen=True)
class Student:
    """One of the class. `lms_user_id` is the number that the learning platform puts into file names."""

    id: str
    first_name: str = ""
    last_name: str = ""
    email: str = ""
    lms_user_id: str = ""

    def names(self) -> set[str]:
        """What may stand in a file's name for this student, in small letters."""
        first, last = self.first_name, self.last_name
        given = {self.id, self.lms_user_id, self.email, self.email.partition("@")[0]}
        if first and last:
            given |= {f"{first} {last}", f"{last} {first}", f"{last}, {first}", f"{last}{first}", f"{first}{last}"}
        return {_plain(name) for name in given if name}


def read_roster(course: Path) -> list[Student]:
    """The class from roster.csv; empty if there is no such file, which admits everybody.

    Raises ValueError, with the line, for a file that lacks the column id, or names somebody twice or not at all.
    """
    path = course / ROSTER
    if not path.exists():
        return []
    students = []
    for line, read in read_rows(path, ["id"], COLUMNS):
        row = {key: read.get(key, "").strip() for key in COLUMNS}
        student = Student(**row)
        if not ID.fullmatch(student.id):
            raise ValueError(
                f"line {line} of {ROSTER}: {student.id!r} can't be an id; use letters, digits and . _ - @, "
                "beginning with a letter or a digit"
            )
        if student.id in [other.id for other in students]:
            raise ValueError(f"line {line} of {ROSTER}: {student.id} is there twice; leave one out")
        students.append(student)
    if not students:
        raise ValueError(f"{ROSTER} names nobody; write a line for each student, or take the file away")
    return students


def _plain(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def whose(path: PurePosixPath, roster: list[Student]) -> list[Student]:
    """Those whose file it may be.

    Of Moodle's folders the name in front tells it, and of Canvas's files the user's number, or the name of somebody
    without one. Of any other, one of their names is a part of the path, or stands between _ in one of its parts.
    """
    for part in path.parts[:-1]:
        if moodle := MOODLE.fullmatch(part):
            return [student for student in roster if _plain(moodle["name"]) in student.names()]
    if canvas := CANVAS.fullmatch(path.name):
        numbered = [student for student in roster if student.lms_user_id == canvas["number"]]
        unnumbered = [student for student in roster if not student.lms_user_id]
        return numbered or [student for student in unnumbered if _plain(canvas["name"]) in student.names()]
    parts = {_plain(part) for part in path.with_suffix("").parts}
    parts |= {piece for part in parts for piece in part.split("_")}
    return [student for student in roster if student.names() & parts]
