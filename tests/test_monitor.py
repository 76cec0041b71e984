"""The training monitor: what it draws, what its buttons do, what it says, and that its threads end."""

import dataclasses
import json
import re
import threading
import time

import numpy as np
import pytest
import torch
from touch import at_work, click, counted, ended

from nanogpt.checkpoint import checkpoints
from nanogpt.config import PRESETS
from nanogpt.course.widgets import monitor as module
from nanogpt.course.widgets.linechart import number
from nanogpt.course.widgets.monitor import training_monitor
from nanogpt.runs import read_metrics, start_run
from nanogpt.train import training_steps


@pytest.fixture
def start(tmp_path, story_data):
    """Make a run folder of so many steps, untrained."""

    def make(n_steps: int = 40, name: str = "run", **settings):
        train = dataclasses.replace(PRESETS["smoke"].train, n_steps=n_steps, **settings)
        run = tmp_path / name
        start_run(run, dataclasses.replace(PRESETS["smoke"], train=train), story_data.folder, "smoke")
        return run

    yield make
    for busy in list(module._BUSY.values()):
        assert busy.work.end()
    assert not at_work()


def record(step: int, **more) -> dict:
    usual = {"loss": 6 - step / 100, "learning_rate": 1e-3, "grad_norm": 0.5, "tokens_per_second": 1000.0}
    return {"step": step} | usual | more


def write(run, steps, **more) -> None:
    with (run / "metrics.jsonl").open("a") as file:
        file.writelines(json.dumps(record(step, **more)) + "\n" for step in steps)


def until(true, seconds: float = 20.0) -> bool:
    end = time.monotonic() + seconds
    while not true() and time.monotonic() < end:
        time.sleep(0.01)
    return true()


def test_it_trains_a_run_to_its_end_and_says_how_it_ended(start):
    monitor = training_monitor(start(), {"bigram": 3.9})
    assert (monitor.train.description, monitor.stop.disabled) == ("Start", True)
    assert monitor.status.text == "0 of 40 steps"
    click(monitor.train)
    assert (monitor.train.disabled, monitor.stop.disabled, monitor.follow.disabled) == (True, False, True)
    assert ended(monitor.work)
    metrics = read_metrics(monitor.run)
    assert monitor.status.text.startswith("done: 40 of 40 steps, loss ")
    assert f"held out {number(metrics[-1]['val_loss'])} after step 39" in monitor.status.text
    for text in ("<strong>Loss</strong> (nats per token)", "bigram 3.9", "Learning rate", "Gradient norm", "limit 1<"):
        assert text in monitor.charts.value
    assert f"training {number(metrics[-1]['loss'])}" in monitor.charts.value
    assert (monitor.train.description, monitor.train.disabled, monitor.stop.disabled) == ("Resume", False, True)


def test_two_clicks_start_one_training(start, monkeypatch):
    started = []
    monkeypatch.setattr(module, "training_steps", lambda run, stop: started.append(1) or training_steps(run, stop))
    monitor = training_monitor(start())
    click(monitor.train)
    click(monitor.train, late=True)
    assert "press Stop first" in monitor.status.text
    assert len(at_work()) == 1
    assert ended(monitor.work)
    assert started == [1]
    assert [m["step"] for m in read_metrics(monitor.run)] == list(range(40))


def test_stop_ends_it_after_the_step_in_hand_with_a_checkpoint_and_resume_goes_on_from_there(start):
    monitor = training_monitor(start(5000, checkpoint_every=5000, eval_every=5000))
    click(monitor.train)
    assert until(lambda: len(read_metrics(monitor.run)) > 3)
    since = time.monotonic()
    click(monitor.stop)
    assert monitor.status.text.startswith("stopping after the step in hand")
    assert time.monotonic() - since < 0.2
    assert ended(monitor.work)
    done = len(read_metrics(monitor.run))
    saved = f"step_{done:06d}"
    assert monitor.status.text == (
        f"stopped after {done:,} of 5,000 steps: checkpoint {saved} is saved, and Resume goes on from there"
    )
    assert [folder.name for folder in checkpoints(monitor.run)] == [saved]
    click(monitor.train)  # at once: the file is young, but it was this monitor that wrote it
    assert until(lambda: len(read_metrics(monitor.run)) > done + 3)
    click(monitor.stop)
    assert ended(monitor.work)
    assert [m["step"] for m in read_metrics(monitor.run)] == list(range(monitor.history.steps_done))


def test_a_stopped_run_has_the_losses_of_one_that_was_never_stopped(start):
    whole = start(12, name="whole")
    for _ in training_steps(whole):
        pass
    monitor = training_monitor(start(12))
    stop = threading.Event()
    for metrics in training_steps(monitor.run, stop):
        if metrics["step"] == 5:
            stop.set()
    monitor._left = monitor._stamp()  # so that it needn't wait to see whether anyone goes on writing
    click(monitor.train)
    assert ended(monitor.work)
    assert [m["loss"] for m in read_metrics(monitor.run)] == [m["loss"] for m in read_metrics(whole)]


