"""Chapter 03: the causal mask, the weights, one head, splitting and merging heads, all of it together."""

import math
import random

import torch
import torch.nn.functional as F
from torch import Tensor

from nanogpt.course.check.item import Case, Item


def mask_cases(rng: random.Random) -> list[Case]:
    """A few lengths, 1 among them."""
    return [(4,), (1,), (rng.randrange(5, 12),)]


def causal_mask(T: int) -> Tensor:
    """(T, T) bool, the lower triangle."""
    return torch.ones(T, T).tril().bool()


def query_key_cases(rng: random.Random) -> list[Case]:
    """Queries and keys (B, H, T, D) of several shapes, and two that point away from each other: scores near -140."""
    shapes = [(1, 1, 4, 3), (2, 3, 6, 4), (rng.randrange(1, 4), 2, rng.randrange(3, 9), 8)]
    away = (6.5 + torch.rand(1, 2, 4, 9) / 2, -6.5 - torch.rand(1, 2, 4, 9) / 2)
    return [*((torch.randn(shape), torch.randn(shape)) for shape in shapes), away]


def weights_of(query: Tensor, key: Tensor, scale: float | None = None, diagonal: int = 0, dim: int = -1) -> Tensor:
    """softmax(Q K^T / sqrt(D)) over the past, or with one thing changed."""
    T, D = query.shape[-2:]
    scores = query @ key.transpose(-2, -1) * (1 / math.sqrt(D) if scale is None else scale)
    hidden = ~torch.ones(T, T).tril(diagonal).bool()
    return scores.masked_fill(hidden, float("-inf")).softmax(dim)


def weights(query: Tensor, key: Tensor) -> Tensor:
    """The attention weights by torch's own kernel: averaged one-hot values."""
    eye = torch.eye(query.size(-2)).expand(*query.shape[:-2], -1, -1)
    return F.scaled_dot_product_attention(query, key, eye, is_causal=True)


def masked_after(query: Tensor, key: Tensor) -> Tensor:
    """The slip of a softmax first and a mask after: rows don't sum to 1."""
    T, D = query.shape[-2:]
    return (query @ key.transpose(-2, -1) / math.sqrt(D)).softmax(-1) * causal_mask(T)


def masked_where(query: Tensor, key: Tensor, hidden: Tensor) -> Tensor:
    """Attention weights with another mask, (T, T) bool, True where nothing is seen."""
    scores = query @ key.transpose(-2, -1) / math.sqrt(query.size(-1))
    return scores.masked_fill(hidden, float("-inf")).softmax(-1)


def masked_with(number: float, query: Tensor, key: Tensor) -> Tensor:
    """The slip of a finite number before the softmax."""
    T, D = query.shape[-2:]
    return (query @ key.transpose(-2, -1) / math.sqrt(D)).masked_fill(~causal_mask(T), number).softmax(-1)


def powers_of(query: Tensor, key: Tensor) -> Tensor:
    """The slip of e to the scores, and no sum to divide by."""
    return scores_of(query, key).exp()


def zero_times_infinity(query: Tensor, key: Tensor) -> Tensor:
    """The slip of making M by a product, in which 0 times -inf is nan."""
    T, D = query.shape[-2:]
    return (query @ key.transpose(-2, -1) / math.sqrt(D) + ~causal_mask(T) * float("-inf")).softmax(-1)


def scores_of(query: Tensor, key: Tensor) -> Tensor:
    """The slip of stopping before the softmax."""
    T, D = query.shape[-2:]
    return (query @ key.transpose(-2, -1) / math.sqrt(D)).masked_fill(~causal_mask(T), float("-inf"))


def mask_added(query: Tensor, key: Tensor) -> Tensor:
    """The slip of adding the mask as it is: 1 more where one may look, and nothing hidden."""
    T, D = query.shape[-2:]
    return (query @ key.transpose(-2, -1) / math.sqrt(D) + causal_mask(T)).softmax(-1)


def masked_with_zero(query: Tensor, key: Tensor) -> Tensor:
    """The slip of 0 instead of -inf before the softmax: the future keeps e^0."""
    return masked_with(0.0, query, key)


def head_cases(rng: random.Random) -> list[Case]:
    """x (B, T, C) and three matrices (C, D)."""
    sizes = [(1, 4, 6, 3), (2, 5, 8, 4), (rng.randrange(1, 4), 7, 6, 6)]
    return [(torch.randn(B, T, C), torch.randn(C, D), torch.randn(C, D), torch.randn(C, D)) for B, T, C, D in sizes]


