"""The playground: a prompt, one model or two, the dials, and the text as it is written."""

import os
import time
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any
from uuid import uuid4

import ipywidgets as widgets

from nanogpt.checkpoint import checkpoint_step, checkpoints
from nanogpt.course.plots.playground import describe_text, plot_text
from nanogpt.course.ready import ready_run
from nanogpt.course.tiers import workspace
from nanogpt.course.widgets.controls import WIDE, Number, Shown, Status, button, style_sheet
from nanogpt.course.widgets.pane import Pane
from nanogpt.course.widgets.samples import Rival, Sample, branch, save_samples, write_on
from nanogpt.course.widgets.work import Throttle, Work, told
from nanogpt.device import choose_device, on_one_core
from nanogpt.generate import Sampling
from nanogpt.runs import Run, load_run, read_config

NONE = "(none)"
PAST = ("choose a sample to see it again", -1)
KEPT = 100  # samples, the newest, that the history holds
SMALL = 50e6  # parameters: a single token of a model below this is one core's work


def playground(*runs: str | Path, prompt: str = "The", compare: bool = True) -> "Playground":
    """A playground for run folders; the first is chosen. Without any: what `nanogpt play` was called with, else every
    run of the workspace, else one trained now.

    Raises FileNotFoundError for a run that isn't there or has no checkpoint.
    """
    named = runs or [name for name in os.environ.get("NANOGPT_PLAY", "").split(os.pathsep) if name]
    asked = [Path(run).resolve() for run in named]
    found = asked + [run for run in _all_runs() if run not in asked] if compare or not asked else asked
    return Playground(found or [ready_run()[0]], prompt)


def _all_runs() -> list[Path]:
    """Every run in the workspace that can be used: what was trained on most tokens first, then the newest."""
    runs = [run for run in (workspace() / "runs").resolve().glob("*") if checkpoints(run)]
    return sorted(runs, key=lambda run: (_tokens_seen(run), checkpoints(run)[-1].stat().st_mtime), reverse=True)


def _tokens_seen(run: Path) -> int:
    try:
        config, _ = read_config(run)
    except (OSError, ValueError):  # told when it is chosen
        return 0
    return checkpoint_step(checkpoints(run)[-1]) * config.train.tokens_per_step


