"""The attention viewer: where each head of each layer looks in a text, token by token."""

import copy
import threading
import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import ipywidgets as widgets
import torch
from matplotlib.axes import Axes
from torch import Tensor

from nanogpt.course.plots.attention import (
    describe_attention,
    describe_side_by_side,
    plot_attention,
    plot_side_by_side,
)
from nanogpt.course.widgets.controls import WIDE, Shown, Status, button, style_sheet
from nanogpt.course.widgets.heads import hover_rules, legend_html, maps_html, percent, tokens_html, visible
from nanogpt.course.widgets.work import Work, told
from nanogpt.model import GPT
from nanogpt.runs import Run, load_run

TEXT = "The dog saw the cat, and the cat saw the dog."
SHOWN = 64  # tokens, the last of a text; more are not to be taken in
IN_PICTURE = 32  # and of these the last, in the still picture


class Reading(NamedTuple):
    """What is looked at: weights (L, H, T, T), the T tokens, and what is to be said of them."""

    weights: Tensor
    tokens: list[str]
    note: str = ""


def attention_viewer(
    model: Run | GPT | str | Path | None = None,
    tokenizer: Any = None,
    text: str = TEXT,
    *,
    weights: Tensor | None = None,
    tokens: Sequence[str] | None = None,
) -> "AttentionViewer":
    """Look at the attention of a run, a run folder, or a model with its tokenizer, on a text that can be changed.

    Or at weights (L, H, T, T) that are there already, over T tokens. The model is left as it is: it isn't trained,
    switched or hooked. Raises ValueError for what can't be looked at.
    """
    if (model is None) == (weights is None):
        raise ValueError("the viewer needs a run or model, or weights=, and not both; give one of the two")
    if weights is not None:
        return AttentionViewer(_given(weights, tokens))
    if isinstance(model, str | Path):
        model = load_run(model)
    if isinstance(model, Run):
        model, tokenizer = model.model, model.tokenizer
    if not hasattr(model, "attention_weights"):
        raise ValueError(f"{type(model).__name__} has no attention_weights; give a run or a GPT, or weights=")
    if tokenizer is None:
        raise ValueError("a model alone can't read a text; give its tokenizer too, or the run")
    return AttentionViewer(read_text(model, tokenizer, text), model, tokenizer, text)


def read_text(model: GPT, tokenizer: Any, text: str) -> Reading:
    """All attention weights of a model on the last tokens of a text, as `GPT.attention_weights` writes them out.

    A model in training is copied first, since dropout would drop some weights. Raises ValueError for an empty text.
    """
    ids = tokenizer.encode_ordinary(text)
    if not ids:
        raise ValueError("the text is empty; type at least one character to read")
    T = min(SHOWN, model.config.context_length)
    kept = ids[-T:]
    if any(module.training for module in model.modules()):
        model = copy.deepcopy(model).eval()
    with torch.inference_mode():
        token_ids = torch.tensor([kept], device=model.token_embedding.weight.device)  # (1, T)
        weights = model.attention_weights(token_ids)[:, 0].float().cpu()  # (L, 1, H, T, T) -> (L, H, T, T)
    tokens = [tokenizer.decode_single_token_bytes(i).decode("utf-8", errors="replace") for i in kept]
    note = f"the text has {len(ids)} tokens; only its last {T} are read" if len(ids) > T else ""
    return Reading(weights, tokens, note)


def _given(weights: Tensor, tokens: Sequence[str] | None) -> Reading:
    """Weights that were handed over, checked and cut to the last tokens."""
    try:
        weights = torch.as_tensor(weights)
    except (TypeError, ValueError, RuntimeError):
        raise ValueError(f"weights is a {type(weights).__name__}; give a tensor of numbers, (L, H, T, T)") from None
    if weights.ndim != 4 or weights.size(-1) != weights.size(-2) or 0 in weights.shape:
        raise ValueError(f"weights have the shape {tuple(weights.shape)}; give (layers, heads, tokens, tokens)")
    T = weights.size(-1)
    try:
        tokens = list(map(str, range(T))) if tokens is None else list(tokens)
    except TypeError:
        raise ValueError(f"tokens is {tokens!r}; give a list of {T} texts, one for each token") from None
    if len(tokens) != T:
        raise ValueError(f"there are {len(tokens)} tokens and weights of {T}; give a token for each")
    if wrong := [token for token in tokens if not isinstance(token, str)]:
        raise ValueError(f"tokens holds {wrong[0]!r}, which is no text; give the text of each token, like ' cat'")
    note = f"the weights are of {T} tokens; only the last {SHOWN} are shown" if T > SHOWN else ""
    return Reading(weights.detach().float().cpu()[..., -SHOWN:, -SHOWN:], tokens[-SHOWN:], note)


