"""A class of honest, unlucky and hostile work: each gets what it earned, and takes nothing from others.

All but a few are right in everything but one item, so that what that item costs can be told.
"""

import importlib
import socket
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
import psutil
import pytest
from classes import (
    FULL,
    NAME,
    POINTS,
    QUICK,
    ROOT,
    STEM,
    graded,
    hand_in,
    handed_in,
    needs_sandbox,
    new_class,
    scores,
    solved,
    text_of,
    untouched,
    verdicts,
)

from nanogpt.course import check
from nanogpt.course.check.speech import CheckFailed, NotAttempted
from nanogpt.course.classroom import judging
from nanogpt.course.classroom.assemble import LARGEST, grade_id, is_test
from nanogpt.course.classroom.gradebook import GRADEBOOK
from nanogpt.course.classroom.judging import RIGHT, carried_by, judge_notebook, variant
from nanogpt.course.classroom.sandbox import Limits
from nanogpt.course.classroom.wire import pack


@dataclass(frozen=True)
class Work:
    """What somebody hands in: answers, a cell of one's own, or a file; the items it costs; what must be said of it.

    Where several things must be said, / stands between them.
    """

    answers: dict[str, str] = field(default_factory=dict)
    costs: tuple[str, ...] = ()
    says: str = ""
    verdict: str = "wrong"
    added: str = ""
    form: dict[str, Any] = field(default_factory=dict)
    file: bytes | None = None


def right_mask(before: str) -> dict[str, str]:
    """A right causal_mask that does something else before."""
    lines = [*before.splitlines(), "return torch.ones(T, T).tril().bool()"]
    return {"causal_mask": "\n    ".join(["def causal_mask(T):", *lines])}


def head(source: str, costs: bool = True, **more) -> Work:
    """An answer that one_head, of 2 points, is lost by."""
    return Work({"one_head": source}, ("one_head",) if costs else (), **more)


COURSE, PORT = "@course@", "@port@"  # stand for the course's folder, and for a port where somebody listens
EVERYTHING = tuple(POINTS)
MASK, WEIGHTS = ("causal_mask",), ("attention_weights",)
WRONG_MASK = {"causal_mask": "def causal_mask(T): return torch.ones(T, T).tril(-1).bool()"}
WRONG_WEIGHTS = {"attention_weights": "def attention_weights(query, key): return query @ key.transpose(-2, -1)"}
TOO_LONG = f"it was still running after {QUICK.seconds:g} seconds"
NO_NOTEBOOK = "attention.ipynb is not a notebook; hand in the .ipynb file itself"
WRITES = [
    f"{COURSE}/{GRADEBOOK}",
    f"{COURSE}/owned",
    f"{COURSE}/submitted/right/owned",
    "/owned",
    f"{Path.home()}/owned",
]

HONEST = {
    "right": Work(),
    "untouched": Work(file=nbformat.writes(untouched()).encode(), costs=EVERYTHING, verdict="not attempted"),
    "slips": Work(WRONG_MASK | WRONG_WEIGHTS, MASK + WEIGHTS, "your mask hides each token from itself"),
}

