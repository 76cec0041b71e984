"""Pictures: each `plot_*` draws on Axes and returns them, each `describe_*` says in words what is to be seen.

Lines differ in dashes and bars in hatching as well as in colour, and are named where they are drawn.
"""

import io
import time
from base64 import b64encode
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

# Okabe and Ito's colours, which stay apart for every kind of colour vision.
INK, BLUE, ORANGE, GREY = "#222222", "#0072B2", "#D55E00", "#8A8A8A"
DPI = 110


def new_axes(width: float = 7.5, height: float = 3.8) -> Axes:
    """Axes of a plain figure, in inches: white ground, two spines, light grid."""
    figure = Figure(figsize=(width, height), dpi=DPI, facecolor="white", layout="constrained")
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(colors=INK)
    axes.grid(axis="y", color="#E4E4E4", linewidth=0.8)
    axes.set_axisbelow(True)
    return axes


def show(axes: Axes, alt: str, display_id: str | None = None, update: bool = False) -> None:
    """Show the figure in the notebook, with `alt` as the text for those who don't see it."""
    from IPython.display import publish_display_data

    buffer = io.BytesIO()
    axes.figure.savefig(buffer, format="png")
    publish_display_data(
        {"image/png": b64encode(buffer.getvalue()).decode(), "text/plain": alt},
        metadata={"image/png": {"alt": alt}},
        transient={"display_id": display_id} if display_id else None,
        update=update,
    )


def plot_loss(metrics: Sequence[dict], baselines: dict[str, float], axes: Axes | None = None) -> Axes:
    """Loss by step (nats per token) with the baselines as lines across.

    metrics: records of `training_steps`; baselines: name -> loss.
    """
    axes = axes or new_axes()
    steps = np.array([m["step"] for m in metrics])
    losses = np.array([m["loss"] for m in metrics])
    last = max(1, len(steps) and steps[-1])
    for name, loss in baselines.items():
        axes.axhline(loss, color=GREY, linewidth=1, linestyle=(0, (5, 3)))
        axes.annotate(f"{name} {loss:.2f}", (1, loss), xycoords=("axes fraction", "data"), xytext=(-4, 3),
                      textcoords="offset points", ha="right", color=INK, fontsize=9)  # fmt: skip
    axes.plot(steps, losses, color=BLUE, linewidth=0.8, alpha=0.35)
    axes.plot(steps, smooth(losses), color=BLUE, linewidth=2, label="training (smoothed)")
    held_out = [(m["step"], m["val_loss"]) for m in metrics if "val_loss" in m]
    if held_out:
        axes.plot(*zip(*held_out, strict=True), "o--", color=ORANGE, linewidth=1, markersize=6, label="held out")
    axes.set(xlabel="step", ylabel="loss (nats per token)", xlim=(0, last * 1.02), ylim=(0, None))
    axes.legend(frameon=False, loc="lower left")
    return axes


def describe_loss(metrics: Sequence[dict], baselines: dict[str, float]) -> str:
    """The loss curve in words."""
    first, last = metrics[0]["loss"], smooth(np.array([m["loss"] for m in metrics]))[-1]
    beaten = [name for name, loss in baselines.items() if last < loss]
    lines = ", ".join(f"{name} {loss:.2f}" for name, loss in baselines.items())
    end = f"below {' and '.join(beaten)}" if beaten else "above every baseline"
    return (
        f"Line chart of the loss over {len(metrics)} training steps: it falls from {first:.2f} to {last:.2f} "
        f"nats per token. Dashed lines mark the baselines {lines}; the curve ends {end}."
    )


def smooth(values: np.ndarray, share: float = 0.02) -> np.ndarray:
    """A running mean over the last `share` of the curve's length (5 values at least)."""
    width = max(5, int(len(values) * share))
    sums = np.cumsum(np.concatenate([[0.0], values]))
    start = np.maximum(0, np.arange(1, len(values) + 1) - width)
    return (sums[1:] - sums[start]) / (np.arange(1, len(values) + 1) - start)


class LiveLoss:
    """The loss chart while training runs: `add` each step's metrics, and it redraws every few seconds."""

    def __init__(self, baselines: dict[str, float], every_seconds: float = 3.0):
        self.baselines, self.every = baselines, every_seconds
        self.metrics: list[dict] = []
        self.display_id = f"loss-{id(self)}"
        self.drawn: float | None = None

    def add(self, metrics: dict) -> None:
        """Take in one step; draw if the last drawing is old enough."""
        self.metrics.append(metrics)
        if self.drawn is None or time.monotonic() - self.drawn > self.every:
            self.draw()

    def draw(self) -> None:
        """Draw now, in place of the last drawing."""
        axes = plot_loss(self.metrics, self.baselines)
        show(axes, describe_loss(self.metrics, self.baselines), self.display_id, update=self.drawn is not None)
        self.drawn = time.monotonic()


