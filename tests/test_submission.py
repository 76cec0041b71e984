"""One submission: which file it is, when it counts as changed, and what becomes of one that can't be graded."""

import json
import os
from pathlib import Path

import nbformat
import pytest
from classes import NAME, QUICK, ROOT, STEM, WORDS, handed_in, new_class, untouched
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from nanogpt.course.classroom import submission
from nanogpt.course.classroom.assemble import MOST_CELLS, assemble, make_master, read_submission
from nanogpt.course.classroom.grade import line_of
from nanogpt.course.classroom.judging import Judged
from nanogpt.course.classroom.submission import (
    FAILED,
    GRADED,
    REFUSED,
    SALT,
    Job,
    blank_result,
    fingerprint,
    grade_one,
    keep_result,
    notebooks_of,
    read_result,
    salt,
)


@pytest.fixture
def job(tmp_path):
    return Job(new_class(tmp_path / "course", {"s01": handed_in()}), NAME, STEM, "s01", QUICK)


def test_of_several_files_the_notebook_with_the_exercises_name_is_taken_else_any_notebook(job):
    folder = job.file.parent
    for name in ("a.txt", "timestamp.txt", "other.ipynb", "zebra.ipynb"):
        (folder / name).write_text("x")
    (folder / "aa.ipynb").mkdir()
    assert job.file.name == f"{STEM}.ipynb"
    job.file.unlink()
    assert job.file.name == "other.ipynb"
    for name in ("other.ipynb", "zebra.ipynb"):
        (folder / name).unlink()
    assert job.file.name == "a.txt"


def test_the_fingerprint_changes_with_what_was_handed_in_and_with_what_it_is_judged_by(job):
    first = fingerprint(job)
    assert fingerprint(job) == first
    seen = {first}
    changed = [job.file, *(job.course / kind / NAME / f"{STEM}.ipynb" for kind in ("solutions", "exercises"))]
    for path in [*changed, job.course / SALT]:
        content = path.read_bytes()
        path.write_bytes(content + b" 1")
        seen.add(fingerprint(job))
        path.write_bytes(content)
    assert len(seen) == 5 and fingerprint(job) == first
    job.file.rename(job.file.with_name("renamed.ipynb"))
    assert fingerprint(job) not in seen


def test_whose_file_cannot_be_read_has_a_fingerprint_all_the_same(job):
    job.file.unlink()
    assert fingerprint(job)  # an empty folder
    (job.file / f"{STEM}.ipynb").symlink_to("/proc/self/mem")  # a file that nobody can read from its beginning
    assert fingerprint(job)
    result = grade_one(job, "mark")
    assert result["status"] == FAILED and result["reason"].startswith("it can't be read: ")


def test_the_salt_is_made_once_and_kept(tmp_path):
    made = salt(tmp_path)
    assert len(made) == 32 and salt(tmp_path) == made == (tmp_path / SALT).read_text()
    (tmp_path / "other").mkdir()
    assert salt(tmp_path / "other") != made


GOOD = json.loads(nbformat.writes(untouched()))
NONSENSE = {
    "nested": "[" * 10**5,
    "nested_in_metadata": json.dumps(GOOD)[:-1] + ', "x": ' + "[" * 3000 + "]" * 3000 + "}",
    "no_format": json.dumps({key: value for key, value in GOOD.items() if key != "nbformat"}),
    "old_format": json.dumps(GOOD | {"nbformat": 1}),
    "no_such_format": json.dumps(GOOD | {"nbformat": 99}),
    "format_of_text": json.dumps(GOOD | {"nbformat": "4"}),
    "minor_format_of_text": json.dumps(GOOD | {"nbformat_minor": "x"}),
    "long_number": json.dumps(GOOD).replace('"nbformat": 4', f'"nbformat": {"9" * 5000}'),
    "cells_of_text": json.dumps(GOOD | {"cells": "x"}),
    "cell_of_text": json.dumps(GOOD | {"cells": ["x"]}),
    "cell_of_nothing": json.dumps(GOOD | {"cells": [None]}),
    "no_character_in_json": json.dumps(GOOD)[:-1] + "\ud800",
}


ODD_CELLS = [
    {"cell_type": "markdown", "metadata": {}},
    {"cell_type": "markdown", "metadata": {"nbgrader": "x"}, "source": "."},
    {"cell_type": "code", "metadata": {"nbgrader": ["x"]}, "source": "1", "outputs": [], "execution_count": None},
    {"cell_type": "code", "metadata": {"nbgrader": {"solution": 1, "grade_id": ["x"]}}, "source": "1"},
    {"cell_type": "raw", "metadata": {}, "source": {"a": 1}},
    {"cell_type": "other", "metadata": {}, "source": "x"},
    {"metadata": {}, "source": "x"},
]


