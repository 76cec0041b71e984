"""Answers to chapter 11's items: right ones written in other ways, wrong ones with what must be said of each."""

import math

import torch
import torch.nn.functional as F


def temper_by_rows(logits, temperature):
    out = torch.zeros(logits.shape)
    for b, row in enumerate(logits):
        if temperature == 0:
            out[b, row.argmax()] = 1
        else:
            e = ((row - row.max()) / temperature).exp()
            out[b] = e / e.sum()
    return out


def temper_by_power(logits, temperature):
    if temperature == 0:
        return torch.zeros_like(logits).scatter(1, logits.argmax(1, keepdim=True), 1.0)
    raised = logits.softmax(-1) ** (1 / temperature)
    return raised / raised.sum(-1, keepdim=True)


def top_k_by_rank(logits, k):
    rank = logits.argsort(dim=-1, descending=True, stable=True).argsort(-1)
    return torch.where(rank < k, logits, -torch.inf)


def top_k_by_lists(logits, k):
    out = []
    for row in logits.tolist():
        kept = sorted(range(len(row)), key=lambda i: (-row[i], i))[:k]
        out.append([x if i in kept else -math.inf for i, x in enumerate(row)])
    return torch.tensor(out)


def top_p_by_scatter(logits, p):
    ordered, order = torch.sort(logits, dim=-1, descending=True)
    gone = ordered.softmax(-1).cumsum(-1) > p
    gone = torch.cat([torch.zeros(len(gone), 1, dtype=torch.bool), gone[:, :-1]], dim=1)
    return logits.masked_fill(gone.gather(1, order.argsort(1)), -torch.inf)


def top_p_by_lists(logits, p):
    out = logits.clone()
    for b, row in enumerate(logits.softmax(-1).tolist()):
        held = 0.0
        for i in sorted(range(len(row)), key=lambda i: -row[i]):
            if held >= p:
                out[b, i] = -torch.inf
            held += row[i]
    return out


def top_p_by_pairs(logits, p):
    probs = logits.softmax(-1)
    likelier = probs[:, None, :] > probs[:, :, None]
    return logits.masked_fill((likelier * probs[:, None, :]).sum(-1) >= p, -torch.inf)


def dials_in_place_of_logits(logits, temperature, top_k, top_p):
    if temperature == 0:
        return F.one_hot(logits.argmax(-1), logits.size(1)).float()
    logits = logits / temperature
    if top_k:
        logits = top_k_by_rank(logits, top_k)
    if top_p:
        logits = top_p_by_scatter(logits, top_p)
    return logits.softmax(-1)


def dials_on_probs(logits, temperature, top_k, top_p):
    probs = temper_by_rows(logits, temperature)
    for cut, setting in ((top_k_by_lists, top_k), (top_p_by_lists, top_p)):
        if setting is not None:
            probs = probs * (cut(probs.log(), setting) > -torch.inf)
            probs = probs / probs.sum(-1, keepdim=True)
    return probs


def head_by_loops(query, key, value, past_keys, past_values):
    keys, values, out = past_keys, past_values, []
    for q, k, v in zip(query, key, value, strict=True):
        keys, values = torch.cat([keys, k[None]]), torch.cat([values, v[None]])
        out.append((keys @ q / len(q) ** 0.5).softmax(0) @ values)
    return torch.stack(out), keys, values


def head_by_comparison(query, key, value, past_keys, past_values):
    keys, values = torch.vstack((past_keys, key)), torch.vstack((past_values, value))
    places = torch.arange(len(past_keys), len(keys))
    scores = query @ keys.mT / math.sqrt(query.shape[-1])
    scores[places[:, None] < torch.arange(len(keys))] = -torch.inf
    return [scores.softmax(-1) @ values, keys, values]


def write_by_unread(step, prompt, count, vocab_size):
    ids, unread, cache = list(prompt), prompt, None
    for _ in range(count):
        logits, cache = step(unread, cache)
        unread = [int(logits[-1, :vocab_size].argmax())]
        ids += unread
    return ids[len(prompt) :]


def write_token_by_token(step, prompt, count, vocab_size):
    cache, ids = None, list(prompt)
    for i in range(len(prompt) + count - 1):
        logits, cache = step([ids[i]], cache)
        if i >= len(prompt) - 1:
            ids.append(logits[-1][:vocab_size].argmax().item())
    return ids[len(prompt) :]


