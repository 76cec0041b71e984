"""Work behind a widget: one piece at a time, in a thread, stopped by a flag, and never silent when it fails."""

import functools
import threading
import time
from collections.abc import Callable
from typing import Any

from nanogpt.course.widgets.pages import kernel_id, stop_when_closed
from nanogpt.errors import sentence

EVERY = 0.1  # seconds between two updates of a page


class Work:
    """At most one thread at a time. Whoever works looks at `stop` at each token, and returns when it is set.

    A Stop button sets it, and so does the closing of the notebook's last page. `tell` is given the sentence of
    whatever goes wrong, `changed` whether something is being done.
    """

    def __init__(self, tell: Callable[[str], None], changed: Callable[[bool], None] = lambda busy: None):
        self.tell, self.changed, self.stop, self.busy = tell, changed, threading.Event(), False
        self._lock, self._thread = threading.Lock(), None

    def begin(self, job: Callable[[threading.Event], None]) -> bool:
        """Do `job(stop)` in a thread. False, and nothing begun, if something is being done already.

        A system that has no thread left is told, like all that goes wrong with the job.
        """
        with self._lock:
            if self.busy:
                return False
            self.stop.clear()
            self.busy = True
            self.changed(True)
            thread = threading.Thread(target=self._run, args=(job,), daemon=True, name="nanogpt-widget")
            try:
                thread.start()
            except RuntimeError as error:
                self.busy = False
                self.tell(f"nothing was begun ({error}); shut down other notebooks' kernels, then try again")
                self.changed(False)
            else:
                self._thread = thread
            return True

    def end(self, seconds: float = 5.0) -> bool:
        """Ask what is being done to stop, and wait for it. Whether it has ended by then."""
        self.stop.set()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(seconds)
        return not self.busy

    def _run(self, job: Callable[[threading.Event], None]) -> None:
        ended = threading.Event()
        try:
            if kernel_id():
                watch = threading.Thread(target=stop_when_closed, args=(self.stop, ended), daemon=True)
                watch.start()
            job(self.stop)
        except Exception as error:  # nobody else would see it
            self.tell(sentence(error))
        finally:
            ended.set()
            with self._lock:  # whoever begins next does so after this has been told
                self.busy = False
                self.changed(False)


class Throttle:
    """Lets one update through in EVERY seconds."""

    def __init__(self, every: float = EVERY):
        self.every, self._last = every, float("-inf")

    def due(self) -> bool:
        """Whether an update may go out now; asking counts as sending it."""
        now = time.monotonic()
        if now - self._last < self.every:
            return False
        self._last = now
        return True


def told(tell: Callable[[str], None]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Wrap a callback so that its exception becomes a sentence in the widget: a page shows no other."""

    def wrap(callback: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(callback)
        def told_callback(*args: Any, **kwargs: Any) -> Any:
            try:
                return callback(*args, **kwargs)
            except Exception as error:
                tell(sentence(error))

        return told_callback

    return wrap
