import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import datasets
import numpy as np
import pytest

import nanogpt.encode
import nanogpt.prepare
from nanogpt.corpora import Corpus, Document, in_batches, open_corpus
from nanogpt.prepare import prepare, split_documents

MANY = [f"Document {i} says {i * i}." for i in range(200)]


def corpus_of(*texts: str) -> Corpus:
    return Corpus({"source": "test", "texts": list(texts)}, in_batches(lambda: map(Document, texts)))


def test_the_shards_hold_the_documents_one_end_of_text_after_each(tmp_path):
    corpus = corpus_of(*MANY)
    data = prepare(corpus, tmp_path / "out", tokenizer="gpt2")
    split = split_documents(len(MANY), 0.1, 2357)
    for name in ("train", "val"):
        wanted = [MANY[i] for i in split[name]]
        said = data.meta["splits"][name]
        raw = (tmp_path / "out" / f"{name}.bin").read_bytes()
        ids = np.frombuffer(raw, dtype="<u2")
        decoded = data.tokenizer.decode([int(i) for i in ids]).split("<|endoftext|>")
        assert decoded == [*wanted, ""]
        assert said["documents"] == len(wanted)
        assert said["bytes"] == sum(len(text.encode()) for text in wanted)
        assert said["tokens"] == len(ids)
        assert said["sha256"] == hashlib.sha256(raw).hexdigest()


def test_the_split_follows_the_seed_and_leaves_nothing_out():
    for shuffle in (False, True):
        first, again, other = (split_documents(200, 0.2, seed, shuffle)["val"].tolist() for seed in (1, 1, 2))
        assert first == again != other
        assert 20 < len(first) < 60
        split = split_documents(200, 0.2, 1, shuffle)
        assert sorted([*split["train"], *split["val"]]) == list(range(200))


@pytest.mark.parametrize("n", [3, 199, 2000, 8013])
@pytest.mark.parametrize("share", [0.0005, 0.1, 0.3])
def test_shuffled_it_is_the_split_of_datasets(n, share):
    rows = datasets.Dataset.from_dict({"i": range(n)}).train_test_split(test_size=share, seed=2357, shuffle=True)
    ours = split_documents(n, share, 2357, shuffle=True)
    assert ours["train"].tolist() == rows["train"]["i"][:]
    assert ours["val"].tolist() == rows["test"]["i"][:]


def test_the_tokenizer_learns_from_the_training_documents_alone(tmp_path):
    corpus = corpus_of(*MANY)
    held_out = [MANY[i] for i in split_documents(len(MANY), 0.1, 2357)["val"]]
    spoilt = corpus_of(*(text if text not in held_out else "zzzzzzzz" * 50 for text in MANY))
    one = prepare(corpus, tmp_path / "one", tokenizer="300")
    two = prepare(spoilt, tmp_path / "two", tokenizer="300")
    assert one.meta["tokenizer"]["sha256"] == two.meta["tokenizer"]["sha256"]


def test_text_that_looks_like_the_special_token_does_not_end_a_document(tmp_path):
    data = prepare(corpus_of(*MANY, "a <|endoftext|> b"), tmp_path / "out", tokenizer="gpt2")
    eot = data.tokenizer.eot_token
    for name in ("train", "val"):
        assert (data.tokens(name) == eot).sum() == data.meta["splits"][name]["documents"]


def test_preparing_again_keeps_what_is_there(tmp_path):
    first = prepare(corpus_of(*MANY), tmp_path / "out")
    stamp = (tmp_path / "out" / "train.bin").stat().st_mtime_ns
    again = prepare(corpus_of(*MANY), tmp_path / "out")
    assert again.meta == first.meta
    assert (tmp_path / "out" / "train.bin").stat().st_mtime_ns == stamp
    with pytest.raises(FileExistsError, match="already holds something else"):
        prepare(corpus_of(*MANY, "more"), tmp_path / "out")


def test_a_folder_with_other_things_in_it_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(FileExistsError, match="already holds something else"):
        prepare(corpus_of(*MANY), tmp_path)
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


@pytest.mark.parametrize(("texts", "says"), [([], "the corpus is empty"), (["only one"], "too few to be split")])
def test_a_corpus_that_cannot_be_split_is_refused_and_leaves_nothing(texts, says, tmp_path):
    with pytest.raises(ValueError, match=says):
        prepare(corpus_of(*texts), tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("tokenizer", "says"),
    [("100", "out of range"), ("70000", "out of range"), ("gtp2", "neither 'gpt2' nor")],
)
def test_a_tokenizer_that_cannot_be_is_refused_and_leaves_nothing(tokenizer, says, tmp_path):
    with pytest.raises(ValueError, match=says):
        prepare(corpus_of(*MANY), tmp_path / "out", tokenizer=tokenizer)
    assert list(tmp_path.iterdir()) == []


