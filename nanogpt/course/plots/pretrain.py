"""A long training watched and foreseen: the live monitor, speed by micro-batch, and what fills the memory."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from nanogpt.course.plots.canvas import BLUE, GREY, INK, ORANGE, new_axes, new_panels
from nanogpt.course.plots.train import LiveLoss, describe_loss, plot_loss, smooth

HATCHES = ("", "///", "\\\\\\", "xx", "..")


def plot_monitor(
    metrics: Sequence[dict], baselines: dict[str, float], n_steps: int, tokens_per_step: int, ceiling: float
) -> Axes:
    """Loss on the left, tokens a second on the right, with the time left and the share of the machine's peak.

    metrics: records of `training_steps`; ceiling: the tokens a second that the machine's matrix product would allow.
    """
    left, right = new_panels(2, 9.5, 3.8)
    plot_loss(metrics, baselines, left)
    steps = np.array([m["step"] for m in metrics])
    speeds = np.array([m["tokens_per_second"] for m in metrics])
    right.plot(steps, speeds, color=ORANGE, linewidth=0.8, alpha=0.35)
    right.plot(steps, smooth(speeds), color=ORANGE, linewidth=2)
    top = 1.15 * np.quantile(speeds, 0.98)
    right.set(xlabel="step", ylabel="tokens per second", xlim=left.get_xlim(), ylim=(0, top))
    right.set_title(_status(metrics, n_steps, tokens_per_step, ceiling), fontsize=10, color=INK, loc="left")
    left.set_title(f"step {steps[-1] + 1:,} of {n_steps:,}", fontsize=10, color=INK, loc="left")
    return left


def _status(metrics: Sequence[dict], n_steps: int, tokens_per_step: int, ceiling: float) -> str:
    speed = float(np.median([m["tokens_per_second"] for m in metrics[-200:]]))
    seconds = (n_steps - 1 - metrics[-1]["step"]) * tokens_per_step / speed
    left = f"{seconds:.0f} s to go" if seconds < 120 else f"{seconds / 3600:.1f} h to go"
    return f"{speed:,.0f} tokens/s, {speed / ceiling:.0%} of the peak; {left if seconds else 'done'}"


def describe_monitor(
    metrics: Sequence[dict], baselines: dict[str, float], n_steps: int, tokens_per_step: int, ceiling: float
) -> str:
    """The monitor in words."""
    return f"{describe_loss(metrics, baselines)} Speed: {_status(metrics, n_steps, tokens_per_step, ceiling)}."


class LiveMonitor(LiveLoss):
    """The monitor while training runs: `add` each step's metrics, and it redraws every few seconds."""

    def __init__(self, baselines: dict[str, float], n_steps: int, tokens_per_step: int, ceiling: float):
        super().__init__(baselines, every_seconds=10.0)
        self.plan = n_steps, tokens_per_step, ceiling

    def picture(self) -> tuple[Axes, str]:
        """The monitor as it stands, and its words."""
        seen = self.metrics, self.baselines, *self.plan
        return plot_monitor(*seen), describe_monitor(*seen)


def plot_throughput(speeds: dict[int, float], ceiling: float) -> Axes:
    """Tokens a second by micro-batch size (sequences), as bars, below what the matrix product alone would allow."""
    axes = new_axes(7.5, 3.6)
    names = [str(size) for size in speeds]
    bars = axes.bar(names, list(speeds.values()), color=BLUE, width=0.6)
    for bar, speed in zip(bars, speeds.values(), strict=True):
        axes.annotate(f"{speed:,.0f}\n{speed / ceiling:.0%}", (bar.get_x() + bar.get_width() / 2, speed), xytext=(0, 4),
                      textcoords="offset points", ha="center", color=INK, fontsize=9)  # fmt: skip
    axes.axhline(ceiling, color=INK, linewidth=1.2, linestyle=(0, (5, 3)))
    axes.annotate(f"this machine's matrix product: {ceiling:,.0f}", (0, ceiling), xycoords=("axes fraction", "data"),
                  xytext=(4, 4), textcoords="offset points", color=INK, fontsize=9)  # fmt: skip
    axes.set(xlabel="micro-batch (sequences at once)", ylabel="tokens per second", ylim=(0, ceiling * 1.15))
    return axes


def describe_throughput(speeds: dict[int, float], ceiling: float) -> str:
    """The speeds in words, each with its share of the peak."""
    said = ", ".join(f"{size}: {speed:,.0f} ({speed / ceiling:.0%})" for size, speed in speeds.items())
    return (
        f"Bar chart of tokens per second by micro-batch, with the share of the {ceiling:,.0f} that the machine's "
        f"matrix product would allow: {said}."
    )


def plot_memory(parts: dict[str, list[float]], sizes: Sequence[int], cards: dict[str, float]) -> Axes:
    """What training takes in memory (bytes), stacked by part over the micro-batch sizes, with cards as lines across.

    parts: name -> bytes for each size; cards: name -> bytes.
    """
    axes = new_axes(7.5, 4.2)
    bottom = np.zeros(len(sizes))
    colours = (INK, GREY, "white", ORANGE, BLUE)
    for (name, values), colour, hatch in zip(parts.items(), colours, HATCHES, strict=False):
        height = np.array(values) / 1e9
        edge = "white" if colour != "white" else INK
        axes.bar([str(s) for s in sizes], height, bottom=bottom, color=colour, edgecolor=edge, hatch=hatch, width=0.6,
                 linewidth=0.6, label=name)  # fmt: skip
        bottom += height
    for name, size in cards.items():
        if size / 1e9 < 1.3 * bottom[-1]:
            axes.axhline(size / 1e9, color=INK, linewidth=1, linestyle=(0, (5, 3)))
            axes.annotate(name, (0, size / 1e9), xycoords=("axes fraction", "data"), xytext=(4, 3),
                          textcoords="offset points", color=INK, fontsize=9)  # fmt: skip
    handles, labels = axes.get_legend_handles_labels()
    axes.legend(handles[::-1], labels[::-1], frameon=False, loc="upper left", bbox_to_anchor=(0.02, 0.93))
    axes.set(xlabel="micro-batch (sequences at once)", ylabel="memory (GB)", ylim=(0, 1.15 * bottom[-1]))
    return axes


def describe_memory(parts: dict[str, list[float]], sizes: Sequence[int], cards: dict[str, float]) -> str:
    """The memory in words: the first and the last bar, part by part."""
    bars = []
    for place in (0, len(sizes) - 1):
        said = ", ".join(f"{name} {values[place] / 1e9:.2f}" for name, values in parts.items())
        total = sum(values[place] for values in parts.values()) / 1e9
        bars.append(f"micro-batch {sizes[place]}: {total:.1f} GB ({said})")
    lines = ", ".join(cards)
    return f"Stacked bars of the memory that training takes. {'; '.join(bars)}. Lines mark {lines}."
