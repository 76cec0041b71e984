"""A school that runs nbgrader takes the course as it is: its own commands, with the configuration that is shipped."""

import csv
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import nbformat
import pytest
from nbgrader.api import Gradebook
from nbgrader.plugins import FileNameCollectorPlugin
from traitlets.config import PyFileConfigLoader

from nanogpt.course.classroom.build import assignments

ROOT = Path(__file__).parents[1]
CONFIG = "nbgrader_config.py"
NAME = "03_attention"
SOLVED, MIXED, UNTOUCHED = "s01", "12345", "54321"
SENT = {  # as names given by hand, by Canvas and by Moodle
    SOLVED: "s01_attention.ipynb",
    MIXED: "lastfirst_LATE_12345_67890_attention-1.ipynb",
    UNTOUCHED: "Full Name_54321_assignsubmission_file_/attention.ipynb",
}
LEFT_OUT = ["unfinished_copy.ipynb", "my_own_attention.ipynb", "attention.ipynb"]
FULL = {"causal_mask": 1, "attention_weights": 4, "one_head": 2, "split_heads": 2, "merge_heads": 2, "multi_head": 4}
SCORES = {SOLVED: 15, MIXED: 10, UNTOUCHED: 0}  # of 17: two more are for the written question, which a person reads


def by_name(notebook) -> dict:
    return {cell.metadata.nbgrader.grade_id: cell for cell in notebook.cells if "nbgrader" in cell.metadata}


def read(folder: Path):
    return nbformat.read(folder / NAME / "attention.ipynb", as_version=4)


def solved():
    """The exercise with the solution's answers, and a cell of the student's own that says what runs it."""
    notebook = read(ROOT / "exercises")
    answers = by_name(read(ROOT / "solutions"))
    for name, cell in by_name(notebook).items():
        if cell.metadata.nbgrader.solution:
            cell.source = re.sub(r" *### (BEGIN|END) SOLUTION\n?", "", answers[name].source)
    notebook.cells.append(nbformat.v4.new_code_cell("import sys\n\nprint(sys.prefix)"))
    return notebook


def mixed():
    """Two wrong answers, one not begun, three right; one test rewritten, and one deleted."""
    notebook = solved()
    cells, given = by_name(notebook), by_name(read(ROOT / "exercises"))
    for name, right, wrong in [
        ("causal_mask", ".tril()", ".triu()"),
        ("split_heads", "(B, T, n_head, C // n_head).transpose(1, 2)", "(B, n_head, T, C // n_head)"),
    ]:
        assert right in cells[name].source
        cells[name].source = cells[name].source.replace(right, wrong)
    cells["one_head"].source = given["one_head"].source
    cells["split_heads_test"].source = "2"
    notebook.cells.remove(cells["merge_heads_test"])
    return notebook