class AttentionViewer(Shown):
    """The widget: `widget` is what is shown, the rest is for whoever tests it."""

    def __init__(self, reading: Reading, model: GPT | None = None, tokenizer: Any = None, text: str = ""):
        self.reading, self._model, self._tokenizer = reading, model, tokenizer
        self._scope, self._lock = f"nanogpt-attention-{uuid.uuid4().hex[:8]}", threading.RLock()
        self.status = Status(reading.note)
        self.work = Work(self.status.say, self._reading)
        self.text = widgets.Textarea(text, description="Text", rows=2, layout=WIDE)
        self.read = button("Read", "Let the model read the text", "primary")
        self.read.layout.flex = "0 0 auto"  # however long the line beside it
        L, H, T, _ = reading.weights.shape
        self.layer = _chooser("Layer", 0, L - 1, "Which layer to look at; the arrow keys change it")
        self.head = _chooser("Head", 0, H - 1, "Which head of the layer to look at; the arrow keys change it")
        self.token = _chooser("Token", T - 1, T - 1, "Whose attention to show; the arrow keys go from token to token")
        self.view, self.maps, legend = (widgets.HTML(layout=WIDE) for _ in range(3))
        self.rules, legend.value = widgets.HTML(layout=_HIDDEN), legend_html()
        self.facts = Status()
        choosers = widgets.HBox([self.layer, self.head, self.token], layout=_WRAP)
        reads = [self.text, widgets.HBox([self.read, self.status.widget])]
        looks = [choosers, self.rules, self.view, self.facts.widget, self.maps, legend]
        parts = [*reads, *looks] if model is not None else [*looks, self.status.widget]
        self.widget = widgets.VBox([style_sheet(), *parts], layout=WIDE)
        for name in ("nanogpt-attention", self._scope):
            self.widget.add_class(name)
        self.read.on_click(told(self.status.say)(self._read))
        for box, draw in ((self.layer, self._draw), (self.head, self._draw), (self.token, self._draw_tokens)):
            box.observe(told(self.status.say)(lambda _, draw=draw: draw()), "value")
        self._draw()
        super().__init__(self.widget, self._picture)

    def _read(self, _: Any) -> None:
        """Read the text in the thread, and look from its last token."""
        text = self.text.value

        def job(stop: threading.Event) -> None:
            self.status.say("reading ...")
            start = time.perf_counter()
            reading = read_text(self._model, self._tokenizer, text)
            took = time.perf_counter() - start
            if stop.is_set():
                return
            with self._lock:
                self.reading = reading
                self.token.max = self.token.value = len(reading.tokens) - 1
                self._draw()
            done = f"{len(reading.tokens)} tokens read in {1000 * took:.0f} ms"
            self.status.say("; ".join([done, *([reading.note] if reading.note else [])]))

        if not self.work.begin(job):
            self.status.say("still reading; wait for it to end")

    def _reading(self, now: bool) -> None:
        self.read.disabled = now

    def _draw(self) -> None:
        """Draw all that depends on the layer and the head."""
        with self._lock:
            weights = self.reading.weights[self.layer.value]  # (H, T, T)
            self.rules.value = hover_rules(weights[self.head.value], self._scope)
            self.maps.value = maps_html(weights, self.layer.value, self.head.value)
            self._draw_tokens()

    def _draw_tokens(self) -> None:
        """Draw the tokens as the chosen one sees them, and say in words where it looks."""
        with self._lock:
            weights, tokens, _ = self.reading
            looking = min(self.token.value, len(tokens) - 1)
            row = weights[self.layer.value, self.head.value, looking]  # (T,)
            self.view.value = tokens_html(tokens, row, looking, self._scope)
            self.facts.say(f"Layer {self.layer.value}, head {self.head.value}: {_said(tokens, row, looking)}")

    def _picture(self) -> tuple[Axes, str]:
        """All heads of the layer side by side where they are few and the tokens short, else the chosen head."""
        weights, tokens, _ = self.reading
        weights, layer = weights[self.layer.value, :, -IN_PICTURE:, -IN_PICTURE:], f"layer {self.layer.value}"
        tokens = tokens[-IN_PICTURE:]
        if len(weights) <= 3 and len(tokens) <= 20 and all(len(visible(token)) == 1 for token in tokens):
            panels = {f"{layer}, head {h}": head for h, head in enumerate(weights)}
            return plot_side_by_side(panels, tokens), describe_side_by_side(panels, tokens)
        title, chosen = f"{layer}, head {self.head.value}", weights[self.head.value]
        return plot_attention(chosen, tokens, title), describe_attention(chosen, tokens, title)


_WRAP = widgets.Layout(flex_flow="row wrap", width="100%")
_HIDDEN = widgets.Layout(display="none")


def _chooser(label: str, value: int, most: int, what: str) -> widgets.BoundedIntText:
    """A labelled number box, from 0 to `most`."""
    layout = widgets.Layout(width="9rem")
    style = {"description_width": "3.5rem"}
    return widgets.BoundedIntText(value, min=0, max=most, description=label, tooltip=what, layout=layout, style=style)


def _said(tokens: list[str], row: Tensor, looking: int) -> str:
    """Where a token looks most, in words: row (T,)."""
    best = row.topk(min(3, len(tokens)))
    looks = [
        f"{'itself' if i == looking else f'{tokens[i]!r} (token {i})'} {percent(weight)}"
        for weight, i in zip(best.values.tolist(), best.indices.tolist(), strict=True)
        if weight >= 0.01
    ]
    outside = 1 - row.sum().item()
    if outside >= 0.01:
        looks.append(f"tokens that are not shown {percent(outside)}")
    return f"token {looking}, {tokens[looking]!r}, looks most at {', '.join(looks) or 'nothing'}"
