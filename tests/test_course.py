import json
import subprocess
import sys
import time

import pytest
import torch
from filelock import FileLock

from nanogpt.course import progress, tiers
from nanogpt.course.claims import CLAIMS


def test_the_tier_can_be_named(monkeypatch):
    for name in tiers.TIERS:
        monkeypatch.setenv("NANOGPT_TIER", name)
        assert tiers.tier() == name
        assert tiers.pick(smoke="smoke", laptop="laptop", gpu="gpu") == name
    monkeypatch.setenv("NANOGPT_TIER", "cluster")
    with pytest.raises(ValueError, match="NANOGPT_TIER='cluster' is not a tier; choose smoke, laptop or gpu"):
        tiers.tier()


@pytest.mark.parametrize(("cuda", "found"), [(True, "gpu"), (False, "laptop")])
def test_unset_the_tier_follows_the_machine(cuda, found, monkeypatch):
    monkeypatch.delenv("NANOGPT_TIER")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    assert tiers.tier() == found


def test_the_workspace_is_the_course_seen_from_its_notebooks(monkeypatch, tmp_path):
    monkeypatch.delenv("NANOGPT_HOME")
    (tmp_path / "notebooks").mkdir()
    for place in (tmp_path, tmp_path / "notebooks"):
        monkeypatch.chdir(place)
        assert tiers.workspace() == tmp_path


def test_a_new_run_never_meets_an_old_one(monkeypatch, tmp_path):
    monkeypatch.setenv("NANOGPT_HOME", str(tmp_path))
    for expected in ("start", "start-2", "start-3"):
        run = tiers.new_run("start")
        assert run == tmp_path / "runs" / expected
        run.mkdir(parents=True)


@pytest.fixture
def home(monkeypatch, tmp_path):
    monkeypatch.setenv("NANOGPT_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def test_there_are_eleven_claims_in_order():
    assert [claim.id for claim in CLAIMS] == [f"C{i}" for i in range(1, 12)]


def test_predictions_come_back(home):
    assert progress.read_predictions() == {}
    bets = {"C1": ("holds", 29.94), "C2": ("false", None), "C11": ("unsure", 3)}
    progress.save_predictions(bets)
    assert progress.read_predictions() == bets
    assert json.loads((home / "progress.json").read_text())["predictions"]["C1"] == ["holds", 29.94]


@pytest.mark.parametrize(
    ("bets", "says"),
    [
        ({"C12": ("holds", 1)}, "'C12' is not one of the claims C1 to C11"),
        ({"C1": ("maybe", 1)}, "C1: .* is not a prediction; write one of holds, false, unsure"),
        ({"C1": "holds"}, "is not a prediction"),
        ({"C1": ("holds", "many")}, "the figure 'many' is not a number"),
    ],
)
def test_a_prediction_that_is_none_is_refused_and_loses_nothing(bets, says, home):
    progress.save_predictions({"C1": ("false", 30)})
    with pytest.raises(ValueError, match=says):
        progress.save_predictions(bets)
    assert progress.read_predictions() == {"C1": ("false", 30)}


def test_running_the_notebook_afresh_costs_nobody_their_bets(home):
    progress.save_predictions({"C1": ("false", 30), "C2": ("unsure", None)})
    progress.save_predictions({"C1": ("unsure", None), "C2": ("unsure", 0.7)})
    assert progress.read_predictions() == {"C1": ("false", 30), "C2": ("unsure", 0.7)}


def test_a_bet_can_be_taken_back_on_purpose(home):
    progress.save_predictions({"C1": ("false", 30), "C2": ("holds", None)})
    progress.save_predictions({"C1": ("unsure", None)}, take_back=True)
    assert progress.read_predictions() == {"C1": ("unsure", None), "C2": ("holds", None)}


def test_predictions_leave_the_rest_of_the_file_alone(home):
    progress.save_predictions({"C1": ("false", 30)})
    path = progress.progress_file()
    path.write_text(json.dumps(json.loads(path.read_text()) | {"passed": ["causal_mask"]}))
    progress.save_predictions({"C2": ("holds", None)})
    assert progress.read_progress() == {
        "passed": ["causal_mask"],
        "predictions": {"C1": ["false", 30], "C2": ["holds", None]},
    }


@pytest.mark.parametrize(
    "content",
    ["my notes", "[1]", '{"predictions": []}', '{"predictions": {"C1": "x"}}', '{"checks": {"attention": {"f": 1}}}'],
)
def test_a_progress_file_of_another_kind_is_not_overwritten(home, content):
    home.mkdir()
    (home / "progress.json").write_text(content)
    with pytest.raises(ValueError, match=r"progress.json is not a progress file; rename it"):
        progress.save_predictions({"C1": ("false", 30)})
    assert (home / "progress.json").read_text() == content


NOTES = """
import sys, time
from nanogpt.course.progress import note_check, progress_file, save_predictions
name, begin = sys.argv[1], progress_file().with_name("begin")
begin.with_name(name).touch()
while not begin.exists():
    time.sleep(0.001)
for i in range(20):
    note_check("03_attention", f"{name}-{i}", passed=True)
    save_predictions({f"C{name}": ("holds", i)})
"""


@pytest.mark.slow
def test_notebooks_that_are_open_at_once_lose_nothing_of_each_other(home):
    home.mkdir()
    names = ["1", "2", "3"]
    writers = [subprocess.Popen([sys.executable, "-c", NOTES, name], stderr=subprocess.PIPE) for name in names]
    deadline = time.monotonic() + 60
    while not all((home / name).exists() for name in names) and time.monotonic() < deadline:
        time.sleep(0.01)
    (home / "begin").touch()
    said = [writer.communicate()[1].decode() for writer in writers]
    assert [writer.returncode for writer in writers] == [0, 0, 0], said
    assert set(progress.read_checks()["03_attention"]) == {f"{name}-{i}" for name in names for i in range(20)}
    assert progress.read_predictions() == {f"C{name}": ("holds", 19) for name in names}


def test_a_progress_file_that_another_does_not_let_go_of_is_told_in_a_sentence(home, monkeypatch):
    home.mkdir()
    monkeypatch.setattr(progress, "PATIENCE", 0.1)
    with (
        FileLock(home / ".progress.json.lock"),
        pytest.raises(TimeoutError, match=r"progress.json is in use .* run this cell again"),
    ):
        progress.note_check("03_attention", "causal_mask", passed=True)
    progress.note_check("03_attention", "causal_mask", passed=True)
