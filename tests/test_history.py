"""A run's metrics, read as they grow."""

import json

import pytest

from nanogpt.course.widgets.history import History


def record(step: int, **more) -> dict:
    usual = {"loss": 6 - step / 100, "learning_rate": 1e-3, "grad_norm": 0.5, "tokens_per_second": 1000.0}
    return {"step": step} | usual | more


def test_a_line_that_is_not_whole_waits_and_one_that_is_no_step_is_left_out(tmp_path):
    path = tmp_path / "metrics.jsonl"
    history = History(path)
    assert history.read() == 0
    whole = json.dumps(record(0)) + "\n"
    path.write_text(f"{whole}[1]\nnonsense\n{json.dumps({'step': 1, 'loss': 'high'})}\n" + '{"step": 2, "lo')
    assert history.read() == 2
    assert list(history.columns["step"]) == [0, 1]
    assert history.columns["loss"][1] != history.columns["loss"][1]  # nan
    with path.open("a") as file:
        file.write('ss": 3.5, "val_loss": 3.6}\n')
    assert history.read() == 1
    assert (history.columns["loss"][2], history.held_out) == (3.5, [(2, 3.6)])


def test_a_file_that_was_replaced_is_read_afresh_and_a_step_made_again_counts_once(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text("".join(json.dumps(record(i, val_loss=1.0)) + "\n" for i in range(10)))
    history = History(path)
    assert history.read() == 10
    with path.open("a") as file:
        file.write(json.dumps(record(4, loss=1.5)) + "\n")
    history.read()
    assert list(history.columns["step"]) == [0, 1, 2, 3, 4]
    assert (history.columns["loss"][-1], len(history.held_out)) == (1.5, 4)
    other = tmp_path / "other"
    other.write_text(json.dumps(record(0)) + "\n")
    other.replace(path)
    assert history.read() == 1
    assert history.steps_done == 1


@pytest.mark.parametrize("new_steps", [range(12), range(100, 112)], ids=["from its start", "from another step"])
def test_a_file_that_another_run_wrote_over_is_read_afresh_though_it_is_longer(tmp_path, new_steps):
    path = tmp_path / "metrics.jsonl"
    path.write_text("".join(json.dumps(record(i, val_loss=1.0)) + "\n" for i in range(10)))
    history = History(path)
    assert history.read() == 10
    path.write_text("".join(json.dumps(record(i, loss=123.25)) + "\n" for i in new_steps))  # the inode stays
    assert history.read() == 12
    assert list(history.columns["step"]) == list(new_steps)
    assert set(history.columns["loss"]) == {123.25}
    assert history.held_out == []
    assert history.read() == 0
