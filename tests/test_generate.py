import time

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nanogpt.config import ModelConfig
from nanogpt.generate import (
    Sampling,
    generate_steps,
    generate_text,
    generate_tokens,
    keep_top_k,
    keep_top_p,
    next_token_probs,
    penalise_repetition,
)
from nanogpt.model import GPT
from nanogpt.tokenizer import train_tokenizer

NONE = torch.tensor([], dtype=torch.long)
scores = st.lists(st.floats(-20, 20, width=32), min_size=1, max_size=30).map(torch.tensor)


@pytest.fixture(scope="module")
def model() -> GPT:
    torch.manual_seed(0)
    model = GPT(ModelConfig(n_layer=2, n_head=2, n_embd=16, context_length=16, vocab_size=64)).eval()
    for parameter in model.parameters():
        parameter.data *= 5  # opinions strong enough to tell one token from another
    return model


@given(scores, st.integers(1, 30), st.floats(0.01, 1.0), st.floats(0.1, 5.0), st.floats(0.5, 3.0))
def test_whatever_the_settings_the_result_is_a_distribution(logits, k, p, temperature, penalty):
    sampling = Sampling(temperature, min(k, len(logits)), p, penalty)
    probs = next_token_probs(logits, sampling, torch.tensor([0]))
    assert probs.sum().item() == pytest.approx(1.0, abs=1e-5)
    assert (probs >= 0).all()


@given(scores, st.integers(1, 30))
def test_top_k_keeps_the_k_likeliest(logits, k):
    k = min(k, len(logits))
    kept = keep_top_k(logits, k).isfinite()
    assert kept.sum() == k
    assert logits[kept].min() >= logits[~kept].max() if k < len(logits) else True


@given(scores, st.floats(0.01, 1.0))
def test_top_p_keeps_the_fewest_that_reach_p(logits, p):
    probs = logits.softmax(-1)
    kept = keep_top_p(logits, p).isfinite()
    assert kept[logits.argmax()]
    total = probs[kept].sum().item()
    assert total >= p - 1e-5
    if kept.sum() > 1:
        assert total - probs[kept].min().item() < p + 1e-5


def test_top_p_by_hand():
    logits = torch.tensor([0.5, 0.3, 0.15, 0.05]).log()
    assert keep_top_p(logits, 0.5).isfinite().tolist() == [True, False, False, False]
    assert keep_top_p(logits, 0.51).isfinite().tolist() == [True, True, False, False]
    assert keep_top_p(logits, 1.0).isfinite().tolist() == [True, True, True, True]


@given(scores)
def test_temperature_0_takes_the_likeliest(logits):
    probs = next_token_probs(logits, Sampling(temperature=0), NONE)
    assert probs[logits.argmax()] == 1


@given(scores)
def test_temperature_1_is_the_models_own_distribution(logits):
    torch.testing.assert_close(next_token_probs(logits, Sampling(temperature=1), NONE), logits.softmax(-1))


def test_a_tiny_temperature_does_not_overflow():
    probs = next_token_probs(torch.tensor([3e4, -3e4, 2.9e4]), Sampling(temperature=1e-4), NONE)
    assert probs.tolist() == [1, 0, 0]


