"""Answers to chapter 07's items: right ones written in other ways, wrong ones with what must be said of each."""

import math

import torch
import torch.nn.functional as F


def pieces_by_branches(step, peak, warmup, n_steps, cooldown):
    if step < warmup:
        return peak * (step + 1) / warmup
    left = n_steps - step
    return peak if left > cooldown else peak * left / cooldown


def pieces_by_a_list(step, peak, warmup, n_steps, cooldown):
    up = [i / warmup for i in range(1, warmup + 1)]
    down = [i / cooldown for i in range(cooldown, 0, -1)]
    return peak * (up + [1.0] * (n_steps - warmup - cooldown) + down)[step]


def pieces_without_branches(step, peak, warmup, n_steps, cooldown):
    return torch.tensor([(step + 1) / warmup, 1.0, (n_steps - step) / cooldown]).min() * peak


def names_by_a_loop(shapes):
    found = []
    for name in shapes:
        if "embedding" in name:
            continue
        if len(shapes[name]) > 1:
            found.append(name)
    return found


def clip_by_loops(a, b, limit):
    squares = 0.0
    for grad in (a, b):
        for number in grad.flatten().tolist():
            squares += number * number
    norm = math.sqrt(squares)
    if norm <= limit:
        return a, b, norm
    return a * (limit / norm), b * (limit / norm), norm


def clip_by_cat(a, b, limit):
    both = torch.cat([a.reshape(-1), b.reshape(-1)])
    norm = torch.linalg.vector_norm(both)
    both = both * torch.clamp(limit / (norm + 1e-6), max=1.0)
    return both[: a.numel()].view_as(a), both[a.numel() :].view_as(b), norm


def parts_by_autograd(weight, x, targets, sizes):
    weight = weight.clone().requires_grad_()
    total = 0.0
    for mx, my in zip(x.split(sizes), targets.split(sizes), strict=True):
        loss = F.cross_entropy((mx @ weight.T).flatten(0, 1), my.flatten()) * len(mx) / len(x)
        loss.backward()
        total += loss.item()
    return total, weight.grad


def parts_by_formula(weight, x, targets, sizes):
    V, gradient, loss, first = weight.shape[0], torch.zeros_like(weight), torch.zeros(()), 0
    for size in sizes:
        mx, my = x[first : first + size], targets[first : first + size]
        probs = torch.einsum("btc,vc->btv", mx, weight).softmax(-1)
        loss = loss - probs.gather(-1, my[..., None]).log().sum()
        gradient = gradient + torch.einsum("btv,btc->vc", probs - F.one_hot(my, V), mx)
        first += size
    return loss / targets.numel(), gradient / targets.numel()


def adamw(weight, gradient, m, v, t, rate, decay=0.1, beta1=0.9, beta2=0.95):
    m = beta1 * m + (1 - beta1) * gradient
    v = beta2 * v + (1 - beta2) * gradient * gradient
    move = (m / (1 - beta1**t)) / ((v / (1 - beta2**t)).sqrt() + 1e-8)
    return weight - rate * decay * weight - rate * move, m, v


def adamw_by_lerp(weight, gradient, m, v, t, rate, decay=0.1):
    m, v = m.lerp(gradient, 0.1), v.lerp(gradient.square(), 0.05)
    size = v.sqrt() / math.sqrt(1 - 0.95**t) + 1e-8
    return (weight * (1 - rate * decay)).addcdiv(m, size, value=-rate / (1 - 0.9**t)), m, v


def adamw_number_by_number(weight, gradient, m, v, t, rate, decay=0.1):
    out = []
    for w, g, a, b in zip(*(z.flatten().double().tolist() for z in (weight, gradient, m, v)), strict=True):
        a, b = 0.9 * a + 0.1 * g, 0.95 * b + 0.05 * g * g
        w = w - rate * decay * w - rate * a / (1 - 0.9**t) / (math.sqrt(b / (1 - 0.95**t)) + 1e-8)
        out.append((w, a, b))
    return tuple(torch.tensor(column).view_as(weight) for column in zip(*out, strict=True))


