"""The way in: JupyterLab, on this machine alone, opened on the start page."""

import os
import subprocess
import sys
from pathlib import Path

from nanogpt.course.tiers import workspace

START = "notebooks/00_start.ipynb"
SETTINGS = Path(__file__).parent / "jupyter"


def open_lab() -> int:
    """Run JupyterLab until it is stopped; returns its exit code.

    It listens on loopback alone, with its own token; the settings in `jupyter/` keep it from asking the
    network for news and updates.
    Raises FileNotFoundError outside the course's folder.
    """
    home = workspace()
    if not (home / START).exists():
        raise FileNotFoundError(f"{START} is not in {home}; run this in the folder that the course was cloned into")
    command = [
        sys.executable, "-m", "jupyterlab",
        "--ip=127.0.0.1",
        f"--ServerApp.root_dir={home}",
        f"--LabApp.default_url=/lab/tree/{START}",
    ]  # fmt: skip
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")  # in a container there is often no other user
    try:
        return subprocess.call(command, cwd=home, env=os.environ | {"JUPYTER_CONFIG_PATH": str(SETTINGS)})
    except KeyboardInterrupt:  # Ctrl-C is how one leaves
        return 0
