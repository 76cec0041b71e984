"""Chapter 07: a schedule, what decays, the clip, accumulation over unequal parts, an AdamW step, and resuming."""

import math
import random
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nanogpt.config import ModelConfig
from nanogpt.course.check.item import Case, Item
from nanogpt.model import GPT
from nanogpt.optim import decay_groups

BETAS, EPSILON, DECAY = (0.9, 0.95), 1e-8, 0.1
TABLES = ("token_embedding.weight", "position_embedding.weight")

Shapes = dict[str, tuple[int, ...]]
Step = tuple[Tensor, Tensor, Tensor]
Gradients = Callable[[Tensor, int], Tensor]
Rates = Callable[[int], float]


def schedule_cases(rng: random.Random) -> list[Case]:
    """(step, peak, warmup, n_steps, cooldown) at the joints of a few schedules, one without a flat piece."""
    peak, warmup, cooldown = rng.choice([0.5, 2.0, 3.0]), rng.randrange(3, 7), rng.randrange(3, 8)
    n_steps = warmup + cooldown + rng.randrange(3, 9)
    drawn = (0, warmup - 1, warmup, n_steps - cooldown, n_steps - cooldown + 1, n_steps - 1)
    return [
        *((step, 1.0, 4, 20, 5) for step in (0, 1, 3, 4, 10, 15, 16, 19)),
        *((step, peak, warmup, n_steps, cooldown) for step in drawn),
        *((step, 2.0, 3, 7, 4) for step in (2, 3, 4)),
        (0, 0.5, 1, 3, 1),
        (2, 0.5, 1, 3, 1),
    ]


def line(step: float, *joints: tuple[float, float]) -> float:
    """The height at `step` of a line drawn through the joints."""
    places, heights = zip(*joints, strict=True)
    return float(np.interp(step, places, heights))


def three_pieces(step: int, peak: float, warmup: int, n_steps: int, cooldown: int) -> float:
    """The line through 0 before the first step, the peak, the peak again, and 0 after the last step."""
    return line(step, (-1, 0.0), (warmup - 1, peak), (n_steps - cooldown, peak), (n_steps, 0.0))


def names_cases(rng: random.Random) -> list[Case]:
    """The shapes of a GPT without biases, of one with, of one with a head and vectors of its own, and of a model in
    which neither names nor shapes are those of a GPT."""
    odd = shapes_of(2, bias=True) | {"lm_head.weight": (20, 8), "blocks.0.scale": (8,), "temperature": ()}
    other: Shapes = {"patch_embedding.weight": (8, 3, 4, 4), "mixer.kernel": (8, 8, 3), "blocks.0.scale.weight": (8,)}
    other |= {"blocks.0.mlp.up.weight": (32, 8), "score.weight": (1, 8)}
    return [(shapes_of(1, bias=False),), (shapes_of(rng.randrange(1, 4), bias=True),), (odd,), (other,)]


def shapes_of(n_layer: int, bias: bool) -> Shapes:
    """The parameters of a small GPT by name, as shapes."""
    with torch.device("meta"):  # shapes without memory
        model = GPT(ModelConfig(n_layer, 2, 8, context_length=4, vocab_size=20, bias=bias))
    return {name: tuple(p.shape) for name, p in model.named_parameters()}


def names_to_decay(shapes: Shapes) -> list[str]:
    """The library's group that decays, without the embeddings."""
    parameters = {name: nn.Parameter(torch.empty(shape, device="meta")) for name, shape in shapes.items()}
    decayed = {id(p) for p in decay_groups(nn.ParameterList(parameters.values()), DECAY)[0]["params"]}
    return [name for name, p in parameters.items() if id(p) in decayed and "embedding" not in name]


def clip_cases(rng: random.Random) -> list[Case]:
    """A matrix and a vector of gradients with a limit: too long, short enough, without a limit."""
    C = rng.randrange(3, 6)
    return [
        (torch.tensor([[3.0, 0.0], [0.0, 4.0]]), torch.tensor([12.0, 0.0]), 1.0),
        (0.1 * torch.randn(3, 2), 0.1 * torch.randn(3), 2.0),
        (torch.randn(C, C), 5 * torch.randn(C), 0.5),
        (torch.randn(2, 4), torch.randn(2), math.inf),
    ]


