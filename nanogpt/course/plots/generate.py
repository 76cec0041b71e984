"""What a model would say next, what the settings make of it, and what then stands in the text."""

from collections.abc import Sequence

from matplotlib.axes import Axes

from nanogpt.course.plots.canvas import BLUE, GREY, INK, ORANGE, new_axes, new_panels, visible

Timing = tuple[Sequence[int], Sequence[float], Sequence[float]]
"""Lengths in tokens, then milliseconds for one more token: reading all of them again, and with a cache."""


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


def plot_settings(tokens: Sequence[str], plain: Sequence[float], panels: dict[str, Sequence[float]]) -> Axes:
    """One distribution under several settings, a panel each: bars for what is left, the plain one as an outline.

    tokens: names of the likeliest N and, last, of all the others together; plain: their probabilities, (N + 1,);
    panels: title -> the probabilities under that setting, (N + 1,). What has become impossible is crossed out.
    """
    drawn = new_panels(len(panels), max(4.6, 1.3 + 1.62 * len(panels)), 0.27 * len(tokens) + 1.3, sharex=True)
    top = max(max(probs) for probs in (plain, *panels.values()))
    for place, (axes, (title, probs)) in enumerate(zip(drawn, panels.items(), strict=True)):
        rows = range(len(tokens))
        axes.barh(rows, probs, height=0.62, color=BLUE)
        axes.barh(rows, plain, height=0.86, fill=False, edgecolor=INK, linewidth=0.8, linestyle=(0, (2, 1.5)))
        gone = [row for row, p in enumerate(probs) if p == 0]
        axes.plot([0.06 * top] * len(gone), gone, "x", color=ORANGE, markersize=7, markeredgewidth=2)
        names = [visible(token) for token in tokens[:-1]] + [tokens[-1]]
        axes.set_yticks(rows, names if place == 0 else [""] * len(tokens), family="monospace", fontsize=9)
        axes.tick_params(axis="y", length=0)
        axes.axhline(len(tokens) - 1.5, color=GREY, linewidth=0.8)
        axes.set_ylim(len(tokens) - 0.4, -0.6)
        axes.set_title(title, fontsize=10, color=INK)
        axes.grid(visible=False)
        axes.set_xticks([0, 0.5 if top > 0.5 else 0.2])
    drawn[0].set_xlim(0, 1.05 * top)
    key = "dashed outline: the model's own; cross: can't be drawn"
    drawn[0].figure.supxlabel(f"probability{' ' if len(panels) > 3 else chr(10)}({key})", fontsize=10, color=INK)
    return drawn[0]


def describe_settings(tokens: Sequence[str], plain: Sequence[float], panels: dict[str, Sequence[float]]) -> str:
    """The distribution under each setting in words: its likeliest token, and what the tail keeps."""
    parts = []
    for title, probs in panels.items():
        gone = sum(p == 0 for p in probs[:-1])
        cut = f", {gone} of the {len(tokens) - 1} shown can't be drawn" if gone else ""
        parts.append(f"{' '.join(title.split())}: {tokens[0]!r} {probs[0]:.1%}, all beyond these {probs[-1]:.1%}{cut}")
    return (
        f"Bars of one next-token distribution under {len(panels)} settings, beside the model's own "
        f"({tokens[0]!r} {plain[0]:.1%}, beyond these {plain[-1]:.1%}). {'; '.join(parts)}."
    )


def plot_surprise(rows: dict[str, Sequence[float]]) -> Axes:
    """Surprise at each token of several texts (nats), a strip of bars each, with its mean as a dashed line."""
    axes = new_axes(7.8, 1.25 * len(rows) + 0.9)
    top = max(max(values) for values in rows.values())
    step = 5 if top > 5 else 1
    lift = 1.3 * top  # from one strip to the next
    ticks, names = [], []
    for place, (title, values) in enumerate(rows.items()):
        foot, mean = -place * lift, sum(values) / len(values)
        axes.bar(range(1, len(values) + 1), values, bottom=foot, width=0.8, color=(ORANGE, BLUE, INK)[place % 3])
        axes.axhline(foot, color=GREY, linewidth=0.8)
        axes.plot([0.5, len(values) + 0.5], [foot + mean] * 2, color=INK, linewidth=1.2, linestyle=(0, (4, 2)))
        axes.annotate(f"mean {mean:.1f}", (len(values) + 1, foot + mean), va="center", fontsize=9, color=INK)
        axes.annotate(title, (0.5, foot + 1.02 * top), va="bottom", fontsize=10, color=INK)
        ticks += [foot, foot + step]
        names += ["0", str(step)]
    axes.set_yticks(ticks, names)
    axes.grid(visible=False)
    longest = max(len(values) for values in rows.values())
    axes.set(xlabel="token", ylabel="surprise (nats)", xlim=(0, 1.12 * longest))
    axes.set_ylim(-(len(rows) - 1) * lift - 0.3, 1.25 * top)
    return axes


