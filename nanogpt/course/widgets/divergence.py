"""The first divergence: two models place by place, a tolerance that can be moved, and what the first gap means."""

import dataclasses
import math
from html import escape
from typing import Any

import ipywidgets as widgets
from matplotlib.axes import Axes

from nanogpt.course.plots.gpt2 import FLOOR, TOP, describe_divergence, plot_divergence
from nanogpt.course.widgets.controls import WIDE, Number, Shown, Status, style_sheet
from nanogpt.course.widgets.work import told
from nanogpt.divergence import Divergence, Layer

FOLDED = 50  # more places than these, and the blocks that tell nothing new are folded up
ROUNDING = 1e-5  # of the values' size: float32 makes less by adding in another order
SIGNS = {"same": "=", "differs first": "✗", "differs after": "·"}
LINEAR = "A matrix and a bias stand here: one of the two differs."
USUAL = {  # how a place's name ends -> what is usually wrong where it is the first that differs
    "embeddings": "One of the tables of tokens and positions differs, or is looked up in another way.",
    "norm": "A norm has a weight, a bias and an epsilon: one of these differs.",
    "attention.qkv": "A matrix and a bias make queries, keys and values: one differs, or has them in another order.",
    "attention.heads": "Queries, keys and values agree: they are split, scaled, masked or merged in another way.",
    "attention.proj": "A matrix and a bias stand here: one differs, or the matrix, a square, should be transposed.",
    "attention.sum": "What attention brought agrees: it is added to another stream, or not added.",
    "mlp.up": LINEAR,
    "mlp.gelu": "Its input agrees: the activation differs, such as the exact GELU from its tanh approximation.",
    "mlp.proj": LINEAR,
    "logits": "The features agree: the head differs, or is not the token embedding's own matrix.",
    "": "What the MLP brought agrees: it is added to another stream, or not added.",  # a block's output
}


def divergence_view(divergence: Divergence) -> "DivergenceView":
    """Look at what `compare_models` found: each place, the first that differs, and what another tolerance says."""
    return DivergenceView(divergence)


def judged(divergence: Divergence, tolerance: float) -> Divergence:
    """The same differences, held against another tolerance."""
    layers = [
        dataclasses.replace(layer, parted=not layer.difference <= tolerance * layer.scale)
        for layer in divergence.layers
    ]
    return Divergence(layers, tolerance)


def verdict(divergence: Divergence, layer: Layer) -> str:
    """What is to be said of one place: same, differs first, or differs after."""
    if not layer.parted:
        return "same"
    return "differs first" if layer is divergence.first else "differs after"


def meaning(divergence: Divergence) -> str:
    """Which place is the first that differs, between which two the error lies, and what it usually is."""
    layers, first = divergence.layers, divergence.first
    at = f"At a tolerance of {divergence.tolerance:.2g} of the values' size"
    before = layers[: layers.index(first)] if first else layers
    hidden = next((layer for layer in before if layer.relative > ROUNDING), None)
    hides = f" Yet {hidden.name} is off by {hidden.relative:.2g}, more than rounding makes." if hidden else ""
    if first is None:
        return f"{at} all {len(layers)} places are the same.{hides}"
    said = f"{at} {first.name} is the first that differs, by {first.relative:.2g}."
    if first.relative < ROUNDING:
        return f"{said} That is no more than float32 makes by rounding: the tolerance is too tight to tell an error."
    if hidden:
        return said + hides + " The error lies there or before: the tolerance is too wide to see it."
    between = f"between {before[-1].name} and {first.name}" if before else "in what comes first of all"
    return f"{said} The error lies {between}. {next(words for end, words in USUAL.items() if first.name.endswith(end))}"


