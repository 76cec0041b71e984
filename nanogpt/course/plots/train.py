"""The loss curve, drawn once or while training runs."""

import time
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from nanogpt.course.plots.canvas import BLUE, GREY, INK, ORANGE, new_axes, show


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
