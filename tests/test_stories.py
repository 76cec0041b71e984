import math
import random
import re

import pytest

from nanogpt.stories import FEMALE, GRAMMAR, derivations, entropy_rate, stories, write_story


@pytest.fixture(scope="module")
def many() -> list[tuple[str, float]]:
    return list(stories(seed=1, count=20_000))


def test_a_seed_gives_the_same_stories_and_another_gives_others():
    assert list(stories(5, 20)) == list(stories(5, 20))
    assert list(stories(5, 20)) != list(stories(6, 20))


def test_the_exact_entropy_is_what_sampling_finds(many):
    entropy, length = entropy_rate()
    surprises = [-log_prob for _, log_prob in many]
    lengths = [len(text.encode()) for text, _ in many]
    for exact, sampled in ((entropy, surprises), (length, lengths)):
        mean = sum(sampled) / len(sampled)
        spread = math.sqrt(sum((x - mean) ** 2 for x in sampled) / len(sampled))
        assert abs(mean - exact) < 4 * spread / math.sqrt(len(sampled))


@pytest.mark.slow
def test_a_text_tells_which_choices_were_taken(many):
    for text, log_prob in many[:3000]:
        assert derivations(text) == [pytest.approx(log_prob, abs=1e-9)]


def test_a_text_of_another_hand_has_no_derivation(many):
    text = many[0][0]
    assert derivations(text + " The end.") == []
    assert derivations(text[:-1]) == []


def test_no_two_options_of_a_choice_are_alike():
    for name, options in GRAMMAR.items():
        assert len(set(options)) == len(options), name


def test_the_vocabulary_has_several_hundred_words(many):
    words = {word for text, _ in many for word in re.findall(r"[a-z]+", text.lower())}
    assert len(words) > 400


def test_heroes_come_back_by_name_or_by_pronoun(many):
    by_name = 0
    for text, _ in many[:500]:
        hero = next(n for n in GRAMMAR["hero"] if re.search(rf"\b{n}\b", text))
        pronoun = "she|her" if hero in FEMALE else "he|his"
        named_again = len(re.findall(rf"\b{hero}\b", text)) >= 2
        assert named_again or re.search(rf"\b({pronoun})\b", text, re.IGNORECASE)
        by_name += named_again
    assert by_name > 100


def test_there_are_causes_and_there_is_dialogue(many):
    texts = [text for text, _ in many[:500]]
    assert sum("ecause" in text or ", so " in text for text in texts) > 400
    assert sum('"' in text for text in texts) > 300


def test_no_story_says_a_before_a_vowel(many):
    assert not [m for text, _ in many for m in re.findall(r"\ba [aeiou]\w+", text)]


def test_a_probability_is_that_of_its_choices():
    text, log_prob = write_story(random.Random(0))
    assert 0 > log_prob > -300
    assert text[0].isupper()
    assert text[-1] in '."'