def on_by_for(weight, m, v, updates, stop, gradient_at, rate_at):
    for step in range(updates, stop):
        weight, m, v = adamw(weight, gradient_at(weight, step), m, v, step + 1, rate_at(step))
    return weight, m, v, stop


def on_by_while(weight, m, v, updates, stop, gradient_at, rate_at):
    while updates < stop:
        gradient, rate = gradient_at(weight, updates), rate_at(updates)
        updates += 1
        weight, m, v = adamw_by_lerp(weight, gradient, m, v, updates, rate)
    return [weight, m, v, updates]


def on_by_calling_itself(weight, m, v, updates, stop, gradient_at, rate_at):
    if updates == stop:
        return weight, m, v, updates
    found = adamw(weight, gradient_at(weight, updates), m, v, updates + 1, rate_at(updates))
    return on_by_calling_itself(*found, updates + 1, stop, gradient_at, rate_at)


RIGHT = {
    "three_pieces": [pieces_by_branches, pieces_by_a_list, pieces_without_branches],
    "names_to_decay": [
        names_by_a_loop,
        lambda shapes: [n for n, s in shapes.items() if torch.empty(s).dim() >= 2 and n.split("_")[-1][:3] != "emb"],
        lambda shapes: list(filter(lambda n: shapes[n][1:] and not n.endswith("embedding.weight"), shapes)),
    ],
    "clip_together": [clip_by_loops, clip_by_cat],
    "accumulate_unequal": [parts_by_autograd, parts_by_formula],
    "adamw_step": [adamw, adamw_by_lerp, adamw_number_by_number],
    "resume": [on_by_for, on_by_while, on_by_calling_itself],
}


def pieces(step, peak, warmup, n_steps, cooldown, up=1, down=0):
    if step < warmup:
        return peak * (step + up) / warmup
    if step >= n_steps - cooldown:
        return peak * (n_steps - down - step) / cooldown
    return peak


def pieces_down_at_once(step, peak, warmup, n_steps, cooldown):
    if step < warmup:
        return peak * (step + 1) / warmup
    return peak * (n_steps - step) / (n_steps - warmup)


def pieces_with_a_cosine(step, peak, warmup, n_steps, cooldown):
    if step < warmup:
        return peak * (step + 1) / warmup
    share = max(0, step - (n_steps - cooldown)) / cooldown
    return peak * (1 + math.cos(share * math.pi)) / 2


def pieces_from_a_step(step, peak, warmup, n_steps, cooldown):
    if step < warmup:
        return peak * (step + 1) / warmup
    if step < cooldown:
        return peak
    return peak * (n_steps - step) / (n_steps - cooldown)


def pieces_as_a_share(step, peak, warmup, n_steps, cooldown):
    if step < warmup:
        return (step + 1) / warmup
    if n_steps - step < cooldown:
        return (n_steps - step) / cooldown
    return 1.0


def pieces_rising_again(step, peak, warmup, n_steps, cooldown):
    if step < warmup:
        return peak * (step + 1) / warmup
    cooling = step - (n_steps - cooldown)
    return peak * (cooling + 1) / cooldown if cooling >= 0 else peak


def pieces_unreturned(step, peak, warmup, n_steps, cooldown):
    rate = peak * min(1, (step + 1) / warmup, (n_steps - step) / cooldown)  # noqa: F841


def pieces_that_change(step, peak, warmup, n_steps, cooldown, memory=[0]):  # noqa: B006
    memory[0] += 1
    return peak * min(1, memory[0] / warmup, (n_steps - step) / cooldown)


def clip_each(a, b, limit):
    norm = (a.pow(2).sum() + b.pow(2).sum()).sqrt()
    return (
        a * torch.clamp(limit / a.norm(), max=1),
        b * torch.clamp(limit / b.norm(), max=1),
        norm,
    )


def clip_in_place(a, b, limit):
    norm = (a.pow(2).sum() + b.pow(2).sum()).sqrt()
    if norm > limit:
        a.mul_(limit / norm)
        b.mul_(limit / norm)
    return a, b, norm


