"""What this machine has, and what that means for the course: a line each, all of it measured or looked up."""

import os
import platform
import shutil
from collections.abc import Iterator

import torch

from nanogpt.course.tiers import tier, workspace
from nanogpt.device import choose_device, choose_precision, has_compiler, matmul_gflops
from nanogpt.hub import is_reachable

OPENWEBTEXT_GB = 9_035_582_198 * 2 / 1e9  # its training tokens (nanoGPT's count), two bytes each


def findings() -> Iterator[str]:
    """Yield the lines, each 'what: found - what it means'."""
    device = choose_device()
    yield _line("Python", platform.python_version(), "the course needs 3.11 or newer")
    yield _line("torch", torch.__version__, f"threads it works on at once: {torch.get_num_threads()}")
    yield _line("cores", str(os.cpu_count()), "the laptop tier is planned for two")
    plain, half = (matmul_gflops(device, dtype) for dtype in (torch.float32, torch.bfloat16))
    chosen = choose_precision("auto", device)
    yield _line("matmul", f"{plain:,.0f} GFLOP/s float32, {half:,.0f} bfloat16", f"training will use {chosen}")
    compiler = "found" if has_compiler() else "none"
    means = "--train.compile can be tried" if has_compiler() else "--train.compile falls back to plain torch on a CPU"
    yield _line("compiler", compiler, means)
    yield _accelerator(device)
    yield _hub()
    free = shutil.disk_usage(workspace()).free / 1e9
    need = f"OpenWebText's tokens take {OPENWEBTEXT_GB:.0f} GB" + ("" if free > OPENWEBTEXT_GB else ", too much here")
    yield _line("disk", f"{free:,.0f} GB free", need)
    yield _line("tier", tier(), "NANOGPT_TIER=smoke, laptop or gpu changes it")


def _line(what: str, found: str, meaning: str) -> str:
    return f"{what:12}{found} - {meaning}"


def _accelerator(device: torch.device) -> str:
    if device.type == "cuda":
        card = torch.cuda.get_device_properties(device)
        found = f"{card.name}, {card.total_memory / 1e9:.0f} GB"
        return _line("accelerator", found, "the gpu tier and the 30M run are open to you")
    if device.type == "mps":
        return _line("accelerator", "Apple MPS", "the laptop tier runs on it; the 30M run wants CUDA")
    return _line("accelerator", "none", "the laptop tier runs on the CPU; the 30M run wants a GPU")


def _hub() -> str:
    if is_reachable():
        return _line("hub", "reachable", "its texts and models can be downloaded")
    return _line("hub", "not reachable", "pydocs, stories and your own files work; nothing is downloaded")
