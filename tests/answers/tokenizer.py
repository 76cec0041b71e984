"""Answers to chapter 01's items: right ones written in other ways, wrong ones with what must be said of each."""

import re
from collections import Counter, defaultdict
from itertools import pairwise


def pairs_by_index(tokens):
    counts = {}
    for i in range(len(tokens) - 1):
        key = tokens[i], tokens[i + 1]
        counts[key] = counts.get(key, 0) + 1
    return counts


def pairs_by_zip(tokens):
    found = defaultdict(int)
    for pair in pairwise(tokens):
        found[pair] += 1
    return found


def merge_by_stack(tokens, pair):
    out, fresh = [], False
    for token in tokens:
        if out and not fresh and (out[-1], token) == tuple(pair):
            out[-1] += token
            fresh = True
        else:
            out.append(token)
            fresh = False
    return out


def merge_by_flag(tokens, pair):
    a, b = pair
    result = []
    skip = False
    for i, token in enumerate(tokens):
        if skip:
            skip = False
        elif token == a and i + 1 < len(tokens) and tokens[i + 1] == b:
            result.append(a + b)
            skip = True
        else:
            result.append(token)
    return result


def merge_by_deletion(tokens, pair):
    tokens = list(tokens)
    i = 0
    while i < len(tokens) - 1:
        if tokens[i] == pair[0] and tokens[i + 1] == pair[1]:
            tokens[i : i + 2] = [pair[0] + pair[1]]
        i += 1
    return tokens


def as_bytes(text):
    return [bytes([b]) for b in text.encode("utf-8")]


def learn_by_most_common(text, n):
    tokens, merges = as_bytes(text), []
    for _ in range(n):
        if len(tokens) < 2:
            return merges
        [(pair, _)] = Counter(pairwise(tokens)).most_common(1)
        tokens = merge_by_flag(tokens, pair)
        merges.append(pair)
    return merges


def learn_by_scanning(text, n):
    data = text.encode()
    tokens = [data[i : i + 1] for i in range(len(data))]
    found = []
    while len(found) < n:
        counts = pairs_by_index(tokens)
        best = None
        for pair in counts:
            if best is None or counts[pair] > counts[best]:
                best = pair
        if best is None:
            break
        found.append(best)
        tokens = merge_by_stack(tokens, best)
    return found


def encode_in_order(text, merges):
    tokens = as_bytes(text)
    for pair in merges:
        tokens = merge_by_flag(tokens, pair)
    return tokens


def encode_one_place_at_a_time(text, merges):
    data = text.encode()
    tokens = [data[i : i + 1] for i in range(len(data))]
    order = {left + right: i for i, (left, right) in enumerate(merges)}
    while True:
        best, at = len(merges), None
        for i in range(len(tokens) - 1):
            if order.get(tokens[i] + tokens[i + 1], len(merges)) < best:
                best, at = order[tokens[i] + tokens[i + 1]], i
        if at is None:
            return tokens
        tokens = [*tokens[:at], tokens[at] + tokens[at + 1], *tokens[at + 2 :]]


def decode_by_adding(tokens):
    data = b""
    for token in tokens:
        data += token
    return data.decode("utf-8", errors="replace")


def decode_by_numbers(tokens):
    return str(bytearray(byte for token in tokens for byte in token), encoding="utf-8", errors="replace")


RIGHT = {
    "count_pairs": [pairs_by_index, pairs_by_zip, lambda tokens: Counter(pairwise(tokens))],
    "merge_pair": [merge_by_stack, merge_by_flag, merge_by_deletion],
    "learn": [learn_by_most_common, learn_by_scanning],
    "encode": [encode_in_order, encode_one_place_at_a_time],
    "decode": [decode_by_adding, decode_by_numbers],
}


def pairs_in_twos(tokens):
    counts = Counter()
    for i in range(0, len(tokens) - 1, 2):
        counts[tokens[i], tokens[i + 1]] += 1
    return counts


def pairs_joined(tokens):
    counts = {}
    for left, right in pairwise(tokens):
        counts[left + right] = counts.get(left + right, 0) + 1
    return counts


def pairs_up_to_the_last(tokens):
    return dict(Counter((tokens[i], tokens[i + 1]) for i in range(len(tokens) - 2)))


