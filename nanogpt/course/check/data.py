"""Chapter 06: documents laid end to end and told apart, batches, a detector of leaks, a split, and who takes what."""

import random
from collections.abc import Callable, Collection
from itertools import chain, groupby

import numpy as np
import torch
from torch import Tensor

from nanogpt.course.check.item import Case, Item

Ids = list[int]
EOT = 9


def join_cases(rng: random.Random) -> list[Case]:
    """Documents of several lengths, one of them empty, and the id of the end-of-text token."""
    drawn = [[rng.randrange(9) for _ in range(rng.randrange(1, 5))] for _ in range(rng.randrange(3, 6))]
    return [([[5, 6], [7], [8, 3, 2]], EOT), ([[4, 4]], 0), (drawn, EOT), ([[6, 7], [], [3]], EOT)]


def join_documents(documents: list[Ids], eot: int) -> Ids:
    """All in one row, an end-of-text token behind each."""
    return list(chain.from_iterable([*ids, eot] for ids in documents))


def between(documents: list[Ids], eot: int) -> Ids:
    """The slip of a token between documents only."""
    return join_documents(documents, eot)[:-1]


def number_cases(rng: random.Random) -> list[Case]:
    """Rows with an end-of-text token in the middle, at both ends, twice in a row, and nowhere; in one it is so large
    that Python keeps it several times, and `is` doesn't find it."""
    drawn = [rng.choice([1, 2, 3, EOT]) for _ in range(12)]
    gpt2 = ([5, int("50256"), 7, int("50256"), 8], int("50256"))
    fixed = [([5, 6, 0, 7, 0, 8], 0), ([4, EOT, EOT, 3, 2, EOT], EOT), ([EOT, 1, 2], EOT), ([1, 2, 1], 7)]
    return [*fixed, (drawn, EOT), gpt2]


def document_numbers(ids: Ids, eot: int) -> Ids:
    """How many end-of-text tokens stand before each id."""
    ends = np.array(ids) == eot
    return (ends.cumsum() - ends).tolist()


def once_for_many(ids: Ids, eot: int) -> Ids:
    """The slip of two end-of-text tokens in a row that are counted as one: an empty document has no number."""
    starts = [i > 0 and ids[i - 1] == eot and ids[i] != eot for i in range(len(ids))]
    return np.cumsum(starts).tolist()


def ended(ids: Ids, eot: int) -> Ids:
    """The slip of documents that are counted at their ends: what stands behind the last end has no number."""
    return document_numbers(ids, eot)[: max([i + 1 for i, x in enumerate(ids) if x == eot], default=0)]


def places_within(ids: Ids, eot: int) -> Ids:
    """The slip of a place within the document in the place of its number."""
    return [i for _, run in groupby(document_numbers(ids, eot)) for i, _ in enumerate(run)]


def batch_cases(rng: random.Random) -> list[Case]:
    """Ids (N,) uint16 as they stand on disk, where the windows begin, and T."""
    made = [(20, 2, 5), (40, 3, 4), (60, rng.randrange(1, 4), 7)]
    ids = [np.random.default_rng(rng.randrange(99)).permutation(50_000)[:N].astype("<u2") for N, _, _ in made]
    starts = [[rng.randrange(1, N - 2 * T) for _ in range(B)] for N, B, T in made]
    return [(row, some, T) for row, some, (_, _, T) in zip(ids, starts, made, strict=True)]


def get_batch(ids: np.ndarray, starts: list[int], context_length: int) -> tuple[Tensor, Tensor]:
    """x and y, both (B, T) int64, by numpy's own windows."""
    windows = windows_at(ids, starts, context_length + 1)  # (B, T + 1)
    return windows[:, :-1], windows[:, 1:]


def windows_at(ids: np.ndarray, starts: list[int], length: int, dtype: type = np.int64) -> Tensor:
    """(B, length) int64, by way of dtype."""
    return torch.from_numpy(np.lib.stride_tricks.sliding_window_view(ids, length)[starts].astype(dtype)).long()


def moved_by(there: int | None) -> Callable[[np.ndarray, list[int], int], tuple[Tensor, Tensor]]:
    """A slip of `get_batch`: y is another window, `there` after x, or right behind it."""

    def batch(ids: np.ndarray, starts: list[int], T: int) -> tuple[Tensor, Tensor]:
        moved = [start + (T if there is None else there) for start in starts]
        return get_batch(ids, starts, T)[0], get_batch(ids, moved, T)[0]

    return batch


