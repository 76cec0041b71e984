"""Chapter 01: counting pairs, merging one, learning merges, encoding with them, decoding."""

import random
import re
from collections import Counter
from collections.abc import Callable, Iterable
from functools import reduce
from itertools import pairwise

import tiktoken

from nanogpt.course.check.item import Case, Item

Pair = tuple[bytes, bytes]
RHYME = "the cat in the hat sat on the mat"
FINALLY = [(b"i", b"n"), (b"a", b"l"), (b"in", b"al"), (b"l", b"y"), (b"inal", b"ly"), (b"f", b"inal")]
ORDERED = [(b"b", b"c"), (b"a", b"bc"), (b"a", b"b"), (b"c", b"d")]
LETTERS = "aab et"


def single(text: str) -> list[bytes]:
    """A text as tokens of one byte each."""
    return [bytes([byte]) for byte in text.encode()]


def characters(text: str) -> list[bytes]:
    """The slip of one token a character, however many bytes it has."""
    return [character.encode() for character in text]


def zeros(text: str) -> list[bytes]:
    """The slip of `bytes(number)`, which is that many zero bytes."""
    return [bytes(number) for number in text.encode()]


def drawn_text(rng: random.Random, length: int) -> str:
    """A text of few letters, so that pairs occur often, with something that isn't ASCII."""
    return "".join(rng.choice(LETTERS) for _ in range(length)) + "é" + rng.choice(LETTERS) + "é"


def pair_cases(rng: random.Random) -> list[Case]:
    """Lists of tokens: letters, longer ones, a run of equals, the same bytes in other cuts, one token, none."""
    return [
        (single("the theme"),),
        ([b"a"] * 5,),
        ([b"th", b"e", b"t", b"he", b" ", b"th", b"e", b"t", b"he"],),
        (single("née née"),),
        ([b"a"],),
        ([b"a", b"b"],),
        ([],),
        (single(drawn_text(rng, 20)),),
    ]


def count_pairs(tokens: list[bytes]) -> dict[Pair, int]:
    """How often each pair of neighbours occurs."""
    return dict(Counter(pairwise(tokens)))


def apart(tokens: list[bytes]) -> dict[Pair, int]:
    """The slip of counting the pair of `aaa` once, as if it were merged already."""
    counts: Counter = Counter()
    taken: dict[Pair, int] = {}
    for i, pair in enumerate(pairwise(tokens)):
        if taken.get(pair) != i - 1 or pair[0] != pair[1]:
            counts[pair] += 1
            taken[pair] = i
    return dict(counts)


def merge_cases(rng: random.Random) -> list[Case]:
    """Tokens and a pair: several places, at either end, a run of equals, the same bytes in another cut, nowhere."""
    th = bytes(bytearray(b"th"))  # equal to any other b"th", but not the same object
    return [
        (single("that cat"), (b"a", b"t")),
        ([b"a"] * 5, (b"a", b"a")),
        ([b"t", b"he", b"th", b"e", b"t", b"h", b"e", b"th"], (th, b"e")),
        ([b"xa", b"|", b"a", b"|x", b"a", b"|"], (b"a", b"|")),
        (single("né, née"), (b"\xc3", b"\xa9")),
        (single("ab"), (b"a", b"b")),
        (single("baa"), (b"a", b"b")),
        ([], (b"a", b"b")),
        (single(drawn_text(rng, 20)), (b"a", rng.choice([b"a", b"b", b" "]))),
    ]


def merge_pair(tokens: list[bytes], pair: Pair) -> list[bytes]:
    """The pair joined wherever it occurs, by Python's own str.replace: each token is written as one character."""
    written = {token: chr(i) for i, token in enumerate(dict.fromkeys([*tokens, *pair]))}
    joint = chr(len(written))
    text = "".join(written[token] for token in tokens).replace("".join(written[token] for token in pair), joint)
    read = {character: token for token, character in written.items()} | {joint: pair[0] + pair[1]}
    return [read[character] for character in text]


def merged(
    tokens: list[bytes],
    pair: Pair,
    fits: Callable[[bytes, bytes], bool] | None = None,
    skip: int = 2,
    limit: int = -1,
    stop: int = 0,
    put: Callable[[bytes, bytes], list] = lambda left, right: [left + right],
) -> list:
    """A merge by hand, in which what fits, how far to skip, how often, where to stop and what to put can be other."""
    out: list = []
    i = made = 0
    while i < len(tokens) - stop:
        two = tokens[i : i + 2]
        if len(two) == 2 and made != limit and (fits(*two) if fits else tuple(two) == pair):
            out += put(*pair)
            made += 1
            i += skip
        else:
            out.append(tokens[i])
            i += 1
    return out


