"""The comparison as one HTML page that needs nothing else: own style, pictures inside, no script, no network."""

import re
from base64 import b64encode
from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

from nanogpt.course.entries import Entry
from nanogpt.course.plots.evaluate import short_count
from nanogpt.course.rows import MEASURED, PUBLISHED, BenchmarkRow, Row
from nanogpt.course.verdicts import Verdict

STYLE = Path(__file__).with_name("page.css")
SIGN = {MEASURED: "● measured", PUBLISHED: "◇ published"}  # filled and hollow, as on the chart
ANSWER_CLASS = {"holds": "holds", "false": "false", "half true": "half", "not measured here": "open"}
NUMBER = "n"  # the class of a cell that is set as a figure


class Column(NamedTuple):
    """A column of a table: its head, the class of its cells, what is in them, and what stands small below."""

    head: str
    css: str
    text: Callable[[Any], str]
    small: Callable[[Any], str] = lambda item: ""


def render_page(
    lead: str,
    notes: Sequence[str],
    chart: tuple[bytes, str],
    scale: str,
    rows: Sequence[Row],
    benchmarks: Sequence[BenchmarkRow],
    verdicts: Sequence[Verdict],
    entries: Sequence[Entry],
) -> str:
    """The whole page. chart: an SVG file and its words; scale: a sentence that gives the figures one, or nothing."""
    title, style = "Measured beside published", STYLE.read_text(encoding="utf-8")
    body = [
        f'<h1>{title}</h1>\n<p class="lead">{escape(lead)}</p>',
        *(f'<p class="note">{escape(note)}</p>' for note in notes),
        _chart(*chart),
        _scores(rows, scale),
        _benchmarks(benchmarks),
        _claims(verdicts),
        _writing(entries),
        _provenance(entries),
    ]
    names = "".join(f"{escape(entry.name)}, " for entry in entries)
    return _lines(
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{names}{title}</title>\n<style>\n{style}</style>\n</head>\n<body>\n<main>",
        *filter(None, body),
        "</main>\n</body>\n</html>\n",
    )


def _lines(*parts: str) -> str:
    return "\n".join(parts)


def _prose(text: str) -> str:
    """Text escaped, its ranges set so that no line breaks within one: 80-120 with a dash."""
    return escape(re.sub(r"(?<=\d)-(?=\d)", "\N{EN DASH}\N{WORD JOINER}", text))


def _chart(svg: bytes, alt: str) -> str:
    return _lines(
        '<figure>\n<div class="chart" tabindex="0" role="group" aria-label="The chart">',
        f'<img src="data:image/svg+xml;base64,{b64encode(svg).decode()}" alt="{escape(alt)}">',
        "</div>\n<figcaption>Filled marks were measured here; hollow ones are published and keep to protocols of their "
        "own. No line joins them: two models differ in more than their size.</figcaption>\n</figure>",
    )


def _table(caption: str, columns: Sequence[Column], items: Sequence[Any], row_class: Callable[[Any], str]) -> str:
    """A table that scrolls in its own box; its first column names the rows."""
    heads = "".join(f'<th scope="col"{_css(column.css)}>{escape(column.head)}</th>' for column in columns)
    names = [columns[0].text(item) for item in items]
    label = escape(caption.split(". ")[0].rstrip("."))
    return _lines(
        f'<div class="wide" tabindex="0" role="group" aria-label="{label}">\n<table>',
        f"<caption><span>{escape(caption)}</span></caption>",
        f"<thead><tr>{heads}</tr></thead>\n<tbody>",
        *(
            _row(columns, item, row_class(item), again=name == before)
            for item, name, before in zip(items, names, [None, *names], strict=False)
        ),
        "</tbody>\n</table>\n</div>",
    )


def _row(columns: Sequence[Column], item: Any, css: str, again: bool) -> str:
    """again: whether the row before has the same name, so that they are set as one."""
    cells = []
    for column in columns:
        small = escape(column.small(item))
        text = escape(column.text(item)) + (f"<small>{small}</small>" if small else "")
        cells.append(f"<td{_css(column.css)}>{text}</td>" if cells else f'<th scope="row">{text}</th>')
    return f"<tr{_css(css + ' again' if again else css)}>{''.join(cells)}</tr>"


def _css(name: str) -> str:
    return f' class="{name}"' if name else ""


def _figure(name: str, form: str) -> Callable[[Any], str]:
    """The named field of a row as text; a dash where there is none."""
    return lambda row: "\N{EN DASH}" if getattr(row, name) is None else format(getattr(row, name), form)


