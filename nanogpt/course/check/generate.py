"""Chapter 11: temperature, top-k and top-p for a batch, all of them in order, a head with a cache, writing with one."""

import random
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from nanogpt.course.check.item import Case, Item
from nanogpt.course.check.values import copied
from nanogpt.generate import Sampling, keep_top_k, keep_top_p, next_token_probs

NOTHING, INF = torch.zeros(0, dtype=torch.long), float("inf")  # no token was seen, so nothing is penalised


def temperature_cases(rng: random.Random) -> list[Case]:
    """Logits (B, V) at temperatures below and above 1, at 1 and at 0; equals at 0, and quotients too large for e^x."""
    sizes = [(1, 4, 0.5), (3, 5, 2.0), (2, 4, 0.0), (2, 6, 1.0), (4, 4, rng.choice([0.25, 0.7, 1.5]))]
    cases: list[Case] = [(2 * torch.randn(B, V), temperature) for B, V, temperature in sizes]
    tied = torch.tensor([[2.0, 0.5, 2.0, -1.0], [0.0, 3.0, 1.0, 2.5]])
    return [*cases, (tied, 0.0), (torch.tensor([[11.0, 10.0, 6.0], [9.5, 10.0, 10.5]]), 0.1)]


def tempered(logits: Tensor, temperature: float) -> Tensor:
    """(B, V) -> (B, V), by the library's distribution, row by row."""
    return torch.stack([next_token_probs(row, Sampling(temperature), NOTHING) for row in logits])


def tempered_but(zero: Callable[[Tensor], Tensor]) -> Callable[[Tensor, float], Tensor]:
    """A temperature that is right, except at 0."""
    return lambda logits, temperature: tempered(logits, temperature) if temperature else zero(logits)


def k_cases(rng: random.Random) -> list[Case]:
    """Logits (B, V) with ties, at the edge among others, and how many to keep: 1, some, all of them."""
    tied = torch.tensor([[3.0, 2.0, 2.0, 0.0, 2.0], [-1.0, 0.5, -2.0, 0.5, 0.5]])
    negative = torch.tensor([[-4.0, -1.0, -3.0, -1.0], [-2.0, -2.0, -5.0, -6.0], [5.0, 4.0, 6.0, 4.0]])
    B, V = rng.randrange(2, 5), rng.randrange(7, 10)
    return [
        (torch.tensor([[1.0, 4.0, 3.0, 2.0]]), 2),
        (tied, 2),
        (negative, 1),
        (2 * torch.randn(B, V), rng.randrange(3, 6)),
        ((2 * torch.randn(B, V)).round(), V),
        (torch.arange(80).view(2, 40) % 3 + 0.5, 20),  # wide enough for a sort that isn't stable to mix equals
    ]


def batch_top_k(logits: Tensor, k: int) -> Tensor:
    """(B, V) -> (B, V), by the library's cut, row by row."""
    return torch.stack([keep_top_k(row, k) for row in logits])


def kept_unstable(logits: Tensor, k: int) -> Tensor:
    """The slip of a sort without stable=True; on machines where that sort is stable, other equals stay."""
    order, stable = logits.argsort(descending=True), logits.argsort(descending=True, stable=True)
    if logits.size(1) > 16 and order.equal(stable):
        order = logits.flip(-1).argsort(descending=True, stable=True)
    return keep(logits, order[:, :k])


def keep(logits: Tensor, kept: Tensor) -> Tensor:
    """All become -inf but those whose ids stand in a row's `kept`."""
    return logits.masked_fill(torch.ones_like(logits).bool().scatter(1, kept, False), -INF)


def p_cases(rng: random.Random) -> list[Case]:
    """Logits (B, V) and a share: far from any edge, so that rounding decides nothing; tiny, and nearly all, too."""
    shares = torch.tensor([[0.1, 0.7, 0.05, 0.15], [0.3, 0.2, 0.24, 0.26]])  # of which 0.6 takes one, and three
    cases = [(torch.tensor([[0.5, 0.25, 0.15, 0.1]]).log()[:, [2, 0, 3, 1]], 0.8), (shares.log(), 0.6)]
    for B, V, p in ((2, 4, 0.4), (3, 6, 0.9), (32, 9, 1e-9), (rng.randrange(2, 5), 7, 0.7)):
        logits = 1.5 * torch.randn(B, V)
        while _near_an_edge(logits, p):
            logits = 1.5 * torch.randn(B, V)
        cases.append((logits, p))
    return cases


