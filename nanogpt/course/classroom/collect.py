"""What was handed in, from a platform's zip or a folder, to `submitted/<student>/<assignment>/`, as nbgrader has it."""

import json
import lzma
import os
import re
import time
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from nanogpt.checkpoint import write_whole
from nanogpt.course.classroom.assemble import LARGEST
from nanogpt.course.classroom.build import nbgraders_config, stem_of
from nanogpt.course.classroom.roster import ID, Student, read_roster, whose

SUBMITTED, TIMESTAMP = "submitted", "timestamp.txt"  # the latter is nbgrader's, and says when that was
LONGEST_NAME = 150  # bytes of a file's name
DAMAGED = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, RuntimeError)  # the last: for a password


@dataclass(frozen=True)
class HandedIn:
    """A file as it came: where it was, when it was last changed (seconds since 1970), and what is in it."""

    path: PurePosixPath
    changed: float
    content: bytes


def collect(course: Path, assignment: str, source: Path) -> tuple[list[str], list[str]]:
    """Sort a zip or a folder by students. Returns the students, and what was left out or odd, a sentence each.

    A file that nobody on the roster owns is left out and told; of two by one student the later is taken. What was
    collected before stays, unless what comes now is later. Raises FileNotFoundError for an unknown assignment or
    source, ValueError for a source that is neither.
    """
    stem, roster = stem_of(course, assignment), read_roster(course)
    found: dict[str, list[HandedIn]] = {}
    remarks = []
    for file in _files(source):
        owners = [s.id for s in whose(file.path, roster)] if roster else _owner(course, assignment, stem, file.path)
        if len(owners) == 1:
            found.setdefault(owners[0], []).append(file)
        elif owners:
            remarks.append(
                f"{file.path} may be of {' or '.join(owners)} and was left out; put it into "
                f"{course / SUBMITTED}/ID/{assignment}/ by hand"
            )
        else:
            nobody = "nobody on the roster" if roster else "nobody that its name tells"
            remarks.append(f"{file.path} is of {nobody} and was left out")
    for student, files in sorted(found.items()):
        notebooks = [file for file in files if file.path.suffix == ".ipynb"] or files
        best = max(notebooks, key=lambda file: _rank(file, stem))
        if len(notebooks) > 1:
            remarks.append(f"{student} handed in {len(notebooks)} files; {best.path} was taken")
        remarks += _keep(course / SUBMITTED / student / assignment, best, stem)
    remarks = [_readable(remark) for remark in remarks]
    text = json.dumps(remarks, indent=1, ensure_ascii=False)
    left_out = course / SUBMITTED / f"{assignment}.json"
    left_out.parent.mkdir(exist_ok=True)
    write_whole(left_out, lambda partial: partial.write_text(text, encoding="utf-8"))
    return sorted(found), remarks


def collected_remarks(course: Path, assignment: str) -> list[str]:
    """What the last `collect` of an assignment found odd."""
    path = course / SUBMITTED / f"{assignment}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else []


def _keep(place: Path, file: HandedIn, stem: str) -> list[str]:
    """Put a file into a student's folder, under the notebook's name, and take out what was there."""
    name = f"{stem}.ipynb" if file.path.suffix == ".ipynb" else _readable(file.path.name).replace("?", "_")
    if len(name.encode()) > LONGEST_NAME or name == TIMESTAMP:
        name = f"handed_in{file.path.suffix[:10]}"
    old = [path for path in place.glob("*") if path.is_file()]
    if any(path.name == name and path.read_bytes() == file.content for path in old):
        return []  # and the time of handing in stays
    if file.path.suffix != ".ipynb" and any(path.suffix == ".ipynb" for path in old):
        return [f"{file.path} is no notebook, so what {place.parent.name} handed in before stays"]
    if any(path.stat().st_mtime > file.changed + 2 for path in old):  # zips count in steps of two seconds
        return [f"{place.parent.name} had handed in something later than {file.path}, which was left out"]
    place.mkdir(parents=True, exist_ok=True)
    write_whole(place / name, lambda partial: partial.write_bytes(file.content))
    os.utime(place / name, (file.changed, file.changed))
    for path in old:
        if path.name != name:
            path.unlink()
    return []


def _rank(file: HandedIn, stem: str) -> tuple:
    """Which of a student's files is taken: one with the exercise's marks, or its name, or else the later."""
    return b'"nbgrader"' in file.content, stem in file.path.stem, file.changed, _in_order(file.path)


def _in_order(path: PurePosixPath) -> list[tuple[int, str]]:
    """Of files of one moment the later: numbers count as numbers, and a second attempt (-1) after the first."""
    parts = re.split(r"(\d+)", str(path.with_suffix("")))
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]


def _owner(course: Path, assignment: str, stem: str, path: PurePosixPath) -> list[str]:
    """Without a roster: whom nbgrader's pattern in the course's settings finds, or else whose folder it is in."""
    match = re.match(nbgraders_config(course).FileNameCollectorPlugin.named_regexp, f"/{path}")
    folders = [part for part in path.parts[:-1] if part != assignment]
    if any("assignsubmission_file" in part for part in folders):  # Moodle's, and what is in it is the student's naming
        folders = []
    named = match["student_id"] if match else folders[-1] if folders and path.stem == stem else ""
    return [named] if ID.fullmatch(named) else []


def _files(source: Path) -> Iterator[HandedIn]:
    """All files of a zip or a folder but hidden ones. Of one too large only the beginning: it is refused later."""
    if source.is_dir():
        for path in sorted(path for path in source.rglob("*") if path.is_file() and not path.is_symlink()):
            name = PurePosixPath(path.relative_to(source).as_posix())
            if not _hidden(name):
                with path.open("rb") as file:
                    yield HandedIn(name, path.stat().st_mtime, file.read(LARGEST + 1))
    elif not source.exists():
        raise FileNotFoundError(f"{source} does not exist; name the zip that your platform gave you, or a folder")
    elif not zipfile.is_zipfile(source):
        raise ValueError(f"{source} is neither a zip nor a folder; name what your platform gave you")
    else:
        try:
            with zipfile.ZipFile(source) as archive:
                for entry in archive.infolist():
                    name = PurePosixPath(entry.filename)
                    if entry.filename and not entry.is_dir() and not _hidden(name):
                        with archive.open(entry) as file:
                            yield HandedIn(name, time.mktime((*entry.date_time, 0, 0, -1)), file.read(LARGEST + 1))
        except DAMAGED as error:
            raise ValueError(f"{source} can't be read ({error}); get the zip from your platform once more") from None


def _readable(text: str) -> str:
    """A text with what is no character, as in a name of another encoding, made a question mark."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _hidden(path: PurePosixPath) -> bool:
    return any(part.startswith((".", "__MACOSX")) for part in path.parts)


def students_of(course: Path, assignment: str) -> tuple[list[Student], list[str]]:
    """Those who handed in, and a sentence for each folder that is not of anybody on the roster."""
    roster = {student.id: student for student in read_roster(course)}
    handed_in = sorted(path.parent.name for path in (course / SUBMITTED).glob(f"*/{assignment}") if path.is_dir())
    known = [roster.get(name, Student(name)) for name in handed_in if name in roster or not roster]
    strangers = [name for name in handed_in if roster and name not in roster]
    return known, [f"{name} is not on the roster, so what they handed in is not graded" for name in strangers]