def pairs_with_the_one_before(tokens):
    counts = defaultdict(int)
    for i, token in enumerate(tokens):
        counts[tokens[i - 1], token] += 1
    return counts


def pairs_reset(tokens):
    counts = {}
    for pair in pairwise(tokens):
        counts[pair] = counts.get(pair, 1)
    return counts


def pairs_whichever_way(tokens):
    counts = Counter()
    for left, right in pairwise(tokens):
        counts[min(left, right), max(left, right)] += 1
    return counts


def pairs_too_far(tokens):
    counts = Counter()
    for i in range(len(tokens)):
        counts[tokens[i], tokens[i + 1]] += 1
    return counts


def pairs_as_lists(tokens):
    counts = {}
    for pair in pairwise(tokens):
        counts[list(pair)] = 1
    return counts


REMEMBERED: Counter = Counter()


def pairs_remembered(tokens):
    REMEMBERED.update(pairwise(tokens))
    return dict(REMEMBERED)


def merge_without_skip(tokens, pair):
    out = []
    for i, token in enumerate(tokens):
        if (token, *tokens[i + 1 : i + 2]) == pair:
            out.append(pair[0] + pair[1])
        else:
            out.append(token)
    return out


def merge_first(tokens, pair):
    for i in range(len(tokens) - 1):
        if (tokens[i], tokens[i + 1]) == pair:
            return [*tokens[:i], pair[0] + pair[1], *tokens[i + 2 :]]
    return list(tokens)


def merge_before_the_end(tokens, pair):
    out, i = [], 0
    while i < len(tokens) - 1:
        if (tokens[i], tokens[i + 1]) == pair:
            out.append(tokens[i] + tokens[i + 1])
            i += 2
        else:
            out.append(tokens[i])
            i += 1
    return out


def merge_beyond_the_end(tokens, pair):
    out, i = [], 0
    while i < len(tokens):
        if tokens[i] == pair[0] and tokens[i + 1] == pair[1]:
            out.append(pair[0] + pair[1])
            i += 2
        else:
            out.append(tokens[i])
            i += 1
    return out


def merge_backwards(tokens, pair):
    out, i = [], len(tokens) - 1
    while i >= 0:
        if i > 0 and (tokens[i - 1], tokens[i]) == pair:
            out.insert(0, tokens[i - 1] + tokens[i])
            i -= 2
        else:
            out.insert(0, tokens[i])
            i -= 1
    return out


def merge_if(tokens, condition, made):
    """The loop of a student, with the condition and the thing that is put in left open."""
    out, i = [], 0
    while i < len(tokens):
        if i + 1 < len(tokens) and condition(tokens[i], tokens[i + 1]):
            out.extend(made)
            i += 2
        else:
            out.append(tokens[i])
            i += 1
    return out


def merge_in_place(tokens, pair):
    i = 0
    while i < len(tokens) - 1:
        if (tokens[i], tokens[i + 1]) == pair:
            tokens[i] = pair[0] + pair[1]
            del tokens[i + 1]
        i += 1
    return tokens


def merge_bytes(tokens, pair):
    return re.split(b"(" + re.escape(pair[0] + pair[1]) + b")", b"".join(tokens))


def learn_as(text, n, best=None, start=as_bytes, keep=lambda pair: pair, stop=lambda count: False):
    """The loop of a student, with something to get wrong."""
    best = best or (lambda counts: max(counts, key=counts.get))
    tokens, merges = start(text), []
    while len(merges) < n:
        counts = pairs_by_index(tokens)
        if not counts:
            break
        pair = best(counts)
        if stop(counts[pair]):
            break
        tokens = merge_by_flag(tokens, pair)
        merges.append(keep(pair))
    return merges


def last_of_equals(counts):
    best, most = None, 0
    for pair, count in counts.items():
        if count >= most:
            best, most = pair, count
    return best


def learn_counting_once(text, n):
    tokens = as_bytes(text)
    counts = pairs_by_index(tokens)
    return sorted(counts, key=counts.get, reverse=True)[:n]


def learn_without_keeping(text, n):
    tokens, merges = as_bytes(text), []
    for _ in range(n):
        counts = pairs_by_index(tokens)
        if counts:
            merges.append(max(counts, key=counts.get))
            merge_by_flag(tokens, merges[-1])
    return merges


