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
Differs = Callable[[Tensor, Tensor, float], bool | Tensor]
C = 4  # the width of what is named below


def file_cases(rng: random.Random) -> list[Case]:
    """A safetensors file as bytes, and the name of a tensor in it: first, later, of one axis and of more. One header
    is longer than two bytes can say, and names its tensors in another order than that of their numbers."""
    small = {"a": torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]), "b": torch.tensor([0.5, -0.25])}
    T, V = rng.randrange(2, 5), rng.randrange(5, 8)
    large = {"wpe.weight": torch.randn(T, 3), "wte.weight": torch.randn(V, 3), "h.0.bias": torch.randn(2, 1, 2)}
    noted = save(large, {"note": "größer"})  # a header with letters of two bytes
    size = int.from_bytes(noted[:8], "little")
    entries = json.loads(noted[8 : 8 + size])
    header = json.dumps({name: entries[name] for name in sorted(entries, reverse=True)}).encode()
    long = (len(header) + 70_000).to_bytes(8, "little") + header + b" " * 70_000 + noted[8 + size :]
    cases = [(save(small), "b"), (save(small), "a"), (noted, "wte.weight"), (noted, "wpe.weight"), (noted, "h.0.bias")]
    return [*cases, *((long, name) for name in large)]


def read_tensor(data: bytes, name: str) -> Tensor:
    """The tensor, by the library safetensors."""
    return read_bytes(data)[name]


def read_but(
    start: int | None = 8,
    order: str = "little",
    header: Callable[[int], slice] = lambda size: slice(8, 8 + size),
    part: Callable[[bytes, int, int], bytes] = lambda numbers, first, last: numbers[first:last],
) -> Callable[[bytes, str], Tensor]:
    """The slip of another place: numbers that start elsewhere (None: with the file), a length read backwards, another
    header, or another part of the numbers."""

    def slip(data: bytes, name: str) -> Tensor:
        size = int.from_bytes(data[:8], order)
        entry = json.loads(data[header(size)])[name]
        numbers = data if start is None else data[start + size :]
        return torch.frombuffer(bytearray(part(numbers, *entry["data_offsets"])), dtype=torch.float32).view(
            entry["shape"]
        )

    return slip


def backwards(numbers: bytes, first: int, last: int) -> bytes:
    """The bytes of each number in the other order."""
    return b"".join(numbers[i : i + 4][::-1] for i in range(first, last, 4))


def counted_as_numbers(data: bytes, name: str) -> Tensor:
    """The slip of offsets that count numbers."""
    size = int.from_bytes(data[:8], "little")
    entry = json.loads(data[8 : 8 + size])[name]
    first, last = entry["data_offsets"]
    return torch.frombuffer(bytearray(data[8 + size :]), dtype=torch.float32)[first:last].view(entry["shape"])


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


def renamed(*pairs: tuple[str, str]) -> Callable[[str], str]:
    """The slip of names in which some parts are others."""

    def slip(name: str) -> str:
        theirs = their_name(name)
        for right, wrong in pairs:
            theirs = theirs.replace(right, wrong)
        return theirs

    return slip


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


def left(part: str) -> Callable[[str, Tensor], tuple[str, Tensor]]:
    """The slip of linear layers that aren't turned, those with this part in their name."""
    return turned_where(lambda name, x: is_linear(name) and part not in name)


