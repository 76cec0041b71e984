"""A tokenizer as Hugging Face keeps it (`tokenizer.json`), to and from ours.

Theirs lists the pairs to merge, in order. Ours ranks the tokens, and merges the neighbours whose token
has the lowest rank. A token is then always made of the same two, so the list follows from the ranks.
"""

import itertools
import json
from pathlib import Path
from typing import TYPE_CHECKING

from nanogpt.tokenizer import END_OF_TEXT, gpt2_tokenizer, make_encoding, printable_bytes, tokenizer_hash

if TYPE_CHECKING:
    import tiktoken


def merges(ranks: dict[bytes, int]) -> list[tuple[bytes, bytes]]:
    """The two tokens that each longer one is made of, in order of merging.

    Raises ValueError where a byte has no token, or a token can't be made of two of lower rank.
    """
    missing = [b for b in range(256) if bytes([b]) not in ranks]
    if missing:
        raise ValueError(f"the tokenizer has no token for byte {missing[0]}; it needs one for each of the 256")
    return [_halves(token, ranks) for token in sorted(ranks, key=ranks.__getitem__) if len(token) > 1]


def _halves(token: bytes, ranks: dict[bytes, int]) -> tuple[bytes, bytes]:
    """Merge the bytes of a token by all lower ranks; what is left are its two halves."""
    parts = [token[i : i + 1] for i in range(len(token))]
    while len(parts) > 2:
        rank, i = min((ranks.get(a + b, len(ranks)), i) for i, (a, b) in enumerate(itertools.pairwise(parts)))
        if rank >= ranks[token]:
            raise ValueError(f"the tokenizer's token {token!r} can't be made of two others; train a tokenizer anew")
        parts[i : i + 2] = [parts[i] + parts[i + 1]]
    return parts[0], parts[1]


def write_tokenizer(encoding: "tiktoken.Encoding", folder: Path, context_length: int) -> None:
    """Write tokenizer.json and tokenizer_config.json, which `AutoTokenizer` of `transformers` reads.

    Its ids are those of `encode_ordinary`, but for the text `<|endoftext|>`: they read it as the special
    token unless asked for `split_special_tokens=True`. Raises ValueError where ours cuts text into words
    by another pattern than GPT-2's, or as `merges` does.
    """
    from tiktoken_ext.openai_public import r50k_pat_str
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    if encoding._pat_str != r50k_pat_str:
        raise ValueError(
            f"the tokenizer cuts text by the pattern {encoding._pat_str!r}, expected GPT-2's, {r50k_pat_str!r}; "
            "use one that `train_tokenizer` made, or GPT-2's"
        )
    character = {byte: character for character, byte in printable_bytes().items()}

    def printable(token: bytes) -> str:
        return "".join(character[byte] for byte in token)

    ranks = encoding._mergeable_ranks
    vocab = {printable(token): rank for token, rank in ranks.items()} | {END_OF_TEXT: encoding.eot_token}
    theirs = Tokenizer(models.BPE(vocab, [(printable(a), printable(b)) for a, b in merges(ranks)]))
    theirs.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    theirs.decoder = decoders.ByteLevel()
    theirs.add_special_tokens([AddedToken(END_OF_TEXT, normalized=False, special=True)])
    theirs.save(str(folder / "tokenizer.json"))
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": END_OF_TEXT,
        "eos_token": END_OF_TEXT,
        "unk_token": END_OF_TEXT,
        "add_prefix_space": False,
        "clean_up_tokenization_spaces": False,
        "model_max_length": context_length,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n")


def read_tokenizer(folder: Path) -> "tiktoken.Encoding":
    """The tokenizer of a Hugging Face folder, and GPT-2's where it holds none.

    Raises ValueError unless ours gives the same ids: a byte-level BPE cut by GPT-2's pattern, its ids in
    order of merging, end-of-text the last of them and the only special token.
    """
    from tiktoken_ext.openai_public import r50k_pat_str

    if not any((folder / name).exists() for name in ("tokenizer.json", "vocab.json")):
        return gpt2_tokenizer()
    byte_of = printable_bytes()

    def raw(token: str) -> bytes:
        return bytes(byte_of[character] for character in token)

    try:
        content = _content(folder)
        special = {token["content"]: token["id"] for token in content["added_tokens"]}
        cut, model = content["pre_tokenizer"], content["model"]
        ranks = {raw(token): rank for token, rank in model["vocab"].items() if token not in special}
        pairs = [pair.split(" ") if isinstance(pair, str) else pair for pair in model["merges"]]
        same = (
            (model.get("type", "BPE"), cut["type"], content["normalizer"]) == ("BPE", "ByteLevel", None)
            and (cut.get("use_regex", True), cut["add_prefix_space"]) == (True, False)
            and special == {END_OF_TEXT: len(ranks)}
            and sorted(ranks.values()) == list(range(len(ranks)))
            and [(raw(a), raw(b)) for a, b in pairs] == merges(ranks)
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        same = False
    if not same:
        raise ValueError(
            f"{folder} has a tokenizer whose ids ours can't give: it should be a byte-level BPE like GPT-2's, ids in "
            f"order of merging, {END_OF_TEXT} the last and only special token; import a model with such a one"
        )
    own, gpt2 = make_encoding("trained", r50k_pat_str, ranks), gpt2_tokenizer()
    return gpt2 if tokenizer_hash(own) == tokenizer_hash(gpt2) else own


def _content(folder: Path) -> dict:
    """tokenizer.json, or what an older folder's vocab.json and merges.txt say in its place."""
    path = folder / "tokenizer.json"
    if path.exists():
        return json.loads(path.read_text(encoding="utf-8"))
    vocab = json.loads((folder / "vocab.json").read_text(encoding="utf-8"))
    lines = (folder / "merges.txt").read_text(encoding="utf-8").split("\n")
    return {
        "model": {"vocab": vocab, "merges": [line for line in lines[1:] if line]},  # the first tells the version
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False},
        "normalizer": None,
        "added_tokens": [{"content": END_OF_TEXT, "id": vocab[END_OF_TEXT]}],
    }
