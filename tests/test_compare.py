"""The command `nanogpt compare` from end to end: offline, and with a hub on this machine."""

import csv
import io
import json
import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from local_hub import LocalHub
from random_gpt2 import random_gpt2
from test_cli import nanogpt, refusal
from test_zeroshot import lambada_shaped

from nanogpt.config import ModelConfig
from nanogpt.course.compare import short_name

FILES = {"report.json", "report.csv", "perplexity.png", "perplexity.svg", "report.html"}


@pytest.fixture
def folder(tmp_path, monkeypatch, story_run, story_data):
    """A working folder with runs/first in it, and the data that it was trained on."""
    shutil.copytree(story_run.folder, tmp_path / "runs" / "first", ignore=shutil.ignore_patterns("reports"))
    shutil.copytree(story_data.folder, tmp_path / "data" / "stories")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NANOGPT_HOME", str(tmp_path))
    return tmp_path


def compare(*names, on="data/stories", out="report", flags=()):
    return nanogpt("compare", *names, "--on", on, "--out", out, *flags)


def report(folder) -> dict:
    return json.loads((folder / "report" / "report.json").read_text())


def test_offline_what_is_here_is_measured_and_the_rest_is_said_in_a_line(folder, capsys):
    assert compare("runs/first", "gpt2", "gpt2-xl", flags=["--max-new-tokens", "20"]) == 0
    assert {path.name for path in (folder / "report").iterdir()} == FILES
    said = report(folder)
    kinds = [(row["model"], row["kind"]) for row in said["rows"]]
    assert kinds[0] == ("runs/first", "measured")
    assert {kind for model, kind in kinds if model.startswith("gpt2")} == {"published"}
    (rest,) = [note for note in said["notes"] if "could not be measured" in note]
    assert rest.startswith(
        "gpt2, gpt2-xl, wikitext-2 of runs/first, lambada of runs/first could not be measured, as the hub at http"
    )
    assert rest.endswith("Once online, the same command measures the rest.")
    assert len(said["claims"]) == 11
    printed = capsys.readouterr().out
    assert rest in printed
    assert "report/report.html is ready" in printed
    page = (folder / "report" / "report.html").read_text()
    assert all(note.split(",")[0] in page for note in said["notes"])


def test_what_was_scored_is_not_scored_again(folder, monkeypatch):
    assert compare("runs/first", flags=["--also", "samples", "--max-new-tokens", "20"]) == 0
    first = (folder / "report" / "report.json").read_bytes()

    def refuse(*args):
        raise AssertionError("this was measured before")

    for name in ("evaluate_run", "evaluate_samples"):
        monkeypatch.setattr(f"nanogpt.reports.{name}", refuse)
    assert compare("runs/first", flags=["--also", "samples", "--max-new-tokens", "20"]) == 0
    assert (folder / "report" / "report.json").read_bytes() == first


def test_what_cannot_be_compared_is_told_before_the_work_begins(folder, capsys):
    def refused(*args, **flags) -> str:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("nanogpt.reports.evaluate_run", lambda *args: 1 / 0)
            on = flags.pop("on", "data/stories")
            return refusal(capsys, "compare", *args, "--on", on, "--out", "report", *flags.pop("flags", ()))

    assert "runs/second is neither a run's folder nor one of gpt2, gpt2-medium" in refused("runs/first", "runs/second")
    assert "data/none is not a prepared folder" in refused("runs/first", on="data/none")
    assert "lambda is not a prepared folder" in refused("runs/first", flags=["--also", "lambda"])
    assert not (folder / "report").exists()


def test_without_any_run_and_any_hub_what_is_published_is_charted(folder):
    assert compare("gpt2") == 0
    assert {row["kind"] for row in report(folder)["rows"]} == {"published"}


def parquet(texts: list[str]) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.table({"text": texts}), buffer)
    return buffer.getvalue()


@pytest.mark.slow
def test_with_a_hub_gpt2_is_imported_scored_beside_our_run_and_remembered(folder, tmp_path_factory):
    config = ModelConfig(n_layer=2, n_head=2, n_embd=32, context_length=128, vocab_size=50_257, bias=True)
    checkpoint = tmp_path_factory.mktemp("checkpoint")
    random_gpt2(config).save_pretrained(checkpoint)
    texts = [f"Document {i} says {i * i}, and some more. " * (1 + i % 9) for i in range(3000)]
    with LocalHub(folder / "hub") as hub:
        for name in ("config.json", "model.safetensors"):
            hub.put("models", "openai-community/gpt2", name, (checkpoint / name).read_bytes())
        hub.put("datasets", "Skylion007/openwebtext", "plain_text/train-00000.parquet", parquet(texts))
        hub.put("datasets", "EleutherAI/lambada_openai", "default/test/0000.parquet", parquet(lambada_shaped(n=10)))
        prepared = hub.nanogpt(folder, "prepare", "openwebtext", "--out", "data/owt")
        assert prepared.returncode == 0, prepared.stderr
        flags = ["--on", "data/owt", "--out", "report", "--also", "lambada", "samples", "--max-new-tokens", "20"]
        done = hub.nanogpt(folder, "compare", "runs/first", "gpt2", *flags, NANOGPT_HOME=str(folder))
        assert done.returncode == 0, done.stderr
        assert "gpt2: asking the hub" in done.stdout
        said = report(folder)
        again = hub.nanogpt(
            folder, "compare", "runs/first", "runs/gpt2", *flags, NANOGPT_HOME=str(folder), HF_HUB_OFFLINE="1"
        )
        assert again.returncode == 0, again.stderr
    assert "asking the hub" not in again.stdout
    assert report(folder) == said  # the folder of an imported GPT-2 is known by where it came from
    measured = [(row["model"], row["context_length"]) for row in said["rows"] if row["kind"] == "measured"]
    assert measured == [("runs/first", 64), ("gpt2", 64), ("gpt2", 128)]
    rows = {(row["model"], row["kind"], row["context_length"]): row for row in said["rows"]}
    ours, small = rows["runs/first", "measured", 64], rows["gpt2", "measured", 64]
    assert "another tokenizer" in small["differs"]
    assert ours["bits_per_byte"] != small["bits_per_byte"]
    assert rows["gpt2", "published", 1024]["source"] == "nanoGPT README baselines"
    assert said["notes"] == [] or all("lambada" not in note for note in said["notes"])
    benchmarks = {(row["benchmark"], row["model"], row["kind"]) for row in said["benchmarks"]}
    assert ("lambada", "gpt2", "measured") in benchmarks
    with (folder / "report" / "report.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    assert [row["model"] for row in table] == [row["model"] for row in said["rows"]]


def test_a_run_in_the_workspace_is_called_by_its_place_there(tmp_path, monkeypatch):
    monkeypatch.setenv("NANOGPT_HOME", str(tmp_path))
    assert short_name(str(tmp_path / "runs" / "first")) == "runs/first"
    assert short_name("runs/first") == "runs/first"
    assert short_name("/elsewhere/first") == "/elsewhere/first"