def hashes(folder: Path) -> list[str]:
    return [hashlib.sha256((folder / f"{name}.bin").read_bytes()).hexdigest() for name in ("train", "val")]


def test_with_nanogpts_settings_the_shards_are_what_its_recipe_writes(tmp_path):
    texts = [f"{text}\n\nnaïve 日本 <|endoftext|> {i}" for i, text in enumerate(MANY * 5)]
    data = prepare(corpus_of(*texts), tmp_path / "ours", "gpt2", val_share=0.0005, shuffle=True)
    split = datasets.Dataset.from_dict({"text": texts}).train_test_split(test_size=0.0005, seed=2357, shuffle=True)
    encoding = data.tokenizer
    rows = split.map(lambda row: {"ids": [*encoding.encode_ordinary(row["text"]), encoding.eot_token]})
    for ours, theirs in (("train", "train"), ("val", "test")):
        ids = np.concatenate([np.array(ids, dtype=np.uint16) for ids in rows[theirs]["ids"]])
        assert (tmp_path / "ours" / f"{ours}.bin").read_bytes() == ids.tobytes()


def test_a_tokenizer_cannot_be_learnt_from_shuffled_documents(tmp_path):
    with pytest.raises(ValueError, match="can't be learnt from shuffled documents"):
        prepare(corpus_of(*MANY), tmp_path / "out", "300", shuffle=True)
    assert list(tmp_path.iterdir()) == []


def test_another_seed_or_another_tokenizer_in_the_same_place_is_another_recipe(tmp_path):
    prepare(open_corpus("stories", limit=40, seed=1), tmp_path / "stories", "300")
    with pytest.raises(FileExistsError, match="already holds something else"):
        prepare(open_corpus("stories", limit=40, seed=2), tmp_path / "stories", "300")
    one = prepare(corpus_of(*MANY), tmp_path / "one", "300")
    two = prepare(corpus_of(*MANY), tmp_path / "two", "280")
    file = tmp_path / "tokenizer.json"
    file.write_bytes((one.folder / "tokenizer.json").read_bytes())
    prepare(corpus_of(*MANY), tmp_path / "out", str(file))
    file.write_bytes((two.folder / "tokenizer.json").read_bytes())
    with pytest.raises(FileExistsError, match="already holds something else"):
        prepare(corpus_of(*MANY), tmp_path / "out", str(file))


class Interrupted(OSError):
    pass


@pytest.mark.parametrize("tokenizer", ["gpt2", "300"])
def test_broken_off_it_goes_on_where_it_was(tokenizer, tmp_path, monkeypatch):
    monkeypatch.setattr(nanogpt.prepare, "NOTE_EVERY", 0.0)
    monkeypatch.setattr(nanogpt.encode, "ALONE", 1)
    corpus, asked, broken = corpus_of(*MANY * 10), [], []

    def breaks_off(place):
        asked.append(place)
        for number, batch in enumerate(corpus.batches(place)):
            yield batch
            if number == 20 and tokenizer_is_there() and not broken:
                broken.append(True)
                raise Interrupted("the connection is gone")

    def tokenizer_is_there() -> bool:  # where one is learnt, that is a reading of its own
        return (tmp_path / "out.partial" / "tokenizer.json").exists()

    breaking = Corpus(corpus.recipe, breaks_off)
    whole = prepare(corpus, tmp_path / "whole", tokenizer)
    with pytest.raises(Interrupted):
        prepare(breaking, tmp_path / "out", tokenizer)
    assert not (tmp_path / "out").exists()
    data = prepare(breaking, tmp_path / "out", tokenizer)
    assert 10 * 64 <= asked[-1] <= 21 * 64  # documents that were done are not read again
    assert hashes(tmp_path / "out") == hashes(tmp_path / "whole")
    assert data.meta == whole.meta
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "whole"]


def test_what_was_begun_with_another_recipe_is_begun_anew(tmp_path, monkeypatch):
    monkeypatch.setattr(nanogpt.prepare, "NOTE_EVERY", 0.0)

    def breaks_off(place):
        yield next(corpus_of(*MANY).batches(place))
        raise Interrupted

    with pytest.raises(Interrupted):
        prepare(Corpus({"source": "other"}, breaks_off), tmp_path / "out", "gpt2")
    prepare(corpus_of(*MANY), tmp_path / "out", "gpt2")
    prepare(corpus_of(*MANY), tmp_path / "plain", "gpt2")
    assert hashes(tmp_path / "out") == hashes(tmp_path / "plain")