def _near_an_edge(logits: Tensor, *shares: float) -> bool:
    sums = logits.softmax(-1).sort(descending=True).values.cumsum(-1)
    return any(bool(((sums - p).abs() < 1e-3).any()) for p in shares)


def batch_top_p(logits: Tensor, p: float) -> Tensor:
    """(B, V) -> (B, V), by the library's cut, row by row."""
    return torch.stack([keep_top_p(row, p) for row in logits])


def kept_by(rule: Callable[[Tensor], Tensor], logits: Tensor, descending: bool = True) -> Tensor:
    """Keep what `rule` says of the sorted probabilities, (B, V) -> (B, V)."""
    order = logits.argsort(descending=descending, stable=True)
    kept = rule(logits.softmax(-1).gather(1, order))
    return logits.masked_fill(~torch.zeros_like(kept).scatter(1, order, kept), -INF)


def before(probs: Tensor) -> Tensor:
    """The probability of all that stands before each, along the last axis."""
    return probs.cumsum(-1) - probs


def left_sorted(logits: Tensor, p: float) -> Tensor:
    """The slip of handing back the logits in the sorted order."""
    ordered = logits.sort(descending=True).values
    return ordered.masked_fill(before(ordered.softmax(-1)) >= p, -INF)


def dial_cases(rng: random.Random) -> list[Case]:
    """Logits (B, V) with a temperature, a top-k or None, a top-p or None; the first two the same for each seed."""
    shares = torch.tensor([[0.2, 0.3, 0.1, 0.25, 0.15], [0.05, 0.15, 0.45, 0.05, 0.3]])  # top-k cuts more, or top-p
    cases: list[Case] = [(shares.log(), 1.0, 3, 0.8), (torch.tensor([[1.0, 3.0, 3.0, 0.0, 2.0]]), 0.0, 2, None)]
    for B, V, temperature, k, p in (
        (1, 5, 1.0, None, None),
        (2, 6, 2.0, 4, 0.7),
        (2, 6, 0.5, None, 0.8),
        (2, 5, 0.0, 3, 0.9),
        (rng.randrange(2, 4), 7, 1.5, 3, None),
        (3, 8, rng.choice([0.6, 1.6]), 5, 0.8),
    ):
        logits = 1.5 * torch.randn(B, V)
        while p and temperature and _edges_near(logits, temperature, k, p):
            logits = 1.5 * torch.randn(B, V)
        cases.append((logits, temperature, k, p))
    return cases


def _edges_near(logits: Tensor, temperature: float, k: int | None, p: float) -> bool:
    flat = logits / temperature
    return any(_near_an_edge(x, p) for x in (logits, flat, batch_top_k(flat, k or flat.size(1))))


def batch_probs(logits: Tensor, temperature: float, top_k: int | None, top_p: float | None) -> Tensor:
    """(B, V) -> (B, V), by the library's distribution, row by row."""
    how = Sampling(temperature, top_k, top_p)
    return torch.stack([next_token_probs(row, how, NOTHING) for row in logits])


def in_steps(steps: str, last: bool = True) -> Callable[[Tensor, float, int | None, float | None], Tensor]:
    """The settings in another order: `steps` names them by t, k, p, and a softmax that is too early by n."""

    def probs(logits: Tensor, temperature: float, k: int | None, p: float | None) -> Tensor:
        if temperature == 0:
            return tempered(logits, 0)
        for step in steps:
            if step == "t":
                logits = logits / temperature
            elif step == "n":
                logits = logits.softmax(-1)
            elif step == "k" and k is not None:
                logits = batch_top_k(logits, k)
            elif step == "p" and p is not None:
                logits = batch_top_p(logits, p)
        return logits.softmax(-1) if last else logits

    return probs


IN_ORDER, CUTS_ALONE = in_steps("tkp"), in_steps("kp")


def not_scaled(logits: Tensor, temperature: float, k: int | None, p: float | None) -> Tensor:
    """The slip of taking the probabilities before the cuts, and setting what is cut to 0."""
    return torch.where(batch_probs(logits, temperature, k, p) > 0, tempered(logits, temperature), 0.0)


