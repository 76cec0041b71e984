import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nanogpt.baselines import Bigram, Unigram, fit_baselines

tokens = st.lists(st.integers(0, 6), min_size=2, max_size=60).map(lambda ids: np.array(ids, dtype=np.uint16))


def test_uniform_costs_ln_v():
    uniform = fit_baselines(np.array([0, 1, 2]), 7)["uniform"]
    assert uniform.nll(np.array([0]), np.array([3])) == pytest.approx([math.log(7)])


@given(tokens)
def test_every_distribution_sums_to_one(ids):
    everything = np.arange(7)
    for model in fit_baselines(ids, 7).values():
        for previous in range(7):
            total = np.exp(-model.nll(np.full(7, previous), everything)).sum()
            assert total == pytest.approx(1.0)


def test_unigram_counts_by_hand():
    model = Unigram(np.array([0, 0, 0, 1]), 2)
    assert model.probs.tolist() == [4 / 6, 2 / 6]


def test_bigram_counts_by_hand():
    model = Bigram(np.array([0, 1, 0, 1, 0, 0]), 2)  # after 0: 1, 1, 0; after 1: 0, 0
    unigram = [5 / 8, 3 / 8]
    seen = math.exp(-model.nll(np.array([0]), np.array([1]))[0])
    assert seen == pytest.approx((2 + 2 * unigram[1]) / (3 + 2))
    unseen = math.exp(-model.nll(np.array([1]), np.array([1]))[0])
    assert unseen == pytest.approx((0 + 1 * unigram[1]) / (2 + 1))


def test_a_token_never_seen_before_another_leans_on_the_unigram():
    model = Bigram(np.array([0, 1, 0, 1]), 3)
    assert model.nll(np.array([2]), np.array([1])) == pytest.approx(-np.log(model.unigram.probs[1]))


def test_on_text_with_order_each_baseline_beats_the_one_before():
    rng = np.random.default_rng(0)
    ids = [0]
    for _ in range(5000):
        ids.append((ids[-1] + int(rng.choice([1, 2], p=[0.8, 0.2]))) % 10 if rng.random() < 0.9 else 0)
    ids = np.array(ids, dtype=np.uint16)
    train, val = ids[:4000], ids[4000:]
    losses = [model.nll(val[:-1], val[1:]).mean() for model in fit_baselines(train, 10).values()]
    assert losses[0] > losses[1] > losses[2]


def test_a_large_vocabulary_costs_no_square_table():
    ids = np.random.default_rng(0).integers(0, 50_257, 10_000).astype(np.uint16)
    bigram = Bigram(ids, 50_257)
    assert bigram.pairs.size < 10_000
    assert np.isfinite(bigram.nll(ids[:-1], ids[1:])).all()
