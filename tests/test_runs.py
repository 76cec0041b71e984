import dataclasses
import json
import shutil

import pytest
import torch

from nanogpt.config import PRESETS, ModelConfig, RunConfig
from nanogpt.corpora import open_corpus
from nanogpt.prepare import prepare
from nanogpt.runs import (
    accumulation_steps,
    change_run,
    load_run,
    newest_checkpoint,
    read_config,
    require_trained,
    start_run,
)
from nanogpt.train import training_steps

SMOKE = PRESETS["smoke"]


def smoke(model=None, **train) -> RunConfig:
    return RunConfig(
        dataclasses.replace(SMOKE.model, **(model or {})), dataclasses.replace(SMOKE.train, **{"n_steps": 20, **train})
    )


def test_tokens_that_do_not_divide_are_refused():
    with pytest.raises(ValueError, match=r"= 64 x 16 x 3 = 3072; change one of them"):
        accumulation_steps(SMOKE, 3)


def test_an_existing_run_is_not_overwritten(story_run, story_data):
    with pytest.raises(FileExistsError, match="already exists; add --resume to go on with it"):
        start_run(story_run.folder, SMOKE, story_data.folder, "smoke")


def test_a_start_that_fails_leaves_no_folder(tmp_path, story_data):
    config = smoke({"context_length": 100_000}, tokens_per_step=1_600_000)
    with pytest.raises(ValueError, match="fewer than one context of 100000"):
        start_run(tmp_path / "run", config, story_data.folder, "smoke")
    assert not (tmp_path / "run").exists()


def test_the_precision_is_settled_at_the_start(tmp_path, story_data, monkeypatch):
    monkeypatch.setattr("nanogpt.runs.choose_precision", lambda name, device: "bfloat16")
    start_run(tmp_path / "run", smoke(precision="auto"), story_data.folder, "smoke")
    assert read_config(tmp_path / "run")[0].train.precision == "bfloat16"


def test_settings_changed_by_hand_are_taken_over_on_resume(tmp_path, story_data):
    start_run(tmp_path / "run", smoke(), story_data.folder, "smoke")
    by_hand = RunConfig(SMOKE.model, dataclasses.replace(SMOKE.train, n_steps=50))
    change_run(tmp_path / "run", by_hand, "smoke")
    assert read_config(tmp_path / "run")[0].train.n_steps == 50
    change_run(tmp_path / "run", SMOKE, "smoke")  # nothing by hand: the run's own settings stay
    assert read_config(tmp_path / "run")[0].train.n_steps == 50


@pytest.mark.parametrize(
    ("config", "preset", "says"),
    [
        (SMOKE, "laptop", "is a 'smoke' run, got 'laptop'"),
        (smoke({"n_layer": 3}), "smoke", "was started with n_layer=2, got 3"),
    ],
)
def test_another_preset_or_model_is_refused_on_resume(config, preset, says, story_run):
    with pytest.raises(ValueError, match=says):
        change_run(story_run.folder, config, preset)


def test_a_checkpoint_of_another_configuration_is_refused(tmp_path, story_data):
    start_run(tmp_path / "run", smoke(n_steps=4), story_data.folder, "smoke")
    list(training_steps(tmp_path / "run"))
    path = tmp_path / "run" / "config.json"
    path.write_text(path.read_text().replace('"n_embd": 32', '"n_embd": 64'))
    with pytest.raises(ValueError, match="step_000004 is from another configuration"):
        load_run(tmp_path / "run")


def test_a_folder_without_a_run_or_a_checkpoint_is_named(tmp_path, story_data):
    with pytest.raises(FileNotFoundError, match="holds no run"):
        load_run(tmp_path / "nowhere")
    start_run(tmp_path / "run", smoke(), story_data.folder, "smoke")
    with pytest.raises(FileNotFoundError, match="has no checkpoint yet"):
        load_run(tmp_path / "run")


def test_the_run_can_be_read_from_its_folder_alone(story_run):
    assert story_run.step == SMOKE.train.n_steps
    assert story_run.model.config == story_run.config.model == ModelConfig(2, 2, 32, 64, 512)
    assert not story_run.model.training
    assert json.loads((story_run.folder / "run.json").read_text())["preset"] == "smoke"


def test_a_run_finds_its_data_from_any_folder(tmp_path, story_data, monkeypatch):
    monkeypatch.chdir(story_data.folder.parent)
    start_run(tmp_path / "run", SMOKE, story_data.folder.name, "smoke")
    monkeypatch.chdir(tmp_path)
    assert next(training_steps(tmp_path / "run"))["step"] == 0


