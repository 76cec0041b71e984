"""A text as a model writes it: each token with its probability and its rivals; kept, and saved as JSON and Markdown."""

import codecs
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import NamedTuple

from nanogpt.checkpoint import write_whole
from nanogpt.generate import Sampling, Step, generate_steps
from nanogpt.runs import Run

RIVALS = 5


class Rival(NamedTuple):
    """A token that might have come instead, with the model's own probability of it."""

    id: int
    text: str
    p: float


class Drawn(NamedTuple):
    """A token that came: its text (empty where a character isn't whole yet), and how likely it was."""

    id: int
    text: str
    p: float
    """The model's own probability, before any setting."""
    drawn_p: float | None
    """Its probability after all settings; None for a token that was chosen by hand."""
    rivals: tuple[Rival, ...]
    """The likeliest other tokens, by the model's own probabilities."""


@dataclass
class Sample:
    """A prompt and what a model made of it, under which settings."""

    model: str
    prompt: str
    sampling: Sampling
    prompt_ids: list[int] = field(default_factory=list)
    tokens: list[Drawn] = field(default_factory=list)
    first_seconds: float = 0.0
    """From the click to the first token."""
    tokens_per_second: float = 0.0

    @property
    def text(self) -> str:
        """What was written, without the prompt."""
        return "".join(token.text for token in self.tokens)


def write_on(run: Run, sample: Sample, count: int, since: float) -> Iterator[Drawn]:
    """Let a run go on from where a sample stands by up to `count` tokens, and put each into the sample.

    `since` is the moment of the click, as `time.perf_counter` has it. Raises what `generate_steps` raises.
    """
    T, start = run.model.config.context_length, len(sample.tokens)
    ids = (sample.prompt_ids + [token.id for token in sample.tokens])[-T:]
    seed = sample.sampling.seed
    sampling = Sampling(**asdict(sample.sampling) | {"seed": None if seed is None else (seed + start) % 2**63})
    decoder = _decoder(run, sample)
    steps = generate_steps(run.model, ids, count, sampling, run.tokenizer.n_vocab, run.tokenizer.eot_token)
    first = None
    for step in steps:
        now = time.perf_counter()
        if first is None:
            first, sample.first_seconds = now, now - since
        else:
            sample.tokens_per_second = (len(sample.tokens) - start) / (now - first)
        drawn = _drawn(run, step, decoder)
        sample.tokens.append(drawn)
        yield drawn


def branch(run: Run, sample: Sample, place: int, rival: Rival) -> Sample:
    """The same text up to `place`, with the rival in the place of the token that stood there."""
    old = sample.tokens[place]
    others = [Rival(old.id, old.text, old.p), *(other for other in old.rivals if other.id != rival.id)]
    kept = Sample(sample.model, sample.prompt, sample.sampling, sample.prompt_ids, sample.tokens[:place])
    text = _decoder(run, kept).decode(run.tokenizer.decode_single_token_bytes(rival.id))
    kept.tokens.append(Drawn(rival.id, text, rival.p, None, tuple(others)))
    return kept


def _decoder(run: Run, sample: Sample) -> codecs.IncrementalDecoder:
    """A decoder that stands where a sample ends, maybe within a character."""
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    for token in sample.tokens:
        decoder.decode(run.tokenizer.decode_single_token_bytes(token.id))
    return decoder


def _drawn(run: Run, step: Step, decoder: codecs.IncrementalDecoder) -> Drawn:
    own = step.logits.float().softmax(-1)
    best = own.topk(min(RIVALS + 1, len(own)))
    pairs = zip(best.indices.tolist(), best.values.tolist(), strict=True)
    rivals = [Rival(i, shown(run, i), p) for i, p in pairs if i != step.token][:RIVALS]
    text = decoder.decode(run.tokenizer.decode_single_token_bytes(step.token))
    return Drawn(step.token, text, own[step.token].item(), step.probs[step.token].item(), tuple(rivals))


def shown(run: Run, token: int) -> str:
    """A single token as text; bytes that are no whole character become the replacement character."""
    return run.tokenizer.decode_single_token_bytes(token).decode("utf-8", errors="replace")


def save_samples(samples: Sequence[Sample], folder: Path, name: str = "samples") -> list[Path]:
    """Write <name>.json, with every token, and <name>.md, to be read. Returns both paths."""
    folder.mkdir(parents=True, exist_ok=True)
    kept = [
        {"model": s.model, "prompt": s.prompt, "settings": asdict(s.sampling), "text": s.text,
         "tokens": [t._asdict() | {"rivals": [r._asdict() for r in t.rivals]} for t in s.tokens]}
        for s in samples
    ]  # fmt: skip
    paths = [folder / f"{name}.json", folder / f"{name}.md"]
    texts = [json.dumps(kept, indent=1, ensure_ascii=False) + "\n", "\n".join(map(_markdown, samples))]
    for path, text in zip(paths, texts, strict=True):
        write_whole(path, lambda partial, text=text: partial.write_text(text, encoding="utf-8", errors="replace"))
    return paths


def _markdown(sample: Sample) -> str:
    settings = ", ".join(f"{name} {value}" for name, value in asdict(sample.sampling).items() if value is not None)
    fence = "`" * 3
    while fence in sample.prompt + sample.text:
        fence += "`"
    head = f"## {sample.model}\n\n{settings}, {len(sample.tokens)} tokens\n\n"
    return f"{head}{fence}\n{sample.prompt}▸{sample.text}\n{fence}\n"
