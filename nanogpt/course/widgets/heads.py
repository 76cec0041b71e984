"""Attention weights as one sees them in a page: on the tokens of a text, and as a small map for each head."""

import itertools
from collections.abc import Sequence
from html import escape

from torch import Tensor

BANDS = ((0.65, 0.75), (0.35, 0.55), (0.15, 0.38), (0.05, 0.22), (0.01, 0.1))  # a weight at least so large -> its shade
DARKEST = BANDS[0][1]  # on which text can still be read
SEEN = 0.005  # smaller weights are shown as a dot


def tokens_html(tokens: Sequence[str], row: Tensor, looking: int, scope: str) -> str:
    """The tokens, each with its number, and what the looking one gives it: row (T,) weights.

    `scope` is the class of the widget around it; the maps in there outline the same row.
    """
    boxes = [_token(i, token, row[i].item(), i == looking) for i, token in enumerate(tokens)]
    return (
        f'<style>.{scope} {{ --row: {looking}; }}</style><div class="nanogpt-tokens" role="group" '
        f'aria-label="Tokens, with the weights of token {looking}">{"".join(boxes)}</div>'
    )


def _token(i: int, token: str, weight: float, looks: bool) -> str:
    said = percent(weight) + (" ▲" if looks else "")
    return (
        f'<span class="tok t{i}{" looks" if looks else ""}" style="--shade: {shade(weight)}"><span class="at">{i}'
        f'</span><span class="txt">{escape(visible(token))}</span><span class="num">{said}</span></span>'
    )


def hover_rules(weights: Tensor, scope: str) -> str:
    """A style sheet that shows the weights (T, T) of whatever token the mouse is over, in place of the chosen one's."""
    rules = []
    for i, row in enumerate(weights.tolist()):
        over = f".{scope}.nanogpt-attention:has(.t{i}:hover)"
        alike: dict[tuple[str, float], list[str]] = {}
        for j, weight in enumerate(row):
            if j == i or weight >= SEEN:
                said = percent(weight) + (" ▲" if j == i else "")
                alike.setdefault((said, shade(weight)), []).append(f".t{j}")
        rules.append(f"{over}{{--row:{i}}}")
        rules += [
            f'{over} :is({",".join(places)}){{--shade:{alpha}!important;--said:"{said}"}}'
            for (said, alpha), places in alike.items()
        ]
    return f"<style>{''.join(rules)}</style>"


def maps_html(weights: Tensor, layer: int, chosen: int) -> str:
    """A small map of each head, weights (H, T, T): each row is a token that looks; the chosen head's is framed."""
    maps = [_map(head, layer, h, h == chosen) for h, head in enumerate(weights)]
    return f'<div class="nanogpt-maps" role="group" aria-label="All heads of layer {layer}">{"".join(maps)}</div>'


def _map(weights: Tensor, layer: int, head: int, chosen: bool) -> str:
    T, edge = len(weights), len(weights) / 14  # to the left of the map, an arrow at the row of the token that looks
    most, place = weights[-1].max(-1)
    told = f"Head {head} of layer {layer}: the last token looks most at token {place}, {percent(most.item())}"
    runs = _runs(weights).items()
    paths = "".join(f'<path d="{path}" fill-opacity="{alpha / DARKEST:.2f}"/>' for alpha, path in runs)
    return (
        f'<figure class="{"chosen" if chosen else ""}"><figcaption>{"▸ " if chosen else ""}head {head}</figcaption>'
        f'<svg viewBox="{-edge:.2f} 0 {T + edge:.2f} {T}" role="img" aria-label="{told}">{paths}'
        f'<rect width="{T}" height="{T}"/><path class="row" d="M{-edge:.2f} {0.5 - edge / 2:.2f}L0 0.5'
        f'L{-edge:.2f} {0.5 + edge / 2:.2f}z"/></svg></figure>'
    )


def _runs(weights: Tensor) -> dict[float, str]:
    """A shade -> the path of all squares that have it, neighbours in a row drawn as one."""
    paths: dict[float, str] = {}
    for y, row in enumerate(weights.tolist()):
        x = 0
        while x < len(row):
            alpha, start = shade(row[x]), x
            while x < len(row) and shade(row[x]) == alpha:
                x += 1
            if alpha:
                paths[alpha] = paths.get(alpha, "") + f"M{start} {y}h{x - start}v1h{start - x}z"
    return paths


def legend_html() -> str:
    """What the shades mean, in words."""
    edges = [1.0, *(least for least, _ in BANDS)]
    words = [f"{percent(low)} to {percent(high)}" for high, low in itertools.pairwise(edges)]
    boxes = zip([alpha for _, alpha in reversed(BANDS)], reversed(words), strict=True)
    shades = "".join(f'<span class="key" style="--shade: {alpha}">{said}</span>' for alpha, said in boxes)
    return (
        f'<div class="nanogpt-legend"><span>▲ is the token that looks; what it gives to each:</span>{shades}'
        "<span>· next to nothing. In a map, each row is a token that looks.</span></div>"
    )


def shade(weight: float) -> float:
    """How dark a weight is drawn, 0 to 1."""
    return next((alpha for least, alpha in BANDS if weight >= least), 0)


def percent(weight: float) -> str:
    """A weight in whole per cent; a dot where there is next to none, as in a masked future."""
    return f"{weight:.0%}" if weight >= SEEN else "·"


def visible(token: str) -> str:
    """A token with its spaces, tabs and line breaks to be seen."""
    return token.replace(" ", "␣").replace("\n", "⏎").replace("\t", "⇥") or "∅"
