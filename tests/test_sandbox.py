"""What a student's code can't do: read the course, write, talk, begin processes, fill the machine, stay behind."""

import os
import platform
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from classes import ROOT, needs_sandbox

import nanogpt
from nanogpt.course.classroom import sandbox
from nanogpt.course.classroom.sandbox import Died, Limits, Sandbox

LIMITS = Limits(seconds=3, memory=900_000_000, disk=16_000_000)
HELLO = {"stem": "attention", "seeds": {"causal_mask": [0]}}
SECRETS = ["solutions/03_attention/attention.ipynb", "gradebook.db", ".classroom-salt", "submitted/s02/attention.ipynb"]


class Cells:
    """A sandbox that cells are run in; `run` gives the output of one that went well, `fails` of one that didn't."""

    def __init__(self, course: Path | None, limits: Limits = LIMITS) -> None:
        self.sandbox = Sandbox(HELLO, limits, course)

    def _ask(self, source: str, failed: bool) -> str:
        reply = self.sandbox.ask({"what": "run", "source": source})
        assert reply["failed"] == failed, reply["output"][-2000:]
        return reply["output"]

    def run(self, source: str) -> str:
        return self._ask(source, failed=False)

    def fails(self, source: str) -> str:
        return self._ask(source, failed=True)


@pytest.fixture(scope="module")
def course(tmp_path_factory) -> Path:
    """A course with the things that nobody may see; the answer is 42."""
    folder = tmp_path_factory.mktemp("course")
    for name in SECRETS:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("the answer is 42")
    return folder


@pytest.fixture(scope="module")
def cells(course):
    """One process for all the tests that it survives."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TOKEN_OF_THE_GRADER", "secret")
        made = Cells(course)
    yield made
    made.sandbox.close()


@pytest.fixture
def new_cells(course):
    """A process that may die."""
    made = Cells(course)
    yield made
    made.sandbox.close()


def runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def gone(pids: list[int], seconds: float = 10) -> bool:
    until = time.monotonic() + seconds
    while any(map(runs, pids)) and time.monotonic() < until:
        time.sleep(0.02)
    return not any(map(runs, pids))


@needs_sandbox
@pytest.mark.parametrize("name", SECRETS)
def test_the_course_cannot_be_read(cells, course, name):
    assert (course / name).exists()
    assert "FileNotFoundError" in cells.fails(f"open({str(course / name)!r})")


@needs_sandbox
def test_nothing_of_the_course_is_there_but_what_runs_it():
    own = Cells(ROOT)
    seen = own.run(f"import os; print(sorted(os.listdir({str(ROOT)!r})))")
    assert set(eval(seen)) <= {"nanogpt", ".venv"}
    own.sandbox.close()


@needs_sandbox
@pytest.mark.parametrize(
    "place",
    [Path("/"), Path("/usr"), Path("/etc"), Path("/dev"), Path("/dev/shm"), Path("/proc/sys/kernel"), Path.home(), ROOT,
     Path(nanogpt.__file__).parent, Path(sys.prefix), Path(sys.base_prefix), "course"],
    ids=str,
)  # fmt: skip
def test_nothing_can_be_written_but_in_the_folder_for_it(cells, course, place):
    file = (course if place == "course" else place) / "owned-by-a-student"
    write = f"open({str(file)!r}, 'w').write('x')"
    if place == ROOT and Path("/tmp") in ROOT.parents:  # a folder of the sandbox's own /tmp, of which nothing stays
        cells.run(write)
    else:
        assert "Error: [Errno" in cells.fails(write)
    assert not file.exists()


@needs_sandbox
def test_what_it_writes_into_its_own_folder_is_nowhere_outside(cells):
    assert cells.run("open('mine-alone.txt', 'w').write('x'); print(open('/tmp/mine-alone.txt').read())") == "x\n"
    assert not Path("/tmp/mine-alone.txt").exists()
    assert list(Path(cells.sandbox.home.name).iterdir()) == []


@needs_sandbox
def test_a_mount_cannot_be_made_writable_or_added(cells):
    said = cells.run(f"""
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
os.makedirs("/tmp/inside", exist_ok=True)
print(libc.mount(b"x", b"/tmp/inside", b"tmpfs", 0, b"size=10g"), ctypes.get_errno())
print(libc.mount(None, {sys.prefix.encode()!r}, None, 32 | 4096, None), ctypes.get_errno())  # remount, bind
print(libc.unshare(0x10000000), ctypes.get_errno())  # a user namespace, in which one may mount
""")
    assert said.split() == ["-1", "1"] * 3


@needs_sandbox
def test_there_is_no_network(cells):
    listening = socket.create_server(("127.0.0.1", 0))
    abstract = socket.socket(socket.AF_UNIX)
    abstract.bind(f"\0nanogpt-tests-{os.getpid()}")
    abstract.listen()
    with listening, abstract:
        for address in (listening.getsockname(), ("192.0.2.1", 80)):
            assert "OSError" in cells.fails(f"import socket; socket.create_connection({address}, 2)").replace(
                "ConnectionRefusedError", "OSError"
            )
        name = abstract.getsockname().decode()
        assert "ConnectionRefusedError" in cells.fails(f"socket.socket(socket.AF_UNIX).connect({name!r})")
        for server in (listening, abstract):
            server.settimeout(0.01)
            with pytest.raises(TimeoutError):
                server.accept()
    assert cells.run("print([name for _, name in socket.if_nameindex()])") == "['lo']\n"


@needs_sandbox
@pytest.mark.parametrize(
    "source",
    ["import os; os.fork()", "import os; os.forkpty()", "import subprocess; subprocess.run(['/bin/ls'])", "!ls",
     "import os; os.posix_spawn('/bin/ls', ['ls'], {})",
     "import multiprocessing as m; p = m.get_context('spawn').Process(target=print); p.start()"],
)  # fmt: skip
def test_no_process_can_be_begun(cells, source):
    assert "PermissionError: [Errno 1] Operation not permitted" in cells.fails(source)


@needs_sandbox
def test_threads_can_be_begun(cells):
    said = cells.run("""
