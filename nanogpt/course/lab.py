"""The way in: JupyterLab, on this machine alone, opened on the start page or another."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from nanogpt.course.tiers import workspace
from nanogpt.runs import newest_checkpoint, read_config

START = "notebooks/00_start.ipynb"
PLAY = "notebooks/playground.ipynb"
SETTINGS = Path(__file__).parent / "jupyter"


def open_lab(page: str = START, environment: Mapping[str, str] | None = None) -> int:
    """Run JupyterLab, opened on `page` and with `environment` added, until it is stopped; returns its exit code.

    It listens on loopback alone, with its own token; the settings in `jupyter/` keep it from asking the
    network for news and updates.
    Raises FileNotFoundError outside the course's folder.
    """
    home = workspace()
    if not (home / page).exists():
        raise FileNotFoundError(f"{page} is not in {home}; run this in the folder that the course was cloned into")
    command = [
        sys.executable, "-m", "jupyterlab",
        "--ip=127.0.0.1",
        f"--ServerApp.root_dir={home}",
        f"--LabApp.default_url=/lab/tree/{page}",
    ]  # fmt: skip
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")  # in a container there is often no other user
    environment = os.environ | {"JUPYTER_CONFIG_PATH": str(SETTINGS)} | (environment or {})
    try:
        return subprocess.call(command, cwd=home, env=environment)
    except KeyboardInterrupt:  # Ctrl-C is how one leaves
        return 0


def open_playground(runs: Sequence[Path]) -> int:
    """Run JupyterLab on the playground with these runs, the first of them chosen; none means those in `runs/`.

    Raises FileNotFoundError for a run that isn't there or has no checkpoint, ValueError for a damaged one.
    """
    for run in runs:
        read_config(run)
        newest_checkpoint(run)
    return open_lab(PLAY, {"NANOGPT_PLAY": os.pathsep.join(str(run.resolve()) for run in runs)})
