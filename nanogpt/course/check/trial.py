"""An answer tried on one input: what came back, what it did to the input, its gradients, or what stopped it."""

import sysconfig
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from nanogpt.course.check.values import copied

Case = tuple[Any, ...]
OUR_FILES = __file__.removesuffix("trial.py")
PYTHON, PACKAGES = sysconfig.get_paths()["stdlib"], "site-packages"


@dataclass(frozen=True)
class Fault:
    """An exception by the name of its type, its message, and where it came from: the student's own innermost line."""

    kind: str
    message: str
    line: str
    inside: str = ""
    """The function of that line, where it isn't the answer itself but one that it calls."""


@dataclass(frozen=True)
class Trial:
    """What an answer did with one input, called twice. `gradients` are those of its inputs, where they were asked."""

    got: Any = None
    again: Any = None
    unchanged: bool = True
    gradients: list[torch.Tensor] | None = None
    fault: Fault | None = None


def try_on(answer: Callable[..., Any], case: Case, with_gradients: bool = False) -> Trial:
    """Call the answer with copies of an input. Whatever it raises, even a SystemExit, is told in the trial."""
    given = copied(case)
    try:
        got = answer(*given)
        again = answer(*copied(case))
    except BaseException as error:
        return Trial(fault=_fault(error))
    unchanged = all(map(_same, case, given))
    return Trial(got, again, unchanged, gradients(answer, case) if with_gradients else None)


def gradients(function: Callable[..., Any], case: Case) -> list[torch.Tensor]:
    """Gradients of a fixed weighted sum of the output with respect to each input of floats; zeros where none comes."""
    given = [
        part.requires_grad_() if isinstance(part, torch.Tensor) and part.is_floating_point() else part
        for part in copied(case)
    ]
    inputs = [part for part in given if isinstance(part, torch.Tensor) and part.requires_grad]
    nothing = [torch.zeros_like(part) for part in inputs]
    try:
        return _gradients(function, given, inputs, nothing)
    except Exception:  # what only computes without gradients, or breaks their graph in place, has none
        return nothing


def _gradients(
    function: Callable[..., Any], given: Case, inputs: list[torch.Tensor], nothing: list[torch.Tensor]
) -> list[torch.Tensor]:
    out = function(*given)
    outputs = [part for part in (out if isinstance(out, tuple | list) else [out]) if isinstance(part, torch.Tensor)]
    total = sum((part * torch.arange(1, part.numel() + 1).view(part.shape).to(part).sin()).sum() for part in outputs)
    if not isinstance(total, torch.Tensor) or not total.requires_grad:
        return nothing
    found = torch.autograd.grad(total, inputs, allow_unused=True)
    return [torch.zeros_like(part) if g is None else g.to_dense() for part, g in zip(inputs, found, strict=True)]


def _fault(error: BaseException) -> Fault:
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if not f.filename.startswith((OUR_FILES, PYTHON)) and PACKAGES not in f.filename]
    line = own[-1].line if own else ""  # the innermost line that the student wrote
    inside = own[-1].name if line and own[-1].name != own[0].name and own[-1].name.isidentifier() else ""
    if inside:
        line += f"    in {inside}, which was called at: {own[0].line}"
    try:
        message = str(error)
    except Exception as other:  # its text was the student's to make
        message = f"its message can't be shown ({type(other).__name__})"
    return Fault(type(error).__name__, message, line or "a line that can't be shown", inside)


def _same(before: Any, after: Any) -> bool:
    if isinstance(before, torch.Tensor):
        if not isinstance(after, torch.Tensor) or before.shape != after.shape or not torch.equal(before, after):
            return False
        return before.requires_grad == after.requires_grad and after.grad is None
    if isinstance(before, np.ndarray):
        return np.array_equal(before, after)
    if isinstance(before, dict):
        same_keys = isinstance(after, dict) and before.keys() == after.keys()
        return same_keys and all(_same(before[key], after[key]) for key in before)
    if isinstance(before, list | tuple):
        return isinstance(after, list | tuple) and len(before) == len(after) and all(map(_same, before, after))
    return callable(before) or before == after