def head_cases(rng: random.Random) -> list[Case]:
    """New query, key, value (T, D), and the keys and values of S tokens that were read before: none, one, several."""
    sizes = [(3, 0, 2), (1, 3, 4), (3, 2, 4), (1, 1, 2), (rng.randrange(2, 5), rng.randrange(3, 6), 6)]
    return [(*torch.randn(3, T, D), *torch.randn(2, S, D)) for T, S, D in sizes]


Head = tuple[Tensor, Tensor, Tensor]


def cached_head(query: Tensor, key: Tensor, value: Tensor, past_keys: Tensor, past_values: Tensor) -> Head:
    """(T, D) and the grown keys and values (S + T, D) each, by torch's own kernel."""
    keys, values = torch.cat([past_keys, key]), torch.cat([past_values, value])
    seen = torch.ones(len(query), len(keys)).tril(len(past_keys)).bool()
    return F.scaled_dot_product_attention(query[None], keys[None], values[None], seen[None])[0], keys, values


def seen_from(T: int, S: int) -> Tensor:
    """(T, S + T), 1 where one may look: row i sees the first S + i + 1."""
    return torch.ones(T, S + T).tril(S)


def hidden(scores: Tensor, seen: Tensor, dim: int = -1) -> Tensor:
    """Attention weights: -inf where nothing is seen, then softmax."""
    return scores.masked_fill(seen == 0, -INF).softmax(dim)


def attended(
    mask: Callable[[int, int], Tensor] = seen_from,
    weigh: Callable[[Tensor, Tensor], Tensor] = hidden,
    root_of: Callable[[int, int, int], float] = lambda T, S, D: D,
    join: Callable[[Tensor, Tensor], Tensor] = lambda past, new: torch.cat([past, new]),
) -> Callable[..., Head]:
    """The same written out, with another mask (of T and S), weighting, scale (of T, S and D) or way to join."""

    def head(query: Tensor, key: Tensor, value: Tensor, past_keys: Tensor, past_values: Tensor) -> Head:
        keys, values = join(past_keys, key), join(past_values, value)
        (T, D), S = query.shape, len(past_keys)
        scores = query @ keys.T / root_of(T, S, D) ** 0.5
        return weigh(scores, mask(T, S)) @ values, keys, values

    return head


class Reader(tuple):
    """A model to be read in order: what it answers depends on each token before, and on its place.

    A tuple (embedding, mixing, head, places, most), so that each answer is given a copy that has not begun a text.
    """

    @property
    def __name__(self) -> str:
        return f"a model of {len(self[2])} rows that takes up to {self[4]} tokens at once"

    def __call__(self, ids: list[int], cache: tuple | None) -> tuple[Tensor, tuple]:
        """Read ids (T): -> logits (T, rows) and the cache with them in it. ValueError for what was to be read once."""
        embedding, mixing, head, places, most = self
        ids = [int(i) for i in ids]
        if cache is None and getattr(self, "begun", False):
            raise ValueError("the text was begun a second time, with None as its cache; hand in the one that came back")
        if len(ids) > most:
            raise ValueError(f"{len(ids)} tokens at once, but this model takes {most}; give it those it hasn't read")
        self.begun = True
        state, n = cache or (torch.zeros(embedding.size(1)), 0)
        rows = []
        for i in ids:
            state, n = torch.tanh(0.8 * mixing @ state + embedding[i] + places[n]), n + 1
            rows.append(head @ state)
        return torch.stack(rows), (state, n)


def small_model(vocab_size: int, padding: int, most: int) -> Reader:
    """A model with random weights, whose padding often has the largest logit."""
    C, rows = 8, vocab_size + padding
    embedding, mixing, head, places = (torch.randn(n, C) for n in (rows, C, rows, 64))
    head[vocab_size:] *= 3
    return Reader((embedding, mixing, head, places, most))


def writing_cases(rng: random.Random) -> list[Case]:
    """A model, a prompt, how many tokens to write, and the vocabulary."""
    cases = []
    for length, count, V in ((3, 4, 7), (2, 1, 5), (5, 6, 9), (rng.randrange(2, 6), rng.randrange(5, 9), 8)):
        prompt = [rng.randrange(V) for _ in range(length)]
        model = small_model(V, rng.randrange(2, 4), length)
        while cached_greedy(copied(model), prompt, 1, V) == prompt[-1:]:  # or two of the slips could be the same
            model = small_model(V, rng.randrange(2, 4), length)
        cases.append((model, prompt, count, V))
    return cases


