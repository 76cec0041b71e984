"""A process for a student's code that sees a read-only system, an empty home, no network, no other process, no grades.

It is bubblewrap's sandbox; the grader talks with the worker in it over a socket pair, and whatever happens in there,
ends with that process.
"""

import functools
import math
import os
import platform
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nanogpt
from nanogpt.course.classroom.wire import receive, send

INSTALL = "install it (Debian and Ubuntu: apt-get install bubblewrap), or say --unsandboxed if you trust all of them"


@dataclass(frozen=True)
class Limits:
    """What one submission may use."""

    seconds: float = 10.0
    """For a cell, or an answer on one input."""
    total_seconds: float = 180.0
    """For all of it."""
    memory: int = 2_500_000_000
    """Bytes of address space, beside the 0.6 GB and more that torch has."""
    disk: int = 64_000_000
    """Bytes of files, all of them in memory and gone afterwards."""


class Died(Exception):
    """The student's process is gone. The message says how, as the second half of a sentence."""


class Sandbox:
    """A worker's process. `ask` sends it a request; a request that ends it raises Died."""

    def __init__(self, hello: dict[str, Any], limits: Limits, course: Path | None) -> None:
        """Begin. `course` is the folder it must not see; None runs it without a sandbox.

        Raises OSError if the process can't be had at all: that is the grader's trouble, not the student's.
        """
        self.limits, self.asked = limits, 0
        self.home = tempfile.TemporaryDirectory(prefix="nanogpt-submission-")
        self.channel, theirs = socket.socketpair()
        worker = [sys.executable, "-m", "nanogpt.course.classroom.worker"]
        with theirs, tempfile.TemporaryFile() as rules:
            command = worker if course is None else _command(worker, limits, course, rules)
            self.process = subprocess.Popen(
                command, stdin=theirs, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, pass_fds=[rules.fileno()],
                cwd=self.home.name, env=_environment(self.home.name), start_new_session=True,
            )  # fmt: skip
        try:
            self._ask(hello | {"memory": limits.memory, "file_size": limits.disk}, 60 + limits.seconds)
        except Died as error:
            raise OSError(f"a student's process could not be begun: {error} {self.said}".strip()) from None

    def ask(self, request: dict[str, Any], seconds: float = math.inf) -> dict[str, Any]:
        """Send a request and wait for its answer, no longer than these seconds, nor than one request may take."""
        return self._ask(request, min(seconds, self.limits.seconds))

    def _ask(self, request: dict[str, Any], seconds: float) -> dict[str, Any]:
        deadline = time.monotonic() + seconds

        def read(count: int) -> bytes:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            self.channel.settimeout(left)
            return self.channel.recv(count)

        try:
            self.channel.settimeout(seconds)
            self.asked += 1
            send(self.channel, request | {"number": self.asked})
            reply = receive(self.channel, read)
            if reply.get("number") != self.asked:  # a message of the student's own, or one that came after such
                raise ValueError("what came is no answer to what was asked")
            return reply
        except TimeoutError:
            raise self._died(f"it was still running after {seconds:g} seconds") from None
        except (EOFError, OSError):
            raise self._died(None) from None
        except ValueError as error:
            raise self._died(f"it broke its connection with the grader: {error}") from None

    def _died(self, how: str | None) -> Died:
        if how is None:
            try:
                code = self.process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                code = None
            how = "it closed its connection with the grader" if code is None else f"it ended its own process ({code})"
            if code is not None and not 0 <= code <= 128:  # by a signal, as Python and as bubblewrap tell it
                how = "its process was killed, by itself or for the memory it took"
        self.close()
        return Died(how)

    def close(self) -> None:
        """End the process, and with it everything that it began."""
        self.channel.close()
        if self.process.stderr.closed:
            return
        if self.process.poll() is None:
            os.killpg(self.process.pid, 9)
        self.said = self.process.communicate()[1].decode(errors="replace").strip()[-500:]
        self.home.cleanup()


@functools.cache
def trouble() -> str | None:
    """Why no sandbox can be had on this machine, in a sentence; None if one can."""
    if shutil.which("bwrap") is None:
        return f"students' code runs in bubblewrap's sandbox, and there is no bwrap here; {INSTALL}"
    with tempfile.TemporaryFile() as rules:
        command = _command(["/usr/bin/env", "true"], Limits(), Path("/nowhere"), rules)
        done = subprocess.run(command, pass_fds=[rules.fileno()], capture_output=True, text=True, check=False)
    if done.returncode:
        return f"bubblewrap can make no sandbox here ({done.stderr.strip()[:200]}); allow user namespaces, or {INSTALL}"
    return None