def test_data_that_moved_is_found_again_and_other_data_refused(tmp_path, story_data):
    start_run(tmp_path / "run", smoke(n_steps=4), story_data.folder, "smoke")
    shutil.copytree(story_data.folder, tmp_path / "moved")
    change_run(tmp_path / "run", SMOKE, "smoke", tmp_path / "moved")
    assert read_config(tmp_path / "run")[1]["data"] == str(tmp_path / "moved")
    other = prepare(open_corpus("stories", limit=60), tmp_path / "other", tokenizer="300")
    with pytest.raises(ValueError, match=r"is not what .* was trained on"):
        change_run(tmp_path / "run", SMOKE, "smoke", other.folder)
    assert read_config(tmp_path / "run")[1]["data"] == str(tmp_path / "moved")


@pytest.mark.parametrize("text", ["{}", "[]", "{", '{"preset": "huge"}'])
def test_a_damaged_origin_is_named(text, tmp_path, story_data):
    start_run(tmp_path / "run", smoke(), story_data.folder, "smoke")
    (tmp_path / "run" / "run.json").write_text(text)
    with pytest.raises(ValueError, match=r"run( can't be read|.run\.json was cut or altered)"):
        read_config(tmp_path / "run")


def test_a_folder_that_only_looks_like_a_checkpoint_does_no_harm(tmp_path, story_data):
    start_run(tmp_path / "run", smoke(n_steps=4), story_data.folder, "smoke")
    (tmp_path / "run" / "step_backup").mkdir()
    list(training_steps(tmp_path / "run"))
    assert load_run(tmp_path / "run").step == 4


def test_loading_draws_no_weights_and_holds_them_once(story_run):
    torch.manual_seed(5)
    before = torch.get_rng_state()
    run = load_run(story_run.folder)
    assert torch.equal(torch.get_rng_state(), before)
    assert run.model.lm_head.weight is run.model.token_embedding.weight
    assert not any(parameter.is_meta for parameter in run.model.parameters())
    x = torch.arange(20)[None]
    torch.testing.assert_close(run.model(x), story_run.model(x), atol=0, rtol=0)


def test_a_loaded_run_can_be_trained_on_and_its_files_stay(story_run):
    file = newest_checkpoint(story_run.folder) / "model.safetensors"
    before = file.read_bytes()
    run = load_run(story_run.folder)
    run.model(torch.arange(20)[None]).sum().backward()
    with torch.no_grad():
        for parameter in run.model.parameters():
            parameter.sub_(parameter.grad)
    assert file.read_bytes() == before


@pytest.fixture
def imported(tmp_path, story_run):
    """A run as `import_checkpoint` leaves it: trained by others, so without data and an optimiser's memory."""
    run = tmp_path / "imported"
    run.mkdir()
    for name in ("config.json", "tokenizer.json"):
        shutil.copy(story_run.folder / name, run / name)
    step = newest_checkpoint(story_run.folder)
    shutil.copytree(step, run / step.name, ignore=shutil.ignore_patterns("optimizer.safetensors"))
    origin = {"imported": {"source": "openai-community/gpt2"}, "tokenizer_sha256": "0"}
    (run / "run.json").write_text(json.dumps(origin))
    return run


def test_an_imported_run_is_loaded_like_any_other(imported, story_run):
    run = load_run(imported)
    assert run.origin["imported"]["source"] == "openai-community/gpt2"
    x = torch.arange(20)[None]
    torch.testing.assert_close(run.model(x), story_run.model(x), atol=0, rtol=0)


def test_an_imported_run_cannot_be_trained_on_and_says_so(imported, story_run):
    says = "was imported from openai-community/gpt2, so there is no training here to go on with; evaluate it"
    with pytest.raises(ValueError, match=says):
        change_run(imported, SMOKE, "smoke")
    with pytest.raises(ValueError, match=says):
        require_trained(imported, read_config(imported)[1])
    with pytest.raises(ValueError, match=says):
        next(training_steps(imported))
    require_trained(story_run.folder, story_run.origin)
    with pytest.raises(FileExistsError, match="already exists"):
        start_run(imported, SMOKE, story_run.origin["data"], "smoke")


@pytest.mark.parametrize("imported_from", [None, "gpt2", {}])
def test_an_imported_runs_damaged_origin_is_named(imported_from, imported):
    (imported / "run.json").write_text(json.dumps({"imported": imported_from, "tokenizer_sha256": "0"}))
    with pytest.raises(ValueError, match=r"run\.json was cut or altered"):
        read_config(imported)
