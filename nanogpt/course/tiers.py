"""One switch for the whole course: how much work a cell takes on, and where it keeps what it makes.

`smoke` takes seconds and is for tests; `laptop` minutes on a CPU; `gpu` is the real run. The
environment variable NANOGPT_TIER chooses; unset, a CUDA device means gpu and anything else laptop.
"""

import os
from pathlib import Path
from typing import TypeVar

import torch

TIERS = ("smoke", "laptop", "gpu")
Value = TypeVar("Value")


def tier() -> str:
    """The tier that this process works at. Raises ValueError for an unknown name in NANOGPT_TIER."""
    name = os.environ.get("NANOGPT_TIER")
    if name is None:
        return "gpu" if torch.cuda.is_available() else "laptop"
    if name not in TIERS:
        raise ValueError(f"NANOGPT_TIER={name!r} is not a tier; choose smoke, laptop or gpu, or leave it unset")
    return name


def pick(smoke: Value, laptop: Value, gpu: Value) -> Value:
    """The one of three values that belongs to the tier."""
    return {"smoke": smoke, "laptop": laptop, "gpu": gpu}[tier()]


def workspace() -> Path:
    """Where `data/`, `runs/` and `progress.json` are kept: the course's own folder.

    NANOGPT_HOME overrides it; otherwise it is the nearest folder upwards that holds `notebooks/`, or
    the current one.
    """
    home = os.environ.get("NANOGPT_HOME")
    if home:
        return Path(home)
    here = Path.cwd()
    return next((folder for folder in (here, *here.parents) if (folder / "notebooks").is_dir()), here)


def new_run(name: str) -> Path:
    """A run folder that is not there yet: runs/<name>, or <name>-2, <name>-3 and so on."""
    runs = workspace() / "runs"
    names = [name] + [f"{name}-{i}" for i in range(2, 10_000)]
    return next(runs / n for n in names if not (runs / n).exists())
