"""The note's claims C1 to C11, judged: each answer follows from comparing figures, and other figures give another.

The note's own numbers stand here as ranges; all others come from the presets, published.csv, the reports and
the formulas of `scaling`.
"""

import math
from dataclasses import dataclass

from nanogpt.config import PRESETS
from nanogpt.course.claims import CLAIMS, Claim
from nanogpt.course.entries import Entry, is_webtext, native_report
from nanogpt.course.evidence import (
    OPENWEBTEXT_TOKENS,
    Evidence,
    combine,
    cost,
    forecasts,
    joined,
    run_it,
    spread,
    told,
    two_ranges,
    within,
)
from nanogpt.course.published import UNITS, Published, figure, read_published
from nanogpt.scaling import training_flops

Finding = tuple[str, str, str, str, str]  # answer, why, published, measured, needs

C1_MILLIONS = "29.94"
C2_TOKENS = (8e9, 10e9), (1e9, 2e9)
C3_PERPLEXITY, C3_LOSS = (80, 120), (4.0, 5.0)
C4_PERPLEXITY, C4_LOSS = (35, 45), (3.0, 3.5)
C5_PERPLEXITY, C5_OWN_SET = (20, 35), "35.8"
C6_PER_CENT = (5, 10)
C7_GPT2, C7_OURS = (20, 30), (5, 15)
C9_STEPS, C9_PERPLEXITY = 100_000, 60
C10_TOKENS = 1000

OVERFIT = 0.1  # nats by which held-out loss exceeds training loss before we call it overfitting


@dataclass(frozen=True)
class Verdict:
    """What is to be said of one claim."""

    claim: Claim
    answer: str
    """holds, false, half true or not measured here."""
    why: str
    published: str
    measured: str
    needs: str
    """What it would take to settle it: a sentence, then commands, a line each; empty where it is settled."""
    prediction: tuple[str, float | None] | None = None
    """The learner's bet: an answer and a figure."""


def judge(
    entries: list[Entry],
    predictions: dict[str, tuple[str, float | None]] | None = None,
    published: list[Published] | None = None,
) -> list[Verdict]:
    """Judge every claim by what was measured and what is published; `published` is published.csv if left out."""
    evidence = Evidence(entries, read_published() if published is None else published)
    judges = (_c1, _c2, _c3, _c4, _c5, _c6, _c7, _c8, _c9, _c10, _c11)
    bets = predictions or {}
    return [
        Verdict(claim, *judged(evidence), prediction=bets.get(claim.id))
        for claim, judged in zip(CLAIMS, judges, strict=True)
    ]


def _c1(evidence: Evidence) -> Finding:
    model, entry = PRESETS["gpt-30m"].model, next(iter(evidence.note_models()), None)
    bare, full = model.parameter_count(positions=False), model.parameter_count()
    if entry:
        bare, full = entry.parameters_without_positions, entry.parameters
    right = [f"{count / 1e6:.2f}" == C1_MILLIONS for count in (bare, full)]
    biases = "biases" if model.bias else "no biases"
    why = (
        f"{model.n_layer} layers, {model.n_head} heads, {model.n_embd} wide, context {model.context_length}, "
        f"vocabulary {model.vocab_size:,}, a tied head and {biases} make {bare:,} parameters "
        f"without the position table, which is how nanoGPT counts, and {full:,} with it."
    )
    counted = f"{bare / 1e6:.2f}M by count, {full / 1e6:.2f}M with positions"
    return "holds" if any(right) else "false", why, "", counted, ""


def _c2(evidence: Evidence) -> Finding:
    train = PRESETS["gpt-30m"].train
    tokens = train.n_steps * train.tokens_per_step
    right = [within(tokens, claimed) for claimed in C2_TOKENS]
    why = (
        f"{train.n_steps:,} x {train.tokens_per_step:,} = {tokens:,} tokens, {tokens / OPENWEBTEXT_TOKENS:.1%} of "
        f"OpenWebText's {OPENWEBTEXT_TOKENS:,}. The note's two ranges exclude each other, and the product lies in "
        f"{'one of them' if any(right) else 'neither'}."
    )
    return combine(right), why, f"{OPENWEBTEXT_TOKENS / 1e9:.1f}B tokens in all", f"{tokens / 1e9:.2f}B by count", ""


def _c3(evidence: Evidence) -> Finding:
    steps = PRESETS["gpt-30m"].train.n_steps
    run, report = evidence.note_run(steps)
    forecast = forecasts(steps)
    if report is None:
        return "not measured here", f"{two_ranges(C3_PERPLEXITY, C3_LOSS)[1]} {forecast}", "", "", run_it(steps, run)
    answer, why = two_ranges(C3_PERPLEXITY, C3_LOSS, report["loss"])
    return answer, f"{why} {forecast}", "", told(report), ""