def clip_with(norm, a, b, limit):
    if norm > limit:
        a, b = a * limit / norm, b * limit / norm
    return a, b, norm


def clip_by(factor):
    """The clip with another factor, of the limit and the length."""

    def clip(a, b, limit):
        norm = math.sqrt(a.pow(2).sum().item() + b.pow(2).sum().item())
        return a * factor(limit, norm), b * factor(limit, norm), norm

    return clip


def clip_and_measure(a, b, limit):
    a, b, _ = clip_by_loops(a, b, limit)
    return a, b, ((a**2).sum() + (b**2).sum()) ** 0.5


def parts(weight, x, targets, sizes, loss_of=None, of_loss=None, zero=False):
    """Accumulation as in the chapter; `loss_of` is what goes backward, `of_loss` what is added up."""
    weight = weight.clone().requires_grad_()
    total = 0.0
    loss_of = loss_of or (lambda mean, size: mean * size / len(x))
    of_loss = of_loss or loss_of
    for mx, my in zip(x.split(sizes), targets.split(sizes), strict=True):
        if zero:
            weight.grad = None
        mean = F.cross_entropy((mx @ weight.T).flatten(0, 1), my.flatten())
        loss_of(mean, len(mx)).backward()
        total += of_loss(mean.detach(), len(mx)).item()
    return total, weight.grad


def parts_of_tokens(weight, x, targets, sizes, by):
    """Sums over tokens, divided by `by`."""
    weight = weight.clone().requires_grad_()
    total = 0.0
    for mx, my in zip(x.split(sizes), targets.split(sizes), strict=True):
        loss = F.cross_entropy((mx @ weight.T).flatten(0, 1), my.flatten(), reduction="sum") / by
        loss.backward()
        total += loss.item()
    return total, weight.grad


def parts_but_the_last_loss(weight, x, targets, sizes):
    weight = weight.clone().requires_grad_()
    for mx, my in zip(x.split(sizes), targets.split(sizes), strict=True):
        loss = F.cross_entropy((mx @ weight.T).flatten(0, 1), my.flatten()) * len(mx) / len(x)
        loss.backward()
    return loss.item(), weight.grad


def parts_backward_of_the_sum(weight, x, targets, sizes):
    weight = weight.clone().requires_grad_()
    total = 0.0
    for mx, my in zip(x.split(sizes), targets.split(sizes), strict=True):
        total = total + F.cross_entropy((mx @ weight.T).flatten(0, 1), my.flatten()) * len(mx) / len(x)
        total.backward(retain_graph=True)
    return total.item(), weight.grad


def parts_overwritten(weight, x, targets, sizes):
    for mx, my in zip(x.split(sizes), targets.split(sizes), strict=True):
        w = weight.clone().requires_grad_()
        loss = F.cross_entropy((mx @ w.T).flatten(0, 1), my.flatten())
        loss.backward()
    return loss.item(), w.grad


def parts_unflattened(weight, x, targets, sizes):
    w = weight.clone().requires_grad_()
    loss = sum(F.cross_entropy(mx @ w.T, my) for mx, my in zip(x.split(sizes), targets.split(sizes), strict=True))
    loss.backward()
    return loss.item(), w.grad


def adamw_plain(w, g, m, v, t, rate, decay):
    m, v = 0.9 * m + 0.1 * g, 0.95 * v + 0.05 * g**2
    return w * (1 - rate * decay) - rate * m / (v.sqrt() + 1e-8), m, v


def adamw_root(w, g, m, v, t, rate, decay):
    m, v = 0.9 * m + 0.1 * g, 0.95 * v + 0.05 * g**2
    return w * (1 - rate * decay) - rate * m / (1 - 0.9**t) / (v / (1 - 0.95**t) + 1e-8).sqrt(), m, v


def adamw_rootless(w, g, m, v, t, rate, decay):
    m, v = 0.9 * m + 0.1 * g, 0.95 * v + 0.05 * g**2
    return w * (1 - rate * decay) - rate * m / (1 - 0.9**t) / (v / (1 - 0.95**t) + 1e-8), m, v