def test_the_repetition_penalty_by_hand():
    logits = penalise_repetition(torch.tensor([2.0, -2.0, 2.0]), torch.tensor([0, 1]), 2.0)
    assert logits.tolist() == [1.0, -4.0, 2.0]


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"temperature": -0.1}, "temperature=-0.1 is negative"),
        ({"temperature": float("nan")}, "temperature=nan is negative"),
        ({"top_k": 0}, "top_k=0 leaves no token"),
        ({"top_p": 0.0}, "top_p=0.0 is not a share"),
        ({"top_p": 1.1}, "top_p=1.1 is not a share"),
        ({"repetition_penalty": 0.0}, "repetition_penalty=0.0 is not positive"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(settings, says):
    with pytest.raises(ValueError, match=says):
        Sampling(**settings)


@pytest.mark.parametrize(
    ("prompt", "settings", "says"),
    [
        ([], {}, "the prompt is empty"),
        ([1] * 17, {}, "the prompt has 17 tokens but the model reads 16; shorten it"),
        ([1], {"top_k": 65}, "top_k=65 is over the vocabulary of 64 tokens"),
    ],
)
def test_a_prompt_or_top_k_that_does_not_fit_is_refused_at_once(prompt, settings, says, model):
    with pytest.raises(ValueError, match=says):
        generate_tokens(model, prompt, 5, Sampling(**settings))


@pytest.mark.parametrize("prompt", [[1], list(range(16)), list(range(9))])
@pytest.mark.parametrize(
    "sampling",
    [Sampling(0.0), Sampling(1.0, seed=3), Sampling(0.8, top_k=10, top_p=0.9, repetition_penalty=1.3, seed=4)],
)
def test_the_cache_gives_the_same_tokens_as_the_slow_way(model, prompt, sampling):
    fast = list(generate_tokens(model, prompt, 60, sampling))  # four times over the context
    slow = list(generate_tokens(model, prompt, 60, sampling, use_cache=False))
    assert fast == slow
    assert len(fast) == 60


def test_past_the_context_it_reads_the_last_half_again(model, monkeypatch):
    widths = []
    original = GPT.forward
    monkeypatch.setattr(
        GPT, "forward", lambda self, ids, cache=None: widths.append(ids.size(1)) or original(self, ids, cache)
    )
    list(generate_tokens(model, [1, 2, 3], 30, Sampling(seed=0)))
    assert widths == [3, *[1] * 13, 8, *[1] * 8, 8, *[1] * 6]


def test_a_seed_repeats_and_no_seed_does_not(model):
    def run(seed):
        return list(generate_tokens(model, [1], 40, Sampling(1.5, seed=seed)))

    assert run(1) == run(1)
    assert run(1) != run(2)
    assert run(None) != run(None)


def test_padding_is_never_drawn(model):
    drawn = list(generate_tokens(model, [1], 200, Sampling(5.0, seed=0), vocab_size=10))
    assert max(drawn) < 10


def test_it_stops_before_the_stop_token(model):
    free = list(generate_tokens(model, [1], 40, Sampling(1.5, seed=1)))
    stopped = list(generate_tokens(model, [1], 40, Sampling(1.5, seed=1), stop=free[7]))
    assert stopped == free[: free.index(free[7])]


def test_tokens_come_one_by_one(model):
    stream = generate_tokens(model, [1], 10**9, Sampling(seed=0))
    start = time.perf_counter()
    assert isinstance(next(stream), int)
    assert time.perf_counter() - start < 5


def test_a_sampled_share_is_the_probability(model):
    logits = model(torch.tensor([[1]]))[0, -1]
    expected = logits.softmax(-1)
    drawn = torch.tensor([next(generate_tokens(model, [1], 1, Sampling(1.0, seed=s))) for s in range(2000)])
    share = torch.bincount(drawn, minlength=64) / 2000
    assert (share - expected).abs().max() < 4 * 0.5 / 2000**0.5


def test_a_step_tells_what_its_token_was_drawn_from(model):
    sampling = Sampling(0.7, top_k=5, seed=1)
    ids = [1, 2]
    for step in generate_steps(model, ids, 4, sampling):
        logits = model(torch.tensor([ids]))[0, -1]
        assert torch.allclose(step.logits, logits, atol=1e-5)
        assert torch.allclose(step.probs, next_token_probs(logits, sampling, torch.tensor(ids)), atol=1e-5)
        assert step.probs[step.token] > 0
        ids.append(step.token)


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer(["ab"], 257)  # bytes alone: a character may need several tokens


def test_text_comes_in_whole_characters(model, tokenizer, monkeypatch):
    text = "né 日🙂!"
    monkeypatch.setattr("nanogpt.generate.generate_tokens", lambda *a, **k: iter(tokenizer.encode_ordinary(text)))
    assert list(generate_text(model, tokenizer, "x")) == list(text)


def test_bytes_that_become_no_character_are_marked(model, tokenizer, monkeypatch):
    ids = [*tokenizer.encode_ordinary("a日")[:-1]]
    monkeypatch.setattr("nanogpt.generate.generate_tokens", lambda *a, **k: iter(ids))
    assert "".join(generate_text(model, tokenizer, "x")) == "a\ufffd"


def test_text_that_looks_like_the_special_token_is_an_ordinary_prompt(tokenizer):
    torch.manual_seed(0)
    model = GPT(ModelConfig(n_layer=1, n_head=1, n_embd=8, context_length=32, vocab_size=320)).eval()
    pieces = list(generate_text(model, tokenizer, "<|endoftext|>", 3, Sampling(seed=0)))
    assert "".join(pieces)
