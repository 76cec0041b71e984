"""Checks: `check.causal_mask(my_function)` says what is right, or what is not and where that may come from.

One file a chapter, by its stem; each holds the chapter's items. Inputs are drawn from a seed, the right answers come
from torch and the library, and usual mistakes are recognised by what they compute.
"""

import importlib
import sys
from collections.abc import Callable
from typing import Any

from nanogpt.course.check.item import Item, judge
from nanogpt.course.check.speech import CheckFailed, NotAttempted, report
from nanogpt.course.check.values import shown
from nanogpt.course.progress import note_check

CHAPTERS = {
    "tokenizer": "01_tokenizer", "perplexity": "02_perplexity", "attention": "03_attention", "block": "04_block",
    "model": "05_model", "data": "06_data", "train": "07_train", "gpt2": "09_gpt2", "evaluate": "10_evaluate",
    "generate": "11_generate",
}  # fmt: skip

STANDS_IN = "this is the course's own, which stands in for yours: run the cell with your answer, then this one again"

_last: dict[str, Any] = {}  # item -> the answer checked last, newest at the end: a lambda has no other name

__all__ = ["CHAPTERS", "CheckFailed", "Item", "NotAttempted", "items", "judge", "or_reference"]


class Passed(str):
    """What a check says when an answer is right; a notebook shows it as it is."""

    def __repr__(self) -> str:
        return str(self)


def items(stem: str) -> dict[str, Item]:
    """The items of a chapter by name, in the order in which they build on one another."""
    module = importlib.import_module(f"nanogpt.course.check.{stem}")
    return {item.name: item for item in module.ITEMS}


def __getattr__(name: str) -> Callable[..., Passed]:
    """The check of the item called `name`: takes the answer, and a seed for other inputs."""
    if name.startswith("_"):
        raise AttributeError(name)
    for stem, chapter in CHAPTERS.items():
        item = items(stem).get(name)
        if item:
            return _checking(item, chapter)
    raise AttributeError(f"there is no check called {name!r}; the exercise's page names them")


def or_reference(answer: Callable[..., Any]) -> Callable[..., Any]:
    """The answer where it is right, else the course's own version: what follows can be worked on either way.

    It is an answer to the item whose name it has, else to the one that it was checked for last. ValueError for neither.
    """
    every = {name: item for stem in CHAPTERS for name, item in items(stem).items()}
    item = next((item for item in every.values() if item.reference is answer), None)
    item = item or every.get(getattr(answer, "__name__", ""))
    item = item or next((every[name] for name in reversed(_last) if _last[name] is answer), None)
    if item is None:
        raise ValueError(
            f"which item {shown(answer)} is an answer to can't be told: it has the name of none and was in no check; "
            "run check.NAME(NAME) on it first, or write it with def NAME, by the item's name"
        )
    try:
        judge(item, answer)
    except CheckFailed:
        sys.stdout.write(f"{item.name} is not right yet: from here on the course's own stands in for it\n")
        return item.reference
    return answer


def _checking(item: Item, chapter: str) -> Callable[..., Passed]:
    def checked(answer: Any, seed: int = 0) -> Passed:
        if answer is item.reference:  # a stand-in, met on the way back
            raise report(item.name, NotAttempted, {"asked for": item.asked, "so": STANDS_IN})
        if callable(answer):
            _last.pop(item.name, None)
            _last[item.name] = answer
        try:
            said = judge(item, answer, seed)
        except NotAttempted:
            raise
        except CheckFailed:
            note_check(chapter, item.name, passed=False)
            raise
        note_check(chapter, item.name, passed=True)
        return Passed(said)

    checked.__name__ = checked.__qualname__ = item.name
    checked.__doc__ = item.asked
    return checked