def clip_together(weight_grad: Tensor, bias_grad: Tensor, limit: float) -> tuple[Tensor, Tensor, float]:
    """Both gradients and their norm before, by torch's own clip."""
    parameters = [nn.Parameter(torch.zeros_like(weight_grad)), nn.Parameter(torch.zeros_like(bias_grad))]
    for p, grad in zip(parameters, (weight_grad, bias_grad), strict=True):
        p.grad = grad.clone()
    norm = nn.utils.clip_grad_norm_(parameters, limit)
    return parameters[0].grad, parameters[1].grad, norm.item()


def length(a: Tensor, b: Tensor) -> Tensor:
    """The length of both, end to end."""
    return torch.cat([a.flatten(), b.flatten()]).norm()


def clipped_by(
    norm_of: Callable[[Tensor, Tensor], Tensor] = length,
    factor: Callable[[Tensor, float], Tensor] = lambda norm, limit: (limit / norm).clamp(max=1.0),
) -> Callable[..., tuple]:
    """The slip of another length than the right one, or of another factor."""

    def slip(a: Tensor, b: Tensor, limit: float) -> tuple[Tensor, Tensor, float]:
        norm = norm_of(a, b)
        scale = factor(norm, limit)
        return a * scale, b * scale, norm.item()

    return slip


def clipped_apart(a: Tensor, b: Tensor, limit: float) -> tuple[Tensor, Tensor, float]:
    """The slip of a limit for each gradient by itself."""
    scaled = [g * min(1.0, limit / g.norm().item()) for g in (a, b)]
    return scaled[0], scaled[1], length(a, b).item()


def accumulation_cases(rng: random.Random) -> list[Case]:
    """weight (V, C), x (B, T, C), targets (B, T) and the sizes of the micro-batches, equal ones among them."""
    drawn = [rng.randrange(1, 3), rng.randrange(3, 5), rng.randrange(5, 7)]
    cases = []
    for sizes in ([1, 3], drawn, [2, 2, 2], [3]):
        B, T, C, V = sum(sizes), rng.randrange(2, 5), 3, 5
        cases.append((torch.randn(V, C), torch.randn(B, T, C), torch.randint(V, (B, T)), sizes))
    return cases


def loss_and_gradient(weight: Tensor, x: Tensor, targets: Tensor) -> tuple[float, Tensor]:
    """Mean cross-entropy (nats per token) of the logits x @ weight.T, and its gradient (V, C)."""
    weight = weight.detach().clone().requires_grad_()
    loss = F.cross_entropy(F.linear(x, weight).flatten(0, 1), targets.flatten())
    loss.backward()
    return loss.item(), weight.grad


def accumulate_unequal(weight: Tensor, x: Tensor, targets: Tensor, sizes: list[int]) -> tuple[float, Tensor]:
    """Loss and gradient of the whole batch at once."""
    return loss_and_gradient(weight, x, targets)


def accumulated(
    for_loss: Callable[[int, list[int]], float], for_grad: Callable[[int, list[int]], float]
) -> Callable[..., tuple[float, Tensor]]:
    """The slip of other shares than size / B: what micro-batch i counts in the loss and in the gradient."""

    def slip(weight: Tensor, x: Tensor, targets: Tensor, sizes: list[int]) -> tuple[float, Tensor]:
        pairs = zip(x.split(sizes), targets.split(sizes), strict=True)
        found = [loss_and_gradient(weight, mx, my) for mx, my in pairs]
        loss = sum(part * for_loss(i, sizes) for i, (part, _) in enumerate(found))
        return loss, sum(part * for_grad(i, sizes) for i, (_, part) in enumerate(found))

    return slip


def share(i: int, sizes: list[int]) -> float:
    """What micro-batch i rightly counts."""
    return sizes[i] / sum(sizes)


def evenly(i: int, sizes: list[int]) -> float:
    """The mean of means."""
    return 1 / len(sizes)


def last(i: int, sizes: list[int]) -> float:
    """The last micro-batch's share, and nothing of the others."""
    return share(i, sizes) * (i == len(sizes) - 1)


def running_sums(i: int, sizes: list[int]) -> float:
    """How often share i is counted when the growing sum is sent backward each time."""
    return share(i, sizes) * (len(sizes) - i)


