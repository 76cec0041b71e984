"""Perplexity against parameters: measured as filled marks with intervals, published as hollow ones, never joined.

Figures that can't be compared never share an axis: another text, or another tokenizer, has a panel of its own.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Annotation
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullLocator
from matplotlib.transforms import Bbox

from nanogpt.course.entries import GPT2_TOKENIZER, OPENWEBTEXT
from nanogpt.course.plots.canvas import BLUE, DPI, GREY, INK, ORANGE, new_axes
from nanogpt.course.rows import MEASURED, PUBLISHED, Row

FILLED = ("o", "s", "^", "v", "P")  # a shape for each measured context, in order of appearance
FILLS = (BLUE, ORANGE, INK)
HOLLOW = "D"
PERPLEXITY, BITS = "token_perplexity", "bits_per_byte"
WIDTH, HEIGHT = 7.2, 4.3  # inches of a panel
PLACES = (  # where a name may stand from its mark: points to the right, points up
    (0, 9), (0, -9), (11, 0), (-11, 0), (9, 9), (-9, 9), (9, -9), (-9, -9), (0, 22), (0, -22), (18, 18), (-18, 18),
)  # fmt: skip


@dataclass(frozen=True)
class Panel:
    """Axes of one kind of figure on one text. value: the rows' field that is drawn."""

    title: str
    value: str
    rows: list[Row]


def panels(rows: Sequence[Row]) -> list[Panel]:
    """Sort the rows into panels, so that each holds only what can be compared.

    A row that was measured on another text than the first stands in the table alone.
    """
    measured = [row for row in rows if row.kind == MEASURED and row.same_text]
    published = [row for row in rows if row.kind == PUBLISHED]
    if not measured:
        return [Panel("Published figures on OpenWebText; nothing was measured here", PERPLEXITY, published)]
    tokenizers = {row.tokenizer_sha256 for row in measured}
    shared = [row for row in measured if row.tokenizer == GPT2_TOKENIZER] if len(tokenizers) > 1 else measured
    together = measured[0].text_source == OPENWEBTEXT and shared and shared[0].tokenizer == GPT2_TOKENIZER
    found = []
    if together:
        found.append(Panel(f"Token perplexity on {brief(shared[0].text)}", PERPLEXITY, shared + published))
    elif shared:
        found.append(Panel(f"Token perplexity on {brief(shared[0].text)}", PERPLEXITY, shared))
    if len(tokenizers) > 1:
        found.append(Panel(f"Bits per byte on {brief(measured[0].text)}, across tokenizers", BITS, measured))
    if not together:
        found.append(Panel("Published, on OpenWebText: not to be compared with the above", PERPLEXITY, published))
    return found


def plot_perplexity_by_parameters(rows: Sequence[Row], baselines: dict[str, dict] | None = None) -> Axes:
    """Every model by its parameters and its score, a panel for each kind of figure; the first panel's axes back.

    baselines: name -> scores of models that only count, in the tokens of the first measured row; they are lines
    across where they compare and no published figure is.
    """
    drawn = panels(rows)
    figure = Figure(figsize=(WIDTH, HEIGHT * len(drawn)), dpi=DPI, facecolor="white", layout="constrained")
    figure.get_layout_engine().set(h_pad=0.14)
    all_axes = figure.subplots(len(drawn), squeeze=False)[:, 0]
    for axes, panel in zip(all_axes, drawn, strict=True):
        _draw(axes, panel, _lines(panel, rows, baselines or {}))
    figure.draw_without_rendering()
    figure.set_layout_engine("none")  # names are placed for the layout as it is now
    for axes, panel in zip(all_axes, drawn, strict=True):
        _name_marks(axes, panel, _lines(panel, rows, baselines or {}).values())
    return all_axes[0]