def _interval(name: str, form: str) -> Callable[[Any], str]:
    def text(row: Any) -> str:
        low, high = getattr(row, f"{name}_low"), getattr(row, f"{name}_high")
        return "" if low is None else f"{low:{form}} to {high:{form}}"

    return text


def _training(row: Row) -> str:
    if row.training_tokens is None:
        return "not published" if row.model.startswith("gpt2") else "not stated"
    return f"{short_count(row.training_tokens)} tokens"


def _protocol(row: Row | BenchmarkRow) -> str:
    return row.protocol if row.kind == MEASURED else f"{row.protocol} ({row.source})"


def _differs(row: Row) -> str:
    return f"differs: {row.differs}" if row.differs else ""


def _settings(settings: dict) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in settings.items() if value is not None)


WHICH = Column("Model", "", lambda row: row.model, lambda row: SIGN[row.kind])
SCORES = [
    WHICH,
    Column("Parameters", NUMBER, lambda row: short_count(row.parameters)),
    Column("Context", NUMBER, _figure("context_length", ",")),
    Column("Trained on", "short", _training, lambda row: f"of {row.trained_on}" if row.trained_on else ""),
    Column("Loss", NUMBER, _figure("loss", ".3f"), _interval("loss", ".3f")),
    Column("Token perplexity", NUMBER, _figure("token_perplexity", ".1f"), _interval("token_perplexity", ".1f")),
    Column("Bits per byte", NUMBER, _figure("bits_per_byte", ".3f"), _interval("bits_per_byte", ".3f")),
    Column("Protocol, and how it differs from the first row's", "text", _protocol, _differs),
]
WIKITEXT = [
    WHICH,
    Column("Token perplexity", NUMBER, _figure("token_perplexity", ",.2f"), _interval("token_perplexity", ",.2f")),
    Column("Word perplexity", NUMBER, _figure("word_perplexity", ",.2f")),
    Column("Bits per byte", NUMBER, _figure("bits_per_byte", ".3f")),
    Column("Protocol", "text", _protocol),
]
LAMBADA = [
    WHICH,
    Column("Accuracy", NUMBER, _figure("accuracy", ".1%"), _interval("accuracy", ".1%")),
    Column("Word perplexity", NUMBER, _figure("word_perplexity", ",.2f"), _interval("word_perplexity", ",.2f")),
    Column("Protocol", "text", _protocol),
]


def _scores(rows: Sequence[Row], scale: str) -> str:
    caption = "Loss in nats per token, 95% intervals below it. A published perplexity is e to the published loss. "
    if len({row.tokenizer_sha256 for row in rows if row.kind == MEASURED}) > 1:
        caption += "Tokenizers differ here, and only bits per byte compare across them. "
    table = _table(f"{caption}{scale}".strip(), SCORES, rows, lambda row: row.kind)
    return _lines("<h2>The note's table, measured</h2>", table)


BENCHMARKS = {
    "wikitext-2": (WIKITEXT, "WikiText-2, whose test text is WikiText-103's too. "),
    "wikitext-103": (WIKITEXT, "WikiText-103."),
    "lambada": (LAMBADA, "LAMBADA, OpenAI's version of the text."),
    "lambada-standard": (LAMBADA, "LAMBADA, the text as first published."),
}


def _benchmarks(rows: Sequence[BenchmarkRow]) -> str:
    tables = []
    for benchmark, (columns, caption) in BENCHMARKS.items():
        found = [row for row in rows if row.benchmark == benchmark]
        if found:
            tables.append(_table(caption, columns, found, lambda row: row.kind))
    about = "<p>Only rows of one protocol compare; the GPT-2 paper's figures come from de-tokenisers of its own.</p>"
    return _lines("<h2>Other benchmarks</h2>", about, *tables) if tables else ""


def _claims(verdicts: Sequence[Verdict]) -> str:
    answers = [verdict.answer for verdict in verdicts]
    tally = ", ".join(f"{answer} {answers.count(answer)}" for answer in ANSWER_CLASS if answer in answers)
    return _lines(
        "<h2>The note's claims</h2>",
        f"<p>Of {len(answers)}: {tally}. Each answer is worked out from the figures.</p>",
        '<ol class="claims">',
        *map(_claim, verdicts),
        "</ol>",
    )


