"""Models side by side on one scale, the table of bigrams, what each guess costs, and a table that is learnt."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from torch import Tensor

from nanogpt.course.plots.canvas import BLUE, GREY, INK, ORANGE, new_axes, new_panels, visible

LOOKS = ({"color": "white", "edgecolor": GREY, "hatch": "///"}, {"color": BLUE, "edgecolor": BLUE})


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


def plot_bigrams(probs: Tensor, labels: Sequence[str], axes: Axes | None = None) -> Axes:
    """What follows what, as a heat map: row a, column b is the probability of b after a, darker is more.

    probs (K, K); labels: the K characters. At the right of each row stands its likeliest successor.
    """
    axes = axes or new_axes(7.6, 6.8)
    axes.imshow(probs.numpy(), cmap="Blues", norm=PowerNorm(0.5, 0, 1), aspect="auto")
    names = [visible(label) for label in labels]
    axes.set_xticks(range(len(names)), names, family="monospace", fontsize=9)
    axes.set_yticks(range(len(names)), names, family="monospace", fontsize=9)
    axes.xaxis.tick_top()
    axes.xaxis.set_label_position("top")
    axes.set(xlabel="... comes this one", ylabel="after this character ...")
    for row, (best, p) in enumerate(zip(probs.argmax(1).tolist(), probs.amax(1).tolist(), strict=True)):
        axes.annotate(f"{names[best]} {p:4.0%}", (1, row), xycoords=("axes fraction", "data"), xytext=(6, 0),
                      textcoords="offset points", va="center", family="monospace", fontsize=9, color=INK)  # fmt: skip
    axes.annotate("likeliest", (1, 1), xycoords="axes fraction", xytext=(6, 7), textcoords="offset points",
                  fontsize=9, color=INK)  # fmt: skip
    axes.set_xticks(np.arange(-0.5, len(names)), minor=True)
    axes.set_yticks(np.arange(-0.5, len(names)), minor=True)
    axes.grid(visible=False)
    axes.grid(which="minor", color="#F0F0F0", linewidth=0.6)
    axes.tick_params(which="minor", length=0)
    axes.spines[:].set_visible(False)
    return axes


def describe_bigrams(probs: Tensor, labels: Sequence[str]) -> str:
    """The bigrams in words: the rows that are surest of what comes next, and the one that is least sure."""
    best, p = probs.argmax(1), probs.amax(1)
    order = p.argsort(descending=True).tolist()

    def row(a: int) -> str:
        return f"after {labels[a]!r} comes {labels[int(best[a])]!r} in {p[a]:.0%}"

    return (
        f"Heat map of {len(labels)} characters by {len(labels)}: how often each follows each. The surest rows: "
        f"{', '.join(row(a) for a in order[:3])}; the least sure: {row(order[-1])}."
    )


def plot_surprise(text: str, nll: dict[str, Tensor], axes: Axes | None = None) -> Axes:
    """What each character of a text costs under two models: dashes for the first, bars for the second.

    nll: name -> (len(text),) nats; their means are written in the legend.
    """
    axes = axes or new_axes(9.5, 3.4)
    (first, before), (second, after) = nll.items()
    places = range(len(text))
    axes.bar(places, after.numpy(), width=0.72, color=BLUE, label=f"{second}, mean {after.mean():.2f}")
    axes.plot(places, before.numpy(), linestyle="none", marker="_", markersize=9, markeredgewidth=2, color=ORANGE,
              label=f"{first}, mean {before.mean():.2f}")  # fmt: skip
    axes.set_xticks(places, [visible(c) for c in text], family="monospace", fontsize=9)
    axes.set(xlim=(-0.8, len(text) - 0.2), ylim=(0, 1.22 * max(before.max().item(), after.max().item())))
    axes.set_ylabel("surprise (nats)")
    axes.legend(frameon=False, loc="upper right", ncols=2, fontsize=10)
    return axes


def describe_surprise(text: str, nll: dict[str, Tensor]) -> str:
    """The price of each character in words: the means, and the dearest and cheapest of the second model."""
    means = " and ".join(f"{values.mean():.2f} nats for the {name}" for name, values in nll.items())
    last = list(nll.values())[-1]
    dear, cheap = (
        ", ".join(f"{text[i]!r} after {text[i - 1]!r} ({last[i]:.2f})" for i in order if i)
        for order in (last.argsort(descending=True)[:3].tolist(), last.argsort()[:3].tolist())
    )
    return f"Surprise of {text!r}, character by character: {means} on average. Dearest: {dear}; cheapest: {cheap}."


def plot_learnt(losses: Sequence[float], lines: dict[str, float], probs: tuple[Tensor, Tensor], share: Tensor) -> Axes:
    """A table that is learnt beside the one that was counted: its loss by step, and its probabilities in the end.

    losses: one a step, in nats; lines: name -> loss, drawn across; probs: counted and learnt, each (M,);
    share (M,): how much of the text each of the pairs is, which sets the size of its dot.
    """
    left, right = new_panels(2, 9.5, 4.0)
    steps = np.arange(1, len(losses) + 1)
    left.plot(steps, losses, color=BLUE, linewidth=2.2)
    for name, loss in lines.items():
        left.axhline(loss, color=GREY, linewidth=1, linestyle=(0, (5, 3)), zorder=1)
        left.annotate(f"{name} {loss:.2f}", (0, loss), xycoords=("axes fraction", "data"), xytext=(4, 3),
                      textcoords="offset points", color=INK, fontsize=9)  # fmt: skip
    middle = len(losses) // 12
    left.annotate("the net", (steps[middle], losses[middle]), xytext=(8, 8), textcoords="offset points", color=BLUE)
    left.set(xscale="log", xlabel="step (log scale)", ylabel="loss (nats per byte)", xlim=(1, len(losses)))
    left.set_ylim(0, 1.12 * max(*lines.values(), losses[0]))
    counted, learnt = probs
    right.plot([1e-5, 1], [1e-5, 1], color=GREY, linestyle=(0, (5, 3)), linewidth=1)
    right.annotate("equal", (0.002, 0.002), xytext=(-6, 6), textcoords="offset points", ha="right", fontsize=9)
    sizes = 6 + 4000 * share.numpy()
    right.scatter(counted.numpy(), learnt.numpy(), s=sizes, facecolor="none", edgecolor=BLUE, linewidth=0.9)
    lowest = 0.6 * min(counted.min(), learnt.min()).item()
    right.set(xscale="log", yscale="log", xlim=(lowest, 1.6), ylim=(lowest, 1.6))
    right.set(xlabel="probability by counting", ylabel="probability that the net has learnt")
    right.set_title("each pair of bytes, larger when frequent", fontsize=10, color=INK)
    return left


def describe_learnt(losses: Sequence[float], lines: dict[str, float], probs: tuple[Tensor, Tensor],
                    share: Tensor) -> str:  # fmt: skip
    """What was learnt, in words."""
    counted, learnt = probs
    apart = (share * (counted - learnt).abs()).sum() / share.sum()
    across = ", ".join(f"{name} {loss:.2f}" for name, loss in lines.items())
    return (
        f"Left: the net's loss falls over {len(losses)} steps from {losses[0]:.2f} to {losses[-1]:.2f} nats per byte, "
        f"with lines at {across}. Right: the probabilities it has learnt for {len(counted)} pairs against the counted "
        f"ones, {apart:.2g} apart on average over the text; frequent pairs lie on the diagonal."
    )


def plot_two_scales(scores: dict[str, dict[str, tuple[float, float]]]) -> Axes:
    """The same models on two scales: token perplexity at the left, bits per byte at the right.

    scores: how the text was cut (two ways) -> model -> (token perplexity, bits per byte). A row is a model,
    with a hatched bar for the first way of cutting and a filled one for the second.
    """
    panels = new_panels(2, 9.5, 4.4, sharey=True)
    models = list(next(iter(scores.values())))
    for scale, axes in enumerate(panels):
        highest = max(score[scale] for cut in scores.values() for score in cut.values())
        for shift, look, (cut, rows) in zip((-0.2, 0.2), LOOKS, scores.items(), strict=True):
            places = np.arange(len(models)) + shift
            values = [rows[model][scale] for model in models]
            axes.barh(places, values, height=0.36, linewidth=1.2, label=cut, **look)
            for place, value in zip(places, values, strict=True):
                text = f"{value:.2f}" if value < 100 else f"{value:.0f}"
                axes.annotate(text, (value, place), xytext=(4, 0), textcoords="offset points", va="center",
                              color=INK, fontsize=9)  # fmt: skip
        axes.grid(visible=False)
        axes.set_xlim((1, highest**1.2) if scale == 0 else (0, highest * 1.16))
    panels[0].set(xscale="log", xlabel="token perplexity (log scale)", xlim=panels[0].get_xlim())
    panels[1].set_xlabel("bits per byte")
    panels[0].set_yticks(range(len(models)), models)
    panels[0].invert_yaxis()
    panels[1].legend(frameon=False, loc="lower right", title="the text cut into")
    return panels[0]


def describe_two_scales(scores: dict[str, dict[str, tuple[float, float]]]) -> str:
    """Both scales in words."""
    parts = []
    for cut, rows in scores.items():
        told = ", ".join(f"{model} {ppl:.2f} and {bits:.2f}" for model, (ppl, bits) in rows.items())
        parts.append(f"cut into {cut}: {told}")
    return f"Bars of token perplexity and, beside them, bits per byte. {'; '.join(parts)}."
