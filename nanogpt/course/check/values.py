"""Comparing what came back with what was expected: kind, shape, type and numbers, in this order."""

import contextlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

SHOWN = 4  # rows and columns of a tensor that a report shows


@dataclass(frozen=True)
class Difference:
    """The first thing in which an answer differs: what it is, and how many of the values agree."""

    what: str
    agree: int = 0
    total: int = 0


def difference(got: Any, expected: Any, rtol: float, atol: float, place: str = "") -> Difference | None:
    """How `got` differs from `expected`, or None. Containers are compared part by part.

    What can't be compared with it differs. TypeError if it is `expected` that a check can't compare.
    """
    at = f" {place}" if place else ""
    try:
        return _difference(got, expected, rtol, atol, at)
    except Exception as error:
        _difference(expected, expected, rtol, atol, at)  # raises where the fault is not the answer's
        return Difference(f"a {type(got).__name__} came back{at} that can't be compared ({type(error).__name__})")


def _difference(got: Any, expected: Any, rtol: float, atol: float, at: str) -> Difference | None:
    if got is None and expected is not None:
        return Difference(f"nothing came back{at}: is there a return at the end?")
    if isinstance(expected, torch.Tensor):
        return _tensors(got, expected, rtol, atol, at)
    if isinstance(expected, bool | np.bool_ | str | bytes) or expected is None:
        same = type(got) is type(expected) and got == expected
        return None if same else Difference(f"the value{at} is another")
    if isinstance(expected, int | float):
        return _numbers(got, expected, rtol, atol, at)
    if isinstance(expected, Mapping):
        if not isinstance(got, Mapping):
            return Difference(f"a {type(got).__name__} came back{at}, not a dict")
        if set(got) != set(expected):
            odd = sorted(map(shown, set(got) ^ set(expected)))[0]
            return Difference(f"the keys{at} are others: {odd} is on one side only")
        return _parts({f"under {key!r}": (got[key], expected[key]) for key in expected}, rtol, atol, at)
    if isinstance(expected, Sequence):
        if not isinstance(got, Sequence) or isinstance(got, str | bytes):
            return Difference(f"a {type(got).__name__} came back{at}, not a {type(expected).__name__}")
        if len(got) != len(expected):
            return Difference(f"{len(got)} things came back{at}, not {len(expected)}")
        return _parts({f"at place {i}": pair for i, pair in enumerate(zip(got, expected, strict=True))}, rtol, atol, at)
    raise TypeError(f"a check can't compare a {type(expected).__name__}; let the reference return tensors or numbers")


def _parts(pairs: dict[str, tuple[Any, Any]], rtol: float, atol: float, at: str) -> Difference | None:
    inside = f" of what stands{at}" if at else ""
    found = [difference(*pair, rtol, atol, f"{place}{inside}") for place, pair in pairs.items()]
    wrong = [d for d in found if d]
    if not wrong:
        return None
    if wrong[0].total or inside:  # the parts of a part aren't counted
        return wrong[0]
    return Difference(wrong[0].what, len(found) - len(wrong), len(found))


def _numbers(got: Any, expected: float, rtol: float, atol: float, at: str) -> Difference | None:
    if isinstance(got, torch.Tensor) and got.dim() == 0:
        got = got.item()
    if isinstance(expected, int) and isinstance(got, float | np.floating) and math.isfinite(got):
        return Difference(f"a {type(got).__name__} came back{at}, {got:g}, not a whole number")
    if isinstance(expected, int) and isinstance(got, int | np.integer) and not isinstance(got, bool):
        return None if got == expected else Difference(f"the number{at} is another")
    if not isinstance(got, int | float | np.integer | np.floating) or isinstance(got, bool):
        return Difference(f"a {type(got).__name__} came back{at}, not a number")
    with contextlib.suppress(OverflowError):  # a whole number too large for a float is far from any expected one
        if math.isclose(got, expected, rel_tol=rtol, abs_tol=atol) or (math.isnan(got) and math.isnan(expected)):
            return None
    return Difference(f"the number{at} is another")


