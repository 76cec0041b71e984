"""Chapter 02: from logits to surprise, its mean over batches and over bytes, and which figures may be compared."""

import math
import random
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from nanogpt.course.check.item import Case, Item

TEXTS = (
    "The bear came home.\n",
    "Der Bär grüßt höflich.\n",
    "Καλημέρα, αρκούδα.",
    "熊が家に帰った。\n",
    "5 € for a kite 😀",
)
Figure = dict[str, str | int]


def logit_cases(rng: random.Random) -> list[Case]:
    """Logits of several shapes, a square first; large ones, very unlike ones, a single token."""
    far = torch.tensor([[1000.0, 1001.0, 999.0], [-1000.0, -1003.0, -1001.0], [0.0, -300.0, 2.0]])
    return [
        (torch.randn(3, 3),),
        (torch.randn(2, 3, 4),),
        (3 * torch.randn(rng.randrange(5, 9)),),
        (far,),
        (torch.zeros(2, 1),),
    ]


def log_softmax(logits: Tensor) -> Tensor:
    """(..., V) -> (..., V), by torch."""
    return F.log_softmax(logits, dim=-1)


def without_keepdim(logits: Tensor) -> Tensor:
    """The slip of losing the last axis in the maximum and the sum."""
    shifted = logits - logits.amax(-1)
    return shifted - shifted.exp().sum(-1).log()


def one_maximum(logits: Tensor) -> Tensor:
    """The slip of taking the largest of all logits away, not that of each row."""
    shifted = logits - logits.max()
    return shifted - shifted.exp().sum(-1, keepdim=True).log()


def target_cases(rng: random.Random) -> list[Case]:
    """Logits (N, V) and targets (N,): a square, more tokens than a vocabulary, one token, large logits."""
    sizes = [(4, 4), (6, 3), (1, 5), (rng.randrange(5, 9), 8)]
    return [(2 * torch.randn(N, V) + 500 * (N == 6), torch.randint(V, (N,))) for N, V in sizes]


def cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """(N, V), (N,) -> (), by torch."""
    return F.cross_entropy(logits, targets)


def picked(logits: Tensor, targets: Tensor) -> Tensor:
    """The surprise at each target, (N,)."""
    return F.cross_entropy(logits, targets, reduction="none")


def batch_cases(rng: random.Random) -> list[Case]:
    """The mean surprise of each batch and its tokens: a short and hard last one, equal ones, one alone."""
    return [
        (torch.tensor([1.0, 1.0, 6.0]), torch.tensor([4, 4, 1])),
        (torch.tensor([1.0, 2.0]), torch.tensor([3, 3])),
        (torch.tensor([2.0]), torch.tensor([5])),
        (3 * torch.rand(4), torch.tensor([8, 8, 8, rng.randrange(1, 8)])),
    ]


def token_perplexity(losses: Tensor, sizes: Tensor) -> float:
    """e to the mean surprise over all tokens."""
    return torch.repeat_interleave(losses, sizes).mean().exp().item()


def as_float(slip: Callable[..., Tensor | float]) -> Callable[..., float]:
    """A slip whose result is a plain number, which is like a number and like a tensor of one."""
    return lambda *case: float(slip(*case))


def byte_cases(rng: random.Random) -> list[Case]:
    """The surprise of a whole text, and the text: none, little or much of it ASCII."""
    even = [(len(text.encode()) * math.log(256), text) for text in TEXTS[:2]]
    return even + [(rng.uniform(10, 90), text) for text in TEXTS]


def bits_per_byte(nats: float, text: str) -> float:
    """Nats of the whole text over its UTF-8 bytes, in bits."""
    return nats / len(text.encode()) / math.log(2)


def per(unit: Callable[[str], int]) -> Callable[[float, str], float]:
    """The slip of dividing by something else than the bytes."""
    return lambda nats, text: nats / unit(text) / math.log(2)


def score_cases(rng: random.Random) -> list[Case]:
    """Logits (N, V), targets (N,) and a text of which they are the N tokens; even guesses, drawn and large ones."""
    return [
        (torch.zeros(12, 50), torch.arange(12), "Ein Bär, 熊, bear"),
        (torch.randn(5, 6), torch.randint(6, (5,)), TEXTS[1]),
        (2 * torch.randn(7, 9) + 500, torch.randint(9, (7,)), TEXTS[3]),
        (torch.randn(1, 4), torch.randint(4, (1,)), rng.choice(("é", "€", "😀"))),
    ]


