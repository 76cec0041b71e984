"""Every item against a bank of answers: right ones must pass, wrong ones must fail, most of them by their name."""

import importlib

import pytest

from nanogpt.course import check
from nanogpt.course.check.item import judge
from nanogpt.course.check.speech import CheckFailed

ITEMS = {item.name: (stem, item) for stem in check.CHAPTERS for item in check.items(stem).values()}
# What says what is wrong, not merely that something is: a slip's sentence, or one of judge's own.
NAMED = (
    "it looks as if", "stopped at", "changed in place", "no gradient comes", "answers differently", "is there a return",
    "came back, not", "the shape is", "the type is", "the type at", "no numbers (nan", "the keys are others",
)  # fmt: skip


def bank(stem):
    return importlib.import_module(f"answers.{stem}")


RIGHT = [(name, i) for name, (stem, _) in ITEMS.items() for i in range(len(bank(stem).RIGHT[name]))]
WRONG = [(name, i) for name, (stem, _) in ITEMS.items() for i in range(len(bank(stem).WRONG[name]))]


def test_each_item_has_answers_enough():
    for name, (stem, _) in ITEMS.items():
        assert len(bank(stem).RIGHT[name]) >= 2, name
        assert len(bank(stem).WRONG[name]) >= 4, name


@pytest.mark.parametrize(("name", "i"), RIGHT)
def test_a_right_answer_passes_whatever_its_style(name, i):
    stem, item = ITEMS[name]
    for seed in (0, 1):
        assert judge(item, bank(stem).RIGHT[name][i], seed).startswith(f"{name}: right on")


@pytest.mark.parametrize(("name", "i"), WRONG)
def test_a_wrong_answer_fails_with_its_own_sentence(name, i):
    stem, item = ITEMS[name]
    answer, sentence = bank(stem).WRONG[name][i]
    for seed in (0, 1):
        with pytest.raises(CheckFailed) as caught:
            judge(item, answer, seed)
        assert sentence in str(caught.value)


@pytest.mark.slow
def test_a_slip_is_no_right_answer_and_no_two_are_the_same():
    for name, (_, item) in ITEMS.items():
        for sentence, slip in item.slips.items():
            with pytest.raises(CheckFailed) as caught:
                judge(item, slip)
            assert sentence in str(caught.value), f"{name}: {sentence}"


@pytest.mark.slow
def test_most_wrong_answers_are_told_what_is_wrong_with_them(capsys):
    named = []
    for name, i in WRONG:
        stem, item = ITEMS[name]
        with pytest.raises(CheckFailed) as caught:
            judge(item, bank(stem).WRONG[name][i][0])
        named.append(any(sentence in str(caught.value) for sentence in NAMED))
    share = sum(named) / len(named)
    with capsys.disabled():
        print(
            f"\n{len(RIGHT)} right answers pass; of {len(WRONG)} wrong ones {share:.1%} are told what is wrong by name"
        )
    assert len(RIGHT) + len(WRONG) >= 150
    assert share >= 0.85
