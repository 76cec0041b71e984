import dataclasses
import json
import shutil

import pytest

import nanogpt.reports
from nanogpt.evaluate import Settings
from nanogpt.reports import evaluate_on, measured
from nanogpt.runs import load_run


@pytest.fixture
def run(story_run, tmp_path):
    shutil.copytree(story_run.folder, tmp_path / "run", ignore=shutil.ignore_patterns("reports"))
    return load_run(tmp_path / "run")


def refuse(*args):
    raise AssertionError("this was measured before")


def test_what_was_measured_is_not_measured_again(run, story_data, monkeypatch):
    report = measured(run, story_data.folder)
    assert report["loss"] > 0
    monkeypatch.setattr(nanogpt.reports, "evaluate_run", refuse)
    assert measured(run, story_data.folder) == report
    assert measured(run, story_data.folder, Settings(batch_size=2)) == report  # which decides about nothing
    with pytest.raises(AssertionError, match="measured before"):
        measured(run, story_data.folder, Settings(context_length=32))


def test_other_weights_are_measured_anew(run, story_data, monkeypatch):
    measured(run, story_data.folder)
    state = run.folder / f"step_{run.step:06d}" / "state.json"
    said = json.loads(state.read_text())
    said["sha256"]["model.safetensors"] = "0" * 64
    state.write_text(json.dumps(said))
    monkeypatch.setattr(nanogpt.reports, "evaluate_run", refuse)
    assert measured(run, story_data.folder)  # the weights that were loaded, whatever was saved meanwhile
    with pytest.raises(AssertionError, match="measured before"):
        measured(dataclasses.replace(run, weights_sha256="0" * 64), story_data.folder)


def test_settings_that_decide_about_nothing_are_not_told(run, monkeypatch):
    said = measured(run, "samples", Settings(limit=1, context_length=16, precision="bfloat16"), max_new_tokens=5)
    assert said["settings"] == {"context_length": 64, "stride": 64, "limit": 1, "precision": "float32"}


def test_what_evaluate_makes_is_kept_too(run, story_data, monkeypatch):
    report = evaluate_on(run)
    monkeypatch.setattr(nanogpt.reports, "evaluate_run", refuse)
    assert measured(run, story_data.folder) == json.loads(report.to_json())
    samples = evaluate_on(run, "samples", Settings(limit=1), max_new_tokens=5)
    assert measured(run, "samples", Settings(limit=1), max_new_tokens=5) == json.loads(samples.to_json())


def test_a_kept_report_that_was_cut_is_made_again(run, story_data):
    report = measured(run, story_data.folder)
    (path,) = (run.folder / "reports").glob("text-*.json")
    path.write_text(path.read_text()[:50])
    assert measured(run, story_data.folder)["loss"] == report["loss"]


def test_a_benchmark_that_was_measured_needs_no_hub_again(run, monkeypatch):
    from nanogpt.zeroshot import evaluate_lambada

    monkeypatch.setitem(
        nanogpt.reports.ZERO_SHOT, "lambada", lambda *args: evaluate_lambada(*args, passages=["one two", "three four"])
    )
    report = measured(run, "lambada")
    monkeypatch.setitem(nanogpt.reports.ZERO_SHOT, "lambada", refuse)
    assert measured(run, "lambada") == report
    with pytest.raises(ConnectionError, match="can't be reached"):
        measured(run, "wikitext-2")


def test_what_is_nothing_to_be_scored_on_is_told_with_what_is(run, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"lambda is neither a prepared folder .* nor one of wikitext-2, "):
        evaluate_on(run, "lambda")
    assert not (run.folder / "reports").exists()
