import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nanogpt.config import ModelConfig
from nanogpt.evaluate import score
from nanogpt.model import GPT
from nanogpt.scoring import Window, bootstrap_interval, cut_windows, document_sums, token_nll, window_nll

EOT = 7


class Fixed(GPT):
    """A model that answers with the same logits whatever it reads."""

    def __init__(self, logits: torch.Tensor, context_length: int = 5):
        super().__init__(ModelConfig(1, 1, 4, context_length, len(logits)))
        self.lm_head = torch.nn.Linear(1, len(logits), bias=False)
        self.lm_head.weight.data = logits[:, None]
        self.widths = []

    def features(self, token_ids, cache=None):
        self.widths.append(tuple(token_ids.shape))
        return torch.ones(*token_ids.shape, 1)


def test_uniform_logits_have_the_vocabulary_as_their_perplexity():
    tokens = np.array([1, 2, 3, EOT, 4, EOT])
    nll = token_nll(Fixed(torch.zeros(8)), tokens, 8, EOT)
    assert score(nll, tokens, EOT, 4).token_perplexity == pytest.approx(8)


def test_padding_neither_costs_nor_gains():
    padded = torch.cat([torch.zeros(8), torch.full((56,), 30.0)])
    nll = token_nll(Fixed(padded), np.array([1, 2, EOT]), 8, EOT)
    assert np.exp(nll.mean()) == pytest.approx(8)


def test_bits_per_byte_by_hand_on_text_of_many_bytes():
    text = "né日🙂"  # 1 + 2 + 3 + 4 bytes
    n_bytes = len(text.encode())
    assert n_bytes == 10
    tokens = np.array([1, 2, 3, EOT])
    measured = score(np.full(4, math.log(8)), tokens, EOT, n_bytes)
    assert measured.bits_per_byte == pytest.approx(4 * 3 / 10)  # four tokens of three bits


@pytest.mark.parametrize("n", [1, 4, 5, 6, 23, 50])
def test_every_token_is_scored_once_in_windows_that_do_not_overlap(n):
    model = Fixed(torch.zeros(8))
    nll = token_nll(model, np.ones(n, dtype=np.uint16), 8, EOT, batch_size=3)
    assert nll.shape == (n,)
    assert not np.isnan(nll).any()
    assert max(t for _, t in model.widths) <= 5


def test_each_token_is_scored_from_its_own_window_alone():
    torch.manual_seed(0)
    model = GPT(ModelConfig(2, 2, 16, context_length=5, vocab_size=8)).eval()
    tokens = np.array([1, 2, 3, EOT, 4, 5, 6, EOT, 1, 2, 3, 0])
    nll = token_nll(model, tokens, 8, EOT, batch_size=2)
    inputs = [EOT, *tokens[:-1]]
    for i in range(len(tokens)):
        window = i // 5 * 5
        logits = model(torch.tensor([inputs[window : i + 1]]))[0, -1]
        assert nll[i] == pytest.approx(-logits.log_softmax(-1)[tokens[i]].item(), abs=1e-5)


def test_scoring_leaves_the_model_as_it_was():
    model = Fixed(torch.zeros(8)).train()
    token_nll(model, np.ones(7), 8, EOT)
    assert model.training


@given(st.lists(st.integers(0, 7), min_size=1, max_size=50))
def test_document_sums_leave_no_token_out(ids):
    tokens = np.array(ids)
    nats, counts = document_sums(np.ones(len(ids)), tokens, EOT)
    assert counts.sum() == nats.sum() == len(ids)
    assert len(counts) == ids.count(EOT) + (ids[-1] != EOT)


def test_averages_are_weighted_by_tokens():
    tokens = np.array([1, EOT, 1, 1, 1, 1, 1, EOT])
    nll = np.array([4.0, 4.0, 1, 1, 1, 1, 1, 1])
    assert score(nll, tokens, EOT, 6).loss == pytest.approx(14 / 8)  # the documents' means would give 2.5


def test_the_interval_covers_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(0)
    hits = 0
    for _ in range(100):
        counts = rng.integers(5, 50, size=60)
        nats = counts * rng.normal(3.0, 0.5, size=60)
        low, high = bootstrap_interval(nats, counts)
        hits += low < 3.0 < high
    assert 88 <= hits <= 99


def test_the_interval_is_the_same_each_time_and_has_no_width_without_spread():
    nats, counts = np.full(20, 3.0), np.ones(20)
    assert bootstrap_interval(nats, counts) == (3.0, 3.0)
    nats = np.arange(20.0)
    assert bootstrap_interval(nats, counts) == bootstrap_interval(nats, counts)


