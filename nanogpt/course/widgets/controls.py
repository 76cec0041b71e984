"""The parts that widgets are put together from: a number to slide or to type, a status line, and a still picture."""

import os
from base64 import b64encode
from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Any

import ipywidgets as widgets
from matplotlib.axes import Axes

from nanogpt.course.plots.canvas import as_png

STYLE = Path(__file__).with_name("widgets.css")
WIDE = widgets.Layout(width="calc(100% - 4px)")  # all but the margins that ipywidgets gives everything


class Number:
    """A number to slide, and beside it a labelled box to type it in; `value` is what both say."""

    def __init__(self, label: str, value: float, least: float, most: float, step: float, what: str = ""):
        whole = all(isinstance(x, int) for x in (value, least, most, step))
        slider_type = widgets.IntSlider if whole else widgets.FloatSlider
        box_type = widgets.BoundedIntText if whole else widgets.BoundedFloatText
        bounds = {"value": value, "min": least, "max": most, "step": step}
        self.slider = slider_type(**bounds, readout=False, layout=widgets.Layout(width="9rem"), tooltip=label)
        self.box = box_type(
            **bounds, description=label, tooltip=what or label, style={"description_width": "7.5rem"},
            layout=widgets.Layout(width="13rem"),
        )  # fmt: skip
        rounded = (lambda x: x) if whole else (lambda x: round(x, 6))  # a slider makes 0.9000000000000001 of steps
        widgets.link((self.slider, "value"), (self.box, "value"), transform=(rounded, rounded))
        self.widget = widgets.HBox([self.box, self.slider])

    @property
    def value(self) -> float:
        """The number as it stands."""
        return self.box.value

    def observe(self, callback: Callable[[Any], None]) -> None:
        """Call back once for each change."""
        self.box.observe(callback, "value")


class Status:
    """A line that says what is going on; screen readers are told when it changes."""

    def __init__(self, text: str = ""):
        self.widget = widgets.HTML(layout=WIDE)
        self.text = ""
        self.say(text)

    def say(self, text: str) -> None:
        """Show a sentence, as text."""
        self.text = text
        self.widget.value = (
            f'<div class="nanogpt-status" role="status" aria-live="polite">{escape(text) or "&nbsp;"}</div>'
        )


def button(label: str, what: str, style: str = "") -> widgets.Button:
    """A button that says in its tooltip what it does."""
    return widgets.Button(description=label, tooltip=what, button_style=style, layout=widgets.Layout(width="auto"))


def style_sheet() -> widgets.HTML:
    """The widgets' own style; each widget carries it, so that it stands alone."""
    return widgets.HTML(f"<style>{STYLE.read_text(encoding='utf-8')}</style>", layout=widgets.Layout(display="none"))


class Shown:
    """A widget with a still picture for pages that don't run: GitHub, an HTML export, the notebook before it is run.

    With NANOGPT_PICTURES=1, as `make notebooks` has it, the picture alone is stored.
    """

    def __init__(self, widget: widgets.Widget, picture: Callable[[], tuple[Axes, str]]):
        self.widget, self.picture = widget, picture

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        axes, alt = self.picture()
        bundle: dict[str, Any] = {"image/png": b64encode(as_png(axes)).decode(), "text/plain": alt}
        if os.environ.get("NANOGPT_PICTURES") != "1":
            bundle |= self.widget._repr_mimebundle_() or {}
            bundle["text/plain"] = alt
        return bundle, {"image/png": {"alt": alt}}
