"""Where text comes from: sources by name, each a stream of documents that can be read again and again.

`pydocs`    real text that every Python carries: its language reference and its docstrings
`stories`   short tales from a grammar, with their exact probability
a path      your own .txt, .jsonl or .parquet file, or a folder of them

No source holds its text in memory; a document is read, handed on and forgotten.
"""

import ast
import hashlib
import inspect
import logging
import sys
import sysconfig
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import NamedTuple

FILE_TYPES = {".txt": "text", ".jsonl": "json", ".parquet": "parquet"}
BLOCK_CHARACTERS = 2_000  # a lone text file is cut at blank lines into documents of about this size


class Document(NamedTuple):
    """A text, and the natural log of its probability where that is known exactly (`stories`)."""

    text: str
    log_prob: float | None = None


@dataclass(frozen=True)
class Corpus:
    """A source of documents: `recipe` says which, as JSON-able values; `read` starts it from the top."""

    recipe: dict
    read: Callable[[], Iterator[Document]]

    def __iter__(self) -> Iterator[Document]:
        return self.read()


def open_corpus(source: str, limit: int | None = None, seed: int = 0, text_field: str = "text") -> Corpus:
    """Find the corpus called `source`: "pydocs", "stories" or a path.

    `limit` keeps the first so many documents (stories: writes so many, 20,000 if None); `seed` is for
    `stories`; `text_field` names the column of .jsonl and .parquet files that holds the text.
    Raises FileNotFoundError for a source that is neither a name nor there, ValueError for one
    that can't be text.
    """
    if limit is not None and limit < 1:
        raise ValueError(f"limit={limit} leaves no documents; choose 1 or more")
    if seed < 0:
        raise ValueError(f"seed={seed} is negative; choose 0 or more")
    if source == "pydocs":
        recipe = {"source": source, "python": sys.version.split()[0], "limit": limit}
        return Corpus(recipe, lambda: islice(pydocs(), limit))
    if source == "stories":
        count = limit or 20_000
        recipe = {"source": source, "limit": count, "seed": seed}
        return Corpus(recipe, lambda: _stories(seed, count))
    files = find_files(source)
    size = sum(file.stat().st_size for file in files)
    newest = max(file.stat().st_mtime_ns for file in files)
    recipe = {"source": str(source), "files": len(files), "bytes": size, "newest": newest, "limit": limit}
    return Corpus(recipe, lambda: islice(read_files(files, text_field), limit))


def pydocs() -> Iterator[Document]:
    """Python's own documentation: the language reference, then a document for each module of the library.

    A module's document is its docstring and those of its classes and functions, each under its
    signature. Nothing is imported, the order is fixed, and a docstring met before is left out: the
    same Python gives the same text.
    """
    seen: set[bytes] = set()

    def is_new(text: str) -> bool:
        key = hashlib.sha256(text.encode()).digest()[:16]
        fresh = key not in seen
        seen.add(key)
        return fresh

    for title, text in _language_topics():
        if is_new(text):
            yield Document(f"{title}\n\n{text}\n")
    library = Path(sysconfig.get_paths()["stdlib"])
    skipped = {"test", "tests", "idle_test", "site-packages", "dist-packages", "__pycache__", "pydoc_data"}
    for path in sorted(library.rglob("*.py")):
        name = path.relative_to(library).with_suffix("")
        if skipped.isdisjoint(name.parts):
            sections = [s for s in _docstrings(path, ".".join(name.parts)) if is_new(s.split("\n", 1)[1])]
            if sections:
                yield Document("\n\n".join(sections) + "\n")


def _language_topics() -> list[tuple[str, str]]:
    try:
        from pydoc_data.topics import topics
    except ImportError:  # a few distributions leave it out; the docstrings remain
        return []
    return [(title, _clean(text)) for title, text in sorted(topics.items())]


def _docstrings(path: Path, module: str) -> Iterator[str]:
    """Yield 'signature, docstring' for what the file documents, in the order of the file."""
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError):  # templates and broken samples that the library ships
        return
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)

    def walk(node: ast.AST, prefix: str) -> Iterator[str]:
        text = ast.get_docstring(node, clean=False)
        if text and text.strip():
            yield f"{_signature(node, prefix)}\n{_clean(text)}"
        for child in ast.iter_child_nodes(node):
            if isinstance(child, kinds):
                yield from walk(child, f"{prefix}.{child.name}")

    yield from walk(tree, module.removesuffix(".__init__"))


def _signature(node: ast.AST, name: str) -> str:
    if isinstance(node, ast.Module):
        return f"module {name}"
    if isinstance(node, ast.ClassDef):
        return f"class {name}({', '.join(ast.unparse(base) for base in node.bases)})"
    return f"{name}({ast.unparse(node.args)})"


def _clean(text: str) -> str:
    lines = inspect.cleandoc(text).splitlines()
    return "\n".join(line.rstrip() for line in lines).strip()


def _stories(seed: int, count: int) -> Iterator[Document]:
    from nanogpt.stories import stories

    return (Document(text, log_prob) for text, log_prob in stories(seed, count))


def find_files(source: str) -> list[Path]:
    """The .txt, .jsonl and .parquet files that `source` is or holds, sorted; each one looked at."""
    root = Path(source)
    if not root.exists():
        raise FileNotFoundError(
            f"{source!r} is neither a corpus (pydocs, stories) nor a file or folder here; check the path"
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


def read_files(files: list[Path], text_field: str = "text") -> Iterator[Document]:
    """Stream the documents of files of one type, through `datasets`.

    A row of a .jsonl or .parquet is a document; so is each .txt of several. A single .txt is cut at
    blank lines into documents of about 2,000 characters, so that some can be held out.
    """
    import datasets
    import pyarrow

    datasets.logging.set_verbosity(logging.CRITICAL)  # a file that can't be read is told once, by us
    kind = FILE_TYPES[files[0].suffix]
    options = {}
    if kind == "text":
        options["sample_by"] = "document" if len(files) > 1 else "paragraph"
    try:
        rows = datasets.load_dataset(
            kind, data_files={"train": [str(f) for f in files]}, split="train", streaming=True, **options
        )
        texts = (_text_of(row, text_field, files) for row in rows)
        if options.get("sample_by") == "paragraph":
            texts = _blocks(texts)
        yield from (Document(text) for text in texts if text.strip())
    except (datasets.exceptions.DatasetGenerationError, pyarrow.ArrowInvalid, UnicodeDecodeError) as error:
        reason = str(error.__cause__ or error).splitlines()[0]
        raise ValueError(f"{files[0].parent} holds a file that can't be read ({reason}); mend or remove it") from error


def _text_of(row: dict, text_field: str, files: list[Path]) -> str:
    text, place = row.get(text_field), files[0] if len(files) == 1 else files[0].parent
    if not isinstance(text, str):
        raise ValueError(
            f"{place} has a row whose {text_field!r} is {type(text).__name__}, not text; "
            f"its fields are {', '.join(row)}: name the right one with --text-field"
        )
    if "\0" in text:
        raise ValueError(f"{place} has a document with zero bytes, so it is not text; remove it")
    return text.removeprefix("\ufeff")  # the mark that some editors put at the start of a file


def _blocks(paragraphs: Iterator[str]) -> Iterator[str]:
    block: list[str] = []
    for paragraph in paragraphs:
        block.append(paragraph.strip("\n"))
        if sum(map(len, block)) >= BLOCK_CHARACTERS:
            yield "\n\n".join(block) + "\n"
            block = []
    if block:
        yield "\n\n".join(block) + "\n"
