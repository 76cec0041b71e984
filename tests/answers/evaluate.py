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


def nll_overflowing(logits, targets, vocab_size):
    e = torch.exp(logits[:, :vocab_size])
    return -torch.log(e / e.sum(dim=1, keepdim=True))[range(len(targets)), targets]


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


def gap_by_two_quantiles(nats_a, nats_b, counts, draws):
    gaps = (nats_a - nats_b)[draws].sum(dim=1) / counts[draws].sum(dim=1)
    return gaps.quantile(0.025).item(), gaps.quantile(0.975).item()


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
    "gap_interval": [gap_by_loops, gap_by_quantile, gap_by_two_quantiles],
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


def text_by_cuts(model, ids, V, T, n=1, read=0, score=1, batch=(0,)):
    """A student's windows: cut all but n tokens, what is read and scored shifted, the batch's axis as it likes."""
    out = []
    for s, e in windows_by_while(len(ids) - n, T):
        logits = model(ids[None, s + read : e + read])[batch]
        out.append(F.cross_entropy(logits[:, :V], ids[s + score : e + score], reduction="none"))
    return out


def text_without_batch(model, ids, V, T):
    out = [model(ids[s:e])[:, :V].log_softmax(1) for s, e in windows_by_while(len(ids) - 1, T)]
    return -torch.cat(out)[range(len(ids) - 1), ids[1:]]


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


def word_by_rows(logits, ids, n_context):
    rows, word = logits[n_context - 1 :], ids[n_context:]
    return F.cross_entropy(rows, word, reduction="sum").item(), bool((rows.argmax(-1) == word).all())


def gap_percentiles(values, low=2.5, high=97.5):
    low, high = np.percentile(values.numpy(), [low, high])
    return float(low), float(high)