def write_by_recursion(step, prompt, count, vocab_size, cache=None):
    if count == 0:
        return []
    logits, cache = step(prompt, cache)
    best = max(range(vocab_size), key=lambda i: logits[-1, i].item())
    return [best, *write_by_recursion(step, [best], count - 1, vocab_size, cache)]


RIGHT = {
    "tempered": [temper_by_rows, temper_by_power],
    "batch_top_k": [top_k_by_rank, top_k_by_lists],
    "batch_top_p": [top_p_by_scatter, top_p_by_lists, top_p_by_pairs],
    "batch_probs": [dials_in_place_of_logits, dials_on_probs],
    "cached_head": [head_by_loops, head_by_comparison],
    "cached_greedy": [write_by_unread, write_by_recursion, write_token_by_token],
}


def temper(logits, temperature, at_zero=None):
    """A student's temperature, with something else at 0."""
    if temperature == 0:
        return F.one_hot(logits.argmax(-1), logits.shape[-1]).float() if at_zero is None else at_zero(logits)
    return torch.softmax(logits / temperature, -1)


def ones_at(logits, places):
    out = torch.zeros(logits.shape)
    out[places] = 1.0
    return out


def temper_overflowing(logits, temperature):
    if temperature == 0:
        return temper(logits, 0)
    e = torch.exp(logits / temperature)
    return e / torch.sum(e, dim=1, keepdim=True)


def top_k_by_mask(logits, indices, start=True):
    """A student's mask: all are to go, those at the indices not."""
    mask = torch.full(logits.shape, start)
    mask.scatter_(1, indices, False)
    return torch.where(mask, -torch.inf, logits)


def ranked(logits):
    return torch.sort(logits, dim=1, descending=True, stable=True).indices


def top_k_of_topk(logits, k):
    top = torch.topk(logits, k, dim=-1)
    out = torch.full(logits.shape, -torch.inf)
    out.scatter_(1, top.indices, top.values)
    return out


def top_k_changed(logits, k):
    order = logits.argsort(descending=True, stable=True)
    logits.scatter_(1, order[:, k:], -torch.inf)
    return logits


def nucleus(logits, p, gone, descending=True):
    """A student's top-p: `gone` says of the sorted probabilities which are cut off."""
    ordered, order = torch.sort(logits, -1, descending)
    probs = torch.softmax(ordered, -1)
    mask = torch.empty(probs.shape, dtype=torch.bool)
    mask.scatter_(1, order, gone(probs))
    return torch.where(mask, -torch.inf, logits)


def late(probs):
    return probs.cumsum(1) - probs


def shifted_twice(probs, p):
    gone = probs.cumsum(-1) > p
    gone[:, 2:] = gone[:, :-2].clone()
    gone[:, :2] = False
    return gone


def first_saved(probs, p):
    gone = probs.cumsum(-1) > p
    gone[:, 0] = False
    return gone


def sorted_nucleus(logits, p):
    ordered = logits.sort(-1, descending=True)[0]
    probs = ordered.softmax(-1)
    ordered[probs.cumsum(-1) - probs >= p] = -torch.inf
    return ordered


def mixed_nucleus(logits, p):
    probs = logits.softmax(-1).sort(-1, descending=True)[0]
    out = logits.clone()
    out[probs.cumsum(-1) - probs >= p] = -torch.inf
    return out


def nucleus_by_gather(logits, p):
    ordered, order = torch.sort(logits, -1, True)
    gone = late(ordered.softmax(-1)) >= p
    return torch.where(gone.gather(1, order), -torch.inf, logits)


def nucleus_of_all_rows(logits, p):
    ordered, order = torch.sort(logits, -1, True)
    out = logits.clone()
    out[:, order[late(ordered.softmax(-1)) >= p]] = -torch.inf
    return out


def dials(logits, order, zero=True):
    """A student's settings, applied in an order of their own."""
    if zero is not True and zero == 0:
        return temper_by_rows(logits, 0)
    for how, setting in order:
        if setting is not None:
            logits = how(logits, setting)
    return torch.softmax(logits, -1)