def adamw_cases(rng: random.Random) -> list[Case]:
    """weight, gradient, m, v of one shape, the number of this update, rate and decay; the first update, a late one,
    one without a gradient, one with a gradient as small as epsilon."""
    t = rng.randrange(5, 30)
    zeros = torch.zeros(3)
    return [
        (torch.tensor([1.0, -2.0, 0.5]), torch.tensor([0.1, -3.0, 0.0]), zeros, zeros, 1, 0.1, 0.0),
        (torch.randn(2, 3), torch.randn(2, 3), torch.randn(2, 3), torch.rand(2, 3) + 0.5, t, 0.2, 0.1),
        (torch.randn(4), torch.randn(4), torch.randn(4), torch.rand(4) + 0.5, 2, 0.05, 0.5),
        (torch.ones(2), torch.tensor([1e-9, 0.0]), torch.zeros(2), torch.zeros(2), 1, 0.1, 0.1),
    ]


def adamw_step(
    weight: Tensor, gradient: Tensor, m: Tensor, v: Tensor, t: int, rate: float, decay: float = DECAY
) -> Step:
    """The weight and both means after update number t, by torch's own AdamW."""
    p = nn.Parameter(weight.detach().clone())
    optimizer = torch.optim.AdamW([p], lr=rate, betas=BETAS, eps=EPSILON, weight_decay=decay)
    optimizer.state[p] = {"step": torch.tensor(t - 1.0), "exp_avg": m.clone(), "exp_avg_sq": v.clone()}
    p.grad = gradient.detach().clone()
    optimizer.step()
    return p.detach(), optimizer.state[p]["exp_avg"], optimizer.state[p]["exp_avg_sq"]


def correction(beta: float, t: int) -> float:
    """What a mean that began at 0 is divided by."""
    return 1 - beta**t


def adamw_but(
    corrected: Callable[[float, int], float] = correction, betas: tuple[float, float] = BETAS, **slip: bool
) -> Callable[..., Step]:
    """AdamW with one thing done otherwise."""

    def step(w: Tensor, g: Tensor, m: Tensor, v: Tensor, t: int, rate: float, decay: float = DECAY) -> Step:
        b1, b2 = betas
        g = g + decay * w if "in_gradient" in slip else g
        k1, k2 = (1 - b1, 1 - b2) if "mirrored" in slip else (b1, b2)
        before = m, v
        m = k1 * m + (1.0 if "unweighted" in slip else 1 - k1) * g
        v = k2 * v + (1 - k2) * (g if "unsquared" in slip else g**2)
        m_hat, v_hat = before if "old" in slip else (m, v)
        m_hat, v_hat = m_hat / corrected(b1, t), v_hat / corrected(b2, t)
        root = v_hat.sqrt()
        root = v_hat if "rootless" in slip else v.sqrt() / corrected(b2, t) if "root_first" in slip else root
        root = (v_hat + EPSILON).sqrt() if "inside" in slip else root if "bare" in slip else root + EPSILON
        move = rate * (m_hat + (decay * w if "in_ratio" in slip else 0.0)) / root
        move = -move if "uphill" in slip else move
        pull = decay if "rateless" in slip else rate * decay
        pull = 0.0 if {"in_gradient", "undecayed", "in_ratio"} & {*slip} else pull
        w = (w - move) * (1 - pull) if "after" in slip else w * (1 - pull) - move
        means = (m_hat, v_hat) if "hats" in slip else (m, v)
        return (*means, w) if "means_first" in slip else (w, *means)

    return step


def resume_cases(rng: random.Random) -> list[Case]:
    """weight, m, v, updates made, stop, and what gives gradients and rates: from the start, from the middle, and
    where nothing is left to do."""
    made = rng.randrange(3, 8)
    return [
        (*memory((3,), 0), 0, 4, gradient_at, rate_at),
        (*memory((3,), made), made, made + 3, gradient_at, rate_at),
        (*memory((2, 2), 12), 12, 17, gradient_at, rate_at),
        (*memory((2,), 5), 5, 5, gradient_at, rate_at),
    ]


def memory(shape: tuple[int, ...], updates: int) -> Step:
    """A weight and AdamW's two means; zero where no update was made."""
    if updates == 0:
        return torch.randn(shape), torch.zeros(shape), torch.zeros(shape)
    return torch.randn(shape), torch.randn(shape), torch.rand(shape) + 0.5


