"""What the verdicts are drawn from: look-ups in the entries and published figures, and sentences about them."""

import math
from dataclasses import dataclass

from nanogpt.config import PRESETS
from nanogpt.course.entries import GPT2_TOKENIZER, OPENWEBTEXT, Entry, native_report
from nanogpt.course.published import Published, figure
from nanogpt.scaling import LAWS, forecast_loss, training_flops

OPENWEBTEXT_TOKENS = 9_035_582_198  # of nanoGPT's train.bin, by the readme of its data/openwebtext
SUSTAINED = 100e12  # operations a second; only to give a count of them a human scale

Range = tuple[float, float]


@dataclass(frozen=True)
class Evidence:
    """The entries compared and the published figures."""

    entries: list[Entry]
    published: list[Published]

    def entry(self, name: str) -> Entry | None:
        """The entry of this name, if it is among them."""
        return next((entry for entry in self.entries if entry.name == name), None)

    def note_models(self) -> list[Entry]:
        """Entries that are the note's model by shape and tokenizer, whatever they were trained on."""
        return [entry for entry in self.entries if _has_shape(entry, "gpt-30m")]

    def note_run(self, steps: int) -> tuple[Entry | None, dict | None]:
        """The note's model trained for at least `steps` of the note's batches, and its score on OpenWebText."""
        batch = PRESETS["gpt-30m"].train.tokens_per_step
        runs = self.trained_here("gpt-30m")
        return _best(
            [run for run in runs if run.train["steps_done"] >= steps and run.train["tokens_per_step"] == batch]
        )

    def trained_like(self, preset: str) -> tuple[Entry | None, dict | None]:
        """A model of the preset's shape trained here on OpenWebText, and its score there."""
        return _best(self.trained_here(preset))

    def trained_here(self, preset: str) -> list[Entry]:
        """Entries of the preset's shape that were trained here on OpenWebText."""
        return [e for e in self.entries if _has_shape(e, preset) and e.train and e.data_source == OPENWEBTEXT]

    def openwebtext_loss(self, model: str) -> tuple[float, str, str, str]:
        """A model's loss on OpenWebText, measured if it was: (loss, where it is from, published, measured)."""
        row = figure(self.published, model, "loss_nats_per_token")
        published = f"loss {row.value:.2f}, perplexity {math.exp(row.value):.1f} ({row.source})"
        entry = self.entry(model)
        report = native_report(entry) if entry else None
        if report is None:
            return row.value, f"as published ({row.source})", published, ""
        return report["loss"], "as measured here", published, told(report)

    def accuracies(self, entry: Entry | None) -> dict[str, float]:
        """Its accuracy in per cent on each version of LAMBADA that was scored."""
        reports = entry.of_task("lambada", "lambada-standard") if entry else []
        return {report["task"]: 100 * report["accuracy"] for report in reports}

    def samples(self, entry: Entry | None) -> dict | None:
        """Its report on generated text, if there is one."""
        return next(iter(entry.of_task("samples")), None) if entry else None


def _best(runs: list[Entry]) -> tuple[Entry | None, dict | None]:
    """The longest trained, those with a score before those without; and the score."""
    best = max(runs, key=lambda run: (native_report(run) is not None, run.train["steps_done"]), default=None)
    return best, native_report(best) if best else None


def _has_shape(entry: Entry, preset: str) -> bool:
    model = PRESETS[preset].model
    fields = ("n_layer", "n_head", "n_embd", "context_length")
    return entry.tokenizer_name == GPT2_TOKENIZER and all(entry.config[f] == getattr(model, f) for f in fields)


def within(value: float, claimed: Range) -> bool:
    """Whether a figure is in a claimed range, ends included."""
    return claimed[0] <= value <= claimed[1]


def combine(parts: list[bool | None]) -> str:
    """The answer to a claim of several parts, of which None is one that was not measured."""
    if None in parts and False not in parts:
        return "not measured here"
    if all(parts):
        return "holds"
    return "half true" if any(parts) else "false"


