"""Answers to chapter 05's items: right ones written in other ways, wrong ones with what must be said of each."""

import math

import torch
import torch.nn.functional as F
from torch import nn


def embed_by_loops(token_ids, token_table, position_table):
    rows = [[token_table[i] + position_table[t] for t, i in enumerate(row)] for row in token_ids.tolist()]
    return torch.stack([torch.stack(row) for row in rows])


def embed_by_product(token_ids, token_table, position_table):
    one_hot = F.one_hot(token_ids, len(token_table)).float()
    return one_hot @ token_table + torch.eye(len(position_table))[: token_ids.shape[1]] @ position_table


def logits_by_hand(x, norm_weight, token_table):
    centred = x - x.mean(-1, keepdim=True)
    size = torch.sqrt(centred.square().mean(-1, keepdim=True) + 1e-5)
    return torch.einsum("btc,vc->btv", centred / size * norm_weight, token_table)


def logits_by_modules(x, norm_weight, token_table):
    norm = nn.LayerNorm(x.shape[-1], bias=False)
    hidden = torch.func.functional_call(norm, {"weight": norm_weight}, x)
    return torch.stack([hidden @ row for row in token_table], dim=-1)


def count_by_walking(config, tied=True):
    C, with_bias = config.n_embd, config.bias
    linear = [(C, 3 * C), (C, C), (C, 4 * C), (4 * C, C)] * config.n_layer
    total = sum(i * o + (o if with_bias else 0) for i, o in linear)
    total += sum(C * (2 if with_bias else 1) for _ in range(2 * config.n_layer + 1))
    total += (config.vocab_size + config.context_length) * C
    return total if tied else total + config.vocab_size * C


def count_with_torch(config, tied=True):
    C, bias = config.n_embd, config.bias
    attention = nn.Linear(C, 3 * C, bias), nn.Linear(C, C, bias)
    block = [nn.LayerNorm(C, bias=bias), *attention, nn.LayerNorm(C, bias=bias), nn.Linear(C, 4 * C, bias)]
    block = sum(p.numel() for m in [*block, nn.Linear(4 * C, C, bias)] for p in m.parameters())
    tables = config.vocab_size * (1 if tied else 2) + config.context_length
    return config.n_layer * block + tables * C + C + C * bias


def width_by_halving(budget, n_layer, n_head):
    few, many = 1, 10_000
    while many - few > 1:
        middle = (few + many) // 2
        C = middle * n_head
        fits = (12 * n_layer * C + 50_304 + 512 + 2 * n_layer + 1) * C <= budget
        few, many = (middle, many) if fits else (few, middle)
    return few * n_head


def width_by_whole_numbers(budget, n_layer, n_head):
    a, b = 12 * n_layer, 50_817 + 2 * n_layer
    C = (math.isqrt(b**2 + 4 * a * budget) - b) // (2 * a)
    return C - C % n_head


@torch.no_grad()
def peeks_in_one_batch(model, token_ids, vocab_size):
    T = len(token_ids)
    many = token_ids.repeat(T, 1)
    many[range(T), range(T)] = vocab_size - 1 - token_ids + (token_ids * 2 == vocab_size - 1)
    gaps = (model(many) - model(token_ids.repeat(T, 1))).abs().sum(-1)
    return [i for i in range(T) if (gaps[i, :i] > 1e-5).any()]


def peeks_by_prefixes(model, token_ids, vocab_size):
    whole, found = model(token_ids[None])[0], []
    for i in range(len(token_ids)):
        for other in range(vocab_size):
            changed = torch.cat([token_ids[:i], torch.tensor([other]), token_ids[i + 1 :]])
            if not torch.allclose(model(changed[None])[0, :i], whole[:i], atol=1e-5) and i not in found:
                found.append(i)
    return found


def peeks_and_restores(model, token_ids, vocab_size):
    before, found = model(token_ids[None])[0], []
    for i, token in enumerate(token_ids.tolist()):
        token_ids[i] = 1 if token == 0 else 0
        if not torch.equal(model(token_ids[None])[0, :i], before[:i]):
            found.append(i)
        token_ids[i] = token
    return found


RIGHT = {
    "embed": [embed_by_loops, embed_by_product],
    "tied_logits": [logits_by_hand, logits_by_modules],
    "start_loss": [
        lambda V, C, std: math.log(V) + 0.5 * C * std**2,
        lambda V, C, std: torch.tensor(V * math.exp(std**2 * C / 2), dtype=torch.float64).log(),
        lambda V, C, std: math.log(V) + (std * math.sqrt(C)) ** 2 / 2,
    ],
    "my_count": [count_by_walking, count_with_torch],
    "my_width": [width_by_halving, width_by_whole_numbers],
    "peeked_at": [peeks_in_one_batch, peeks_by_prefixes, peeks_and_restores],
}


