"""How training went: the loss drawn once or live, learning rates compared, a run resumed, text read twice."""

import time
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from nanogpt.course.plots.canvas import BLUE, GREEN, GREY, INK, ORANGE, PURPLE, new_axes, new_panels, show

# A colour and its own dashes, in the order in which lines are drawn.
STYLES = ((BLUE, "-"), (ORANGE, (0, (4, 2))), (GREEN, (0, (6, 2, 1, 2))), (PURPLE, (0, (1, 1))))


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
        show(*self.picture(), self.display_id, update=self.drawn is not None)
        self.drawn = time.monotonic()

    def picture(self) -> tuple[Axes, str]:
        """The chart as it stands, and its words."""
        return plot_loss(self.metrics, self.baselines), describe_loss(self.metrics, self.baselines)


def plot_rates(curves: dict[str, Sequence[float]], marks: dict[str, float]) -> Axes:
    """Loss by step (nats per token), a line for each learning rate, and levels to compare with.

    curves: name -> losses, nan or infinite where a run came apart; marks: name -> loss.
    """
    axes = new_axes(height=3.9)
    top = max(marks.values()) + 1.8
    steps = max(len(losses) for losses in curves.values())
    ends = {}
    for (name, losses), (color, dashes) in zip(curves.items(), STYLES, strict=False):
        losses = np.asarray(losses, dtype=float)
        ok = _before_it_came_apart(losses, top)
        axes.plot(np.arange(len(losses)), losses, color=color, linestyle=dashes, linewidth=1.9)
        if ok < len(losses):
            axes.annotate(f"{name}, comes apart", (ok, top), xytext=(5, -11), textcoords="offset points",
                          color=color, fontsize=9.5)  # fmt: skip
        else:
            ends[name] = (losses[-10:].mean(), color)
    for name, level in marks.items():
        up = level > min(marks.values())  # the lowest is named below its line, where no curve is
        axes.axhline(level, color=GREY, linewidth=1, linestyle=(0, (1, 2)), zorder=0)
        axes.annotate(f"{name} {level:.2f}", (1, level), xycoords=("axes fraction", "data"), ha="right",
                      xytext=(-4, 3 if up else -11), textcoords="offset points", color=INK, fontsize=9)  # fmt: skip
    lowest = min([level for level, _ in ends.values()] + list(marks.values()))
    axes.set(xlabel="step", ylabel="loss (nats per token)", xlim=(0, steps - 1), ylim=(lowest - 0.35, top))
    _name_ends(axes, ends)
    return axes


def describe_rates(curves: dict[str, Sequence[float]], marks: dict[str, float]) -> str:
    """The curves of several learning rates in words."""
    top = max(marks.values()) + 1.8
    told = []
    for name, losses in curves.items():
        ok = _before_it_came_apart(np.asarray(losses, dtype=float), top)
        end = f"ends at {np.mean(losses[-10:]):.2f}" if ok == len(losses) else f"comes apart at step {ok}"
        told.append(f"{name} {end}")
    levels = ", ".join(f"{name} {level:.2f}" for name, level in marks.items())
    return (
        f"Loss by step for {len(curves)} learning rates: {'; '.join(told)} (nats per token). Dotted levels: {levels}."
    )


def _before_it_came_apart(losses: np.ndarray, top: float) -> int:
    """The first step whose loss leaves the chart for good, or the length."""
    inside = np.isfinite(losses) & (losses < top)
    return 0 if not inside.any() else int(np.flatnonzero(inside)[-1]) + 1


