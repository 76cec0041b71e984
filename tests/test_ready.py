"""What a chapter takes from an earlier one is found again, or made."""

import pytest

from nanogpt.course.ready import ready_data, ready_run
from nanogpt.course.tiers import workspace
from nanogpt.runs import load_run


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("NANOGPT_HOME", str(tmp_path))


@pytest.mark.slow
def test_the_text_is_prepared_once():
    first = ready_data()
    made = (first.folder / "train.bin").stat().st_mtime_ns
    assert ready_data().folder == first.folder
    assert (first.folder / "train.bin").stat().st_mtime_ns == made


@pytest.mark.slow
def test_a_run_is_trained_where_there_is_none_and_found_where_there_is_one():
    run, said = ready_run()
    assert "trained now for 40 steps" in said
    assert load_run(run).step == 40
    again, said = ready_run()
    assert (again, said) == (run, "runs/quick, from before")


@pytest.mark.slow
def test_the_longer_trainings_of_earlier_chapters_come_first():
    run, _ = ready_run()
    (workspace() / "runs" / "empty-start").mkdir()
    for name in ("start", "start-2", "pretrain"):
        (workspace() / "runs" / name).symlink_to(run)
        assert ready_run()[0].name.startswith(name[:5])
