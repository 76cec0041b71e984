"""How well a model predicts held-out text: loss, token perplexity, bits per byte, with an interval.

The protocol: the whole held-out split of a prepared folder in disjoint windows of one context, each
token scored once (`nanogpt.scoring`). Averages are weighted by tokens. A model that reads another
tokenizer than the folder's gets the same documents in its own tokens; bits per byte compare then, and
nothing else.
"""

import dataclasses
import json
import math
import platform
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from nanogpt.baselines import fit_baselines
from nanogpt.checkpoint import write_whole
from nanogpt.data import TokenData
from nanogpt.runs import Run
from nanogpt.scoring import bootstrap_interval, check_context_length, describe_windows, document_sums, token_nll
from nanogpt.tokenizer import tokenizer_hash


@dataclass(frozen=True)
class Settings:
    """How a model is scored, where it is not as usual. Raises ValueError for what can't be meant."""

    context_length: int | None = None
    """Tokens read at once; the model's own if left out."""
    stride: int | None = None
    """Tokens from window to window; the context length if left out, so that windows don't overlap."""
    batch_size: int = 8
    """Windows at a time; it decides about speed and memory, not about the score."""
    limit: int | None = None
    """The first so many documents only."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Of the matrix products; bfloat16 is faster on some machines, and moves the score a little."""

    def __post_init__(self):
        for name in ("context_length", "stride", "batch_size", "limit"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name}={value} is not positive; choose 1 or more")


@dataclass(frozen=True, kw_only=True)
class Report:
    """What any evaluation says of itself, so that it can be judged and made again."""

    task: str
    """"text" for a prepared folder, or the benchmark's name."""
    protocol: str
    settings: dict
    """`context_length`, `stride`, `limit`, `precision`: two figures compare where these agree."""
    text: str
    """The name of what was scored, and `source`, where it came from."""
    source: str
    text_sha256: str
    documents: int
    tokens_scored: int
    tokenizer: dict
    config: dict
    parameters: int
    step: int
    weights_sha256: str
    versions: dict[str, str]
    device: str
    seconds: float
    tokens_per_second: float

    def to_json(self) -> str:
        """The report as one JSON object."""
        return json.dumps(dataclasses.asdict(self), indent=2)


def scoring_settings(run: Run, settings: Settings) -> dict:
    """What decides about a score of this run, with the usual values filled in."""
    context_length = check_context_length(run.model, settings.context_length)
    stride = settings.stride or context_length
    return {
        "context_length": context_length,
        "stride": stride,
        "limit": settings.limit,
        "precision": settings.precision,
    }


def about(run: Run, settings: Settings, seconds: float, tokens_scored: int) -> dict:
    """The fields of a Report that follow from the run and its settings."""
    tokenizer = run.tokenizer
    return {
        "settings": scoring_settings(run, settings),
        "tokens_scored": tokens_scored,
        "tokenizer": {
            "name": tokenizer.name, "vocab_size": tokenizer.n_vocab, "sha256": tokenizer_hash(tokenizer),
        },
        "config": dataclasses.asdict(run.config.model),
        "parameters": run.model.parameter_count(),
        "step": run.step,
        "weights_sha256": run.weights_sha256,
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
        "device": str(run.model.lm_head.weight.device),
        "seconds": seconds,
        "tokens_per_second": tokens_scored / seconds,
    }  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Score:
    """One model on one text. loss: nats per token; the rest follows from it."""

    loss: float
    token_perplexity: float
    bits_per_byte: float
    interval: tuple[float, float]
    """95% interval of the loss: bootstrap over documents."""


@dataclass(frozen=True, kw_only=True)
class TextReport(Report, Score):
    """A model on the held-out documents of a prepared folder, beside its baselines."""

    bytes_scored: int
    baselines: dict[str, Score]
    """Fitted on the folder's training tokens; empty where the model reads other tokens."""
    floor: dict[str, float] | None
    """For `stories`: the exact figures that no model can beat on average; None for real text."""

    def to_table(self) -> str:
        """The model beside its baselines, worst first, as text."""
        rows = [(name, s.loss, s.token_perplexity, s.bits_per_byte) for name, s in self.baselines.items()]
        rows.append(
            (f"this model ({self.parameters / 1e6:,.1f}M)", self.loss, self.token_perplexity, self.bits_per_byte)
        )
        if self.floor:
            rows.append(("the text's own entropy", *self.floor.values()))
        lines = [f"{'':24}{'nats/token':>12}{'token perplexity':>18}{'bits/byte':>12}"]
        lines += [f"{name:24}{loss:12.4f}{ppl:18.2f}{bpb:12.4f}" for name, loss, ppl, bpb in rows]
        low, high = self.interval
        lines.append(f"95% interval of the model's loss: {low:.4f} to {high:.4f}, over {self.documents:,} documents")
        lines.append(f"{self.tokens_scored:,} tokens of {self.text}: {self.protocol}")
        return "\n".join(lines)