def plot_training(runs: dict[str, Sequence[dict]], limit: float, warmup: int) -> Axes:
    """Learning rate, gradient norm and loss of one run or two, one above the other over the same steps.

    runs: name -> records of step, learning_rate, grad_norm and loss; limit: of the norm; warmup: in steps.
    """
    rate, norm, loss = _stacked((0.7, 1, 1.5), height=5.6)
    ends = {}
    for (name, metrics), (color, dashes) in zip(runs.items(), STYLES, strict=False):
        steps = [m["step"] for m in metrics]
        rate.plot(steps, [m["learning_rate"] for m in metrics], color=INK, linewidth=1.8)
        norm.plot(steps, [m["grad_norm"] for m in metrics], color=color, linestyle=dashes, linewidth=1.5)
        losses = np.array([m["loss"] for m in metrics])
        loss.plot(steps, losses, color=color, linestyle=dashes, linewidth=1.9)
        ends[name] = (losses[-10:].mean(), color)
    worst = max((m for metrics in runs.values() for m in metrics), key=lambda m: m["grad_norm"])
    norm.annotate(f"{worst['grad_norm']:.1f} at step {worst['step']}", (worst["step"], worst["grad_norm"]),
                  xytext=(8, -6), textcoords="offset points", fontsize=9, color=INK)  # fmt: skip
    last = max(m["step"] for metrics in runs.values() for m in metrics)
    for axes in (rate, norm, loss):
        axes.axvline(warmup, color=GREY, linewidth=0.9, linestyle=(0, (1, 2)), zorder=0)
    rate.annotate("warm-up ends", (warmup, 0), xytext=(5, 4), textcoords="offset points", fontsize=9, color=INK)
    norm.axhline(limit, color=INK, linewidth=1, linestyle=(0, (6, 3)))
    norm.annotate(f"limit {limit:g}", (1, limit), xycoords=("axes fraction", "data"), xytext=(6, 0),
                  textcoords="offset points", va="center", fontsize=9, color=INK)  # fmt: skip
    rate.set(ylabel="learning rate", ylim=(0, None))
    norm.set(ylabel="gradient norm", yscale="log")
    loss.set(ylabel="loss (nats per token)", xlabel="step", xlim=(0, last))
    _name_ends(loss, ends)
    return loss


def describe_training(runs: dict[str, Sequence[dict]], limit: float, warmup: int) -> str:
    """The three panels in words."""
    told = []
    for name, metrics in runs.items():
        highest = max(metrics, key=lambda m: m["grad_norm"])
        end = np.mean([m["loss"] for m in metrics[-10:]])
        told.append(f"{name}: gradient norm up to {highest['grad_norm']:.1f} at step {highest['step']}, loss {end:.2f}")
    return (
        f"Three panels over the same {max(len(m) for m in runs.values())} steps: a learning rate that rises for "
        f"{warmup} steps and falls as a cosine, the gradient norm with its limit of {limit:g}, and the loss at the "
        f"end (nats per token). {'; '.join(told)}."
    )


