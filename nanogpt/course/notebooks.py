"""Keeping the notebooks' outputs true: run them at the laptop tier and note what was run.

    python -m nanogpt.course.notebooks notebooks/00_start.ipynb ...

Each notebook's metadata then holds a hash of its sources, by which a test tells outputs that are out
of date, and the seconds that it took, which its first cell says too; its first picture is kept in
notebooks/images/ for pages that point to it. Notebooks named together share a workspace, as in one sitting.
"""

import hashlib
import os
import re
import sys
import tempfile
import time
from base64 import b64decode
from pathlib import Path

import nbformat
from nbformat import NotebookNode

KEPT_METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
TIME_SAID = re.compile(r"(?<=\*Time: )\d+(?= seconds at the laptop tier)")


def source_hash(notebook: NotebookNode) -> str:
    """SHA-256 over the code cells: what their outputs depend on."""
    sources = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    return hashlib.sha256("\0".join(sources).encode()).hexdigest()


def refresh(path: Path, home: str) -> int:
    """Run a notebook in a fresh kernel with the workspace `home` and store its outputs. Returns its seconds."""
    from nbclient import NotebookClient

    notebook = nbformat.read(path, as_version=4)
    environment = {"NANOGPT_HOME": home, "NANOGPT_TIER": "laptop", "HF_HUB_OFFLINE": "1", "COLUMNS": "100"}
    environment["NANOGPT_PICTURES"] = "1"  # of a widget its still picture alone
    client = NotebookClient(
        notebook, timeout=1200, store_widget_state=False, resources={"metadata": {"path": str(path.parent)}}
    )
    start = time.monotonic()
    client.execute(env=os.environ | environment)
    seconds = round(time.monotonic() - start)
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type == "markdown":
            cell.source = TIME_SAID.sub(str(seconds), cell.source)
    stamp = {"source_sha256": source_hash(notebook), "tier": "laptop", "seconds": seconds}
    notebook.metadata = nbformat.from_dict(KEPT_METADATA | {"nanogpt": stamp})
    nbformat.write(notebook, path)
    if picture := first_picture(notebook):
        (path.parent / "images").mkdir(exist_ok=True)
        (path.parent / "images" / f"{path.stem}.png").write_bytes(picture)
    return seconds


def first_picture(notebook: NotebookNode) -> bytes | None:
    """The first figure among a notebook's outputs, as PNG; a widget's still picture is none."""
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    drawn = (output for output in outputs if output.output_type == "display_data")
    return next((b64decode(output.data["image/png"]) for output in drawn if "image/png" in output.data), None)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as home:  # one sitting: a chapter finds what the ones before it made
        total = 0
        for name in sys.argv[1:]:
            total += (seconds := refresh(Path(name), home))
            sys.stdout.write(f"{name}: {seconds} s\n")
        sys.stdout.write(f"together: {total / 60:.1f} min\n")
