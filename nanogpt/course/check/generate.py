"""Chapter 11: temperature, top-k and top-p for a batch, all of them in order, a head with a cache, writing with one."""

import random
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from nanogpt.course.check.item import Case, Item
from nanogpt.generate import Sampling, keep_top_k, keep_top_p, next_token_probs

NOTHING = torch.zeros(0, dtype=torch.long)  # no token was seen, so nothing is penalised
INF = float("inf")


def temperature_cases(rng: random.Random) -> list[Case]:
    """Logits (B, V) at temperatures below and above 1, at 1 and at 0."""
    sizes = [(1, 4, 0.5), (3, 5, 2.0), (2, 4, 0.0), (2, 6, 1.0), (4, 4, rng.choice([0.25, 0.7, 1.5]))]
    return [(2 * torch.randn(B, V), temperature) for B, V, temperature in sizes]


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
    ]


def batch_top_k(logits: Tensor, k: int) -> Tensor:
    """(B, V) -> (B, V), by the library's cut, row by row."""
    return torch.stack([keep_top_k(row, k) for row in logits])


def kept_ties(logits: Tensor, k: int) -> Tensor:
    """The slip of keeping all that is not below the k-th largest: with ties, more than k."""
    return logits.masked_fill(logits < logits.topk(k).values[:, -1:], -INF)


def p_cases(rng: random.Random) -> list[Case]:
    """Logits (B, V) and a share: far from any edge, so that rounding decides nothing; tiny, and nearly all, too."""
    cases = [(torch.tensor([[0.5, 0.25, 0.15, 0.1]]).log()[:, [2, 0, 3, 1]], 0.8)]
    for B, V, p in ((2, 4, 0.4), (3, 6, 0.9), (2, 5, 1e-9), (rng.randrange(2, 5), 7, 0.7)):
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


def unsorted_mask(logits: Tensor, p: float) -> Tensor:
    """The slip of a mask in the sorted order on logits that are not."""
    return logits.masked_fill(before(logits.softmax(-1).sort(descending=True).values) >= p, -INF)


def left_sorted(logits: Tensor, p: float) -> Tensor:
    """The slip of handing back the logits in the sorted order."""
    ordered = logits.sort(descending=True).values
    return ordered.masked_fill(before(ordered.softmax(-1)) >= p, -INF)


def dial_cases(rng: random.Random) -> list[Case]:
    """Logits (B, V) with a temperature, a top-k or None, a top-p or None."""
    cases = []
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


def in_steps(
    logits: Tensor, temperature: float, k: int | None, p: float | None, steps: str, last: bool = True
) -> Tensor:
    """The settings in another order: `steps` names them by t, k, p, and a softmax that is too early by n."""
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


def attended(
    query: Tensor, key: Tensor, value: Tensor, past_keys: Tensor, past_values: Tensor, mask: str = "offset", **slip
) -> Head:
    """The same written out, with another mask, without the scale, or with the parts in another order."""
    pairs = (past_keys, key), (past_values, value)
    keys, values = (torch.cat(pair[::-1] if "new first" in slip.values() else pair) for pair in pairs)
    T, S = len(query), len(past_keys)
    seen = {
        "offset": torch.ones(T, S + T).tril(S),
        "upper left": torch.ones(T, S + T).tril(),
        "none": torch.ones(T, S + T),
        "strict": torch.ones(T, S + T).tril(S - 1),
        "far": torch.ones(T, S + T).tril(S + 1),
    }[mask].bool()
    scores = query @ keys.T * (1.0 if "unscaled" in slip.values() else query.size(1) ** -0.5)
    out = scores.masked_fill(~seen, -INF).softmax(-1) @ values
    return out, keys, values


def new_alone(query: Tensor, key: Tensor, value: Tensor, past_keys: Tensor, past_values: Tensor) -> Head:
    """The slip of attending to the new tokens alone."""
    _, keys, values = cached_head(query, key, value, past_keys, past_values)
    return attended(query, key, value, past_keys[:0], past_values[:0])[0], keys, values


def not_grown(query: Tensor, key: Tensor, value: Tensor, past_keys: Tensor, past_values: Tensor) -> Head:
    """The slip of handing back the cache as it was."""
    return cached_head(query, key, value, past_keys, past_values)[0], past_keys, past_values


def only_new(query: Tensor, key: Tensor, value: Tensor, past_keys: Tensor, past_values: Tensor) -> Head:
    """The slip of handing back the new keys and values alone."""
    return cached_head(query, key, value, past_keys, past_values)[0], key, value


