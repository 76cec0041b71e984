"""The shape of the code: which module may import which, how long a file may be, and that all of it is clean."""

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import nanogpt

ROOT = Path(__file__).parents[1]
PACKAGE = Path(nanogpt.__file__).parent

# Each may import what stands before it. `cli` alone joins the engine and the course.
ENGINE = (
    "errors config device tokenizer hf_tokenizer stories hub benchmarks pydocs corpora encode data baselines "
    "attention block model modern optim checkpoint prepare runs gpt2 export divergence scoring evaluate zeroshot "
    "generate quality "
    "reports parallel train finetune scaling"
).split()
COURSE = (
    "tiers ready claims published progress entries rows evidence verdicts plots page report compare "
    "check ladder widgets classroom notebooks doctor lab"
).split()


def imports_of(path: Path) -> set[str]:
    """The modules of this project that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name for name in found if name.split(".")[0] == "nanogpt" and _is_module(name)}


def _is_module(name: str) -> bool:
    place = PACKAGE.parent.joinpath(*name.split("."))
    return name != "nanogpt" and (place.is_dir() or place.with_suffix(".py").exists())


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def test_the_engine_imports_only_what_stands_before_it():
    for path in PACKAGE.glob("*.py"):
        if path.stem in ("__init__", "__main__", "cli"):
            continue
        assert path.stem in ENGINE, f"{path.name} has no place in the order of the engine"
        for name in imports_of(path):
            other = name.split(".")[1]
            assert other in ENGINE, f"{path.name} imports {name}, which is not of the engine"
            assert ENGINE.index(other) < ENGINE.index(path.stem), f"{path.name} imports {name}, which stands after it"


def test_the_course_imports_only_what_stands_before_it():
    for path in (PACKAGE / "course").rglob("*.py"):
        place = path.relative_to(PACKAGE / "course").parts[0].removesuffix(".py")
        if place == "__init__":
            continue
        assert place in COURSE, f"{path} has no place in the order of the course"
        for name in imports_of(path):
            if name.startswith("nanogpt.course."):
                other = name.split(".")[2]
                assert COURSE.index(other) <= COURSE.index(place), f"{path} imports {name}, which stands after it"
            else:
                assert name != "nanogpt.cli"


@pytest.mark.parametrize("path", modules(), ids=lambda path: path.stem)
def test_a_file_can_be_read_in_one_sitting(path):
    bank = path.parent.name == "check"  # a chapter's slips, each with its sentence: looked up rather than read
    assert len(path.read_text().splitlines()) <= (650 if bank else 300)


@pytest.mark.parametrize("name", ["utils", "helpers", "misc", "common"])
def test_there_is_no_drawer_for_odds_and_ends(name):
    assert not list(PACKAGE.rglob(f"{name}.py"))


def test_each_module_has_its_tests_beside_it():
    missing = [m for m in ENGINE if (PACKAGE / f"{m}.py").exists() and not (ROOT / "tests" / f"test_{m}.py").exists()]
    assert missing == []


def test_nothing_is_pickled():
    for path in modules():
        text = path.read_text()
        assert "import pickle" not in text
        assert "torch.save" not in text


def test_the_one_pickle_that_is_read_is_read_as_plain_weights():
    loads = []
    for path in modules():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("torch.load", "load"):
                loads.append(path.name)
                assert "weights_only=True" in [ast.unparse(keyword) for keyword in node.keywords]
        assert "from torch import load" not in path.read_text()
    assert loads == ["gpt2.py"]  # nanoGPT's ckpt.pt


@pytest.mark.slow
def test_importing_nanogpt_costs_torch_and_little_more():
    code = "import time, {first}; start = time.perf_counter(); import nanogpt; print(time.perf_counter() - start)"
    cost = min(
        float(subprocess.run([sys.executable, "-c", code.format(first="torch")], capture_output=True, text=True).stdout)
        for _ in range(3)
    )
    assert cost <= 0.3
    heavy = "datasets transformers tokenizers matplotlib tiktoken tyro IPython pandas".split()
    loaded = f"import sys, nanogpt; print([m for m in {heavy} if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True).stdout == "[]\n"


def test_importing_nanogpt_prints_nothing():
    done = subprocess.run([sys.executable, "-c", "import nanogpt"], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("", "")


@pytest.mark.parametrize("command", [["check"], ["format", "--check"]], ids=" ".join)
def test_ruff_is_content_with_code_and_notebooks(command):
    ruff = Path(sys.executable).parent / "ruff"
    done = subprocess.run(
        [ruff if ruff.exists() else shutil.which("ruff"), *command, "."], cwd=ROOT, capture_output=True
    )
    assert done.returncode == 0, done.stdout.decode()
