"""Written answers: out to a sheet, marked by a person, and back to the gradebook."""

import csv
import time

import pytest
from invented_class import NAME, QUESTION, STEM, WHEN, hand_in, new_course

from nanogpt.course.classroom import gradebook
from nanogpt.course.classroom.written import LONGEST, take_in, write_sheet


@pytest.fixture
def course(tmp_path):
    new_course(tmp_path)
    hand_in(tmp_path, "s01", written="Outputs 3 to 6, as later tokens\nlook back.")
    hand_in(tmp_path, "s02", written="=1+1")
    hand_in(tmp_path, "s03", written="")
    return tmp_path


def sheet(course) -> list[dict]:
    with gradebook.open_gradebook(course) as book:
        path = write_sheet(book, course, NAME)
    with path.open(newline="", encoding="utf-8-sig") as file:
        return list(csv.DictReader(file))


def fill(course, **changes: dict) -> None:
    sheet(course)
    rewrite(course, **changes)


def rewrite(course, **changes: dict) -> None:
    path = course / "written" / f"{NAME}.csv"
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(row | changes.get(row["student"], {}) for row in rows)


def taken_in(course) -> dict:
    with gradebook.open_gradebook(course) as book:
        take_in(book, course, NAME)
        return gradebook.marks(book, NAME)


def test_the_sheet_has_a_line_for_each_answer_and_none_for_untouched_ones(course):
    rows = sheet(course)
    assert [(row["student"], row["question"], row["out of"], row["score"]) for row in rows] == [
        ("s01", QUESTION, "2", ""),
        ("s02", QUESTION, "2", ""),
    ]
    assert rows[0]["answer"] == "Outputs 3 to 6, as later tokens\nlook back."


def test_an_answer_that_a_spreadsheet_would_run_stays_text(course):
    assert sheet(course)[1]["answer"] == "'=1+1"


def test_an_answer_of_any_length_stops_nothing(course):
    hand_in(course, "s04", written="because " * 50_000)
    fill(course, s04={"score": "1"})
    assert taken_in(course)["s04"]["cells"][QUESTION] == 1
    assert len(sheet(course)[2]["answer"]) == LONGEST


def test_a_submission_that_is_not_in_the_gradebook_stops_nothing(course):
    fill(course, s01={"score": "2"})
    with gradebook.open_gradebook(course) as book:
        book.remove_submission(NAME, "s01")
        assert "its score 2 was not taken in" in take_in(book, course, NAME)[0]
    assert [row["student"] for row in sheet(course)] == ["s02"]


def test_scores_and_comments_reach_the_gradebook_and_the_sheet_keeps_them(course):
    fill(course, s01={"score": "1.5", "comment": "and why?"}, s02={"score": "0,5"})
    marks = taken_in(course)
    assert marks["s01"]["cells"][QUESTION] == 1.5
    assert marks["s01"]["comments"][QUESTION] == "and why?"
    assert marks["s01"]["score"] == 16.5
    assert marks["s02"]["cells"][QUESTION] == 0.5
    assert marks["s01"]["waiting"] == []
    assert [row["score"] for row in sheet(course)] == ["1.5", "0.5"]


def test_a_line_without_a_score_says_nothing(course):
    fill(course, s01={"score": "2"})
    taken_in(course)
    fill(course, s01={"score": " "})
    assert taken_in(course)["s01"]["cells"][QUESTION] == 2
    assert taken_in(course)["s02"]["waiting"] == [QUESTION]


def in_the_form(course, score: float | None, comment: str, student: str = "s01") -> None:
    """What nbgrader's form for hand grading does."""
    with gradebook.open_gradebook(course) as book:
        gradebook.enter_written(book, NAME, student, QUESTION, score, comment)


def test_a_mark_that_was_changed_in_the_gradebook_stands_until_the_sheet_is_changed(course):
    fill(course, s01={"score": "1", "comment": "why?"})
    taken_in(course)
    in_the_form(course, 2, "I see")
    mark = taken_in(course)["s01"]
    assert (mark["cells"][QUESTION], mark["comments"][QUESTION]) == (2, "I see")
    rewrite(course, s01={"score": "1,0"})  # the same, as another spreadsheet writes it
    assert taken_in(course)["s01"]["cells"][QUESTION] == 2
    rewrite(course, s01={"score": "0.5"})
    assert told(course) == [f"s01's {QUESTION}: 2 in the gradebook, 0.5 on the sheet, which was taken"]
    mark = taken_in(course)["s01"]
    assert (mark["cells"][QUESTION], mark["comments"][QUESTION]) == (0.5, "I see")


def test_a_comment_without_a_score_is_kept_and_one_that_was_emptied_goes(course):
    fill(course, s01={"comment": "-1 for the mask"})
    assert taken_in(course)["s01"]["comments"][QUESTION] == "-1 for the mask"
    assert taken_in(course)["s01"]["waiting"] == [QUESTION]
    assert sheet(course)[0]["comment"] == "'-1 for the mask"  # which no spreadsheet takes for a formula
    fill(course, s01={"comment": ""})
    assert taken_in(course)["s01"]["comments"][QUESTION] == ""