UNLUCKY = {
    "warns": Work(
        right_mask("import sys, warnings\nwarnings.warn('old')\nprint('x', file=sys.stderr)"),
        added="import torch, warnings\nwarnings.warn('x')\ntorch.set_default_dtype(torch.float64)",
    ),
    "prints": Work(
        right_mask("for _ in range(50): print('x' * 10**6)\ntorch.manual_seed(0)"),
        added="import os\nfor i in range(200): print('x' * 10**7)\nfor i in range(1000): n = os.write(1, bytes(10**6))",
    ),
    "plots": Work(
        {"causal_mask": "%matplotlib inline\n" + right_mask("threading.Thread(target=print).start()")["causal_mask"]},
        added="import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()",
        form={"setup": "import threading"},
    ),
    "lost_a_cell": Work(
        form={"without": ("split_heads",), "twice": ("one_head", "multi_head")},
        costs=("split_heads",),
        says="the answer cell split_heads is missing",
        verdict="not attempted",
    ),
    "writes_below": Work(form={"below": ("causal_mask", "merge_heads")}),
    "keeps_copies": Work(
        form={"copies": {"causal_mask": "raise ValueError", "one_head": "def one_head(x", "split_heads": "while 1: 1",
                         "merge_heads": "from nanogpt.course.check.attention import merge_heads"}},
        says="the answer cell one_head is there 2 times; all count, in their order / the cell split_heads was stopped"
        " / the answer merge_heads uses nanogpt: look at it",
    ),
    "in_place": Work(
        {"attention_weights": solved()["attention_weights"].replace("return scores.softmax(dim=-1)", "")
         + "\n    shares = scores.exp()\n    shares /= shares.sum(-1, keepdim=True)\n    return shares"},
        WEIGHTS, says="no gradient comes through",
    ),
    "stumbles": Work(
        {"attention_weights": "def attention_weights(query, key", "one_head": "one_head = 5",
         "split_heads": "def split_heads(x, n): raise ValueError('\\ud800')",
         "merge_heads": "def merge_heads(x): return merge_heads(x)",
         "multi_head": "def multi_head(*_): return [object()] * 10**4"},
        EVERYTHING[1:],
        "SyntaxError / a int, which is no function / ValueError: ? / RecursionError / a list came back, not a tensor",
    ),
    "large": head("def one_head(*_): return torch.zeros(10**7)", says="more than the 8,000,000", verdict="stopped"),
    "text_file": Work(file=b"hello", costs=EVERYTHING, says=NO_NOTEBOOK),
    "nested": Work(file=b"[" * 10**5, costs=EVERYTHING, says=NO_NOTEBOOK),
    "huge": Work(file=b"", costs=EVERYTHING, says="attention.ipynb has 100.0 MB, more than the 20 that are read"),
}  # fmt: skip

SEND = """
import json, os, struct, sys
def send(*replies):
    for fd in os.listdir("/proc/self/fd"):
        try:
            if os.readlink(f"/proc/self/fd/{fd}").startswith("socket"):
                for text in (json.dumps(reply).encode() for reply in replies):
                    os.write(int(fd), struct.pack(">Q", len(text)) + text)
        except OSError:
            pass
"""
TRIAL = {"again": None, "unchanged": True, "gradients": None, "fault": None, "output": ""}

TRICKLE = f"""{SEND}
import time
for fd in os.listdir("/proc/self/fd"):
    try:
        if os.readlink(f"/proc/self/fd/{{fd}}").startswith("socket"):
            os.write(int(fd), struct.pack(">Q", 7_000_000))
            while os.write(int(fd), b" "): time.sleep(0.0002)
    except OSError:
        pass
"""