def test_a_run_that_is_done_says_so(story_run):
    monitor = training_monitor(story_run.folder)
    assert not at_work()
    click(monitor.train)
    assert monitor.status.text.startswith("the run is done, 40 of 40 steps; to train it further")
    click(monitor.follow)
    assert ended(monitor.work)
    assert monitor.status.text.startswith("done: 40 of 40 steps")


def test_a_late_click_on_stop_says_that_nothing_is_trained(story_run):
    monitor = training_monitor(story_run.folder)
    click(monitor.stop, late=True)
    assert monitor.status.text == "nothing is being trained here; press Resume to train"


def test_a_run_that_another_process_writes_to_is_followed_at_once_until_it_is_done(start, monkeypatch):
    monkeypatch.setattr(module, "DRAWN_EVERY", 0.05)
    run = start(30)
    write(run, range(10))
    monitor = training_monitor(run)
    assert monitor.follow.description == "Unfollow"
    assert until(lambda: monitor.status.text.startswith("following: 10 of 30 steps, loss 5.91"))
    write(run, range(10, 20))
    assert until(lambda: "training 5.81" in monitor.charts.value)
    write(run, range(20, 30))
    assert ended(monitor.work)
    assert monitor.status.text.startswith("done: 30 of 30 steps")
    assert monitor.follow.description == "Follow"


def test_following_ends_when_nothing_comes_and_can_be_taken_up_again_and_left(start, monkeypatch):
    monkeypatch.setattr(module, "DRAWN_EVERY", 0.02)
    monkeypatch.setattr(module, "PATIENCE", 0.2)
    monkeypatch.setattr(module, "GAP", 0.2)
    monkeypatch.setattr(module, "GAP_STEPS", 0.1)
    run = start(30)
    write(run, range(10))
    monitor = training_monitor(run)
    assert ended(monitor.work)
    assert monitor.status.text == "nothing new for 0 s, at 10 of 30 steps; Follow looks again"
    monkeypatch.setattr(module, "PATIENCE", 60.0)
    click(monitor.follow)
    write(run, [10])
    assert until(lambda: "training 5.9" in monitor.charts.value and monitor.history.steps_done == 11)
    click(monitor.follow)
    assert ended(monitor.work)
    assert monitor.status.text.startswith("not followed any more: 11 of 30 steps")


def test_a_run_that_another_process_trains_is_not_resumed_but_followed(start, monkeypatch):
    monkeypatch.setattr(module, "DRAWN_EVERY", 0.02)
    run = start(1000)
    write(run, range(10))
    monitor = training_monitor(run)
    stop = threading.Event()

    def other_process():
        for step in range(10, 1000):
            if stop.wait(0.05):
                return
            write(run, [step])

    other = threading.Thread(target=other_process)
    other.start()
    try:
        click(monitor.train)
        assert until(lambda: "another process is training this run: nothing was started" in monitor.status.text)
        assert (monitor.follow.description, monitor.stop.disabled) == ("Unfollow", True)
        seen = monitor.history.steps_done
        assert until(lambda: monitor.history.steps_done > seen)
        assert not checkpoints(run)
    finally:
        stop.set()
        other.join()
    click(monitor.follow)
    assert ended(monitor.work)


def test_a_run_that_fell_silent_is_resumed_after_a_look(start, monkeypatch):
    monkeypatch.setattr(module, "GAP", 0.3)
    monkeypatch.setattr(module, "GAP_STEPS", 0)
    run = start(10)
    write(run, range(5))  # killed before its first checkpoint: its steps are made again
    monitor = training_monitor(run)
    click(monitor.train)
    assert ended(monitor.work)
    assert monitor.status.text.startswith("done: 10 of 10 steps")
    assert [m["step"] for m in read_metrics(run)] == list(range(10))


def test_while_a_run_is_trained_here_its_monitor_is_the_only_one(start):
    run = start(5000)
    older = training_monitor(run)
    first = training_monitor(run)
    click(first.train)
    assert until(lambda: first.history.steps_done > 0)
    assert training_monitor(run) is first
    click(older.train)
    assert "being trained here already" in older.status.text
    click(first.stop)
    assert ended(first.work)
    assert training_monitor(run) is not first


def test_what_goes_wrong_is_a_sentence_in_the_widget(start, tmp_path):
    run = start()
    origin = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps(origin | {"data": str(tmp_path / "moved")}))
    monitor = training_monitor(run)
    click(monitor.train)
    assert ended(monitor.work)
    assert "moved" in monitor.status.text
    assert not monitor.train.disabled
    with pytest.raises(FileNotFoundError, match="holds no run"):
        training_monitor(tmp_path / "nothing")