def logits_in_place(x, norm_weight, token_table):
    x -= x.mean(-1, keepdim=True)
    x /= (x.square().mean(-1, keepdim=True) + 1e-5).sqrt()
    return x * norm_weight @ token_table.T


def norm(x, weight, eps=1e-5, **kwargs):
    """A layer norm written as a student would, with something to get wrong."""
    mean, std = x.mean(-1, keepdim=True), x.std(-1, keepdim=True, **kwargs)
    return (x - mean) / (std + eps) * weight


def normed_at_the_end(x, weight, table):
    out = (x * weight) @ table.T
    return F.layer_norm(out, out.shape[-1:])


def count(config, attention=4, mlp=8, positions=True, norms=None, bias=None, tables=1):
    """The count in pieces, any of which can be another."""
    C, L = config.n_embd, config.n_layer
    bias = int(config.bias) if bias is None else bias
    total = tables * config.vocab_size * C + (config.context_length * C if positions else 0)
    for _ in range(L):
        total += attention * C**2 + mlp * C**2 + bias * 9 * C
    return total + (2 * L + 1 if norms is None else norms) * C * (1 + bias)


def untied(config, tied):
    return 0 if tied else config.vocab_size * config.n_embd


def L_C(config):
    return config.n_layer * config.n_embd


def search(budget, n_layer, n_head, rows=50_304 + 512, norms=True, step=None, too_much=lambda n, budget: n > budget):
    """The width by trying, in any of several ways."""
    step = step or n_head
    C = step
    while True:
        n = 12 * n_layer * C**2 + rows * C + (2 * n_layer + 1) * C * norms
        if too_much(n, budget):
            return C - step
        C += step


def peeks(model, token_ids, vocab_size, seen=lambda i: slice(0, i), other=None, which=None):
    """Change each token in turn and compare, where `seen` says."""
    before = model(token_ids[None])[0]
    found = []
    for i in which or range(len(token_ids)):
        changed = token_ids.clone()
        changed[i] = (changed[i] + 1) % vocab_size if other is None else other
        after = model(changed[None])[0]
        if ((after[seen(i)] - before[seen(i)]).abs() > 1e-5).any():
            found.append(i)
    return found


def peeks_with(model, token_ids, change, size=lambda gap: gap.abs().max(), least=1e-5):
    before, found = model(token_ids[None])[0], []
    for i in range(1, len(token_ids)):
        changed = token_ids.clone()
        changed[i] = change(changed[i])
        if size(model(changed[None])[0, :i] - before[:i]) > least:
            found.append(i)
    return found


def peeks_by_cutting(model, token_ids, vocab_size):
    whole = model(token_ids[None])
    cut = [model(token_ids[None, :i]) for i in range(1, len(token_ids))]
    return [i + 1 for i, logits in enumerate(cut) if not torch.allclose(logits, whole[:, : i + 1])]


def peeks_along_the_batch(model, token_ids, vocab_size):
    before, found = model(token_ids[None]), []
    for i in range(len(token_ids)):
        changed = token_ids.clone()
        changed[i] = (changed[i] + 1) % vocab_size
        if not torch.allclose(model(changed[None])[:i], before[:i]):
            found.append(i)
    return found


def peeks_counted(model, token_ids, vocab_size):
    before, found = model(token_ids[None])[0], []
    for i in range(len(token_ids)):
        changed = token_ids.clone()
        changed[i] = (changed[i] + 1) % vocab_size
        after = model(changed[None])[0]
        found += [i for j in range(i) if not torch.equal(after[j], before[j])]
    return found


def peeks_in_place(model, token_ids, vocab_size):
    found, before = [], model(token_ids[None])
    for i in range(len(token_ids)):
        token_ids[i] = (token_ids[i] + 1) % vocab_size
        if not torch.allclose(model(token_ids[None])[0, :i], before[0, :i], atol=1e-5):
            found.append(i)
    return found


def peeks_piled_up(model, token_ids, vocab_size):
    return peeks_in_place(model, token_ids.clone(), vocab_size)


def those_who_look(model, token_ids, vocab_size):
    before, found = model(token_ids[None])[0], set()
    for i in range(len(token_ids)):
        changed = token_ids.clone()
        changed[i] = (changed[i] + 1) % vocab_size
        after = model(changed[None])[0]
        found |= {j for j in range(i) if not torch.allclose(after[j], before[j], atol=1e-5)}
    return sorted(found)


