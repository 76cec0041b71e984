"""Documents to token ids on disk: interruptible, tokenised by every core, and in the end nanoGPT's format.

Two passes. The first reads the corpus in its order and appends to a spool, `<out>.partial/`, which
notes every few seconds how far it is: killed and run again, it goes on from there. The second deals
the spooled documents out to train.bin and val.bin; cut short, it starts over. Together they need room
for the tokens twice.
"""

import contextlib
import hashlib
import json
import math
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from nanogpt.checkpoint import flush_to_disk, remove, write_whole
from nanogpt.corpora import Corpus
from nanogpt.data import SPLITS, TokenData
from nanogpt.encode import RECORD, encoded
from nanogpt.tokenizer import (
    check_vocab_size,
    gpt2_tokenizer,
    load_tokenizer,
    save_tokenizer,
    tokenizer_hash,
    train_tokenizer,
)

if TYPE_CHECKING:
    import tiktoken

TOKENIZER_SAMPLE = 20_000_000  # characters of training text that a tokenizer is learnt from, at the most
NOTE_EVERY = 5.0  # seconds between notes of how far the first pass is
RUN = 512  # documents that the second pass copies in one piece, where they stand together


def prepare(
    corpus: Corpus,
    out: str | Path,
    tokenizer: str = "768",
    val_share: float = 0.1,
    seed: int = 2357,
    shuffle: bool = False,
    progress: bool = False,
) -> TokenData:
    """Tokenise a corpus into the folder `out`, holding out a `val_share` of its documents.

    tokenizer: "gpt2", a vocabulary size to train one on the training documents, or a tokenizer.json.
    768 suits a text of a few megabytes: a small head, and tokens that are seen often enough to be learnt.
    shuffle: put the documents in random order as nanoGPT does; with "gpt2", a share of 0.0005 and the
    usual seed the shards are then byte for byte what its own recipe writes.
    Memory grows with the number of documents alone, by some tens of bytes each. Stopped in any way, it goes on
    when it is called again; a folder that was prepared from the same source in the same way is kept.
    Raises ValueError for an unusable corpus and FileExistsError for a folder that holds something else.
    """
    out = Path(out)
    partial = out.with_name(out.name + ".partial")
    if not 0 < val_share < 1:
        raise ValueError(f"val_share={val_share} is not a share between 0 and 1; 0.1 holds out a tenth")
    kind = tokenizer_hash(load_tokenizer(tokenizer)) if Path(tokenizer).is_file() else tokenizer
    recipe = {**corpus.recipe, "tokenizer": kind, "val_share": val_share, "seed": seed, "shuffle": shuffle}
    if (out / "meta.json").exists():
        data = TokenData(out)
        if {"shuffle": False, **data.meta["recipe"]} == recipe:
            remove(partial)
            return data
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise FileExistsError(f"{out} already holds something else; choose another --out or remove it first")
    try:
        spool = Spool(partial, recipe, lambda: _choose_tokenizer(tokenizer, corpus, val_share, seed, shuffle))
        spool.fill(corpus, progress)
        ready = spool.deal_out(split_documents(spool.note["documents"], val_share, seed, shuffle), progress)
    except BaseException as error:
        if isinstance(error, ValueError) or not (partial / "note.json").exists():
            remove(partial)  # running it again mends nothing, or finds nothing to go on from
        if isinstance(error, BrokenProcessPool):
            raise OSError(
                "a process that was tokenising was ended from outside, most likely for want of memory; free some "
                "and run the same command again, and it goes on"
            ) from error
        raise
    if out.exists():
        out.rmdir()
    ready.rename(out)
    flush_to_disk(out.parent)
    remove(partial)
    return TokenData(out)


def split_documents(n: int, val_share: float, seed: int, shuffle: bool = False) -> dict[str, np.ndarray]:
    """Which of `n` documents go where, in which order: {"train": (M,), "val": (n - M,)} indices.

    Unshuffled, each is held out with probability `val_share` and the order stays. Shuffled, it is the split
    that `datasets`' train_test_split makes with this seed, as nanoGPT does.
    """
    rng = np.random.default_rng(seed)
    if shuffle:
        order, held_out = rng.permutation(n), math.ceil(n * val_share)
        return {"train": order[held_out:], "val": order[:held_out]}
    held_out = rng.random(n) < val_share
    return {"train": np.flatnonzero(~held_out), "val": np.flatnonzero(held_out)}


def _choose_tokenizer(name: str, corpus: Corpus, val_share: float, seed: int, shuffle: bool) -> "tiktoken.Encoding":
    if name == "gpt2":
        return gpt2_tokenizer()
    if name.isdigit():
        check_vocab_size(int(name))
        if shuffle:
            raise ValueError(
                f"tokenizer={name!r} can't be learnt from shuffled documents, as what is training text is settled "
                "only when all are read; leave out --shuffle, or name gpt2 or a tokenizer.json"
            )
        return train_tokenizer(_training_texts(corpus, val_share, seed), int(name))
    if Path(name).is_file():
        return load_tokenizer(Path(name))
    raise ValueError(
        f"tokenizer={name!r} is neither 'gpt2' nor a vocabulary size nor a tokenizer.json; choose one of these"
    )


def _training_texts(corpus: Corpus, val_share: float, seed: int) -> Iterator[str]:
    """The texts that `split_documents` will not hold out, as many as a tokenizer needs."""
    rng, left = np.random.default_rng(seed), TOKENIZER_SAMPLE
    for document in corpus:
        if rng.random() >= val_share:
            yield document.text
            left -= len(document.text)
            if left < 0:
                return


