import dataclasses
import math

import pytest
from invented import first_run, gpt2, lambada_report, note_run, samples_report, text_report

from nanogpt.config import PRESETS, ModelConfig, RunConfig
from nanogpt.course import verdicts
from nanogpt.course.claims import CLAIMS
from nanogpt.course.evidence import combine, two_ranges
from nanogpt.course.published import read_published
from nanogpt.course.verdicts import judge


def verdict(claim, entries=(), published=None, predictions=None):
    found = {v.claim.id: v for v in judge(list(entries), predictions, published)}
    return found[claim]


def answer(claim, entries=(), published=None):
    return verdict(claim, entries, published).answer


def published_with(**values):
    """published.csv with other values: model__metric=value, - written as _."""
    rows = read_published()
    for name, value in values.items():
        model, metric = name.split("__")
        spot = next(i for i, row in enumerate(rows) if (row.model.replace("-", "_"), row.metric) == (model, metric))
        rows[spot] = rows[spot]._replace(value=value)
    return rows


def test_with_nothing_measured_the_published_figures_judge_what_they_can():
    answers = {v.claim.id: v.answer for v in judge([])}
    assert answers == {
        "C1": "holds", "C2": "false", "C3": "not measured here", "C4": "false", "C5": "false",
        "C6": "not measured here", "C7": "half true", "C8": "false", "C9": "not measured here",
        "C10": "not measured here", "C11": "not measured here",
    }  # fmt: skip


def test_a_laptops_run_settles_nothing_that_the_note_says_of_the_30m_model():
    assert [v.answer for v in judge([first_run(), gpt2()])] == [v.answer for v in judge([])]


def test_every_claim_is_judged_in_order_with_a_reason_and_nothing_open_is_without_a_way():
    for entries in ([], [first_run()], [note_run(), gpt2()]):
        found = judge(entries)
        assert [v.claim for v in found] == list(CLAIMS)
        assert all(v.why.endswith(".") for v in found)
        assert all(v.needs for v in found if v.answer == "not measured here")


def test_the_notes_numbers_are_those_of_its_claims():
    text = " ".join(claim.text for claim in CLAIMS)
    ranges = "C3_PERPLEXITY C3_LOSS C4_PERPLEXITY C4_LOSS C5_PERPLEXITY C6_PER_CENT C7_GPT2 C7_OURS".split()
    for low, high in (getattr(verdicts, name) for name in ranges):
        assert f"{low}-{high}" in text
    for low, high in verdicts.C2_TOKENS:
        assert f"{low / 1e9:.0f}-{high / 1e9:.0f}B" in text
    assert f"{verdicts.C1_MILLIONS}M" in text
    assert verdicts.C5_OWN_SET in text
    assert f"{verdicts.C9_STEPS:,} iterations bring its perplexity under {verdicts.C9_PERPLEXITY}" in text
    assert f"{verdicts.C10_TOKENS:,} tokens" in text


def test_c1_counts_the_notes_model_and_another_shape_does_not_hold(monkeypatch):
    assert "29,938,560 parameters without the position table" in verdict("C1").why
    assert "30,135,168 with it" in verdict("C1").why
    other = RunConfig(ModelConfig(n_layer=8), PRESETS["gpt-30m"].train)
    monkeypatch.setitem(PRESETS, "gpt-30m", other)
    assert answer("C1") == "false"


def test_c1_takes_the_count_of_a_model_that_is_there():
    counted = dataclasses.replace(note_run(), parameters_without_positions=31_000_000, parameters=31_200_000)
    assert answer("C1", [note_run()]) == "holds"
    assert answer("C1", [counted]) == "false"


@pytest.mark.parametrize(("steps", "expected"), [(20_000, "false"), (45_000, "half true"), (275_000, "half true")])
def test_c2_multiplies(steps, expected, monkeypatch):
    preset = PRESETS["gpt-30m"]
    monkeypatch.setitem(PRESETS, "gpt-30m", RunConfig(preset.model, dataclasses.replace(preset.train, n_steps=steps)))
    assert answer("C2") == expected
    assert f"= {steps * 32_768:,} tokens" in verdict("C2").why


def test_c2_tells_the_share_of_openwebtext():
    assert "655,360,000 tokens, 7.3% of OpenWebText's 9,035,582,198" in verdict("C2").why


@pytest.mark.parametrize(("loss", "expected"), [(3.9, "false"), (4.1, "half true"), (4.6, "holds"), (5.5, "false")])
def test_c3_is_judged_by_the_measured_loss(loss, expected):
    found = verdict("C3", [note_run(text_report(loss))])
    assert found.answer == expected
    assert f"{math.exp(loss):.1f}" in found.measured
    assert found.needs == ""


