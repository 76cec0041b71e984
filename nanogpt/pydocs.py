"""Real text that every Python carries: its language reference, and the docstrings of its library.

Nothing is downloaded, and nothing is imported: the library's files are parsed.
"""

import ast
import hashlib
import inspect
import sysconfig
from collections.abc import Iterator
from pathlib import Path


def pydocs() -> Iterator[str]:
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
            yield f"{title}\n\n{text}\n"
    library = Path(sysconfig.get_paths()["stdlib"])
    skipped = {"test", "tests", "idle_test", "site-packages", "dist-packages", "__pycache__", "pydoc_data"}
    for path in sorted(library.rglob("*.py")):
        name = path.relative_to(library).with_suffix("")
        if skipped.isdisjoint(name.parts):
            sections = [s for s in _docstrings(path, ".".join(name.parts)) if is_new(s.split("\n", 1)[1])]
            if sections:
                yield "\n\n".join(sections) + "\n"


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