def plot_resume(whole: Sequence[float], resumed: Sequence[float], forgetful: Sequence[float], cut: int) -> Axes:
    """A run and two continuations of it from step `cut`: the losses, and how far each is from the run.

    whole: losses from step 0 (nats per token); resumed, forgetful: losses from step `cut`.
    """
    loss, gap = _stacked((1.6, 1), height=4.8)
    first, last = max(0, cut - len(resumed) // 2), cut + len(resumed)
    steps = np.arange(cut, last)
    loss.plot(np.arange(first, last), whole[first:last], color=GREY, linewidth=5, alpha=0.45, solid_capstyle="butt")
    loss.plot(steps, forgetful, color=ORANGE, linestyle=(0, (4, 2)), linewidth=1.8)
    loss.plot(steps, resumed, color=BLUE, linewidth=1.3, marker="o", markersize=3, markevery=max(1, len(steps) // 20))
    went_on = np.asarray(whole[cut:last])
    gap.plot(steps, np.asarray(forgetful) - went_on, color=ORANGE, linestyle=(0, (4, 2)), linewidth=1.8)
    gap.plot(steps, np.asarray(resumed) - went_on, color=BLUE, linewidth=1.3, marker="o", markersize=3,
             markevery=max(1, len(steps) // 20))  # fmt: skip
    for axes in (loss, gap):
        axes.axvline(cut, color=INK, linewidth=0.9, linestyle=(0, (1, 2)), zorder=0)
    loss.annotate("resumed here", (cut, 1), xycoords=("data", "axes fraction"), xytext=(6, -4), va="top",
                  textcoords="offset points", fontsize=9, color=INK)  # fmt: skip
    late = cut + 2 * (last - cut) // 3
    bump = cut + int(np.argmax(np.asarray(forgetful) - went_on))
    for name, x, y, shift, side, color in (
        ("never stopped (wide grey)", first, whole[cut], (6, -3), "left", INK),
        ("weights alone (dashed)", bump, forgetful[bump - cut], (8, 4), "left", ORANGE),
        ("weights and memory (dots)", late, resumed[late - cut], (-8, -22), "right", BLUE),
    ):
        loss.annotate(name, (x, y), xytext=shift, textcoords="offset points", ha=side, fontsize=9.5, color=color)
    loss.set(ylabel="loss (nats per token)", xlim=(first, last - 1))
    gap.set(ylabel="loss too high by", xlabel="step")
    return loss


def describe_resume(whole: Sequence[float], resumed: Sequence[float], forgetful: Sequence[float], cut: int) -> str:
    """The run and its continuations in words."""
    went_on = np.asarray(whole[cut : cut + len(resumed)])
    gap = np.asarray(forgetful) - went_on
    exact = int(np.sum(np.asarray(resumed) == went_on))
    return (
        f"Loss of a run and of two continuations from step {cut}, and their distance from it below. The resumed run "
        f"lies on the uninterrupted one: {exact} of {len(resumed)} losses are identical. The run without the "
        f"optimiser's memory is up to {gap.max():.2f} nats per token too high, and {gap[-5:].mean():.2f} at the end."
    )


def plot_epochs(views: dict[str, Sequence[tuple[int, float, float]]]) -> Axes:
    """Training and held-out loss side by side, a panel a run, on one scale; the gap between them is shaded.

    views: title -> (step, training loss, held-out loss) in the order of steps, nats per token.
    """
    panels = new_panels(len(views), width=8, height=3.8, sharey=True)
    for axes, (title, points) in zip(panels, views.items(), strict=True):
        steps, training, held_out = np.array(points).T
        axes.fill_between(
            steps, training, held_out, color=ORANGE, alpha=0.15, hatch="///", edgecolor=ORANGE, linewidth=0
        )
        axes.plot(steps, training, color=BLUE, linewidth=2)
        axes.plot(steps, held_out, color=ORANGE, linewidth=1.6, linestyle=(0, (4, 2)), marker="o", markersize=5)
        axes.set_title(title, fontsize=10.5, color=INK, loc="left")
        axes.set(xlabel="step", xlim=(0, steps[-1] * 1.03))
        apart = held_out[-1] - training[-1]
        for values, name, color, shift in ((held_out, "held out", ORANGE, 20), (training, "training", BLUE, -14)):
            axes.annotate(f"{name} {values[-1]:.2f}", (steps[-1], values[-1]), xytext=(0, shift),
                          textcoords="offset points", ha="right", va="center", fontsize=9.5, color=color)  # fmt: skip
        axes.text(
            0.97, 0.95, f"gap {apart:+.2f}", transform=axes.transAxes, ha="right", va="top", fontsize=10, color=INK
        )
    lowest = min(value for points in views.values() for point in points for value in point[1:])
    panels[0].set(ylabel="loss (nats per token)", ylim=(lowest - 0.5, None))
    return panels[0]


def describe_epochs(views: dict[str, Sequence[tuple[int, float, float]]]) -> str:
    """The panels of training and held-out loss in words."""
    told = [
        f"{title}: training loss {points[-1][1]:.2f}, held-out loss {points[-1][2]:.2f} after {points[-1][0]} steps"
        for title, points in views.items()
    ]
    return (
        f"Training and held-out loss by step (nats per token), in {len(views)} panels on one scale. {'; '.join(told)}."
    )


def _stacked(heights: Sequence[float], width: float = 7.5, height: float = 5.0) -> list[Axes]:
    """Panels one above the other on a shared x axis, whose numbers stand below the lowest alone."""
    panels = new_panels(len(heights), width, height, sharex=True)
    grid = panels[0].figure.add_gridspec(len(heights), 1, height_ratios=heights)
    for axes, place in zip(panels, grid, strict=True):
        axes.set_subplotspec(place)
    for axes in panels[:-1]:
        axes.tick_params(labelbottom=False)
    panels[0].figure.align_ylabels(panels)
    return panels


def _name_ends(axes: Axes, ends: dict[str, tuple[float, str]]) -> None:
    """Write each line's name beyond its right end; names that would touch are moved apart."""
    low, high = axes.get_ylim()
    least, y = (high - low) / 13, -np.inf
    for name, (level, color) in sorted(ends.items(), key=lambda item: item[1][0]):
        y = max(level, y + least)
        axes.annotate(f"{name} {level:.2f}", (1, y), xycoords=("axes fraction", "data"), xytext=(6, 0), va="center",
                      textcoords="offset points", color=color, fontsize=9.5, annotation_clip=False)  # fmt: skip
