"""What every picture of the course is drawn on: colours, axes, and how a figure is shown with its words."""

import io
from base64 import b64encode

from matplotlib.axes import Axes
from matplotlib.figure import Figure

# Okabe and Ito's colours, which stay apart for every kind of colour vision.
INK, BLUE, ORANGE, GREEN, PURPLE, GREY = "#222222", "#0072B2", "#D55E00", "#009E73", "#AA4499", "#8A8A8A"
DPI = 110
SHADES = 128  # colours of a stored picture; more can't be told apart and cost bytes


def new_axes(width: float = 7.5, height: float = 3.8) -> Axes:
    """Axes of a plain figure, in inches: white ground, two spines, light grid."""
    return new_panels(1, width, height)[0]


def new_panels(count: int, width: float = 7.5, height: float = 3.8, **sharing: bool) -> list[Axes]:
    """`count` axes side by side in one figure; `sharing` is matplotlib's sharex and sharey."""
    figure = Figure(figsize=(width, height), dpi=DPI, facecolor="white", layout="constrained")
    panels = list(figure.subplots(1, count, squeeze=False, **sharing)[0])
    for axes in panels:
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(colors=INK)
        axes.grid(axis="y", color="#E4E4E4", linewidth=0.8)
        axes.set_axisbelow(True)
    return panels


def show(axes: Axes, alt: str, display_id: str | None = None, update: bool = False) -> None:
    """Show the figure in the notebook, with `alt` as the text for those who don't see it."""
    from IPython.display import publish_display_data

    publish_display_data(
        {"image/png": b64encode(as_png(axes)).decode(), "text/plain": alt},
        metadata={"image/png": {"alt": alt}},
        transient={"display_id": display_id} if display_id else None,
        update=update,
    )


def as_png(axes: Axes) -> bytes:
    """The whole figure of these axes as a PNG of few colours, a third of the usual size."""
    from PIL import Image

    drawn, packed = io.BytesIO(), io.BytesIO()
    axes.figure.savefig(drawn, format="png")
    Image.open(drawn).convert("RGB").quantize(SHADES).save(packed, format="png", optimize=True)
    return packed.getvalue()


def visible(token: str) -> str:
    """A token as it can be read on a chart: spaces and line breaks shown, dollar signs kept from TeX."""
    return token.replace(" ", "␣").replace("\n", "⏎").replace("$", r"\$") or "∅"
