"""Answers to chapter 02's items: right ones written in other ways, wrong ones with what must be said of each."""

import math

import torch


def logs_by_logsumexp(logits):
    return logits - torch.logsumexp(logits, dim=-1, keepdim=True)


def logs_row_by_row(logits):
    rows = []
    for row in logits.reshape(-1, logits.shape[-1]):
        row = row - row.max()
        rows.append(row - torch.log(torch.sum(torch.exp(row))))
    return torch.stack(rows).reshape(logits.shape)


def logs_with_max(logits):
    biggest = torch.max(logits, dim=-1, keepdim=True).values.detach()
    return (logits - biggest) - torch.einsum("...v->...", torch.exp(logits - biggest)).log().unsqueeze(-1)


def logs_by_detached_maximum(logits):
    shifted = logits - logits.max(dim=-1, keepdim=True)[0].detach()
    return shifted - shifted.exp().sum(dim=logits.dim() - 1).log()[..., None]


def loss_by_gather(logits, targets):
    return logs_by_logsumexp(logits).gather(1, targets.unsqueeze(1)).mean().neg()


def loss_by_onehot(logits, targets):
    onehot = torch.nn.functional.one_hot(targets, logits.shape[1]).to(logits.dtype)
    return -(onehot * logs_row_by_row(logits)).sum() / len(targets)


def loss_by_loop(logits, targets):
    nll = [torch.logsumexp(row, 0) - row[target] for row, target in zip(logits, targets, strict=True)]
    return sum(nll) / len(nll)


def loss_by_diagonal(logits, targets):
    return -logs_with_max(logits)[:, targets].trace() / targets.numel()


def perplexity_by_sums(losses, sizes):
    nats = n = 0.0
    for loss, size in zip(losses.tolist(), sizes.tolist(), strict=True):
        nats += loss * size
        n += size
    return math.exp(nats / n)


def perplexity_by_shares(losses, sizes):
    return torch.exp(losses @ (sizes / sizes.sum()))


def perplexity_by_product(losses, sizes):
    factors = [math.exp(loss) ** size for loss, size in zip(losses.tolist(), sizes.tolist(), strict=True)]
    return math.prod(factors) ** (1 / int(sizes.sum()))


def bits_by_log2(nats, text):
    return nats * math.log2(math.e) / len(bytes(text, "utf-8"))


def bits_by_counting(nats, text):
    n_bytes = sum(1 + (ord(c) > 0x7F) + (ord(c) > 0x7FF) + (ord(c) > 0xFFFF) for c in text)
    return nats / math.log(2) / n_bytes


def score_by_steps(logits, targets, text):
    loss = float(loss_by_gather(logits, targets))
    result = {}
    result["bits_per_byte"] = loss * targets.shape[0] / (math.log(2) * len(text.encode("utf-8")))
    result["token_perplexity"] = math.e**loss
    result["loss"] = loss
    return result


def score_by_tensors(logits, targets, text):
    nll = torch.stack([torch.logsumexp(row, 0) - row[y] for row, y in zip(logits, targets, strict=True)])
    bits = nll.sum() / math.log(2) / len(text.encode())
    return {"loss": nll.mean(), "token_perplexity": nll.mean().exp(), "bits_per_byte": bits}


def may_compare_by_cases(first, second):
    if first["measure"] != second["measure"]:
        return False
    if first["text"] != second["text"] or first["context_bytes"] != second["context_bytes"]:
        return False
    if first["measure"] == "token_perplexity":
        return first["tokens"] == second["tokens"]
    return True


def may_compare_by_differences(first, second):
    differing = {key for key in first if first[key] != second[key]}
    return not differing or (differing == {"tokens"} and first["measure"] != "token_perplexity")


RIGHT = {
    "log_softmax": [logs_by_logsumexp, logs_row_by_row, logs_with_max, logs_by_detached_maximum],
    "cross_entropy": [loss_by_gather, loss_by_onehot, loss_by_loop, loss_by_diagonal],
    "token_perplexity": [perplexity_by_sums, perplexity_by_shares, perplexity_by_product],
    "bits_per_byte": [bits_by_log2, bits_by_counting],
    "score": [score_by_steps, score_by_tensors],
    "may_compare": [may_compare_by_cases, may_compare_by_differences],
}


def logs_naive(logits):
    powers = torch.exp(logits)
    return torch.log(powers / powers.sum(-1, keepdim=True))


def logs_unshifted(logits):
    return logits - torch.log(torch.sum(torch.exp(logits), -1, keepdim=True))