def test_c3_says_that_the_notes_ranges_disagree_and_what_is_forecast():
    why = verdict("C3").why
    assert "disagree: perplexity 80-120 is a loss of 4.38-4.79" in why
    assert "Chinchilla 4.25 (perplexity 70)" in why
    assert "no measurement" in why


@pytest.mark.parametrize(
    "entry",
    [
        note_run(text_report(4.6), steps=19_999),
        note_run(text_report(4.6), tokens_per_step=16_384),
        note_run(text_report(4.6), source="pydocs"),
        note_run(text_report(4.6, source="pydocs")),
        note_run(),
        first_run(text_report(4.6)),
        gpt2(text_report(4.6)),
        dataclasses.replace(note_run(text_report(4.6)), tokenizer_name="trained"),
    ],
)
def test_c3_takes_no_other_model_training_or_text(entry):
    assert answer("C3", [entry]) == "not measured here"


def test_what_it_takes_is_named_with_commands_and_flops():
    needs = verdict("C3").needs
    assert needs.splitlines()[1:] == [
        "nanogpt prepare openwebtext --out data/owt",
        "nanogpt train gpt-30m --data data/owt --run runs/gpt-30m",
        "nanogpt evaluate runs/gpt-30m --on data/owt",
    ]
    assert needs.startswith("1.3e17 floating-point operations")
    assert "--train.n-steps 100000" in verdict("C9").needs
    trained = verdict("C3", [note_run()]).needs
    assert trained == "its score:\nnanogpt evaluate runs/gpt-30m --on data/owt"  # no need to train it again


@pytest.mark.parametrize(("loss", "expected"), [(3.12, "false"), (3.65, "half true"), (4.0, "false")])
def test_c4_is_judged_by_gpt2s_perplexity(loss, expected):
    assert answer("C4", published=published_with(gpt2__loss_nats_per_token=loss)) == expected
    assert answer("C4", [gpt2(text_report(loss, 1024))]) == expected


def test_c4_contradicts_itself_and_a_measured_figure_goes_before_a_published_one():
    found = verdict("C4", [gpt2(text_report(3.3, 512), text_report(3.0, 1024))])
    assert "exclude each other: perplexity 35-45 is a loss of 3.56-3.81" in found.why
    assert "loss of 3.00 on OpenWebText, as measured here" in found.why  # at its native context
    assert "at context 1,024" in found.measured
    assert found.published.startswith("loss 3.12, perplexity 22.6 (nanoGPT")


def test_c4_takes_no_score_on_another_text():
    assert verdict("C4", [gpt2(text_report(3.65, source="pydocs"))]).measured == ""


@pytest.mark.parametrize(("loss", "expected"), [(2.54, "false"), (3.2, "half true")])
def test_c5_is_judged_by_xls_perplexity(loss, expected):
    assert answer("C5", published=published_with(gpt2_xl__loss_nats_per_token=loss)) == expected
    assert answer("C5", [gpt2(text_report(loss, 1024), name="gpt2-xl")]) == expected


def test_c5_finds_where_the_mix_up_comes_from_and_does_not_make_one_up():
    assert "The 35.8 is its 35.76 of GPT-2 paper Table 3: perplexity of the Penn Treebank" in verdict("C5").why
    other = verdict("C5", published=published_with(gpt2_xl__ptb_ppl=30.0))
    assert "No published figure of it is 35.8; the nearest is 30." in other.why


def test_c6_stays_open_unless_the_published_bound_is_below_the_claim():
    assert "31% in perplexity" in verdict("C6").why
    assert answer("C6", published=published_with(gpt2_finetuned_owt__loss_nats_per_token=3.10)) == "false"


@pytest.mark.parametrize(("webtext", "expected"), [(3.05, "holds"), (3.11, "false"), (2.9, "false")])
def test_c6_is_settled_by_webtext_itself(webtext, expected):
    scores = text_report(3.12, 1024), text_report(webtext, 1024, text="webtext", source="webtext.test.jsonl")
    assert answer("C6", [gpt2(*scores)]) == expected


def test_c6_compares_one_protocol_only():
    scores = text_report(3.12, 1024), text_report(3.05, 512, text="webtext", source="webtext.test.jsonl")
    assert answer("C6", [gpt2(*scores)]) == "not measured here"


def test_c7_depends_on_the_protocol():
    found = verdict("C7")
    assert "45.99% (paper zero-shot)" in found.why
    assert "1 of 3: the protocol decides" in found.why
    metrics = {f"gpt2__{m}_acc_percent": 25.0 for m in ("lambada", "lambada_openai", "lambada_standard")}
    inside, outside = published_with(**metrics), published_with(**dict.fromkeys(metrics, 50.0))
    assert answer("C7", published=inside) == "not measured here"  # the 30M model's part is open
    assert answer("C7", [note_run(lambada_report(0.1))], inside) == "holds"
    assert answer("C7", [note_run(lambada_report(0.3))], inside) == "half true"
    assert answer("C7", published=outside) == "false"
    assert answer("C7", [gpt2(lambada_report(0.26, "lambada-standard"))], outside) == "half true"


