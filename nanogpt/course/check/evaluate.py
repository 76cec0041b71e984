"""Chapter 10: disjoint windows, the real vocabulary, a whole text, LAMBADA's last word, the interval of a gap."""

import random
import re
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from nanogpt.benchmarks import split_last_word
from nanogpt.config import ModelConfig
from nanogpt.course.check.item import Case, Item
from nanogpt.model import GPT
from nanogpt.scoring import cut_windows, token_nll

Windows = list[tuple[int, int]]


def window_cases(rng: random.Random) -> list[Case]:
    """Lengths that the context divides and doesn't, one below the context, and a context of 1."""
    context = rng.randrange(3, 8)
    return [(10, 4), (8, 4), (3, 5), (2, 1), (context * 3 + rng.randrange(1, context), context)]


def windows(n: int, context_length: int) -> Windows:
    """(start, end) of each window, by the library's cut."""
    return [(w.first, w.end) for w in cut_windows(n, context_length)]


def reaching_back(n: int, T: int) -> Windows:
    """The slip of a last window that is filled up from the front, so that it scores tokens again."""
    return [(max(0, min(start, n - T)), min(start + T, n)) for start in range(0, n, T)]


def logit_cases(rng: random.Random) -> list[Case]:
    """Logits (N, V + padding), targets (N,) below V, and V: a text longer than V, no padding, large logits."""
    sizes = [(5, 3, 2), (3, 4, 2), (6, 7, 0), (rng.randrange(4, 9), rng.randrange(5, 9), rng.randrange(2, 5))]
    cases: list[Case] = []
    for N, V, padding in sizes:
        targets = torch.tensor([rng.randrange(V) for _ in range(N)])
        targets[0] = V - 1
        cases.append((2 * torch.randn(N, V + padding), targets, V))
    large = torch.tensor([[100.0, 98.0, 70.0, 99.0], [60.0, 100.0, 101.0, 99.0]])
    return [*cases, (large, torch.tensor([1, 2]), 3)]


def real_nll(logits: Tensor, targets: Tensor, vocab_size: int) -> Tensor:
    """-ln p(target) over the real rows, (N,), by torch's own loss."""
    return F.cross_entropy(logits[:, :vocab_size], targets, reduction="none")


def padding_at_zero(logits: Tensor, targets: Tensor, vocab_size: int) -> Tensor:
    """The slip of 0 as the padding's logit, which is e^0 = 1 in the sum."""
    zeroed = torch.cat([logits[:, :vocab_size], torch.zeros_like(logits[:, vocab_size:])], dim=1)
    return F.cross_entropy(zeroed, targets, reduction="none")


def overflowing(logits: Tensor, targets: Tensor, vocab_size: int) -> Tensor:
    """The slip of e^x as it is, which is inf from 89 on."""
    raised = logits[:, :vocab_size].exp()
    return -(raised[torch.arange(len(targets)), targets] / raised.sum(1)).log()


def entropy(logits: Tensor, targets: Tensor, vocab_size: int) -> Tensor:
    """The slip of the surprise that is to be expected, whatever comes."""
    logp = logits[:, :vocab_size].log_softmax(-1)
    return -(logp.exp() * logp).sum(1)


def small_gpt(vocab_size: int, padding: int, context_length: int) -> GPT:
    """A model whose guesses are far apart, so that another context is seen in the figures."""
    model = GPT(ModelConfig(1, 2, 16, context_length, vocab_size + padding)).eval().requires_grad_(False)
    for weight in model.parameters():
        if weight.dim() == 2:
            torch.nn.init.normal_(weight, std=0.5)
    model.__name__ = f"a model of {vocab_size + padding} rows that reads up to {context_length} tokens"
    return model


def text_cases(rng: random.Random) -> list[Case]:
    """A model, ids (N,), the vocabulary, and a context: a text of one window, others of several, the last not full."""
    cases = []
    for N, V, T, most in ((10, 6, 4, 4), (9, 6, 8, 8), (14, 9, 4, 6), (rng.choice([12, 13, 14, 18]), 8, 5, 5)):
        ids = torch.tensor([rng.randrange(V) for _ in range(N)])
        cases.append((small_gpt(V, rng.randrange(2, 5), most), ids, V, T))
    return cases


