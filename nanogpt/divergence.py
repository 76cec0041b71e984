"""Where two models part: one input through both, and the first place at which their numbers differ.

A model that should equal another and doesn't is wrong in one place and different everywhere after it.
That place is found by comparing all that flows between the layers, in the order of computation.
"""

import contextlib
import functools
import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from nanogpt.gpt2 import gpt2_module

IN_A_BLOCK = {  # what is compared, in order -> the module, and whether it goes "in" there or comes "out"
    ".attention_norm": (".attention_norm", "out"),
    ".attention.qkv": (".attention.qkv", "out"),
    ".attention.heads": (".attention.proj", "in"),  # the heads' averages of values, side by side
    ".attention.proj": (".attention.proj", "out"),
    ".attention.sum": (".mlp_norm", "in"),  # added to the residual stream
    ".mlp_norm": (".mlp_norm", "out"),
    ".mlp.up": (".mlp.up", "out"),
    ".mlp.gelu": (".mlp.proj", "in"),
    ".mlp.proj": (".mlp.proj", "out"),
    "": ("", "out"),  # the block's own output
}


@dataclass(frozen=True)
class Layer:
    """How far two models are apart at one place."""

    name: str
    difference: float
    """The largest |ours - theirs|."""
    scale: float
    """The largest |theirs|, which the difference is measured by."""
    parted: bool
    """Whether the difference is over the tolerance, or not a number."""

    @property
    def relative(self) -> float:
        """The difference as a share of the scale."""
        if self.scale == 0:
            return math.inf if self.difference else 0.0
        return self.difference / self.scale


@dataclass(frozen=True)
class Divergence:
    """Every place that was compared, in the order of computation, and how to read it."""

    layers: list[Layer]
    tolerance: float

    @property
    def first(self) -> Layer | None:
        """The first place at which the models part: the error is between it and the place before. None if equal."""
        return next((layer for layer in self.layers if layer.parted), None)

    def to_table(self) -> str:
        """A line for each place, marked `same`, `differs first` or `differs after`, and what it comes to."""
        first, lines = self.first, [f"{'place':28}{'difference':>12}{'of its size':>13}"]
        for layer in self.layers:
            mark = "differs first" if layer is first else "differs after" if layer.parted else "same"
            lines.append(f"{layer.name:28}{layer.difference:12.1e}{layer.relative:13.1e}  {mark}")
        if first is None:
            lines.append(f"the models are the same everywhere, to {self.tolerance:.0e} of the values' size")
        else:
            lines.append(f"the models part at {first.name}, by {first.relative:.1e} of the values' size")
        return "\n".join(lines)


def compare_models(ours: nn.Module, theirs: nn.Module, token_ids: Tensor, tolerance: float = 1e-5) -> Divergence:
    """Run token_ids (B, T) int64 through both models and compare them place by place.

    Each may be a GPT or a `GPT2LMHeadModel` of transformers; they are run in evaluation mode. At each place
    the largest difference is held against `tolerance` times the largest value of `theirs`; float32 rounded in
    another order makes about 1e-6. Where one has more rows in its head, for padding, only the logits that both
    have are compared.
    Raises ValueError for models that are not alike enough for that, or not in float32 on the CPU.
    """
    mine, others = _values(ours, token_ids), _values(theirs, token_ids)
    if mine.keys() != others.keys():
        odd = min(mine.keys() ^ others.keys())
        raise ValueError(f"only one of the models computes {odd}; compare models of the same layers")
    vocab_size = min(mine["logits"].size(-1), others["logits"].size(-1))
    layers = []
    for name, value in mine.items():
        other = others[name]
        if name == "logits":
            value, other = value[..., :vocab_size], other[..., :vocab_size]
        if value.shape != other.shape:
            raise ValueError(
                f"at {name} one model has the shape {tuple(value.shape)} and the other {tuple(other.shape)}; "
                "compare models of the same configuration"
            )
        difference, scale = (value - other).abs().max().item(), other.abs().max().item()
        layers.append(Layer(name, difference, scale, parted=not difference <= tolerance * scale))
    return Divergence(layers, tolerance)


def _values(model: nn.Module, token_ids: Tensor) -> dict[str, Tensor]:
    """What flows through the model at each place, by our names, in the order of computation."""
    for name, parameter in model.named_parameters():
        if (parameter.dtype, parameter.device.type) != (torch.float32, "cpu"):
            raise ValueError(
                f"{name} is {parameter.dtype} on {parameter.device}; compare in float32 on the CPU, "
                "as model.float().cpu() has it"
            )
    body, name_of = (model.transformer, gpt2_module) if hasattr(model, "transformer") else (model, str)
    n_layer = len(_submodule(body, name_of("blocks.0").removesuffix(".0")))
    places = {"embeddings": ("blocks.0", "in")}
    for i in range(n_layer):
        places |= {f"blocks.{i}{what}": (f"blocks.{i}{module}", side) for what, (module, side) in IN_A_BLOCK.items()}
    places["final_norm"] = ("final_norm", "out")

    values: dict[str, Tensor] = {}

    def keep(what: str, module: nn.Module, args: tuple, output: Tensor | tuple | None = None) -> None:
        value = args[0] if output is None else output
        values[what] = (value[0] if isinstance(value, tuple) else value).clone()

    with contextlib.ExitStack() as afterwards, torch.inference_mode():
        afterwards.callback(model.train, model.training)
        model.eval()
        for what, (name, side) in places.items():
            module = _submodule(body, name_of(name))
            register = module.register_forward_pre_hook if side == "in" else module.register_forward_hook
            afterwards.callback(register(functools.partial(keep, what)).remove)
        output = model(token_ids)
    values["logits"] = getattr(output, "logits", output)
    return {what: values[what] for what in [*places, "logits"] if what in values}


def _submodule(model: nn.Module, name: str) -> nn.Module:
    try:
        return model.get_submodule(name)
    except AttributeError:
        raise ValueError(
            f"{type(model).__name__} has no {name}; compare a GPT of ours or a GPT2LMHeadModel of transformers"
        ) from None
