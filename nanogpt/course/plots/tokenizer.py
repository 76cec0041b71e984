"""A sentence as bricks, one course of them a vocabulary; what a token holds; what a sentence costs."""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch

from nanogpt.course.plots.canvas import BLUE, GREEN, GREY, INK, ORANGE, PURPLE, new_axes, visible

TINTS = (BLUE, ORANGE, GREEN)  # taken in turn, so that neighbours differ
FONTS = ["DejaVu Sans Mono", "DejaVu Sans"]
LINES = ((BLUE, "-", "o"), (ORANGE, "--", "s"), (PURPLE, ":", "^"), (GREEN, "-.", "D"))


def plot_bricks(rows: Mapping[str, Sequence[bytes]], axes: Axes | None = None) -> Axes:
    """The same text cut in several ways, one above the other; a brick is a token, as wide as its bytes.

    rows: title -> the tokens of the whole text. A single byte is white, a merged token tinted; part of a
    character is written as hexadecimal bytes.
    """
    axes = axes or new_axes(7.6, 0.72 * len(rows) + 0.1)
    length = sum(map(len, next(iter(rows.values()))))
    for row, (title, tokens) in enumerate(rows.items()):
        top, start = -row * 1.5, 0
        axes.text(0.05, top + 0.94, title, color=INK, fontsize=9.5, fontweight="bold", va="bottom")
        count = "1 token" if len(tokens) == 1 else f"{len(tokens)} tokens"
        axes.text(length - 0.05, top + 0.94, count, color=INK, fontsize=9.5, ha="right", va="bottom")
        for place, token in enumerate(tokens):
            tint = TINTS[place % len(TINTS)] if len(token) > 1 else "white"
            brick = FancyBboxPatch((start + 0.06, top), len(token) - 0.12, 0.8, linewidth=0.9, edgecolor=INK,
                                   boxstyle="round,pad=0,rounding_size=0.2", mutation_aspect=0.6,
                                   facecolor=(tint, 0.28) if tint != "white" else tint)  # fmt: skip
            axes.add_patch(brick)
            axes.text(start + len(token) / 2, top + 0.37, label(token), ha="center", va="center", color=INK,
                      family=FONTS, fontsize=9 if len(token) == 1 else 10)  # fmt: skip
            start += len(token)
    axes.set(xlim=(0, length), ylim=(-1.5 * (len(rows) - 1) - 0.1, 1.45))
    axes.set_axis_off()
    return axes


def describe_bricks(rows: Mapping[str, Sequence[bytes]]) -> str:
    """The cuts in words: how many tokens each way, and the last of the cuts in full."""
    counts = ", ".join(f"{title}: {len(tokens)}" for title, tokens in rows.items())
    last = " | ".join(token.decode(errors="replace") for token in list(rows.values())[-1])
    return f"One sentence as rows of boxes, a box a token. Tokens by vocabulary: {counts}. The last row reads {last}"


def label(token: bytes) -> str:
    """A token as text with its spaces shown, or its bytes in hexadecimal where they are part of a character."""
    try:
        return visible(token.decode())
    except UnicodeDecodeError:
        return token.hex(" ").upper()


