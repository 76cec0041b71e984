"""The README's figures and links are true."""

import re
from pathlib import Path

import nbformat
import pytest

from nanogpt.config import PRESETS

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
INSTRUCTORS = (ROOT / "INSTRUCTORS.md").read_text()


@pytest.mark.parametrize("name", PRESETS)
def test_a_presets_row_says_what_it_is(name):
    (row,) = [line for line in README.splitlines() if line.startswith(f"| `{name}` |")]
    model, train = PRESETS[name].model, PRESETS[name].train
    parameters, tokens = model.parameter_count(), train.n_steps * train.tokens_per_step
    assert [cell.strip() for cell in row.split("|")[2:4]] == [f"{parameters:,}", f"{tokens:,} tokens"]


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "INSTRUCTORS.md"])
def test_each_link_leads_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)\)", (ROOT / page).read_text()):
        assert target.startswith("https://") or (ROOT / target).exists(), target


def test_the_schedule_gives_each_exercise_and_each_notebook_its_own_figures():
    rows = re.findall(r"^\| \d+ \| (.*) \| (\w+) \| (\d+) \| (\d+) min \| (.*) \|$", INSTRUCTORS, re.M)
    assert len(rows) == 10
    seen = []
    for chapters, exercise, points, minutes, seconds in rows:
        (page,) = (ROOT / "exercises" / exercise).glob("*.ipynb")
        assert f"*{points} points, about {minutes} minutes" in nbformat.read(page, as_version=4).cells[0].source
        notebooks = [ROOT / target for target in re.findall(r"\]\((.*?)\)", chapters)]
        texts = [nbformat.read(notebook, as_version=4) for notebook in notebooks]
        times = [re.search(r"Time: (\d+) seconds", "".join(c.source for c in nb.cells))[1] for nb in texts]
        assert [f"{t} s" for t in times] == seconds.split(", "), exercise
        seen += [notebook.name for notebook in notebooks]
    assert seen == sorted(path.name for path in (ROOT / "notebooks").glob("[0-9]*.ipynb"))