def fair_nll(model: GPT, ids: Tensor, vocab_size: int, context_length: int) -> Tensor:
    """The surprise of ids[1:], (N - 1,), by the library's scoring."""
    return torch.from_numpy(token_nll(model, ids[1:].numpy(), vocab_size, int(ids[0]), context_length))


def scored(model: GPT, ids: Tensor, V: int, T: int, cut: Windows | None = None, **slip: bool) -> Tensor:
    """The same window by window, or over another cut; `slip` names the thing to do wrong."""
    parts = []
    for start, end in windows(len(ids) - 1, T) if cut is None else cut:
        x, y = ids[start:end], ids[start + 1 : end + 1]
        if "unshifted" in slip:
            x = y
        if "headed" in slip:
            x = torch.cat([ids[:1], y[:-1]])
        logits = model(x[None])[0]
        parts.append(real_nll(logits, y, logits.size(1) if "padded" in slip else V))
    return torch.cat(parts)


def by_window(rule: Callable[[GPT, Tensor, int, int, int], Tensor], every: bool = False) -> Callable[..., Tensor]:
    """What `rule` makes of (model, ids, V, start, end), joined; `every` cuts all N tokens, not the N - 1 scored."""
    return lambda model, ids, V, T: torch.cat([rule(model, ids, V, *cut) for cut in windows(len(ids) - (not every), T)])


def without_the_rest(model: GPT, ids: Tensor, V: int, T: int) -> Tensor:
    """The slip of leaving out what does not fill a window."""
    cut = [(start, start + T) for start in range(0, len(ids) - T, T)]
    return scored(model, ids, V, T, cut)


def without_the_firsts(model: GPT, ids: Tensor, V: int, T: int) -> Tensor:
    """The slip of cutting the text and shifting inside each piece: the first token of each is never scored."""
    pieces = [piece for piece in ids.split(T) if len(piece) > 1]
    return torch.cat([real_nll(model(piece[None])[0, :-1], piece[1:], V) for piece in pieces])


def sliding(model: GPT, ids: Tensor, V: int, T: int) -> Tensor:
    """The slip of one step at a time: each token with as many before it as the model can read."""
    contexts = [ids[max(0, i - T) : i] for i in range(1, len(ids))]
    return torch.stack([F.cross_entropy(model(x[None])[0, -1, :V], ids[i + 1]) for i, x in enumerate(contexts)])


PIECE = re.compile(r" ?\w+| ?[^\s\w]+|\s+(?!\S)|\s+")
WHOLE = [" the", "the", " a", " cat", "cat", " mat", "mat", " sat", " on", " He", "He", " said", " in", " bank", "bank"]
IDS = {piece: 256 + i for i, piece in enumerate(WHOLE)}


def encode(text: str) -> list[int]:
    """A small tokenizer in GPT-2's manner: a space joins the word after it; what it doesn't know falls into bytes."""
    return [i for p in PIECE.findall(text) for i in ([IDS[p]] if p in IDS else p.encode())]


def passage_cases(rng: random.Random) -> list[Case]:
    """Passages whose last word has one token or several, isn't ASCII, has a line break before it, or a full stop."""
    subject, place = rng.choice(["cat", "bank"]), rng.choice(["mat", "tram"])
    return [
        (encode, "He sat on the mat"),
        (encode, "the cat sat on a\nmat, in the café"),
        (encode, f"He said the {subject} sat on the {place}"),
        (encode, "the bank"),
        (encode, "the cat said a mat."),
    ]


def word_tokens(encode: Callable[[str], list[int]], passage: str) -> tuple[list[int], list[int]]:
    """(context's ids, word's ids): the library's split, and what the word adds to the context's ids."""
    context, word = split_last_word(passage)
    before = encode(context)
    return before, encode(context + word)[len(before) :]