def logs_of_quotient(logits):
    powers = torch.exp(logits - logits.amax(-1, keepdim=True))
    return torch.log(powers / powers.sum(-1, keepdim=True))


def probabilities(logits):
    powers = torch.exp(logits - logits.amax(-1, keepdim=True))
    return powers / powers.sum(-1, keepdim=True)


def logs_down_the_columns(logits):
    shifted = logits - logits.max(0, keepdim=True).values
    return shifted - shifted.exp().sum(0, keepdim=True).log()


def logs_of_matrices(logits):
    shifted = logits - logits.amax(1, keepdim=True)
    return shifted - shifted.exp().sum(1, keepdim=True).log()


def logs_without_keepdim(logits):
    shifted = logits - torch.amax(logits, -1)
    return shifted - torch.log(torch.sum(torch.exp(shifted), -1))


def logs_with_one_maximum(logits):
    z = logits - logits.max()
    return z - z.exp().sum(-1, keepdim=True).log()


def logs_in_place(logits):
    logits -= logits.amax(-1, keepdim=True)
    return logits - logits.exp().sum(-1, keepdim=True).log()


def logs_added(logits):
    shifted = logits - logits.amax(-1, keepdim=True)
    return shifted + shifted.exp().sum(-1, keepdim=True).log()


def logs_in_bits(logits):
    return torch.log2(probabilities(logits).clamp(min=1e-40))


def logs_with_little_added(logits):
    return torch.log(probabilities(logits) + 1e-9)


def logs_losing_one_axis(logits, of_the_maximum):
    shifted = logits - logits.amax(-1, keepdim=not of_the_maximum)
    return shifted - shifted.exp().sum(-1, keepdim=of_the_maximum).log()


def logs_of_one_quotient(logits):
    powers = torch.exp(logits - logits.max())
    return torch.log(powers / powers.sum(-1, keepdim=True))


def logs_of_one_sum(logits):
    shifted = logits - logits.amax(-1, keepdim=True)
    return shifted - torch.log(torch.sum(torch.exp(shifted)))


def logs_of_all_together(logits):
    return logits - logits.logsumexp(tuple(range(logits.dim())))


def logs_shifted_within(logits):
    biggest = logits.amax(-1, keepdim=True)
    return logits - torch.log(torch.exp(logits - biggest).sum(-1, keepdim=True))


def logs_shifted_twice(logits):
    return logits - logits.amax(-1, keepdim=True) - logits.logsumexp(-1, keepdim=True)


def logs_without_log(logits):
    shifted = logits - logits.amax(-1, keepdim=True)
    return shifted - shifted.exp().sum(-1, keepdim=True)


def logs_of_two_axes(logits):
    return torch.stack([row - row.flatten().logsumexp(0) for row in logits])


def logs_by_absolute_size(logits):
    shifted = logits - logits.abs().amax(-1, keepdim=True)
    return shifted - shifted.exp().sum(-1, keepdim=True).log()


def shifted_only(logits):
    return logits - logits.max(dim=-1, keepdim=True).values


def chosen(logits, targets):
    """ln p of each target, as a student would write it."""
    return logs_by_logsumexp(logits)[torch.arange(len(targets)), targets]


def loss_over_all_cells(logits, targets):
    onehot = torch.nn.functional.one_hot(targets, logits.shape[1])
    return -(onehot * logs_by_logsumexp(logits)).mean()


def loss_of_probabilities(logits, targets):
    return -probabilities(logits)[torch.arange(len(targets)), targets].mean()


def loss_of_mean_probability(logits, targets):
    return -torch.log(probabilities(logits)[torch.arange(len(targets)), targets].mean())


def loss_of_columns(logits, targets):
    return -torch.log_softmax(logits, 0)[torch.arange(len(targets)), targets].mean()


def loss_shifted(logits, targets):
    return loss_by_gather(logits[:-1], targets[1:])


def loss_of_rows(logits, targets):
    return -logs_by_logsumexp(logits)[targets].mean()


def batches_cut_short(losses, sizes):
    nats, n = (losses * sizes)[:-1].sum(), sizes[:-1].sum()
    return math.exp(nats / n)


def batches_returned_early(losses, sizes):
    nats = n = 0
    for loss, size in zip(losses, sizes, strict=True):
        nats += loss * size
        n += size
        return math.exp(nats / n)


def batches_running(losses, sizes):
    mean = losses[0]
    for loss in losses[1:]:
        mean = (mean + loss) / 2
    return mean.exp()