@pytest.fixture(scope="module")
def nbgrader(tmp_path_factory):
    """Run one of nbgrader's commands in a course folder with the solutions and the configuration, nothing else."""
    course, home = tmp_path_factory.mktemp("course"), tmp_path_factory.mktemp("home")
    shutil.copytree(ROOT / "solutions", course / "solutions")
    shutil.copy(ROOT / CONFIG, course)
    env = {name: value for name, value in os.environ.items() if not name.startswith(("JUPYTER", "NBGRADER"))}
    env |= {f"JUPYTER_{kind}_DIR": str(home / kind) for kind in ("CONFIG", "DATA", "RUNTIME")}
    env |= {"IPYTHONDIR": str(home / "ipython"), "NANOGPT_HOME": str(home / "nanogpt"), "OMP_NUM_THREADS": "1"}
    env["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), env["PATH"]])

    def run(*command: str) -> str:
        ran = subprocess.run(
            [sys.executable, "-m", "nbgrader", *command], cwd=course, env=env, capture_output=True, text=True
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout + ran.stderr

    run.course = course
    return run


@pytest.fixture(scope="module")
def generated(nbgrader) -> Path:
    nbgrader("generate_assignment", "*")
    return nbgrader.course


@pytest.fixture(scope="module")
def collected(nbgrader, generated) -> tuple[Path, str]:
    """The submissions in one archive, with files among them that are nobody's; the folder, and what nbgrader said."""
    archive = generated / "downloaded" / NAME / "archive"
    archive.mkdir(parents=True)
    sent = {SOLVED: solved(), MIXED: mixed(), UNTOUCHED: read(ROOT / "exercises")}
    with zipfile.ZipFile(archive / "submissions.zip", "w") as packed:
        for student, notebook in sent.items():
            packed.writestr(SENT[student], nbformat.writes(notebook))
        for name in LEFT_OUT:
            packed.writestr(name, nbformat.writes(sent[SOLVED]))
    return generated, nbgrader("zip_collect", NAME)


@pytest.fixture(scope="module")
def autograded(nbgrader, collected) -> Path:
    nbgrader("autograde", NAME)
    return nbgrader.course


def gradebook(course: Path) -> Gradebook:
    return Gradebook(f"sqlite:///{course / 'gradebook.db'}", "nanogpt")


@pytest.mark.parametrize(
    ("sent", "student"),
    [
        *((name, student) for student, name in SENT.items()),
        ("lastfirst_12345_67890_attention.ipynb", "12345"),
        ("Full Name_54321_assignsubmission_file/attention.ipynb", "54321"),
        ("attention.ipynb", None),
        ("s01/attention.ipynb", None),
        ("s01_attention_copy.ipynb", None),
        ("my_own_attention.ipynb", None),
        ("lastfirst_12345_67890_my_attention.ipynb", None),
        ("lastfirst_12345_67890_1_attention.ipynb", None),
        ("Full Name_54321_assignsubmission_file_/my_attention.ipynb", None),
        ("Full Name_54321_assignsubmission_file_/s01_attention.ipynb", None),
        ("Full Name_54321_assignsubmission_file_/work/s01_attention.ipynb", None),
        ("Full Name_54321_assignsubmission_file_/a_1_2_attention.ipynb", None),
        ("__MACOSX/._s01_attention.ipynb", None),
    ],
)
def test_a_file_name_gives_its_student_or_none(sent, student):
    collector = FileNameCollectorPlugin(config=PyFileConfigLoader(CONFIG, path=str(ROOT)).load_config())
    found = collector.collect(f"/a course_1_2_/downloaded/{NAME}/extracted/submissions/{sent}")
    if student is None:
        assert found is None
    else:
        assert (found["student_id"], found["file_id"]) == (student, "attention")


@pytest.mark.slow
def test_nbgrader_makes_the_exercises_byte_for_byte(generated):
    names = assignments(ROOT)
    assert sorted(path.name for path in (generated / "exercises").iterdir()) == names
    for path in (generated / "exercises").glob("*/*"):
        assert path.read_bytes() == (ROOT / path.relative_to(generated)).read_bytes()


@pytest.mark.slow
def test_the_gradebook_has_each_assignment_with_the_points_its_page_says(generated):
    with gradebook(generated) as book:
        points = {assignment.name: assignment.max_score for assignment in book.assignments}
    assert sorted(points) == assignments(ROOT)
    for path in (ROOT / "exercises").glob("*/*.ipynb"):
        page = nbformat.read(path, as_version=4).cells[0].source
        assert points[path.parent.name] == int(re.search(r"\*(\d+) points, ", page)[1])


@pytest.mark.slow
def test_three_submissions_are_collected_and_the_rest_is_left_out_with_a_warning(collected):
    course, said = collected
    found = sorted(str(path.relative_to(course / "submitted")) for path in (course / "submitted").rglob("*.ipynb"))
    assert found == sorted(f"{student}/{NAME}/attention.ipynb" for student in SENT)
    assert f"{len(SENT)} files collected, {len(LEFT_OUT)} files skipped" in said


@pytest.mark.slow
@pytest.mark.parametrize(
    ("student", "missed"),
    [(SOLVED, []), (MIXED, ["causal_mask", "one_head", "split_heads"]), (UNTOUCHED, list(FULL))],
    ids=["solved", "mixed", "untouched"],
)
def test_each_test_gives_all_its_points_or_none(autograded, student, missed):
    with gradebook(autograded) as book:
        submission = book.find_submission(NAME, student)
        given = {grade.name: grade.auto_score for grade in submission.notebooks[0].grades}
        assert submission.score == sum(FULL[name] for name in FULL if name not in missed) == SCORES[student]
        # The written question: nothing until a person has read it, and 0 at once where nothing was written.
        assert submission.needs_manual_grade == (student != UNTOUCHED)
    assert given.pop("attention_written") == (0 if student == UNTOUCHED else None)
    assert given == {f"{name}_test": 0 if name in missed else points for name, points in FULL.items()}


@pytest.mark.slow
def test_it_is_graded_in_the_environment_that_nbgrader_runs_in(autograded):
    *_, own = read(autograded / "autograded" / SOLVED).cells
    assert own.outputs[0].text.strip() == sys.prefix


@pytest.mark.slow
def test_each_student_gets_a_page_of_feedback_with_the_score(nbgrader, autograded):
    nbgrader("generate_feedback", NAME)
    pages = {path.parts[-3]: path for path in (autograded / "feedback").rglob("*.html")}
    assert set(pages) == set(SENT)
    for student, page in pages.items():
        assert page.name == "attention.html"
        assert f"(Score: {SCORES[student]:.1f} / 17.0)" in page.read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_grades_are_exported_as_the_gradebook_has_them(nbgrader, autograded):
    nbgrader("export")
    with (autograded / "grades.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["assignment"] == NAME]
    with gradebook(autograded) as book:
        kept = {student.id: book.find_submission(NAME, student.id).score for student in book.students}
    assert {row["student_id"]: float(row["score"]) for row in rows} == kept == SCORES
    assert {float(row["max_score"]) for row in rows} == {17}