@given(st.integers(1, 60), st.integers(1, 12), st.integers(1, 12), st.booleans())
def test_windows_score_each_token_once_from_at_most_one_context(n, T, stride, reach_back):
    stride = min(stride, T)
    windows = cut_windows(n, T, stride, reach_back, offset=100)
    assert [i for w in windows for i in range(w.first, w.end)] == list(range(100, 100 + n))
    assert all(100 <= w.start <= w.first < w.end <= w.start + T for w in windows)
    assert all(w.end - w.first == stride for w in windows[1:-1])
    if reach_back and n >= T:
        assert all(w.end - w.start == T for w in windows)


def test_windows_by_hand():
    assert cut_windows(7, 3) == [Window(0, 0, 3), Window(3, 3, 6), Window(6, 6, 7)]
    assert cut_windows(7, 3, reach_back=True) == [Window(0, 0, 3), Window(3, 3, 6), Window(4, 6, 7)]
    assert cut_windows(6, 4, 2) == [Window(0, 0, 4), Window(2, 4, 6)]
    assert cut_windows(2, 4) == [Window(0, 0, 2)]


@pytest.mark.parametrize("stride", [0, 6])
def test_a_stride_that_cannot_be_is_refused(stride):
    with pytest.raises(ValueError, match=f"stride={stride} is not between 1 and the context length of 5"):
        cut_windows(10, 5, stride)


def test_a_context_over_the_models_is_refused():
    with pytest.raises(ValueError, match="context_length=6 is not between 1 and the model's 5"):
        token_nll(Fixed(torch.zeros(8)), np.ones(9), 8, EOT, context_length=6)


@pytest.mark.parametrize(("stride", "batch_size"), [(None, 1), (2, 3), (1, 8), (5, 2)])
def test_a_windows_tokens_are_scored_as_the_forward_says(stride, batch_size):
    torch.manual_seed(0)
    model = GPT(ModelConfig(2, 2, 16, context_length=5, vocab_size=8)).eval()
    tokens = np.array([1, 2, 3, EOT, 4, 5, 6, EOT, 1, 2, 3, 0, 5])
    inputs = np.array([EOT, *tokens[:-1]])
    windows = cut_windows(len(tokens), 5, stride)
    nll, greedy = window_nll(model, inputs, tokens, windows, 8, batch_size)
    for start, first, end in windows:
        logits = model(torch.from_numpy(inputs[None, start:end]))[0].detach()
        for i in range(first, end):
            assert nll[i] == pytest.approx(-logits[i - start].log_softmax(-1)[tokens[i]].item(), abs=1e-5)
            assert greedy[i] == (logits[i - start].argmax().item() == tokens[i])


def test_more_context_never_changes_which_tokens_are_scored():
    model = Fixed(torch.zeros(8))
    for stride in (1, 3, 5):
        assert token_nll(model, np.ones(23), 8, EOT, stride=stride) == pytest.approx(np.full(23, np.log(8)))


def test_what_no_window_scores_is_told_apart():
    nll, greedy = window_nll(Fixed(torch.zeros(8)), np.ones(6), np.ones(6), [Window(1, 3, 5)], 8)
    assert np.isnan(nll).tolist() == [True, True, True, False, False, True]
    assert not greedy[[0, 1, 2, 5]].any()


def test_a_vocabulary_in_parts_gives_the_same_softmax(monkeypatch):
    torch.manual_seed(0)
    model, tokens = GPT(ModelConfig(1, 1, 8, 16, 64)).eval(), np.arange(50) % 60
    with torch.no_grad():
        for parameter in model.parameters():
            parameter *= 10  # logits far apart, so that the largest one comes late now and then
    whole = token_nll(model, tokens, 60, EOT)
    monkeypatch.setattr("nanogpt.scoring.VOCABULARY_AT_ONCE", 7)
    assert whole.max() > 20
    assert token_nll(model, tokens, 60, EOT) == pytest.approx(whole, rel=1e-5, abs=1e-4)


def test_bfloat16_moves_a_score_but_little():
    torch.manual_seed(0)
    model, tokens = GPT(ModelConfig(2, 2, 32, 16, 64)).eval(), np.arange(200) % 60
    plain = token_nll(model, tokens, 60, EOT)
    half = token_nll(model, tokens, 60, EOT, precision="bfloat16")
    assert 0 < np.abs(half - plain).max() < 0.02
    assert half.mean() == pytest.approx(plain.mean(), rel=1e-3)