import threading, torch
from concurrent.futures import ThreadPoolExecutor
with ThreadPoolExecutor(8) as pool:
    print(sum(pool.map(lambda i: threading.current_thread() is not threading.main_thread(), range(8))))
torch.set_num_threads(4)
print((torch.ones(500, 500) @ torch.ones(500, 500)).sum().item())
torch.set_num_threads(1)
""")
    assert said.split() == ["8", "125000000.0"]


@needs_sandbox
def test_what_students_use_besides_goes_on_working(cells):
    said = cells.run("""
%matplotlib inline
import sys, warnings
from tqdm import tqdm
import matplotlib.pyplot as plt
plt.plot(list(tqdm([1, 2])))
plt.show()
warnings.warn("a warning")
print("and an error's text", file=sys.stderr)
await __import__("asyncio").sleep(0)
print("done")
""")
    assert "UserWarning: a warning" in said and said.endswith("and an error's text\ndone\n")
    assert "EOFError" in cells.fails("input()")


@needs_sandbox
def test_no_variable_of_the_graders_is_there(cells):
    assert os.environ.get("TOKEN_OF_THE_GRADER") is None  # the fixture set it while the process was begun
    said = cells.run("""
import os
print(dict(os.environ), open("/proc/self/environ").read())
try:
    print(open("/proc/1/environ").read())
except OSError:
    pass
""")
    assert "TOKEN_OF_THE_GRADER" not in said and "secret" not in said
    assert "'HOME': '/tmp'" in said
    assert "nanogpt-tests-" not in said  # the NANOGPT_HOME of these tests


@needs_sandbox
def test_no_other_process_can_be_seen_or_reached(cells):
    seen = cells.run("import os; print([int(name) for name in os.listdir('/proc') if name.isdigit()])")
    assert len(eval(seen)) == 2  # bubblewrap's and its own
    assert "ProcessLookupError" in cells.fails(f"os.kill({os.getpid() + 100_000}, 0)")
    assert "FileNotFoundError" in cells.fails(f"open('/proc/{os.getpid()}/cmdline')")


@needs_sandbox
@pytest.mark.slow
def test_memory_ends_in_an_error_and_the_machine_keeps_its_own(new_cells):
    peak = "import resource; print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    before = int(new_cells.run(peak))
    for bomb in ("bytearray(10**7)", "__import__('torch').ones(10**6)"):
        assert "Error" in new_cells.fails(f"held = []\nwhile True: held.append({bomb})")
        new_cells.run("del held")
    assert (int(new_cells.run(peak)) - before) * 1024 <= 1.2 * LIMITS.memory


@needs_sandbox
@pytest.mark.parametrize("call", [(319, b"x", 0), (447, 0), (29, 0, 1 << 20, 0o1600), (68, 0, 0o1600), (425, 8, b"")])
@pytest.mark.skipif(platform.machine() != "x86_64", reason="the numbers of the system calls are x86_64's")
def test_no_memory_is_to_be_had_beside_the_address_space(cells, call):
    said = cells.run(f"""
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
print(libc.syscall(*{call}), ctypes.get_errno())
""")
    assert said.split() == ["-1", "1"]


@needs_sandbox
def test_the_disk_ends_in_an_error_and_holds_no_more_than_it_may(cells):
    said = cells.run("""
import pathlib
held, wrong = 0, set()
for i in range(100):
    try:
        held += pathlib.Path(f"/tmp/bomb{i}").write_bytes(bytes(10**7))
    except OSError as error:
        wrong.add(error.errno)
print(held, wrong, sum(path.stat().st_size for path in pathlib.Path("/tmp").glob("bomb*")) <= 16_000_000)
for path in pathlib.Path("/tmp").glob("bomb*"):
    path.unlink()
