"""The optimisers and the learning rate: AdamW with decay on matrices alone, Muon, warm-up and cosine."""

import math

import torch
from torch import nn

from nanogpt.config import TrainConfig


def learning_rate_at(step: int, config: TrainConfig) -> float:
    """The rate of an update (0 is the first): a linear rise to the peak, then half a cosine down.

    The first update has peak / warmup_steps, the one numbered warmup_steps the peak, the last one and
    all beyond it the final rate (Loshchilov and Hutter, 2017).
    """
    if step < config.warmup_steps:
        return config.learning_rate * (step + 1) / config.warmup_steps
    decay_steps = max(1, config.n_steps - 1 - config.warmup_steps)
    progress = min(1.0, (step - config.warmup_steps) / decay_steps)
    cosine = 0.5 * (1 + math.cos(math.pi * progress))  # from 1 to 0
    return config.final_learning_rate + cosine * (config.learning_rate - config.final_learning_rate)


def decay_groups(model: nn.Module, weight_decay: float) -> list[dict]:
    """Split the parameters: matrices are pulled towards zero, biases and norms (one-dimensional) are not."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    return [
        {"params": [p for p in parameters if p.dim() >= 2], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.dim() < 2], "weight_decay": 0.0},
    ]


def make_optimizers(model: nn.Module, config: TrainConfig) -> list[torch.optim.Optimizer]:
    """AdamW for all parameters; or Muon for the blocks' matrices, with AdamW for the rest.

    AdamW: Loshchilov and Hutter, 2019. Muon: Jordan et al., 2024, as it comes with torch, its step
    scaled so that one learning rate serves both.
    """
    groups = decay_groups(model, config.weight_decay)
    optimizers: list[torch.optim.Optimizer] = []
    if config.optimizer == "muon":
        matrices = [p for block in model.blocks for p in block.parameters() if p.dim() == 2]
        chosen = {id(p) for p in matrices}
        groups[0]["params"] = [p for p in groups[0]["params"] if id(p) not in chosen]
        muon = torch.optim.Muon(
            matrices, lr=config.learning_rate, weight_decay=config.weight_decay, adjust_lr_fn="match_rms_adamw"
        )
        optimizers.append(muon)
    fused = next(model.parameters()).device.type in ("cpu", "cuda")  # one kernel for the whole update
    adamw = torch.optim.AdamW(groups, lr=config.learning_rate, betas=(config.beta1, config.beta2), fused=fused)
    return [*optimizers, adamw]


def set_learning_rate(optimizers: list[torch.optim.Optimizer], rate: float) -> None:
    """Set the rate of every group."""
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = rate


def optimizer_tensors(model: nn.Module, optimizers: list[torch.optim.Optimizer]) -> dict[str, torch.Tensor]:
    """All that the optimisers remember, as 'parameter/quantity' to tensor; shards are gathered."""
    names = {parameter: name for name, parameter in model.named_parameters()}
    return {
        f"{names[parameter]}/{quantity}": whole(tensor)
        for optimizer in optimizers
        for parameter, memory in optimizer.state.items()
        for quantity, tensor in memory.items()
    }


def set_optimizer_tensors(
    model: nn.Module, optimizers: list[torch.optim.Optimizer], tensors: dict[str, torch.Tensor]
) -> None:
    """Give the optimisers back what `optimizer_tensors` took from them."""
    parameters = dict(model.named_parameters())
    owner = {p: o for o in optimizers for group in o.param_groups for p in group["params"]}
    for key, tensor in tensors.items():
        name, quantity = key.rsplit("/", 1)
        parameter = parameters[name]
        owner[parameter].state[parameter][quantity] = like(tensor, parameter)


def whole(tensor: torch.Tensor) -> torch.Tensor:
    """The full tensor behind a shard of it (FSDP), on the CPU; any other tensor as it is."""
    return (tensor.full_tensor() if hasattr(tensor, "full_tensor") else tensor).cpu()


def like(tensor: torch.Tensor, parameter: torch.Tensor) -> torch.Tensor:
    """Put a full tensor where its parameter lives, and shard it as the parameter is sharded."""
    tensor = tensor.to(parameter.device)
    if hasattr(parameter, "full_tensor") and tensor.dim() > 0:
        from torch.distributed.tensor import distribute_tensor

        return distribute_tensor(tensor, parameter.device_mesh, parameter.placements)
    return tensor
