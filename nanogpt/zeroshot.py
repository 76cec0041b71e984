"""WikiText and LAMBADA: texts that no model here was trained on, scored by lm-evaluation-harness's protocol.

Each document is read by itself, behind one end-of-text token. What is published under other protocols,
the GPT-2 paper's own among them, does not compare; reports say which one is theirs.
"""

import hashlib
import math
import time
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from nanogpt.benchmarks import LAMBADA, WIKITEXT, count_words, detokenise, read_lambada, read_wikitext, split_last_word
from nanogpt.evaluate import Report, Score, Settings, about, scoring_settings
from nanogpt.runs import Run
from nanogpt.scoring import (
    Window,
    bootstrap_interval,
    check_context_length,
    cut_windows,
    describe_windows,
    window_nll,
)


@dataclass(frozen=True, kw_only=True)
class WikiTextReport(Report, Score):
    """WikiText's test set. Words and bytes are counted in the text as it came, tokens in the running text."""

    word_perplexity: float
    words_scored: int
    bytes_scored: int

    def to_table(self) -> str:
        """The figures, each with its unit, as text."""
        low, high = self.interval
        return "\n".join(
            (
                f"{self.loss:10.4f} nats per token, {low:.4f} to {high:.4f} with 95% over {self.documents} articles",
                f"{self.token_perplexity:10.2f} token perplexity, over {self.tokens_scored:,} tokens",
                f"{self.word_perplexity:10.2f} word perplexity, over {self.words_scored:,} words",
                f"{self.bits_per_byte:10.4f} bits per byte, over {self.bytes_scored:,} bytes",
                f"{self.text}: {self.protocol}",
            )
        )


@dataclass(frozen=True, kw_only=True)
class LambadaReport(Report):
    """The last word of each passage, from all that stands before it."""

    accuracy: float
    """The share of passages whose last word is, token by token, the model's first choice."""
    accuracy_interval: tuple[float, float]
    word_perplexity: float
    """e to the mean of -ln p(last word)."""
    interval: tuple[float, float]
    """95% interval of the word perplexity."""

    def to_table(self) -> str:
        """The figures, each with its unit, as text."""
        low, high = self.accuracy_interval
        least, most = self.interval
        return "\n".join(
            (
                f"{self.accuracy:10.2%} of the last words right, 95% interval {low:.2%} to {high:.2%}",
                f"{self.word_perplexity:10.2f} perplexity per last word, {least:.2f} to {most:.2f}",
                f"{self.text}: {self.protocol}, {self.documents:,} passages",
            )
        )


def evaluate_wikitext(
    run: Run, name: str, settings: Settings | None = None, articles: Iterable[str] | None = None
) -> WikiTextReport:
    """Score a run on the test set of "wikitext-2" or "wikitext-103"; the two share it.

    articles: as WikiText has them; read from the hub if left out. Raises OSError where the hub is not
    there, ValueError where there is nothing to score.
    """
    settings = settings or Settings()
    articles = list(articles if articles is not None else read_wikitext(name))[: settings.limit]
    clock = time.perf_counter()
    nats, counts = score_articles(run, [detokenise(article) for article in articles], settings)
    seconds = time.perf_counter() - clock
    loss, total = nats.sum() / counts.sum(), nats.sum()
    words = sum(map(count_words, articles))
    n_bytes = sum(len(article.encode()) for article in articles)
    said = scoring_settings(run, settings)
    windows = describe_windows(said["context_length"], said["stride"])
    return WikiTextReport(
        **about(run, settings, seconds, int(counts.sum())),
        task=name,
        protocol=f"article by article in {windows}, as lm-evaluation-harness does",
        text=name,
        source=name,
        text_sha256=_hash(articles),
        documents=len(articles),
        loss=float(loss),
        token_perplexity=math.exp(loss),
        word_perplexity=math.exp(total / words),
        bits_per_byte=float(total / (n_bytes * math.log(2))),
        interval=bootstrap_interval(nats, counts),
        words_scored=words,
        bytes_scored=n_bytes,
    )


