"""The hub's own clients against a hub on this machine: what `nanogpt` says when it answers, and when it doesn't."""

import errno
import io
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from local_hub import LocalHub
from random_gpt2 import random_gpt2
from test_zeroshot import lambada_shaped

from nanogpt.config import ModelConfig
from nanogpt.corpora import open_corpus
from nanogpt.hub import errors_in_a_sentence, is_reachable
from nanogpt.prepare import prepare

OPENWEBTEXT = ("datasets", "Skylion007/openwebtext")
GPT2 = ("models", "openai-community/gpt2")
TEXTS = [f"Document {i}. " + "It goes on and on. " * (i % 40) for i in range(1200)]
PATIENT = (
    "import time; pause = time.sleep; time.sleep = lambda s: pause(min(s, 0.01)); "  # clients wait before retrying
)


def parquet(texts: list[str], column: str = "text") -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.table({column: texts}), buffer, row_group_size=100, compression=None, use_dictionary=False)
    return buffer.getvalue()


@pytest.fixture
def hub(tmp_path):
    with LocalHub(tmp_path / "hub") as hub:
        yield hub


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("checkpoint")
    config = ModelConfig(n_layer=2, n_head=2, n_embd=32, context_length=64, vocab_size=50_257, bias=True)
    random_gpt2(config).save_pretrained(folder)
    return folder


def put_openwebtext(hub: LocalHub, **where) -> None:
    hub.put(*OPENWEBTEXT, "plain_text/train/0000.parquet", parquet(TEXTS[:700]), **where)
    hub.put(*OPENWEBTEXT, "plain_text/train/0001.parquet", parquet(TEXTS[700:]), **where)


def put_gpt2(hub: LocalHub, checkpoint: Path) -> None:
    for name in ("config.json", "model.safetensors"):
        hub.put(*GPT2, name, (checkpoint / name).read_bytes())


def one_sentence(done) -> str:
    assert done.returncode == 2, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("nanogpt: ")]
    assert len(lines) == 1, done.stderr
    return lines[0]


@pytest.mark.slow
@pytest.mark.parametrize("where", ["plain files", "converted files"])
def test_openwebtext_is_prepared_from_the_hub_with_nanogpts_settings(where, hub, tmp_path):
    if where == "plain files":
        put_openwebtext(hub)
    else:
        hub.put(*OPENWEBTEXT, "openwebtext.py", b"import datasets")  # a loading script, which is never run
        put_openwebtext(hub, revision="refs/convert/parquet")
    done = hub.nanogpt(tmp_path, "prepare", "openwebtext", "--out", "data/owt", "--limit", 1000)
    assert done.returncode == 0, done.stderr
    assert "1000/1000" in done.stderr  # the limit is what the progress counts towards
    (tmp_path / "texts.jsonl").write_text("\n".join(json.dumps({"text": text}) for text in TEXTS[:1000]))
    local = open_corpus(str(tmp_path / "texts.jsonl"))
    wanted = prepare(local, tmp_path / "local", "gpt2", val_share=0.0005, seed=2357, shuffle=True)
    meta = json.loads((tmp_path / "data" / "owt" / "meta.json").read_text())
    assert meta["splits"] == wanted.meta["splits"]
    assert "next: nanogpt train gpt-30m --data data/owt" in done.stdout


@pytest.mark.slow
def test_a_connection_that_breaks_is_taken_up_again(hub, tmp_path, checkpoint):
    put_openwebtext(hub)
    put_gpt2(hub, checkpoint)
    hub.cut, hub.cuts = {"0000.parquet": 100_000, "model.safetensors": 1_000_000}, 2
    assert hub.nanogpt(tmp_path, "prepare", "openwebtext", "--out", "owt", python=PATIENT).returncode == 0
    hub.cuts = 2
    done = hub.nanogpt(tmp_path, "import", "gpt2", "--out", "runs/gpt2", python=PATIENT)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "runs" / "gpt2" / "config.json").exists()


@pytest.mark.slow
def test_a_connection_that_stays_broken_is_told_and_gone_on_with_later(hub, tmp_path):
    put_openwebtext(hub)
    hub.cut = {"0001.parquet": 100_000}
    notes_often = PATIENT + "import nanogpt.prepare, nanogpt.encode; "
    notes_often += "nanogpt.prepare.NOTE_EVERY = 0; nanogpt.encode.ALONE = 1; "
    said = one_sentence(hub.nanogpt(tmp_path, "prepare", "openwebtext", "--out", "owt", python=notes_often))
    assert "Skylion007/openwebtext could not be read from the hub" in said
    assert "run the same command again, and it goes on from there" in said
    assert not (tmp_path / "owt").exists()
    kept = json.loads((tmp_path / "owt.partial" / "note.json").read_text())["documents"]
    assert 0 < kept <= 700
    hub.cut, hub.requests = {}, []
    done = hub.nanogpt(tmp_path, "prepare", "openwebtext", "--out", "owt")
    assert done.returncode == 0, done.stderr
    wanted = prepare(open_corpus(str(_local(tmp_path))), tmp_path / "local", "gpt2", 0.0005, shuffle=True)
    assert json.loads((tmp_path / "owt" / "meta.json").read_text())["splits"] == wanted.meta["splits"]
    assert not (tmp_path / "owt.partial").exists()


