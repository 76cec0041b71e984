"""How well a model predicts held-out text: loss, token perplexity, bits per byte, with an interval.

The protocol: the whole held-out split, cut into windows of one context that don't overlap, each token
scored once, in float32. The text begins behind one end-of-text token, so its first token is scored
like any other. Logits are cut to the tokenizer's vocabulary before the softmax, so that the rows a
model has for padding cost nothing. Averages are weighted by tokens.
"""

import dataclasses
import json
import math
import platform
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from nanogpt.baselines import fit_baselines
from nanogpt.checkpoint import write_whole
from nanogpt.data import TokenData
from nanogpt.model import GPT
from nanogpt.runs import Run

BOOTSTRAP_SAMPLES = 1000
PROTOCOL = "held-out documents in disjoint windows of {} tokens, each token scored once"


@dataclass(frozen=True)
class Score:
    """One model on one text. loss: nats per token; the rest follows from it."""

    loss: float
    token_perplexity: float
    bits_per_byte: float
    interval: tuple[float, float]
    """95% interval of the loss: bootstrap over documents."""


@dataclass(frozen=True)
class Report(Score):
    """Everything `evaluate_run` measured, and what is needed to measure it again."""

    tokens_scored: int
    bytes_scored: int
    documents: int
    baselines: dict[str, Score]
    floor: dict[str, float] | None
    """For `stories`: the exact figures that no model can beat on average; None for real text."""
    protocol: str
    context_length: int
    parameters: int
    step: int
    data: str
    text_sha256: str
    tokenizer: dict
    versions: dict[str, str]
    seconds: float
    tokens_per_second: float

    def to_json(self) -> str:
        """The report as one JSON object."""
        return json.dumps(dataclasses.asdict(self), indent=2)

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
        lines.append(f"{self.tokens_scored:,} tokens of {Path(self.data).name}: {self.protocol}")
        return "\n".join(lines)


@torch.inference_mode()
def token_nll(
    model: GPT, tokens: np.ndarray, vocab_size: int, eot: int, batch_size: int = 8, limit: int | None = None
) -> np.ndarray:
    """The surprise at each token, -ln p(token | the tokens before it in its window), (N,) float32 nats.

    tokens (N,) ids; vocab_size: the tokenizer's; limit: only the first so many tokens.
    """
    T, device = model.config.context_length, next(model.parameters()).device
    tokens = np.asarray(tokens[:limit], dtype=np.int64)
    inputs = np.concatenate([[eot], tokens[:-1]])  # what stands before each token, (N,)
    was_training = model.training
    model.eval()
    scores = []
    whole = len(tokens) // T * T
    batches = [(i, min(i + batch_size * T, whole), T) for i in range(0, whole, batch_size * T)]
    if whole < len(tokens):
        batches.append((whole, len(tokens), len(tokens) - whole))  # the last window is shorter
    for start, end, width in batches:
        x = torch.from_numpy(inputs[start:end]).view(-1, width).to(device)  # (B, T)
        y = torch.from_numpy(tokens[start:end]).to(device)  # (B * T,)
        logits = model(x).flatten(0, 1)[:, :vocab_size].float()  # (B * T, V)
        scores.append(torch.nn.functional.cross_entropy(logits, y, reduction="none").cpu())
    model.train(was_training)
    return torch.cat(scores).numpy()


def document_sums(nll: np.ndarray, tokens: np.ndarray, eot: int) -> tuple[np.ndarray, np.ndarray]:
    """Add up nll (N,) over the documents that end-of-text tokens close: (nats (D,), tokens (D,))."""
    ends = np.flatnonzero(np.asarray(tokens) == eot)
    if len(ends) == 0 or ends[-1] != len(tokens) - 1:
        ends = np.append(ends, len(tokens) - 1)
    starts = np.concatenate([[0], ends[:-1] + 1])
    return np.add.reduceat(nll.astype(np.float64), starts), ends - starts + 1


def bootstrap_interval(nats: np.ndarray, counts: np.ndarray, seed: int = 0) -> tuple[float, float]:
    """95% interval of sum(nats) / sum(counts): documents drawn again with replacement, 1,000 times.

    nats and counts (D,): each document's summed nll and its tokens (Efron, 1979).
    """
    rng = np.random.default_rng(seed)
    means = np.empty(BOOTSTRAP_SAMPLES)
    for i in range(BOOTSTRAP_SAMPLES):
        drawn = rng.integers(len(nats), size=len(nats))
        means[i] = nats[drawn].sum() / counts[drawn].sum()
    low, high = np.percentile(means, [2.5, 97.5])
    return float(low), float(high)


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


def score_baselines(data: TokenData) -> dict[str, Score]:
    """Uniform, unigram and bigram, fitted on the folder's training tokens, on its held-out ones."""
    tokens, eot = data.tokens("val"), data.tokenizer.eot_token
    previous = np.concatenate([[eot], tokens[:-1]])
    n_bytes = data.meta["splits"]["val"]["bytes"]
    models = fit_baselines(data.tokens("train"), data.vocab_size)
    return {name: score(model.nll(previous, tokens), tokens, eot, n_bytes) for name, model in models.items()}


def entropy_floor(data: TokenData) -> dict[str, float] | None:
    """The held-out documents' exact surprise where their source knows it (`stories`), else None."""
    said = data.meta["splits"]["val"]
    if said["log_prob"] is None:
        return None
    loss = -said["log_prob"] / said["tokens"]
    bits_per_byte = -said["log_prob"] / (said["bytes"] * math.log(2))
    return {"loss": loss, "token_perplexity": math.exp(loss), "bits_per_byte": bits_per_byte}


def evaluate_run(run: Run, on: str | Path | None = None, batch_size: int = 8) -> Report:
    """Score a run on the held-out part of a prepared folder (its own by default); keeps `report.json`.

    Raises ValueError where the folder was made with another tokenizer.
    """
    data = TokenData(on or run.origin["data"])
    if data.meta["tokenizer"]["sha256"] != run.origin["tokenizer_sha256"]:
        raise ValueError(
            f"{data.folder} was made with another tokenizer than {run.folder} reads; "
            f"prepare it with --tokenizer {run.folder / 'tokenizer.json'}"
        )
    tokens, eot = data.tokens("val"), data.tokenizer.eot_token
    said, tokenizer = data.meta["splits"]["val"], data.meta["tokenizer"]
    start = time.perf_counter()
    nll = token_nll(run.model, tokens, data.vocab_size, eot, batch_size)
    seconds = time.perf_counter() - start
    model_score = score(nll, tokens, eot, said["bytes"])
    report = Report(
        **dataclasses.asdict(model_score),
        tokens_scored=len(tokens),
        bytes_scored=said["bytes"],
        documents=said["documents"],
        baselines=score_baselines(data),
        floor=entropy_floor(data),
        protocol=PROTOCOL.format(run.config.model.context_length),
        context_length=run.config.model.context_length,
        parameters=run.model.parameter_count(),
        step=run.step,
        data=str(data.folder),
        text_sha256=said["sha256"],
        tokenizer=tokenizer,
        versions={"python": platform.python_version(), "torch": torch.__version__},
        seconds=seconds,
        tokens_per_second=len(tokens) / seconds,
    )
    write_whole(run.folder / "report.json", lambda path: path.write_text(report.to_json() + "\n"))
    return report
