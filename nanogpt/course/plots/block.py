"""The block: how it is wired, the bend in its MLP, and what forty-eight of them do to a signal and its gradient."""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch
from torch import Tensor

from nanogpt.course.plots.canvas import BLUE, GREY, INK, ORANGE, PURPLE, new_axes, new_panels

# A line of its own for each design: colour, dashes, marker. They stay apart in black and white.
STYLES = {
    "pre-norm": (BLUE, "-", "o"),
    "post-norm": (ORANGE, "--", "s"),
    "no residuals": (PURPLE, ":", "^"),
}
FOOT = 1e-12  # gradients smaller than this are off the chart
WIRINGS = {
    "pre-norm": "x + branch(norm(x)): the stream runs through",
    "post-norm": "norm(x + branch(x)): each norm stands in its way",
}


def plot_wiring(designs: Sequence[str] = tuple(WIRINGS)) -> Axes:
    """Draw the block as a plan, one row a design: the stream as a heavy line, the branches above it."""
    axes = new_axes(7.5, 1.75 * len(designs))
    axes.set(xlim=(-0.6, 10.7), ylim=(-2.6 * len(designs) + 2.1, 1.9))
    axes.axis("off")
    for row, design in enumerate(designs):
        y = -2.6 * row
        axes.annotate("", (10.4, y), (-0.2, y), arrowprops={"arrowstyle": "-|>", "color": BLUE, "lw": 3.5})
        axes.text(-0.3, y, "x", ha="right", va="center", fontsize=12, color=INK, style="italic")
        axes.text(-0.2, y + 1.55, design, fontsize=11, color=INK, fontweight="bold", va="center")
        axes.text(1.7, y + 1.55, WIRINGS[design], fontsize=10, color=INK, va="center")
        for start, branch in ((0.3, "attention"), (5.2, "MLP")):
            _draw_branch(axes, start, y, branch, design == "pre-norm")
    return axes


def _draw_branch(axes: Axes, x: float, y: float, name: str, norm_first: bool) -> None:
    top, end = y + 0.85, x + (4.3 if norm_first else 2.8)
    axes.plot([x, x, end, end], [y, top, top, y + 0.2], color=INK, linewidth=1.2, zorder=1)
    _draw_box(axes, x + (2.0 if norm_first else 0.5), top, 1.7, name, "white")
    _draw_box(axes, x + 0.4 if norm_first else x + 3.25, top if norm_first else y, 1.1, "norm", "#E4E4E4")
    axes.plot(end, y, "o", markersize=15, color="white", markeredgecolor=INK, zorder=4)
    axes.text(end, y - 0.02, "+", ha="center", va="center", fontsize=13, color=INK, zorder=5)


def _draw_box(axes: Axes, x: float, y: float, width: float, text: str, ground: str) -> None:
    box = FancyBboxPatch((x, y - 0.3), width, 0.6, "round,pad=0,rounding_size=0.12", facecolor=ground, edgecolor=INK,
                         linewidth=1.2, zorder=3)  # fmt: skip
    axes.add_patch(box)
    axes.text(x + width / 2, y - 0.02, text, ha="center", va="center", fontsize=10, color=INK, zorder=5)


def describe_wiring(designs: Sequence[str] = tuple(WIRINGS)) -> str:
    """The plan in words."""
    return "Plan of a block with an attention branch and an MLP branch beside a stream. " + " ".join(
        f"{design.capitalize()} is {WIRINGS[design]}." for design in designs
    )


def plot_gelu(x: Tensor, curves: Mapping[str, Tensor], difference: Tensor) -> Axes:
    """The bends by name, each (N,) over x (N,), and beside them GELU's approximation minus the exact one, (N,)."""
    left, right = new_panels(2, 7.5, 3.4)
    for (name, y), (colour, dashes, at, offset) in zip(
        curves.items(), ((BLUE, "-", 0.38, (-8, -22)), (GREY, "--", 0.75, (-44, 2))), strict=True
    ):
        left.plot(x, y, dashes, color=colour, linewidth=2)
        i = int(at * (len(x) - 1))
        left.annotate(name, (x[i], y[i]), xytext=offset, textcoords="offset points", color=INK)
    left.set_ylim(bottom=-0.85)
    left.set(xlabel="input", ylabel="output", title="the bend")
    right.plot(x, 1e4 * difference, color=ORANGE, linewidth=2)
    right.axhline(0, color=INK, linewidth=0.8)
    right.set(xlabel="input", ylabel="difference (ten-thousandths)", title="tanh formula minus exact GELU")
    worst = int(difference.abs().argmax())
    right.annotate(f"{difference[worst] * 1e4:+.1f}", (x[worst], 1e4 * difference[worst]), xytext=(0, 4),
                   textcoords="offset points", ha="center", color=INK)  # fmt: skip
    right.margins(y=0.14)
    for axes in (left, right):
        axes.title.set(fontsize=10, color=INK)
    return left


