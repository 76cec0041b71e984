"""The way in: JupyterLab, on this machine alone, opened on the start page."""

import subprocess
import sys

from nanogpt.course.tiers import workspace

START = "notebooks/00_start.ipynb"


def open_lab() -> int:
    """Run JupyterLab until it is stopped; returns its exit code.

    It listens on loopback alone, with its own token, and is told not to ask the network for news.
    Raises FileNotFoundError outside the course's folder.
    """
    home = workspace()
    if not (home / START).exists():
        raise FileNotFoundError(f"{START} is not in {home}; run this in the folder that the course was cloned into")
    command = [
        sys.executable, "-m", "jupyterlab", START,
        "--ip=127.0.0.1",
        "--LabApp.news_url=",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    ]  # fmt: skip
    try:
        return subprocess.call(command, cwd=home)
    except KeyboardInterrupt:  # Ctrl-C is how one leaves
        return 0
