"""A class of 200 for `make measure WHAT=classroom`: right, wrong, unlucky and hostile submissions with known marks.

All are graded by `nanogpt class grade`, and the well-behaved ones by nbgrader's own autograde too, in one run.
"""

import csv
import json
import os
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import nbformat

ROOT = Path(__file__).parents[1]
ASSIGNMENT, STEM = "03_attention", "attention"
POINTS = {
    "causal_mask": 1, "attention_weights": 4, "one_head": 2, "split_heads": 2, "merge_heads": 2, "multi_head": 4,
}  # fmt: skip

# Edits of the solution's own answer: what is replaced by what. The right ones stay right, the wrong ones don't.
RIGHT = {
    "causal_mask": [("torch.ones(T, T, dtype=torch.bool).tril()", "torch.arange(T)[None] <= torch.arange(T)[:, None]")],
    "attention_weights": [('float("-inf")', "-1e9"), ("query @ key.transpose(-2, -1)", "(query @ key.mT)")],
    "one_head": [("x @ w_query, x @ w_key, x @ w_value", "(x @ w for w in (w_query, w_key, w_value))")],
    "split_heads": [(".view(", ".reshape("), ("C // n_head", "-1")],
    "merge_heads": [(".flatten(2)", ".reshape(x.size(0), x.size(2), -1)")],
    "multi_head": [("(x @ w_qkv.T)", "torch.nn.functional.linear(x, w_qkv)")],
}
WRONG = {
    "causal_mask": [(".tril()", ".triu()"), (".tril()", ".tril(-1)"), (", dtype=torch.bool", "")],
    "attention_weights": [(" / math.sqrt(D)", ""), ("dim=-1", "dim=-2"), ("~causal", "causal")],
    "one_head": [("@ value", "@ key"), ("attention_weights(query, key)", "attention_weights(key, query)")],
    "split_heads": [(".transpose(1, 2)", ""), ("B, T, n_head, C // n_head).transpose(1, 2)", "B, n_head, T, -1)")],
    "merge_heads": [(".transpose(1, 2).flatten(2)", ".reshape(x.size(0), x.size(2), -1)")],
    "multi_head": [("w_proj.T", "w_proj"), ("query, key, value = (x", "key, query, value = (x")],
}
# What takes the place of one answer and costs its points, and no other's.
HOSTILE = {
    "endless loop": "def {name}(*inputs):\n    while True:\n        pass",
    "endless loop in the cell": "while True:\n    pass",
    "fork bomb": "import os\n\ndef {name}(*inputs):\n    while True:\n        os.fork()",
    "memory bomb": "def {name}(*inputs):\n    hoard = []\n    while True:\n        hoard.append(torch.ones(10**7))",
    "output": "def {name}(*inputs):\n    while True:\n        print('x' * 10**6)",
    "os._exit": "import os\n\ndef {name}(*inputs):\n    os._exit(0)",
    "kernel kill": "import os, signal\n\ndef {name}(*inputs):\n    os.kill(os.getpid(), signal.SIGKILL)",
    "reads the solution": "def {name}(*inputs):\n"
    "    return open('{course}/solutions/03_attention/attention.ipynb').read()",
    "writes outside": "def {name}(*inputs):\n    open('{course}/gradebook.db', 'w').write('mine')",
    "opens a socket": "import socket\n\ndef {name}(*inputs):\n    socket.create_connection(('127.0.0.1', 9), 30)",
    "patches torch": "torch.isclose = torch.equal = lambda *a, **k: torch.tensor(True)\n\n"
    "def {name}(*inputs):\n    return 1",
    "patches check": "import nanogpt.course.check.item as i\n\ni.judge_trials = i.judge = lambda *a, **k: 'right'\n"
    "def {name}(*inputs):\n    return 1",
}  # fmt: skip
HARMLESS = "import warnings\n\nwarnings.warn('careful')\n"  # goes before a right answer and costs nothing


def solution() -> nbformat.NotebookNode:
    return nbformat.read(ROOT / "solutions" / ASSIGNMENT / f"{STEM}.ipynb", as_version=4)


def stubs() -> dict[str, str]:
    exercise = nbformat.read(ROOT / "exercises" / ASSIGNMENT / f"{STEM}.ipynb", as_version=4)
    return {cell.metadata.nbgrader.grade_id: cell.source for cell in exercise.cells if "nbgrader" in cell.metadata}


def edited(source: str, edit: tuple[str, str]) -> str:
    assert edit[0] in source, edit
    return source.replace(*edit)


def submission(rng: random.Random, course: Path, hostile: str | None) -> tuple[nbformat.NotebookNode, dict[str, float]]:
    """A notebook, and the points that it must get for each item."""
    notebook, earned, untouched = solution(), {}, stubs()
    target = rng.choice(list(POINTS))
    for cell in notebook.cells:
        name = cell.metadata.get("nbgrader", {}).get("grade_id")
        if name not in POINTS:
            continue
        kind = rng.choices(["right", "rewritten", "wrong", "untouched"], [5, 3, 4, 1])[0]
        if kind == "untouched":
            cell.source = untouched[name]
        elif kind != "right":
            cell.source = edited(cell.source, rng.choice((WRONG if kind == "wrong" else RIGHT)[name]))
        earned[name] = POINTS[name] if kind in ("right", "rewritten") else 0
        if hostile and name == target:
            cell.source, earned[name] = HOSTILE[hostile].format(name=name, course=course), 0
    return notebook, earned


