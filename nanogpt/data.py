"""Documents to token ids on disk, and from there to batches.

A prepared folder is nanoGPT's format plus what is needed to trust it:

    train.bin, val.bin   token ids as headerless uint16, one end-of-text after each document
    tokenizer.json       the tokenizer that made them
    meta.json            counts of documents, tokens and bytes, the seed of the split, SHA-256 of each file

The split is by document, so that nothing held out has a neighbour in training.
"""

import functools
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nanogpt.config import ModelConfig
from nanogpt.corpora import Corpus, Document
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
    import torch

SPLITS = ("train", "val")
TOKENIZER_SAMPLE = 20_000_000  # characters of training text that a tokenizer is learnt from, at the most


def prepare(
    corpus: Corpus, out: str | Path, tokenizer: str = "768", val_share: float = 0.1, seed: int = 2357
) -> "TokenData":
    """Tokenise a corpus into the folder `out`, holding out a `val_share` of its documents.

    tokenizer: "gpt2", a vocabulary size to train one on the training documents, or a tokenizer.json.
    768 suits a text of a few megabytes: a small head, and tokens that are seen often enough to be learnt.
    Memory does not grow with the corpus, and `out` appears only when all is written. A folder that
    was prepared from the same source in the same way is kept as it is.
    Raises ValueError for an unusable corpus and FileExistsError for a folder that holds something else.
    """
    out = Path(out)
    if not 0 < val_share < 1:
        raise ValueError(f"val_share={val_share} is not a share between 0 and 1; 0.1 holds out a tenth")
    recipe = {**corpus.recipe, "tokenizer": tokenizer, "val_share": val_share, "seed": seed}
    if (out / "meta.json").exists():
        data = TokenData(out)
        if data.meta["recipe"] == recipe:
            return data
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise FileExistsError(f"{out} already holds something else; choose another --out or remove it first")

    encoding = _choose_tokenizer(tokenizer, corpus, val_share, seed)
    partial = out.with_name(out.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        splits = _write_shards(corpus, encoding, partial, val_share, seed)
        save_tokenizer(encoding, partial / "tokenizer.json")
        meta = {
            "format": 1,
            "recipe": recipe,
            "tokenizer": {
                "name": encoding.name, "vocab_size": encoding.n_vocab, "sha256": tokenizer_hash(encoding),
            },
            "split_seed": seed,
            "splits": splits,
        }  # fmt: skip
        (partial / "meta.json").write_text(json.dumps(meta, indent=2) + "\n")
        if out.exists():
            out.rmdir()
        partial.rename(out)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return TokenData(out)


def split_documents(corpus: Corpus, val_share: float, seed: int) -> Iterator[tuple[str, Document]]:
    """Yield ("train" or "val", document); each document is held out with probability `val_share`."""
    rng = np.random.default_rng(seed)
    for document in corpus:
        yield ("val" if rng.random() < val_share else "train"), document


def _choose_tokenizer(name: str, corpus: Corpus, val_share: float, seed: int) -> "tiktoken.Encoding":
    if name == "gpt2":
        return gpt2_tokenizer()
    if name.isdigit():
        check_vocab_size(int(name))
        return train_tokenizer(_training_texts(corpus, val_share, seed), int(name))
    if Path(name).is_file():
        return load_tokenizer(Path(name))
    raise ValueError(
        f"tokenizer={name!r} is neither 'gpt2' nor a vocabulary size nor a tokenizer.json; choose one of these"
    )


def _training_texts(corpus: Corpus, val_share: float, seed: int) -> Iterator[str]:
    left = TOKENIZER_SAMPLE
    for split, document in split_documents(corpus, val_share, seed):
        if split == "train":
            yield document.text
            left -= len(document.text)
            if left < 0:
                return


def _write_shards(
    corpus: Corpus, encoding: "tiktoken.Encoding", folder: Path, val_share: float, seed: int
) -> dict[str, dict]:
    """Stream the corpus into the two shards; returns what meta.json says of each."""
    counts = {split: {"documents": 0, "tokens": 0, "bytes": 0, "log_prob": 0.0} for split in SPLITS}
    digests = {split: hashlib.sha256() for split in SPLITS}
    with (folder / "train.bin").open("wb") as train, (folder / "val.bin").open("wb") as val:
        files = {"train": train, "val": val}
        for split, document in split_documents(corpus, val_share, seed):
            ids = encoding.encode_ordinary(document.text)
            ids.append(encoding.eot_token)
            raw = np.array(ids, dtype="<u2").tobytes()
            files[split].write(raw)
            digests[split].update(raw)
            count = counts[split]
            count["documents"] += 1
            count["tokens"] += len(ids)
            count["bytes"] += len(document.text.encode("utf-8", "replace"))
            if document.log_prob is None or count["log_prob"] is None:
                count["log_prob"] = None
            else:
                count["log_prob"] += document.log_prob
        for file in files.values():
            file.flush()
            os.fsync(file.fileno())
    for split, count in counts.items():
        count["sha256"] = digests[split].hexdigest()
    if sum(count["documents"] for count in counts.values()) == 0:
        raise ValueError("the corpus is empty: no document has any text; point to a source with some")
    for split, count in counts.items():
        if count["documents"] == 0:
            raise ValueError(
                f"no document fell to the {split} part, as the corpus has too few to be split; "
                "give more documents or another --val-share"
            )
    return counts


class TokenData:
    """A prepared folder, opened. `meta` is its meta.json, `tokenizer` its `tiktoken.Encoding`.

    Raises FileNotFoundError where there is none, ValueError where a file was cut, altered or belongs
    to another tokenizer.
    """

    def __init__(self, folder: str | Path):
        self.folder = Path(folder)
        try:
            self.meta = json.loads((self.folder / "meta.json").read_text())
            wanted = self.meta["tokenizer"]["sha256"]
            if not all("sha256" in self.meta["splits"][split] for split in SPLITS):
                raise KeyError
        except FileNotFoundError:
            raise FileNotFoundError(
                f"{folder} is not a prepared folder (it has no meta.json); "
                f"name where it is now, or make one with: nanogpt prepare pydocs --out {folder}"
            ) from None
        except (ValueError, KeyError, TypeError):
            raise ValueError(f"{self.folder / 'meta.json'} was cut or altered; prepare the data again") from None
        self.tokenizer = load_tokenizer(self.folder / "tokenizer.json")
        if tokenizer_hash(self.tokenizer) != wanted:
            raise ValueError(
                f"{self.folder / 'tokenizer.json'} is not the tokenizer that made these shards; "
                "restore it or prepare the data again"
            )

    @property
    def vocab_size(self) -> int:
        """The tokenizer's vocabulary, which may be smaller than the model's padded one."""
        return self.tokenizer.n_vocab

    @functools.cache  # noqa: B019 - a few objects a process, each hashed once
    def tokens(self, split: str) -> np.ndarray:
        """The split's token ids, (N,) uint16, memory-mapped after its size and SHA-256 were checked."""
        path, said = self.folder / f"{split}.bin", self.meta["splits"][split]
        size = path.stat().st_size if path.exists() else 0
        if size != 2 * said["tokens"]:
            raise ValueError(
                f"{path} has {size} bytes where meta.json says {2 * said['tokens']}; prepare the data again"
            )
        with path.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != said["sha256"]:
                raise ValueError(f"{path} was altered since it was prepared (SHA-256 differs); prepare it again")
        return np.memmap(path, dtype="<u2", mode="r")

    def fit_vocabulary(self, config: ModelConfig, preset: ModelConfig) -> ModelConfig:
        """Give the model the data's vocabulary, rounded up to a multiple of 64, unless it was set by hand.

        Raises ValueError for a vocabulary set by hand that is too small.
        """
        import dataclasses

        if config.vocab_size == preset.vocab_size:
            return dataclasses.replace(config, vocab_size=-(-self.vocab_size // 64) * 64)
        if config.vocab_size < self.vocab_size:
            raise ValueError(
                f"vocab_size={config.vocab_size} is smaller than the {self.vocab_size} tokens of {self.folder}; "
                "leave it out to take the data's"
            )
        return config


class Batches:
    """Training batches as a pure function of the step: nothing to save, nothing to replay on resume.

    Each epoch cuts the tokens into windows of T + 1 from a random start and visits every window once,
    in random order. All ranks agree on the order and each takes its own rows.
    """

    def __init__(self, tokens: np.ndarray, context_length: int, rows: int, seed: int):
        """tokens (N,) uint16; rows: sequences per step, over all ranks. Raises ValueError if N <= T."""
        T = context_length
        if len(tokens) <= T:
            raise ValueError(
                f"the training text has {len(tokens)} tokens, fewer than one context of {T} and its next token; "
                "give more text or a smaller --model.context-length"
            )
        self.tokens, self.context_length, self.rows, self.seed = tokens, T, rows, seed
        self.windows = max(1, (len(tokens) - 1) // T - 1)
        self._order = functools.lru_cache(maxsize=2)(self._draw_order)

    def _draw_order(self, epoch: int) -> tuple[int, np.ndarray]:
        rng = np.random.default_rng([self.seed, epoch])
        slack = len(self.tokens) - 1 - self.windows * self.context_length
        order = np.arange(self.windows, dtype=np.uint32)
        rng.shuffle(order)
        return int(rng.integers(slack + 1)), order

    def at(self, step: int, rank: int = 0, world_size: int = 1) -> tuple["torch.Tensor", "torch.Tensor"]:
        """The batch of a step: x and y, both (rows / world_size, T) int64; y is x moved on by one token."""
        import torch

        T = self.context_length
        share = self.rows // world_size
        rows = []
        for i in range(step * self.rows + rank * share, step * self.rows + (rank + 1) * share):
            epoch, place = divmod(i, self.windows)
            offset, order = self._order(epoch)
            start = offset + int(order[place]) * T
            rows.append(self.tokens[start : start + T + 1])
        block = torch.from_numpy(np.stack(rows).astype(np.int64))  # (rows, T + 1)
        return block[:, :-1].contiguous(), block[:, 1:].contiguous()
