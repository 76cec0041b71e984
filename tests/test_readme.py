"""The README's figures and links are true."""

import re
from pathlib import Path

import pytest

from nanogpt.config import PRESETS

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


@pytest.mark.parametrize("name", PRESETS)
def test_a_presets_row_says_what_it_is(name):
    (row,) = [line for line in README.splitlines() if line.startswith(f"| `{name}` |")]
    model, train = PRESETS[name].model, PRESETS[name].train
    parameters, tokens = model.parameter_count(), train.n_steps * train.tokens_per_step
    assert [cell.strip() for cell in row.split("|")[2:4]] == [f"{parameters:,}", f"{tokens:,} tokens"]


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_each_link_leads_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)\)", (ROOT / page).read_text()):
        assert target.startswith("https://") or (ROOT / target).exists(), target
