"""Answers to chapter 10's items: right ones written in other ways, wrong ones with what must be said of each."""

import math

import numpy as np
import torch
import torch.nn.functional as F


def windows_by_while(n, context_length):
    found, start = [], 0
    while start < n:
        found.append((start, min(start + context_length, n)))
        start += context_length
    return found


def windows_by_places(n, context_length):
    return [[int(part[0]), int(part[-1]) + 1] for part in torch.arange(n).split(context_length)]


def nll_by_loops(logits, targets, vocab_size):
    out = []
    for row, target in zip(logits.tolist(), targets.tolist(), strict=True):
        total = sum(math.exp(x) for x in row[:vocab_size])
        out.append(math.log(total) - row[target])
    return torch.tensor(out)


def nll_by_gather(logits, targets, vocab_size):
    hidden = torch.arange(logits.size(1)) >= vocab_size
    logp = logits.masked_fill(hidden, -torch.inf).log_softmax(-1)
    return -logp.gather(1, targets[:, None])[:, 0]


@torch.no_grad()
def text_by_cross_entropy(model, ids, vocab_size, context_length):
    inputs, targets, out = ids[:-1], ids[1:], []
    for x, y in zip(inputs.split(context_length), targets.split(context_length), strict=True):
        out.append(F.cross_entropy(model(x[None])[0, :, :vocab_size], y, reduction="none"))
    return torch.cat(out)


