"""Where two models part: one report as bars, several as strips; and matrices as two libraries lay them out."""

import math

from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from nanogpt.course.plots.canvas import BLUE, GREEN, GREY, INK, ORANGE, new_axes
from nanogpt.divergence import Divergence, Layer

FLOOR, TOP = 1e-9, 10.0  # relative differences are drawn between these
SAME = {"facecolor": "white", "edgecolor": GREEN, "hatch": "////", "linewidth": 0.8}
FIRST = {"facecolor": ORANGE, "edgecolor": INK, "linewidth": 1.2}
AFTER = {"facecolor": "#E3E3E3", "edgecolor": GREY, "linewidth": 0.8}
SMALL = {"fontsize": 9, "color": INK}


def plot_divergence(divergence: Divergence, axes: Axes | None = None) -> Axes:
    """How far two models are apart at each place, from top to bottom in the order of computation.

    Hatched green bars are the same, the solid one is the first that differs, plain grey ones come after it.
    """
    layers, first = divergence.layers, divergence.first
    axes = axes or new_axes(7.5, 0.165 * len(layers) + 1.0)
    beside = {"xytext": (6, 0), "textcoords": "offset points", "va": "center", **SMALL}
    for row, layer in enumerate(layers):
        value = _clamped(layer)
        axes.barh(row, value - FLOOR, left=FLOOR, height=0.78, **_style(layer, first))
        if layer is first:
            axes.annotate(f"differs first: {layer.relative:.2g}", (value, row), fontweight="bold", **beside)
    same = [row for row, layer in enumerate(layers) if not layer.parted]
    if len(same) > 1:
        axes.annotate("the same, to rounding", (divergence.tolerance, sum(same) / len(same)), **beside)
    axes.axvline(divergence.tolerance, color=INK, linewidth=1.2, linestyle=(0, (4, 3)))
    axes.annotate(f"tolerance {divergence.tolerance:.0e}", (divergence.tolerance, 1), xytext=(0, 4), ha="center",
                  xycoords=("data", "axes fraction"), textcoords="offset points", **SMALL)  # fmt: skip
    for block, rows in _blocks(layers).items():
        axes.axhspan(rows[0] - 0.5, rows[-1] + 0.5, color="#F4F4F4" if int(block) % 2 == 0 else "white", zorder=0)
        axes.annotate(f"block {block}", (1, sum(rows) / len(rows)), xycoords=("axes fraction", "data"), rotation=90,
                      **beside)  # fmt: skip
    axes.set_yticks(range(len(layers)), [_inside(layer.name) for layer in layers], fontsize=9, family="monospace")
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False)
    axes.set(xscale="log", xlim=(FLOOR, 100 * TOP), ylim=(len(layers) - 0.4, -0.6))
    axes.set_xticks([10.0**power for power in range(-9, 2, 2)])
    axes.set_xlabel("largest difference, as a share of the values' size")
    return axes


def describe_divergence(divergence: Divergence) -> str:
    """The report in words: what is the same, what differs first, and by how much."""
    layers, first = divergence.layers, divergence.first
    start = f"Bar chart over {len(layers)} places of two models in the order of computation: "
    if first is None:
        worst = max(layer.relative for layer in layers)
        return f"{start}all are the same, and the largest difference is {worst:.2g} of the values' size."
    after = sum(layer.parted for layer in layers) - 1
    return (
        f"{start}the first {layers.index(first)} are the same, then {first.name} differs by {first.relative:.2g} "
        f"of the values' size, and {after} places after it differ too."
    )


def plot_divergences(reports: dict[str, Divergence], axes: Axes | None = None) -> Axes:
    """Several reports, by title, as strips over the places of the models from left to right.

    A bar's height is the difference on a log scale. Hatched is the same, solid the first that differs,
    which is named at the strip's right, and plain what comes after.
    """
    axes = axes or new_axes(7.5, 0.86 * len(reports) + 0.7)
    layers = next(iter(reports.values())).layers
    words = {"va": "center", "bbox": {"color": "white", "pad": 1}, **SMALL}
    for strip, (title, report) in enumerate(reports.items()):
        first = report.first
        for place, layer in enumerate(report.layers):
            axes.bar(place, _height(layer), bottom=-strip, width=0.8, **_style(layer, first))
        axes.axhline(-strip, color=GREY, linewidth=0.8)
        axes.text(-0.3, 0.79 - strip, title, fontweight="bold", **words)
        verdict = f"first: {first.name}" if first else "the same everywhere"
        axes.text(len(layers) - 0.6, 0.79 - strip, verdict, ha="right", family="monospace", **words)
    blocks = _blocks(layers)
    for rows in blocks.values():
        for edge in (rows[0] - 0.5, rows[-1] + 0.5):
            axes.axvline(edge, color=GREY, linewidth=0.8, linestyle=(0, (1, 3)), zorder=0)
    axes.set_xticks([sum(rows) / len(rows) for rows in blocks.values()], [f"block {b}" for b in blocks], fontsize=9)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="x", length=0)
    axes.grid(visible=False)
    axes.set(xlim=(-0.9, len(layers) - 0.3), ylim=(0.94 - len(reports), 1.0))
    axes.set_xlabel("places in the order of computation (height of a bar: difference, log scale)")
    return axes


