"""A run is a folder; everything that is shown of it can be read from there again.

runs/first/config.json      its RunConfig
runs/first/run.json         the preset and the data it was started with, or what it was imported from
runs/first/tokenizer.json   the tokenizer it was trained with
runs/first/metrics.jsonl    one object a step
runs/first/step_000500/     a checkpoint
runs/first/report.json      what `evaluate` measured
"""

import contextlib
import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from nanogpt.checkpoint import (
    checkpoints,
    empty_model,
    load_checkpoint,
    require_free,
    set_model_tensors,
    write_folder,
    write_whole,
)
from nanogpt.config import PRESETS, RunConfig
from nanogpt.data import Batches, TokenData
from nanogpt.device import choose_device, choose_precision
from nanogpt.model import GPT
from nanogpt.tokenizer import load_tokenizer, save_tokenizer

if TYPE_CHECKING:
    import tiktoken

TRAINED = {"preset", "data", "train_sha256", "tokenizer_sha256"}  # what run.json tells of a run started here
IMPORTED = {"imported", "tokenizer_sha256"}  # and of one that was trained elsewhere


def start_run(run: str | Path, config: RunConfig, data: str | Path, preset: str) -> None:
    """Make a run's folder: configuration, origin, tokenizer. The model takes the data's vocabulary.

    Raises FileExistsError where `run` holds something already, ValueError where config and data don't fit.
    """
    run, source = Path(run), TokenData(data)
    require_free(run, "add --resume to go on with it, or choose another --run")
    model = source.fit_vocabulary(config.model, PRESETS[preset].model)
    device = choose_device(config.train.device)
    precision = choose_precision(config.train.precision, device)  # measured once, then the run's for good
    config = RunConfig(model, dataclasses.replace(config.train, precision=precision))
    accumulation_steps(config, world_size=1)
    Batches(source.tokens("train"), model.context_length, 1, 0)  # refuses a text shorter than a context
    origin = {
        "preset": preset,
        "data": str(Path(data).resolve()),  # a notebook that resumes it stands in another folder
        "train_sha256": source.meta["splits"]["train"]["sha256"],
        "tokenizer_sha256": source.meta["tokenizer"]["sha256"],
    }

    write_folder(run, lambda folder: write_run_files(folder, config, origin, source.tokenizer))


def write_run_files(folder: Path, config: RunConfig, origin: dict, tokenizer: "tiktoken.Encoding") -> None:
    """Write what makes a folder a run: config.json, run.json, tokenizer.json."""
    (folder / "config.json").write_text(config.to_json())
    (folder / "run.json").write_text(json.dumps(origin, indent=2) + "\n")
    save_tokenizer(tokenizer, folder / "tokenizer.json")


def change_run(run: str | Path, config: RunConfig, preset: str, data: str | Path | None = None) -> None:
    """Take over settings of the training that were set by hand, before a run is resumed.

    A setting counts as set by hand where it differs from the preset's. `data` tells where the prepared
    folder is now, if it was moved. Raises ValueError for another preset, model or text than the run's.
    """
    run = Path(run)
    old, origin = read_config(run)
    require_trained(run, origin)
    if preset != origin["preset"]:
        raise ValueError(f"{run} is a {origin['preset']!r} run, got {preset!r}; resume it as {origin['preset']!r}")
    plain = PRESETS[preset]
    for field in dataclasses.fields(config.model):
        asked, usual = getattr(config.model, field.name), getattr(plain.model, field.name)
        if asked != usual and asked != getattr(old.model, field.name):
            raise ValueError(
                f"{run} was started with {field.name}={getattr(old.model, field.name)}, got {asked}; "
                "leave it out, or start a new run"
            )
    fields = [f.name for f in dataclasses.fields(config.train)]
    by_hand = {n: getattr(config.train, n) for n in fields if getattr(config.train, n) != getattr(plain.train, n)}
    new = RunConfig(old.model, dataclasses.replace(old.train, **by_hand))
    if data is not None:
        require_same_text(run, TokenData(data), origin)
        moved = json.dumps(origin | {"data": str(Path(data).resolve())}, indent=2) + "\n"
        write_whole(run / "run.json", lambda path: path.write_text(moved))
    if new != old:
        write_whole(run / "config.json", lambda path: path.write_text(new.to_json()))