HOSTILE = {
    "loops": head("def one_head(*_):\n    while True: pass", says=TOO_LONG, verdict="stopped"),
    "loops_at_top": head("while True: pass", says=f"this cell was stopped: {TOO_LONG}"),
    "loops_before": Work(added="while True: pass", says="the cell that the student added was stopped"),
    "forks": head("import os\ndef one_head(*_):\n    while True: os.fork()", says="PermissionError"),
    "fills_memory": head(
        "def one_head(*_):\n    a = []\n    while True: a.append(torch.ones(10**6))", says="allocate memory"
    ),
    "prints_on": head("def one_head(*_):\n    while True: print('x' * 10**7)", says=TOO_LONG, verdict="stopped"),
    "exits": head("import os\ndef one_head(*_): os._exit(0)", says="it ended its own process (0)", verdict="stopped"),
    "kills": head(
        "import os\ndef one_head(*_): os.kill(os.getpid(), 9)", says="its process was killed", verdict="stopped"
    ),
    "leaves": head("import sys\ndef one_head(*_): sys.exit()", says="it stops with SystemExit"),
    "reads": Work(
        {"one_head": f"def one_head(*_): return open('{COURSE}/solutions/{NAME}/{STEM}.ipynb')",
         "split_heads": f"def split_heads(x, n): return open('{COURSE}/submitted/right/{NAME}/{STEM}.ipynb')",
         "merge_heads": f"import sqlite3\nsqlite3.connect('{COURSE}/{GRADEBOOK}').execute('select * from grade')"},
        ("one_head", "split_heads", "merge_heads"), "FileNotFoundError / OperationalError: unable to open",
    ),
    "writes": Work(added=f"for path in {WRITES}:\n    try: open(path, 'w').write('x')\n    except OSError: pass"),
    "calls": head(
        f"import socket\ndef one_head(*_): socket.create_connection(('127.0.0.1', {PORT}), 1)",
        says="ConnectionRefusedError",
    ),
    "patches_checks": Work(
        WRONG_MASK, MASK, "your mask hides each token from itself",
        added="from nanogpt.course import check\nfrom nanogpt.course.check import item, trial\n"
        "from nanogpt.course.classroom import judging, worker\n"
        "check.causal_mask = check.or_reference = item.judge = item.difference = lambda *a, **k: 'right'\n"
        "item.judge_trials = judging.judge_trials = lambda *a, **k: 'right'\n"
        "trial.try_on = worker.Worker.try_on = lambda *a, **k: trial.Trial(got='right', again='right')\n"
        "check.CheckFailed = ZeroDivisionError",
    ),
    "patches_torch": Work(
        WRONG_WEIGHTS, WEIGHTS,
        added="import math, torch\ntorch.equal = torch.isclose = torch.allclose = math.isclose = lambda *a, **k: True\n"
        "torch.manual_seed = lambda seed: None",
    ),
    "sends": Work(
        {"causal_mask": f"{SEND}\ndef causal_mask(T): send(*[{TRIAL | {'got': True}}] * 9, {{'failed': False}})"},
        MASK, "it broke its connection with the grader", "stopped",
    ),
    "trickles": head(TRICKLE, says=TOO_LONG),
    "has_axes": head("def one_head(*_): return torch.ones(1).reshape([1] * 1000)",
                     says="it broke its connection with the grader", verdict="stopped"),
    "sends_numbers": Work(
        {"causal_mask": f"{SEND}\ndef causal_mask(T):\n    frame = sys._getframe()\n"
         "    while 'number' not in frame.f_locals: frame = frame.f_back\n"
         f"    send({TRIAL} | {{'got': True, 'number': frame.f_locals['number']}})"},
        MASK, "a bool came back, not a tensor",
    ),
    "knows_the_page": Work(
        {"split_heads": "known = {x.sum().item() for x, n in check.items('attention')['split_heads'].drawn(0)}\n"
         "def split_heads(x, n): return x.unflatten(-1, (n, -1)).transpose(1, 2) if x.sum().item() in known else x"},
        ("split_heads",), "on the page's own inputs it is right; this is one of the others that it was tried on",
    ),
    "borrows": Work(
        {"causal_mask": "from nanogpt.course.check.attention import causal_mask",
         "split_heads": "def split_heads(x, n_head): ...\nsplit_heads = check.or_reference(split_heads)"},
        says="the answer causal_mask uses nanogpt: look at it / "
        "the answer split_heads uses check.or_reference: look at it",
    ),
}  # fmt: skip

CLASS = HONEST | UNLUCKY | HOSTILE


@pytest.fixture(scope="module")
def the_class(tmp_path_factory):
    """All of them graded, and one who is not on the roster: the course, results by student, and what was said."""
    course = new_class(tmp_path_factory.mktemp("class"), {}, roster=" ".join(CLASS))
    listening = socket.create_server(("127.0.0.1", 0))
    for student, work in [*CLASS.items(), ("stranger", Work())]:
        notebook = handed_in(work.answers, work.added, **work.form)
        for cell in notebook.cells:
            cell.source = cell.source.replace(COURSE, str(course)).replace(PORT, str(listening.getsockname()[1]))
        hand_in(course, student, notebook if work.file is None else work.file)
    with (course / "submitted" / "huge" / NAME / f"{STEM}.ipynb").open("wb") as file:
        file.truncate(LARGEST * 5)
    results, said = graded(course)
    listening.settimeout(0.01)
    with listening, pytest.raises(TimeoutError):
        listening.accept()
    return course, results, said


@needs_sandbox
@pytest.mark.slow
@pytest.mark.parametrize("student", CLASS)
def test_each_earns_what_is_right_and_no_more(the_class, student):
    course, results, _ = the_class
    work, result = CLASS[student], results[student]
    refused = work.file is not None and student != "untouched"
    assert result["status"] == ("refused" if refused else "graded"), result["reason"]
    if not refused:
        assert verdicts(result) == {item: work.verdict if item in work.costs else RIGHT for item in POINTS}
    assert not [words for words in work.says.split(" / ") if words not in text_of(result)]
    marks = scores(course)[student]
    assert marks.pop("attention_written") == (None if work.file is None else 0)
    assert marks == {test: 0 if test.removesuffix("_test") in work.costs else most for test, most in FULL.items()}