def gradient_at(weight: Tensor, step: int) -> Tensor:
    """The gradient on the batch of a step: each step pulls towards a place of its own."""
    return weight - torch.arange(weight.numel()).add(2.0 * step).cos().view(weight.shape)


def rate_at(step: int) -> float:
    """The rate of a step, falling."""
    return 0.2 / (1 + 0.2 * step)


def resume(
    weight: Tensor, m: Tensor, v: Tensor, updates: int, stop: int, gradient_at: Gradients, rate_at: Rates
) -> tuple[Tensor, Tensor, Tensor, int]:
    """The rest of the training by one torch AdamW that was given its memory back."""
    p = nn.Parameter(weight.detach().clone())
    optimizer = torch.optim.AdamW([p], betas=BETAS, eps=EPSILON, weight_decay=DECAY)
    optimizer.state[p] = {"step": torch.tensor(float(updates)), "exp_avg": m.clone(), "exp_avg_sq": v.clone()}
    for step in range(updates, stop):
        optimizer.param_groups[0]["lr"] = rate_at(step)
        p.grad = gradient_at(p.detach(), step)
        optimizer.step()
    return p.detach(), optimizer.state[p]["exp_avg"], optimizer.state[p]["exp_avg_sq"], stop


def since(step: int, updates: int) -> int:
    """The slip of a count from 0, from where it goes on."""
    return step - updates


def resume_but(
    zero: str = "",
    steps: Callable[[int, int], range] = range,
    batch: Callable[[int, int], int] = lambda step, updates: step,
    rate: Callable[[int, int], int] = lambda step, updates: step,
    t: Callable[[int, int], int] = lambda step, updates: step + 1,
    count: Callable[[int, int], int] = lambda updates, stop: stop,
    **slip: bool,
) -> Callable[..., tuple | None]:
    """Going on with one thing forgotten: by a mean's name what is set to 0, then the numbers of the steps, what each
    asks for, which update it is, and what count comes back."""

    def go_on(w: Tensor, m: Tensor, v: Tensor, updates: int, stop: int, gradient_at: Callable, rate_at: Callable):
        m = torch.zeros_like(m) if "m" in zero else m
        v = torch.zeros_like(v) if "v" in zero else v
        first, memory = w, (m, v)
        for step in steps(updates, stop):
            gradient = gradient_at(first if "one_place" in slip else w, batch(step, updates))
            w, m, v = adamw_but()(w, gradient, m, v, t(step, updates), rate_at(rate(step, updates)))
            m, v = memory if "forgetful" in slip else (m, v)
            if "inside" in slip:
                return w, m, v, stop
        if "by_step" in slip or "after_step" in slip:
            return w, m, v, step + ("after_step" in slip)
        return None if "inside" in slip else (w, m, v, count(updates, stop))

    return go_on


