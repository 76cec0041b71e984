"""What becomes of a submission before it is run."""

import copy
import json
import time

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from nanogpt.course.classroom.assemble import (
    LARGEST,
    assemble,
    grade_id,
    is_answer,
    make_master,
    read_submission,
    whole_parts,
)

STUB = "def f(x):\n    raise NotImplementedError('your code here')"


def cell(source, name, **marks):
    marks = {"grade_id": name, "schema_version": 3, "solution": False, "grade": False, "locked": True, **marks}
    return new_code_cell(source, metadata={"nbgrader": marks})


def answer(source, name="f"):
    return cell(source, name, solution=True, locked=False)


def sheet(*cells):
    return new_notebook(cells=list(cells))


MASTER = sheet(
    new_markdown_cell("# f"),
    cell("import math", "setup"),
    answer(STUB),
    cell("assert f(1) == 2\n### BEGIN HIDDEN TESTS\nassert f(2) == 3\n### END HIDDEN TESTS", "f_test", grade=True),
    answer("def g(x):\n    raise NotImplementedError('your code here')", "g"),
)


def sources(notebook):
    return [c.source for c in notebook.cells]


def test_an_answer_is_put_into_the_masters_cell_and_the_tests_stay_the_masters():
    handed_in = sheet(
        answer("def f(x): return x + 1"), cell("assert True", "f_test", grade=True), answer("def g(x): ...", "g")
    )
    notebook, remarks = assemble(MASTER, handed_in)
    assert sources(notebook)[1:5] == ["import math", "def f(x): return x + 1", "assert True", MASTER.cells[3].source]
    assert [grade_id(c) for c in notebook.cells[3:5]] == [None, "f_test"]
    assert remarks == []


def test_an_unchanged_test_is_not_run_a_second_time():
    notebook, _ = assemble(MASTER, sheet(cell("assert f(1) == 2", "f_test", grade=True)))
    assert len(notebook.cells) == len(MASTER.cells)


def test_a_deleted_answer_leaves_an_empty_cell_and_is_told():
    notebook, remarks = assemble(MASTER, sheet(answer("def g(x): ...", "g")))
    assert sources(notebook)[2] == "" and is_answer(notebook.cells[2])
    assert remarks == ["the answer cell f is missing"]


@pytest.mark.parametrize("stub", [STUB, STUB.replace("\n", "  \n") + "\n\n", f"# to do\n{STUB}  # later"])
def test_a_stub_is_left_out_even_where_it_was_touched(stub):
    notebook, _ = assemble(MASTER, sheet(answer(stub), answer("def g(x): ...", "g")))
    assert sources(notebook)[2] == ""
    notebook, _ = assemble(MASTER, sheet(answer("def f(x): 1"), answer(stub), answer("def g(x): ...", "g")))
    assert sources(notebook)[2] == "def f(x): 1"


def test_all_answers_in_one_cell_are_run_before_the_first_test():
    both = "def f(x): return x + 1\n\ndef g(x): ..."
    for handed_in in (sheet(answer(both)), sheet(new_code_cell(both)), sheet(answer(STUB), new_code_cell(both))):
        notebook, _ = assemble(MASTER, handed_in)
        assert [source for source in sources(notebook) if "def" in source] == [both]
        assert sources(notebook).index(both) < sources(notebook).index(MASTER.cells[3].source)


def test_where_all_names_were_lost_the_cells_are_run_all_the_same_but_not_the_exercises_own():
    lost = [new_code_cell(c.source) for c in MASTER.cells if c.cell_type == "code"]
    lost[1].source = "def f(x): return x + 1"
    lost[2].source = "assert f(1) == 2"  # the test, as students have it
    notebook, _ = assemble(MASTER, sheet(*lost))
    assert sources(notebook)[2] == "def f(x): return x + 1"
    assert len(notebook.cells) == len(MASTER.cells) + 1


def test_words_in_a_cell_of_ones_own_are_the_answer_where_there_is_no_other():
    question = new_markdown_cell("*Your answer here.*", metadata=answer("", "q").metadata)
    question.metadata.nbgrader.grade = True
    master = sheet(new_markdown_cell("# f"), question)
    own = [new_markdown_cell("# f"), new_markdown_cell("It leaks."), new_markdown_cell("And how.")]
    assert sources(assemble(master, sheet(*own))[0])[1] == "It leaks.\n\nAnd how."
    assert sources(assemble(master, sheet(*own, question))[0])[1] == "It leaks.\n\nAnd how."
    given = copy.deepcopy(question)
    given.source = "It doesn't."
    assert sources(assemble(master, sheet(*own, given))[0])[1] == "It doesn't."


def test_a_picture_in_a_written_answer_comes_along():
    question = new_markdown_cell("*Your answer here.*", metadata=answer("", "q").metadata)
    question.metadata.nbgrader.grade = True
    given = copy.deepcopy(question)
    given.source, given.attachments = "![](attachment:a.png)", {"a.png": {"image/png": "eA=="}}
    notebook, _ = assemble(sheet(question), sheet(given))
    assert notebook.cells[0].attachments == given.attachments


def test_an_answer_that_is_there_twice_is_taken_once():
    doubled, remarks = assemble(
        MASTER, sheet(answer("def f(x): 1"), answer("def f(x): 1"), answer(STUB), answer("", "g"))
    )
    assert sources(doubled)[2] == "def f(x): 1"
    assert remarks == []