def describe_divergences(reports: dict[str, Divergence]) -> str:
    """The strips in words: for each title the first place that differs."""
    said = [
        f"{title}: {report.first.name} ({report.first.relative:.2g})" if report.first else f"{title}: nowhere"
        for title, report in reports.items()
    ]
    return f"{len(reports)} strips of bars, one for each change. The first place that differs, by {'; '.join(said)}."


def plot_layouts(shapes: dict[str, tuple[int, int]], axes: Axes | None = None) -> Axes:
    """Matrices to scale: above as GPT-2's file keeps them, (in, out), below as torch's Linear does, (out, in).

    A dot marks one and the same number of each matrix in both layouts.
    """
    axes = axes or new_axes(7.5, 4.2)
    widest = max(max(shape) for shape in shapes.values())
    lower, x = -1.32 * max(n_in for n_in, _ in shapes.values()), 0.0  # where the second row and a column begin
    for name, (n_in, n_out) in shapes.items():
        column, square = max(n_in, n_out), n_in == n_out
        middle = x + column / 2
        _draw_matrix(axes, middle, 0.0, n_in, n_out, square, upper=True)
        _draw_matrix(axes, middle, lower, n_out, n_in, square, upper=False)
        said = "\nthe same outline:\nshape can't tell" if square else ""
        axes.text(middle, -n_in - 0.04 * widest, f"{n_in} x {n_out}", ha="center", va="top", **SMALL)
        axes.text(middle, lower - n_out - 0.04 * widest, f"{n_out} x {n_in}{said}", ha="center", va="top", **SMALL)
        axes.text(middle, 0.05 * widest, name, ha="center", va="bottom", fontsize=10, family="monospace",
                  fontweight="bold" if square else "normal")  # fmt: skip
        x += column + 0.45 * widest
    for y, words in {0.0: "in the file\n(in, out)", lower: "in torch's Linear\n(out, in)"}.items():
        axes.text(-0.2 * widest, y, words, ha="right", va="top", **SMALL)
    bottom = lower - max(n_out for _, n_out in shapes.values()) - 0.2 * widest
    axes.set(xlim=(-0.95 * widest, x - 0.35 * widest), ylim=(bottom, 0.2 * widest), aspect="equal")
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    axes.grid(visible=False)
    return axes


def describe_layouts(shapes: dict[str, tuple[int, int]]) -> str:
    """The two layouts in words."""
    turned = [f"{name} {a} by {b} becomes {b} by {a}" for name, (a, b) in shapes.items() if a != b]
    square = [
        f"{name} is {a} by {b} in both, only its numbers change places" for name, (a, b) in shapes.items() if a == b
    ]
    return f"Rectangles to scale, in the file above and in torch's Linear below: {', '.join(turned + square)}."


def _draw_matrix(axes: Axes, middle: float, top: float, rows: int, columns: int, square: bool, upper: bool) -> None:
    """A rectangle of `rows` by `columns`, with a dot in its upper right or lower left corner."""
    how = {"edgecolor": ORANGE, "hatch": "xx", "linewidth": 2} if square else {"edgecolor": BLUE, "linewidth": 1.2}
    axes.add_patch(Rectangle((middle - columns / 2, top - rows), columns, rows, facecolor="white", **how))
    inset = 0.13 * min(rows, columns)
    across, down = columns / 2 - inset, rows / 2 - inset
    sign = 1 if upper else -1
    axes.plot(middle + sign * across, top - rows / 2 + sign * down, "o", color=INK, markersize=6)


def _style(layer: Layer, first: Layer | None) -> dict:
    return FIRST if layer is first else AFTER if layer.parted else SAME


def _clamped(layer: Layer) -> float:
    """The relative difference within what is drawn; what is no number counts as the largest."""
    value = layer.relative
    return min(max(value, 1.3 * FLOOR), TOP) if math.isfinite(value) else TOP


def _height(layer: Layer) -> float:
    """0 to 0.66 of a strip, by the logarithm of the difference."""
    return 0.66 * math.log(_clamped(layer) / FLOOR) / math.log(TOP / FLOOR)


def _blocks(layers: list[Layer]) -> dict[str, list[int]]:
    """The blocks' numbers -> the places of each."""
    rows: dict[str, list[int]] = {}
    for i, layer in enumerate(layers):
        if layer.name.startswith("blocks."):
            rows.setdefault(layer.name.split(".")[1], []).append(i)
    return rows


def _inside(name: str) -> str:
    """blocks.2.mlp.up -> mlp.up, and blocks.2 -> output."""
    return (".".join(name.split(".")[2:]) or "output") if name.startswith("blocks.") else name