def written(
    row: Callable[[Tensor, int], Tensor] = lambda logits, V: logits[-1, :V],
    unread: Callable[[int, list[int]], Any] = lambda token, prompt: [token],
    more: int = 0,
    **slip: bool,
) -> Callable[[Reader, list[int], int, int], list[int]]:
    """A writer, who may choose from other logits, read something else next, write more, or do what `slip` names."""

    def write(step: Reader, prompt: list[int], count: int, vocab_size: int) -> list[int]:
        new, (logits, cache) = [], step(prompt, None)
        for turn in range(count + more):
            if turn and "stuck" not in slip:
                logits, grown = step(unread(new[-1], prompt), None if "forgetful" in slip else cache)
                cache = cache if "not_kept" in slip else grown
            new.append(int(row(logits, vocab_size).argmax()))
        return new

    return write


cached_greedy = written()


def last_again(step: Reader, prompt: list[int], count: int, vocab_size: int) -> list[int]:
    """The slip of reading the prompt's last token once more, to begin with."""
    new, cache = prompt[-1:], step(prompt, None)[1]
    for _ in range(count):
        logits, cache = step(new[-1:], cache)
        new.append(int(logits[-1, :vocab_size].argmax()))
    return new[1:]


def slips_of_a_cut(cut: Callable[[Tensor, Any], Tensor]) -> dict[str, Callable[[Tensor, Any], Tensor]]:
    """The right tokens stay, but what comes back is wrong: the same for top-k and top-p."""

    def filled(keeps: Callable[[Tensor], Tensor], fill: float) -> Callable[[Tensor, Any], Tensor]:
        return lambda x, setting: keeps(x).masked_fill(cut(x, setting) == -INF, fill)

    return {
        "what is cut became 0, and e^0 is 1: only -inf has probability 0": filled(lambda x: x, 0.0),
        "what is cut became -1e9, which is low but finite: only -inf has probability 0": filled(lambda x: x, -1e9),
        "these are probabilities: give the logits back, the softmax comes later": lambda x, s: cut(x, s).softmax(-1),
        "these are probabilities that don't sum to 1: give the logits back, -inf where they are cut": (
            filled(lambda x: x.softmax(-1), 0.0)
        ),
        "these are probabilities, though -inf where they are cut: give the logits back": (
            filled(lambda x: x.softmax(-1), -INF)
        ),
        "what should stay is cut, and the others stay: masked_fill fills where the mask is True": (
            lambda x, s: x.masked_fill(cut(x, s) > -INF, -INF)
        ),
        "this is the mask: fill the logits with it, masked_fill(mask, -inf)": lambda x, s: cut(x, s) == -INF,
    }


