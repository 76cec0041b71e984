"""For tests and notebooks alike: the smoke tier, a workspace of their own, two threads, no network."""

import os
import tempfile

import pytest

os.environ["NANOGPT_TIER"] = "smoke"
os.environ["NANOGPT_HOME"] = tempfile.mkdtemp(prefix="nanogpt-tests-")
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ.setdefault("OMP_NUM_THREADS", "2")


@pytest.hookimpl(tryfirst=True)  # before the kernel of a notebook starts, which is when its first cell is set up
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Give each notebook an empty workspace: any chapter opens alone."""
    if item.path.suffix == ".ipynb" and item.path not in _begun:
        _begun.add(item.path)
        os.environ["NANOGPT_HOME"] = tempfile.mkdtemp(prefix="nanogpt-notebook-")


_begun: set = set()
