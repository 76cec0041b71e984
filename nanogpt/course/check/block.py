"""Chapter 04: layer norm, GELU, the MLP, the block made of them, and the random numbers it begins with."""

import math
import random
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from nanogpt.block import Block
from nanogpt.config import ModelConfig
from nanogpt.course.check.item import Case, Item

EPS = 1e-5


def norm_cases(rng: random.Random) -> list[Case]:
    """Ordinary tokens, tokens whose numbers are almost or quite the same, and a norm without bias."""
    shape, width = (2, 5, 6), rng.randrange(7, 10)
    constant = torch.tensor([[[2.0] * 4, [1.0, 2.0, 3.0, 4.0]]])  # (1, 2, 4): the first token says nothing
    return [
        (3 * torch.randn(shape) + 5, torch.randn(6), torch.randn(6)),
        (0.01 + 0.001 * torch.randn(shape), torch.randn(6), torch.randn(6)),
        (constant, torch.ones(4), torch.zeros(4)),
        (torch.randn(1, 1, width), torch.randn(width), None),
        (torch.randn(3, 4), torch.randn(4), torch.randn(4)),
    ]


def layer_norm(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """(..., C) -> (..., C), torch's own."""
    return F.layer_norm(x, (x.size(-1),), weight, bias, EPS)


def norm_with(
    divide: Callable[[Tensor], Tensor] | None = None, centre: bool = True, dim: int | tuple[int, ...] = -1
) -> Callable[[Tensor, Tensor, Tensor | None], Tensor]:
    """A layer norm with one thing changed: what it divides by, whether it centres, along which axes it measures."""

    def norm(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        centred = x - x.mean(dim, keepdim=True)
        by = divide(x) if divide else (centred.pow(2).mean(dim, keepdim=True) + EPS).sqrt()
        return shifted((centred if centre else x) / by * weight, bias)

    return norm


def shifted(y: Tensor, bias: Tensor | None) -> Tensor:
    """With the bias, where there is one."""
    return y if bias is None else y + bias


def variance(x: Tensor, correction: int = 0) -> Tensor:
    """Of each token, (..., 1)."""
    return x.var(-1, correction=correction, keepdim=True)


def without_keepdim(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """The slip of a mean (...) that no longer lines up with x (..., C)."""
    return shifted((x - x.mean(-1)) / (x.var(-1, correction=0) + EPS).sqrt() * weight, bias)


def asking_the_bias(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """The slip of `if bias:`, which asks a tensor of C numbers whether it is true."""
    y = layer_norm(x, weight, None)
    return y + bias if bias else y


def gelu_cases(rng: random.Random) -> list[Case]:
    """Numbers around 0, a batch, and some beyond the bend on either side."""
    return [
        (torch.linspace(-4, 4, 9),),
        (2 * torch.randn(2, rng.randrange(3, 6), 4),),
        (torch.tensor([-6.0, -0.5, 0.0, 6.0]),),
        (torch.linspace(-2.0, -0.2, 10),),  # small values, where the tolerance is small too
    ]


def gelu(x: Tensor) -> Tensor:
    """GPT-2's tanh approximation, by torch."""
    return F.gelu(x, approximate="tanh")


def gelu_with(
    inner: Callable[[Tensor], Tensor] = lambda x: math.sqrt(2 / math.pi) * (x + 0.044715 * x**3), half: float = 0.5
) -> Callable[[Tensor], Tensor]:
    """The tanh formula with another argument or another factor in front."""
    return lambda x: half * x * (1 + inner(x).tanh())


def mlp_cases(rng: random.Random) -> list[Case]:
    """x (B, T, C), the weights as nn.Linear holds them, (4C, C) and (C, 4C), and their biases."""
    sizes = [(1, 3, 2), (2, 4, 5), (rng.randrange(1, 4), 1, 4)]
    return [
        (
            torch.randn(B, T, C),
            torch.randn(4 * C, C),
            torch.randn(4 * C),
            torch.randn(C, 4 * C) / 2,
            torch.randn(C),
        )
        for B, T, C in sizes
    ]


def mlp(x: Tensor, w_up: Tensor, b_up: Tensor, w_proj: Tensor, b_proj: Tensor, bend=gelu) -> Tensor:
    """(B, T, C) -> (B, T, 4C) -> (B, T, C)."""
    return F.linear(bend(F.linear(x, w_up, b_up)), w_proj, b_proj)


class Weights(dict):
    """A block's weights by name. Two of them are equal when all tensors are; in a report it is one line."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, dict) and self.keys() == other.keys() and all(self[k].equal(other[k]) for k in self)

    __hash__ = None

    def __repr__(self) -> str:
        return f"a dict of {len(self)} weights, from 'attention_norm.weight' to 'mlp.proj.bias'"


def shape_of(weights: dict[str, Tensor], n_head: int) -> ModelConfig:
    """The configuration of a block with these weights."""
    width = weights["mlp_norm.weight"].numel()
    return ModelConfig(1, n_head, width, context_length=16, vocab_size=64, bias=True)


def block_cases(rng: random.Random) -> list[Case]:
    """x (B, T, C), ordinary or almost constant, the weights of a block, and its number of heads."""
    sizes = [(1, 3, 4, 2), (2, 5, 12, 3), (rng.randrange(1, 3), 4, 8, 4)]
    cases = []
    for B, T, C, H in sizes:
        names = Block(ModelConfig(1, H, C, context_length=16, vocab_size=64, bias=True)).state_dict()
        weights = Weights({name: 0.5 * torch.randn(tensor.shape) for name, tensor in names.items()})
        cases.append((torch.randn(B, T, C), weights, H))
    x, weights, H = cases[1]
    return [*cases, (0.01 + 0.001 * x, weights, H)]


def my_block(x: Tensor, weights: dict[str, Tensor], n_head: int) -> Tensor:
    """The library's block with these weights, (B, T, C) -> (B, T, C)."""
    return torch.func.functional_call(Block(shape_of(weights, n_head)), dict(weights), (x,))


class Parts:
    """The four parts of a block with these weights, to be put together wrongly."""

    def __init__(self, weights: dict[str, Tensor], n_head: int):
        self.block = Block(shape_of(weights, n_head))
        self.block.load_state_dict(weights)
        self.attention_norm, self.attention = self.block.attention_norm, self.block.attention
        self.mlp_norm, self.mlp = self.block.mlp_norm, self.block.mlp

    def attention_to_all(self, x: Tensor) -> Tensor:
        """Attention without a mask."""
        mixed = F.scaled_dot_product_attention(*self.attention.split_heads(x))  # (B, H, T, D)
        return self.attention.proj(mixed.transpose(1, 2).flatten(2))


def wired(wiring: Callable[[Parts, Tensor], Tensor]) -> Callable[[Tensor, dict[str, Tensor], int], Tensor]:
    """A block by another plan."""
    return lambda x, weights, n_head: wiring(Parts(weights, n_head), x)


def altered(**change: str) -> Callable[[Tensor, dict[str, Tensor], int], Tensor]:
    """The right plan with some weights in the place of others: under the name, with __ for dots, whose it takes."""

    def block(x: Tensor, weights: dict[str, Tensor], n_head: int) -> Tensor:
        names = {name.replace("__", "."): source for name, source in change.items()}
        return my_block(x, {k: weights[names[k]] if k in names else weights[k] for k in weights}, n_head)

    return block


def post_norm(p: Parts, x: Tensor) -> Tensor:
    """The first Transformer's plan."""
    x = p.attention_norm(x + p.attention(x))
    return p.mlp_norm(x + p.mlp(x))


def from_normed(p: Parts, x: Tensor) -> Tensor:
    """The slip of adding to the normed token instead of the stream."""
    h = p.attention_norm(x)
    x = h + p.attention(h)
    h = p.mlp_norm(x)
    return h + p.mlp(h)


def without_residuals(p: Parts, x: Tensor) -> Tensor:
    """The slip of replacing where one should add."""
    return p.mlp(p.mlp_norm(p.attention(p.attention_norm(x))))


def without_norms(p: Parts, x: Tensor) -> Tensor:
    """The slip of branches that read the stream as it is."""
    x = x + p.attention(x)
    return x + p.mlp(x)


def then_mlp(p: Parts, x: Tensor) -> Tensor:
    """The second half as it should be."""
    return x + p.mlp(p.mlp_norm(x))


def unnormed_mlp(p: Parts, x: Tensor) -> Tensor:
    """The second half without its norm."""
    return x + p.mlp(x)


def on_what_attention_wrote(p: Parts, x: Tensor) -> Tensor:
    """The slip of an MLP that reads attention's write without the stream."""
    written = p.attention(p.attention_norm(x))
    return x + written + p.mlp(p.mlp_norm(written))


def one_normed(p: Parts, x: Tensor) -> Tensor:
    """The slip of one normed x for both branches."""
    normed = p.attention_norm(x)
    return x + p.attention(normed) + p.mlp(normed)


def normed_after(p: Parts, x: Tensor) -> Tensor:
    """The slip of norming what the branches write."""
    x = x + p.attention_norm(p.attention(x))
    return x + p.mlp_norm(p.mlp(x))


def second_on_normed(p: Parts, x: Tensor) -> Tensor:
    """The slip of `x = layer_norm(x)` in the second half."""
    x = p.mlp_norm(x + p.attention(p.attention_norm(x)))
    return x + p.mlp(x)


def second_not_added(p: Parts, x: Tensor) -> Tensor:
    """The slip of a residual around attention only."""
    return p.mlp(p.mlp_norm(x + p.attention(p.attention_norm(x))))


def first_not_added(p: Parts, x: Tensor) -> Tensor:
    """The slip of a residual around the MLP only."""
    x = p.attention(p.attention_norm(x))
    return x + p.mlp(p.mlp_norm(x))


def added_to_the_input(p: Parts, x: Tensor) -> Tensor:
    """The slip of adding the MLP to what came into the block, which forgets what attention wrote."""
    return x + p.mlp(p.mlp_norm(x + p.attention(p.attention_norm(x))))


def side_by_side(p: Parts, x: Tensor) -> Tensor:
    """The slip of an MLP that reads the block's input."""
    return x + p.attention(p.attention_norm(x)) + p.mlp(p.mlp_norm(x))


def mlp_first(p: Parts, x: Tensor) -> Tensor:
    """The slip of thinking before fetching."""
    x = x + p.mlp(p.mlp_norm(x))
    return x + p.attention(p.attention_norm(x))


def unmasked(p: Parts, x: Tensor) -> Tensor:
    """The slip of attention that sees the future."""
    x = x + p.attention_to_all(p.attention_norm(x))
    return x + p.mlp(p.mlp_norm(x))


def std_cases(rng: random.Random) -> list[Case]:
    """Each matrix and bias of a block, at two depths."""
    layers = ("attention.qkv", "attention.proj", "mlp.up", "mlp.proj")
    names = [f"{layer}.{kind}" for layer in layers for kind in ("weight", "bias")]
    return [(name, n_layer) for n_layer in (8, rng.randrange(10, 60)) for name in names]


def initial_std(name: str, n_layer: int) -> float:
    """GPT-2's rule, as `GPT.initialise` has it."""
    return std_with(lambda L: 1 / math.sqrt(2 * L))(name, n_layer)


def std_with(
    smaller: Callable[[int], float], writes: tuple[str, ...] = ("attention.proj", "mlp.proj"), biases: bool = False
) -> Callable[[str, int], float]:
    """The rule with another factor, for other matrices, or for biases too."""

    def std(name: str, n_layer: int) -> float:
        if name.endswith("bias") and not biases:
            return 0.0
        return 0.02 * (smaller(n_layer) if name.startswith(writes) else 1)

    return std


def by_depth(L: int) -> float:
    """What the writes are multiplied by."""
    return 1 / math.sqrt(2 * L)


ITEMS = (
    Item(
        "layer_norm",
        "layer_norm(x, weight, bias): x (..., C), weight (C,), bias (C,) or None -> (..., C), each token brought to "
        "mean 0 and size 1 with epsilon 1e-5, then scaled and shifted",
        layer_norm,
        norm_cases,
        {
            "epsilon stands outside the root: add it to the variance, then take the root": norm_with(
                lambda x: variance(x).sqrt() + EPS
            ),
            "there is no epsilon, so almost constant tokens are blown up: add 1e-5 to the variance": norm_with(
                lambda x: variance(x).sqrt()
            ),
            "epsilon is another number: it is 1e-5": norm_with(lambda x: (variance(x) + 1e-6).sqrt()),
            "the variance is divided by C - 1: divide by C, with correction=0 or a plain mean of squares": norm_with(
                lambda x: (variance(x, 1) + EPS).sqrt()
            ),
            "two things at once: std divides by C - 1 unless correction=0, and epsilon goes under the root": norm_with(
                lambda x: variance(x, 1).sqrt() + EPS
            ),
            "two things at once: std divides by C - 1 unless correction=0, and there is no epsilon: add 1e-5 to the "
            "variance, then take the root": norm_with(lambda x: variance(x, 1).sqrt()),
            "the squares are added up but not divided by C: the variance is their mean": norm_with(
                lambda x: (variance(x) * x.size(-1) + EPS).sqrt()
            ),
            "epsilon is 1e-8, which is Adam's: this norm's is 1e-5": norm_with(lambda x: (variance(x) + 1e-8).sqrt()),
            "x is divided by the variance: take the root of variance + epsilon": norm_with(lambda x: variance(x) + EPS),
            "the mean is measured but not taken away: it is (x - mean) that is divided": norm_with(centre=False),
            "this is RMS norm, which takes no mean away: both x and the variance are measured from the mean": norm_with(
                lambda x: (x.pow(2).mean(-1, keepdim=True) + EPS).sqrt(), centre=False
            ),
            "each channel was measured over the tokens: measure each token over its channels, dim=-1": norm_with(
                dim=-2
            ),
            "the first axis was measured, across the batch: measure each token over its channels, dim=-1": norm_with(
                dim=0
            ),
            "axis 1 was measured, which is the last only in a plain table: name the channels as dim=-1": norm_with(
                dim=1
            ),
            "each text's tokens were measured together: measure each token by itself, along dim=-1 only": norm_with(
                dim=(-2, -1)
            ),
            "all tokens were measured together: measure each by itself, with dim=-1 and keepdim=True": (
                lambda x, weight, bias: norm_with(dim=tuple(range(x.dim())))(x, weight, bias)
            ),
            "weight and bias are left out: multiply by weight, then add bias": (
                lambda x, weight, bias: layer_norm(x, torch.ones_like(weight), None)
            ),
            "the bias is left out: add it at the end, where it isn't None": (
                lambda x, weight, bias: layer_norm(x, weight, None)
            ),
            "the weight is left out: multiply by it before the bias is added": (
                lambda x, weight, bias: layer_norm(x, torch.ones_like(weight), bias)
            ),
            "the bias was multiplied by the weight too: first multiply by weight, then add bias": (
                lambda x, weight, bias: weight * shifted(norm_with()(x, torch.ones_like(weight), None), bias)
            ),
            "without a bias the weight is left out as well: multiply by it either way": (
                lambda x, weight, bias: layer_norm(x, torch.ones_like(weight) if bias is None else weight, bias)
            ),
            "the bias is added even where it is None: only if there is one": (
                lambda x, weight, bias: layer_norm(x, weight, None) + bias
            ),
            "`if bias:` asks C numbers whether they are true: ask `if bias is not None`": asking_the_bias,
            "the mean or the variance has lost its last axis: keepdim=True keeps it (..., 1), to be set against x": (
                without_keepdim
            ),
            "axis 2 was measured, which is the last only if x has three: name the channels as dim=-1": norm_with(dim=2),
        },
        gradient=True,
    ),
    Item(
        "gelu",
        "gelu(x): x of any shape -> the same shape, GELU in GPT-2's tanh approximation",
        gelu,
        gelu_cases,
        {
            "this is the exact GELU, with erf: GPT-2 was trained with the tanh approximation": F.gelu,
            "this is the approximation by a sigmoid of 1.702 x: GPT-2 was trained with the one by tanh": (
                lambda x: x * (1.702 * x).sigmoid()
            ),
            "this is ReLU, without the soft edge: multiply x by the share that the tanh formula lets through": F.relu,
            "this is SiLU, x times its sigmoid: GELU's share comes from the tanh formula": F.silu,
            "the half in front is missing: 1 + tanh runs from 0 to 2, so halve it": gelu_with(half=1.0),
            "the 1 + is missing: tanh runs from -1 to 1, and the share that is let through is (1 + tanh) / 2": (
                lambda x: 0.5 * x * (math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)).tanh()
            ),
            "this is only the share that is let through: multiply it by x": lambda x: (
                0.5 * (1 + (math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)).tanh())
            ),
            "the factor sqrt(2 / pi) is missing inside the tanh: multiply x + 0.044715 x^3 by it": gelu_with(
                lambda x: x + 0.044715 * x**3
            ),
            "the factor inside the tanh is 2 / pi: take its root": gelu_with(
                lambda x: 2 / math.pi * (x + 0.044715 * x**3)
            ),
            "sqrt(2 / pi) multiplies x but not the cube: put brackets round x + 0.044715 x^3": gelu_with(
                lambda x: math.sqrt(2 / math.pi) * x + 0.044715 * x**3
            ),
            "the cube is a square: inside the tanh it is x^3": gelu_with(
                lambda x: math.sqrt(2 / math.pi) * (x + 0.044715 * x**2)
            ),
            "the cubic term is missing inside the tanh: it is x + 0.044715 x^3": gelu_with(
                lambda x: math.sqrt(2 / math.pi) * x
            ),
            "a digit has slipped: the factor of the cube is 0.044715": gelu_with(
                lambda x: math.sqrt(2 / math.pi) * (x + 0.44715 * x**3)
            ),
            "there is a zero too many in the factor of the cube: it is 0.044715": gelu_with(
                lambda x: math.sqrt(2 / math.pi) * (x + 0.0044715 * x**3)
            ),
            "the factor is cubed too: it is 0.044715 * x**3, only x to the power": gelu_with(
                lambda x: math.sqrt(2 / math.pi) * (x + (0.044715 * x) ** 3)
            ),
            "0.044715 multiplies x as well: it is the factor of the cube alone": gelu_with(
                lambda x: math.sqrt(2 / math.pi) * 0.044715 * (x + x**3)
            ),
            "the tanh is taken of sqrt(2 / pi) alone: put the whole product in its brackets": lambda x: (
                0.5 * x * (1 + math.tanh(math.sqrt(2 / math.pi)) * (x + 0.044715 * x**3))
            ),
            "the root is of pi / 2: it is sqrt(2 / pi)": gelu_with(
                lambda x: math.sqrt(math.pi / 2) * (x + 0.044715 * x**3)
            ),
            "the root is of 2 alone, then divided by pi: it is of the fraction, sqrt(2 / pi)": gelu_with(
                lambda x: math.sqrt(2) / math.pi * (x + 0.044715 * x**3)
            ),
            "`^` is no power in Python: the cube is x**3": lambda x: x ^ 3,
            "math.tanh takes one number: torch.tanh takes a tensor of them": lambda x: math.tanh(x),
            "sqrt(2 / pi) is rounded to 0.7979: let math.sqrt work it out": gelu_with(
                lambda x: 0.7979 * (x + 0.044715 * x**3)
            ),
        },
        rtol=1e-5,
        atol=1e-6,
        gradient=True,
    ),
    Item(
        "mlp",
        "mlp(x, w_up, b_up, w_proj, b_proj): x (B, T, C), w_up (4C, C) and w_proj (C, 4C) as nn.Linear holds them, "
        "biases (4C,) and (C,) -> (B, T, C)",
        mlp,
        mlp_cases,
        {
            "nothing bends between the two matrices, so they are one: put gelu between them": (
                lambda *case: mlp(*case, bend=lambda z: z)
            ),
            "the bend is a ReLU: GPT-2's is gelu": lambda *case: mlp(*case, bend=F.relu),
            "the bend is the exact GELU: GPT-2 was trained with the tanh approximation": (
                lambda *case: mlp(*case, bend=F.gelu)
            ),
            "gelu comes after the second matrix: put it between the two": (
                lambda *case: gelu(mlp(*case, bend=lambda z: z))
            ),
            "gelu comes twice: what leaves the second matrix is written to the stream as it is": (
                lambda *case: gelu(mlp(*case))
            ),
            "gelu comes before the first matrix: widen first, then bend": (
                lambda x, *weights: mlp(gelu(x), *weights, bend=lambda z: z)
            ),
            "the first bias is left out: add b_up before the bend": (
                lambda x, w_up, b_up, w_proj, b_proj: mlp(x, w_up, 0 * b_up, w_proj, b_proj)
            ),
            "the first bias comes after the bend: add b_up before it": (
                lambda x, w_up, b_up, w_proj, b_proj: F.linear(gelu(x @ w_up.T) + b_up, w_proj, b_proj)
            ),
            "the second bias is left out: add b_proj at the end": (
                lambda x, w_up, b_up, w_proj, b_proj: mlp(x, w_up, b_up, w_proj, 0 * b_proj)
            ),
            "both biases are left out: add b_up before the bend and b_proj at the end": (
                lambda x, w_up, b_up, w_proj, b_proj: mlp(x, w_up, 0 * b_up, w_proj, 0 * b_proj)
            ),
            "x is added already: here return only what the MLP has to say, the block adds it": (
                lambda x, *weights: x + mlp(x, *weights)
            ),
            "the matrices were reshaped where they should be transposed: nn.Linear computes x @ w.T": (
                lambda x, w_up, b_up, w_proj, b_proj: mlp(
                    x, w_up.reshape(w_proj.shape).T, b_up, b_proj=b_proj, w_proj=w_proj.reshape(w_up.shape).T
                )
            ),
            "w_up is (4C, C) and doesn't fit as it stands: nn.Linear computes x @ w.T, and so should you": (
                lambda x, w_up, *rest: x @ w_up
            ),
            "w_proj is (C, 4C) and doesn't fit as it stands: transpose it too, hidden @ w_proj.T": (
                lambda x, w_up, b_up, w_proj, b_proj: gelu(F.linear(x, w_up, b_up)) @ w_proj
            ),
            "the matrices have changed places, so that they fit without a transpose: x @ w_up.T comes first": (
                lambda x, w_up, b_up, w_proj, b_proj: mlp(x, w_proj.T, b_up, w_up.T, b_proj)
            ),
            "w_up stands in both layers: the second has its own matrix, w_proj": (
                lambda x, w_up, b_up, w_proj, b_proj: mlp(x, w_up, b_up, w_up.T, b_proj)
            ),
        },
        rtol=1e-5,
        gradient=True,
    ),
    Item(
        "my_block",
        "my_block(x, weights, n_head): x (B, T, C), weights by name as a block's state_dict() has them -> (B, T, C)",
        my_block,
        block_cases,
        {
            "this is post-norm, which norms the sum: norm what the branch reads, x + attention(norm(x))": wired(
                post_norm
            ),
            "nothing is added to x: each half is x + branch(norm(x))": wired(without_residuals),
            "nothing is normed: each branch reads norm(x)": wired(without_norms),
            "the first norm is missing: attention reads norm(x)": wired(lambda p, x: then_mlp(p, x + p.attention(x))),
            "the second norm is missing: the MLP reads norm(x)": wired(
                lambda p, x: unnormed_mlp(p, x + p.attention(p.attention_norm(x)))
            ),
            "the norms' biases are left out: hand layer_norm both its weight and its bias": lambda x, weights, n_head: (
                my_block(x, {k: 0 * w if k.endswith("norm.bias") else w for k, w in weights.items()}, n_head)
            ),
            "both branches read the first normed x: norm again, by mlp_norm, after attention has written": wired(
                one_normed
            ),
            "the MLP reads what attention wrote, without the stream: norm the sum, x + attention(norm(x))": wired(
                on_what_attention_wrote
            ),
            "what the branches write is normed, not what they read: it is x + attention(norm(x))": wired(normed_after),
            "the second half adds to the normed x: keep x, and norm it into a new variable": wired(second_on_normed),
            "the first half doesn't add to x: it is x + attention(norm(x))": wired(first_not_added),
            "the second half doesn't add to x: it is x + mlp(norm(x))": wired(second_not_added),
            "the branches are added to the normed tokens: add them to x itself, which no norm touches": wired(
                from_normed
            ),
            "the MLP is added to the block's input, so that attention's write is lost: add to the sum so far": wired(
                added_to_the_input
            ),
            "the MLP reads the block's input: let it read what attention has written, norm(x + attention(...))": wired(
                side_by_side
            ),
            "the MLP comes before attention: tokens talk first, then think": wired(mlp_first),
            "the MLP is missing: the second half is x + mlp(norm(x))": wired(
                lambda p, x: x + p.attention(p.attention_norm(x))
            ),
            "attention is missing: the first half is x + attention(norm(x))": wired(
                lambda p, x: x + p.mlp(p.mlp_norm(x))
            ),
            "the first norm stands in both halves: the second has its own, mlp_norm": altered(
                mlp_norm__weight="attention_norm.weight", mlp_norm__bias="attention_norm.bias"
            ),
            "the two norms have changed places: attention_norm comes before attention": altered(
                mlp_norm__weight="attention_norm.weight",
                mlp_norm__bias="attention_norm.bias",
                attention_norm__weight="mlp_norm.weight",
                attention_norm__bias="mlp_norm.bias",
            ),
            "attention runs with one head as wide as C: hand n_head on": lambda x, weights, n_head: my_block(
                x, weights, 1
            ),
            "nothing is masked in attention: each token sees those that come after it; set their scores to -inf": wired(
                unmasked
            ),
            "the output is normed once more: that norm belongs to the model, after the last block": (
                lambda x, weights, n_head: layer_norm(
                    my_block(x, weights, n_head), weights["mlp_norm.weight"], weights["mlp_norm.bias"]
                )
            ),
        },
        atol=1e-4,
        gradient=True,
    ),
    Item(
        "initial_std",
        "initial_std(name, n_layer) -> a number: the standard deviation with which GPT-2 draws a matrix or bias, "
        "named as in state_dict(), in a model of n_layer blocks; 0 for what begins at 0",
        initial_std,
        std_cases,
        {
            "the rule's second line is missing: for what writes to the stream, 0.02 is divided by sqrt(2L)": std_with(
                lambda L: 1
            ),
            "the writes' 0.02 is divided by sqrt(L): there are two writes in each block, so by sqrt(2L)": std_with(
                lambda L: 1 / math.sqrt(L)
            ),
            "the writes' 0.02 is divided by 2L: they add up as a random walk does, so it is the root": std_with(
                lambda L: 1 / (2 * L)
            ),
            "the writes' 0.02 is divided by L: two writes a block, and a random walk, so by sqrt(2L)": std_with(
                lambda L: 1 / L
            ),
            "the writes' 0.02 is divided by sqrt(2), and L left out: the root is of the product, sqrt(2L)": std_with(
                lambda L: 1 / math.sqrt(2)
            ),
            "the writes' 0.02 is divided by sqrt(2) * L: the root is of the product, sqrt(2L)": std_with(
                lambda L: 1 / (math.sqrt(2) * L)
            ),
            "the writes' 0.02 is divided by sqrt(2), then multiplied by L: put the root of 2 * L below": std_with(
                lambda L: L / math.sqrt(2)
            ),
            "the writes' 0.02 is multiplied by sqrt(2L), so they are drawn larger: divide by it": std_with(
                lambda L: math.sqrt(2 * L)
            ),
            "the writes' 0.02 is multiplied by 2L, so they are drawn larger: divide by sqrt(2L)": std_with(
                lambda L: 2 * L
            ),
            "sqrt(2L) was taken away from the writes' 0.02: divide by it": std_with(
                lambda L: 1 - math.sqrt(2 * L) / 0.02
            ),
            "the writes' 0.02 is missing: it is 0.02 divided by sqrt(2L), not 1": std_with(
                lambda L: 1 / math.sqrt(2 * L) / 0.02
            ),
            "every matrix is drawn smaller: only those that write to the stream, the two called proj": std_with(
                by_depth, ("attention", "mlp")
            ),
            "only attention's proj is drawn smaller: the MLP's proj writes to the stream as well": std_with(
                by_depth, ("attention.proj",)
            ),
            "only the MLP's proj is drawn smaller: attention's proj writes to the stream as well": std_with(
                by_depth, ("mlp.proj",)
            ),
            "one number for everything: biases begin at 0, and the two that write to the stream are smaller": std_with(
                lambda L: 1, biases=True
            ),
            "biases are drawn as well: they begin at 0": std_with(by_depth, biases=True),
            "the biases of the two proj are drawn: ask for bias before you ask for proj": (
                lambda name, n_layer: 0.02 * by_depth(n_layer) if "proj" in name else initial_std(name, n_layer)
            ),
            "0.005 is what comes out for 8 blocks: work it out from n_layer": std_with(lambda L: 0.25),
            "biases are drawn with 0.02, as matrices that read are: they begin at 0": (
                lambda name, n_layer: 0.02 if name.endswith("bias") else initial_std(name, n_layer)
            ),
            "this is a variance: return its root, the standard deviation": (
                lambda name, n_layer: initial_std(name, n_layer) ** 2
            ),
            "those that read from the stream are drawn smaller: it is those that write to it": std_with(
                by_depth, ("attention.qkv", "mlp.up")
            ),
        },
        atol=1e-8,
    ),
)
