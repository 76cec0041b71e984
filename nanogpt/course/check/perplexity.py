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
    far = torch.tensor([[1000.0, 1001, 999], [-1000, -1003, -1001], [0, -300, 2], [1, 0, 2]])
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


def largest(logits: Tensor) -> Tensor:
    """The largest of each row, (..., V) -> (..., 1)."""
    return logits.amax(-1, keepdim=True)


def summed(powers: Tensor) -> Tensor:
    """The sum of each row, (..., V) -> (..., 1)."""
    return powers.sum(-1, keepdim=True)


def by_steps(logits: Tensor, peak: Callable = largest, add: Callable = summed, log: Callable = torch.log) -> Tensor:
    """The formula with the largest taken away first, in which each of the steps can be another."""
    shifted = logits - peak(logits)
    return shifted - log(add(shifted.exp()))


def quotient(logits: Tensor) -> Tensor:
    """e to each logit by the sum of them, as the formula stands."""
    return logits.exp() / summed(logits.exp())


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


def without_the_last(losses: Tensor, sizes: Tensor) -> Tensor:
    """The slip of leaving the last batch out, after which of a single one nothing remains (nan)."""
    return ((losses * sizes)[:-1].sum() / sizes[:-1].sum()).exp()


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


def score_by(logs: Callable[[Tensor], Tensor]) -> Callable[..., dict[str, float]]:
    """The slip of an ln p that overflows."""

    def wrong(logits: Tensor, targets: Tensor, text: str) -> dict[str, float]:
        loss = F.nll_loss(logs(logits), targets).item()
        bits = bits_per_byte(loss * len(targets), text)
        return {"loss": loss, "token_perplexity": math.exp(loss), "bits_per_byte": bits}

    return wrong


def scored_with(**other: Callable[[Tensor, str, dict[str, float]], float]) -> Callable[..., dict[str, float]]:
    """`score` with some of its figures wrong: each from the surprises (N,), the text and the right figures."""

    def wrong(logits: Tensor, targets: Tensor, text: str) -> dict[str, float]:
        right, nll = score(logits, targets, text), picked(logits, targets)
        return right | {name: float(figure(nll, text, right)) for name, figure in other.items()}

    return wrong


def figure(measure: str, text: str = "tales", tokens: str = "GPT-2", context_bytes: int = 512) -> Figure:
    """A published figure's small print. Its values are made anew: equal to another's, but not the same objects."""
    written = (str(value.encode(), "utf-8") for value in (measure, text, tokens))
    return {**dict(zip(("measure", "text", "tokens"), written, strict=True)), "context_bytes": int(str(context_bytes))}


