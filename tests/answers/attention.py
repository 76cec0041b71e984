"""Answers to chapter 03's items: right ones written in other ways, wrong ones with what must be said of each."""

import math

import torch


def mask_by_loops(T):
    mask = torch.zeros(T, T, dtype=torch.bool)
    for i in range(T):
        for j in range(i + 1):
            mask[i, j] = True
    return mask


def mask_by_comparison(T):
    places = torch.arange(T)
    return places[None, :] <= places[:, None]


def weights_by_einsum(query, key):
    T = query.shape[2]
    scores = torch.einsum("bhid,bhjd->bhij", query, key) * query.shape[-1] ** -0.5
    return torch.softmax(scores + torch.full((T, T), -1e9).triu(1), dim=3)


def weights_by_hand(query, key):
    scores = query @ key.mT / math.sqrt(query.shape[-1])
    kept = (scores - scores.amax(-1, keepdim=True)).exp() * torch.ones(scores.shape[-2:]).tril()
    return kept / kept.sum(-1, keepdim=True)


def weights_shared_out_again(query, key):
    shares = torch.softmax(torch.einsum("...id,...jd->...ij", query, key) / query.shape[-1] ** 0.5, -1).tril()
    return shares / shares.sum(-1, keepdim=True)


def weights_from_here_on(query, key):
    scores = query.mul(query.shape[-1] ** -0.5) @ key.transpose(-1, -2)
    for i in range(query.shape[-2]):
        scores[..., i, i + 1 :] = -torch.inf
    return scores.softmax(-1)


def weights_in_place(query, key):
    query /= math.sqrt(query.shape[-1])
    return (
        (query @ key.mT).masked_fill(torch.ones(query.shape[2], query.shape[2]).triu(1).bool(), -torch.inf).softmax(-1)
    )


def head_by_loops(x, w_query, w_key, w_value):
    out = []
    for t in range(x.shape[1]):
        q, past = x[:, t] @ w_query, x[:, : t + 1]
        w = ((past @ w_key) @ q[..., None] / q.shape[-1] ** 0.5).softmax(1)
        out.append((w * (past @ w_value)).sum(1))
    return torch.stack(out, 1)


