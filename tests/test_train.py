import dataclasses
import itertools
import math
import os
import signal
import threading

import pytest
import torch

from nanogpt.checkpoint import checkpoints, load_checkpoint
from nanogpt.config import PRESETS, RunConfig
from nanogpt.model import GPT, next_token_loss
from nanogpt.runs import read_config, read_metrics, start_run
from nanogpt.train import train_with_progress, training_steps

SMOKE = PRESETS["smoke"]


def smoke(model=None, **train) -> RunConfig:
    return RunConfig(
        dataclasses.replace(SMOKE.model, **(model or {})), dataclasses.replace(SMOKE.train, **{"n_steps": 20, **train})
    )


def losses(run) -> list[float]:
    return [metrics["loss"] for metrics in read_metrics(run)]


def run_through(run, config, data) -> list[dict]:
    start_run(run, config, data.folder, "smoke")
    return list(training_steps(run))


def run_some(run, n: int) -> None:
    """Train `n` more steps, then stop as Ctrl-C would."""
    stop = threading.Event()
    for i, _ in enumerate(training_steps(run, stop), start=2):
        if i >= n:
            stop.set()


def test_the_loss_starts_at_ln_v_and_falls(story_run, story_data):
    recorded = losses(story_run.folder)
    assert recorded[0] == pytest.approx(math.log(512), abs=0.1)
    assert recorded[-1] < recorded[0] - 0.8
    assert len(recorded) == SMOKE.train.n_steps


def test_every_step_leaves_its_metrics(story_run):
    metrics = read_metrics(story_run.folder)
    assert [m["step"] for m in metrics] == list(range(SMOKE.train.n_steps))
    assert all({"step", "loss", "learning_rate", "grad_norm", "tokens_per_second"} <= m.keys() for m in metrics)
    assert [m["step"] for m in metrics if "val_loss" in m] == [19, 39]


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_ten_steps_a_stop_and_ten_more_equal_twenty(optimizer, precision, tmp_path, story_data):
    config = smoke({"dropout": 0.1}, optimizer=optimizer, precision=precision)
    whole = run_through(tmp_path / "whole", config, story_data)
    start_run(tmp_path / "parts", config, story_data.folder, "smoke")
    run_some(tmp_path / "parts", 10)
    assert len(losses(tmp_path / "parts")) == 10
    list(training_steps(tmp_path / "parts"))
    assert losses(tmp_path / "parts") == [m["loss"] for m in whole]
    assert [m.get("val_loss") for m in read_metrics(tmp_path / "parts")] == [m.get("val_loss") for m in whole]
    ends = [load_checkpoint(checkpoints(tmp_path / name)[-1])[0] for name in ("whole", "parts")]
    torch.testing.assert_close(*ends, atol=0, rtol=0)


def test_accumulation_equals_the_big_batch(tmp_path, story_data):
    big = run_through(tmp_path / "big", smoke(micro_batch_size=16), story_data)
    small = run_through(tmp_path / "small", smoke(micro_batch_size=2), story_data)
    assert [m["loss"] for m in small] == pytest.approx([m["loss"] for m in big], abs=1e-4)


def test_gradients_are_clipped(tmp_path, story_data):
    free = run_through(tmp_path / "free", smoke(grad_clip=1e6, n_steps=4), story_data)
    clipped = run_through(tmp_path / "clipped", smoke(grad_clip=1e-4, n_steps=4), story_data)
    assert free[0]["grad_norm"] == pytest.approx(clipped[0]["grad_norm"])  # the norm before clipping is reported
    assert free[0]["loss"] == clipped[0]["loss"]
    assert free[3]["loss"] != clipped[3]["loss"]


def test_a_step_is_what_plain_torch_would_do(tmp_path, story_data):
    """The loop against five lines of torch: the same first losses."""
    config = smoke(n_steps=3, warmup_steps=0, grad_clip=1e9)
    recorded = [m["loss"] for m in run_through(tmp_path / "run", config, story_data)]
    from nanogpt.data import Batches
    from nanogpt.optim import learning_rate_at

    config, _ = read_config(tmp_path / "run")
    torch.manual_seed(config.train.seed)
    model = GPT(config.model)
    decayed = [p for p in model.parameters() if p.dim() > 1]
    rest = [p for p in model.parameters() if p.dim() == 1]
    optimizer = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": 0.1}, {"params": rest, "weight_decay": 0.0}], betas=(0.9, 0.95)
    )
    batches = Batches(story_data.tokens("train"), 64, 16, config.train.seed)
    for step in range(3):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate_at(step, config.train)
        x, y = batches.at(step)
        loss = next_token_loss(model(x), y)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        assert recorded[step] == pytest.approx(loss.item(), abs=1e-5)


def test_a_finished_run_has_nothing_more_to_do(story_run):
    before = losses(story_run.folder)
    assert list(training_steps(story_run.folder)) == []
    assert losses(story_run.folder) == before


