"""The board of the note's claims: a bet on each, kept as it is placed, and later the verdict beside it."""

import math
from collections.abc import Sequence
from html import escape

import ipywidgets as widgets
from matplotlib.axes import Axes

from nanogpt.course.claims import ANSWERS, CLAIMS, Claim
from nanogpt.course.plots.claims import Bet, describe_claims, plot_claims, told_bet
from nanogpt.course.progress import NO_BET, read_predictions, save_predictions
from nanogpt.course.verdicts import Verdict
from nanogpt.course.widgets.controls import WIDE, Shown, Status, style_sheet
from nanogpt.course.widgets.work import told

DECIDED = ("holds", "false")  # the answers that a bet can be held against


def claims_board(verdicts: Sequence[Verdict] | None = None) -> "ClaimsBoard":
    """The note's claims, each with a bet to place; it is kept in progress.json at once and read back from there.

    With `verdicts`, of `judge`, each stands beside its bet with its evidence, and the bets that were right are counted.
    """
    return ClaimsBoard(verdicts)


class ClaimsBoard(Shown):
    """The widget: `widget` is what is shown, the rest is for whoever tests it."""

    def __init__(self, verdicts: Sequence[Verdict] | None = None):
        self.verdicts = None if verdicts is None else {verdict.claim.id: verdict for verdict in verdicts}
        self.bets: dict[str, Bet] = {id: v.prediction for id, v in (self.verdicts or {}).items() if v.prediction}
        self.status = Status()
        told(self.status.say)(self._read_back)()
        troubles = self._without_wrong_figures()
        self.rows = {claim.id: ClaimRow(claim, self._bet(claim.id), self._verdict(claim.id)) for claim in CLAIMS}
        for row in self.rows.values():
            for control in (row.answer, row.figure):
                control.observe(told(self.status.say)(lambda _, row=row: self._place(row)), "value")
        rows = widgets.VBox([row.widget for row in self.rows.values()], layout=WIDE)
        self.widget = widgets.VBox([style_sheet(), self.status.widget, rows], layout=WIDE)
        for claim, trouble in troubles.items():
            self.rows[claim].show(self._bet(claim), trouble)
        self.status.say(
            " ".join([self.status.text or self._tally(), *(f"{trouble}." for trouble in troubles.values())])
        )
        super().__init__(self.widget, self._picture)

    def _read_back(self) -> None:
        self.bets |= read_predictions()

    def _without_wrong_figures(self) -> dict[str, str]:
        """Leave out of the bets each figure that isn't a number: claim -> what is to be said of it."""
        troubles = {}
        for claim in [claim.id for claim in CLAIMS if claim.id in self.bets]:
            answer, figure = self.bets[claim]
            try:
                self.bets[claim] = answer, None if figure is None else read_figure(str(figure))
            except ValueError as error:
                self.bets[claim], troubles[claim] = (answer, None), f"{claim}: the kept figure {error}"
        return troubles

    def _bet(self, claim: str) -> Bet:
        return self.bets.get(claim, NO_BET)

    def _verdict(self, claim: str) -> Verdict | None:
        return None if self.verdicts is None else self.verdicts.get(claim)

    def _place(self, row: "ClaimRow") -> None:
        """Keep what a row says. A figure that is none is told, and the one kept before stays."""
        claim, (_, figure) = row.claim.id, self._bet(row.claim.id)
        trouble = ""
        try:
            figure = read_figure(row.figure.value)
        except ValueError as error:
            trouble = f"{claim}: {error}"
            trouble += "" if figure is None else f"; {figure:,.10g} stays kept"
        bet = row.answer.value, figure
        save_predictions({claim: bet}, take_back=True)
        self.bets[claim] = bet
        row.show(bet, trouble)
        self.status.say(trouble or f"{self._tally()} {claim}: {told_bet(bet)} is kept.")

    def _tally(self) -> str:
        """How many bets are placed, and where there are verdicts how many were right."""
        placed = {claim: answer for claim in self.rows if (answer := self._bet(claim)[0]) != "unsure"}
        said = f"{len(placed)} of {len(CLAIMS)} placed."
        if self.verdicts is not None:
            decided = {claim: v.answer for claim, v in self.verdicts.items() if v.answer in DECIDED}
            held = [placed[claim] == answer for claim, answer in decided.items() if claim in placed]
            said += (
                f" {len(decided)} claims are decided by what is known here, and you bet on {len(held)} of them: "
                f"{sum(held)} right, {len(held) - sum(held)} wrong."
            )
        return said

    def _picture(self) -> tuple[Axes, str]:
        words = None if self.verdicts is None else {claim: v.answer for claim, v in self.verdicts.items()}
        return plot_claims(self.bets, words), describe_claims(self.bets, words)