def _tensors(got: Any, expected: torch.Tensor, rtol: float, atol: float, at: str) -> Difference | None:
    if not isinstance(got, torch.Tensor):
        return Difference(f"a {type(got).__name__} came back{at}, not a tensor")
    if got.shape != expected.shape:
        return Difference(f"the shape{at} is {tuple(got.shape)}, not {tuple(expected.shape)}")
    if got.layout != expected.layout:
        return Difference(f"the tensor{at} is {short(got.layout)}, not dense: end with to_dense()")
    if got.device != expected.device:
        return Difference(f"the tensor{at} is on {got.device}, not on {expected.device}")
    if got.is_quantized or (got.is_complex() and not expected.is_complex()):
        return Difference(f"the type{at} is {short(got.dtype)}, not {short(expected.dtype)}")
    if expected.is_floating_point():  # rounding goes with the largest numbers that were added up
        largest = expected[expected.isfinite()].abs().max().item() if expected.isfinite().any() else 1.0
        right = torch.isclose(got.double(), expected.double(), rtol, atol * max(1.0, largest), equal_nan=True)
    else:
        right = got.double() == expected.double()
    if got.dtype != expected.dtype:
        also = "the values are right, but" if bool(right.all()) else "the values differ, and"
        return Difference(f"{also} the type{at} is {short(got.dtype)}, not {short(expected.dtype)}")
    if bool(right.all()):
        return None
    what = f"the values{at} differ"
    if not bool(torch.isfinite(got.double()).all()) and bool(torch.isfinite(expected.double()).all()):
        what = f"there are values{at} that are no numbers (nan or inf)"
    return Difference(what, int(right.sum()), right.numel())


def short(kind: torch.dtype | torch.layout) -> str:
    """float32 for torch.float32."""
    return str(kind).removeprefix("torch.")


def shown(value: Any) -> str:
    """A value as a report shows it: small ones whole, of large tensors the shape and the first numbers."""
    try:
        return _shown(value)
    except Exception as error:
        return f"a {type(value).__name__} that can't be written out ({type(error).__name__})"


def _shown(value: Any) -> str:
    if isinstance(value, torch.Tensor):
        head = f"{short(value.dtype)} {tuple(value.shape)}"
        if value.numel() == 0:
            return head
        if value.is_meta:
            return f"{head} on meta, which holds no numbers"
        if value.layout != torch.strided:
            return f"{head}, {short(value.layout)}"
        value = value.dequantize() if value.is_quantized else value
        corner = value.detach()[(0,) * max(0, value.dim() - 2)] if value.dim() else value.detach()
        corner = corner[:SHOWN, :SHOWN] if corner.dim() == 2 else corner[: 2 * SHOWN] if corner.dim() == 1 else corner
        cut = "" if corner.numel() == value.numel() else ", beginning with"
        rows = corner if corner.dim() == 2 else corner[None] if corner.dim() == 1 else corner[None, None]
        return "\n".join([head + cut, *("  ".join(_number(x) for x in row) for row in rows.tolist())])
    if callable(value):
        return getattr(value, "__name__", "a function")
    if isinstance(value, tuple | list) and any(isinstance(part, torch.Tensor) for part in value):
        return "\n".join(shown(part) for part in value)
    if isinstance(value, int) and value.bit_length() > 2000:  # Python refuses to write out more than 4300 digits
        return f"a whole number of about {value.bit_length() * math.log10(2):,.0f} digits"
    text = repr(value)
    return text if len(text) <= 200 else f"{text[:200]} ..."


def _number(x: float | bool | int) -> str:
    return f"{x:8.4f}" if isinstance(x, float) else f"{x!s:>5}"


def copied(value: Any) -> Any:
    """A value that can be handed out without harm: tensors cloned, containers rebuilt, functions as they are."""
    if isinstance(value, torch.Tensor):
        return value.detach().clone().requires_grad_(value.requires_grad)
    if isinstance(value, np.ndarray):
        return value.copy()
    if isinstance(value, dict):
        return {key: copied(part) for key, part in value.items()}
    if isinstance(value, tuple | list):
        return type(value)(copied(part) for part in value)
    return value
