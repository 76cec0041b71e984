"""The training loop: batches, gradients, updates, checkpoints; stopped at any moment, it goes on exactly.

A step's batch, rate and dropout follow from the step's number and the seed. What a checkpoint has to
keep is therefore only the weights, the optimiser's memory and the number itself.
"""

import contextlib
import hashlib
import json
import math
import signal
import threading
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import nn

from nanogpt.checkpoint import (
    checkpoint_step,
    checkpoints,
    load_checkpoint,
    model_tensors,
    save_checkpoint,
    set_model_tensors,
)
from nanogpt.data import Batches, TokenData
from nanogpt.device import autocast, choose_device
from nanogpt.model import GPT, LossOf
from nanogpt.optim import (
    learning_rate_at,
    make_optimizers,
    optimizer_tensors,
    set_learning_rate,
    set_optimizer_tensors,
    whole,
)
from nanogpt.parallel import World, join_world, replicate, shard, sync_only_last
from nanogpt.runs import accumulation_steps, drop_metrics_from, read_config, require_same_text, require_trained
from nanogpt.scoring import token_nll


class Trainer:
    """A run in memory: model, optimisers and the number of updates done. `step` makes one more."""

    def __init__(self, run: Path, world: World):
        self.run, self.world = run, world
        self.config, origin = read_config(run)
        require_trained(run, origin)
        train = self.config.train
        self.data = TokenData(origin["data"])
        require_same_text(run, self.data, origin)
        self.micro_steps = accumulation_steps(self.config, world.size)
        T = self.config.model.context_length
        self.batches = Batches(self.data.tokens("train"), T, train.tokens_per_step // T, train.seed)

        torch.manual_seed(train.seed)
        self.model = GPT(self.config.model)
        found = checkpoints(run)
        weights, memory, state = load_checkpoint(found[-1]) if found else ({}, {}, {"step": 0})
        self.steps_done = state["step"]
        if found:
            set_model_tensors(self.model, weights, found[-1])
        self.model.to(world.device)
        sharded = world.size > 1 and train.parallel == "fsdp"
        if sharded:
            shard(self.model)
        self.optimizers = make_optimizers(self.model, train)
        set_optimizer_tensors(self.model, self.optimizers, memory)
        self.loss_of: nn.Module = LossOf(self.model)
        if train.compile:
            self.loss_of = self._compiled()
        if world.size > 1 and not sharded:
            self.loss_of = replicate(self.loss_of, world)

    def _compiled(self) -> nn.Module:
        compiled = LossOf(self.model)
        compiled.compile()
        x = torch.zeros(self.config.train.micro_batch_size, self.config.model.context_length).long()
        try:
            with self._autocast():
                compiled(x.to(self.world.device), x.to(self.world.device)).backward()
            self.model.zero_grad()
            return compiled
        except Exception as error:  # whatever the compiler stumbles over, training works without it
            reason = str(error).strip().splitlines()[0]
            warnings.warn(f"torch.compile does not work here, going on without it: {reason}", stacklevel=2)
            self.model.zero_grad()
            return LossOf(self.model)

    def _autocast(self) -> contextlib.AbstractContextManager:
        return autocast(self.world.device, self.config.train.precision)

    def step(self) -> dict:
        """One update. Returns its metrics; raises FloatingPointError before it would spoil the weights."""
        config, step = self.config.train, self.steps_done
        start = time.perf_counter()
        self.model.train()
        if self.config.model.dropout:
            torch.manual_seed(_mix(config.seed, step, self.world.rank))
        rate = learning_rate_at(step, config)
        set_learning_rate(self.optimizers, rate)

        x, y = (ids.to(self.world.device) for ids in self.batches.at(step, self.world.rank, self.world.size))
        loss = torch.zeros((), device=self.world.device)
        size = config.micro_batch_size
        for i, (mx, my) in enumerate(zip(x.split(size), y.split(size), strict=True)):  # each (micro B, T)
            with sync_only_last(self.loss_of, last=i == self.micro_steps - 1):
                with self._autocast():
                    micro_loss = self.loss_of(mx, my) / self.micro_steps
                micro_loss.backward()
            loss += micro_loss.detach()
        grad_norm = whole(nn.utils.clip_grad_norm_(self.model.parameters(), config.grad_clip)).item()
        loss = self.world.mean(loss).item()
        if not (math.isfinite(loss) and math.isfinite(grad_norm)):
            self.optimizers[0].zero_grad()
            raise FloatingPointError(self._diverged(step, loss, grad_norm))
        for optimizer in self.optimizers:
            optimizer.step()
            optimizer.zero_grad()

        self.steps_done += 1
        speed = config.tokens_per_step / (time.perf_counter() - start)
        metrics = {
            "step": step, "loss": loss, "learning_rate": rate, "grad_norm": grad_norm, "tokens_per_second": speed,
        }  # fmt: skip
        if self.steps_done % config.eval_every == 0 or self.steps_done == config.n_steps:
            metrics["val_loss"] = self.held_out_loss()
        return metrics

    def _diverged(self, step: int, loss: float, grad_norm: float) -> str:
        kept = checkpoints(self.run)
        where = f"{kept[-1]} is kept, resume from it" if kept else "there is no checkpoint yet, start a new run"
        rate = self.config.train.learning_rate
        return (
            f"training diverged at step {step} (loss {loss}, gradient norm {grad_norm}); {where} with a lower "
            f"--train.learning-rate (now {rate}) or a longer --train.warmup-steps"
        )

    def held_out_loss(self) -> float:
        """The loss on the first `eval_tokens` held-out tokens, nats per token."""
        tokens, eot = self.data.tokens("val"), self.data.tokenizer.eot_token
        tokens = tokens[: self.config.train.eval_tokens]
        return float(token_nll(self.model, tokens, self.data.vocab_size, eot).mean())

    def save(self) -> None:
        """Write a checkpoint of this moment; every process takes part, the first one writes."""
        weights = {name: whole(tensor) for name, tensor in model_tensors(self.model).items()}
        memory = optimizer_tensors(self.model, self.optimizers)
        if self.world.is_first:
            save_checkpoint(self.run, self.steps_done, weights, memory, {})
        self.world.wait()


def training_steps(run: str | Path, stop: threading.Event | None = None) -> Iterator[dict]:
    """Train a started run from where it stands; yield each step's metrics as they are made.

    The metrics (also appended to metrics.jsonl): step, loss (nats per token), learning_rate, grad_norm,
    tokens_per_second, now and then val_loss. Ctrl-C, SIGTERM or a set `stop` end it after the step in
    hand, with a checkpoint. Raises what `TokenData` and `load_checkpoint` raise, FloatingPointError
    when the loss is no longer a number, OSError when the disk is full; the last checkpoint stays whole.
    """
    run = Path(run)
    config, _ = read_config(run)
    stop = stop or threading.Event()
    with join_world(choose_device(config.train.device)) as world, stop_on_signal(stop):
        trainer = Trainer(run, world)
        train = trainer.config.train
        metrics_path = run / "metrics.jsonl"
        if world.is_first:
            drop_metrics_from(metrics_path, trainer.steps_done)
        with metrics_path.open("a") if world.is_first else contextlib.nullcontext() as log:
            while trainer.steps_done < train.n_steps:
                metrics = trainer.step()
                if log:
                    log.write(json.dumps(metrics) + "\n")
                    log.flush()
                stopped = world.any(stop.is_set())
                if stopped or trainer.steps_done == train.n_steps or trainer.steps_done % train.checkpoint_every == 0:
                    trainer.save()
                yield metrics
                if stopped:
                    return


def train_with_progress(run: str | Path) -> tuple[int, int]:
    """Run `training_steps` behind a progress bar: loss, tokens a second, time left.

    Returns the steps done and the steps there are to do.
    """
    from tqdm import tqdm

    run = Path(run)
    train = read_config(run)[0].train
    done = _steps_done(run)
    with (
        join_world(choose_device(train.device)) as world,
        tqdm(total=train.n_steps, initial=done, unit="step", dynamic_ncols=True, disable=not world.is_first) as bar,
    ):
        for metrics in training_steps(run):
            done = metrics["step"] + 1
            bar.set_postfix_str(
                f"loss {metrics['loss']:.3f}, {metrics['tokens_per_second']:,.0f} tokens/s", refresh=False
            )
            bar.update()
    return done, train.n_steps


def _steps_done(run: Path) -> int:
    found = checkpoints(run)
    return checkpoint_step(found[-1]) if found else 0


@contextlib.contextmanager
def stop_on_signal(stop: threading.Event) -> Iterator[None]:
    """Let the first Ctrl-C (or SIGTERM) set `stop` instead of interrupting an update; a second one interrupts."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread hears signals
        return

    def ask_to_stop(number, frame):
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    before = {number: signal.signal(number, ask_to_stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _mix(*numbers: int) -> int:
    """One seed out of several numbers."""
    return int.from_bytes(hashlib.sha256(repr(numbers).encode()).digest()[:8], "little") >> 1
