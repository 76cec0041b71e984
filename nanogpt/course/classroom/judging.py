"""One submission, judged: its cells run in the sandbox, its answers are compared out here, where nothing can be forged.

A cell or an answer that ends its process costs its own points and no more: a new process runs what went well before.
"""

import ast
import hashlib
import re
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

from nanogpt.course.check import Item, items
from nanogpt.course.check.item import judge, judge_trials
from nanogpt.course.check.speech import CheckFailed, NotAttempted, report
from nanogpt.course.check.trial import Fault, Trial
from nanogpt.course.classroom.assemble import grade_id, is_answer, is_test
from nanogpt.course.classroom.sandbox import Died, Limits, Sandbox
from nanogpt.course.classroom.wire import unpack

RIGHT, WRONG, NOT_ATTEMPTED, STOPPED = "right", "wrong", "not attempted", "stopped"
REPORT, CAUSE, OUTPUT = 6_000, 300, 21_000  # characters that are kept of a report, of its cause, and of what is printed


class Stopped(CheckFailed):
    """An answer that ended its process, or was ended."""

    title = "stopped"


@dataclass(frozen=True)
class Outcome:
    """What came of one test cell."""

    test: str
    """The grade_id of its cell."""
    item: str
    points: float
    verdict: str
    """right, wrong, not attempted, or stopped: the answer ended its process, or ran out of time or memory."""
    report: str
    cause: str | None = None
    """The slip behind a wrong answer, in the words of its item, where it was recognised."""

    @property
    def earned(self) -> float:
        """All points of the cell or none, as in nbgrader."""
        return self.points if self.verdict == RIGHT else 0.0


@dataclass
class Judged:
    """A submission's outcomes, its notebook with outputs, and what was odd, a sentence each."""

    outcomes: list[Outcome] = field(default_factory=list)
    notebook: NotebookNode | None = None
    remarks: list[str] = field(default_factory=list)


def tests_of(cell: NotebookNode) -> list[tuple[str, int]]:
    """The checks of a test cell: (item, seed) each. ValueError for anything that isn't `check.item(item, seed=1)`."""
    found = []
    for statement in ast.parse(cell.source).body:
        match = re.fullmatch(r"check\.(\w+)\(\1(?:, seed=(\d+))?\)", ast.unparse(statement))
        if match is None:
            raise ValueError(
                f"the test cell {grade_id(cell)} holds {ast.unparse(statement)!r}; what is graded outside of the "
                "student's process are checks alone, so write it as an item of nanogpt/course/check"
            )
        found.append((match[1], int(match[2] or 0)))
    return found


def carried_by(cell: NotebookNode) -> str | None:
    """The item that the cell puts in the place of an answer that isn't right; None for any other cell."""
    match = re.fullmatch(r"(\w+) = check\.or_reference\(\1\)", cell.source.strip())
    return match[1] if match else None


def variant(salt: str, student: str, item: str, seed: int) -> int:
    """The seed that stands for a hidden test's own, for one student: always the same, and nobody else's."""
    return int.from_bytes(hashlib.sha256(f"{salt}/{student}/{item}/{seed}".encode()).digest()[:4], "big")


def judge_notebook(
    notebook: NotebookNode, stem: str, limits: Limits, course: Path | None, vary: Callable[[str, int], int]
) -> Judged:
    """Run an assembled notebook and judge its answers. `vary(item, seed)` gives the seeds of the hidden tests.

    `course` is the folder that the student's code must not see; None runs it without a sandbox. OSError if no
    process for it can be had.
    """
    plan = {
        grade_id(cell): [(item, vary(item, seed) if seed else 0) for item, seed in tests_of(cell)]
        for cell in notebook.cells
        if is_test(cell)
    }
    seeds: dict[str, list[int]] = {}
    for item, seed in (pair for pairs in plan.values() for pair in pairs):
        seeds.setdefault(item, []).append(seed)
    judged, known = Judged(notebook=notebook), items(stem)
    process = _Process({"stem": stem, "seeds": seeds}, limits, course)
    failed, said, empty = set(), "", False  # of the answer cell before: its last line if it stopped; if it is empty
    try:
        for cell in notebook.cells:
            if cell.cell_type != "code":
                continue
            name = grade_id(cell)
            if name in plan:
                outcome = _judge_cell(cell, plan[name], known, process, said, empty)
                judged.outcomes.append(outcome)
                _show(cell, outcome.report, outcome.verdict == RIGHT)
                if outcome.verdict != RIGHT:
                    failed.add(outcome.item)
                if outcome.verdict == STOPPED:
                    judged.remarks.append(f"{outcome.item}: {outcome.cause}")
                said, empty = "", False
            elif (item := carried_by(cell)) is not None:
                if item in failed:
                    process.stand_in(item)
                    _show(cell, f"{item} is not right yet: from here on the course's own stands in for it", True)
            else:
                try:
                    reply = process.do({"what": "run", "source": cell.source})
                    output, went_well = str(reply.get("output", ""))[:OUTPUT], not reply.get("failed")
                except Died as error:
                    output, went_well = f"this cell was stopped: {error}", False
                    judged.remarks.append(f"the cell {name or 'that the student added'} was stopped: {error}")
                _show(cell, output, went_well)
                if is_answer(cell) and not went_well:
                    said = output.strip().splitlines()[-1] if output.strip() else ""
                if is_answer(cell):
                    empty = not cell.source.strip()
    finally:
        process.close()
    counts = Counter(judged.remarks)
    judged.remarks = [f"{remark} ({count} times)" if count > 1 else remark for remark, count in counts.items()]
    return judged


