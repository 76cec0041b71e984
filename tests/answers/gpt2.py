"""Answers to chapter 09's items: right ones written in other ways, wrong ones with what must be said of each."""

import json
import struct

import numpy as np
import torch


def header_of(data):
    size = int.from_bytes(data[:8], "little")
    return json.loads(data[8 : 8 + size]), 8 + size


def read_by_numpy(data, name):
    (size,) = struct.unpack("<Q", data[:8])
    entry = json.loads(data[8 : 8 + size].decode("utf-8"))[name]
    count = int(np.prod(entry["shape"]))
    numbers = np.frombuffer(data, "<f4", count, offset=8 + size + entry["data_offsets"][0])
    return torch.from_numpy(numbers.copy()).reshape(entry["shape"])


def read_by_unpacking(data, name):
    header, start = header_of(data)
    first, last = header[name]["data_offsets"]
    numbers = struct.unpack(f"<{(last - first) // 4}f", data[start + first : start + last])
    return torch.tensor(numbers).view(*header[name]["shape"])


TABLE = {
    "token_embedding": "wte",
    "position_embedding": "wpe",
    "final_norm": "ln_f",
    "attention_norm": "ln_1",
    "attention.qkv": "attn.c_attn",
    "attention.proj": "attn.c_proj",
    "mlp_norm": "ln_2",
    "mlp.up": "mlp.c_fc",
    "mlp.proj": "mlp.c_proj",
}


def name_by_table(name, table=TABLE, prefix="h", layer=lambda number: number):
    module, kind = name.rsplit(".", 1)
    if module.startswith("blocks."):
        _, number, module = module.split(".", 2)
        return f"{prefix}.{layer(number)}.{table[module]}.{kind}"
    return f"{table[module]}.{kind}"


def name_by_replacing(name):
    pairs = [
        ("attention_norm", "ln_1"),
        ("mlp_norm", "ln_2"),
        ("final_norm", "ln_f"),
        ("attention", "attn"),
        ("qkv", "c_attn"),
        ("proj", "c_proj"),
        ("up.", "c_fc."),
        ("blocks", "h"),
        ("token_embedding", "wte"),
        ("position_embedding", "wpe"),
    ]
    for ours, theirs in pairs:
        name = name.replace(ours, theirs)
    return name


def layout_by_name(name, tensor):
    if any(part in name for part in ("qkv", "proj", "up")) and name.endswith("weight"):
        tensor = tensor.transpose(0, 1).contiguous()
    return name_by_replacing(name), tensor


def layout_by_exclusion(name, tensor):
    turned = tensor.ndim == 2 and "embedding" not in name
    return [name_by_table(name), torch.einsum("oi->io", tensor) if turned else tensor]


def head_by_slices(c_attn, n_head, head):
    width = c_attn.shape[0]
    D = width // n_head
    return tuple(c_attn[:, start + head * D : start + (head + 1) * D] for start in (0, width, 2 * width))


def head_by_view(c_attn, n_head, head):
    query, key, value = c_attn.view(len(c_attn), 3, n_head, -1)[:, :, head].unbind(1)
    return query, key, value


def first_by_loop(ours, theirs, tolerance):
    for place in range(ours.shape[0]):
        worst = (ours[place] - theirs[place]).abs().max().item()
        if worst / theirs[place].abs().max().item() > tolerance:
            return place
    return None


def first_at_once(ours, theirs, tolerance):
    gaps = (ours - theirs).flatten(1).norm(p=torch.inf, dim=1) / theirs.flatten(1).norm(p=torch.inf, dim=1)
    places = torch.nonzero(gaps > tolerance).flatten().tolist()
    return places[0] if places else None


def first_of_map(ours, theirs, tolerance):
    over = (ours - theirs).abs().amax((1, 2)) > tolerance * theirs.abs().amax((1, 2))
    return next((i for i, yes in enumerate(over.tolist()) if yes), None)


