import dataclasses
import json
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nanogpt.config import ModelConfig
from nanogpt.corpora import open_corpus
from nanogpt.data import prepare
from nanogpt.evaluate import (
    bootstrap_interval,
    document_sums,
    entropy_floor,
    evaluate_run,
    score,
    score_baselines,
    token_nll,
)
from nanogpt.model import GPT
from nanogpt.stories import entropy_rate

EOT = 7


class Fixed(GPT):
    """A model that answers with the same logits whatever it reads."""

    def __init__(self, logits: torch.Tensor, context_length: int = 5):
        super().__init__(ModelConfig(1, 1, 4, context_length, len(logits)))
        self.logits, self.widths = logits, []

    def forward(self, token_ids, cache=None):
        self.widths.append(tuple(token_ids.shape))
        return self.logits.expand(*token_ids.shape, -1)


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
    assert sum(b * t for b, t in model.widths) == n
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


def test_the_report_holds_together(story_run):
    report = evaluate_run(story_run)
    said = json.loads((story_run.folder / "report.json").read_text())
    assert said == json.loads(report.to_json())
    assert {"loss", "token_perplexity", "bits_per_byte", "tokens_scored", "interval", "baselines"} <= said.keys()
    meta = json.loads((story_run.folder.parent / story_run.origin["data"] / "meta.json").read_text())
    assert said["tokens_scored"] == meta["splits"]["val"]["tokens"]
    assert said["token_perplexity"] == pytest.approx(math.exp(said["loss"]))
    nats = said["loss"] * said["tokens_scored"]
    assert said["bits_per_byte"] == pytest.approx(nats / said["bytes_scored"] / math.log(2))
    assert said["interval"][0] < said["loss"] < said["interval"][1]
    losses = [said["baselines"][name]["loss"] for name in ("uniform", "unigram", "bigram")]
    assert losses == sorted(losses, reverse=True)
    assert said["floor"]["loss"] < said["loss"] < losses[0]
    assert said["text_sha256"] == meta["splits"]["val"]["sha256"]
    assert "floor" in said
    assert "95% interval" in report.to_table()


def test_the_uniform_baseline_is_ln_of_the_real_vocabulary(story_data):
    assert score_baselines(story_data)["uniform"].loss == pytest.approx(math.log(story_data.vocab_size))


def test_the_floor_is_near_the_grammars_entropy(story_data):
    nats, n_bytes = entropy_rate()
    assert entropy_floor(story_data)["bits_per_byte"] == pytest.approx(nats / n_bytes / math.log(2), rel=0.15)


def test_real_text_has_no_known_floor(tmp_path):
    assert entropy_floor(prepare(open_corpus("pydocs", limit=40), tmp_path / "d", tokenizer="300")) is None


def test_text_of_another_tokenizer_is_refused(story_run, tmp_path):
    prepare(open_corpus("stories", limit=50), tmp_path / "other", tokenizer="300")
    with pytest.raises(ValueError, match="was made with another tokenizer"):
        evaluate_run(story_run, tmp_path / "other")


def test_text_prepared_with_the_runs_tokenizer_is_scored(story_run, tmp_path):
    prepare(open_corpus("stories", limit=50, seed=9), tmp_path / "other", str(story_run.folder / "tokenizer.json"))
    report = evaluate_run(dataclasses.replace(story_run), tmp_path / "other")
    assert report.data == str(tmp_path / "other")