@pytest.mark.parametrize("odd", ODD_CELLS)
def test_an_odd_cell_costs_nothing(job, monkeypatch, odd):
    seen = []
    monkeypatch.setattr(submission, "judge_notebook", lambda notebook, *_: seen.append(notebook) or Judged())
    notebook = json.loads(job.file.read_text())
    notebook["cells"].insert(0, odd)
    job.file.write_text(json.dumps(notebook))
    result = grade_one(job, "mark")
    assert result["status"] == GRADED, result["reason"]
    assert result["written"]["attention_written"]["answer"] == WORDS


def test_the_time_of_handing_in_is_nbgraders_where_it_says_one(job):
    os.utime(job.file, (0, 0))
    assert f"{job.handed_in:%Y-%m-%d %Z}" == "1970-01-01 UTC"
    (job.folder / "timestamp.txt").write_text("2026-01-31 12:00:00.5 CET\n")
    assert f"{job.handed_in:%Y-%m-%d %H:%M}" == "2026-01-31 11:00"
    (job.folder / "timestamp.txt").write_text("yesterday, I think")
    assert job.handed_in.year == 1970


@pytest.mark.parametrize("name", NONSENSE)
def test_nonsense_is_refused_in_a_sentence_and_stops_nothing(job, name):
    job.file.write_text(NONSENSE[name], errors="surrogatepass")
    result = grade_one(job, "mark")
    assert result["status"] == REFUSED
    assert result["reason"] in (
        "attention.ipynb is not a notebook; hand in the .ipynb file itself",
        "attention.ipynb is damaged or cut off; save it in Jupyter and hand it in again",
    )
    assert result["outcomes"] == [] and not job.place.exists()


def test_a_byte_order_mark_does_no_harm(job):
    job.file.write_bytes(b"\xef\xbb\xbf" + job.file.read_bytes())
    assert len(read_submission(job.file).cells) == len(untouched().cells)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32"])
def test_a_notebook_in_another_of_unicodes_encodings_is_read(job, encoding):
    job.file.write_bytes(job.file.read_text(encoding="utf-8").encode(encoding))
    assert len(read_submission(job.file).cells) == len(untouched().cells)


def test_other_ends_of_lines_make_no_difference(job):
    before = read_submission(job.file)
    notebook = json.loads(job.file.read_text())
    for cell in notebook["cells"]:
        cell["source"] = "".join(cell["source"]).replace("\n", "\r\n")
    job.file.write_text(json.dumps(notebook))
    assert [cell.source for cell in read_submission(job.file).cells] == [cell.source for cell in before.cells]


def test_very_many_cells_are_refused(job):
    notebook = new_notebook(cells=[new_code_cell(str(i)) for i in range(MOST_CELLS + 1)])
    nbformat.write(notebook, job.file)
    result = grade_one(job, "mark")
    assert result["status"] == REFUSED
    assert result["reason"] == "attention.ipynb has 2,001 cells, more than the 2,000 that are graded"


def test_an_empty_folder_is_refused_in_a_sentence(job):
    job.file.unlink()
    result = grade_one(job, "mark")
    assert (result["status"], result["reason"]) == (REFUSED, "nothing was handed in: the folder is empty")


def test_other_code_has_another_mark_wherever_it_stands():
    def code(*more):
        notebook = handed_in()
        notebook.cells += more
        return submission._code(notebook)

    assert code() == code(new_markdown_cell("words")) != code(new_code_cell("1")) != code(new_code_cell("2"))


def test_where_the_grader_stops_there_is_no_mark_and_the_reason_is_kept(job, monkeypatch):
    def broken(*arguments):
        raise ZeroDivisionError("of our own")

    monkeypatch.setattr(submission, "judge_notebook", broken)
    result = grade_one(job, "mark")
    assert result == blank_result(job, "mark") | {
        "status": FAILED,
        "reason": "the grader stopped with ZeroDivisionError: of our own",
    }


def test_without_its_exercise_nothing_is_graded(job):
    (job.course / "exercises" / NAME / f"{STEM}.ipynb").unlink()
    assert "make it with: nanogpt class build 03_attention" in grade_one(job, "mark")["reason"]


