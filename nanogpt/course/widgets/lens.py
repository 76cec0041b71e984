"""The lens: the likeliest next tokens after a prompt, and what temperature, top-k and top-p make of them."""

import math
from html import escape
from pathlib import Path
from typing import NamedTuple

import ipywidgets as widgets
import torch
from matplotlib.axes import Axes
from torch import Tensor

from nanogpt.course.plots.generate import describe_settings, plot_settings
from nanogpt.course.widgets.controls import WIDE, Number, Shown, Status, style_sheet
from nanogpt.course.widgets.follow import Following
from nanogpt.course.widgets.tokens import readable
from nanogpt.device import choose_device
from nanogpt.generate import Sampling, next_token_probs
from nanogpt.runs import Run, load_run

SHOWN = 12  # tokens, the likeliest, that have a bar of their own
SCALES = (0.05, 0.1, 0.25, 0.5, 0.75, 1.0)  # what the whole width of a bar may stand for
NO_TOKENS = torch.empty(0, dtype=torch.long)


def next_token_lens(run: str | Path | Run, prompt: str = "Return True if") -> "Lens":
    """Look at what a run would say next after a prompt, with the dials of sampling to turn.

    Raises FileNotFoundError for a folder without a run or checkpoint, ValueError for an empty prompt.
    """
    return Lens(run if isinstance(run, Run) else load_run(run, choose_device()), prompt)


class Scores(NamedTuple):
    """What a model makes of a prompt: the logits (V,) of the next token, the likeliest first."""

    prompt: str
    logits: Tensor
    ids: list[int]
    """Of the SHOWN likeliest."""
    said: str
    """How many tokens were read, and how many were cut off."""


def next_scores(run: Run, prompt: str) -> Scores:
    """Let the model read a prompt, of one over the context its end. Raises ValueError for an empty one."""
    ids, T, V = run.tokenizer.encode_ordinary(prompt), run.model.config.context_length, run.tokenizer.n_vocab
    if not ids:
        raise ValueError("the prompt is empty; type at least one character to go on from")
    with torch.inference_mode():
        window = torch.tensor([ids[-T:]], device=run.model.token_embedding.weight.device)  # (1, T)
        logits = run.model(window)[0, -1, :V].float().cpu()  # (V,): padding can't be drawn
        logits, order = logits.sort(descending=True, stable=True)
    read = min(len(ids), T)
    said = f"{run.folder.name} after {read} token{'s' if read > 1 else ''}"
    if len(ids) > T:
        said = f"the model reads {T} tokens and the prompt has {len(ids)}: its first {len(ids) - T} are cut off; {said}"
    return Scores(prompt, logits, order[:SHOWN].tolist(), said)


class Change(NamedTuple):
    """What settings make of a distribution, over the likeliest N tokens and all others as one."""

    own: list[float]
    """The model's own probabilities, (N + 1,)."""
    after: list[float]
    """Those after the settings, (N + 1,)."""
    cut: list[bool]
    """Which of the likeliest can't be drawn, (N,)."""
    others: tuple[int, int]
    """How many others there are, and how many of them can't be drawn."""
    bits: tuple[float, float]
    """Entropy of the whole distribution before and after, in bits."""


def changed_by(logits: Tensor, sampling: Sampling) -> Change:
    """Apply settings to logits (V,) that are sorted, the likeliest first."""
    own, after = logits.softmax(-1), next_token_probs(logits, sampling, NO_TOKENS)  # (V,) each
    cut = after == 0
    if sampling.temperature and sampling.top_p is None:  # a cold softmax rounds some to 0, which is no cut
        cut &= torch.arange(len(logits)) >= (sampling.top_k or len(logits))
    n = min(SHOWN, len(logits))
    shares = [[*probs[:n].tolist(), probs[n:].sum().item()] for probs in (own, after)]
    rest = cut[n:]
    return Change(*shares, cut[:n].tolist(), (len(rest), int(rest.sum())), (_bits(own), _bits(after)))


def _bits(probs: Tensor) -> float:
    """Entropy in bits."""
    return max(0.0, torch.special.entr(probs).sum().item() / math.log(2))