def adamw_hats(w, g, m, v, t, rate, decay):
    m = (0.9 * m + 0.1 * g) / (1 - 0.9**t)
    v = (0.95 * v + 0.05 * g**2) / (1 - 0.95**t)
    return w - rate * (m / (v.sqrt() + 1e-8) + decay * w), m, v


def adamw_of(mean, square):
    """AdamW with other means, functions of the old one and the gradient."""

    def step(w, g, m, v, t, rate, decay):
        m, v = mean(m, g), square(v, g)
        return w - rate * (m / (1 - 0.9**t) / ((v / (1 - 0.95**t)).sqrt() + 1e-8) + decay * w), m, v

    return step


def adamw_from(m_hat, v_hat, epsilon=1e-8):
    """AdamW's move made from other means, functions of m, v and t."""

    def step(w, g, m, v, t, rate, decay):
        m, v = 0.9 * m + 0.1 * g, 0.95 * v + 0.05 * g**2
        return w * (1 - rate * decay) - rate * m_hat(m, t) / (v_hat(v, t).sqrt() + epsilon), m, v

    return step


def adamw_from_old_means(w, g, m, v, t, rate, decay):
    move = m / (1 - 0.9**t) / ((v / (1 - 0.95**t)).sqrt() + 1e-8)
    return w * (1 - rate * decay) - rate * move, 0.9 * m + 0.1 * g, 0.95 * v + 0.05 * g**2


def adamw_root_first(w, g, m, v, t, rate, decay):
    m, v = 0.9 * m + 0.1 * g, 0.95 * v + 0.05 * g**2
    return w * (1 - rate * decay) - rate * m / (1 - 0.9**t) / (v.sqrt() / (1 - 0.95**t) + 1e-8), m, v


def adamw_decay_inside(w, g, m, v, t, rate, decay):
    m, v = 0.9 * m + 0.1 * g, 0.95 * v + 0.05 * g**2
    return w - rate * (m / (1 - 0.9**t) + decay * w) / ((v / (1 - 0.95**t)).sqrt() + 1e-8), m, v


def adamw_in_place(w, g, m, v, t, rate, decay):
    m.mul_(0.9).add_(0.1 * g)
    v.mul_(0.95).add_(0.05 * g**2)
    w.mul_(1 - rate * decay).sub_(rate * m / (1 - 0.9**t) / ((v / (1 - 0.95**t)).sqrt() + 1e-8))
    return w, m, v


def adamw_decay_last(w, g, m, v, t, rate, decay):
    w, m, v = adamw(w, g, m, v, t, rate, 0.0)
    return w * (1 - rate * decay), m, v


def adamw_uphill(w, g, m, v, t, rate, decay):
    m, v = 0.9 * m + 0.1 * g, 0.95 * v + 0.05 * g * g
    return w * (1 - rate * decay) + rate * m / (1 - 0.9**t) / ((v / (1 - 0.95**t)) ** 0.5 + 1e-8), m, v


def on_with_nothing(w, m, v, updates, stop, gradient_at, rate_at):
    m = v = torch.zeros_like(w)
    for t, step in enumerate(range(updates, stop), 1):
        w, m, v = adamw(w, gradient_at(w, step), m, v, t, rate_at(step))
    return w, m, v, stop


def on_without_m(w, m, v, *rest):
    return on_by_for(w, torch.zeros_like(m), v, *rest)


def on_without_v(w, m, v, *rest):
    return on_by_for(w, m, torch.zeros_like(v), *rest)


def on_from_zero(w, m, v, updates, stop, gradient_at, rate_at):
    for step in range(stop - updates):
        w, m, v = adamw(w, gradient_at(w, step), m, v, updates + step + 1, rate_at(step))
    return w, m, v, stop


def on_with_old_batches(w, m, v, updates, stop, gradient_at, rate_at):
    for step in range(stop - updates):
        w, m, v = adamw(w, gradient_at(w, step), m, v, updates + step + 1, rate_at(updates + step))
    return w, m, v, stop


def on_with_old_rates(w, m, v, updates, stop, gradient_at, rate_at):
    for done, step in enumerate(range(updates, stop)):
        w, m, v = adamw(w, gradient_at(w, step), m, v, step + 1, rate_at(done))
    return w, m, v, stop