def score(nll: np.ndarray, tokens: np.ndarray, eot: int, n_bytes: int) -> Score:
    """Sum up the nll (N,) of tokens (N,) that stand for `n_bytes` UTF-8 bytes of text."""
    nats, counts = document_sums(nll, tokens, eot)
    loss = nats.sum() / counts.sum()
    return Score(
        loss=float(loss),
        token_perplexity=math.exp(loss),
        bits_per_byte=float(nats.sum() / (n_bytes * math.log(2))),
        interval=bootstrap_interval(nats, counts),
    )


def score_baselines(data: TokenData, tokens: np.ndarray | None = None, n_bytes: int | None = None) -> dict[str, Score]:
    """Uniform, unigram and bigram, fitted on the folder's training tokens, on its held-out ones.

    tokens and n_bytes: a part of the held-out ones, where not all of them are meant.
    """
    tokens = data.tokens("val") if tokens is None else tokens
    n_bytes = data.meta["splits"]["val"]["bytes"] if n_bytes is None else n_bytes
    eot = data.tokenizer.eot_token
    previous = np.concatenate([[eot], tokens[:-1]])
    models = fit_baselines(data.tokens("train"), data.vocab_size)
    return {name: score(model.nll(previous, tokens), tokens, eot, n_bytes) for name, model in models.items()}


def entropy_floor(data: TokenData, n_tokens: int | None = None) -> dict[str, float] | None:
    """The held-out documents' exact surprise where their source knows it (`stories`), else None.

    n_tokens: how many tokens they are, where that is not the folder's own count.
    """
    said = data.meta["splits"]["val"]
    if said["log_prob"] is None:
        return None
    loss = -said["log_prob"] / (n_tokens or said["tokens"])
    bits_per_byte = -said["log_prob"] / (said["bytes"] * math.log(2))
    return {"loss": loss, "token_perplexity": math.exp(loss), "bits_per_byte": bits_per_byte}


def held_out_documents(data: TokenData, limit: int | None = None) -> list[str]:
    """The held-out documents as text, the first `limit` of them; byte for byte what was prepared."""
    tokens = data.tokens("val")
    ends = np.flatnonzero(tokens == data.tokenizer.eot_token)[:limit]
    starts = np.concatenate([[0], ends[:-1] + 1])
    return [data.tokenizer.decode(tokens[a:b].tolist()) for a, b in zip(starts, ends, strict=True)]


def evaluate_run(run: Run, on: str | Path | None = None, settings: Settings | None = None) -> TextReport:
    """Score a run on the held-out part of a prepared folder (its own by default); keeps `report.json`.

    Raises ValueError for an imported run that is not told what to be scored on, and for settings that
    the model can't follow.
    """
    settings = settings or Settings()
    if on is None and "data" not in run.origin:
        raise ValueError(f"{run.folder} was imported, so it has no held-out text of its own; name a folder with --on")
    data = TokenData(on or run.origin["data"])
    same_tokens = data.meta["tokenizer"]["sha256"] == tokenizer_hash(run.tokenizer)
    said, eot = data.meta["splits"]["val"], run.tokenizer.eot_token
    if same_tokens and settings.limit is None:
        tokens, n_bytes, documents = data.tokens("val"), said["bytes"], said["documents"]
    else:
        texts = held_out_documents(data, settings.limit)
        tokens = np.concatenate([[*run.tokenizer.encode_ordinary(text), eot] for text in texts])
        n_bytes, documents = sum(len(text.encode()) for text in texts), len(texts)
    start = time.perf_counter()
    how = (settings.context_length, settings.stride, settings.batch_size, settings.precision)
    nll = token_nll(run.model, tokens, run.tokenizer.n_vocab, eot, *how)
    seconds = time.perf_counter() - start
    report = TextReport(
        **dataclasses.asdict(score(nll, tokens, eot, n_bytes)),
        **about(run, settings, seconds, len(tokens)),
        task="text",
        protocol=_protocol(scoring_settings(run, settings), same_tokens),
        text=data.folder.name,
        source=data.meta["recipe"]["source"],
        text_sha256=said["sha256"],
        documents=documents,
        bytes_scored=n_bytes,
        baselines=score_baselines(data, tokens, n_bytes) if same_tokens else {},
        floor=entropy_floor(data, len(tokens)) if settings.limit is None else None,
    )
    write_whole(run.folder / "report.json", lambda path: path.write_text(report.to_json() + "\n"))
    return report


def _protocol(settings: dict, same_tokens: bool) -> str:
    limit = settings["limit"]
    which = "held-out documents" if limit is None else f"the first {limit} held-out documents"
    windows = describe_windows(settings["context_length"], settings["stride"])
    return f"{which} in {windows}, each token scored once{'' if same_tokens else ', in the tokens of the model'}"
