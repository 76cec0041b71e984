"""One thing to be built, and how an answer to it is judged: on seeded inputs, against a reference, by fingerprint."""

import random
import sysconfig
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from nanogpt.course.check.speech import CheckFailed, NotAttempted, report
from nanogpt.course.check.values import Difference, copied, difference, shown

Case = tuple[Any, ...]
PYTHON, PACKAGES = sysconfig.get_paths()["stdlib"], "site-packages"
UNCHANGED = "the input was changed in place: it belongs to the caller, so work on a copy or make a new one"
NO_GRADIENT = "the values are right, but no gradient comes through: is there a detach, an item() or a no_grad in it?"
NOT_THE_SAME = "called twice with the same input, it answers differently: it keeps something from call to call"


@dataclass(frozen=True)
class Item:
    """An item of an exercise. `slips` are the usual mistakes: what is to be said of each, and what it computes."""

    name: str
    asked: str
    """A sentence with the shapes in and out."""
    reference: Callable[..., Any]
    """The right answer, from torch or the library; never from the solutions."""
    cases: Callable[[random.Random], list[Case]]
    """The inputs to try, drawn with this generator; torch is seeded with it too."""
    slips: dict[str, Callable[..., Any]] = field(default_factory=dict)
    rtol: float = 1e-4
    atol: float = 1e-5
    gradient: bool = False
    """Whether gradients of the inputs that are floats are compared too."""

    def drawn(self, seed: int) -> list[Case]:
        """The inputs of a seed, the same each time."""
        torch.manual_seed(seed)
        return self.cases(random.Random(seed))


def judge(item: Item, answer: Callable[..., Any], seed: int = 0) -> str:
    """Judge an answer. Returns what was checked; raises CheckFailed with a report, NotAttempted for a stub."""
    if not callable(answer):
        raise report(item.name, CheckFailed, {"asked for": item.asked, "got": f"{shown(answer)}, which is no function"})
    cases = item.drawn(seed)
    for case in cases:
        expected = item.reference(*copied(case))
        given = copied(case)
        got = _call(item, answer, given, case)
        again = _call(item, answer, copied(case), case)
        wrong = difference(got, expected, item.rtol, item.atol)
        if wrong:
            raise _wrong(item, answer, cases, case, got, expected, wrong)
        for before, after in zip(case, given, strict=True):
            if not _unchanged(before, after):
                raise _told(item, case, got, expected, UNCHANGED)
        if difference(again, expected, item.rtol, item.atol):
            raise _told(item, case, got, expected, NOT_THE_SAME)
        if item.gradient and _gradients_differ(item, answer, case):
            raise _told(item, case, got, expected, NO_GRADIENT)
    also = ", gradients" if item.gradient else ""
    return f"{item.name}: right on {len(cases)} inputs (type, shape, values{also}, input left as it was)"


def _call(item: Item, answer: Callable[..., Any], given: Case, case: Case) -> Any:
    """The answer's value. A stub is not attempted; whatever else it raises is told with the line it came from."""
    try:
        return answer(*given)
    except NotImplementedError:
        raise report(item.name, NotAttempted, {"asked for": item.asked}) from None
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)
        own = [
            frame
            for frame in frames
            if not frame.filename.startswith((__file__, PYTHON)) and PACKAGES not in frame.filename
        ]
        line = own[-1].line if own else ""  # the innermost line that the student wrote
        lines = {"asked for": item.asked, "called with": _arguments(case)}
        lines["stopped at"] = line or "a line that can't be shown"
        lines["because"] = f"{type(error).__name__}: {error}"
        raise report(item.name, CheckFailed, lines) from None


def _wrong(
    item: Item, answer: Callable, cases: list[Case], case: Case, got: Any, expected: Any, wrong: Difference
) -> CheckFailed:
    lines = {
        "asked for": item.asked,
        "called with": _arguments(case),
        "came back": shown(got),
        "expected": shown(expected),
        "so": wrong.what + (f": {wrong.agree} of {wrong.total} agree" if wrong.total else ""),
    }
    slip = recognise(item, answer, cases)
    if slip:
        lines["it looks as if"] = slip
    return report(item.name, CheckFailed, lines)


def _told(item: Item, case: Case, got: Any, expected: Any, what: str) -> CheckFailed:
    lines = {"asked for": item.asked, "called with": _arguments(case), "came back": shown(got), "so": what}
    return report(item.name, CheckFailed, lines)


def recognise(item: Item, answer: Callable[..., Any], cases: list[Case]) -> str | None:
    """The slip whose outputs are the answer's on every input, if there is one."""
    for sentence, slip in item.slips.items():
        if all(_alike(item, answer, slip, case) for case in cases):
            return sentence
    return None


def _alike(item: Item, answer: Callable[..., Any], slip: Callable[..., Any], case: Case) -> bool:
    try:
        got = answer(*copied(case))
    except Exception as error:
        got = type(error)
    try:
        usual = slip(*copied(case))
    except Exception as error:
        usual = type(error)
    if isinstance(got, type) or isinstance(usual, type):
        return got is usual
    try:
        return difference(got, usual, item.rtol, item.atol) is None
    except TypeError:
        return False


def _unchanged(before: Any, after: Any) -> bool:
    if isinstance(before, torch.Tensor):
        return before.shape == after.shape and torch.equal(before, after)
    if isinstance(before, np.ndarray):
        return np.array_equal(before, after)
    if isinstance(before, dict):
        return before.keys() == after.keys() and all(_unchanged(before[key], after[key]) for key in before)
    if isinstance(before, list | tuple):
        return len(before) == len(after) and all(map(_unchanged, before, after))
    return callable(before) or before == after


def _gradients_differ(item: Item, answer: Callable[..., Any], case: Case) -> bool:
    return (
        difference(_gradients(answer, case), _gradients(item.reference, case), 10 * item.rtol, 10 * item.atol)
        is not None
    )


def _gradients(function: Callable[..., Any], case: Case) -> list[torch.Tensor]:
    """Gradients of a fixed weighted sum of the output with respect to each input of floats; zeros where none comes."""
    given = [
        part.requires_grad_() if isinstance(part, torch.Tensor) and part.is_floating_point() else part
        for part in copied(case)
    ]
    inputs = [part for part in given if isinstance(part, torch.Tensor) and part.requires_grad]
    out = function(*given)
    outputs = [part for part in (out if isinstance(out, tuple | list) else [out]) if isinstance(part, torch.Tensor)]
    total = sum((part * torch.arange(1, part.numel() + 1).view(part.shape).to(part).sin()).sum() for part in outputs)
    if not isinstance(total, torch.Tensor) or not total.requires_grad:
        return [torch.zeros_like(part) for part in inputs]
    found = torch.autograd.grad(total, inputs, allow_unused=True)
    return [torch.zeros_like(part) if g is None else g for part, g in zip(inputs, found, strict=True)]


def _arguments(case: Case) -> str:
    return "\n".join(shown(part) for part in case)