def on_recounting(w, m, v, updates, stop, gradient_at, rate_at):
    for step in range(updates, stop):
        w, m, v = adamw(w, gradient_at(w, step), m, v, step - updates + 1, rate_at(step))
    return w, m, v, stop


def on_by_step(w, m, v, updates, stop, gradient_at, rate_at):
    for step in range(updates, stop):
        w, m, v = adamw(w, gradient_at(w, step), m, v, step, rate_at(step))
    return w, m, v, stop


def on_stuck(w, m, v, updates, stop, gradient_at, rate_at):
    for step in range(updates, stop):
        w, m, v = adamw(w, gradient_at(w, step), m, v, updates + 1, rate_at(step))
    return w, m, v, stop


def on_for_more(w, m, v, updates, stop, gradient_at, rate_at):
    for _ in range(stop):
        w, m, v = adamw(w, gradient_at(w, updates), m, v, updates + 1, rate_at(updates))
        updates += 1
    return w, m, v, updates


def on_too_late(w, m, v, updates, stop, gradient_at, rate_at):
    for _ in range(stop - updates):
        updates += 1
        w, m, v = adamw(w, gradient_at(w, updates), m, v, updates, rate_at(updates))
    return w, m, v, updates


def on_to_the_end(w, m, v, updates, stop, gradient_at, rate_at):
    while updates <= stop:
        w, m, v = adamw(w, gradient_at(w, updates), m, v, updates + 1, rate_at(updates))
        updates += 1
    return w, m, v, updates


def on_forgetting_the_count(w, m, v, updates, stop, gradient_at, rate_at):
    for i in range(updates, stop):
        w, m, v = adamw(w, gradient_at(w, i), m, v, i + 1, rate_at(i))
    return w, m, v, updates


def on_with_one_rate(w, m, v, updates, stop, gradient_at, rate_at):
    rate = rate_at(updates)
    for step in range(updates, stop):
        w, m, v = adamw(w, gradient_at(w, step), m, v, step + 1, rate)
    return w, m, v, stop


def on_losing_the_means(w, m, v, updates, stop, gradient_at, rate_at):
    for step in range(updates, stop):
        w, _, _ = adamw(w, gradient_at(w, step), m, v, step + 1, rate_at(step))
    return w, m, v, stop


def on_from_one_place(weight, m, v, updates, stop, gradient_at, rate_at):
    w = weight
    for step in range(updates, stop):
        w, m, v = adamw(w, gradient_at(weight, step), m, v, step + 1, rate_at(step))
    return w, m, v, stop


def on_returning_inside(w, m, v, updates, stop, gradient_at, rate_at):
    for step in range(updates, stop):
        w, m, v = adamw(w, gradient_at(w, step), m, v, step + 1, rate_at(step))
        return w, m, v, stop


def on_counting_by(more):
    def go_on(w, m, v, updates, stop, gradient_at, rate_at):
        for step in range(updates, stop):
            w, m, v = adamw(w, gradient_at(w, step), m, v, step + 1, rate_at(step))
        return w, m, v, step + more

    return go_on


def on_in_place(w, m, v, updates, stop, gradient_at, rate_at):
    for i in range(updates, stop):
        w, m, v = adamw_in_place(w, gradient_at(w, i), m, v, i + 1, rate_at(i), 0.1)
    return w, m, v, stop


