"""Models side by side, measured and published: report.json, report.csv, the chart, and one page with all of it."""

import csv
import dataclasses
import io
import json
from collections.abc import Sequence
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure

from nanogpt.checkpoint import write_whole
from nanogpt.course.entries import Entry, first_report
from nanogpt.course.evidence import joined
from nanogpt.course.page import render_page
from nanogpt.course.plots.evaluate import describe_perplexity_by_parameters, plot_perplexity_by_parameters
from nanogpt.course.published import read_published
from nanogpt.course.rows import Row, benchmark_rows, comparison_rows
from nanogpt.course.verdicts import Verdict, judge


def write_report(
    entries: Sequence[Entry],
    out: str | Path,
    notes: Sequence[str] = (),
    predictions: dict[str, tuple[str, float | None]] | None = None,
) -> Path:
    """Write the comparison into the folder `out` and return the path of its page.

    notes: sentences for the head of the page; predictions: of `read_predictions`. A file of the same name is
    replaced, each of them whole or not at all; others in the folder stay. The same input gives the same bytes.
    Without any entry it holds what is published. Raises NotADirectoryError where `out` is a file.
    """
    out, entries, published = Path(out), list(entries), read_published()
    if out.exists() and not out.is_dir():
        raise NotADirectoryError(f"{out} is a file, and the report is a folder; choose another --out")
    rows, verdicts = comparison_rows(entries, published), judge(entries, predictions, published)
    benchmarks = benchmark_rows(entries, published)
    figure = plot_perplexity_by_parameters(rows, _baselines(entries)).figure
    svg, alt = _picture(figure, "svg"), describe_perplexity_by_parameters(rows)
    lead, notes = what_was_compared(entries), [f"{note.rstrip('.')}." for note in [*notes, *unmeasured(entries)]]
    page = render_page(lead, notes, (svg, alt), _scale(entries), rows, benchmarks, verdicts, entries)
    content = {
        "compared": lead,
        "notes": notes,
        "rows": [dataclasses.asdict(row) for row in rows],
        "benchmarks": [dataclasses.asdict(row) for row in benchmarks],
        "claims": [_as_json(verdict) for verdict in verdicts],
        "chart": alt,
        "entries": [dataclasses.asdict(entry) for entry in entries],
    }
    files = {
        "report.json": (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode(),
        "report.csv": _as_csv(rows).encode(),
        "perplexity.png": _picture(figure, "png"),
        "perplexity.svg": svg,
        "report.html": page.encode(),
    }
    out.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        write_whole(out / name, lambda path, data=data: path.write_bytes(data))
    return out / "report.html"


def what_was_compared(entries: Sequence[Entry]) -> str:
    """The models, the text and the protocol in a sentence."""
    report = first_report(list(entries))
    if report is None:
        return "Nothing was measured here on running text, so all figures are published ones."
    names = joined([entry.name for entry in entries if entry.of_task("text")])
    text = report["text"] if report["text"] == report["source"] else f"{report['text']} ({report['source']})"
    return (
        f"{names} on the held-out part of {text}: {report['protocol']}, {report['tokens_scored']:,} tokens "
        f"of {report['documents']:,} documents, in {report['settings']['precision']}."
    )


def unmeasured(entries: Sequence[Entry]) -> list[str]:
    """A sentence on the models of which nothing was measured, if there are any."""
    names = [entry.name for entry in entries if not entry.reports]
    return [f"Of {joined(names)} nothing was measured here; what is shown is published."] if names else []


def _baselines(entries: Sequence[Entry]) -> dict[str, dict]:
    report = first_report(list(entries))
    return report["baselines"] if report else {}


def _scale(entries: Sequence[Entry]) -> str:
    """What models that only count reach on the first text, in a sentence."""
    counted = _baselines(entries)
    if not counted:
        return ""
    said = ", ".join(f"{name} {score['bits_per_byte']:.3f}" for name, score in counted.items())
    return f"For scale, models that only count reach on the first row's text, in bits per byte: {said}."


def _as_json(verdict: Verdict) -> dict:
    return dataclasses.asdict(verdict) | {"claim": verdict.claim._asdict()}


def _as_csv(rows: Sequence[Row]) -> str:
    text = io.StringIO()
    columns = [field.name for field in dataclasses.fields(Row)]
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(dataclasses.asdict(row) for row in rows)
    return text.getvalue()


def _picture(figure: Figure, kind: str) -> bytes:
    """The figure as a file's bytes, the same each time."""
    buffer = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "nanogpt"}):
        figure.savefig(buffer, format=kind, metadata={"Date": None} if kind == "svg" else {"Software": None})
    return buffer.getvalue()