def per(nats, counts, draws):
    return nats[draws].sum(1) / counts[draws].sum(1)


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
        (lambda n, T: [(s, min(s + T, n)) for s in range(0, n, T // 2)], "move on by half a context"),
        (lambda n, T: list(range(0, n, T)), "the starts alone"),
        (lambda n, T: torch.arange(n).split(T), "so"),
        (lambda n, T: [(s, min(s + T, n)) for s in range(1, n, T)], "so"),
        (lambda n, T: [(s, min(s + T, n)) for s in range(0, n, T - 1)], "the last token of the one before"),
        (lambda n, T: [(i * T, min(i * T + T, n)) for i in range(n // T + 1)], "an empty window stands at the end"),
        (lambda n, T: [(i, min(i + T, n)) for i in range(n)], "a window begins at every token"),
        (lambda n, T: [(s, min(s + T, n - 1)) for s in range(0, n - 1, T)], "the last token is in no window"),
        (lambda n, T: [(s, min(s + T, n)) for s in range(0, n - 1, T - 1)], "where the one before has its last"),
        (lambda n, T: [(s, min(s + T, n)) for s in range(0, n, T + 1)], "left out between two windows"),
        (lambda n, T: windows_by_while(n - n % T, T) + [(n - T, n)] * (n % T > 0), "begins before 0"),
        (lambda n, T: None, "nothing came back"),
    ],
    "real_nll": [
        (lambda x, y, V: -x.log_softmax(-1)[range(len(y)), y], "cut the second axis"),
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
        (lambda x, y, V: -x[:, :V].log_softmax(0)[range(len(y)), y], "down the text"),
        (lambda x, y, V: nll_by_loops(x, y, V).double(), "float64"),
        (lambda x, y, V: -x[:V].log_softmax(-1)[range(len(y)), y], "IndexError"),
        (lambda x, y, V: F.cross_entropy(x[:V], y, reduction="none"), "tokens of the text were taken"),
        (nll_overflowing, "e^x is more than float32 holds"),
        (lambda x, y, V: -x[:, :V].softmax(0)[range(len(y)), y].log(), "down the text"),
        (lambda x, y, V: nll_by_gather(x, y, V + 1), "one row too many is left"),
        (lambda x, y, V: F.cross_entropy(x[:, :-1], y, reduction="none"), "only the last row was cut off"),
        (lambda x, y, V: torch.distributions.Categorical(logits=x[:, :V]).entropy(), "this is the entropy"),
        (lambda x, y, V: -x[:, :V].log_softmax(-1)[:, y], "each target was looked up in each row"),
        (lambda x, y, V: -x[:, :V].log_softmax(-1).gather(1, y[:, None]), "this is a column"),
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
        (lambda *c: torch.cat(text_by_cuts(*c, n=0)), "nothing comes after the last one"),
        (lambda *c: torch.cat(text_by_cuts(*c, n=0, score=0)), "and all N of them"),
        (lambda *c: torch.cat(text_by_cuts(*c, score=0)), "a window reads and scores the same tokens: the targets"),
        (lambda *c: torch.cat(text_by_cuts(*c, read=1, score=0)), "guessed from the one after it"),
        (lambda *c: text_by_cuts(*c)[-1], "only the last window came back"),
        (lambda *c: text_by_cuts(*c)[0], "the return stands inside the loop"),
        (lambda *c: torch.cat(text_by_cuts(*c)).sum(), "this is the sum"),
        (lambda *c: torch.cat(text_by_cuts(*c, batch=())), "the batch is still there"),
        (text_without_batch, "and takes (1, T)"),
        (lambda *c: text_by_cuts(*c), "a list came back, not a tensor"),
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
        (lambda e, p: (e(p[: p.rfind(" ")]), e(p[p.rfind(" ") :].rstrip(".,!?"))), "the full stop was taken off"),
        (lambda e, p: (e(p.rpartition(" ")[0] + " "), e(p[p.rfind(" ") :])), "the space stands in both parts"),
        (lambda e, p: (e(p.rpartition(" ")[0]), e(" ") + e(p.rpartition(" ")[2])), "encoded by itself"),
        (lambda e, p: (e(p)[: p.rfind(" ")], e(p)[p.rfind(" ") :]), "cut at the place of a character"),
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
        (word_by_rows, "the last row is in it"),
        (lambda x, i, n: word_scored(x, i, n, at=-2), "one place too early"),
        (lambda x, i, n: word_scored(x, i, len(i) - 1), "only the word's last token was scored"),
        (lambda x, i, n: word_scored(x, i, n, total=lambda nats: sum(nats) / math.log(2)), "this is in bits"),
        (lambda x, i, n: word_scored(x, i, n)[::-1], "the surprise comes first"),
        (lambda x, i, n: word_scored(x, i, n, verdict=lambda right: int(all(right))), "a number, 1 or 0"),
        (lambda x, i, n: word_scored(x, i, n, verdict=np.mean), "the share of tokens that were right"),
        (lambda x, i, n: word_scored(x, i, n, total=torch.tensor), "a number for each token"),
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
        (lambda a, b, c, d: gap_percentiles(abs(a - b)[d].sum(1) / c[d].sum(1)), "lost their sign"),
        (lambda a, b, c, d: gap_percentiles((a - b)[d].sum(0) / c[d].sum(0)), "summed over the draws"),
        (lambda a, b, c, d: gap_percentiles(a / c - b / c), "the draws weren't used"),
        (lambda *case: gap_by_quantile(*case)[::-1], "the higher edge came first"),
        (lambda a, b, c, d: gap_percentiles((a - b)[d].sum(1) / c[d].sum(1), 25, 75), "the middle half"),
        (lambda a, b, c, d: gap_percentiles((a - b)[d].sum(1) / c[d].sum(1), 0, 95), "the lowest 95%"),
        (lambda a, b, c, d: gap_percentiles(per(a, c, d).exp() - per(b, c, d).exp()), "differences of perplexities"),
        (lambda a, b, c, d: gap_percentiles((per(a, c, d) - per(b, c, d)).exp()), "ratios of perplexities"),
    ],
}
