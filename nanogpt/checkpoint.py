"""A checkpoint is a folder, `runs/<name>/step_000500`: tensors as safetensors, the rest as JSON.

It is written beside its place, flushed to the disk and renamed: it is there whole or not at all.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from torch import Tensor

from nanogpt.model import GPT

KEEP = 2  # checkpoints kept of a run: the newest, and one to fall back on


def write_whole(path: Path, write: Callable[[Path], None]) -> None:
    """Put a file or folder at `path` in one move: `write` makes it under another name, then it is renamed.

    Whatever stops this half-way, a power cut included, leaves what was at `path` before.
    """
    partial = path.with_name(f".{path.name}.partial")
    remove(partial)
    try:
        write(partial)
        for file in partial.iterdir() if partial.is_dir() else [partial]:
            flush_to_disk(file)
        if partial.is_dir():
            flush_to_disk(partial)
        partial.replace(path)
    except BaseException:
        remove(partial)
        raise
    flush_to_disk(path.parent)


def flush_to_disk(path: Path) -> None:
    """Return when the file's bytes, or the folder's entries, are on the disk itself."""
    if path.is_dir() and os.name == "nt":
        return  # Windows can't open a folder
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def remove(path: Path) -> None:
    """Delete a file or a folder with all in it, if it is there."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def save_checkpoint(run: Path, step: int, model_tensors: dict, optimizer_tensors: dict, state: dict) -> Path:
    """Write `runs/<name>/step_NNNNNN` whole, then drop all but the newest two. Returns its path.

    model_tensors and optimizer_tensors: name to tensor; state: JSON-able values. Raises OSError where
    the disk is full or refuses; earlier checkpoints are then untouched.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    def write(folder: Path) -> None:
        folder.mkdir(parents=True)
        files = {"model.safetensors": model_tensors, "optimizer.safetensors": optimizer_tensors}
        try:
            for name, tensors in files.items():
                save_file({key: tensor.contiguous() for key, tensor in tensors.items()}, folder / name)
        except SafetensorError as error:  # how it reports a full disk
            raise OSError(
                f"the checkpoint could not be written to {run} ({error}); free some space and go on with --resume"
            ) from error
        hashes = {name: _sha256(folder / name) for name in files}
        (folder / "state.json").write_text(json.dumps({"step": step, "sha256": hashes, **state}, indent=1))

    place = run / f"step_{step:06d}"
    remove(place)
    write_whole(place, write)
    for old in checkpoints(run)[:-KEEP]:
        remove(old)
    return place


def checkpoints(run: Path) -> list[Path]:
    """The run's checkpoint folders, oldest first."""
    found = [folder for folder in run.glob("step_*") if folder.name.removeprefix("step_").isdecimal()]
    return sorted(found, key=checkpoint_step)


def checkpoint_step(folder: Path) -> int:
    """How many updates the checkpoint's weights have had, by its name."""
    return int(folder.name.removeprefix("step_"))


def load_checkpoint(folder: Path, with_optimizer: bool = True) -> tuple[dict, dict, dict]:
    """Read a checkpoint: (model tensors, optimizer tensors, state), each file held to its SHA-256.

    Raises ValueError that names the file which was cut or altered and the way out.
    """
    from safetensors.torch import load_file

    try:
        state = json.loads((folder / "state.json").read_text())
        hashes = state["sha256"]
    except (OSError, ValueError, KeyError, TypeError):
        raise ValueError(_damaged(folder, "state.json")) from None
    tensors = {}
    for name in ("model.safetensors", "optimizer.safetensors") if with_optimizer else ("model.safetensors",):
        file = folder / name
        if not file.is_file() or _sha256(file) != hashes.get(name):
            raise ValueError(_damaged(folder, name))
        tensors[name] = load_file(file)
    return tensors["model.safetensors"], tensors.get("optimizer.safetensors", {}), state


def _damaged(folder: Path, name: str) -> str:
    return f"{folder / name} is missing, cut short or altered; remove {folder} to go on from the checkpoint before it"


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def model_tensors(model: GPT) -> dict[str, Tensor]:
    """The model's weights by name; the tied head is left out, as it is the token embedding."""
    return {name: tensor for name, tensor in model.state_dict().items() if name != "lm_head.weight"}


def set_model_tensors(model: GPT, tensors: dict[str, Tensor], source: Path) -> None:
    """Put weights into the model, tied head included. Raises ValueError where names or shapes differ."""
    expected = model_tensors(model)
    odd = sorted(set(expected) ^ set(tensors))
    if odd:
        raise ValueError(f"{source} is from another configuration: {odd[0]} is missing on one side; use its own config")
    for name, tensor in tensors.items():
        if tensor.shape != expected[name].shape:
            raise ValueError(
                f"{source} is from another configuration: {name} has shape {tuple(tensor.shape)}, "
                f"the model expects {tuple(expected[name].shape)}; use its own config"
            )
    model.load_state_dict(tensors | {"lm_head.weight": tensors["token_embedding.weight"]})
