"""Writing with a model: one token at a time, drawn from filtered probabilities.

The generator owns its cache of keys and values, so that each new token costs one token's work.
"""

import codecs
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from nanogpt.attention import KVCache
from nanogpt.model import GPT


@dataclass(frozen=True)
class Sampling:
    """How the next token is drawn. Raises ValueError for settings that can't be meant."""

    temperature: float = 0.8
    """Below 1 sharpens, above 1 flattens; 0 always takes the likeliest token (greedy)."""
    top_k: int | None = None
    """Draw from the k likeliest tokens only."""
    top_p: float | None = None
    """Draw from the fewest likeliest tokens that hold this share of the probability."""
    repetition_penalty: float = 1.0
    """Above 1 makes tokens that already stand in the text less likely."""
    seed: int | None = None
    """The same seed gives the same text; None draws a new one."""

    def __post_init__(self):
        if not self.temperature >= 0:
            raise ValueError(f"temperature={self.temperature} is negative; choose 0 (greedy) or more, 0.8 is usual")
        if self.top_k is not None and self.top_k < 1:
            raise ValueError(f"top_k={self.top_k} leaves no token; choose 1 or more")
        if self.top_p is not None and not 0 < self.top_p <= 1:
            raise ValueError(f"top_p={self.top_p} is not a share of probability; choose above 0 and up to 1")
        if not self.repetition_penalty > 0:
            raise ValueError(f"repetition_penalty={self.repetition_penalty} is not positive; 1 leaves it off")
        if self.seed is not None and not 0 <= self.seed < 2**63:
            raise ValueError(f"seed={self.seed} is out of range; choose from 0 to 2**63 - 1")

    def check_vocabulary(self, vocab_size: int) -> None:
        """Raise ValueError for a top_k that is more than there is to choose from."""
        if self.top_k is not None and self.top_k > vocab_size:
            raise ValueError(f"top_k={self.top_k} is over the vocabulary of {vocab_size} tokens; choose at most that")


def penalise_repetition(logits: Tensor, seen: Tensor, penalty: float) -> Tensor:
    """Make seen tokens less likely: positive logits are divided by the penalty, negative ones multiplied.

    logits (V,), seen (N,) ids -> (V,). From CTRL (Keskar et al., 2019).
    """
    picked = logits[seen]
    return logits.index_put((seen,), torch.where(picked > 0, picked / penalty, picked * penalty))


def keep_top_k(logits: Tensor, k: int) -> Tensor:
    """All but the k likeliest become -inf; of equals at the edge the lower ids stay. logits (V,) -> (V,)."""
    kept = logits.sort(descending=True, stable=True).indices[:k]
    return torch.full_like(logits, float("-inf")).index_copy(0, kept, logits[kept])


def keep_top_p(logits: Tensor, p: float) -> Tensor:
    """All but the fewest likeliest tokens that together reach probability p become -inf. (V,) -> (V,).

    Nucleus sampling (Holtzman et al., 2020); the likeliest token always stays.
    """
    ordered, order = logits.sort(descending=True, stable=True)
    probs = ordered.softmax(dim=-1)
    before = probs.cumsum(dim=-1) - probs  # the probability of all that is likelier, (V,)
    kept = order[before < p]
    return torch.full_like(logits, float("-inf")).index_copy(0, kept, logits[kept])


def next_token_probs(logits: Tensor, sampling: Sampling, seen: Tensor) -> Tensor:
    """The distribution that the next token is drawn from, after all settings: logits (V,) -> (V,)."""
    logits = logits.float()
    if sampling.repetition_penalty != 1 and len(seen):
        logits = penalise_repetition(logits, seen.unique(), sampling.repetition_penalty)
    if sampling.temperature == 0:
        probs = torch.zeros_like(logits)
        probs[logits.argmax()] = 1.0
        return probs
    logits = (logits - logits.max()) / sampling.temperature
    if sampling.top_k is not None:
        logits = keep_top_k(logits, sampling.top_k)
    if sampling.top_p is not None:
        logits = keep_top_p(logits, sampling.top_p)
    return logits.softmax(dim=-1)