class _Process:
    """A sandbox that is begun again when it died, with all that went well before."""

    def __init__(self, hello: dict[str, Any], limits: Limits, course: Path | None) -> None:
        self.hello, self.limits, self.course = hello, limits, course
        self.until = time.monotonic() + limits.total_seconds
        self.done: list[dict] = []
        self.sandbox: Sandbox | None = None

    def do(self, request: dict[str, Any]) -> dict[str, Any]:
        """Send a request; raises Died if it ends the process, or if the submission's time is used up."""
        self._begin()
        reply = self._ask(request)
        if request["what"] != "try":
            self.done.append(request)
        return reply

    def stand_in(self, item: str) -> None:
        """Put the course's own version in an answer's place: now, or where that fails, when the next process begins."""
        request = {"what": "stand_in", "name": item}
        try:
            self.do(request)
        except Died:
            self.done.append(request)

    def _begin(self) -> None:
        """Begin the sandbox if there is none, with all that went well before."""
        while self.sandbox is None:
            self._left()
            self.sandbox = Sandbox(self.hello, self.limits, self.course)
            for request in self.done:
                try:
                    self._ask(request)
                except Died:
                    self._left()
                    self.done.remove(request)  # it went well once, and not again
                    break

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        try:
            return self.sandbox.ask(request, self._left())
        except Died:
            self.close()
            self._left()
            raise

    def _left(self) -> float:
        """The seconds that are left for the submission; raises Died where there are none."""
        left = self.until - time.monotonic()
        if left <= 0:
            self.close()
            raise Died(f"the {self.limits.total_seconds:g} seconds for the whole submission were used up")
        return left

    def close(self) -> None:
        if self.sandbox is not None:
            self.sandbox.close()
            self.sandbox = None


def _judge_cell(
    cell: NotebookNode, tests: list[tuple[str, int]], known: dict[str, Item], process: _Process, said: str, empty: bool
) -> Outcome:
    """Judge one test cell. `said` is the last line of an answer cell before it that stopped; `empty` if it is that."""
    name, points, texts = tests[0][0], float(cell.metadata["nbgrader"].get("points", 0)), []
    for item, seed in tests:
        try:
            texts.append(_check(known[item], seed, process, said, empty))
        except Died as error:
            text = str(report(item, Stopped, {"asked for": known[item].asked, "so": str(error)}))
            return Outcome(grade_id(cell), name, points, STOPPED, text, str(error))
        except CheckFailed as failure:
            verdict = NOT_ATTEMPTED if isinstance(failure, NotAttempted) else WRONG
            text = str(failure)[:REPORT]
            if texts:
                text += "\n(on the page's own inputs it is right; this is one of the others that it was tried on)"
            cause = failure.cause[:CAUSE] if failure.cause else None
            return Outcome(grade_id(cell), name, points, verdict, text, cause)
    more = f", and on those of {len(texts) - 1} hidden tests" if len(texts) > 1 else ""
    return Outcome(grade_id(cell), name, points, RIGHT, texts[0] + more)


def _check(item: Item, seed: int, process: _Process, said: str = "", empty: bool = False) -> str:
    """What `judge` does, with the answer at the other end of a wire."""

    def trial(case: int) -> Trial:
        reply = process.do({"what": "try", "name": item.name, "seed": seed, "case": case})
        if reply.get("no_function", "") is None and empty:
            raise report(item.name, NotAttempted, {"asked for": item.asked})
        if "no_function" in reply:
            got = f"a {reply['no_function']}" if reply["no_function"] else None
            lines = {"asked for": item.asked, "got": f"{got}, which is no function" if got else "no such function"}
            if said:
                lines["because"] = said
            raise report(item.name, CheckFailed, lines, cause="its cell doesn't run" if said else "it is no function")
        try:
            fault = Fault(*map(str, reply["fault"])) if reply["fault"] else None
            values = {key: unpack(reply[key]) for key in ("got", "again", "gradients")}
            return Trial(unchanged=bool(reply["unchanged"]), fault=fault, **values)
        except (ValueError, KeyError, TypeError):
            process.close()
            raise Died("it broke its connection with the grader: what came is not a trial's outcome") from None

    try:
        return judge_trials(item, item.drawn(seed), trial)
    except (CheckFailed, Died, OSError):
        raise
    except Exception as error:
        judge(item, item.reference, seed)  # raises where it is the item that is broken; else it is what came back
        lines = {"asked for": item.asked, "so": f"what came back can't be compared: {error}"}
        raise report(item.name, CheckFailed, lines) from None


def _show(cell: NotebookNode, text: str, went_well: bool) -> None:
    """Put into a cell what came of it, as Jupyter would."""
    cell.execution_count, cell.outputs = None, []
    if text and went_well:
        cell.outputs = [nbformat.v4.new_output("stream", name="stdout", text=text)]
    elif text:
        cell.outputs = [nbformat.v4.new_output("error", ename="", evalue="", traceback=text.splitlines())]