def test_a_mark_that_was_cleared_in_the_form_stays_so_but_a_new_gradebook_takes_all(course):
    fill(course, s01={"score": "1", "comment": "why?"})
    taken_in(course)
    in_the_form(course, None, "")
    assert taken_in(course)["s01"]["waiting"] == [QUESTION]
    with gradebook.open_gradebook(course) as book:
        book.remove_submission(NAME, "s01")
        gradebook.enter(book, NAME, "s01", WHEN, dict.fromkeys(gradebook.cells(book, NAME), 0.0) | {QUESTION: None})
    mark = taken_in(course)["s01"]
    assert (mark["cells"][QUESTION], mark["comments"][QUESTION]) == (1, "why?")


def test_extra_credit_from_the_form_is_counted_once(course):
    in_the_form(course, 1, "")
    with gradebook.open_gradebook(course) as book:
        book.find_grade(QUESTION, STEM, NAME, "s01").extra_credit = 1.5
        book.db.commit()
    assert sheet(course)[0]["score"] == "2.5"  # more than there is to get, but not the sheet's saying
    rewrite(course, s01={"comment": "brilliant"})
    assert told(course) == []
    assert taken_in(course)["s01"]["cells"][QUESTION] == 2.5
    rewrite(course, s01={"score": "2"})
    assert taken_in(course)["s01"]["cells"][QUESTION] == 2


@pytest.mark.parametrize("answer", ["3/6", "007", "1.0", "2e5", "50 %"])
def test_an_answer_that_a_spreadsheet_would_write_anew_is_no_number_on_the_sheet(course, answer):
    hand_in(course, "s04", written=answer)
    assert sheet(course)[2]["answer"] == f"({answer})"
    fill(course, s04={"score": "1"})
    assert taken_in(course)["s04"]["cells"][QUESTION] == 1


def test_an_answer_of_very_many_digits_takes_no_time(course):
    hand_in(course, "s04", written="1" * 1_000_000 + "x")
    began = time.monotonic()
    assert len(sheet(course)[2]["answer"]) == LONGEST
    assert time.monotonic() - began < 10


def test_an_id_that_a_spreadsheet_made_a_number_is_known(course):
    hand_in(course, "007", written="It is the past.")
    fill(course, **{"007": {"score": "1", "student": "7"}})
    assert taken_in(course)["007"]["cells"][QUESTION] == 1
    in_the_form(course, 2, "", "007")
    assert taken_in(course)["007"]["cells"][QUESTION] == 2


def test_two_lines_of_one_answer_are_told(course):
    fill(course, s02={"student": "s01", "answer": "Outputs 3 to 6, as later tokens\nlook back.", "score": "1"})
    with pytest.raises(ValueError, match=f"s01's {QUESTION} is there twice; leave one line out"):
        told(course)


def test_a_comment_on_another_answer_is_told_and_kept(course):
    fill(course, s01={"comment": "see me", "answer": "an earlier answer"})
    assert told(course)[0].endswith("so the comment on it was not taken in")
    assert "see me" in (course / "written" / f"{NAME}.old.csv").read_text()


def told(course) -> list[str]:
    with gradebook.open_gradebook(course) as book:
        return take_in(book, course, NAME)


def test_a_score_for_another_answer_than_the_one_handed_in_is_not_taken_but_told_and_kept(course):
    fill(course, s01={"score": "2", "answer": "an earlier answer"}, s02={"score": "1", "student": "s77"})
    assert taken_in(course)["s01"]["cells"][QUESTION] is None
    another, nobody, kept = told(course)
    assert another.startswith(f"s01's {QUESTION}: the answer is another one than on the sheet")
    assert nobody.startswith(f"s77's {QUESTION}: no such answer is graded")
    assert kept.endswith(f"{NAME}.old.csv")
    assert "an earlier answer" in (course / "written" / f"{NAME}.old.csv").read_text()


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_a_sheet_that_a_spreadsheet_saved_with_another_delimiter_is_read(course, delimiter):
    rows = sheet(course)
    with (course / "written" / f"{NAME}.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter=delimiter)
        writer.writeheader()
        writer.writerows(row | {"score": "1"} for row in rows)
    assert taken_in(course)["s01"]["cells"][QUESTION] == 1


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"student,question,Score,answer\n", "has no column called score"),
        (b"student,\xfc\n", "is not in UTF-8; save it"),
    ],
)
def test_a_sheet_that_cannot_be_read_is_told_in_a_sentence_and_left_alone(course, content, sentence):
    path = course / "written" / f"{NAME}.csv"
    sheet(course)
    path.write_bytes(content)
    with pytest.raises(ValueError, match=sentence):
        told(course)
    assert path.read_bytes() == content


@pytest.mark.parametrize("score", ["3", "-1", "two", "nan", "inf"])
def test_a_score_that_cannot_be_is_told_with_its_line_and_nothing_is_taken_in(course, score):
    fill(course, s01={"score": "1"}, s02={"score": score})
    with pytest.raises(
        ValueError,
        match=rf"{NAME}\.csv can't be taken in: s02's {QUESTION}: the score is '{score}'; write a number from",
    ):
        taken_in(course)
    with gradebook.open_gradebook(course) as book:
        assert gradebook.marks(book, NAME)["s01"]["waiting"] == [QUESTION]


def test_without_answers_there_is_no_sheet(tmp_path):
    new_course(tmp_path)
    hand_in(tmp_path, "s01", written="")
    with gradebook.open_gradebook(tmp_path) as book:
        assert write_sheet(book, tmp_path, NAME) is None
        assert take_in(book, tmp_path, NAME) == []
