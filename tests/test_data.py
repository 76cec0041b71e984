import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nanogpt.config import ModelConfig
from nanogpt.corpora import Corpus, Document, in_batches
from nanogpt.data import Batches, TokenData
from nanogpt.prepare import prepare

MANY = [f"Document {i} says {i * i}." for i in range(200)]


def corpus_of(*texts: str) -> Corpus:
    return Corpus({"source": "test"}, in_batches(lambda: map(Document, texts)))


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
