"""What a model writes, measured: how varied it is, how much it repeats, how soon it runs in a loop.

Counted in words, not tokens, so that models with other tokenizers compare; always the same prompts, settings and
seeds. Each prompt has a seed of its own: with one for all the same dice would fall in every sample, and they would
grow alike. These figures say nothing about truth or sense: read the samples as well.
"""

import hashlib
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np

from nanogpt.evaluate import Report, Settings, about
from nanogpt.generate import Sampling, generate_text
from nanogpt.runs import Run

PROMPTS = (
    "The future of AI is",
    "Once upon a time, there was",
    "The function returns",
    "In the morning, the city",
    "Scientists have found that",
    "The most important thing about history is",
    "She opened the letter and",
    "To cook a good soup, you",
)
SAMPLING = Sampling(temperature=0.8, top_k=200, seed=1337)  # nanoGPT's usual temperature, top-k and first seed
LONGEST_LOOP = 50  # words in a phrase that is looked for in a loop
TURNS = 3  # times that a phrase must stand in a row to be a loop


@dataclass(frozen=True, kw_only=True)
class SamplesReport(Report):
    """Samples from fixed prompts, and what was counted in them."""

    distinct_1: float
    """Different words as a share of all words; `distinct_2` and `distinct_3`: of pairs and triples."""
    distinct_2: float
    distinct_3: float
    repetition_rate: float
    """The share of words that end a run of four which stood in the same sample before."""
    mean_words: float
    mean_words_to_loop: float
    """Words until a phrase begins to come three times in a row; all of them where none does."""
    sampling: dict
    max_new_tokens: int
    samples: list[dict[str, str]]

    def to_table(self) -> str:
        """The figures and the first sample, as text."""
        first = self.samples[0]
        return "\n".join(
            (
                f"{self.distinct_1:10.2f} {self.distinct_2:.2f} {self.distinct_3:.2f} distinct words, pairs, triples",
                f"{self.repetition_rate:10.1%} of the words repeat a run of four",
                f"{self.mean_words_to_loop:10.1f} words to the first loop, of {self.mean_words:.1f}",
                f"{self.protocol}; the first of them:",
                first["prompt"] + first["text"],
            )
        )


def evaluate_samples(run: Run, settings: Settings | None = None, max_new_tokens: int = 256) -> SamplesReport:
    """Let a run go on from each of the fixed prompts (the first `settings.limit`) and count what it wrote."""
    settings = settings or Settings()
    prompts, texts = PROMPTS[: settings.limit], []
    clock = time.perf_counter()
    for i, prompt in enumerate(prompts):
        sampling = replace(SAMPLING, seed=SAMPLING.seed + i)
        texts.append("".join(generate_text(run.model, run.tokenizer, prompt, max_new_tokens, sampling)))
    seconds = time.perf_counter() - clock
    words = [text.split() for text in texts]
    n_tokens = sum(len(run.tokenizer.encode_ordinary(text)) for text in texts)
    return SamplesReport(
        **about(run, settings, seconds, n_tokens),
        task="samples",
        protocol=f"{len(prompts)} prompts, up to {max_new_tokens} tokens each, temperature {SAMPLING.temperature}, "
        f"top-k {SAMPLING.top_k}, seeds from {SAMPLING.seed} on",
        text="samples",
        source="samples",
        text_sha256=hashlib.sha256("\0".join(prompts).encode()).hexdigest(),
        documents=len(prompts),
        **{f"distinct_{n}": distinct(words, n) for n in (1, 2, 3)},
        repetition_rate=repetition_rate(words),
        mean_words=float(np.mean([len(w) for w in words])),
        mean_words_to_loop=float(np.mean([words_to_loop(w) for w in words])),
        sampling=asdict(SAMPLING),
        max_new_tokens=max_new_tokens,
        samples=[{"prompt": prompt, "text": text} for prompt, text in zip(prompts, texts, strict=True)],
    )


def ngrams(words: Sequence[str], n: int) -> list[tuple[str, ...]]:
    """All runs of n words, in order."""
    return list(zip(*(words[i:] for i in range(n)), strict=False))


def distinct(samples: Sequence[Sequence[str]], n: int) -> float:
    """Different n-grams as a share of all n-grams, over all samples together (Li et al., 2016); 0 without any."""
    every = [gram for words in samples for gram in ngrams(words, n)]
    return len(set(every)) / len(every) if every else 0.0


def repetition_rate(samples: Sequence[Sequence[str]], n: int = 4) -> float:
    """The share of n-grams that stood earlier in the same sample (seq-rep-n of Welleck et al., 2020); 0 without any."""
    grams = [ngrams(words, n) for words in samples]
    total = sum(map(len, grams))
    return sum(len(g) - len(set(g)) for g in grams) / total if total else 0.0


def words_to_loop(words: Sequence[str]) -> int:
    """Words before the first phrase of up to 50 words that then stands three times in a row; all if none does."""
    for start in range(len(words)):
        for length in range(1, min(LONGEST_LOOP, (len(words) - start) // TURNS) + 1):
            phrase = words[start : start + length]
            if list(words[start : start + TURNS * length]) == list(phrase) * TURNS:
                return start
    return len(words)
