"""Answers to chapter 06's items: right ones written in other ways, wrong ones with what must be said of each."""

from itertools import pairwise

import numpy as np
import torch


def join_by_loops(documents, eot):
    row = []
    for ids in documents:
        for i in ids:
            row.append(i)
        row.append(eot)
    return row


def numbers_by_counting(ids, eot):
    return [ids[:place].count(eot) for place in range(len(ids))]


def numbers_by_a_counter(ids, eot):
    number, out = 0, []
    for i in ids:
        out.append(number)
        number += i == eot
    return out


def batch_by_stack(ids, starts, context_length):
    rows = np.stack([ids[s : s + context_length + 1] for s in starts]).astype(np.int64)
    return torch.from_numpy(rows[:, :-1]), torch.from_numpy(rows[:, 1:])


def batch_by_index(ids, starts, context_length):
    places = torch.tensor(starts)[:, None] + torch.arange(context_length)
    row = torch.tensor(ids.tolist())
    return row[places], row[places + 1]


def batch_by_lists(ids, starts, context_length):
    x = [[int(ids[s + t]) for t in range(context_length)] for s in starts]
    y = [[int(ids[s + t + 1]) for t in range(context_length)] for s in starts]
    return torch.tensor(x), torch.tensor(y)


def leak_by_sets(train, held_out, n):
    known = {tuple(train[i : i + n]) for i in range(len(train) - n + 1)}
    asked = [tuple(held_out[i : i + n]) for i in range(len(held_out) - n + 1)]
    return sum(run in known for run in asked) / len(asked)


def leak_by_loops(train, held_out, n):
    found = 0
    for i in range(len(held_out) - n + 1):
        for j in range(len(train) - n + 1):
            if all(held_out[i + k] == train[j + k] for k in range(n)):
                found += 1
                break
    return found / (len(held_out) - n + 1)


def leak_as_text(train, held_out, n):
    text = "," + ",".join(map(str, train)) + ","
    hits = ["," + ",".join(map(str, held_out[i : i + n])) + "," in text for i in range(len(held_out) - n + 1)]
    return np.mean(hits)


def split_in_one_pass(documents, numbers, share):
    seen, train, held_out = set(), [], []
    for ids, number in zip(documents, numbers, strict=True):
        if tuple(ids) in seen:
            continue
        seen.add(tuple(ids))
        (held_out if number < share else train).append(ids)
    return train, held_out


def split_by_dict(documents, numbers, share):
    first = {}
    for ids, number in zip(documents, numbers, strict=True):
        first.setdefault(str(ids), (ids, number))
    return [d for d, n in first.values() if n >= share], [d for d, n in first.values() if n < share]