def culprits_by_theirs(our_block, their_block, x, n_layer, tolerance):
    states = [x]
    for i in range(n_layer):
        states.append(their_block(i, states[-1]))
    mine = [our_block(i, state) for i, state in enumerate(states[:-1])]
    pairs = enumerate(zip(mine, states[1:], strict=True))
    return [i for i, (a, b) in pairs if (a - b).abs().max() > tolerance * b.abs().max()]


def culprits_by_ours(our_block, their_block, x, n_layer, tolerance):
    wrong = []
    for i in range(n_layer):
        expected, x = their_block(i, x), our_block(i, x)
        if first_by_loop(x[None], expected[None], tolerance) == 0:
            wrong.append(i)
    return wrong


def culprits_by_mending(our_block, their_block, x, n_layer, tolerance):
    wrong, ours, theirs = [], x, x
    for i in range(n_layer):
        ours, theirs = our_block(i, ours), their_block(i, theirs)
        if not torch.allclose(ours, theirs, rtol=0, atol=tolerance * theirs.abs().max().item()):
            wrong.append(i)
            ours = theirs
    return wrong


RIGHT = {
    "read_tensor": [read_by_numpy, read_by_unpacking],
    "their_name": [name_by_table, name_by_replacing],
    "to_theirs": [layout_by_name, layout_by_exclusion],
    "head_matrices": [head_by_slices, head_by_view],
    "first_divergence": [first_by_loop, first_at_once, first_of_map],
    "culprits": [culprits_by_theirs, culprits_by_ours, culprits_by_mending],
}


def read(data, name, start=None, order="<f4", shape=True):
    header, after = header_of(data)
    entry = header[name]
    start = after if start is None else start
    first, last = (start + offset for offset in entry["data_offsets"])
    numbers = torch.from_numpy(np.frombuffer(data[first:last], order).astype("float32"))
    return numbers.view(entry["shape"]) if shape else numbers


def read_sized(data, name, size):
    entry = json.loads(data[8 : 8 + size].decode())[name]
    first, last = entry["data_offsets"]
    start = header_of(data)[1]
    return torch.frombuffer(bytearray(data[start + first : start + last]), dtype=torch.float32).view(entry["shape"])


def read_one_after_another(data, name):
    header, start = header_of(data)
    numbers = torch.frombuffer(bytearray(data[start:]), dtype=torch.float32)
    header.pop("__metadata__", None)
    for key, entry in header.items():
        count = torch.Size(entry["shape"]).numel()
        if key == name:
            return numbers[:count].view(entry["shape"])
        numbers = numbers[count:]


def read_first(data, name):
    header, start = header_of(data)
    count = torch.Size(header[name]["shape"]).numel()
    return torch.tensor(struct.unpack(f"<{count}f", data[start : start + 4 * count])).view(header[name]["shape"])


def read_as_length(data, name):
    header, start = header_of(data)
    first, length = header[name]["data_offsets"]
    return torch.frombuffer(bytearray(data[start + first :][:length]), dtype=torch.float32).view(header[name]["shape"])


def read_as_numbers(data, name):
    header, start = header_of(data)
    numbers = torch.frombuffer(bytearray(data[start:]), dtype=torch.float32)
    first, last = header[name]["data_offsets"]
    return numbers[first:last].view(header[name]["shape"])


def read_fortran(data, name):
    right = read(data, name)
    return torch.from_numpy(
        right.numpy().reshape(right.shape, order="C").ravel().reshape(right.shape, order="F").copy()
    )


def read_turned(data, name):
    numbers = read(data, name)
    return numbers.permute(*reversed(range(numbers.ndim)))


def swapped(a, b):
    return TABLE | {a: TABLE[b], b: TABLE[a]}


def name_in_a_hurry(name):
    for ours, theirs in [("blocks", "h"), ("attention", "attn"), ("qkv", "c_attn"), ("proj", "c_proj"), ("up", "c_fc")]:
        name = name.replace(ours, theirs)
    for ours, theirs in [("final_norm", "ln_f"), ("token_embedding", "wte"), ("position_embedding", "wpe")]:
        name = name.replace(ours, theirs)
    return name


