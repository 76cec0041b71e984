"""Models side by side on one scale: the ladder of bits per byte."""

from matplotlib.axes import Axes

from nanogpt.course.plots.canvas import BLUE, GREY, INK, new_axes


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