def small_print_cases(rng: random.Random) -> list[Case]:
    """Pairs of figures for each measure: alike, each thing in which they can differ, alone and either way, alike with
    other values, two measures, also with other tokens, all different, and some drawn at random.
    """
    measures = ("token_perplexity", "bits_per_byte", "word_perplexity")
    changes = ({}, {"tokens": "768 tokens"}, {"text": "a novel"}, {"context_bytes": 64})
    one = [(figure(measure), figure(measure, **change)) for measure in measures for change in changes]
    unlike = ("a novel", "768 tokens", 64)
    alike = [(figure(measure, *unlike), figure(measure, *unlike)) for measure in measures]
    others = [(a, b) for a in measures for b in measures if a != b]
    other = [(figure(a), figure(b, **change)) for a, b in others for change in changes[:2]]

    def drawn() -> Figure:
        choices = measures, ("tales", "a novel"), ("GPT-2", "768 tokens"), (64, 512)
        return figure(*(rng.choice(choice) for choice in choices))

    back = [(second, first) for first, second in one if first != second]
    other += [(figure(a), figure(b, *unlike)) for a, b in others[:1]]
    return [*one, *back, *alike, *other, *((drawn(), drawn()) for _ in range(8))]


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
            "nothing else": lambda logits: quotient(logits).log(),
            "e to a large logit is too large for a computer, also within the sum: take the largest of each row away "
            "first": lambda logits: logits - summed(logits.exp()).log(),
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
            "the maximum and the sum lost their axis, so rows met columns: keepdim=True": (
                lambda logits: by_steps(logits, lambda z: z.amax(-1), lambda powers: powers.sum(-1))
            ),
            "the sum lost its axis, so rows met columns: keepdim=True there too": (
                lambda logits: by_steps(logits, add=lambda powers: powers.sum(-1))
            ),
            "the maximum lost its axis, so rows met columns: keepdim=True there too": (
                lambda logits: by_steps(logits, lambda z: z.amax(-1))
            ),
            "the largest of all logits was taken away from every row: it is the largest of each row, amax(-1)": (
                lambda logits: by_steps(logits, torch.max)
            ),
            "the largest of all logits was taken away from every row, where e to the rest is 0, and 0 / 0 no number: "
            "it is the largest of each row, amax(-1)": lambda logits: quotient(logits - logits.max()).log(),
            "the sum runs over all rows together: a row is for itself, so sum the last axis, dim=-1": (
                lambda logits: by_steps(logits, add=torch.sum)
            ),
            "the maximum and the sum run over all rows together: a row is for itself, so give both the last axis, "
            "dim=-1": lambda logits: by_steps(logits, torch.max, torch.sum),
            "only the largest was taken away: the logarithm of the sum of e to the rest comes off too": (
                lambda logits: logits - largest(logits)
            ),
            "within the sum the largest was taken away, before it not: take it from the logits once, then go on with "
            "what is left": lambda logits: logits - summed((logits - largest(logits)).exp()).log(),
            "the largest was taken away twice: the logarithm of the sum of e to the logits holds it too": (
                lambda logits: by_steps(logits) - largest(logits)
            ),
            "each part of the first axis was taken for a row, which is right with two axes only: a row goes along the "
            "last": lambda logits: torch.stack([by_steps(row, torch.max, torch.sum) for row in logits]),
            "the sum was taken away, not its logarithm": lambda logits: by_steps(logits, log=lambda total: total),
            "something small was added, so that no logarithm is -inf, and 1e-9 has taken the place of what is smaller: "
            "take away the logarithm of the sum instead": lambda logits: (logits.softmax(-1) + 1e-9).log(),
            "the logarithm is to the base 2: nats need the natural one, log": (
                lambda logits: log_softmax(logits) / math.log(2)
            ),
            "the logarithm of the sum was added: dividing by the sum is taking its logarithm away": (
                lambda logits: 2 * (logits - largest(logits)) - log_softmax(logits)
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
            "the targets picked rows: they are columns, so index with arange(N) first": (
                lambda z, y: -log_softmax(z)[y].mean()
            ),
            "the mean runs over the whole table: of each row only the target's entry counts": (
                lambda z, y: -log_softmax(z).mean()
            ),
            "the sum was divided by V: there are N tokens, so divide by N": lambda z, y: (
                picked(z, y).sum() / z.size(-1)
            ),
            "there was a softmax before log_softmax, which has its own: hand it the logits": (
                lambda z, y: cross_entropy(z.softmax(-1), y)
            ),
            "logits and targets were moved by a place: row i goes with target i already": (
                lambda z, y: cross_entropy(z[:-1], y[1:])
            ),
            "e to a large logit is too large for a computer: take ln p from the log_softmax above": (
                lambda z, y: F.nll_loss(quotient(z).log(), y)
            ),
            "e to a large logit is too large for a computer, also within a sum: take ln p from the log_softmax above": (
                lambda z, y: F.nll_loss(z - summed(z.exp()).log(), y)
            ),
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
            "the last batch was left out, and where there is one only, nothing is left: each token counts": as_float(
                without_the_last
            ),
            "only the first batch was counted: is there a return within the loop?": as_float(
                lambda losses, sizes: losses[0].exp()
            ),
            "the means were added up: add up nats, add up tokens, divide once": as_float(
                lambda losses, sizes: losses.sum().exp()
            ),
            "the means were divided by the sizes: they are means already, and times its size each gives nats": as_float(
                lambda losses, sizes: (losses / sizes).sum().exp()
            ),
            "it was rounded: give back the number as it is": (
                lambda losses, sizes: round(token_perplexity(losses, sizes), 2)
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
            "2 was raised to the bits, or e to the nats: that would be a perplexity per byte": (
                lambda nats, text: 2 ** bits_per_byte(nats, text)
            ),
            "white space at the ends was left out: the line break is part of the text, and it cost something too": (
                per(lambda text: len(text.strip().encode()))
            ),
            "this is an eighth of it: was it divided by the bits of the text, or by ln 256 for ln 2?": (
                per(lambda text: 8 * len(text.encode()))
            ),
            "it was multiplied by the bytes: bits for each of them are bits divided by bytes": (
                lambda nats, text: nats / math.log(2) * len(text.encode())
            ),
            "the logarithm of the nats was taken: they are logarithms already, and dividing by ln 2 makes bits": (
                lambda nats, text: math.log2(nats) / len(text.encode())
            ),
            "ln 2 was rounded to 0.693: math.log(2) has all its digits": (
                lambda nats, text: nats / len(text.encode()) / 0.693
            ),
            "it was rounded: give back the number as it is": lambda nats, text: round(bits_per_byte(nats, text), 2),
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
            "of each row away first": score_by(lambda z: quotient(z).log()),
            "e to a large logit is too large for a computer, also within a sum: score with the log_softmax above": (
                score_by(lambda z: z - summed(z.exp()).log())
            ),
            "for bits_per_byte the loss was multiplied by the length of the text: it is a mean over N tokens, so "
            "multiply by N": scored_with(
                bits_per_byte=lambda nll, text, right: bits_per_byte(right["loss"] * len(text), text)
            ),
            "bits_per_byte was multiplied by ln 2: a bit is less than a nat, so there are more of them; divide": (
                scored_with(bits_per_byte=lambda nll, text, right: nll.sum() / len(text.encode()) * math.log(2))
            ),
            "bits_per_byte has the bits of the whole text: divide by its bytes": scored_with(
                bits_per_byte=lambda nll, text, right: nll.sum() / math.log(2)
            ),
            "bits_per_byte was made of the perplexity: it is the loss that is in nats": scored_with(
                bits_per_byte=lambda nll, text, right: bits_per_byte(right["token_perplexity"], text)
            ),
            "token_perplexity is the loss: the exponential is missing": scored_with(
                token_perplexity=lambda nll, text, right: right["loss"]
            ),
            "token_perplexity is e to the surprise of the whole text: it is e to the mean, the loss": scored_with(
                token_perplexity=lambda nll, text, right: nll.sum().exp()
            ),
            "only the loss is wrong, which is a sum: it is the mean over the N tokens": scored_with(
                loss=lambda nll, text, right: nll.sum()
            ),
            "the numbers were rounded: give them back as they are": (
                lambda *case: {name: round(number, 2) for name, number in score(*case).items()}
            ),
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
            "it is never True: two equal figures may be compared; is something compared by `is` and not by ==?": (
                lambda a, b: False
            ),
            "it is always True: a figure on another text says something else": lambda a, b: True,
            "whatever has the same tokens was let through: `and` goes before `or`, so put what stands at the `or` in "
            "parentheses": lambda a, b: (
                (may_compare(a, b) and a["measure"] != "token_perplexity") or a["tokens"] == b["tokens"]
            ),
            "the context was looked at for token perplexities only: who has more to look back on guesses better, "
            "whatever the unit": lambda a, b: (
                may_compare(a, b, ("measure", "text"))
                and (a["measure"] != "token_perplexity" or a["context_bytes"] == b["context_bytes"])
            ),
            "the second measure was not looked at: a perplexity and bits per byte are no two values of one thing": (
                lambda a, b: may_compare(a, b | {"measure": a["measure"]})
            ),
        },
    ),
)