def from_the_right(tokens: list[bytes], pair: Pair) -> list[bytes]:
    """The slip of merging from right to left."""
    back = merged([token[::-1] for token in tokens[::-1]], (pair[1][::-1], pair[0][::-1]))
    return [token[::-1] for token in back[::-1]]


def last_twice(tokens: list[bytes], pair: Pair) -> list[bytes]:
    """The slip of a loop up to the last token but one, and the last one put after it whatever was merged."""
    return [*merged(tokens, pair, stop=1), tokens[-1]]


def learn_cases(rng: random.Random) -> list[Case]:
    """Texts and numbers of merges: ties, runs of equals, capitals, other than ASCII, none left, none wanted."""
    return [
        (RHYME, 3),
        ("aaaa", 5),
        ("abracadabra", 4),
        ("aaa ab ab aaa ab", 2),
        ("Tut Aha aha ", 5),
        ("née naïve, née 熊", 4),
        ("", 3),
        ("aba", 0),
        (drawn_text(rng, 60), 8),
    ]


def first_met(counts: dict[Pair, int]) -> Pair:
    """The most frequent pair, of equals the one met first."""
    return max(counts, key=lambda pair: counts[pair])


def learn(
    text: str,
    n: int,
    choose: Callable[[dict[Pair, int]], Pair] = first_met,
    cut: Callable[[str], list[bytes]] = single,
    count: Callable[[list[bytes]], dict[Pair, int]] = count_pairs,
    merge: Callable[[list[bytes], Pair], list[bytes]] = merge_pair,
    least: int = 1,
) -> list[Pair]:
    """The first n merges of a text; each of the steps can be another."""
    tokens, merges = cut(text), []
    while len(merges) < n and (counts := count(tokens)):
        best = choose(counts)
        if counts[best] < least:
            break
        merges.append(best)
        tokens = merge(tokens, best)
    return merges


def counted_once(text: str, n: int) -> list[Pair]:
    """The slip of taking the n most frequent pairs of the bytes, without counting anew."""
    return [pair for pair, _ in Counter(pairwise(single(text))).most_common(n)]


def learn_in_words(text: str, n: int, cut: Callable[[str], list[str]] = str.split) -> list[Pair]:
    """The slip of cutting the text at its spaces first."""
    words, merges = [single(word) for word in cut(text)], []
    while len(merges) < n and (counts := Counter(pair for word in words for pair in pairwise(word))):
        merges.append(first_met(counts))
        words = [merge_pair(word, merges[-1]) for word in words]
    return merges


def numbered_pairs(text: str, n: int) -> list[tuple[int, int]]:
    """The slip of merging ids instead of bytes."""
    merges = learn(text, n)
    ids = {left + right: 256 + i for i, (left, right) in enumerate(merges)}
    return [(ids.get(left, left[0]), ids.get(right, right[0])) for left, right in merges]


def encode_cases(rng: random.Random) -> list[Case]:
    """Texts, and merges learnt from the same or from another; no two of the merges make the same token."""
    fitting = (learn(drawn_text(rng, 60), 10) for _ in range(1000))
    drawn = next(merges for merges in fitting if len({a + b for a, b in merges}) == len(merges))
    return [
        ("that theatre", learn(RHYME, 3)),
        ("finally", FINALLY),
        ("abc bc bcd", ORDERED),
        ("cd cd bcd", ORDERED),
        ("In the hat ", learn(RHYME, 12)),
        ("aaaaaaa", [(b"a", b"a"), (b"aa", b"aa")]),
        ("née 😀", [(b"\xc3", b"\xa9"), (b"n", b"\xc3\xa9"), (b"\xf0", b"\x9f")]),
        ("finally", []),
        ("", FINALLY),
        (drawn_text(rng, 30), drawn),
    ]


def encode(text: str, merges: list[Pair]) -> list[bytes]:
    """The tokens by tiktoken, which is told the tokens in their order and nothing of the pairs."""
    tokens = [bytes([byte]) for byte in range(256)] + [left + right for left, right in merges]
    ranks = {token: i for i, token in enumerate(tokens)}
    peer = tiktoken.Encoding("check", pat_str=r"[\s\S]+", mergeable_ranks=ranks, special_tokens={})
    return peer.decode_tokens_bytes(peer.encode_ordinary(text))


