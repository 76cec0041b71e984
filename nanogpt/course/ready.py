"""What a chapter takes from an earlier one: found where it was made before, else made on the spot in seconds."""

import dataclasses
from pathlib import Path

from nanogpt.checkpoint import checkpoints
from nanogpt.config import PRESETS
from nanogpt.corpora import open_corpus
from nanogpt.course.tiers import new_run, pick, tier, workspace
from nanogpt.data import TokenData
from nanogpt.prepare import prepare
from nanogpt.runs import start_run
from nanogpt.train import training_steps

RUNS = ("pretrain", "start")  # chapters 08 and 00, in the order of preference


def ready_data() -> TokenData:
    """Python's documentation as prepared token ids, `data/pydocs-<tier>`, with its own tokenizer."""
    corpus = open_corpus("pydocs", limit=pick(smoke=150, laptop=None, gpu=None))
    return prepare(corpus, workspace() / "data" / f"pydocs-{tier()}", tokenizer=pick("512", "768", "768"))


def ready_run() -> tuple[Path, str]:
    """A trained run, the newest of chapter 08's, else of chapter 00's, else one trained now; and which it is."""
    found = _newest_run()
    if found:
        return found, f"runs/{found.name}, from before"
    name = pick(smoke="smoke", laptop="laptop", gpu="laptop")
    preset = PRESETS[name]
    steps = pick(smoke=preset.train.n_steps, laptop=500, gpu=preset.train.n_steps)
    config = dataclasses.replace(preset, train=dataclasses.replace(preset.train, n_steps=steps))
    run = new_run("quick")
    print(f"No run of chapter 00 or 08 is here, so one is trained now, for {steps} steps ...")  # noqa: T201
    start_run(run, config, ready_data().folder, name)
    for _ in training_steps(run):
        pass
    return run, f"runs/{run.name}, trained now for {steps} steps, as no run of chapter 00 or 08 is here"


def _newest_run() -> Path | None:
    runs = workspace() / "runs"
    for name in (*RUNS, "quick"):
        kept = [run for run in (*runs.glob(name), *runs.glob(f"{name}-*")) if checkpoints(run)]
        if kept:
            return max(kept, key=lambda run: checkpoints(run)[-1].stat().st_mtime)
    return None