def batches_full(losses, sizes):
    full = sizes == sizes.max()
    return math.exp((losses * sizes)[full].sum() / sizes[full].sum())


def batches_but_the_last(losses, sizes):
    keep = max(1, len(losses) - 1)
    return perplexity_by_sums(losses[:keep], sizes[:keep])


def scored(logits, targets, text, loss=None, perplexity=None, bits=None):
    """The three figures of a student, any of which can be another."""
    nll = -chosen(logits, targets)
    return {
        "loss": (loss or torch.mean)(nll).item(),
        "token_perplexity": float(perplexity(nll) if perplexity else nll.mean().exp()),
        "bits_per_byte": float(bits(nll) if bits else nll.sum() / math.log(2) / len(text.encode())),
    }


def score_overflowing(logits, targets, text, logs=logs_naive):
    loss = -logs(logits)[torch.arange(len(targets)), targets].mean()
    bits = loss * len(targets) / math.log(2) / len(text.encode())
    return {"loss": loss.item(), "token_perplexity": loss.exp().item(), "bits_per_byte": bits.item()}


def without_parentheses(a, b):
    same = a["text"] == b["text"] and a["context_bytes"] == b["context_bytes"] and a["measure"] == b["measure"]
    return same and a["measure"] != "token_perplexity" or a["tokens"] == b["tokens"]  # noqa: RUF021


def by_identity(a, b):
    same = all(a[key] is b[key] for key in ("measure", "text", "context_bytes"))
    return same and (a["measure"] != "token_perplexity" or a["tokens"] is b["tokens"])


def context_of_tokens(a, b):
    if a["measure"] != b["measure"] or a["text"] != b["text"]:
        return False
    return a["measure"] != "token_perplexity" or (a["tokens"], a["context_bytes"]) == (b["tokens"], b["context_bytes"])


def known_values(a, b):
    return may_compare_by_cases(a, b) and (a["measure"] != "token_perplexity" or a["tokens"] == "GPT-2")


