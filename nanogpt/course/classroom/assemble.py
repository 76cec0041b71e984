"""A submission as it is graded: the instructor's notebook with the student's answers in it.

Tests, points and setup are the instructor's own. A student's cells are found by nbgrader's `grade_id`, so that
what was deleted, split, doubled or moved about costs no more than what is missing.
"""

import ast
import contextlib
import copy
import json
import re
import warnings
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

LARGEST = 20_000_000  # bytes of a submission that is read at all
MOST_CELLS = 2_000  # of a submission that is graded
MOST_PARTS, LONGEST_PARTS = 20, 30_000  # cells of one answer, and their characters, that are tried apart
HIDDEN = re.compile(r"### BEGIN HIDDEN TESTS.*?### END HIDDEN TESTS", re.DOTALL)
COMMAND = re.compile(r"^([ \t]*+(?:[\w., ]+=)?)[ \t]*+(?:[%!?].*|[\w.*]+\?\??)$", re.MULTILINE)  # of IPython's
IN_A_CELL = ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT


def read_submission(path: Path) -> NotebookNode:
    """Read what a student handed in: cells with their sources and nbgrader's metadata, as nothing else is looked at.

    Raises ValueError, in a sentence for the report, for what is no notebook, or too large.
    """
    if path.is_dir():
        raise ValueError("nothing was handed in: the folder is empty")
    size = path.stat().st_size
    if size > LARGEST:
        raise ValueError(
            f"{path.name} has {size / 1e6:.1f} MB, more than the "
            f"{LARGEST / 1e6:.0f} that are read; hand it in without outputs"
        )
    content = path.read_bytes()
    try:
        whole = json.loads(content)
    except (ValueError, RecursionError):
        if content[:200].lstrip().startswith(b"{") and b'"cells"' in content[:4000]:
            raise ValueError(f"{path.name} is damaged or cut off; save it in Jupyter and hand it in again") from None
        whole = None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # cells without an id are nothing to us
            notebook = nbformat.reads(json.dumps(_slim(whole)), as_version=4)
        for cell in notebook.cells:  # nbformat lets some nonsense pass
            source = str(cell.get("source", "")).replace("\r\n", "\n").replace("\r", "\n")
            cell.update(cell_type=str(cell.get("cell_type")), source=source)
    except Exception:  # nbformat stumbles over nonsense in many ways, RecursionError and AssertionError among them
        raise ValueError(f"{path.name} is not a notebook; hand in the .ipynb file itself") from None
    if len(notebook.cells) > MOST_CELLS:
        raise ValueError(f"{path.name} has {len(notebook.cells):,} cells, more than the {MOST_CELLS:,} that are graded")
    return notebook


def _slim(whole: Any) -> Any:
    """A notebook without what may be large and isn't graded; one of before format 4 as it is."""
    if not isinstance(whole, dict) or "cells" not in whole:
        return whole
    kept = {key: whole[key] for key in ("nbformat", "nbformat_minor") if key in whole}
    return kept | {"metadata": {}, "cells": [_slim_cell(cell) for cell in whole["cells"]]}


def _slim_cell(cell: dict) -> dict:
    kept = {key: cell[key] for key in ("id", "cell_type", "source", "attachments") if key in cell}
    kept["metadata"] = {"nbgrader": _mark(cell)} if _mark(cell) else {}
    return kept | ({"outputs": [], "execution_count": None} if cell.get("cell_type") == "code" else {})


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
    is whole has a cell of its own, so that one that fails doesn't take the others along. A stub alone is left empty, as
    the answer may stand elsewhere: cells that a student added come along, before the cell of the master's that they
    stood before, and so does what was made of a cell of the master's own. What stands below all of these comes before
    the first answer that isn't there; words in cells of their own are the answer to the first question without one.
    """
    notebook, remarks = copy.deepcopy(master), []
    stubs = {grade_id(cell): cell.source for cell in master.cells if is_answer(cell)}
    known = {grade_id(cell): HIDDEN.sub("", cell.source).strip() for cell in master.cells if grade_id(cell)}
    given = {*known.values(), ""}
    pages = {"", *(cell.source.strip() for cell in master.cells)}
    own = [c for c in submission.cells if c.cell_type == "markdown" and grade_id(c) is None]
    words = [cell.source for cell in own if cell.source.strip() not in pages]
    answers: dict[str, dict[str, NotebookNode]] = {}
    added: dict[str | None, list[NotebookNode]] = {}
    waiting: list[NotebookNode] = []
    for cell in submission.cells:
        name, source = grade_id(cell), cell.source
        if name in known:
            added.setdefault(name, []).extend(waiting)
            waiting = []
        if name in stubs:
            answers.setdefault(name, {}).setdefault(source, cell)
        elif cell.cell_type == "code" and source.strip() not in given:
            (added[name] if name in known else waiting).append(nbformat.v4.new_code_cell(source))
    cells = []
    for cell in notebook.cells:
        name = grade_id(cell)
        cells += added.get(name, [])
        if is_answer(cell):
            written = [part for part in answers.get(name, {}) if not _is_stub(part, stubs[name])]
            if name not in answers:
                remarks.append(f"the answer cell {name} is missing")
            elif len(written) > 1:
                remarks.append(f"the answer cell {name} is there {len(written)} times; all count, in their order")
            apart = cell.cell_type == "code" and not _mark(cell).get("grade")  # what a person marks stays in one
            if written:
                *first, cell.source = whole_parts(written) if apart else ["\n".join(written)]
                cells += [nbformat.v4.new_code_cell(part, metadata=copy.deepcopy(cell.metadata)) for part in first]
            elif apart:
                cells += waiting
                waiting, cell.source = [], ""
            elif cell.cell_type == "markdown" and words:
                cell.source, words = "\n\n".join(words), []
            pictures = [found.attachments for found in answers.get(name, {}).values() if found.get("attachments")]
            if pictures and cell.cell_type == "markdown":
                cell.attachments = pictures[-1]
        cells.append(cell)
    notebook.cells = cells
    return notebook, remarks


def _is_stub(part: str, stub: str) -> bool:
    """Whether an answer is still the stub, but for comments and the space around."""
    if part.strip() == stub.strip():
        return True
    try:
        return len(part) < 2 * len(stub) + 1000 and ast.dump(ast.parse(part)) == ast.dump(ast.parse(stub))
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return False


def whole_parts(parts: list[str]) -> list[str]:
    """The parts of a split or repeated answer, those joined that are Python only together; all, where they are many."""
    if len(parts) == 1 or len(parts) > MOST_PARTS or sum(map(len, parts)) > LONGEST_PARTS:  # that would take too long
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
    """Whether a cell can be read, IPython's commands left out. One that is all indented may be another's body."""
    if next((line for line in source.splitlines() if line.strip()), "").startswith((" ", "\t")):
        return False
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about what a student wrote
        for text in (source, COMMAND.sub(r"\1 0", source)):
            with contextlib.suppress(SyntaxError, ValueError, MemoryError, RecursionError, OverflowError):
                compile(text, "cell", "exec", IN_A_CELL)
                return True
    return False


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