def require_trained(run: Path, origin: dict) -> None:
    """Raise ValueError for an imported run, which has neither data nor an optimiser's memory to go on from."""
    if "imported" in origin:
        raise ValueError(
            f"{run} was imported from {origin['imported']['source']}, so there is no training here to go on with; "
            "evaluate it or sample from it, or start a new run"
        )


def require_same_text(run: Path, data: TokenData, origin: dict) -> None:
    """Raise ValueError unless `data` is what the run was trained on."""
    if data.meta["splits"]["train"]["sha256"] != origin["train_sha256"]:
        raise ValueError(f"{data.folder} is not what {run} was trained on; restore it or start a new run")


def accumulation_steps(config: RunConfig, world_size: int) -> int:
    """Micro-steps of each process in a step. Raises ValueError where the tokens don't divide evenly."""
    T, train = config.model.context_length, config.train
    at_once = T * train.micro_batch_size * world_size
    if train.tokens_per_step % at_once:
        raise ValueError(
            f"tokens_per_step={train.tokens_per_step} is not a multiple of context_length x micro_batch_size "
            f"x processes = {T} x {train.micro_batch_size} x {world_size} = {at_once}; change one of them"
        )
    return train.tokens_per_step // at_once


@dataclass
class Run:
    """A trained run, read back: what it is, its newest weights, its tokenizer."""

    folder: Path
    config: RunConfig
    origin: dict
    """From run.json: `preset`, `data` (the prepared folder), `train_sha256` (of what it was trained on) and
    `tokenizer_sha256`; of an imported run `imported` and `tokenizer_sha256`."""
    model: GPT
    tokenizer: "tiktoken.Encoding"
    step: int
    weights_sha256: str
    """Of the file that the model's weights were read from."""


def read_config(run: Path) -> tuple[RunConfig, dict]:
    """A run's configuration and origin; an imported run's `train` is the default, by which nobody trained it.

    Raises FileNotFoundError where there is no run, ValueError for a damaged one.
    """
    try:
        config = RunConfig.from_json((run / "config.json").read_text())
        origin = json.loads((run / "run.json").read_text())
    except FileNotFoundError:
        raise FileNotFoundError(
            f"{run} holds no run; train one with: nanogpt train laptop --data data/pydocs --run {run}"
        ) from None
    except ValueError as error:
        raise ValueError(f"{run} can't be read: {error}") from None
    if not _is_origin(origin):
        raise ValueError(f"{run / 'run.json'} was cut or altered; restore it or start a new run")
    return config, origin


def _is_origin(origin) -> bool:
    if not isinstance(origin, dict):
        return False
    if set(origin) == IMPORTED:
        return isinstance(origin["imported"], dict) and "source" in origin["imported"]
    return set(origin) == TRAINED and origin["preset"] in PRESETS


def newest_checkpoint(run: Path) -> Path:
    """The checkpoint that a run is used by. Raises FileNotFoundError where there is none yet."""
    folders = checkpoints(run)
    if not folders:
        raise FileNotFoundError(f"{run} has no checkpoint yet; let it train past its first --train.checkpoint-every")
    return folders[-1]


def load_run(run: str | Path, device: torch.device | str = "cpu") -> Run:
    """Load a run's newest checkpoint for use, in evaluation mode.

    Raises FileNotFoundError where there is no run or no checkpoint yet, ValueError for a damaged one.
    """
    run = Path(run)
    config, origin = read_config(run)
    folder = newest_checkpoint(run)
    tensors, _, state = load_checkpoint(folder, with_optimizer=False)
    model = empty_model(config.model)
    set_model_tensors(model, tensors, folder)
    model, tokenizer = model.to(device).eval(), load_tokenizer(run / "tokenizer.json")
    return Run(run, config, origin, model, tokenizer, state["step"], state["sha256"]["model.safetensors"])


def read_metrics(run: str | Path) -> list[dict]:
    """The metrics of every step so far; a last line cut by a crash is left out."""
    path, metrics = Path(run) / "metrics.jsonl", []
    for line in path.read_text().splitlines() if path.exists() else []:
        with contextlib.suppress(json.JSONDecodeError):
            metrics.append(json.loads(line))
    return metrics


def drop_metrics_from(path: Path, step: int) -> None:
    """Forget the metrics of steps that will be made again."""
    kept = [json.dumps(m) + "\n" for m in read_metrics(path.parent) if m["step"] < step]
    write_whole(path, lambda partial: partial.write_text("".join(kept)))
