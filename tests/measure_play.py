"""What the playground costs beside the bare generator, at the laptop preset's shape and with untrained weights."""

import dataclasses
import statistics
import time
from pathlib import Path
from typing import NamedTuple

import torch
from touch import click, counted, ended, move

from nanogpt.checkpoint import model_tensors, save_checkpoint
from nanogpt.config import PRESETS, RunConfig
from nanogpt.corpora import open_corpus
from nanogpt.course.widgets.playground import Playground, playground
from nanogpt.generate import Sampling, generate_tokens
from nanogpt.model import GPT
from nanogpt.prepare import prepare
from nanogpt.runs import Run, load_run, read_config, start_run

PROMPT = "Once upon a time"


class Played(NamedTuple):
    """One pair: tokens/s of the widget over the generator's, and the widget's seconds to the first token."""

    ratio: float
    first_seconds: float


def untrained_laptop(folder: Path, **shape: int) -> Path:
    """A run of the laptop preset's shape, or a changed one, with the weights that training would begin with."""
    data = prepare(open_corpus("stories", limit=300), folder / "stories", tokenizer="768")
    run, preset = folder / "untrained", PRESETS["laptop"]
    train = dataclasses.replace(preset.train, device="cpu")
    start_run(run, RunConfig(dataclasses.replace(preset.model, **shape), train), data.folder, "laptop")
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        model = GPT(read_config(run)[0].model)
    save_checkpoint(run, 0, model_tensors(model), {}, {})
    return run


def long_seed(run: Run, count: int, prompt: str = PROMPT) -> int:
    """The first seed with which the model writes `count` tokens, and doesn't end the text before."""
    return next(seed for seed in range(10_000) if len(list(_bare(run, count, seed, prompt))) == count)


def _bare(run: Run, count: int, seed: int, prompt: str = PROMPT):
    ids, sampling = run.tokenizer.encode_ordinary(prompt), Sampling(seed=seed)
    return generate_tokens(run.model, ids, count, sampling, run.tokenizer.n_vocab, run.tokenizer.eot_token)


def bare_seconds(run: Run, count: int, seed: int) -> float:
    """From the call to the last token."""
    start = time.perf_counter()
    assert len(list(_bare(run, count, seed))) == count
    return time.perf_counter() - start


def widget_seconds(shown: Playground, count: int, seed: int) -> tuple[float, float]:
    """From the click to the first token, and to the end of it all, the text shown token by token."""
    for control, value in ((shown.length, count), (shown.seed, seed)):
        move(control.box, value=value)
    move(shown.prompt, value=PROMPT)
    start = time.perf_counter()
    click(shown.buttons["Generate"])
    assert ended(shown.work, 120)
    seconds = time.perf_counter() - start
    sample = shown.history[-1]
    assert len(sample.tokens) == count
    return sample.first_seconds, seconds


def pairs(folder: Path, count: int, times: int) -> list[Played]:
    """Both sides in turn, `times` times, each after one round to warm up."""
    run = untrained_laptop(folder)
    bare, found = load_run(run), []
    seed = long_seed(bare, count)
    with counted():  # messages are made and put into JSON, as for a page
        shown = playground(run, compare=False)
        bare_seconds(bare, count, seed)
        widget_seconds(shown, count, seed)
        for _ in range(times):
            alone = bare_seconds(bare, count, seed)
            first, seconds = widget_seconds(shown, count, seed)
            found.append(Played(alone / seconds, first))
    return found


def play(folder: Path) -> None:
    """Tokens a second in the playground against `generate_tokens`, and the wait for the first token."""
    found = pairs(folder, count=400, times=5)
    ratios, firsts = [p.ratio for p in found], [1000 * p.first_seconds for p in found]
    spread = f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
    print(f"| playground, tokens/s | `generate_tokens` alone | {spread} |")
    print(f"first token after the click: {statistics.median(firsts):.0f} ms ({min(firsts):.0f} to {max(firsts):.0f})")
