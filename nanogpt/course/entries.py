"""What is compared: each model with its shape, its training and the reports of what was measured."""

from dataclasses import dataclass, field
from pathlib import Path

GPT2_TOKENIZER = "gpt2"
OPENWEBTEXT = "openwebtext"
OPENWEBTEXT_HELD_OUT = 4_434_897  # tokens of nanoGPT's val.bin, by the readme of its data/openwebtext


@dataclass(frozen=True)
class Entry:
    """A model in the comparison."""

    name: str
    """A run's folder, or GPT-2's name on the hub: runs/first, gpt2."""
    parameters: int
    """Position table included, the tied head counted once."""
    parameters_without_positions: int
    """As nanoGPT counts."""
    context_length: int
    tokenizer_sha256: str
    tokenizer_name: str
    """gpt2, or trained."""
    training_tokens: int | None
    """None for GPT-2, of which it was never published."""
    config: dict
    """The fields of its ModelConfig."""
    train: dict | None
    """Of a run trained here the fields of its TrainConfig and `steps_done`; where they are known `train_loss` and
    `val_loss` too, both from the end of its training."""
    data_source: str | None
    """The corpus it was trained on; None for GPT-2, whose WebText was not released."""
    reports: list[dict] = field(default_factory=list)
    """What was measured, as `evaluate` writes it; empty where only published figures are at hand."""

    def of_task(self, *tasks: str) -> list[dict]:
        """Its reports on any of these tasks, in their order."""
        return [report for report in self.reports if report["task"] in tasks]


def is_openwebtext(report: dict) -> bool:
    """Whether a report was made on OpenWebText."""
    return report["source"] == OPENWEBTEXT


def is_webtext(report: dict) -> bool:
    """Whether a report was made on WebText: a file of OpenAI's, webtext.test.jsonl or one of its neighbours."""
    return Path(report["source"]).name.startswith("webtext")


def native_report(entry: Entry, on=is_openwebtext) -> dict | None:
    """Its report on a text at the longest context that was scored, on all of it rather than a part; None without."""
    found = [report for report in entry.of_task("text") if on(report)]
    return max(found, key=lambda r: (r["settings"]["context_length"], r["tokens_scored"]), default=None)


def first_report(entries: list[Entry]) -> dict | None:
    """The first text report of all, whose protocol the others are held against; None where nothing was measured."""
    return next((report for entry in entries for report in entry.of_task("text")), None)


def same_text(a: dict, b: dict) -> bool:
    """Whether two reports scored documents of the same held-out text.

    The hash is of a prepared folder; of one text in two folders the corpus, documents and bytes agree instead.
    """
    return a["text_sha256"] == b["text_sha256"] or all(
        a[key] == b[key] for key in ("source", "documents", "bytes_scored")
    )
