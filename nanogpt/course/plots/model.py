"""The whole model: where its numbers and its work sit, what a changed token reaches, and the test of one batch."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter
from torch import Tensor

from nanogpt.course.plots.canvas import BLUE, GREY, INK, ORANGE, PURPLE, new_axes, new_panels

# The look of a part: ground, hatching, ink of the text on it.
PARTS = {
    "vocabulary": ("#F3D9C9", "///", INK),
    "positions": (GREY, "", "white"),
    "attention": ("#CFE3F1", "", INK),
    "scores": ("white", "...", INK),
    "MLP": (BLUE, "", "white"),
    "norms": (INK, "", "white"),
}
CURVES = ((BLUE, "-", "o"), (ORANGE, "--", "s"), (PURPLE, ":", "^"))
NAMED_FROM = 0.055  # a share of the bar; anything narrower has no room for its name


def plot_shares(models: Mapping[str, Mapping[str, Mapping[str, int]]]) -> Axes:
    """For each model and each quantity (parameters, FLOPs) the counts of its parts, as bars that add up to 100%."""
    rows = [(model, quantity, parts) for model, counts in models.items() for quantity, parts in counts.items()]
    axes = new_axes(7.6, 0.72 * len(rows) + 1.0)
    places, ticks = [], []
    for i, (model, quantity, parts) in enumerate(rows):
        place = i + 0.45 * list(models).index(model)  # a gap between models
        places.append(place)
        total, left = sum(parts.values()), 0.0
        ticks.append(f"{model}\n{total / 1e6:,.1f}M {quantity}")
        for name, count in parts.items():
            ground, hatch, ink = PARTS[name]
            share = count / total
            axes.barh(place, share, left=left, height=0.78, color=ground, hatch=hatch, edgecolor=INK, linewidth=0.8)
            if share >= NAMED_FROM:
                axes.text(left + share / 2, place, f"{name}\n{share:.0%}", ha="center", va="center", fontsize=9,
                          color=ink, linespacing=1.25,
                          bbox={"facecolor": ground, "edgecolor": "none", "pad": 1.5} if hatch else None)  # fmt: skip
            elif share > 0.004:
                axes.annotate(f"{name} {share:.0%}", (left + share / 2, place - 0.39), xytext=(0, 2), ha="center",
                              textcoords="offset points", fontsize=9, color=INK)  # fmt: skip
            left += share
    axes.set_yticks(places, ticks, fontsize=9)
    axes.set_ylim(places[-1] + 0.5, -0.75)
    axes.tick_params(axis="y", length=0)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0%}"))
    axes.set(xlim=(0, 1), xlabel="share of the whole")
    axes.grid(visible=False)
    axes.spines["left"].set_visible(False)
    return axes


def describe_shares(models: Mapping[str, Mapping[str, Mapping[str, int]]]) -> str:
    """The shares in words."""
    parts = [
        f"{model}, {quantity}: "
        + ", ".join(f"{name} {count / sum(counts.values()):.0%}" for name, count in counts.items() if count)
        for model, quantities in models.items()
        for quantity, counts in quantities.items()
    ]
    return f"Stacked bars of where a model's parameters and its operations per token sit. {'; '.join(parts)}."


def plot_reach(panels: Mapping[str, Tensor]) -> Axes:
    """By title, how far the logits at each position (columns) move when a token (rows) is changed: (T, T) each.

    Darker is more, on a logarithmic scale; what does not move at all is left white.
    """
    row = new_panels(len(panels), 3.75 * len(panels), 3.9)
    largest = max(float(moved.max()) for moved in panels.values())
    for axes, (title, moved) in zip(row, panels.items(), strict=True):
        shade = np.ma.masked_equal(moved.numpy(), 0)
        shade = np.clip(0.25 + 0.75 * (1 + np.ma.log10(shade / largest) / 3), 0.25, 1)
        axes.imshow(shade, cmap="Blues", vmin=0, vmax=1)
        axes.set(xlabel="logits at this position", ylabel="token changed at")
        axes.set_title(title, fontsize=10, color=INK)
        axes.grid(visible=False)
        ticks = range(0, len(moved), max(1, len(moved) // 4))
        axes.set_xticks(ticks)
        axes.set_yticks(ticks)
        axes.spines[:].set_visible(True)
    return row[0]


def describe_reach(panels: Mapping[str, Tensor]) -> str:
    """The reach of a change in words."""
    parts = []
    for title, moved in panels.items():
        earlier = int((moved.tril(-1) > 0).sum())
        later = int((moved.triu() > 0).sum())
        parts.append(f"{title}: {later} pairs moved at or after the changed token, {earlier} before it")
    return f"Heat maps of which logits move when one token is changed. {'; '.join(parts)}."


def plot_overfit(curves: Mapping[str, Sequence[float]], levels: Mapping[str, float]) -> Axes:
    """Loss on one batch by step, on a logarithmic scale; levels are named lines across."""
    axes = new_axes(7.5, 4.0)
    steps = max(len(losses) for losses in curves.values())
    highest = max(levels.values())
    for name, level in levels.items():
        axes.axhline(level, color=GREY, linewidth=1, linestyle=(0, (5, 3)))
        axes.annotate(f"{name}: {level:.2f}", (1, level), xycoords=("axes fraction", "data"),
                      xytext=(-4, 3 if level == highest else -6), textcoords="offset points", ha="right",
                      va="bottom" if level == highest else "top", color=INK, fontsize=9)  # fmt: skip
    for place, ((name, losses), (colour, dashes, marker)) in enumerate(zip(curves.items(), CURVES, strict=False)):
        axes.plot(range(len(losses)), losses, dashes, color=colour, linewidth=2, marker=marker, markersize=5,
                  markevery=(place, max(1, len(losses) // 8)))  # fmt: skip
        at = len(losses) * (2 if place != 2 else 3) // 5
        axes.annotate(name, (at, losses[at]), xytext=((10, 2), (0, -16), (-8, -12))[place], color=INK,
                      textcoords="offset points", ha=("left", "center", "right")[place])  # fmt: skip
    axes.set(yscale="log", xlabel="step", ylabel="loss on the batch (nats per token)", xlim=(0, steps - 1))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.set_ylim(top=1.6 * max((*levels.values(), *(max(losses) for losses in curves.values()))))
    return axes


def describe_overfit(curves: Mapping[str, Sequence[float]], levels: Mapping[str, float]) -> str:
    """The curves on one batch in words."""
    parts = [f"{name} from {losses[0]:.2f} to {losses[-1]:.3f}" for name, losses in curves.items()]
    lines = ", ".join(f"{name} {level:.2f}" for name, level in levels.items())
    steps = max(len(losses) for losses in curves.values())
    return (
        f"Line chart of the loss on one batch over {steps} steps, in nats per token: {', '.join(parts)}. "
        f"Lines across: {lines}."
    )