class Playground(Shown):
    """The widget: `widget` is what is shown, the rest is for whoever tests it."""

    def __init__(self, runs: list[Path], prompt: str):
        self.status = Status()
        self.work = Work(self.status.say, self._writing)
        self.history: list[Sample] = []
        self._saved_as = f"{time.strftime('%Y-%m-%d-%H%M%S')}-{uuid4().hex[:4]}"  # files of its own
        self.runs: dict[str, Path] = {}
        for run in dict.fromkeys(runs):  # of two with one name the second goes by its path
            self.runs[str(run) if run.name in self.runs else run.name] = run
        self._loaded: dict[str, Run] = {}
        names = list(self.runs)
        self.prompt = widgets.Textarea(prompt, description="Prompt", rows=3, layout=WIDE)
        self.model = widgets.Dropdown(options=names, description="Model")
        self.rival = widgets.Dropdown(options=[NONE, *names], description="Beside it")
        self.length = Number("Length", 100, 1, 1000, 1, "The most tokens to write")
        self.temperature = Number("Temperature", 0.8, 0.0, 2.0, 0.05, "0 takes the likeliest; above 1 flattens")
        self.top_k = Number("Top-k", 0, 0, 200, 1, "Draw from the k likeliest; 0 leaves it off")
        self.top_p = Number("Top-p", 1.0, 0.05, 1.0, 0.05, "Draw from the likeliest that hold this share; 1 is all")
        self.penalty = Number("Repetition", 1.0, 1.0, 2.0, 0.05, "Above 1 makes tokens of the text so far less likely")
        self.seed = Number("Seed", 1, 0, 9999, 1, "The same seed gives the same text")
        self.buttons = {
            "Generate": button("Generate", "Write on from the prompt", "primary"),
            "Stop": button("Stop", "Stop writing; what is there stays"),
            "Continue": button("Continue", "Go on from where the text ends"),
            "Clear": button("Clear", "Clear the text"),
            "Save": button("Save", "Save all samples so far as JSON and Markdown"),
        }
        self.past = widgets.Dropdown(options=[PAST], description="History", layout=WIDE)
        self.panes = [
            Pane(title, told(self.status.say)(partial(self._branch, i)))
            for i, title in enumerate(("the model", "the model beside it"))
        ]
        self.beside = widgets.HBox([self.panes[0].widget], layout=_WRAP)
        dials = [self.length, self.temperature, self.top_k, self.top_p, self.penalty, self.seed]
        self.widget = widgets.VBox(
            [
                style_sheet(), self.prompt, widgets.HBox([self.model, self.rival], layout=_WRAP),
                widgets.GridBox([dial.widget for dial in dials], layout=_GRID),
                widgets.HBox(list(self.buttons.values()), layout=_WRAP), self.status.widget, self.beside, self.past,
            ],
            layout=_OPEN,
        )  # fmt: skip
        for name, click in {
            "Generate": self._generate, "Stop": self._stop, "Continue": self._continue, "Clear": self._clear,
            "Save": self._save,
        }.items():  # fmt: skip
            self.buttons[name].on_click(told(self.status.say)(click))
        self.model.observe(self._on_model, "value")
        self.rival.observe(self._on_model, "value")
        self.past.observe(told(self.status.say)(self._look_back), "value")
        self._writing(False)
        self._run(self.model.value)  # so that the first click need not wait for it
        super().__init__(self.widget, self._picture)

    @property
    def run(self) -> Path:
        """The folder of the chosen model."""
        return self.runs[self.model.value]

    def sampling(self) -> Sampling:
        """What the dials say."""
        return Sampling(
            temperature=self.temperature.value, top_k=self.top_k.value or None,
            top_p=None if self.top_p.value == 1 else self.top_p.value, repetition_penalty=self.penalty.value,
            seed=self.seed.value,
        )  # fmt: skip

    def _run(self, name: str) -> Run:
        if name not in self._loaded:
            self._loaded[name] = load_run(self.runs[name], choose_device())
        return self._loaded[name]

    def _names(self) -> list[str]:
        return [self.model.value] + ([self.rival.value] if self.rival.value != NONE else [])

    def _generate(self, _: Any) -> None:
        since, sampling = time.perf_counter(), self.sampling()
        self._begin(since, lambda: [self._fresh(name, sampling) for name in self._names()], self._cut())

    def _fresh(self, name: str, sampling: Sampling) -> Sample:
        run, prompt = self._run(name), self.prompt.value
        ids = run.tokenizer.encode_ordinary(prompt)
        return Sample(name, prompt, sampling, ids)

    def _cut(self) -> str:
        """What is to be said of a prompt that is longer than a model's context."""
        said = []
        for name in self._names():
            run = self._run(name)
            n, T = len(run.tokenizer.encode_ordinary(self.prompt.value)), run.model.config.context_length
            if n > T:
                said.append(f"{name} reads {T} tokens and the prompt has {n}: its first {n - T} are cut off")
        return "; ".join(said)

    def _continue(self, _: Any) -> None:
        since = time.perf_counter()
        samples = [pane.sample for pane in self._shown() if pane.sample is not None]
        if not samples:
            raise ValueError("there is no text to go on from yet; press Generate")
        ours = all(sample.sampling == self.sampling() for sample in samples)
        self._begin(since, lambda: samples, "" if ours else "with the settings that it began with, not the dials'")

    def _branch(self, which: int, place: int, rival: Rival) -> None:
        since, sample = time.perf_counter(), self.panes[which].sample
        parted = branch(self._run(sample.model), sample, place, rival)
        self._begin(since, lambda: [parted], only=which)

    def _begin(
        self, since: float, samples: Callable[[], list[Sample]], note: str = "", only: int | None = None
    ) -> None:
        """Write in the thread, turn and turn about where two models write."""
        count = self.length.value

        def job(stop: Event) -> None:
            self.status.say("writing ..." + (f" ({note})" if note else ""))
            chosen = samples()
            sizes = [self._run(sample.model).model.config.parameter_count() for sample in chosen]
            with on_one_core() if max(sizes) < SMALL else nullcontext():
                self._write(chosen, count, since, stop, note, only)

        if not self.work.begin(job):
            self.status.say("still writing; press Stop first")

    def _write(self, samples: list[Sample], count: int, since: float, stop: Event, note: str, only: int | None) -> None:
        panes = self._shown() if only is None else [self.panes[only]]
        texts = list(zip(panes, samples, strict=False))
        streams = {id(s): write_on(self._run(s.model), s, count, since) for s in samples}
        throttle = Throttle()
        try:
            while streams and not stop.is_set():
                for sample in samples:
                    stream = streams.get(id(sample))
                    if stream is not None and next(stream, None) is None:
                        del streams[id(sample)]
                if throttle.due():
                    for pane, sample in texts:
                        pane.stream(sample)
        except Exception:
            if any(sample.tokens for sample in samples):  # otherwise the panes stay as they were
                self._keep(panes, samples)
            raise
        self._keep(panes, samples)
        ended = "stopped: " if stop.is_set() else ""
        self.status.say(ended + "; ".join([*map(_speed, samples), *([note] if note else [])]))

    def _keep(self, panes: list[Pane], samples: list[Sample]) -> None:
        """Show the samples as they stand and put the new ones into the history: what is seen is what is saved."""
        for pane, sample in zip(panes, samples, strict=False):
            pane.show(sample)
        new = [sample for sample in samples if not any(sample is old for old in self.history)]
        self.history = (self.history + new)[-KEPT:]
        self.past.options = [PAST, *((_line(i, s), i) for i, s in enumerate(self.history))]

    def _stop(self, _: Any) -> None:
        self.work.stop.set()

    def _clear(self, _: Any) -> None:
        self.work.end()
        for pane in self.panes:
            pane.show(None)
        self.past.value = PAST[1]
        self.status.say("cleared")

    def _save(self, _: Any) -> None:
        if not self.history:
            raise ValueError("there is no sample to save yet; press Generate")
        paths = save_samples(self.history, workspace() / "samples", self._saved_as)
        self.status.say(f"{len(self.history)} samples saved: {' and '.join(map(str, paths))}")

    def _look_back(self, change: Any) -> None:
        if change["new"] is None or change["new"] < 0:
            return
        if self.work.busy:
            self.status.say("still writing; press Stop first")
        else:
            for pane, sample in zip(self.panes, [self.history[change["new"]], None], strict=True):
                pane.show(sample)
            self.status.say(f"sample {change['new'] + 1} of {len(self.history)}")

    def _on_model(self, _: Any) -> None:
        told(self.status.say)(lambda: [self._run(name) for name in self._names()])()
        self.beside.children = [pane.widget for pane in self._shown()]

    def _shown(self) -> list[Pane]:
        return self.panes[: len(self._names())]

    def _writing(self, now: bool) -> None:
        for name in ("Generate", "Continue", "Clear"):
            self.buttons[name].disabled = now
        self.buttons["Stop"].disabled = not now

    def _picture(self) -> tuple[Any, str]:
        """What this would write with the dials as they stand, 60 tokens of it."""
        sample = self.panes[0].sample or self._fresh(self.model.value, self.sampling())
        if not sample.prompt_ids:
            return plot_text("(no prompt yet)", []), "The playground before anything is written: its prompt is empty."
        if not sample.tokens:
            for _ in write_on(self._run(sample.model), sample, 60, time.perf_counter()):
                pass
        tokens = [(token.text, token.p) for token in sample.tokens[:60]]
        return plot_text(sample.prompt, tokens), describe_text(sample.prompt, tokens)


_WRAP = widgets.Layout(flex_flow="row wrap", width="100%")
_OPEN = widgets.Layout(width="100%", overflow="visible")
_GRID = widgets.Layout(grid_template_columns="repeat(auto-fill, minmax(23rem, 1fr))", width="100%")


def _line(place: int, sample: Sample) -> str:
    return f"{place + 1}: {sample.model}, {len(sample.tokens)} tokens, {(sample.prompt + sample.text)[:40]!r}"


def _speed(sample: Sample) -> str:
    if not sample.tokens:
        return f"{sample.model}: no token, as the model ends the text here; try another seed"
    return (
        f"{sample.model}: {len(sample.tokens)} tokens, the first after {1000 * sample.first_seconds:.0f} ms, "
        f"then {sample.tokens_per_second:,.0f} tokens/s"
    )