def swapped(*case: Tensor) -> Head:
    """The slip of values before keys in what is handed back."""
    out, keys, values = cached_head(*case)
    return out, values, keys


Step = Callable[[list[int], tuple | None], tuple[Tensor, tuple]]


def small_model(vocab_size: int, padding: int, most: int) -> Step:
    """A model that has to be read in order: what it answers depends on each token before, and on its place."""
    C, rows = 8, vocab_size + padding
    embedding, mixing, head, places = (torch.randn(n, C) for n in (rows, C, rows, 64))
    head[vocab_size:] *= 3

    def step(ids: list[int], cache: tuple | None) -> tuple[Tensor, tuple]:
        ids = [int(i) for i in ids]
        if len(ids) > most:
            raise ValueError(f"{len(ids)} tokens at once, but this model takes {most}; give it those it hasn't read")
        state, n = cache or (torch.zeros(C), 0)
        rows = []
        for i in ids:
            state, n = torch.tanh(0.8 * mixing @ state + embedding[i] + places[n]), n + 1
            rows.append(head @ state)
        return torch.stack(rows), (state, n)

    step.__name__ = f"a model of {rows} rows that takes up to {most} tokens at once"
    return step


def writing_cases(rng: random.Random) -> list[Case]:
    """A model, a prompt, how many tokens to write, and the vocabulary."""
    cases = []
    for length, count, V in ((3, 4, 7), (2, 1, 5), (5, 6, 9), (rng.randrange(2, 6), rng.randrange(5, 9), 8)):
        prompt = [rng.randrange(V) for _ in range(length)]
        step = small_model(V, rng.randrange(2, 4), length)
        while by_reading_again(step, prompt, 1, V) == prompt[-1:]:  # or two of the slips could be the same
            step = small_model(V, rng.randrange(2, 4), length)
        cases.append((step, prompt, count, V))
    return cases


def cached_greedy(step: Step, prompt: list[int], count: int, vocab_size: int, **slip: bool) -> list[int]:
    """The likeliest tokens, `count` of them, each read once; `slip` names the thing to do wrong."""
    rows = None if "padded" in slip else vocab_size
    place = 0 if "first row" in slip else -1
    logits, cache = step(prompt, None)
    if "last again" in slip:
        logits, cache = step(prompt[-1:], cache)
    new = []
    for _ in range(count):
        new.append(int(logits[place, :rows].argmax()))
        if "stuck" in slip:
            continue
        logits, grown = step(new[-1:], None if "forgetful" in slip else cache)
        cache = cache if "not kept" in slip else grown
    return new


def by_reading_again(step: Step, prompt: list[int], count: int, vocab_size: int) -> list[int]:
    """The likeliest tokens by reading the whole text for each of them, as if there were no cache."""
    new: list[int] = []
    for _ in range(count):
        cache, logits = None, torch.empty(0)
        for token in prompt + new:
            logits, cache = step([token], cache)
        new.append(int(logits[-1, :vocab_size].argmax()))
    return new


def one_late(step: Step, prompt: list[int], count: int, vocab_size: int) -> list[int]:
    """The slip of reading each new token and picking again before it is put down."""
    return by_reading_again(step, prompt, count + 1, vocab_size)[1:]


