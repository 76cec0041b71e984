"""The token explorer: a text cut by two tokenizers side by side, each token with its id and its bytes."""

import unicodedata
from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import ipywidgets as widgets
from matplotlib.axes import Axes

from nanogpt.course.plots.tokenizer import describe_bricks, plot_bricks
from nanogpt.course.widgets.controls import WIDE, Shown, Status, style_sheet
from nanogpt.course.widgets.follow import Following
from nanogpt.tokenizer import gpt2_tokenizer, load_tokenizer

if TYPE_CHECKING:
    import tiktoken

TEXT = "The café didn't return 1000 😀"
SHOWN = 2000  # tokens, the first of a text; more are counted, not drawn
IN_PICTURE = 36  # bytes, the first, in the still picture
TINTS = 3  # taken in turn, so that neighbours differ
MARKS = {" ": "␣", "\n": "⏎", "\t": "⇥", "\r": "␍"}
LEGEND = (
    '<div class="nanogpt-facts">Each box is a token, its id below. ␣ is a space, ⏎ a line break, ⇥ a tab. '
    "A dashed box holds part of a character: its bytes, in hexadecimal.</div>"
)


def token_explorer(*tokenizers: Any, text: str = TEXT) -> "TokenExplorer":
    """See a text as tokens, cut by GPT-2's tokenizer and by each one given, side by side.

    A tokenizer is a `tiktoken.Encoding`, a run or prepared data that has one, or the folder of either. Raises
    FileNotFoundError for a folder without a tokenizer, ValueError for a damaged one or for something else.
    """
    given = [_encoding(tokenizer) for tokenizer in tokenizers]
    if all(encoding.name != "gpt2" for encoding in given):
        given.insert(0, gpt2_tokenizer())
    return TokenExplorer(given, text)


def _encoding(given: Any) -> "tiktoken.Encoding":
    if isinstance(given, str | Path):
        path = Path(given) / "tokenizer.json"
        if not path.exists():
            raise FileNotFoundError(f"{given} holds no tokenizer.json; give the folder of a run or of prepared data")
        return load_tokenizer(path)
    found = getattr(given, "tokenizer", given)
    if not hasattr(found, "decode_single_token_bytes"):
        kind = type(given).__name__
        raise ValueError(f"{kind} is not a tokenizer; give a tiktoken.Encoding, a run or data, or the folder of one")
    return found


class Piece(NamedTuple):
    """A token of a text."""

    id: int
    data: bytes
    part_of: str
    """The characters that it holds parts of; empty where all are whole."""


def pieces(encoding: "tiktoken.Encoding", text: str) -> tuple[list[Piece], int, int]:
    """The first SHOWN tokens of a text, and how many tokens and bytes it has in all."""
    ids = encoding.encode_ordinary(text)
    tokens = encoding.decode_tokens_bytes(ids)
    data, start, found = b"".join(tokens), 0, []
    for i, token in list(zip(ids, tokens, strict=True))[:SHOWN]:
        found.append(Piece(i, token, "" if _is_whole(token) else _around(data, start, start + len(token))))
        start += len(token)
    return found, len(ids), len(data)


