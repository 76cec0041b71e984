"""The exercises: made from their solutions and up to date, complete, and silent when nothing was done.

That each solution passes its checks, hidden ones included, is nbval's part: `solutions/` is run like `notebooks/`.
"""

import re
from pathlib import Path

import nbformat
import pytest

from nanogpt.course import check
from nanogpt.course.classroom.build import assignments, build, stem_of

ROOT = Path(__file__).parents[1]
SOLUTIONS = sorted((ROOT / "solutions").glob("*/*.ipynb"))


@pytest.fixture(params=SOLUTIONS, ids=lambda path: path.stem)
def solution(request) -> Path:
    return request.param


def cells(path: Path) -> list:
    return nbformat.read(path, as_version=4).cells


def graded(cell) -> dict:
    return cell.metadata.get("nbgrader", {})


def test_each_chapter_with_checks_has_an_exercise():
    stems = {path.stem for path in SOLUTIONS}
    assert stems == set(check.CHAPTERS)
    for path in SOLUTIONS:
        assert path.parent.name == check.CHAPTERS[path.stem]


def test_the_exercises_are_those_of_the_solutions(tmp_path):
    for name in ("solutions", "nbgrader_config.py"):
        (tmp_path / name).symlink_to(ROOT / name)
    made = build(tmp_path)
    assert len(made) == len(SOLUTIONS) == len(assignments(ROOT))
    for path in made:
        kept = ROOT / path.relative_to(tmp_path)
        assert kept.exists() and kept.read_text() == path.read_text(), "run: nanogpt class build"


def test_a_solution_carries_no_output_and_its_cells_are_named_once(solution):
    notebook = nbformat.read(solution, as_version=4)
    nbformat.validate(notebook)
    names = [graded(cell)["grade_id"] for cell in notebook.cells if graded(cell)]
    assert len(names) == len(set(names))
    assert not [cell for cell in notebook.cells if cell.get("outputs") or cell.get("execution_count")]


def test_it_is_worth_ten_to_twenty_points(solution):
    assert 10 <= sum(graded(cell).get("points", 0) for cell in cells(solution)) <= 20


def test_each_item_has_its_page_its_answer_and_its_tests(solution):
    by_name = {graded(cell).get("grade_id"): (i, cell) for i, cell in enumerate(cells(solution))}
    items = check.items(solution.stem)
    assert 3 <= len(items) <= 6
    for name in items:
        i, answer = by_name[name]
        assert graded(answer)["solution"] and not graded(answer)["grade"]
        assert re.search(r"### BEGIN SOLUTION\n.*### END SOLUTION", answer.source, re.S)
        page = cells(solution)[i - 1].source
        assert re.search(r"[●○]{3} · \d+ minutes? · \d+ points? · about \d+ lines?", page), page[:200]
        assert page.count("<details><summary>Hint") == 3
        _, test = by_name[f"{name}_test"]
        assert graded(test)["points"] >= 1 and graded(test)["locked"]
        assert f"check.{name}({name})" in test.source
        assert re.search(r"### BEGIN HIDDEN TESTS\n.*### END HIDDEN TESTS", test.source, re.S)


def test_it_ends_with_a_question_its_rubric_and_a_model_answer(solution):
    *_, question, written = cells(solution)
    assert re.findall(r"\d points?: ", question.source)
    assert graded(written)["grade"] and graded(written)["solution"] and len(written.source) > 100


def test_the_rubric_that_students_see_is_a_line_a_point_without_figures_and_adds_up(solution):
    exercise = cells(ROOT / "exercises" / solution.parent.name / solution.name)
    *_, question, written = exercise
    rubric = question.source[re.search(r"^(- )?\d+ points?: ", question.source, re.M).start() :].split("\n")
    points = [re.fullmatch(r"(?:- )?(\d+) points?: ([^\d$]{1,100})", line) for line in rubric if line]
    assert all(points), f"a point says what it is for in one short line without figures, got {rubric}"
    assert sum(int(point[1]) for point in points) == graded(written)["points"]
    assert not [cell for cell in exercise if "To mark it:" in cell.source], "that belongs to the model answer"


def test_an_untouched_exercise_is_not_attempted_and_nothing_else(solution, tmp_path, monkeypatch):
    monkeypatch.setenv("NANOGPT_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    exercise = ROOT / "exercises" / solution.parent.name / solution.name
    namespace: dict = {}
    tests = 0
    for cell in cells(exercise):
        if cell.cell_type != "code":
            continue
        assert "HIDDEN TESTS" not in cell.source and "SOLUTION" not in cell.source
        if graded(cell).get("grade"):
            tests += 1
            with pytest.raises(check.NotAttempted):
                exec(cell.source, namespace)
        else:
            exec(cell.source, namespace)
    assert tests == len(check.items(solution.stem))


def test_of_several_notebooks_the_one_called_like_its_folder_is_the_solution(tmp_path):
    folder = tmp_path / "solutions" / "03_attention"
    folder.mkdir(parents=True)
    for name in ("attention-Copy1", "attention", "other"):
        (folder / f"{name}.ipynb").touch()
    assert assignments(tmp_path) == ["03_attention"] and stem_of(tmp_path, "03_attention") == "attention"
    (folder / "attention.ipynb").unlink()
    with pytest.raises(ValueError, match="holds attention-Copy1, other; leave the one that is the solution"):
        stem_of(tmp_path, "03_attention")


def test_an_unknown_assignment_is_told_in_a_sentence():
    with pytest.raises(
        FileNotFoundError, match=r"there is no solution called '99_nothing'; choose one of 01_tokenizer"
    ):
        build(ROOT, "99_nothing")