def plot_ladder(bits_per_byte: dict[str, float], highlight: str, axes: Axes | None = None) -> Axes:
    """Bits per byte as bars, one model a row; the one to look at is filled, the others hatched."""
    axes = axes or new_axes(height=0.55 * len(bits_per_byte) + 1.1)
    names = list(bits_per_byte)
    for row, (name, value) in enumerate(bits_per_byte.items()):
        ours = name == highlight
        axes.barh(row, value, height=0.62, color=BLUE if ours else "white", edgecolor=BLUE if ours else GREY,
                  hatch=None if ours else "///", linewidth=1.2)  # fmt: skip
        axes.annotate(f"{value:.2f}", (value, row), xytext=(5, 0), textcoords="offset points", va="center",
                      color=INK, fontweight="bold" if ours else "normal")  # fmt: skip
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.grid(visible=False)
    axes.set(xlabel="bits per byte of held-out text (less is better)", xlim=(0, max(bits_per_byte.values()) * 1.12))
    return axes


def describe_ladder(bits_per_byte: dict[str, float]) -> str:
    """The ladder in words."""
    return "Bar chart of bits per byte on held-out text: " + ", ".join(
        f"{name} {value:.2f}" for name, value in bits_per_byte.items()
    ) + "."  # fmt: skip


def plot_next_tokens(rows: dict[str, list[tuple[str, float]]]) -> Axes:
    """For each title, the likeliest next tokens with their probabilities, as bars side by side."""
    figure = Figure(figsize=(7.5, 3.2), dpi=DPI, facecolor="white", layout="constrained")
    panels = figure.subplots(1, len(rows), sharex=True, squeeze=False)[0]
    for axes, (title, tokens), hatch in zip(panels, rows.items(), ("///", None), strict=False):
        names = [_visible(token) for token, _ in tokens]
        probs = [p for _, p in tokens]
        axes.barh(range(len(names)), probs, color="white" if hatch else BLUE, edgecolor=GREY if hatch else BLUE,
                  hatch=hatch)  # fmt: skip
        for row, p in enumerate(probs):
            axes.annotate(f"{p:.1%}", (p, row), xytext=(4, 0), textcoords="offset points", va="center", fontsize=9)
        axes.set_yticks(range(len(names)), names, family="monospace")
        axes.invert_yaxis()
        axes.set_title(title, fontsize=10, color=INK)
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_xlabel("probability")
    panels[0].set_xlim(0, 1.18 * max(p for tokens in rows.values() for _, p in tokens))
    return panels[0]


def describe_next_tokens(rows: dict[str, list[tuple[str, float]]]) -> str:
    """The likeliest next tokens in words."""
    parts = []
    for title, tokens in rows.items():
        best = ", ".join(f"{token!r} {p:.1%}" for token, p in tokens[:3])
        parts.append(f"{title}: {best}")
    return "Bars of the likeliest next tokens. " + "; ".join(parts) + "."


def plot_attention(weights: Tensor, tokens: Sequence[str], title: str, axes: Axes | None = None) -> Axes:
    """One head's weights (T, T) over the tokens: each row shows where that token looks, darker is more."""
    axes = axes or new_axes(6.2, 5.6)
    axes.imshow(weights.detach().numpy(), cmap="Blues", vmin=0, vmax=1)
    labels = [_visible(token) for token in tokens]
    axes.set_xticks(range(len(labels)), labels, rotation=90, family="monospace", fontsize=9)
    axes.set_yticks(range(len(labels)), labels, family="monospace", fontsize=9)
    axes.set(xlabel="... looks at this one", ylabel="this token ...")
    axes.set_title(title, fontsize=11, color=INK)
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    return axes


def describe_attention(weights: Tensor, tokens: Sequence[str], title: str) -> str:
    """One head's weights in words: where each of the last tokens looks most."""
    looks = [
        f"{tokens[i]!r} at {tokens[int(weights[i].argmax())]!r} ({weights[i].max():.0%})"
        for i in range(max(1, len(tokens) - 4), len(tokens))
    ]
    return f"Heat map, {title}; empty above the diagonal, as no token sees the future. It looks: {', '.join(looks)}."


def _visible(token: str) -> str:
    """A token as it can be read on a chart: spaces and line breaks shown, dollar signs kept from TeX."""
    return token.replace(" ", "␣").replace("\n", "⏎").replace("$", r"\$") or "∅"
