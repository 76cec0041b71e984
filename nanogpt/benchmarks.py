"""The texts of WikiText and LAMBADA, and how they are made ready for scoring: as lm-evaluation-harness does.

Two scores can only be compared if the text was treated alike, so each rule here is the harness's own,
its oddities included; a test holds them to it.
"""

import re
from collections.abc import Iterable, Iterator

from nanogpt.hub import errors_in_a_sentence, stream_dataset

WIKITEXT = {"wikitext-2": "wikitext-2-raw-v1", "wikitext-103": "wikitext-103-raw-v1"}  # of Salesforce/wikitext
LAMBADA = {  # the text as OpenAI scored it, and as it was published
    "lambada": ("EleutherAI/lambada_openai", "default"),
    "lambada-standard": ("cimec/lambada", "plain_text"),
}

# WikiText comes cut into words; these put it together again, one after the other.
JOINS = [
    (re.compile(pattern), replacement)
    for pattern, replacement in [
        (r"s '", r"s'"),
        (r"/' [0-9]/", r"/'[0-9]/"),
        *[(f" @{mark}@ ", mark.strip("\\")) for mark in ("-", ",", r"\.")],
        *[(rf" {mark} ", mark.strip("\\") + " ") for mark in (":", ";", r"\.", "!", r"\?", ",")],
        (r"\(\s*([^)]*?)\s*\)", r"(\1)"),
        (r"\[\s*([^\]]*?)\s*\]", r"[\1]"),
        (r"{\s*([^}]*?)\s*}", r"{\1}"),
        (r'"\s*([^"]*?)\s*"', r'"\1"'),
        (r"'\s*([^']*?)\s*'", r"'\1'"),
        *[(" ".join("=" * n), "=" * n) for n in (4, 3, 2)],
        (" ° ", "°"),
        (" \n", "\n"),
        ("\n ", "\n"),
        (" N ", " 1 "),
        (" 's", "'s"),
    ]
]


def read_wikitext(name: str, split: str = "test") -> Iterator[str]:
    """The articles of "wikitext-2" or "wikitext-103", as they come: cut into words, markup and all.

    The two share their test set. Raises OSError where the hub is not there.
    """
    repo = "Salesforce/wikitext"
    rows = stream_dataset(repo, WIKITEXT[name], split)
    with errors_in_a_sentence(repo):
        yield from articles(row["text"] for row in rows)


def articles(lines: Iterable[str]) -> Iterator[str]:
    """Put WikiText's lines together to articles; one begins at each heading of the first rank, ` = Title = `."""
    article: list[str] = []
    for line in lines:
        line = line.rstrip("\n") or " "  # the data set leaves empty lines empty, the original has a space
        flat = line.replace("= = =", "===").replace("= =", "==").strip()
        if flat.startswith("= ") and flat.endswith(" ="):
            if "".join(article).strip():
                yield "\n".join(article)
            article = []
        article.append(line)
    if "".join(article).strip():
        yield "\n".join(article)


def detokenise(article: str) -> str:
    """WikiText's words as running text: `the 1 @,@ 500 men , who` becomes `the 1,500 men, who`."""
    for pattern, replacement in JOINS:
        article = pattern.sub(replacement, article)
    return article


def count_words(article: str) -> int:
    """Words of an article as it came, before `detokenise`: what a word perplexity is counted by."""
    return len(re.split(r"\s+", article))


def read_lambada(name: str) -> Iterator[str]:
    """The passages of "lambada" (as OpenAI scored them) or "lambada-standard" (as published).

    Raises OSError where the hub is not there.
    """
    repo, config = LAMBADA[name]
    rows = stream_dataset(repo, config, "test")
    with errors_in_a_sentence(repo):
        yield from (row["text"] for row in rows)


def split_last_word(passage: str) -> tuple[str, str]:
    """LAMBADA's question: (the passage up to its last space, that space and the word to be guessed).

    Raises ValueError for a passage without a space, or with nothing before or after it.
    """
    context, space, word = passage.rpartition(" ")
    if not context.strip() or not word:
        raise ValueError(
            f"the LAMBADA passage {passage[:60]!r} has no last word to guess; "
            "each one needs a context, a space and a word"
        )
    return context, space + word
