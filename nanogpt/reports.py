"""Reports that are kept: `runs/<name>/reports/`, found again by what was measured, on what, and how.

Scoring GPT-2 XL takes its time; the same weights on the same text under the same protocol need it once.
"""

import dataclasses
import hashlib
import json
from pathlib import Path

from nanogpt.benchmarks import LAMBADA
from nanogpt.checkpoint import write_whole
from nanogpt.data import TokenData
from nanogpt.evaluate import Report, Settings, evaluate_run, scoring_settings
from nanogpt.quality import PROMPTS, SAMPLING, evaluate_samples
from nanogpt.runs import Run
from nanogpt.zeroshot import ZERO_SHOT

TASKS = (*ZERO_SHOT, "samples")  # besides the folders that were prepared
FORMAT = 2  # changes when reports of before should be made again


def evaluate_on(
    run: Run, on: str | Path | None = None, settings: Settings | None = None, max_new_tokens: int = 256
) -> Report:
    """Score a run on a prepared folder (its own if None), a benchmark's name or "samples", and keep the report.

    Raises FileNotFoundError for what is none of these, and what `evaluate_run`, `evaluate_wikitext`,
    `evaluate_lambada` and `evaluate_samples` raise.
    """
    settings = _relevant(on, settings)
    if on is not None and str(on) not in TASKS and not (Path(on) / "meta.json").exists():
        raise FileNotFoundError(
            f"{on} is neither a prepared folder (it has no meta.json) nor one of {', '.join(TASKS)}; correct its name"
        )
    if str(on) == "samples":
        report = evaluate_samples(run, settings, max_new_tokens)
    elif str(on) in ZERO_SHOT:
        report = ZERO_SHOT[str(on)](run, str(on), settings)
    else:
        report = evaluate_run(run, on, settings)
        on = on or run.origin["data"]
    path = _place(run, on, settings, max_new_tokens)
    path.parent.mkdir(exist_ok=True)
    write_whole(path, lambda partial: partial.write_text(report.to_json() + "\n"))
    return report


def measured(run: Run, on: str | Path, settings: Settings | None = None, max_new_tokens: int = 256) -> dict:
    """What `evaluate_on` would report, as JSON-able values; taken from the kept report where there is one."""
    settings = _relevant(on, settings)
    try:
        return json.loads(_place(run, on, settings, max_new_tokens).read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return json.loads(evaluate_on(run, on, settings, max_new_tokens).to_json())


def _relevant(on: str | Path | None, settings: Settings | None) -> Settings:
    """The settings without those that decide about nothing there: samples know a limit alone, LAMBADA no stride."""
    settings = settings or Settings()
    if str(on) == "samples":
        return Settings(limit=settings.limit)
    return dataclasses.replace(settings, stride=None) if str(on) in LAMBADA else settings


def _place(run: Run, on: str | Path, settings: Settings, max_new_tokens: int) -> Path:
    """Where a report is kept, named by a hash of all that decides about it."""
    task = str(on) if str(on) in TASKS else "text"
    said = {"format": FORMAT, "task": task, "weights": run.weights_sha256, **scoring_settings(run, settings)}
    if task == "text":  # whose training part the baselines are fitted on
        said["text"] = [Path(on).name, *(part["sha256"] for part in TokenData(on).meta["splits"].values())]
    elif task == "samples":
        said["samples"] = [PROMPTS, dataclasses.asdict(SAMPLING), max_new_tokens]
    key = hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:12]
    return run.folder / "reports" / f"{task}-{key}.json"