RIGHT = {
    "causal_mask": [mask_by_loops, mask_by_comparison],
    "attention_weights": [weights_by_einsum, weights_by_hand, weights_shared_out_again, weights_from_here_on],
    "one_head": [
        head_by_loops,
        lambda a, b, c, d: weights_by_hand((a @ b)[:, None], (a @ c)[:, None])[:, 0] @ (a @ d),
        lambda x, a, b, c: weights_by_hand(x @ a @ b.T * (c.shape[1] / x.shape[2]) ** -0.5, x) @ x @ c,
    ],
    "split_heads": [
        lambda x, n: torch.stack(x.chunk(n, dim=-1), dim=1),
        lambda x, n: x.view(*x.shape[:2], n, -1).permute(0, 2, 1, 3),
        lambda x, n: x.unfold(-1, x.shape[-1] // n, x.shape[-1] // n).swapaxes(-2, -3).contiguous(),
    ],
    "merge_heads": [
        lambda x: torch.cat(x.unbind(1), dim=-1),
        lambda x: x.permute(0, 2, 1, 3).contiguous().view(x.shape[0], x.shape[2], -1),
    ],
    "multi_head": [
        lambda x, qkv, proj, n: (
            torch.cat(
                [head_by_loops(x, q.T, k.T, v.T) for q, k, v in zip(*(w.chunk(n) for w in qkv.chunk(3)), strict=True)],
                dim=-1,
            )
            @ proj.T
        ),
        lambda x, qkv, proj, n: torch.einsum(
            "bhid,ohd->bio",
            weights_by_einsum(*[z.unflatten(-1, (n, -1)).transpose(1, 2) for z in (x @ qkv.T).chunk(3, -1)[:2]])
            @ (x @ qkv.T).chunk(3, -1)[2].unflatten(-1, (n, -1)).transpose(1, 2),
            proj.unflatten(-1, (n, -1)),
        ),
    ],
}


def attend(query, key, scale=None, hidden=None, dim=-1):
    """Weights written as a student would, with something to get wrong."""
    T, D = query.shape[-2:]
    scores = query @ key.mT * (D**-0.5 if scale is None else scale)
    hidden = torch.triu(torch.ones(T, T), 1).bool() if hidden is None else hidden
    return torch.softmax(scores.masked_fill(hidden, -torch.inf), dim)


def masked_late(query, key):
    T, D = query.shape[-2:]
    weights = torch.softmax(query @ key.mT / D**0.5, -1)
    return torch.where(torch.ones(T, T).tril() == 1, weights, 0.0)


def masked_by_product(query, key):
    T, D = query.shape[-2:]
    return torch.softmax(query @ key.mT / D**0.5 * torch.tril(torch.ones(T, T)), -1)


def weights_of_powers(query, key):
    T, D = query.shape[-2:]
    powers = torch.exp(query @ key.mT / D**0.5) * torch.ones(T, T).tril()
    return powers / powers.sum(-1, keepdim=True)


def powers_not_shared_out(query, key):
    T, D = query.shape[-2:]
    return torch.exp(query @ key.mT / D**0.5) * torch.ones(T, T).tril()


def masked_by_infinity(query, key):
    T, D = query.shape[-2:]
    future = 1 - torch.ones(T, T).tril()
    return torch.softmax(query @ key.mT / D**0.5 + future * -torch.inf, -1)


def filled_with(number):
    """Weights whose hidden places hold this number before the softmax."""

    def weights(query, key):
        T, D = query.shape[-2:]
        return torch.where(torch.ones(T, T).tril() == 1, query @ key.mT / D**0.5, number).softmax(-1)

    return weights


def head_of_means(x, w_query, w_key, w_value):
    value = x @ w_value
    return torch.stack([value[:, : t + 1].mean(1) for t in range(x.shape[1])], 1)


def mask_on_top(query, key):
    T, D = query.shape[-2:]
    return torch.softmax(query @ key.mT / D**0.5 + torch.tril(torch.ones(T, T)), -1)


def scores_only(query, key):
    future = torch.arange(query.shape[2])[None] > torch.arange(query.shape[2])[:, None]
    scores = torch.einsum("bhid,bhjd->bhij", query, key) / query.shape[-1] ** 0.5
    scores[..., future] = -torch.inf
    return scores


def seeing_all(query, key):
    return torch.softmax(query @ key.mT / query.shape[-1] ** 0.5, -1)


def heads_of(x, w, n):
    return (x @ w.T).chunk(3, -1)[0].unflatten(-1, (n, -1)).transpose(1, 2)


def all_heads(x, qkv, proj, n, split=None, merge=None, weights=attend):
    """Multi-head attention in steps, any of which can be another."""
    split = split or (lambda z: z.unflatten(-1, (n, -1)).transpose(1, 2))
    merge = merge or (lambda z: z.transpose(1, 2).flatten(2))
    q, k, v = (split(z) for z in (x @ qkv.T).chunk(3, -1))
    return merge(weights(q, k) @ v) @ proj.T


def fused_by_head(x, qkv, proj, n):
    B, T, C = x.shape
    q, k, v = (x @ qkv.T).view(B, T, n, 3 * C // n).transpose(1, 2).split(C // n, dim=-1)
    return (attend(q, k) @ v).transpose(1, 2).flatten(2) @ proj.T


def pieces_taken_as(query, key, value):
    """Multi-head attention whose query is that piece of w_qkv, and so on."""
    order = [query, key, value]
    return lambda x, w, p, n: all_heads(x, w.reshape(3, -1, w.shape[1])[order].flatten(0, 1), p, n)


SCALE = "without dividing by the square root of head_dim"
MASKLESS = "nothing is masked"
WRONG = {
    "causal_mask": [
        (lambda T: torch.triu(torch.ones(T, T)).bool(), "the future instead of the past"),
        (lambda T: torch.arange(T)[None] < torch.arange(T)[:, None], "hides each token from itself"),
        (lambda T: torch.arange(T)[None] <= torch.arange(T)[:, None] + 1, "lets each token see one that comes after"),
        (lambda T: torch.arange(T)[None] > torch.arange(T)[:, None], "True where it should be False"),
        (lambda T: torch.tril(torch.ones(T, T)), "made of numbers"),
        (lambda T: torch.full((T, T), True), "everyone see everything"),
        (lambda T: torch.arange(T) <= T - 1, "a row for each token"),
        (lambda T: torch.full((T, T), -torch.inf).triu(1), "the M that is added to the scores"),
        (lambda T: torch.arange(T)[None] == torch.arange(T)[:, None], "see itself only"),
        (lambda T: torch.triu(torch.ones(T, T), diagonal=1), "the future, in numbers"),
        (lambda T: [[j <= i for j in range(T)] for i in range(T)], "a list came back, not a tensor"),
        (lambda T: torch.ones(1, T, T).tril().bool(), "the shape is (1, 4, 4), not (4, 4)"),
    ],
    "attention_weights": [
        (lambda q, k: attend(q, k, scale=1), SCALE),
        (lambda q, k: attend(q, k, scale=1 / q.shape[-1]), "divided by head_dim: divide the scores by its square root"),
        (lambda q, k: attend(q, k, scale=q.shape[-1] ** 0.5), "multiplied by the square root"),
        (lambda q, k: attend(q, k, scale=q.shape[-2] ** -0.5), "the square root of T"),
        (lambda q, k: attend(q, k, scale=q.shape[1] ** -0.5), "the square root of H"),
        (mask_on_top, "the mask was added to the scores"),
        (lambda q, k: attend(q, k, dim=2), "down the columns"),
        (seeing_all, MASKLESS),
        (masked_late, "the mask comes after the softmax"),
        (masked_by_product, "hidden places were set to 0"),
        (lambda q, k: attend(k, q), "changed places"),
        (
            lambda q, k: attend(q, k, hidden=torch.ones(q.shape[2], q.shape[2]).tril(-1) == 1),
            "sees itself and the future",
        ),
        (lambda q, k: attend(q, k, hidden=torch.ones(q.shape[2], q.shape[2]).tril() == 1), "hand it ~mask"),
        (
            lambda q, k: attend(q, k, hidden=torch.ones(q.shape[2], q.shape[2]).triu() == 1),
            "leave the diagonal visible",
        ),
        (lambda q, k: attend(q, k, hidden=torch.ones(q.shape[2], q.shape[2]).triu(2) == 1), "one that comes after it"),
        (lambda q, k: scores_only(q, k), "the softmax along the last axis is missing"),
        (weights_in_place, "changed in place"),
        (lambda q, k: attend(q.double(), k.double()), "float64"),
        (lambda q, k: attend(q, k).detach(), "no gradient comes through"),
        (lambda q, k: attend(q, k.view(*k.shape[:2], k.shape[3], k.shape[2]).mT), "the keys were viewed"),
        (lambda q, k: attend(q, k.mT.reshape(k.shape)), "so"),
        (lambda q, k: q @ k.permute(3, 2, 1, 0), "RuntimeError"),  # .T
        (lambda q, k: attend(q, k, 1 / (q.shape[-1] ** 1 / 2)), "D ** 1 / 2 is D / 2"),
        (lambda q, k: attend(q, k, scale=1) / q.shape[-1] ** 0.5, "the weights are divided"),
        (filled_with(-99.0), "a score was smaller still"),
        (filled_with(-1.0), "hidden places hold -1"),
        (masked_by_infinity, "0 times -inf is nan"),
        (weights_of_powers, "too large or too small for a computer"),
        (powers_not_shared_out, "divide each row by its sum"),
        (lambda q, k: attend(q, k, dim=1), "over the heads, dim=1"),
        (lambda q, k: attend(q, k, dim=0), "over the batch, dim=0"),
        (lambda q, k: attend(q, q), "the queries looked at the queries"),
        (lambda q, k: attend(q, k).transpose(2, 3), "changed places at the end"),
        (lambda q, k: attend(q, k, hidden=torch.ones(q.shape[1], q.shape[1]).triu(1) == 1), "T was taken from axis 1"),
        (lambda q, k: (q @ k) / q.shape[-1] ** 0.5, "RuntimeError"),
    ],
    "one_head": [
        (lambda x, a, b, c: attend(x @ a, x @ b, scale=1) @ (x @ c), SCALE),
        (lambda x, a, b, c: attend(x @ a, x @ b, scale=x.shape[-1] ** -0.5) @ (x @ c), "the square root of C"),
        (lambda x, a, b, c: seeing_all(x @ a, x @ b) @ (x @ c), MASKLESS),
        (lambda x, a, b, c: attend(x @ a, x @ b) @ (x @ b), "the keys were averaged"),
        (lambda x, a, b, c: attend(x @ b, x @ a) @ (x @ c), "changed places"),
        (lambda x, a, b, c: masked_late(x @ a, x @ b) @ (x @ c), "the mask comes after the softmax"),
        (lambda x, a, b, c: attend(x @ a, x @ b), "they still have to average the values"),
        (lambda x, a, b, c: attend(x @ a, x @ b, dim=1) @ (x @ c), "down the columns"),
        (lambda x, a, b, c: masked_by_product(x @ a, x @ b) @ (x @ c), "e^0 is 1"),
        (lambda x, a, b, c: mask_on_top(x @ a, x @ b) @ (x @ c), "the mask was added to the scores"),
        (lambda x, a, b, c: attend(x @ a, x @ b) @ x, "x itself was averaged"),
        (lambda x, a, b, c: attend(x @ a.T, x @ b.T) @ (x @ c.T), "RuntimeError"),
        (lambda x, a, b, c: ((x @ c).mT @ attend(x @ a, x @ b)).mT, "rows and columns of the weights"),
        (lambda x, a, b, c: x @ c, "these are the values"),
        (lambda x, a, b, c: attend(x @ a, x @ a) @ (x @ c), "keys and queries are one thing"),
        (lambda x, a, b, c: attend(x @ b, x @ b) @ (x @ c), "queries and keys are one thing"),
        (lambda x, a, b, c: attend(x, x) @ (x @ c), "x itself was looked at"),
        (lambda x, a, b, c: attend(x @ a, x @ c) @ (x @ b), "key and value have changed places"),
        (lambda x, a, b, c: attend(x @ c, x @ b) @ (x @ a), "query and value have changed places"),
        (head_of_means, "the plain mean of the past"),
    ],
    "split_heads": [
        (lambda x, n: x.view(x.shape[0], n, x.shape[1], -1), "mixes tokens"),
        (lambda x, n: x.view(*x.shape[:2], n, -1), "swap T and H with transpose(1, 2)"),
        (lambda x, n: x.view(*x.shape[:2], n, -1).permute(0, 2, 3, 1), "the last axes have changed places"),
        (lambda x, n: x.view(*x.shape[:2], -1, n).permute(0, 3, 1, 2), "every H-th channel"),
        (lambda x, n: torch.stack(x.chunk(n, -1)), "the heads stand first"),
        (lambda x, n: x.view(*x.shape[:2], n, -1).transpose(2, 3), "H and D have changed places"),
        (lambda x, n: x.view(*x.shape[:2], n, -1).permute(3, 2, 1, 0), "all four axes were turned round"),  # .T
        (lambda x, n: list(x.chunk(n, -1)), "a list came back"),
        (lambda x, n: torch.stack(x.split(n, -1), 1), "n_head was taken for how wide"),
        (lambda x, n: torch.stack([x] * n, 1), "all the channels"),
        (lambda x, n: x.detach().view(*x.shape[:2], n, -1).transpose(1, 2), "no gradient comes through"),
        (lambda x, n: x.view(x.shape[0], x.shape[1], n, x.shape[2]).transpose(1, 2), "RuntimeError"),
    ],
    "merge_heads": [
        (lambda x: x.reshape(x.shape[0], x.shape[2], -1), "swap T and H first"),
        (lambda x: x.sum(dim=1), "added up"),
        (lambda x: x.mean(dim=1), "averaged"),
        (lambda x: torch.stack(x.unbind(1), -1).flatten(2), "woven into one another"),
        (lambda x: x.transpose(1, 2), "not yet flattened"),
        (lambda x: x.mT.reshape(x.shape[0], x.shape[1], -1), "then T was flattened into D"),
        (lambda x: x.transpose(2, 3).reshape(x.shape[0], x.shape[2], -1), "and a view mixed the tokens"),
        (lambda x: x.permute(3, 2, 1, 0).flatten(2), "all four axes were turned round"),  # .T
        (lambda x: x.transpose(1, 2).view(x.shape[0], x.shape[2], -1), "RuntimeError: view size is not compatible"),
        (lambda x: torch.cat(x.unbind(1), dim=1), "H and T were made one axis"),
        (lambda x: x.transpose(1, 2).reshape(x.shape[0], -1), "all but the batch"),
        (lambda x: torch.cat([head for head in x], dim=-1), "only the batch was laid side by side"),  # noqa: C416
        (lambda x: torch.tensor(x.tolist()).transpose(1, 2).flatten(2), "no gradient comes through"),
    ],
    "multi_head": [
        (
            lambda x, w, p, n: all_heads(x, w, p, n, split=lambda z: z.reshape(len(z), n, z.shape[1], -1)),
            "split by a view",
        ),
        (lambda x, w, p, n: all_heads(x, w, p, n, merge=lambda z: z.reshape(x.shape)), "without swapping T and H back"),
        (lambda x, w, p, n: all_heads(x, w, p, n, weights=seeing_all), MASKLESS),
        (lambda x, w, p, n: all_heads(x, w, torch.eye(len(p)), n), "the output projection is missing"),
        (lambda x, w, p, n: all_heads(x, w, p.T, n), "not transposed"),
        (lambda x, w, p, n: all_heads(x, w, p, 1), "one head as wide as C"),
        (
            lambda x, w, p, n: all_heads(x, w, p, n, weights=lambda q, k: attend(q, k, scale=x.shape[-1] ** -0.5)),
            "the square root of C",
        ),
        (
            lambda x, w, p, n: all_heads(x, w, p, n, weights=lambda q, k: attend(q, k, scale=n**-0.5)),
            "the square root of n_head",
        ),
        (
            lambda x, w, p, n: all_heads(x, w, p, n, weights=lambda q, k: attend(q, k, scale=1)),
            SCALE,
        ),
        (
            lambda x, w, p, n: all_heads(
                x, w, p, n, lambda z: z.reshape(len(z), n, z.shape[1], -1), lambda z: z.reshape(x.shape)
            ),
            "both plain views",
        ),
        (
            lambda x, w, p, n: all_heads(x, w, p, n, lambda z: z.view(*z.shape[:2], n, -1), lambda z: z.flatten(2)),
            "looked at one another",
        ),
        (fused_by_head, "read head by head"),
        (lambda x, w, p, n: all_heads(x, w, p, n) + x, "x was added to the result"),
        (
            lambda x, w, p, n: all_heads(x, w.unflatten(0, (3, -1)).mT.flatten(0, 1), p, n),
            "the three matrices in w_qkv",
        ),
        (lambda x, w, p, n: all_heads(x, w.unflatten(0, (3, -1)).mT.flatten(0, 1), p.T, n), "neither w_qkv's three"),
        (lambda x, w, p, n: all_heads(x, w.view(w.shape[1], -1).T, p, n), "reshaped to (C, 3C)"),
        (
            lambda x, w, p, n: all_heads(x, torch.cat([w[: -len(p)], torch.eye(len(p))]), p, n),
            "the values are x itself",
        ),
        (lambda x, w, p, n: all_heads(x, w, p, len(p) // n), "as many heads as a head is wide"),
        (lambda x, w, p, n: all_heads(x, w, p, n, weights=lambda q, k: attend(k, q)), "a row is the token that looks"),
        (lambda x, w, p, n: all_heads(x, w.T, p, n), "RuntimeError"),
        (pieces_taken_as(1, 0, 2), "query and key have changed places"),
        (pieces_taken_as(0, 2, 1), "key and value have changed places"),
        (pieces_taken_as(2, 1, 0), "read as values, keys, queries"),
        (pieces_taken_as(2, 0, 1), "read as keys, values, queries"),
        (pieces_taken_as(1, 2, 0), "read as values, queries, keys"),
    ],
}
