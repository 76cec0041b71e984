"""The command line: `nanogpt --help`. It joins the engine and the course, and holds no logic of either."""

import dataclasses
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from tyro._errors import InstantiationFailure, ParseErrorEvent, on_parse_error
from tyro.conf import Fixed, FlagCreatePairsOff, Positional, Suppress, arg

from nanogpt.config import PRESETS, ModelConfig, RunConfig, TrainConfig
from nanogpt.errors import sentence
from nanogpt.evaluate import Settings
from nanogpt.generate import Sampling


@dataclass(frozen=True)
class TrainJob:
    """Train a model, beginning with a preset; each of its settings can be changed."""

    preset: Suppress[Fixed[str]]
    run: Path
    """The run's folder, made by the first call."""
    data: Path | None = None
    """A prepared folder; when resuming, only if it was moved."""
    resume: FlagCreatePairsOff[bool] = False
    """Go on with the run in --run, from its newest checkpoint."""
    model: ModelConfig = dataclasses.field(default_factory=ModelConfig)
    train: TrainConfig = dataclasses.field(default_factory=TrainConfig)


def _training_jobs() -> type:
    jobs = {
        name: TrainJob(name, tyro.MISSING, model=preset.model, train=preset.train) for name, preset in PRESETS.items()
    }
    about = {name: _about(preset) for name, preset in PRESETS.items()}
    return tyro.extras.subcommand_type_from_defaults(jobs, about, prefix_names=False)


def _about(preset: RunConfig) -> str:
    tokens = preset.train.n_steps * preset.train.tokens_per_step
    return f"{preset.model.parameter_count() / 1e6:,.1f}M parameters, {tokens / 1e6:,.1f}M tokens of training"


def prepare(
    source: Positional[str],
    out: Path,
    tokenizer: str | None = None,
    val_share: float | None = None,
    shuffle: FlagCreatePairsOff[bool] = False,
    limit: int | None = None,
    seed: int = 2357,
    text_field: str = "text",
) -> None:
    """Turn text into token ids on disk, a part of the documents held out. Stopped, the same command goes on.

    Args:
        source: pydocs, stories; from the hub openwebtext, tinystories, wikitext-2, wikitext-103, lambada; or a
            .txt, .jsonl or .parquet file or a folder of them.
        out: The folder to make.
        tokenizer: gpt2 (usual for texts of the hub), the size of a vocabulary to learn from this text (usual is
            768), or a tokenizer.json.
        val_share: The share of documents that is held out; usual is 0.1, and nanoGPT's 0.0005 for openwebtext.
        shuffle: Put the documents in random order, as nanoGPT does; openwebtext always is.
        limit: The first so many documents only (stories: how many to write, 20,000 if left out).
        seed: Fixes which documents are held out, and the stories.
        text_field: Where .jsonl and .parquet rows keep their text.
    """
    from nanogpt.corpora import open_corpus, usual_preparation
    from nanogpt.prepare import prepare as prepare_data

    asked = {"tokenizer": tokenizer, "val_share": val_share, "shuffle": shuffle or None}
    settings = usual_preparation(source) | {name: value for name, value in asked.items() if value is not None}
    data = prepare_data(open_corpus(source, limit, seed, text_field), out, seed=seed, progress=True, **settings)
    for split, count in data.meta["splits"].items():
        print(
            f"{split:5}  {count['documents']:>9,} documents  {count['bytes']:>13,} bytes  {count['tokens']:>13,} tokens"
        )
    print(f"{out} is ready, with a vocabulary of {data.vocab_size:,} tokens")
    print(f"next: nanogpt train {'gpt-30m' if source == 'openwebtext' else 'laptop'} --data {out} --run runs/first")


def train(job: Annotated[_training_jobs(), arg(name="")]) -> int:
    """Train a model: choose a preset, then change what you like."""
    from nanogpt.device import choose_device
    from nanogpt.parallel import join_world
    from nanogpt.runs import change_run, start_run
    from nanogpt.train import train_with_progress

    config = RunConfig(job.model, job.train)
    with join_world(choose_device(job.train.device)) as world:
        if not world.is_first:
            pass  # under torchrun, one process makes the folder
        elif job.resume:
            change_run(job.run, config, job.preset, job.data)
        elif job.data is None:
            raise ValueError("--data is missing; name a prepared folder, or add --resume to go on with a run")
        else:
            start_run(job.run, config, job.data, job.preset)
        world.wait()
        done, n_steps = train_with_progress(job.run)
    if not world.is_first:
        return 0
    again = f"nanogpt train {job.preset} --run {job.run} --resume"
    if done < n_steps:
        print(f"stopped after {done:,} of {n_steps:,} steps and saved; go on with: {again}")
        return 130
    print(f"{job.run} has its {n_steps:,} steps; next: nanogpt evaluate {job.run}")
    return 0


def evaluate(
    run: Positional[Path],
    on: str | None = None,
    settings: Annotated[Settings, arg(name="")] = Settings(),  # noqa: B008 - frozen
    max_new_tokens: int = 256,
    device: str = "auto",
    json: FlagCreatePairsOff[bool] = False,
) -> None:
    """Measure a run: on held-out text, on WikiText or LAMBADA, or by what it writes.

    Args:
        run: The run's folder.
        on: A prepared folder (the run's own if left out), wikitext-2, wikitext-103, lambada, lambada-standard, or
            samples.
        max_new_tokens: Of samples: the most tokens to write after each prompt.
        device: auto, cpu, cuda or mps.
        json: Print one JSON object instead of a table.
    """
    from nanogpt.device import choose_device
    from nanogpt.reports import evaluate_on
    from nanogpt.runs import load_run

    report = evaluate_on(load_run(run, choose_device(device)), on, settings, max_new_tokens)
    print(report.to_json() if json else report.to_table())


