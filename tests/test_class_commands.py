"""`nanogpt class` as an instructor types it: what it prints, and how it speaks of what is wrong."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from invented_class import NAME, hand_in, new_course

from nanogpt.cli import main
from nanogpt.course.classroom import sandbox

ROOT = Path(__file__).parents[1]


def run(capsys, *args) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as stopped:
        main(["class", *map(str, args)])
    said = capsys.readouterr()
    return stopped.value.code or 0, said.out, said.err


@pytest.fixture
def course(tmp_path):
    shutil.copy(ROOT / "nbgrader_config.py", tmp_path)
    return new_course(tmp_path)


@pytest.mark.slow
@pytest.mark.skipif(sandbox.trouble() is not None, reason=str(sandbox.trouble()))
def test_an_assignment_goes_from_giving_out_to_marks(course, capsys, tmp_path):
    said = run(capsys, "release", NAME, "--course", course)
    assert said[0] == 0
    assert "the solution has full marks and the untouched exercise none" in said[1]
    came = tmp_path / "came"
    came.mkdir()
    for student, part in {"s01": "solutions", "s02": "exercises"}.items():
        shutil.copy(ROOT / part / NAME / "attention.ipynb", came / f"{student}_attention.ipynb")
    code, out, _ = run(capsys, "collect", NAME, came, "--course", course)
    assert (code, out.splitlines()[-1].split(";")[0]) == (0, "students found: 2")
    code, out, _ = run(capsys, "grade", NAME, "--course", course)
    assert code == 0
    assert "s01              15 of 15\n" in out
    assert "s02              0 of 15, not attempted\n" in out
    assert "written answers wait for you in" in out
    assert run(capsys, "grade", NAME, "--course", course)[1].startswith("2 graded")  # and nothing done again
    sheet = course / "written" / f"{NAME}.csv"
    sheet.write_text(sheet.read_text(encoding="utf-8-sig").replace("attention_written,2,,", "attention_written,2,2,"))
    assert "pages written: 2" in run(capsys, "feedback", NAME, "--course", course)[1]
    assert "is ready to be opened" in run(capsys, "report", NAME, "--course", course)[1]
    code, out, _ = run(capsys, "export", "--course", course, "--out", course / "grades")
    assert code == 0
    assert f"{NAME},s01,,,17,17,graded," in (course / "grades" / "grades.csv").read_text()


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (["grade", "99_nothing"], "there is no solution called '99_nothing'; choose one of 03_attention"),
        (["collect", NAME, "nowhere.zip"], "nowhere.zip does not exist; name the zip that your platform gave you"),
        (["feedback", "99_nothing"], "there is no solution called '99_nothing'"),
        (["report", "99_nothing"], "there is no solution called '99_nothing'"),
        (["release", "99_nothing"], "there is no solution called '99_nothing'"),
    ],
)
def test_what_can_be_mended_is_one_sentence(course, capsys, args, sentence):
    code, _, err = run(capsys, *args, "--course", course)
    assert code == 2
    assert err.startswith(f"nanogpt: {sentence}")
    assert len(err.splitlines()) == 1


def test_a_course_that_is_not_there_is_told(capsys, tmp_path):
    code, _, err = run(capsys, "export", "--course", tmp_path / "nowhere")
    assert code == 2
    assert "is no folder; name the course's folder with --course" in err


def test_nothing_is_graded_without_a_sandbox_unless_told(course, capsys, monkeypatch):
    monkeypatch.setattr(sandbox, "trouble", lambda: "there is no bwrap here; install it, or say --unsandboxed")
    hand_in(course, "s01")
    code, _, err = run(capsys, "grade", NAME, "--course", course)
    assert (code, "say --unsandboxed" in err) == (2, True)


@pytest.mark.parametrize("seconds", ["0", "-1", "nan", "inf"])
def test_no_time_at_all_is_refused_before_anybody_gets_0_for_it(course, capsys, seconds):
    code, _, err = run(capsys, "grade", NAME, "--course", course, f"--seconds={seconds}")
    assert code == 2
    assert "is no time that an answer can take" in err


def test_a_class_that_has_handed_in_nothing_is_told_how_to_begin(course, capsys, monkeypatch):
    monkeypatch.setattr(sandbox, "trouble", lambda: None)
    code, _, err = run(capsys, "grade", NAME, "--course", course)
    assert code == 2
    assert f"sort it in with: nanogpt class collect {NAME}" in err


@pytest.mark.slow
def test_each_command_explains_itself():
    for command in ("build", "release", "collect", "grade", "feedback", "export", "report"):
        done = subprocess.run(
            [sys.executable, "-m", "nanogpt", "class", command, "--help"], capture_output=True, text=True
        )
        assert done.returncode == 0
        assert "--course PATH" in done.stdout