def score_articles(run: Run, articles: list[str], settings: Settings) -> tuple[np.ndarray, np.ndarray]:
    """Each article's summed nll, in nats, and its tokens, both (D,).

    An article is read in windows of one context, the last of which reaches back to fill its own.
    """
    ids = [run.tokenizer.encode_ordinary(article) for article in articles]
    inputs, targets, starts = _side_by_side(ids, run.tokenizer.eot_token)
    T = check_context_length(run.model, settings.context_length)
    windows = [
        window
        for document, offset in zip(ids, starts, strict=True)
        for window in cut_windows(len(document), T, settings.stride, reach_back=True, offset=offset)
    ]
    nll, _ = window_nll(
        run.model, inputs, targets, windows, run.tokenizer.n_vocab, settings.batch_size, settings.precision
    )
    return np.add.reduceat(nll.astype(np.float64), starts), np.array([len(document) for document in ids])


def evaluate_lambada(
    run: Run, name: str, settings: Settings | None = None, passages: Iterable[str] | None = None
) -> LambadaReport:
    """Score a run on "lambada" (the passages as OpenAI scored them) or "lambada-standard" (as published).

    passages: read from the hub if left out. Raises OSError where the hub is not there, ValueError for a
    passage without a last word.
    """
    settings = settings or Settings()
    passages = list(passages if passages is not None else read_lambada(name))[: settings.limit]
    clock = time.perf_counter()
    nats, counts, right = score_last_words(run, passages, settings)
    seconds = time.perf_counter() - clock
    once = np.ones(len(nats))
    context_length = scoring_settings(run, settings)["context_length"]
    return LambadaReport(
        **about(run, settings, seconds, int(counts.sum())),
        task=name,
        protocol=f"the last word after a context of at most {context_length} tokens, as lm-evaluation-harness does",
        text=name,
        source=name,
        text_sha256=_hash(passages),
        documents=len(passages),
        accuracy=float(right.mean()),
        accuracy_interval=bootstrap_interval(right.astype(float), once),
        word_perplexity=math.exp(nats.mean()),
        interval=tuple(math.exp(edge) for edge in bootstrap_interval(nats, once)),
    )


def score_last_words(run: Run, passages: list[str], settings: Settings) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of each passage's last word the summed nll in nats, its tokens, and whether it was guessed, all (D,).

    A passage begins with its own first token, with no end-of-text before it; one longer than the context
    loses its beginning. Raises ValueError for a last word that is longer than that by itself.
    """
    pairs = [_encode_pair(run.tokenizer, *split_last_word(passage)) for passage in passages]
    inputs, targets, starts = _side_by_side([context + word for context, word in pairs], run.tokenizer.eot_token)
    T = check_context_length(run.model, settings.context_length)
    longest = max(len(word) for _, word in pairs)
    if longest > T:
        raise ValueError(
            f"a last word has {longest} tokens and the context {T}, so it can't be read whole; "
            "choose a larger --context-length"
        )
    windows = []
    for (context, word), start in zip(pairs, starts, strict=True):
        end = start + len(context) + len(word)
        windows.append(Window(max(start + 1, end - T), start + len(context), end))
    nll, greedy = window_nll(
        run.model, inputs, targets, windows, run.tokenizer.n_vocab, settings.batch_size, settings.precision
    )
    nats = np.array([nll[first:end].sum(dtype=np.float64) for _, first, end in windows])
    right = np.array([greedy[first:end].all() for _, first, end in windows])
    return nats, np.array([len(word) for _, word in pairs]), right


ZERO_SHOT = {**dict.fromkeys(WIKITEXT, evaluate_wikitext), **dict.fromkeys(LAMBADA, evaluate_lambada)}


def _encode_pair(tokenizer, context: str, word: str) -> tuple[list[int], list[int]]:
    """Tokens of the context, and those that the word adds to it; spaces before the word belong to the word."""
    before = tokenizer.encode_ordinary(context.rstrip())
    return before, tokenizer.encode_ordinary(context + word)[len(before) :]


def _side_by_side(ids: list[list[int]], eot: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Documents in one row, each behind an end-of-text: (inputs (N,), targets (N,), starts (D,))."""
    if not ids or not all(ids):
        raise ValueError("there is a document without any token, or none at all; give documents that hold some text")
    inputs = np.concatenate([[eot, *document[:-1]] for document in ids])
    starts = np.cumsum([0, *(len(document) for document in ids[:-1])])
    return inputs, np.concatenate(ids), starts


def _hash(texts: list[str]) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()
