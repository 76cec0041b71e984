"""The class on a page: its marks, how each item went, the slips behind wrong answers, and what happened on the way."""

import io
from base64 import b64encode
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes

from nanogpt.course.classroom.build import stem_of
from nanogpt.course.classroom.collect import collected_remarks, students_of
from nanogpt.course.classroom.feedback import Marked, marked_submissions
from nanogpt.course.classroom.judging import WRONG
from nanogpt.course.classroom.roster import read_roster
from nanogpt.course.classroom.sheet import WORDS, keep, lines, page, table, text
from nanogpt.course.classroom.submission import FAILED, GRADED, REFUSED
from nanogpt.course.plots.classroom import describe_marks, describe_verdicts, plot_marks, plot_verdicts

REPORTS = "reports"
NOT_RECOGNISED = "not recognised"


def write_class_report(course: Path, assignment: str) -> Path:
    """Write `reports/<assignment>.html`, a page that needs nothing else, and return its path.

    The same results and marks give the same bytes. Raises FileNotFoundError for an unknown assignment.
    """
    stem_of(course, assignment)
    students, strangers = students_of(course, assignment)
    handed_in = [student.id for student in students]
    roster = read_roster(course)
    missing = sorted({student.id for student in roster} - set(handed_in))
    marked = marked_submissions(course, assignment)
    graded = [m for m in marked if m.result["status"] == GRADED]
    title = f"The class at {assignment}"
    html = page(
        title,
        f'<h1>{text(title)}</h1>\n<p class="lead">{_lead(graded, handed_in, missing)}</p>',
        _states(marked, handed_in, missing if roster else None),
        _marks(graded),
        _items(graded),
        _slips(graded),
        _incidents(marked, collected_remarks(course, assignment), strangers),
        _students(marked, handed_in, missing),
    )
    return keep(course / REPORTS / f"{assignment}.html", html)


def _lead(graded: list[Marked], handed_in: list[str], missing: list[str]) -> str:
    of = f" of {len(handed_in) + len(missing)}" if missing else ""
    return f"{len(handed_in)}{of} handed in, and {len(graded)} are graded."


def _states(marked: list[Marked], handed_in: list[str], missing: list[str] | None) -> str:
    """How many stand where, and who; without a roster nobody can be missing."""
    by_status = {
        status: [m.result["student"] for m in marked if m.result["status"] == status]
        for status in (GRADED, REFUSED, FAILED)
    }
    known = {m.result["student"] for m in marked}
    graded = [m for m in marked if m.result["status"] == GRADED]
    rows = {
        "handed in": handed_in,
        "graded": by_status[GRADED],
        "of these, nothing attempted": [m.result["student"] for m in graded if not m.attempted],
        "of these, a written answer waits": [m.result["student"] for m in graded if m.waiting],
        "refused": by_status[REFUSED],
        "failed, by the grader's fault": by_status[FAILED],
        "not graded yet": [student for student in handed_in if student not in known],
    }
    if missing is not None:
        rows["missing"] = missing
    told = [
        (name, len(who), "" if name in ("handed in", "graded") else ", ".join(who) or "\N{EN DASH}")
        for name, who in rows.items()
    ]
    return table("Where the submissions stand", ["Submissions", "How many", "Who"], told, numbers=[1])


def _marks(graded: list[Marked]) -> str:
    have = [m for m in graded if m.total is not None]
    if not have:
        return "<h2>Marks</h2>\n<p>There are none yet.</p>"
    marks, most = [m.total for m in have], have[0].most
    caption = "What is graded, tests and written answers together. A refused submission has 0 and is not among them."
    waiting = sum(bool(m.waiting) for m in have)
    if waiting:
        caption += f" {waiting} still wait for a person's marks, which count 0 until then."
    return lines("<h2>Marks</h2>", picture(plot_marks(marks, most), describe_marks(marks, most), caption))


def _outcomes(graded: list[Marked]) -> list[dict[str, Any]]:
    """Of all submissions; each has them in the exercise's order."""
    return [outcome for m in graded for outcome in m.result["outcomes"]]


