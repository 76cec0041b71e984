"""Killed with SIGKILL, a run goes on as if nothing had happened: the same losses, bit for bit."""

import random
import signal
import subprocess
import sys
import time

import pytest

from nanogpt.checkpoint import checkpoints, load_checkpoint
from nanogpt.runs import read_metrics

FLAGS = ("--train.n-steps=80", "--train.checkpoint-every=3", "--train.eval-every=40", "--model.dropout=0.1")

# Starts the command line, and dies at the n-th time that a save touches the disk.
DIES_IN_A_SAVE = """
import os, signal, sys, pathlib, safetensors.torch
import nanogpt.checkpoint as checkpoint
left = [int(sys.argv[1])]
def deadly(function):
    def call(*args, **kwargs):
        left[0] -= 1
        if left[0] < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*args, **kwargs)
    return call
save = checkpoint.save_checkpoint
def armed(*args):
    safetensors.torch.save_file = deadly(safetensors.torch.save_file)
    checkpoint.flush_to_disk = deadly(checkpoint.flush_to_disk)
    pathlib.Path.write_text = deadly(pathlib.Path.write_text)
    pathlib.Path.replace = deadly(pathlib.Path.replace)
    return save(*args)
import nanogpt.train
nanogpt.train.save_checkpoint = armed
from nanogpt.cli import main
main(sys.argv[2:])
"""


def command(run, *flags: str) -> list[str]:
    return ["train", "smoke", "--run", str(run), *flags]


def finish(run, *flags: str) -> None:
    done = subprocess.run([sys.executable, "-m", "nanogpt", *command(run, *flags)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_twenty_kills_change_nothing(tmp_path, story_data):
    rng = random.Random(20)
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    finish(whole, "--data", str(story_data.folder), *FLAGS)
    expected = [(m["step"], m["loss"], m["grad_norm"], m.get("val_loss")) for m in read_metrics(whole)]

    kills_inside_a_save = 0
    for kill in range(20):
        flags = ("--resume",) if killed.exists() else ("--data", str(story_data.folder), *FLAGS)
        if kill % 2:  # inside a save: at the first, the last or any write, flush or rename
            code = [sys.executable, "-c", DIES_IN_A_SAVE, str(rng.randrange(9)), *command(killed, *flags)]
            assert subprocess.run(code, capture_output=True).returncode == -signal.SIGKILL
            kills_inside_a_save += 1
        else:  # anywhere: while importing, starting, training or saving
            process = subprocess.Popen(
                [sys.executable, "-m", "nanogpt", *command(killed, *flags)], stderr=subprocess.DEVNULL
            )
            wait_for_a_random_moment(process, killed / "metrics.jsonl", rng)
            process.kill()
            process.wait()
        for folder in checkpoints(killed) if killed.exists() else []:
            load_checkpoint(folder)  # whatever is there is whole

    assert kills_inside_a_save == 10
    finish(killed, "--resume")
    found = [(m["step"], m["loss"], m["grad_norm"], m.get("val_loss")) for m in read_metrics(killed)]
    assert found == expected
    assert not [f.name for f in killed.iterdir() if "partial" in f.name]
    for a, b in zip(*(checkpoints(run)[-1].glob("*.safetensors") for run in (whole, killed)), strict=True):
        assert a.read_bytes() == b.read_bytes()


def wait_for_a_random_moment(process: subprocess.Popen, metrics, rng: random.Random) -> None:
    """Until up to five more steps are logged and a moment longer; now and then, before there are any."""
    if rng.random() < 0.2:
        time.sleep(rng.random() * 2)
        return
    stamp = metrics.stat().st_mtime_ns if metrics.exists() else 0
    deadline = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < deadline:
        if metrics.exists() and metrics.stat().st_mtime_ns != stamp and metrics.stat().st_size:
            break
        time.sleep(0.005)
    time.sleep(rng.random() * 0.15)
