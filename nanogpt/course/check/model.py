"""Chapter 05: the way in, the way out, the loss at the start, the parameters counted, and a test for peeking."""

import math
import random
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nanogpt.config import PRESETS, ModelConfig
from nanogpt.course.check.item import Case, Item
from nanogpt.model import GPT

Model = Callable[[Tensor], Tensor]


def embed_cases(rng: random.Random) -> list[Case]:
    """Ids (B, T), a table of tokens (V, C) and one of positions (context, C), with more positions than are needed."""
    sizes = [(1, 3, 4, 9), (2, 4, 4, 8), (3, 1, 6, 8), (rng.randrange(2, 4), 5, 4, 12)]
    return [(torch.randint(6, (B, T)), torch.randn(6, C), torch.randn(most, C)) for B, T, C, most in sizes]


def embed(token_ids: Tensor, token_table: Tensor, position_table: Tensor) -> Tensor:
    """(B, T) -> (B, T, C) by torch's own look-up."""
    positions = torch.arange(token_ids.size(1)).expand_as(token_ids)  # (B, T)
    return F.embedding(token_ids, token_table) + F.embedding(positions, position_table)


def placed(positions: Callable[[Tensor], Tensor]) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    """A slip of `embed`: the positions are others."""
    return lambda ids, tokens, table: tokens[ids] + table[positions(ids)]


def tied_cases(rng: random.Random) -> list[Case]:
    """x (B, T, C), the weights of the norm (C,) and the table (V, C); x ordinary, or almost constant."""
    sizes = [(1, 3, 4, 7), (2, 5, 6, 9), (rng.randrange(2, 4), 1, 8, 5)]
    cases = [(2 * torch.randn(B, T, C) + 1, torch.rand(C) + 0.5, torch.randn(V, C)) for B, T, C, V in sizes]
    return [*cases, (0.01 + 0.001 * torch.randn(1, 4, 6), *cases[1][1:])]


def tied_logits(x: Tensor, norm_weight: Tensor, token_table: Tensor) -> Tensor:
    """(B, T, C) -> (B, T, V) by torch's layer norm and linear layer."""
    return F.linear(F.layer_norm(x, norm_weight.shape, norm_weight), token_table)


def scored(norm: Callable[[Tensor], Tensor]) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    """A slip of `tied_logits`: the norm is another."""
    return lambda x, weight, table: (norm(x) * weight) @ table.T


def normed(x: Tensor, dim: int = -1, unbiased: bool = False, eps: float = 1e-5, outside: float = 0.0) -> Tensor:
    """A norm by hand, over another axis, with another variance, or with epsilon under the root or outside it."""
    std = (x.var(dim, keepdim=True, unbiased=unbiased) + eps).sqrt()
    return (x - x.mean(dim, keepdim=True)) / (std + outside)


def start_cases(rng: random.Random) -> list[Case]:
    """The course's two models, and tables drawn larger, where opinions cost more."""
    return [(768, 128, 0.02), (50_304, 384, 0.02), (64, 16, 0.5), (100 * rng.randrange(2, 9), 48, 0.2)]


def start_loss(vocab_size: int, n_embd: int, std: float) -> float:
    """ln V, and the log of the mean of e^z for z from N(0, std^2 C), by torch's log-normal distribution."""
    sigma = torch.tensor(std, dtype=torch.float64) * n_embd**0.5
    surplus = torch.distributions.LogNormal(torch.zeros_like(sigma), sigma).mean.log()
    return math.log(vocab_size) + surplus.item()


def count_cases(rng: random.Random) -> list[Case]:
    """Small shapes in which no two numbers agree, with and without biases and tying, and two models of the course."""
    bare = ModelConfig(n_layer=2, n_head=3, n_embd=6, context_length=5, vocab_size=11)
    biased = ModelConfig(n_layer=3, n_head=2, n_embd=4, context_length=7, vocab_size=13, bias=True)
    drawn = ModelConfig(rng.randrange(4, 7), 5, 10, rng.randrange(11, 20), rng.randrange(20, 40), bias=True)
    cases: list[Case] = [(bare,), (bare, False), (biased,), (drawn, False)]
    return [*cases, (PRESETS["gpt-30m"].model,), (PRESETS["gpt2"].model, True)]