class DivergenceView(Shown):
    """The widget: `widget` is what is shown, the rest is for whoever tests it."""

    def __init__(self, divergence: Divergence):
        self.given = self.divergence = divergence
        least, most = math.log10(FLOOR), math.log10(TOP)
        own = math.log10(divergence.tolerance) if divergence.tolerance > 0 else least
        self.tolerance = Number(
            "Tolerance 10^", own, min(least, own), max(most, own), 0.25,
            "The tolerance as a power of ten of the values' size: -5 is 1e-05",
        )  # fmt: skip
        self._start = self.tolerance.value
        count, first = len(divergence.layers), divergence.first
        self.place = widgets.BoundedIntText(
            value=divergence.layers.index(first) + 1 if first else 1, min=1, max=count, description="Place",
            tooltip="Which place to look at; the arrow keys go from one to the next",
            layout=widgets.Layout(width="13rem"), style={"description_width": "7.5rem"},
        )  # fmt: skip
        self.status, self.facts = Status(), Status()
        self.view = widgets.HTML(layout=WIDE)
        self.widget = widgets.VBox(
            [
                style_sheet(), self.tolerance.widget, self.status.widget, self.place, self.facts.widget, self.view,
            ],
            layout=WIDE,
        )  # fmt: skip
        self.tolerance.observe(told(self.status.say)(self._judge))
        self.place.observe(told(self.status.say)(lambda _: self._draw()), "value")
        self._judge()
        super().__init__(self.widget, self._picture)

    def _judge(self, _: Any = None) -> None:
        """Hold all differences against the tolerance as it stands; untouched, it is the report's own."""
        exponent = self.tolerance.value
        own = exponent == self._start
        self.divergence = judged(self.given, self.given.tolerance if own else 10.0**exponent)
        self.status.say(meaning(self.divergence))
        self._draw()

    def _draw(self) -> None:
        place = self.place.value - 1
        layer = self.divergence.layers[place]
        said = verdict(self.divergence, layer)
        self.facts.say(
            f"{layer.name}, place {place + 1} of {len(self.divergence.layers)}: largest difference "
            f"{layer.difference:.2g}, largest value {layer.scale:.2g}, so {layer.relative:.2g} of its size: {said}"
        )
        self.view.value = places_html(self.divergence, place)

    def _picture(self) -> tuple[Axes, str]:
        return plot_divergence(self.divergence), describe_divergence(self.divergence)


def places_html(divergence: Divergence, chosen: int) -> str:
    """Each place with its bar on a log scale, its difference and its verdict; the blocks one below the other."""
    groups: dict[str, list[int]] = {}
    for i, layer in enumerate(divergence.layers):
        inside = layer.name.startswith("blocks.")
        groups.setdefault("block " + layer.name.split(".")[1] if inside else layer.name, []).append(i)
    parts = [_group(divergence, title, places, chosen) for title, places in groups.items()]
    axis = "".join(f'<span style="left: {_across(10.0**power):.1f}%">1e{power}</span>' for power in range(-8, 1, 2))
    return (
        '<div class="nanogpt-places" role="group" aria-label="Places in the order of computation" '
        f'style="--tolerance: {_across(divergence.tolerance):.2f}%">{"".join(parts)}'
        '<div class="place axis" aria-hidden="true"><span></span><span></span>'
        f'<span>┆ tolerance {divergence.tolerance:.2g}</span><span class="track">{axis}</span></div></div>'
    )


def _group(divergence: Divergence, title: str, places: list[int], chosen: int) -> str:
    rows = "".join(_row(divergence, i, i == chosen) for i in places)
    if len(places) == 1:
        return f"<ul>{rows}</ul>"
    said = {verdict(divergence, divergence.layers[i]) for i in places}
    what = "differs first" if "differs first" in said else "differs after" if "differs after" in said else "same"
    unfold = len(divergence.layers) <= FOLDED or what == "differs first" or chosen in places
    return (
        f"<details{' open' if unfold else ''}><summary>{escape(title)}: {SIGNS[what]} {what}</summary>"
        f"<ul>{rows}</ul></details>"
    )


def _row(divergence: Divergence, i: int, chosen: bool) -> str:
    layer = divergence.layers[i]
    said = verdict(divergence, layer)
    kind = said.replace(" ", "-") + (" chosen" if chosen else "")
    return (
        f'<li class="place {kind}"><span>{"▸" if chosen else ""}{i + 1}</span><span>{escape(layer.name)}</span>'
        f"<span>{SIGNS[said]} {said} {layer.relative:.2g}</span>"
        f'<span class="track" aria-hidden="true"><span class="bar" style="width: {_across(layer.relative):.1f}%">'
        "</span></span></li>"
    )


def _across(value: float) -> float:
    """Where a relative difference lies on the log scale, in per cent; what is no number lies at its end."""
    if not math.isfinite(value):
        return 100.0
    return 100 * math.log(min(max(value, FLOOR), TOP) / FLOOR) / math.log(TOP / FLOOR)