LN2 = math.log(2)
WRONG = {
    "log_softmax": [
        (logs_naive, "too large for a computer: take the largest"),
        (logs_unshifted, "also within the sum"),
        (logs_of_quotient, "a small probability has become 0"),
        (probabilities, "the probabilities came back"),
        (lambda z: -logs_by_logsumexp(z), "the sign has changed"),
        (logs_down_the_columns, "another axis than the vocabulary"),
        (logs_of_matrices, "axis 1 is the vocabulary only"),
        (logs_without_keepdim, "keepdim=True"),
        (logs_with_one_maximum, "the largest of all logits"),
        (shifted_only, "only the largest was taken away"),
        (logs_added, "the logarithm of the sum was added"),
        (lambda z: logs_by_logsumexp(z) * math.log2(math.e), "to the base 2"),
        (logs_in_place, "changed in place"),
        (logs_with_little_added, "something small was added"),
        (lambda z: logs_losing_one_axis(z, True), "the maximum lost its axis"),
        (lambda z: logs_losing_one_axis(z, False), "the sum lost its axis"),
        (logs_of_one_quotient, "0 / 0 no number"),
        (logs_of_one_sum, "the sum runs over all rows"),
        (logs_of_all_together, "the maximum and the sum run over all rows"),
        (logs_shifted_within, "within the sum the largest"),
        (logs_shifted_twice, "taken away twice"),
        (logs_without_log, "not its logarithm"),
        (logs_of_two_axes, "right with two axes only"),
        (logs_by_absolute_size, "no numbers (nan or inf)"),
        (lambda z: logs_by_logsumexp(z.double()), "float64"),
        (lambda z: torch.tensor(logs_by_logsumexp(z).tolist()), "no gradient comes through"),
    ],
    "cross_entropy": [
        (lambda z, y: chosen(z, y).mean(), "the sign is missing"),
        (lambda z, y: -chosen(z, y).sum(), "the surprises were added up"),
        (lambda z, y: -chosen(z, y), "the shape is (4,), not ()"),
        (lambda z, y: -logs_by_logsumexp(z)[:, y].mean(), "each row was read at all targets"),
        (loss_over_all_cells, "divided by N times V"),
        (lambda z, y: -logs_by_logsumexp(z).max(1).values.mean(), "the likeliest token"),
        (loss_of_mean_probability, "averaged before the logarithm"),
        (loss_of_probabilities, "the logarithm is missing"),
        (lambda z, y: -z[torch.arange(len(y)), y].mean(), "the logits are not ln p yet"),
        (loss_of_columns, "the softmax runs over the tokens"),
        (lambda z, y: -chosen(z, y).mean() / LN2, "this is in bits"),
        (lambda z, y: torch.exp(-chosen(z, y).mean()), "this is the perplexity"),
        (lambda z, y: (-chosen(z, y).mean()).item(), "a float came back, not a tensor"),
        (lambda z, y: -chosen(z, y).mean().detach(), "no gradient comes through"),
        (loss_shifted, "moved by a place"),
        (lambda z, y: -logs_naive(z)[torch.arange(len(y)), y].mean(), "too large for a computer: take ln p"),
        (lambda z, y: -logs_unshifted(z)[torch.arange(len(y)), y].mean(), "also within a sum"),
        (loss_of_rows, "the targets picked rows"),
        (lambda z, y: -logs_by_logsumexp(z).mean(), "over the whole table"),
        (lambda z, y: -chosen(z, y).sum() / z.shape[1], "divided by V"),
        (lambda z, y: -chosen(probabilities(z), y).mean(), "a softmax before log_softmax"),
    ],
    "token_perplexity": [
        (lambda losses, sizes: math.exp(sum(losses) / len(losses)), "the batches' means were averaged"),
        (lambda losses, sizes: sum(math.exp(loss) for loss in losses) / len(losses), "perplexities were averaged: "),
        (lambda losses, sizes: torch.exp(losses) @ (sizes / sizes.sum()), "if by their tokens"),
        (batches_running, "so"),
        (batches_full, "so"),
        (batches_but_the_last, "the last batch was left out"),
        (lambda losses, sizes: (losses @ sizes.float() / sizes.sum()).item(), "the exponential is missing"),
        (lambda losses, sizes: 2 ** math.log(perplexity_by_sums(losses, sizes)), "for nats it is e"),
        (lambda losses, sizes: math.exp((losses * sizes).sum() / len(sizes)), "divided by the number of batches"),
        (lambda losses, sizes: math.exp(sum(losses * sizes)), "not to their sum"),
        (lambda losses, sizes: math.exp(sum(losses) / sum(sizes)), "added as if they were sums"),
        (lambda losses, sizes: math.exp(-(losses @ sizes.float()) / sizes.sum()), "surprises are already -ln p"),
        (lambda losses, sizes: math.exp(losses @ sizes / sizes.sum()), "RuntimeError"),
        (lambda losses, sizes: losses.exp(), "not a number"),
        (batches_cut_short, "where there is one only"),
        (batches_returned_early, "a return within the loop"),
        (lambda losses, sizes: math.exp(sum(losses)), "the means were added up"),
        (lambda losses, sizes: math.exp((losses / sizes).sum()), "divided by the sizes"),
        (lambda losses, sizes: round(perplexity_by_sums(losses, sizes), 2), "it was rounded"),
    ],
    "bits_per_byte": [
        (lambda nats, text: nats / (len(text) * LN2), "divided by characters"),
        (lambda nats, text: nats / len(text.encode()), "nats per byte"),
        (lambda nats, text: nats * LN2 / len(text.encode()), "multiplied by ln 2"),
        (lambda nats, text: nats / LN2 / len(text.split()), "divided by words"),
        (lambda nats, text: nats / LN2, "the bits of the whole text"),
        (lambda nats, text: math.exp(nats / len(text.encode())), "2 was raised to the bits"),
        (lambda nats, text: nats / LN2 / len(text.strip().encode()), "white space at the ends"),
        (lambda nats, text: nats / LN2 / (8 * len(text.encode())), "this is an eighth of it"),
        (lambda nats, text: nats / math.log(256) / len(text.encode()), "by ln 256 for ln 2"),
        (lambda nats, text: len(text.encode()) * LN2 / nats, "upside down"),
        (lambda nats, text: nats / len(text.encode("ascii")) / LN2, "UnicodeEncodeError"),
        (lambda nats, text: math.log2(nats) / len(text.encode()), "the logarithm of the nats"),
        (lambda nats, text: nats / LN2 * len(text.encode()), "multiplied by the bytes"),
        (lambda nats, text: nats / (0.693 * len(text.encode())), "rounded to 0.693"),
        (lambda nats, text: round(nats / LN2 / len(text.encode()), 2), "it was rounded"),
    ],
    "score": [
        (lambda z, y, s: scored(z, y, s, bits=lambda nll: nll.sum() / LN2 / len(s)), "divided by characters"),
        (lambda z, y, s: scored(z, y, s, bits=lambda nll: nll.mean() / LN2 / len(s.encode())), "mean surprise"),
        (lambda z, y, s: scored(z, y, s, bits=lambda nll: nll.sum() / len(s.encode())), "is in nats"),
        (lambda z, y, s: scored(z, y, s, bits=lambda nll: nll.mean() / LN2), "bits per token"),
        (lambda z, y, s: scored(z, y, s, torch.sum, lambda nll: nll.sum().exp()), "the loss is a sum"),
        (lambda z, y, s: scored(z, y, s, lambda nll: nll.mean() / LN2), "the loss is in bits"),
        (lambda z, y, s: scored(z, y, s, perplexity=lambda nll: 2 ** nll.mean()), "2 to the loss"),
        (lambda z, y, s: scored(z, y, s, perplexity=lambda nll: nll.exp().mean()), "the exponential comes last"),
        (
            lambda z, y, s: scored(z, y, s, perplexity=lambda nll: torch.exp(nll.sum() / len(s.encode()))),
            "surprise per byte",
        ),
        (lambda z, y, s: tuple(scored(z, y, s).values()), "a tuple came back, not a dict"),
        (lambda z, y, s: {"perplexity" if "p" in k[:7] else k: v for k, v in scored(z, y, s).items()}, "the keys"),
        (score_overflowing, "too large for a computer: score with"),
        (lambda z, y, s: score_overflowing(z, y, s, logs_unshifted), "also within a sum"),
        (
            lambda z, y, s: scored(z, y, s, bits=lambda nll: nll.mean() * len(s) / LN2 / len(s.encode())),
            "multiplied by the length of the text",
        ),
        (lambda z, y, s: scored(z, y, s, bits=lambda nll: nll.sum() * LN2 / len(s.encode())), "multiplied by ln 2"),
        (lambda z, y, s: scored(z, y, s, bits=lambda nll: nll.sum() / LN2), "the bits of the whole text"),
        (
            lambda z, y, s: scored(z, y, s, bits=lambda nll: nll.mean().exp() / LN2 / len(s.encode())),
            "made of the perplexity",
        ),
        (lambda z, y, s: scored(z, y, s, perplexity=torch.mean), "the exponential is missing"),
        (lambda z, y, s: scored(z, y, s, perplexity=lambda nll: nll.sum().exp()), "the surprise of the whole text"),
        (lambda z, y, s: scored(z, y, s, torch.sum), "only the loss is wrong"),
        (lambda z, y, s: {k: round(v, 2) for k, v in scored(z, y, s).items()}, "the numbers were rounded"),
        (lambda z, y, s: scored(z, y, s, bits=lambda nll: nll.sum() / LN2 / len(set(s))), "so"),
    ],
    "may_compare": [
        (lambda a, b: a["measure"] == b["measure"], "only the measure was compared"),
        (lambda a, b: a == b, "bits per byte were held to need the same tokens"),
        (
            lambda a, b: all(a[key] == b[key] for key in a if key != "tokens"),
            "token perplexities in different tokens were let through",
        ),
        (
            lambda a, b: may_compare_by_cases(a, b | {"text": a["text"]}),
            "the text was not looked at",
        ),
        (
            lambda a, b: may_compare_by_cases(a, b | {"context_bytes": a["context_bytes"]}),
            "the context was not looked at",
        ),
        (
            lambda a, b: (
                (a["measure"], a["text"], a["context_bytes"]) == (b["measure"], b["text"], b["context_bytes"])
                and ("perplexity" not in a["measure"] or a["tokens"] == b["tokens"])
            ),
            "word perplexities were held to need the same tokens",
        ),
        (lambda a, b: (a["measure"], a["text"]) == (b["measure"], b["text"]), "only text and measure"),
        (lambda a, b: a["text"] == b["text"], "so"),
        (lambda a, b: [may_compare_by_cases(a, b)], "so"),
        (lambda a, b: a.measure == b.measure, "AttributeError"),
        (lambda a, b: not may_compare_by_differences(a, b), "True where it should be False"),
        (by_identity, "it is never True"),
        (lambda a, b: a["measure"] == a["measure"], "it is always True"),
        (without_parentheses, "`and` goes before `or`"),
        (context_of_tokens, "for token perplexities only"),
        (lambda a, b: may_compare_by_cases(a, {**b, "measure": a["measure"]}), "the second measure"),
        (known_values, "so"),
        (lambda a, b: may_compare_by_cases(a, b) and a["context_bytes"] == 512, "so"),
    ],
}
