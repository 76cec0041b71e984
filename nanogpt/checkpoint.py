"""A checkpoint is a folder, `runs/<name>/step_000500`: tensors as safetensors, the rest as JSON.

It is written beside its place, flushed to the disk and renamed: it is there whole or not at all.
"""

import contextlib
import functools
import hashlib
import json
import math
import os
import re
import secrets
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from nanogpt.config import ModelConfig
from nanogpt.model import GPT

KEEP = 2  # checkpoints kept of a run: the newest, and one to fall back on
A_DAY = 86_400  # seconds
DTYPES = {  # safetensors' names -> torch's
    "F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16",
    "I64": "int64", "I32": "int32", "I16": "int16", "I8": "int8", "U8": "uint8", "BOOL": "bool",
}  # fmt: skip


def write_whole(path: Path, write: Callable[[Path], None]) -> None:
    """Put a file or folder at `path` in one move: `write` makes it under another name, then it is renamed.

    Whatever stops this half-way, a power cut included, leaves what was at `path` before. Several may write the
    same file at once: each makes its own, and that of the last to finish stays.
    """
    _clear_up(path)
    partial = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.partial")
    try:
        write(partial)
        for inner in partial.rglob("*") if partial.is_dir() else []:
            flush_to_disk(inner)
        flush_to_disk(partial)
        partial.replace(path)
    except BaseException:
        remove(partial)
        raise
    flush_to_disk(path.parent)


def _clear_up(path: Path) -> None:
    """Delete what killed writers of `path` left beside it.

    Their process has ended; or what is there is a day old, as another process may have the number of theirs by now.
    """
    import psutil

    ours = re.compile(rf"\.{re.escape(path.name)}(\.(\d+)-[0-9a-f]+)?\.partial")
    for left in path.parent.glob(".*.partial"):
        name = ours.fullmatch(left.name)
        if name is None:
            continue
        with contextlib.suppress(OSError):  # another writer is clearing it up as well
            at_work = name[2] is not None and psutil.pid_exists(int(name[2]))
            if not at_work or time.time() - left.stat().st_mtime > A_DAY:
                remove(left)


def require_free(path: Path, way_out: str) -> None:
    """Raise FileExistsError, ending in `way_out`, where anything but an empty folder is at `path`."""
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise FileExistsError(f"{path} already exists; {way_out}")


def write_folder(path: Path, fill: Callable[[Path], None]) -> None:
    """Make a folder and all that `fill` puts into it, whole or not at all, where `require_free` lets it."""

    def write(folder: Path) -> None:
        folder.mkdir()
        fill(folder)

    if path.exists():
        path.rmdir()
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, write)


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


def remove_whole(path: Path) -> None:
    """Delete a folder, if it is there, in one move: no half of it is left under its name, whatever stops this."""
    if path.exists():
        partial = path.with_name(f".{path.name}.partial")
        remove(partial)
        path.replace(partial)
        remove(partial)


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
        write_state(folder, {"step": step, **state})

    place = run / f"step_{step:06d}"
    for cut_off in run.glob(".step_*.partial"):  # by whatever ended a run before this one
        remove(cut_off)
    remove_whole(place)
    write_whole(place, write)
    for old in checkpoints(run)[:-KEEP]:
        remove_whole(old)
    return place


def write_state(folder: Path, state: dict) -> None:
    """Write a checkpoint's state.json: its step and whatever else, and the SHA-256 of its tensor files."""
    hashes = {file.name: sha256(file) for file in sorted(folder.glob("*.safetensors"))}
    (folder / "state.json").write_text(json.dumps({**state, "sha256": hashes}, indent=1))


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
    names = ["model.safetensors", "optimizer.safetensors"] if with_optimizer else ["model.safetensors"]
    state, files = read_state(folder, *names)
    tensors = [{name: stored.read().clone() for name, stored in stored_tensors(file).items()} for file in files]
    return tensors[0], tensors[1] if with_optimizer else {}, state


def read_state(folder: Path, *names: str) -> tuple[dict, list[Path]]:
    """A checkpoint's state, and its files of these names, each held to its SHA-256; raises as `load_checkpoint`."""
    try:
        state = json.loads((folder / "state.json").read_text())
        hashes = dict(state["sha256"])
    except (OSError, ValueError, KeyError, TypeError):
        raise ValueError(_damaged(folder, "state.json")) from None
    files = [folder / name for name in names]
    for file in files:
        if not file.is_file() or sha256(file) != hashes.get(file.name):
            raise ValueError(_damaged(folder, file.name))
    return state, files


