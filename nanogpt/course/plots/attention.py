"""Where a head looks, as a heat map over the tokens."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from torch import Tensor

from nanogpt.course.plots.canvas import INK, new_axes, visible


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