def learn_without_end(text, n):
    tokens, merges = as_bytes(text), []
    for _ in range(n):
        counts = pairs_by_index(tokens)
        pair = max(counts, key=counts.get)
        tokens = merge_by_flag(tokens, pair)
        merges.append(pair)
    return merges


def learn_with_counts(text, n):
    tokens, merges = as_bytes(text), {}
    while len(merges) < n and len(tokens) > 1:
        counts = pairs_by_index(tokens)
        pair = max(counts, key=counts.get)
        merges[pair] = counts[pair]
        tokens = merge_by_flag(tokens, pair)
    return merges


def learn_word_by_word(text, n):
    words = [as_bytes(word) for word in text.split()]
    merges = []
    while len(merges) < n:
        counts = Counter()
        for word in words:
            counts.update(pairs_by_index(word))
        if not counts:
            break
        pair = counts.most_common(1)[0][0]
        words = [merge_by_flag(word, pair) for word in words]
        merges.append(pair)
    return merges


def learn_one_more(text, n):
    tokens, merges = as_bytes(text), []
    while len(merges) <= n and len(tokens) > 1:
        counts = pairs_by_index(tokens)
        merges.append(max(counts, key=counts.get))
        tokens = merge_by_flag(tokens, merges[-1])
    return merges


def learn_a_vocabulary(text, n):
    tokens, merges = as_bytes(text), []
    while 256 + len(merges) < n:
        counts = pairs_by_index(tokens)
        merges.append(max(counts, key=counts.get))
        tokens = merge_by_flag(tokens, merges[-1])
    return merges


def learn_strings(text, n):
    tokens, merges = list(text), []
    while len(merges) < n and len(tokens) > 1:
        merges.append(Counter(pairwise(tokens)).most_common(1)[0][0])
        tokens = merge_by_flag(tokens, merges[-1])
    return merges


def encode_next(text, merges, pick, start=as_bytes):
    """The loop of a student: pick a pair of those that are known, merge, again."""
    tokens = start(text)
    while True:
        there = [pair for pair in pairwise(tokens) if pair in merges]
        if not there:
            return tokens
        tokens = merge_by_flag(tokens, pick(there))


def encode_greedily(text, merges):
    vocabulary = {bytes([i]) for i in range(256)} | {a + b for a, b in merges}
    data, tokens, start = text.encode(), [], 0
    while start < len(data):
        end = len(data)
        while data[start:end] not in vocabulary:
            end -= 1
        tokens.append(data[start:end])
        start = end
    return tokens


def encode_first_only(text, merges):
    tokens = as_bytes(text)
    for pair in merges:
        if pair in pairs_by_index(tokens):
            tokens = merge_by_flag(tokens, pair)
            break
    return tokens


def encode_each_once(text, merges):
    tokens = as_bytes(text)
    for pair in merges:
        tokens = merge_first(tokens, pair)
    return tokens


def encode_to_ids(text, merges):
    vocabulary = [bytes([i]) for i in range(256)] + [a + b for a, b in merges]
    return [vocabulary.index(token) for token in encode_in_order(text, merges)]


def encode_words(text, merges):
    tokens = []
    for word in text.split(" "):
        tokens += encode_in_order(word, merges)
    return tokens


def encode_using_up(text, merges):
    tokens = as_bytes(text)
    while merges:
        tokens = merge_by_flag(tokens, merges.pop(0))
    return tokens