def text_in_a_batch(model, ids, vocab_size, context_length):
    n = len(ids) - 1
    rows = -(-n // context_length)
    filled = F.pad(ids, (0, rows * context_length + 1 - len(ids)))
    x, y = filled[:-1].view(rows, -1), filled[1:].view(rows, -1)
    logp = model(x)[..., :vocab_size].log_softmax(-1)
    return -logp.gather(2, y[..., None]).flatten()[:n]


def text_token_by_token(model, ids, vocab_size, context_length):
    out = []
    for i in range(1, len(ids)):
        start = (i - 1) // context_length * context_length
        probs = model(ids[None, start:i])[0, -1, :vocab_size].softmax(0)
        out.append(-probs[ids[i]].log())
    return torch.stack(out)


def word_by_length(encode, passage):
    before = encode(passage[: passage.rfind(" ")])
    return before, encode(passage)[len(before) :]


def word_by_parts(encode, passage):
    *before, word = passage.split(" ")
    return encode(" ".join(before)), encode(" " + word)


def word_by_loops(logits, ids, n_context):
    nats, right = 0.0, True
    for i in range(n_context, len(ids)):
        logp = logits[i - 1].log_softmax(-1)
        nats -= logp[ids[i]].item()
        right = right and int(logp.argmax()) == int(ids[i])
    return nats, right


def word_at_once(logits, ids, n_context):
    logp = logits[:-1].log_softmax(-1)[n_context - 1 :]
    word = ids[n_context:]
    return -logp.gather(1, word[:, None]).sum(), torch.equal(logp.argmax(-1), word)


def gap_by_loops(nats_a, nats_b, counts, draws):
    means = []
    for draw in draws.tolist():
        difference = sum(float(nats_a[d]) - float(nats_b[d]) for d in draw)
        means.append(difference / sum(int(counts[d]) for d in draw))
    means.sort()
    return means[5], means[195]


def gap_by_quantile(nats_a, nats_b, counts, draws):
    tokens = counts[draws].sum(-1)
    means = nats_a[draws].sum(-1) / tokens - nats_b[draws].sum(-1) / tokens
    low, high = means.quantile(torch.tensor([0.025, 0.975]))
    return low.item(), high.item()


RIGHT = {
    "disjoint_windows": [windows_by_while, windows_by_places],
    "real_nll": [
        nll_by_loops,
        nll_by_gather,
        lambda x, y, V: x[:, :V].logsumexp(1) - x[torch.arange(len(y)), y],
    ],
    "fair_nll": [text_by_cross_entropy, text_in_a_batch, text_token_by_token],
    "word_tokens": [word_by_length, word_by_parts],
    "last_word": [word_by_loops, word_at_once],
    "gap_interval": [gap_by_loops, gap_by_quantile],
}


def text_in(model, ids, vocab_size, starts, length, step=1):
    """A student's loop over windows from `starts`, with something to get wrong."""
    out = []
    for s in starts:
        x = ids[s : s + length]
        y = ids[s + step : s + step + length]
        x = x[: len(y)]
        if len(x):
            out.append(F.cross_entropy(model(x.unsqueeze(0))[0, :, :vocab_size], y, reduction="none"))
    return torch.cat(out)


def text_shifted_inside(model, ids, V, T):
    out = []
    for s in range(0, len(ids), T):
        window = ids[s : s + T]
        logp = model(window[None])[0, :-1, :V].log_softmax(-1)
        out += [-logp[i, window[i + 1]] for i in range(len(window) - 1)]
    return torch.stack(out)


def text_of_itself(model, ids, V, T):
    y = ids[1:]
    return torch.cat([F.cross_entropy(model(w[None])[0, :, :V], w, reduction="none") for w in y.split(T)])


def text_sliding(model, ids, V, T):
    out = []
    for i in range(len(ids) - 1):
        x = ids[max(0, i + 1 - T) : i + 1]
        out.append(-model(x[None])[0, -1, :V].log_softmax(-1)[ids[i + 1]])
    return torch.stack(out)


def text_with_new_start(model, ids, V, T):
    out = []
    for y in ids[1:].split(T):
        x = torch.cat([ids[0:1], y[:-1]])
        out.append(F.cross_entropy(model(x[None])[0, :, :V], y, reduction="none"))
    return torch.cat(out)


def text_by_means(model, ids, V, T):
    pairs = zip(ids[:-1].split(T), ids[1:].split(T), strict=True)
    return torch.stack([F.cross_entropy(model(x[None])[0, :, :V], y) for x, y in pairs])


def text_at_once(model, ids, V, T):
    return F.cross_entropy(model(ids[None, :-1])[0, :, :V], ids[1:], reduction="none")


def word_scored(logits, ids, n, verdict=all, total=sum, at=-1):
    """A student's last word, with something to get wrong."""
    nats, right = [], []
    for i in range(n, len(ids)):
        probs = torch.softmax(logits[i + at], -1)
        nats.append(-math.log(probs[ids[i]].item()))
        right.append(probs.argmax().item() == ids[i].item())
    return total(nats), verdict(right)


def gap_percentiles(values, low=2.5, high=97.5):
    low, high = np.percentile(values.numpy(), [low, high])
    return float(low), float(high)


def gap_edges(a, b, c, draws):
    low_a, high_a = gap_percentiles(a[draws].sum(1) / c[draws].sum(1))
    low_b, high_b = gap_percentiles(b[draws].sum(1) / c[draws].sum(1))
    return low_a - low_b, high_a - high_b


def gap_apart(a, b, c, draws):
    tokens = c[draws].sum(1)
    low_a, high_a = gap_percentiles(a[draws].sum(1) / tokens)
    low_b, high_b = gap_percentiles(b[draws].sum(1) / tokens)
    return low_a - high_b, high_a - low_b


def gap_in_place(a, b, c, draws):
    a -= b
    return gap_percentiles(a[draws].sum(1) / c[draws].sum(1))


def pieces_by_words(encode, passage):
    words = passage.split()
    return encode(" ".join(words[:-1])), encode(" " + words[-1])


WRONG = {
    "disjoint_windows": [
        (lambda n, T: [(i * T, (i + 1) * T) for i in range(n // T)], "what doesn't fill a window is left out"),
        (lambda n, T: [(s, s + T) for s in range(0, n - T, T)], "missing even where it is full"),
        (lambda n, T: [(i * T, (i + 1) * T) for i in range(math.ceil(n / T))], "ends after the text"),
        (lambda n, T: [(s, min(s + T, n) - 1) for s in range(0, n, T)], "one too small"),
        (lambda n, T: [(max(0, min(s + T, n) - T), min(s + T, n)) for s in range(0, n, T)], "reaches back"),
        (lambda n, T: [(s, min(T, n - s)) for s in range(0, n, T)], "pairs of start and length"),
        (lambda n, T: [(s, min(s + T, n)) for s in range(0, n, max(T // 2, 1))], "move on by half a context"),
        (lambda n, T: list(range(0, n, T)), "the starts alone"),
        (lambda n, T: torch.arange(n).split(T), "so"),
        (lambda n, T: [(s, min(s + T, n)) for s in range(1, n, T)], "so"),
        (lambda n, T: [(s, min(s + T, n)) for s in range(0, n, max(1, T - 1))], "the last token of the one before"),
        (lambda n, T: None, "nothing came back"),
    ],
    "real_nll": [
        (lambda x, y, V: -x.log_softmax(-1)[range(len(y)), y], "over all rows, the padding too"),
        (lambda x, y, V: -x.softmax(-1)[:, :V].log()[range(len(y)), y], "over all rows, the padding too"),
        (lambda x, y, V: nll_by_loops(x * (torch.arange(x.shape[1]) < V), y, x.shape[1]), "e^0 is 1"),
        (lambda x, y, V: -x[:, x.shape[1] - V :].log_softmax(1).gather(1, y[:, None])[:, 0], "cut at the front"),
        (lambda x, y, V: nll_by_loops(x, y, V).mean(), "this is the mean"),
        (lambda x, y, V: nll_by_loops(x, y, V).sum(), "this is the sum"),
        (lambda x, y, V: x[:, :V].log_softmax(1)[range(len(y)), y], "the sign is missing"),
        (lambda x, y, V: x[:, :V].softmax(1)[range(len(y)), y], "the probabilities"),
        (lambda x, y, V: -x[:, :V].softmax(1)[range(len(y)), y].log2(), "in bits"),
        (lambda x, y, V: -x.gather(1, y[:, None]).squeeze(1), "not yet a share of all"),
        (lambda x, y, V: F.nll_loss(x[:, :V], y, reduction="none"), "not yet a share of all"),
        (lambda x, y, V: F.nll_loss(x[:, :V].softmax(1).log_softmax(1), y, reduction="none"), "a softmax twice"),
        (lambda x, y, V: -x[:, :V].log_softmax(0)[range(len(y)), y], "so"),
        (lambda x, y, V: nll_by_loops(x, y, V).double(), "float64"),
        (lambda x, y, V: -x[:V].log_softmax(-1)[range(len(y)), y], "so"),
    ],
    "fair_nll": [
        (lambda m, i, V, T: text_in(m, i, V, range(0, len(i) - T, T), T), "what doesn't fill a window is left out"),
        (text_shifted_inside, "the first token of each window is never scored"),
        (text_of_itself, "scored with itself as input"),
        (lambda m, i, V, T: text_in(m, i, V + 99, range(0, len(i) - 1, T), T), "over the padding too"),
        (text_sliding, "all the context that the model can read"),
        (lambda m, i, V, T: -m(i[:-1, None])[:, 0, :V].log_softmax(1)[range(len(i) - 1), i[1:]], "alone"),
        (text_with_new_start, "the text's first token again"),
        (lambda m, i, V, T: text_in(m, i, V, range(0, len(i) - 1, T - 1), T - 1), "one shorter than the context"),
        (lambda m, i, V, T: text_in(m, i, V, range(0, len(i) - 1, T), T).mean(), "this is the mean"),
        (text_by_means, "the means of the windows"),
        (lambda m, i, V, T: -text_in(m, i, V, range(0, len(i) - 1, T), T), "the sign is missing"),
        (text_at_once, "tokens do not fit the model's context_length"),
        (lambda m, i, V, T: text_in(m, i, V, range(0, len(i) - 1, max(1, T // 2)), T), "the shape is"),
    ],
    "word_tokens": [
        (lambda e, p: (e(" ".join(p.split(" ")[:-1])), e(p.split(" ")[-1])), "the word lost its space"),
        (lambda e, p: (e(p[: -len(p.split(" ")[-1])]), e(p.split(" ")[-1])), "the space stayed with the context"),
        (lambda e, p: (e(p[: p.find(" ")]), e(p[p.find(" ") :])), "cut at its first space"),
        (lambda e, p: (e(p)[:-1], [e(p)[-1]]), "the last token was taken"),
        (lambda e, p: (e(p.rsplit(" ", 1)[0]), e(" " + p.rsplit(" ", 1)[1])[:1]), "only the first token"),
        (pieces_by_words, "the line break became a space"),
        (lambda e, p: (e(p[p.rfind(" ") :]), e(p[: p.rfind(" ")])), "have changed places"),
        (lambda e, p: (e(p), e(p[p.rfind(" ") :])), "the first part is the whole passage"),
        (lambda e, p: (p[: p.rfind(" ")], p[p.rfind(" ") :]), "these are texts, not ids"),
        (lambda e, p: e(p), "things came back, not 2"),
    ],
    "last_word": [
        (lambda x, i, n: word_scored(x, i, n, verdict=lambda right: right[0]), "when its first token is"),
        (lambda x, i, n: word_scored(x, i, n, verdict=any), "when any of its tokens is"),
        (lambda x, i, n: word_scored(x, i, n, verdict=lambda right: right[-1]), "when its last token is"),
        (lambda x, i, n: word_scored(x, i, n, at=0), "one place too late"),
        (lambda x, i, n: word_scored(x, i, 1), "the context was scored too"),
        (lambda x, i, n: word_scored(x, i[: n + 1], n), "only the word's first token was scored"),
        (lambda x, i, n: word_scored(x, i, n, total=np.mean), "the mean over the word's tokens"),
        (lambda x, i, n: word_scored(x, i, n, total=lambda nats: -sum(nats)), "the wrong sign"),
        (lambda x, i, n: word_scored(x, i, n, total=lambda nats: math.exp(-sum(nats))), "the word's probability"),
        (
            lambda x, i, n: (
                F.cross_entropy(x[n - 1 : -1], i[n:], reduction="sum"),
                (x.argmax(-1)[n - 1 : -1] == i[n:]).all(),
            ),
            "the second part is a tensor",
        ),
        (
            lambda x, i, n: (F.cross_entropy(x[n - 1 : -1], i[n:], reduction="sum"), x.argmax(1)[n - 1 : -1] == i[n:]),
            "an answer for each token",
        ),
        (lambda x, i, n: word_scored(x, i, n)[0], "a float came back"),
        (lambda x, i, n: word_scored(x, i, n - 1), "so"),
    ],
    "gap_interval": [
        (lambda a, b, c, d: gap_percentiles((a / c - b / c)[d].mean(1)), "the documents' own means"),
        (lambda a, b, c, d: gap_percentiles((a - b)[d].mean(1)), "this is per document"),
        (lambda a, b, c, d: gap_percentiles((a - b)[d].sum(1)), "the sum of the nats"),
        (lambda a, b, c, d: gap_percentiles((a[d] - b[d]).sum(1) / c.sum()), "those of all documents"),
        (lambda a, b, c, d: gap_percentiles((b[d] - a[d]).sum(1) / c[d].sum(1)), "a and b have changed places"),
        (gap_edges, "the edges of two intervals were subtracted"),
        (gap_apart, "as if each model had met other documents"),
        (lambda a, b, c, d: gap_percentiles((a - b)[d].sum(1) / c[d].sum(1), 5, 95), "the middle 90%"),
        (lambda a, b, c, d: gap_percentiles((a - b)[d].sum(1) / c[d].sum(1), 0.025, 0.975), "given as shares"),
        (lambda a, b, c, d: tuple(x.item() for x in ((a - b)[d].sum(1) / c[d].sum(1)).aminmax()), "the least and the"),
        (lambda a, b, c, d: gap_percentiles(a[d].sum(1) / c[d].sum(1)), "model a alone"),
        (gap_in_place, "changed in place"),
        (lambda a, b, c, d: ((a - b)[d].sum(1) / c[d].sum(1)).quantile(torch.tensor([0.025, 0.975])), "a Tensor came"),
        (lambda a, b, c, d: gap_percentiles(((a - b) / c)[d].sum(1)), "so"),
    ],
}
