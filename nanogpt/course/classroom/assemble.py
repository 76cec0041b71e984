"""A submission as it is graded: the instructor's notebook with the student's answers in it.

Tests, points and setup are the instructor's own. A student's cells are found by nbgrader's `grade_id`, so that
what was deleted, split, doubled or moved about costs no more than what is missing.
"""

import copy
import json
from pathlib import Path

import nbformat
from nbformat import NotebookNode

LARGEST = 20_000_000  # bytes of a submission that is read at all


def read_submission(path: Path) -> NotebookNode:
    """Read what a student handed in. ValueError, in a sentence for the report, for what is no notebook or too large."""
    size = path.stat().st_size
    if size > LARGEST:
        raise ValueError(
            f"{path.name} has {size / 1e6:.0f} MB, more than the "
            f"{LARGEST / 1e6:.0f} that are read; hand it in without outputs"
        )
    content = path.read_bytes()
    try:
        return nbformat.reads(content.decode("utf-8-sig"), as_version=4)
    except Exception:  # nbformat stumbles over nonsense in many ways, RecursionError and AssertionError among them
        if content[:200].lstrip().startswith(b"{") and b'"cells"' in content[:4000] and not _whole(content):
            raise ValueError(f"{path.name} is damaged or cut off; save it in Jupyter and hand it in again") from None
        raise ValueError(f"{path.name} is not a notebook; hand in the .ipynb file itself") from None


def _whole(content: bytes) -> bool:
    try:
        json.loads(content)
    except (ValueError, RecursionError):
        return False
    return True


def make_master(solution: NotebookNode, exercise: NotebookNode) -> NotebookNode:
    """The notebook that answers are put into: the solution's tests, hidden ones included, and the exercise's stubs."""
    stubs = {grade_id(cell): cell.source for cell in exercise.cells if is_answer(cell)}
    master = copy.deepcopy(solution)
    for cell in master.cells:
        if is_answer(cell):
            cell.source = stubs[grade_id(cell)]
    return master


def assemble(master: NotebookNode, submission: NotebookNode) -> tuple[NotebookNode, list[str]]:
    """Put a student's answers into a copy of the master. Returns it, and what was odd, a sentence each.

    An answer in several cells is joined in their order, repetitions and untouched stubs left out. Cells that a
    student added come along, before the cell of the master's that they stood before: an answer may stand in one. So
    does what was made of a cell of the master's that is no test: an import may stand in it.
    """
    notebook, remarks = copy.deepcopy(master), []
    stubs = {grade_id(cell): cell.source for cell in master.cells if is_answer(cell)}
    known = {grade_id(cell): cell.source.strip() for cell in master.cells if grade_id(cell)}
    tests = {grade_id(cell) for cell in master.cells if cell.metadata.get("nbgrader", {}).get("grade")}
    answers: dict[str, list[str]] = {}
    added: dict[str | None, list[NotebookNode]] = {}
    waiting: list[NotebookNode] = []
    for cell in submission.get("cells", []):
        name, source = grade_id(cell), str(cell.get("source", ""))
        if name in known:
            added.setdefault(name, []).extend(waiting)
            waiting = []
        if name in stubs:
            parts = answers.setdefault(name, [])
            if source not in parts:
                parts.append(source)
        elif name not in tests and cell.get("cell_type") == "code" and source.strip() not in ("", known.get(name)):
            waiting.append(nbformat.v4.new_code_cell(source))
    cells = []
    for cell in notebook.cells:
        name = grade_id(cell)
        cells += added.get(name, [])
        if is_answer(cell):
            written = [part for part in answers.get(name, []) if part.strip() != stubs[name].strip()]
            if name not in answers:
                remarks.append(f"the answer cell {name} is missing and counts as not attempted")
            elif len(written) > 1:
                remarks.append(f"the answer cell {name} is there {len(written)} times; they were joined in their order")
            if written:
                cell.source = "\n".join(written)
        cells.append(cell)
    notebook.cells = cells
    return notebook, remarks


def is_answer(cell: NotebookNode) -> bool:
    """Whether a cell of the instructor's is one that students write."""
    return bool(cell.get("metadata", {}).get("nbgrader", {}).get("solution"))


def grade_id(cell: NotebookNode) -> str | None:
    """nbgrader's name of a cell; None for a cell that has none, or nonsense in its place."""
    metadata = cell.get("metadata", {})
    mark = metadata.get("nbgrader", {}) if isinstance(metadata, dict) else {}
    name = mark.get("grade_id") if isinstance(mark, dict) else None
    return name if isinstance(name, str) else None