ITEMS = (
    Item(
        "three_pieces",
        "three_pieces(step, peak, warmup, n_steps, cooldown) -> the rate of a step: up in a straight line over the "
        "first `warmup` steps (peak / warmup at step 0), flat, then down over the last `cooldown` steps (peak / "
        "cooldown at step n_steps - 1)",
        three_pieces,
        schedule_cases,
        {
            "the first step has a rate of 0, so nothing is learnt from it: count from step + 1 in the warm-up": (
                lambda s, p, w, n, c: p * s / w if s < w else three_pieces(s, p, w, n, c)
            ),
            "the warm-up is one step too long: step warmup - 1 has the peak already, so divide step + 1 by warmup": (
                lambda s, p, w, n, c: p * (s + 1) / (w + 1) if s < w else three_pieces(s, p, w, n, c)
            ),
            "the last step has a rate of 0, so nothing is learnt from it: it is n_steps - step that counts down to 1": (
                lambda s, p, w, n, c: p * max(0.0, min(1.0, (s + 1) / w, (n - 1 - s) / c))
            ),
            "the way down is one step too long: divide n_steps - step by cooldown, not by one more": (
                lambda s, p, w, n, c: p * min(1.0, (s + 1) / w, (n - s) / (c + 1))
            ),
            "there is no warm-up in it: the first steps have the full rate": (
                lambda s, p, w, n, c: p * min(1.0, (n - s) / c)
            ),
            "there is no way down in it: the last `cooldown` steps have the full rate": (
                lambda s, p, w, n, c: p * min(1.0, (s + 1) / w)
            ),
            "this is a share of the peak, from 0 to 1: multiply it by peak": (
                lambda s, p, w, n, c: three_pieces(s, 1.0, w, n, c)
            ),
            "the way down starts right after the warm-up: stay at the peak until `cooldown` steps are left": (
                lambda s, p, w, n, c: p * ((s + 1) / w if s < w else (n - s) / (n - w))
            ),
            "cooldown was taken for the step at which the way down starts: it is the number of steps it takes": (
                lambda s, p, w, n, c: p * (s + 1) / w if s < w else p if s < c else p * (n - s) / (n - c)
            ),
            "the way down is a cosine: here it is a straight line": (
                lambda s, p, w, n, c: (
                    three_pieces(s, p, w, n, c) if s < n - c else (p * 0.5 * (1 + math.cos(math.pi * (s - n + c) / c)))
                )
            ),
            "// leaves whole numbers only, here 0 or 1: divide with /": (
                lambda s, p, w, n, c: p * min(1, (s + 1) // w, (n - s) // c)
            ),
            "the first step and the last have a rate of 0: count step + 1 on the way up and n_steps - step down": (
                lambda s, p, w, n, c: p * max(0.0, min(1.0, s / w, (n - 1 - s) / c))
            ),
            "both ways are one step too long: divide by warmup and by cooldown, not by one more": (
                lambda s, p, w, n, c: p * ((s + 1) / (w + 1) if s < w else min(1.0, (n - s) / (c + 1)))
            ),
            "it goes over the peak: the share is at most 1": lambda s, p, w, n, c: p * min((s + 1) / w, (n - s) / c),
            "step `warmup` is counted with the way up, and goes over the peak: the way up ends before it, with <": (
                lambda s, p, w, n, c: p * (s + 1) / w if s <= w else three_pieces(s, p, w, n, c)
            ),
            "warmup and cooldown have changed places": lambda s, p, w, n, c: three_pieces(s, p, c, n, w),
        },
    ),
    Item(
        "names_to_decay",
        "names_to_decay(shapes): names and shapes of parameters, a dict -> the names, in the same order, of all that "
        "have two axes or more and don't hold the word embedding",
        names_to_decay,
        names_cases,
        {
            "the embeddings are among them: leave out the names that hold the word embedding": (
                lambda shapes: [name for name, shape in shapes.items() if len(shape) >= 2]
            ),
            "the position embedding is still among them: there are two embeddings": (
                lambda shapes: [n for n, s in shapes.items() if len(s) >= 2 and "token" not in n]
            ),
            "the token embedding is still among them: there are two embeddings": (
                lambda shapes: [n for n, s in shapes.items() if len(s) >= 2 and "position" not in n]
            ),
            "the gains of the norms are among them: they are called weight too, so ask for the number of axes": (
                lambda shapes: [n for n in shapes if n.endswith("weight") and "embedding" not in n]
            ),
            "everything but the embeddings is in it, vectors too: ask for the number of axes, at least two": (
                lambda shapes: [n for n in shapes if "embedding" not in n]
            ),
            "these are the names that are left alone: those that decay were asked for": (
                lambda shapes: [n for n in shapes if n not in names_to_decay(shapes)]
            ),
            "it goes by names, so a vector with a name of its own slips in: ask for the number of axes": (
                lambda shapes: [n for n in shapes if not any(word in n for word in ("embedding", "norm", "bias"))]
            ),
            "the head is missing: where it is a matrix of its own it decays like the others, so decide by axes": (
                lambda shapes: [n for n in names_to_decay(shapes) if "head" not in n]
            ),
            "the names are right, but sorted: keep the order in which they came": (
                lambda shapes: sorted(names_to_decay(shapes))
            ),
            "only the matrices of the blocks are in it: others decay too, the head among them, so decide by axes": (
                lambda shapes: [n for n in names_to_decay(shapes) if n.startswith("blocks")]
            ),
            "all that is called weight is in it, gains and embeddings too: ask for axes, and leave embeddings out": (
                lambda shapes: [n for n in shapes if "weight" in n]
            ),
            "it goes by names, but a gain can be called weight and a matrix something else: ask for axes": (
                lambda shapes: [n for n in shapes if n.endswith("weight") and "norm" not in n and "embedding" not in n]
            ),
            "only shapes with two axes are in it: those with more decay too, >= 2": (
                lambda shapes: [n for n in names_to_decay(shapes) if len(shapes[n]) == 2]
            ),
            "everything is in it: both must hold, two axes and no embedding, so join them with and": list,
            "only two embeddings are left out: leave out every name that holds the word": (
                lambda shapes: [n for n, s in shapes.items() if len(s) >= 2 and n not in TABLES]
            ),
        },
    ),
    Item(
        "clip_together",
        "clip_together(weight_grad, bias_grad, limit): (C_out, C_in), (C_out,), a number -> (both gradients, scaled "
        "down by one factor to a common length of at most limit, the length before)",
        clip_together,
        clip_cases,
        {
            "each gradient was clipped by its own length: put end to end they have one length, and get one factor": (
                clipped_apart
            ),
            "single numbers were cut off at the limit, which turns the direction: scale all by one factor": (
                lambda a, b, limit: (a.clamp(-limit, limit), b.clamp(-limit, limit), length(a, b).item())
            ),
            "short gradients were made longer: the factor is at most 1": clipped_by(factor=lambda norm, x: x / norm),
            "the length returned is the one after the clip: measure before, it's what one wants to see in a log": (
                lambda a, b, limit: (*clip_together(a, b, limit)[:2], min(limit, length(a, b).item()))
            ),
            "the root is missing: the length is the square root of the sum of squares": (
                clipped_by(lambda a, b: length(a, b) ** 2)
            ),
            "the two lengths were added: add the squares of both, then take one root": (
                clipped_by(lambda a, b: a.norm() + b.norm())
            ),
            "the length is a mean: it is the root of the sum of squares, not of their mean": (
                clipped_by(lambda a, b: torch.cat([a.flatten(), b.flatten()]).square().mean().sqrt())
            ),
            "the length is the weight's alone: the bias belongs to it, put both end to end": clipped_by(
                lambda a, b: a.norm()
            ),
            "the length is the largest number in it: it is the root of the sum of squares": (
                clipped_by(lambda a, b: torch.cat([a.flatten(), b.flatten()]).abs().max())
            ),
            "nothing was clipped: multiply both by limit / length where the length is above the limit": (
                lambda a, b, limit: (a, b, length(a, b).item())
            ),
            "too long ones get a length of 1, not of limit: the factor is limit / length": (
                clipped_by(factor=lambda norm, x: torch.where(norm > x, 1 / norm, 1.0))
            ),
            "the factor is upside down: it is limit / length": (
                clipped_by(factor=lambda norm, x: (norm / x).clamp(max=1.0))
            ),
            "the factor is at least 1, so nothing gets shorter: clamp takes max=1, not min=1": (
                clipped_by(factor=lambda norm, x: (x / norm).clamp(min=1.0))
            ),
            "limit was divided by the squared length: take the root first": (
                clipped_by(factor=lambda norm, x: (x / norm**2).clamp(max=1.0))
            ),
            "the length is that of the longer one: add the squares of both, then take one root": (
                clipped_by(lambda a, b: torch.maximum(a.norm(), b.norm()))
            ),
        },
    ),
    Item(
        "accumulate_unequal",
        "accumulate_unequal(weight, x, targets, sizes): weight (V, C), x (B, T, C), targets (B, T), micro-batches of "
        "`sizes` sequences -> (loss, gradient (V, C)) of the mean over the whole batch",
        accumulate_unequal,
        accumulation_cases,
        {
            "this is a mean of means: each counts by its share of the batch, size / B": accumulated(evenly, evenly),
            "the means were added up and not weighted: each counts size / B": (
                accumulated(lambda i, sizes: 1.0, lambda i, sizes: 1.0)
            ),
            "each mean was multiplied by its size, but the sum was not divided by B": (
                accumulated(lambda i, sizes: sizes[i], lambda i, sizes: sizes[i])
            ),
            "the gradient is right, but the loss is a mean of means: weight it too": accumulated(evenly, share),
            "the gradient is right, but the loss is a plain sum: weight it by size / B too": (
                accumulated(lambda i, sizes: 1.0, share)
            ),
            "the loss is right, but the gradient is a mean of means: weight each loss before its backward": (
                accumulated(share, evenly)
            ),
            "the loss is right, but the gradient is a plain sum: weight each loss before its backward": (
                accumulated(share, lambda i, sizes: 1.0)
            ),
            "the loss is right, but the gradient is the last micro-batch's alone: it has to be kept, not set to zero "
            "in between": accumulated(share, last),
            "loss and gradient are the last micro-batch's alone: add up over all of them": (
                accumulated(lambda i, sizes: float(i == len(sizes) - 1), lambda i, sizes: float(i == len(sizes) - 1))
            ),
            "the early micro-batches are counted again and again: send each part backward, not the growing sum": (
                accumulated(share, running_sums)
            ),
            "the gradient is right, but the loss was weighted twice: the weighted losses are added up as they are": (
                accumulated(lambda i, sizes: share(i, sizes) ** 2, share)
            ),
            "it was divided by the number of micro-batches, too: the shares, size / B, add up to 1 already": (
                accumulated(
                    lambda i, sizes: share(i, sizes) / len(sizes), lambda i, sizes: share(i, sizes) / len(sizes)
                )
            ),
            "the gradient is right, but the loss is the last micro-batch's alone: add up over all of them": (
                accumulated(last, share)
            ),
            "sums over tokens were divided by B: it is the mean over all tokens, so divide by B * T": (
                lambda weight, x, y, sizes: [y.size(1) * part for part in loss_and_gradient(weight, x, y)]
            ),
            "these are sums over all tokens: divide by how many there are, B * T": (
                lambda weight, x, y, sizes: [y.numel() * part for part in loss_and_gradient(weight, x, y)]
            ),
        },
    ),
    Item(
        "adamw_step",
        "adamw_step(weight, gradient, m, v, t, rate, decay): tensors of one shape, t the number of this update (1 is "
        "the first), betas 0.9 and 0.95, epsilon 1e-8 -> (weight, m, v) after it",
        adamw_step,
        adamw_cases,
        {
            "the bias correction is missing: divide m by 1 - beta1**t and v by 1 - beta2**t for the update": (
                adamw_but(lambda beta, t: 1.0)
            ),
            "decay went into the gradient, which is Adam with L2: pull the weight itself, by 1 - rate * decay": (
                adamw_but(in_gradient=True)
            ),
            "the decay isn't multiplied by the rate: the weight shrinks by 1 - rate * decay": adamw_but(rateless=True),
            "nothing decays: multiply the weight by 1 - rate * decay": adamw_but(undecayed=True),
            "the decay comes after the move: shrink the weight as it was, then move it": adamw_but(after=True),
            "it moves up the gradient: the move is subtracted": adamw_but(uphill=True),
            "epsilon stands under the root: it is added to the root": adamw_but(inside=True),
            "the root of v is missing: v is of the size of a squared gradient": adamw_but(rootless=True),
            "v takes in the gradient, not its square, and can fall below 0, where it has no root": (
                adamw_but(unsquared=True)
            ),
            "beta1 and beta2 have changed places: 0.9 belongs to m, 0.95 to v": adamw_but(betas=BETAS[::-1]),
            "the new values have the old means' share: a mean keeps beta of itself and takes in 1 - beta": (
                adamw_but(mirrored=True)
            ),
            "m takes in the whole gradient: it is a mean, so the gradient counts 1 - beta1": adamw_but(unweighted=True),
            "the corrected means were returned: the hats are for the update alone, hand back m and v themselves": (
                adamw_but(hats=True)
            ),
            "beta2 is 0.999, as torch has it where nothing is said: here it is 0.95": adamw_but(betas=(0.9, 0.999)),
            "the correction has t + 1: t counts this update already": adamw_but(lambda beta, t: 1 - beta ** (t + 1)),
            "the bias correction has t - 1, and divides by 0 at the first update: t is the number of this update": (
                adamw_but(lambda beta, t: 1 - beta ** (t - 1))
            ),
            "the exponent of the bias correction is missing: divide by 1 - beta**t, which grows towards 1": (
                adamw_but(lambda beta, t: 1 - beta)
            ),
            "m is corrected, but v isn't: divide it by 1 - beta2**t": (
                adamw_but(lambda beta, t: correction(beta, t) if beta == BETAS[0] else 1.0)
            ),
            "v is corrected, but m isn't: divide it by 1 - beta1**t": (
                adamw_but(lambda beta, t: correction(beta, t) if beta == BETAS[1] else 1.0)
            ),
            "the move was made from the old m and v: write the new ones first": adamw_but(old=True),
            "the root of v was taken before its correction: divide v by 1 - beta2**t, then take the root": (
                adamw_but(root_first=True)
            ),
            "epsilon is missing: where every gradient was 0 the ratio is 0 / 0": adamw_but(bare=True),
            "the decay stands inside the ratio: pull the weight itself, by 1 - rate * decay": adamw_but(in_ratio=True),
            "the means come first: the order is weight, m, v": adamw_but(means_first=True),
        },
    ),
    Item(
        "resume",
        "resume(weight, m, v, updates, stop, gradient_at, rate_at): go on after `updates` updates until `stop` are "
        "made, with gradient_at(weight, step) and rate_at(step), steps from 0 -> (weight, m, v, updates)",
        resume,
        resume_cases,
        {
            "it goes on with an empty memory: m and v come from the checkpoint, and so does the count": (
                resume_but("mv", t=lambda step, updates: step - updates + 1)
            ),
            "m was set to zero: it comes from the checkpoint": resume_but("m"),
            "v was set to zero: it comes from the checkpoint": resume_but("v"),
            "the bias correction counts from 1 again: update number step + 1 is t": resume_but(
                t=lambda step, updates: step - updates + 1
            ),
            "t is the number of the step, which is one too low: step 0 is update number 1": resume_but(
                t=lambda step, updates: step
            ),
            "t stays what it was at the start: it grows by 1 with each update": resume_but(
                t=lambda step, updates: updates + 1
            ),
            "the batches begin again at step 0: ask for the gradient of the steps from `updates` on": (
                resume_but(batch=since)
            ),
            "the rates begin again at step 0: ask for the rates of the steps from `updates` on": (
                resume_but(rate=since)
            ),
            "batches and rates begin again at step 0: the steps to do are range(updates, stop)": (
                resume_but(batch=since, rate=since)
            ),
            "the whole training is done again, from step 0: the steps to do are range(updates, stop)": (
                resume_but(steps=lambda updates, stop: range(stop))
            ),
            "it makes `stop` more updates: stop is where the count ends, updates included": resume_but(
                steps=lambda u, stop: range(u, u + stop), count=lambda u, stop: u + stop
            ),
            "it makes one update too many: step stop belongs to the future": resume_but(
                steps=lambda u, stop: range(u, stop + 1), count=lambda u, stop: stop + 1
            ),
            "it leaves out a step: `updates` updates are made, so the next step is number `updates`": (
                resume_but(steps=lambda updates, stop: range(updates + 1, stop))
            ),
            "all steps are one too late: the first step has number 0, so the next has number `updates`": (
                resume_but(steps=lambda u, stop: range(u + 1, stop + 1), t=lambda step, updates: step)
            ),
            "the count returned is the old one: it is `stop` when all is done": resume_but(count=lambda u, stop: u),
            "m and v were set to zero, though the count goes on: they come from the checkpoint": resume_but("mv"),
            "it makes one update more than it counts: the last step is stop - 1, range(updates, stop)": (
                resume_but(steps=lambda updates, stop: range(updates, stop + 1))
            ),
            "batches, rates and t begin again: the steps to do are range(updates, stop)": (
                resume_but(batch=since, rate=since, t=lambda step, updates: step - updates + 1)
            ),
            "the rate stays what it was at the start: ask for the rate of each step": (
                resume_but(rate=lambda step, updates: updates)
            ),
            "each update starts from the checkpoint's m and v: the next one starts from those that came back": (
                resume_but(forgetful=True)
            ),
            "each gradient was taken at the checkpoint's weight: take it at the weight as it now is": (
                resume_but(one_place=True)
            ),
            "only one update is made: the return stands inside the loop": resume_but(inside=True),
            "the count returned is the last step's number: it is `stop`, one more": resume_but(by_step=True),
            "where nothing is left to do there is no step to count from: return stop": resume_but(after_step=True),
        },
    ),
)
