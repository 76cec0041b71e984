"""Where heads look, as heat maps over the tokens; what the scale does; what a leak of the future looks like."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from torch import Tensor

from nanogpt.course.plots.canvas import BLUE, GREY, INK, ORANGE, new_axes, new_panels, visible


def plot_attention(weights: Tensor, tokens: Sequence[str], title: str, axes: Axes | None = None) -> Axes:
    """One head's weights (T, T) over the tokens: each row shows where that token looks, darker is more."""
    axes = axes or new_axes(6.2, 5.6)
    axes.imshow(weights.detach().numpy(), cmap="Blues", vmin=0, vmax=1)
    labels = [visible(token) for token in tokens]
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


def plot_side_by_side(
    panels: dict[str, Tensor],
    tokens: Sequence[str],
    *,
    numbers: bool = False,
    marks: Sequence[tuple[int, int]] = (),
) -> Axes:
    """Several heads' weights (T, T) over the same tokens, one panel a title.

    `numbers` writes each weight of 1% or more into its square, in per cent; `marks` are (row, column) squares to
    outline, where the weight ought to be.
    """
    drawn = new_panels(len(panels), 7.9, 3.3)
    for axes, (title, weights) in zip(drawn, panels.items(), strict=True):
        plot_attention(weights, tokens, title, axes)
        axes.set_xticks(axes.get_xticks(), [visible(token) for token in tokens], rotation=0, family="monospace")
        axes.tick_params(length=0)
        axes.title.set_fontsize(10)
        if axes is not drawn[0]:
            axes.set_ylabel("")
        for row, column in marks:
            outline = {"fill": False, "edgecolor": ORANGE, "linewidth": 1.4, "clip_on": False}
            axes.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, **outline))
        if numbers:
            _write_numbers(axes, weights)
    return drawn[0]


def _write_numbers(axes: Axes, weights: Tensor) -> None:
    """Each weight of 1% or more in its square, in per cent, white on dark."""
    for row, column in weights.ge(0.01).nonzero().tolist():
        weight = weights[row, column].item()
        axes.text(column, row, f"{100 * weight:.0f}", ha="center", va="center", fontsize=9,
                  color="white" if weight > 0.55 else INK)  # fmt: skip


def describe_side_by_side(
    panels: dict[str, Tensor], tokens: Sequence[str], marks: Sequence[tuple[int, int]] = ()
) -> str:
    """The heads' weights in words: what the last token looks at most, and how much lies on the marks."""
    parts = []
    for title, weights in panels.items():
        best = weights[-1].topk(min(3, len(tokens)))
        looks = [
            f"{tokens[i]!r} in place {i} ({weight:.0%})"
            for weight, i in zip(best.values.tolist(), best.indices.tolist(), strict=True)
            if weight >= 0.01
        ]
        words = f"{title}: the last token {tokens[-1]!r} looks most at {', '.join(looks)}"
        if marks:
            share = sum(weights[row, column].item() for row, column in marks) / len(marks)
            words += f", and the outlined squares hold {share:.0%} of their rows"
        parts.append(words)
    return f"{len(panels)} heat maps over the tokens {' '.join(tokens)}. " + "; ".join(parts) + "."


def plot_scale(dims: Sequence[int], variance: dict[str, list[float]], gradient: dict[str, list[float]]) -> Axes:
    """What the head dimension D does to the scores' variance (left) and to the gradient behind the softmax (right).

    variance and gradient: a curve a name over `dims`; the first is drawn dashed with squares, the second solid.
    """
    left, right = new_panels(2, 7.9, 3.5)
    for axes, curves, title in (
        (left, variance, "variance of the scores"),
        (right, gradient, "gradient through the softmax (median row)"),
    ):
        for (name, values), style in zip(curves.items(), _SCALE_STYLES, strict=True):
            axes.plot(dims, values, markersize=6, linewidth=1.8, clip_on=False, **style)
            falls = values[-1] < 0.5 * values[-2]  # a label over the last point would lie on such a line
            axes.annotate(name, (dims[-1], values[-1]), xytext=(-12, -3) if falls else (-2, 9), ha="right",
                          textcoords="offset points", color=style["color"], fontsize=10)  # fmt: skip
        axes.set_xscale("log", base=2)
        axes.set_yscale("log")
        axes.set_xticks(dims, [str(D) for D in dims])
        axes.minorticks_off()
        axes.set_title(title, fontsize=10, color=INK)
        axes.set_xlabel("head dimension D")
    return left


