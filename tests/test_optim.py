import pytest
import torch

from nanogpt.config import ModelConfig, TrainConfig
from nanogpt.model import GPT, next_token_loss
from nanogpt.optim import (
    decay_groups,
    learning_rate_at,
    make_optimizers,
    optimizer_tensors,
    set_learning_rate,
    set_optimizer_tensors,
)

SMALL = ModelConfig(n_layer=2, n_head=2, n_embd=16, context_length=12, vocab_size=40, bias=True)


def test_the_schedule_matches_a_table_written_by_hand():
    config = TrainConfig(n_steps=111, warmup_steps=10, learning_rate=1.0, final_learning_rate=0.1)
    table = {
        0: 0.1,  # start
        4: 0.5,  # half-way up
        9: 1.0,  # end of the warm-up
        10: 1.0,  # the cosine's first
        35: 0.1 + 0.9 * 0.5 * (1 + 2**-0.5),  # an eighth of the turn
        60: 0.55,  # middle
        110: 0.1,  # the last update
        111: 0.1,  # beyond
        10_000: 0.1,
    }
    for step, rate in table.items():
        assert learning_rate_at(step, config) == pytest.approx(rate, abs=1e-12), step


def test_without_a_warm_up_the_first_rate_is_the_peak():
    config = TrainConfig(n_steps=10, warmup_steps=0, learning_rate=1.0, final_learning_rate=0.1)
    assert learning_rate_at(0, config) == 1.0
    assert learning_rate_at(9, config) == pytest.approx(0.1)


def test_a_training_that_is_all_warm_up_still_has_a_rate():
    config = TrainConfig(n_steps=5, warmup_steps=5, learning_rate=1.0, final_learning_rate=0.1)
    assert [learning_rate_at(s, config) for s in range(5)] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])


def test_matrices_decay_and_vectors_do_not():
    model = GPT(SMALL)
    matrices, vectors = decay_groups(model, 0.1)
    assert (matrices["weight_decay"], vectors["weight_decay"]) == (0.1, 0.0)
    assert {p.dim() for p in matrices["params"]} == {2}
    assert {p.dim() for p in vectors["params"]} == {1}
    assert sum(p.numel() for g in (matrices, vectors) for p in g["params"]) == model.parameter_count()


def test_adamw_makes_the_update_of_the_paper():
    config = TrainConfig(learning_rate=0.1, final_learning_rate=0.01, weight_decay=0.5)
    model = torch.nn.Linear(2, 2)
    (optimizer,) = make_optimizers(model, config)
    before = model.weight.detach().clone()
    model(torch.ones(1, 2)).sum().backward()  # every gradient is 1
    optimizer.step()
    # first step: bias-corrected m = 1 and v = 1, so the move is the rate; decay shrinks by rate x decay
    torch.testing.assert_close(model.weight.detach(), before * (1 - 0.1 * 0.5) - 0.1, atol=1e-6, rtol=1e-6)


def test_muon_takes_the_blocks_matrices_and_adamw_the_rest():
    model = GPT(SMALL)
    muon, adamw = make_optimizers(model, TrainConfig(optimizer="muon"))
    theirs = [p for group in muon.param_groups for p in group["params"]]
    rest = [p for group in adamw.param_groups for p in group["params"]]
    assert len(theirs) == 4 * SMALL.n_layer
    assert not any(p is model.token_embedding.weight for p in theirs)
    assert len({id(p) for p in theirs + rest}) == len(theirs) + len(rest) == len(list(model.parameters()))


def test_muons_update_points_everywhere_equally():
    model = GPT(SMALL)
    muon, _ = make_optimizers(model, TrainConfig(optimizer="muon", weight_decay=0.0))
    weight = model.blocks[0].attention.proj.weight
    before = weight.detach().clone()
    x = torch.randint(40, (4, 12))
    next_token_loss(model(x), x).backward()
    muon.step()
    sizes = torch.linalg.svdvals(weight.detach() - before)
    assert sizes.max() / sizes.median() < 2.0  # an orthogonal matrix would have 1; the gradient has far more
    assert torch.linalg.svdvals(weight.grad).max() / torch.linalg.svdvals(weight.grad).median() > 4.0


@pytest.mark.parametrize("kind", ["adamw", "muon"])
def test_optimisers_go_on_from_their_tensors(kind):
    config = TrainConfig(optimizer=kind)
    x = torch.randint(40, (4, 12), generator=torch.Generator().manual_seed(0))

    def update(model, optimizers):
        next_token_loss(model(x), x).backward()
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad()

    torch.manual_seed(0)
    model = GPT(SMALL)
    optimizers = make_optimizers(model, config)
    update(model, optimizers)
    memory = {k: v.clone() for k, v in optimizer_tensors(model, optimizers).items()}
    copy = GPT(SMALL)
    copy.load_state_dict(model.state_dict())
    again = make_optimizers(copy, config)
    set_optimizer_tensors(copy, again, memory)
    update(model, optimizers)
    update(copy, again)
    for a, b in zip(model.parameters(), copy.parameters(), strict=True):
        torch.testing.assert_close(a, b, atol=0, rtol=0)


def test_the_rate_is_set_everywhere():
    optimizers = make_optimizers(GPT(SMALL), TrainConfig(optimizer="muon"))
    set_learning_rate(optimizers, 0.123)
    assert {group["lr"] for o in optimizers for group in o.param_groups} == {0.123}
