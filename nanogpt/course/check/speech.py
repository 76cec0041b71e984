"""How a check speaks: a quiet sentence for what isn't begun, a short report for what isn't right, no traceback."""


class CheckFailed(Exception):
    """An answer that isn't right yet. Its message is the whole report, and a notebook shows it without a traceback."""

    title = "not right yet"
    cause: str | None = None  # the slip behind it, in the words of its item, where it was recognised

    def _render_traceback_(self) -> list[str]:
        """What IPython shows in the place of a traceback; the cell fails all the same."""
        return str(self).splitlines()


class NotAttempted(CheckFailed):
    """An answer cell that still holds its stub, or what the course put in its place."""

    title = "not attempted"


def report(name: str, outcome: type[CheckFailed], lines: dict[str, str], cause: str | None = None) -> CheckFailed:
    """The failure of item `name` as an exception: a headline, and under it what is known, label by label."""
    width = max((len(label) for label in lines), default=0)
    text = [f"{name}: {outcome.title}"]
    for label, value in lines.items():
        first, *more = value.splitlines() or [""]
        text.append(f"  {label:{width}}  {first}")
        text += [f"  {'':{width}}  {line}" for line in more]
    failure = outcome("\n".join(text))
    failure.cause = cause
    return failure
