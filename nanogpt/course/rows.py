"""The comparison as rows: measured figures, the published ones that belong beside them, and where protocols differ."""

import math
import re
from dataclasses import dataclass

from nanogpt.course.entries import GPT2_TOKENIZER, OPENWEBTEXT, OPENWEBTEXT_HELD_OUT, Entry, first_report, same_text
from nanogpt.course.published import Published, with_metric

MEASURED, PUBLISHED = "measured", "published"

PUBLISHED_BENCHMARKS = (  # metric, benchmark, column
    ("wikitext2_token_ppl_disjoint", "wikitext-2", "token_perplexity"),
    ("wikitext2_token_ppl_stride512", "wikitext-2", "token_perplexity"),
    ("wikitext2_ppl", "wikitext-2", "token_perplexity"),
    ("wikitext2_word_ppl", "wikitext-2", "word_perplexity"),
    ("wikitext103_word_ppl", "wikitext-103", "word_perplexity"),
    ("lambada_acc_percent", "lambada", "accuracy"),
    ("lambada_ppl", "lambada", "word_perplexity"),
    ("lambada_openai_acc_percent", "lambada", "accuracy"),
    ("lambada_openai_word_ppl", "lambada", "word_perplexity"),
    ("lambada_standard_acc_percent", "lambada-standard", "accuracy"),
)


@dataclass(frozen=True)
class Row:
    """One model's score on running text under one protocol. low and high: the 95% interval."""

    model: str
    kind: str
    """measured or published."""
    parameters: int
    context_length: int | None
    """None where a published figure's is not stated."""
    training_tokens: int | None
    trained_on: str | None
    loss: float
    loss_low: float | None
    loss_high: float | None
    token_perplexity: float
    token_perplexity_low: float | None
    token_perplexity_high: float | None
    bits_per_byte: float | None
    bits_per_byte_low: float | None
    bits_per_byte_high: float | None
    tokens_scored: int | None
    text: str
    text_source: str
    tokenizer: str
    tokenizer_sha256: str | None
    same_text: bool
    """Whether the text is that of the first measured row; among published figures alone it is."""
    protocol: str
    source: str
    differs: str
    """How the protocol differs from that of the first measured row; empty where it does not."""


def comparison_rows(entries: list[Entry], published: list[Published]) -> list[Row]:
    """A row for each text report, each followed by its model's published figure, and then the other published ones."""
    reference = first_report(entries)
    beside = {row.model: row for row in with_metric(published, "loss_nats_per_token")}
    rows = []
    for entry in entries:
        rows += [_measured(entry, report, reference) for report in entry.of_task("text")]
        if entry.name in beside:
            rows.append(_published(beside.pop(entry.name), reference))
    return rows + [_published(row, reference) for row in beside.values()]


def _measured(entry: Entry, report: dict, reference: dict) -> Row:
    loss, bits = report["loss"], report["bits_per_byte"]
    low, high = report["interval"]
    return Row(
        model=entry.name,
        kind=MEASURED,
        parameters=entry.parameters,
        context_length=report["settings"]["context_length"],
        training_tokens=entry.training_tokens,
        trained_on=entry.data_source,
        loss=loss,
        loss_low=low,
        loss_high=high,
        token_perplexity=report["token_perplexity"],
        token_perplexity_low=math.exp(low),
        token_perplexity_high=math.exp(high),
        bits_per_byte=bits,
        bits_per_byte_low=bits * low / loss,
        bits_per_byte_high=bits * high / loss,
        tokens_scored=report["tokens_scored"],
        text=report["text"],
        text_source=report["source"],
        tokenizer=report["tokenizer"]["name"],
        tokenizer_sha256=report["tokenizer"]["sha256"],
        same_text=same_text(report, reference),
        protocol=report["protocol"],
        source="measured here",
        differs="; ".join(_differences(report, reference)),
    )


def _differences(report: dict, reference: dict) -> list[str]:
    mine, its = report["settings"], reference["settings"]
    found = []
    if mine["context_length"] != its["context_length"]:
        found.append(f"context {mine['context_length']:,} instead of {its['context_length']:,}")
    if _windows(mine) != _windows(its):
        found.append(f"{_windows(mine)} instead of {_windows(its)}")
    if not same_text(report, reference):
        found.append(f"another text: {report['text']} ({report['source']})")
    if mine["limit"] != its["limit"]:
        found.append(f"{_extent(mine)} instead of {_extent(its)}")
    if mine["precision"] != its["precision"]:
        found.append(f"{mine['precision']} instead of {its['precision']}")
    mine, its = report["tokenizer"], reference["tokenizer"]
    if mine["sha256"] != its["sha256"]:
        found.append(f"another tokenizer ({mine['vocab_size']:,} tokens): only bits per byte compare")
    return found


def _windows(settings: dict) -> str:
    stride = settings["stride"]
    return "disjoint windows" if stride in (None, settings["context_length"]) else f"windows at a stride of {stride:,}"


