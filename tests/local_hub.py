"""A hub on this machine: answers the paths that `datasets` and `huggingface_hub` ask of the real one, from a folder.

    root/datasets/<owner>/<name>/<revision>/<files>      root/models/<owner>/<name>/<revision>/<files>

A slash in a revision is written as %2F, as the clients do. Faults can be planted by file name.
"""

import hashlib
import json
import os
import re
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, quote, unquote, urlsplit

FILE = re.compile(r"^(/datasets)?/([^/]+/[^/]+)/resolve/([^/]+)/(.+)$")
API = re.compile(r"^/api/(models|datasets)/([^/]+/[^/]+)(?:/(revision|tree|paths-info)/([^/]+)(?:/(.*))?)?$")


class LocalHub:
    """Serve `root` until the `with` block ends. `url` goes into HF_ENDPOINT.

    cut: file name -> bytes after which each answer breaks off, as often as `cuts` says;
    slow: file name -> seconds before each answer; wrong_hash: names of files that are announced with
    another SHA-256 than their own; requests: what was asked, in order.
    """

    def __init__(self, root: Path):
        self.root = root
        self.cut: dict[str, int] = {}
        self.cuts = 10**9
        self.slow: dict[str, float] = {}
        self.wrong_hash: set[str] = set()
        self.requests: list[str] = []

    def __enter__(self) -> "LocalHub":
        handler = type("Handler", (_Handler,), {"hub": self})
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *exception) -> None:
        self.server.shutdown()
        self.server.server_close()

    def put(self, kind: str, repo: str, path: str, content: bytes, revision: str = "main") -> Path:
        """Add a file to a repository of `kind` "models" or "datasets"."""
        place = self.root / kind / repo / quote(revision, safe="") / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
        return place

    def environment(self, home: Path) -> dict[str, str]:
        """What a process needs to take this for the hub, with a cache of its own under `home`."""
        return {"HF_ENDPOINT": self.url, "HF_HOME": str(home), "HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_XET": "1"}

    def nanogpt(
        self, folder: Path, *args, python: str = "", timeout: float = 120, **environment
    ) -> subprocess.CompletedProcess:
        """Run a command of ours in `folder`, in a process that takes this for the hub.

        python: code to run first, in that process.
        """
        code = f"{python}import sys; from nanogpt.cli import main; main(sys.argv[1:])"
        command = [sys.executable, "-c", code, *map(str, args)]
        env = os.environ | self.environment(self.root / "cache") | environment
        return subprocess.run(command, env=env, cwd=folder, capture_output=True, text=True, timeout=timeout)


class _Handler(BaseHTTPRequestHandler):
    hub: LocalHub
    protocol_version = "HTTP/1.1"

    def log_message(self, *args) -> None:
        pass

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        url = urlsplit(self.path)
        self.hub.requests.append(f"{self.command} {self.path}")
        if url.path == "/":
            self._json({})
        elif match := FILE.match(url.path):
            datasets, repo, revision, path = match.groups()
            self._file(self._repository("datasets" if datasets else "models", repo), revision, unquote(path))
        elif match := API.match(url.path):
            kind, repo, what, revision, path = match.groups()
            self._api(self._repository(kind, repo), what, revision or "main", unquote(path or ""), url.query, body)
        else:
            self._refuse("EntryNotFound")

    def _repository(self, kind: str, repo: str) -> Path:
        return self.hub.root / kind / unquote(repo)

    def _folder(self, repository: Path, revision: str) -> Path | None:
        """The folder of a revision, by its name or by its commit; None (and an answer sent) where there is none."""
        if not repository.is_dir():
            self._refuse("RepoNotFound")
            return None
        for folder in repository.iterdir():
            if unquote(revision) in (unquote(folder.name), _commit(folder)):
                return folder
        self._refuse("RevisionNotFound")
        return None

    def _file(self, repository: Path, revision: str, path: str) -> None:
        folder = self._folder(repository, revision)
        if folder is None:
            return
        file = folder / path
        if not file.is_file():
            self._refuse("EntryNotFound", {"X-Repo-Commit": _commit(folder)})
            return
        time.sleep(self.hub.slow.get(file.name, 0))
        content, digest = file.read_bytes(), _sha256(file)
        if file.name in self.hub.wrong_hash:
            digest = hashlib.sha256(b"another file").hexdigest()
        headers = {"ETag": f'"{digest}"', "X-Repo-Commit": _commit(folder), "Accept-Ranges": "bytes"}
        status, total = 200, len(content)
        if wanted := re.match(r"bytes=(\d+)-(\d*)", self.headers.get("Range", "")):
            start, end = int(wanted[1]), min(int(wanted[2] or total - 1), total - 1)
            content, status = content[start : end + 1], 206
            headers["Content-Range"] = f"bytes {start}-{end}/{total}"
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        limit = self.hub.cut.get(file.name)
        if limit is not None and self.hub.cuts > 0 and len(content) > limit:
            self.hub.cuts -= 1
            self.wfile.write(content[:limit])
            self.wfile.flush()
            self.connection.close()
            self.close_connection = True
            return
        self.wfile.write(content)

    def _api(self, repository: Path, what: str | None, revision: str, path: str, query: str, body: bytes) -> None:
        folder = self._folder(repository, revision)
        if folder is None:
            return
        files = sorted(file for file in folder.rglob("*") if file.is_file())
        name = f"{repository.parent.name}/{repository.name}"
        if what in (None, "revision"):
            siblings = [{"rfilename": file.relative_to(folder).as_posix()} for file in files]
            self._json({"id": name, "sha": _commit(folder), "siblings": siblings, "tags": [], "private": False,
                        "downloads": 0, "lastModified": "2024-01-01T00:00:00.000Z"})  # fmt: skip
        elif what == "tree":
            deep = parse_qs(query).get("recursive", ["false"])[0].lower() in ("true", "1")
            start = folder / path
            if not start.is_dir():
                self._refuse("EntryNotFound")
                return
            self._json([_entry(entry, folder) for entry in sorted(start.rglob("*") if deep else start.iterdir())])
        else:
            asked = json.loads(body)["paths"] if body.startswith(b"{") else parse_qs(body.decode())["paths"]
            self._json([_entry(folder / p, folder) for p in asked if (folder / p).exists()])

    def _json(self, value) -> None:
        content = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def _refuse(self, code: str, headers: dict[str, str] | None = None) -> None:
        self.send_response(404)
        for name, value in {"X-Error-Code": code, "Content-Length": "0", **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()


def _entry(path: Path, folder: Path) -> dict:
    name = path.relative_to(folder).as_posix()
    if path.is_dir():
        return {"type": "directory", "path": name, "oid": "0" * 40, "size": 0}
    digest = _sha256(path)
    size = path.stat().st_size
    lfs = {"oid": digest, "size": size, "pointerSize": 130}
    return {"type": "file", "path": name, "size": size, "oid": digest[:40], "lfs": lfs}


def _commit(folder: Path) -> str:
    return hashlib.sha1(str(folder).encode()).hexdigest()


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
