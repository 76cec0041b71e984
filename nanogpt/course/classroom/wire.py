"""Messages between the grader and a student's process: a length, then JSON. No code and no pickle crosses.

What a student's process sends is not to be trusted, so reading it makes plain values of known types and nothing else.
"""

import json
import socket
import struct
from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch

LARGEST = 8_000_000  # bytes of a message
MOST_PARTS, MOST_KEYS, MOST_AXES = 100_000, 5_000, 64  # in a message, in a dictionary, of a tensor
DEEPEST = 20  # lists within lists
STRANGE = 100  # unknown types in a message
LENGTH = struct.Struct(">Q")
TENSORS = {  # the types that can be compared as numbers
    *("bool", "uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64"),
    *("float16", "bfloat16", "float32", "float64", "complex64", "complex128"),
}


def send(channel: socket.socket, message: dict) -> None:
    """Write one message. TimeoutError when the other side doesn't read, OSError when it is gone."""
    text = json.dumps(message).encode()
    channel.sendall(LENGTH.pack(len(text)) + text)


def receive(channel: socket.socket, read: Any = None) -> dict:
    """Read one message. EOFError when the other side is gone, ValueError for what is no message or too large.

    `read(n)` gives the next bytes, at most n of them; the channel's own `recv` if left out.
    """
    read = read or channel.recv
    (size,) = LENGTH.unpack(_exactly(LENGTH.size, read))
    if size > LARGEST:
        raise ValueError(f"a message of {size:,} bytes came, more than the {LARGEST:,} that are read")
    try:
        message = json.loads(_exactly(size, read))
    except (ValueError, RecursionError):
        message = None
    if not isinstance(message, dict):
        raise ValueError("what came is not a message of the grader's")
    return message


def _exactly(count: int, read: Any) -> bytes:
    parts, missing = [], count
    while missing:
        part = read(min(missing, 1 << 16))
        if not part:
            raise EOFError
        parts.append(part)
        missing -= len(part)
    return b"".join(parts)


def pack(value: Any, depth: int = 0) -> Any:
    """A value as JSON can hold it; of what is not known, its type's name."""
    if depth > DEEPEST:
        return _unknown(value)
    if value is None or type(value) in (bool, str, float):
        return value
    if type(value) is int:
        return {"int": str(value)} if value.bit_length() < 4000 else _unknown(value)
    if type(value) is bytes:
        return {"bytes": _text(value)}
    if isinstance(value, np.ndarray | np.generic) and value.dtype.kind in "biufc":
        return {"array": value.dtype.str, "shape": value.shape, "data": _text(value.tobytes())} | (
            {"scalar": True} if isinstance(value, np.generic) else {}
        )
    if isinstance(value, torch.Tensor):
        return _pack_tensor(value)
    if isinstance(value, Mapping):
        return {"dict": [[pack(key, depth + 1), pack(part, depth + 1)] for key, part in value.items()]}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return {"tuple" if isinstance(value, tuple) else "list": [pack(part, depth + 1) for part in value]}
    return _unknown(value)


def unpack(sent: Any) -> Any:
    """The value of what `pack` made. ValueError for anything else."""
    try:
        return _unpack(sent, {}, iter(range(MOST_PARTS)))
    except (KeyError, TypeError, RuntimeError, OverflowError, MemoryError, SyntaxError):  # numpy parses its types
        raise ValueError("what came is not a value of the grader's") from None


def _unpack(sent: Any, strange: dict[str, Any], left: Iterator[int], depth: int = 0) -> Any:
    """`strange` holds what stands for unknown values, by the names of their types; `left` counts the parts."""
    if next(left, None) is None or depth > DEEPEST + 1:
        raise ValueError(f"a value of more than {MOST_PARTS:,} parts, or {DEEPEST} deep, came")
    if sent is None or isinstance(sent, bool | str | float):
        return sent
    kinds = set(sent) & {"int", "bytes", "array", "tensor", "dict", "tuple", "list", "unknown"}
    if len(kinds) != 1:
        raise ValueError("what came is not a value of the grader's")
    kind = kinds.pop()
    body = sent[kind]
    if len(sent.get("shape", ())) > MOST_AXES or (kind == "dict" and len(body) > MOST_KEYS):
        raise ValueError(f"a tensor of more than {MOST_AXES} axes came, or a dict of more than {MOST_KEYS:,} keys")
    if kind == "int":
        return int(body)
    if kind == "bytes":
        return b64decode(body)
    if kind == "array":
        dtype = np.dtype(body)
        if dtype.kind not in "biufc":
            raise ValueError(f"an array of {body} came; only numbers are read")
        made = np.frombuffer(bytearray(b64decode(sent["data"])), dtype).reshape(sent["shape"])
        return made[()] if sent.get("scalar") else made
    if kind == "tensor":
        dtype = {name: getattr(torch, name) for name in TENSORS}[body]
        flat = torch.frombuffer(bytearray(b64decode(sent["data"])) or bytearray(1), dtype=torch.uint8)
        return flat[: len(b64decode(sent["data"]))].view(dtype).reshape(sent["shape"])
    if kind == "dict":
        return {_unpack(key, strange, left, depth + 1): _unpack(part, strange, left, depth + 1) for key, part in body}
    if kind == "unknown":
        name = str(body)[:80]
        if name not in strange and len(strange) >= STRANGE:
            raise ValueError(f"values of more than {STRANGE} unknown types came")
        if name not in strange:
            kept = name if name.isidentifier() else "object"
            strange[name] = type(kept, (), {"__repr__": lambda self: f"<{kept}>"})()
        return strange[name]
    return (tuple if kind == "tuple" else list)(_unpack(part, strange, left, depth + 1) for part in body)


def _pack_tensor(value: torch.Tensor) -> dict:
    name = str(value.dtype).removeprefix("torch.")
    if name not in TENSORS:
        return _unknown(value)
    try:
        flat = value.detach().resolve_conj().resolve_neg().to("cpu").contiguous().reshape(-1)
        data = flat.view(torch.uint8).numpy().tobytes()
    except (RuntimeError, TypeError, NotImplementedError):  # sparse, quantised, without storage
        return _unknown(value)
    return {"tensor": name, "shape": list(value.shape), "data": _text(data)}


def _unknown(value: Any) -> dict:
    return {"unknown": type(value).__name__}


def _text(data: bytes) -> str:
    return b64encode(data).decode()