def test_a_run_that_diverges_says_where_and_how_to_mend_it(start):
    monitor = training_monitor(start(learning_rate=1e8, warmup_steps=0))
    click(monitor.train)
    assert ended(monitor.work)
    assert "--train.learning-rate" in monitor.status.text


def test_a_thread_that_cannot_be_started_leaves_the_run_to_be_trained(start, monkeypatch):
    def no_thread(thread):
        raise RuntimeError("can't start new thread")

    monitor = training_monitor(start())
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", no_thread)
        click(monitor.train)
    assert monitor.status.text.startswith("nothing was begun (can't start new thread); ")
    assert module._BUSY == {}
    assert (monitor.train.disabled, monitor.stop.disabled, monitor.doing) == (False, True, "")
    click(monitor.train)
    assert ended(monitor.work)
    assert monitor.status.text.startswith("done: 40 of 40 steps")


def test_a_drawing_that_fails_stops_no_training(start, monkeypatch):
    monitor = training_monitor(start())
    monkeypatch.setattr(monitor, "_draw", lambda: 1 / 0)
    click(monitor.train)
    assert ended(monitor.work)
    assert len(read_metrics(monitor.run)) == 40


def test_an_imported_run_says_that_there_is_nothing_to_train(start):
    run = start()
    (run / "run.json").write_text(json.dumps({"imported": {"source": "gpt2"}, "tokenizer_sha256": "0"}))
    monitor = training_monitor(run)
    assert "was imported from gpt2" in monitor.status.text
    click(monitor.train)
    assert "was imported from gpt2" in monitor.status.text
    assert not at_work()


@pytest.mark.slow
def test_a_long_run_is_sent_in_less_than_30_kilobytes(start):
    run = start(100_000)
    write(run, range(100_000), val_loss=5.5)
    with counted() as sizes:
        monitor = training_monitor(run, {"uniform": 6.2})
        sizes.clear()
        monitor.charts.value = ""
        monitor._draw()
    assert 5_000 < max(sizes) < 30_000
    click(monitor.follow)
    assert ended(monitor.work)


@pytest.mark.slow
def test_the_status_is_announced_seldom_however_often_the_charts_change(start, monkeypatch):
    monkeypatch.setattr(module, "DRAWN_EVERY", 0.0)
    drawn, said = [], []
    monitor = training_monitor(start(100))
    monitor._drawn.every = 0.0
    monitor.charts.observe(lambda change: drawn.append(change["new"]), "value")
    monitor.status.widget.observe(lambda change: said.append(change["new"]), "value")
    click(monitor.train)
    assert ended(monitor.work)
    assert len(drawn) > 20
    assert len(said) < 8
    assert all('role="status"' in text for text in said)
    assert "role=" not in re.sub(r'role="img"', "", drawn[-1])


def test_texts_from_outside_are_escaped(start):
    run = start(4, name="a&b")
    write(run, range(4))
    monitor = training_monitor(run, {"<b>bold</b>": 3.0})
    assert "<b>bold" not in monitor.charts.value
    assert "&lt;b&gt;bold" in monitor.charts.value


@pytest.mark.parametrize(
    "loss", [float("nan"), float("inf"), -float("inf"), "3.9", None, [3.9], pytest.param(10**400, id="large")]
)
def test_a_baseline_that_is_no_finite_number_is_refused_in_a_sentence(story_run, loss):
    with pytest.raises(ValueError, match=r"the baseline 'bigram' is .*; give a finite number of nats per token"):
        training_monitor(story_run.folder, {"uniform": 6.2, "bigram": loss})


@pytest.mark.parametrize("loss", [4, np.float32(4), torch.tensor(4.0)], ids=["int", "numpy", "torch"])
def test_a_baseline_may_be_a_number_of_any_kind(story_run, loss):
    assert "bigram 4<" in training_monitor(story_run.folder, {"bigram": loss}).charts.value


def test_each_chart_is_told_in_words_too(story_run):
    monitor = training_monitor(story_run.folder)
    labels = re.findall(r'role="img"[^>]* aria-label="([^"]+)"', monitor.charts.value)
    assert len(labels) == 4
    assert re.fullmatch(
        r"Loss over steps 0 to 39: training [\d.]+ at first, [\d.]+ now, [\d.]+ at the least; held out .*", labels[0]
    )


def test_its_picture_stands_where_nothing_runs(story_run, start, monkeypatch):
    monkeypatch.setenv("NANOGPT_PICTURES", "1")
    bundle, metadata = training_monitor(story_run.folder)._repr_mimebundle_()
    assert set(bundle) == {"image/png", "text/plain"}
    assert bundle["text/plain"] == metadata["image/png"]["alt"]
    assert "Three panels over the same 40 steps" in bundle["text/plain"]
    empty, _ = training_monitor(start())._repr_mimebundle_()
    assert "empty so far: run has had 0 of 40 steps" in empty["text/plain"]