""")
    assert said == "10000000 {28} True\n"  # 28: no space left on device
    assert "File too large" in cells.fails("open('/tmp/large', 'wb').truncate(10**9)")


@needs_sandbox
def test_gigabytes_of_output_are_kept_to_their_beginning(cells):
    said = cells.run("""
import os
for i in range(500):
    print("x" * 10**7)
for i in range(2000):
    os.write(1, bytes(10**6)), os.write(2, bytes(10**6))
""")
    assert len(said) < 21_000 and said.endswith("... what was printed after 20,000 characters is left out\n")
    assert cells.run("print('and after it')") == "and after it\n"


@needs_sandbox
@pytest.mark.slow
@pytest.mark.parametrize(
    ("source", "how"),
    [
        ("while True: pass", "it was still running after 3 seconds"),
        ("import os; os._exit(0)", "it ended its own process (0)"),
        ("import os; os.kill(os.getpid(), 9)", "its process was killed, by itself or for the memory it took"),
        ("import ctypes; ctypes.string_at(0)", "its process was killed, by itself or for the memory it took"),
        ("import os; os.abort()", "its process was killed, by itself or for the memory it took"),
        ("import os; os.closerange(3, 99)", "it ended its own process (1)"),
        ("import os; os.write(3, bytes([255] * 8))", "it broke its connection with the grader: a message of 18,446"),
        ("import os; os.write(3, bytes(7) + b'\\x02{}')", "what came is no answer to what was asked"),
        ("import os; os.write(3, bytes(7) + b'\\x02xy')", "what came is not a message of the grader's"),
    ],
    ids="loop exit kill segfault abort closed huge forged garbage".split(),
)  # fmt: skip
def test_each_death_has_its_sentence_and_leaves_no_process(new_cells, source, how):
    pids = [
        new_cells.sandbox.process.pid,
        *(p.pid for p in psutil.Process(new_cells.sandbox.process.pid).children(True)),
    ]
    assert len(pids) == 3
    with pytest.raises(Died) as died:
        new_cells.run(source)
    assert how in str(died.value)
    assert gone(pids)
    assert not Path(new_cells.sandbox.home.name).exists()


HOLDS_A_SANDBOX = """
import sys
from pathlib import Path
from nanogpt.course.classroom.sandbox import Limits, Sandbox
held = Sandbox({"stem": "attention", "seeds": {}}, Limits(seconds=60), Path(sys.argv[1]))
print("begun", flush=True)
held.ask({"what": "run", "source": "import signal\\nfor s in range(1, 32):\\n"
          "    if s not in (9, 19): signal.signal(s, signal.SIG_IGN)\\nwhile True: pass"})
"""


@needs_sandbox
@pytest.mark.slow
def test_when_the_grader_is_killed_no_process_of_a_students_stays_behind(course, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))  # its empty folder is left there
    grader = subprocess.Popen([sys.executable, "-c", HOLDS_A_SANDBOX, str(course)], stdout=subprocess.PIPE, text=True)
    assert grader.stdout.readline() == "begun\n"
    pids = [child.pid for child in psutil.Process(grader.pid).children(recursive=True)]
    assert len(pids) == 3
    grader.send_signal(signal.SIGKILL)
    grader.wait()
    assert gone(pids)
    grader.stdout.close()


def test_without_bubblewrap_it_is_said_what_to_install_or_to_say(monkeypatch):
    sandbox.trouble.cache_clear()
    monkeypatch.setattr(sandbox.shutil, "which", lambda name: None)
    assert "there is no bwrap here; install it (Debian and Ubuntu: apt-get install bubblewrap)" in sandbox.trouble()
    assert "--unsandboxed" in sandbox.trouble()
    sandbox.trouble.cache_clear()


def test_where_bubblewrap_is_not_allowed_to_it_is_said_why(monkeypatch, tmp_path):
    broken = tmp_path / "bwrap"
    broken.write_text("#!/bin/sh\necho No permissions to create a new namespace >&2; exit 1\n")
    broken.chmod(0o755)
    sandbox.trouble.cache_clear()
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert "can make no sandbox here (No permissions to create a new namespace)" in sandbox.trouble()
    sandbox.trouble.cache_clear()


def test_a_process_that_cannot_be_begun_is_the_graders_trouble_and_says_so(monkeypatch):
    monkeypatch.setattr(sandbox.sys, "executable", "/bin/false")
    with pytest.raises(OSError, match="a student's process could not be begun: it ended its own process"):
        Sandbox(HELLO, LIMITS, None)


@pytest.mark.slow
def test_unsandboxed_it_runs_without_bubblewrap_and_still_ends_with_its_group(monkeypatch):
    monkeypatch.setenv("TOKEN_OF_THE_GRADER", "secret")
    cells = Cells(None)
    assert "TOKEN" not in cells.run("import os; print(os.environ)")
    pid = int(cells.run("import subprocess; print(subprocess.Popen(['sleep', '60']).pid)"))
    cells.sandbox.close()
    assert gone([pid])
    assert not Path(cells.sandbox.home.name).exists()