@needs_sandbox
@pytest.mark.slow
def test_each_honest_and_hostile_submission_has_a_line(the_class):
    _, _, said = the_class
    by_student = {line.split()[0]: line for line in said}
    assert by_student.keys() == {*CLASS, "stranger"}
    assert by_student["right"] == f"{'right':16} 15 of 15"
    assert by_student["untouched"] == f"{'untouched':16} 0 of 15, not attempted"
    assert by_student["kills"].startswith(f"{'kills':16} 13 of 15: one_head: its process was killed")


@needs_sandbox
@pytest.mark.slow
def test_who_is_not_on_the_roster_is_told_and_not_graded(the_class):
    course, results, said = the_class
    assert "stranger is not on the roster, so what they handed in is not graded" in said
    assert "stranger" not in results and "stranger" not in scores(course)
    assert not (course / "autograded" / "stranger").exists()


@needs_sandbox
@pytest.mark.slow
def test_nothing_is_left_of_a_class_but_its_results(the_class):
    course, results, _ = the_class
    assert not [path for path in WRITES[1:] if Path(path.replace(COURSE, str(course))).exists()]
    assert sorted(path.name for path in (course / "submitted").iterdir()) == sorted([*CLASS, "stranger"])
    for student in CLASS:
        names = {path.name for path in (course / "autograded" / student / NAME).iterdir()}
        assert names == {"result.json"} | ({f"{STEM}.ipynb"} if results[student]["status"] == "graded" else set())
    commands = [process.info["cmdline"] for process in psutil.process_iter(["cmdline"])]
    assert not [command for command in commands if command and str(course) in command]


@needs_sandbox
@pytest.mark.slow
def test_the_graded_notebook_shows_what_came_of_each_cell(the_class):
    course, _, _ = the_class
    notebook = nbformat.read(course / "autograded" / "slips" / NAME / f"{STEM}.ipynb", as_version=4)
    nbformat.validate(notebook)
    cells = {grade_id(cell): cell for cell in notebook.cells}
    assert "hidden tests" not in cells["causal_mask_test"].outputs[0].get("text", "")
    assert "not right yet" in "\n".join(cells["causal_mask_test"].outputs[0].traceback)
    assert "the course's own stands in for it" in cells["causal_mask_carry"].outputs[0].text
    assert cells["one_head_test"].outputs[0].text.endswith(", and on those of 2 hidden tests")


@pytest.fixture(scope="module", params=check.CHAPTERS)
def chapter(request, tmp_path_factory):
    """A chapter's stem, a sandbox's process for it, and the seeds of each item: the page's, and two hidden ones."""
    stem = request.param
    seeds = {item: [0, *(variant("salt", "s01", item, n) for n in (1, 2))] for item in check.items(stem)}
    process = judging._Process({"stem": stem, "seeds": seeds}, Limits(), tmp_path_factory.mktemp("course"))
    yield stem, process, seeds
    process.close()


@needs_sandbox
@pytest.mark.slow
def test_in_the_sandbox_a_chapters_solution_is_right_hidden_tests_included(chapter):
    stem, process, seeds = chapter
    for cell in nbformat.read(ROOT / "solutions" / check.CHAPTERS[stem] / f"{stem}.ipynb", as_version=4).cells:
        if cell.cell_type == "code" and not is_test(cell) and not carried_by(cell):
            assert not process.do({"what": "run", "source": cell.source})["failed"]
    for name, item in check.items(stem).items():
        for seed in seeds[name]:
            assert judging._check(item, seed, process, "").startswith(f"{name}: right on")


@needs_sandbox
@pytest.mark.slow
def test_in_the_sandbox_each_answer_gets_what_it_gets_on_the_page(chapter):
    """Right ones pass; wrong ones fail for the same cause, and what must be said of them is said."""
    stem, process, _ = chapter
    process.do({"what": "run", "source": (Path(__file__).parent / "answers" / f"{stem}.py").read_text()})
    answers = importlib.reload(importlib.import_module(f"answers.{stem}"))  # some of them keep what they were asked
    for name, item in check.items(stem).items():
        for i, answer in enumerate(answers.RIGHT[name]):
            process.do({"what": "run", "source": f"{name} = RIGHT[{name!r}][{i}]"})
            assert verdict_of(judging._check, item, 0, process, "") == verdict_of(check.judge, item, answer), (name, i)
        for i, (answer, said) in enumerate(answers.WRONG[name]):
            process.do({"what": "run", "source": f"{name} = WRONG[{name!r}][{i}][0]"})
            there, here = verdict_of(judging._check, item, 0, process, ""), verdict_of(check.judge, item, answer)
            assert there[:2] == here[:2] and there[0], (name, i)
            assert said in there[2]


