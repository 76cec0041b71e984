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
    """x (B, T, C), the weights of the norm (C,) and the table (V, C)."""
    sizes = [(1, 3, 4, 7), (2, 5, 6, 9), (rng.randrange(2, 4), 1, 8, 5)]
    return [(2 * torch.randn(B, T, C) + 1, torch.rand(C) + 0.5, torch.randn(V, C)) for B, T, C, V in sizes]


def tied_logits(x: Tensor, norm_weight: Tensor, token_table: Tensor) -> Tensor:
    """(B, T, C) -> (B, T, V) by torch's layer norm and linear layer."""
    return F.linear(F.layer_norm(x, norm_weight.shape, norm_weight), token_table)


def scored(norm: Callable[[Tensor], Tensor]) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    """A slip of `tied_logits`: the norm is another."""
    return lambda x, weight, table: (norm(x) * weight) @ table.T


def normed(x: Tensor, dim: int = -1, unbiased: bool = False) -> Tensor:
    """A norm by hand, over another axis or with another variance."""
    return (x - x.mean(dim, keepdim=True)) / (x.var(dim, keepdim=True, unbiased=unbiased) + 1e-5).sqrt()


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
        return tables + blocks + norms * (C + bias * slip.get("shifts", 1) * C) + bias * slip.get("head", 0) * V

    return count


def width_cases(rng: random.Random) -> list[Case]:
    """Budgets of every kind: round ones, one that is met exactly, and one that is missed by one."""
    exact, missed = ModelConfig(3, 4, 64).parameter_count(), ModelConfig(48, 2, 40).parameter_count() - 1
    drawn = rng.randrange(20_000_000, 90_000_000)
    return [(30_140_000, 6, 6), (123_000_000, 12, 12), (exact, 3, 4), (missed, 48, 2), (drawn, 8, 2), (drawn, 5, 1)]


def my_width(budget: int, n_layer: int, n_head: int) -> int:
    """The largest width by trying, with the library's count."""
    C = n_head
    while ModelConfig(n_layer, n_head, C + n_head).parameter_count() <= budget:
        C += n_head
    return C


def root(budget: float, L: int, vocabulary: int = 50_304, positions: int = 512, norms: int = 2) -> float:
    """Where 12 L C^2 + (V + T + 2L + 1) C meets the budget."""
    a, b = 12 * L, vocabulary + positions + norms * L + norms // 2
    return ((b * b + 4 * a * budget) ** 0.5 - b) / (2 * a)


def fitting(**terms: int) -> Callable[[int, int, int], int]:
    """A slip of `my_width`: other terms in the count."""
    return lambda budget, L, H: int(root(budget, L, **terms) // H) * H


def peek_cases(rng: random.Random) -> list[Case]:
    """Models that mix tokens linearly: causal ones, and ones with a leak from here or there; ids 0 and V - 1 occur."""
    leaks = [[], [(0, 2), (1, 4), (4, 5)], [(0, 4), (2, 4)], [(rng.randrange(3), 3), (2, 5)], [], [(0, 1), (1, 5)]]
    ids = [[3, 0, 6, 2, 6], [0, 4, 0, 1, 5, 6], [6, 6, 1, 0, 3], [2, 5, 5, 1, 6, 0], [4], [1, 6, 2, 2, 0, 3]]
    return [(mixing(pairs), torch.tensor(row), 7) for pairs, row in zip(leaks, ids, strict=True)]


def mixing(leaks: list[tuple[int, int]]) -> Model:
    """A model (B, T) -> (B, T, V) in whole numbers: each position adds up those so far, and what `leaks` shows it."""
    table = torch.cat([torch.arange(7.0)[:, None], torch.randint(-3, 4, (7, 4))], 1)  # (V, C), no two rows alike
    weights = torch.randint(1, 4, (6, 6)).float().tril()  # (T, T)
    for before, later in leaks:
        weights[before, later] = 1.0

    def model(token_ids: Tensor) -> Tensor:
        T = token_ids.size(1)
        return weights[:T, :T] @ table[token_ids] @ table.T  # (T, T) @ (B, T, C) @ (C, V) -> (B, T, V)

    return model


def reach(model: Model, token_ids: Tensor, vocab_size: int, zero: bool = False, piled: bool = False) -> Tensor:
    """(T, T) bool: whether the logits at j move when token i, or with `piled` each up to it, becomes another, or 0."""
    other = torch.zeros_like(token_ids) if zero else (token_ids + 1) % vocab_size
    eye = torch.eye(len(token_ids))
    changed = torch.where(eye.cumsum(1).T.bool() if piled else eye.bool(), other, token_ids)  # (T, T): a row a change
    return (model(changed) != model(token_ids[None])).any(-1)


def peeked_at(model: Model, token_ids: Tensor, vocab_size: int) -> list[int]:
    """The tokens that move logits before them."""
    return reach(model, token_ids, vocab_size).tril(-1).any(1).nonzero().flatten().tolist()


def finding(seen: Callable[[Tensor], Tensor], **slip: bool) -> Callable[[Model, Tensor, int], list[int]]:
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
            "x was not centred: subtract the mean before you divide": scored(lambda x: F.rms_norm(x, x.shape[-1:])),
            "the norm runs over the positions: each is normed by itself, over C": scored(lambda x: normed(x, dim=1)),
            "the variance was divided by C - 1: a layer norm divides by C": scored(lambda x: normed(x, unbiased=True)),
            "these are probabilities: logits come before a softmax": lambda *case: tied_logits(*case).softmax(-1),
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
            "the head was given a bias: it never has one": counting(head=1),
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
            "only the position right before the token was compared: a leak can reach further back": (
                finding(lambda moved: moved.tril(-1).triu(-1).any(1))
            ),
            "only the first position's logits were compared: a leak can reach any position before the token": (
                finding(lambda moved: moved.tril(-1)[:, 0])
            ),
            "each token was changed to 0, so one that was 0 stayed: add 1, modulo vocab_size": (
                finding(lambda moved: moved.tril(-1).any(1), zero=True)
            ),
            "the positions that look ahead came back: asked for are those that they look at": (
                finding(lambda moved: moved.tril(-1).any(0))
            ),
            "only the last token was changed: change each one in turn": (
                finding(lambda moved: moved.tril(-1).any(1) & (torch.arange(len(moved)) == len(moved) - 1))
            ),
            "the changes pile up: put each token back before you change the next": (
                finding(lambda moved: moved.tril(-1).any(1), piled=True)
            ),
        },
    ),
)