ITEMS = (
    Item(
        "tempered",
        "tempered(logits, temperature): logits (B, V) -> (B, V), each row's probabilities at this temperature; at 0 "
        "the likeliest token, of equals the lowest id, has 1.0 and all others 0.0",
        tempered,
        temperature_cases,
        {
            "the logits were multiplied by the temperature: divide, so that below 1 sharpens": (
                lambda x, t: (x * t).softmax(-1) if t else tempered(x, 0)
            ),
            "the logits were multiplied by the temperature, at 0 too, which makes all equal: divide, and let 0 be a "
            "case of its own": lambda x, t: (x * t).softmax(-1),
            "all is right but at 0, where it divides by 0: let 0 be a case of its own, with 1.0 at the largest": (
                lambda x, t: (x / t).softmax(-1)
            ),
            "all is right but at 0, which was taken for no temperature at all: 0 always takes the likeliest": (
                tempered_but(lambda x: x.softmax(-1))
            ),
            "at 0 there is one 1.0 in the whole batch: each row has a likeliest token of its own, argmax(-1)": (
                tempered_but(lambda x: F.one_hot(x.argmax(), x.numel()).view(x.shape).float())
            ),
            "at 0 the token came back, not a distribution: 1.0 at its place, 0.0 at all others": (
                tempered_but(lambda x: x.argmax(-1))
            ),
            "the probabilities were divided, after the softmax, and don't sum to 1: divide the logits": (
                lambda x, t: x.softmax(-1) / t if t else tempered(x, 0)
            ),
            "the softmax runs down the batch: each row is a distribution, so it is the last axis, dim=-1": (
                lambda x, t: (x / t).softmax(0) if t else tempered(x, 0)
            ),
            "these are the logits, divided: the softmax is missing": lambda x, t: x / t if t else tempered(x, 0),
            "the temperature changes nothing: divide the logits by it": (
                lambda x, t: x.softmax(-1) if t else tempered(x, 0)
            ),
            "all is right but for equals at 0, which share the 1.0, as with a tiny number in the place of 0: let 0 "
            "be a case of its own, with 1.0 at argmax(-1)": lambda x, t: (x / max(t, 1e-8)).softmax(-1),
            "all is right but for equals at 0, where each has 1.0 and the row sums to more: argmax(-1) takes one": (
                tempered_but(lambda x: (x == x.amax(-1, keepdim=True)).float())
            ),
            "at 0 there are as many columns as the largest id needs: hand F.one_hot their number, V": (
                tempered_but(lambda x: F.one_hot(x.argmax(-1)).float())
            ),
            "at 0 each row has the 1.0 of every row: it has one of its own, as F.one_hot makes them": (
                tempered_but(lambda x: torch.zeros_like(x).index_fill(1, x.argmax(-1), 1.0))
            ),
            "all is right but where e^(logit / temperature) is more than float32 holds: softmax knows a way round": (
                lambda x, t: (x / t).exp() / (x / t).exp().sum(-1, keepdim=True) if t else tempered(x, 0)
            ),
            "one softmax came before the temperature and one after it: divide the logits, then one softmax": (
                lambda x, t: (x.softmax(-1) / t).softmax(-1) if t else tempered(x, 0)
            ),
            "at 0 whole rows were filled with 1.0: out[ids] means rows, so pair each id with its own row": (
                tempered_but(lambda x: torch.zeros_like(x).index_put((x.argmax(-1),), torch.tensor(1.0)))
            ),
            "these are logarithms of probabilities: softmax, not log_softmax": (
                lambda x, t: (x / t).log_softmax(-1) if t else tempered(x, 0)
            ),
        },
    ),
    Item(
        "batch_top_k",
        "batch_top_k(logits, k): logits (B, V) -> (B, V), in each row the k largest stay as they are, all others are "
        "-inf; of equals at the edge the lower ids stay",
        batch_top_k,
        k_cases,
        {
            "with ties more than k stay: all that equal the k-th largest are kept; sort with stable=True and keep k "
            "places": lambda x, k: x.masked_fill(x < x.topk(k).values[:, -1:], -INF),
            "the k-th largest itself is cut off: it is one of the k": (
                lambda x, k: x.masked_fill(x <= x.topk(k).values[:, -1:], -INF)
            ),
            "one too many stays: the first k of the order are the places [:k]": lambda x, k: batch_top_k(x, k + 1),
            "of equals at the edge the higher ids stay: a sort with stable=True leaves the lower first": (
                lambda x, k: batch_top_k(x.flip(-1), k).flip(-1)
            ),
            "of equals at the edge torch.topk keeps whichever it comes upon: a sort with stable=True leaves the lower "
            "id first": lambda x, k: torch.full_like(x, -INF).scatter(1, x.topk(k).indices, x.topk(k).values),
            "the k smallest stay: sort with descending=True": (
                lambda x, k: x.where(batch_top_k(-x, k) > -INF, torch.tensor(-INF))
            ),
            "the k largest of the whole batch stay: each row keeps k of its own, so sort along dim=-1": (
                lambda x, k: batch_top_k(x.reshape(1, -1), k).view(x.shape)
            ),
            "every row is cut where the first one is: sort each row for itself": (
                lambda x, k: x.masked_fill(batch_top_k(x[:1], k) == -INF, -INF)
            ),
            "these are the k values alone: the shape stays (B, V), with -inf at all other places": (
                lambda x, k: x.topk(k).values
            ),
            "of equals at the edge the sort keeps whichever it comes upon: stable=True leaves the lower id first": (
                kept_unstable
            ),
            "nothing is cut: the mask is True where a token goes, so it begins with True everywhere": lambda x, k: x,
            "[:k] takes the first k rows of the indices: the first k columns are [:, :k]": (
                lambda x, k: keep(x, x.argsort(descending=True, stable=True)[:k])
            ),
            "the first k ids of each row stay, whatever their logits: scatter the mask to the ids that the sort gave": (
                lambda x, k: x.masked_fill(torch.arange(x.size(1)) >= k, -INF)
            ),
            "the logits came back in the sorted order: leave them in their places": (
                lambda x, k: keep(x.sort(descending=True).values, torch.arange(k).expand(len(x), k))
            ),
            "one too few stays: the first k of the order are the places [:k]": lambda x, k: batch_top_k(x, k - 1),
            **slips_of_a_cut(batch_top_k),
            "argsort's numbers were taken for ranks: its first k columns are the ids that stay": (
                lambda x, k: x.where(x.argsort(descending=True, stable=True) < k, torch.tensor(-INF))
            ),
        },
    ),
    Item(
        "batch_top_p",
        "batch_top_p(logits, p): logits (B, V) -> (B, V), in each row the fewest likeliest tokens that together reach "
        "probability p stay as they are, all others are -inf; the likeliest always stays",
        batch_top_p,
        p_cases,
        {
            "the token that reaches p is cut off: ask how much probability lies before each, the running sum less its "
            "own": lambda x, p: kept_by(lambda q: q.cumsum(-1) <= p, x),
            "the token that reaches p is cut off, save for the first: ask how much probability lies before each, the "
            "running sum less its own": (
                lambda x, p: kept_by(lambda q: (q.cumsum(-1) <= p) | (torch.arange(q.size(1)) == 0), x)
            ),
            "one too many stays: a token is needed if what lies before it is below p": (
                lambda x, p: kept_by(lambda q: F.pad(before(q), (1, 0))[:, :-1] < p, x)
            ),
            "the running sum goes by the ids: sort by probability first": (
                lambda x, p: x.masked_fill(before(x.softmax(-1)) >= p, -INF)
            ),
            "the mask is in the sorted order, and the logits are not: put it back with scatter, or by the order": (
                lambda x, p: x.masked_fill(before(x.softmax(-1).sort(descending=True).values) >= p, -INF)
            ),
            "the logits came back in the sorted order: put them back in their places": left_sorted,
            "the unlikeliest were kept: sort with descending=True": (
                lambda x, p: kept_by(lambda q: before(q) < p, x, descending=False)
            ),
            "each token's own probability was compared with p: it is the sum of those before it": (
                lambda x, p: x.masked_fill(x.softmax(-1) < p, -INF)
            ),
            "the logits were added up: softmax first, since p is a share of probability": (
                lambda x, p: kept_by(lambda q: before(x.sort(descending=True).values) < p, x)
            ),
            "the mask was read with gather, and has to be written with scatter: entry j goes to the id order[j]": (
                lambda x, p: x.masked_fill(
                    (before(x.sort(descending=True).values.softmax(-1)) >= p).gather(1, x.argsort(descending=True)),
                    -INF,
                )
            ),
            "the order is the sorted one, but the probabilities aren't: softmax the sorted logits": (
                lambda x, p: kept_by(lambda q: before(x.softmax(-1)) < p, x)
            ),
            "it was compared with 1 - p, which would go with a sum from the unlikely end: compare with p": (
                lambda x, p: kept_by(lambda q: before(q) < 1 - p, x)
            ),
            "the sum from the unlikely end was compared with 1 - p, and where p is tiny it cuts the likeliest too: let "
            "that always stay": (
                lambda x, p: kept_by(lambda q: x.sort().values.softmax(-1).cumsum(-1) > 1 - p, x, descending=False)
            ),
            "the running sum goes down the batch: it goes along each row, cumsum(dim=-1)": (
                lambda x, p: kept_by(lambda q: q.cumsum(0) - q < p, x)
            ),
            **slips_of_a_cut(batch_top_p),
            "what is cut in one row is cut in all: each row has a mask of its own": (
                lambda x, p: x.masked_fill((batch_top_p(x, p) == -INF).any(0), -INF)
            ),
        },
    ),
    Item(
        "batch_probs",
        "batch_probs(logits, temperature, top_k, top_p): logits (B, V) -> (B, V), the distribution to draw from; first "
        "the temperature, then top-k, then top-p of what is left, a cut that is None is left out",
        batch_probs,
        dial_cases,
        {
            "the temperature comes after the cuts: top-p then cuts another distribution; divide first": in_steps("kpt"),
            "top-p comes before top-k: it is a share of what top-k has left": in_steps("tpk"),
            "what is left does not sum to 1: cut the logits, and take the softmax last": not_scaled,
            "top-p is left out": in_steps("tk"),
            "top-k is left out": in_steps("tp"),
            "the temperature is left out, except at 0": in_steps("kp"),
            "both cuts are left out": in_steps("t"),
            "the temperature was applied twice, before the cuts and after: what comes after them is a softmax alone": (
                in_steps("tkpt")
            ),
            "the cuts were given probabilities, and a second softmax flattens them: divide the logits, cut them, and "
            "take the softmax last": in_steps("tnkp"),
            "all is right but at temperature 0, where it divides by 0: let tempered(logits, 0) answer there": (
                lambda x, t, k, p: CUTS_ALONE(x / t, 1.0, k, p)
            ),
            "these are the logits: the softmax is missing": in_steps("tkp", last=False),
            "the logits were multiplied by the temperature: divide": (
                lambda x, t, k, p: IN_ORDER(x, 1 / t if t else 0, k, p)
            ),
            "the cuts were given probabilities, at 0 too, and a second softmax flattens them: return at 0, else divide "
            "the logits, cut them, and take the softmax last": (
                lambda x, t, k, p: CUTS_ALONE(tempered(x, t), 1.0, k, p)
            ),
            "top-p was given probabilities, of which it takes a softmax: give it the logits that top-k has left": (
                in_steps("tknp")
            ),
            "where both cuts are set, top-p is left out: each has an if of its own, not elif": (
                lambda x, t, k, p: IN_ORDER(x, t, k, p if k is None else None)
            ),
            "where both cuts are set, top-k is left out: each has an if of its own, not elif": (
                lambda x, t, k, p: IN_ORDER(x, t, k if p is None else None, p)
            ),
            "all is right but at temperature 0, which was taken for 1: let tempered(logits, 0) answer there": (
                lambda x, t, k, p: IN_ORDER(x, t or 1.0, k, p)
            ),
            "all is right but for equals at temperature 0, which share the 1.0, as with a tiny number in the place "
            "of 0: let tempered(logits, 0) answer there": (lambda x, t, k, p: IN_ORDER(x, max(t, 1e-8), k, p)),
        },
    ),
    Item(
        "cached_head",
        "cached_head(query, key, value, past_keys, past_values): three (T, D) of T new tokens, two (S, D) of those "
        "before -> (output (T, D), all keys (S + T, D), all values (S + T, D)), each token seeing those up to it",
        cached_head,
        head_cases,
        {
            "the mask lies in the upper left corner, as is_causal=True lays it, so the first new token sees only the "
            "very first key: new token i stands at place S + i": attended(lambda T, S: torch.ones(T, S + T).tril()),
            "nothing is masked: among the new tokens, each sees those that come after it": (
                attended(lambda T, S: torch.ones(T, S + T))
            ),
            "the mask hides each new token from itself: it may see the S before and itself": (
                attended(lambda T, S: torch.ones(T, S + T).tril(S - 1))
            ),
            "the mask lets each token see one that comes after it: new token i sees S + i + 1 keys": (
                attended(lambda T, S: torch.ones(T, S + T).tril(S + 1))
            ),
            "the new tokens see only one another: put the past keys and values before the new ones": (
                lambda q, k, v, *past: (cached_head(q, k, v, q[:0], v[:0])[0], *cached_head(q, k, v, *past)[1:])
            ),
            "the new keys and values stand before the past ones: torch.cat([past, new])": (
                attended(join=lambda past, new: torch.cat([new, past]))
            ),
            "this equals attention without dividing by the square root of head_dim": (
                attended(root_of=lambda T, S, D: 1)
            ),
            "the cache came back as it was: hand back the keys and values with the new ones behind": (
                lambda *case: (cached_head(*case)[0], *case[3:])
            ),
            "the new keys and values alone came back: the next call needs the past ones too": (
                lambda *case: (cached_head(*case)[0], *case[1:3])
            ),
            "keys and values have changed places in what comes back": (
                lambda *case: (cached_head(*case)[0], *cached_head(*case)[:0:-1])
            ),
            "only the output came back: the next call needs the keys and values": lambda *case: cached_head(*case)[0],
            "the keys and values came first: the output, then all keys, then all values": (
                lambda *case: (*cached_head(*case)[1:], cached_head(*case)[0])
            ),
            "what should be seen is hidden: masked_fill fills where the mask is True, so hand it ~mask": (
                attended(lambda T, S: 1 - seen_from(T, S))
            ),
            "each token sees itself and the future: below the diagonal lies the past, so tril(S)": (
                attended(lambda T, S: torch.ones(T, S + T).triu(S))
            ),
            "the mask was moved by T, how many are new: it is moved by S, how many were read before": (
                attended(lambda T, S: torch.ones(T, S + T).tril(T))
            ),
            "there is no mask as soon as there are past tokens: new ones among themselves need it all the same": (
                attended(lambda T, S: torch.ones(T, S + T).tril(0 if S == 0 else S + T))
            ),
            "the mask is (T, T), as without a cache: new tokens see S past ones too, (T, S + T)": (
                attended(lambda T, S: torch.ones(T, T).tril())
            ),
            "past and new stand side by side: they go one below the other, torch.cat([past, new])": (
                attended(join=lambda past, new: torch.cat([past, new], dim=1))
            ),
            "the scale is the square root of T, how many are new: it is that of D, the last axis of query": (
                attended(root_of=lambda T, S, D: T)
            ),
            "the scores were divided by D: divide by its square root": attended(root_of=lambda T, S, D: D * D),
            "the softmax runs down the columns: each row is one token's look, so it is the last axis, dim=-1": (
                attended(weigh=lambda scores, seen: hidden(scores, seen, 0))
            ),
            "the mask comes after the softmax, so the rows don't sum to 1: hide first, with -inf, then share out": (
                attended(weigh=lambda scores, seen: scores.softmax(-1) * seen)
            ),
            "hidden places were set to 0 before the softmax, and e^0 is 1: set them to -inf": (
                attended(weigh=lambda scores, seen: (scores * seen).softmax(-1))
            ),
            "the mask was added to the scores, where True counts as 1 and hides nothing: use masked_fill and -inf": (
                attended(weigh=lambda scores, seen: (scores + seen).softmax(-1))
            ),
            "the keys were averaged instead of the values: the weights are multiplied by all values": (
                lambda q, k, v, pk, pv: (cached_head(q, k, k, pk, pk)[0], *cached_head(q, k, v, pk, pv)[1:])
            ),
        },
    ),
    Item(
        "cached_greedy",
        "cached_greedy(step, prompt, count, vocab_size): step(ids, cache) reads a list of T new ids and gives (logits "
        "(T, rows), cache), with None as the first cache -> list of the `count` likeliest ids after the prompt, each "
        "read once, none of them padding",
        cached_greedy,
        writing_cases,
        {
            "the padding can be chosen: cut it off, logits[-1, :vocab_size]": written(lambda x, V: x[-1]),
            "the logits are the first row's: the next token's stand in the last one, [-1]": written(
                lambda x, V: x[0, :V]
            ),
            "the argmax is that of all rows together: the next token's logits stand in the last one, [-1]": (
                written(lambda x, V: x[:, :V])
            ),
            "None came in a second time, as if a text began: hand in the cache that came back": written(forgetful=True),
            "the cache stays the prompt's: keep the one that comes back with each new token": written(not_kept=True),
            "the prompt's last token is read twice: the logits from reading the prompt give the first new token": (
                last_again
            ),
            "the prompt is read again in each turn: read the new token alone": written(
                unread=lambda token, prompt: prompt
            ),
            "step was given a single id, where it takes a list of them: [token]": written(
                unread=lambda token, _: token
            ),
            "the same logits are used each time: choose from those that come back when the new token is read": (
                written(stuck=True)
            ),
            "only the prompt's last token was read: all of the prompt goes into the first call": (
                lambda step, prompt, count, V: cached_greedy(step, prompt[-1:], count, V)
            ),
            "the prompt came back too: only the new tokens are asked for": (
                lambda step, prompt, count, V: prompt + cached_greedy(step, prompt, count, V)
            ),
            "only the first new token came back: the return stands inside the loop": (
                lambda step, prompt, count, V: cached_greedy(step, prompt, 1, V)
            ),
            "one token too many came back": written(more=1),
            "one token too few came back: the logits from reading the prompt already give the first": written(more=-1),
            "the first new token is missing: the logits from reading the prompt give it, put it down before you read "
            "on": lambda *case: written(more=1)(*case)[1:],
        },
    ),
)
