"""What a student gets back: a page with each item's verdict, the report behind it, and what a person said and gave."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nbformat import NotebookNode

from nanogpt.course import check
from nanogpt.course.classroom import gradebook
from nanogpt.course.classroom.assemble import grade_id
from nanogpt.course.classroom.build import stem_of
from nanogpt.course.classroom.collect import students_of
from nanogpt.course.classroom.judging import NOT_ATTEMPTED, STOPPED
from nanogpt.course.classroom.sheet import facts, keep, lines, markdown, page, points, text, verbatim, verdict
from nanogpt.course.classroom.submission import FAILED, GRADED, REFUSED, current_result, notebooks_of

FEEDBACK = "feedback"


@dataclass(frozen=True)
class Marked:
    """A submission's result, and what the gradebook has of it, as `gradebook.marks` gives it; {} for nothing."""

    result: dict[str, Any]
    mark: dict[str, Any]

    @property
    def tests(self) -> tuple[float, float]:
        """The points that the test cells gave, and the most they could give."""
        outcomes = self.result["outcomes"]
        return sum(self.of_test(o) for o in outcomes), sum(o["points"] for o in outcomes)

    @property
    def total(self) -> float | None:
        """All points so far; None where the grader gave none."""
        return self.mark.get("score")

    @property
    def most(self) -> float:
        """The most points that the assignment could give; 0 if nothing tells."""
        written = sum(answer["points"] for answer in self.result["written"].values())
        return self.mark.get("max_score") or self.tests[1] + written

    @property
    def waiting(self) -> list[str]:
        """The written answers that wait for a person."""
        return [name for name in self.result["written"] if self.of_written(name) is None]

    @property
    def attempted(self) -> bool:
        """Whether anything of it was."""
        verdicts = [outcome["verdict"] for outcome in self.result["outcomes"]]
        written = [answer["attempted"] for answer in self.result["written"].values()]
        return any(verdict != NOT_ATTEMPTED for verdict in verdicts) or any(written)

    def of_test(self, outcome: dict[str, Any]) -> float:
        """The points for a test cell: the gradebook's, where a person may have changed them, or else the test's own."""
        kept = self.mark.get("cells", {}).get(outcome["test"])
        return outcome["earned"] if kept is None else kept

    def of_written(self, name: str) -> float | None:
        """The points for a written answer; None if it waits for a person."""
        return self.mark.get("cells", {}).get(name)

    def comment(self, name: str) -> str:
        """What a person said of an answer."""
        return self.mark.get("comments", {}).get(name, "")


def marked_submissions(course: Path, assignment: str) -> list[Marked]:
    """All results of an assignment with their marks, by student; of what was handed in anew there is none yet."""
    students, _ = students_of(course, assignment)
    results = [result for s in students if (result := current_result(course, assignment, s.id)) is not None]
    with gradebook.open_gradebook(course) as book:
        marks = gradebook.marks(book, assignment)
    return [Marked(result, marks.get(result["student"], {})) for result in results]


def write_feedback(course: Path, assignment: str) -> list[Path]:
    """Write `feedback/<student>/<assignment>/<stem>.html` for each result, and return the pages, by student.

    A page needs nothing else, and what students wrote stands in it as text. Pages of students that have no result any
    more are removed. Raises FileNotFoundError for an unknown assignment or one whose exercise isn't built.
    """
    stem = stem_of(course, assignment)
    questions = questions_of(notebooks_of(course, assignment, stem)[1])
    asked = {item.name: item.asked for item in check.items(stem).values()}
    pages = []
    for marked in marked_submissions(course, assignment):
        path = course / FEEDBACK / marked.result["student"] / assignment / f"{stem}.html"
        pages.append(keep(path, render(marked, asked, questions)))
    for path in sorted((course / FEEDBACK).glob(f"*/{assignment}/{stem}.html")):
        if path not in pages:
            path.unlink()
            for folder in (path.parent, path.parent.parent):
                if not any(folder.iterdir()):
                    folder.rmdir()
    return pages