def _command(worker: list[str], limits: Limits, course: Path, rules: Any) -> list[str]:
    """Bubblewrap around a command. What it may read is mounted; the rest isn't there."""
    readable = {Path(p) for p in ("/usr", sys.prefix, sys.base_prefix, Path(nanogpt.__file__).parent)}
    links = [Path("/", name) for name in ("bin", "sbin", "lib", "lib64", "lib32")]
    readable |= {link for link in links if link.is_dir() and not link.is_symlink()}
    mounts = {path: ["--ro-bind", str(path), str(path)] for path in readable}
    mounts[Path("/tmp")] = ["--size", str(limits.disk), "--tmpfs", "/tmp"]
    mounts.setdefault(course.resolve(), ["--tmpfs", str(course.resolve())])
    command = ["bwrap", "--unshare-all", "--die-with-parent", "--new-session", "--cap-drop", "ALL"]
    for path in sorted(mounts, key=lambda path: len(path.parts)):  # what lies inside another is mounted after it
        command += mounts[path]
    for link in links:
        if link.is_symlink():
            command += ["--symlink", str(link.readlink()), str(link)]
    command += ["--proc", "/proc", "--dev", "/dev", "--remount-ro", "/dev"]
    command += ["--chdir", "/tmp"]
    for name, value in _environment("/tmp").items():
        command += ["--setenv", name, value]
    if allow_no_processes(rules):
        command += ["--seccomp", str(rules.fileno())]
    return [*command, "--remount-ro", str(course.resolve()), "--remount-ro", "/", *worker]


def _environment(home: str) -> dict[str, str]:
    return {
        "HOME": home, "TMPDIR": home, "NANOGPT_HOME": home, "IPYTHONDIR": home, "PATH": "/usr/bin:/bin",
        "LANG": "C.UTF-8", "OMP_NUM_THREADS": "1", "MPLBACKEND": "agg", "HF_HUB_OFFLINE": "1",
        "PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": "0", "NANOGPT_TIER": "smoke",
    }  # fmt: skip


# The kernel's filter on system calls, as it reads it (seccomp(2), and the numbers in its tables of system calls):
# threads may be begun, processes may not. Refused too is what would get round the bounds on memory: unshare, in which
# one may mount, memfd_create and memfd_secret, shmget, msgget, io_uring_setup; and ptrace.
_MACHINES = {  # audit's name, what is refused (x86_64 begins with fork and vfork), clone
    "x86_64": (0xC000003E, [57, 58, 272, 319, 447, 29, 68, 425, 101], 56),
    "aarch64": (0xC00000B7, [97, 279, 447, 194, 186, 425, 117], 220),
}
_CLONE3, _CLONE_THREAD, _X32 = 435, 0x10000, 0x40000000
_ALLOW, _KILL, _REFUSE, _UNKNOWN_CALL = 0x7FFF0000, 0x80000000, 0x00050000 | 1, 0x00050000 | 38
_LOAD, _RETURN, _IF_EQUAL, _IF_AT_LEAST, _IF_BITS = 0x20, 0x06, 0x15, 0x35, 0x45
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16


def allow_no_processes(rules: Any) -> bool:
    """Write the filter to a file. False, and nothing written, for a machine whose numbers aren't known here."""
    machine = _MACHINES.get(platform.machine())
    if machine is None:
        return False
    name, refused, clone = machine
    program = [(_LOAD, 0, 0, _ARCHITECTURE), (_IF_EQUAL, 1, 0, name), (_RETURN, 0, 0, _KILL), (_LOAD, 0, 0, _NUMBER)]
    program += [(_IF_AT_LEAST, 0, 1, _X32), (_RETURN, 0, 0, _REFUSE)]
    for call in refused:
        program += [(_IF_EQUAL, 0, 1, call), (_RETURN, 0, 0, _REFUSE)]
    program += [(_IF_EQUAL, 0, 1, _CLONE3), (_RETURN, 0, 0, _UNKNOWN_CALL)]  # so that libc takes clone, which shows
    program += [(_IF_EQUAL, 1, 0, clone), (_RETURN, 0, 0, _ALLOW)]  # its flags in a register
    program += [(_LOAD, 0, 0, _FIRST_ARGUMENT), (_IF_BITS, 1, 0, _CLONE_THREAD), (_RETURN, 0, 0, _REFUSE)]
    program += [(_RETURN, 0, 0, _ALLOW)]
    rules.write(b"".join(struct.pack("HBBI", *step) for step in program))
    rules.flush()
    rules.seek(0)
    return True