def top_p_after_k(logits, k, p):
    logits = logits if k is None else top_k_by_rank(logits, k)
    return logits if p is None else top_p_by_scatter(logits, p)


def divide(logits, temperature):
    return logits / temperature


def dials_unscaled(logits, t, k, p):
    probs = temper_by_rows(logits, t)
    if t == 0:
        return probs
    kept = logits / t
    if k is not None:
        kept = top_k_by_rank(kept, k)
    if p is not None:
        kept = top_p_by_scatter(kept, p)
    probs[kept == -torch.inf] = 0
    return probs


def attend(query, keys, values, hidden, scale=None):
    """A student's attention, (T, D), with a mask of their own."""
    scores = query @ keys.T * (query.shape[1] ** -0.5 if scale is None else scale)
    return torch.softmax(scores.masked_fill(hidden, -torch.inf), -1) @ values


def grown(key, value, past_keys, past_values):
    return torch.cat([past_keys, key], 0), torch.cat([past_values, value], 0)


def head(q, k, v, pk, pv, diagonal=None, scale=None):
    """A student's cached head, with another diagonal or scale."""
    keys, values = grown(k, v, pk, pv)
    hidden = torch.ones(len(q), len(keys)).triu(len(pk) + 1 if diagonal is None else diagonal(len(pk))).bool()
    return attend(q, keys, values, hidden, scale), keys, values


def head_causal(q, k, v, pk, pv):
    keys, values = grown(k, v, pk, pv)
    return F.scaled_dot_product_attention(q[None], keys[None], values[None], is_causal=True)[0], keys, values


def head_of_new(q, k, v, pk, pv):
    return attend(q, k, v, torch.ones(len(q), len(q)).triu(1).bool()), *grown(k, v, pk, pv)


def head_new_first(q, k, v, pk, pv):
    keys, values = grown(pk, pv, k, v)
    return attend(q, keys, values, torch.ones(len(q), len(keys)).triu(len(pk) + 1).bool()), keys, values


def head_with_small_mask(q, k, v, pk, pv):
    keys, values = grown(k, v, pk, pv)
    return attend(q, keys, values, torch.ones(len(q), len(q)).triu(1).bool()), keys, values


def head_by_weights(q, k, v, pk, pv, weigh):
    keys, values = grown(k, v, pk, pv)
    seen = torch.arange(len(keys)) <= torch.arange(len(pk), len(keys))[:, None]
    return weigh(q @ keys.T / math.sqrt(q.shape[1]), seen) @ values, keys, values


def head_of_the_future(q, k, v, pk, pv):
    return head_by_weights(
        q, k, v, pk, pv, lambda s, seen: s.masked_fill(seen.tril(len(pk) - 1), -torch.inf).softmax(-1)
    )


def head_side_by_side(q, k, v, pk, pv):
    keys, values = torch.cat([pk, k], 1), torch.cat([pv, v], 1)
    return (q @ keys.T).softmax(-1) @ values, keys, values


def write(step, prompt, count, rows=None, row=-1):
    """A student's writing, with something to get wrong."""
    out, unread, cache = [], prompt, None
    while len(out) < count:
        logits, cache = step(unread, cache)
        unread = [logits[row][:rows].argmax().item()]
        out += unread
    return out


def write_forgetful(step, prompt, count, V):
    out, unread = [], list(prompt)
    for _ in range(count):
        logits, _ = step(unread, None)
        unread = [logits[-1, :V].argmax().item()]
        out += unread
    return out


def write_on_the_prompt(step, prompt, count, V):
    logits, cache = step(prompt, None)
    out = []
    for _ in range(count):
        out.append(logits[-1, :V].argmax().item())
        logits, _ = step([out[-1]], cache)
    return out


def write_last_twice(step, prompt, count, V):
    _, cache = step(prompt, None)
    token, out = prompt[-1], []
    for _ in range(count):
        logits, cache = step([token], cache)
        token = logits[-1, :V].argmax().item()
        out.append(token)
    return out


def write_stuck(step, prompt, count, V):
    logits, _ = step(prompt, None)
    return [logits[-1, :V].argmax().item() for _ in range(count)]


