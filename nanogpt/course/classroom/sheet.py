"""What the classroom's pages are made of: one whole HTML page each, its style inside, no script, nothing loaded."""

import re
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

import mistune

from nanogpt.checkpoint import write_whole
from nanogpt.course.classroom.judging import NOT_ATTEMPTED, RIGHT, STOPPED, WRONG

STYLES = (Path(__file__).parents[1] / "page.css", Path(__file__).with_name("sheet.css"))
NOTHING_LOADED = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
WORDS = {RIGHT: "right", WRONG: "not right yet", NOT_ATTEMPTED: "not attempted", STOPPED: "stopped"}
SIGNS = {RIGHT: "✓", WRONG: "✗", NOT_ATTEMPTED: "○", STOPPED: "■"}


def page(title: str, *body: str) -> str:
    """A whole page from its parts, empty ones left out."""
    style = "".join(path.read_text(encoding="utf-8") for path in STYLES)
    return lines(
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{NOTHING_LOADED}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{text(title)}</title>\n<style>\n{style}</style>\n</head>\n<body>\n<main>",
        *filter(None, body),
        "</main>\n</body>\n</html>\n",
    )


def keep(path: Path, html: str) -> Path:
    """Write a page, whole or not at all, and its folder if need be. Returns its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, lambda partial: partial.write_text(html, encoding="utf-8"))
    return path


def lines(*parts: str) -> str:
    """Parts of a page, a line each."""
    return "\n".join(parts)


def text(said: object) -> str:
    """Anything as text that can't be taken for HTML; a character that can't be shown becomes �."""
    plain = str(said).replace("\r\n", "\n").replace("\r", "\n")
    return escape(re.sub(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", "\N{REPLACEMENT CHARACTER}", plain))


def verbatim(label: str, said: str, kind: str) -> str:
    """Text as it is, in a box under its label. `kind` is code, which scrolls, or report or prose, which wrap."""
    box = f'<pre class="{kind}" tabindex="0" role="group" aria-label="{text(label)}">{text(said)}</pre>'
    return f'<p class="label">{text(label)}</p>\n{box}'


def verdict(name: str, more: str = "") -> str:
    """A verdict as a sign and a word, and what stands beside it."""
    sign = f'<span aria-hidden="true">{SIGNS[name]}</span>'
    return f'<p class="verdict {name.replace(" ", "-")}"><b>{sign} {WORDS[name]}</b> {text(more)}</p>'


def points(earned: float, most: float) -> str:
    """2.5 of 4 points."""
    return f"{earned:g} of {most:g} point{'' if most == 1 else 's'}"


def facts(pairs: dict[str, str]) -> str:
    """Names and what is to be said of each, as a list."""
    listed = "".join(f"<dt>{text(name)}</dt><dd>{text(said)}</dd>" for name, said in pairs.items())
    return f'<dl class="facts">{listed}</dl>'


def table(caption: str, heads: Sequence[str], rows: Iterable[Sequence[object]], numbers: Sequence[int] = ()) -> str:
    """A table whose first column names its rows; where that is the same as above, it stays empty to the eye.

    `numbers` are the columns that are set as figures.
    """
    css = ['class="n"' if place in numbers else 'class="said"' for place in range(len(heads))]
    body, before = [], None
    for first, *rest in rows:
        again = ' class="again"' if first == before else ""
        name = f"<span>{text(first)}</span>"
        cells = "".join(f"<td {kind}>{text(cell)}</td>" for kind, cell in zip(css[1:], rest, strict=True))
        body.append(f'<tr{again}><th scope="row">{name}</th>{cells}</tr>')
        before = first
    head = "".join(f'<th scope="col" {kind}>{text(name)}</th>' for kind, name in zip(css, heads, strict=True))
    return lines(
        f'<div class="wide" tabindex="0" role="group" aria-label="{text(caption)}">\n<table>',
        f"<caption><span>{text(caption)}</span></caption>\n<thead><tr>{head}</tr></thead>\n<tbody>",
        *body,
        "</tbody>\n</table>\n</div>",
    )


class _Question(mistune.HTMLRenderer):
    """Nothing is loaded, and formulas stay as they were written."""

    def image(self, text: str, url: str, title: str | None = None) -> str:
        return text

    def link(self, text: str, url: str, title: str | None = None) -> str:
        return text


def markdown(source: str) -> str:
    """Our own Markdown as HTML; HTML in it is shown as text, links and pictures by their words, formulas as TeX."""
    convert = mistune.create_markdown(renderer=_Question(escape=True), plugins=["math", "table"])
    return convert(source).strip()