def my_count(config: ModelConfig, tied: bool = True) -> int:
    """The tensors of the library's GPT, counted on the device where they have no contents."""
    with torch.device("meta"):
        model = GPT(config)
        if not tied:
            model.lm_head.weight = nn.Parameter(torch.empty_like(model.token_embedding.weight))
    return sum(p.numel() for p in model.parameters())


def counting(**slip: int) -> Callable[..., int]:
    """A slip of `my_count`: the count by formula, with the terms named in the place of the right ones."""

    def count(config: ModelConfig, tied: bool = True) -> int:
        V, T, C, L = config.vocab_size, config.context_length, config.n_embd, config.n_layer
        bias = slip.get("bias", config.bias)
        matrices = slip.get("attention", 4) * (config.n_head if "heads" in slip else 1) + slip.get("mlp", 8)
        blocks = slip.get("layers", L) * (matrices * C * C + bias * slip.get("biases", 9) * C)
        norms = slip.get("norms", 2) * L + slip.get("last", 1)
        tables = slip.get("tables", 2 - tied) * V * C + slip.get("positions", 1) * T * C
        head = slip.get("head", 0) + slip.get("own_head", 0) * (not tied)  # biases of a head, of its own if untied
        return tables + blocks + norms * (C + bias * slip.get("shifts", 1) * C) + bias * head * V

    return count


def width_cases(rng: random.Random) -> list[Case]:
    """Round budgets, a large one, one that is met exactly, and some that a width of 40 misses: by one, by what the
    last norm has, by a little more than that, and by almost all that norms and positions have."""
    exact, full = ModelConfig(3, 4, 64).parameter_count(), ModelConfig(48, 2, 40).parameter_count()
    missed = [(full - rows * 40 - 1, 48, 2) for rows in (0, 1, 50, 520)]
    drawn = rng.randrange(20_000_000, 90_000_000)
    cases = [(30_140_000, 6, 6), (123_000_000, 12, 12), (exact, 3, 4), *missed]
    return [*cases, (1_000_000_000, 2, 16), (drawn, 8, 2), (drawn, 5, 1)]


def my_width(budget: int, n_layer: int, n_head: int) -> int:
    """The largest width by trying, with the library's count."""
    C = n_head
    while ModelConfig(n_layer, n_head, C + n_head).parameter_count() <= budget:
        C += n_head
    return C