def sliced(ids: np.ndarray, starts: list[int], T: int) -> tuple[Tensor, Tensor]:
    """The slip of a cut along the batch."""
    windows = windows_at(ids, starts, T + 1)
    return windows[:-1], windows[1:]


def rolled(ids: np.ndarray, starts: list[int], T: int) -> tuple[Tensor, Tensor]:
    """The slip of a y that is x turned by one place."""
    x = windows_at(ids, starts, T)
    return x, x.roll(-1, 1)


def too_small(ids: np.ndarray, starts: list[int], T: int) -> tuple[Tensor, Tensor]:
    """The slip of int16, which ends at 32,767."""
    windows = windows_at(ids, starts, T + 1, np.int16)
    return windows[:, :-1], windows[:, 1:]


def leak_cases(rng: random.Random) -> list[Case]:
    """What was trained on, what was held out, and n; among them ids whose digits run into one another."""
    few = [[rng.randrange(4) for _ in range(N)] for N in (12, 9, 25, 16)]
    fixed = [([5, 6, 7, 8, 9, 5, 6], [6, 7, 8, 1, 5, 6], 2), ([11, 2, 3, 41, 5, 2, 3], [1, 2, 3, 4, 7, 2, 3], 2)]
    return [*fixed, (few[0], few[1], 3), (few[2], few[3], 3), ([1, 2, 3, 4], [3, 4, 1, 2, 3], 1), (few[1], few[0], 4)]


def runs(ids: Ids, n: int, stride: int = 1) -> list[tuple[int, ...]]:
    """All runs of n ids, or each stride-th of them."""
    return [tuple(ids[i : i + n]) for i in range(0, len(ids) - n + 1, stride)]


def begun(ids: Ids, n: int) -> list[tuple[int, ...]]:
    """What begins at each place, the ends that are too short included."""
    return [tuple(ids[i : i + n]) for i in range(len(ids))]


def leaked_share(train: Ids, held_out: Ids, n: int) -> float:
    """The share of all runs of n ids in `held_out` that stand in `train` in one piece."""
    rows = np.lib.stride_tricks.sliding_window_view
    same = (rows(np.array(held_out), n)[:, None] == rows(np.array(train), n)).all(-1)  # (held out, train)
    return float(same.any(1).mean())


def share(which: Collection, read: Collection) -> float:
    """The share of `which` that is in `read`; 0 of nothing."""
    return sum(run in read for run in which) / max(1, len(which))


def split_cases(rng: random.Random) -> list[Case]:
    """Documents with copies side by side and apart, on one side of the split and on both; a number for each."""
    documents = [[1, 2], [3], [3], [2, 1], [1, 2], [4, 4], [5], [4, 4], [6, 1], [6]]
    numbers = [0.9, 0.7, 0.2, 0.05, 0.1, 0.2, 0.6, 0.8, 0.3, 0.95]
    drawn = [[rng.randrange(3) for _ in range(rng.randrange(1, 3))] for _ in range(12)]
    # alike as text, or as sets; and a copy on the side of the first
    alike = ([[1, 2], [12], [1, 2, 3], [1, 23], [1, 2, 1], [12]], [0.9, 0.1, 0.1, 0.9, 0.2, 0.3], 0.4)
    drawn_numbers = [rng.random() for _ in drawn]
    return [(documents, numbers, 0.4), (drawn, drawn_numbers, 0.5), ([[1], [2]], [0.3, 0.1], 0.3), alike]


def split_documents(documents: list[Ids], numbers: list[float], share: float) -> tuple[list[Ids], list[Ids]]:
    """Training and held-out documents: of copies the first is kept, and its number decides."""
    first = [i for i, ids in enumerate(documents) if documents.index(ids) == i]
    return dealt([documents[i] for i in first], [numbers[i] for i in first], share)


def dealt(documents: list[Ids], numbers: list[float], share: float) -> tuple[list, list]:
    """Dealt out by their numbers, copies and all."""
    out = [number < share for number in numbers]
    parts = [[ids for ids, o in zip(documents, out, strict=False) if o == side] for side in (False, True)]
    return parts[0], parts[1]


def distinct(documents: list[Ids]) -> list[Ids]:
    """Each document once, where it first stands."""
    return [ids for i, ids in enumerate(documents) if documents.index(ids) == i]


