"""What holds for every notebook without running it; running is nbval's part, in the same `make test`."""

import re
from pathlib import Path

import nbformat
import pytest

from nanogpt.course.notebooks import KEPT_METADATA, first_picture, source_hash

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def path(request) -> Path:
    return request.param


@pytest.fixture
def notebook(path):
    return nbformat.read(path, as_version=4)


def code(notebook) -> list:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def test_there_are_notebooks():
    assert NOTEBOOKS[0].name == "00_start.ipynb"


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
    assert lengths[len(lengths) // 2] <= 8


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