def score(logits: Tensor, targets: Tensor, text: str) -> dict[str, float]:
    """The three figures of a model on a text."""
    loss = F.cross_entropy(logits, targets).item()
    bits = bits_per_byte(loss * len(targets), text)
    return {"loss": loss, "token_perplexity": math.exp(loss), "bits_per_byte": bits}


def score_by_quotient(logits: Tensor, targets: Tensor, text: str) -> dict[str, float]:
    """The slip of a softmax as it stands in the formula."""
    powers = logits.exp()
    loss = F.nll_loss((powers / powers.sum(-1, keepdim=True)).log(), targets).item()
    return {
        "loss": loss,
        "token_perplexity": math.exp(loss),
        "bits_per_byte": bits_per_byte(loss * len(targets), text),
    }


def scored_with(**other: Callable[[Tensor, str, dict[str, float]], float]) -> Callable[..., dict[str, float]]:
    """`score` with some of its figures wrong: each from the surprises (N,), the text and the right figures."""

    def wrong(logits: Tensor, targets: Tensor, text: str) -> dict[str, float]:
        right, nll = score(logits, targets, text), picked(logits, targets)
        return right | {name: float(figure(nll, text, right)) for name, figure in other.items()}

    return wrong


def figure(measure: str, text: str = "tales", tokens: str = "GPT-2", context_bytes: int = 512) -> Figure:
    """A published figure's small print."""
    return {"measure": measure, "text": text, "tokens": tokens, "context_bytes": context_bytes}


def small_print_cases(rng: random.Random) -> list[Case]:
    """Pairs of figures: each thing in which they can differ, alone, for each measure, and some drawn at random."""
    measures = ("token_perplexity", "bits_per_byte", "word_perplexity")
    changes = ({}, {"tokens": "768 tokens"}, {"text": "a novel"}, {"context_bytes": 64})
    one = [(figure(measure), figure(measure, **change)) for measure in measures for change in changes]
    other = [(figure(a), figure(b)) for a, b in zip(measures, (*measures[1:], measures[0]), strict=True)]

    def drawn() -> Figure:
        choices = measures, ("tales", "a novel"), ("GPT-2", "768 tokens"), (64, 512)
        return figure(*(rng.choice(choice) for choice in choices))

    return [*one, *other, *((drawn(), drawn()) for _ in range(8))]


def may_compare(first: Figure, second: Figure, needed: tuple[str, ...] = ("measure", "text", "context_bytes")) -> bool:
    """Whether two figures may be compared as they stand."""
    by_token = "token_perplexity" in (first["measure"], second["measure"])
    return all(first[key] == second[key] for key in (*needed, *(("tokens",) if by_token else ())))


def same(*keys: str) -> Callable[[Figure, Figure], bool]:
    """The slip of looking at these keys and no others."""
    return lambda first, second: all(first[key] == second[key] for key in keys)


