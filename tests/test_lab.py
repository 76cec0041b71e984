"""How JupyterLab is opened; that it opens at all is tests/test_browser.py's."""

import os
import shutil
import subprocess
import sys

import pytest

from nanogpt.cli import main
from nanogpt.course import lab


@pytest.fixture
def course(tmp_path, monkeypatch):
    """A folder as the course is cloned into, and what would be called there."""
    (tmp_path / "notebooks").mkdir()
    for page in (lab.START, lab.PLAY):
        (tmp_path / page).write_text("{}")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NANOGPT_HOME", str(tmp_path))
    monkeypatch.delenv("NANOGPT_PLAY", raising=False)
    return tmp_path


@pytest.fixture
def calls(monkeypatch):
    made = []
    monkeypatch.setattr(subprocess, "call", lambda command, **settings: made.append((command, settings)) or 0)
    return made


def nanogpt(*args) -> int:
    with pytest.raises(SystemExit) as exit:
        main([str(arg) for arg in args])
    return exit.value.code or 0


def test_it_opens_on_the_start_page_on_this_machine_alone(course, calls):
    assert nanogpt("lab") == 0
    ((command, settings),) = calls
    assert command[:3] == [sys.executable, "-m", "jupyterlab"]
    assert {"--ip=127.0.0.1", f"--ServerApp.root_dir={course}"} <= set(command)
    assert "--LabApp.default_url=/lab/tree/notebooks/00_start.ipynb" in command
    assert settings["cwd"] == course
    assert settings["env"]["JUPYTER_CONFIG_PATH"] == str(lab.SETTINGS)
    assert "NANOGPT_PLAY" not in settings["env"]


def test_play_opens_the_playground_with_the_runs_it_was_given(course, calls, story_run):
    for name in ("first", "second"):
        shutil.copytree(story_run.folder, course / "runs" / name)
    assert nanogpt("play", "runs/first", "runs/second") == 0
    ((command, settings),) = calls
    assert "--LabApp.default_url=/lab/tree/notebooks/playground.ipynb" in command
    first, second = settings["env"]["NANOGPT_PLAY"].split(os.pathsep)
    assert (first, second) == tuple(str((course / "runs" / name).resolve()) for name in ("first", "second"))


def test_play_needs_no_run(course, calls):
    assert nanogpt("play") == 0
    assert calls[0][1]["env"]["NANOGPT_PLAY"] == ""


def test_play_says_which_run_is_missing_before_anything_opens(course, calls, story_run, capsys):
    shutil.copytree(story_run.folder, course / "runs" / "first")
    begun = course / "runs" / "begun"
    shutil.copytree(story_run.folder, begun, ignore=shutil.ignore_patterns("step_*"))
    for runs, said in ((("runs/first", "runs/none"), "runs/none holds no run"), ((begun,), "has no checkpoint yet")):
        assert nanogpt("play", *runs) == 2
        told = capsys.readouterr().err
        assert said in told
        assert len(told.splitlines()) == 1
    assert calls == []


@pytest.mark.parametrize("command", ["lab", "play"])
def test_outside_the_courses_folder_it_says_where_to_run_it(command, tmp_path, calls, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NANOGPT_HOME", str(tmp_path))
    assert nanogpt(command) == 2
    assert "run this in the folder that the course was cloned into" in capsys.readouterr().err
    assert calls == []
