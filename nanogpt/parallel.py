"""Several processes, one training run: torchrun starts them, this says who is who and who shares what.

    torchrun --standalone --nproc-per-node 2 -m -- nanogpt train gpt-30m --data data/owt --run runs/owt

(Without the two dashes torchrun takes `--run` for a flag of its own.)
DDP keeps a copy of the model in each process and averages the gradients; FSDP keeps a shard of it.
"""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor, nn


@dataclass(frozen=True)
class World:
    """This process's place among `size` processes; rank 0 writes the files."""

    device: torch.device
    rank: int = 0
    size: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this process writes the files."""
        return self.rank == 0

    def mean(self, value: Tensor) -> Tensor:
        """The mean of a number over all processes."""
        if self.size > 1:
            dist.all_reduce(value)
            value /= self.size
        return value

    def any(self, flag: bool) -> bool:
        """Whether any process says so; all get the same answer."""
        return bool(self.mean(torch.tensor(float(flag), device=self.device)) > 0)

    def wait(self) -> None:
        """Wait until every process is here."""
        if self.size > 1:
            dist.barrier()


@contextlib.contextmanager
def join_world(device: torch.device) -> Iterator[World]:
    """Join the processes that torchrun started; without it, be a world of one. Joining twice is joining once."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield World(device)
        return
    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(device)
    if dist.is_initialized():
        yield World(device, dist.get_rank(), size)
        return
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield World(device, dist.get_rank(), size)
    finally:
        dist.destroy_process_group()


def shard(model: nn.Module) -> None:
    """Give each process a shard of every block and of the rest (FSDP); in place, before the optimiser."""
    from torch.distributed.fsdp import fully_shard, register_fsdp_forward_method

    for block in model.blocks:
        fully_shard(block)
    fully_shard(model, reshard_after_forward=False)  # the head reads the embedding after the forward
    register_fsdp_forward_method(model, "features")


def replicate(module: nn.Module, world: World) -> nn.Module:
    """Wrap a module whose gradients are to be averaged over all processes (DDP)."""
    ids = [world.device.index] if world.device.type == "cuda" else None
    return nn.parallel.DistributedDataParallel(module, device_ids=ids)


def sync_only_last(module: nn.Module, last: bool) -> contextlib.AbstractContextManager:
    """While gradients accumulate, processes exchange them only in the last micro-step."""
    if not last and isinstance(module, nn.parallel.DistributedDataParallel):
        return module.no_sync()
    return contextlib.nullcontext()