def encode_by(
    text: str,
    merges: list[Pair],
    choose: Callable[[list[Pair], dict[Pair, int]], Pair],
    cut: Callable[[str], list[bytes]] = single,
    merge: Callable[[list[bytes], Pair], list[bytes]] = merge_pair,
    rounds: int = -1,
) -> list[bytes]:
    """Encoding by hand, in which the choice of the next pair, the cut, the merge and the rounds are given."""
    rank = {pair: i for i, pair in enumerate(merges)}
    tokens = cut(text)
    while rounds and (known := [pair for pair in pairwise(tokens) if pair in rank]):
        tokens = merge(tokens, choose(known, rank))
        rounds -= 1
    return tokens


def earliest(known: list[Pair], rank: dict[Pair, int]) -> Pair:
    """The pair that was learnt first."""
    return min(known, key=lambda pair: rank[pair])


def longest_first(text: str, merges: list[Pair]) -> list[bytes]:
    """The slip of taking the longest token that fits, again and again."""
    known, rest, out = {left + right for left, right in merges}, text.encode(), []
    while rest:
        end = next(end for end in range(len(rest), 0, -1) if end == 1 or rest[:end] in known)
        out.append(rest[:end])
        rest = rest[end:]
    return out


def merge_first(tokens: list[bytes], pair: Pair) -> list[bytes]:
    """The slip of merging a pair in one place only."""
    return merged(tokens, pair, limit=1)


def in_turn(text: str, merges: Iterable[Pair], merge: Callable = merge_pair) -> list[bytes]:
    """These merges, one after the other."""
    return reduce(merge, merges, single(text))


def up_to_a_gap(text: str, merges: list[Pair]) -> list[bytes]:
    """The slip of stopping at the first merge that has nothing to do."""
    tokens = single(text)
    for pair in merges:
        if pair not in pairwise(tokens):
            break
        tokens = merge_pair(tokens, pair)
    return tokens


def one_walk(text: str, merges: list[Pair]) -> list[bytes]:
    """The slip of walking along the text once, and joining what is in the list."""
    tokens, out = single(text), []
    while tokens:
        width = 2 if tuple(tokens[:2]) in merges else 1
        out.append(b"".join(tokens[:width]))
        tokens = tokens[width:]
    return out


def numbered(text: str, merges: list[Pair]) -> list[int]:
    """The slip of handing out ids."""
    ids = {left + right: 256 + i for i, (left, right) in enumerate(merges)}
    return [ids.get(token, token[0]) for token in encode(text, merges)]


def decode_cases(rng: random.Random) -> list[Case]:
    """Tokens that end inside a character, with spaces at the ends, bytes that are no text, none."""
    drawn = "".join(rng.choice("aé€😀 \n") for _ in range(8)).encode() + "é".encode()
    at = rng.randrange(1, len(drawn))
    return [
        ([b" the", b" cat", b"\n"],),
        ([b"5", b"\xe2\x82\xac", b" or", b" \xf0\x9f\x98", b"\x80"],),
        ([b"n", b"a", b"\xc3", b"\xaf", b"ve"],),
        ([b"half: ", b"\xf0\x9f", b"!"],),
        ([b"\xf0\x9f", b"\x98\x80", b" \xff\xff\r\n"],),
        ([],),
        ([drawn[:at], drawn[at:-1], drawn[-1:]],),
    ]


def decode(tokens: list[bytes]) -> str:
    """The bytes of all tokens, read as UTF-8."""
    return str(b"".join(tokens), "utf-8", "replace")


def decode_each(tokens: list[bytes], errors: str = "replace") -> str:
    """The slip of decoding each token by itself."""
    return "".join(token.decode(errors=errors) for token in tokens)


def decode_or(tokens: list[bytes], otherwise: Callable[[list[bytes]], str]) -> str:
    """The slip of a way out where the bytes are no text."""
    try:
        return b"".join(tokens).decode()
    except UnicodeDecodeError:
        return otherwise(tokens)


