"""The marks as CSV: what a platform would read, and nothing that isn't a whole mark."""

import codecs
import csv

import pytest
from invented_class import NAME, hand_in, new_course, outcome

from nanogpt.course.classroom import gradebook
from nanogpt.course.classroom.export import export
from nanogpt.course.classroom.roster import Student
from nanogpt.course.classroom.submission import FAILED, REFUSED


@pytest.fixture
def course(tmp_path):
    new_course(tmp_path)
    hand_in(tmp_path, "s01", outcome("multi_head", "wrong"), score=1.5)
    hand_in(tmp_path, "s02")
    hand_in(tmp_path, "s03", status=REFUSED, reason="it is no notebook")
    hand_in(tmp_path, "s04", status=FAILED, reason="the grader stopped")
    with gradebook.open_gradebook(tmp_path) as book:
        gradebook.enter_students(book, [Student("s05"), Student("s01", "A", "B", "s01@example.org", "12345")])
    return tmp_path


def exported(course, partial=False):
    with gradebook.open_gradebook(course) as book:
        files, notes = export(book, course, course / "grades", partial)
    tables = {}
    for path in files:
        with path.open(newline="", encoding="utf-8-sig") as file:
            tables[path.stem] = list(csv.reader(file))
    return tables, notes


def test_each_student_has_a_line_that_says_where_the_mark_stands(course):
    head, *lines = exported(course)[0]["grades"]
    assert head == ["assignment", "student", "last name", "first name", "score", "of", "status", "handed in"]
    assert {line[7] for line in lines[:4]} == {"2026-01-31 12:00 UTC"}
    assert [line[4:7] for line in lines] == [
        ["12.5", "17", "graded"],
        ["", "17", "waits for a person"],
        ["0", "17", "refused: it is no notebook"],
        ["", "17", "not graded: the grader stopped"],
        ["", "17", "nothing handed in"],
    ]


def test_a_mark_that_waits_for_a_person_is_blank_and_told_unless_it_is_asked_for(course):
    _, notes = exported(course)
    assert notes[:2] == [
        f"{NAME}: 1 not graded, and blank; grades.csv says which",
        f"{NAME}: 1 refused, and 0; grades.csv says which",
    ]
    assert notes[2:] == [
        f"{NAME}: 1 wait for a person's marks in written/{NAME}.csv and are blank; --partial gives them without"
    ]
    tables, notes = exported(course, partial=True)
    assert tables["grades"][2][4] == "15"
    assert not [note for note in notes if "--partial" in note]


def test_what_was_handed_in_anew_has_no_mark_until_it_is_graded(course):
    (course / "submitted" / "s01" / NAME / "attention.ipynb").write_text("[]")
    tables, notes = exported(course)
    assert tables["grades"][1][4:7] == ["", "17", "handed in and not graded yet"]
    assert f"{NAME}: 1 handed in and not graded yet, and blank until they are graded; grades.csv says which" in notes


def test_who_left_the_roster_is_in_no_file(course):
    (course / "roster.csv").write_text("id\ns01\n")
    assert [line[1] for line in exported(course)[0]["grades"][1:]] == ["s01"]


def test_who_joined_since_the_last_grading_is_in_each_file(course):
    (course / "roster.csv").write_text("id\ns01\ns99\n")
    tables, _ = exported(course)
    assert tables["grades"][2][1::5] == ["s99", "nothing handed in"]
    assert tables["moodle"][2][2] == "s99"


def test_no_name_is_a_formula_and_excel_knows_the_file_for_utf8(course):
    with gradebook.open_gradebook(course) as book:
        gradebook.enter_students(book, [Student("s01", "\r=A", '=HYPERLINK("x")')])
    tables, _ = exported(course)
    assert tables["grades"][1][2:4] == ['\'=HYPERLINK("x")', "'\r=A"]
    assert tables["canvas"][2][0].startswith("'=") and tables["moodle"][1][0] == "'\r=A"
    assert (course / "grades" / "grades.csv").read_bytes().startswith(codecs.BOM_UTF8)


def test_an_assignment_of_another_course_is_left_out_and_told(course):
    with gradebook.open_gradebook(course) as book:
        book.add_assignment("ps1")
    tables, notes = exported(course)
    assert "ps1 has no solution here and is left out" in notes
    assert "ps1" not in tables["canvas"][0]


def test_canvas_finds_its_own_columns_and_the_points_to_get(course):
    head, points, first, *_ = exported(course)[0]["canvas"]
    assert head == ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", NAME]
    assert points == ["    Points Possible", "", "", "", "", "17"]
    assert first == ["B, A", "12345", "s01", "s01@example.org", "", "12.5"]


def test_moodle_finds_its_own_columns(course):
    head, first, *_, last = exported(course)[0]["moodle"]
    assert head == ["First name", "Last name", "ID number", "Email address", f"Assignment: {NAME} (Real)"]
    assert first == ["A", "B", "s01", "s01@example.org", "12.5"]
    assert last == ["", "", "s05", "", ""]