def windows_by_slices(step, rank, world_size, rows, windows):
    of_the_step = [((step * rows + i) // windows, (step * rows + i) % windows) for i in range(rows)]
    share = rows // world_size
    return of_the_step[rank * share : (rank + 1) * share]


def windows_by_counting(step, rank, world_size, rows, windows):
    epoch = place = 0
    taken, share = [], rows // world_size
    for i in range((step + 1) * rows):
        if i >= step * rows and (i - step * rows) // share == rank:
            taken.append((epoch, place))
        place += 1
        if place == windows:
            epoch, place = epoch + 1, 0
    return taken


def numbers_of_large_ids(ids, eot):
    return (torch.tensor(ids).eq(eot).cumsum(0) - torch.tensor(ids).eq(eot).long()).tolist()


def split_into_tuples(documents, numbers, share):
    first = {}
    for ids, number in zip(documents, numbers, strict=True):
        first.setdefault(tuple(ids), number)
    return [ids for ids in first if first[ids] >= share], [ids for ids in first if first[ids] < share]


def windows_by_wrapping(step, rank, world_size, rows, windows):
    out = []
    for i in range(rows // world_size):
        epoch, place = 0, step * rows + rank * rows // world_size + i
        while place >= windows:
            epoch, place = epoch + 1, place - windows
        out.append((epoch, place))
    return out


RIGHT = {
    "join_documents": [join_by_loops, lambda documents, eot: sum([ids + [eot] for ids in documents], [])],  # noqa: RUF005, RUF017
    "document_numbers": [
        numbers_by_counting,
        numbers_by_a_counter,
        numbers_of_large_ids,
        lambda ids, eot: torch.tensor([0, *(i == eot for i in ids[:-1])]).cumsum(0).tolist(),
    ],
    "get_batch": [batch_by_stack, batch_by_index, batch_by_lists],
    "leaked_share": [leak_by_sets, leak_by_loops, leak_as_text],
    "split_documents": [split_in_one_pass, split_by_dict, split_into_tuples],
    "rank_windows": [windows_by_slices, windows_by_counting, windows_by_wrapping],
}


def join_in_place(documents, eot):
    for ids in documents:
        ids.append(eot)
    return [i for ids in documents for i in ids]


def join_between(documents, eot):
    row = list(documents[0])
    for ids in documents[1:]:
        row += [eot, *ids]
    return row


def join_all_at_once(documents, eot):
    row = []
    for ids in documents:
        row += ids
    row.append(eot)
    return row


def join_whole(documents, eot):
    row = []
    for ids in documents:
        row.append(ids)
        row.append(eot)
    return row


def join_the_first(documents, eot):
    row = []
    for ids in documents:
        row += ids
        row.append(eot)
        return row


def numbers_of_the_closed(ids, eot):
    out, begin, number = [], 0, 0
    for place, i in enumerate(ids):
        if i == eot:
            out += [number] * (place + 1 - begin)
            begin, number = place + 1, number + 1
    return out


def numbers_by_identity(ids, eot):
    number, out = 0, []
    for i in ids:
        out.append(number)
        if i is eot:
            number += 1
    return out


def numbers_without_ends(ids, eot):
    number, out = 0, []
    for i in ids:
        out.append(-1 if i == eot else number)
        number += int(i == eot)
    return out


def numbers_going_up(ids, eot, number=0, before=False, ends=True):
    """A counter written as a student would, with something to get wrong."""
    out = []
    for i in ids:
        if i == eot and before:
            number += 1
        if i != eot or ends:
            out.append(number)
        if i == eot and not before:
            number += 1
    return out


def numbers_of_full_ones(ids, eot):
    number, out = 0, []
    for before, i in pairwise([None, *ids]):
        if before == eot and i != eot:
            number += 1
        out.append(number)
    return out


def places(ids, eot):
    out, place = [], 0
    for i in ids:
        out.append(place)
        place = 0 if i == eot else place + 1
    return out


def batch(ids, starts, T, ahead=1, more=0, kind=np.int64):
    """Windows cut one by one, with something to get wrong."""
    x = [torch.from_numpy(ids[s : s + T + more].astype(kind)) for s in starts]
    y = [torch.from_numpy(ids[s + ahead : s + ahead + T + more].astype(kind)) for s in starts]
    return torch.stack(x), torch.stack(y)


def cut(ids, starts, length, kind=np.int64):
    return torch.from_numpy(np.stack([ids[s : s + length] for s in starts]).astype(kind)).long()


def batch_of_too_few(ids, starts, T):
    return cut(ids, starts, T)[:, :-1], cut(ids, starts, T)[:, 1:]


def batch_along_the_batch(ids, starts, T):
    return cut(ids, starts, T + 1)[:-1], cut(ids, starts, T + 1)[1:]


def batch_rolled(ids, starts, T):
    x = cut(ids, starts, T)
    return x, torch.roll(x, shifts=-1, dims=1)


def batch_in_int16(ids, starts, T):
    block = cut(ids, starts, T + 1, np.int16)
    return block[:, :-1], block[:, 1:]


def batch_side_by_side(ids, starts, T):
    rows = torch.from_numpy(np.stack([ids[s : s + T + 1] for s in starts], axis=1).astype(np.int64))
    return rows[:-1], rows[1:]


def batch_end_to_end(ids, starts, T):
    x = torch.cat([torch.from_numpy(ids[s : s + T].astype(np.int64)) for s in starts])
    return x, torch.cat([torch.from_numpy(ids[s + 1 : s + T + 1].astype(np.int64)) for s in starts])


def grams(ids, n, stride=1, end=1):
    """Runs of n ids, with something to get wrong."""
    return [tuple(ids[i : i + n]) for i in range(0, len(ids) - n + end, stride)]


def leak(asked, known, total=None):
    return len([run for run in asked if run in known]) / (total or len(asked))


def leak_by_text(train, held_out, n):
    text = " ".join(str(i) for i in train)
    pieces = [" ".join(str(i) for i in run) for run in grams(held_out, n)]
    return np.mean([piece in text for piece in pieces])


def leak_of_pairs(train, held_out, n):
    found = 0
    for i in range(len(held_out) - n + 1):
        for j in range(len(train) - n + 1):
            found += held_out[i : i + n] == train[j : j + n]
    return found / (len(held_out) - n + 1)


def unique(documents):
    out = []
    for ids in documents:
        if ids not in out:
            out.append(ids)
    return out


def deal(documents, numbers, share):
    train = [ids for ids, number in zip(documents, numbers, strict=False) if number >= share]
    return train, [ids for ids, number in zip(documents, numbers, strict=False) if number < share]


def split_late(documents, numbers, share):
    train, held_out = deal(documents, numbers, share)
    return unique(train), unique(held_out)


def split_half_clean(documents, numbers, share):
    train, held_out = deal(documents, numbers, share)
    return train, [ids for ids in unique(held_out) if ids not in train]


def split_keeping_last(documents, numbers, share):
    kept = [place for place, ids in enumerate(documents) if ids not in documents[place + 1 :]]
    return deal([documents[k] for k in kept], [numbers[k] for k in kept], share)


def split_by_sorting(documents, numbers, share):
    seen, train, held_out = [], [], []
    for ids, number in zip(documents, numbers, strict=True):
        if sorted(ids) not in seen:
            seen.append(sorted(ids))
            (held_out if number < share else train).append(ids)
    return train, held_out


def split_neighbours(documents, numbers, share):
    pairs = [(documents[0], numbers[0])]
    pairs += [(documents[i], numbers[i]) for i in range(1, len(documents)) if documents[i] != documents[i - 1]]
    return deal([d for d, _ in pairs], [n for _, n in pairs], share)


def split_singles(documents, numbers, share):
    single = [(d, n) for d, n in zip(documents, numbers, strict=True) if documents.count(d) < 2]
    return deal([d for d, _ in single], [n for _, n in single], share)


def split_too_even(documents, numbers, share):
    kept = [i for i, ids in enumerate(documents) if ids not in documents[:i]]
    return [documents[i] for i in kept if numbers[i] > share], [documents[i] for i in kept if numbers[i] <= share]


def split_by_keys(documents, numbers, share, key=tuple):
    seen, train, held_out = [], [], []
    for ids, number in zip(documents, numbers, strict=True):
        if key(ids) in seen:
            continue
        seen.append(key(ids))
        (held_out if number < share else train).append(ids)
    return train, held_out


def split_overwriting(documents, numbers, share):
    number_of = {tuple(ids): number for ids, number in zip(documents, numbers, strict=True)}
    train = [list(ids) for ids, number in number_of.items() if number >= share]
    return train, [list(ids) for ids, number in number_of.items() if number < share]


def split_breaking(documents, numbers, share):
    train, held_out, seen = [], [], set()
    for ids, number in zip(documents, numbers, strict=True):
        if tuple(ids) in seen:
            break
        seen.add(tuple(ids))
        if number < share:
            held_out.append(ids)
        else:
            train.append(ids)
    return train, held_out


def split_reading_copies(documents, numbers, share):
    train, held_out = [], []
    for i, ids in enumerate(documents):
        (held_out if ids not in documents[:i] and numbers[i] < share else train).append(ids)
    return train, held_out


def split_through_a_set(documents, numbers, share):
    kept = list({tuple(ids) for ids in documents})
    train = [list(ids) for ids, number in zip(kept, numbers, strict=False) if number >= share]
    return train, [list(ids) for ids, number in zip(kept, numbers, strict=False) if number < share]


def of_the_part(step, rank, world, rows, windows, place):
    """(epoch, place) by way of the part's first window, with something to get wrong."""
    epoch, first = divmod(step * rows + rank * (rows // world), windows)
    return [(epoch, place(first + i, windows)) for i in range(rows // world)]


def wrapping(number, windows):
    epoch = 0
    while number > windows:
        number -= windows
        epoch += 1
    return epoch, number


def in_shards(step, rank, world, rows, windows):
    each = windows // world
    mine = range(step * (rows // world), (step + 1) * (rows // world))
    return [(i // each, rank * each + i % each) for i in mine]


def pairs(numbers, windows):
    return [(i // windows, i % windows) for i in numbers]


def in_whole_steps(step, rank, world, rows, windows):
    per_epoch = windows // rows
    first = step % per_epoch * rows + rank * (rows // world)
    return [(step // per_epoch, first + i) for i in range(rows // world)]


WRONG = {
    "join_documents": [
        (lambda documents, eot: [i for ids in documents for i in [eot, *ids]], "before each document"),
        (join_between, "the last document has no end"),
        (lambda documents, eot: [i for ids in documents for i in [eot, *ids, eot]], "before and behind"),
        (lambda documents, eot: [i for ids in documents for i in ids], "no end-of-text token"),
        (lambda documents, eot: [ids + [eot] for ids in documents], "lists in a list"),  # noqa: RUF005
        (lambda documents, eot: [i for ids in documents if ids for i in [*ids, eot]], "empty documents were skipped"),
        (join_in_place, "changed in place"),
        (lambda documents, eot: torch.tensor([i for ids in documents for i in [*ids, eot]]), "a Tensor came back"),
        (lambda documents, eot: documents[0] + eot, "TypeError"),
        (join_all_at_once, "one end for all"),
        (join_whole, "went in whole, as lists"),
        (join_the_first, "the return stands inside the loop"),
        (lambda documents, eot: [i for ids in documents for i in [*ids, 9]], "always 9, as in the example"),
    ],
    "document_numbers": [
        (lambda ids, eot: numbers_going_up(ids, eot, before=True), "counted with the next document"),
        (lambda ids, eot: numbers_going_up(ids, eot, number=1), "the first is 0"),
        (lambda ids, eot: numbers_going_up(ids, eot, ends=False), "the list is as long as ids"),
        (numbers_of_full_ones, "were taken for one"),
        (places, "places within the document"),
        (lambda ids, eot: torch.tensor(numbers_going_up(ids, eot)), "a Tensor came back"),
        (lambda ids, eot: ids.count(eot), "a int came back"),
        (lambda ids, eot: [ids.index(eot) for _ in ids], "so"),
        (numbers_without_ends, "have the number -1"),
        (lambda ids, eot: [ids[: ids.index(i)].count(eot) for i in ids], "index finds the first"),
        (numbers_of_the_closed, "the ids behind the last end-of-text token are missing"),
        (numbers_by_identity, "compare with =="),
    ],
    "get_batch": [
        (lambda ids, starts, T: batch(ids, starts, T, ahead=0), "y is x"),
        (lambda ids, starts, T: tuple(reversed(batch(ids, starts, T))), "x and y have changed places"),
        (lambda ids, starts, T: batch(ids, starts, T, ahead=-1), "moved back by one"),
        (lambda ids, starts, T: batch(ids, starts, T, ahead=2), "moved on by two"),
        (lambda ids, starts, T: batch(ids, starts, T, ahead=T), "the window after x"),
        (lambda ids, starts, T: (batch(ids, starts, T)[0], batch(ids, starts, T)[1][:, -1]), "has a target"),
        (lambda ids, starts, T: batch(ids, starts, T, kind=np.uint16), "not int64"),
        (lambda ids, starts, T: batch(ids, starts, T, kind=np.int32), "not int64"),
        (lambda ids, starts, T: batch(ids, starts, T, more=1), "the shape at place 0 is (2, 6), not (2, 5)"),
        (lambda ids, starts, T: torch.stack(batch(ids, starts, T)), "a Tensor came back, not a tuple"),
        (lambda ids, starts, T: batch(ids, starts, T)[0], "a Tensor came back, not a tuple"),
        (lambda ids, starts, T: (ids[starts : starts + T], ids[starts + 1 : starts + T + 1]), "TypeError"),
        (batch_of_too_few, "cut T + 1 ids for each window"),
        (batch_along_the_batch, "the cut goes along the batch"),
        (batch_rolled, "as roll puts it there"),
        (batch_in_int16, "int16 doesn't reach so far"),
        (batch_side_by_side, "side by side, (T, B)"),
        (batch_end_to_end, "laid end to end in one row"),
        (
            lambda ids, starts, T: tuple(part.numpy() for part in batch(ids, starts, T)),
            "a ndarray came back at place 0",
        ),
    ],
    "leaked_share": [
        (lambda t, h, n: leak(set(grams(h, n)), grams(t, n)), "each run was counted once"),
        (lambda t, h, n: leak(grams(t, n), grams(h, n)), "have changed places"),
        (lambda t, h, n: np.mean([i in t for i in h]), "single ids were looked up"),
        (lambda t, h, n: leak(grams(h, n, end=0), grams(t, n)), "held_out's last run is missing"),
        (lambda t, h, n: leak(grams(h, n), grams(t, n), len(h)), "divided by the ids"),
        (lambda t, h, n: leak(grams(h, n, stride=n), grams(t, n)), "held_out was cut into pieces"),
        (lambda t, h, n: leak(grams(h, n), grams(t, n, stride=n)), "train was cut into pieces"),
        (lambda t, h, n: np.mean([all(i in t for i in run) for run in grams(h, n)]), "its ids stand in train apart"),
        (leak_by_text, "ids were compared as text"),
        (lambda t, h, n: sum(run in grams(t, n) for run in grams(h, n)), "this is a number of runs"),
        (lambda t, h, n: 100 * leak(grams(h, n), grams(t, n)), "this is a percentage"),
        (lambda t, h, n: [run in grams(t, n) for run in grams(h, n)], "a list came back, not a number"),
        (lambda t, h, n: leak(grams(h, n), {h[i : i + n] for i in range(len(t))}), "unhashable"),
        (lambda t, h, n: leak(grams(h, n, end=0), grams(t, n, end=0)), "the last run of both is missing"),
        (lambda t, h, n: leak(grams(h, n), grams(t, n, end=0)), "train's last run is missing"),
        (lambda t, h, n: leak(grams(h, n, end=n), grams(t, n, end=n)), "pieces shorter than n at the end"),
        (lambda t, h, n: leak(grams(h, n, n), grams(t, n, n)), "both were cut into pieces"),
        (lambda t, h, n: leak(grams(h, n), grams(t, n), len(grams(t, n))), "divided by the runs of train"),
        (lambda t, h, n: leak(grams(h, n), grams(t, n), len(set(grams(t, n)))), "the different runs of train"),
        (leak_of_pairs, "once for each place where it stands in train"),
        (lambda t, h, n: sum(run in grams(t, n) for run in grams(h, n)) // len(grams(h, n)), "// leaves whole numbers"),
        (lambda t, h, n: leak([sorted(r) for r in grams(h, n)], [sorted(r) for r in grams(t, n)]), "in any order"),
    ],
    "split_documents": [
        (deal, "copies are still in it"),
        (split_late, "each side was cleaned by itself"),
        (split_half_clean, "copies were only taken from what is held out"),
        (lambda d, numbers, share: deal(unique(d), numbers, share), "the numbers have slipped"),
        (lambda d, numbers, share: split_in_one_pass(d, numbers, share)[::-1], "the sides have changed places"),
        (split_singles, "all copies are gone"),
        (split_keeping_last, "of copies the last was kept"),
        (split_neighbours, "only neighbours were compared"),
        (split_by_sorting, "[1, 2] is no copy of [2, 1]"),
        (split_too_even, "below means <"),
        (lambda d, numbers, share: [ids for ids, n in zip(d, numbers, strict=True) if n >= share], "so"),
        (lambda d, numbers, share: deal(set(d), numbers, share), "unhashable"),
        (lambda d, numbers, share: split_in_one_pass(d, sorted(numbers), share), "so"),
        (lambda *case: split_by_keys(*case, key=lambda ids: "".join(str(i) for i in ids)), "joined to a text"),
        (lambda *case: split_by_keys(*case, key=set), "in any number and order"),
        (split_overwriting, "a dictionary overwrites"),
        (split_breaking, "break ends the loop"),
        (split_reading_copies, "copies were put with what is trained on"),
        (split_through_a_set, "a set has mixed up the documents"),
    ],
    "rank_windows": [
        (lambda s, r, w, rows, W: pairs(range(s * rows, s * rows + rows), W), "the rows of all processes"),
        (lambda s, r, w, rows, W: pairs(range(s * rows, s * rows + rows // w), W), "every rank takes the first part"),
        (lambda s, r, w, rows, W: pairs([s * rows + i * w + r for i in range(rows // w)], W), "dealt in turn"),
        (lambda s, r, w, rows, W: pairs([(s + r) * (rows // w) + i for i in range(rows // w)], W), "only one rank's"),
        (lambda s, r, w, rows, W: pairs([(s * w + r) * rows + i for i in range(rows)], W), "takes all `rows` here"),
        (
            lambda s, r, w, rows, W: [(0, s * rows + r * (rows // w) + i) for i in range(rows // w)],
            "an epoch never ends here",
        ),
        (in_whole_steps, "cut to whole steps"),
        (lambda *case: [(epoch + 1, place) for epoch, place in windows_by_slices(*case)], "epochs are counted from 1"),
        (lambda *case: [(place, epoch) for epoch, place in windows_by_slices(*case)], "(place, epoch)"),
        (lambda *case: [place for _, place in windows_by_slices(*case)], "a int came back at place 0, not a tuple"),
        (lambda s, r, w, rows, W: pairs([s * rows + r + i for i in range(rows // w)], W), "so"),
        (lambda *case: of_the_part(*case, lambda i, windows: i % windows), "the epoch of this rank's first window"),
        (lambda *case: of_the_part(*case, lambda i, windows: i), "runs on over the end of its epoch"),
        (lambda *case: [(0, place) for _, place in windows_by_slices(*case)], "the epoch is always 0"),
        (
            lambda s, r, w, rows, W: [
                (0, i) if i < W else (1, i - W)
                for i in range(s * rows + r * (rows // w), s * rows + (r + 1) * (rows // w))
            ],
            "the epoch is 0 or 1",
        ),
        (
            lambda s, r, w, rows, W: [wrapping(s * rows + r * (rows // w) + i, W) for i in range(rows // w)],
            "so wrap at >=",
        ),
        (lambda s, r, w, rows, W: [s * rows + r * (rows // w) + i for i in range(rows // w)], "count on and on"),
        (lambda s, r, w, rows, W: pairs([s * rows + r * rows + i for i in range(rows // w)], W), "a step further on"),
        (lambda s, *case: windows_by_slices(s - 1, *case), "it is number 0"),
        (in_shards, "a part of the epoch for itself"),
        (
            lambda s, r, w, rows, W: [divmod(s * rows + r * rows / w + i, W) for i in range(int(rows / w))],
            "not a whole number",
        ),
        (lambda s, r, w, rows, W: pairs([s * rows + r * (rows / w) + i for i in range(rows / w)], W), "'float' object"),
    ],
}
