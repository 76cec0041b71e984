"""Work ends when its notebook's last page was closed; in a real browser, tests/test_browser.py sees it."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from nanogpt.course.widgets import pages
from nanogpt.course.widgets.work import Work


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A Jupyter server as far as it is asked here: one kernel, one token, and how many pages are open."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self):
            known = self.path == "/base/api/kernels/abc" and self.headers["Authorization"] == "token secret"
            self.send_response(200 if known else 403)
            self.end_headers()
            self.wfile.write(json.dumps({"connections": self.server.pages} if known else {}).encode())

        def log_message(self, *args):
            pass

    served = HTTPServer(("127.0.0.1", 0), Answer)
    served.pages = 2
    threading.Thread(target=served.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")  # a school's proxy isn't asked
    monkeypatch.setattr(pages, "jupyter_runtime_dir", lambda: str(tmp_path))
    monkeypatch.setattr(pages, "kernel_id", lambda: "abc")
    (tmp_path / "jpserver-1.json").write_text('{"url": "http://127.0.0.1:9/", "token": "of one that has ended"}')
    (tmp_path / "jpserver-2.json").write_text("{")
    about = {"url": f"http://127.0.0.1:{served.server_port}/base/", "token": "secret"}
    (tmp_path / "jpserver-3.json").write_text(json.dumps(about))
    yield served
    served.shutdown()
    served.server_close()


def test_the_server_is_asked_how_many_pages_are_open(server):
    assert pages.open_pages() == 2
    server.pages = 0
    assert pages.open_pages() == 0


def test_where_no_server_knows_the_kernel_nothing_is_said(server, monkeypatch):
    monkeypatch.setattr(pages, "kernel_id", lambda: "another")
    assert pages.open_pages() is None


def test_outside_a_notebook_nobody_is_asked(tmp_path, monkeypatch):
    assert pages.kernel_id() is None
    assert pages.open_pages() is None


@pytest.mark.parametrize(
    "seen",
    [[0, 0, 0, 0], [1, 0, 0, 0, 2, 0, 0, 0, 0], [None, 0, 0, None, 0, 0, 0, 0]],
    ids=["closed", "reloaded, then closed", "not known at times"],
)
def test_work_is_stopped_once_no_page_was_open_for_long(seen, monkeypatch):
    monkeypatch.setattr(pages, "LOOK_EVERY", 0.001)
    monkeypatch.setattr(pages, "GONE", 0.004)
    stop, left = threading.Event(), iter(seen)
    pages.stop_when_closed(stop, threading.Event(), lambda: next(left))
    assert stop.is_set()
    assert list(left) == []


def test_nobody_looks_any_more_once_the_work_has_ended(monkeypatch):
    monkeypatch.setattr(pages, "LOOK_EVERY", 0.001)
    stop, ended = threading.Event(), threading.Event()

    def look() -> int:
        ended.set()
        return 1

    pages.stop_when_closed(stop, ended, look)
    assert not stop.is_set()


def test_work_in_a_notebook_that_was_closed_stops(server, monkeypatch):
    monkeypatch.setattr(pages, "LOOK_EVERY", 0.01)
    monkeypatch.setattr(pages, "GONE", 0.05)
    monkeypatch.setattr("nanogpt.course.widgets.work.kernel_id", lambda: "abc")
    server.pages, stopped = 0, []
    work = Work(stopped.append)
    assert work.begin(lambda stop: stopped.append(stop.wait(20)))
    work._thread.join(20)
    assert stopped == [True]
    assert not work.busy