def test_ctrl_c_saves_and_the_run_goes_on(tmp_path, story_data):
    start_run(tmp_path / "run", smoke(n_steps=12), story_data.folder, "smoke")
    before = signal.getsignal(signal.SIGINT)
    for metrics in training_steps(tmp_path / "run"):
        if metrics["step"] == 4:
            os.kill(os.getpid(), signal.SIGINT)
    assert [f.name for f in checkpoints(tmp_path / "run")] == ["step_000006"]
    assert signal.getsignal(signal.SIGINT) is before
    list(training_steps(tmp_path / "run"))
    whole = run_through(tmp_path / "whole", smoke(n_steps=12), story_data)
    assert losses(tmp_path / "run") == [m["loss"] for m in whole]


def test_in_a_thread_it_trains_without_signals(tmp_path, story_data):
    start_run(tmp_path / "run", smoke(n_steps=3, warmup_steps=1), story_data.folder, "smoke")
    worker = threading.Thread(target=lambda: list(training_steps(tmp_path / "run")))
    worker.start()
    worker.join(timeout=60)
    assert len(losses(tmp_path / "run")) == 3


def test_a_loss_that_is_no_number_stops_and_keeps_the_last_good_checkpoint(tmp_path, story_data):
    start_run(tmp_path / "run", smoke(checkpoint_every=5), story_data.folder, "smoke")
    steps = training_steps(tmp_path / "run")
    list(itertools.islice(steps, 7))
    frame = steps.gi_frame.f_locals["trainer"]
    with torch.no_grad():
        frame.model.token_embedding.weight[3] = float("nan")
    with pytest.raises(
        FloatingPointError,
        match=r"diverged at step 7 \(loss nan.*step_000005 is kept, resume from it with a lower --train.learning-rate",
    ):
        next(steps)
    assert [f.name for f in checkpoints(tmp_path / "run")] == ["step_000005"]
    list(training_steps(tmp_path / "run"))
    assert all(map(math.isfinite, losses(tmp_path / "run")))
    assert len(losses(tmp_path / "run")) == 20


def test_too_high_a_rate_is_told_before_the_first_checkpoint_too(tmp_path, story_data):
    config = smoke(learning_rate=1e30, final_learning_rate=0.0, warmup_steps=0, grad_clip=1e30)
    start_run(tmp_path / "run", config, story_data.folder, "smoke")
    with pytest.raises(FloatingPointError, match="there is no checkpoint yet, start a new run with a lower"):
        list(training_steps(tmp_path / "run"))


def test_data_that_changed_is_refused(tmp_path, story_data):
    start_run(tmp_path / "run", smoke(), story_data.folder, "smoke")
    path = tmp_path / "run" / "run.json"
    path.write_text(path.read_text().replace(story_data.meta["splits"]["train"]["sha256"], "0" * 64))
    with pytest.raises(ValueError, match=r"is not what .* was trained on"):
        list(training_steps(tmp_path / "run"))


def test_a_last_line_cut_by_a_crash_does_no_harm(tmp_path, story_data):
    start_run(tmp_path / "run", smoke(n_steps=10), story_data.folder, "smoke")
    run_some(tmp_path / "run", 5)
    with (tmp_path / "run" / "metrics.jsonl").open("a") as file:
        file.write('{"step": 5, "lo')
    list(training_steps(tmp_path / "run"))
    assert [m["step"] for m in read_metrics(tmp_path / "run")] == list(range(10))


def test_the_bar_tells_how_far_it_came(tmp_path, story_data, capsys):
    start_run(tmp_path / "run", smoke(n_steps=4), story_data.folder, "smoke")
    assert train_with_progress(tmp_path / "run") == (4, 4)
    shown = capsys.readouterr().err
    assert "4/4" in shown
    assert "tokens/s" in shown
    assert "loss" in shown


def test_compiling_falls_back_with_the_reason(tmp_path, story_data, monkeypatch):
    def no_compiler(*args, **kwargs):
        raise RuntimeError("no C++ compiler found\nmore detail")

    monkeypatch.setattr("nanogpt.model.LossOf.compile", lambda self: setattr(self, "forward", no_compiler))
    config = smoke(n_steps=3, warmup_steps=1, compile=True)
    start_run(tmp_path / "run", config, story_data.folder, "smoke")
    with pytest.warns(UserWarning, match="going on without it: no C\\+\\+ compiler found$"):
        compiled = list(training_steps(tmp_path / "run"))
    plain = run_through(tmp_path / "plain", smoke(n_steps=3, warmup_steps=1), story_data)
    assert [m["loss"] for m in compiled] == [m["loss"] for m in plain]


@pytest.mark.slow
def test_a_compiled_run_has_the_plain_runs_losses_and_names(tmp_path, story_data, recwarn):
    compiled = run_through(tmp_path / "compiled", smoke(n_steps=5, compile=True), story_data)
    assert not [str(w.message) for w in recwarn if "does not work here" in str(w.message)]
    plain = run_through(tmp_path / "plain", smoke(n_steps=5), story_data)
    assert [m["loss"] for m in compiled] == pytest.approx([m["loss"] for m in plain], abs=1e-4)
    names = [set(load_checkpoint(checkpoints(tmp_path / n)[-1])[0]) for n in ("compiled", "plain")]
    assert names[0] == names[1]