def write_with(step, prompt, count, V, following, start=0):
    """A student's writing, which reads something else after a token."""
    out, unread, cache = [], prompt[start:], None
    for _ in range(count):
        logits, cache = step(unread, cache)
        out.append(logits[-1, :V].argmax().item())
        unread = following(out[-1])
    return out


def write_of_all_rows(step, prompt, count, V):
    out, unread, cache = [], prompt, None
    for _ in range(count):
        logits, cache = step(unread, cache)
        unread = [torch.argmax(logits[:, :V]).item()]
        out += unread
    return out


def write_anew(step, prompt, count, V):
    ids = list(prompt)
    for _ in range(count):
        cache = None
        for token in ids:
            logits, cache = step([token], cache)
        ids.append(logits[-1, :V].argmax().item())
    return ids[len(prompt) :]


def write_all_again(step, prompt, count, V):
    ids, cache = list(prompt), None
    for _ in range(count):
        logits, cache = step(ids, cache)
        ids.append(logits[-1, :V].argmax().item())
    return ids[len(prompt) :]


def write_into_the_prompt(step, prompt, count, V):
    start = len(prompt)
    prompt += write(step, list(prompt), count, V)
    return prompt[start:]


def write_first_lost(step, prompt, count, V):
    logits, cache = step(prompt, None)
    out, token = [], logits[-1, :V].argmax().item()
    for _ in range(count):
        logits, cache = step([token], cache)
        token = logits[-1, :V].argmax().item()
        out.append(token)
    return out