class ClaimRow:
    """One claim: its text, the answer, a box for the figure, and the verdict if there is one."""

    def __init__(self, claim: Claim, bet: Bet, verdict: Verdict | None):
        self.claim, self.verdict = claim, verdict
        answer, figure = bet
        self.answer = widgets.RadioButtons(
            options=ANSWERS, value=answer if answer in ANSWERS else "unsure", description=f"{claim.id}:",
            orientation="horizontal", tooltip=f"Does {claim.id} hold?", style={"description_width": "2.5rem"},
            layout=widgets.Layout(width="auto"),
        )  # fmt: skip
        self.figure = widgets.Text(
            "" if figure is None else f"{figure:.15g}", description=f"{claim.id}, {claim.figure}:",
            continuous_update=False, tooltip=f"The figure you expect for {claim.id}; it may stay empty",
            style={"description_width": "min(15rem, 65%)"}, layout=widgets.Layout(width="24rem", max_width="98%"),
        )  # fmt: skip
        self.note = widgets.HTML(layout=WIDE)
        text = widgets.HTML(f"<strong>{escape(claim.id)}</strong> {escape(claim.text)}", layout=WIDE)
        controls = widgets.HBox([self.answer, self.figure], layout=widgets.Layout(flex_flow="row wrap"))
        judged = [widgets.HTML(_judged(verdict), layout=WIDE)] if verdict else []
        self.widget = widgets.VBox([text, controls, self.note, *judged], layout=WIDE)
        self.widget.add_class("nanogpt-claim")
        self.show(bet)

    def show(self, bet: Bet, trouble: str = "") -> None:
        """Say below the controls what became of the bet, or what is wrong with the figure."""
        said = trouble or (outcome(bet, self.verdict) if self.verdict else "")
        self.note.value = f'<div class="nanogpt-facts">{escape(said)}</div>' if said else ""


def read_figure(text: str) -> float | None:
    """A figure as it was typed; None for an empty box. Raises ValueError where it isn't a number."""
    text = text.strip()
    if not text:
        return None
    try:
        figure = float(text)
    except ValueError:
        figure = math.nan
    if not math.isfinite(figure):
        raise ValueError(
            f"{text!r} is not a number; write digits with a decimal point, like 3.5, or leave the box empty"
        )
    return figure


def outcome(bet: Bet, verdict: Verdict) -> str:
    """Whether a bet was right, in words."""
    if bet[0] == "unsure":
        return "You placed no bet on this one." if bet[1] is None else f"You bet on no answer ({told_bet(bet)})."
    said = f"Your bet: {told_bet(bet)}."
    if verdict.answer not in DECIDED:
        return f"{said} The verdict is open, so the bet is neither right nor wrong."
    return f"{said} It was {'right' if bet[0] == verdict.answer else 'wrong'}."


def _judged(verdict: Verdict) -> str:
    """The verdict and, folded below it, the evidence."""
    parts = [("Because", verdict.why), ("Published", verdict.published), ("Measured here", verdict.measured)]
    parts += [("What would settle it", verdict.needs)]
    lines = "".join(f"<p><strong>{head}:</strong> {escape(text)}</p>" for head, text in parts if text)
    summary = f"<summary>Evidence for {escape(verdict.claim.id)}</summary>"
    return (
        f'<div class="nanogpt-facts">Verdict: <strong>{escape(verdict.answer)}</strong>'
        f"<details>{summary}{lines}</details></div>"
    )
