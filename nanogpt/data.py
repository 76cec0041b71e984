"""Token ids on disk, and from there to batches.

A prepared folder is nanoGPT's format plus what is needed to trust it:

    train.bin, val.bin   token ids as headerless uint16, one end-of-text after each document
    tokenizer.json       the tokenizer that made them
    meta.json            counts of documents, tokens and bytes, the seed of the split, SHA-256 of each file

The split is by document, so that nothing held out has a neighbour in training.
"""

import functools
import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nanogpt.config import ModelConfig
from nanogpt.tokenizer import load_tokenizer, tokenizer_hash

if TYPE_CHECKING:
    import torch

SPLITS = ("train", "val")


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
