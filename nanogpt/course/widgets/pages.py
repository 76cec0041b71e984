"""Whether anyone still looks: a page that is closed tells its kernel nothing, but the Jupyter server counts them."""

import contextlib
import json
import threading
import urllib.request
from collections.abc import Callable
from pathlib import Path

from jupyter_core.paths import jupyter_runtime_dir

LOOK_EVERY = 5.0  # seconds
GONE = 20.0  # seconds without a page after which nobody looks any more: a reload is over by then


def kernel_id() -> str | None:
    """What the Jupyter server calls this process; None where it is no notebook's kernel."""
    from ipykernel.kernelapp import IPKernelApp

    if not IPKernelApp.initialized():
        return None
    return Path(IPKernelApp.instance().connection_file).stem.removeprefix("kernel-")


def open_pages() -> int | None:
    """How many pages are connected to this kernel; None where no Jupyter server of this machine says so.

    Editors that run kernels themselves, and the tests of the notebooks, have no such server.
    """
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    kernel = kernel_id()
    for file in Path(jupyter_runtime_dir()).glob("jpserver-*.json") if kernel else []:
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):  # it has ended, or it isn't this kernel's
            server = json.loads(file.read_text())
            headers = {"Authorization": f"token {server['token']}"}
            request = urllib.request.Request(f"{server['url']}api/kernels/{kernel}", headers=headers)
            with direct.open(request, timeout=2) as answer:
                return int(json.load(answer)["connections"])
    return None


def stop_when_closed(
    stop: threading.Event, ended: threading.Event, pages: Callable[[], int | None] = open_pages
) -> None:
    """Set `stop` once no page has been open for GONE seconds; return then, or when the work has `ended`."""
    gone = 0.0
    while gone < GONE and not ended.wait(LOOK_EVERY):
        gone = gone + LOOK_EVERY if pages() == 0 else 0.0
    if gone >= GONE:
        stop.set()
