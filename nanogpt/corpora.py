"""Where text comes from: sources by name, each a stream of documents that can be read again and again.

`pydocs`      real text that every Python carries: its language reference and its docstrings
`stories`     short tales from a grammar, with their exact probability
`openwebtext`, `tinystories`, `wikitext-2`, `wikitext-103`, `lambada`    from the hub
a path        your own .txt, .jsonl or .parquet file, or a folder of them

No source holds its text in memory; a document is read, handed on and forgotten.
"""

import contextlib
import glob
import logging
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from nanogpt.benchmarks import LAMBADA, WIKITEXT, read_lambada, read_wikitext
from nanogpt.hub import errors_in_a_sentence, stream_dataset
from nanogpt.pydocs import pydocs
from nanogpt.stories import stories

if TYPE_CHECKING:
    import datasets
    import pyarrow

FILE_TYPES = {".txt": "text", ".jsonl": "json", ".parquet": "parquet"}
HUB_ROWS = {"openwebtext": "Skylion007/openwebtext", "tinystories": "roneneldan/TinyStories"}  # a row is a document
HUB_TEXTS = (*HUB_ROWS, *WIKITEXT, *LAMBADA)
OPENWEBTEXT_DOCUMENTS = 8_013_769  # nanoGPT's count
BLOCK_CHARACTERS = 2_000  # a lone text file is cut at blank lines into documents of about this size
BATCH = 64  # documents that are read and handed on at a time


class Document(NamedTuple):
    """A text, and the natural log of its probability where that is known exactly (`stories`)."""

    text: str
    log_prob: float | None = None


Place = int | dict  # where a stream can be taken up again, as JSON-able values
Stream = Iterator[tuple[list[Document], Place]]


@dataclass(frozen=True)
class Corpus:
    """A source of documents: `recipe` says which, as JSON-able values.

    `batches(place)` yields some documents at a time, each time with the place to go on from after them;
    None is the top. The order never changes. `total` documents or `size` bytes, where they are known.
    """

    recipe: dict
    batches: Callable[[Place | None], Stream]
    total: int | None = None
    size: int | None = None

    def __iter__(self) -> Iterator[Document]:
        return (document for documents, _ in self.batches(None) for document in documents)


def open_corpus(source: str, limit: int | None = None, seed: int = 0, text_field: str = "text") -> Corpus:
    """Find the corpus called `source`: one of the names above, or a path.

    `limit` keeps the first so many documents (stories: writes so many, 20,000 if None); `seed` is for
    `stories`; `text_field` names the column of .jsonl and .parquet files that holds the text.
    Raises FileNotFoundError for a source that is neither a name nor there, ValueError for one
    that can't be text. A text of the hub is looked for when it is read, which may raise OSError.
    """
    if limit is not None and limit < 1:
        raise ValueError(f"limit={limit} leaves no documents; choose 1 or more")
    if seed < 0:
        raise ValueError(f"seed={seed} is negative; choose 0 or more")
    recipe = {"source": str(source), "limit": limit}
    if source == "pydocs":
        recipe = {"source": source, "python": sys.version.split()[0], "limit": limit}
        return Corpus(recipe, in_batches(lambda: map(Document, islice(pydocs(), limit))))
    if source == "stories":
        count = limit or 20_000
        recipe = {"source": source, "limit": count, "story_seed": seed}
        return Corpus(recipe, in_batches(lambda: (Document(*story) for story in stories(seed, count))), total=count)
    if source in HUB_ROWS:
        total = OPENWEBTEXT_DOCUMENTS if source == "openwebtext" else limit
        return Corpus(recipe, _hub_rows(HUB_ROWS[source], limit), total=min(total or 0, limit or total or 0) or None)
    if source in HUB_TEXTS:
        texts = partial(read_lambada, source) if source in LAMBADA else partial(read_wikitext, source, "train")
        return Corpus(recipe, in_batches(lambda: map(Document, islice(texts(), limit))))
    files = find_files(source)
    size = sum(file.stat().st_size for file in files)
    newest = max(file.stat().st_mtime_ns for file in files)
    recipe = {"source": str(source), "files": len(files), "bytes": size, "newest": newest, "limit": limit}
    recipe["text_field"] = text_field
    if files[0].suffix == ".txt" and len(files) == 1:
        return Corpus(recipe, in_batches(lambda: islice(_text_blocks(files[0]), limit)), size=size)
    return Corpus(recipe, _file_rows(files, text_field, limit), size=size)


def usual_preparation(source: str) -> dict:
    """How a source is prepared unless told otherwise: arguments of `prepare`.

    OpenWebText gets nanoGPT's settings, so that scores can be compared with published ones.
    """
    if source == "openwebtext":
        return {"tokenizer": "gpt2", "val_share": 0.0005, "shuffle": True}
    return {"tokenizer": "gpt2" if source in HUB_TEXTS else "768", "val_share": 0.1, "shuffle": False}


def in_batches(read: Callable[[], Iterator[Document]]) -> Callable[[Place | None], Stream]:
    """Batches of what `read` yields from the top each time; the place is the number of documents so far."""

    def batches(place: Place | None) -> Stream:
        done = place or 0
        documents = islice(read(), done, None)
        while batch := list(islice(documents, BATCH)):
            done += len(batch)
            yield batch, done

    return batches


