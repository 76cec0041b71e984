"""Touching a widget as a page does, through the messages of its comm, and counting what would go to the page."""

import json
import threading
import time
from contextlib import contextmanager

import comm
import ipywidgets as widgets
from comm.base_comm import BaseComm

from nanogpt.course.widgets.work import Work


def move(widget: widgets.Widget, **state) -> None:
    """The page tells a widget what its user made of it: move(slider, value=3), move(dropdown, index=1)."""
    assert not getattr(widget, "disabled", False), "a page lets nobody touch a disabled control"
    _tell(widget, {"method": "update", "state": state, "buffer_paths": []})


def click(button: widgets.Button, late: bool = False) -> None:
    """The page tells of a click; `late` is one that was on its way when the button was switched off."""
    assert late or not button.disabled, f"{button.description} is disabled"
    _tell(button, {"method": "custom", "content": {"event": "click"}})


def _tell(widget: widgets.Widget, data: dict) -> None:
    widget.comm.handle_msg({"content": {"data": data}, "buffers": []})


def ended(work: Work, seconds: float = 30.0) -> bool:
    """Wait until what is being done is done; whether it was by then."""
    until = time.monotonic() + seconds
    for thread in at_work():
        thread.join(max(0.0, until - time.monotonic()))
    return not work.busy


def at_work() -> list[threading.Thread]:
    """The threads of widgets that are alive."""
    return [thread for thread in threading.enumerate() if thread.name == "nanogpt-widget"]


@contextmanager
def counted():
    """The bytes of each message that goes to the page, as a list that grows; make the widget within it."""
    sizes: list[int] = []

    class Counting(BaseComm):
        def publish_msg(self, msg_type, data=None, metadata=None, buffers=None, **keys):
            sizes.append(len(json.dumps([msg_type, data])))

    usual, comm.create_comm = comm.create_comm, Counting
    try:
        yield sizes
    finally:
        comm.create_comm = usual