def _lines(panel: Panel, rows: Sequence[Row], baselines: dict[str, dict]) -> dict[str, float]:
    """The baselines that belong into a panel, name -> figure."""
    first = next((row.tokenizer_sha256 for row in rows if row.kind == MEASURED), None)
    alone = all(row.kind == MEASURED for row in panel.rows)
    compare = panel.value == BITS or {row.tokenizer_sha256 for row in panel.rows} == {first}
    return {name: score[panel.value] for name, score in baselines.items()} if alone and compare else {}


def _draw(axes: Axes, panel: Panel, lines: dict[str, float]) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(colors=INK)
    axes.grid(color="#E4E4E4", linewidth=0.8)
    axes.set_axisbelow(True)
    contexts = list(dict.fromkeys(row.context_length for row in panel.rows if row.kind == MEASURED))
    for row in panel.rows:
        x, y = row.parameters, getattr(row, panel.value)
        if row.kind == PUBLISHED:
            axes.plot(x, y, HOLLOW, markersize=9, markerfacecolor="none", markeredgecolor=INK, markeredgewidth=1.3,
                      zorder=3, label="published, by its own protocol")  # fmt: skip
            continue
        low, high = interval(row, panel.value)
        place = contexts.index(row.context_length)
        axes.errorbar(x, y, [[y - low], [high - y]], fmt=FILLED[place % len(FILLED)], color=FILLS[place % len(FILLS)],
                      markersize=6.5, capsize=7, elinewidth=1.3, capthick=1.3, zorder=4,
                      label=f"measured, context {row.context_length:,}, 95% interval")  # fmt: skip
    for name, value in lines.items():
        axes.axhline(value, color=GREY, linewidth=1, linestyle=(0, (5, 3)))
        axes.annotate(f"{name} {value:,.3g}", (1, value), xycoords=("axes fraction", "data"), xytext=(-4, 3),
                      textcoords="offset points", ha="right", color=INK, fontsize=9)  # fmt: skip
    _scale(axes, panel, lines)
    _legend(axes, panel)


def _scale(axes: Axes, panel: Panel, lines: dict[str, float]) -> None:
    """Log axes with room around the marks, so that no small difference fills the picture."""
    counts = [row.parameters for row in panel.rows]
    axes.set_xscale("log")
    room = 2.2 if max(counts) > 4 * min(counts) else 5
    axes.set_xlim(min(counts) / room, max(counts) * room)
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 3)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda count, _: short_count(count)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("parameters (log scale)")
    ends = [end for row in panel.rows for end in interval(row, panel.value)] + list(lines.values())
    low, high = min(ends), max(ends)
    if panel.value == BITS:
        axes.set_ylim(max(0, low - 0.15), high + 0.2)
        axes.set_ylabel("bits per byte (less is better)")
        return
    axes.set_yscale("log")
    axes.set_ylim(low / 1.35, high * 1.35)
    axes.yaxis.set_major_locator(FixedLocator([n * 10**power for power in range(6) for n in (1, 1.5, 2, 3, 5, 7)]))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.set_ylabel("token perplexity (log scale, less is better)")


