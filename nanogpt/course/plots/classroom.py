"""A class at one exercise: how its marks are spread, and how its answers to each item turned out."""

from collections.abc import Mapping, Sequence
from statistics import median

from matplotlib.axes import Axes
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from nanogpt.course.plots.canvas import BLUE, GREY, INK, ORANGE, new_axes

LOOKS = (  # of four verdicts in this order: full, hatched, empty, crossed
    {"facecolor": BLUE, "edgecolor": BLUE},
    {"facecolor": "white", "edgecolor": ORANGE, "hatch": "///"},
    {"facecolor": "white", "edgecolor": GREY},
    {"facecolor": "white", "edgecolor": INK, "hatch": "xxx"},
)
ROOM = 0.03  # of the width: what a number needs to stand in its bar


def plot_marks(marks: Sequence[float], most: float, axes: Axes | None = None) -> Axes:
    """How many have how many points, of `most`: a bar for each whole point, marks rounded down."""
    axes = axes or new_axes(height=3.4)
    counts = _by_points(marks, most)
    bars = axes.bar(range(len(counts)), counts, width=0.82, color=BLUE, zorder=2)
    over = {"facecolor": "white", "edgecolor": "none", "pad": 1}  # so that no line runs through a number
    axes.bar_label(bars, [count or "" for count in counts], padding=2, color=INK, fontsize=10, bbox=over, zorder=3)
    middle = median(marks)
    axes.axvline(middle, color=ORANGE, linewidth=1.6, linestyle=(0, (4, 3)), zorder=1)
    left = middle > most / 2  # where the words go
    axes.annotate(f"median {middle:g}", (middle, 1), xycoords=("data", "axes fraction"), xytext=(-5 if left else 5, -4),
                  textcoords="offset points", ha="right" if left else "left", va="top", color=INK, fontsize=10,
                  bbox=over)  # fmt: skip
    axes.set(xlabel=f"points, of {most:g}, rounded down", ylabel="submissions", xlim=(-0.7, len(counts) - 0.3))
    axes.set_ylim(0, 1.28 * max(counts))
    axes.xaxis.set_major_locator(MaxNLocator(20, integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    return axes


def describe_marks(marks: Sequence[float], most: float) -> str:
    """The marks in words."""
    told = ", ".join(f"{count} with {mark}" for mark, count in enumerate(_by_points(marks, most)) if count)
    return (
        f"Bar chart of the points of {len(marks)} submissions, of {most:g}, rounded down: {told}. "
        f"The median is {median(marks):g}, the lowest {min(marks):g}, the highest {max(marks):g}."
    )


def plot_verdicts(counts: Mapping[str, Mapping[str, int]], axes: Axes | None = None) -> Axes:
    """How the answers to each item turned out, a bar for each item. counts: item -> verdict -> how many.

    The four verdicts are the same for each item, from right to worst; they are told apart by their hatching.
    """
    axes = axes or new_axes(height=0.5 * len(counts) + 1.5)
    verdicts = list(next(iter(counts.values())))
    widest = max(sum(found.values()) for found in counts.values())
    starts = [0] * len(counts)
    for verdict, look in zip(verdicts, LOOKS, strict=True):
        for row, found in enumerate(counts.values()):
            width = found[verdict]
            if width:
                axes.barh(row, width, left=starts[row], height=0.66, linewidth=1.2, **look)
            if width > ROOM * widest:
                axes.text(starts[row] + width / 2, row, str(width), ha="center", va="center", fontsize=10,
                          color="white" if look["facecolor"] == BLUE else INK, fontweight="bold",
                          bbox={"facecolor": look["facecolor"], "edgecolor": "none", "pad": 1.5})  # fmt: skip
            starts[row] += width
    axes.set_yticks(range(len(counts)), list(counts), family="monospace")
    axes.invert_yaxis()
    axes.grid(visible=False)
    axes.set(xlabel="submissions", xlim=(0, 1.005 * widest))
    axes.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    named = [Patch(label=verdict, **look) for verdict, look in zip(verdicts, LOOKS, strict=True)]
    axes.figure.legend(handles=named, frameon=False, loc="outside upper center", ncols=4, fontsize=10)
    return axes


def describe_verdicts(counts: Mapping[str, Mapping[str, int]]) -> str:
    """The verdicts in words."""
    told = (
        f"{item}: " + ", ".join(f"{count} {verdict}" for verdict, count in found.items() if count)
        for item, found in counts.items()
    )
    return f"Stacked bars of how the answers to each item turned out. {'; '.join(told)}."


def _by_points(marks: Sequence[float], most: float) -> list[int]:
    """How many marks there are from each whole point up to the next."""
    counts = [0] * (int(max(most, *marks)) + 1)
    for mark in marks:
        counts[int(mark)] += 1
    return counts
