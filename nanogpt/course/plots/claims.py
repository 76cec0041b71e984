"""The note's claims as a table: what each says, what was bet on it, and how it was judged."""

from textwrap import shorten

from matplotlib.axes import Axes

from nanogpt.course.claims import CLAIMS
from nanogpt.course.plots.canvas import GREY, INK, new_axes

CLAIM = 74  # characters of a claim that are shown
Bet = tuple[str, float | None]


def plot_claims(bets: dict[str, Bet], verdicts: dict[str, str] | None = None, axes: Axes | None = None) -> Axes:
    """A row a claim: its id, its text shortened, the bet, and where there are verdicts its verdict.

    bets: claim -> (holds, false or unsure; a figure or None); verdicts: claim -> a word or a few.
    """
    axes = axes or new_axes(8.6, 0.3 * (len(CLAIMS) + 1) + 0.2)
    columns = {0: "", 6: "the note claims", 72: "your bet"} | ({94: "verdict"} if verdicts is not None else {})
    for column, head in columns.items():
        axes.text(column, 0, head, fontsize=9, color=INK, weight="bold", va="center")
    axes.axhline(0.55, color=INK, linewidth=0.8)
    for row, claim in enumerate(CLAIMS, start=1):
        words = [claim.id, shorten(claim.text, CLAIM, placeholder=" ..."), told_bet(bets.get(claim.id))]
        words += [(verdicts or {}).get(claim.id, "none")] * (len(columns) - 3)
        for column, text in zip(columns, words, strict=True):
            axes.text(
                column, row, text, fontsize=8.5, color=INK, va="center", weight="bold" if not column else "normal"
            )
        axes.axhline(row + 0.5, color=GREY, linewidth=0.3)
    axes.set(xlim=(-1, max(columns) + 20), ylim=(len(CLAIMS) + 0.7, -0.6))
    axes.axis("off")
    return axes


def describe_claims(bets: dict[str, Bet], verdicts: dict[str, str] | None = None) -> str:
    """The table in words: each claim with its bet, and where there are verdicts its verdict."""
    rows = []
    for claim in CLAIMS:
        judged = "" if verdicts is None else f"; verdict: {verdicts.get(claim.id, 'none')}"
        rows.append(f"{claim.id}, {claim.text.rstrip('.')}: bet {told_bet(bets.get(claim.id))}{judged}.")
    return f"Table of the note's {len(CLAIMS)} claims with what was bet on each. {' '.join(rows)}"


def told_bet(bet: Bet | None) -> str:
    """A bet in words: `false, 31`; who has said nothing is unsure."""
    answer, figure = bet or ("unsure", None)
    return answer if figure is None else f"{answer}, {figure:,.10g}"
