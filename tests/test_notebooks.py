"""What holds for every notebook without running it; running is nbval's part, in the same `make test`."""

import ast
import re
from pathlib import Path

import nbformat
import pytest

from nanogpt.course.notebooks import KEPT_METADATA, TIME_SAID, first_picture, source_hash

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))  # the playground is no chapter: see test_playground
CHAPTERS = (
    "00_start 01_tokenizer 02_perplexity 03_attention 04_block 05_model 06_data 07_train 08_pretrain 09_gpt2 "
    "10_evaluate 11_generate"
).split()

# The chapter in which a module is built, and from which on it may be used. Chapter 00 shows it all and builds nothing.
BUILT_IN = {
    "tokenizer": 1, "hf_tokenizer": 1, "baselines": 2, "scoring": 2, "attention": 3, "block": 4, "model": 5,
    "data": 6, "encode": 6, "prepare": 6, "optim": 7, "checkpoint": 7, "runs": 7, "train": 7, "device": 7,
    "parallel": 8, "gpt2": 9, "export": 9, "divergence": 9, "evaluate": 10, "zeroshot": 10, "benchmarks": 10,
    "quality": 10, "reports": 10, "generate": 11, "finetune": 12, "scaling": 13, "modern": 14,
}  # fmt: skip
FREE = {"config", "corpora", "stories", "pydocs", "hub"}  # settings and texts


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def path(request) -> Path:
    return request.param


@pytest.fixture
def notebook(path):
    return nbformat.read(path, as_version=4)


def code(notebook) -> list:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def number(path: Path) -> int:
    return int(path.stem[:2])


def test_the_chapters_are_there_in_their_order():
    assert [path.stem for path in NOTEBOOKS] == CHAPTERS


def test_each_chapter_names_itself_and_the_next(path, notebook):
    assert re.match(rf"# {path.stem[:2]} · \w+", notebook.cells[0].source)
    following = CHAPTERS.index(path.stem) + 1
    if following < len(CHAPTERS):
        assert f"]({CHAPTERS[following]}.ipynb)" in notebook.cells[-1].source


def test_it_is_valid(notebook):
    nbformat.validate(notebook)


def test_its_outputs_are_those_of_its_code(notebook):
    assert notebook.metadata.nanogpt.source_sha256 == source_hash(notebook), "run: make notebooks"
    assert notebook.metadata.nanogpt.tier == "laptop"
    assert [cell.execution_count for cell in code(notebook)] == list(range(1, len(code(notebook)) + 1))


def test_it_says_what_it_was_run_with_and_nothing_of_the_machine(notebook):
    assert {key: notebook.metadata[key] for key in KEPT_METADATA} == KEPT_METADATA
    assert set(notebook.metadata) == {*KEPT_METADATA, "nanogpt"}
    assert not [cell for cell in notebook.cells if "execution" in cell.metadata]


def test_it_is_small(path):
    assert path.stat().st_size < 400_000


def test_no_cell_is_long_and_most_are_short(notebook):
    lengths = sorted(len(cell.source.splitlines()) for cell in code(notebook))
    assert lengths[-1] <= 40
    assert 3 <= lengths[len(lengths) // 2] <= 8


def test_no_output_is_an_error_or_a_warning(notebook):
    for cell in code(notebook):
        for output in cell.outputs:
            assert output.output_type != "error", cell.source
            assert output.get("name") != "stderr", output.text


def test_no_output_names_a_place_on_a_machine(notebook):
    places = re.compile(r"(?<![\w/:.])/\w+/\w+|\b[A-Z]:\\")  # an absolute path; a URL or a ratio is none
    for cell in code(notebook):
        for output in cell.outputs:
            text = str(output.get("text", "")) + "".join(
                str(value) for kind, value in output.get("data", {}).items() if kind.startswith("text/")
            )
            assert not places.search(text), text[:300]


def test_each_picture_has_its_words(notebook):
    pictures = [o for cell in code(notebook) for o in cell.outputs if "image/png" in o.get("data", {})]
    assert pictures
    for output in pictures:
        alt = output.metadata["image/png"]["alt"]
        assert len(alt) > 60
        assert alt == output.data["text/plain"]


def test_the_picture_kept_beside_it_is_its_own(path, notebook):
    assert (path.parent / "images" / f"{path.stem}.png").read_bytes() == first_picture(notebook)


def test_each_link_leads_somewhere(path, notebook):
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            for target in re.findall(r"\]\(([^)#]+)", cell.source):
                assert target.startswith("https://") or (path.parent / target).exists(), target


def modules_of(notebook) -> set[str]:
    """The modules of this project that a notebook uses, by their dotted names below nanogpt."""
    import nanogpt

    found = set()
    for cell in code(notebook):
        for node in ast.walk(ast.parse(cell.source)):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names if alias.name.split(".")[0] == "nanogpt"}
            elif isinstance(node, ast.ImportFrom) and node.module == "nanogpt":
                found |= {getattr(getattr(nanogpt, a.name), "__module__", "nanogpt.config") for a in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module.split(".")[0] == "nanogpt":
                found.add(node.module)
    return {name.removeprefix("nanogpt.") for name in found}


def test_each_chapter_uses_only_what_was_built_up_to_it(path, notebook):
    if number(path) == 0:
        return
    stems = {chapter[3:]: int(chapter[:2]) for chapter in CHAPTERS}
    for module in modules_of(notebook):
        if module.startswith("course.plots."):
            name = module.split(".")[-1]
            assert name == "canvas" or stems[name] <= number(path), f"{module} belongs to a later chapter"
        elif not module.startswith("course."):
            assert module in FREE or BUILT_IN[module] <= number(path), f"{module} is built in a later chapter"


def test_what_comes_ready_made_does_not_come_before_it_is_built(path, notebook):
    for module, name, first in (("ready", "ready_data", 6), ("ready", "ready_run", 8)):
        if any(name in cell.source for cell in code(notebook)):
            assert number(path) >= first, f"course.{module}.{name} before chapter {first:02}"


def test_the_time_it_says_is_the_time_it_took(notebook):
    said = TIME_SAID.findall(notebook.cells[0].source)
    assert said == [str(notebook.metadata.nanogpt.seconds)], "run: make notebooks"
    assert notebook.metadata.nanogpt.seconds < 240  # three minutes, on a shared machine that has its slow hours


def test_what_is_the_same_everywhere_is_compared(path, notebook):
    marked = [cell for cell in code(notebook) if "nbval-check-output" in cell.metadata.get("tags", [])]
    assert len(marked) >= (1 if number(path) == 0 else 4)
    for cell in marked:
        assert cell.outputs, "a cell without an output compares nothing"


def test_each_chapter_ends_with_what_to_do_and_where_it_is_from(notebook):
    end = "\n".join(cell.source for cell in notebook.cells[-3:])
    for part in ("**Try**", "**Exercise.**", "**Sources.**"):
        assert part in end