ITEMS = (
    Item(
        "count_pairs",
        "count_pairs(tokens): a list of bytes -> a dict: how often each pair (left, right) of neighbours occurs",
        count_pairs,
        pair_cases,
        {
            "the tokens were paired off two by two: each token but the last has a neighbour, so pairs overlap": (
                lambda tokens: dict(Counter(zip(tokens[::2], tokens[1::2], strict=False)))
            ),
            "the keys are the joined bytes: keep the pair (left, right), since th|e and t|he are two pairs": (
                lambda tokens: dict(Counter(left + right for left, right in pairwise(tokens)))
            ),
            "the last pair is missing: of N tokens there are N - 1 pairs": lambda tokens: count_pairs(tokens[:-1]),
            "the last token was paired with the first: tokens[i - 1] at i = 0 is the end of the list": (
                lambda tokens: dict(Counter((tokens[i - 1], tokens[i]) for i in range(len(tokens))))
            ),
            "each pair is counted once only: add 1 to what is there already": (
                lambda tokens: dict.fromkeys(pairwise(tokens), 1)
            ),
            "the order in a pair was forgotten: (a, b) and (b, a) are two pairs": (
                lambda tokens: dict(Counter(tuple(sorted(pair)) for pair in pairwise(tokens)))
            ),
            "the single tokens were counted: count each token together with the next": (
                lambda tokens: dict(Counter(tokens))
            ),
            "in a run like aaa the pair was counted once: here it occurs twice, at merging it will be joined once": (
                apart
            ),
            "each count is one too small: where a pair is met for the first time, that is 1": (
                lambda tokens: {pair: count - 1 for pair, count in count_pairs(tokens).items()}
            ),
            "left and right have changed places: the key is (left, right), as they stand in the list": (
                lambda tokens: dict(Counter((right, left) for left, right in pairwise(tokens)))
            ),
            "the keys are pairs of numbers, the bytes in the tokens: walk along the list, whose tokens stay whole": (
                lambda tokens: dict(Counter(pairwise(b"".join(tokens))))
            ),
        },
    ),
    Item(
        "merge_pair",
        "merge_pair(tokens, pair): a list of bytes -> a new list, (left, right) joined wherever it occurs, from the "
        "left",
        merge_pair,
        merge_cases,
        {
            "the right one stays behind after a merge: go on two places further, not one": (
                lambda tokens, pair: merged(tokens, pair, skip=1)
            ),
            "only the first place was merged: go on to the end of the list": (
                lambda tokens, pair: merged(tokens, pair, limit=1)
            ),
            "the last token got lost: the loop must reach the end, also where there is no right neighbour": (
                lambda tokens, pair: merged(tokens, pair, stop=1)
            ),
            "the merging went from right to left: in aaa the first two are joined": from_the_right,
            "only the left token was compared: the one after it must be the right one of the pair": (
                lambda tokens, pair: merged(tokens, pair, fits=lambda left, right: left == pair[0])
            ),
            "only the right token was compared: the one before it must be the left one of the pair": (
                lambda tokens, pair: merged(tokens, pair, fits=lambda left, right: right == pair[1])
            ),
            "the joined bytes were compared: t|he gives the same bytes as th|e and is another pair; compare both": (
                lambda tokens, pair: merged(tokens, pair, fits=lambda left, right: left + right == pair[0] + pair[1])
            ),
            "the pair stands in the list as a pair: join its two halves by +": (
                lambda tokens, pair: merged(tokens, pair, put=lambda left, right: [(left, right)])
            ),
            "the pair was taken out and nothing put in: its place belongs to left + right": (
                lambda tokens, pair: merged(tokens, pair, put=lambda left, right: [])
            ),
            "nothing was merged: is a list compared with a tuple? they are never equal, so make a tuple of the slice": (
                lambda tokens, pair: list(tokens)
            ),
            "the last token stands there once too often: where the end was merged, nothing is left to put after it": (
                last_twice
            ),
            "a pair at the very end was left as it was: the last place to look at is the last token but one": (
                lambda tokens, pair: merged(tokens[:-1], pair) + tokens[-1:]
            ),
            "after a merge a token was left out: go on two places further, not three": (
                lambda tokens, pair: merged(tokens, pair, skip=3)
            ),
            "only what was joined is in the list: a token that isn't part of the pair is taken as it is": (
                lambda tokens, pair: [pair[0] + pair[1]] * (len(tokens) - len(merge_pair(tokens, pair)))
            ),
            "both tokens are in the pair, but not in its order: the first is to be pair[0], the second pair[1]": (
                lambda tokens, pair: merged(tokens, pair, fits=lambda left, right: left in pair and right in pair)
            ),
            "the tokens were compared by `is`: equal bytes needn't be the same object, so compare by ==": (
                lambda tokens, pair: merged(tokens, pair, fits=lambda left, right: left is pair[0] and right is pair[1])
            ),
        },
    ),
    Item(
        "learn",
        "learn(text, n) -> a list of pairs of bytes: the first n merges; of equally frequent pairs the one met first, "
        "fewer than n when no pair is left",
        learn,
        learn_cases,
        {
            "the pairs were counted once and for all: count again after each merge, the neighbours have changed": (
                counted_once
            ),
            "the same pair comes out again and again: go on with the list that merge_pair returns": (
                lambda text, n: learn(text, n, merge=lambda tokens, pair: tokens)
            ),
            "of equally frequent pairs the last one was taken: it is the one that is met first": (
                lambda text, n: learn(text, n, choose=lambda counts: first_met(dict(reversed(counts.items()))))
            ),
            "of equally frequent pairs the one last in the alphabet was taken (a comparison of tuples goes on to the "
            "pair): it is the one that is met first": (
                lambda text, n: learn(text, n, choose=lambda counts: max(counts, key=lambda pair: (counts[pair], pair)))
            ),
            "of equally frequent pairs the one first in the alphabet was taken: it is the one that is met first": (
                lambda text, n: learn(text, n, choose=lambda counts: first_met(dict(sorted(counts.items()))))
            ),
            "it begins with characters: begin with bytes, of which é has two": (
                lambda text, n: learn(text, n, cut=characters)
            ),
            "these are pieces of a string: begin with text.encode(), and with bytes of length one": (
                lambda text, n: learn(text, n, cut=list)
            ),
            "the text was cut into words first: here merges go across spaces": learn_in_words,
            "it stops at pairs that occur once: they are merged too, until n or until no pair is left": (
                lambda text, n: learn(text, n, least=2)
            ),
            "the joined tokens came back: keep the pairs (left, right)": (
                lambda text, n: [left + right for left, right in learn(text, n)]
            ),
            "there is one merge too many: stop when there are n": lambda text, n: learn(text, n + 1),
            "there is one merge too few: stop when there are n": lambda text, n: learn(text, n - 1),
            "no merge was made: n is how many there are to be, not the size of the vocabulary, and the list begins "
            "with single bytes": lambda text, n: [],
            "the pair last in the alphabet was taken, however often it occurs: max(counts, key=counts.get)": (
                lambda text, n: learn(text, n, choose=max)
            ),
            "the tokens are numbers: text.encode() gives them one by one, and bytes([number]) makes a byte of each": (
                lambda text, n: learn(text, n, cut=lambda text: list(text.encode()))
            ),
            "the tokens are zeros: bytes(116) is 116 zero bytes, bytes([116]) is one byte, the t": (
                lambda text, n: learn(text, n, cut=zeros)
            ),
            "a pair came with its count, and was never merged: most_common(1)[0] is (pair, count), and its [0] the "
            "pair": lambda text, n: Counter(pairwise(single(text))).most_common(1) * n,
            "pairs of ids came back: the tokens themselves are asked for, as bytes": numbered_pairs,
            "the tokens of the text came back: the list of the merges is asked for": (
                lambda text, n: in_turn(text, learn(text, n))
            ),
            "the text was cut into words, if with the space before each: here merges go across words": (
                lambda text, n: learn_in_words(text, n, lambda text: re.findall(r" ?\S+|\s+(?!\S)|\s+", text))
            ),
            "in a run like aaa the pair was counted once: count all neighbours, as count_pairs does": (
                lambda text, n: learn(text, n, count=apart)
            ),
            "the rarest pair was merged: max, not min": (
                lambda text, n: learn(text, n, choose=lambda counts: min(counts, key=lambda pair: counts[pair]))
            ),
        },
    ),
    Item(
        "encode",
        "encode(text, merges) -> the tokens as a list of bytes: of the pairs that are there, always the one learnt "
        "first is merged",
        encode,
        encode_cases,
        {
            "the longest token that fits was taken: the merges are made in the order in which they were learnt": (
                longest_first
            ),
            "the leftmost pair that is in the list was merged: the one that was learnt first goes first, wherever it "
            "stands": lambda text, merges: encode_by(text, merges, lambda known, rank: known[0]),
            "the latest merge goes first: it is the earliest, the one of the lowest rank": (
                lambda text, merges: encode_by(text, merges, lambda known, rank: max(known, key=lambda p: rank[p]))
            ),
            "the pair most frequent in this text goes first: counting was for learning, here the order is given": (
                lambda text, merges: encode_by(text, merges, lambda known, rank: first_met(Counter(known)))
            ),
            "it begins with characters: begin with bytes, of which é has two": (
                lambda text, merges: encode_by(text, merges, earliest, cut=characters)
            ),
            "only one merge was made: go on until no pair is left that is in the list": (
                lambda text, merges: encode_by(text, merges, earliest, rounds=1)
            ),
            "each merge was made in one place only: make it wherever the pair stands": (
                lambda text, merges: in_turn(text, merges, merge_first)
            ),
            "the ids came back: the tokens themselves are asked for, as bytes": numbered,
            "nothing was merged: the single bytes came back": lambda text, merges: single(text),
            "the text was cut at its spaces: here merges go across them, and no space may get lost": (
                lambda text, merges: [token for word in text.split() for token in encode(word, merges)]
            ),
            "numbers came back, and nothing was merged: text.encode() gives them one by one, and bytes([number]) makes "
            "a byte of each": lambda text, merges: list(text.encode()),
            "the tokens are zeros: bytes(116) is 116 zero bytes, bytes([116]) is one byte, the t": (
                lambda text, merges: zeros(text)
            ),
            "the merges were made from the last to the first: a merge needs the tokens that those before it make": (
                lambda text, merges: in_turn(text, reversed(merges))
            ),
            "it stops at the first merge that isn't in the text: go on to the next, which may be": up_to_a_gap,
            "the merge learnt first was never made: is its rank, 0, taken for False?": (
                lambda text, merges: encode_by(text, merges[1:], earliest)
            ),
            "the text was walked along once, and what stood in the list was joined: merging makes new pairs, and which "
            "goes first is their order in the list": one_walk,
            "only pairs that stand in the text from the start were merged: merging makes new ones": (
                lambda text, merges: in_turn(text, [pair for pair in merges if pair in pairwise(single(text))])
            ),
            "the leftmost place where any merge fits came first: the pair that was learnt first does, wherever it "
            "stands": lambda text, merges: encode_by(text, merges, lambda known, rank: known[0], merge=merge_first),
        },
    ),
    Item(
        "decode",
        "decode(tokens): a list of bytes -> the text as a string, with � where bytes are no UTF-8",
        decode,
        decode_cases,
        {
            "each token was decoded by itself, and half a character is no text: join all bytes first, then decode": (
                decode_each
            ),
            "each token was decoded by itself, and half a character was dropped: join all bytes first, then decode": (
                lambda tokens: decode_each(tokens, "ignore")
            ),
            "each token was decoded by itself, and given up where it is no text: join all bytes first, then decode": (
                lambda tokens: "".join(decode_or([token], lambda given_up: "\ufffd") for token in tokens)
            ),
            "where some bytes are no text, each token was decoded by itself: errors='replace' leaves the rest whole": (
                lambda tokens: decode_or(tokens, decode_each)
            ),
            "where some bytes are no text, all was given up: errors='replace' puts � in their place alone": (
                lambda tokens: decode_or(tokens, lambda given_up: "\ufffd")
            ),
            "a list of texts came back: one string is asked for": (
                lambda tokens: [token.decode(errors="replace") for token in tokens]
            ),
            "there are spaces between the tokens: a token brings its own, so join with nothing": (
                lambda tokens: b" ".join(tokens).decode(errors="replace")
            ),
            "each byte became a character: they are UTF-8, in which a character can take several": (
                lambda tokens: b"".join(tokens).decode("latin-1")
            ),
            "bytes that are no text were dropped: errors='replace' puts � in their place": (
                lambda tokens: b"".join(tokens).decode(errors="ignore")
            ),
            "only ASCII was read: the bytes are UTF-8": lambda tokens: b"".join(tokens).decode("ascii", "replace"),
            "the bytes came back as they are: .decode makes a string of them": lambda tokens: b"".join(tokens),
            "this is how Python prints bytes, with b and quotes: .decode makes text of them, str doesn't": (
                lambda tokens: str(b"".join(tokens))
            ),
            "this is how Python prints each token, with b and quotes: join all bytes first, then .decode": (
                lambda tokens: "".join(map(str, tokens))
            ),
            "white space at the ends got lost: it is part of the text": lambda tokens: decode(tokens).strip(),
        },
    ),
)