def keeping(keep: Callable[[list[Ids], int], bool]) -> Callable[[list[Ids], list[float], float], tuple[list, list]]:
    """A slip of `split_documents`: others are kept."""

    def split(documents: list[Ids], numbers: list[float], share: float) -> tuple[list, list]:
        kept = [i for i in range(len(documents)) if keep(documents, i)]
        return dealt([documents[i] for i in kept], [numbers[i] for i in kept], share)

    return split


def val_cleaned(documents: list[Ids], numbers: list[float], share: float) -> tuple[list[Ids], list[Ids]]:
    """The slip of copies that are only taken from what is held out."""
    train, val = dealt(documents, numbers, share)
    return train, [ids for ids in distinct(val) if ids not in train]


def last_numbers(documents: list[Ids], numbers: list[float], share: float) -> tuple[list[Ids], list[Ids]]:
    """The slip of a dictionary from document to number: a copy overwrites the first one's number."""
    kept = {tuple(ids): number for ids, number in zip(documents, numbers, strict=True)}
    return dealt([list(ids) for ids in kept], list(kept.values()), share)


def broken_off(documents: list[Ids], numbers: list[float], share: float) -> tuple[list[Ids], list[Ids]]:
    """The slip of a loop that ends at the first copy."""
    first = next((i for i, ids in enumerate(documents) if ids in documents[:i]), len(documents))
    return dealt(documents[:first], numbers[:first], share)


def copies_read(documents: list[Ids], numbers: list[float], share: float) -> tuple[list[Ids], list[Ids]]:
    """The slip of copies that are put where one trains."""
    copies = [ids in documents[:i] for i, ids in enumerate(documents)]
    return dealt(documents, [share if copy else number for copy, number in zip(copies, numbers, strict=True)], share)


def through_a_set(documents: list[Ids], numbers: list[float], share: float) -> tuple[list[Ids], list[Ids]]:
    """The slip of a set, which has an order of its own."""
    return dealt([list(ids) for ids in set(map(tuple, documents))], numbers, share)


def as_text(ids: Ids) -> str:
    """The digits of all ids in a row."""
    return "".join(map(str, ids))


def rank_cases(rng: random.Random) -> list[Case]:
    """Steps early and late, steps in which an epoch ends, between ranks and inside one's part; one process, several."""
    fixed = [(0, 1, 2, 4, 10), (3, 0, 1, 4, 10), (2, 1, 2, 4, 10), (7, 2, 4, 8, 13), (2, 2, 3, 6, 7), (2, 0, 1, 4, 10)]
    return [*fixed, (rng.randrange(3, 30), rng.randrange(1, 4), 4, 8, rng.randrange(9, 30))]


def rank_windows(step: int, rank: int, world_size: int, rows: int, windows: int) -> list[tuple[int, int]]:
    """(epoch, place) of each window: the step's rows, of which each rank takes its part in a row."""
    mine = np.arange(step * rows, (step + 1) * rows).reshape(world_size, -1)[rank]
    return [divmod(int(i), windows) for i in mine]


