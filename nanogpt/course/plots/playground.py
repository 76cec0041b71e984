"""A written text, token by token, each in a shade that says how likely it was."""

from collections.abc import Sequence

from matplotlib.axes import Axes

from nanogpt.course.plots.canvas import GREY, INK, new_axes, visible

COLUMNS = 78
BANDS = (  # at least so probable, its shade, in words
    (0.5, "#9CCBE8", "over 50%"),
    (0.1, "#D6E9F5", "10 to 50%"),
    (0.01, "#FCE8D2", "1 to 10%"),
    (0.0, "#F3B27A", "under 1%"),
)


def plot_text(prompt: str, tokens: Sequence[tuple[str, float]], axes: Axes | None = None) -> Axes:
    """The prompt in grey, then each token (text, probability) on the shade of its probability, with a key below."""
    rows = _laid_out(prompt, tokens)
    height = 1 + max(row for row, *_ in rows)
    axes = axes or new_axes(8.2, 0.3 * height + 0.75)
    for row, column, text, p in rows:
        shade = "white" if p is None else _band(p)[1]
        box = {"facecolor": shade, "edgecolor": "none", "pad": 1.2}
        color = GREY if p is None else INK
        axes.text(column, row, text, family="monospace", fontsize=9, color=color, va="center", bbox=box)
    for i, (_, shade, words) in enumerate(BANDS):
        axes.text(1 + 19 * i, height + 0.4, words, fontsize=9, color=INK, va="center",
                  bbox={"facecolor": shade, "edgecolor": GREY, "linewidth": 0.5, "pad": 2.5})  # fmt: skip
    axes.set(xlim=(-0.5, COLUMNS + 1), ylim=(height + 1, -0.8))
    axes.axis("off")
    return axes


def describe_text(prompt: str, tokens: Sequence[tuple[str, float]]) -> str:
    """The text in words, and how its tokens' probabilities are spread."""
    shares = [(words, sum(_band(p)[2] == words for _, p in tokens)) for *_, words in BANDS]
    spread = ", ".join(f"{count} {words}" for words, count in shares if count)
    return f"After the prompt {prompt!r}: {''.join(text for text, _ in tokens)!r}. Of {len(tokens)} tokens {spread}."


def _band(p: float) -> tuple[float, str, str]:
    return next(band for band in BANDS if p >= band[0])


def _laid_out(prompt: str, tokens: Sequence[tuple[str, float]]) -> list[tuple[int, int, str, float | None]]:
    """(row, column, text, probability) of each piece that fits on a line; a line break ends a line and is shown."""
    placed, row, column = [], 0, 0
    for text, p in [(prompt, None), *tokens]:
        for piece in text.splitlines(keepends=True) or [""]:
            drawn = visible(piece.rstrip("\n")) if piece.strip("\n") else ""
            drawn += "⏎" if piece.endswith("\n") else ""
            while drawn:
                if column >= COLUMNS:
                    row, column = row + 1, 0
                part, drawn = drawn[: COLUMNS - column], drawn[COLUMNS - column :]
                placed.append((row, column, part, p))
                column += len(part)
            if piece.endswith("\n"):
                row, column = row + 1, 0
    return placed
