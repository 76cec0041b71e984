"""A small line chart as SVG text: drawn in no time, light enough to be sent twice a second, and read without colour."""

import math
from collections.abc import Sequence
from html import escape
from typing import NamedTuple

import numpy as np

POINTS = 120  # of a line, at most; more can't be seen at this size and cost bytes
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 420, 170, 52, 10, 8, 34


class Line(NamedTuple):
    """A named line. `dots` marks each value and dashes what joins them: for values that are few."""

    name: str
    steps: Sequence[float]
    values: Sequence[float]
    dots: bool = False


def line_chart(title: str, unit: str, lines: Sequence[Line], marks: dict[str, float] | None = None) -> str:
    """A figure as HTML: a caption with the newest values, and the lines over the steps; `marks` lie across, named.

    A line longer than POINTS is cut into as many stretches: it goes through their means, and the band behind it
    from their least to their greatest value.
    """
    lines, marks = [_finite(line) for line in lines], marks or {}
    drawn = [line for line in lines if len(line.steps)]
    unit = f" ({escape(unit)})" if unit else ""
    caption = "".join(f" <span>{_key(line)} {escape(line.name)} {number(line.values[-1])}</span>" for line in drawn)
    caption = f"<figcaption><strong>{escape(title)}</strong>{unit}:{caption or ' nothing yet'}</figcaption>"
    return f'<figure class="nanogpt-chart">{caption}{_svg(title, drawn, marks) if drawn else ""}</figure>'


def number(value: float) -> str:
    """A number as it stands on an axis or in a caption: 12,345, 3.21 or 0.0008."""
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return np.format_float_positional(value, precision=4 if abs(value) >= 1 else 3, fractional=False, trim="-")


def ticks(low: float, high: float, count: int = 4) -> list[float]:
    """Round numbers, some `count` of them, evenly apart, that reach from below `low` to above `high`."""
    if not high > low:
        low, high = low - (abs(low) / 2 or 1), high + (abs(high) / 2 or 1)
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= rough * 0.999)
    return [i * step for i in range(math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9) + 1)]


def thin(steps: np.ndarray, values: np.ndarray, most: int = POINTS) -> tuple[np.ndarray, ...]:
    """Middle step, least, mean and greatest value of each of at most `most` stretches of a line."""
    starts = np.unique(np.linspace(0, len(steps), min(most, len(steps)), endpoint=False).astype(int))
    counts = np.diff([*starts, len(steps)])
    means = [np.add.reduceat(column, starts) / counts for column in (steps, values)]
    return means[0], np.minimum.reduceat(values, starts), means[1], np.maximum.reduceat(values, starts)


def _finite(line: Line) -> Line:
    steps, values = np.asarray(line.steps, dtype=float), np.asarray(line.values, dtype=float)
    kept = np.isfinite(steps) & np.isfinite(values)
    return line._replace(steps=steps[kept], values=values[kept])


def _svg(title: str, lines: Sequence[Line], marks: dict[str, float]) -> str:
    values = np.concatenate([line.values for line in lines] + [list(marks.values())])
    across = ticks(float(values.min()), float(values.max()))
    last = max(1.0, *(float(line.steps[-1]) for line in lines))
    place = _Place(last, across[0], across[-1])
    parts = [_axes(place, across, last), *(_dots(place, line) if line.dots else _curve(place, line) for line in lines)]
    for name, value in marks.items():
        y, end = place.y(value), WIDTH - RIGHT
        up = y - 4 if y > TOP + 12 else y + 11
        parts.append(f'<path class="mark" d="M{LEFT} {y:.1f}H{end}"/>')
        parts.append(f'<text x="{end}" y="{up:.1f}" text-anchor="end">{escape(name)} {number(value)}</text>')
    label = escape(
        f"{title} over steps 0 to {last:,.0f}: {'; '.join([*map(_said, lines), *_levels(marks)])}", quote=True
    )
    return f'<svg role="img" viewBox="0 0 {WIDTH} {HEIGHT}" aria-label="{label}">{"".join(parts)}</svg>'


class _Place:
    """Where on the chart a step and a value are."""

    def __init__(self, last: float, low: float, high: float):
        self.across = (WIDTH - LEFT - RIGHT) / last
        self.down, self.high = (HEIGHT - TOP - BOTTOM) / (high - low), high

    def x(self, step: float) -> float:
        return LEFT + step * self.across

    def y(self, value: float) -> float:
        return TOP + (self.high - value) * self.down

    def path(self, steps: Sequence[float], values: Sequence[float]) -> str:
        return " ".join(f"{self.x(s):.1f},{self.y(v):.1f}" for s, v in zip(steps, values, strict=True))


def _axes(place: _Place, across: Sequence[float], last: float) -> str:
    floor = HEIGHT - BOTTOM
    parts = [f'<path class="grid" d="M{LEFT} {place.y(tick):.1f}H{WIDTH - RIGHT}"/>' for tick in across]
    parts += [
        f'<text x="{LEFT - 6}" y="{place.y(tick) + 4:.1f}" text-anchor="end">{number(tick)}</text>' for tick in across
    ]
    for tick in ticks(0, last):
        if tick <= last and tick == int(tick):
            x = place.x(tick)
            parts.append(f'<path class="axis" d="M{x:.1f} {floor}v4"/>')
            parts.append(f'<text x="{x:.1f}" y="{floor + 16}" text-anchor="middle">{tick:,.0f}</text>')
    parts.append(f'<path class="axis" d="M{LEFT} {TOP}V{floor}H{WIDTH - RIGHT}"/>')
    return (
        "".join(parts) + f'<text x="{(LEFT + WIDTH - RIGHT) / 2:.0f}" y="{HEIGHT - 3}" text-anchor="middle">step</text>'
    )


def _curve(place: _Place, line: Line) -> str:
    steps, least, mean, most = thin(line.steps, line.values)
    band = ""
    if len(steps) < len(line.steps):
        edge = f"{place.path(steps, most)} {place.path(steps[::-1], least[::-1])}"
        band = f'<polygon class="band" points="{edge}"/>'
    return f'{band}<polyline class="line" points="{place.path(steps, mean)}"/>'


def _dots(place: _Place, line: Line) -> str:
    steps, _, mean, _ = thin(line.steps, line.values, POINTS // 2)
    pairs = zip(steps, mean, strict=True)
    points = "".join(f'<circle cx="{place.x(s):.1f}" cy="{place.y(v):.1f}" r="3"/>' for s, v in pairs)
    return f'<polyline class="line dots" points="{place.path(steps, mean)}"/><g class="dots">{points}</g>'


def _key(line: Line) -> str:
    """A short piece of the line, for the caption."""
    dots = '<g class="dots"><circle cx="12" cy="5" r="3"/></g>' if line.dots else ""
    css = "line dots" if line.dots else "line"
    return f'<svg class="key" viewBox="0 0 24 10" aria-hidden="true"><path class="{css}" d="M0 5H24"/>{dots}</svg>'


def _said(line: Line) -> str:
    first, last, least = (number(value) for value in (line.values[0], line.values[-1], min(line.values)))
    return f"{line.name} {first} at first, {last} now, {least} at the least"


def _levels(marks: dict[str, float]) -> list[str]:
    return [f"{name} {number(value)}" for name, value in marks.items()]
