"""Our marks in nbgrader's gradebook: entered, taken away, kept where a person gave them, read by nbgrader itself."""

import csv
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from classes import FULL, NAME, ROOT, STEM, new_class, untouched
from nbgrader.api import Gradebook

from nanogpt.course.classroom import gradebook
from nanogpt.course.classroom.gradebook import (
    GRADEBOOK,
    cells,
    clear,
    enter,
    enter_students,
    enter_written,
    marks,
    open_gradebook,
    register,
)
from nanogpt.course.classroom.roster import Student

WHEN = "2026-01-31 12:00:00 UTC"
WRITTEN = "attention_written"
TESTS = FULL | {WRITTEN: None}


@pytest.fixture
def course(tmp_path) -> Path:
    """A course with one assignment, two students, and no marks."""
    folder = new_class(tmp_path / "course", {})
    with open_gradebook(folder) as book:
        enter_students(book, [Student("s01", "First", "Last", "first@example.org", "12345"), Student("s02")])
    return folder


def read(course: Path, student: str = "s01") -> dict:
    with open_gradebook(course) as book:
        return marks(book, NAME)[student]


def test_a_new_gradebook_has_the_assignments_cells_and_points(tmp_path):
    with open_gradebook(tmp_path) as book:
        register(book, NAME, STEM, untouched())
        register(book, NAME, STEM, untouched())  # a second time changes nothing
        assert cells(book, NAME) == FULL | {WRITTEN: 2.0}
        assert marks(book, NAME) == {}


def test_what_was_entered_is_read_and_a_written_answer_waits(course):
    with open_gradebook(course) as book:
        enter(book, NAME, "s01", WHEN, TESTS | {"one_head_test": 0.0})
    found = read(course)
    assert (found["score"], found["max_score"], found["waiting"]) == (13, 17, [WRITTEN])
    assert found["cells"] == TESTS | {"one_head_test": 0}


def test_a_written_answer_that_was_marked_counts_and_can_be_taken_back(course):
    with open_gradebook(course) as book:
        enter(book, NAME, "s01", WHEN, TESTS)
        enter_written(book, NAME, "s01", WRITTEN, 1.5, "say why")
    found = read(course)
    assert (found["score"], found["waiting"], found["cells"][WRITTEN]) == (16.5, [], 1.5)
    with open_gradebook(course) as book:
        enter_written(book, NAME, "s01", WRITTEN, None, "")
    assert (read(course)["score"], read(course)["waiting"]) == (15, [WRITTEN])


@pytest.mark.parametrize("keep", [True, False])
def test_entered_anew_a_persons_score_is_kept_if_it_is_asked_for(course, keep):
    with open_gradebook(course) as book:
        enter(book, NAME, "s01", WHEN, TESTS)
        enter_written(book, NAME, "s01", WRITTEN, 2, "")
        enter(book, NAME, "s01", WHEN, TESTS, keep=["markdown"] if keep else [])
    assert read(course)["cells"][WRITTEN] == (2 if keep else None)
    assert read(course)["waiting"] == ([] if keep else [WRITTEN])


def test_what_a_person_gave_for_a_test_goes_with_the_code_and_is_told(course):
    def change(book):
        grade = gradebook._grades(book, NAME, "s01")["one_head_test"]
        grade.manual_score, grade.extra_credit = 2, 1
        gradebook._comment(book, NAME, "s01", "one_head", "so close")  # under the answer's name, as the form has it

    with open_gradebook(course) as book:
        enter(book, NAME, "s01", WHEN, TESTS | {"one_head_test": 0.0})
        change(book)
        assert enter(book, NAME, "s01", WHEN, TESTS | {"one_head_test": 0.0}, keep=["code"]) == []
        assert marks(book, NAME)["s01"]["cells"]["one_head_test"] == 3
        assert marks(book, NAME)["s01"]["comments"]["one_head"] == "so close"
        said = enter(book, NAME, "s01", WHEN, TESTS | {"one_head_test": 0.0}, keep=["markdown"])
        assert said == ["a person gave 2 for one_head_test as it was before: give it anew"]
    found = read(course)
    assert (found["cells"]["one_head_test"], found["comments"]["one_head"]) == (0, "")


