"""What the README says of the laptop preset, measured here: `make measure` prints the table's rows."""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def nanogpt(*args) -> str:
    command = [sys.executable, "-m", "nanogpt", *map(str, args)]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout


def measure(source: str, folder: Path) -> str:
    data, run = folder / source, folder / f"run-{source}"
    nanogpt("prepare", source, "--out", data)
    start = time.perf_counter()
    nanogpt("train", "laptop", "--data", data, "--run", run)
    seconds = time.perf_counter() - start
    report = json.loads(nanogpt("evaluate", run, "--json"))
    ours, bigram = report["bits_per_byte"], report["baselines"]["bigram"]["bits_per_byte"]
    floor = "not known"
    if report["floor"]:
        exact = report["floor"]["bits_per_byte"]
        floor = f"{exact:.3f} ({ours / exact - 1:+.1%})"
    return f"| `{source}` | {seconds:.0f} s | {ours:.3f} | {bigram:.3f} ({ours / bigram - 1:+.1%}) | {floor} |"


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        for source in ("pydocs", "stories"):
            print(measure(source, Path(folder)), flush=True)