class Step(NamedTuple):
    """One new token, and what it was drawn from."""

    token: int
    logits: Tensor
    """The model's own scores, (V,), before any setting."""
    probs: Tensor
    """The distribution after all settings, (V,)."""


def generate_steps(
    model: GPT,
    prompt_ids: list[int],
    max_new_tokens: int,
    sampling: Sampling | None = None,
    vocab_size: int | None = None,
    stop: int | None = None,
    use_cache: bool = True,
) -> Iterator[Step]:
    """Yield new tokens one by one, with their distributions, up to `max_new_tokens` or until `stop` would come.

    vocab_size: the tokenizer's, so that padding is never drawn. When the context is full, its last half
    is read again and generation goes on. `use_cache=False` reads the whole window for each token: slow,
    and the same tokens. Raises ValueError for an empty prompt or one longer than the context.
    """
    sampling = sampling or Sampling()
    T = model.config.context_length
    if not prompt_ids:
        raise ValueError("the prompt is empty; give it at least one character to go on from")
    if len(prompt_ids) > T:
        raise ValueError(f"the prompt has {len(prompt_ids)} tokens but the model reads {T}; shorten it")
    if max_new_tokens < 0:
        raise ValueError(f"max_new_tokens={max_new_tokens} is negative; choose 0 or more")
    vocab_size = vocab_size or model.config.vocab_size
    sampling.check_vocabulary(vocab_size)
    return _steps(model, list(prompt_ids), max_new_tokens, sampling, vocab_size, stop, use_cache)


def generate_tokens(
    model: GPT,
    prompt_ids: list[int],
    max_new_tokens: int,
    sampling: Sampling | None = None,
    vocab_size: int | None = None,
    stop: int | None = None,
    use_cache: bool = True,
) -> Iterator[int]:
    """Yield the ids alone of what `generate_steps` yields, and raise what it raises."""
    steps = generate_steps(model, prompt_ids, max_new_tokens, sampling, vocab_size, stop, use_cache)
    return (step.token for step in steps)


def _steps(model, ids, max_new_tokens, sampling, vocab_size, stop, use_cache) -> Iterator[Step]:
    weight = model.token_embedding.weight
    T = model.config.context_length
    dice = torch.Generator()  # on the CPU, so that a seed means the same on every device
    if sampling.seed is not None:
        dice.manual_seed(sampling.seed)
    else:
        dice.seed()
    start = 0  # where the window begins
    cache = KVCache(model.config, 1, weight.device, weight.dtype) if use_cache else None
    for _ in range(max_new_tokens):
        if len(ids) - start > T:  # full: go on from the last half
            start = len(ids) - max(1, T // 2)
            if cache is not None:
                cache.length = 0
        unread = ids[start + (cache.length if cache is not None else 0) :]
        with torch.inference_mode():
            logits = model(torch.tensor([unread], device=weight.device), cache)[0, -1, :vocab_size].cpu()  # (V,)
            probs = next_token_probs(logits, sampling, torch.tensor(ids[start:]))
            token = int(torch.multinomial(probs, 1, generator=dice))
        if token == stop:
            return
        ids.append(token)
        yield Step(token, logits, probs)


def generate_text(
    model: GPT, tokenizer, prompt: str, max_new_tokens: int = 100, sampling: Sampling | None = None
) -> Iterator[str]:
    """Yield the continuation of `prompt` piece by piece, as soon as each piece is whole characters.

    Stops at end-of-text. Bytes that never become a character are shown as the replacement character.
    """
    stream = generate_tokens(
        model,
        tokenizer.encode_ordinary(prompt),
        max_new_tokens,
        sampling,
        vocab_size=tokenizer.n_vocab,
        stop=tokenizer.eot_token,
    )
    return _decode(stream, tokenizer)


def _decode(stream: Iterator[int], tokenizer) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    for token in stream:
        piece = decoder.decode(tokenizer.decode_single_token_bytes(token))
        if piece:
            yield piece
    rest = decoder.decode(b"", final=True)
    if rest:
        yield rest
