"""Chapter 09: a tensor out of a file, names and layouts of GPT-2, one head's matrices, and where two models part."""

import json
import random
import re
from collections.abc import Callable

import torch
from safetensors.torch import load as read_bytes
from safetensors.torch import save
from torch import Tensor
from transformers.pytorch_utils import Conv1D

from nanogpt.course.check.item import Case, Item
from nanogpt.divergence import Divergence, Layer
from nanogpt.gpt2 import gpt2_tensor

Block = Callable[[int, Tensor], Tensor]
C = 4  # the width of what is named below


def file_cases(rng: random.Random) -> list[Case]:
    """A small safetensors file as bytes, and the name of a tensor in it: first, later, of one axis and of more."""
    small = {"a": torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]), "b": torch.tensor([0.5, -0.25])}
    T, V = rng.randrange(2, 5), rng.randrange(5, 8)
    large = {"wpe.weight": torch.randn(T, 3), "wte.weight": torch.randn(V, 3), "h.0.bias": torch.randn(2, 1, 2)}
    noted = save(large, {"note": "größer"})  # a header with letters of two bytes
    return [(save(small), "b"), (save(small), "a"), (noted, "wte.weight"), (noted, "wpe.weight"), (noted, "h.0.bias")]


def read_tensor(data: bytes, name: str) -> Tensor:
    """The tensor, by the library safetensors."""
    return read_bytes(data)[name]


def read_but(start: int = 8, whole_file: bool = False, first_of_all: bool = False, kind: str = "<f4") -> Callable:
    """The slip of another place, or of another order of bytes."""

    def slip(data: bytes, name: str) -> Tensor:
        size = int.from_bytes(data[:8], "little")
        entry = json.loads(data[8 : 8 + size])[name]
        first, last = entry["data_offsets"]
        first, last = (0, last - first) if first_of_all else (first, last)
        numbers = data if whole_file else data[start + size :]
        part = numbers[first:last]
        if kind == ">f4":
            part = b"".join(part[i : i + 4][::-1] for i in range(0, len(part), 4))
        return torch.frombuffer(bytearray(part), dtype=torch.float32).view(entry["shape"])

    return slip


def by_columns(data: bytes, name: str) -> Tensor:
    """The slip of numbers taken column by column."""
    right = read_tensor(data, name)
    return right.reshape(right.shape[::-1]).permute(*range(right.dim())[::-1])


MODULES = ("attention_norm", "attention.qkv", "attention.proj", "mlp_norm", "mlp.up", "mlp.proj")


def names_cases(rng: random.Random) -> list[Case]:
    """Each module of ours once, in some layer, with its weight or its bias."""
    inside = [f"blocks.{layer}.{m}" for layer in (0, 11) for m in MODULES]
    drawn = [f"blocks.{rng.randrange(12, 48)}.{m}.bias" for m in MODULES]
    names = ["blocks.2.mlp.up.weight", *(f"{m}.weight" for m in inside), *drawn, "final_norm.weight", "final_norm.bias"]
    return [(name,) for name in [*names, "token_embedding.weight", "position_embedding.weight"]]


def their_name(name: str) -> str:
    """The library's table."""
    return gpt2_tensor(name)[0]


def named(a: str, b: str) -> Callable[[str], str]:
    """The slip of names in which two have changed places."""
    return lambda name: their_name(name).replace(a, "?").replace(b, a).replace("?", b)


def renumbered(number: Callable[[str], str]) -> Callable[[str], str]:
    """The slip of another number for the layer."""
    return lambda name: re.sub(r"\d+", lambda found: number(found[0]), their_name(name), count=1)


def caught_early(name: str) -> str:
    """The slip of a rule for `attention` that catches `attention_norm` too, and one for `mlp` likewise."""
    theirs = their_name(name)
    return theirs.replace("ln_1", "attn_norm").replace("ln_2", "mlp_norm")


