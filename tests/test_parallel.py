import os
import subprocess
import sys

import pytest

from nanogpt.checkpoint import checkpoints, load_checkpoint
from nanogpt.runs import read_metrics


def train(run, data, processes: int, *flags: str) -> None:
    command = [sys.executable, "-m", "nanogpt"]
    if processes > 1:
        launch = ["torch.distributed.run", "--standalone", f"--nproc-per-node={processes}", "-m", "--", "nanogpt"]
        command = [sys.executable, "-m", *launch]
    command += ["train", "smoke", "--data", str(data), "--run", str(run), "--train.n-steps", "12", *flags]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"})
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.mark.slow
@pytest.mark.parametrize("parallel", ["ddp", "fsdp"])
def test_two_processes_train_as_one_that_accumulates(parallel, tmp_path, story_data):
    small = ("--train.micro-batch-size", "4", "--train.parallel", parallel)
    train(tmp_path / "one", story_data.folder, 1, *small)
    train(tmp_path / "two", story_data.folder, 2, *small)
    one, two = ([m["loss"] for m in read_metrics(tmp_path / name)] for name in ("one", "two"))
    assert two == pytest.approx(one, abs=1e-4)
    tensors = [load_checkpoint(checkpoints(tmp_path / name)[-1]) for name in ("one", "two")]
    for kind in (0, 1):  # weights, and what the optimiser remembers
        assert tensors[0][kind].keys() == tensors[1][kind].keys()
        for name, tensor in tensors[0][kind].items():
            assert tensor.shape == tensors[1][kind][name].shape, name
    # a run begun by two can be finished by one
    more = ["train", "smoke", "--run", str(tmp_path / "two"), "--resume", "--train.n-steps", "14"]
    subprocess.run([sys.executable, "-m", "nanogpt", *more], check=True, capture_output=True)
    assert len(read_metrics(tmp_path / "two")) == 14