ITEMS = (
    Item(
        "log_softmax",
        "log_softmax(logits): (..., V) -> (..., V), ln p of each token, by exp, sum and log, also for logits of 1000",
        log_softmax,
        logit_cases,
        {
            "e to a large logit is too large for a computer: take the largest of each row away first, which changes "
            "nothing else": lambda logits: (logits.exp() / logits.exp().sum(-1, keepdim=True)).log(),
            "e to a large logit is too large for a computer, also within the sum: take the largest of each row away "
            "first": lambda logits: logits - logits.exp().sum(-1, keepdim=True).log(),
            "a small probability has become 0, whose logarithm is -inf: don't divide and take the logarithm after it, "
            "but take away the logarithm of the sum": lambda logits: logits.softmax(-1).log(),
            "the probabilities came back: their logarithm is asked for": lambda logits: logits.softmax(-1),
            "the sign has changed: ln p is never above 0, the surprise is -ln p": lambda logits: -log_softmax(logits),
            "the sum runs over another axis than the vocabulary: that is the last one, dim=-1": (
                lambda logits: logits.log_softmax(0)
            ),
            "axis 1 is the vocabulary only where there are two axes: count from the end, dim=-1": (
                lambda logits: logits.log_softmax(1)
            ),
            "the maximum or the sum lost its axis, so rows met columns: keepdim=True": without_keepdim,
            "the largest of all logits was taken away from every row: it is the largest of each row, amax(-1)": (
                one_maximum
            ),
            "only the largest was taken away: the logarithm of the sum of e to the rest comes off too": (
                lambda logits: logits - logits.amax(-1, keepdim=True)
            ),
            "the logarithm is to the base 2: nats need the natural one, log": (
                lambda logits: log_softmax(logits) / math.log(2)
            ),
            "the logarithm of the sum was added: dividing by the sum is taking its logarithm away": (
                lambda logits: 2 * (logits - logits.amax(-1, keepdim=True)) - log_softmax(logits)
            ),
        },
        atol=1e-3,
        gradient=True,
    ),
    Item(
        "cross_entropy",
        "cross_entropy(logits, targets): (N, V), (N,) -> (), the mean surprise at the targets in nats",
        cross_entropy,
        target_cases,
        {
            "the sign is missing: ln p is negative, the surprise is -ln p": lambda z, y: -cross_entropy(z, y),
            "the surprises were added up: the mean over the N tokens is asked for": lambda z, y: picked(z, y).sum(),
            "the surprises were not averaged: there is one for each token": picked,
            "each row was read at all targets: row i goes with target i, so index with arange(N) too": (
                lambda z, y: -log_softmax(z)[:, y].mean()
            ),
            "the sum was divided by N times V: of each row only one entry counts, so divide by N": (
                lambda z, y: picked(z, y).mean() / z.size(-1)
            ),
            "the likeliest token was scored: it is the one that came, the target, that counts": (
                lambda z, y: -log_softmax(z).amax(-1).mean()
            ),
            "the probabilities were averaged before the logarithm: first the logarithm of each, then the mean": (
                lambda z, y: -z.softmax(-1).gather(1, y[:, None]).mean().log()
            ),
            "the logarithm is missing: the surprise is -ln p, not -p": (
                lambda z, y: -z.softmax(-1).gather(1, y[:, None]).mean()
            ),
            "the logits are not ln p yet: log_softmax first": lambda z, y: -z.gather(1, y[:, None]).mean(),
            "the softmax runs over the tokens: it is over the vocabulary, dim=-1": (
                lambda z, y: -z.log_softmax(0).gather(1, y[:, None]).mean()
            ),
            "this is in bits: nats need the natural logarithm": lambda z, y: cross_entropy(z, y) / math.log(2),
            "this is the perplexity: the loss comes before the exponential": lambda z, y: cross_entropy(z, y).exp(),
        },
        atol=1e-4,
        gradient=True,
    ),
    Item(
        "token_perplexity",
        "token_perplexity(losses, sizes): the mean surprise of each batch in nats and how many tokens it had, both "
        "(K,) -> a number: e to the mean over all tokens",
        token_perplexity,
        batch_cases,
        {
            "the batches' means were averaged, so a token of a short batch counts for more: add up nats, add up "
            "tokens, divide once": as_float(lambda losses, sizes: losses.mean().exp()),
            "the batches' perplexities were averaged: the exponential comes last, once": as_float(
                lambda losses, sizes: losses.exp().mean()
            ),
            "the batches' perplexities were averaged, if by their tokens: the exponential comes last, once": as_float(
                lambda losses, sizes: (losses.exp() * sizes).sum() / sizes.sum()
            ),
            "the exponential is missing: this is the loss": as_float(
                lambda losses, sizes: (losses * sizes).sum() / sizes.sum()
            ),
            "2 was raised to the loss: for nats it is e": as_float(
                lambda losses, sizes: 2 ** ((losses * sizes).sum() / sizes.sum())
            ),
            "the nats were divided by the number of batches: divide by the number of tokens": as_float(
                lambda losses, sizes: (losses * sizes).mean().exp()
            ),
            "the nats were not divided: e to their mean, not to their sum": as_float(
                lambda losses, sizes: (losses * sizes).double().sum().exp()
            ),
            "the means were added as if they were sums: a batch's nats are its mean times its tokens": as_float(
                lambda losses, sizes: (losses.sum() / sizes.sum()).exp()
            ),
            "the sign has changed: surprises are already -ln p": as_float(
                lambda losses, sizes: 1 / token_perplexity(losses, sizes)
            ),
            "the last batch was left out: each token counts, also in a batch that isn't full": as_float(
                lambda losses, sizes: token_perplexity(losses[: len(losses) - 1 or 1], sizes[: len(sizes) - 1 or 1])
            ),
        },
    ),
    Item(
        "bits_per_byte",
        "bits_per_byte(nats, text): the surprise of a whole text in nats, and the text -> a number: bits for each of "
        "its UTF-8 bytes",
        bits_per_byte,
        byte_cases,
        {
            "it was divided by characters: bytes are len(text.encode())": per(len),
            "these are nats per byte: a bit is ln 2 nats, so divide by ln 2": (
                lambda nats, text: nats / len(text.encode())
            ),
            "it was multiplied by ln 2: a bit is less than a nat, so there are more of them; divide": (
                lambda nats, text: nats / len(text.encode()) * math.log(2)
            ),
            "it was divided by words: bytes are len(text.encode())": per(lambda text: len(text.split())),
            "these are the bits of the whole text: divide by its bytes": lambda nats, text: nats / math.log(2),
            "2 was raised to the bits: that would be a perplexity per byte": (
                lambda nats, text: 2 ** bits_per_byte(nats, text)
            ),
            "white space at the ends was left out: the line break is part of the text, and it cost something too": (
                per(lambda text: len(text.strip().encode()))
            ),
            "it was divided by the bits of the text: divide by its bytes": per(lambda text: 8 * len(text.encode())),
            "the fraction is upside down: bits for each byte are bits divided by bytes": (
                lambda nats, text: 1 / bits_per_byte(nats, text)
            ),
            "the bytes are those of UTF-16: it is UTF-8 that counts": per(lambda text: len(text.encode("utf-16"))),
        },
    ),
    Item(
        "score",
        "score(logits, targets, text): (N, V), (N,) and the text that the targets stand for -> a dict of three "
        "numbers: loss (nats per token), token_perplexity, bits_per_byte",
        score,
        score_cases,
        {
            "bits_per_byte was divided by characters: bytes are len(text.encode())": scored_with(
                bits_per_byte=lambda nll, text, right: nll.sum() / len(text) / math.log(2)
            ),
            "bits_per_byte was made of the mean surprise: it is the surprise of the whole text, N times the loss, that "
            "is spread over its bytes": scored_with(
                bits_per_byte=lambda nll, text, right: bits_per_byte(right["loss"], text)
            ),
            "bits_per_byte is in nats: divide by ln 2": scored_with(
                bits_per_byte=lambda nll, text, right: nll.sum() / len(text.encode())
            ),
            "bits_per_byte is bits per token: divide the sum by the bytes of the text, not by N": scored_with(
                bits_per_byte=lambda nll, text, right: right["loss"] / math.log(2)
            ),
            "the loss is a sum: it is the mean over the N tokens, and the others follow from it": scored_with(
                loss=lambda nll, text, right: nll.sum(),
                token_perplexity=lambda nll, text, right: nll.sum().exp(),
            ),
            "the loss is in bits: in this course it is in nats, and only bits_per_byte is in bits": scored_with(
                loss=lambda nll, text, right: right["loss"] / math.log(2)
            ),
            "token_perplexity is 2 to the loss: for nats it is e": scored_with(
                token_perplexity=lambda nll, text, right: 2 ** right["loss"]
            ),
            "token_perplexity is the mean of each token's e to the surprise: the exponential comes last": scored_with(
                token_perplexity=lambda nll, text, right: nll.exp().mean()
            ),
            "e to a large logit is too large for a computer: score with the log_softmax above, which takes the largest "
            "of each row away first": score_by_quotient,
            "token_perplexity was made of the surprise per byte: it is e to the loss per token": scored_with(
                token_perplexity=lambda nll, text, right: 2 ** right["bits_per_byte"]
            ),
        },
        atol=1e-4,
    ),
    Item(
        "may_compare",
        "may_compare(first, second): two dicts with measure, text, tokens and context_bytes -> True if the two figures "
        "may be compared as they stand",
        may_compare,
        small_print_cases,
        {
            "only the measure was compared: on another text it says something else": same("measure"),
            "bits per byte were held to need the same tokens: they are there so that tokens may differ": same(
                "measure", "text", "tokens", "context_bytes"
            ),
            "token perplexities in different tokens were let through: the unit is the token, so it must be the same": (
                same("measure", "text", "context_bytes")
            ),
            "the text was not looked at: figures on two texts don't say which model is better": (
                lambda a, b: may_compare(a, b, ("measure", "context_bytes"))
            ),
            "the measure was not looked at: a perplexity and bits per byte are no two values of one thing": (
                lambda a, b: may_compare(a, b, ("text", "context_bytes"))
            ),
            "the context was not looked at: who has more text to look back on guesses better, with the same model": (
                lambda a, b: may_compare(a, b, ("measure", "text"))
            ),
            "word perplexities were held to need the same tokens: the words of a text are as many in any tokens": (
                lambda a, b: may_compare(a, b) and (a["measure"] == "bits_per_byte" or a["tokens"] == b["tokens"])
            ),
            "only text and measure were compared: tokens matter to a token perplexity, and the context to all": same(
                "measure", "text"
            ),
            "this is True where it should be False": lambda a, b: not may_compare(a, b),
        },
    ),
)