def test_what_was_taken_away_leaves_no_mark(course):
    with open_gradebook(course) as book:
        for student in ("s01", "s02"):
            enter(book, NAME, student, WHEN, TESTS)
        clear(book, NAME, "s01")
        clear(book, NAME, "nobody")
    found = read(course)
    assert found["score"] is None and set(found["cells"].values()) == {None}
    assert sorted(found["waiting"]) == sorted(TESTS)
    assert read(course, "s02")["score"] == 15


def test_names_are_brought_up_to_date(course):
    with open_gradebook(course) as book:
        enter_students(book, [Student("s01", "First", "Other")])
        found = book.find_student("s01")
        assert (found.first_name, found.last_name, found.email) == ("First", "Other", None)


def test_other_cells_than_those_graded_by_are_refused_in_a_sentence(course):
    with open_gradebook(course) as book:
        enter(book, NAME, "s01", WHEN, TESTS)
        changed = untouched()
        changed.cells = [cell for cell in changed.cells if "one_head_test" not in str(cell.metadata)]
        with pytest.raises(ValueError, match=f"the cells of {NAME} are others than .*`nbgrader db assignment remove"):
            register(book, NAME, STEM, changed)
    assert read(course)["score"] == 15


@pytest.mark.parametrize("content", [b"hello, this is no database", bytes(4096)], ids=["text", "zeros"])
def test_a_file_that_is_no_database_is_told_in_a_sentence_and_left_alone(tmp_path, content):
    (tmp_path / GRADEBOOK).write_bytes(content)
    said = r"gradebook\.db is not a gradebook that can be read; move it away"
    with pytest.raises(OSError, match=said), open_gradebook(tmp_path):
        pass
    assert (tmp_path / GRADEBOOK).read_bytes() == content


@pytest.mark.slow
def test_a_gradebook_that_another_program_holds_is_not_called_damaged(course):
    with sqlite3.connect(course / GRADEBOOK) as other:
        other.execute("BEGIN EXCLUSIVE")
        with (
            pytest.raises(OSError, match=r"is another program, .* at work on it"),
            open_gradebook(course),
        ):
            pass


def test_nbgraders_own_gradebook_reads_our_marks(course):
    with open_gradebook(course) as book:
        enter(book, NAME, "s01", WHEN, TESTS)
        enter_written(book, NAME, "s01", WRITTEN, 2, "")
    with Gradebook(f"sqlite:///{course / GRADEBOOK}", "nanogpt") as book:
        submission = book.find_submission(NAME, "s01")
        assert (submission.score, submission.max_score, submission.needs_manual_grade) == (17, 17, False)
        assert submission.student.last_name == "Last" and f"{submission.timestamp}" == "2026-01-31 12:00:00"
        given = {grade.name: grade.auto_score for notebook in submission.notebooks for grade in notebook.grades}
        assert given == TESTS


@pytest.mark.slow
def test_nbgraders_export_has_our_marks(course, tmp_path):
    with open_gradebook(course) as book:
        enter(book, NAME, "s01", WHEN, TESTS)
        enter_written(book, NAME, "s01", WRITTEN, 1, "")
        enter(book, NAME, "s02", WHEN, dict.fromkeys(TESTS, 0.0))
    (course / "nbgrader_config.py").write_bytes((ROOT / "nbgrader_config.py").read_bytes())
    env = os.environ | {f"JUPYTER_{kind}_DIR": str(tmp_path / kind) for kind in ("CONFIG", "DATA", "RUNTIME")}
    command = [sys.executable, "-m", "nbgrader", "export"]
    done = subprocess.run(command, cwd=course, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    with (course / "grades.csv").open(encoding="utf-8", newline="") as file:
        rows = {row["student_id"]: row for row in csv.DictReader(file)}
    assert {student: float(row["score"]) for student, row in rows.items()} == {"s01": 16, "s02": 0}
    assert {float(row["max_score"]) for row in rows.values()} == {17}
    assert rows["s01"]["last_name"] == "Last" and rows["s01"]["timestamp"] == "2026-01-31 12:00:00"
