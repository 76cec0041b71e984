"""What the learner predicted and passed, in one JSON file of the learner's own. Nothing leaves the machine."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from nanogpt.checkpoint import write_whole
from nanogpt.course.claims import ANSWERS, CLAIMS
from nanogpt.course.tiers import workspace

NO_BET = ("unsure", None)
PATIENCE = 30  # seconds for which another notebook may be writing


def progress_file() -> Path:
    """Where it is all kept: progress.json in the workspace."""
    return workspace() / "progress.json"


def read_progress() -> dict:
    """Everything kept so far; empty at first. Raises ValueError for a file that is not ours."""
    path = progress_file()
    if not path.exists():
        return {}
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        bets, checks = kept.get("predictions", {}), kept.get("checks", {})
        is_ours = all(isinstance(bet, list) and len(bet) == 2 for bet in bets.values())
        is_ours &= all(isinstance(entry, dict) for items in checks.values() for entry in items.values())
    except (ValueError, AttributeError):
        is_ours = False
    if not is_ours:
        raise ValueError(f"{path} is not a progress file; rename it, and a new one is begun")
    return kept


def save_predictions(predictions: dict[str, tuple[str, float | None]], take_back: bool = False) -> None:
    """Keep the learner's predictions: claim -> (holds, false or unsure; a figure or None).

    ("unsure", None) says nothing, so it leaves an earlier bet on that claim standing: running the
    notebook afresh costs nobody their bets. With `take_back` it takes the bet back.
    Raises ValueError for an unknown claim or answer; what was kept before then stays.
    """
    known = [claim.id for claim in CLAIMS]
    for claim, guess in predictions.items():
        if claim not in known:
            raise ValueError(f"{claim!r} is not one of the claims {known[0]} to {known[-1]}; correct its name")
        if not (isinstance(guess, tuple | list) and len(guess) == 2 and guess[0] in ANSWERS):
            raise ValueError(
                f"{claim}: {guess!r} is not a prediction; write one of {', '.join(ANSWERS)} and a number or None, "
                "like ('false', 3.5)"
            )
        if guess[1] is not None and not isinstance(guess[1], int | float):
            raise ValueError(f"{claim}: the figure {guess[1]!r} is not a number; write a number or None")
    with _changing() as kept:
        bets = kept.setdefault("predictions", {})
        silent = {c for c, guess in predictions.items() if tuple(guess) == NO_BET and c in bets and not take_back}
        bets |= {c: list(guess) for c, guess in predictions.items() if c not in silent}


def read_predictions() -> dict[str, tuple[str, float | None]]:
    """The predictions kept last, claim -> (answer, figure or None); empty if there are none."""
    return {claim: (answer, figure) for claim, (answer, figure) in read_progress().get("predictions", {}).items()}


def note_check(chapter: str, item: str, passed: bool) -> None:
    """Keep that an item was tried: when first, when it first passed, and how often it didn't."""
    with _changing() as kept:
        checks = kept.setdefault("checks", {}).setdefault(chapter, {})
        entry = checks.setdefault(item, {"first_tried": _now(), "failed": 0, "passed": None})
        if passed:
            entry["passed"] = entry["passed"] or _now()
        else:
            entry["failed"] += 1


def read_checks() -> dict[str, dict[str, dict]]:
    """What was checked so far: chapter -> item -> {first_tried, failed, passed}; times are ISO 8601, or None."""
    return read_progress().get("checks", {})


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


@contextmanager
def _changing() -> Iterator[dict]:
    """Everything kept, to be changed and then written, with other notebooks waiting. TimeoutError if we wait long."""
    path = progress_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(path.with_name(f".{path.name}.lock"), timeout=PATIENCE):
            kept = read_progress()
            yield kept
            text = json.dumps(kept, indent=2, ensure_ascii=False) + "\n"
            write_whole(path, lambda partial: partial.write_text(text, encoding="utf-8"))
    except Timeout:
        raise TimeoutError(
            f"{path} is in use by another notebook for {PATIENCE} seconds, where an instant was expected; "
            "close the other notebooks or restart their kernels, and run this cell again"
        ) from None