def verdict_of(judge, *arguments) -> tuple:
    """What kind of failure, for which cause, and the report; None for what is right."""
    try:
        return None, None, judge(*arguments)
    except CheckFailed as failure:
        return type(failure), failure.cause, str(failure)


@needs_sandbox
@pytest.mark.slow
def test_when_its_time_is_used_up_what_is_left_is_stopped_and_the_rest_keeps_its_points(tmp_path):
    slow = "import time\ntime.sleep(1.5)\n" + WRONG_WEIGHTS["attention_weights"]
    notebook = nbformat.read(ROOT / "solutions" / NAME / f"{STEM}.ipynb", as_version=4)
    for cell in notebook.cells:
        cell.source = slow if grade_id(cell) == "attention_weights" else cell.source
    judged = judge_notebook(notebook, STEM, Limits(seconds=2, total_seconds=2.5), tmp_path, lambda item, seed: seed)
    found = [outcome.verdict for outcome in judged.outcomes]
    assert found[0] == RIGHT and found[-1] == "stopped" and len(found) == len(POINTS)
    assert judged.outcomes[-1].cause == "the 2.5 seconds for the whole submission were used up"


class Replies:
    """Stands for a process that answers each trial with this."""

    def __init__(self, got) -> None:
        self.got = got

    def do(self, request: dict) -> dict:
        return TRIAL | {"got": self.got, "again": self.got}


@pytest.mark.parametrize("got", [pack(10**400), pack("nan"), pack(None), pack(True), pack({}), pack([1.0])])
def test_what_cannot_be_compared_is_the_answers_fault(got):
    item = check.items("perplexity")["token_perplexity"]
    assert isinstance(item.reference(*item.drawn(0)[0]), float)
    with pytest.raises(CheckFailed, match="token_perplexity: not right yet"):
        judging._check(item, 0, Replies(got), "")


def test_an_item_that_is_broken_itself_is_nobodys_fault():
    def broken(*_):
        raise ZeroDivisionError

    item = check.Item("broken", "broken() -> 1", broken, lambda rng: [()])
    with pytest.raises(ZeroDivisionError):
        judging._check(item, 0, Replies(1.0), "")


def test_a_test_cell_that_is_more_than_checks_is_refused():
    def cell(source):
        return nbformat.v4.new_code_cell(source, metadata={"nbgrader": {"grade_id": "mask_test", "grade": True}})

    assert judging.tests_of(cell("check.f(f)\n# hidden\ncheck.f(f, seed=3)")) == [("f", 0), ("f", 3)]
    for source in ("assert f(1) == 2", "check.f(g)", "check.f(f, seed=x)", "import os", "check.f(f, 3)"):
        with pytest.raises(ValueError, match="the test cell mask_test holds"):
            judging.tests_of(cell(source))


def test_each_chapters_cells_are_all_known_for_what_they_are():
    for path in (ROOT / "solutions").glob("*/*.ipynb"):
        cells = nbformat.read(path, as_version=4).cells
        assert [judging.tests_of(cell)[0] for cell in cells if is_test(cell)] == [
            (n, 0) for n in check.items(path.stem)
        ]
        carried = [carried_by(cell) for cell in cells if "or_reference(" in cell.source and cell.cell_type == "code"]
        assert None not in carried


def test_hidden_inputs_are_each_students_own_and_always_the_same():
    students = [f"s{i:02}" for i in range(50)]
    seeds = {(s, item, n): variant("salt", s, item, n) for s in students for item in POINTS for n in (1, 2)}
    assert len(set(seeds.values())) == len(seeds)
    assert seeds == {key: variant("salt", *key) for key in seeds}
    assert variant("salt", "s01", "one_head", 1) != variant("another", "s01", "one_head", 1)
    assert variant("salt", "s01", "one_head", 1) == 93821129


def test_not_attempted_is_told_from_wrong_over_the_wire():
    item = check.items(STEM)["causal_mask"]
    stub = TRIAL | {"got": None, "fault": ["NotImplementedError", "your code here", "raise"]}
    process = Replies(None)
    process.do = lambda request: stub
    with pytest.raises(NotAttempted):
        judging._check(item, 0, process, "")
