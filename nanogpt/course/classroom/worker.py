"""The process in which a student's notebook runs: it runs cells and tries answers when it is told to.

It judges nothing. Its inputs are drawn before any of the student's code runs, and what it sends back is compared
outside, so whatever is done to it can only lose points.
"""

import contextlib
import io
import os
import socket
import sys
from pathlib import Path
from typing import Any

SHOWN = 20_000  # characters of output that are kept of a cell
OPEN_FILES = 256  # each pipe or socket holds memory of the kernel's


def limit(memory: int, file_size: int) -> None:
    """Bound this process for good: bytes of address space and of a file, files open, no core dumps. Not on Windows.

    The address space that it has already comes on top: torch with CUDA maps gigabytes that it never touches.
    """
    with contextlib.suppress(ImportError):
        import resource

        with contextlib.suppress(OSError):
            memory += int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        bounds = {"RLIMIT_AS": memory, "RLIMIT_FSIZE": file_size, "RLIMIT_NOFILE": OPEN_FILES, "RLIMIT_CORE": 0}
        for what, most in bounds.items():
            resource.setrlimit(getattr(resource, what), (most, most))


class Bounded(io.TextIOBase):
    """Standard output that keeps the first SHOWN characters and lets the rest go."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.free = SHOWN

    def writable(self) -> bool:
        """It can be written to."""
        return True

    def write(self, text: str) -> int:
        """Keep what still has room."""
        if self.free > 0:
            self.parts.append(text[: self.free])
            self.free -= len(text)
            if self.free <= 0:
                self.parts.append(f"\n... what was printed after {SHOWN:,} characters is left out\n")
        return len(text)

    def take(self) -> str:
        """What was kept, and begin anew."""
        text = "".join(self.parts)
        self.__init__()
        return text


class Worker:
    """An IPython shell with the student's names in it, and the items with their inputs."""

    def __init__(self, stem: str, seeds: dict[str, list[int]]) -> None:
        from IPython.core.interactiveshell import InteractiveShell
        from traitlets.config import Config

        from nanogpt.course.check import items
        from nanogpt.course.check.trial import Fault, Trial, try_on
        from nanogpt.course.classroom.wire import pack

        self.items, self.try_on, self.Trial, self.Fault, self.pack = items(stem), try_on, Trial, Fault, pack
        self.cases = {(name, seed): self.items[name].drawn(seed) for name in seeds for seed in seeds[name]}
        self.shell = InteractiveShell.instance(config=Config({"HistoryManager": {"enabled": False}}), colors="nocolor")
        self.shell.enable_gui = lambda gui=None: None  # so that `%matplotlib inline` does no harm
        self.shell._tee = lambda channel: contextlib.nullcontext()  # IPython would keep all that is printed

    def do(self, what: str, name: str = "", source: str = "", seed: int = 0, case: int = 0) -> dict[str, Any]:
        """Carry out one request and say what came of it."""
        return getattr(self, f"do_{what}")(name, source, seed, case)

    def do_run(self, name: str, source: str, seed: int, case: int) -> dict[str, Any]:
        """Run a cell."""
        done = self.shell.run_cell(source, store_history=False)
        return {"failed": not done.success}

    def do_stand_in(self, name: str, source: str, seed: int, case: int) -> dict[str, Any]:
        """Put the course's own version of an item in the place of the student's."""
        self.shell.user_ns[name] = self.items[name].reference
        return {}

    def do_try(self, name: str, source: str, seed: int, case: int) -> dict[str, Any]:
        """Try the answer called `name` on one of the item's inputs."""
        answer = self.shell.user_ns.get(name)
        if not callable(answer):
            return {"no_function": None if answer is None else type(answer).__name__}
        try:
            return self.sent(self.try_on(answer, self.cases[name, seed][case], self.items[name].gradient))
        except Exception as error:  # autograd refuses to go back through it, or it is too large to be sent
            return self.sent(self.Trial(fault=self.Fault(type(error).__name__, str(error), "after its return")))

    def sent(self, tried: Any) -> dict[str, Any]:
        """A trial as JSON can hold it."""
        fault = tried.fault
        return {
            "got": self.pack(tried.got),
            "again": self.pack(tried.again),
            "unchanged": tried.unchanged,
            "gradients": self.pack(tried.gradients),
            "fault": [fault.kind, fault.message[:SHOWN], fault.line[:SHOWN], fault.inside] if fault else None,
        }


def serve() -> None:
    """Answer requests until the grader hangs up."""
    channel = socket.socket(fileno=os.dup(0))
    nowhere = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):  # what is written past Python goes nowhere, and nobody types
        os.dup2(nowhere, standard)
    from nanogpt.course.classroom.wire import receive, send

    first = receive(channel)
    output = Bounded()
    worker = Worker(first["stem"], first["seeds"])
    limit(first["memory"], first["file_size"])
    send(channel, {"number": first["number"]})
    while True:
        try:
            request = receive(channel)
        except EOFError:
            return
        sys.stdout = sys.stderr = output
        number = request.pop("number")
        reply = worker.do(**request)
        send(channel, reply | {"output": output.take(), "number": number})


if __name__ == "__main__":
    serve()
