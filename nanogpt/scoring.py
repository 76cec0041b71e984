"""How surprised a model is by a text: -ln p(token | what it reads before it), in windows of one context.

A text is longer than a context, so it is cut into windows, and how it is cut decides the score: see
`cut_windows`. Logits are cut to the tokenizer's vocabulary before the softmax, so that the rows a model
has for padding cost nothing. The softmax is in float32, and so is the rest unless bfloat16 is asked for.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from nanogpt.device import autocast
from nanogpt.model import GPT

VOCABULARY_AT_ONCE = 1024  # rows of the head


class Window(NamedTuple):
    """Read the inputs from `start` to `end`, score the targets from `first` to `end`."""

    start: int
    first: int
    end: int


def cut_windows(
    n: int, context_length: int, stride: int | None = None, reach_back: bool = False, offset: int = 0
) -> list[Window]:
    """Windows over n tokens, each of which is scored once; `offset` is added to all positions.

    The first window scores all it reads. Each later one moves on by `stride` tokens and scores just these,
    with the context_length - stride before them as context: a stride of context_length (the default) gives
    disjoint windows, a smaller one more context and better scores. With `reach_back` the last window too
    reads a whole context, as lm-evaluation-harness has it.
    Raises ValueError for a stride that would leave tokens out or stand still.
    """
    T = context_length
    S = T if stride is None else stride
    if not 1 <= S <= T:
        raise ValueError(f"stride={S} is not between 1 and the context length of {T}; choose one of these")
    windows, first = [], 0
    while first < n:
        end = min(first + (S if first else T), n)
        start = end - T if reach_back else first + S - T
        windows.append(Window(offset + max(0, start if first else 0), offset + first, offset + end))
        first = end
    return windows


def describe_windows(context_length: int, stride: int | None = None) -> str:
    """How `cut_windows` cuts, in words."""
    if stride in (None, context_length):
        return f"disjoint windows of {context_length} tokens"
    return f"windows of {context_length} tokens, {stride} apart"


@torch.inference_mode()
def window_nll(
    model: GPT,
    inputs: np.ndarray,
    targets: np.ndarray,
    windows: Sequence[Window],
    vocab_size: int,
    batch_size: int = 8,
    precision: str = "float32",
) -> tuple[np.ndarray, np.ndarray]:
    """Score windows of a text: (nll (N,) float32 in nats, greedy (N,) bool); nan and False where none scores.

    inputs (N,): the id that stands before each target; targets (N,); vocab_size: the tokenizer's;
    precision: float32 or bfloat16, of the matrix products. greedy: whether the target was the first choice.
    """
    device = next(model.parameters()).device
    nll, greedy = np.full(len(targets), np.nan, dtype=np.float32), np.zeros(len(targets), dtype=bool)
    was_training = model.training
    model.eval()
    # Windows of like width go together. What is filled up on the right, no token before it can see.
    order = sorted(windows, key=lambda w: w.start - w.end)
    for i in range(0, len(order), batch_size):
        batch = order[i : i + batch_size]
        width = batch[0].end - batch[0].start
        x = np.zeros((len(batch), width), dtype=np.int64)
        scored = np.zeros((len(batch), width), dtype=bool)
        for row, (start, first, end) in enumerate(batch):
            x[row, : end - start] = inputs[start:end]
            scored[row, first - start : end - start] = True
        places = np.concatenate([np.arange(first, end) for _, first, end in batch])  # (M,)
        with autocast(device, precision):
            features = model.features(torch.from_numpy(x).to(device))  # (B, W, C)
        rows = features[torch.from_numpy(scored).to(device)]  # (M, C)
        wanted = torch.from_numpy(targets[places].astype(np.int64)).to(device)  # (M,)
        head = model.lm_head.weight[:vocab_size].to(getattr(torch, precision))  # (V, C)
        surprise, best = _surprise(rows.to(head.dtype), wanted, head)
        nll[places], greedy[places] = surprise.cpu().numpy(), best.cpu().numpy()
    model.train(was_training)
    return nll, greedy


def _surprise(features: Tensor, targets: Tensor, head: Tensor) -> tuple[Tensor, Tensor]:
    """features (M, C), targets (M,), head (V, C) -> (-ln p(target), whether it is the likeliest), each (M,).

    The softmax's sum is gathered a part of the vocabulary at a time, whose logits stay in the processor's
    cache: whenever a larger logit comes, the sum so far is rescaled to it (Milakov and Gimelshein, 2018).
    """
    top = torch.full(targets.shape, float("-inf"), device=targets.device)  # the largest logit so far, (M,)
    total, chosen = torch.zeros_like(top), torch.empty_like(top)
    for start in range(0, len(head), VOCABULARY_AT_ONCE):
        part = head[start : start + VOCABULARY_AT_ONCE]  # (v, C)
        z = (features @ part.T).float()  # (M, C) @ (C, v) -> (M, v)
        here = (start <= targets) & (targets < start + len(part))
        chosen[here] = z[here, targets[here] - start]
        higher = torch.maximum(top, z.amax(dim=1))
        total = total * (top - higher).exp() + z.sub_(higher[:, None]).exp_().sum(dim=1)
        top = higher
    return total.log() + top - chosen, chosen == top


def token_nll(
    model: GPT,
    tokens: np.ndarray,
    vocab_size: int,
    eot: int,
    context_length: int | None = None,
    stride: int | None = None,
    batch_size: int = 8,
    precision: str = "float32",
) -> np.ndarray:
    """The surprise at each token of a text, (N,) float32 nats, in windows over the whole of it.

    tokens (N,) ids; the text begins behind one end-of-text token, so its first token is scored like any other.
    Raises ValueError for a context length over the model's.
    """
    T = check_context_length(model, context_length)
    inputs = np.concatenate([[eot], tokens[:-1]])  # what stands before each token, (N,)
    return window_nll(model, inputs, tokens, cut_windows(len(tokens), T, stride), vocab_size, batch_size, precision)[0]


def check_context_length(model: GPT, context_length: int | None) -> int:
    """The context to score with, the model's own unless told. Raises ValueError for one that it does not have."""
    most = model.config.context_length
    if context_length is None:
        return most
    if not 1 <= context_length <= most:
        raise ValueError(
            f"context_length={context_length} is not between 1 and the model's {most}; choose one of these"
        )
    return context_length


def document_sums(nll: np.ndarray, tokens: np.ndarray, eot: int) -> tuple[np.ndarray, np.ndarray]:
    """Add up nll (N,) over the documents that end-of-text tokens close: (nats (D,), tokens (D,))."""
    ends = np.flatnonzero(np.asarray(tokens) == eot)
    if len(ends) == 0 or ends[-1] != len(tokens) - 1:
        ends = np.append(ends, len(tokens) - 1)
    starts = np.concatenate([[0], ends[:-1] + 1])
    return np.add.reduceat(nll.astype(np.float64), starts), ends - starts + 1


def bootstrap_interval(sums: np.ndarray, counts: np.ndarray, seed: int = 0) -> tuple[float, float]:
    """95% interval of sum(sums) / sum(counts): documents drawn again with replacement, 1,000 times.

    sums and counts (D,): of each document, say its nats and its tokens (Efron, 1979).
    """
    rng = np.random.default_rng(seed)
    means = np.empty(1000)
    for i in range(len(means)):
        drawn = rng.integers(len(sums), size=len(sums))
        means[i] = sums[drawn].sum() / counts[drawn].sum()
    low, high = np.percentile(means, [2.5, 97.5])
    return float(low), float(high)
