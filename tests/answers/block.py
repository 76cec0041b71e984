"""Answers to chapter 04's items: right ones written in other ways, wrong ones with what must be said of each."""

import math

import torch
import torch.nn.functional as F


def norm_by_loops(x, weight, bias):
    rows = []
    for token in x.reshape(-1, x.shape[-1]):
        mean = token.sum() / len(token)
        variance = ((token - mean) ** 2).sum() / len(token)
        row = (token - mean) / (variance + 1e-5) ** 0.5 * weight
        rows.append(row if bias is None else row + bias)
    return torch.stack(rows).view(x.shape)


def norm_by_squares(x, weight, bias):
    m = torch.mean(x, -1, True)
    v = torch.mean(x * x, -1, True) - m * m
    return torch.addcmul(torch.zeros(()) if bias is None else bias, (x - m) * torch.rsqrt(v + 1e-5), weight)


def norm_by_var(x, weight, bias, eps=1e-5):
    y = (x - x.mean(dim=-1, keepdim=True)) / torch.sqrt(x.var(dim=-1, keepdim=True, unbiased=False) + eps)
    y = y * weight
    if bias is not None:
        y = y + bias
    return y


def norm_by_std(x, weight, bias):
    std = torch.std(x, dim=-1, keepdim=True, correction=0)
    return (x - x.mean(-1, keepdim=True)) / torch.sqrt(std**2 + 1e-5) * weight + (0 if bias is None else bias)


def gelu_by_sigmoid(x):
    return x * torch.sigmoid(2 * (2 / math.pi) ** 0.5 * (x + 0.044715 * x * x * x))


def gelu_by_exponentials(x):
    u = 0.7978845608028654 * (x + 0.044715 * torch.pow(x, 3))
    return x / (1 + torch.exp(-2 * u))


def gelu_number_by_number(x):
    flat = [0.5 * v * (1.0 + torch.tanh(math.sqrt(2.0 / math.pi) * (v + 0.044715 * v**3))) for v in x.flatten()]
    return torch.stack(flat).reshape(x.shape)


def mlp_by_einsum(x, w_up, b_up, w_proj, b_proj):
    hidden = gelu_by_sigmoid(torch.einsum("btc,hc->bth", x, w_up) + b_up)
    return torch.einsum("bth,ch->btc", hidden, w_proj) + b_proj


def mlp_flat(x, up, up_bias, down, down_bias):
    rows = x.reshape(-1, x.size(-1))
    return torch.addmm(down_bias, F.gelu(torch.addmm(up_bias, rows, up.t()), approximate="tanh"), down.t()).view_as(x)


