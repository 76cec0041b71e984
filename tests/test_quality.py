import pytest

from nanogpt.evaluate import Settings
from nanogpt.quality import PROMPTS, distinct, evaluate_samples, repetition_rate, words_to_loop


def test_distinct_by_hand():
    assert distinct([["a", "b", "a", "b"]], 1) == 2 / 4
    assert distinct([["a", "b", "a", "b"]], 2) == 2 / 3  # ab, ba, ab
    assert distinct([["a", "b"], ["a", "b"]], 2) == 1 / 2  # over all samples together
    assert distinct([["a"]], 2) == 0


def test_repetition_by_hand():
    assert repetition_rate([list("abcdabcd")]) == 1 / 5  # abcd bcda cdab dabc abcd
    assert repetition_rate([list("abcdefgh")]) == 0
    assert repetition_rate([list("aaaaaaaa")]) == 4 / 5
    assert repetition_rate([list("abcd"), list("abcd")]) == 0  # within a sample, not across
    assert repetition_rate([["a"]]) == 0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a b c d", 4),
        ("x y a a a", 2),
        ("x y a a", 4),
        ("x a b c a b c a b c y", 1),
        ("a b a b a b", 0),
        ("", 0),
    ],
)
def test_words_to_the_first_loop_by_hand(text, words):
    assert words_to_loop(text.split()) == words


def test_samples_are_the_same_each_time_and_the_figures_are_theirs(story_run):
    report, again = (evaluate_samples(story_run, Settings(limit=3), max_new_tokens=40) for _ in range(2))
    assert report.samples == again.samples
    assert [sample["prompt"] for sample in report.samples] == list(PROMPTS[:3])
    words = [sample["text"].split() for sample in report.samples]
    assert report.distinct_2 == distinct(words, 2)
    assert report.repetition_rate == repetition_rate(words)
    assert report.mean_words == sum(map(len, words)) / 3
    assert report.mean_words_to_loop <= report.mean_words
    assert report.samples[0]["text"] in report.to_table()
    assert "3 prompts, up to 40 tokens each" in report.protocol


def test_the_prompt_that_everyone_asks_for_is_among_them():
    assert "The future of AI is" in PROMPTS