def last_word_cases(rng: random.Random) -> list[Case]:
    """(logits, ids, n_context): words of one token and of several; all of it guessed, the beginning, the end, none."""
    cases = []
    for N, n_context, guessed in (
        (5, 4, [True]),
        (6, 3, [True, False, True]),
        (5, 3, [True, False]),
        (5, 3, [False, True]),
        (6, 4, [True, True]),
        (5, 4, [False]),
        (rng.randrange(6, 9), 4, None),
    ):
        V = rng.randrange(6, 10)
        ids = torch.tensor([rng.randrange(V) for _ in range(N)])
        logits = 2 * torch.randn(N, V)
        for i, right in enumerate(guessed or [True] * (N - n_context)):
            best, target = logits[n_context - 1 + i].argmax(), ids[n_context + i]
            wanted = target if right else (target + 1) % V
            row = logits[n_context - 1 + i]
            row[[int(best), int(wanted)]] = row[[int(wanted), int(best)]].clone()
        cases.append((logits, ids, n_context))
    return cases


def last_word(logits: Tensor, ids: Tensor, n_context: int, late: int = 0, **how: str) -> tuple[float, bool]:
    """(nats of the word, whether all its tokens were the first choice), by torch's loss; `late` rows further down."""
    rows, word = logits[n_context - 1 + late : len(ids) - 1 + late], ids[n_context:]
    right = rows.argmax(-1) == word
    nats = F.cross_entropy(rows, word, reduction=how.get("reduction", "sum")).item()
    return nats, bool({"first": right[0], "any": right.any(), "last": right[-1]}.get(how.get("right"), right.all()))


def whole_passage(logits: Tensor, ids: Tensor, n_context: int) -> tuple[float, bool]:
    """The slip of scoring the context's tokens too."""
    return last_word(logits, ids, 1)


def first_token(logits: Tensor, ids: Tensor, n_context: int) -> tuple[float, bool]:
    """The slip of taking the word's first token for the word."""
    return last_word(logits[: n_context + 1], ids[: n_context + 1], n_context)


def gap_cases(rng: random.Random) -> list[Case]:
    """Documents of very different lengths, both models' nats, 201 draws; first, b is worse on two of three."""
    mixed = torch.arange(201)[:, None] // torch.tensor([1, 3, 9]) % 3
    cases = [(torch.tensor([40.0, 90.0, 20.0]), torch.tensor([50.0, 60.0, 27.0]), torch.tensor([20, 30, 5]), mixed)]
    for D in (4, 9, rng.randrange(5, 12)):
        counts = torch.tensor([rng.choice([3, 8, 20, 60, 150]) + rng.randrange(5) for _ in range(D)])
        a = counts * (3 + torch.rand(D))
        b = a - counts * 0.3 * torch.rand(D) + 0.5
        cases.append((a, b, counts, torch.randint(D, (201, D))))
    return cases


Interval = tuple[float, float]


def edges(values: Tensor, low: float = 2.5, high: float = 97.5) -> Interval:
    """Two percentiles, by numpy."""
    return tuple(np.percentile(values.double().numpy(), [low, high]).tolist())


def redrawn(nats: Tensor, counts: Tensor, draws: Tensor) -> Tensor:
    """Nats per token of each draw, (R,)."""
    return nats[draws].sum(1) / counts[draws].sum(1)


def gap_interval(nats_a: Tensor, nats_b: Tensor, counts: Tensor, draws: Tensor) -> Interval:
    """The 95% interval of a's nats per token less b's, document by document."""
    return edges(redrawn(nats_a - nats_b, counts, draws))


def of_each(a: Tensor, b: Tensor, counts: Tensor, draws: Tensor) -> tuple[Interval, Interval]:
    """The interval of either model by itself."""
    return edges(redrawn(a, counts, draws)), edges(redrawn(b, counts, draws))


def edge_by_edge(a: Tensor, b: Tensor, counts: Tensor, draws: Tensor) -> Interval:
    """The slip of subtracting the edges of two intervals."""
    (low_a, high_a), (low_b, high_b) = of_each(a, b, counts, draws)
    return low_a - low_b, high_a - high_b


