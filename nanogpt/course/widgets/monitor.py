"""A run as it trains: its curves live, trained here in a thread or followed while another process trains it."""

import math
import time
from pathlib import Path
from threading import Event
from typing import Any

import ipywidgets as widgets
from matplotlib.axes import Axes

from nanogpt.checkpoint import checkpoint_step, checkpoints
from nanogpt.course.plots.train import describe_loss, describe_training, plot_loss, plot_training
from nanogpt.course.widgets.controls import WIDE, Shown, Status, button, style_sheet
from nanogpt.course.widgets.history import COLUMNS, History
from nanogpt.course.widgets.linechart import Line, line_chart, number
from nanogpt.course.widgets.work import Throttle, Work, told
from nanogpt.runs import read_config, read_metrics, require_trained
from nanogpt.train import training_steps

DRAWN_EVERY = 0.5  # seconds between two looks at the file, and two drawings
SAID_EVERY = 5.0  # seconds between two announcements of the status line
PATIENCE = 60.0  # seconds without a new step after which nothing is followed any more
GAP = 5.0  # seconds without a new step after which nobody seems to train, or GAP_STEPS steps if they take longer
GAP_STEPS = 4
TRAINING, FOLLOWING = "training", "following"

_BUSY: dict[Path, "Monitor"] = {}  # the monitors of this process that are doing something, by run


def training_monitor(run: str | Path, baselines: dict[str, float] | None = None) -> "Monitor":
    """The loss, learning rate, gradient norm and speed of a run folder, live; to be started, stopped and resumed.

    baselines: name -> loss in nats per token, drawn across. A run that something is writing to is followed at once;
    one that a monitor of this process is busy with is shown by that same monitor. What is trained here stops, with a
    checkpoint, soon after the notebook's page has been closed; `nanogpt train` in a terminal goes on.
    Raises what `read_config` raises where `run` holds no run, ValueError for a baseline that isn't a finite number.
    """
    for name, loss in (baselines or {}).items():
        if not _is_finite(loss):
            raise ValueError(f"the baseline {name!r} is {loss!r}; give a finite number of nats per token, like 3.9")
    run = Path(run)
    busy = _BUSY.get(run.resolve())
    return busy if busy is not None else Monitor(run, baselines or {})


