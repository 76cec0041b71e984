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


def merge_by_generator(tokens, pair):
    def joined():
        held = None
        for token in tokens:
            if held is not None and (held, token) == pair:
                yield held + token
                held = None
            else:
                if held is not None:
                    yield held
                held = token
        if held is not None:
            yield held

    return list(joined())


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


def encode_from_the_start_again(text, merges):
    tokens, i = as_bytes(text), 0
    while i < len(merges):
        after = merge_by_stack(tokens, merges[i])
        i = i + 1 if after == tokens else 0
        tokens = after
    return tokens


def decode_by_adding(tokens):
    data = b""
    for token in tokens:
        data += token
    return data.decode("utf-8", errors="replace")


def decode_by_numbers(tokens):
    return str(bytearray(byte for token in tokens for byte in token), encoding="utf-8", errors="replace")


RIGHT = {
    "count_pairs": [pairs_by_index, pairs_by_zip, lambda tokens: Counter(pairwise(tokens))],
    "merge_pair": [merge_by_stack, merge_by_flag, merge_by_deletion, merge_by_generator],
    "learn": [learn_by_most_common, learn_by_scanning],
    "encode": [encode_in_order, encode_one_place_at_a_time, encode_from_the_start_again],
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


def pairs_from_nought(tokens):
    counts = {}
    for pair in pairwise(tokens):
        if pair in counts:
            counts[pair] += 1
        else:
            counts[pair] = 0
    return counts


def pairs_back_to_front(tokens):
    counts = Counter()
    for i in range(1, len(tokens)):
        counts[tokens[i], tokens[i - 1]] += 1
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


def merge_and_the_last(tokens, pair):
    out, i = [], 0
    while i < len(tokens) - 1:
        if (tokens[i], tokens[i + 1]) == pair:
            out.append(tokens[i] + tokens[i + 1])
            i += 2
        else:
            out.append(tokens[i])
            i += 1
    out.append(tokens[-1])
    return out


def merge_two_from_the_end(tokens, pair):
    out, i = [], 0
    while i < len(tokens):
        if i < len(tokens) - 2 and (tokens[i], tokens[i + 1]) == pair:
            out.append(tokens[i] + tokens[i + 1])
            i += 2
        else:
            out.append(tokens[i])
            i += 1
    return out


def merge_and_one_more(tokens, pair):
    out, i = [], 0
    while i < len(tokens):
        if tuple(tokens[i : i + 2]) == pair:
            out.append(pair[0] + pair[1])
            i += 2
        else:
            out.append(tokens[i])
        i += 1
    return out


def merge_slices(tokens, pair):
    out, i = [], 0
    while i < len(tokens):
        if tokens[i : i + 2] == pair:
            out.append(pair[0] + pair[1])
            i += 2
        else:
            out.append(tokens[i])
            i += 1
    return out


def merge_without_else(tokens, pair):
    out, i = [], 0
    while i < len(tokens):
        if tuple(tokens[i : i + 2]) == pair:
            out.append(pair[0] + pair[1])
            i += 2
            continue
        i += 1
    return out


def merge_by_bars(tokens, pair):
    if not tokens:
        return []
    return b"|".join(tokens).replace(b"|".join(pair), b"".join(pair)).split(b"|")


def merge_at_the_edges(tokens, pair):
    out = []
    for token in tokens:
        if out and out[-1].endswith(pair[0]) and token == pair[1]:
            out[-1] += token
        else:
            out.append(token)
    return out


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


def learn_all_but_one(text, n):
    return learn_as(text, n - 1) if n else []


def learn_with_its_count(text, n):
    tokens, merges = as_bytes(text), []
    for _ in range(n):
        if not tokens:
            break
        best = Counter(pairwise(tokens)).most_common(1)[0]
        merges.append(best)
        tokens = merge_by_flag(tokens, best)
    return merges


def learn_ids(text, n):
    ids, merges = list(text.encode()), []
    while len(merges) < n and len(ids) > 1:
        best = Counter(pairwise(ids)).most_common(1)[0][0]
        merges.append(best)
        out = []
        for number in ids:
            if out and (out[-1], number) == best:
                out[-1] = 255 + len(merges)
            else:
                out.append(number)
        ids = out
    return merges


def learn_tokens(text, n):
    tokens = as_bytes(text)
    for _ in range(n):
        counts = pairs_by_index(tokens)
        if counts:
            tokens = merge_by_flag(tokens, max(counts, key=counts.get))
    return tokens


def learn_gpt2_words(text, n):
    words = [as_bytes(word) for word in re.findall(r" ?\S+|\s+(?=\s)|\s+", text)]
    merges = []
    while len(merges) < n and (counts := Counter(pair for word in words for pair in pairwise(word))):
        merges.append(counts.most_common(1)[0][0])
        words = [merge_by_stack(word, merges[-1]) for word in words]
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


def encode_leftmost_place(text, merges):
    tokens = as_bytes(text)
    i = 0
    while i < len(tokens) - 1:
        if (tokens[i], tokens[i + 1]) in merges:
            tokens[i : i + 2] = [tokens[i] + tokens[i + 1]]
            i = 0
        else:
            i += 1
    return tokens


def encode_in_one_walk(text, merges):
    data, tokens = as_bytes(text), []
    while data:
        if tuple(data[:2]) in merges:
            tokens.append(data.pop(0) + data.pop(0))
        else:
            tokens.append(data.pop(0))
    return tokens


def encode_until_one_is_missing(text, merges):
    tokens = as_bytes(text)
    for pair in merges:
        if pair not in pairs_by_index(tokens):
            return tokens
        tokens = merge_by_stack(tokens, pair)
    return tokens


def encode_by_truth(text, merges):
    tokens, ranks = as_bytes(text), {pair: i for i, pair in enumerate(merges)}
    while known := [pair for pair in pairwise(tokens) if ranks.get(pair)]:
        tokens = merge_by_stack(tokens, min(known, key=ranks.get))
    return tokens


def encode_what_was_there(text, merges):
    tokens = as_bytes(text)
    there = set(pairwise(tokens))
    for pair in merges:
        if pair in there:
            tokens = merge_by_stack(tokens, pair)
    return tokens


SEEN = {}


def encode_once_a_text(text, merges):
    if text not in SEEN:
        SEEN[text] = encode_in_order(text, merges)
    return SEEN[text]


def encode_using_up(text, merges):
    tokens = as_bytes(text)
    while merges:
        tokens = merge_by_flag(tokens, merges.pop(0))
    return tokens


def decode_or_each(tokens):
    try:
        return b"".join(tokens).decode()
    except UnicodeDecodeError:
        return "".join(token.decode(errors="replace") for token in tokens)


def decode_or_nothing(tokens):
    try:
        return b"".join(tokens).decode()
    except UnicodeDecodeError:
        return "�"


def decode_each_or_nothing(tokens):
    out = ""
    for token in tokens:
        try:
            out += token.decode()
        except UnicodeDecodeError:
            out += "�"
    return out


def zero_bytes(text):
    return [bytes(number) for number in text.encode()]


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
        (pairs_from_nought, "one too small"),
        (pairs_back_to_front, "left and right have changed places"),
        (lambda tokens: Counter(pairwise(b"".join(tokens))), "pairs of numbers"),
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
        (merge_slices, "a list compared with a tuple"),
        (merge_and_the_last, "once too often"),
        (merge_two_from_the_end, "a pair at the very end"),
        (merge_and_one_more, "not three"),
        (merge_without_else, "only what was joined"),
        (lambda t, p: merge_if(t, lambda a, b: a in p and b in p, [p[0] + p[1]]), "not in its order"),
        (lambda t, p: merge_if(t, lambda a, b: a is p[0] and b is p[1], [p[0] + p[1]]), "by `is`"),
        (merge_by_bars, "so"),
        (merge_at_the_edges, "so"),
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
        (learn_all_but_one, "one merge too few"),
        (lambda text, n: learn_as(text, n, start=lambda s: [s.encode()]), "no merge was made"),
        (lambda text, n: learn_as(text, n, max), "however often it occurs"),
        (lambda text, n: learn_as(text, n, start=lambda s: list(s.encode())), "the tokens are numbers"),
        (lambda text, n: learn_as(text, n, start=zero_bytes), "the tokens are zeros"),
        (learn_with_its_count, "a pair came with its count"),
        (learn_ids, "pairs of ids came back"),
        (learn_tokens, "the tokens of the text came back"),
        (learn_gpt2_words, "if with the space before each"),
        (lambda text, n: learn_as(text.lower(), n), "so"),
        (lambda text, n: learn_as(text.strip(), n), "so"),
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
        (lambda text, merges: tuple(text.encode()), "numbers came back, and nothing was merged"),
        (lambda text, merges: encode_next(text, merges, lambda there: there[0], zero_bytes), "the tokens are zeros"),
        (lambda text, merges: encode_in_order(text, merges[::-1]), "from the last to the first"),
        (encode_until_one_is_missing, "it stops at the first merge"),
        (encode_by_truth, "taken for False"),
        (encode_in_one_walk, "walked along once"),
        (encode_what_was_there, "from the start"),
        (encode_leftmost_place, "the leftmost place"),
        (encode_once_a_text, "so"),
        (lambda text, merges: encode_in_order(text.strip(), merges), "so"),
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
        (decode_each_or_nothing, "and given up where it is no text"),
        (decode_or_each, "where some bytes are no text, each token"),
        (decode_or_nothing, "all was given up"),
        (lambda tokens: [str(token, "utf-8", "replace") for token in tokens], "a list of texts"),
        (lambda tokens: "".join(f"{token}" for token in tokens), "how Python prints each token"),
    ],
}