WRONG = {
    "embed": [
        (lambda ids, tokens, positions: F.embedding(ids, tokens), "the positions are missing"),
        (lambda ids, tokens, positions: tokens[ids] + positions[1 : ids.shape[1] + 1], "counted from 1"),
        (lambda ids, tokens, positions: tokens[ids] + positions[ids], "looked up by the token's id"),
        (lambda ids, tokens, positions: tokens[ids] + positions[0], "the row of position 0"),
        (lambda ids, tokens, positions: tokens[ids] + positions[: len(ids), None], "run down the batch"),
        (lambda ids, tokens, positions: tokens[ids] * positions[: ids.shape[1]], "multiplied"),
        (
            lambda ids, tokens, positions: torch.cat(
                [tokens[ids], positions[: ids.shape[1]].repeat(len(ids), 1, 1)], dim=-1
            ),
            "the shape is (1, 3, 8), not (1, 3, 4)",
        ),
        (lambda ids, tokens, positions: tokens[ids] + positions, "the whole position table was added"),
        (lambda ids, tokens, positions: tokens[ids] + positions[: len(ids)], "T was read from the first axis"),
        (lambda ids, tokens, positions: positions[ids] + tokens[: ids.shape[1]], "the tables have changed places"),
        (lambda ids, tokens, positions: positions[: ids.shape[1]].repeat(len(ids), 1, 1), "the tokens are missing"),
        (lambda ids, tokens, positions: tokens[ids] + positions[-ids.shape[1] :], "so"),
        (lambda ids, tokens, positions: tokens[ids] * tokens.shape[1] ** 0.5 + positions[: ids.shape[1]], "so"),
        (
            lambda ids, tokens, positions: torch.tensor(tokens[ids].tolist()) + positions[: ids.shape[1]],
            "no gradient comes through",
        ),
    ],
    "tied_logits": [
        (lambda x, weight, table: torch.einsum("btc,vc->btv", x, table), "the norm is missing"),
        (lambda x, weight, table: F.layer_norm(x, x.shape[-1:]) @ table.T, "the norm's weights are missing"),
        (
            lambda x, weight, table: x / (x.square().mean(-1, keepdim=True) + 1e-5).sqrt() * weight @ table.T,
            "x was not centred",
        ),
        (lambda x, weight, table: F.layer_norm(x.mT, (x.shape[1],)).mT * weight @ table.T, "runs over the positions"),
        (lambda x, weight, table: norm(x, weight) @ table.T, "two things at once"),
        (lambda x, weight, table: norm(x, weight, correction=0) @ table.T, "epsilon stands outside the root"),
        (
            lambda x, weight, table: (
                (x - x.mean(-1, True)) / (x.var(-1, keepdim=True) + 1e-5).sqrt() * weight @ table.T
            ),
            "the variance was divided by C - 1",
        ),
        (
            lambda x, weight, table: F.layer_norm(x, x.shape[-1:], weight, eps=1e-6) @ table.T,
            "which F.layer_norm takes",
        ),
        (lambda x, weight, table: F.layer_norm(x, x.shape[-1:], weight, eps=0) @ table.T, "there is no epsilon"),
        (lambda x, weight, table: F.rms_norm(x, x.shape[-1:], weight) @ table.T, "this is RMS norm"),
        (lambda x, weight, table: F.layer_norm(x, x.shape[-1:], None, weight) @ table.T, "as if it were a bias"),
        (lambda x, weight, table: torch.log_softmax(logits_by_hand(x, weight, table), -1), "log-probabilities"),
        (
            lambda x, weight, table: F.layer_norm(x, x.shape[-1:], weight) @ table.view(table.shape[1], -1),
            "which mixes its rows",
        ),
        (lambda x, weight, table: F.layer_norm(x, x.shape[1:], weight) @ table.T, "RuntimeError"),
        (lambda x, weight, table: F.layer_norm(x * weight, x.shape[-1:]) @ table.T, "so"),
        (lambda x, weight, table: torch.softmax(logits_by_hand(x, weight, table), -1), "these are probabilities"),
        (lambda x, weight, table: logits_by_hand(x, weight, table)[:, -1], "only the last position"),
        (logits_in_place, "changed in place"),
        (normed_at_the_end, "the norm comes after the table"),
        (lambda x, weight, table: F.layer_norm(x, x.shape[-1:], weight) @ table, "doesn't fit as it stands"),
        (lambda x, weight, table: F.layer_norm(x, x.shape[-1:], weight), "the shape is"),
        (lambda x, weight, table: logits_by_hand(x, weight, table).argmax(-1), "the shape is"),
    ],
    "start_loss": [
        (lambda V, C, std: -math.log(1 / V), "this is ln V"),
        (lambda V, C, std: math.log(V) + (std * math.sqrt(C)) ** 2, "it is half of it"),
        (lambda V, C, std: math.log(V) + std * math.sqrt(C) / 2, "square sigma first"),
        (lambda V, C, std: math.log(V) + std**2 / 2, "std^2 / 2 was added"),
        (lambda V, C, std: math.log(V) + (std * C) ** 2 / 2, "std * sqrt(n_embd)"),
        (lambda V, C, std: math.log(V / math.exp(std**2 * C / 2)), "subtracted"),
        (lambda V, C, std: math.log2(V) + std**2 * C / 2, "in bits"),
        (lambda V, C, std: V * math.exp(C * std**2 / 2), "this is a perplexity"),
        (lambda V, C, std: math.log(V) + math.exp(std**2 * C / 2), "its logarithm is added"),
        (lambda V, C, std: math.log(V) + std * C / 2, "std is squared as well"),
        (lambda V, C, std: math.log(V) + std**2 * math.sqrt(C) / 2, "takes the root away"),
        (lambda V, C, std: round(math.log(V) + std**2 * C / 2, 2), "rounded to two places"),
        (lambda V, C, std: math.log(V) + 0.02**2 * C / 2, "the number is another"),
        (lambda V, C, std: math.log10(V) + std**2 * C / 2, "the number is another"),
    ],
    "my_count": [
        (lambda c, tied=True: count(c), "even with tied=False"),
        (lambda c, tied=True: count(c, tables=2), "counted again where it is tied"),
        (lambda c, tied=True: count(c, positions=False) + untied(c, tied), "the position table is missing"),
        (lambda c, tied=True: count(c, attention=3) + untied(c, tied), "the output projection makes four"),
        (lambda c, tied=True: count(c, mlp=4) + untied(c, tied), "the MLP has one matrix here"),
        (lambda c, tied=True: count(c, attention=4 * c.n_head) + untied(c, tied), "counted for each head"),
        (lambda c, tied=True: count(c, norms=2 * c.n_layer) + untied(c, tied), "the norm before the head"),
        (lambda c, tied=True: count(c, norms=c.n_layer + 1) + untied(c, tied), "a block has one norm here"),
        (lambda c, tied=True: count(c, norms=0) + untied(c, tied), "the norms are missing"),
        (lambda c, tied=True: count(c, bias=0) + untied(c, tied), "the biases are missing"),
        (lambda c, tied=True: count(c, bias=1) + untied(c, tied), "even where config.bias is False"),
        (
            lambda c, tied=True: count(c) - c.bias * (2 * c.n_layer + 1) * c.n_embd + untied(c, tied),
            "the norms' biases are missing",
        ),
        (lambda c, tied=True: count(c) + c.bias * c.vocab_size + untied(c, tied), "the head was given a bias"),
        (lambda c, tied=True: count(c, attention=3) - c.bias * L_C(c) + untied(c, tied), "its bias too"),
        (lambda c, tied=True: count(c) - c.bias * 4 * L_C(c) + untied(c, tied), "attention's biases are missing"),
        (lambda c, tied=True: count(c) - c.bias * 5 * L_C(c) + untied(c, tied), "the MLP's biases are missing"),
        (lambda c, tied=True: count(c) - c.bias * L_C(c) + untied(c, tied), "one bias of C is missing"),
        (lambda c, tied=True: count(c, norms=0, bias=0) + untied(c, tied), "only the tables and the matrices"),
        (lambda c, tied=True: count(c, norms=3 * c.n_layer) + untied(c, tied), "counted in each block"),
        (
            lambda c, tied=True: count(c) + (not c.bias) * (2 * L_C(c) + c.n_embd) + untied(c, tied),
            "the norms' biases are counted even where",
        ),
        (lambda c, tied=True: count(c) + untied(c, not tied), "the wrong way round"),
        (lambda c, tied=True: count(c) + (0 if tied else (c.n_embd + c.bias) * c.vocab_size), "the untied head"),
        (lambda c: count(c), "TypeError"),
        (lambda c, tied=True: f"{count(c) / 1e6:.2f}M", "a str came back, not a number"),
        (lambda c, tied=True: count(c, mlp=2) + untied(c, tied), "the number is another"),
    ],
    "my_width": [
        (lambda N, L, H: -(-search(N, L, 1) // H) * H, "the number is another"),
        (lambda N, L, H: search(N, L, H) + H, "the first width that no longer fits"),
        (lambda N, L, H: search(N, L, H, step=1), "no multiple of n_head"),
        (lambda N, L, H: search(N, L, H) // H, "the width of one head"),
        (lambda N, L, H: search(N, L, H, too_much=lambda n, budget: n >= budget), "was refused"),
        (lambda N, L, H: search(N, L, H, rows=50_304), "the position table is missing"),
        (lambda N, L, H: search(N, L, H, norms=False), "the norms are missing"),
        (lambda N, L, H: search(N, L, H, rows=2 * 50_304 + 512), "the vocabulary is counted twice"),
        (lambda N, L, H: search(N, L, H, rows=512), "the vocabulary is missing"),
        (lambda N, L, H: search(N, L, H, rows=50_304 + 512 - 1), "the norm before the head"),
        (lambda N, L, H: search(N, L, H, rows=50_304, norms=False), "the positions and the norms"),
        (lambda N, L, H: search(N, L, H, rows=50_257 + 512), "GPT-2's own"),
        (lambda N, L, H: int(math.sqrt(N / 12 / L) // H) * H, "only the blocks' matrices"),
        (lambda N, L, H: max(C for C in range(H, 1025, H) if search(N, L, H) >= C), "the number is another"),
        (lambda N, L, H: search(N, L, H, rows=50_304 + 1024), "the number is another"),
        (lambda N, L, H: math.ceil(math.sqrt(N / 12 / L)), "the number is another"),
    ],
    "peeked_at": [
        (lambda m, ids, V: peeks(m, ids, V, seen=lambda i: slice(0, i + 1)), "own logits were compared too"),
        (lambda m, ids, V: peeks(m, ids, V, seen=lambda i: slice(None)), "own logits were compared too"),
        (lambda m, ids, V: peeks(m, ids, V, seen=lambda i: slice(i + 1, None)), "the logits after the token"),
        (lambda m, ids, V: peeks(m, ids, V, seen=lambda i: slice(max(i - 1, 0), i)), "right before the token"),
        (lambda m, ids, V: peeks(m, ids, V, seen=lambda i: slice(0, min(i, 1))), "only the first position's"),
        (lambda m, ids, V: peeks(m, ids, V, other=0), "each token was changed to 0"),
        (lambda m, ids, V: peeks(m, ids, V, which=[len(ids) - 1]), "only the last token was changed"),
        (those_who_look, "the positions that look ahead"),
        (peeks_piled_up, "the changes pile up"),
        (peeks_in_place, "the changes pile up"),
        (lambda m, ids, V: peeks(m, ids, V, seen=lambda i: slice(i, None)), "the logits from the token on"),
        (lambda m, ids, V: peeks(m, ids, V, other=V - 1), "changed to vocab_size - 1"),
        (lambda m, ids, V: peeks_with(m, ids, lambda t: t + 1), "a changed id is one that the model doesn't know"),
        (lambda m, ids, V: peeks_with(m, ids, lambda t: t - 1), "a changed id is one that the model doesn't know"),
        (lambda m, ids, V: peeks_with(m, ids, lambda t: (t + 1) % V, lambda z: z.max()), "logits that fall go unseen"),
        (lambda m, ids, V: peeks_with(m, ids, lambda t: (t + 1) % V, lambda z: -z.min()), "logits that rise go unseen"),
        (
            lambda m, ids, V: peeks_with(m, ids, lambda t: (t + 1) % V, lambda z: z.abs().max(), 1e-2),
            "a small move was taken for none",
        ),
        (lambda m, ids, V: peeks_with(m, ids, lambda t: (t + 1) % V, lambda z: z.sum().abs()), "so"),
        (peeks_by_cutting, "change one token alone"),
        (peeks_along_the_batch, "[:i] cuts the batch here"),
        (lambda m, ids, V: [i for i in range(len(ids)) if m(ids)[:i].sum() != 0], "it wants a batch"),
        (lambda m, ids, V: peeks(m, ids, V)[:1], "the search ends at the first"),
        (peeks_counted, "list it once"),
        (lambda m, ids, V: bool(peeks(m, ids, V)), "a bool came back, not a list"),
        (lambda m, ids, V: [i + 1 for i in peeks(m, ids, V)], "another"),
        (lambda m, ids, V: m(ids)[:0], "IndexError"),
    ],
}