def texts_on_disk(path: Path, megabytes: float) -> Path:
    rng, words = random.Random(0), [f"word{i}" for i in range(2000)]
    with path.open("w") as file:
        while file.tell() < megabytes * 1e6:
            file.write(json.dumps({"text": " ".join(rng.choices(words, k=rng.randrange(20, 400)))}) + "\n")
    return path


NOTES_OFTEN = (
    "import sys, nanogpt.prepare; nanogpt.prepare.NOTE_EVERY = 0.05; from nanogpt.cli import main; main(sys.argv[1:])"
)


@pytest.mark.slow
def test_killed_and_run_again_it_ends_with_the_same_hashes_and_leaves_no_process(tmp_path):
    source = texts_on_disk(tmp_path / "texts.jsonl", 30)
    flags = ["prepare", str(source), "--tokenizer", "gpt2", "--shuffle", "--val-share", "0.01", "--out"]
    whole = prepare(open_corpus(str(source)), tmp_path / "whole", "gpt2", 0.01, shuffle=True)
    command = [sys.executable, "-c", NOTES_OFTEN, *flags, str(tmp_path / "out")]
    note, seen = tmp_path / "out.partial" / "note.json", []
    for _ in range(4):
        before = note.read_text() if note.exists() else ""
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and process.poll() is None:
            if note.exists() and note.read_text() != before:
                break
            time.sleep(0.01)
        time.sleep(random.Random(len(seen)).random() * 0.3)
        process.send_signal(signal.SIGKILL)
        process.wait()
        if note.exists():
            seen.append(json.loads(note.read_text())["documents"])
    assert len(seen) >= 3, "the kills came too late"
    assert seen == sorted(seen)
    assert 0 < seen[0] < seen[-1]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert hashes(tmp_path / "out") == hashes(tmp_path / "whole")
    assert whole.meta["splits"] == json.loads((tmp_path / "out" / "meta.json").read_text())["splits"]
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and _still_running(str(tmp_path / "out")):
        time.sleep(0.1)
    assert not _still_running(str(tmp_path / "out"))


def _still_running(mark: str) -> list[str]:
    if not Path("/proc").is_dir():
        return []
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                line = (entry / "cmdline").read_bytes().decode(errors="replace")
            except OSError:
                continue
            if mark in line and "NOTE_EVERY" in line:
                found.append(entry.name)
    return found


@pytest.mark.slow
def test_progress_tells_documents_speed_and_time_left(tmp_path):
    source = texts_on_disk(tmp_path / "texts.jsonl", 2)
    command = [sys.executable, "-m", "nanogpt", "prepare", str(source), "--out", str(tmp_path / "out")]
    done = subprocess.run([*command, "--tokenizer", "gpt2"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "tokenising" in done.stderr
    assert " documents/s" in done.stderr
    assert " tokens/s" in done.stderr
    assert "/" in done.stderr.split("tokenising")[-1].split("documents")[0]  # so many of so many


def test_the_exact_surprise_of_stories_is_kept(tmp_path):
    corpus = open_corpus("stories", limit=100)
    data = prepare(corpus, tmp_path / "out", tokenizer="300")
    total = sum(document.log_prob for document in corpus)
    kept = sum(data.meta["splits"][split]["log_prob"] for split in ("train", "val"))
    assert kept == pytest.approx(total)


@pytest.mark.slow
def test_memory_does_not_grow_with_the_corpus(tmp_path):
    code = (
        "import sys, resource; from nanogpt.corpora import open_corpus; from nanogpt.prepare import prepare;"
        "prepare(open_corpus(sys.argv[1]), sys.argv[2], 'gpt2');"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    peaks = []
    for name, copies in (("small", 2), ("large", 40)):
        with (tmp_path / f"{name}.jsonl").open("w") as file:
            for i in range(copies * 1000):
                file.write(json.dumps({"text": f"Line {i}: " + "some words that go on " * 50}) + "\n")
        command = [sys.executable, "-c", code, str(tmp_path / f"{name}.jsonl"), str(tmp_path / name)]
        peaks.append(int(subprocess.run(command, capture_output=True, text=True, check=True).stdout))
    assert peaks[1] < peaks[0] * 1.1, f"peak memory {peaks} for 2 MB and 46 MB of text"
