"""CSV for spreadsheets: read as any of them may have saved it, written so that none takes a text for a formula."""

import csv
import io
from collections.abc import Iterable
from pathlib import Path

from nanogpt.checkpoint import write_whole

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")  # a cell that begins so may be run instead of shown


def read_rows(path: Path, needed: Iterable[str], wanted: Iterable[str]) -> list[tuple[int, dict[str, str]]]:
    """The lines after the first, with their numbers: column -> text, "" where a line is short.

    Commas, semicolons and tabs are understood. Raises ValueError for a file that isn't UTF-8 or no table, or that lacks
    a `needed` column; `wanted` are the columns that its first line should have.
    """
    try:
        content = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not in UTF-8; save it again as CSV in UTF-8") from None
    head = content.partition("\n")[0]
    lines = csv.DictReader(io.StringIO(content, newline=""), delimiter=max(",;\t", key=head.count))
    try:
        columns = lines.fieldnames or ()
        rows = [(lines.line_num, {key: shown(row[key] or "") for key in columns}) for row in lines]
    except csv.Error as error:
        raise ValueError(f"{path} can't be read as a table ({error}); save it again as CSV in UTF-8") from None
    for column in needed:
        if column not in columns:
            raise ValueError(f"{path} has no column called {column}; its first line should be {','.join(wanted)}")
    return rows


def write_rows(path: Path, rows: Iterable[Iterable[str]], encoding: str = "utf-8") -> Path:
    """Write a table, whole or not at all, and its folder if need be. With "utf-8-sig" Excel knows it for UTF-8."""
    path.parent.mkdir(parents=True, exist_ok=True)

    def write(partial: Path) -> None:
        with partial.open("w", newline="", encoding=encoding, errors="replace") as file:
            csv.writer(file).writerows([plain(cell) for cell in row] for row in rows)

    write_whole(path, write)
    return path


def plain(text: str) -> str:
    """A text that no spreadsheet takes for a formula."""
    return "'" + text if text.lstrip("'").startswith(FORMULA) else text


def shown(text: str) -> str:
    """What `plain` was given."""
    return text[1:] if text.startswith("'") and text.lstrip("'").startswith(FORMULA) else text