_SCALE_STYLES = (
    {"color": ORANGE, "linestyle": (0, (4, 2)), "marker": "s"},
    {"color": BLUE, "linestyle": "-", "marker": "o"},
)


def describe_scale(dims: Sequence[int], variance: dict[str, list[float]], gradient: dict[str, list[float]]) -> str:
    """The two panels in words: each curve from its first to its last value."""
    parts = [
        f"{what}, {name}, from {_short(values[0])} at D = {dims[0]} to {_short(values[-1])} at D = {dims[-1]}"
        for what, curves in (("variance of the scores", variance), ("gradient through the softmax", gradient))
        for name, values in curves.items()
    ]
    return "Two line charts against the head dimension D. " + "; ".join(parts) + "."


def _short(value: float) -> str:
    """Two digits that count, and no powers of ten for large numbers."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.2g}"


def plot_leaks(losses: dict[str, tuple[float, float]], uniform: float) -> Axes:
    """Two losses a model, nats per token: as measured on held-out text (circle), and when writing (diamond).

    losses: name -> (held out, writing); an arrow leads from the one to the other. `uniform` is the dashed mark of
    a model that knows nothing.
    """
    axes = new_axes(7.6, 0.85 * len(losses) + 1.2)
    axes.axvline(uniform, color=GREY, linewidth=1.2, linestyle=(0, (5, 3)))
    axes.annotate(f"knowing nothing: {uniform:.2f}", (uniform, -0.62), xytext=(5, 0), textcoords="offset points",
                  va="center", color=INK, fontsize=9)  # fmt: skip
    for row, (held_out, writing) in enumerate(losses.values()):
        if abs(writing - held_out) > 0.05 * uniform:
            arrow = {"arrowstyle": "->", "color": INK, "linewidth": 1.2, "shrinkA": 6, "shrinkB": 7}
            axes.annotate("", (writing, row), xytext=(held_out, row), arrowprops=arrow)
            texts = ((held_out, f"held out {held_out:.2f}"), (writing, f"writing {writing:.2f}"))
        else:
            texts = (((held_out + writing) / 2, f"held out {held_out:.2f}, writing {writing:.2f}"),)
        axes.plot(writing, row, "D", color=ORANGE, markersize=8, zorder=3)
        axes.plot(held_out, row, "o", color=BLUE, markerfacecolor="none", markersize=13, markeredgewidth=2, zorder=3)
        for x, text in texts:
            axes.annotate(
                text, (x, row), xytext=(0, 11), textcoords="offset points", ha="center", fontsize=9, color=INK
            )
    axes.set_yticks(range(len(losses)), list(losses))
    furthest = max(uniform, *(writing for _, writing in losses.values()))
    axes.set(xlabel="loss (nats per token)", xlim=(-0.09 * furthest, 1.12 * furthest), ylim=(len(losses) - 0.5, -0.85))
    axes.grid(visible=False)
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)
    return axes


def describe_leaks(losses: dict[str, tuple[float, float]], uniform: float) -> str:
    """The two losses of each model in words."""
    parts = [
        f"{name} {held_out:.2f} held out and {writing:.2f} when writing" for name, (held_out, writing) in losses.items()
    ]
    return f"Loss in nats per token: {'; '.join(parts)}. A model that knows nothing has {uniform:.2f}."