ITEMS = (
    Item(
        "tempered",
        "tempered(logits, temperature): logits (B, V) -> (B, V), each row's probabilities at this temperature; at 0 "
        "the likeliest token has 1.0 and all others 0.0",
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
            "places": kept_ties,
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
            "what is cut became 0, and e^0 is 1: only -inf has probability 0": (
                lambda x, k: x.where(batch_top_k(x, k) > -INF, torch.tensor(0.0))
            ),
            "these are probabilities: give the logits back, the softmax comes later": (
                lambda x, k: batch_top_k(x, k).softmax(-1)
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
                unsorted_mask
            ),
            "the logits came back in the sorted order: put them back in their places": left_sorted,
            "the unlikeliest were kept: sort with descending=True": (
                lambda x, p: kept_by(lambda q: before(q) < p, x, descending=False)
            ),
            "each token's own probability was compared with p: it is the sum of those before it": (
                lambda x, p: x.masked_fill(x.softmax(-1) < p, -INF)
            ),
            "what is cut became 0, and e^0 is 1: only -inf has probability 0": (
                lambda x, p: x.where(batch_top_p(x, p) > -INF, torch.tensor(0.0))
            ),
            "these are probabilities: give the logits back, the softmax comes later": (
                lambda x, p: batch_top_p(x, p).softmax(-1)
            ),
            "these are probabilities that don't sum to 1: give the logits back, -inf where they are cut": (
                lambda x, p: x.softmax(-1).where(batch_top_p(x, p) > -INF, torch.tensor(0.0))
            ),
            "the logits were added up: softmax first, since p is a share of probability": (
                lambda x, p: kept_by(lambda q: before(x.sort(descending=True).values) < p, x)
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
            "the temperature comes after the cuts: top-p then cuts another distribution; divide first": (
                lambda *case: in_steps(*case, steps="kpt")
            ),
            "top-p comes before top-k: it is a share of what top-k has left": lambda *case: in_steps(
                *case, steps="tpk"
            ),
            "what is left does not sum to 1: cut the logits, and take the softmax last": not_scaled,
            "top-p is left out": lambda *case: in_steps(*case, steps="tk"),
            "top-k is left out": lambda *case: in_steps(*case, steps="tp"),
            "the temperature is left out, except at 0": lambda *case: in_steps(*case, steps="kp"),
            "both cuts are left out": lambda *case: in_steps(*case, steps="t"),
            "the temperature was applied twice, before the cuts and after: what comes after them is a softmax alone": (
                lambda *case: in_steps(*case, steps="tkpt")
            ),
            "the cuts were given probabilities, and a second softmax flattens them: divide the logits, cut them, and "
            "take the softmax last": lambda *case: in_steps(*case, steps="tnkp"),
            "all is right but at temperature 0, where it divides by 0: let tempered(logits, 0) answer there": (
                lambda x, t, k, p: in_steps(x / t, 1.0, k, p, steps="kp")
            ),
            "these are the logits: the softmax is missing": lambda *case: in_steps(*case, steps="tkp", last=False),
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
            "very first key: new token i stands at place S + i": lambda *case: attended(*case, mask="upper left"),
            "nothing is masked: among the new tokens, each sees those that come after it": (
                lambda *case: attended(*case, mask="none")
            ),
            "the mask hides each new token from itself: it may see the S before and itself": (
                lambda *case: attended(*case, mask="strict")
            ),
            "the mask lets each token see one that comes after it: new token i sees S + i + 1 keys": (
                lambda *case: attended(*case, mask="far")
            ),
            "the new tokens see only one another: put the past keys and values before the new ones": new_alone,
            "the new keys and values stand before the past ones: torch.cat([past, new])": (
                lambda *case: attended(*case, order="new first")
            ),
            "this equals attention without dividing by the square root of head_dim": (
                lambda *case: attended(*case, scale="unscaled")
            ),
            "the cache came back as it was: hand back the keys and values with the new ones behind": not_grown,
            "the new keys and values alone came back: the next call needs the past ones too": only_new,
            "keys and values have changed places in what comes back": swapped,
            "only the output came back: the next call needs the keys and values": lambda *case: cached_head(*case)[0],
        },
    ),
    Item(
        "cached_greedy",
        "cached_greedy(step, prompt, count, vocab_size): step(ids, cache) reads a list of T new ids and gives (logits "
        "(T, rows), cache), with None as the first cache -> list of the `count` likeliest ids after the prompt, each "
        "read once, none of them padding",
        by_reading_again,
        writing_cases,
        {
            "the padding can be chosen: cut the logits to vocab_size": lambda *case: cached_greedy(*case, padded=True),
            "the logits are the first row's: the next token's stand in the last one, [-1]": (
                lambda *case: cached_greedy(*case, **{"first row": True})
            ),
            "each new token is read without the cache, as if it began a text: hand in the cache that came back": (
                lambda *case: cached_greedy(*case, forgetful=True)
            ),
            "the cache stays the prompt's: keep the one that comes back with each new token": (
                lambda *case: cached_greedy(*case, **{"not kept": True})
            ),
            "the prompt's last token is read twice: the logits from reading the prompt give the first new token": (
                lambda *case: cached_greedy(*case, **{"last again": True})
            ),
            "the same logits are used each time: read the new token, with the cache, before the next choice": (
                lambda *case: cached_greedy(*case, stuck=True)
            ),
            "the prompt came back too: only the new tokens are asked for": (
                lambda step, prompt, count, V: prompt + by_reading_again(step, prompt, count, V)
            ),
            "one token too many came back": lambda step, prompt, count, V: by_reading_again(step, prompt, count + 1, V),
            "one token too few came back: the logits from reading the prompt already give the first": (
                lambda step, prompt, count, V: by_reading_again(step, prompt, count - 1, V)
            ),
            "the first new token is missing: the logits from reading the prompt give it, put it down before you read "
            "on": one_late,
        },
    ),
)
