"""The ladder of chapters: which exercises are done, item by item, from the learner's own progress file."""

from datetime import datetime

from nanogpt.course.check import CHAPTERS, items
from nanogpt.course.claims import CLAIMS
from nanogpt.course.progress import read_checks, read_predictions

DONE, OPEN = "●", "○"


def ladder() -> str:
    """A line for the bets and one for each chapter with checks: a mark an item, how many passed, and the minutes."""
    bets = sum(answer != "unsure" for answer, _ in read_predictions().values())
    lines = [f"{'00_start':14} {bets} of {len(CLAIMS)} bets placed"]
    kept = read_checks()
    for stem, chapter in CHAPTERS.items():
        tried = kept.get(chapter, {})
        passed = [name for name in items(stem) if tried.get(name, {}).get("passed")]
        marks = "".join(DONE if name in passed else OPEN for name in items(stem))
        spent = sum(minutes(tried[name]) for name in passed)
        time = f", {spent:.0f} min from first try to pass" if passed else ""
        lines.append(f"{chapter:14} {marks}  {len(passed)} of {len(items(stem))}{time}")
    return "\n".join(lines)


def minutes(entry: dict) -> float:
    """From the first try of an item to its first pass."""
    first, passed = (datetime.fromisoformat(entry[key]) for key in ("first_tried", "passed"))
    return (passed - first).total_seconds() / 60