def _local(folder: Path) -> Path:
    path = folder / "texts.jsonl"
    path.write_text("\n".join(json.dumps({"text": text}) for text in TEXTS))
    return path


@pytest.mark.slow
def test_gpt2_is_imported_from_the_hub_and_again_from_the_cache(hub, tmp_path, checkpoint):
    put_gpt2(hub, checkpoint)
    hub.slow = {"model.safetensors": 1.0}
    done = hub.nanogpt(tmp_path, "import", "gpt2", "--out", "runs/gpt2")
    assert done.returncode == 0, done.stderr
    assert "openai-community/gpt2 has 2 layers" in done.stdout
    again = hub.nanogpt(tmp_path, "import", "gpt2", "--out", "runs/again", HF_HUB_OFFLINE="1")
    assert again.returncode == 0, again.stderr
    weights = "step_000000/model.safetensors"
    assert (tmp_path / "runs" / "gpt2" / weights).read_bytes() == (tmp_path / "runs" / "again" / weights).read_bytes()
    said = one_sentence(hub.nanogpt(tmp_path, "import", "gpt2", "--out", "runs/gpt2"))
    assert "already exists" in said


@pytest.mark.slow
def test_a_model_that_cannot_be_had_is_named_and_nothing_is_left(hub, tmp_path, checkpoint):
    def refused(**options) -> str:
        return one_sentence(hub.nanogpt(tmp_path, "import", "gpt2", "--out", "runs/gpt2", **options))

    assert "has no config.json of openai-community/gpt2; check its name there" in refused()
    put_gpt2(hub, checkpoint)
    (hub.root / "models" / "openai-community" / "gpt2" / "main" / "model.safetensors").unlink()
    assert "has no model.safetensors of openai-community/gpt2" in refused()
    put_gpt2(hub, checkpoint)
    hub.wrong_hash = {"model.safetensors"}
    said = refused()
    assert "did not arrive as the hub announced it (SHA-256 differs) and was thrown away" in said
    assert said.count("run the same command again") == 1
    hub.wrong_hash, hub.cut = set(), {"model.safetensors": 1_000_000}
    assert "model.safetensors of openai-community/gpt2 could not be read from the hub" in refused(python=PATIENT)
    assert not (tmp_path / "runs").exists()
    hub.cut = {}
    assert hub.nanogpt(tmp_path, "import", "gpt2", "--out", "runs/gpt2").returncode == 0


@pytest.mark.parametrize("address", ["http://hub:abc", "http://[::1", "hub.example", "http://127.0.0.1:9"])
def test_an_address_that_is_none_is_a_hub_that_is_not_there(address, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    monkeypatch.setenv("HF_ENDPOINT", address)
    assert not is_reachable()


def test_a_full_disk_is_not_taken_for_a_hub_that_is_away():
    with pytest.raises(OSError, match="No space left") as raised, errors_in_a_sentence("some/repo"):
        raise OSError(errno.ENOSPC, "No space left on device", "cache")
    assert not isinstance(raised.value, ConnectionError)


@pytest.mark.slow
def test_a_hub_that_is_not_there_is_told_at_once(hub, tmp_path):
    nowhere = {"HF_ENDPOINT": "http://127.0.0.1:9", "timeout": 30}  # a port where nothing answers
    said = one_sentence(hub.nanogpt(tmp_path, "prepare", "openwebtext", "--out", "owt", **nowhere))
    assert "http://127.0.0.1:9 can't be reached from here; go online" in said
    said = one_sentence(hub.nanogpt(tmp_path, "import", "gpt2-xl", "--out", "runs/xl", **nowhere))
    assert "config.json of openai-community/gpt2-xl is not in the cache" in said
    assert [path.name for path in tmp_path.iterdir() if path.name != "hub"] == []


@pytest.mark.slow
def test_wikitext_and_lambada_come_from_the_hub_and_a_bad_line_is_told(hub, tmp_path, story_run):
    lines = [
        "",
        " = A = \n",
        "",
        " Words , and more . \n",
        " = = Part = = \n",
        " End . \n",
        "",
        " = B = \n",
        " So . \n",
    ]
    hub.put("datasets", "Salesforce/wikitext", "wikitext-2-raw-v1/test-00000-of-00001.parquet", parquet(lines))
    hub.put("datasets", "Salesforce/wikitext", "README.md", WIKITEXT_CARD.encode())
    done = hub.nanogpt(tmp_path, "evaluate", story_run.folder, "--on", "wikitext-2", "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert (report["task"], report["documents"]) == ("wikitext-2", 2)
    passages = lambada_shaped(n=20)
    hub.put("datasets", "EleutherAI/lambada_openai", "default/test/0000.parquet", parquet(passages))
    done = hub.nanogpt(tmp_path, "evaluate", story_run.folder, "--on", "lambada", "--limit", 15, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["documents"] == 15
    hub.put("datasets", "EleutherAI/lambada_openai", "default/test/0000.parquet", parquet(["word", *passages]))
    said = one_sentence(hub.nanogpt(tmp_path, "evaluate", story_run.folder, "--on", "lambada"))
    assert "the LAMBADA passage 'word' has no last word to guess" in said


WIKITEXT_CARD = """---
configs:
- config_name: wikitext-2-raw-v1
  data_files:
  - split: test
    path: wikitext-2-raw-v1/test-*
---
"""
