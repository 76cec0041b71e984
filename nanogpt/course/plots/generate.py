"""What a model would say next, as bars."""

from matplotlib.axes import Axes

from nanogpt.course.plots.canvas import BLUE, GREY, INK, new_panels, visible


def plot_next_tokens(rows: dict[str, list[tuple[str, float]]]) -> Axes:
    """For each title, the likeliest next tokens with their probabilities, as bars side by side."""
    panels = new_panels(len(rows), 7.5, 3.2, sharex=True)
    for axes, (title, tokens), hatch in zip(panels, rows.items(), ("///", None), strict=False):
        names = [visible(token) for token, _ in tokens]
        probs = [p for _, p in tokens]
        axes.barh(range(len(names)), probs, color="white" if hatch else BLUE, edgecolor=GREY if hatch else BLUE,
                  hatch=hatch)  # fmt: skip
        for row, p in enumerate(probs):
            axes.annotate(f"{p:.1%}", (p, row), xytext=(4, 0), textcoords="offset points", va="center", fontsize=9)
        axes.set_yticks(range(len(names)), names, family="monospace")
        axes.invert_yaxis()
        axes.set_title(title, fontsize=10, color=INK)
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_xlabel("probability")
    panels[0].set_xlim(0, 1.18 * max(p for tokens in rows.values() for _, p in tokens))
    return panels[0]


def describe_next_tokens(rows: dict[str, list[tuple[str, float]]]) -> str:
    """The likeliest next tokens in words."""
    parts = []
    for title, tokens in rows.items():
        best = ", ".join(f"{token!r} {p:.1%}" for token, p in tokens[:3])
        parts.append(f"{title}: {best}")
    return "Bars of the likeliest next tokens. " + "; ".join(parts) + "."