def describe_surprise(rows: dict[str, Sequence[float]]) -> str:
    """The strips in words: each text's mean, and what its second half has."""
    parts = []
    for title, values in rows.items():
        later = values[len(values) // 2 :]
        parts.append(
            f"{title}: {sum(values) / len(values):.2f} on average, {sum(later) / len(later):.2f} in its second half, "
            f"{max(values):.1f} at most"
        )
    return "Bars of the model's surprise at each token of a text, in nats. " + "; ".join(parts) + "."


def plot_variety(
    temperatures: Sequence[float],
    curves: dict[str, Sequence[float]],
    real: dict[str, float],
    losses: Sequence[tuple[float, float]],
) -> Axes:
    """What temperature does to the text written, and to the loss on a real one, in two panels.

    curves: name -> share at each temperature; real: the same names -> the share in real text, a line across;
    losses: (temperature, nats per token) on held-out text.
    """
    left, right = new_panels(2, 8.6, 3.7)
    looks = ((BLUE, "o", "-"), (ORANGE, "s", (0, (5, 2))))
    for (name, values), (colour, marker, dashes) in zip(curves.items(), looks, strict=False):
        left.plot(temperatures, values, color=colour, marker=marker, linestyle=dashes, linewidth=1.8)
        left.axhline(real[name], color=colour, linewidth=1, linestyle=":")
        rising = values[-1] >= values[0]
        at, side, shift = (len(values) // 2, "right", (-6, 7)) if rising else (0, "left", (8, 7))
        left.annotate(name, (temperatures[at], values[at]), xytext=shift, ha=side, textcoords="offset points",
                      color=colour, fontsize=10)  # fmt: skip
        left.annotate(f"real text {real[name]:.0%}", (temperatures[0], real[name]), xytext=(2, 3),
                      textcoords="offset points", color=colour, fontsize=9)  # fmt: skip
    left.set(xlabel="temperature", ylabel="share", ylim=(-0.03, 1.05))
    left.set_title("what is written", fontsize=10, color=INK)
    at, loss = zip(*losses, strict=True)
    right.plot(at, loss, color=INK, marker="^", markersize=4, linewidth=1.6)
    best = min(losses, key=lambda pair: pair[1])
    right.plot(*best, "o", color=ORANGE, markersize=11, fillstyle="none", markeredgewidth=2)
    right.annotate(f"{best[1]:.2f} at {best[0]:g}", best, xytext=(0, 14), textcoords="offset points", ha="center",
                   fontsize=10, color=INK)  # fmt: skip
    right.set(xlabel="temperature", ylabel="loss on held-out text (nats per token)")
    right.set_title("what it costs", fontsize=10, color=INK)
    return left


def describe_variety(
    temperatures: Sequence[float],
    curves: dict[str, Sequence[float]],
    real: dict[str, float],
    losses: Sequence[tuple[float, float]],
) -> str:
    """Both panels in words."""
    parts = [
        f"{name} goes from {values[0]:.0%} at temperature {temperatures[0]:g} to {values[-1]:.0%} at "
        f"{temperatures[-1]:g} (real text: {real[name]:.0%})"
        for name, values in curves.items()
    ]
    best = min(losses, key=lambda pair: pair[1])
    return (
        f"Two line charts by temperature. Left, {', '.join(parts)}. Right, the loss on held-out text: "
        f"{losses[0][1]:.2f} nats per token at {losses[0][0]:g}, least with {best[1]:.2f} at {best[0]:g}, "
        f"{losses[-1][1]:.2f} at {losses[-1][0]:g}."
    )


def plot_token_times(panels: dict[str, Timing]) -> Axes:
    """Milliseconds for one more token against the tokens before it, a panel a model: all read again, or cached."""
    drawn = new_panels(len(panels), 8.6, 3.6)
    for axes, (title, (lengths, slow, fast)) in zip(drawn, panels.items(), strict=True):
        axes.plot(lengths, slow, color=ORANGE, marker="s", linestyle=(0, (5, 2)), linewidth=1.8)
        axes.plot(lengths, fast, color=BLUE, marker="o", linewidth=1.8)
        top = max(*slow, *fast)
        middle = len(lengths) // 2
        axes.annotate("all read again", (lengths[middle], slow[middle]), xytext=(-6, 5), textcoords="offset points",
                      ha="right", va="bottom", color=ORANGE, fontsize=10)  # fmt: skip
        axes.annotate("with the cache", (lengths[-1], fast[-1]), xytext=(0, 8), textcoords="offset points",
                      ha="right", va="bottom", color=BLUE, fontsize=10)  # fmt: skip
        axes.set(xlabel="tokens before it", ylim=(0, 1.15 * top))
        axes.set_title(title, fontsize=10, color=INK)
    drawn[0].set_ylabel("milliseconds for one token")
    return drawn[0]


def describe_token_times(panels: dict[str, Timing]) -> str:
    """The times in words: both ways at the shortest and the longest text."""
    parts = [
        f"{' '.join(title.split())}: after {lengths[0]} tokens {slow[0]:.1f} ms when all are read again and "
        f"{fast[0]:.1f} ms with the cache, after {lengths[-1]} tokens {slow[-1]:.1f} and {fast[-1]:.1f}"
        for title, (lengths, slow, fast) in panels.items()
    ]
    return "Line charts of the time for one more token. " + "; ".join(parts) + "."