def widest(a: Tensor, b: Tensor, counts: Tensor, draws: Tensor) -> Interval:
    """The slip of treating the two as if each had met documents of its own."""
    (low_a, high_a), (low_b, high_b) = of_each(a, b, counts, draws)
    return low_a - high_b, high_a - low_b


def by_deviation(a: Tensor, b: Tensor, counts: Tensor, draws: Tensor) -> Interval:
    """The mean of the draws and 1.96 of their standard deviations either way."""
    values = redrawn(a - b, counts, draws)
    return (values.mean() - 1.96 * values.std()).item(), (values.mean() + 1.96 * values.std()).item()


ITEMS = (
    Item(
        "disjoint_windows",
        "disjoint_windows(n, context_length) -> list of (start, end): n tokens cut into windows that don't overlap, "
        "none longer than context_length, each token in exactly one; end is the place after the last, as in a slice",
        windows,
        window_cases,
        {
            "what doesn't fill a window is left out, so the text's end is never scored: let the last one be shorter": (
                lambda n, T: [(start, start + T) for start in range(0, n - T + 1, T)]
            ),
            "the last window is missing even where it is full: let the starts run up to n, not to n - context_length": (
                lambda n, T: [(start, start + T) for start in range(0, n - T, T)]
            ),
            "the last window ends after the text: its end is n at most, min(start + context_length, n)": (
                lambda n, T: [(start, start + T) for start in range(0, n, T)]
            ),
            "the ends are one too small: in a slice the end is the place after the last token": (
                lambda n, T: [(start, end - 1) for start, end in windows(n, T)]
            ),
            "the last window reaches back to be full, so some tokens are scored twice: let it be shorter": (
                reaching_back
            ),
            "each window begins on the last token of the one before, which is then scored twice: move on by "
            "context_length": (lambda n, T: [(s, min(s + T, n)) for s in range(0, n, T - 1)]),
            "these are pairs of start and length: the second is the end, start + length": (
                lambda n, T: [(start, end - start) for start, end in windows(n, T)]
            ),
            "the windows move on by half a context, so they overlap: these are the windows of a stride": (
                lambda n, T: [(s, min(s + T, n)) for s in range(0, n, T // 2)]
            ),
            "these are the starts alone: give each with its end, as a pair": (
                lambda n, T: [start for start, _ in windows(n, T)]
            ),
            "where context_length divides n, an empty window stands at the end: none begins at n": (
                lambda n, T: [(s, min(s + T, n)) for s in range(0, n + 1, T)]
            ),
            "a window begins at every token, so they overlap: move on by context_length": (
                lambda n, T: [(s, min(s + T, n)) for s in range(n)]
            ),
            "the last token is in no window: n is how many there are, so the last window ends at n": (
                lambda n, T: windows(n - 1, T)
            ),
            "each window begins where the one before has its last token, so they overlap: move on by context_length": (
                lambda n, T: [(s, min(s + T, n)) for s in range(0, n - 1, T - 1)]
            ),
            "a token is left out between two windows: the next one begins where this one ends": (
                lambda n, T: [(s, min(s + T, n)) for s in range(0, n, T + 1)]
            ),
            "the last window is always n - context_length to n, so tokens are scored twice, and a short text begins "
            "before 0: let it be shorter": (
                lambda n, T: [(s, s + T) if s + T <= n else (n - T, n) for s in range(0, n, T)]
            ),
        },
    ),
    Item(
        "real_nll",
        "real_nll(logits, targets, vocab_size): logits (N, rows) of which only the first vocab_size are tokens, "
        "targets (N,) -> (N,), the surprise -ln p of each target in nats",
        real_nll,
        logit_cases,
        {
            "the softmax runs over all rows, the padding too: cut the second axis, logits[:, :vocab_size]": (
                lambda x, y, V: F.cross_entropy(x, y, reduction="none")
            ),
            "the padding's logits were set to 0, and e^0 is 1, so it still takes its share: cut it off, or use -inf": (
                padding_at_zero
            ),
            "the rows were cut at the front: the tokens are the first vocab_size columns, the padding comes after": (
                lambda x, y, V: F.cross_entropy(x[:, -V:], y, reduction="none")
            ),
            "this is the mean: give the surprise of each token, with reduction='none'": (
                lambda x, y, V: F.cross_entropy(x[:, :V], y)
            ),
            "this is the sum: give the surprise of each token, with reduction='none'": (
                lambda x, y, V: F.cross_entropy(x[:, :V], y, reduction="sum")
            ),
            "the sign is missing: ln p is below 0, the surprise is -ln p": lambda x, y, V: -real_nll(x, y, V),
            "these are the probabilities: the surprise is -ln of them": lambda x, y, V: (-real_nll(x, y, V)).exp(),
            "this is in bits: the logarithm to base 2; nats take the natural one, torch.log": (
                lambda x, y, V: real_nll(x, y, V) / np.log(2)
            ),
            "these are the logits of the targets with a minus, not yet a share of all: log_softmax comes first": (
                lambda x, y, V: -x[torch.arange(len(y)), y]
            ),
            "this was run through a softmax twice: cross_entropy takes the logits as they are": (
                lambda x, y, V: F.cross_entropy(x[:, :V].softmax(-1), y, reduction="none")
            ),
            "the first vocab_size tokens of the text were taken, with the padding: cut the second axis, "
            "logits[:, :vocab_size]": lambda x, y, V: F.cross_entropy(x[:V], y, reduction="none"),
            "all is right but for large logits, where e^x is more than float32 holds: log_softmax knows a way round": (
                overflowing
            ),
            "the softmax runs down the text: each token has a distribution of its own, over the last axis, dim=-1": (
                lambda x, y, V: -x[:, :V].log_softmax(0)[torch.arange(len(y)), y]
            ),
            "one row too many is left: logits[:, :vocab_size] has vocab_size of them": (
                lambda x, y, V: F.cross_entropy(x[:, : V + 1], y, reduction="none")
            ),
            "only the last row was cut off: keep the first vocab_size, logits[:, :vocab_size]": (
                lambda x, y, V: F.cross_entropy(x[:, :-1], y, reduction="none")
            ),
            "this is the entropy, the surprise to be expected: asked for is that of the target which came": entropy,
            "each target was looked up in each row, (N, N): row i goes with target i, as gather pairs them": (
                lambda x, y, V: -x[:, :V].log_softmax(-1)[:, y]
            ),
            "this is a column, (N, 1), as gather leaves it: take [:, 0]": lambda x, y, V: real_nll(x, y, V)[:, None],
        },
    ),
    Item(
        "fair_nll",
        "fair_nll(model, ids, vocab_size, context_length): ids (N,), model takes (1, T) and gives (1, T, rows) -> "
        "(N - 1,), the surprise of each of ids[1:] in nats, in disjoint windows, over the real vocabulary",
        fair_nll,
        text_cases,
        {
            "what doesn't fill a window is left out: let the last window be shorter": without_the_rest,
            "the first token of each window is never scored: its logits come from the token before it, the last of the "
            "window before; take inputs ids[start:end] and targets ids[start + 1:end + 1]": without_the_firsts,
            "each token is scored with itself as input: the logits at a place are for the token after it, so the "
            "targets stand one further on": lambda *case: scored(*case, unshifted=True),
            "the softmax runs over the padding too: cut the logits to vocab_size": (
                lambda *case: scored(*case, padded=True)
            ),
            "each token gets all the context that the model can read, a window that slides by one: that is another "
            "protocol, and flatters; cut the text into windows that don't overlap": sliding,
            "each token is guessed from the one before it alone: give the model a window of context_length tokens": (
                lambda model, ids, V, T: scored(model, ids, V, 1)
            ),
            "each window begins with the text's first token again: what stands before a window is the last token of "
            "the one before": lambda *case: scored(*case, headed=True),
            "the windows are one shorter than the context: inputs and targets have context_length tokens each": (
                lambda model, ids, V, T: scored(model, ids, V, T - 1)
            ),
            "this is the mean: give the surprise of each token": lambda *case: scored(*case).mean(),
            "these are the means of the windows: give the surprise of each token": (
                lambda model, ids, V, T: torch.stack([part.mean() for part in scored(model, ids, V, T).split(T)])
            ),
            "the sign is missing: ln p is below 0, the surprise is -ln p": lambda *case: -scored(*case),
            "this is the sum: give the surprise of each token": lambda *case: scored(*case).sum(),
            "the windows were cut over all N tokens, and nothing comes after the last one, so its window has one "
            "target too few: cut len(ids) - 1": by_window(
                lambda model, ids, V, s, e: real_nll(model(ids[None, s:e])[0], ids[s + 1 : e + 1], V), every=True
            ),
            "a window reads and scores the same tokens, and all N of them: the targets stand one further on, "
            "ids[start + 1:end + 1]": by_window(
                lambda model, ids, V, s, e: real_nll(model(ids[None, s:e])[0], ids[s:e], V), every=True
            ),
            "a window reads and scores the same tokens: the targets stand one further on, ids[start + 1:end + 1]": (
                by_window(lambda model, ids, V, s, e: real_nll(model(ids[None, s:e])[0], ids[s:e], V))
            ),
            "each token is guessed from the one after it: read ids[start:end], score ids[start + 1:end + 1]": (
                by_window(lambda model, ids, V, s, e: real_nll(model(ids[None, s + 1 : e + 1])[0], ids[s:e], V))
            ),
            "only the last window came back: collect the windows' parts, and join them": (
                lambda *case: scored(*case, windows(len(case[1]) - 1, case[3])[-1:])
            ),
            "only the first window came back: the return stands inside the loop": (
                lambda *case: scored(*case, windows(len(case[1]) - 1, case[3])[:1])
            ),
            "the batch is still there: the model gives (1, T, rows), so take [0] of it": by_window(
                lambda model, ids, V, s, e: real_nll(model(ids[None, s:e]), ids[s + 1 : e + 1], V)
            ),
            "the model was given (T,), and takes (1, T): ids[None, start:end]": by_window(
                lambda model, ids, V, s, e: real_nll(model(ids[s:e]), ids[s + 1 : e + 1], V)
            ),
        },
        atol=1e-4,
    ),
    Item(
        "word_tokens",
        "word_tokens(encode, passage) -> (ids of the context, ids of the last word): cut at the last space, which "
        "belongs to the word; encode makes a list of ids of a text",
        word_tokens,
        passage_cases,
        {
            "the word lost its space: ' mat' and 'mat' are different tokens, and in the text it is ' mat'": (
                lambda encode, p: (encode(p.rpartition(" ")[0]), encode(p.rpartition(" ")[2]))
            ),
            "the space stayed with the context, as a token that the model never sees before a word: it belongs to the "
            "word": lambda encode, p: (encode(p[: p.rindex(" ") + 1]), encode(p[p.rindex(" ") + 1 :])),
            "the passage was cut at its first space: the last word comes after the last one, rpartition(' ')": (
                lambda encode, p: (encode(p.partition(" ")[0]), encode(" " + p.partition(" ")[2]))
            ),
            "the last token was taken for the last word: a word can have several": (
                lambda encode, p: (encode(p)[:-1], encode(p)[-1:])
            ),
            "only the first token of the word came back: a word can have several": (
                lambda encode, p: (encode(p.rpartition(" ")[0]), encode(" " + p.rpartition(" ")[2])[:1])
            ),
            "the passage was put together anew from its words, and the line break became a space: cut the text as it "
            "is": lambda encode, p: (encode(" ".join(p.split()[:-1])), encode(" " + p.split()[-1])),
            "word and context have changed places: the context comes first": (
                lambda encode, p: word_tokens(encode, p)[::-1]
            ),
            "the first part is the whole passage: leave the word's tokens out of it": (
                lambda encode, p: (encode(p), word_tokens(encode, p)[1])
            ),
            "these are texts, not ids: give both to encode": (
                lambda encode, p: (p.rpartition(" ")[0], " " + p.rpartition(" ")[2])
            ),
            "the full stop was taken off the word: all that comes after the last space belongs to it": (
                lambda encode, p: word_tokens(encode, p.rstrip("."))
            ),
            "the space stands in both parts: it belongs to the word alone": (
                lambda encode, p: (encode(p[: p.rindex(" ") + 1]), encode(p[p.rindex(" ") :]))
            ),
            "the space was encoded by itself: ' mat' is one text, and one token": (
                lambda encode, p: (encode(p[: p.rindex(" ")]), encode(" ") + encode(p[p.rindex(" ") + 1 :]))
            ),
            "the ids were cut at the place of a character, but a token is more than one: cut the text, then encode": (
                lambda encode, p: (encode(p)[: p.rindex(" ")], encode(p)[p.rindex(" ") :])
            ),
        },
    ),
    Item(
        "last_word",
        "last_word(logits, ids, n_context): ids (N,) of a passage, the first n_context of them the context, logits "
        "(N, V) the answers at each -> (the word's surprise in nats, True if each of its tokens was the first choice)",
        last_word,
        last_word_cases,
        {
            "the word is called right when its first token is: every token of it has to be the first choice, "
            ".all()": lambda *case: last_word(*case, right="first"),
            "the word is called right when any of its tokens is: every one has to be the first choice, .all()": (
                lambda *case: last_word(*case, right="any")
            ),
            "the word is called right when its last token is: every token of it has to be the first choice, "
            ".all()": lambda *case: last_word(*case, right="last"),
            "the logits are taken one place too late: those for a token stand at the token before it, so the word's "
            "begin at n_context - 1": lambda *case: last_word(*case, late=1),
            "the context was scored too: only the word's tokens count": whole_passage,
            "only the word's first token was scored: a word can have several, and all of them count": first_token,
            "this is the mean over the word's tokens: a word's surprise is their sum": (
                lambda *case: last_word(*case, reduction="mean")
            ),
            "the surprise has the wrong sign: it is the sum of -ln p, above 0": (
                lambda *case: (-last_word(*case)[0], last_word(*case)[1])
            ),
            "this is the word's probability: its surprise is -ln of that": (
                lambda *case: (float(np.exp(-last_word(*case)[0])), last_word(*case)[1])
            ),
            "the second part is a tensor: make it a plain True or False with bool() or .item()": (
                lambda *case: (last_word(*case)[0], torch.tensor(last_word(*case)[1]))
            ),
            "the second part holds an answer for each token: only the word as a whole is right or wrong, .all()": (
                lambda x, ids, n: (last_word(x, ids, n)[0], x[n - 1 : -1].argmax(-1) == ids[n:])
            ),
            "the last row is in it, which answers for what comes after the passage: logits[n_context - 1:-1]": (
                lambda x, ids, n: (F.cross_entropy(x[n - 1 :], ids[n:], reduction="sum").item(), False)
            ),
            "the logits are taken one place too early: the row for the word's first token is n_context - 1": (
                lambda *case: last_word(*case, late=-1)
            ),
            "only the word's last token was scored: a word can have several, and all of them count": (
                lambda x, ids, n: last_word(x, ids, len(ids) - 1)
            ),
            "this is in bits: nats take the natural logarithm": (
                lambda *case: (last_word(*case)[0] / np.log(2), last_word(*case)[1])
            ),
            "the two have changed places: the surprise comes first": lambda *case: last_word(*case)[::-1],
            "the second part is a number, 1 or 0: make it True or False with bool()": (
                lambda *case: (last_word(*case)[0], int(last_word(*case)[1]))
            ),
            "the second part is the share of tokens that were right: only the word as a whole is, with .all()": (
                lambda x, ids, n: (last_word(x, ids, n)[0], (x[n - 1 : -1].argmax(-1) == ids[n:]).float().mean().item())
            ),
            "the surprise holds a number for each token: it is their sum, with reduction='sum'": (
                lambda x, ids, n: (
                    F.cross_entropy(x[n - 1 : -1], ids[n:], reduction="none"),
                    last_word(x, ids, n)[1],
                )
            ),
        },
    ),
    Item(
        "gap_interval",
        "gap_interval(nats_a, nats_b, counts, draws): each document's nats (D,) by model a and by b, its tokens (D,), "
        "draws (R, D) of documents -> (low, high), the middle 95% of a's nats per token less b's",
        gap_interval,
        gap_cases,
        {
            "the documents' own means were averaged, so a short one weighs as much as a long one: add up the drawn "
            "nats, then divide by the drawn tokens": lambda a, b, counts, draws: edges(
                ((a - b) / counts)[draws].mean(1)
            ),
            "this is per document: divide by the drawn tokens, not by the number of documents": (
                lambda a, b, counts, draws: edges((a - b)[draws].mean(1))
            ),
            "this is the sum of the nats: divide it by the drawn tokens": (
                lambda a, b, counts, draws: edges((a - b)[draws].sum(1))
            ),
            "the nats are those of the draw but the tokens those of all documents: draw both alike": (
                lambda a, b, counts, draws: edges((a - b)[draws].sum(1) / counts.sum())
            ),
            "a and b have changed places: the gap is a's less b's": (
                lambda a, b, counts, draws: gap_interval(b, a, counts, draws)
            ),
            "the edges of two intervals were subtracted: take the difference document by document, then one interval "
            "of it": edge_by_edge,
            "this is as wide as if each model had met other documents: take the difference document by document, and "
            "what makes a document hard for both is gone": widest,
            "this is the middle 90%, with 5% cut off at either end: of 95%, 2.5% are cut off": (
                lambda a, b, counts, draws: edges(redrawn(a - b, counts, draws), 5, 95)
            ),
            "percentiles were given as shares: np.percentile takes 2.5 and 97.5, quantile 0.025 and 0.975": (
                lambda a, b, counts, draws: edges(redrawn(a - b, counts, draws), 0.025, 0.975)
            ),
            "these are the least and the largest draw: cut off 2.5% at either end": (
                lambda a, b, counts, draws: edges(redrawn(a - b, counts, draws), 0, 100)
            ),
            "this is the mean with 1.96 deviations either way, which takes the draws for a bell curve: sort them and "
            "cut off 2.5% at either end": by_deviation,
            "this is the interval of model a alone: subtract b's nats first": (
                lambda a, b, counts, draws: of_each(a, b, counts, draws)[0]
            ),
            "the differences lost their sign: where b paid more, a's less b's is below 0, so no abs()": (
                lambda a, b, counts, draws: edges(redrawn((a - b).abs(), counts, draws))
            ),
            "it is summed over the draws, not over the documents of each: draws is (R, D), so sum along dim=1": (
                lambda a, b, counts, draws: edges((a - b)[draws].sum(0) / counts[draws].sum(0))
            ),
            "the draws weren't used: this is how the single documents spread": (
                lambda a, b, counts, draws: edges((a - b) / counts)
            ),
            "the higher edge came first: (low, high)": lambda *case: gap_interval(*case)[::-1],
            "this is the middle half: 95% in the middle leave 2.5% at either end": (
                lambda a, b, counts, draws: edges(redrawn(a - b, counts, draws), 25, 75)
            ),
            "this is not the middle: the lowest 95% reach from 0 to 95, the middle ones from 2.5 to 97.5": (
                lambda a, b, counts, draws: edges(redrawn(a - b, counts, draws), 0, 95)
            ),
            "these are differences of perplexities: the gap is in nats per token, without e to the power": (
                lambda a, b, counts, draws: edges(redrawn(a, counts, draws).exp() - redrawn(b, counts, draws).exp())
            ),
            "these are ratios of perplexities: the gap is in nats per token, without e to the power": (
                lambda a, b, counts, draws: edges(redrawn(a - b, counts, draws).exp())
            ),
        },
    ),
)