def _claim(verdict: Verdict) -> str:
    facts = {"Published": verdict.published, "Measured here": verdict.measured, "You predicted": _bet(verdict)}
    listed = "".join(f"<dt>{name}</dt><dd>{_prose(text)}</dd>" for name, text in facts.items() if text)
    return _lines(
        f'<li class="claim"><p class="verdict {ANSWER_CLASS[verdict.answer]}">{verdict.claim.id} '
        f"<b>{escape(verdict.answer.capitalize())}</b></p>",
        f"<div><h3>{_prose(verdict.claim.text)}</h3>\n<p>{_prose(verdict.why)}</p>",
        f"<dl>{listed}</dl>" if listed else "",
        f"{_needs(verdict.needs)}</div></li>",
    )


def _bet(verdict: Verdict) -> str:
    if verdict.prediction is None:
        return ""
    answer, figure = verdict.prediction
    said = answer
    if {answer, verdict.answer} <= {"holds", "false"}:
        said += ", rightly" if answer == verdict.answer else ", wrongly"
    return said if figure is None else f"{said}; {figure:g} ({verdict.claim.figure})"


def _needs(needs: str) -> str:
    if not needs:
        return ""
    sentence, _, commands = needs.partition("\n")
    code = f"<pre><code>{escape(commands)}</code></pre>" if commands else ""
    return f"<details><summary>What it takes</summary><p>{escape(sentence)}</p>{code}</details>"


WRITING = [  # of an entry and its report
    Column("Model", "", lambda pair: pair[0].name),
    Column("Distinct words", NUMBER, lambda pair: f"{pair[1]['distinct_1']:.1%}"),
    Column("Distinct pairs", NUMBER, lambda pair: f"{pair[1]['distinct_2']:.1%}"),
    Column("Distinct triples", NUMBER, lambda pair: f"{pair[1]['distinct_3']:.1%}"),
    Column("Repeated", NUMBER, lambda pair: f"{pair[1]['repetition_rate']:.1%}"),
    Column("Words to first loop", NUMBER, lambda pair: f"{pair[1]['mean_words_to_loop']:.0f}"),
    Column("Words", NUMBER, lambda pair: f"{pair[1]['mean_words']:.0f}"),
    Column("Protocol", "text", lambda pair: pair[1]["protocol"]),
]
PROVENANCE = [
    Column("Model", "", lambda pair: pair[0].name),
    Column("Task", "short", lambda pair: pair[1]["task"], lambda pair: pair[1]["text"]),
    Column("Protocol", "text", lambda pair: pair[1]["protocol"], lambda pair: _settings(pair[1]["settings"])),
    Column("Step", NUMBER, lambda pair: f"{pair[1]['step']:,}"),
    Column("Device", "short", lambda pair: pair[1]["device"], lambda pair: _settings(pair[1]["versions"])),
    Column("Seconds", NUMBER, lambda pair: f"{pair[1]['seconds']:,.1f}"),
    Column("Tokens a second", NUMBER, lambda pair: f"{pair[1]['tokens_per_second']:,.0f}"),
    Column("Weights, SHA-256", "hash", lambda pair: pair[1]["weights_sha256"]),
    Column("Tokens scored, SHA-256", "hash", lambda pair: pair[1]["text_sha256"]),
    Column("Tokenizer, SHA-256", "hash", lambda pair: pair[1]["tokenizer"]["sha256"]),
]


def _writing(entries: Sequence[Entry]) -> str:
    """How the models write: the figures, and their samples side by side."""
    written = [(entry, report) for entry in entries for report in entry.of_task("samples")]
    if not written:
        return ""
    caption = "Measured on the samples below, in words. Only samples of one length and one way of drawing compare."
    parts = ["<h2>How they write</h2>", _table(caption, WRITING, written, lambda _: MEASURED)]
    for prompt in dict.fromkeys(sample["prompt"] for _, report in written for sample in report["samples"]):
        sides = [
            f'<figure><figcaption>{escape(entry.name)}</figcaption>\n<blockquote class="sample" tabindex="0">'
            f"<b>{escape(prompt)}</b>{escape(sample['text'].removeprefix(prompt))}</blockquote></figure>"
            for entry, report in written
            for sample in report["samples"]
            if sample["prompt"] == prompt
        ]
        parts += [f'<h3>{escape(prompt)} …</h3>\n<div class="sides">', *sides, "</div>"]
    return _lines(*parts)


def _provenance(entries: Sequence[Entry]) -> str:
    measured = [(entry, report) for entry in entries for report in entry.reports]
    if not measured:
        return ""
    table = _table("What each measured figure was made from.", PROVENANCE, measured, lambda _: MEASURED)
    summary = "<summary>Hashes, versions and seconds</summary>"
    return _lines("<h2>Provenance</h2>", f'<details class="full">{summary}', table, "</details>")