def test_a_result_is_read_as_it_was_kept_and_what_is_no_character_does_not_stop_it(job):
    assert read_result(job.course, NAME, "s01") is None
    keep_result(job, blank_result(job, "mark") | {"answers": {"f": "é 数 \ud800"}})
    assert read_result(job.course, NAME, "s01")["answers"] == {"f": "é 数 ?"}
    assert [path.name for path in job.place.iterdir()] == ["result.json"]


@pytest.mark.parametrize(
    ("source", "used"),
    [
        ("import nanogpt", "nanogpt"),
        ("    from nanogpt.attention import attend", "nanogpt"),
        ("f = __import__('nanogpt.attention')", "__import__"),
        ("f = __import__('nano' + 'gpt.attention')", "__import__"),
        ("from nanogpt.course import check as c\nf = c.items('attention')", "nanogpt"),
        ("from nanogpt.course import check, claims", "nanogpt"),
        ("f = vars(check)['items']", "vars(check"),
        ("f = check.causal_mask.__closure__[0]", "check.causal_mask"),
        ("import gc", "import gc"),
        ("causal_mask = check.items('attention')['causal_mask'].reference", "check.items"),
        ("causal_mask = check.or_reference(causal_mask)", "check.or_reference"),
        ("from nanogpt.course import check\ncheck.causal_mask(causal_mask)", None),
        ("# this uses no library", None),
    ],
)
def test_an_answer_that_uses_the_right_ones_is_remarked_on(source, used):
    answer = new_code_cell(source, metadata={"nbgrader": {"grade_id": "f", "solution": True}})
    given = new_code_cell(source, metadata={"nbgrader": {"grade_id": "setup", "solution": False}})
    exercise = new_notebook(cells=[new_code_cell("import torch\nfrom nanogpt.course import check")])
    found = submission._worth_a_look(new_notebook(cells=[given, answer, new_code_cell(source)]), exercise)
    who = ("the answer f", "a cell that the student added")
    assert found == ([f"{name} uses {used}: look at it" for name in who] if used else [])


@pytest.mark.parametrize(("text", "attempted"), [(WORDS, True), (None, False), (" \n", False)])
def test_a_written_answer_is_attempted_unless_it_is_empty_or_its_stub(job, text, attempted):
    work = handed_in()
    work.cells[-1].source = untouched().cells[-1].source if text is None else text
    solution, exercise = notebooks_of(job.course, NAME, STEM)
    notebook, _ = assemble(make_master(solution, exercise), work)
    found = submission._written(notebook, exercise)["attention_written"]
    assert (found["points"], found["attempted"]) == (2, attempted)
    assert found["answer"].strip() == work.cells[-1].source.strip() or not attempted


def test_another_picture_is_another_written_answer(job):
    seen = set()
    for picture in ("eA==", "eQ=="):
        work = handed_in()
        work.cells[-1].source = "![](attachment:a.png)"
        work.cells[-1].attachments = {"a.png": {"image/png": picture}}
        nbformat.write(work, job.file)
        solution, exercise = notebooks_of(job.course, NAME, STEM)
        notebook, _ = assemble(make_master(solution, exercise), read_submission(job.file))
        found = submission._written(notebook, exercise)["attention_written"]
        assert found["attempted"] and "with a.png, see the notebook" in found["answer"]
        seen.add(found["answer"])
    assert len(seen) == 2


def test_words_in_a_cell_of_the_students_own_are_remarked_on():
    exercise = new_notebook(cells=[new_markdown_cell("# The question")])
    handed_in = new_notebook(cells=[new_markdown_cell("# The question"), new_markdown_cell("It leaks.")])
    assert submission._own_words(handed_in, exercise) == ["there are words in a cell of the student's own: look at it"]
    assert submission._own_words(exercise, exercise) == []


def test_what_a_student_named_steers_no_terminal():
    forged = "it is like \x1b[2K\rs07    15 of 15\n"
    line = line_of(blank_result(Job(Path(), NAME, STEM, "s01", QUICK), "mark") | {"reason": forged})
    assert line == f"{'s01':16} failed: it is like ?[2K?s07    15 of 15?"


def test_another_exercises_notebook_is_refused_with_the_reason(job):
    other = nbformat.read(ROOT / "exercises" / "01_tokenizer" / "tokenizer.ipynb", as_version=4)
    nbformat.write(other, job.file)
    result = grade_one(job, "mark")
    assert result["status"] == REFUSED
    assert result["reason"].startswith(
        "none of this exercise's answer cells is in it, but others are, like count_pairs"
    )