def describe_gelu(x: Tensor, curves: Mapping[str, Tensor], difference: Tensor) -> str:
    """The bends in words."""
    lowest = next(iter(curves.values()))
    i, worst = int(lowest.argmin()), int(difference.abs().argmax())
    return (
        f"Left: {' and '.join(curves)} from {x[0]:.0f} to {x[-1]:.0f}; {next(iter(curves))} dips to {lowest[i]:.2f} at "
        f"{x[i]:.2f} and then rises. Right: the tanh formula differs from the exact GELU by at most "
        f"{difference[worst].abs():.5f}, at an input of {x[worst]:.2f}."
    )


def plot_stream(sizes: Mapping[str, Sequence[float]], walk: Sequence[float]) -> Axes:
    """Size of the stream after each block: two named curves, and the walk of equal random steps as a dotted line."""
    axes = new_axes(7.5, 3.9)
    blocks = range(len(walk))
    axes.plot(blocks, walk, ":", color=INK, linewidth=1.6)
    for (name, values), (colour, dashes, marker) in zip(
        sizes.items(), ((ORANGE, "-", "s"), (BLUE, "--", "o")), strict=True
    ):
        axes.plot(blocks, values, dashes, color=colour, linewidth=2, marker=marker, markevery=6, markersize=5)
        middle = len(values) * 5 // 8
        axes.annotate(f"{name}: {values[-1]:.1f} at the end", (middle, values[middle]), xytext=(0, 11),
                      textcoords="offset points", ha="right" if values is next(iter(sizes.values())) else "center",
                      color=INK)  # fmt: skip
    axes.annotate("random walk", (len(walk) * 6 // 8, walk[len(walk) * 6 // 8]), xytext=(6, -15), color=INK,
                  textcoords="offset points", ha="left")  # fmt: skip
    axes.set(xlabel="blocks passed", ylabel="size of the stream (root mean square)", xlim=(0, len(walk) - 0.6))
    axes.set_ylim(0, 1.08 * max(max(values) for values in (*sizes.values(), walk)))
    return axes


def describe_stream(sizes: Mapping[str, Sequence[float]], walk: Sequence[float]) -> str:
    """The stream's size in words."""
    parts = [f"{name} from {values[0]:.2f} to {values[-1]:.2f}" for name, values in sizes.items()]
    return (
        f"Line chart of the size of the residual stream over {len(walk) - 1} blocks: {', '.join(parts)}. "
        f"A dotted line, a random walk of equal steps, ends at {walk[-1]:.2f}."
    )


def plot_designs(likeness: Mapping[str, Sequence[float]], gradients: Mapping[str, Mapping[int, float]]) -> Axes:
    """What is left of a token, design by design.

    likeness: mean cosine of two tokens of a row after 0, 1, ... blocks. gradients: what reaches a typical token's
    embedding through a stack of so many blocks; a line that leaves the chart at its foot goes on below.
    """
    left, right = new_panels(2, 7.5, 4.0)
    places = {"pre-norm": (0.8, (0, -16)), "post-norm": (None, (8, -9)), "no residuals": (0.7, (0, 5))}
    for name, values in likeness.items():
        colour, dashes, marker = STYLES[name]
        left.plot(range(len(values)), values, dashes, color=colour, linewidth=2, marker=marker,
                  markevery=max(1, len(values) // 8), markersize=5)  # fmt: skip
        share, offset = places[name]
        at = int(share * (len(values) - 1)) if share else next(i for i, v in enumerate(values) if v > 0.2 or i > 5)
        left.annotate(name, (at, values[at]), xytext=offset, textcoords="offset points", color=INK,
                      ha="center" if share else "left")  # fmt: skip
    left.set(xlabel="blocks passed", ylabel="likeness of two tokens (mean cosine)", ylim=(-0.03, 1.06))
    left.set_title("how alike the tokens become", fontsize=10, color=INK)

    for name, values in gradients.items():
        colour, dashes, marker = STYLES[name]
        depths, norms = list(values), [max(v, FOOT / 100) for v in values.values()]
        right.plot(depths, norms, dashes, color=colour, linewidth=2, marker=marker, markersize=5)
        alive = [i for i, v in enumerate(norms) if v > FOOT]
        at = alive[len(alive) * 3 // 4] if len(alive) < len(norms) else len(norms) - 1
        right.annotate(name, (depths[at], norms[at]), xytext=(-6, -10 if name != "pre-norm" else 8),
                       textcoords="offset points", ha="right", color=INK)  # fmt: skip
    right.set(xscale="log", yscale="log", xlabel="blocks in the stack", ylabel="gradient norm", ylim=(FOOT, 1))
    right.set_xticks(depths, [str(d) for d in depths])
    right.minorticks_off()
    right.set_title("what reaches a typical token", fontsize=10, color=INK)
    return left


def describe_designs(likeness: Mapping[str, Sequence[float]], gradients: Mapping[str, Mapping[int, float]]) -> str:
    """Likeness and gradients in words."""
    alike = ", ".join(f"{name} {values[-1]:.2f}" for name, values in likeness.items())
    reach = ", ".join(
        f"{name} {values[min(values)]:.0e} at {min(values)} and {values[max(values)]:.0e} at {max(values)} blocks"
        for name, values in gradients.items()
    )
    return f"Left: mean cosine of two tokens after the last block: {alike}. Right: gradient at a typical one: {reach}."
