"""The class list: what is read of it, what is told with its line, and whose a file is."""

from pathlib import PurePosixPath

import pytest

from nanogpt.course.classroom.roster import ROSTER, Student, read_roster, whose

HEAD = "id,first_name,last_name,email,lms_user_id"


def roster(folder, *lines: str, encoding: str = "utf-8"):
    (folder / ROSTER).write_text("\n".join([HEAD, *lines]) + "\n", encoding=encoding)
    return folder


def test_without_a_roster_the_class_is_empty(tmp_path):
    assert read_roster(tmp_path) == []


def test_each_row_is_a_student_and_spaces_around_are_left_out(tmp_path):
    roster(tmp_path, "s01, First ,Last,first.last@example.org,12345", "s02,,,,", "student_a")
    assert read_roster(tmp_path) == [
        Student("s01", "First", "Last", "first.last@example.org", "12345"),
        Student("s02"),
        Student("student_a"),
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_a_byte_order_mark_does_no_harm(tmp_path, encoding):
    roster(tmp_path, "s01,Fïrst,,,", encoding=encoding)
    assert read_roster(tmp_path) == [Student("s01", "Fïrst")]


def test_columns_may_stand_in_any_order_and_others_beside_them(tmp_path):
    (tmp_path / ROSTER).write_text("group,last_name,id\r\nblue,Last,s01\r\n")
    assert read_roster(tmp_path) == [Student("s01", last_name="Last")]


def test_a_roster_that_a_spreadsheet_saved_with_semicolons_is_read(tmp_path):
    (tmp_path / ROSTER).write_text("id;first_name\ns01;A\n")
    assert read_roster(tmp_path) == [Student("s01", "A")]


def test_what_is_no_table_is_told_in_a_sentence(tmp_path):
    (tmp_path / ROSTER).write_text("id,name\ns01," + "x" * 200_000)
    with pytest.raises(ValueError, match=r"roster\.csv can't be read as a table .*; save it again as CSV in UTF-8"):
        read_roster(tmp_path)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["s01", "../s02"], r"line 3 of roster.csv: '../s02' can't be an id; use letters, digits and"),
        (["s01", "", "s 2"], r"line 4 of roster.csv: 's 2' can't be an id"),
        (['s01,"two\nlines"', "-x"], r"line 4 of roster.csv: '-x' can't be an id"),
        (["s01", ",no,id"], r"line 3 of roster.csv: '' can't be an id"),
        (["s01", "s02", "", "s01"], r"line 5 of roster.csv: s01 is there twice; leave one out"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(tmp_path, lines, said):
    with pytest.raises(ValueError, match=said):
        read_roster(roster(tmp_path, *lines))


@pytest.mark.parametrize("text", ["", "name,email\nx,y\n", "number;name\ns01;x\n"])
def test_a_file_without_the_column_id_is_told_what_its_first_line_should_be(tmp_path, text):
    (tmp_path / ROSTER).write_text(text)
    with pytest.raises(ValueError, match=rf"has no column called id; its first line should be {HEAD}"):
        read_roster(tmp_path)


def test_a_file_in_another_encoding_is_told_in_a_sentence(tmp_path):
    with pytest.raises(ValueError, match=r"roster.csv is not in UTF-8; save it again as CSV in UTF-8"):
        read_roster(roster(tmp_path, "s01,Fïrst", encoding="latin-1"))


CLASS = [
    Student("s01", "First", "Last", "first.last@example.org", "12345"),
    Student("s02", "Another", "One", "", "67890"),
    Student("S3"),
]


@pytest.mark.parametrize(
    ("path", "owners"),
    [
        ("s01_attention.ipynb", ["s01"]),
        ("S01/attention.ipynb", ["s01"]),
        ("s3_attention.ipynb", ["S3"]),
        ("lastfirst_12345_99999_attention.ipynb", ["s01"]),
        ("lastfirst_LATE_12345_99999_attention-1.ipynb", ["s01"]),
        ("First Last_777_assignsubmission_file_/attention.ipynb", ["s01"]),
        ("Last, First_777_assignsubmission_file/attention.ipynb", ["s01"]),
        ("x/first.last@example.org/attention.ipynb", ["s01"]),
        ("attention.ipynb", []),
        ("s011_attention.ipynb", []),
        ("first_attention.ipynb", []),
        ("lastfirst_12345_67890_attention.ipynb", ["s01"]),  # the second number is the file's
        ("s01_s02_attention.ipynb", ["s01", "s02"]),
    ],
)
def test_a_name_or_a_number_in_the_path_tells_whose_it_is(path, owners):
    assert [student.id for student in whose(PurePosixPath(path), CLASS)] == owners


def test_a_roster_of_nobody_is_told_since_it_would_admit_everybody(tmp_path):
    with pytest.raises(ValueError, match=r"roster\.csv names nobody; write a line for each student"):
        read_roster(roster(tmp_path))