class Spool:
    """What the first pass has made so far: `tokens.bin`, a record of each document, and a note of how far it is."""

    def __init__(self, folder: Path, recipe: dict, choose_tokenizer: Callable[[], "tiktoken.Encoding"]):
        """Take up what `folder` holds if it was made by this recipe, else begin anew."""
        self.folder, self.recipe = folder, recipe
        self.note = {"place": None, "documents": 0, "tokens": 0, "bytes": 0, "done": False}
        with contextlib.suppress(OSError, ValueError, KeyError):
            kept = json.loads((folder / "note.json").read_text())
            if kept.pop("recipe") == recipe:
                self.note = kept
        if self.note["documents"] == 0:
            remove(folder)
            encoding = choose_tokenizer()
            folder.mkdir(parents=True)
            save_tokenizer(encoding, folder / "tokenizer.json")
        self.encoding = load_tokenizer(folder / "tokenizer.json")

    def fill(self, corpus: Corpus, progress: bool = False) -> None:
        """Tokenise what is still missing. Raises ValueError for a corpus without any text."""
        note = self.note
        if note["done"]:
            return
        with (
            _opened(self.folder / "tokens.bin", 2 * note["tokens"]) as tokens,
            _opened(self.folder / "documents.bin", RECORD.itemsize * note["documents"]) as documents,
            _bar("tokenising", progress, corpus.total, note["documents"]) as bar,
        ):
            start = noted = time.monotonic()
            before = note["tokens"]
            for records, place, ids in encoded(corpus.batches(note["place"]), self.encoding):
                tokens.write(ids)
                documents.write(records.tobytes())
                note["place"] = place
                note["documents"] += len(records)
                note["tokens"] += len(ids) // 2
                note["bytes"] += int(records["bytes"].sum())
                if time.monotonic() - noted > NOTE_EVERY:
                    self._write_note(tokens, documents)
                    noted = time.monotonic()
                if corpus.size and note["bytes"]:  # how many there will be is guessed from the bytes so far
                    bar.total = max(note["documents"], note["documents"] * corpus.size // note["bytes"])
                speed = (note["tokens"] - before) / (time.monotonic() - start)
                bar.set_postfix_str(f"{speed:,.0f} tokens/s", refresh=False)
                bar.update(len(records))
            note["done"] = True
            self._write_note(tokens, documents)
        if not note["bytes"]:
            raise ValueError("the corpus is empty: no document has any text; point to a source with some")

    def _write_note(self, *files: BinaryIO) -> None:
        for file in files:
            file.flush()
            os.fsync(file.fileno())
        text = json.dumps(self.note | {"recipe": self.recipe})
        write_whole(self.folder / "note.json", lambda path: path.write_text(text))

    def records(self) -> np.ndarray:
        """What is kept of each document, (N,) of RECORD."""
        return np.fromfile(self.folder / "documents.bin", dtype=RECORD)

    def deal_out(self, split: dict[str, np.ndarray], progress: bool = False) -> Path:
        """The second pass: write the documents in the order of `split`; returns the folder that is made.

        Raises ValueError where a part would have no document.
        """
        for name, order in split.items():
            if len(order) == 0:
                raise ValueError(
                    f"no document fell to the {name} part, as the corpus has too few to be split; "
                    "give more documents or another --val-share"
                )
        ready = self.folder / "ready"
        remove(ready)
        ready.mkdir()
        records = self.records()
        with _bar("writing", progress, len(records)) as bar:
            splits = {name: self._copy(records, split[name], ready / f"{name}.bin", bar) for name in SPLITS}
        save_tokenizer(self.encoding, ready / "tokenizer.json")
        meta = {
            "format": 1,
            "recipe": self.recipe,
            "tokenizer": {
                "name": self.encoding.name,
                "vocab_size": self.encoding.n_vocab,
                "sha256": tokenizer_hash(self.encoding),
            },
            "split_seed": self.recipe["seed"],
            "splits": splits,
        }
        (ready / "meta.json").write_text(json.dumps(meta, indent=2) + "\n")
        for file in (*ready.iterdir(), ready):
            flush_to_disk(file)
        return ready

    def _copy(self, records: np.ndarray, order: np.ndarray, path: Path, bar) -> dict:
        """Copy the documents in this order to `path`; returns what meta.json says of it."""
        ends = 2 * np.cumsum(records["tokens"], dtype=np.int64)  # bytes, (N,)
        starts = ends - 2 * records["tokens"].astype(np.int64)
        apart = starts[order[1:]] != ends[order[:-1]]  # documents that stand together are copied together
        first = np.flatnonzero(np.append(True, apart) | (np.arange(len(order)) % RUN == 0))
        last = np.append(first[1:], len(order)) - 1
        digest = hashlib.sha256()
        with (self.folder / "tokens.bin").open("rb", buffering=0) as source, path.open("wb") as file:
            for a, b in zip(first, last, strict=True):
                start, end = starts[order[a]], ends[order[b]]
                source.seek(start)
                raw = source.read(end - start)
                file.write(raw)
                digest.update(raw)
                bar.update(b - a + 1)
        kept = records[order]
        log_prob = float(kept["log_prob"].sum())  # not a number where one of them is unknown
        return {
            "documents": len(kept),
            "tokens": int(kept["tokens"].sum()),
            "bytes": int(kept["bytes"].sum()),
            "log_prob": None if math.isnan(log_prob) else log_prob,
            "sha256": digest.hexdigest(),
        }


def _bar(what: str, shown: bool, total: int | None, done: int = 0):
    from tqdm import tqdm

    return tqdm(desc=what, total=total, initial=done, unit=" documents", dynamic_ncols=True, disable=not shown)


def _opened(path: Path, size: int) -> BinaryIO:
    """Open for writing behind the first `size` bytes; what a kill left after them is dropped."""
    file = path.open("r+b" if path.exists() else "w+b")
    file.truncate(size)
    file.seek(size)
    return file