def name_by_places(name):
    if not name.startswith("blocks"):
        return name_by_table(name)
    return f"h.{name[7]}.{TABLE[name.split('.', 2)[2].rsplit('.', 1)[0]]}.{name.rsplit('.', 1)[1]}"


def name_by_one_character(name):
    if not name.startswith("blocks"):
        return name_by_replacing(name)
    return f"h.{name[7]}." + name_by_replacing(name[9:])


def name_by_last_digit(name):
    return name_by_table(name, layer=lambda number: number[-1])


def layout(name, tensor, turned=lambda name, tensor: False):
    return name_by_table(name), tensor.T if turned(name, tensor) else tensor


def layout_in_place(name, tensor):
    if tensor.ndim == 2 and "embedding" not in name:
        tensor.t_()
    return name_by_table(name), tensor


def layout_poured(name, tensor):
    if tensor.ndim == 2 and "embedding" not in name:
        tensor = tensor.view(tensor.shape[1], tensor.shape[0])
    return name_by_table(name), tensor


def head_by_neox(c_attn, n_head, head):
    D = c_attn.shape[0] // n_head
    mine = c_attn[:, head * 3 * D : (head + 1) * 3 * D]
    return mine[:, :D], mine[:, D : 2 * D], mine[:, 2 * D :]


def head_by_rows(c_attn, n_head, head):
    D = c_attn.shape[0] // n_head
    rows = c_attn.reshape(c_attn.shape[1], c_attn.shape[0])
    return tuple(part[head * D : (head + 1) * D].T for part in rows.chunk(3))


def head_without_dim(c_attn, n_head, head):
    q, k, v = torch.chunk(c_attn, 3)
    return [torch.chunk(part, n_head)[head] for part in (q, k, v)]


def head_from_one(c_attn, n_head, head):
    parts = [part.chunk(n_head, 1) for part in c_attn.chunk(3, 1)]
    return tuple(chunks[head - 1] for chunks in parts)


def states(ours, theirs, tolerance, gap=None, choose=min, none=None):
    """The places that differ, by some measure, and one of them."""
    gap = gap or (lambda a, b: (a - b).abs().max() / b.abs().max())
    found = [i for i, (a, b) in enumerate(zip(ours, theirs, strict=True)) if gap(a, b) > tolerance]
    return choose(found) if found else none


def first_by_allclose(ours, theirs, tolerance):
    for i in range(len(ours)):
        if not torch.allclose(ours[i], theirs[i], rtol=tolerance, atol=0):
            return i


def first_by_atol(ours, theirs, tolerance):
    for i in range(len(ours)):
        if not torch.allclose(ours[i], theirs[i], rtol=0, atol=tolerance):
            return i


def first_by_default_atol(ours, theirs, tolerance):
    for i in range(len(ours)):
        if not torch.allclose(ours[i], theirs[i], atol=tolerance):
            return i


def first_by_signed_size(ours, theirs, tolerance):
    for i in range(len(ours)):
        if (ours[i] - theirs[i]).abs().max() > tolerance * theirs[i].max():
            return i


def first_by_token(ours, theirs, tolerance):
    shares = (ours - theirs).abs().amax(-1) / theirs.abs().amax(-1)  # (L, T)
    over = (shares > tolerance).any(1).tolist()
    return over.index(True) if True in over else None


def first_equal(ours, theirs, tolerance):
    for i in range(len(ours)):
        if not torch.equal(ours[i], theirs[i]):
            return i


def first_of_all_sizes(ours, theirs, tolerance):
    gaps = (ours - theirs).abs().amax(dim=(1, 2)) / theirs.abs().max()
    over = (gaps > tolerance).nonzero()
    return over[0].item() if len(over) else None