def _legend(axes: Axes, panel: Panel) -> None:
    found = dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
    handles = {label: found[label] for label in sorted(found, key=lambda label: label.startswith("published"))}
    columns = 2
    axes.legend(handles.values(), handles.keys(), frameon=False, loc="lower left", bbox_to_anchor=(-0.02, 1.01),
                ncols=columns, fontsize=9, borderaxespad=0, handletextpad=0.3, columnspacing=1.2)  # fmt: skip
    above = 12 + 15 * -(-len(handles) // columns)
    axes.set_title(panel.title, loc="left", fontsize=11, color=INK, fontweight="bold", pad=above)


def interval(row: Row, value: str) -> tuple[float, float]:
    """The 95% interval of a row's figure; of a published one the figure itself, twice."""
    low, high = getattr(row, f"{value}_low"), getattr(row, f"{value}_high")
    return (low, high) if row.kind == MEASURED else (getattr(row, value),) * 2


def _name_marks(axes: Axes, panel: Panel, lines: Iterable[float]) -> None:
    """Name each model beside the topmost of its marks, where no other mark, name or line is in the way."""
    taken = [_mark_box(axes, row, panel.value) for row in panel.rows]
    taken += [text.get_window_extent() for text in axes.texts]
    taken += [_line_box(axes, value) for value in lines]
    tops: dict[tuple[float, ...], list[str]] = {}
    for name in dict.fromkeys(row.model for row in panel.rows):
        top = max((row for row in panel.rows if row.model == name), key=lambda row: getattr(row, panel.value))
        low, high = interval(top, panel.value)
        tops.setdefault((top.parameters, low, getattr(top, panel.value), high), []).append(brief(name))
    for spot, names in tops.items():
        for offset in PLACES:
            note = _annotate(axes, "\n".join(names), spot, offset)
            box = note.get_window_extent().padded(2)
            if not any(box.overlaps(other) for other in taken) and _contains(axes.bbox, box):
                break
            note.remove()
        else:
            note = _annotate(axes, "\n".join(names), spot, PLACES[0])
        taken.append(note.get_window_extent())


def _annotate(axes: Axes, text: str, spot: tuple[float, ...], offset: tuple[int, int]) -> Annotation:
    """spot: the mark's x, and its y in the middle of its interval's ends; the name stands clear of these."""
    (x, low, middle, high), (right, up) = spot, offset
    y = high if up > 0 else low if up < 0 else middle
    return axes.annotate(
        text.replace("$", r"\$"), (x, y), offset, textcoords="offset points", color=INK, fontsize=9.5,
        ha="left" if right > 0 else "right" if right < 0 else "center",
        va="bottom" if up > 0 else "top" if up < 0 else "center",
    )  # fmt: skip


def _mark_box(axes: Axes, row: Row, value: str, points: float = 6) -> Bbox:
    """Where a mark and its interval stand, in pixels."""
    low, high = interval(row, value)
    half = points * axes.figure.dpi / 72
    (x, bottom), (_, top) = axes.transData.transform([(row.parameters, low), (row.parameters, high)])
    return Bbox([[x - half, bottom - half], [x + half, top + half]])


def _line_box(axes: Axes, value: float) -> Bbox:
    """Where a line across stands, in pixels."""
    y = axes.transData.transform((axes.get_xlim()[0], value))[1]
    return Bbox([[axes.bbox.x0, y - 1], [axes.bbox.x1, y + 1]])


def _contains(outer: Bbox, inner: Bbox) -> bool:
    return outer.x0 <= inner.x0 and inner.x1 <= outer.x1 and outer.y0 <= inner.y0 and inner.y1 <= outer.y1


def brief(name: str, most: int = 26) -> str:
    """A name that fits a chart: of a long one its end, which tells runs apart."""
    return name if len(name) <= most else f"…{name[1 - most :]}"


def short_count(count: float) -> str:
    """A number of parameters or tokens in three digits: 902k, 30.1M, 1.56B."""
    for size, unit in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if count >= size:
            return f"{count / size:.3g}{unit}"
    return f"{count:.3g}"


def describe_perplexity_by_parameters(rows: Sequence[Row]) -> str:
    """The chart in words, panel by panel and mark by mark."""
    return " ".join(["Scatter chart; no line joins the marks."] + [_describe(panel) for panel in panels(rows)])


def _describe(panel: Panel) -> str:
    said = []
    for kind in (MEASURED, PUBLISHED):
        marks = [_in_words(row, panel.value) for row in panel.rows if row.kind == kind]
        said += [f"{kind}, {', '.join(marks)}"] if marks else []
    return f"{panel.title}: {'; '.join(said)}."


def _in_words(row: Row, value: str) -> str:
    words = f"{row.model} ({short_count(row.parameters)}) {getattr(row, value):.4g}"
    if row.kind == PUBLISHED:
        return words
    low, high = interval(row, value)
    return f"{words} ({low:.4g} to {high:.4g}) at context {row.context_length:,}"


def plot_protocols(scores: dict[str, tuple[float, float, float]]) -> Axes:
    """One model's token perplexity under several protocols, the first of which is the one to be held against.

    scores: protocol -> (perplexity, low, high); low and high are the ends of an interval or of a range.
    """
    axes = new_axes(7.5, 0.5 * len(scores) + 1.2)
    ours = next(iter(scores.values()))[0]
    axes.axvline(ours, color=GREY, linewidth=1, linestyle=(0, (5, 3)))
    for row, (value, low, high) in enumerate(scores.values()):
        axes.errorbar(value, row, xerr=[[max(0, value - low)], [max(0, high - value)]], fmt="s" if row else "o",
                      color=ORANGE if row else BLUE, markersize=7, capsize=5, elinewidth=1.3)  # fmt: skip
        moved = f"{value:.2f}" + (f"  ({value / ours - 1:+.0%})" if row else "")
        axes.annotate(moved, (max(high, value), row), xytext=(8, 0), textcoords="offset points", va="center",
                      color=INK, fontweight="normal" if row else "bold",
                      bbox={"facecolor": "white", "edgecolor": "none", "pad": 1})  # fmt: skip
    axes.set_yticks(range(len(scores)), scores)
    axes.invert_yaxis()
    axes.grid(visible=False)
    low, high = min(low for _, low, _ in scores.values()), max(high for _, _, high in scores.values())
    axes.set_xlim(low - 0.1 * (high - low), high + 0.35 * (high - low))
    axes.set_xlabel("token perplexity of one and the same model (less looks better)")
    return axes


def describe_protocols(scores: dict[str, tuple[float, float, float]]) -> str:
    """The protocols in words, each with what it does to the figure."""
    (first, (ours, *_)), *others = scores.items()
    said = ", ".join(f"{name} {value:.2f} ({value / ours - 1:+.0%})" for name, (value, _, _) in others)
    return f"Dot chart of one model's token perplexity by protocol: {first} {ours:.2f}; {said}."


def plot_by_position(losses: Sequence[float], average: float) -> Axes:
    """Loss (nats per token) by the place in the window, (T,): means over stretches that double, log axis."""
    axes = new_axes()
    places, means = zip(*stretches(losses), strict=True)
    axes.axhline(average, color=GREY, linewidth=1, linestyle=(0, (5, 3)))
    axes.annotate(f"average {average:.2f}", (0, average), xycoords=("axes fraction", "data"), xytext=(4, -12),
                  textcoords="offset points", color=INK, fontsize=9)  # fmt: skip
    axes.plot([(a + b) / 2 for a, b in places], means, color=BLUE, linewidth=1.8, marker="o", markersize=7)
    for (a, b), mean in zip(places, means, strict=True):
        axes.annotate(f"{mean:.2f}", ((a + b) / 2, mean), (4, 8), textcoords="offset points", color=INK, fontsize=9)
    axes.set_xscale("log")
    axes.set_xticks([(a + b) / 2 for a, b in places], [f"{a}" if a == b else f"{a}-{b}" for a, b in places])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set(xlabel="place in the window (log scale)", ylabel="loss (nats per token)", ymargin=0.18)
    return axes


def stretches(losses: Sequence[float]) -> list[tuple[tuple[int, int], float]]:
    """Places 1, 2, 3-4, 5-8 and so on, each with the mean loss over them."""
    found, first = [], 1
    while first <= len(losses):
        last = min(2 * first - 2 if first > 2 else first, len(losses))
        found.append(((first, last), sum(losses[first - 1 : last]) / (last - first + 1)))
        first = last + 1
    return found


def describe_by_position(losses: Sequence[float], average: float) -> str:
    """The loss by place in words."""
    said = ", ".join(f"{mean:.2f} at {a if a == b else f'{a}-{b}'}" for (a, b), mean in stretches(losses))
    return f"Line chart of the loss in nats per token by the place in a window: {said}. The average is {average:.2f}."
