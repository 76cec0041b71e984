import dataclasses
import hashlib
import json
import math

import pytest

from nanogpt.corpora import Corpus, Document, in_batches, open_corpus
from nanogpt.evaluate import Settings, entropy_floor, evaluate_run, held_out_documents, score_baselines
from nanogpt.prepare import prepare, split_documents
from nanogpt.stories import entropy_rate


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


def test_text_in_other_tokens_is_scored_in_the_models_own(story_run, tmp_path):
    options = {"val_share": 0.3, "seed": 5}
    own = prepare(
        open_corpus("stories", limit=50), tmp_path / "own", str(story_run.folder / "tokenizer.json"), **options
    )
    other = prepare(open_corpus("stories", limit=50), tmp_path / "other", "gpt2", **options)
    assert held_out_documents(other) == held_out_documents(own)
    ours, theirs = evaluate_run(story_run, own.folder), evaluate_run(story_run, other.folder)
    assert (theirs.loss, theirs.bits_per_byte, theirs.interval) == (ours.loss, ours.bits_per_byte, ours.interval)
    assert theirs.floor == ours.floor
    assert (theirs.bytes_scored, theirs.documents) == (ours.bytes_scored, ours.documents)
    assert theirs.baselines == {}
    assert "in the tokens of the model" in theirs.protocol
    assert theirs.tokenizer == ours.tokenizer


def test_held_out_documents_come_back_byte_for_byte(tmp_path):
    texts = [f"naïve 日本 <|endoftext|> {i}\n\n" for i in range(40)]
    corpus = Corpus({"source": "test"}, in_batches(lambda: map(Document, texts)))
    data = prepare(corpus, tmp_path / "d", "gpt2", val_share=0.5)
    wanted = [texts[i] for i in split_documents(40, 0.5, 2357)["val"]]
    assert held_out_documents(data) == wanted
    assert held_out_documents(data, limit=3) == wanted[:3]


def test_a_limit_scores_the_first_documents(story_run, story_data):
    part = evaluate_run(story_run, settings=Settings(limit=3))
    texts = held_out_documents(story_data, 3)
    assert part.documents == 3
    assert part.bytes_scored == sum(len(text.encode()) for text in texts)
    assert part.floor is None
    assert "the first 3 held-out documents" in part.protocol


def test_settings_are_followed_and_told(story_run):
    whole = evaluate_run(story_run)
    batched = evaluate_run(story_run, settings=Settings(batch_size=3))
    assert batched.loss == pytest.approx(whole.loss, abs=1e-5)
    assert batched.settings == whole.settings
    short = evaluate_run(story_run, settings=Settings(context_length=16))
    overlapping = evaluate_run(story_run, settings=Settings(context_length=16, stride=4))
    assert short.loss > overlapping.loss > whole.loss  # less context, more surprise
    assert overlapping.settings == {"context_length": 16, "stride": 4, "limit": None, "precision": "float32"}
    assert "windows of 16 tokens, 4 apart" in overlapping.protocol
    with pytest.raises(ValueError, match="context_length=65 is not between 1 and the model's 64"):
        evaluate_run(story_run, settings=Settings(context_length=65))


@pytest.mark.parametrize("field", ["context_length", "stride", "batch_size", "limit"])
def test_settings_that_cannot_be_are_refused(field):
    with pytest.raises(ValueError, match=f"{field}=0 is not positive"):
        Settings(**{field: 0})


def test_a_report_carries_what_is_needed_to_make_it_again(story_run):
    report = json.loads(evaluate_run(story_run).to_json())
    assert {
        "text_sha256",
        "tokenizer",
        "config",
        "protocol",
        "versions",
        "seconds",
        "tokens_per_second",
    } <= report.keys()
    weights = (story_run.folder / f"step_{story_run.step:06d}" / "model.safetensors").read_bytes()
    assert report["weights_sha256"] == hashlib.sha256(weights).hexdigest()
    assert report["tokenizer"]["sha256"] == story_run.origin["tokenizer_sha256"]


def test_text_prepared_with_the_runs_tokenizer_is_scored(story_run, tmp_path):
    prepare(open_corpus("stories", limit=50, seed=9), tmp_path / "other", str(story_run.folder / "tokenizer.json"))
    report = evaluate_run(dataclasses.replace(story_run), tmp_path / "other")
    assert (report.text, report.source, len(report.baselines)) == ("other", "stories", 3)
