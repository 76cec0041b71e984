"""What this machine multiplies with, and how fast: measured, since names and flags don't tell."""

import contextlib
import functools
import shutil
import time
from collections.abc import Iterator

import torch


def choose_device(name: str = "auto") -> torch.device:
    """The device called `name`; auto prefers CUDA, then Apple's MPS, then the CPU.

    Raises ValueError for a device that isn't there.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    kind = name.split(":")[0]
    here = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not here.get(kind, False):
        found = ", ".join(kind for kind, present in here.items() if present)
        raise ValueError(f"device={name!r} is not on this machine, which has {found}; choose one of these or auto")
    return torch.device(name)


def synchronize(device: torch.device) -> None:
    """Wait until the device has done what it was given, so that a clock read afterwards is true."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


@functools.cache
def matmul_gflops(device: torch.device, dtype: torch.dtype, seconds: float = 0.15) -> float:
    """Measured speed of a large matrix product, in GFLOP/s (2 n^3 operations for n x n matrices)."""
    n = 1024 if device.type == "cpu" else 4096
    a = torch.randn(n, n, device=device).to(dtype)
    product = torch.empty_like(a)
    torch.mm(a, a, out=product)  # the first call sets things up
    synchronize(device)
    best, start = float("inf"), time.perf_counter()
    while time.perf_counter() - start < seconds:
        tick = time.perf_counter()
        torch.mm(a, a, out=product)
        synchronize(device)
        best = min(best, time.perf_counter() - tick)
    return 2 * n**3 / best / 1e9


@contextlib.contextmanager
def on_one_core() -> Iterator[None]:
    """Inside, whoever calls does torch's work on the CPU alone; threads that are there already keep their helpers.

    Each Python thread gets helpers of its own, and where all of them together outnumber the cores they hand over
    slowly, which a small model's single tokens feel most.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def choose_precision(name: str, device: torch.device) -> str:
    """ "float32" or "bfloat16"; auto measures both and takes bfloat16 where it is well ahead."""
    if name != "auto":
        return name
    plain, half = (matmul_gflops(device, dtype) for dtype in (torch.float32, torch.bfloat16))
    return "bfloat16" if half > 1.3 * plain else "float32"


def autocast(device: torch.device, precision: str) -> contextlib.AbstractContextManager:
    """Inside, matrix products run in `precision`; weights and sums stay in float32."""
    if precision == "float32":
        return contextlib.nullcontext()
    return torch.autocast(device.type, dtype=torch.bfloat16)


def has_compiler() -> bool:
    """Whether a C++ compiler is on the path, which torch.compile needs on a CPU."""
    return any(shutil.which(name) for name in ("c++", "g++", "clang++", "cl"))
