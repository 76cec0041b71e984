"""A view that follows its controls: drawn at once, then at most every tenth of a second, and the last state always."""

import threading
from collections.abc import Callable
from typing import Any

from nanogpt.course.widgets.work import EVERY, Work, told


class Following:
    """Calls `draw(*state())` in a thread after each change, for as long as there is something new to draw.

    `tell` is given the sentence of whatever goes wrong; what failed once is not tried again before it changes.
    """

    def __init__(self, tell: Callable[[str], None], state: Callable[[], tuple], draw: Callable[..., None]):
        self.work = Work(tell)
        self._state, self._draw, self._drawn = state, told(tell)(draw), None
        self._lock, self._at_it = threading.Lock(), False

    def now(self) -> None:
        """Draw the state as it is, here and not in a thread: before anybody looks. What that sets off is no change."""
        self._at_it = True
        self._draw(*self._state())
        self._drawn, self._at_it = self._state(), False

    def changed(self, _: Any = None) -> None:
        """For a control to call. A thread that draws looks again before it ends; without one, one is begun."""
        with self._lock:
            if self._at_it:
                return
            self._at_it = True
        self.work.end()  # the one before may be in its last moments
        self.work.begin(self._follow)
        if not self.work.busy:  # it couldn't begin, or has ended since
            self._at_it = False

    def _follow(self, stop: threading.Event) -> None:
        while self._is_new(stop):
            self._draw(*self._drawn)
            stop.wait(EVERY)

    def _is_new(self, stop: threading.Event) -> bool:
        """Whether there is something to draw. If not, the next change begins a thread."""
        with self._lock:
            state = self._state()
            self._at_it = not stop.is_set() and state != self._drawn
            if self._at_it:
                self._drawn = state
            return self._at_it