ALONE = "by its own length"
WRONG = {
    "three_pieces": [
        (lambda *a: pieces(*a, up=0), "the first step has a rate of 0"),
        (lambda s, p, w, n, c: p * min(1, s / w, (n - s) / c), "the first step has a rate of 0"),
        (lambda s, p, w, n, c: p * min(1, (s + 1) / w, (n - s - 1) / c), "the last step has a rate of 0"),
        (lambda s, p, w, n, c: p * min(1, (s + 1) / w, (n - s) / (c + 1)), "one step too long"),
        (lambda s, p, w, n, c: p if s < n - c else p * (n - s) / c, "there is no warm-up"),
        (lambda s, p, w, n, c: p if s >= w else p * (s + 1) / w, "there is no way down"),
        (pieces_as_a_share, "a share of the peak"),
        (pieces_down_at_once, "right after the warm-up"),
        (pieces_with_a_cosine, "a cosine"),
        (pieces_from_a_step, "the step at which the way down starts"),
        (pieces_rising_again, "so"),
        (lambda *a: pieces(*a, up=0, down=1), "the first step and the last have a rate of 0"),
        (lambda s, p, w, n, c: p * min(1, (s + 1) / (w + 1), (n - s) / (c + 1)), "both ways are one step too long"),
        (lambda s, p, w, n, c: p * min((n - s) / c, (s + 1) / w), "it goes over the peak"),
        (lambda s, p, w, n, c: p * (s + 1) / w if s <= w else pieces(s, p, w, n, c), "the way up ends before it"),
        (lambda s, p, w, n, c: pieces(s, p, c, n, w), "warmup and cooldown have changed places"),
        (pieces_unreturned, "nothing came back"),
        (pieces_that_change, "so"),
        (lambda s, p, w, n, c: p * min(1, (s + 1) // w, (n - s) // c), "whole numbers only"),
    ],
    "names_to_decay": [
        (lambda shapes: [n for n in shapes if len(shapes[n]) > 1], "the embeddings are among them"),
        (
            lambda shapes: [n for n in shapes if n.endswith(".weight") and "embedding" not in n],
            "the gains of the norms",
        ),
        (lambda shapes: [n for n in shapes if n.endswith("weight")], "all that is called weight is in it"),
        (
            lambda shapes: [n for n in shapes if n.endswith(".weight") and not ("norm" in n or "embedding" in n)],
            "a gain can be called weight",
        ),
        (lambda shapes: [n for n, s in shapes.items() if len(s) == 2 and "embedding" not in n], "those with more"),
        (lambda shapes: [n for n, s in shapes.items() if len(s) > 1 or "embedding" not in n], "join them with and"),
        (
            lambda shapes: [
                n for n, s in shapes.items() if len(s) > 1 and not n.startswith(("token_emb", "position_emb"))
            ],
            "every name that holds the word",
        ),
        (lambda shapes: [n for n, s in shapes.items() if len(s) > 1 and "emb" not in n and min(s) > 1], "so"),
        (lambda shapes: [n for n in shapes if "embedding" not in n], "everything but the embeddings"),
        (lambda shapes: [n for n, s in shapes.items() if len(s) == 1 or "embedding" in n or not s], "left alone"),
        (lambda shapes: [n for n, s in shapes.items() if len(s) >= 2 and "token_" not in n], "the position embedding"),
        (
            lambda shapes: [n for n in shapes if "bias" not in n and "norm" not in n and "embed" not in n],
            "it goes by names",
        ),
        (
            lambda shapes: [n for n, s in shapes.items() if len(s) == 2 and n.startswith("blocks")],
            "only the matrices of the blocks",
        ),
        (
            lambda shapes: [n for n, s in shapes.items() if len(s) > 1 and "emb" not in n and "head" not in n],
            "the head is missing",
        ),
        (lambda shapes: sorted(n for n, s in shapes.items() if len(s) > 1 and "emb" not in n), "but sorted"),
        (lambda shapes: {n for n, s in shapes.items() if len(s) > 1 and "emb" not in n}, "a set came back"),
        (lambda shapes: [n for n, s in shapes.items() if s.dim() > 1], "AttributeError"),
    ],
    "clip_together": [
        (clip_each, ALONE),
        (clip_in_place, "changed in place"),
        (lambda a, b, x: (a.clip(-x, x), b.clip(-x, x), torch.cat([a.ravel(), b]).norm()), "cut off at the limit"),
        (lambda a, b, x: clip_with(a.square().sum() + b.square().sum(), a, b, x), "the root is missing"),
        (lambda a, b, x: clip_with(a.norm() + b.norm(), a, b, x), "the two lengths were added"),
        (lambda a, b, x: clip_with(max(a.abs().max(), b.abs().max()), a, b, x), "the largest number"),
        (lambda a, b, x: clip_with(torch.cat([a.ravel(), b]).pow(2).mean() ** 0.5, a, b, x), "a mean"),
        (lambda a, b, x: (a, b, torch.cat([a.ravel(), b]).norm()), "nothing was clipped"),
        (clip_and_measure, "after the clip"),
        (
            lambda a, b, x: (lambda norm: (a * (x / norm), b * (x / norm), norm))(torch.cat([a.ravel(), b]).norm()),
            "made longer",
        ),
        (lambda a, b, x: clip_by_loops(a, b, x)[:2], "2 things came back, not 3"),
        (lambda a, b, x: clip_with(a.norm(), a, b, x), "the weight's alone"),
        (lambda a, b, x: clip_with(max(a.norm(), b.norm()), a, b, x), "that of the longer one"),
        (clip_by(lambda limit, norm: 1 / norm if norm > limit else 1.0), "a length of 1, not of limit"),
        (clip_by(lambda limit, norm: min(1.0, norm / limit)), "upside down"),
        (clip_by(lambda limit, norm: max(1.0, limit / norm)), "clamp takes max=1"),
        (clip_by(lambda limit, norm: min(1.0, limit / norm**2)), "by the squared length"),
    ],
    "accumulate_unequal": [
        (lambda w, x, y, s: parts(w, x, y, s, lambda mean, n: mean / len(s)), "a mean of means"),
        (lambda w, x, y, s: parts(w, x, y, s, lambda mean, n: mean), "added up and not weighted"),
        (lambda w, x, y, s: parts(w, x, y, s, lambda mean, n: mean * n), "not divided by B"),
        (lambda w, x, y, s: parts(w, x, y, s, None, lambda mean, n: mean / len(s)), "but the loss is a mean of means"),
        (lambda w, x, y, s: parts(w, x, y, s, None, lambda mean, n: mean), "but the loss is a plain sum"),
        (lambda w, x, y, s: parts(w, x, y, s, zero=True), "the last micro-batch's alone"),
        (
            lambda w, x, y, s: parts(w, x, y, s, lambda mean, n: mean, lambda mean, n: mean * n / len(x)),
            "but the gradient is a plain sum",
        ),
        (
            lambda w, x, y, s: parts(w, x, y, s, lambda mean, n: mean / len(s), lambda mean, n: mean * n / len(x)),
            "but the gradient is a mean of means",
        ),
        (parts_backward_of_the_sum, "again and again"),
        (parts_overwritten, "add up over all of them"),
        (parts_unflattened, "Error"),
        (lambda w, x, y, s: parts(w, x, y, s)[1], "came back"),
        (lambda w, x, y, s: (parts(w, x, y, s)[0], parts(w, x, y, s)[1].double()), "float64"),
        (lambda w, x, y, s: parts(w, x, y, s, lambda mean, n: mean * n / y.numel()), "so"),
        (
            lambda w, x, y, s: parts(w, x, y, s, None, lambda mean, n: mean * (n / len(x)) ** 2),
            "the loss was weighted twice",
        ),
        (
            lambda w, x, y, s: parts(w, x, y, s, lambda mean, n: mean * n / len(x) / len(s)),
            "divided by the number of micro-batches, too",
        ),
        (lambda w, x, y, s: parts_of_tokens(w, x, y, s, len(x)), "sums over tokens were divided by B"),
        (lambda w, x, y, s: parts_of_tokens(w, x, y, s, 1), "these are sums over all tokens"),
        (parts_but_the_last_loss, "but the loss is the last micro-batch's alone"),
        (lambda *case: parts(*case)[::-1], "a Tensor came back at place 0"),
    ],
    "adamw_step": [
        (adamw_plain, "the bias correction is missing"),
        (lambda w, g, m, v, t, r, d: adamw(w, g + d * w, m, v, t, r, 0.0), "decay went into the gradient"),
        (lambda w, g, m, v, t, r, d: adamw(w, g, m, v, t, r, d / r), "isn't multiplied by the rate"),
        (lambda w, g, m, v, t, r, d: adamw(w, g, m, v, t, r, 0), "nothing decays"),
        (adamw_root, "under the root"),
        (adamw_rootless, "the root of v is missing"),
        (adamw_of(lambda m, g: 0.9 * m + 0.1 * g, lambda v, g: 0.95 * v + 0.05 * g), "not its square"),
        (lambda *case: adamw(*case, beta1=0.95, beta2=0.9), "changed places"),
        (adamw_of(lambda m, g: 0.1 * m + 0.9 * g, lambda v, g: 0.05 * v + 0.95 * g**2), "the old means' share"),
        (adamw_of(lambda m, g: 0.9 * m + g, lambda v, g: 0.95 * v + 0.05 * g**2), "takes in the whole gradient"),
        (adamw_hats, "the corrected means were returned"),
        (adamw_in_place, "changed in place"),
        (adamw_decay_last, "after the move"),
        (adamw_uphill, "up the gradient"),
        (lambda w, g, m, v, t, r, d: adamw(w, g, m, v, t, r, d)[0], "came back"),
        (lambda w, g, m, v, t, r, d: adamw(w, g, m, v, t - 1, r, d), "the bias correction has t - 1"),
        (lambda w, g, m, v, t, r, d: adamw(w, g, m, v, t + 1, r, d), "the correction has t + 1"),
        (lambda *case: adamw(*case, beta2=0.999), "beta2 is 0.999"),
        (adamw_from(lambda m, t: m / (1 - 0.9), lambda v, t: v / (1 - 0.95)), "the exponent"),
        (adamw_from(lambda m, t: m / (1 - 0.9**t), lambda v, t: v), "m is corrected, but v isn't"),
        (adamw_from(lambda m, t: m, lambda v, t: v / (1 - 0.95**t)), "v is corrected, but m isn't"),
        (adamw_from(lambda m, t: m / (1 - 0.9**t), lambda v, t: v / (1 - 0.95**t), 0), "epsilon is missing"),
        (adamw_from_old_means, "from the old m and v"),
        (adamw_root_first, "before its correction"),
        (adamw_decay_inside, "the decay stands inside the ratio"),
        (lambda *case: (*adamw(*case)[1:], adamw(*case)[0]), "the order is weight, m, v"),
    ],
    "resume": [
        (on_with_nothing, "an empty memory"),
        (on_without_m, "m was set to zero"),
        (on_without_v, "v was set to zero"),
        (on_from_zero, "batches and rates begin again"),
        (on_with_old_batches, "the batches begin again"),
        (on_with_old_rates, "the rates begin again"),
        (on_recounting, "counts from 1 again"),
        (on_by_step, "one too low"),
        (on_stuck, "t stays what it was"),
        (on_for_more, "`stop` more updates"),
        (on_too_late, "one too late"),
        (on_to_the_end, "one update too many"),
        (on_forgetting_the_count, "the count returned is the old one"),
        (on_in_place, "changed in place"),
        (lambda *case: on_by_for(*case)[:3], "3 things came back, not 4"),
        (lambda w, m, v, u, *rest: on_by_for(w, m, v, 0, *rest), "done again"),
        (lambda w, m, v, *rest: on_by_for(w, 0 * m, 0 * v, *rest), "set to zero, though the count goes on"),
        (lambda *case: (*on_by_for(*case[:4], case[4] + 1, *case[5:])[:3], case[4]), "one update more than it counts"),
        (lambda *case: (*on_by_for(*case[:3], case[3] + 1, *case[4:])[:3], case[4]), "it leaves out a step"),
        (
            lambda w, m, v, u, stop, *rest: (*on_by_for(w, m, v, 0, stop - u, *rest)[:3], stop),
            "batches, rates and t begin again",
        ),
        (on_with_one_rate, "the rate stays what it was"),
        (on_losing_the_means, "starts from the checkpoint's m and v"),
        (on_from_one_place, "at the checkpoint's weight"),
        (on_returning_inside, "the return stands inside the loop"),
        (on_counting_by(0), "the last step's number"),
        (on_counting_by(1), "no step to count from"),
    ],
}