def test_c8_needs_something_to_learn_by_heart(monkeypatch):
    assert "0.07 passes over OpenWebText" in verdict("C8").why
    preset = PRESETS["gpt-30m"]
    longer = RunConfig(preset.model, dataclasses.replace(preset.train, n_steps=1_000_000))
    monkeypatch.setitem(PRESETS, "gpt-30m", longer)
    assert answer("C8") == "not measured here"


@pytest.mark.parametrize(("val_loss", "expected"), [(3.95, "false"), (4.2, "holds")])
def test_c8_is_settled_by_the_gap_of_a_run_without_dropout(val_loss, expected):
    found = verdict("C8", [note_run(train_loss=3.94, val_loss=val_loss)])
    assert found.answer == expected
    assert f"{val_loss - 3.94:+.3f} nats" in found.measured


@pytest.mark.parametrize(
    ("loss", "steps", "expected"),
    [
        (3.9, 100_000, "holds"),
        (3.9, 5_000, "holds"),
        (4.3, 100_000, "false"),
        (4.3, 20_000, "not measured here"),
    ],
)
def test_c9_is_judged_by_the_longest_run(loss, steps, expected):
    assert answer("C9", [note_run(text_report(loss), steps=steps)]) == expected


def test_c9_without_a_run_is_a_forecast_and_says_so():
    found = verdict("C9")
    assert "Chinchilla 3.75 (perplexity 42) and its re-fit 3.72 (perplexity 41)" in found.why
    assert found.measured == ""


def test_c10_compares_the_samples_of_both():
    long = {"max_new_tokens": 1000}
    dull = samples_report(repetition=0.3, words=80, loop=40, **long)
    lively = samples_report(repetition=0.1, words=600, loop=600, **long)
    looping = samples_report(repetition=0.2, words=600, loop=90, **long)
    assert answer("C10", [note_run(dull), gpt2(lively)]) == "holds"
    assert answer("C10", [note_run(dull), gpt2(looping)]) == "half true"
    assert answer("C10", [note_run(lively), gpt2(dull)]) == "false"


def test_c10_stays_open_on_short_samples_and_on_other_settings():
    dull, lively = samples_report(words=80), samples_report(repetition=0.1, words=200, loop=200)
    short = verdict("C10", [note_run(dull), gpt2(lively)])
    assert short.answer == "not measured here"
    assert "too short" in short.why
    hotter = samples_report(repetition=0.1, words=200, loop=200, temperature=1.2)
    assert "same settings" in verdict("C10", [note_run(dull), gpt2(hotter)]).why


def test_c11_asks_whether_124m_match_gpt2():
    assert answer("C11") == "not measured here"
    assert "matches GPT-2" in verdict("C11").why
    assert answer("C11", published=published_with(nanogpt_124m__loss_nats_per_token=3.5)) == "false"
    model, train = PRESETS["gpt2"].model, {"steps_done": 5000, "tokens_per_step": 491_520}
    ours = dataclasses.replace(
        gpt2(text_report(3.4, 1024)), name="runs/gpt2-owt", train=train, data_source="openwebtext"
    )
    assert ours.config["n_layer"] == model.n_layer
    assert answer("C11", [ours]) == "false"
    assert "runs/gpt2-owt, trained here," in verdict("C11", [ours]).why


def test_predictions_stand_beside_the_verdicts_and_change_none():
    bets = {"C1": ("false", 31.0), "C4": ("unsure", None)}
    assert verdict("C1", predictions=bets).prediction == ("false", 31.0)
    assert verdict("C2", predictions=bets).prediction is None
    assert [v.answer for v in judge([], bets)] == [v.answer for v in judge([])]


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ([True, True], "holds"),
        ([False, False], "false"),
        ([True, False], "half true"),
        ([True, None], "not measured here"),
        ([None], "not measured here"),
        ([False, None], "false"),
        ([True, False, None], "half true"),
    ],
)
def test_a_claim_of_several_parts_is_as_good_as_they_are(parts, expected):
    assert combine(parts) == expected


def test_ranges_that_overlap_may_both_hold_and_ranges_that_exclude_each_other_may_not():
    assert two_ranges((80, 120), (4.0, 5.0), 4.5)[0] == "holds"
    assert two_ranges((35, 45), (3.0, 3.5), 3.7)[0] == "half true"
    assert two_ranges((35, 45), (3.5, 3.9), 3.7)[0] == "holds"
