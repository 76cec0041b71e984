"""From documents to batches: a batch as a grid, how long documents are, how often tokens come, what a leak hides."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from nanogpt.course.plots.canvas import BLUE, GREEN, GREY, INK, ORANGE, PURPLE, new_axes, visible

SMALL = {"fontsize": 9, "color": INK}
TINTS = ("#D6E9F5", "#FBE3D2", "#D2EFE5", "#F1DFEF")  # of a document, the next one, and so on
LINES = (("-", "o", BLUE), ((0, (6, 2)), "s", PURPLE), ((0, (1.5, 1.5)), "^", ORANGE), ((0, (6, 2, 1, 2)), "D", GREEN))
CELL, BELOW, ROW = 0.84, 1.3, 3.0  # heights: of a cell, from x to the y under it, from one row to the next


def plot_batch(
    x: Sequence[Sequence[str]], y: Sequence[Sequence[str]], end: str, example: tuple[int, int], axes: Axes | None = None
) -> Axes:
    """A batch of tokens, x (B, T) with y (B, T) right under it; `end` is the token that closes a document.

    Each document has a tint and ends in a black cell. Slanting lines join a token of y to the same token of x.
    example: (row, position) of one task, which is framed: all that is read, and what is to be said.
    """
    B, T = len(x), len(x[0])
    axes = axes or new_axes(8.2, 0.7 + 1.05 * B)
    document = 0  # to which the cell of x belongs
    for b in range(B):
        top = ROW * b
        for t in range(T):
            after = document + (x[b][t] == end)
            _cell(axes, t, top, x[b][t], end, TINTS[document % len(TINTS)])
            _cell(axes, t, top + BELOW, y[b][t], end, TINTS[after % len(TINTS)])
            if t + 1 < T:
                axes.plot([t + 0.8, t + 1.2], [top + BELOW - 0.02, top + CELL + 0.02], color=GREY, linewidth=1.2)
            document = after
        for name, middle in (("x", top + CELL / 2), ("y", top + BELOW + CELL / 2)):
            axes.annotate(name, (-0.1, middle), ha="right", va="center", fontweight="bold", **SMALL)
        axes.annotate(f"row {b}", (-0.42, top + (BELOW + CELL) / 2), ha="right", va="center", **SMALL)
    _frame_example(axes, *example)
    axes.set(xlim=(-1.05, T + 0.05), ylim=(ROW * B - 0.5, -0.85), xlabel="position t in the window")
    axes.set_xticks(np.arange(T) + 0.5, [str(t) for t in range(T)])
    axes.set_yticks([])
    axes.tick_params(length=0)
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    return axes


def _cell(axes: Axes, left: int, top: float, token: str, end: str, tint: str) -> None:
    closes = token == end
    face, ink, word = (INK, "white", "end") if closes else (tint, INK, visible(token))
    axes.add_patch(Rectangle((left + 0.04, top), 0.92, CELL, facecolor=face, edgecolor=GREY, linewidth=0.6))
    axes.annotate(word, (left + 0.5, top + CELL / 2), ha="center", va="center", fontsize=9, color=ink,
                  family="monospace", fontweight="bold" if closes else "normal")  # fmt: skip


def _frame_example(axes: Axes, b: int, t: int) -> None:
    top = ROW * b
    for left, height, width in ((0, top, t + 1), (t, top + BELOW, 1)):
        frame = Rectangle((left + 0.01, height - 0.05), width - 0.02, CELL + 0.1, fill=False)
        frame.set(edgecolor=INK, linewidth=2.4, zorder=4)
        axes.add_patch(frame)
    bold = {"fontweight": "bold", **SMALL}
    axes.annotate("having read these ...", (0.04, top - 0.14), va="bottom", **bold)
    axes.annotate("... say this", (t + 0.5, top + BELOW + CELL + 0.12), ha="center", va="top", **bold)


def describe_batch(x: Sequence[Sequence[str]], y: Sequence[Sequence[str]], end: str, example: tuple[int, int]) -> str:
    """The batch in words: the framed task, and where documents end."""
    b, t = example
    ends = [(row, place) for row, tokens in enumerate(x) for place, token in enumerate(tokens) if token == end]
    where = ", ".join(f"row {row} position {place}" for row, place in ends) or "nowhere"
    return (
        f"Grid of {len(x)} rows of {len(x[0])} tokens, x above and y below, the same tokens moved on by one. Framed: "
        f"having read {''.join(x[b][: t + 1])!r} the model is to say {y[b][t]!r}. Documents end in x at: {where}."
    )


def plot_lengths(lengths: np.ndarray, axes: Axes | None = None) -> Axes:
    """Tokens per document, (N,), in bins that double: upwards the share of documents, downwards that of tokens."""
    axes = axes or new_axes(7.5, 4.0)
    edges = 2.0 ** np.arange(np.floor(np.log2(lengths.min())), np.ceil(np.log2(lengths.max() + 1)) + 1)
    up = np.histogram(lengths, edges)[0] / len(lengths)
    down = np.histogram(lengths, edges, weights=lengths)[0] / lengths.sum()
    width = np.diff(edges)
    axes.bar(edges[:-1], up, width, align="edge", color="white", edgecolor=ORANGE, hatch="///", linewidth=1)
    axes.bar(edges[:-1], -down, width, align="edge", color=BLUE, edgecolor="white", linewidth=1)
    axes.axhline(0, color=INK, linewidth=1)
    most = 1.3 * max(up.max(), down.max())
    axes.set(xscale="log", xlim=(edges[0], edges[-1]), ylim=(-most, most))
    axes.annotate("documents", (0.01, 0.98), xycoords="axes fraction", va="top", fontweight="bold", **SMALL)
    axes.annotate("tokens", (0.01, 0.02), xycoords="axes fraction", va="bottom", fontweight="bold", **SMALL)
    for place, side, word in ((*_halves(lengths)[:1], 1, "documents"), (*_halves(lengths)[1:], -1, "tokens")):
        axes.plot([place, place], [0, side * 0.88 * most], color=INK, linewidth=1.6, linestyle=(0, (4, 2)))
        axes.annotate(f"half the {word} on each side: {place:,.0f}", (place, side * 0.9 * most), ha="center",
                      va="bottom" if side > 0 else "top", **SMALL)  # fmt: skip
    axes.set_yticks(axes.get_yticks(), [f"{abs(tick):.0%}" for tick in axes.get_yticks()])
    ticks = edges[:: 1 + len(edges) // 9]
    axes.set_xticks(ticks, [f"{tick:,.0f}" for tick in ticks])
    axes.minorticks_off()
    axes.set_ylim(-most, most)
    axes.set(xlabel="tokens in the document", ylabel="share")
    return axes


def describe_lengths(lengths: np.ndarray) -> str:
    """The lengths in words."""
    documents, tokens = _halves(lengths)
    return (
        f"Two histograms back to back over the length of {len(lengths):,} documents: half of the documents have fewer "
        f"than {documents:,.0f} tokens, but half of all tokens stand in documents of {tokens:,.0f} tokens or more; the "
        f"longest has {lengths.max():,}."
    )


def _halves(lengths: np.ndarray) -> tuple[float, float]:
    """The length that halves the documents, and the one that halves the tokens."""
    ordered = np.sort(lengths)
    tokens = np.cumsum(ordered)
    return float(np.median(ordered)), float(ordered[np.searchsorted(tokens, tokens[-1] / 2)])


def plot_zipf(counts: np.ndarray, names: dict[int, str], vocab_size: int, axes: Axes | None = None) -> Axes:
    """How often each token occurs against its rank, both as logarithms, beside the line count(1) / rank.

    counts (R,): of the tokens that occur, the most frequent first; names: rank (from 1) -> token to be named.
    """
    axes = axes or new_axes(7.5, 4.4)
    ranks = np.arange(1, len(counts) + 1)
    axes.plot(ranks, counts[0] / ranks, color=GREY, linewidth=1.4, linestyle=(0, (5, 3)))
    axes.plot(ranks, counts, color=BLUE, linewidth=2.4)
    for rank, name in names.items():
        axes.plot(rank, counts[rank - 1], "o", color="white", markeredgecolor=BLUE, markersize=7, zorder=3)
        axes.annotate(visible(name), (rank, counts[rank - 1]), xytext=(7, 5), textcoords="offset points",
                      family="monospace", **SMALL)  # fmt: skip
    axes.axvspan(len(counts), vocab_size, facecolor="#F4F4F4", edgecolor=GREY, hatch="...", linewidth=0)
    never = vocab_size - len(counts)
    axes.annotate(f"{never:,} of {vocab_size:,} tokens\nnever occur", (len(counts), 0.97),
                  xycoords=("data", "axes fraction"), xytext=(-6, 0), textcoords="offset points", ha="right", va="top",
                  **SMALL)  # fmt: skip
    low = int(len(counts) ** 0.3)
    axes.annotate("dashed: falling as 1/rank", (low, counts[0] / low), xytext=(-8, -24), textcoords="offset points",
                  ha="right", va="top", **SMALL)  # fmt: skip
    axes.set(xscale="log", yscale="log", xlim=(0.8, vocab_size), ylim=(0.7, 2.5 * counts[0]))
    axes.set(xlabel="rank of the token, the most frequent first", ylabel="times it occurs")
    return axes


def describe_zipf(counts: np.ndarray, names: dict[int, str], vocab_size: int) -> str:
    """The frequencies in words."""
    said = ", ".join(f"{name!r} at rank {rank:,} {counts[rank - 1]:,} times" for rank, name in names.items())
    return (
        f"Line of token frequency against rank on logarithmic axes, beside a dashed line that falls as 1/rank: {said}. "
        f"{vocab_size - len(counts):,} of {vocab_size:,} tokens never occur."
    )


def plot_leak(losses: dict[str, Sequence[float]], given: dict[str, float], axes: Axes | None = None) -> Axes:
    """Held-out loss by the tokens of context that a counting model looks at, a line for each way of holding out.

    losses: name -> loss for contexts of 0, 1, 2 ... tokens; the best of each is ringed.
    given: name -> loss of that best model on new documents, where it is another: an arrow leads up to it.
    """
    axes = axes or new_axes(7.8, 4.2)
    longest = max(map(len, losses.values())) - 1
    for (name, values), (dashes, marker, colour) in zip(losses.items(), LINES, strict=False):
        best = int(np.argmin(values))
        axes.plot(values, color=colour, linewidth=2, linestyle=dashes, marker=marker, markersize=5)
        axes.plot(best, values[best], "o", fillstyle="none", color=INK, markersize=14, markeredgewidth=1.8)
        if name in given:
            arrow = {"arrowstyle": "->", "color": INK, "linewidth": 1.2, "shrinkA": 8, "shrinkB": 4}
            axes.annotate("", (best, given[name]), (best, values[best]), arrowprops=arrow)
            axes.plot(best, given[name], "X", color=INK, markersize=9, zorder=4)
            axes.annotate(f"gave {given[name]:.2f}", (best, given[name]), xytext=(0, 8), textcoords="offset points",
                          ha="center", fontweight="bold", **SMALL)  # fmt: skip
        axes.annotate(f"best: {values[best]:.2f}", (best, values[best]), xytext=(0, -11), textcoords="offset points",
                      ha="center", va="top", fontweight="bold", **SMALL)  # fmt: skip
        axes.annotate(name, (len(values) - 1, values[-1]), xytext=(13, 0), textcoords="offset points", va="center",
                      fontsize=9, color=colour, fontweight="bold")  # fmt: skip
    axes.set(xlim=(-0.3, longest * 1.5), ylim=(0, None))
    axes.set_xticks(range(longest + 1))
    axes.set(xlabel="tokens of context that the model looks at", ylabel="held-out loss (nats per token)")
    return axes


def describe_leak(losses: dict[str, Sequence[float]], given: dict[str, float]) -> str:
    """The losses in words: which model each way of holding out prefers, and what that gave on new documents."""
    lines = [
        f"{' '.join(name.split())}, best at {int(np.argmin(values))} with {min(values):.2f}"
        + (f", which gave {given[name]:.2f} on new documents" if name in given else "")
        for name, values in losses.items()
    ]
    return "Line chart of held-out loss, in nats per token, against tokens of context: " + "; ".join(lines) + "."