def worst_of_all(ours, theirs, tolerance):
    gaps = (ours - theirs).abs().amax(dim=(1, 2)) / theirs.abs().amax(dim=(1, 2))
    return gaps.argmax().item() if gaps.max() > tolerance else None


def relative(a, b):
    return ((a - b).abs().max() / b.abs().max()).item()


def culprits_with_echoes(our_block, their_block, x, n_layer, tolerance):
    a, b, found = x, x, []
    for i in range(n_layer):
        a, b = our_block(i, a), their_block(i, b)
        if relative(a, b) > tolerance:
            found.append(i)
    return found


def culprits_till_the_first(our_block, their_block, x, n_layer, tolerance):
    for i in range(n_layer):
        a, b = our_block(i, x), their_block(i, x)
        if relative(a, b) > tolerance:
            return [i]
        x = b
    return []


def culprits_on_one_input(our_block, their_block, x, n_layer, tolerance):
    found = []
    for i in range(n_layer):
        if relative(our_block(i, x), their_block(i, x)) > tolerance:
            found.append(i)
    return found


def culprits_walk(our_block, their_block, x, n_layer, differ, first=0):
    found = []
    for i in range(n_layer):
        a, b = our_block(i, x), their_block(i, x)
        if differ(a, b):
            found.append(i + first)
        x = b
    return found


def culprits_passed_over(our_block, their_block, x, n_layer, tolerance):
    found = []
    for i in range(n_layer):
        theirs = their_block(i, x)
        if relative(our_block(i, x), theirs) > tolerance:
            found.append(i)
            continue
        x = theirs
    return found


def culprits_by_truth(our_block, their_block, x, n_layer, tolerance):
    found = []
    for i in range(n_layer):
        ours, theirs = our_block(i, x)[None], their_block(i, x)[None]
        if first_at_once(ours, theirs, tolerance):
            found.append(i)
        x = theirs[0]
    return found


def culprits_in_place(our_block, their_block, x, n_layer, tolerance):
    found = []
    for i in range(n_layer):
        b = their_block(i, x)
        if relative(our_block(i, x), b) > tolerance:
            found.append(i)
        x.copy_(b)
    return found