def _damaged(folder: Path, name: str) -> str:
    return f"{folder / name} is missing, cut short or altered; remove {folder} to go on from the checkpoint before it"


def sha256(path: Path) -> str:
    """The SHA-256 of a file, read piece by piece, as hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@dataclass(frozen=True)
class StoredTensor:
    """A tensor in a file: what it is, and `read` to get it when it is wanted."""

    shape: tuple[int, ...]
    dtype: str
    """As torch calls it: float32, bfloat16, int64."""
    read: Callable[[], Tensor]

    @property
    def T(self) -> "StoredTensor":
        """The matrix transposed, when it is read."""
        return StoredTensor(self.shape[::-1], self.dtype, lambda: self.read().T)


def stored_tensors(path: Path) -> dict[str, StoredTensor]:
    """What a safetensors file holds, by name; only its header is read. ValueError where it was cut or is none."""
    from safetensors import SafetensorError, safe_open

    stored = {}
    try:
        with safe_open(path, framework="pt") as file:
            for name in file.keys():  # noqa: SIM118 - not a dict
                part = file.get_slice(name)
                dtype = DTYPES.get(part.get_dtype(), part.get_dtype())
                read = functools.partial(_read_tensor, path, name)
                stored[name] = StoredTensor(tuple(part.get_shape()), dtype, read)
    except SafetensorError as error:
        raise ValueError(f"{path} is not a whole safetensors file ({error}); get it again") from None
    return stored


def _read_tensor(path: Path, name: str) -> Tensor:
    """Map one tensor of a safetensors file into memory, for as long as it is held.

    The file is opened anew for each, as the pages read through one mapping stay in memory until it is closed.
    """
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        return file.get_tensor(name)


def write_tensors(path: Path, tensors: dict[str, StoredTensor]) -> None:
    """Write a safetensors file of float32, reading each tensor as its turn comes: one at a time is in memory.

    The format (huggingface.co/docs/safetensors): the header's length in 8 bytes, the header as JSON, the numbers.
    """
    header: dict = {"__metadata__": {"format": "pt"}}
    end = 0
    for name, tensor in tensors.items():
        start, end = end, end + 4 * math.prod(tensor.shape)
        header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": [start, end]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)  # the numbers begin at a multiple of 8
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for tensor in tensors.values():
            file.write(tensor.read().detach().float().contiguous().numpy().data)


def empty_model(config: ModelConfig) -> GPT:
    """A GPT with names and shapes but no numbers (torch's meta device); `set_model_tensors` fills it."""
    with torch.device("meta"):
        return GPT(config)


def model_tensors(model: GPT) -> dict[str, Tensor]:
    """The model's weights by name; the tied head is left out, as it is the token embedding."""
    return {name: tensor for name, tensor in model.state_dict().items() if name != "lm_head.weight"}


def set_model_tensors(model: GPT, tensors: dict[str, Tensor], source: Path) -> None:
    """Put weights into the model, tied head included: copies, or the tensors themselves into an `empty_model`.

    Raises ValueError where names or shapes differ.
    """
    require_same_shapes(model, tensors, source)
    empty = model.token_embedding.weight.is_meta
    model.load_state_dict(tensors | {"lm_head.weight": tensors["token_embedding.weight"]}, assign=empty)
    model.lm_head.weight = model.token_embedding.weight


def require_same_shapes(model: GPT, tensors: dict[str, Tensor] | dict[str, StoredTensor], source: Path) -> None:
    """Raise ValueError, naming the tensor, unless `tensors` are the model's by name and shape."""
    expected = model_tensors(model)
    odd = sorted(set(expected) ^ set(tensors))
    if odd:
        raise ValueError(f"{source} is from another configuration: {odd[0]} is missing on one side; use its own config")
    for name, tensor in tensors.items():
        if tuple(tensor.shape) != tuple(expected[name].shape):
            raise ValueError(
                f"{source} is from another configuration: {name} has shape {tuple(tensor.shape)}, "
                f"the model expects {tuple(expected[name].shape)}; use its own config"
            )