def _row_batches(
    rows: "datasets.IterableDataset",
    place: Place | None,
    limit: int | None,
    texts_of: Callable[["pyarrow.Table"], list[str]],
) -> Stream:
    """Batches of rows as `datasets` streams them; it can take up a stream in the middle of a file."""
    rows = rows.with_format("arrow")
    done = place["documents"] if place else 0
    if place:
        rows.load_state_dict(place["stream"])
    for table in rows.iter(BATCH):
        documents = [Document(text) for text in texts_of(table)][: None if limit is None else limit - done]
        done += len(documents)
        if documents:
            yield documents, {"documents": done, "stream": rows.state_dict()}
        if done == limit:
            return


def _hub_rows(repo: str, limit: int | None) -> Callable[[Place | None], Stream]:
    def batches(place: Place | None) -> Stream:
        rows = stream_dataset(repo)
        with errors_in_a_sentence(repo):
            yield from _row_batches(rows, place, limit, lambda table: table["text"].to_pylist())

    return batches


def find_files(source: str) -> list[Path]:
    """The .txt, .jsonl and .parquet files that `source` is or holds, sorted; each one looked at."""
    root = Path(source)
    if not root.exists():
        raise FileNotFoundError(
            f"{source!r} is neither a corpus (pydocs, stories, {', '.join(HUB_TEXTS)}) nor a file or folder here; "
            "check the path"
        )
    files = sorted(f for f in root.rglob("*") if f.suffix in FILE_TYPES and f.is_file()) if root.is_dir() else [root]
    if not files or files[0].suffix not in FILE_TYPES:
        raise ValueError(f"{source} holds no {', '.join(FILE_TYPES)} files; convert your text to one of these first")
    if len({file.suffix for file in files}) > 1:
        raise ValueError(f"{source} mixes file types; put .txt, .jsonl and .parquet into folders of their own")
    for file in files:
        _require_readable(file)
    files = [file for file in files if file.stat().st_size]
    if not files:
        raise ValueError(
            f"the corpus is empty: {source} holds nothing but empty files; point to a source with some text"
        )
    return files


def _require_readable(file: Path) -> None:
    with file.open("rb") as stream:
        start = stream.read(8192)
    if file.suffix == ".parquet":
        kind, readable = "parquet", start.startswith(b"PAR1") or not start
    else:
        kind, readable = "UTF-8 text", b"\0" not in start and _is_utf8(start)
    if not readable:
        raise ValueError(f"{file} is named {file.suffix} but is not {kind}; remove it or convert it first")


def _is_utf8(start: bytes) -> bool:
    try:
        start.decode()
    except UnicodeDecodeError as error:
        return len(start) - error.start < 4 and error.reason == "unexpected end of data"
    return True


def _file_rows(files: list[Path], text_field: str, limit: int | None) -> Callable[[Place | None], Stream]:
    """A row of a .jsonl or .parquet is a document; so is each .txt of several."""
    place_of = files[0] if len(files) == 1 else files[0].parent

    def texts_of(table: "pyarrow.Table") -> list[str]:
        texts = table[text_field].to_pylist() if text_field in table.column_names else [None]
        for text in texts:
            if not isinstance(text, str):
                raise ValueError(
                    f"{place_of} has a row whose {text_field!r} is {type(text).__name__}, not text; "
                    f"its fields are {', '.join(table.column_names)}: name the right one with --text-field"
                )
        return [text for text in map(_plain, texts, [place_of] * len(texts)) if text.strip()]

    def batches(place: Place | None) -> Stream:
        with _unreadable_in_a_sentence(files):
            yield from _row_batches(_stream_files(files), place, limit, texts_of)

    return batches


def _text_blocks(file: Path) -> Iterator[Document]:
    """A lone .txt is cut at blank lines into documents of about 2,000 characters, so that some can be held out."""
    block: list[str] = []
    with _unreadable_in_a_sentence([file]):
        for row in _stream_files([file], sample_by="paragraph"):
            block.append(_plain(row["text"], file).strip("\n"))
            if sum(map(len, block)) >= BLOCK_CHARACTERS:
                yield Document("\n\n".join(block) + "\n")
                block = []
    rest = "\n\n".join(block)
    if rest.strip():
        yield Document(rest + "\n")


def _stream_files(files: list[Path], sample_by: str = "document") -> "datasets.IterableDataset":
    import datasets

    datasets.logging.set_verbosity(logging.CRITICAL)  # a file that can't be read is told once, by us
    kind = FILE_TYPES[files[0].suffix]
    options = {"sample_by": sample_by} if kind == "text" else {}
    names = [glob.escape(str(file)) for file in files]  # they are taken for patterns
    rows = datasets.load_dataset(kind, data_files={"train": names}, split="train", streaming=True, **options)
    return rows.reshard() if kind == "parquet" else rows  # row group by row group: a whole file may be read ahead


@contextlib.contextmanager
def _unreadable_in_a_sentence(files: list[Path]) -> Iterator[None]:
    import datasets
    import pyarrow

    try:
        yield
    except (datasets.exceptions.DatasetGenerationError, pyarrow.ArrowInvalid, UnicodeDecodeError) as error:
        reason = str(error.__cause__ or error).splitlines()[0]
        raise ValueError(f"{files[0].parent} holds a file that can't be read ({reason}); mend or remove it") from error


def _plain(text: str, place: Path) -> str:
    if "\0" in text:
        raise ValueError(f"{place} has a document with zero bytes, so it is not text; remove it")
    return text.removeprefix("\ufeff")  # the mark that some editors put at the start of a file
