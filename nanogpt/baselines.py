"""Models that need no network: uniform, unigram and bigram. They are the ceiling of every chart.

Each answers one question, the surprise of each token given the one before, in nats.
"""

import numpy as np

FIT_TOKENS = 50_000_000  # counting more training tokens than this would change no digit that is shown


class Uniform:
    """Every token equally likely: a loss of ln V, which is also where an untrained GPT starts."""

    def __init__(self, vocab_size: int):
        self.vocab_size = vocab_size

    def nll(self, previous: np.ndarray, targets: np.ndarray) -> np.ndarray:
        """-ln p of each target, (N,) float64 nats."""
        return np.full(len(targets), np.log(self.vocab_size))


class Unigram:
    """Tokens by how often they occur, whatever came before; one is added to each count."""

    def __init__(self, tokens: np.ndarray, vocab_size: int):
        """Count `tokens`, (N,) ids below `vocab_size`."""
        counts = np.bincount(tokens[:FIT_TOKENS], minlength=vocab_size) + 1.0
        self.probs = counts / counts.sum()  # (V,)

    def nll(self, previous: np.ndarray, targets: np.ndarray) -> np.ndarray:
        """-ln p of each target, (N,) float64 nats."""
        return -np.log(self.probs[targets])


class Bigram:
    """Tokens by how often they followed the one before, leaning on the unigram for pairs never seen.

    Witten-Bell smoothing (Witten and Bell, 1991; method C): after a token a that occurred c(a) times
    with n(a) different successors, p(b | a) = (c(a, b) + n(a) p(b)) / (c(a) + n(a)).
    """

    def __init__(self, tokens: np.ndarray, vocab_size: int):
        """Count neighbours in `tokens`, (N,) ids below `vocab_size`."""
        self.vocab_size = vocab_size
        self.unigram = Unigram(tokens, vocab_size)
        ids = np.asarray(tokens[:FIT_TOKENS], dtype=np.int64)
        pairs = ids[:-1] * vocab_size + ids[1:]
        self.pairs, self.counts = np.unique(pairs, return_counts=True)  # sorted, for binary search
        first = self.pairs // vocab_size
        self.totals = np.bincount(first, weights=self.counts, minlength=vocab_size)  # c(a), (V,)
        self.successors = np.bincount(first, minlength=vocab_size)  # n(a), (V,)

    def nll(self, previous: np.ndarray, targets: np.ndarray) -> np.ndarray:
        """-ln p of each target given the token before it, (N,) float64 nats."""
        previous, targets = previous.astype(np.int64), targets.astype(np.int64)
        wanted = previous * self.vocab_size + targets
        place = np.minimum(np.searchsorted(self.pairs, wanted), len(self.pairs) - 1)
        count = np.where(self.pairs[place] == wanted, self.counts[place], 0)
        total, novel = self.totals[previous], self.successors[previous]
        base = self.unigram.probs[targets]
        return -np.log(np.where(total > 0, (count + novel * base) / np.maximum(total + novel, 1), base))


def fit_baselines(tokens: np.ndarray, vocab_size: int) -> dict[str, Uniform | Unigram | Bigram]:
    """All three, fitted on training tokens (N,), from the worst to the best."""
    return {
        "uniform": Uniform(vocab_size),
        "unigram": Unigram(tokens, vocab_size),
        "bigram": Bigram(tokens, vocab_size),
    }