def head_cases(rng: random.Random) -> list[Case]:
    """c_attn (C, 3C), the number of heads, and a head: the first, the last, one between, and a single one."""
    H, D = rng.randrange(3, 5), rng.randrange(2, 4)
    return [
        (torch.arange(48.0).view(4, 12), 2, 1),
        (torch.randn(6, 18), 2, 0),
        (torch.randn(6, 18), 3, 2),
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


def in_rows(c_attn: Tensor, n_head: int, head: int) -> tuple[Tensor, ...]:
    """The slip of a chunk without dim=1, which cuts rows."""
    query, key, value = c_attn.chunk(3)
    return tuple(z.chunk(n_head)[head] for z in (query, key, value))


def states_cases(rng: random.Random) -> list[Case]:
    """The residual streams (L + 1, T, C) of two models, and a tolerance."""
    theirs = torch.randn(5, 3, 4)
    theirs[:, 0] *= 1e-3  # a quiet token
    theirs[:, 0, 0], theirs[:, 1, 1] = 1e-7, 1e-4  # next to nothing: rounding is as large as the number itself
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
    below = -10 - torch.rand(2, 3, 4)  # far below 0, and close together
    under = below + 5e-5
    under[1, 0, 0] -= 0.5
    large = growing * (1 + 2e-6)
    large[1:, 1, 1] += 1e-6 * growing[1:].abs().amax((1, 2))  # large for itself, not for its state
    even = torch.ones(3, 3, 4)
    even[:, 0, 0] = 2.0
    spike = even.clone()
    spike[:, 1, 1] -= torch.tensor([0.5, 0.6, 1.0])  # a quarter of the largest, exactly, then more
    return [
        (parted, theirs, 1e-5),
        (theirs + rounding, theirs, 1e-5),
        (one, two, 1e-5),
        (growing * (1 + 2e-6), growing, 1e-5),
        (single, growing, 1e-5),
        (negative, theirs, 1e-5),
        (slight, theirs, 1e-5),
        (parted, theirs, 1.0),
        (2 * theirs[:1], theirs[:1], 0.7),
        (under, below, 1e-5),
        (large, growing, 1e-5),
        (spike, even, 0.25),
    ]


def first_divergence(ours: Tensor, theirs: Tensor, tolerance: float) -> int | None:
    """The first place at which the library's report says that the models part."""
    pairs = [((a - b).abs().max().item(), b.abs().max().item()) for a, b in zip(ours, theirs, strict=True)]
    layers = [Layer(str(i), d, size, not d <= tolerance * size) for i, (d, size) in enumerate(pairs)]
    first = Divergence(layers, tolerance).first
    return None if first is None else int(first.name)


def gap(a: Tensor, b: Tensor) -> Tensor:
    """The largest difference, as a share of the largest value."""
    return (a - b).abs().max() / b.abs().max()


def states_by(
    differs: Differs = lambda a, b, tolerance: gap(a, b) > tolerance,
    pick: Callable[[list[int]], int | None] = lambda states: states[0] if states else None,
) -> Callable[[Tensor, Tensor, float], int | None]:
    """The slip of another measure, or of another choice among the states that differ."""
    return lambda ours, theirs, tolerance: pick([i for i in range(len(ours)) if differs(ours[i], theirs[i], tolerance)])


def largest_gap(ours: Tensor, theirs: Tensor, tolerance: float) -> int | None:
    """The slip of the worst state instead of the first."""
    gaps = torch.stack([gap(a, b) for a, b in zip(ours, theirs, strict=True)])
    return int(gaps.argmax()) if not bool((gaps <= tolerance).all()) else None


def whole_scale(ours: Tensor, theirs: Tensor, tolerance: float) -> int | None:
    """The slip of one size for all states."""
    return states_by(lambda a, b, t: (a - b).abs().max() / theirs.abs().max() > t)(ours, theirs, tolerance)


DIFFERS: dict[str, Differs] = {  # the slips in when two tensors are taken to differ, by more than a tolerance t
    "the difference isn't set against the size of the values: divide by theirs' largest": (
        lambda a, b, t: (a - b).abs().max() > t
    ),
    "each difference was divided by its own number, and some are next to 0: divide by the largest": (
        lambda a, b, t: ((a - b).abs() > t * b.abs()).any()
    ),
    "ours was the measure: divide by the largest value of theirs": (
        lambda a, b, t: (a - b).abs().max() > t * a.abs().max()
    ),
    "means were compared, in which a single wrong number is lost: take the largest of both": (
        lambda a, b, t: (a - b).abs().mean() > t * b.abs().mean()
    ),
    "the sign was kept, so values that are too small go unseen: take abs() first": (
        lambda a, b, t: (a - b).max() > t * b.abs().max()
    ),
    "theirs kept its sign, and the largest of negative ones is no size: b.abs().max()": (
        lambda a, b, t: (a - b).abs().max() > t * b.max()
    ),
    "theirs kept its sign, so where all is negative the share is too: b.abs().max()": (
        lambda a, b, t: (a - b).abs().max() / b.max() > t
    ),
    "nothing is forgiven: what is right differs by rounding, so compare with the tolerance": (
        lambda a, b, t: not torch.equal(a, b)
    ),
}


def blocks_cases(rng: random.Random) -> list[Case]:
    """our_block and their_block, the input (T, C), the number of layers and a tolerance: no fault, one, two, one that
    shows on large values only, and some to be measured: among negative values, and with a large tolerance."""
    at = rng.randrange(1, 3)
    plans = [
        ({at: 0.05}, 4, 1.0, 1e-5),
        ({}, 4, 1.0, 1e-5),
        ({0: 0.05, 2: 0.1, 4: 0.02}, 5, 1.0, 1e-5),
        ({at: 0.05, 3: "late"}, 5, -100.0, 1e-5),
        ({at: 5e-3}, 3, 1e-4, 1e-5),
        ({3: "late"}, 4, -100.0, 1e-5),
        ({2: 0.1}, 4, 1e4, 1e-5),
        ({0: 1.0, 1: 0.5, 2: "one", 3: 0.1}, 4, -100.0, 0.4),
    ]
    cases = []
    for faults, n_layer, scale, tolerance in plans:
        x = scale * (torch.randn(3, C).clamp(-1, 1) if scale > 0 else 0.5 + 0.5 * torch.rand(3, C))
        x[0, 0] = scale  # the largest
        x[1] *= 1e-4 if scale == 1 else 1.0  # a quiet token
        x[2, 1] *= 1e-5 if scale == 1e4 else 1.0  # a small number in a token that isn't
        cases.append((*two_models(faults, n_layer, C), x, n_layer, tolerance))
    return cases


def two_models(faults: dict[int, float | str], n_layer: int, width: int) -> tuple[Block, Block]:
    """Two stacks of blocks that are the same but for rounding and the faults: a weight moved, large values handled
    otherwise, or one number wrong."""
    weights = torch.randn(n_layer, width, width) / width**0.5

    def their_block(i: int, x: Tensor) -> Tensor:
        return 2 * x + torch.tanh(x @ weights[i])

    def our_block(i: int, x: Tensor) -> Tensor:
        fault, largest = faults.get(i, 0.0), x.abs().max()
        out = (their_block(i, x) + largest) - largest  # rounded as the largest is
        if fault == "late":  # blocks before double, so that 3 of them make 800 of 100
            return out + 0.1 * (x.abs() - 600).relu()
        if fault == "one":
            return torch.where(x.abs() == largest, 1.5 * out, out)
        return out + fault * x

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


def passing_over(our_block: Block, their_block: Block, x: Tensor, n_layer: int, tolerance: float) -> list[int]:
    """The slip of going on only where the blocks agree."""
    found = []
    for i in range(n_layer):
        ours, theirs = our_block(i, x), their_block(i, x)
        if gap(ours, theirs) > tolerance:
            found.append(i)
        else:
            x = theirs
    return found


def culprits_by(differs: Differs) -> Callable[..., list[int]]:
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
                read_but(start=None)
            ),
            "data_offsets were counted from the start of the header: they count from its end": (
                read_but(start=None, part=lambda data, first, last: data[8 + first : 8 + last])
            ),
            "this is read from the first number on, whatever the name: start at data_offsets[0]": (
                read_but(part=lambda numbers, first, last: numbers[: last - first])
            ),
            "the length was read from its other end, and is huge: int.from_bytes(..., 'little')": read_but(order="big"),
            "the header was cut off 8 bytes too early: it ends at 8 + size": (
                read_but(header=lambda size: slice(8, size))
            ),
            "data_offsets were taken for a start and a length: they are a start and an end": (
                read_but(part=lambda numbers, first, length: numbers[first : first + length])
            ),
            "data_offsets count bytes, not numbers: cut the bytes first, then make numbers of them": counted_as_numbers,
            "the bytes of each number are read backwards: they are little-endian, the smallest first": (
                read_but(part=backwards)
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
            "the layer's number was taken for one character, and a dot is doubled: split at the dots": (
                lambda name: re.sub(r"(\d)\d", r"\1.", their_name(name), count=1)
            ),
            "the layer's number is lost: it stands between h and the module": (
                lambda name: re.sub(r"\.\d+", "", their_name(name), count=1)
            ),
            "the name is still ours: the table says what GPT-2 calls it": lambda name: name,
            "attention is still called attention: c_attn and c_proj are in attn": renamed(("attn.", "attention.")),
            "attn is missing: it is attn.c_attn and attn.c_proj": renamed(("attn.c_", "c_")),
            "mlp is missing: it is mlp.c_fc and mlp.c_proj": renamed(("mlp.c_", "c_")),
            "proj is still called proj: GPT-2 calls it c_proj": renamed(("c_proj", "proj")),
            "final_norm is still called final_norm: GPT-2 calls it ln_f": renamed(("ln_f", "final_norm")),
            "weight or bias is lost: keep the last part of the name": lambda name: their_name(name).rsplit(".", 1)[0],
            "every name ends in weight: keep the last part, which may be bias": (
                lambda name: their_name(name).replace("bias", "weight")
            ),
            "transformer. stands before the names: that is the class's own prefix, the table leaves it out": (
                lambda name: "transformer." + their_name(name)
            ),
            "the layers are still called blocks: GPT-2 calls them h": renamed(("h.", "blocks.")),
            "a rule for attention or mlp caught attention_norm and mlp_norm too: look up the whole module's name": (
                renamed(("ln_1", "attn_norm"), ("ln_2", "mlp_norm"))
            ),
            "a rule for attention caught attention_norm too, which became attn_norm: replace the longer name first": (
                renamed(("ln_1", "attn_norm"))
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
            "both c_proj were left as they were: they are turned like c_attn and c_fc": left("proj"),
            "the c_proj of the MLP was left as it was: it is turned like that of attention": left("mlp.proj"),
            "the MLP's matrices were left as they were: c_fc and its c_proj are turned like attention's": left("mlp"),
            "attention's matrices were left as they were: c_attn and its c_proj are turned too": left("attention"),
            "c_fc was left as it was: it is turned like c_attn and c_proj": left("up"),
            "c_attn was left as it was: it is turned like c_fc and c_proj": left("qkv"),
            "the table of positions was turned too: it is an embedding, leave it": (
                turned_where(lambda name, x: is_linear(name) or name.startswith("position"))
            ),
            "the pair is the wrong way round: the name comes first": lambda name, x: to_theirs(name, x)[::-1],
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
            "key and value have changed places: the keys are the second third": (
                lambda *case: tuple(head_matrices(*case)[i] for i in (0, 2, 1))
            ),
            "these are the thirds, of all heads: cut each into n_head pieces": lambda w, H, head: w.chunk(3, 1),
            "the thirds were cut along their rows: the heads lie side by side, in columns, dim=1": (
                lambda w, H, head: tuple(third.chunk(H)[head] for third in w.chunk(3, 1))
            ),
            "the cut into thirds went along the rows: the columns are what is packed, dim=1": in_rows,
            "the pieces are n_head columns wide: chunk takes how many, split how wide, D = C // n_head": (
                lambda w, H, head: tuple(third.split(H, 1)[head] for third in w.chunk(3, 1))
            ),
            "it is head 0, whichever was asked for": lambda w, H, head: head_matrices(w, H, 0),
            "the matrix was poured into (3, C, C), which mixes its rows: cut its columns in three": (
                lambda w, H, head: tuple(third.chunk(H, 1)[head] for third in w.reshape(3, len(w), len(w)))
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
        "first_divergence(ours, theirs, tolerance): two stacks of states (L, T, C) -> the number of the first state in "
        "which the largest difference is more than tolerance times theirs' largest value in it, or None",
        first_divergence,
        states_cases,
        {
            **{sentence: states_by(differs) for sentence, differs in DIFFERS.items()},
            "allclose was given the tolerance as atol, an amount and no share: divide by theirs' largest": (
                states_by(lambda a, b, t: not a.allclose(b, atol=t))
            ),
            "each token was set against its own largest value, and one is quiet: take the whole state's": (
                states_by(lambda a, b, t: ((a - b).abs().amax(-1) > t * b.abs().amax(-1)).any())
            ),
            "one size was used for all states: the values grow from layer to layer, take each state's": whole_scale,
            "this is the state with the largest difference: the first is to blame, the rest are echoes": largest_gap,
            "this is the last state that differs: the first one is to blame, the rest are echoes": (
                states_by(pick=lambda states: states[-1] if states else None)
            ),
            "this is how many states differ: which is the first?": states_by(pick=lambda states: len(states) or None),
            "only state 0 was looked at: return None after the loop, not in it": (
                states_by(pick=lambda states: 0 if 0 in states else None)
            ),
            "what is exactly at the tolerance was counted: it has to be more": (
                states_by(lambda a, b, t: gap(a, b) >= t)
            ),
            "the mean of the differences hides a single wrong number: take the largest": (
                states_by(lambda a, b, t: (a - b).abs().mean() > t * b.abs().max())
            ),
            "lengths were compared, norm(), in which a single wrong number is lost: take the largest of both": (
                states_by(lambda a, b, t: (a - b).norm() > t * b.norm())
            ),
            "states were counted from 1: 0 is the first": (
                states_by(pick=lambda states: states[0] + 1 if states else None)
            ),
            "-1 came back where the models agree: None was asked for": (
                states_by(pick=lambda states: states[0] if states else -1)
            ),
            "0 came back where the models agree, and 0 is a state: None was asked for": (
                states_by(pick=lambda states: states[0] if states else 0)
            ),
            "this is the last state that still agrees: the next one was asked for": (
                states_by(pick=lambda states: states[0] - 1 if states else None)
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
            **{sentence: culprits_by(differs) for sentence, differs in DIFFERS.items()},
            "a wrong block is passed over: after it, too, go on with what theirs made": passing_over,
            "each token was taken for a state: ours[None] and theirs[None] are stacks of one": (
                culprits_by(lambda a, b, tolerance: first_divergence(a, b, tolerance) is not None)
            ),
            "the tolerance is always 1e-5 in it: use the one that is given": (lambda *case: culprits(*case[:4], 1e-5)),
            "these are answers of first_divergence, all 0: note the block's number, i": (
                lambda *case: [0] * len(culprits(*case))
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