class Lens(Shown):
    """The widget: `widget` is what is shown, the rest is for whoever tests it."""

    def __init__(self, run: Run, prompt: str):
        self.run, self.scores = run, next_scores(run, prompt)
        self.status = Status()
        self.following = Following(self.status.say, self._state, self._draw)
        self.prompt = widgets.Textarea(prompt, description="Prompt", rows=2, layout=widgets.Layout(width="auto"))
        most = min(200, run.tokenizer.n_vocab)
        self.temperature = Number("Temperature", 0.8, 0.0, 3.0, 0.05, "0 takes the likeliest; above 1 flattens")
        self.top_k = Number("Top-k", min(50, most), 0, most, 1, "Draw from the k likeliest; 0 leaves it off")
        self.top_p = Number("Top-p", 0.9, 0.05, 1.0, 0.05, "Draw from the likeliest that hold this share; 1 is all")
        self.view = widgets.HTML(layout=WIDE)
        self.prompt.observe(self.following.changed, "value")
        dials = [self.temperature, self.top_k, self.top_p]
        for dial in dials:
            dial.observe(self.following.changed)
        self.following.now()
        box = widgets.VBox(
            [
                style_sheet(), self.prompt, widgets.HBox([dial.widget for dial in dials], layout=_WRAP),
                self.status.widget, self.view,
            ],
            layout=WIDE,
        )  # fmt: skip
        super().__init__(box, self._picture)

    def _state(self) -> tuple[str, float, int, float]:
        return self.prompt.value, self.temperature.value, self.top_k.value, self.top_p.value

    def _draw(self, prompt: str, *dials: float) -> None:
        """Read the prompt if it is another one; a dial alone only filters again."""
        if prompt != self.scores.prompt:
            try:
                self.scores = next_scores(self.run, prompt)
            except ValueError:
                self.view.value = ""  # bars of another prompt would be wrong
                raise
        change = changed_by(self.scores.logits, _sampling(*dials))
        names = [readable(self._bytes(i)) for i in self.scores.ids]
        self.view.value = bars_html(names, change)
        self.status.say(f"{self.scores.said}, {_said(change)}")

    def _bytes(self, token: int) -> bytes:
        return self.run.tokenizer.decode_single_token_bytes(token)

    def _picture(self) -> tuple[Axes, str]:
        """The bars as they stand, beside the model's own."""
        sampling = _sampling(*self._state()[1:])
        change = changed_by(self.scores.logits, sampling)
        names = [_plain(self._bytes(i)) for i in self.scores.ids] + [f"{change.others[0]:,} others"]
        panels = {"the model's own": change.own, _title(sampling): change.after}
        return plot_settings(names, change.own, panels), describe_settings(names, change.own, panels)


_WRAP = widgets.Layout(flex_flow="row wrap", width="100%")


def bars_html(names: list[str], change: Change) -> str:
    """A table, a row a token: its name, its bar with the model's own as an outline, and both probabilities."""
    scale = next(s for s in SCALES if s >= min(1.0, max(*change.own, *change.after)))
    total, cut = change.others
    rows = [_row(*row, scale) for row in zip(names, change.own, change.after, change.cut, strict=False)]
    if total:
        rows.append(_row(f"{total:,} others", change.own[-1], change.after[-1], cut == total, scale, cut))
    return (
        '<table class="nanogpt-bars"><caption>Solid: the probability after the settings. Dashed outline: the '
        f'model\'s own. The whole width is {scale:.0%}.</caption><thead><tr><th scope="col">next token</th>'
        '<td></td><th scope="col">the model\'s own</th><th scope="col">after the settings</th></tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table>"
    )


def _row(name: str, own: float, after: float, cut: bool, scale: float, cut_others: int | None = None) -> str:
    some = f", {cut_others:,} cut" if cut_others and not cut else ""
    return (
        f'<tr><th scope="row"{"" if cut_others is None else " class=others"}>{escape(name)}{some}</th>'
        f'<td aria-hidden="true"><div class="track"><div class="now" style="width: {100 * after / scale:.2f}%"></div>'
        f'<div class="own" style="width: {100 * own / scale:.2f}%"></div></div></td>'
        f"<td>{own:.1%}</td><td>{'✕ cut' if cut else f'{after:.1%}'}</td></tr>"
    )


def _said(change: Change) -> str:
    (before, after), (total, others) = change.bits, change.others
    left = len(change.cut) - sum(change.cut) + total - others
    return (
        f"the model's own entropy is {before:.2f} bits (token perplexity {2**before:.1f}); after the settings "
        f"{after:.2f} bits (token perplexity {2**after:.1f}), and {left:,} of {len(change.cut) + total:,} tokens "
        "can be drawn"
    )


def _sampling(temperature: float, top_k: int, top_p: float) -> Sampling:
    """What the dials say: top-k 0 and top-p 1 are off."""
    return Sampling(temperature, top_k=top_k or None, top_p=None if top_p == 1 else top_p)


def _title(sampling: Sampling) -> str:
    cuts = [f"top-k {sampling.top_k}"] if sampling.top_k else []
    cuts += [f"top-p {sampling.top_p:g}"] if sampling.top_p else []
    return f"temperature {sampling.temperature:g}" + (f",\n{', '.join(cuts)}" if cuts else "")


def _plain(data: bytes) -> str:
    """A token's text as it is, for the picture marks its spaces itself; parts of a character in hexadecimal."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return readable(data)