def _c4(evidence: Evidence) -> Finding:
    loss, where, published, measured = evidence.openwebtext_loss("gpt2")
    answer, why = two_ranges(C4_PERPLEXITY, C4_LOSS, loss)
    return answer, f"GPT-2 small has a loss of {loss:.2f} on OpenWebText, {where}. {why}", published, measured, ""


def _c5(evidence: Evidence) -> Finding:
    loss, where, published, measured = evidence.openwebtext_loss("gpt2-xl")
    known = [row for row in evidence.published if row.model == "gpt2-xl" and "ppl" in row.metric]
    nearest = min(known, key=lambda row: abs(row.value - float(C5_OWN_SET)))
    mixed_up = f"{nearest.value:.1f}" == C5_OWN_SET
    perplexity = math.exp(loss)
    right = [within(perplexity, C5_PERPLEXITY), False if mixed_up else None]
    why = (
        f"GPT-2 XL has perplexity {perplexity:.1f} on OpenWebText, {where}, "
        f"{'inside' if right[0] else 'outside'} {spread(C5_PERPLEXITY)}. "
    )
    if mixed_up:
        unit = UNITS[nearest.metric]
        why += f"The {C5_OWN_SET} is its {nearest.value:g} of {nearest.source}: {unit[0].lower()}{unit[1:]}"
    else:
        why += f"No published figure of it is {C5_OWN_SET}; the nearest is {nearest.value:g}."
    return combine(right), why, published, measured, ""


def _c6(evidence: Evidence) -> Finding:
    before = figure(evidence.published, "gpt2", "loss_nats_per_token")
    after = figure(evidence.published, "gpt2-finetuned-owt", "loss_nats_per_token")
    bound = 100 * math.expm1(before.value - after.value)
    published = f"loss {before.value:.2f}, and {after.value:.2f} after fine-tuning on OpenWebText ({before.source})"
    why = (
        f"No source is known for it. Fine-tuning on OpenWebText takes GPT-2 small from {before.value:.2f} to "
        f"{after.value:.2f}, {bound:.0f}% in perplexity, and the two texts can hardly differ by more than that. "
    )
    gpt2 = evidence.entry("gpt2")
    own, web = (native_report(gpt2), native_report(gpt2, is_webtext)) if gpt2 else (None, None)
    if own and web and own["settings"] == web["settings"]:
        excess = 100 * math.expm1(own["loss"] - web["loss"])
        answer = "holds" if within(excess, C6_PER_CENT) else "false"
        measured = f"perplexity on OpenWebText {excess:+.1f}% from that on WebText"
        return answer, f"{why}Measured here: {measured}.", published, measured, ""
    if bound < C6_PER_CENT[0]:
        return "false", f"{why}The note claims more.", published, "", ""
    needs = (
        "GPT-2 small scored on WebText as well, of which OpenAI released some held-out documents "
        "(webtext.test.jsonl of its gpt-2-output-dataset):\n"
        "nanogpt prepare webtext.test.jsonl --out data/webtext --tokenizer gpt2 --val-share 0.9\n"
        "nanogpt import gpt2 --out runs/gpt2\n"
        "nanogpt evaluate runs/gpt2 --on data/webtext\n"
        "nanogpt evaluate runs/gpt2 --on data/owt"
    )
    why += f"{spread(C6_PER_CENT)}% is neither borne out nor ruled out by it."
    return "not measured here", why, published, "", needs


def _c7(evidence: Evidence) -> Finding:
    metrics = ("lambada_acc_percent", "lambada_openai_acc_percent", "lambada_standard_acc_percent")
    known = [figure(evidence.published, "gpt2", metric) for metric in metrics]
    steps = PRESETS["gpt-30m"].train.n_steps
    run, _ = evidence.note_run(steps)
    gpt2, ours = evidence.accuracies(evidence.entry("gpt2")), evidence.accuracies(run)
    hits = [within(percent, C7_GPT2) for percent in [row.value for row in known] + list(gpt2.values())]
    right = hits + ([within(percent, C7_OURS) for percent in ours.values()] or [None])
    said = [f"{row.value:g}% ({row.protocol})" for row in known]
    said += [f"{percent:.1f}% (measured here on {task})" for task, percent in gpt2.items()]
    why = (
        f"GPT-2 small's accuracy on LAMBADA is {joined(said)}. Within {spread(C7_GPT2)}% lie {sum(hits)} of {len(hits)}"
        f"{': the protocol decides' if len(set(hits)) > 1 else ''}. "
        "WikiText-103 is scored as a perplexity and has no such share."
    )
    measured = "; ".join(
        f"{name} {joined([f'{percent:.1f}% on {task}' for task, percent in found.items()])}"
        for name, found in (("gpt2", gpt2), ("30M", ours))
        if found
    )
    published = joined([f"{row.value:g}%" for row in known])
    return combine(right), why, published, measured, "" if ours else run_it(steps, run, on="lambada")