def unlucky(notebook: nbformat.NotebookNode, earned: dict[str, float], how: str, rng: random.Random) -> None:
    """Do to a notebook what happens to notebooks."""
    places = [i for i, c in enumerate(notebook.cells) if c.metadata.get("nbgrader", {}).get("grade_id") in POINTS]
    place = rng.choice(places)
    cell = notebook.cells[place]
    if how == "cell removed":
        earned[cell.metadata.nbgrader.grade_id] = 0
        del notebook.cells[place]
    elif how == "cell twice":
        notebook.cells.insert(place, cell.copy())
    elif how == "test edited":
        test = next(c for c in notebook.cells[place:] if c.metadata.get("nbgrader", {}).get("grade"))
        test.source = "print('right')"
    elif how == "warning":
        cell.source = HARMLESS + cell.source


def make_class(course: Path, n: int, seed: int = 0) -> tuple[dict[str, dict[str, float] | None], set[str]]:
    """Fill submitted/ with n students. Returns the points they must get (None: refused), and who is well-behaved."""
    rng, wanted, good = random.Random(seed), {}, set()
    for name in ("solutions", "exercises"):
        shutil.copytree(ROOT / name / ASSIGNMENT, course / name / ASSIGNMENT)
    shutil.copy(ROOT / "nbgrader_config.py", course)
    accidents = ["cell removed", "cell twice", "test edited", "warning"]
    for i in range(n):
        student, kind = f"s{i:03}", i % 20
        hostile = list(HOSTILE)[(i // 20 + kind) % len(HOSTILE)] if kind < 4 else None
        notebook, earned = submission(rng, course, hostile)
        if kind == 4:
            unlucky(notebook, earned, accidents[i // 20 % len(accidents)], rng)
        text, wanted[student] = nbformat.writes(notebook), earned
        if kind == 5 and i // 20 % 3 == 0:
            text, wanted[student] = "this is no notebook", None
        if kind > 5:
            good.add(student)
        place = course / "submitted" / student / ASSIGNMENT / f"{STEM}.ipynb"
        place.parent.mkdir(parents=True)
        place.write_text(text, encoding="utf-8")
    return wanted, good


def wrong_marks(course: Path, wanted: dict[str, dict[str, float] | None]) -> list[str]:
    """Where a result differs from what it must be."""
    found = []
    for student, points in wanted.items():
        result = json.loads((course / "autograded" / student / ASSIGNMENT / "result.json").read_text())
        got = {outcome["item"]: outcome["earned"] for outcome in result["outcomes"]} or None
        if got != points:
            found.append(f"{student}: {got} instead of {points}")
    return found


def classroom(folder: Path, n: int = 200) -> None:
    """Grade the class by both, and say how long each took and how many marks were wrong."""
    ours, theirs = folder / "ours", folder / "theirs"
    wanted, good = make_class(ours, n)
    make_class(theirs, n)
    for student in set(wanted) - good:
        shutil.rmtree(theirs / "submitted" / student)
    bin_ = Path(sys.executable).parent
    home = {"HOME": str(folder), "PATH": f"{bin_}{os.pathsep}{os.environ['PATH']}", "NANOGPT_HOME": str(folder)}
    environment = os.environ | home | {"OMP_NUM_THREADS": "1"}
    start = time.perf_counter()
    command = [sys.executable, "-m", "nanogpt", "class", "grade", ASSIGNMENT, "--course", str(ours), "--jobs", "2"]
    subprocess.run(command, env=environment, check=True)
    seconds = time.perf_counter() - start
    wrong = wrong_marks(ours, wanted)
    print(*wrong, sep="\n")
    print(
        f"| {n} submissions, {n - len(good)} of them hostile or unlucky | {seconds:.0f} s | {len(wrong)} wrong marks |"
    )
    nbgrader = [sys.executable, "-m", "nbgrader"]
    quiet = {"env": environment, "cwd": theirs, "check": True, "stderr": subprocess.DEVNULL}
    subprocess.run([*nbgrader, "generate_assignment", ASSIGNMENT, "--force", "--create"], **quiet)
    start = time.perf_counter()
    subprocess.run([*nbgrader, "autograde", ASSIGNMENT, "--create"], **quiet)
    their_seconds = time.perf_counter() - start
    subprocess.run([*nbgrader, "export"], **quiet)
    with (theirs / "grades.csv").open(newline="") as file:
        marks = {row["student_id"]: float(row["raw_score"]) for row in csv.DictReader(file)}
    differ = [s for s in sorted(good) if marks[s] != sum(wanted[s].values())]
    print(*differ)
    print(f"| nbgrader's autograde on the {len(good)} well-behaved | {their_seconds:.0f} s | {len(differ)} wrong |")
    each, their_each = seconds / n, their_seconds / len(good)
    print(f"| seconds a submission | {each:.2f} | {their_each:.2f}, {their_each / each:.1f} times as long |")


if __name__ == "__main__":
    import tempfile

    with tempfile.TemporaryDirectory() as place:
        classroom(Path(place), int(sys.argv[1]) if len(sys.argv) > 1 else 200)