DEF, BODY, LATER, WHOLE = "def f(x):", "    return x + 1", "    y = x", "def f(x):\n    return x + 2"
BROKEN = "def f(x:\n    return x"


@pytest.mark.parametrize(
    ("parts", "cells"),
    [
        ([DEF, BODY], [f"{DEF}\n{BODY}"]),
        ([DEF, LATER, BODY], [f"{DEF}\n{LATER}\n{BODY}"]),
        ([f"{DEF}\n{LATER}", BODY], [f"{DEF}\n{LATER}\n{BODY}"]),
        ([f"{DEF}\n{LATER}", "    if x:", "        return 1"], [f"{DEF}\n{LATER}\n    if x:\n        return 1"]),
        (["@twice", WHOLE], [f"@twice\n{WHOLE}"]),
        (["import math", WHOLE], ["import math", WHOLE]),
        ([BROKEN, WHOLE], [BROKEN, WHOLE]),
        ([WHOLE, BROKEN], [WHOLE, BROKEN]),
        ([BROKEN, DEF, BODY, "f(1)"], [BROKEN, f"{DEF}\n{BODY}", "f(1)"]),
        (["1 / 0", WHOLE], ["1 / 0", WHOLE]),
        ([f"%%time\n{WHOLE}", "%timeit f(1)", "await f"], [f"%%time\n{WHOLE}", "%timeit f(1)", "await f"]),
        (["\0", WHOLE], ["\0", WHOLE]),
        (["(" * 5000, WHOLE], ["(" * 5000, WHOLE]),
        (
            ["x = %\\\n", "files = !ls", "f?", "%%bash\nls -l", WHOLE],
            ["x = %\\\n", "files = !ls", "f?", "%%bash\nls -l", WHOLE],
        ),
    ],
)
def test_the_parts_of_an_answer_are_joined_where_they_are_python_only_together(parts, cells):
    notebook, remarks = assemble(MASTER, sheet(*map(answer, parts), answer("g = 1", "g")))
    assert sources(notebook)[2 : 2 + len(cells)] == cells
    assert [is_answer(c) and grade_id(c) for c in notebook.cells[2 : 2 + len(cells)]] == ["f"] * len(cells)
    assert len(notebook.cells) == len(MASTER.cells) - 1 + len(cells)
    assert remarks == [f"the answer cell f is there {len(parts)} times; all count, in their order"]
    nbformat.validate(notebook)


def test_very_many_parts_cost_no_time():
    began = time.monotonic()
    parts = [f"{'(' * 50}{number}" for number in range(2000)]
    assert whole_parts(parts) == ["\n".join(parts)]
    assert len(whole_parts([f"({' ' * 10_000}", f"\n{' ' * 10_000}(", "1 +"])) == 3
    assert time.monotonic() - began < 1


def test_cells_that_a_student_added_come_along_before_the_answer_they_stood_before():
    helper = new_code_cell("def helper(x): return x + 1")
    notebook, _ = assemble(MASTER, sheet(helper, answer("f = helper"), new_code_cell("  "), answer("g = f", "g")))
    assert sources(notebook)[2:4] == ["def helper(x): return x + 1", "f = helper"]
    assert len(notebook.cells) == len(MASTER.cells) + 1


def test_odd_metadata_harms_nobody():
    odd = new_code_cell("1")
    odd["metadata"] = {"nbgrader": "yes"}
    also = new_code_cell("2")
    also["metadata"] = {"nbgrader": {"grade_id": 7}}
    notebook, _ = assemble(MASTER, sheet(odd, also, answer("f = 1"), answer("g = 1", "g")))
    assert sources(notebook)[2:5] == ["1", "2", "f = 1"]


def test_the_master_is_left_as_it_was():
    before = nbformat.writes(MASTER)
    assemble(MASTER, sheet(answer("def f(x): return x + 1")))
    assert nbformat.writes(MASTER) == before


def test_the_master_has_the_solutions_tests_and_the_exercises_stubs():
    solution = sheet(
        answer("def f(x):\n    ### BEGIN SOLUTION\n    return x + 1\n    ### END SOLUTION"), MASTER.cells[3]
    )
    exercise = sheet(answer(STUB), cell("assert f(1) == 2", "f_test", grade=True))
    assert sources(make_master(solution, exercise)) == [STUB, MASTER.cells[3].source]


@pytest.mark.parametrize("content", [b"", b"hello", b"\xff\xfe", b"{}", b"[1]", json.dumps({"cells": 3}).encode()])
def test_what_is_no_notebook_is_told_in_a_sentence(tmp_path, content):
    path = tmp_path / "attention.ipynb"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"attention\.ipynb is not a notebook; hand in"):
        read_submission(path)


def test_a_notebook_of_100_mb_is_not_read(tmp_path):
    path = tmp_path / "attention.ipynb"
    with path.open("wb") as file:
        file.truncate(LARGEST * 5)
    with pytest.raises(ValueError, match=r"has 100\.0 MB, more than the 20 that are read; hand it in without outputs"):
        read_submission(path)


def test_a_notebook_that_was_cut_off_is_told_so(tmp_path):
    path = tmp_path / "attention.ipynb"
    path.write_text(nbformat.writes(MASTER)[:-40])
    with pytest.raises(ValueError, match=r"attention\.ipynb is damaged or cut off; save it in Jupyter"):
        read_submission(path)