def _extent(settings: dict) -> str:
    return "the whole text" if settings["limit"] is None else f"its first {settings['limit']:,} documents"


def _published(row: Published, reference: dict | None) -> Row:
    stated = re.search(r"context (\d+)", row.protocol)
    context = int(stated[1]) if stated else None
    return Row(
        model=row.model,
        kind=PUBLISHED,
        parameters=row.parameters,
        context_length=context,
        training_tokens=None,
        trained_on=None,
        loss=row.value,
        loss_low=None,
        loss_high=None,
        token_perplexity=math.exp(row.value),
        token_perplexity_low=None,
        token_perplexity_high=None,
        bits_per_byte=None,
        bits_per_byte_low=None,
        bits_per_byte_high=None,
        tokens_scored=None,
        text="OpenWebText",
        text_source=OPENWEBTEXT,
        tokenizer=GPT2_TOKENIZER,
        tokenizer_sha256=None,
        same_text=reference is None or reference["source"] == OPENWEBTEXT,
        protocol=row.protocol,
        source=row.source,
        differs="; ".join(_published_differences(row, context, reference)) if reference else "",
    )


def _published_differences(row: Published, context: int | None, reference: dict) -> list[str]:
    found, its = [], reference["settings"]["context_length"]
    if reference["source"] != OPENWEBTEXT:
        found.append(f"another text: OpenWebText instead of {reference['text']}")
    elif reference["tokens_scored"] != OPENWEBTEXT_HELD_OUT:
        found.append(f"of {OPENWEBTEXT_HELD_OUT:,} held-out tokens instead of {reference['tokens_scored']:,}")
    found.append(
        "random batches instead of each token once"
        if "random batches" in row.protocol
        else "how it was scored is not stated"
    )
    if context is None:
        found.append("context not stated")
    elif context != its:
        found.append(f"context {context:,} instead of {its:,}")
    if reference["tokenizer"]["name"] != GPT2_TOKENIZER:
        found.append("another tokenizer: perplexities don't compare")
    return found


@dataclass(frozen=True)
class BenchmarkRow:
    """One model's score on a benchmark. accuracy: a share from 0 to 1; low and high: the 95% interval."""

    model: str
    kind: str
    benchmark: str
    protocol: str
    source: str
    accuracy: float | None = None
    accuracy_low: float | None = None
    accuracy_high: float | None = None
    token_perplexity: float | None = None
    token_perplexity_low: float | None = None
    token_perplexity_high: float | None = None
    word_perplexity: float | None = None
    word_perplexity_low: float | None = None
    word_perplexity_high: float | None = None
    bits_per_byte: float | None = None


def benchmark_rows(entries: list[Entry], published: list[Published]) -> list[BenchmarkRow]:
    """WikiText and LAMBADA as far as they were measured, each model's published figures after its measured ones.

    GPT-2 small's published ones are there as a yardstick in any case.
    """
    models = list(dict.fromkeys([entry.name for entry in entries] + ["gpt2"]))
    rows = []
    for benchmark in dict.fromkeys(benchmark for _, benchmark, _ in PUBLISHED_BENCHMARKS):
        measured = [_measured_benchmark(entry, report) for entry in entries for report in entry.of_task(benchmark)]
        if measured:
            both = measured + _published_benchmarks(benchmark, published)
            rows += [row for model in models for row in both if row.model == model]
    return rows


def _measured_benchmark(entry: Entry, report: dict) -> BenchmarkRow:
    columns = ("accuracy", "token_perplexity", "word_perplexity", "bits_per_byte")
    figures = {column: report[column] for column in columns if column in report}
    low, high = report["interval"]
    if "accuracy" in report:  # LAMBADA, whose interval is of the word perplexity
        figures |= {"word_perplexity_low": low, "word_perplexity_high": high}
        figures["accuracy_low"], figures["accuracy_high"] = report["accuracy_interval"]
    else:  # WikiText, whose interval is of the loss
        figures |= {"token_perplexity_low": math.exp(low), "token_perplexity_high": math.exp(high)}
    return BenchmarkRow(entry.name, MEASURED, report["task"], report["protocol"], "measured here", **figures)


def _published_benchmarks(benchmark: str, published: list[Published]) -> list[BenchmarkRow]:
    """A row for each model and source, which may give accuracy and perplexity; two protocols are two rows."""
    found: dict[tuple, dict[str, float]] = {}
    protocols: dict[tuple, str] = {}
    for metric, belongs, column in PUBLISHED_BENCHMARKS:
        for row in with_metric(published, metric) if belongs == benchmark else []:
            family = "paper" if row.protocol.startswith("paper") else row.protocol
            key = (row.model, row.source, family)
            found.setdefault(key, {})[column] = row.value / 100 if column == "accuracy" else row.value
            protocols[key] = row.protocol
    return [
        BenchmarkRow(model, PUBLISHED, benchmark, protocols[model, source, family], source, **figures)
        for (model, source, family), figures in found.items()
    ]
