"""One thing to be built, and how an answer to it is judged: on seeded inputs, against a reference, by fingerprint."""

import random
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import torch

from nanogpt.course.check.speech import CheckFailed, NotAttempted, report
from nanogpt.course.check.trial import Case, Fault, Trial, gradients, try_on
from nanogpt.course.check.values import copied, difference, shown

UNCHANGED = "the input was changed in place: it belongs to the caller, so work on a copy or make a new one"
NO_GRADIENT = "the values are right, but no gradient comes through: is there a detach, an item() or a no_grad in it?"
STUB = "your code here"  # what the stubs of nbgrader_config.py raise; torch has NotImplementedErrors of its own
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
    return judge_trials(item, cases, lambda i: try_on(answer, cases[i], item.gradient))


def judge_trials(item: Item, cases: list[Case], trial: Callable[[int], Trial]) -> str:
    """Judge an answer by what it did on case i, wherever that was tried. Returns and raises what `judge` does."""
    trial = cache(trial)
    for i, case in enumerate(cases):
        tried, expected = trial(i), item.reference(*copied(case))
        if tried.fault:
            raise _stopped(item, case, tried.fault, recognise(item, cases, trial))
        wrong = difference(tried.got, expected, item.rtol, item.atol)
        lines = {"asked for": item.asked, "called with": _arguments(item, case), "came back": shown(tried.got)}
        if wrong:
            lines["expected"] = shown(expected)
            lines["so"] = wrong.what + (f": {wrong.agree} of {wrong.total} agree" if wrong.total else "")
            slip = recognise(item, cases, trial)
            if slip:
                lines["it looks as if"] = slip
            raise report(item.name, CheckFailed, lines, cause=slip)
        for what, found in {
            UNCHANGED: not tried.unchanged,
            NOT_THE_SAME: difference(tried.again, expected, item.rtol, item.atol),
            NO_GRADIENT: item.gradient and _gradients_differ(item, case, tried),
        }.items():
            if found:
                raise report(item.name, CheckFailed, lines | {"so": what}, cause=what)
    also = ", gradients" if item.gradient else ""
    return f"{item.name}: right on {len(cases)} inputs (type, shape, values{also}, input left as it was)"


def _stopped(item: Item, case: Case, fault: Fault, slip: str | None) -> CheckFailed:
    """A stub is not attempted; whatever else an answer raises is told with the line it came from."""
    if fault.kind == NotImplementedError.__name__ and fault.message in ("", STUB):
        if not fault.inside:
            return report(item.name, NotAttempted, {"asked for": item.asked})
        unwritten = f"it calls {fault.inside}, which isn't written yet: run the cell below {fault.inside}'s own check"
        return report(item.name, CheckFailed, {"asked for": item.asked, "so": unwritten}, cause=unwritten)
    lines = {"asked for": item.asked, "called with": _arguments(item, case), "stopped at": fault.line}
    lines["because"] = f"{fault.kind}: {fault.message}"
    if slip:
        lines["it looks as if"] = slip
    return report(item.name, CheckFailed, lines, cause=slip or f"it stops with {fault.kind}")


def recognise(item: Item, cases: list[Case], trial: Callable[[int], Trial]) -> str | None:
    """The slip whose outputs are the answer's on every input, if there is one."""
    for sentence, slip in item.slips.items():
        if all(_alike(item, trial(i), slip, case) for i, case in enumerate(cases)):
            return sentence
    return None


def _alike(item: Item, tried: Trial, slip: Callable[..., Any], case: Case) -> bool:
    try:
        usual = slip(*copied(case))
    except Exception as error:
        stopped = (type(error).__name__, str(error))
        return tried.fault is not None and (tried.fault.kind, tried.fault.message) == stopped
    if tried.fault:
        return False
    try:
        return difference(tried.got, usual, item.rtol, item.atol) is None
    except TypeError:
        return False


def _gradients_differ(item: Item, case: Case, tried: Trial) -> bool:
    expected = gradients(item.reference, case)
    return difference(tried.gradients, expected, 10 * item.rtol, 10 * item.atol) is not None


def _arguments(item: Item, case: Case) -> str:
    """The input, by the names in the item's sentence: `one_head(x, w_query)` has an x and a w_query."""
    said = re.match(r"\w+\((.*?)\)", item.asked)
    names = [name.split("=")[0].split(":")[0].strip() for name in said[1].split(",")] if said else []
    labels = [f"{name}: " for name in names[: len(case)]] + [""] * (len(case) - len(names))
    return "\n".join(label + shown(part) for label, part in zip(labels, case, strict=True))