def two_ranges(perplexity: Range, loss: Range, measured: float | None = None) -> tuple[str, str]:
    """Judge a claim that gives one figure twice, as perplexity and as loss: (answer, why).

    Where the ranges exclude each other the perplexity decides, and half true is the best it can come to.
    measured: the loss that was found; without it the answer is empty.
    """
    low, high = (math.log(end) for end in perplexity)
    exclude = high < loss[0] or loss[1] < low
    how = "exclude each other" if exclude else "disagree"
    why = (
        f"The note's two ranges {how}: perplexity {spread(perplexity)} is a loss of {low:.2f}-{high:.2f}, "
        f"and a loss of {spread(loss)} is perplexity "
        f"{math.exp(loss[0]):.0f}-{math.exp(loss[1]):.0f}."
    )
    if measured is None:
        return "", why
    right = within(math.exp(measured), perplexity)
    found = (
        f"Perplexity {math.exp(measured):.1f} is {'inside' if right else 'outside'} {spread(perplexity)}, "
        f"loss {measured:.2f} {'inside' if within(measured, loss) else 'outside'} {spread(loss)}. "
    )
    if exclude:
        return "half true" if right else "false", found + why
    return combine([right, within(measured, loss)]), found + why


def spread(claimed: Range) -> str:
    """A range as the note writes it: 80-120, 4.0-5.0."""
    return "-".join(str(end) for end in claimed)


def joined(texts: list[str]) -> str:
    """a, b and c."""
    return " and ".join([", ".join(texts[:-1]), texts[-1]] if len(texts) > 1 else texts)


def told(report: dict) -> str:
    """A score in words."""
    low, high = report["interval"]
    return (
        f"loss {report['loss']:.3f} (95% interval {low:.3f} to {high:.3f}), token perplexity "
        f"{report['token_perplexity']:.1f} at context {report['settings']['context_length']:,}, "
        f"over {report['tokens_scored']:,} tokens"
    )


def forecasts(steps: int) -> str:
    """What the scaling laws expect of the note's model after so many steps, in a sentence that says what that is."""
    preset = PRESETS["gpt-30m"]
    parameters, tokens = preset.model.parameter_count(positions=False), steps * preset.train.tokens_per_step
    losses = {name: forecast_loss(law, parameters, tokens) for name, law in LAWS.items()}
    said = joined([f"{name} {loss:.2f} (perplexity {math.exp(loss):.0f})" for name, loss in losses.items()])
    return (
        f"For {steps:,} steps scaling laws forecast a loss of: {said}; they were fitted to other texts with another "
        "tokenizer, so this is no measurement."
    )


def cost(flops: float) -> str:
    """Operations of training, and how long a GPU would take that sustains 100 TFLOP/s."""
    minutes = flops / SUSTAINED / 60
    time = f"{minutes:.0f} minutes" if minutes < 120 else f"{minutes / 60:,.0f} hours"
    count = f"{flops:.1e}".replace("e+", "e")
    return f"{count} floating-point operations of training ({time} at {SUSTAINED / 1e12:.0f} TFLOP/s sustained)"


def run_it(steps: int, run: Entry | None = None, on: str = "data/owt", beside: str = "") -> str:
    """What it takes to train the note's model for so many steps and score it; of a `run` that is there, to score it."""
    preset = PRESETS["gpt-30m"]
    name = run.name if run else "runs/gpt-30m"
    score = f"nanogpt evaluate {name} --on {on}"
    if beside:
        score = f"nanogpt compare {name} {beside} --on data/owt --out report"
    if run:
        return f"its score:\n{score}"
    longer = "" if steps == preset.train.n_steps else f" --train.n-steps {steps}"
    return (
        f"{cost(training_flops(preset.model, steps * preset.train.tokens_per_step))}:\n"
        "nanogpt prepare openwebtext --out data/owt\n"
        f"nanogpt train gpt-30m --data data/owt --run {name}{longer}\n{score}"
    )