def root(
    budget: float, L: int, vocabulary: int = 50_304, positions: int = 512, norms: int = 2, last: int | None = None
) -> float:
    """Where 12 L C^2 + (V + T + 2L + 1) C meets the budget."""
    a, b = 12 * L, vocabulary + positions + norms * L + (norms // 2 if last is None else last)
    return ((b * b + 4 * a * budget) ** 0.5 - b) / (2 * a)


def fitting(**terms: int) -> Callable[[int, int, int], int]:
    """A slip of `my_width`: other terms in the count."""
    return lambda budget, L, H: int(root(budget, L, **terms) // H) * H


def peek_cases(rng: random.Random) -> list[Case]:
    """Models that mix tokens linearly: causal ones, ones with a leak from here or there, and a quiet one with two
    tokens, whose logits are small, and where leaks raise them or lower them; ids 0 and V - 1 occur."""
    leaks = [[], [(0, 2), (1, 4), (4, 5)], [(0, 4), (2, 4)], [(rng.randrange(1, 3), 3), (2, 5)], [], [(0, 1), (1, 4)]]
    ids = [[3, 0, 6, 2, 6], [0, 4, 0, 1, 5, 6], [6, 6, 1, 0, 3], [2, 5, 5, 1, 6, 0], [4], [1, 6, 2, 2, 0, 3]]
    cases = [(mixing(pairs), torch.tensor(row), 7) for pairs, row in zip(leaks, ids, strict=True)]
    table = torch.tensor([[1.0], [2.0]])  # (V, C)
    quiet = mixing([(0, 1), (0, 2), (1, 3), (3, 4), (2, 5)], {(3, 4): -1.0}, (table, 2.0**-13 * table))
    return [*cases, (quiet, torch.tensor([1, 0, 0, 0, 0, 1]), 2)]


def mixing(
    leaks: list[tuple[int, int]],
    sizes: dict[tuple[int, int], float] | None = None,
    tables: tuple[Tensor, Tensor] | None = None,
) -> Model:
    """A model (B, T) -> (B, T, V), exact in float32: each position adds up those so far, and what `leaks` shows it.

    The last token is added to none. The logits of a position add up to 0, unless the tables (V, C) are given."""
    table = torch.cat([torch.arange(7.0)[:, None], torch.randint(-3, 4, (7, 4))], 1)  # (V, C), no two rows alike
    inwards, outwards = tables or (table, 7 * table - table.sum(0))
    weights = torch.randint(1, 4, (6, 6)).float().tril()  # (T, T)
    weights[5, 5] = 0.0
    for before, later in leaks:
        weights[before, later] = (sizes or {}).get((before, later), 1.0)

    def model(token_ids: Tensor) -> Tensor:
        T = token_ids.size(1)
        return weights[:T, :T] @ F.embedding(token_ids, inwards) @ outwards.T  # (T, T) @ (B, T, C) @ (C, V)

    return model


def reach(model: Model, token_ids: Tensor, vocab_size: int, other: int | None = None, **slip: int) -> Tensor:
    """(T, T) bool: whether the logits at j move when token i becomes another, or `other`.

    The slips change each token `up_to` it or `onward` from it too, or miss what is `small` or of one sign."""
    instead = (token_ids + 1) % vocab_size if other is None else torch.full_like(token_ids, other)
    places = torch.eye(len(token_ids))
    places = places.cumsum(1).T if "up_to" in slip else places.cumsum(1) if "onward" in slip else places
    moved = model(torch.where(places.bool(), instead, token_ids)) - model(token_ids[None])  # (T, T, V): a row a change
    moved = moved * slip["sign"] if "sign" in slip else moved.abs()
    return (moved > (1e-3 if "small" in slip else 0)).any(-1)


def peeked_at(model: Model, token_ids: Tensor, vocab_size: int) -> list[int]:
    """The tokens that move logits before them."""
    return before(reach(model, token_ids, vocab_size)).nonzero().flatten().tolist()


def before(moved: Tensor) -> Tensor:
    """Which tokens move logits before them, (T,) bool."""
    return moved.tril(-1).any(1)


def finding(seen: Callable[[Tensor], Tensor], **slip: int) -> Callable[[Model, Tensor, int], list[int]]:
    """A slip of `peeked_at`: something else is read from the map of what moves."""
    return lambda model, ids, V: seen(reach(model, ids, V, **slip)).nonzero().flatten().tolist()


ITEMS = (
    Item(
        "embed",
        "embed(token_ids, token_table, position_table): ids (B, T), tables (V, C) and (context_length, C) -> (B, T, C)",
        embed,
        embed_cases,
        {
            "the positions are missing: add row t of the position table to the token at t": lambda i, v, p: v[i],
            "the positions are counted from 1: the first is 0": placed(lambda i: torch.arange(i.size(1)) + 1),
            "the position was looked up by the token's id: it is the place in the row, arange(T)": placed(lambda i: i),
            "every token got the row of position 0: token t gets row t": placed(torch.zeros_like),
            "the positions run down the batch: count along T": placed(lambda i: torch.arange(i.size(0))[:, None]),
            "the two vectors were multiplied: add them": lambda i, v, p: v[i] * p[: i.size(1)],
            "the whole position table was added: it takes its first T rows": lambda i, v, p: v[i] + p,
            "T was read from the first axis, which is B: ids are (B, T), so it is token_ids.size(1)": (
                lambda i, v, p: v[i] + p[: i.size(0)]
            ),
            "the tables have changed places: ids are looked up in token_table, places in position_table": (
                lambda i, v, p: p[i] + v[: i.size(1)]
            ),
            "the tokens are missing: look them up in token_table, and add": lambda i, v, p: embed(i, 0 * v, p),
        },
        gradient=True,
    ),
    Item(
        "tied_logits",
        "tied_logits(x, norm_weight, token_table): x (B, T, C), weights (C,), table (V, C) -> (B, T, V), a layer norm "
        "without bias, then each position's dot product with every row of the table",
        tied_logits,
        tied_cases,
        {
            "the norm is missing: x goes through it before it meets the table": lambda x, w, table: x @ table.T,
            "the norm's weights are missing: multiply by norm_weight": lambda x, w, table: normed(x) @ table.T,
            "x was not centred: subtract the mean before you divide": scored(
                lambda x: F.rms_norm(x, x.shape[-1:], eps=1e-5)
            ),
            "this is RMS norm, which doesn't centre x: F.layer_norm does": scored(
                lambda x: F.rms_norm(x, x.shape[-1:])
            ),
            "epsilon is another number: it is 1e-5, which F.layer_norm takes by itself": scored(
                lambda x: normed(x, eps=1e-6)
            ),
            "there is no epsilon, so almost constant positions are blown up: add 1e-5 to the variance": scored(
                lambda x: normed(x, eps=0.0)
            ),
            "epsilon stands outside the root: add it to the variance, then take the root": scored(
                lambda x: normed(x, eps=0.0, outside=1e-5)
            ),
            "two things at once: std divides by C - 1 unless correction=0, and epsilon goes under the root": scored(
                lambda x: normed(x, unbiased=True, eps=0.0, outside=1e-5)
            ),
            "norm_weight is added as if it were a bias: the normed x is multiplied by it": (
                lambda x, w, table: (normed(x) + w) @ table.T
            ),
            "the norm runs over the positions: each is normed by itself, over C": scored(lambda x: normed(x, dim=1)),
            "the variance was divided by C - 1: a layer norm divides by C": scored(lambda x: normed(x, unbiased=True)),
            "these are probabilities: logits come before a softmax": lambda *case: tied_logits(*case).softmax(-1),
            "these are log-probabilities: logits come before a log_softmax": (
                lambda *case: tied_logits(*case).log_softmax(-1)
            ),
            "the table doesn't fit as it stands, (V, C): multiply with its transpose": lambda x, w, table: x @ table,
            "the table was reshaped to (C, V), which mixes its rows: transpose it": (
                lambda x, w, table: (normed(x) * w) @ table.reshape(table.T.shape)
            ),
            "only the last position was scored: score all T of them": lambda *case: tied_logits(*case)[:, -1],
            "the norm comes after the table: norm x first, then multiply": lambda x, w, t: normed((x * w) @ t.T),
        },
        gradient=True,
    ),
    Item(
        "start_loss",
        "start_loss(vocab_size, n_embd, std) -> the first loss in nats per token, where each logit is drawn from a "
        "normal distribution around 0 with standard deviation sigma = std * sqrt(n_embd)",
        start_loss,
        start_cases,
        {
            "this is ln V: random opinions cost sigma^2 / 2 more": lambda V, C, s: math.log(V),
            "sigma^2 was added whole: it is half of it": lambda V, C, s: math.log(V) + s * s * C,
            "sigma / 2 was added: square sigma first": lambda V, C, s: math.log(V) + s * C**0.5 / 2,
            "std^2 / 2 was added: the square of sigma is std^2 * n_embd": lambda V, C, s: math.log(V) + s * s / 2,
            "sigma was taken as std * n_embd: it is std * sqrt(n_embd)": lambda V, C, s: math.log(V) + (s * C) ** 2 / 2,
            "sigma^2 was taken as std * n_embd: std is squared as well": lambda V, C, s: math.log(V) + s * C / 2,
            "sigma^2 was taken as std^2 * sqrt(n_embd): squaring takes the root away": (
                lambda V, C, s: math.log(V) + s * s * C**0.5 / 2
            ),
            "e^(sigma^2 / 2) was added to ln V: its logarithm is added, sigma^2 / 2": (
                lambda V, C, s: math.log(V) + math.exp(s * s * C / 2)
            ),
            "the loss is rounded to two places: return it as it is": lambda V, C, s: round(start_loss(V, C, s), 2),
            "sigma^2 / 2 was subtracted: opinions make the loss larger": lambda V, C, s: math.log(V) - s * s * C / 2,
            "ln V is in bits: nats want math.log": lambda V, C, s: math.log2(V) + s * s * C / 2,
            "this is a perplexity: the loss is its logarithm": lambda V, C, s: V * math.exp(s * s * C / 2),
        },
    ),
    Item(
        "my_count",
        "my_count(config, tied=True) -> how many numbers a GPT of this shape trains; untied, its head has a table too",
        my_count,
        count_cases,
        {
            "the head is counted once even with tied=False: then V * C counts twice": counting(tables=1),
            "the head is counted again where it is tied: there it is the token embedding": counting(tables=2),
            "the position table is missing: context_length rows of n_embd": counting(positions=0),
            "attention has three matrices here: the output projection makes four": counting(attention=3),
            "attention's output projection is missing, its bias too: it makes four of each": (
                counting(attention=3, biases=8)
            ),
            "the MLP has one matrix here: C to 4C and back makes two, 8 C^2": counting(mlp=4),
            "attention is counted for each head: heads cut the same matrices into pieces": counting(heads=1),
            "only one block's matrices are counted: multiply by n_layer": counting(layers=1),
            "the norm before the head is missing: there are 2L + 1 norms": counting(last=0),
            "a block has one norm here: there is one before attention and one before the MLP": counting(norms=1),
            "the norms are missing: each of the 2L + 1 has n_embd weights": counting(norms=0, last=0),
            "the biases are missing: with config.bias, linear layers and norms have them": counting(bias=0),
            "biases are counted even where config.bias is False": counting(bias=1),
            "the norms' biases are missing: config.bias is for the norms too": counting(shifts=0),
            "the linear layers' biases are missing: 4C in attention and 5C in the MLP": counting(biases=0),
            "attention's biases are missing: 3C for queries, keys and values, C for the projection": counting(biases=5),
            "the MLP's biases are missing: 4C where it widens, C where it narrows": counting(biases=4),
            "one bias of C is missing in a block: attention has 4C in all, the MLP 5C": counting(biases=8),
            "only the tables and the matrices are counted: add the norms, and biases with config.bias": (
                counting(norms=0, last=0, bias=0)
            ),
            "the norm before the head is counted in each block: there is one in all": counting(norms=3, last=0),
            "the norms' biases are counted even where config.bias is False": (
                lambda c, tied=True: counting()(c, tied) + (not c.bias) * (2 * c.n_layer + 1) * c.n_embd
            ),
            "tied is taken the wrong way round: the table counts twice where it is not tied": (
                lambda config, tied=True: counting()(config, not tied)
            ),
            "the head was given a bias: it never has one": counting(head=1),
            "the untied head was given a bias: it never has one": counting(own_head=1),
        },
        rtol=0,
        atol=0,
    ),
    Item(
        "my_width",
        "my_width(budget, n_layer, n_head) -> the largest n_embd, a multiple of n_head, at which a model without "
        "biases, its head tied, vocabulary 50,304 and context 512, has at most `budget` parameters",
        my_width,
        width_cases,
        {
            "rounded up to a multiple of n_head: round down": lambda N, L, H: math.ceil(root(N, L) / H) * H,
            "rounded to the nearest multiple of n_head: round down": lambda N, L, H: round(root(N, L) / H) * H,
            "this is no multiple of n_head: divide by it, round down, multiply": lambda N, L, H: int(root(N, L)),
            "this is the width of one head: n_embd is that times n_head": lambda N, L, H: int(root(N, L) // H),
            "a width that meets the budget was refused: at most means <=": lambda N, L, H: fitting()(N - 1, L, H),
            "the first width that no longer fits came back: go back by n_head": lambda N, L, H: fitting()(N, L, H) + H,
            "the position table is missing from the count: 512 rows": fitting(positions=0),
            "the norms are missing from the count: 2L + 1 of n_embd weights each": fitting(norms=0),
            "the norm before the head is missing from the count: there are 2L + 1 norms": fitting(last=0),
            "the positions and the norms are missing from the count: 512 rows, and 2L + 1 norms": (
                fitting(positions=0, norms=0)
            ),
            "the vocabulary is 50,257, GPT-2's own: this course's models round it up to 50,304": (
                fitting(vocabulary=50_257)
            ),
            "only the blocks' matrices are counted, 12 L C^2: the tables and the norms count as well": (
                fitting(vocabulary=0, positions=0, norms=0)
            ),
            "the vocabulary is counted twice: the head is tied, so it counts once": fitting(vocabulary=100_608),
            "the vocabulary is missing from the count: 50,304 rows": fitting(vocabulary=0),
        },
        rtol=0,
        atol=0,
    ),
    Item(
        "peeked_at",
        "peeked_at(model, token_ids, vocab_size): a model (B, T) -> (B, T, V) and ids (T,) -> the positions, in order, "
        "whose token has an influence on logits at an earlier position; [] for a causal model",
        peeked_at,
        peek_cases,
        {
            "a position's own logits were compared too: compare only those before it, [:i]": (
                finding(lambda moved: moved.tril().any(1))
            ),
            "the logits after the token were compared: those may move; compare those before it, [:i]": (
                finding(lambda moved: moved.triu(1).any(1))
            ),
            "the logits from the token on were compared: those may move; compare those before it, [:i]": (
                finding(lambda moved: moved.triu().any(1))
            ),
            "only the position right before the token was compared: a leak can reach further back": (
                finding(lambda moved: moved.tril(-1).triu(-1).any(1))
            ),
            "only the first position's logits were compared: a leak can reach any position before the token": (
                finding(lambda moved: moved.tril(-1)[:, 0])
            ),
            "each token was changed to 0, so one that was 0 stayed: add 1, modulo vocab_size": (
                finding(before, other=0)
            ),
            "the positions that look ahead came back: asked for are those that they look at": (
                finding(lambda moved: moved.tril(-1).any(0))
            ),
            "only the last token was changed: change each one in turn": (
                finding(lambda moved: moved.tril(-1).any(1) & (torch.arange(len(moved)) == len(moved) - 1))
            ),
            "the changes pile up: put each token back before you change the next": (finding(before, up_to=True)),
            "each token was changed to vocab_size - 1, so one that was that stayed: add 1, modulo vocab_size": (
                lambda model, ids, V: finding(before, other=V - 1)(model, ids, V)
            ),
            "a changed id is one that the model doesn't know: (id + 1) % vocab_size is always one that it does": (
                lambda model, ids, V: [model(ids[None] + 1), model(ids[None] - 1)] and peeked_at(model, ids, V)
            ),
            "all that follows the token was changed or cut off with it: change one token alone": (
                finding(before, onward=True)
            ),
            "[:i] cuts the batch here, not the positions: take the batch away first, with [0]": (
                finding(lambda moved: moved.any(1) & (torch.arange(len(moved)) > 0))
            ),
            "the model was given a row (T,): it wants a batch, row[None]": lambda model, ids, V: model(ids),
            "the search ends at the first: go on, and list them all": lambda *case: peeked_at(*case)[:1],
            "a token is listed once for each position that it moves: list it once": (
                lambda *case: reach(*case).tril(-1).nonzero()[:, 0].tolist()
            ),
            "a small move was taken for none: what is more than rounding counts, as torch.allclose has it": (
                finding(before, small=True)
            ),
            "the sign was kept, so logits that fall go unseen: take abs() of the difference": finding(before, sign=1),
            "the sign was kept, so logits that rise go unseen: take abs() of the difference": finding(before, sign=-1),
        },
    ),
)