def _c8(evidence: Evidence) -> Finding:
    train = PRESETS["gpt-30m"].train
    epochs = train.n_steps * train.tokens_per_step / OPENWEBTEXT_TOKENS
    why = f"The note's training is {epochs:.2f} passes over OpenWebText: "
    if epochs > 1:
        why += "tokens are seen again and could be learnt by heart."
    else:
        why += (
            "no token needs to be seen twice, so there is nothing to learn by heart. Those settings change how well "
            "the optimisation goes, not the gap between training and held-out loss."
        )
    run, _ = evidence.note_run(train.n_steps)
    if run and {"train_loss", "val_loss"} <= run.train.keys() and run.config["dropout"] == 0:
        gap = run.train["val_loss"] - run.train["train_loss"]
        measured = f"held-out loss less training loss {gap:+.3f} nats, without dropout"
        return "holds" if gap > OVERFIT else "false", why, "", measured, ""
    return "not measured here" if epochs > 1 else "false", why, "", "", run_it(train.n_steps, run)


def _c9(evidence: Evidence) -> Finding:
    run, report = evidence.note_run(1)
    forecast = forecasts(C9_STEPS)
    perplexity = report["token_perplexity"] if report else math.inf
    steps = run.train["steps_done"] if run else 0
    if perplexity < C9_PERPLEXITY or (report and steps >= C9_STEPS):
        answer = "holds" if perplexity < C9_PERPLEXITY else "false"
        why = f"After {steps:,} steps the perplexity is {perplexity:.1f}. {forecast}"
        return answer, why, "", told(report), ""
    so_far = f"After {steps:,} steps it is {perplexity:.1f}. " if report else ""
    needs = run_it(C9_STEPS, run if steps >= C9_STEPS else None)
    return "not measured here", so_far + forecast, "", told(report) if report else "", needs


def _c10(evidence: Evidence) -> Finding:
    steps = PRESETS["gpt-30m"].train.n_steps
    run, _ = evidence.note_run(steps)
    ours, theirs = evidence.samples(run), evidence.samples(evidence.entry("gpt2"))
    longer = run_it(steps, run, beside=f"gpt2 --max-new-tokens {C10_TOKENS}")
    if not (ours and theirs and all(ours[key] == theirs[key] for key in ("sampling", "max_new_tokens"))):
        why = "It takes samples of both models, from the same prompts with the same settings."
        return "not measured here", why, "", "", longer
    long_enough = theirs["max_new_tokens"] >= C10_TOKENS
    right = [
        ours["mean_words"] < theirs["mean_words"],
        ours["repetition_rate"] > theirs["repetition_rate"],
        theirs["mean_words_to_loop"] >= theirs["mean_words"] if long_enough else None,
    ]
    measured = f"30M: {_writing(ours)}; gpt2: {_writing(theirs)}"
    why = (
        f"The 30M model writes {'fewer' if right[0] else 'no fewer'} words than GPT-2 small and repeats itself "
        f"{'more' if right[1] else 'no more'}. "
    )
    if long_enough:
        why += f"GPT-2 small {'keeps clear of' if right[2] else 'falls into'} loops; a thread is more than that."
    else:
        why += f"These samples are too short to show what happens over {C10_TOKENS:,} tokens."
    return combine(right), why, "", measured, "" if long_enough else longer


def _writing(report: dict) -> str:
    return (
        f"{report['mean_words']:.0f} words, repeats {report['repetition_rate']:.1%} of what it writes and comes to its "
        f"first loop after {report['mean_words_to_loop']:.0f}"
    )


def _c11(evidence: Evidence) -> Finding:
    preset = PRESETS["gpt2"]
    gpt2, where, told_gpt2, measured_gpt2 = evidence.openwebtext_loss("gpt2")
    run, report = evidence.trained_like("gpt2")
    nanogpt = figure(evidence.published, "nanogpt-124m", "loss_nats_per_token")
    loss, whose = (report["loss"], f"{run.name}, trained here,") if report else (nanogpt.value, "nanoGPT's own run")
    matches = loss <= gpt2
    why = (
        f"On OpenWebText {whose} of 124M parameters has a loss of {loss:.2f}, and GPT-2 small {gpt2:.2f}, {where}: it "
        f"{'matches' if matches else 'does not match'} GPT-2 on the text that it was trained on. "
        "Whether fine-tuning makes it chat is not measured."
    )
    tokens = preset.train.n_steps * preset.train.tokens_per_step
    needs = (
        f"{cost(training_flops(preset.model, tokens))}, then fine-tuning on dialogue and someone to read the answers:\n"
        "nanogpt prepare openwebtext --out data/owt\nnanogpt train gpt2 --data data/owt --run runs/gpt2-owt"
    )
    published = f"nanoGPT loss {nanogpt.value:.2f} ({nanogpt.source}); GPT-2 {told_gpt2}"
    measured = [f"{run.name} {told(report)}"] if report else []
    measured += [f"GPT-2 {measured_gpt2}"] if measured_gpt2 else []
    return combine([matches, None]), why, published, "; ".join(measured), needs