def one_head(x: Tensor, w_query: Tensor, w_key: Tensor, w_value: Tensor) -> Tensor:
    """(B, T, D) by torch's own kernel."""
    return F.scaled_dot_product_attention(x @ w_query, x @ w_key, x @ w_value, is_causal=True)


def heads_cases(rng: random.Random) -> list[Case]:
    """x (B, T, C) and a number of heads that divides C."""
    return [(torch.randn(1, 3, 4), 2), (torch.randn(2, 5, 12), 3), (torch.randn(rng.randrange(1, 4), 4, 8), 4)]


def split_heads(x: Tensor, n_head: int) -> Tensor:
    """(B, T, C) -> (B, H, T, D)."""
    return x.unflatten(-1, (n_head, -1)).transpose(1, 2)


def merge_cases(rng: random.Random) -> list[Case]:
    """x (B, H, T, D)."""
    return [(torch.randn(1, 2, 3, 2),), (torch.randn(2, 3, 5, 4),), (torch.randn(rng.randrange(1, 4), 4, 3, 2),)]


def merge_heads(x: Tensor) -> Tensor:
    """(B, H, T, D) -> (B, T, C)."""
    return x.transpose(1, 2).flatten(2)


def multi_head_cases(rng: random.Random) -> list[Case]:
    """x (B, T, C), the weight (3C, C) of the three projections, (C, C) of the output, and the number of heads."""
    sizes = [(1, 4, 4, 2), (2, 5, 12, 3), (rng.randrange(1, 3), 6, 8, 4)]
    return [(torch.randn(B, T, C), torch.randn(3 * C, C), torch.randn(C, C), H) for B, T, C, H in sizes]


def multi_head(x: Tensor, qkv: Tensor, proj: Tensor, n_head: int, **slip: bool | str) -> Tensor:
    """(B, T, C), by torch's own kernel; `slip` names the thing to do wrong."""
    query, key, value = F.linear(x, qkv).chunk(3, dim=-1)
    if "order" in slip:  # such as "kqv": what the first, second and third piece are taken for
        named = dict(zip(slip["order"], (query, key, value), strict=True))
        query, key, value = (named[letter] for letter in "qkv")
    if "by_head" in slip:  # (B, T, 3C) taken for (B, T, H, 3D)
        query, key, value = (z.flatten(2) for z in F.linear(x, qkv).unflatten(-1, (n_head, -1)).chunk(3, dim=-1))

    def split(z: Tensor) -> Tensor:
        if "viewed" in slip:
            return z.reshape(z.size(0), n_head, z.size(1), -1)
        return z.unflatten(-1, (n_head, -1)) if "unswapped" in slip else split_heads(z, n_head)

    scale = {"C": 1 / math.sqrt(x.size(-1)), "H": 1 / math.sqrt(n_head), "none": 1.0}.get(slip.get("scale"))
    mixed = F.scaled_dot_product_attention(
        split(query), split(key), split(value), is_causal="future" not in slip, scale=scale
    )
    merged = mixed.reshape(x.shape) if "merged" in slip or "unswapped" in slip else merge_heads(mixed)
    return merged if "unprojected" in slip else F.linear(merged, proj)