class Monitor(Shown):
    """The widget: `widget` is what is shown, the rest is for whoever tests it."""

    def __init__(self, run: Path, baselines: dict[str, float]):
        self.run, self.baselines = run, baselines
        self.config, origin = read_config(run)
        self.history = History(run / "metrics.jsonl")
        self.doing, self._last, self._left = "", "", None
        self._drawn, self._said = Throttle(DRAWN_EVERY), Throttle(SAID_EVERY)
        self.status = Status()
        self.work = Work(self._end_with, lambda busy: self._changed())
        self.charts = widgets.HTML(layout=WIDE)
        self.train = button("Start", "Train the run here, from where it stands", "primary")
        self.stop = button("Stop", "Stop training after the step in hand, with a checkpoint")
        self.follow = button("Follow", "Show what another process writes to this run")
        for control, click in ((self.train, self._train), (self.stop, self._stop), (self.follow, self._follow)):
            control.on_click(told(self.status.say)(click))
        self.widget = widgets.VBox(
            [style_sheet(), widgets.HBox([self.train, self.stop, self.follow]), self.status.widget, self.charts],
            layout=WIDE,
        )
        super().__init__(self.widget, self._picture)
        told(self._end_with)(self.history.read)()
        told(self._end_with)(require_trained)(run, origin)
        self._last = self._last or self._state()
        self._draw()
        self._changed()
        if not self._is_done() and 0 < self._silence() < self._gap():
            self._follow(None)

    def _train(self, _: Any) -> None:
        """Start or resume: one training of a run at a time, and none of a run that is done."""
        self.config, origin = read_config(self.run)
        require_trained(self.run, origin)
        if self._saved_steps() >= self.config.train.n_steps:
            raise ValueError(
                f"the run is done, {self._progress()}; to train it further, resume it on the command line with a "
                "larger --train.n-steps"
            )
        self._begin(TRAINING, self._train_job)

    def _follow(self, _: Any) -> None:
        """Follow, or stop following."""
        if self.doing == FOLLOWING and self.work.busy:
            self.work.stop.set()
            return
        self.config, _ = read_config(self.run)
        self._begin(FOLLOWING, self._follow_job)

    def _stop(self, _: Any) -> None:
        if not self.work.busy or self.doing != TRAINING:
            raise ValueError("nothing is being trained here; press Resume to train")
        self.status.say("stopping after the step in hand; then a checkpoint is written")
        self.work.stop.set()
        if not self.work.busy:  # it ended by itself in this very moment
            self._changed()

    def _begin(self, doing: str, job: Any) -> None:
        """Do `job` in the thread; whoever follows the run in this process makes room for it."""
        other = _BUSY.get(self.run.resolve())
        if other is not None and other.doing == TRAINING:
            raise ValueError("this run is being trained here already; press Stop first")
        if other is not None:
            other.work.end()
        before, self.doing = self.doing, doing
        if not self.work.begin(job):
            self.doing = before
            raise ValueError("still busy with what was pressed before; press again in a moment")

    def _train_job(self, stop: Event) -> None:
        if self._grows(stop):
            self.status.say("another process is training this run: nothing was started here, it is followed instead")
            self._said.due()
            self.doing = FOLLOWING
            self._changed()
            self._follow_job(stop, said=True)
            return
        if stop.is_set():
            self._last = "stopped before anything was started"
            return
        self.status.say("reading the text and the weights ...")
        try:
            for _ in training_steps(self.run, stop):
                told(self.status.say)(self._update)(stop)  # whatever goes wrong with a picture, training goes on
        finally:
            told(self.status.say)(self._refresh)()
            self._left = self._stamp()
        self.doing = ""
        if self._is_done():
            self._last = f"done: {self._state()}"
        else:
            saved = checkpoints(self.run)[-1].name
            self._last = f"stopped after {self._progress()}: checkpoint {saved} is saved, and Resume goes on from there"

    def _follow_job(self, stop: Event, said: bool = False) -> None:
        if not said:
            self.status.say(f"following: {self._state()}")
        since = time.monotonic()
        while not stop.is_set():
            if self._refresh():
                since = time.monotonic()
                if self._said.due():
                    self.status.say(f"following: {self._state()}")
            if self._is_done():
                self._last = f"done: {self._state()}"
                return
            if time.monotonic() - since > max(PATIENCE, self._gap()):
                self._last = (
                    f"nothing new for {time.monotonic() - since:.0f} s, at {self._progress()}; Follow looks again"
                )
                return
            stop.wait(DRAWN_EVERY)
        self._last = f"not followed any more: {self._state()}"

    def _update(self, stop: Event) -> None:
        """Show what is new, if it is time to."""
        if self._drawn.due():
            self._refresh()
            if self._said.due() and not stop.is_set():
                self.status.say(f"training: {self._state()}")

    def _grows(self, stop: Event) -> bool:
        """Whether someone else writes to the run. A file that was silent for long isn't waited for."""
        self.history.read()
        stamp, wait = self._stamp(), self._gap() - self._silence()
        if stamp is None or stamp == self._left or wait <= 0:
            return False
        self.status.say(f"looking for {wait:.0f} s whether another process is training this run ...")
        end = time.monotonic() + wait
        while time.monotonic() < end and not stop.wait(0.1):
            if self._stamp() != stamp:
                return True
        return False

    def _stamp(self) -> tuple[int, int, int] | None:
        """What changes when anyone writes to the metrics."""
        path = self.history.path
        if not path.exists():
            return None
        stat = path.stat()
        return stat.st_ino, stat.st_size, stat.st_mtime_ns

    def _silence(self) -> float:
        """Seconds since the metrics were last written."""
        stamp = self._stamp()
        return float("inf") if stamp is None else max(1e-9, time.time() - stamp[2] / 1e9)

    def _gap(self) -> float:
        """Seconds without a new step after which nobody seems to train."""
        speed = self.history.speed
        return max(GAP, GAP_STEPS * self.config.train.tokens_per_step / speed) if speed else GAP

    def _saved_steps(self) -> int:
        """How many steps the newest checkpoint has had."""
        return max([0, *map(checkpoint_step, checkpoints(self.run)[-1:])])

    def _steps_done(self) -> int:
        """How many steps the run has had, by its metrics or by its newest checkpoint."""
        return max(self.history.steps_done, self._saved_steps())

    def _is_done(self) -> bool:
        return self._steps_done() >= self.config.train.n_steps

    def _progress(self) -> str:
        return f"{self._steps_done():,} of {self.config.train.n_steps:,} steps"

    def _state(self) -> str:
        """The newest figures in a line."""
        history, said = self.history, [self._progress()]
        if history.steps_done:
            said.append(f"loss {number(history.columns['loss'][-1])}")
        if history.held_out:
            said.append(f"held out {number(history.held_out[-1][1])} after step {history.held_out[-1][0]:,.0f}")
        if history.speed:
            said.append(f"{history.speed:,.0f} tokens/s")
            steps = self.config.train.n_steps - self._steps_done()
            if self.doing and steps > 0:
                said.append(f"{_duration(steps * self.config.train.tokens_per_step / history.speed)} to go")
        if not self.doing and 0 < self._saved_steps() < self._steps_done():
            said.append(f"the newest checkpoint has {self._saved_steps():,} steps")
        return ", ".join(said)

    def _refresh(self) -> int:
        """Read what is new, and draw it if there is any. How many steps are new."""
        new = self.history.read()
        if new:
            self._draw()
        return new

    def _draw(self) -> None:
        """Put the four charts on the page."""
        step, loss, rate, norm, speed = (self.history.columns[name] for name in COLUMNS)
        held_out = list(zip(*self.history.held_out, strict=True)) or [(), ()]
        lines = [Line("training", step, loss), Line("held out", *held_out, dots=True)]
        limit = {"limit": self.config.train.grad_clip}
        charts = [
            line_chart("Loss", "nats per token", lines, self.baselines),
            line_chart("Learning rate", "", [Line("now", step, rate)]),
            line_chart("Gradient norm", "", [Line("now", step, norm)], limit),
            line_chart("Speed", "tokens per second", [Line("now", step, speed)]),
        ]
        self.charts.value = f'<div class="nanogpt-charts">{"".join(charts)}</div>'

    def _end_with(self, text: str) -> None:
        """Say how it ended, an error for instance, once it has ended."""
        self._last = text
        self.status.say(text)

    def _changed(self) -> None:
        """Set the buttons by what is being done, and when all is done say how it ended."""
        busy, key = self.work.busy, self.run.resolve()
        if busy:
            _BUSY[key] = self
        else:
            self.doing = ""
            if _BUSY.get(key) is self:
                del _BUSY[key]
            self.status.say(self._last)
        training = busy and self.doing == TRAINING
        self.train.description = "Resume" if self._steps_done() else "Start"
        self.train.disabled = training
        self.stop.disabled = not training
        self.follow.description = "Unfollow" if busy and self.doing == FOLLOWING else "Follow"
        self.follow.disabled = training

    def _picture(self) -> tuple[Axes, str]:
        """The run as it stands; its loss alone while that is all there is to see."""
        metrics = [m for m in read_metrics(self.run) if isinstance(m, dict) and {*COLUMNS} <= m.keys()]
        if len(metrics) > 1:
            seen = {self.run.name: metrics}, self.config.train.grad_clip, self.config.train.warmup_steps
            return plot_training(*seen), describe_training(*seen)
        words = f"Line chart of the loss by step, empty so far: {self.run.name} has had {self._progress()}."
        return plot_loss(metrics, self.baselines), describe_loss(metrics, self.baselines) if metrics else words


def _is_finite(value: Any) -> bool:
    """Whether a value is a finite number."""
    try:
        return math.isfinite(value)
    except (TypeError, ValueError, OverflowError):  # a text, a tensor of many, too large an int
        return False


def _duration(seconds: float) -> str:
    """Seconds, minutes or hours, as one would say it."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