def plot_bytes_per_token(
    curves: Mapping[str, Mapping[int, float]], gpt2: Mapping[str, float], axes: Axes | None = None
) -> Axes:
    """Bytes per token against the size of the vocabulary, a line a text; GPT-2's own as a hollow mark.

    curves: text -> {vocabulary size: bytes per token}; gpt2: text -> bytes per token with 50,257 tokens.
    """
    axes = axes or new_axes(7.6, 4.3)
    for (name, curve), (color, dashes, marker) in zip(curves.items(), LINES, strict=False):
        axes.plot(*zip(*curve.items(), strict=True), linestyle=dashes, marker=marker, color=color, markersize=5.5)
        last = max(curve)
        axes.annotate(f"{name}, {curve[last]:.2f}", (last, curve[last]), xytext=(0, 8), textcoords="offset points",
                      ha="right", color=color, fontsize=9.5)  # fmt: skip
        axes.plot(50_257, gpt2[name], marker=marker, markersize=8, markerfacecolor="white", markeredgecolor=color,
                  markeredgewidth=1.6, linestyle="none")  # fmt: skip
        axes.annotate(f"{gpt2[name]:.2f}", (50_257, gpt2[name]), xytext=(9, 0), textcoords="offset points",
                      va="center", color=color, fontsize=9.5)  # fmt: skip
    highest = max(*gpt2.values(), *(value for curve in curves.values() for value in curve.values()))
    axes.axvline(50_257, color=GREY, linewidth=1, linestyle=(0, (1, 3)), zorder=0)
    axes.annotate("hollow: GPT-2's own", (50_257, max(gpt2.values())), xytext=(-11, 4), textcoords="offset points",
                  ha="right", va="center", color=INK, fontsize=9.5)  # fmt: skip
    sizes = sorted({size for curve in curves.values() for size in curve if size.bit_count() == 1})
    axes.set_xscale("log", base=2)
    axes.set_xticks([*sizes, 50_257], [f"{size:,}" for size in [*sizes, 50_257]])
    axes.set(xlabel="tokens in the vocabulary (logarithmic)", ylabel="bytes per token (more is shorter)",
             xlim=(230, 86_000), ylim=(0.7, highest + 0.55))  # fmt: skip
    return axes


def describe_bytes_per_token(curves: Mapping[str, Mapping[int, float]], gpt2: Mapping[str, float]) -> str:
    """The lines in words: from the smallest vocabulary to the largest, and GPT-2's."""
    lines = "; ".join(
        f"{name}: from {curve[min(curve)]:.2f} with {min(curve):,} tokens to {curve[max(curve)]:.2f} with "
        f"{max(curve):,}, GPT-2's {gpt2[name]:.2f}"
        for name, curve in curves.items()
    )
    return f"Line chart of bytes per token against vocabulary size. {lines}."


def plot_costs(tokens: Mapping[str, int], characters: Mapping[str, int], axes: Axes | None = None) -> Axes:
    """What the same sentence costs in each language: tokens as bars, characters as diamonds."""
    axes = axes or new_axes(7.6, 0.46 * len(tokens) + 1.0)
    cheapest, most = min(tokens, key=tokens.get), max(*tokens.values(), *characters.values())
    for row, (name, count) in enumerate(tokens.items()):
        axes.barh(row, count, height=0.6, color=(BLUE, 0.32), edgecolor=BLUE, linewidth=1.2)
        axes.plot(characters[name], row, marker="D", markersize=7, markerfacecolor="white", markeredgecolor=INK,
                  linestyle="none", zorder=3)  # fmt: skip
        times = "" if name == cheapest else f", {count / tokens[cheapest]:.1f} times {cheapest}"
        axes.text(most * 1.04, row, f"{count} tokens{times}", va="center", color=INK, fontsize=9.5)
    first = next(iter(tokens))
    axes.annotate(f"{characters[first]} characters", (characters[first], 0), xytext=(9, 0), va="center",
                  textcoords="offset points", color=INK, fontsize=9.5)  # fmt: skip
    axes.set_yticks(range(len(tokens)), list(tokens))
    axes.invert_yaxis()
    axes.grid(visible=False)
    axes.set(xlabel="tokens (bars) and characters (diamonds)", xlim=(0, most * 1.45))
    axes.spines["bottom"].set_bounds(0, most)
    axes.set_xticks([tick for tick in axes.get_xticks() if tick <= most])
    return axes


def describe_costs(tokens: Mapping[str, int], characters: Mapping[str, int]) -> str:
    """The costs in words."""
    rows = ", ".join(f"{name} {count} tokens for {characters[name]} characters" for name, count in tokens.items())
    return f"Bar chart of what one sentence costs in several languages: {rows}."
