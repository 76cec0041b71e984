import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nanogpt.benchmarks import articles, count_words, detokenise, split_last_word

PIECES = [
    "s '", "'", " @-@ ", " @,@ ", " @.@ ", "@", " : ", " ; ", " . ", " ! ", " ? ", " , ", "(", ")", "[", "]", "{", "}",
    '"', "= = = =", "= = =", "= =", "=", " ° ", "\n", " ", "\n ", " N ", " 's", "word", "s", "1", "/' [0-9]/",
]  # fmt: skip


@given(st.lists(st.sampled_from(PIECES), max_size=30).map("".join))
def test_running_text_is_made_as_the_harness_makes_it(text):
    from lm_eval.tasks.wikitext.preprocess_wikitext import process_results, wikitext_detokenizer

    assert detokenise(text) == wikitext_detokenizer({"page": text})
    assert count_words(text) == process_results({"page": text}, (0.0,))["word_perplexity"][1]


def test_words_are_put_together_again():
    assert detokenise("the 1 @,@ 500 men , who won by 3 @-@ 2 .") == "the 1,500 men, who won by 3-2 ."
    assert detokenise('he said ( " so " ) : go') == 'he said ("so"): go'


ROWS = ["", " = First = \n", "", " Some text . \n", " = = Part = = \n", " More . \n", "", " = Second = \n", " End . \n"]


def test_an_article_begins_at_each_heading_of_the_first_rank():
    assert list(articles(ROWS)) == [
        " = First = \n \n Some text . \n = = Part = = \n More . \n ",
        " = Second = \n End . ",
    ]


def test_the_lines_of_all_articles_are_the_lines_of_the_file():
    lines = [line.rstrip("\n") or " " for line in ROWS]
    assert "\n".join(articles(ROWS)).split("\n") == lines[1:]  # but for the empty one before the first


@given(st.text(min_size=1), st.from_regex(r"[^ ]+", fullmatch=True))
def test_a_passage_is_cut_at_its_last_space(context, word):
    passage = f"x{context} {word}"
    assert split_last_word(passage) == (f"x{context}", f" {word}")
    assert split_last_word(passage)[0] == " ".join(passage.split(" ")[:-1])


@pytest.mark.parametrize("passage", ["", "alone", " word", "ends with a space "])
def test_a_passage_without_a_last_word_is_named(passage):
    with pytest.raises(ValueError, match=re.escape(f"the LAMBADA passage {passage!r} has no last word to guess")):
        split_last_word(passage)