def layout_cases(rng: random.Random) -> list[Case]:
    """Each tensor of ours once: name and numbers, as a GPT of width 4 with 2 layers has them."""
    V, T = rng.randrange(5, 9), rng.randrange(2, 4)
    shapes = {"attention.qkv": (3 * C, C), "attention.proj": (C, C), "mlp.up": (4 * C, C), "mlp.proj": (C, 4 * C)}
    cases = []
    for i, m in enumerate(MODULES):
        shape = shapes.get(m, (C,))
        cases.append((f"blocks.{i % 2}.{m}.weight", torch.randn(shape)))
        cases.append((f"blocks.{rng.randrange(12)}.{m}.bias", torch.randn(shape[0])))
    outside = {"token_embedding": (V, C), "position_embedding": (T, C), "final_norm": (C,)}
    return cases + [(f"{m}.weight", torch.randn(shape)) for m, shape in outside.items()]


def to_theirs(name: str, tensor: Tensor) -> tuple[str, Tensor]:
    """Name and layout by the library's table."""
    theirs, transposed = gpt2_tensor(name)
    return theirs, tensor.T if transposed else tensor


def turned_where(is_turned: Callable[[str, Tensor], bool]) -> Callable[[str, Tensor], tuple[str, Tensor]]:
    """The slip of another rule for what to turn."""
    return lambda name, tensor: (their_name(name), tensor.T if is_turned(name, tensor) else tensor)


def is_linear(name: str) -> bool:
    """Whether GPT-2 keeps this tensor (in, out)."""
    return gpt2_tensor(name)[1]


def head_cases(rng: random.Random) -> list[Case]:
    """c_attn (C, 3C), the number of heads, and a head: the first, the last, one between, and a single one."""
    H, D = rng.randrange(3, 5), rng.randrange(2, 4)
    return [
        (torch.arange(48.0).view(4, 12), 2, 1),
        (torch.randn(6, 18), 2, 0),
        (torch.randn(H * D, 3 * H * D), H, rng.randrange(1, H)),
        (torch.randn(3, 9), 1, 0),
    ]


def head_matrices(c_attn: Tensor, n_head: int, head: int) -> tuple[Tensor, ...]:
    """What transformers' layer makes of one-hot inputs, cut as its attention cuts it."""
    width = c_attn.size(0)
    layer = Conv1D(3 * width, width)
    with torch.no_grad():
        layer.weight.copy_(c_attn)
        layer.bias.zero_()
        query, key, value = layer(torch.eye(width)).split(width, dim=1)
    return tuple(z.view(width, n_head, -1)[:, head] for z in (query, key, value))