def _items(graded: list[Marked]) -> str:
    found = Counter((outcome["item"], outcome["verdict"]) for outcome in _outcomes(graded))
    items = dict.fromkeys(item for item, _ in found)
    if not items:
        return ""
    counts = {item: {words: found[item, verdict] for verdict, words in WORDS.items()} for item in items}
    rows = [(item, *by_verdict.values()) for item, by_verdict in counts.items()]
    caption = "An item a row, in the exercise's order. Stopped: the answer ended its process, or took too long."
    return lines(
        "<h2>Items</h2>",
        picture(plot_verdicts(counts), describe_verdicts(counts), caption),
        "<details><summary>The same in figures</summary>",
        table("How the answers to each item turned out", ["Item", *WORDS.values()], rows, numbers=range(1, 5)),
        "</details>",
    )


def _slips(graded: list[Marked]) -> str:
    items: dict[str, Counter[str]] = {}
    for outcome in _outcomes(graded):
        causes = items.setdefault(outcome["item"], Counter())
        if outcome["verdict"] == WRONG:
            causes[outcome["cause"] or NOT_RECOGNISED] += 1
    rows = [(item, cause, count) for item, causes in items.items() for cause, count in causes.most_common()]
    if not rows:
        return ""
    caption = "What wrong answers seem to come from, the most frequent first in each item"
    heads = ["Item", "What is behind it", "How many"]
    return lines("<h2>Slips</h2>", table(caption, heads, rows, numbers=[2]))


def _incidents(marked: list[Marked], collected: list[str], strangers: list[str]) -> str:
    """What somebody should know of: refused, failed, stopped, odd, left out."""
    rows = []
    for m in marked:
        result = m.result
        if result["reason"]:
            rows.append((result["student"], f"{result['status']}: {result['reason']}"))
        rows += [(result["student"], remark) for remark in (*result["remarks"], *result["worth_a_look"])]
    rows += [("at collection", remark) for remark in collected]
    rows += [("not on the roster", remark) for remark in strangers]
    if not rows:
        return "<h2>What happened</h2>\n<p>Nothing out of the ordinary.</p>"
    return lines("<h2>What happened</h2>", table("Incidents, by student", ["Who", "What"], rows))


def _students(marked: list[Marked], handed_in: list[str], missing: list[str]) -> str:
    by_student = {m.result["student"]: m for m in marked}
    everybody = sorted([*handed_in, *missing])
    rows = [_student(student, by_student.get(student), student in missing) for student in everybody]
    most = max((m.most for m in marked), default=0)
    heads = ["Student", "Tests", "Written", f"All, of {most:g}", "Status"]
    return lines("<h2>Students</h2>", table("Points of each student", heads, rows, numbers=[1, 2, 3]))


def _student(student: str, marked: Marked | None, missing: bool) -> Sequence[Any]:
    blank = "\N{EN DASH}"
    if marked is None:
        return student, blank, blank, blank, "nothing handed in" if missing else "not graded yet"
    total = blank if marked.total is None else f"{marked.total:g}"
    status = marked.result["status"]
    if status != GRADED:
        return student, blank, blank, total, status
    written = [marked.of_written(name) for name in marked.result["written"]]
    given = "waits" if None in written else f"{sum(written):g}"
    if marked.waiting:
        status += ", a written answer waits"
    elif not marked.attempted:
        status += ", nothing attempted"
    return student, f"{marked.tests[0]:g}", given, total, status


def picture(axes: Axes, alt: str, caption: str) -> str:
    """The figure of these axes as a part of a page, with `alt` for those who don't see it. The same bytes each time."""
    drawn = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "nanogpt"}):
        axes.figure.savefig(drawn, format="svg", metadata={"Date": None})
    source = f"data:image/svg+xml;base64,{b64encode(drawn.getvalue()).decode()}"
    return lines(
        '<figure>\n<div class="chart" tabindex="0" role="group" aria-label="The chart">',
        f'<img src="{source}" alt="{text(alt)}"></div>',
        f"<figcaption>{text(caption)}</figcaption>\n</figure>",
    )
