import pytest

from nanogpt.course import check
from nanogpt.course.ladder import ladder, minutes
from nanogpt.course.progress import save_predictions


def test_the_ladder_shows_what_passed(tmp_path, monkeypatch):
    monkeypatch.setenv("NANOGPT_HOME", str(tmp_path))
    save_predictions({"C1": ("holds", None)})
    check.merge_heads(lambda x: x.transpose(1, 2).flatten(2))
    with pytest.raises(check.CheckFailed):
        check.split_heads(lambda x, n: x)
    lines = ladder().splitlines()
    assert lines[0] == "00_start       1 of 11 bets placed"
    assert next(line for line in lines if line.startswith("03")) == (
        "03_attention   ○○○○●○  1 of 6, 0 min from first try to pass"
    )


def test_minutes_run_from_the_first_try_to_the_first_pass():
    entry = {"first_tried": "2026-01-01T10:00:00+00:00", "passed": "2026-01-01T10:07:30+00:00", "failed": 3}
    assert minutes(entry) == 7.5