def cut_as(*axes: str, turn: bool = False) -> Callable[[Tensor, int, int], tuple[Tensor, ...]]:
    """The slip of another order of parts in the 3C columns, or of rows taken for columns."""

    def slip(c_attn: Tensor, n_head: int, head: int) -> tuple[Tensor, ...]:
        width = c_attn.size(0)
        sizes = {"part": 3, "H": n_head, "D": width // n_head}
        c_attn = c_attn.reshape(3 * width, width).T if turn else c_attn
        cut = c_attn.unflatten(1, [sizes[axis] for axis in axes])
        cut = cut.movedim((1 + axes.index("part"), 1 + axes.index("H")), (0, 1))  # (3, H, C, D)
        return tuple(cut[:, head])

    return slip


def shifted(c_attn: Tensor, n_head: int, head: int) -> tuple[Tensor, ...]:
    """The slip of a head that starts at column `head`."""
    D = c_attn.size(0) // n_head
    return tuple(z[:, head : head + D] for z in c_attn.chunk(3, dim=1))


def states_cases(rng: random.Random) -> list[Case]:
    """The residual streams (L + 1, T, C) of two models, and a tolerance."""
    theirs = torch.randn(5, 3, 4)
    theirs[:, 0, 0] = 1e-7  # next to nothing: rounding is as large as the number itself
    rounding = 1e-6 * torch.randn(5, 3, 4).clamp(-1, 1)
    parted, at = theirs + rounding, rng.randrange(1, 4)
    parted[at:] += 0.01 * torch.rand(5 - at, 3, 4)
    parted[4] += 0.2  # or louder
    one, two = theirs + rounding, theirs.clone()
    one[2, 1, 1] += 0.5  # an echo may be fainter than what it comes from
    one[3, 1, 1] -= 0.05
    growing = (
        theirs / theirs.abs().amax((1, 2), keepdim=True) * torch.tensor([1e-3, 1.0, 100.0, 1e3, 1e4]).view(5, 1, 1)
    )
    single = growing.clone()
    single[0, 2, 3] -= 5e-7  # small, but not for values of a thousandth
    negative = theirs + rounding
    negative[1:, 1] -= 0.3
    slight = theirs + rounding
    slight[3, 2, 1] += 1.2e-5 * theirs[3].abs().max()  # just above, and in one number only
    return [
        (parted, theirs, 1e-5),
        (theirs + rounding, theirs, 1e-5),
        (one, two, 1e-5),
        (growing * (1 + 2e-6), growing, 1e-5),
        (single, growing, 1e-5),
        (negative, theirs, 1e-5),
        (slight, theirs, 1e-5),
        (parted, theirs, 1.0),
        (2 * theirs[:1], theirs[:1], 1e-5),
    ]


def first_divergence(ours: Tensor, theirs: Tensor, tolerance: float) -> int | None:
    """The first place at which the library's report says that the models part."""
    pairs = [((a - b).abs().max().item(), b.abs().max().item()) for a, b in zip(ours, theirs, strict=True)]
    layers = [Layer(str(i), d, size, not d <= tolerance * size) for i, (d, size) in enumerate(pairs)]
    first = Divergence(layers, tolerance).first
    return None if first is None else int(first.name)


def gaps_by(
    gap: Callable[[Tensor, Tensor], Tensor], pick: Callable[[list[int]], int | None] | None = None
) -> Callable[[Tensor, Tensor, float], int | None]:
    """The slip of another measure, or of another choice among the places that differ."""

    def slip(ours: Tensor, theirs: Tensor, tolerance: float) -> int | None:
        places = [i for i in range(len(ours)) if gap(ours[i], theirs[i]) > tolerance]
        return pick(places) if pick else places[0] if places else None

    return slip


def gap(a: Tensor, b: Tensor) -> Tensor:
    """The largest difference, as a share of the largest value."""
    return (a - b).abs().max() / b.abs().max()


def largest_gap(ours: Tensor, theirs: Tensor, tolerance: float) -> int | None:
    """The slip of the worst place instead of the first."""
    gaps = torch.stack([gap(a, b) for a, b in zip(ours, theirs, strict=True)])
    return int(gaps.argmax()) if not bool((gaps <= tolerance).all()) else None


def whole_scale(ours: Tensor, theirs: Tensor, tolerance: float) -> int | None:
    """The slip of one size for all places."""
    return gaps_by(lambda a, b: (a - b).abs().max() / theirs.abs().max())(ours, theirs, tolerance)


def blocks_cases(rng: random.Random) -> list[Case]:
    """our_block and their_block, the input (T, C), the number of layers and a tolerance: no fault, one, two, and one
    that shows on large values only."""
    at = rng.randrange(1, 3)
    plans = [
        ({at: 0.05}, 4, 1.0),
        ({}, 4, 1.0),
        ({0: 0.05, 2: 0.1, 4: 0.02}, 5, 1.0),
        ({at: 0.05, 3: "late"}, 5, 1.0),
        ({at: 5e-3}, 3, 1e-4),
        ({2: 0.1}, 4, 1e4),
    ]
    inputs = [scale * torch.randn(3, C).clamp(-1, 1) for _, _, scale in plans]
    return [
        (*two_models(faults, n_layer, C), x, n_layer, 1e-5)
        for (faults, n_layer, _), x in zip(plans, inputs, strict=True)
    ]


def two_models(faults: dict[int, float | str], n_layer: int, width: int) -> tuple[Block, Block]:
    """Two stacks of blocks that are the same but for the faults: a weight moved, or large values handled otherwise."""
    weights = torch.randn(n_layer, width, width) / width**0.5

    def their_block(i: int, x: Tensor) -> Tensor:
        return 2 * x + torch.tanh(x @ weights[i])

    def our_block(i: int, x: Tensor) -> Tensor:
        weight, fault = weights[i], faults.get(i, 0.0)
        half = width // 2  # another order of sums, so that they differ by rounding
        mixed = x[:, half:] @ weight[half:] + x[:, :half] @ weight[:half]
        if fault == "late":
            return torch.tanh(mixed) + 2 * x + 0.1 * (x.abs() - 3).relu()
        return torch.tanh(mixed) + (2 + fault) * x

    return our_block, their_block


def culprits(our_block: Block, their_block: Block, x: Tensor, n_layer: int, tolerance: float) -> list[int]:
    """The blocks that differ when both are given what theirs were given."""
    found = []
    for i in range(n_layer):
        ours, theirs = our_block(i, x), their_block(i, x)
        if first_divergence(ours[None], theirs[None], tolerance) is not None:
            found.append(i)
        x = theirs
    return found


def echoes(our_block: Block, their_block: Block, x: Tensor, n_layer: int, tolerance: float) -> list[int]:
    """The slip of each model going on with its own values."""
    ours, theirs, found = x, x, []
    for i in range(n_layer):
        ours, theirs = our_block(i, ours), their_block(i, theirs)
        if gap(ours, theirs) > tolerance:
            found.append(i)
    return found


def all_on_x(our_block: Block, their_block: Block, x: Tensor, n_layer: int, tolerance: float) -> list[int]:
    """The slip of the same input for every block."""
    return [i for i in range(n_layer) if gap(our_block(i, x), their_block(i, x)) > tolerance]


def culprits_by(differs: Callable[[Tensor, Tensor, float], bool]) -> Callable[..., list[int]]:
    """The slip of another measure."""

    def slip(our_block: Block, their_block: Block, x: Tensor, n_layer: int, tolerance: float) -> list[int]:
        found = []
        for i in range(n_layer):
            ours, x = our_block(i, x), their_block(i, x)
            found += [i] if differs(ours, x, tolerance) else []
        return found

    return slip


ITEMS = (
    Item(
        "read_tensor",
        "read_tensor(data, name): the bytes of a safetensors file with numbers in float32 -> the tensor of that name, "
        "in its shape",
        read_tensor,
        file_cases,
        {
            "the 8 bytes of the length are forgotten: the numbers start at 8 + size": read_but(start=0),
            "the length of the header has 8 bytes, not 4: the numbers start at 8 + size": read_but(start=4),
            "data_offsets were counted from the start of the file: they count from the end of the header": (
                read_but(whole_file=True)
            ),
            "this is read from the first number on, whatever the name: start at data_offsets[0]": (
                read_but(first_of_all=True)
            ),
            "the bytes of each number are read backwards: they are little-endian, the smallest first": (
                read_but(kind=">f4")
            ),
            "the numbers were laid down column by column: they are stored row by row, as view has it": by_columns,
            "the tensor was turned: hand it out as the file has it, and decide by name later": (
                lambda data, name: read_tensor(data, name).permute(*range(read_tensor(data, name).dim())[::-1])
            ),
            "the numbers are right, but lie in one row: give them the shape that the header names": (
                lambda data, name: read_tensor(data, name).flatten()
            ),
        },
    ),
    Item(
        "their_name",
        "their_name(name): one of our tensors, such as 'blocks.2.mlp.up.weight' -> GPT-2's name of it, such as "
        "'h.2.mlp.c_fc.weight'",
        their_name,
        names_cases,
        {
            "ln_1 and ln_2 have changed places: ln_1 stands before attention, ln_2 before the MLP": (
                named("ln_1", "ln_2")
            ),
            "c_fc and c_proj of the MLP have changed places: c_fc widens, c_proj comes back": (
                named("mlp.c_fc", "mlp.c_proj")
            ),
            "wte and wpe have changed places: t is for token, p for position": named("wte", "wpe"),
            "only one digit of the layer's number is kept: split at the dots, there are models of 48 layers": (
                renumbered(lambda number: number[-1])
            ),
            "only the first digit of the layer's number is kept: split at the dots, there are models of 48 layers": (
                renumbered(lambda number: number[0])
            ),
            "layers were counted from 1: both models count from 0": renumbered(lambda number: str(int(number) + 1)),
            "weight or bias is lost: keep the last part of the name": lambda name: their_name(name).rsplit(".", 1)[0],
            "every name ends in weight: keep the last part, which may be bias": (
                lambda name: their_name(name).replace("bias", "weight")
            ),
            "transformer. stands before the names: that is the class's own prefix, the table leaves it out": (
                lambda name: "transformer." + their_name(name)
            ),
            "the layers are still called blocks: GPT-2 calls them h": (
                lambda name: re.sub(r"^h\.", "blocks.", their_name(name))
            ),
            "a rule for attention or mlp caught attention_norm and mlp_norm too: look up the whole module's name": (
                caught_early
            ),
        },
    ),
    Item(
        "to_theirs",
        "to_theirs(name, tensor): one of our tensors -> (GPT-2's name, the tensor in GPT-2's layout)",
        to_theirs,
        layout_cases,
        {
            "nothing was turned: GPT-2 keeps c_attn, c_proj and c_fc as (in, out)": turned_where(lambda name, x: False),
            "the square one was left as it was: attention.proj fits both ways, so go by name and not by shape": (
                turned_where(lambda name, x: x.dim() == 2 and is_linear(name) and x.size(0) != x.size(1))
            ),
            "the embeddings were turned too: a row is a token in both models, leave them": (
                turned_where(lambda name, x: x.dim() == 2)
            ),
            "both c_proj were left as they were: they are turned like c_attn and c_fc": (
                turned_where(lambda name, x: is_linear(name) and "proj" not in name)
            ),
            "the c_proj of the MLP was left as it was: it is turned like that of attention": (
                turned_where(lambda name, x: is_linear(name) and "mlp.proj" not in name)
            ),
            "it was turned by shape, wherever rows and columns differ in number: go by name": (
                turned_where(lambda name, x: x.dim() == 2 and x.size(0) != x.size(1))
            ),
            "the shape is right, but the numbers were poured into it: use .T, view and reshape don't turn": (
                lambda name, x: (their_name(name), x.reshape(x.T.shape) if is_linear(name) else x)
            ),
            "the tensors are right, but the names are still ours: return GPT-2's": (
                lambda name, x: (name, to_theirs(name, x)[1])
            ),
            "the rule is the wrong way round: the linear layers are turned, the embeddings are not": (
                turned_where(lambda name, x: x.dim() == 2 and not is_linear(name))
            ),
        },
    ),
    Item(
        "head_matrices",
        "head_matrices(c_attn, n_head, head): c_attn (C, 3C) as GPT-2 keeps it -> (query, key, value), each (C, D): "
        "what this head multiplies x with",
        head_matrices,
        head_cases,
        {
            "the parts of each head lie side by side in this cut: in GPT-2 all queries come first, then keys, then "
            "values": cut_as("H", "part", "D"),
            "each head took every H-th column: it has D columns in a row": cut_as("part", "D", "H"),
            "query, key and value are woven into one another, column by column: each is a third, C columns wide": (
                cut_as("H", "D", "part")
            ),
            "query and key have changed places: the queries are the first third": (
                lambda *case: tuple(head_matrices(*case)[i] for i in (1, 0, 2))
            ),
            "this is (value, key, query): the thirds are query, key, value": lambda *case: head_matrices(*case)[::-1],
            "heads were counted from 1: head 0 is the first": lambda w, H, head: head_matrices(w, H, head - 1),
            "the head starts at column `head`: it starts at head * D": shifted,
            "the matrix was poured into (3C, C): GPT-2 keeps it (in, out), so cut its columns as they are": (
                cut_as("part", "H", "D", turn=True)
            ),
            "the matrices are turned: (C, D) was asked for, as in x @ W": (
                lambda *case: tuple(z.T for z in head_matrices(*case))
            ),
        },
    ),
    Item(
        "first_divergence",
        "first_divergence(ours, theirs, tolerance): two stacks of states (L, T, C) -> the first place at which the "
        "largest difference is above tolerance times theirs' largest value there, or None",
        first_divergence,
        states_cases,
        {
            "the difference isn't set against the size of the values: divide by theirs' largest at that place": (
                gaps_by(lambda a, b: (a - b).abs().max())
            ),
            "each difference was divided by its own number, and some are next to 0: divide by the largest": (
                gaps_by(lambda a, b: ((a - b) / b).abs().max())
            ),
            "one size was used for all places: the values grow from layer to layer, take each place's own": whole_scale,
            "this is the place of the largest difference: the first one is to blame, the rest are echoes": largest_gap,
            "this is the last place that differs: the first one is to blame, the rest are echoes": (
                gaps_by(gap, lambda places: places[-1] if places else None)
            ),
            "this is how many places differ: which is the first?": gaps_by(gap, lambda places: len(places) or None),
            "nothing is forgiven: two right models differ by rounding, compare with the tolerance": (
                gaps_by(lambda a, b: torch.where((a == b).all(), 0.0, 99.0))
            ),
            "the mean of the differences hides a single wrong number: take the largest": (
                gaps_by(lambda a, b: (a - b).abs().mean() / b.abs().max())
            ),
            "the sign was kept, so values that are too small go unseen: take abs() first": (
                gaps_by(lambda a, b: (a - b).max() / b.abs().max())
            ),
            "places were counted from 1: 0 is the first": gaps_by(
                gap, lambda places: places[0] + 1 if places else None
            ),
            "-1 came back where the models agree: None was asked for": (
                gaps_by(gap, lambda places: places[0] if places else -1)
            ),
            "this is the last place that still agrees: the next one was asked for": (
                gaps_by(gap, lambda places: places[0] - 1 if places else None)
            ),
        },
    ),
    Item(
        "culprits",
        "culprits(our_block, their_block, x, n_layer, tolerance): block i of a model maps x (T, C) to (T, C) by "
        "their_block(i, x) -> the list of all blocks of ours that are wrong themselves",
        culprits,
        blocks_cases,
        {
            "echoes are in it: give our block what theirs was given, then only its own fault shows": echoes,
            "it ends at the first: go on with theirs' values, and later faults show too": (
                lambda *case: culprits(*case)[:1]
            ),
            "every block was given the first x: a fault may show only on the values that it really gets": all_on_x,
            "the difference isn't set against the size of the values: divide by theirs' largest": (
                culprits_by(lambda a, b, tolerance: bool((a - b).abs().max() > tolerance))
            ),
            "nothing is forgiven: two right blocks differ by rounding, compare with the tolerance": (
                culprits_by(lambda a, b, tolerance: not torch.equal(a, b))
            ),
            "nothing is ever found: place 0 counts as False, so ask whether the answer is not None": lambda *case: [],
            "these are the blocks that are right: the wrong ones were asked for": (
                lambda *case: [i for i in range(case[3]) if i not in culprits(*case)]
            ),
            "blocks were counted from 1: 0 is the first": lambda *case: [i + 1 for i in culprits(*case)],
            "the last block is never looked at: there are n_layer of them": (
                lambda *case: culprits(*case[:3], case[3] - 1, case[4])
            ),
        },
    ),
)