WRONG = {
    "tempered": [
        (lambda x, t: temper(x, 1 / t if t else 0), "the logits were multiplied by the temperature: divide"),
        (lambda x, t: torch.softmax(t * x, 1), "at 0 too, which makes all equal"),
        (lambda x, t: torch.softmax(x / t, 1), "it divides by 0"),
        (lambda x, t: torch.softmax(x / (t or 1), -1), "no temperature at all"),
        (lambda x, t: temper(x, t, lambda z: (z == z.max()).float()), "one 1.0 in the whole batch"),
        (lambda x, t: temper(x, t, lambda z: z.argmax(1)), "the token came back"),
        (lambda x, t: temper(x, t, lambda z: F.one_hot(z.argmax(1), z.shape[1])), "the type is int64"),
        (lambda x, t: torch.softmax(x, -1) / t if t > 0 else temper(x, 0), "after the softmax"),
        (lambda x, t: torch.softmax(x / t, 0) if t > 0 else temper(x, 0), "down the batch"),
        (lambda x, t: torch.div(x, t) if t > 0 else temper(x, 0), "the softmax is missing"),
        (lambda x, t: temper(x, t and 1.0), "changes nothing"),
        (lambda x, t: x.exp() ** (1 / t) if t else temper(x, 0), "so"),
        (lambda x, t: torch.softmax(x / (t + 1e-9), -1), "a tiny number in the place of 0"),
        (lambda x, t: temper(x, t, lambda z: (z == z.max(1, keepdim=True)[0]).float()), "the row sums to more"),
        (lambda x, t: temper(x, t, lambda z: F.one_hot(z.argmax(1)).float()), "hand F.one_hot their number"),
        (lambda x, t: temper(x, t, lambda z: ones_at(z, (slice(None), z.argmax(1)))), "the 1.0 of every row"),
        (lambda x, t: temper(x, t, lambda z: ones_at(z, z.argmax(1))), "whole rows were filled"),
        (lambda x, t: temper(x, t, lambda z: ones_at(z, (slice(None), z[0].argmax()))), "so"),
        (temper_overflowing, "is more than float32 holds"),
        (lambda x, t: temper(torch.softmax(x, 1), t), "one softmax came before"),
        (lambda x, t: torch.log_softmax(x / t, 1) if t else temper(x, 0), "these are logarithms"),
    ],
    "batch_top_k": [
        (lambda x, k: torch.where(x < x.topk(k)[0][:, [-1]], -torch.inf, x), "with ties more than k stay"),
        (lambda x, k: torch.where(x > x.topk(k)[0].amin(1, True), x, -torch.inf), "itself is cut off"),
        (lambda x, k: top_k_by_rank(x, k + 1), "one too many stays"),
        (lambda x, k: top_k_by_lists(x.fliplr(), k).fliplr(), "the higher ids stay"),
        (top_k_of_topk, "torch.topk keeps whichever"),
        (lambda x, k: x.where(x.argsort(dim=1, stable=True).argsort(1) < k, -torch.inf), "the k smallest stay"),
        (lambda x, k: x * (x.argsort(dim=1, descending=True, stable=True).argsort(1) < k), "e^0 is 1"),
        (lambda x, k: top_k_by_rank(x, k).softmax(1), "these are probabilities"),
        (lambda x, k: top_k_by_rank(x.flatten()[None], k).reshape(x.shape), "of the whole batch"),
        (
            lambda x, k: torch.where(
                torch.isin(torch.arange(x.shape[1]), top_k_by_rank(x, k)[0].isfinite().nonzero()), x, -torch.inf
            ),
            "cut where the first one is",
        ),
        (lambda x, k: x.sort(descending=True)[0][:, :k], "the k values alone"),
        (top_k_changed, "changed in place"),
        (lambda x, k: top_k_by_mask(x, ranked(x)[:, :k], start=False), "nothing is cut"),
        (lambda x, k: top_k_by_mask(x, ranked(x)[:k]), "takes the first k rows"),
        (lambda x, k: top_k_by_mask(x, ranked(x)[:, : k - 1]), "one too few stays"),
        (lambda x, k: x.where(top_k_by_rank(x, k).isinf(), -torch.inf), "what should stay is cut"),
        (lambda x, k: torch.where(torch.arange(x.shape[1]) < k, x, -torch.inf), "the first k ids of each row stay"),
        (lambda x, k: F.pad(x.sort(-1, True)[0][:, :k], (0, x.shape[1] - k), value=-torch.inf), "in the sorted order"),
        (lambda x, k: top_k_by_rank(x, k).clamp(min=-1e9), "low but finite"),
        (lambda x, k: torch.where(ranked(x) < k, x, -torch.inf), "taken for ranks"),
        (lambda x, k: torch.where(top_k_by_rank(x, k).isinf(), 0, x.softmax(1)), "that don't sum to 1"),
        (lambda x, k: top_k_by_rank(x, k).isinf(), "this is the mask"),
        (lambda x, k: [top_k_by_rank(row[None], k)[0] for row in x], "a list came back"),
    ],
    "batch_top_p": [
        (lambda x, p: nucleus(x, p, lambda q: q.cumsum(1) > p), "cut off: ask how much"),
        (lambda x, p: nucleus(x, p, lambda q: first_saved(q, p)), "save for the first"),
        (lambda x, p: nucleus(x, p, lambda q: shifted_twice(q, p)), "one too many stays"),
        (lambda x, p: x.masked_fill(late(x.softmax(1)) >= p, -torch.inf), "goes by the ids"),
        (mixed_nucleus, "the mask is in the sorted order"),
        (sorted_nucleus, "came back in the sorted order"),
        (lambda x, p: nucleus(x, p, lambda q: late(q) >= p, descending=False), "the unlikeliest were kept"),
        (lambda x, p: torch.where(x.softmax(1) >= p, x, -torch.inf), "own probability was compared"),
        (lambda x, p: torch.where(top_p_by_lists(x, p).isinf(), 0, x), "e^0 is 1"),
        (lambda x, p: torch.softmax(top_p_by_lists(x, p), 1), "these are probabilities: give"),
        (lambda x, p: torch.where(top_p_by_lists(x, p).isinf(), 0, x.softmax(1)), "that don't sum to 1"),
        (lambda x, p: nucleus(x, p, lambda q: late(x.sort(descending=True)[0]) >= p), "the logits were added up"),
        (lambda x, p: nucleus(x, p, lambda q: late(q).flatten().view_as(q) > 1 - p), "so"),
        (lambda x, p: top_p_by_scatter(x[0], p), "because"),
        (lambda x, p: x.where(top_p_by_lists(x, p).isinf(), -torch.inf), "what should stay is cut"),
        (lambda x, p: top_p_by_lists(x, p).clamp(min=-1e9), "low but finite"),
        (nucleus_by_gather, "read with gather"),
        (lambda x, p: nucleus(x, p, lambda q: late(x.softmax(1)) >= p), "the probabilities aren't"),
        (lambda x, p: nucleus(x, p, lambda q: late(q) >= 1 - p), "compared with 1 - p, which would"),
        (lambda x, p: nucleus(x, p, lambda q: q.cumsum(1) <= 1 - p, descending=False), "cuts the likeliest too"),
        (lambda x, p: nucleus(x, p, lambda q: q.cumsum(0) - q >= p), "down the batch"),
        (lambda x, p: nucleus(x, p, lambda q: (late(q) >= p)[0].expand(q.shape)), "so"),
        (nucleus_of_all_rows, "what is cut in one row is cut in all"),
        (lambda x, p: x.softmax(1).where(top_p_by_lists(x, p).isfinite(), -torch.inf), "though -inf where they are"),
        (lambda x, p: top_p_by_lists(x, p) == -torch.inf, "this is the mask"),
    ],
    "batch_probs": [
        (
            lambda x, t, k, p: dials(x, [(top_k_by_rank, k), (top_p_by_lists, p), (divide, t)], t),
            "the temperature comes after the cuts",
        ),
        (lambda x, t, k, p: dials(x, [(divide, t), (top_p_by_lists, p), (top_k_by_rank, k)], t), "before top-k"),
        (lambda x, t, k, p: dials(x, [(top_p_by_lists, p), (divide, t), (top_k_by_rank, k)], t), "so"),
        (dials_unscaled, "does not sum to 1"),
        (lambda x, t, k, p: dials(x, [(divide, t), (top_k_by_lists, k)], t), "top-p is left out"),
        (lambda x, t, k, p: dials(x, [(divide, t), (top_p_by_scatter, p)], t), "top-k is left out"),
        (lambda x, t, k, p: dials(x, [(top_k_by_lists, k), (top_p_by_scatter, p)], t), "the temperature is left out"),
        (lambda x, t, k, p: temper_by_power(x, t), "both cuts are left out"),
        (lambda x, t, k, p: dials(x, [(top_k_by_rank, k), (top_p_by_lists, p)]), "so"),
        (lambda x, t, k, p: temper(dials(x / t, [(top_k_by_rank, k)]).log(), t) if t else temper(x, 0), "so"),
        (lambda x, t, k, p: top_p_by_scatter(top_k_by_rank(x / t, k), p).softmax(-1), "TypeError"),
        (lambda x, t, k, p: temper(top_p_after_k(x / t, k, p), t) if t else temper(x, 0), "applied twice"),
        (lambda x, t, k, p: top_p_after_k(temper(x, t), k, p).softmax(1) if t else temper(x, 0), "given probabilities"),
        (lambda x, t, k, p: top_p_after_k(x / t, k, p).softmax(1), "all is right but at temperature 0"),
        (lambda x, t, k, p: top_p_after_k(x / t, k, p) if t else temper(x, 0), "the softmax is missing"),
        (lambda x, t, k, p: top_p_after_k(x * t, k, p).softmax(1) if t else temper(x, 0), "were multiplied by"),
        (lambda x, t, k, p: top_p_after_k(temper(x, t), k, p).softmax(1), "given probabilities, at 0 too"),
        (
            lambda x, t, k, p: dials(x, [(divide, t), (top_k_by_lists, k), (temper, 1), (top_p_by_lists, p)], t),
            "top-p was given probabilities",
        ),
        (
            lambda x, t, k, p: dials(x, [(divide, t), (*[(top_k_by_rank, k), (top_p_by_lists, p)][k is None],)], t),
            "elif",
        ),
        (
            lambda x, t, k, p: dials(x, [(divide, t), (*[(top_p_by_lists, p), (top_k_by_rank, k)][p is None],)], t),
            "elif",
        ),
        (lambda x, t, k, p: top_p_after_k(x / t if t else x, k, p).softmax(1), "which was taken for 1"),
        (lambda x, t, k, p: top_p_after_k(x / (t or 1e-6), k, p).softmax(1), "a tiny number in the place"),
    ],
    "cached_head": [
        (head_causal, "the upper left corner"),
        (lambda *c: head(*c, diagonal=lambda S: 1), "the upper left corner"),
        (lambda *c: head(*c, diagonal=lambda S: 999), "nothing is masked"),
        (lambda *c: head(*c, diagonal=lambda S: S + 2), "one that comes after it"),
        (lambda *c: head(*c, diagonal=lambda S: S), "from itself"),
        (head_of_new, "the new tokens see only one another"),
        (head_new_first, "stand before the past ones"),
        (lambda *c: head(*c, scale=1), "without dividing by the square root"),
        (lambda *c: (head(*c)[0], *c[3:]), "the cache came back as it was"),
        (lambda *c: (head(*c)[0], c[1], c[2]), "the new keys and values alone"),
        (lambda *c: (head(*c)[0], *head(*c)[:0:-1]), "keys and values have changed places"),
        (lambda *c: head(*c)[0], "only the output came back"),
        (lambda *c: (head(*c)[0], head(*c)[1:]), "2 things came back, not 3"),
        (head_with_small_mask, "the mask is (T, T)"),
        (lambda q, k, v, pk, pv: head(q, k, k, pk, pv), "so"),
        (lambda *c: (*grown(*c[1:]), head(*c)[0]), "the keys and values came first"),
        (lambda *c: head_by_weights(*c, lambda s, seen: s.masked_fill(seen, -torch.inf).softmax(1)), "hand it ~mask"),
        (lambda *c: head_by_weights(*c, lambda s, seen: s.softmax(1) * seen), "the mask comes after the softmax"),
        (lambda *c: head_by_weights(*c, lambda s, seen: s.where(seen, 0).softmax(1)), "hidden places were set to 0"),
        (lambda *c: head_by_weights(*c, lambda s, seen: (s + seen).softmax(1)), "the mask was added"),
        (lambda *c: head_by_weights(*c, lambda s, seen: s.where(seen, -torch.inf).softmax(0)), "down the columns"),
        (lambda *c: head(*c, diagonal=lambda S: len(c[0]) + 1), "the mask was moved by T"),
        (lambda *c: head(*c, diagonal=lambda S: 1 if S == 0 else 999), "as soon as there are past tokens"),
        (lambda *c: head(*c, scale=len(c[0]) ** -0.5), "the square root of T"),
        (lambda *c: head(*c, scale=1 / c[0].shape[1]), "divided by D"),
        (head_of_the_future, "sees itself and the future"),
        (head_side_by_side, "side by side"),
        (lambda q, k, v, pk, pv: (head(q, k, k, pk, pk)[0], *grown(k, v, pk, pv)), "the keys were averaged"),
    ],
    "cached_greedy": [
        (lambda step, prompt, count, V: write(step, prompt, count), "the padding can be chosen"),
        (lambda step, prompt, count, V: write(step, prompt, count, V, row=0), "the first row's"),
        (write_forgetful, "None came in a second time"),
        (write_on_the_prompt, "the cache stays the prompt's"),
        (write_last_twice, "the prompt's last token is read twice"),
        (write_stuck, "the same logits are used each time"),
        (lambda step, prompt, count, V: prompt + write(step, prompt, count, V), "the prompt came back too"),
        (lambda step, prompt, count, V: write(step, prompt, count + 1, V), "one token too many"),
        (lambda step, prompt, count, V: write(step, prompt, count - 1, V), "one token too few"),
        (write_first_lost, "the first new token is missing"),
        (write_all_again, "tokens at once, but this model takes"),
        (write_into_the_prompt, "changed in place"),
        (lambda step, prompt, count, V: torch.tensor(write(step, prompt, count, V)), "a Tensor came back"),
        (lambda step, prompt, count, V: [int(step(prompt, None)[0][:V, -1].argmax())] * count, "so"),
        (lambda step, prompt, count, V: write_with(step, prompt, count, V, lambda token: token), "a single id"),
        (
            lambda step, prompt, count, V: write_with(step, prompt, count, V, lambda _: prompt),
            "read again in each turn",
        ),
        (
            lambda step, prompt, count, V: write_with(step, prompt, count, V, lambda t: [t], -1),
            "only the prompt's last",
        ),
        (lambda step, prompt, count, V: write(step, prompt, count, V)[:1], "the return stands inside the loop"),
        (write_of_all_rows, "all rows together"),
        (write_anew, "None came in a second time"),
    ],
}
