"""A tiny corpus and a tiny trained run, made once and shared by the tests that only read them."""

import hypothesis
import pytest

from nanogpt.config import PRESETS
from nanogpt.corpora import open_corpus
from nanogpt.data import TokenData
from nanogpt.prepare import prepare
from nanogpt.runs import Run, load_run, start_run
from nanogpt.train import training_steps

hypothesis.settings.register_profile("course", deadline=None)  # on a busy machine, a first call takes its time
hypothesis.settings.load_profile("course")


@pytest.fixture(scope="session")
def story_data(tmp_path_factory) -> TokenData:
    return prepare(open_corpus("stories", limit=300), tmp_path_factory.mktemp("data") / "stories", tokenizer="512")


@pytest.fixture(scope="session")
def story_run(tmp_path_factory, story_data) -> Run:
    run = tmp_path_factory.mktemp("runs") / "stories"
    start_run(run, PRESETS["smoke"], story_data.folder, "smoke")
    for _ in training_steps(run):
        pass
    return load_run(run)
