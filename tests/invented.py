"""Entries and reports with invented figures, for what is drawn and judged from them."""

import dataclasses
import math

from nanogpt.config import PRESETS
from nanogpt.course.entries import Entry

GPT2 = {"name": "gpt2", "vocab_size": 50_257, "sha256": "a1" * 32}
OWN = {"name": "trained", "vocab_size": 768, "sha256": "b2" * 32}
SAMPLING = {"temperature": 0.8, "top_k": 200, "top_p": None, "repetition_penalty": 1.0, "seed": 1337}


def text_report(
    loss=3.2,
    context=512,
    text="owt",
    source="openwebtext",
    tokenizer=GPT2,
    sha="c3",
    documents=4007,
    bytes_scored=20_000,
):
    tokens = 4400
    return _common("text", context, text, source, tokenizer) | {
        "text_sha256": sha * 32,
        "protocol": f"held-out documents in disjoint windows of {context} tokens, each token scored once",
        "loss": loss,
        "token_perplexity": math.exp(loss),
        "bits_per_byte": loss * tokens / bytes_scored / math.log(2),
        "interval": [loss - 0.02, loss + 0.03],
        "bytes_scored": bytes_scored,
        "documents": documents,
        "baselines": {},
        "floor": None,
    }


def lambada_report(accuracy, task="lambada"):
    return _common(task, 512, task, "hub", GPT2) | {
        "protocol": "the last word, all its tokens the greedy choice",
        "accuracy": accuracy,
        "accuracy_interval": [accuracy - 0.01, accuracy + 0.01],
        "word_perplexity": 40.0,
        "interval": [37.0, 43.0],
    }


def wikitext_report(loss=3.4):
    return _common("wikitext-2", 1024, "wikitext-2", "hub", GPT2) | {
        "protocol": "as lm-evaluation-harness does",
        "loss": loss,
        "token_perplexity": math.exp(loss),
        "word_perplexity": 53.0,
        "bits_per_byte": 1.1,
        "interval": [loss - 0.02, loss + 0.02],
        "words_scored": 245_569,
        "bytes_scored": 1_295_579,
    }


def samples_report(text=" and so on", repetition=0.2, words=100.0, loop=50.0, max_new_tokens=256, **sampling):
    return _common("samples", 512, "prompts", "prompts", GPT2) | {
        "protocol": "one continuation of each prompt",
        "distinct_1": 0.2,
        "distinct_2": 0.5,
        "distinct_3": 0.7,
        "repetition_rate": repetition,
        "mean_words_to_loop": loop,
        "mean_words": words,
        "sampling": SAMPLING | sampling,
        "max_new_tokens": max_new_tokens,
        "samples": [{"prompt": "Once upon a time", "text": text}],
    }


def _common(task, context, text, source, tokenizer):
    return {
        "task": task,
        "settings": {"context_length": context, "stride": context, "limit": None, "precision": "float32"},
        "text": text,
        "source": source,
        "text_sha256": "d4" * 32,
        "tokenizer": tokenizer,
        "parameters": 1,
        "step": 20_000,
        "weights_sha256": "e5" * 32,
        "versions": {"python": "3.11.2", "torch": "2.13.0"},
        "device": "cpu",
        "seconds": 1.5,
        "tokens_per_second": 1000.0,
        "tokens_scored": 4400,
        "documents": 4007,
    }


def gpt2(*reports, name="gpt2"):
    model = dataclasses.replace(PRESETS[name].model, vocab_size=50_257)
    return _entry(name, model, GPT2, None, None, reports)


def note_run(*reports, steps=20_000, source="openwebtext", **train):
    """The note's model, trained on OpenWebText as the note says."""
    preset = PRESETS["gpt-30m"]
    train = dataclasses.asdict(preset.train) | {"steps_done": steps} | train
    return _entry("runs/gpt-30m", preset.model, GPT2, train, source, reports)


def first_run(*reports):
    """A laptop's run, with a tokenizer of its own, scored on pydocs if no reports are given."""
    preset = PRESETS["laptop"]
    train = dataclasses.asdict(preset.train) | {"steps_done": preset.train.n_steps}
    usual = text_report(3.0, 128, "pydocs", "pydocs", OWN, "f6", 400)
    usual["baselines"] = {
        name: {"loss": loss, "token_perplexity": math.exp(loss), "bits_per_byte": 0.5 * loss}
        for name, loss in (("uniform", math.log(768)), ("unigram", 5.6), ("bigram", 3.9))
    }
    return _entry("runs/first", preset.model, OWN, train, "pydocs", reports or (usual,))


def _entry(name, model, tokenizer, train, source, reports):
    return Entry(
        name=name,
        parameters=model.parameter_count(),
        parameters_without_positions=model.parameter_count(positions=False),
        context_length=model.context_length,
        tokenizer_sha256=tokenizer["sha256"],
        tokenizer_name=tokenizer["name"],
        training_tokens=train["steps_done"] * train["tokens_per_step"] if train else None,
        config=dataclasses.asdict(model),
        train=train,
        data_source=source,
        reports=list(reports),
    )
