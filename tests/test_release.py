"""Giving out: only what is up to date, solvable, and worth nothing untouched."""

import shutil
import zipfile
from pathlib import Path

import nbformat
import pytest

from nanogpt.course.classroom import gradebook
from nanogpt.course.classroom.build import build
from nanogpt.course.classroom.release import release

ROOT = Path(__file__).parents[1]
NAME = "01_tokenizer"


@pytest.fixture
def course(tmp_path):
    for part in ("solutions", "exercises"):
        shutil.copytree(ROOT / part / NAME, tmp_path / part / NAME)
    shutil.copy(ROOT / "nbgrader_config.py", tmp_path)
    return tmp_path


def change(course, old: str, new: str) -> None:
    """Change the answer of the solution's first item, or a text of its page."""
    path = course / "solutions" / NAME / "tokenizer.ipynb"
    notebook = nbformat.read(path, as_version=4)
    cell = next(cell for cell in notebook.cells if old in cell.source)
    cell.source = cell.source.replace(old, new)
    nbformat.write(notebook, path)


@pytest.mark.slow
def test_the_exercise_is_packed_and_entered(course):
    (course / "exercises" / NAME / ".ipynb_checkpoints").mkdir()
    (course / "exercises" / NAME / ".DS_Store").touch()
    (course / "solutions" / NAME / "tokenizer-Copy1.ipynb").write_text("no notebook")
    path = release(course, NAME)
    with zipfile.ZipFile(path) as archive:
        assert archive.namelist() == [f"{NAME}/tokenizer.ipynb"]
        assert archive.read(archive.namelist()[0]) == (course / "exercises" / NAME / "tokenizer.ipynb").read_bytes()
    with gradebook.open_gradebook(course) as book:
        assert sum(gradebook.cells(book, NAME).values()) == 18


@pytest.mark.slow
def test_the_same_exercise_makes_the_same_zip(course):
    first = release(course, NAME).read_bytes()
    assert release(course, NAME).read_bytes() == first


def test_an_exercise_that_is_not_up_to_date_is_not_given_out(course):
    change(course, "difficulty", "level")
    with pytest.raises(ValueError, match=rf"is not what its solution makes; run: nanogpt class build {NAME}"):
        release(course, NAME)
    assert not (course / "released").exists()


@pytest.mark.slow
def test_a_solution_that_fails_its_own_tests_is_not_given_out(course):
    change(course, "return Counter(pairwise(tokens))", "return Counter()")
    build(course, NAME)
    with pytest.raises(ValueError, match=r"the solution should be right in count_pairs_test, and is wrong"):
        release(course, NAME)


@pytest.mark.slow
def test_an_exercise_that_has_points_untouched_is_not_given_out(course):
    change(
        course,
        "    ### BEGIN SOLUTION\n    return Counter(pairwise(tokens))\n    ### END SOLUTION",
        "    return Counter(pairwise(tokens))\n\n\n### BEGIN SOLUTION\n### END SOLUTION",
    )
    build(course, NAME)
    with pytest.raises(ValueError, match="the untouched exercise should be not attempted in count_pairs_test"):
        release(course, NAME)
