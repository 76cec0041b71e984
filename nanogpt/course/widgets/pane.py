"""A text of the playground as one sees it: live, then token by token with probabilities, and five ways to part."""

from collections.abc import Callable
from html import escape

import ipywidgets as widgets

from nanogpt.course.widgets.controls import WIDE, button
from nanogpt.course.widgets.samples import RIVALS, Drawn, Rival, Sample

COPY = (
    "navigator.clipboard.writeText(this.dataset.text)"
    ".then(() => {this.textContent = 'Copied'; setTimeout(() => {this.textContent = 'Copy'}, 1500)})"
)
TIPS = 400  # tokens, the newest, that carry a tip to hover over


class Pane:
    """Shows one sample. `branch(place, rival)` is called when a rival is chosen."""

    def __init__(self, title: str, branch: Callable[[int, Rival], None]):
        self.title, self.sample, self._branch = title, None, branch
        self.view = widgets.HTML(layout=WIDE)
        self.facts = widgets.HTML(layout=WIDE)
        self.place = widgets.BoundedIntText(
            value=0, min=0, max=0, description="Token", disabled=True, layout=widgets.Layout(width="11rem"),
            tooltip="Which token to look at: type its number, or use the arrow keys",
        )  # fmt: skip
        self.rivals = [button("", "Go on with this token instead") for _ in range(RIVALS)]
        for i, rival in enumerate(self.rivals):
            rival.on_click(lambda _, i=i: self._chosen(i))
        self.copy = widgets.HTML()
        self.place.observe(lambda _: self._look(), "value")
        self.widget = widgets.VBox(
            [self.view, widgets.HBox([self.place, self.copy]), self.facts, widgets.HBox(self.rivals, layout=_WRAP)],
            layout=widgets.Layout(flex="1 1 24rem", min_width="18rem", overflow="visible"),  # for the last line's tips
        )
        self.show(None)

    def show(self, sample: Sample | None) -> None:
        """Show a whole sample, its tokens to be looked at; None clears the pane."""
        self.sample = sample
        count = len(sample.tokens) if sample else 0
        self.place.disabled = count == 0
        with self.place.hold_trait_notifications():  # the bounds pass each other on the way, and one drawing is enough
            self.place.min, self.place.max, self.place.value = min(1, count), count, count
        self._look()
        text = sample.prompt + sample.text if sample else ""
        self.copy.value = (
            '<button type="button" class="nanogpt-copy" title="Copy the text, prompt and all" '
            f'data-text="{escape(text, quote=True)}" '
            f'onclick="{COPY}">'
            "Copy</button>"
        )

    def stream(self, sample: Sample) -> None:
        """Show what there is of a sample that is being written: text alone, which is quick to send."""
        self.view.value = self._frame(
            f'<span class="prompt">{escape(sample.prompt)}</span>{escape(sample.text)}', sample
        )

    def _look(self) -> None:
        """Draw the text with the chosen token marked, and say what it was drawn from."""
        if self.sample is None:
            self.view.value, self.facts.value = self._frame("", None), _facts("")
            tokens, token = [], None
        else:
            tokens = self.sample.tokens
            token = tokens[self.place.value - 1] if 0 < self.place.value <= len(tokens) else None
            first = len(tokens) - TIPS
            parts = [_token(t, i + 1 if i >= first else None, i == self.place.value - 1) for i, t in enumerate(tokens)]
            self.view.value = self._frame(
                f'<span class="prompt">{escape(self.sample.prompt)}</span>{"".join(parts)}', self.sample
            )
            self.facts.value = _facts(_said(self.place.value, len(tokens), token) if token else "")
        for i, rival in enumerate(self.rivals):
            known = token is not None and i < len(token.rivals)
            rival.disabled = not known
            rival.description = f"{_quoted(token.rivals[i].text)} {share(token.rivals[i].p)}" if known else "-"

    def _chosen(self, i: int) -> None:
        if self.sample is not None and self.place.value:
            place = self.place.value - 1
            self._branch(place, self.sample.tokens[place].rivals[i])

    def _frame(self, inside: str, sample: Sample | None) -> str:
        name = escape(sample.model if sample else self.title, quote=True)
        head = f'<div class="nanogpt-name">{name}</div>'
        return f'{head}<div class="nanogpt-text" role="region" aria-label="Text of {name}">{inside}</div>'


_WRAP = widgets.Layout(flex_flow="row wrap")


def _token(token: Drawn, number: int | None, chosen: bool) -> str:
    """A token as HTML; one with a number tells it, its probability and its rivals to whoever hovers over it."""
    css = "token chosen" if chosen else "token"
    if number is None:
        return f'<span class="{css}">{escape(token.text)}</span>'
    rows = [f"{share(p):>6}  {_quoted(text)}" for _, text, p in [(0, token.text, token.p), *token.rivals]]
    lines = "\n".join([f"token {number}", *rows])
    tip = f'<span class="tip" aria-hidden="true">{escape(lines)}</span>'
    return f'<span class="{css}">{escape(token.text)}{tip}</span>'


def _said(place: int, count: int, token: Drawn) -> str:
    after = "chosen by you" if token.drawn_p is None else f"{share(token.drawn_p)} after the settings"
    return f"token {place} of {count}: {_quoted(token.text)}, {share(token.p)} to the model, {after}; instead:"


def share(p: float) -> str:
    """A probability in percent; one that would be rounded to none says so."""
    return f"{p:.1%}" if p >= 0.0005 or p == 0 else "<0.1%"


def _facts(text: str) -> str:
    return f'<div class="nanogpt-facts" role="status" aria-live="polite">{escape(text) or "&nbsp;"}</div>'


def _quoted(text: str) -> str:
    """A token's text with its ends and line breaks to be seen."""
    return repr(text) if text else "(part of a character)"
