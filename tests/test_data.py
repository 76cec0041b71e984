import hashlib
import json
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nanogpt.config import ModelConfig
from nanogpt.corpora import Corpus, Document, open_corpus
from nanogpt.data import Batches, TokenData, prepare, split_documents


def corpus_of(*texts: str) -> Corpus:
    return Corpus({"source": "test", "texts": list(texts)}, lambda: (Document(text) for text in texts))


MANY = [f"Document {i} says {i * i}." for i in range(200)]


def test_the_shards_hold_the_documents_one_end_of_text_after_each(tmp_path):
    corpus = corpus_of(*MANY)
    data = prepare(corpus, tmp_path / "out", tokenizer="gpt2")
    split = list(split_documents(corpus, 0.1, 2357))
    for name in ("train", "val"):
        wanted = [document.text for part, document in split if part == name]
        said = data.meta["splits"][name]
        raw = (tmp_path / "out" / f"{name}.bin").read_bytes()
        ids = np.frombuffer(raw, dtype="<u2")
        decoded = data.tokenizer.decode([int(i) for i in ids]).split("<|endoftext|>")
        assert decoded == [*wanted, ""]
        assert said["documents"] == len(wanted)
        assert said["bytes"] == sum(len(text.encode()) for text in wanted)
        assert said["tokens"] == len(ids)
        assert said["sha256"] == hashlib.sha256(raw).hexdigest()


def test_the_split_is_by_document_and_follows_the_seed():
    corpus = corpus_of(*MANY)
    first = [part for part, _ in split_documents(corpus, 0.2, 1)]
    assert first == [part for part, _ in split_documents(corpus, 0.2, 1)]
    assert first != [part for part, _ in split_documents(corpus, 0.2, 2)]
    assert 20 < first.count("val") < 60


def test_the_tokenizer_learns_from_the_training_documents_alone(tmp_path):
    corpus = corpus_of(*MANY)
    held_out = [d.text for part, d in split_documents(corpus, 0.1, 2357) if part == "val"]
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


def test_a_failure_half_way_leaves_nothing(tmp_path):
    def broken():
        yield from (Document(text) for text in MANY)
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        prepare(Corpus({}, broken), tmp_path / "out", tokenizer="gpt2")
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def prepared(tmp_path) -> TokenData:
    return prepare(corpus_of(*MANY), tmp_path / "out", tokenizer="300")


@pytest.mark.parametrize(
    ("file", "damage", "says"),
    [
        ("val.bin", lambda raw: raw[:-2], r"val\.bin has \d+ bytes where meta\.json says"),
        ("val.bin", lambda raw: raw[:-2] + b"\x07\x00", r"val\.bin was altered since it was prepared"),
        ("tokenizer.json", lambda raw: raw.replace(b'"e"', b'"f"', 1), r"json is not a tokenizer of ours"),
        ("meta.json", lambda raw: raw[:50], r"meta\.json was cut or altered"),
        ("meta.json", lambda raw: b"[]", r"meta\.json was cut or altered"),
    ],
)  # fmt: skip
def test_a_damaged_file_is_refused_by_name(file, damage, says, prepared):
    path = prepared.folder / file
    damaged = damage(path.read_bytes())
    assert damaged != path.read_bytes()
    path.write_bytes(damaged)
    with pytest.raises(ValueError, match=says):
        TokenData(prepared.folder).tokens("val")


def test_a_missing_shard_is_refused_by_name(prepared):
    (prepared.folder / "train.bin").unlink()
    with pytest.raises(ValueError, match=r"train\.bin has 0 bytes"):
        TokenData(prepared.folder).tokens("train")


def test_shards_of_another_tokenizer_are_refused(prepared, tmp_path):
    other = prepare(corpus_of(*MANY), tmp_path / "other", tokenizer="310")
    (other.folder / "tokenizer.json").replace(prepared.folder / "tokenizer.json")
    with pytest.raises(ValueError, match=r"tokenizer\.json is not the tokenizer that made these shards"):
        TokenData(prepared.folder)


def test_a_folder_that_was_never_prepared_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="is not a prepared folder"):
        TokenData(tmp_path)


def test_the_exact_surprise_of_stories_is_kept(tmp_path):
    corpus = open_corpus("stories", limit=100)
    data = prepare(corpus, tmp_path / "out", tokenizer="300")
    total = sum(document.log_prob for document in corpus)
    kept = sum(data.meta["splits"][split]["log_prob"] for split in ("train", "val"))
    assert kept == pytest.approx(total)


@pytest.mark.slow
def test_memory_does_not_grow_with_the_corpus(tmp_path):
    code = (
        "import sys, resource; from nanogpt.corpora import open_corpus; from nanogpt.data import prepare;"
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


def batches(n=1000, T=8, rows=4, seed=0) -> Batches:
    return Batches(np.arange(n, dtype=np.uint16), T, rows, seed)


def test_targets_are_the_inputs_moved_on_by_one():
    x, y = batches().at(0)
    assert x.shape == y.shape == (4, 8)
    assert (y == x + 1).all()


@given(st.integers(0, 10_000), st.integers(0, 3))
def test_a_batch_is_a_function_of_the_step_and_the_seed(step, seed):
    for a, b in zip(batches(seed=seed).at(step), batches(seed=seed).at(step), strict=True):
        assert (a == b).all()


@given(st.integers(20, 500), st.integers(1, 9), st.integers(1, 5))
def test_an_epoch_visits_every_window_once(n, T, rows):
    source = batches(n, T, rows)
    steps = -(-source.windows // rows)
    starts = [int(row[0]) for step in range(steps) for row in source.at(step)[0]][: source.windows]
    assert len(set(starts)) == source.windows
    assert {(s - starts[0]) % T for s in starts} == {0}
    assert source.windows * T >= n - 1 - 2 * T


def test_ranks_share_out_the_rows_of_the_one_process():
    source = batches(rows=4)
    whole, _ = source.at(3)
    parts = [source.at(3, rank, 2)[0] for rank in range(2)]
    assert [row.tolist() for part in parts for row in part] == whole.tolist()


def test_epochs_come_in_different_orders():
    source = batches(n=100, T=8, rows=1)
    orders = [[int(source.at(e * source.windows + i)[0][0, 0]) for i in range(source.windows)] for e in range(2)]
    assert orders[0] != orders[1]


def test_a_text_shorter_than_a_context_is_refused():
    with pytest.raises(ValueError, match="has 8 tokens, fewer than one context of 8 and its next token"):
        batches(n=8, T=8)
    assert batches(n=9, T=8).at(5)[0].tolist() == [list(range(8))] * 4


def test_the_model_takes_the_datas_vocabulary_in_steps_of_64(prepared):
    preset = ModelConfig(vocab_size=2048)
    assert prepared.fit_vocabulary(preset, preset).vocab_size == 320
    by_hand = ModelConfig(vocab_size=1000)
    assert prepared.fit_vocabulary(by_hand, preset) == by_hand
    with pytest.raises(ValueError, match="vocab_size=299 is smaller than the 300 tokens"):
        prepared.fit_vocabulary(ModelConfig(vocab_size=299), preset)
