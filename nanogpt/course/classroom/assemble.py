"""A submission as it is graded: the instructor's notebook with the student's answers in it.

Tests, points and setup are the instructor's own. A student's cells are found by nbgrader's `grade_id`, so that
what was deleted, split, doubled or moved about costs no more than what is missing.
"""

import ast
import copy
import json
import warnings
from pathlib import Path

import nbformat
from IPython.core.inputtransformer2 import TransformerManager
from nbformat import NotebookNode

LARGEST = 20_000_000  # bytes of a submission that is read at all
MOST_PARTS, LONGEST_PARTS = 20, 100_000  # cells of one answer, and their characters, that are tried apart
IN_A_CELL = ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT


def read_submission(path: Path) -> NotebookNode:
    """Read what a student handed in. ValueError, in a sentence for the report, for what is no notebook or too large."""
    size = path.stat().st_size
    if size > LARGEST:
        raise ValueError(
            f"{path.name} has {size / 1e6:.1f} MB, more than the "
            f"{LARGEST / 1e6:.0f} that are read; hand it in without outputs"
        )
    content = path.read_bytes()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # cells without an id are nothing to us
            notebook = nbformat.reads(content.decode("utf-8-sig"), as_version=4)
        for cell in notebook.cells:  # nbformat lets some nonsense pass
            cell.update(cell_type=str(cell.get("cell_type")), source=str(cell.get("source", "")))
        return notebook
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

    Of an answer in several cells the parts come in their order, repetitions and untouched stubs left out; a part that
    is whole has a cell of its own, so that one that fails doesn't take the others along. Cells that a student added
    come along, before the cell of the master's that they stood before: an answer may stand in one. So does what was
    made of a cell of the master's that is no test: an import may stand in it.
    """
    notebook, remarks = copy.deepcopy(master), []
    stubs = {grade_id(cell): cell.source for cell in master.cells if is_answer(cell)}
    known = {grade_id(cell): cell.source.strip() for cell in master.cells if grade_id(cell)}
    tests = {grade_id(cell) for cell in master.cells if _mark(cell).get("grade")}
    answers: dict[str, list[str]] = {}
    added: dict[str | None, list[NotebookNode]] = {}
    waiting: list[NotebookNode] = []
    for cell in submission.cells:
        name, source = grade_id(cell), cell.source
        if name in known:
            added.setdefault(name, []).extend(waiting)
            waiting = []
        if name in stubs:
            parts = answers.setdefault(name, [])
            if source not in parts:
                parts.append(source)
        elif name not in tests and cell.cell_type == "code" and source.strip() not in ("", known.get(name)):
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
                remarks.append(f"the answer cell {name} is there {len(written)} times; all count, in their order")
            if written:
                apart = cell.cell_type == "code" and not _mark(cell).get("grade")  # what a person marks stays in one
                *first, cell.source = whole_parts(written) if apart else ["\n".join(written)]
                cells += [nbformat.v4.new_code_cell(part, metadata=copy.deepcopy(cell.metadata)) for part in first]
        cells.append(cell)
    notebook.cells = cells
    return notebook, remarks


def whole_parts(parts: list[str]) -> list[str]:
    """The parts of a split or repeated answer, those joined that are Python only together; all, where they are many."""
    if len(parts) > MOST_PARTS or sum(map(len, parts)) > LONGEST_PARTS:  # trying them would take too long
        return ["\n".join(parts)]
    whole: list[str] = []
    for part in parts:
        joined, fits = part, _is_python(part) and (not whole or _is_python(whole[-1]))
        for start in reversed(range(0 if fits else len(whole))):
            joined = f"{whole[start]}\n{joined}"
            if _is_python(joined):
                part, whole = joined, whole[:start]
                break
        whole.append(part)
    return whole


def _is_python(source: str) -> bool:
    """Whether a cell can be read, IPython's own commands included. One that is all indented may be another's body."""
    if next((line for line in source.splitlines() if line.strip()), "").startswith((" ", "\t")):
        return False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about what a student wrote
            compile(TransformerManager().transform_cell(source), "cell", "exec", IN_A_CELL)
    except (SyntaxError, ValueError, MemoryError, RecursionError, OverflowError):
        return False
    return True


def is_answer(cell: NotebookNode) -> bool:
    """Whether a cell is one that students write."""
    return bool(_mark(cell).get("solution"))


def is_test(cell: NotebookNode) -> bool:
    """Whether a cell of the instructor's tests an answer."""
    return cell.cell_type == "code" and bool(_mark(cell).get("grade")) and not is_answer(cell)


def grade_id(cell: NotebookNode) -> str | None:
    """nbgrader's name of a cell; None for a cell that has none, or nonsense in its place."""
    name = _mark(cell).get("grade_id")
    return name if isinstance(name, str) else None


def _mark(cell: NotebookNode) -> dict:
    """nbgrader's metadata of a cell; empty for a cell that has none, or nonsense in its place."""
    metadata = cell.get("metadata")
    mark = metadata.get("nbgrader") if isinstance(metadata, dict) else None
    return mark if isinstance(mark, dict) else {}