def heads(x, w_qkv, b_qkv, w_proj, b_proj, n_head, causal=True, scale=None):
    """Attention head by head."""
    C = x.shape[-1]
    q, k, v = (x @ w_qkv.T + b_qkv).split(C, dim=-1)
    mixed = []
    for h in range(n_head):
        cols = slice(h * C // n_head, (h + 1) * C // n_head)
        scores = q[..., cols] @ k[..., cols].mT * ((C // n_head) ** -0.5 if scale is None else scale)
        if causal:
            scores = scores + torch.full(scores.shape[-2:], -torch.inf).triu(1)
        mixed.append(scores.softmax(-1) @ v[..., cols])
    return torch.cat(mixed, dim=-1) @ w_proj.T + b_proj


def under(weights, prefix):
    """The tensors whose names begin so, in their order."""
    return [tensor for name, tensor in weights.items() if name.startswith(prefix + ".")]


def parts(weights, n_head):
    """The two norms and the two branches as functions of x."""
    return (
        lambda x: norm_by_var(x, *under(weights, "attention_norm")),
        lambda x: heads(x, *under(weights, "attention"), n_head),
        lambda x: norm_by_var(x, *under(weights, "mlp_norm")),
        lambda x: mlp_by_einsum(x, *under(weights, "mlp")),
    )


def block_by_names(x, weights, n_head):
    a = norm_by_loops(x, weights["attention_norm.weight"], weights["attention_norm.bias"])
    a = heads(
        a,
        weights["attention.qkv.weight"],
        weights["attention.qkv.bias"],
        weights["attention.proj.weight"],
        weights["attention.proj.bias"],
        n_head,
    )
    x = x + a
    m = norm_by_loops(x, weights["mlp_norm.weight"], weights["mlp_norm.bias"])
    m = m @ weights["mlp.up.weight"].T + weights["mlp.up.bias"]
    m = gelu_by_exponentials(m) @ weights["mlp.proj.weight"].T + weights["mlp.proj.bias"]
    return m + x


def block_by_parts(x, weights, n_head):
    read, talk, reread, think = parts(weights, n_head)
    written = talk(read(x))
    return x + written + think(reread(x + written))


def block_on_a_copy(x, weights, n_head):
    read, talk, reread, think = parts(weights, n_head)
    h = x.clone()
    h += talk(read(h))
    h += think(reread(h))
    return h


def block_in_place(x, weights, n_head):
    read, talk, reread, think = parts(weights, n_head)
    x += talk(read(x))
    x += think(reread(x))
    return x


def block_using_up_the_weights(x, weights, n_head):
    out = block_by_parts(x, weights, n_head)
    weights.pop("mlp.up.weight")
    return out


def std_by_parts(name, n_layer):
    _, layer, kind = name.split(".")
    if kind == "bias":
        return 0
    return 0.02 * (2 * n_layer) ** -0.5 if layer == "proj" else 0.02


STDS = {"attention.qkv.weight": 0.02, "mlp.up.weight": 0.02}

RIGHT = {
    "layer_norm": [norm_by_loops, norm_by_squares, norm_by_var, norm_by_std],
    "gelu": [gelu_by_sigmoid, gelu_by_exponentials, gelu_number_by_number],
    "mlp": [mlp_by_einsum, mlp_flat],
    "my_block": [block_by_names, block_by_parts],
    "initial_std": [
        std_by_parts,
        lambda name, L: STDS.get(name, 0.0 if "bias" in name else math.sqrt(0.0004 / L / 2)),
    ],
}


def norm_like(
    deviation, of=lambda x: x - x.mean(-1, keepdim=True), after=lambda y, w, b: y * w + (0 if b is None else b)
):
    """A layer norm in which what it divides, what by, and what follows can each be something else."""
    return lambda x, weight, bias: after(of(x) / deviation(x), weight, bias)


def root(x):
    return torch.sqrt(((x - x.mean(-1, keepdim=True)) ** 2).mean(-1, keepdim=True) + 1e-5)


def norm_without_keepdim(x, weight, bias):
    return (x - x.mean(-1)) / torch.sqrt(x.var(-1, correction=0) + 1e-5) * weight + bias


def norm_if_bias(x, weight, bias):
    y = norm_by_var(x, weight, None)
    if bias:
        y = y + bias
    return y


def norm_flat_mean(x, weight, bias):
    y = (x - x.mean(dim=-1)) / torch.sqrt(x.var(dim=-1, unbiased=False) + 1e-5) * weight
    return y if bias is None else y + bias


def norm_flat_variance(x, weight, bias):
    y = (x - x.mean(dim=-1, keepdim=True)) / torch.sqrt(x.var(dim=-1, unbiased=False) + 1e-5) * weight
    return y if bias is None else y + bias


def norm_in_place(x, weight, bias):
    x -= x.mean(-1, keepdim=True)
    return norm_by_var(x, weight, bias)


def norm_over_time(x, weight, bias):
    m = x.mean(dim=-2, keepdim=True)
    v = ((x - m) ** 2).mean(dim=-2, keepdim=True)
    return norm_like(lambda x: (v + 1e-5) ** 0.5, lambda x: x - m)(x, weight, bias)


def norm_along(x, weight, bias, dim):
    m = x.mean(dim, keepdim=True)
    v = x.var(dim, keepdim=True, correction=0)
    return norm_like(lambda x: (v + 1e-5) ** 0.5, lambda x: x - m)(x, weight, bias)


def norm_of_everything(x, weight, bias):
    y = (x - x.mean()) / (x.var(unbiased=False) + 1e-5) ** 0.5
    return y * weight + bias if bias is not None else y * weight


def block_like(wiring):
    return lambda x, weights, n_head: wiring(x, *parts(weights, n_head))


def added(x, *steps):
    """x plus a branch in several steps."""
    branch = x
    for step in steps:
        branch = step(branch)
    return x + branch


def block_without_norm_biases(x, weights, n_head):
    _, attention, _, mlp = parts(weights, n_head)
    x = x + attention(norm_by_var(x, weights["attention_norm.weight"], None))
    return x + mlp(norm_by_var(x, weights["mlp_norm.weight"], None))


def post_norm(x, n1, attention, n2, mlp):
    x = n1(x + attention(x))
    return n2(x + mlp(x))


def on_the_normed(x, n1, attention, n2, mlp):
    x = n1(x)
    x = x + attention(x)
    x = n2(x)
    return x + mlp(x)


def input_added_twice(x, n1, attention, n2, mlp):
    h = x + attention(n1(x))
    return x + mlp(n2(h))


def mlp_first(x, n1, attention, n2, mlp):
    x = x + mlp(n2(x))
    return x + attention(n1(x))


def block_seeing_all(x, weights, n_head):
    n1, _, n2, mlp = parts(weights, n_head)
    x = x + heads(n1(x), *under(weights, "attention"), n_head, causal=False)
    return x + mlp(n2(x))


def block_with_a_wrong_norm(x, weights, n_head):
    _, attention, _, mlp = parts(weights, n_head)

    def norm(x, name):
        y = (x - x.mean(-1, keepdim=True)) / (x.std(-1, keepdim=True) + 1e-5)
        return y * weights[name + ".weight"] + weights[name + ".bias"]

    x = x + attention(norm(x, "attention_norm"))
    return x + mlp(norm(x, "mlp_norm"))


def cubed(x, front=0.5, factor=(2 / math.pi) ** 0.5, cube=0.044715, power=3):
    return front * x * (1 + torch.tanh(factor * (x + cube * x**power)))


def feed(x, w_up, b_up, w_proj, b_proj, bend=lambda z: F.gelu(z, approximate="tanh")):
    return bend(x @ w_up.T + b_up) @ w_proj.T + b_proj


def writes_with(std):
    """The rule with another number for the matrices that write to the stream."""
    return lambda name, L: 0 if "bias" in name else std(L) if "proj" in name else 0.02


WRONG = {
    "layer_norm": [
        (norm_like(lambda x: x.var(-1, correction=0, keepdim=True).sqrt() + 1e-5), "epsilon stands outside the root"),
        (norm_like(lambda x: x.std(-1, keepdim=True, correction=0)), "there is no epsilon"),
        (lambda x, w, b: norm_by_var(x, w, b, eps=1e-6), "epsilon is another number"),
        (norm_like(lambda x: torch.sqrt(x.var(-1, keepdim=True) + 1e-5)), "divided by C - 1"),
        (norm_like(lambda x: x.std(-1, keepdim=True) + 1e-5), "two things at once"),
        (norm_like(lambda x: root(x) ** 2), "x is divided by the variance"),
        (norm_like(root, of=lambda x: x), "not taken away"),
        (norm_like(lambda x: torch.sqrt((x * x).mean(-1, keepdim=True) + 1e-5), of=lambda x: x), "RMS norm"),
        (norm_over_time, "each channel was measured over the tokens"),
        (lambda x, w, b: norm_along(x, w, b, 0), "the first axis was measured"),
        (lambda x, w, b: norm_along(x, w, b, 1), "axis 1 was measured"),
        (lambda x, w, b: norm_along(x, w, b, (x.dim() - 2, x.dim() - 1)), "each text's tokens were measured together"),
        (norm_of_everything, "all tokens were measured together"),
        (norm_like(root, after=lambda y, w, b: y), "weight and bias are left out"),
        (norm_like(root, after=lambda y, w, b: y * w), "the bias is left out"),
        (norm_like(root, after=lambda y, w, b: y if b is None else y + b), "the weight is left out"),
        (
            norm_like(root, after=lambda y, w, b: y * w if b is None else (y + b) * w),
            "was multiplied by the weight too",
        ),
        (norm_without_keepdim, "RuntimeError"),
        (lambda x, w, b: (x - x.mean(-1, keepdim=True)) / root(x) * w + b, "TypeError"),
        (norm_in_place, "changed in place"),
        (lambda x, w, b: norm_by_var(x.detach(), w, b), "no gradient comes through"),
        (lambda x, w, b: norm_by_var(x, w, b, eps=1e-8), "which is Adam's"),
        (lambda x, w, b: norm_by_var(x, w, b, eps=1e-12), "so"),
        (norm_like(lambda x: x.std(-1, keepdim=True)), "and there is no epsilon"),
        (norm_like(lambda x: ((x - x.mean(-1, True)) ** 2).sum(-1, True).add(1e-5).sqrt()), "not divided by C"),
        (lambda x, w, b: norm_by_var(x, 1.0 if b is None else w, b), "without a bias the weight is left out"),
        (lambda x, w, b: norm_by_var(x, w, None) + b, "even where it is None"),
        (norm_if_bias, "ask `if bias is not None`"),
        (norm_flat_mean, "has lost its last axis"),
        (norm_flat_variance, "has lost its last axis"),
        (lambda x, w, b: norm_along(x, w, b, 2), "axis 2 was measured"),
        (norm_like(root, after=lambda y, w, b: y * w - (0 if b is None else b)), "so"),
    ],
    "gelu": [
        (lambda x: x * 0.5 * (1 + torch.erf(x / 2**0.5)), "the exact GELU"),
        (lambda x: x / (1 + torch.exp(-1.702 * x)), "1.702"),
        (lambda x: torch.clamp(x, min=0), "this is ReLU"),
        (lambda x: x / (1 + torch.exp(-x)), "this is SiLU"),
        (lambda x: cubed(x, front=1), "the half in front"),
        (lambda x: torch.sigmoid(2 * math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)), "only the share"),
        (lambda x: cubed(x) - x / 2, "the 1 + is missing"),
        (lambda x: cubed(x, factor=1), "sqrt(2 / pi) is missing"),
        (lambda x: cubed(x, factor=2 / math.pi), "2 / pi: take its root"),
        (lambda x: 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * x + 0.044715 * x**3)), "but not the cube"),
        (lambda x: cubed(x, power=2), "the cube is a square"),
        (lambda x: cubed(x, cube=0), "the cubic term is missing"),
        (lambda x: cubed(x, cube=0.44715), "a digit has slipped"),
        (lambda x: cubed(x, factor=math.sqrt(math.pi / 2)), "the root is of pi / 2"),
        (lambda x: 0.5 * x * (1 + math.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))), "torch.tanh takes a"),
        (lambda x: 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x ^ 3))), "no power in Python"),
        (lambda x: cubed(x, factor=math.sqrt(2) / math.pi), "the root is of 2 alone"),
        (lambda x: cubed(x, cube=0.0044715), "a zero too many"),
        (lambda x: cubed(x, cube=0.044715**3), "the factor is cubed too"),
        (lambda x: 0.5 * x * (1 + torch.tanh((2 / math.pi) ** 0.5 * 0.044715 * (x + x**3))), "x as well"),
        (
            lambda x: 0.5 * x * (1 + torch.tanh(torch.tensor((2 / math.pi) ** 0.5)) * (x + 0.044715 * x**3)),
            "sqrt(2 / pi) alone",
        ),
        (lambda x: cubed(x, factor=0.7979), "rounded to 0.7979"),
        (lambda x: cubed(x, factor=math.sqrt(2 / 3.14)), "so"),
        (lambda x: x - cubed(x), "so"),
    ],
    "mlp": [
        (lambda *case: feed(*case, bend=lambda z: z), "nothing bends"),
        (lambda *case: feed(*case, bend=torch.relu), "the bend is a ReLU"),
        (lambda *case: feed(*case, bend=F.gelu), "the exact GELU"),
        (lambda x, u, bu, p, bp: gelu_by_sigmoid((x @ u.T + bu) @ p.T + bp), "after the second matrix"),
        (lambda *case: gelu_by_sigmoid(feed(*case)), "gelu comes twice"),
        (lambda x, u, bu, p, bp: (gelu_by_sigmoid(x) @ u.T + bu) @ p.T + bp, "before the first matrix"),
        (lambda x, u, bu, p, bp: gelu_by_sigmoid(x @ u.T) @ p.T + bp, "the first bias is left out"),
        (lambda x, u, bu, p, bp: (gelu_by_sigmoid(x @ u.T) + bu) @ p.T + bp, "after the bend"),
        (lambda x, u, bu, p, bp: gelu_by_sigmoid(x @ u.T + bu) @ p.T, "the second bias is left out"),
        (lambda x, u, bu, p, bp: gelu_by_sigmoid(x @ u.T) @ p.T, "both biases are left out"),
        (lambda x, *w: feed(x, *w) + x, "x is added already"),
        (
            lambda x, u, bu, p, bp: gelu_by_sigmoid(x @ u.view(u.shape[::-1]) + bu) @ p.view(p.shape[::-1]) + bp,
            "reshaped where they should be transposed",
        ),
        (lambda x, u, bu, p, bp: gelu_by_sigmoid(x @ u + bu) @ p + bp, "x @ w.T, and so should you"),
        (lambda x, u, bu, p, bp: gelu_by_sigmoid(x @ u.T + bu) @ p + bp, "transpose it too"),
        (lambda x, u, bu, p, bp: gelu_by_sigmoid(x @ p + bu) @ u + bp, "the matrices have changed places"),
        (lambda x, u, bu, p, bp: gelu_by_sigmoid(x @ u.T + bu) @ u + bp, "w_up stands in both layers"),
        (lambda *case: feed(*case, bend=lambda z: z / (1 + torch.exp(-z))), "so"),
        (lambda x, u, bu, p, bp: gelu_by_sigmoid(x @ u.T + bu), "the shape is"),
    ],
    "my_block": [
        (block_like(post_norm), "this is post-norm"),
        (block_like(lambda x, n1, attention, n2, mlp: mlp(n2(attention(n1(x))))), "nothing is added to x"),
        (block_like(lambda x, n1, attention, n2, mlp: x + attention(x) + mlp(x + attention(x))), "nothing is normed"),
        (block_like(lambda x, n1, attention, n2, mlp: attention(n1(x)) + mlp(n2(attention(n1(x))))), "the first half"),
        (block_like(lambda x, n1, attention, n2, mlp: mlp(n2(x + attention(n1(x))))), "the second half doesn't add"),
        (block_like(on_the_normed), "added to the normed tokens"),
        (block_like(input_added_twice), "attention's write is lost"),
        (block_like(lambda x, n1, attention, n2, mlp: x + attention(n1(x)) + mlp(n2(x))), "reads the block's input"),
        (block_like(mlp_first), "the MLP comes before attention"),
        (block_like(lambda x, n1, attention, n2, mlp: x + attention(n1(x))), "the MLP is missing"),
        (block_like(lambda x, n1, attention, n2, mlp: x + mlp(n2(x))), "attention is missing"),
        (
            block_like(lambda x, n1, attention, n2, mlp: x + attention(n1(x)) + mlp(n1(x + attention(n1(x))))),
            "the first norm stands in both halves",
        ),
        (
            block_like(lambda x, n1, attention, n2, mlp: x + attention(n2(x)) + mlp(n1(x + attention(n2(x))))),
            "the two norms have changed places",
        ),
        (lambda x, weights, n_head: block_by_parts(x, weights, 1), "one head as wide as C"),
        (block_seeing_all, "nothing is masked"),
        (block_like(lambda x, n1, attention, n2, mlp: added(x + attention(x), n2, mlp)), "the first norm is missing"),
        (
            block_like(lambda x, n1, attention, n2, mlp: added(added(x, n1, attention), mlp)),
            "second norm is missing",
        ),
        (block_like(lambda x, n1, attention, n2, mlp: x + attention(n1(x)) + mlp(n1(x))), "read the first normed x"),
        (
            block_like(lambda x, n1, attention, n2, mlp: x + attention(n1(x)) + mlp(n2(attention(n1(x))))),
            "without the stream",
        ),
        (
            block_like(lambda x, n1, attention, n2, mlp: added(added(x, attention, n1), mlp, n2)),
            "not what they read",
        ),
        (
            block_like(lambda x, n1, attention, n2, mlp: added(n2(added(x, n1, attention)), mlp)),
            "keep x, and norm it into a new variable",
        ),
        (block_without_norm_biases, "the norms' biases are left out"),
        (block_with_a_wrong_norm, "so"),
        (lambda x, weights, n_head: block_by_parts(x, weights, 2), "so"),
        (block_in_place, "changed in place"),
        (block_on_a_copy, "no gradient comes through"),  # += overwrites what the norm keeps for the way back
        (block_using_up_the_weights, "changed in place"),
        (lambda x, weights, n_head: x + weights["attention.weight"], "KeyError"),
    ],
    "initial_std": [
        (lambda name, L: 0.0 if name.endswith("bias") else 0.02, "second line is missing"),
        (lambda name, L: std_by_parts(name, L / 2), "there are two writes in each block"),
        (writes_with(lambda L: 0.01 / L), "so it is the root"),
        (writes_with(lambda L: 0.02 / L), "is divided by L:"),
        (writes_with(lambda L: 0.02 / 2**0.5), "L left out"),
        (writes_with(lambda L: 0.02 / (math.sqrt(2) * L)), "is divided by sqrt(2) * L"),
        (writes_with(lambda L: 0.02 / math.sqrt(2) * L), "then multiplied by L"),
        (writes_with(lambda L: 0.02 * (2 * L) ** 0.5), "multiplied by sqrt(2L), so they are drawn larger"),
        (writes_with(lambda L: 0.02 * 2 * L), "multiplied by 2L, so they are drawn larger"),
        (writes_with(lambda L: 0.02 - (2 * L) ** 0.5), "was taken away"),
        (writes_with(lambda L: (2 * L) ** -0.5), "0.02 is missing"),
        (lambda name, L: std_by_parts(name, L) or 0.02, "biases are drawn with 0.02"),
        (lambda name, L: 0 if "bias" in name else 0.02 / (2 * L) ** 0.5, "every matrix is drawn smaller"),
        (lambda name, L: std_by_parts(name, L if "attention" in name else 0.5), "only attention's proj"),
        (lambda name, L: std_by_parts(name, L if "mlp" in name else 0.5), "only the MLP's proj"),
        (lambda name, L: 0.02 / (2 * L) ** 0.5 if ".proj" in name else 0.02, "biases are drawn as well"),
        (lambda name, L: std_by_parts(name, L) ** 2, "this is a variance"),
        (
            lambda name, L: 0 if "bias" in name else 0.02 if "proj" in name else 0.02 / (2 * L) ** 0.5,
            "read from the stream",
        ),
        (lambda name, L: 0.02 / (2 * L) ** 0.5 if name.endswith("proj") else 0.02, "one number for everything"),
        (lambda name, L: 0.02 / (2 * L) ** 0.5 if "proj" in name else std_by_parts(name, L), "before you ask for proj"),
        (writes_with(lambda L: 0.005), "comes out for 8 blocks"),
        (lambda name, L: std_by_parts(name, 2 * L), "so"),
    ],
}