LINEAR = ("qkv.weight", "proj.weight", "up.weight")
WRONG = {
    "read_tensor": [
        (lambda data, name: read(data, name, header_of(data)[1] - 8), "8 bytes of the length are forgotten"),
        (lambda data, name: read(data, name, header_of(data)[1] - 4), "8 bytes, not 4"),
        (lambda data, name: read(data, name, 0), "from the start of the file"),
        (read_first, "whatever the name"),
        (lambda data, name: read(data, name, order=">f4"), "read backwards"),
        (read_fortran, "column by column"),
        (lambda data, name: read(data, name, shape=False), "lie in one row"),
        (lambda data, name: read(data, name).double(), "float64"),
        (lambda data, name: read(data, name).tolist(), "a list came back"),
        (read_turned, "the tensor was turned"),
        (read_as_length, "a start and an end"),
        (read_as_numbers, "count bytes, not numbers"),
        (lambda data, name: read(data, name, 8), "from the start of the header"),
        (lambda data, name: read_sized(data, name, int.from_bytes(data[:8], "big")), "from its other end"),
        (lambda data, name: read_sized(data, name, int.from_bytes(data[:8], "little") - 8), "8 bytes too early"),
        (lambda data, name: read_sized(data, name, data[0]), "DecodeError"),
        (read_one_after_another, "so"),
        (lambda data, name: json.loads(data[8:])[name], "DecodeError"),
        (lambda data, name: read(data, name, order="<i4"), "so"),
    ],
    "their_name": [
        (lambda name: name_by_table(name, swapped("attention_norm", "mlp_norm")), "ln_1 and ln_2 have changed places"),
        (lambda name: name_by_table(name, swapped("mlp.up", "mlp.proj")), "c_fc and c_proj"),
        (lambda name: name_by_table(name, swapped("token_embedding", "position_embedding")), "wte and wpe"),
        (name_by_places, "only the first digit"),
        (name_by_last_digit, "only one digit"),
        (lambda name: name_by_table(name, layer=lambda n: int(n) + 1), "counted from 1"),
        (lambda name: name_by_table(name).rsplit(".", 1)[0], "weight or bias is lost"),
        (lambda name: name_by_table(name.rsplit(".", 1)[0] + ".weight"), "every name ends in weight"),
        (lambda name: f"transformer.{name_by_table(name)}", "the class's own prefix"),
        (lambda name: name_by_table(name, prefix="blocks"), "still called blocks"),
        (name_in_a_hurry, "caught attention_norm"),
        (lambda name: name_in_a_hurry(name.replace("mlp_norm", "ln_2")), "which became attn_norm"),
        (name_by_one_character, "a dot is doubled"),
        (lambda name: name_by_table(name, layer=lambda n: "").replace("..", "."), "the layer's number is lost"),
        (lambda name: name_by_table(name, TABLE | {"final_norm": "final_norm"}), "still called final_norm"),
        (lambda name: name_by_table(name).replace("attn.", "attention."), "attention is still called"),
        (
            lambda name: name_by_table(name, TABLE | {"attention.qkv": "c_attn", "attention.proj": "c_proj"}),
            "attn is missing",
        ),
        (lambda name: name_by_table(name, TABLE | {"mlp.up": "c_fc", "mlp.proj": "c_proj"}), "mlp is missing"),
        (
            lambda name: name_by_table(name, TABLE | {"attention.proj": "attn.proj", "mlp.proj": "mlp.proj"}),
            "proj is still called proj",
        ),
        (lambda name: name, "the name is still ours"),
        (lambda name: name_by_table(name, TABLE | {"final_norm": "ln_3"}), "the value is another"),
        (lambda name: TABLE[name], "KeyError"),
        (lambda name: (name_by_table(name), "qkv" in name), "the value is another"),
    ],
    "to_theirs": [
        (layout, "nothing was turned"),
        (lambda n, x: layout(n, x, lambda n, x: x.ndim == 2 and x.shape[0] != x.shape[1]), "by shape, wherever"),
        (
            lambda n, x: layout(n, x, lambda n, x: n.endswith(LINEAR) and x.shape != x.T.shape),
            "the square one was left",
        ),
        (lambda n, x: layout(n, x, lambda n, x: x.ndim > 1), "the embeddings were turned too"),
        (lambda n, x: layout(n, x, lambda n, x: n.endswith(("qkv.weight", "up.weight"))), "both c_proj were left"),
        (
            lambda n, x: layout(n, x, lambda n, x: n.endswith(LINEAR) and "mlp.proj" not in n),
            "the c_proj of the MLP was left",
        ),
        (layout_poured, "poured into it"),
        (lambda n, x: (n, layout_by_name(n, x)[1]), "the names are still ours"),
        (lambda n, x: layout(n, x, lambda n, x: "embedding" in n), "the wrong way round"),
        (layout_in_place, "changed in place"),
        (lambda n, x: layout_by_name(n, x)[1], "a Tensor came back, not a tuple"),
        (lambda n, x: {layout_by_name(n, x)[0]: layout_by_name(n, x)[1]}, "a dict came back"),
        (lambda n, x: layout(n, x, lambda n, x: n.endswith(LINEAR) and "mlp" not in n), "the MLP's matrices were left"),
        (lambda n, x: layout(n, x, lambda n, x: n.endswith(LINEAR) and "mlp" in n), "attention's matrices were left"),
        (lambda n, x: layout(n, x, lambda n, x: n.endswith(LINEAR[:2])), "c_fc was left"),
        (lambda n, x: layout(n, x, lambda n, x: n.endswith(LINEAR[1:])), "c_attn was left"),
        (lambda n, x: layout(n, x, lambda n, x: x.ndim == 2 and "token" not in n), "the table of positions was turned"),
        (lambda n, x: layout_by_exclusion(n, x)[::-1], "the pair is the wrong way round"),
        (lambda n, x: layout(n, x, lambda n, x: n.endswith("qkv.weight")), "so"),
        (lambda n, x: layout(n, x, lambda n, x: x.ndim == 2 and "position" not in n), "so"),
    ],
    "head_matrices": [
        (head_by_neox, "side by side"),
        (lambda w, n, h: tuple(z[:, h::n] for z in w.chunk(3, 1)), "every H-th column"),
        (lambda w, n, h: tuple(w[:, i::3].chunk(n, 1)[h] for i in range(3)), "woven into one another"),
        (lambda w, n, h: [z.chunk(n, 1)[h] for z in w.chunk(3, 1)][::-1], "(value, key, query)"),
        (lambda w, n, h: [w.chunk(3, 1)[i].chunk(n, 1)[h] for i in (1, 0, 2)], "query and key have changed places"),
        (head_from_one, "heads were counted from 1"),
        (lambda w, n, h: tuple(z[:, h : h + len(w) // n] for z in w.chunk(3, 1)), "starts at column `head`"),
        (head_by_rows, "poured into"),
        (lambda w, n, h: tuple(z.chunk(n, 1)[h].T for z in w.chunk(3, 1)), "the matrices are turned"),
        (lambda w, n, h: w.chunk(3, 1), "these are the thirds"),
        (lambda w, n, h: [w.chunk(3, 1)[i].chunk(n, 1)[h] for i in (0, 2, 1)], "key and value have changed places"),
        (lambda w, n, h: tuple(z.chunk(n, 0)[h] for z in w.chunk(3, 1)), "the thirds were cut along their rows"),
        (head_without_dim, "the cut into thirds went along the rows"),
        (lambda w, n, h: tuple(z.split(n, 1)[h] for z in w.chunk(3, 1)), "chunk takes how many"),
        (lambda w, n, h: tuple(z.chunk(n, 1)[0] for z in w.chunk(3, 1)), "it is head 0"),
        (lambda w, n, h: tuple(z.chunk(n, 1)[h] for z in w.view(3, len(w), -1)), "poured into (3, C, C)"),
        (lambda w, n, h: tuple(z[:, 2 * h : 2 * h + 2] for z in w.chunk(3, 1)), "so"),
        (lambda w, n, h: torch.cat([z.chunk(n, 1)[h] for z in w.chunk(3, 1)], 1), "a Tensor came back"),
        (lambda w, n, h: tuple(z.chunk(n, 1)[h] for z in w.chunk(3, 0)), "came back"),
    ],
    "first_divergence": [
        (first_by_atol, "isn't set against the size"),
        (first_by_allclose, "some are next to 0"),
        (first_of_all_sizes, "one size was used for all states"),
        (worst_of_all, "the state with the largest difference"),
        (lambda a, b, t: states(a, b, t, choose=max), "the last state that differs"),
        (lambda a, b, t: states(a, b, t, choose=len), "how many states differ"),
        (first_equal, "nothing is forgiven"),
        (lambda a, b, t: states(a, b, t, lambda x, y: (x - y).abs().mean() / y.abs().max()), "the mean of the"),
        (lambda a, b, t: states(a, b, t, lambda x, y: (x - y).abs().mean() / y.abs().mean()), "means were compared"),
        (lambda a, b, t: states(a, b, t, lambda x, y: (x - y).abs().max() / x.abs().max()), "ours was the measure"),
        (lambda a, b, t: states(a, b, t, lambda x, y: (x - y).abs().max() / y.max()), "so where all is negative"),
        (first_by_signed_size, "the largest of negative ones is no size"),
        (first_by_token, "each token was set against its own"),
        (first_by_default_atol, "the tolerance as atol"),
        (lambda a, b, t: 0 if relative(a[0], b[0]) > t else None, "return None after the loop"),
        (
            lambda a, b, t: next((i for i in range(len(a)) if relative(a[i], b[i]) >= t), None),
            "exactly at the tolerance",
        ),
        (lambda a, b, t: states(a, b, t, none=0), "and 0 is a state"),
        (lambda a, b, t: states(a, b, t, lambda x, y: (x - y).abs().max() / (y.max() - y.min())), "so"),
        (lambda a, b, t: states(a, b, t, lambda x, y: (x - y).max() / y.abs().max()), "the sign was kept"),
        (lambda a, b, t: states(a, b, t, choose=lambda found: min(found) + 1), "counted from 1"),
        (lambda a, b, t: states(a, b, t, none=-1), "-1 came back"),
        (lambda a, b, t: states(a, b, t, choose=lambda found: min(found) - 1), "still agrees"),
        (lambda a, b, t: states(a, b, t) is not None, "a bool came back"),
        (lambda a, b, t: states(a, b, t, choose=list), "a list came back"),
        (lambda a, b, t: states(a, b, t, lambda x, y: (x - y).norm() / y.norm()), "lengths were compared"),
    ],
    "culprits": [
        (culprits_with_echoes, "echoes are in it"),
        (culprits_till_the_first, "it ends at the first"),
        (culprits_on_one_input, "every block was given the first x"),
        (lambda *c: culprits_walk(*c[:4], lambda a, b: (a - b).abs().max() > c[4]), "isn't set against the size"),
        (lambda *c: culprits_walk(*c[:4], lambda a, b: (a != b).any()), "nothing is forgiven"),
        (lambda *c: culprits_walk(*c[:4], lambda a, b: relative(a, b) <= c[4]), "the blocks that are right"),
        (lambda *c: culprits_walk(*c[:4], lambda a, b: relative(a, b) > c[4], first=1), "counted from 1"),
        (lambda *c: culprits_walk(*c[:3], c[3] - 1, lambda a, b: relative(a, b) > c[4]), "never looked at"),
        (culprits_by_truth, "place 0 counts as False"),
        (culprits_passed_over, "a wrong block is passed over"),
        (lambda *c: culprits_walk(*c[:4], lambda a, b: first_at_once(a, b, c[4]) is not None), "are stacks of one"),
        (lambda *c: culprits_walk(*c[:4], lambda a, b: not torch.allclose(a, b, rtol=c[4])), "some are next to 0"),
        (lambda *c: culprits_walk(*c[:4], lambda a, b: relative(b, a) > c[4]), "ours was the measure"),
        (
            lambda *c: culprits_walk(*c[:4], lambda a, b: (a - b).abs().mean() > c[4] * b.abs().mean()),
            "means were compared",
        ),
        (lambda *c: culprits_walk(*c[:4], lambda a, b: (a - b).max() > c[4] * b.abs().max()), "the sign was kept"),
        (lambda *c: culprits_walk(*c[:4], lambda a, b: (a - b).abs().max() > c[4] * b.max()), "is no size"),
        (lambda *c: culprits_walk(*c[:4], lambda a, b: (a - b).abs().max() / b.max() > c[4]), "where all is negative"),
        (lambda *c: culprits_walk(*c[:4], lambda a, b: relative(a, b) > 1e-5), "the tolerance is always 1e-5"),
        (lambda *c: [0 for _ in culprits_by_theirs(*c)], "answers of first_divergence"),
        (lambda *c: culprits_walk(*c[:4], lambda a, b: relative(a, b) > 1e-4), "so"),
        (lambda *c: culprits_walk(*c[:4], lambda a, b: (a - b).abs().max() > c[4] * c[2].abs().max()), "so"),
        (culprits_in_place, "changed in place"),
        (lambda *c: next(iter(culprits_by_theirs(*c)), None), "came back, not a list"),
        (lambda *c: set(culprits_by_theirs(*c)), "a set came back"),
        (lambda f, g, x, n, t: [i for i in range(n) if f(x) != g(x)], "TypeError"),
    ],
}
