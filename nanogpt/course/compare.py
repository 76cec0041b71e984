"""Gathering what is compared: runs by their folders, GPT-2 by its names, each measured where it wasn't yet.

Every model is scored at the shortest context among them, which is the head-to-head, and those that read
more once more at their own. What can't be had here is said in a note, and the comparison goes on without it.
"""

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from nanogpt.course.entries import Entry
from nanogpt.course.tiers import workspace
from nanogpt.data import TokenData
from nanogpt.evaluate import Settings
from nanogpt.gpt2 import HUB, import_checkpoint
from nanogpt.hub import hub_address, is_reachable
from nanogpt.reports import TASKS, measured
from nanogpt.runs import Run, load_run, read_config, read_metrics
from nanogpt.tokenizer import tokenizer_hash


def gather(
    names: Sequence[str],
    on: Path,
    also: Sequence[str],
    settings: Settings,
    max_new_tokens: int,
    device: torch.device,
    say: Callable[[str], None],
) -> tuple[list[Entry], list[str]]:
    """Measure the models called `names` on the prepared folder `on`, and on what else is asked for.

    also: benchmarks, "samples", or more prepared folders. `settings.context_length` is not looked at: the
    models decide. `say` is told each thing before it is begun. Returns the entries, and a note on what
    could not be had, if anything. Raises FileNotFoundError for a name that is neither a run nor a GPT-2,
    ValueError for something to measure that is not known.
    """
    for folder in (on, *(what for what in also if what not in TASKS)):
        TokenData(folder)  # refuses, before the long work begins, what is neither a task nor a folder
    places, missing = {}, {}
    for name in names:
        try:
            places[name] = _place(name, say)
        except ConnectionError as error:
            missing[name] = error
    contexts = {name: read_config(place)[0].model.context_length for name, place in places.items()}
    entries = []
    for name, place in places.items():
        run = load_run(place, device)
        reports = []
        for folder in (on, *(what for what in also if what not in TASKS)):
            for context_length in sorted({min(contexts.values()), contexts[name]}):
                say(f"{name}: held-out text of {folder}, at a context of {context_length}")
                reports.append(measured(run, folder, dataclasses.replace(settings, context_length=context_length)))
        for task in (what for what in also if what in TASKS):
            say(f"{name}: {task}")
            try:
                reports.append(measured(run, task, settings, max_new_tokens))
            except ConnectionError as error:
                missing[f"{task} of {name}"] = error
        entries.append(_entry(name, run, reports))
    return entries, [_out_of_reach(missing)] if missing else []


def _place(name: str, say: Callable[[str], None]) -> Path:
    """The run folder behind a name; GPT-2 is imported where it wasn't. ConnectionError where the hub isn't there."""
    if (Path(name) / "config.json").exists():
        return Path(name)
    if name not in HUB:
        raise FileNotFoundError(
            f"{name} is neither a run's folder nor one of {', '.join(HUB)}; train a run first, or correct the name"
        )
    place = workspace() / "runs" / name
    if (place / "config.json").exists():
        return place
    say(f"{name}: asking the hub for it, to import it into {place}")
    import_checkpoint(name, place)
    return place


def _out_of_reach(missing: dict[str, ConnectionError]) -> str:
    """One line for all that the hub would have brought."""
    why = f"the hub at {hub_address()} can't be reached"
    if is_reachable():
        why = f"the hub is there but did not deliver ({next(iter(missing.values()))})"
    return (
        f"{', '.join(missing)} could not be measured, as {why}; what is published stands in. "
        "Once online, the same command measures the rest."
    )


def _entry(name: str, run: Run, reports: list[dict]) -> Entry:
    trained_here = "preset" in run.origin
    imported = run.origin.get("imported", {}).get("source", "")
    return Entry(
        name=next((gpt2 for gpt2, repo in HUB.items() if repo == imported), short_name(name)),
        parameters=run.model.parameter_count(),
        parameters_without_positions=run.model.parameter_count(positions=False),
        context_length=run.config.model.context_length,
        tokenizer_sha256=tokenizer_hash(run.tokenizer),
        tokenizer_name=run.tokenizer.name,
        training_tokens=run.step * run.config.train.tokens_per_step if trained_here else None,
        config=dataclasses.asdict(run.config.model),
        train=_training(run) if trained_here else None,
        data_source=_source(run.origin["data"]) if trained_here else None,
        reports=reports,
    )


def short_name(name: str) -> str:
    """A run by its place in the workspace, runs/first, where it is in there; else as it was called."""
    place, home = Path(name), workspace()
    return place.relative_to(home).as_posix() if place.is_absolute() and place.is_relative_to(home) else name


def _training(run: Run) -> dict:
    """How a run was trained: its settings, the steps done, and the losses at the end where they were kept."""
    metrics = read_metrics(run.folder)
    held_out = [m["val_loss"] for m in metrics if "val_loss" in m]
    last = [m["loss"] for m in metrics[-max(1, len(metrics) // 50) :]]  # the last fiftieth, as one batch is noise
    said = {"val_loss": held_out[-1], "train_loss": sum(last) / len(last)} if held_out else {}
    return dataclasses.asdict(run.config.train) | {"steps_done": run.step} | said


def _source(data: str) -> str:
    """The corpus behind a prepared folder; the folder's name where it is gone."""
    try:
        return TokenData(data).meta["recipe"]["source"]
    except (OSError, ValueError):
        return Path(data).name