ITEMS = (
    Item(
        "causal_mask",
        "causal_mask(T) -> (T, T) bool: True in row i and column j where token i may look at token j, itself included",
        causal_mask,
        mask_cases,
        {
            "your mask shows the future instead of the past: rows are those who look, columns what they look at": (
                lambda T: causal_mask(T).T
            ),
            "your mask hides each token from itself: the diagonal belongs to the past": (
                lambda T: torch.ones(T, T).tril(-1).bool()
            ),
            "your mask lets each token see one that comes after it: the triangle ends on the diagonal, where j = i": (
                lambda T: torch.ones(T, T).tril(1).bool()
            ),
            "your mask is True where it should be False: True means that it may look; turn it round with ~": (
                lambda T: ~causal_mask(T)
            ),
            "your mask is made of numbers: compare, or add .bool(), so that it is True and False": (
                lambda T: torch.ones(T, T).tril()
            ),
            "your mask lets everyone see everything: only columns up to the row's own place are True": (
                lambda T: torch.ones(T, T).bool()
            ),
            "your mask is the M that is added to the scores, 0 and -inf: here it is True and False": (
                lambda T: torch.zeros(T, T).masked_fill(~causal_mask(T), float("-inf"))
            ),
            "your mask lets each token see itself only: it may look at all that came before it too": (
                lambda T: torch.eye(T).bool()
            ),
            "your mask shows the future, in numbers: turn the triangle round, and make it True and False": (
                lambda T: torch.ones(T, T).triu(1)
            ),
            "your mask is a single row that each token shares: it takes a row for each token, (T, T)": (
                lambda T: torch.ones(T).bool()
            ),
        },
    ),
    Item(
        "attention_weights",
        "attention_weights(query, key), both (B, H, T, D) -> (B, H, T, T): how much each token looks at those up to it",
        weights,
        query_key_cases,
        {
            "this equals attention without dividing by the square root of head_dim: divide the scores by it": (
                lambda q, k: weights_of(q, k, scale=1.0)
            ),
            "this equals attention divided by head_dim: divide the scores by its square root": (
                lambda q, k: weights_of(q, k, scale=1 / q.size(-1))
            ),
            "this equals attention multiplied by the square root of head_dim: divide the scores by it": (
                lambda q, k: weights_of(q, k, scale=math.sqrt(q.size(-1)))
            ),
            "this equals attention divided by the square root of T: the scale comes from the last axis, head_dim": (
                lambda q, k: weights_of(q, k, scale=1 / math.sqrt(q.size(-2)))
            ),
            "the scale is the square root of H, how many heads there are: it is head_dim, the size of the last axis": (
                lambda q, k: weights_of(q, k, scale=1 / math.sqrt(q.size(1)))
            ),
            "the keys were viewed as (B, H, D, T), which mixes tokens: let T and D change places, transpose(-2, -1)": (
                lambda q, k: weights_of(q, k.reshape(k.mT.shape).mT)
            ),
            "the softmax runs down the columns: each row is one token's look, so it is the last axis, dim=-1": (
                lambda q, k: weights_of(q, k, dim=-2)
            ),
            "nothing is masked: each token sees those that come after it; set their scores to -inf, then softmax": (
                lambda q, k: weights_of(q, k, diagonal=99)
            ),
            "the mask lets each token see one that comes after it: hide all that lies above the diagonal": (
                lambda q, k: weights_of(q, k, diagonal=1)
            ),
            "the mask hides each token from itself, and the first has nothing left (nan): leave the diagonal visible": (
                lambda q, k: weights_of(q, k, diagonal=-1)
            ),
            "the mask comes after the softmax, so the rows don't sum to 1: hide first, with -inf, then share out": (
                masked_after
            ),
            "hidden places were set to 0 before the softmax, and e^0 is 1: set them to -inf": masked_with_zero,
            "the mask was added to the scores, where True counts as 1 and hides nothing: use masked_fill and -inf": (
                mask_added
            ),
            "each token sees itself and the future: rows are those who look, and see the columns up to their own": (
                lambda q, k: masked_where(q, k, ~causal_mask(q.size(-2)).T)
            ),
            "what should be seen is hidden: masked_fill fills where the mask is True, so hand it ~mask": (
                lambda q, k: masked_where(q, k, causal_mask(q.size(-2)))
            ),
            "these are the scores, not yet the weights: the softmax along the last axis is missing": scores_of,
            "query and key have changed places: in query @ key.transpose(-2, -1) a row is the token that looks": (
                lambda q, k: weights_of(k, q)
            ),
            "the scores are divided by half of head_dim: ** goes before /, so D ** 1 / 2 is D / 2; take D ** 0.5": (
                lambda q, k: weights_of(q, k, scale=2 / q.size(-1))
            ),
            "the weights are divided by the square root of head_dim: divide the scores, before the softmax": (
                lambda q, k: weights_of(q, k, scale=1.0) / math.sqrt(q.size(-1))
            ),
            "hidden places hold a number, and a score was smaller still: set them to -inf": (
                lambda q, k: masked_with(-100.0, q, k)
            ),
            "hidden places hold -1, which is a score like others: set them to -inf": (
                lambda q, k: masked_with(-1.0, q, k)
            ),
            "M was made by a product, and 0 times -inf is nan: use masked_fill": zero_times_infinity,
            "e to a score is too large or too small for a computer: softmax takes the largest of each row away first": (
                lambda q, k: powers_of(q, k) / powers_of(q, k).sum(-1, keepdim=True)
            ),
            "these are e to the scores: divide each row by its sum, or take softmax, which does": powers_of,
            "the softmax runs over the heads, dim=1: each row is one token's look, so it is the last axis, dim=-1": (
                lambda q, k: weights_of(q, k, dim=1)
            ),
            "the softmax runs over the batch, dim=0: each row is one token's look, so it is the last axis, dim=-1": (
                lambda q, k: weights_of(q, k, dim=0)
            ),
            "the queries looked at the queries: in query @ key.transpose(-2, -1) the columns are the keys": (
                lambda q, k: weights_of(q, q)
            ),
            "rows and columns have changed places at the end: row i is how much token i looks at the others": (
                lambda q, k: weights_of(q, k).mT
            ),
            "T was taken from axis 1, which is H: it is the last but one, query.size(-2)": (
                lambda q, k: masked_where(q, k, ~causal_mask(q.size(1)))
            ),
        },
        gradient=True,
    ),
    Item(
        "one_head",
        "one_head(x, w_query, w_key, w_value): x (B, T, C), matrices (C, D) -> (B, T, D), each token's average of the "
        "values up to it; there is no axis H here",
        one_head,
        head_cases,
        {
            "this equals attention without dividing by the square root of head_dim, D: divide the scores by it": (
                lambda x, wq, wk, wv: weights_of(x @ wq, x @ wk, scale=1.0) @ (x @ wv)
            ),
            "the scale is the square root of C, the width of x: it is D, the width of the head": (
                lambda x, wq, wk, wv: weights_of(x @ wq, x @ wk, scale=1 / math.sqrt(x.size(-1))) @ (x @ wv)
            ),
            "nothing is masked: each token sees those that come after it; set their scores to -inf, then softmax": (
                lambda x, wq, wk, wv: weights_of(x @ wq, x @ wk, diagonal=99) @ (x @ wv)
            ),
            "the keys were averaged instead of the values: the weights are multiplied by x @ w_value": (
                lambda x, wq, wk, wv: weights_of(x @ wq, x @ wk) @ (x @ wk)
            ),
            "x itself was averaged: what is averaged are the values, x @ w_value": (
                lambda x, wq, wk, wv: weights_of(x @ wq, x @ wk) @ x
            ),
            "query and key have changed places: in query @ key.transpose(-2, -1) a row is the token that looks": (
                lambda x, wq, wk, wv: weights_of(x @ wk, x @ wq) @ (x @ wv)
            ),
            "the softmax runs down the columns: each row is one token's look, so it is the last axis, dim=-1": (
                lambda x, wq, wk, wv: weights_of(x @ wq, x @ wk, dim=-2) @ (x @ wv)
            ),
            "the mask comes after the softmax, so the rows don't sum to 1: hide first, with -inf, then share out": (
                lambda x, wq, wk, wv: masked_after(x @ wq, x @ wk) @ (x @ wv)
            ),
            "hidden places were set to 0 before the softmax, and e^0 is 1: set them to -inf": (
                lambda x, wq, wk, wv: masked_with_zero(x @ wq, x @ wk) @ (x @ wv)
            ),
            "the mask was added to the scores, where True counts as 1 and hides nothing: use masked_fill and -inf": (
                lambda x, wq, wk, wv: mask_added(x @ wq, x @ wk) @ (x @ wv)
            ),
            "these are the weights, (B, T, T): they still have to average the values, weights @ value": (
                lambda x, wq, wk, wv: weights_of(x @ wq, x @ wk)
            ),
            "rows and columns of the weights have changed places: weights @ value, where row i is token i's look": (
                lambda x, wq, wk, wv: weights_of(x @ wq, x @ wk).mT @ (x @ wv)
            ),
            "these are the values: multiply them by the weights, weights @ value": lambda x, wq, wk, wv: x @ wv,
            "keys and queries are one thing, x @ w_query: keys are x @ w_key": (
                lambda x, wq, wk, wv: weights_of(x @ wq, x @ wq) @ (x @ wv)
            ),
            "queries and keys are one thing, x @ w_key: queries are x @ w_query": (
                lambda x, wq, wk, wv: weights_of(x @ wk, x @ wk) @ (x @ wv)
            ),
            "x itself was looked at: the weights are made of x @ w_query and x @ w_key": (
                lambda x, wq, wk, wv: weights_of(x, x) @ (x @ wv)
            ),
            "key and value have changed places: the matrices are for query, key and value, in this order": (
                lambda x, wq, wk, wv: weights_of(x @ wq, x @ wv) @ (x @ wk)
            ),
            "query and value have changed places: the matrices are for query, key and value, in this order": (
                lambda x, wq, wk, wv: weights_of(x @ wv, x @ wk) @ (x @ wq)
            ),
            "this is the plain mean of the past, which is right only if all queries are 0: weigh it": (
                lambda x, wq, wk, wv: (x @ wv).cumsum(1) / torch.arange(1, x.size(1) + 1)[:, None]
            ),
        },
        gradient=True,
    ),
    Item(
        "split_heads",
        "split_heads(x, n_head): x (B, T, C) -> (B, H, T, D), head h holding the h-th D = C / H channels of each token",
        split_heads,
        heads_cases,
        {
            "x was viewed as (B, H, T, D) at once, which mixes tokens: view as (B, T, H, D), then swap T and H": (
                lambda x, n: x.reshape(x.size(0), n, x.size(1), -1)
            ),
            "the heads are still (B, T, H, D): swap T and H with transpose(1, 2)": lambda x, n: x.unflatten(
                -1, (n, -1)
            ),
            "the last axes have changed places, (B, H, D, T): swap T with H, and leave D last": (
                lambda x, n: split_heads(x, n).transpose(-2, -1)
            ),
            "head h took every H-th channel, not D channels in a row: view the last axis as (H, D), not as (D, H)": (
                lambda x, n: x.unflatten(-1, (-1, n)).permute(0, 3, 1, 2)
            ),
            "the heads stand first of all, (H, B, T, D): the batch comes first, (B, H, T, D)": (
                lambda x, n: x.unflatten(-1, (n, -1)).permute(2, 0, 1, 3)
            ),
            "H and D have changed places, (B, T, D, H): it is T and H that swap, with transpose(1, 2)": (
                lambda x, n: x.unflatten(-1, (n, -1)).mT
            ),
            "all four axes were turned round, (D, H, T, B), as .T does: swap two of them, with transpose(1, 2)": (
                lambda x, n: x.unflatten(-1, (n, -1)).permute(3, 2, 1, 0)
            ),
            "n_head was taken for how wide a head is: it is how many there are, so view as (B, T, n_head, D)": (
                lambda x, n: x.unflatten(-1, (-1, n)).transpose(1, 2)
            ),
            "each head has got all the channels: cut the last axis in n_head pieces of D": (
                lambda x, n: x[:, None].repeat(1, n, 1, 1)
            ),
        },
        gradient=True,
    ),
    Item(
        "merge_heads",
        "merge_heads(x): x (B, H, T, D) -> (B, T, C), the way back from split_heads",
        merge_heads,
        merge_cases,
        {
            "the heads were viewed as (B, T, C) at once, which mixes tokens: swap T and H first, then flatten": (
                lambda x: x.reshape(x.size(0), x.size(2), -1)
            ),
            "the heads were added up: lay them side by side, so that C = H * D": lambda x: x.sum(1),
            "the heads were averaged: lay them side by side, so that C = H * D": lambda x: x.mean(1),
            "the channels of the heads are woven into one another: H comes before D when they are flattened": (
                lambda x: x.permute(0, 2, 3, 1).flatten(2)
            ),
            "T and H are swapped but not yet flattened: make one axis of the last two, (B, T, H, D) -> (B, T, C)": (
                lambda x: x.transpose(1, 2)
            ),
            "T and D changed places, then T was flattened into D: swap T with H, transpose(1, 2), then flatten": (
                lambda x: x.transpose(2, 3).flatten(2)
            ),
            "T and D changed places, and a view mixed the tokens: swap T with H, transpose(1, 2), then flatten": (
                lambda x: x.transpose(2, 3).reshape(x.size(0), x.size(2), -1)
            ),
            "all four axes were turned round, (D, T, H, B), as .T does: swap two of them, with transpose(1, 2)": (
                lambda x: x.permute(3, 2, 1, 0).flatten(2)
            ),
            "H and T were made one axis, and D left alone: swap T with H, transpose(1, 2), then make one of H and D": (
                lambda x: x.flatten(1, 2)
            ),
            "all but the batch was made one axis: begin at axis 2, flatten(2)": lambda x: x.transpose(1, 2).flatten(1),
            "only the batch was laid side by side: join along the heads, x.unbind(1), which are axis 1": (
                lambda x: torch.cat(list(x), dim=-1)
            ),
        },
        gradient=True,
    ),
    Item(
        "multi_head",
        "multi_head(x, w_qkv, w_proj, n_head): x (B, T, C), w_qkv (3C, C) and w_proj (C, C) as nn.Linear holds them "
        "-> (B, T, C)",
        multi_head,
        multi_head_cases,
        {
            "the heads were split by a view as (B, H, T, D), which mixes tokens: view (B, T, H, D), then swap": (
                lambda *case: multi_head(*case, viewed=True)
            ),
            "the heads were merged without swapping T and H back, which mixes tokens: swap, then flatten": (
                lambda *case: multi_head(*case, merged=True)
            ),
            "split and merge are both plain views, which mixes tokens: swap T and H after one, before the other": (
                lambda *case: multi_head(*case, viewed=True, merged=True)
            ),
            "within each token its heads looked at one another: swap T and H after the split, so that tokens do": (
                lambda *case: multi_head(*case, unswapped=True)
            ),
            "the scores are divided by the square root of C: divide by that of head_dim, C / n_head": (
                lambda *case: multi_head(*case, scale="C")
            ),
            "the scores are divided by the square root of n_head: divide by that of head_dim, C / n_head": (
                lambda *case: multi_head(*case, scale="H")
            ),
            "this equals attention without dividing by the square root of head_dim: divide the scores by it": (
                lambda *case: multi_head(*case, scale="none")
            ),
            "nothing is masked: each token sees those that come after it; set their scores to -inf, then softmax": (
                lambda *case: multi_head(*case, future=True)
            ),
            "the output projection is missing: the merged heads go through w_proj": (
                lambda *case: multi_head(*case, unprojected=True)
            ),
            "query and key have changed places: w_qkv holds queries, keys, values from top to bottom, and in "
            "query @ key.transpose(-2, -1) a row is the token that looks": (
                lambda *case: multi_head(*case, order="kqv")
            ),
            "key and value have changed places: w_qkv holds queries, keys, values from top to bottom": (
                lambda *case: multi_head(*case, order="qvk")
            ),
            "w_qkv was read as values, keys, queries: from top to bottom it holds queries, keys, values": (
                lambda *case: multi_head(*case, order="vkq")
            ),
            "w_qkv was read as keys, values, queries: from top to bottom it holds queries, keys, values": (
                lambda *case: multi_head(*case, order="kvq")
            ),
            "w_qkv was read as values, queries, keys: from top to bottom it holds queries, keys, values": (
                lambda *case: multi_head(*case, order="vqk")
            ),
            "w_qkv was read head by head: it holds the queries of all heads, then all keys, then all values": (
                lambda *case: multi_head(*case, by_head=True)
            ),
            "this is one head as wide as C: split the queries, keys and values first": (
                lambda x, qkv, proj, n: multi_head(x, qkv, proj, 1)
            ),
            "w_proj was not transposed: nn.Linear holds (out, in), and computes x @ w.T": (
                lambda x, qkv, proj, n: multi_head(x, qkv, proj.T, n)
            ),
            "the three matrices in w_qkv were not transposed: nn.Linear holds (out, in), and computes x @ w.T": (
                lambda x, qkv, proj, n: multi_head(x, torch.cat([w.T for w in qkv.chunk(3)]), proj, n)
            ),
            "neither w_qkv's three matrices nor w_proj were transposed: nn.Linear holds (out, in), and computes "
            "x @ w.T": lambda x, qkv, proj, n: multi_head(x, torch.cat([w.T for w in qkv.chunk(3)]), proj.T, n),
            "w_qkv was reshaped to (C, 3C), which mixes its numbers: turn it round with .T": (
                lambda x, qkv, proj, n: multi_head(x, qkv.reshape(qkv.T.shape).T, proj, n)
            ),
            "x was added to the result: the layer gives back what attention finds, and nothing is added here": (
                lambda x, qkv, proj, n: x + multi_head(x, qkv, proj, n)
            ),
            "the values are x itself: they are the third piece of x @ w_qkv.T": (
                lambda x, qkv, proj, n: multi_head(x, torch.cat([*qkv.chunk(3)[:2], torch.eye(x.size(-1))]), proj, n)
            ),
            "there are as many heads as a head is wide, and the other way round: n_head is how many": (
                lambda x, qkv, proj, n: multi_head(x, qkv, proj, x.size(-1) // n)
            ),
        },
        gradient=True,
    ),
)
