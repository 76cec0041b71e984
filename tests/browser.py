"""A real browser on a real JupyterLab, opened as `nanogpt play` opens it, on this machine alone."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import matplotlib
import psutil
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, Playwright, expect

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)
FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
).split()
PATIENCE = 30_000  # milliseconds for what takes one or two on a machine that is idle
# The handle of ipywidgets' own slider has no name and no way to be given one; each of our sliders stands beside a
# number box that is labelled and holds the same value.
NAMELESS = ".noUi-handle"


class Lab(NamedTuple):
    """A JupyterLab that is running."""

    address: str
    folder: Path
    process: psutil.Process

    def kernels(self) -> list[psutil.Process]:
        """The processes of its kernels."""
        return [p for p in self.process.children(recursive=True) if "ipykernel_launcher" in " ".join(p.cmdline())]


@contextmanager
def lab(course: Path, *runs: Path) -> Iterator[Lab]:
    """Run `nanogpt play` in the folder `course`, with a home of its own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    home = course / "home"
    folders = {f"JUPYTER_{name}_DIR": home / name.lower() for name in ("CONFIG", "DATA", "RUNTIME")}
    for folder in folders.values():
        folder.mkdir(parents=True)
    settings = {
        "ServerApp": {"port": port, "port_retries": 0, "open_browser": False},
        "IdentityProvider": {"token": ""},
        "LabApp": {"expose_app_in_browser": True},
    }
    for name in ("jupyter_server_config.json", "jupyter_lab_config.json"):
        (home / "config" / name).write_text(json.dumps(settings))
    own = {
        "HOME": home, "IPYTHONDIR": home / "ipython", "NANOGPT_HOME": course, "NANOGPT_TIER": "smoke",
        "MPLCONFIGDIR": matplotlib.get_cachedir(), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1",
    }  # fmt: skip
    environment = os.environ | {name: str(value) for name, value in (folders | own).items()}
    with (home / "lab.log").open("w") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "nanogpt", "play", *map(str, runs)],
            cwd=course, env=environment, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    try:
        address = f"http://127.0.0.1:{port}"
        _wait_for(f"{address}/api/status", server, home / "lab.log")
        yield Lab(address, course, psutil.Process(server.pid))
    finally:
        _end(server)


def _wait_for(url: str, server: subprocess.Popen, log: Path) -> None:
    until = time.monotonic() + PATIENCE / 1000
    while time.monotonic() < until and server.poll() is None:
        with contextlib.suppress(OSError):
            urllib.request.urlopen(url, timeout=5).close()
            return
        time.sleep(0.1)
    raise TimeoutError(f"JupyterLab didn't come up: {log.read_text()[-3000:]}")


def _end(server: subprocess.Popen) -> None:
    """End the server by its process group, and its kernels, which have groups of their own."""
    family = psutil.Process(server.pid).children(recursive=True)
    os.killpg(server.pid, signal.SIGTERM)
    psutil.wait_procs(family, timeout=10)
    for process in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    with contextlib.suppress(ProcessLookupError):
        os.killpg(server.pid, signal.SIGKILL)
    server.wait(10)


class Notebook:
    """A notebook open in the browser; what is pressed and read is in the output of one of its code cells."""

    def __init__(self, page: Page, address: str, name: str):
        self.page, self.address, self.name = page, address, name
        self.look_at(0)
        self.faults: list[str] = []
        page.set_default_timeout(PATIENCE)
        expect.set_options(timeout=PATIENCE)
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.open()

    def look_at(self, cell: int) -> None:
        """Turn to the output of the code cell of this number, from 0."""
        self.here = self.page.locator(".jp-CodeCell").nth(cell).locator(".jp-Cell-outputArea")

    def open(self) -> None:
        """Open or reload the page, and wait until the kernel is ready."""
        self.page.goto(f"{self.address}/lab/tree/notebooks/{self.name}?reset")
        self.page.wait_for_selector(".jp-NotebookPanel:visible")
        self.wait_for_kernel()

    def wait_for_kernel(self) -> None:
        """Wait until nothing is being run."""
        kernel = "jupyterapp.shell.currentWidget?.sessionContext?.session?.kernel"
        self.page.wait_for_function(f"() => {kernel}?.status === 'idle' && {kernel}.connectionStatus === 'connected'")

    def command(self, name: str, **arguments) -> None:
        """Begin one of JupyterLab's commands."""
        self.page.evaluate("([name, args]) => { void jupyterapp.commands.execute(name, args) }", [name, arguments])

    def run_all(self) -> None:
        """Run all cells, and wait until they have been."""
        self.page.evaluate("() => { window.ran = 0 }")
        self.page.evaluate(
            "() => { jupyterapp.commands.execute('notebook:run-all-cells').then(() => { window.ran = 1 }) }"
        )
        self.page.wait_for_function("() => window.ran === 1")

    def save(self) -> None:
        """Save the notebook, and wait until it has been."""
        self.command("docmanager:save")
        self.page.wait_for_function("() => !jupyterapp.shell.currentWidget.context.model.dirty")

    def end_kernel(self) -> None:
        """Shut the kernel down, and wait until the server has none."""
        self.command("notebook:shutdown-kernel")
        self.page.wait_for_function("async () => (await (await fetch('/api/kernels')).json()).length === 0")

    def theme(self, name: str) -> None:
        """JupyterLab Light or JupyterLab Dark."""
        self.command("apputils:change-theme", theme=name)
        self.page.wait_for_function(f"() => document.body.dataset.jpThemeName === '{name}'")
        self.page.wait_for_timeout(300)

    def press(self, name: str, nth: int = 0) -> None:
        """Press a button by its name; what the status lines say until then no longer counts."""
        self.old()
        self.here.get_by_role("button", name=name, exact=True).nth(nth).click()

    def box(self, label: str, nth: int = 0) -> Locator:
        """What is labelled so: a text, a number, a choice."""
        return self.here.get_by_label(label, exact=True).nth(nth)

    def old(self) -> None:
        """Forget what the status lines say; a new sentence comes in a new element."""
        self.here.locator(".nanogpt-status").evaluate_all("lines => lines.forEach(line => { line.dataset.old = 1 })")

    def status(self, holds: str) -> str:
        """Wait until a status line says something anew, and return all that it says."""
        line = self.here.locator(".nanogpt-status:not([data-old])").filter(has_text=holds).first
        line.wait_for()
        return line.inner_text()

    def handle(self, label: str) -> Locator:
        """The handle of the slider beside a number box."""
        row = self.box(label).locator("xpath=ancestor::*[contains(@class, 'widget-hbox')][1]")
        return row.locator(".noUi-handle")

    def grave_faults(self) -> list[str]:
        """What axe-core finds serious or critical within the widget, each with its rule and its place."""
        self.here.evaluate("area => document.querySelectorAll('.jp-Cell-outputArea').forEach("
                           "other => other.classList.toggle('looked-at', other === area))")  # fmt: skip
        context = {"include": [[".looked-at .jupyter-widgets"]], "exclude": [[NAMELESS]]}
        found = Axe().run(self.page, context).response
        assert [rule for rule in found["passes"] if rule["id"] == "color-contrast"], "nothing was looked at"
        return [
            f"{rule['id']} ({rule['impact']}): {node['target']} {node['html'][:200]}"
            for rule in found["violations"]
            if rule["impact"] in ("serious", "critical")
            for node in rule["nodes"]
        ]


def new_page(playwright: Playwright) -> Page:
    """A page of a Chromium of its own, wide enough for two texts."""
    browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
    return browser.new_context(viewport={"width": 1400, "height": 1000}).new_page()
