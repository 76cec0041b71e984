import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import nanogpt.encode
from nanogpt.corpora import Document, in_batches
from nanogpt.encode import encode_texts, encoded
from nanogpt.tokenizer import gpt2_tokenizer

GPT2 = gpt2_tokenizer()


@given(st.lists(st.text(), min_size=1, max_size=5))
def test_each_text_gives_its_ids_and_one_end_of_text(texts):
    counts, raw = encode_texts(texts, GPT2)
    wanted = [[*GPT2.encode_ordinary(text), GPT2.eot_token] for text in texts]
    assert np.frombuffer(raw, dtype="<u2").tolist() == [i for ids in wanted for i in ids]
    assert counts.tolist() == [[len(ids), len(text.encode())] for ids, text in zip(wanted, texts, strict=True)]


@pytest.mark.parametrize("text", ["", "<|endoftext|>", "half a pair \ud83d here", "naïve 日本 🙂"])
def test_odd_texts_are_encoded_as_ordinary_ones(text):
    _, raw = encode_texts([text], GPT2)
    assert np.frombuffer(raw, dtype="<u2").tolist() == [*GPT2.encode_ordinary(text), GPT2.eot_token]


@pytest.mark.parametrize("alone", [1, 10**9], ids=["in a pool", "alone"])
def test_batches_come_back_in_their_order_with_their_places(alone, monkeypatch):
    monkeypatch.setattr(nanogpt.encode, "ALONE", alone)
    documents = [Document(f"Document {i}. " * (i % 50), -float(i)) for i in range(1000)]
    batches = in_batches(lambda: iter(documents))
    results = list(encoded(batches(None), GPT2))
    assert [place for _, place, _ in results] == [place for _, place in batches(None)]
    records = np.concatenate([records for records, _, _ in results])
    assert records["log_prob"].tolist() == [d.log_prob for d in documents]
    assert b"".join(ids for _, _, ids in results) == encode_texts([d.text for d in documents], GPT2)[1]


def test_an_error_in_the_source_ends_the_pool(monkeypatch):
    monkeypatch.setattr(nanogpt.encode, "ALONE", 1)

    def breaks_off():
        yield [Document("text")], 1
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        list(encoded(breaks_off(), GPT2))
