"""The published figures, one a row of published.csv: each with its protocol and its source."""

import csv
import math
import re
from pathlib import Path
from typing import NamedTuple

PUBLISHED_CSV = Path(__file__).with_name("published.csv")

UNITS = {
    "loss_nats_per_token": "Mean of -ln p(next token) with GPT-2's tokenizer, in nats per token.",
    "lambada_ppl": "Perplexity of LAMBADA's last word, as the GPT-2 paper counts it.",
    "lambada_acc_percent": "Share of LAMBADA's last words guessed, in per cent, by the GPT-2 paper's rules.",
    "wikitext103_word_ppl": "Perplexity per word of WikiText-103's test text.",
    "wikitext2_ppl": "Perplexity of WikiText-2's test text; the GPT-2 paper names no unit, and it is near per token.",
    "ptb_ppl": "Perplexity of the Penn Treebank, as the GPT-2 paper counts it.",
    "enwik8_bits_per_byte": "Bits per byte of enwik8, a piece of Wikipedia with its markup.",
    "lambada_openai_acc_percent": "Share of LAMBADA's last words guessed, in per cent, on OpenAI's version of it.",
    "lambada_openai_word_ppl": "Perplexity of LAMBADA's last word, on OpenAI's version of the text.",
    "lambada_standard_acc_percent": "Share of LAMBADA's last words guessed, in per cent, on the text as first out.",
    "wikitext2_word_ppl": "Perplexity per word of WikiText-2's test text, counted before de-tokenising.",
    "wikitext2_token_ppl_disjoint": "Perplexity per token of WikiText-2's test text, in windows that don't overlap.",
    "wikitext2_token_ppl_stride512": "Perplexity per token of WikiText-2's test text, in windows that overlap.",
}


class Published(NamedTuple):
    """One published figure."""

    model: str
    params: str
    """As the source says it, in millions: 124M."""
    metric: str
    """A key of UNITS."""
    value: float
    protocol: str
    source: str

    @property
    def parameters(self) -> int:
        """`params` as a number."""
        return round(float(self.params.removesuffix("M")) * 1e6)


def read_published(path: Path = PUBLISHED_CSV) -> list[Published]:
    """Every published figure, in the file's order. ValueError, naming the line, for a row that can't be one."""
    with path.open(newline="", encoding="utf-8") as file:
        lines = csv.reader(file)
        columns = next(lines, [])
        if tuple(columns) != Published._fields:
            raise ValueError(
                f"{path} has the columns {columns}, expected {', '.join(Published._fields)}; restore its first line"
            )
        rows = [_read(f"{path}, line {lines.line_num}", line) for line in lines]
    seen = set()
    for row in rows:
        key = (row.model, row.metric)
        if key in seen:
            raise ValueError(f"{path} has {row.metric} of {row.model} twice; keep one of them")
        seen.add(key)
    return rows


def _read(place: str, cells: list[str]) -> Published:
    if len(cells) != len(Published._fields):
        raise ValueError(
            f"{place}: {len(cells)} cells, expected {len(Published._fields)}; put text with a comma in quotes"
        )
    for name, cell in zip(Published._fields, cells, strict=True):
        if not cell.strip():
            raise ValueError(f"{place}: {name} is empty, and a figure without it can't be cited; fill it in")
    model, params, metric, value, protocol, source = cells
    if not re.fullmatch(r"\d+(\.\d+)?M", params):
        raise ValueError(f"{place}: params {params!r} is not a number of millions; write it like 124M")
    if metric not in UNITS:
        raise ValueError(f"{place}: metric {metric!r} is unknown; choose one of {', '.join(UNITS)}")
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise ValueError(f"{place}: value {value!r} is not a positive number; write the figure as its source has it")
    return Published(model, params, metric, number, protocol, source)


def with_metric(published: list[Published], metric: str) -> list[Published]:
    """The figures of one metric, in the file's order."""
    return [row for row in published if row.metric == metric]


def figure(published: list[Published], model: str, metric: str) -> Published:
    """The figure of one model. Raises ValueError where there is none."""
    for row in with_metric(published, metric):
        if row.model == model:
            return row
    raise ValueError(f"there is no published {metric} of {model}; restore published.csv")