def taking(numbers: Callable[[int, int, int, int], range]) -> Callable[..., list[tuple[int, int]]]:
    """A slip of `rank_windows`: other windows, of (step, rank, rows // world_size, world_size)."""
    return lambda step, rank, world, rows, W: [divmod(i, W) for i in numbers(step, rank, rows // world, world)]


def whole_steps(step: int, rank: int, world_size: int, rows: int, windows: int) -> list[tuple[int, int]]:
    """The slip of an epoch that ends with its last whole step."""
    epoch, step = divmod(step, windows // rows)
    return [(epoch, place) for _, place in rank_windows(step, rank, world_size, rows, windows)]


def stepped(wrap: Callable[[int, int], tuple[int, int]]) -> Callable[..., list[tuple[int, int]]]:
    """A slip of `rank_windows`: another way from a window's number to (epoch, place)."""
    return lambda *case: [wrap(epoch * case[4] + place, case[4]) for epoch, place in rank_windows(*case)]


def wrapped_late(number: int, windows: int) -> tuple[int, int]:
    """The slip of `windows` as a place: the last one is windows - 1."""
    epoch = 0
    while number > windows:
        epoch, number = epoch + 1, number - windows
    return epoch, number


def one_epoch(step: int, rank: int, world_size: int, rows: int, windows: int) -> list[tuple[int, int]]:
    """The slip of the first window's epoch for all."""
    mine = rank_windows(step, rank, world_size, rows, windows)
    return [(mine[0][0], place) for _, place in mine]


def run_on(step: int, rank: int, world_size: int, rows: int, windows: int) -> list[tuple[int, int]]:
    """The slip of a part that goes on from its first window's place, whatever an epoch has."""
    epoch, first = rank_windows(step, rank, world_size, rows, windows)[0]
    return [(epoch, first + i) for i in range(rows // world_size)]


def own_shard(step: int, rank: int, world_size: int, rows: int, windows: int) -> list[tuple[int, int]]:
    """The slip of an epoch that is shared out in place of a step."""
    part, share = windows // world_size, rows // world_size
    numbers = [divmod(step * share + i, part) for i in range(share)]
    return [(epoch, rank * part + place) for epoch, place in numbers]


ITEMS = (
    Item(
        "join_documents",
        "join_documents(documents, eot): documents, each a list of ids -> one list of ids, all documents in order, "
        "with the id eot behind each, an empty one and the last included",
        join_documents,
        join_cases,
        {
            "the token stands before each document: put it behind": lambda d, e: [e, *between(d, e)],
            "the last document has no end: put the token behind each, not between them": between,
            "the token stands before and behind: behind is enough": lambda d, e: join_documents(
                [[e, *i] for i in d], e
            ),
            "there is no end-of-text token: append eot after each document": lambda d, e: list(chain(*d)),
            "the documents are still lists in a list: lay their ids end to end": lambda d, e: [[*ids, e] for ids in d],
            "empty documents were skipped: they get a token too": lambda d, e: join_documents([i for i in d if i], e),
            "there is one end for all of them: put the token behind each document": lambda d, e: [*chain(*d), e],
            "the documents went in whole, as lists: add their ids, row += ids": (
                lambda d, e: list(chain.from_iterable([ids, e] for ids in d))
            ),
            "only the first document came back: the return stands inside the loop": (
                lambda d, e: join_documents(d[:1], e)
            ),
            "the end is always 9, as in the example: it is eot, which is handed in": lambda d, e: join_documents(d, 9),
        },
    ),
    Item(
        "document_numbers",
        "document_numbers(ids, eot): ids laid end to end -> a list as long, the number of the document that each id "
        "belongs to, counted from 0; an end-of-text token belongs to the document that it closes",
        document_numbers,
        number_cases,
        {
            "the end-of-text token is counted with the next document: it belongs to the one that it closes": (
                lambda ids, eot: np.cumsum(np.array(ids) == eot).tolist()
            ),
            "documents are counted from 1: the first is 0": lambda i, e: [n + 1 for n in document_numbers(i, e)],
            "the end-of-text tokens have no number: the list is as long as ids": (
                lambda ids, eot: [n for i, n in zip(ids, document_numbers(ids, eot), strict=True) if i != eot]
            ),
            "these are places within the document: asked for is which document it is": places_within,
            "two end-of-text tokens in a row were taken for one: the document between them is empty": once_for_many,
            "the end-of-text tokens have the number -1: each belongs to the document that it closes": (
                lambda ids, eot: [-1 if i == eot else n for i, n in zip(ids, document_numbers(ids, eot), strict=True)]
            ),
            "each id has the number of the place where it first stands: index finds the first, so count places": (
                lambda ids, eot: [document_numbers(ids, eot)[ids.index(i)] for i in ids]
            ),
            "the ids behind the last end-of-text token are missing: a document whose end is not in sight counts": ended,
            "ids were compared with `is`, which holds for small numbers by chance: compare with ==": (
                lambda ids, eot: [sum(i is eot for i in ids[:place]) for place in range(len(ids))]
            ),
        },
    ),
    Item(
        "get_batch",
        "get_batch(ids, starts, context_length): ids (N,) uint16 of numpy and B places -> x and y, both (B, T) int64 "
        "tensors: x the T ids from each place on, y the same moved on by one",
        get_batch,
        batch_cases,
        {
            "y is x: it begins one id later, at start + 1": moved_by(0),
            "x and y have changed places: y is what comes next": lambda *case: get_batch(*case)[::-1],
            "y is moved back by one: it begins at start + 1": moved_by(-1),
            "y is moved on by two: it begins at start + 1": moved_by(2),
            "y is the window after x: it is the same window moved on by one": moved_by(None),
            "y holds one id for each window: each of the T positions has a target": (
                lambda *case: (get_batch(*case)[0], get_batch(*case)[1][:, -1])
            ),
            "x and y are one id short: cut T + 1 ids for each window": lambda ids, s, T: get_batch(ids, s, T - 1),
            "the cut goes along the batch: the ids of a window are the last axis, [:, :-1] and [:, 1:]": sliced,
            "the last id of y is the first of x, as roll puts it there: it is the id behind the window": rolled,
            "ids above 32,767 have become negative: int16 doesn't reach so far, convert to int64": too_small,
            "the windows stand side by side, (T, B): each is a row, (B, T)": lambda *case: [
                p.T for p in get_batch(*case)
            ],
            "the windows were laid end to end in one row: stack them to (B, T)": (
                lambda *case: [part.flatten() for part in get_batch(*case)]
            ),
        },
    ),
    Item(
        "leaked_share",
        "leaked_share(train, held_out, n): two lists of ids -> of all runs of n ids in a row in held_out, overlapping "
        "ones and repeated ones included, the share that stands in train too, in one piece",
        leaked_share,
        leak_cases,
        {
            "each run was counted once: repeats count too": lambda t, h, n: share({*runs(h, n)}, runs(t, n)),
            "train and held_out have changed places": lambda t, h, n: leaked_share(h, t, n),
            "single ids were looked up, not runs of n": lambda t, h, n: leaked_share(t, h, 1),
            "held_out's last run is missing: there are len - n + 1": lambda t, h, n: share(runs(h, n)[:-1], runs(t, n)),
            "divided by the ids: divide by the runs": lambda t, h, n: leaked_share(t, h, n) * len(runs(h, n)) / len(h),
            "held_out was cut into pieces: its runs overlap": lambda t, h, n: share(runs(h, n, n), runs(t, n)),
            "train was cut into pieces: a run may begin anywhere": lambda t, h, n: share(runs(h, n), runs(t, n, n)),
            "a run counts though its ids stand in train apart: they must stand in one piece": (
                lambda t, h, n: sum(set(run) <= set(t) for run in runs(h, n)) / len(runs(h, n))
            ),
            "ids were compared as text, where '1 2' is in '11 2': compare tuples of numbers": (
                lambda t, h, n: (
                    sum(" ".join(map(str, run)) in " ".join(map(str, t)) for run in runs(h, n)) / len(runs(h, n))
                )
            ),
            "this is a number of runs: divide by all": lambda t, h, n: leaked_share(t, h, n) * len(runs(h, n)),
            "the last run of both is missing: there are len - n + 1": (
                lambda t, h, n: share(runs(h, n)[:-1], runs(t, n)[:-1])
            ),
            "train's last run is missing: there are len - n + 1": lambda t, h, n: share(runs(h, n), runs(t, n)[:-1]),
            "pieces shorter than n at the end were counted as runs: stop after len - n + 1": (
                lambda t, h, n: share(begun(h, n), begun(t, n))
            ),
            "both were cut into pieces: runs overlap, one begins at each place": (
                lambda t, h, n: share(runs(h, n, n), runs(t, n, n))
            ),
            "divided by the runs of train: divide by those of held_out": (
                lambda t, h, n: sum(run in runs(t, n) for run in runs(h, n)) / len(runs(t, n))
            ),
            "divided by the different runs of train: divide by all runs of held_out": (
                lambda t, h, n: sum(run in runs(t, n) for run in runs(h, n)) / len({*runs(t, n)})
            ),
            "a run counts once for each place where it stands in train: it stands there or it doesn't": (
                lambda t, h, n: sum(runs(t, n).count(run) for run in runs(h, n)) / len(runs(h, n))
            ),
            "this is a percentage: a share goes from 0 to 1": lambda t, h, n: 100 * leaked_share(t, h, n),
            "// leaves whole numbers only, here 0 or 1: divide with /": lambda t, h, n: leaked_share(t, h, n) // 1,
            "a run counts in any order of its ids: they must stand in train in the same order": (
                lambda t, h, n: share([sorted(run) for run in runs(h, n)], [sorted(run) for run in runs(t, n)])
            ),
        },
    ),
    Item(
        "split_documents",
        "split_documents(documents, numbers, share) -> (train, held_out), two lists of documents in their order: "
        "copies of an earlier document are dropped first, then those whose number is below share are held out",
        split_documents,
        split_cases,
        {
            "copies are still in it, and can stand on both sides: drop them before the split": dealt,
            "each side was cleaned by itself, so a copy can stand on both: drop copies before the split": (
                lambda *case: tuple(map(distinct, dealt(*case)))
            ),
            "copies were only taken from what is held out: drop them everywhere, before the split": val_cleaned,
            "the numbers have slipped: when a copy goes, its number goes too": lambda d, u, s: dealt(distinct(d), u, s),
            "the sides have changed places: below share is held out": lambda *case: split_documents(*case)[::-1],
            "all copies are gone: the first of them stays": keeping(lambda d, i: d.count(d[i]) == 1),
            "of copies the last was kept: keep the first": keeping(lambda d, i: d[i] not in d[i + 1 :]),
            "only neighbours were compared: look at all earlier ones": keeping(lambda d, i: d[i] not in d[:i][-1:]),
            "[1, 2] is no copy of [2, 1]": keeping(lambda d, i: sorted(d[i]) not in map(sorted, d[:i])),
            "a number equal to share was held out: below means <": lambda d, u, s: split_documents(d, u, s + 1e-9),
            "ids were joined to a text, where [1, 2] and [12] are alike: compare tuples, or the lists": (
                keeping(lambda d, i: as_text(d[i]) not in map(as_text, d[:i]))
            ),
            "a document is in its first place with its last copy's number: a dictionary overwrites, so ask first": (
                last_numbers
            ),
            "all that follows the first copy is missing: break ends the loop, continue passes over one": broken_off,
            "documents with the same ids in any number and order were taken for copies: a set keeps neither": (
                keeping(lambda d, i: set(d[i]) not in map(set, d[:i]))
            ),
            "copies were put with what is trained on: they are dropped": copies_read,
            "a set has mixed up the documents, and the numbers belong to others: go through them in order": (
                through_a_set
            ),
        },
    ),
    Item(
        "rank_windows",
        "rank_windows(step, rank, world_size, rows, windows) -> the windows that one process takes in a step, a list "
        "of rows // world_size pairs (epoch, place in the epoch), counted from 0; rank 0 takes the first part",
        rank_windows,
        rank_cases,
        {
            "these are the rows of all processes: take the part of this rank": (
                taking(lambda s, r, k, w: range(s * k * w, (s + 1) * k * w))
            ),
            "every rank takes the first part: begin at rank * rows // world_size": (
                taking(lambda s, r, k, w: range(s * k * w, s * k * w + k))
            ),
            "the rows were dealt in turn, rank, rank + world_size, ...: each rank takes its part in one piece": (
                taking(lambda s, r, k, w: range(s * k * w + r, (s + 1) * k * w, w))
            ),
            "a step counts only one rank's rows here: all ranks together use up `rows`": (
                taking(lambda s, r, k, w: range((s + r) * k, (s + r + 1) * k))
            ),
            "each rank takes all `rows` here: they are shared, rows // world_size each": (
                taking(lambda s, r, k, w: range((s * w + r) * k * w, (s * w + r + 1) * k * w))
            ),
            "an epoch never ends here: after `windows` windows the next begins, divmod(i, windows)": (
                lambda s, r, w, rows, W: [(0, e * W + place) for e, place in rank_windows(s, r, w, rows, W)]
            ),
            "the epoch was cut to whole steps: one step can take rows from two epochs": whole_steps,
            "epochs are counted from 1: the first is 0": lambda *case: [(e + 1, i) for e, i in rank_windows(*case)],
            "the pairs are (place, epoch): it is (epoch, place)": lambda *case: [p[::-1] for p in rank_windows(*case)],
            "all have the epoch of this rank's first window: an epoch can end inside a part, so divmod each": one_epoch,
            "a part runs on over the end of its epoch: divmod each number, not only the first": run_on,
            "the places are right, but the epoch is always 0: it grows by 1 after `windows` windows": (
                stepped(lambda number, windows: (0, number % windows))
            ),
            "the epoch is 0 or 1: a late step lies many epochs on, divmod(i, windows)": (
                stepped(lambda number, windows: (0, number) if number < windows else (1, number - windows))
            ),
            "a place of `windows` is left in its epoch: places go from 0 to windows - 1, so wrap at >=": (
                stepped(wrapped_late)
            ),
            "these are numbers that count on and on: make (epoch, place) of each with divmod": (
                stepped(lambda number, windows: number)
            ),
            "each rank begins `rows` after the one before, which is a step further on: it is rows // world_size": (
                taking(lambda s, r, k, w: range((s + r) * k * w, (s + r) * k * w + k))
            ),
            "the first step was taken for number 1: it is number 0": (
                taking(lambda s, r, k, w: range(((s - 1) * w + r) * k, ((s - 1) * w + r + 1) * k))
            ),
            "each rank has a part of the epoch for itself: it is the rows of a step that are shared": own_shard,
        },
    ),
)