WRONG = {
    "count_pairs": [
        (pairs_in_twos, "two by two"),
        (pairs_joined, "the keys are the joined bytes"),
        (pairs_up_to_the_last, "the last pair is missing"),
        (pairs_with_the_one_before, "paired with the first"),
        (pairs_reset, "each pair is counted once only"),
        (pairs_whichever_way, "the order in a pair was forgotten"),
        (lambda tokens: {token: tokens.count(token) for token in tokens}, "the single tokens were counted"),
        (pairs_too_far, "IndexError"),
        (pairs_as_lists, "TypeError"),
        (pairs_remembered, "so"),
        (lambda tokens: list(pairs_by_index(tokens).items()), "a list came back, not a dict"),
        (lambda tokens: pairs_by_index([t.decode(errors="replace") for t in tokens]), "the keys are others"),
    ],
    "merge_pair": [
        (merge_without_skip, "the right one stays behind"),
        (merge_first, "only the first place"),
        (merge_before_the_end, "the last token got lost"),
        (merge_beyond_the_end, "IndexError: list index out of range"),
        (merge_backwards, "from right to left"),
        (lambda t, p: merge_if(t, lambda a, b: a == p[0], [p[0] + p[1]]), "only the left token was compared"),
        (lambda t, p: merge_if(t, lambda a, b: b == p[1], [p[0] + p[1]]), "only the right token was compared"),
        (lambda t, p: merge_if(t, lambda a, b: a + b == p[0] + p[1], [p[0] + p[1]]), "the joined bytes were compared"),
        (lambda t, p: merge_if(t, lambda a, b: (a, b) == p, [p]), "the pair stands in the list as a pair"),
        (lambda t, p: merge_if(t, lambda a, b: (a, b) == p, []), "taken out and nothing put in"),
        (merge_in_place, "changed in place"),
        (merge_bytes, "so"),
    ],
    "learn": [
        (learn_counting_once, "counted once and for all"),
        (learn_without_keeping, "again and again"),
        (lambda text, n: learn_as(text, n, last_of_equals), "the last one was taken"),
        (lambda text, n: learn_as(text, n, lambda c: max((k, p) for p, k in c.items())[1]), "last in the alphabet"),
        (
            lambda text, n: learn_as(text, n, lambda c: min(c, key=lambda p: (-c[p], p))),
            "first in the alphabet",
        ),
        (lambda text, n: learn_as(text, n, start=lambda s: [c.encode() for c in s]), "it begins with characters"),
        (learn_word_by_word, "cut into words first"),
        (lambda text, n: learn_as(text, n, stop=lambda count: count == 1), "it stops at pairs that occur once"),
        (lambda text, n: learn_as(text, n, keep=lambda pair: pair[0] + pair[1]), "the joined tokens came back"),
        (learn_one_more, "one merge too many"),
        (learn_a_vocabulary, "not the size of the vocabulary"),
        (learn_without_end, "ValueError: max() "),
        (learn_with_counts, "a dict came back, not a list"),
        (lambda text, n: learn_as(text, n, lambda c: min(c, key=c.get)), "the rarest pair"),
        (learn_strings, "pieces of a string"),
    ],
    "encode": [
        (encode_greedily, "the longest token that fits"),
        (lambda text, merges: encode_next(text, merges, lambda there: there[0]), "the leftmost pair"),
        (lambda text, merges: encode_next(text, merges, lambda there: max(there, key=merges.index)), "latest merge"),
        (
            lambda text, merges: encode_next(text, merges, lambda there: Counter(there).most_common(1)[0][0]),
            "the pair most frequent in this text",
        ),
        (
            lambda text, merges: encode_next(
                text, merges, lambda there: min(there, key=merges.index), lambda s: [c.encode() for c in s]
            ),
            "it begins with characters",
        ),
        (encode_first_only, "only one merge was made"),
        (encode_each_once, "in one place only"),
        (encode_to_ids, "the ids came back"),
        (lambda text, merges: as_bytes(text), "nothing was merged"),
        (encode_words, "cut at its spaces"),
        (encode_using_up, "changed in place"),
        (lambda text, merges: tuple(text.encode()), "so"),
    ],
    "decode": [
        (lambda tokens: "".join(t.decode("utf-8", "replace") for t in tokens), "half a character is no text"),
        (lambda tokens: "".join(t.decode("utf-8", "ignore") for t in tokens), "half a character was dropped"),
        (lambda tokens: "".join(t.decode() for t in tokens), "UnicodeDecodeError"),
        (lambda tokens: b"".join(tokens).decode(), "UnicodeDecodeError"),
        (lambda tokens: str(b" ".join(tokens), "utf-8", "replace"), "spaces between the tokens"),
        (lambda tokens: "".join(chr(b) for t in tokens for b in t), "each byte became a character"),
        (lambda tokens: str(b"".join(tokens), errors="ignore"), "bytes that are no text were dropped"),
        (lambda tokens: "".join(chr(b) if b < 128 else "�" for t in tokens for b in t), "only ASCII was read"),
        (lambda tokens: bytes(b for t in tokens for b in t), "the bytes came back as they are"),
        (lambda tokens: f"{b''.join(tokens)}", "how Python prints bytes"),
        (lambda tokens: decode_by_adding(tokens).strip(), "white space at the ends got lost"),
        (lambda tokens: "".join(tokens), "TypeError"),
    ],
}