def _is_whole(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _around(data: bytes, start: int, end: int) -> str:
    """The characters in which these bytes lie: a byte 10xxxxxx is never the first of one."""
    while data[start] & 0xC0 == 0x80:
        start -= 1
    while end < len(data) and data[end] & 0xC0 == 0x80:
        end += 1
    return data[start:end].decode()


def readable(data: bytes) -> str:
    """A token with its spaces and invisible characters to be seen; parts of a character as hexadecimal bytes."""
    if not _is_whole(data):
        return _hex(data)
    text = data.decode()
    shown = "".join(MARKS.get(c) or (c if c.isprintable() else f"U+{ord(c):04X}") for c in text)
    return f"◌{shown}" if text and unicodedata.combining(text[0]) else shown


class TokenExplorer(Shown):
    """The widget: `widget` is what is shown, the rest is for whoever tests it."""

    def __init__(self, encodings: list["tiktoken.Encoding"], text: str):
        self.status = Status()
        self.following = Following(self.status.say, self._state, self._draw)
        self.text = widgets.Textarea(text, description="Text", rows=3, layout=widgets.Layout(width="auto"))
        self.cuts = [Cut(encoding, self.following.changed) for encoding in encodings]
        self.text.observe(self.following.changed, "value")
        self.following.now()
        legend, beside = widgets.HTML(LEGEND), widgets.HBox([cut.widget for cut in self.cuts], layout=_BESIDE)
        box = widgets.VBox([style_sheet(), self.text, self.status.widget, beside, legend], layout=WIDE)
        super().__init__(box, self._picture)

    def _state(self) -> tuple:
        return self.text.value, *(cut.place.value for cut in self.cuts)

    def _draw(self, text: str, *_: int) -> None:
        for cut in self.cuts:
            cut.show(text)
        self.status.say("" if text else "the text is empty; type something to cut")

    def _picture(self) -> tuple[Axes, str]:
        """The first bytes of the text as bricks."""
        data = (self.text.value or TEXT).encode(errors="replace")
        first = data[:IN_PICTURE].decode(errors="ignore")  # a character that is cut in two is left out
        of = "" if len(data) <= IN_PICTURE else f", the first {len(first.encode())} bytes"
        tokens = [cut.encoding.decode_tokens_bytes(cut.encoding.encode_ordinary(first)) for cut in self.cuts]
        rows = {cut.title + of: cut_up for cut, cut_up in zip(self.cuts, tokens, strict=True)}
        return plot_bricks(rows), describe_bricks(rows)


_BESIDE = widgets.Layout(width="100%", flex_flow="row wrap", grid_gap="0.25rem 0.75rem")


class Cut:
    """One tokenizer's tokens. `changed` is called when another token is chosen."""

    def __init__(self, encoding: "tiktoken.Encoding", changed: Callable[[Any], None]):
        self.encoding, self._text, self._pieces = encoding, None, []
        self.title = f"{'GPT-2' if encoding.name == 'gpt2' else encoding.name}, vocabulary of {encoding.n_vocab:,}"
        self.counts, self.facts = Status(), Status()
        self.view = widgets.HTML(layout=widgets.Layout(width="auto"))
        self.place = widgets.BoundedIntText(
            value=0, min=0, max=0, description="Token", layout=widgets.Layout(width="11rem"),
            tooltip=f"Which token of {self.title}: type its number, or use the arrow keys",
        )  # fmt: skip
        self.place.observe(changed, "value")
        title = widgets.HTML(f'<div class="nanogpt-title">{escape(self.title)}</div>')
        self.widget = widgets.VBox(
            [title, self.counts.widget, self.view, self.place, self.facts.widget],
            layout=widgets.Layout(flex="1 1 20rem", min_width="18rem"),
        )

    def show(self, text: str) -> None:
        """Show a text's tokens, the chosen one marked, and say what it is."""
        if text != self._text:
            self._pieces, count, size = pieces(self.encoding, text)
            self._text = text
            self.counts.say(_counted(count, len(text), size))
            self._bound(len(self._pieces))
        place = self.place.value
        boxes = [_brick(i, piece, i == place) for i, piece in enumerate(self._pieces, 1)]
        label = escape(f"Tokens of {self.title}", quote=True)
        self.view.value = (
            f'<div class="nanogpt-bricks" role="region" tabindex="0" aria-label="{label}">{"".join(boxes)}</div>'
        )
        self.facts.say(_said(place, len(self._pieces), self._pieces[place - 1]) if place else "")

    def _bound(self, count: int) -> None:
        """Let the tokens from 1 to `count` be chosen; 0 where there are none."""
        self.place.min = 0
        self.place.max = count
        self.place.min = min(1, count)
        self.place.disabled = count == 0


def _counted(count: int, characters: int, size: int) -> str:
    if not count:
        return "no tokens"
    all_of_it = f"{_many(count, 'token')} for {_many(characters, 'character')}, {_many(size, 'byte')}"
    said = f"{all_of_it}: {size / count:.2f} bytes per token"
    return said + (f"; the first {SHOWN:,} are shown, the rest is cut off" if count > SHOWN else "")


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _brick(place: int, piece: Piece, chosen: bool) -> str:
    css = f"brick b{place % TINTS}{' part' if piece.part_of else ''}{' chosen' if chosen else ''}"
    tip = escape(f"token {place}: id {piece.id}, bytes {_hex(piece.data)}", quote=True)
    end = "<br>" if piece.data.endswith(b"\n") else ""
    return f'<span class="{css}" title="{tip}">{escape(readable(piece.data))}<small>{piece.id}</small></span>{end}'


def _said(place: int, count: int, piece: Piece) -> str:
    part = f", part of '{readable(piece.part_of.encode())}'" if piece.part_of else ""
    size = _many(len(piece.data), "byte")
    return f"token {place:,} of {count:,}: '{readable(piece.data)}'{part}, id {piece.id}, {size} {_hex(piece.data)}"


def _hex(data: bytes) -> str:
    return data.hex(" ").upper()