def import_(source: Positional[str], out: Path) -> None:
    """Take GPT-2's weights, or nanoGPT's, into a run of our own model.

    Args:
        source: gpt2, gpt2-medium, gpt2-large or gpt2-xl from the hub, a folder in Hugging Face's format, or nanoGPT's
            ckpt.pt.
        out: The run's folder to make.
    """
    from nanogpt.gpt2 import import_checkpoint

    print(import_checkpoint(source, out))
    print(f"next: nanogpt sample {out} --prompt 'The future of AI is', or: nanogpt evaluate {out} --on samples")


def export(run: Positional[Path], out: Path) -> None:
    """Write a run as a folder that Hugging Face's transformers load as GPT-2.

    Args:
        run: The run's folder.
        out: The folder to make.
    """
    from nanogpt.export import export_run

    export_run(run, out)
    print(f"{out} is ready; transformers load it with AutoModelForCausalLM.from_pretrained({str(out)!r})")


def compare(
    names: Positional[tuple[str, ...]],
    on: Path,
    out: Path,
    also: tuple[str, ...] = ("wikitext-2", "lambada", "samples"),
    limit: int | None = None,
    batch_size: int = 8,
    max_new_tokens: int = 256,
    device: str = "auto",
) -> None:
    """Put runs side by side with GPT-2 and what is published, as a page with a chart, a table and the note's claims.

    Args:
        names: Run folders, and gpt2, gpt2-medium, gpt2-large or gpt2-xl, which are imported into runs/ if need be.
        on: The prepared folder whose held-out text all are scored on.
        out: The folder for report.html, report.json, report.csv and perplexity.png and .svg.
        also: What else to measure: wikitext-2, wikitext-103, lambada, lambada-standard, samples, or more folders.
        limit: The first so many documents of each text only.
        batch_size: Windows at a time.
        max_new_tokens: Of samples: the most tokens to write after each prompt.
        device: auto, cpu, cuda or mps.
    """
    from nanogpt.course.compare import gather
    from nanogpt.course.progress import read_predictions
    from nanogpt.course.report import write_report
    from nanogpt.device import choose_device

    settings = Settings(batch_size=batch_size, limit=limit)
    entries, notes = gather(names, on, also, settings, max_new_tokens, choose_device(device), say=print)
    write_report(entries, out, notes, read_predictions())
    print(*notes, sep="\n", end="\n" if notes else "")
    print(f"{out / 'report.html'} is ready to be opened in a browser")


def sample(
    run: Positional[Path],
    prompt: str,
    max_new_tokens: int = 100,
    sampling: Annotated[Sampling, arg(name="")] = Sampling(),  # noqa: B008 - frozen
) -> None:
    """Let a trained run go on from a prompt, token by token.

    Args:
        run: The run's folder.
        prompt: The text to go on from.
        max_new_tokens: The most tokens to write.
    """
    from nanogpt.device import choose_device
    from nanogpt.generate import generate_text
    from nanogpt.runs import load_run

    trained = load_run(run, choose_device())
    pieces = generate_text(trained.model, trained.tokenizer, prompt, max_new_tokens, sampling)
    print(prompt, end="", flush=True)
    for piece in pieces:
        print(piece, end="", flush=True)
    print()


def doctor() -> None:
    """Say what this machine has and what that means for the course, one line each."""
    from nanogpt.course.doctor import findings

    for finding in findings():
        print(finding)


def progress() -> None:
    """Show the ladder of chapters: bets placed, exercises passed. It reads your own progress.json and sends nothing."""
    from nanogpt.course.ladder import ladder

    print(ladder())


def class_() -> None:
    """What an instructor does with the exercises: `nanogpt class --help`."""


def lab() -> int:
    """Open the course in JupyterLab, on its start page."""
    from nanogpt.course.lab import open_lab

    return open_lab()


def play(runs: Positional[tuple[Path, ...]]) -> int:
    """Play with trained runs in the browser: prompts, dials, two models side by side, and each token's rivals.

    Args:
        runs: Run folders; the first is chosen, the others can be. None: what is in runs/.
    """
    from nanogpt.course.lab import open_playground

    return open_playground(runs)


_ALL = (lab, play, doctor, prepare, train, evaluate, sample, import_, export, compare, progress, class_)
COMMANDS = {f.__name__.rstrip("_"): f for f in _ALL}


def main(args: list[str] | None = None) -> None:
    """Run a command. What the user can mend is one sentence on standard error, with exit code 2.

    `python -X dev -m nanogpt ...` shows the traceback as well.
    """
    sys.stdout.reconfigure(errors="replace")  # a terminal without Unicode still gets an answer
    args = sys.argv[1:] if args is None else args
    commands, prog, about = COMMANDS, "nanogpt", "Build a GPT, train it, judge it by measurement."
    if args[:1] == ["class"]:
        from nanogpt.course.classroom.commands import COMMANDS as commands

        prog, about, args = "nanogpt class", class_.__doc__, args[1:]
    try:
        with on_parse_error(_refuse_setting):
            code = tyro.extras.subcommand_cli_from_dict(commands, prog=prog, description=about, args=args)
    except KeyboardInterrupt:
        print("nanogpt: stopped", file=sys.stderr)
        code = 130
    except BrokenPipeError:  # whoever read the output has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 141
    except (ValueError, FloatingPointError, OSError) as error:
        if sys.flags.dev_mode:
            raise
        print(f"nanogpt: {sentence(error)}", file=sys.stderr)
        code = 2
    sys.exit(code)


def _refuse_setting(event: ParseErrorEvent) -> None:
    """Let a configuration that refuses its values say so in its own sentence, not in tyro's box."""
    if isinstance(event, InstantiationFailure):
        raise ValueError(event.message)