def questions_of(exercise: NotebookNode) -> dict[str, str]:
    """The Markdown before each written answer of an exercise, by the answer's grade_id."""
    questions, before = {}, ""
    for cell in exercise.cells:
        mark = cell.metadata.get("nbgrader", {})
        if mark.get("solution") and mark.get("grade"):
            questions[grade_id(cell)] = before
        before = cell.source if cell.cell_type == "markdown" else ""
    return questions


def render(marked: Marked, asked: dict[str, str], questions: dict[str, str]) -> str:
    """The page of one submission. asked: item -> what was asked; questions: written answer -> its question."""
    result, title = marked.result, f"Feedback on {marked.result['assignment']}"
    head = f'<h1>{text(title)}</h1>\n<p class="lead">{text(result["student"])}: {_total(marked)}</p>'
    if result["status"] != GRADED:
        said = {
            REFUSED: f"What was handed in could not be taken, and has no points: {result['reason']}.",
            FAILED: "It could not be graded yet, through no fault of yours, and has no mark so far.",
        }[result["status"]]
        return page(f"{title}, {result['student']}", head, f'<p class="note">{text(said)}</p>')
    written, remarks = result["written"], "".join(f"<li>{text(remark)}</li>" for remark in result["remarks"])
    return page(
        f"{title}, {result['student']}",
        head,
        facts({"Tests": points(*marked.tests), "Written": "; ".join(_written_points(marked, n) for n in written)}),
        "<h2>Items</h2>" if result["outcomes"] else "",
        *(_item(marked, outcome, asked.get(outcome["item"], "")) for outcome in result["outcomes"]),
        *(_written(marked, name, questions.get(name, "")) for name in written),
        f"<h2>What happened on the way</h2>\n<ul>{remarks}</ul>" if remarks else "",
    )


def _total(marked: Marked) -> str:
    if marked.total is None:
        return "no mark yet"
    return f"<b>{points(marked.total, marked.most)}</b>" + (" so far" if marked.waiting else "")


def _item(marked: Marked, outcome: dict[str, Any], asked: str) -> str:
    """An item: its verdict, what was asked, the slip, the report and the answer."""
    name, earned = outcome["item"], marked.of_test(outcome)
    changed = "" if earned == outcome["earned"] else f" (the test gave {outcome['earned']:g})"
    code, report = marked.result["answers"].get(name, ""), ""
    if outcome["verdict"] != NOT_ATTEMPTED:  # whose report only says what was asked
        report = verbatim("The report", outcome["report"], "report")
    return lines(
        f'<section class="item">\n<h3><code>{text(name)}</code></h3>',
        verdict(outcome["verdict"], points(earned, outcome["points"]) + changed),
        f"<p>{text(asked)}</p>",
        _slip(outcome),
        report,
        verbatim("Your answer", code, "code") if code else "<p>There is no answer.</p>",
        f"{_comment(marked.comment(name))}</section>",
    )


def _slip(outcome: dict[str, Any]) -> str:
    if not outcome["cause"]:
        return ""
    why = "What happened" if outcome["verdict"] == STOPPED else "Where it seems to come from"
    return f'<p class="slip"><b>{why}:</b> {text(outcome["cause"])}</p>'


def _written(marked: Marked, name: str, question: str) -> str:
    answer = marked.result["written"][name]
    if answer["attempted"]:
        said = f'<p class="verdict"><b>{text(_written_points(marked, name))}</b></p>'
        said += "\n" + verbatim("Your answer", answer["answer"], "prose")
    else:
        said = verdict(NOT_ATTEMPTED, _written_points(marked, name))
    heading = "" if question.lstrip().startswith("#") else "<h2>Written question</h2>"
    return lines(f"<section>{heading}", markdown(question), said, f"{_comment(marked.comment(name))}</section>")


def _written_points(marked: Marked, name: str) -> str:
    most, earned = marked.result["written"][name]["points"], marked.of_written(name)
    return f"waits for a person, who gives up to {most:g}" if earned is None else points(earned, most)


def _comment(said: str) -> str:
    return verbatim("A comment", said, "prose") + "\n" if said.strip() else ""
