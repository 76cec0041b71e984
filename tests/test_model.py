import math

import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel

import nanogpt.model
from nanogpt.attention import KVCache
from nanogpt.config import PRESETS, ModelConfig
from nanogpt.model import GPT, LossOf, next_token_loss

SMALL = ModelConfig(n_layer=2, n_head=2, n_embd=16, context_length=12, vocab_size=40, bias=True)


@pytest.fixture
def model() -> GPT:
    torch.manual_seed(0)
    return GPT(SMALL).eval()


def ids(T: int = 12) -> torch.Tensor:
    return torch.randint(40, (2, T), generator=torch.Generator().manual_seed(T))


def test_the_30m_model_has_the_notes_parameters():
    model = GPT(ModelConfig())
    assert model.parameter_count(positions=False) == 29_938_560
    assert model.parameter_count() == 30_135_168


@pytest.mark.parametrize("bias", [False, True])
def test_the_configuration_counts_what_the_model_has(bias):
    config = ModelConfig(n_layer=3, n_head=2, n_embd=10, context_length=7, vocab_size=33, bias=bias)
    assert GPT(config).parameter_count() == config.parameter_count()
    assert GPT(config).parameter_count(False) == config.parameter_count(False)


def test_forward_gives_logits_for_every_position(model):
    assert model(ids()).shape == (2, 12, 40)


def test_an_untrained_model_starts_at_ln_v(model):
    loss = next_token_loss(model(ids()), ids().roll(-1, 1))
    assert loss.item() == pytest.approx(math.log(40), abs=0.05)


def test_uniform_logits_cost_ln_v_exactly():
    loss = next_token_loss(torch.zeros(2, 5, 40), ids(5))
    assert loss.item() == pytest.approx(math.log(40), abs=1e-6)


@pytest.mark.parametrize("t", [0, 5, 11])
def test_changing_token_t_leaves_earlier_logits_alone(model, t):
    changed = ids().clone()
    changed[:, t] = (changed[:, t] + 1) % 40
    before, after = model(ids()), model(changed)
    torch.testing.assert_close(before[:, :t], after[:, :t], atol=0, rtol=0)
    assert not torch.allclose(before[:, t], after[:, t])


@pytest.mark.parametrize("chunks", [[12], [1] * 12, [5, 4, 3], [1, 10, 1]])
def test_reading_with_a_cache_equals_reading_at_once(model, chunks):
    cache = KVCache(SMALL, 2, torch.device("cpu"), torch.float32)
    pieces = [model(piece, cache) for piece in ids().split(chunks, dim=1)]
    torch.testing.assert_close(torch.cat(pieces, dim=1), model(ids()), atol=1e-5, rtol=1e-5)
    assert cache.length == 12


def test_more_tokens_than_the_context_are_refused(model):
    with pytest.raises(ValueError, match="13 tokens do not fit the model's context_length=12"):
        model(ids(13))
    cache = KVCache(SMALL, 2, torch.device("cpu"), torch.float32)
    model(ids(12), cache)
    with pytest.raises(ValueError, match="13 tokens do not fit"):
        model(ids(1), cache)


def test_the_head_is_the_token_embedding(model):
    assert model.lm_head.weight is model.token_embedding.weight


def test_what_writes_to_the_residual_stream_starts_smaller():
    model = GPT(PRESETS["laptop"].model)
    layers = model.config.n_layer
    for block in model.blocks:
        for linear in (block.attention.proj, block.mlp.proj):
            assert linear.weight.std().item() == pytest.approx(0.02 / math.sqrt(2 * layers), rel=0.05)
        for linear in (block.attention.qkv, block.mlp.up):
            assert linear.weight.std().item() == pytest.approx(0.02, rel=0.05)


@pytest.mark.parametrize(("layers", "heads", "width"), [(2, 2, 16), (1, 4, 32), (3, 1, 8)])
def test_with_the_same_weights_it_is_gpt2_as_transformers_has_it(layers, heads, width):
    torch.manual_seed(1)
    theirs = GPT2LMHeadModel(
        GPT2Config(n_layer=layers, n_head=heads, n_embd=width, n_positions=12, vocab_size=40)
    ).eval()
    ours = GPT(ModelConfig(layers, heads, width, context_length=12, vocab_size=40, bias=True)).eval()
    copy_gpt2(theirs, ours)
    torch.testing.assert_close(ours(ids()), theirs(ids()).logits, atol=1e-5, rtol=1e-5)


def copy_gpt2(theirs: GPT2LMHeadModel, ours: GPT) -> None:
    body = theirs.transformer
    pairs = [
        (ours.token_embedding, body.wte),
        (ours.position_embedding, body.wpe),
        (ours.final_norm, body.ln_f),
    ]
    for mine, other in zip(ours.blocks, body.h, strict=True):
        pairs += [(mine.attention_norm, other.ln_1), (mine.mlp_norm, other.ln_2)]
        pairs += [(mine.attention.qkv, other.attn.c_attn), (mine.attention.proj, other.attn.c_proj)]
        pairs += [(mine.mlp.up, other.mlp.c_fc), (mine.mlp.proj, other.mlp.c_proj)]
    for mine, other in pairs:
        transposed = isinstance(mine, torch.nn.Linear)
        mine.weight.data.copy_(other.weight.data.T if transposed else other.weight.data)
        if getattr(mine, "bias", None) is not None:
            mine.bias.data.copy_(other.bias.data)


def test_a_loss_made_piece_by_piece_is_the_same_loss(model, monkeypatch):
    x, y = ids(), ids().roll(-1, 1)
    whole = LossOf(model)(x, y)
    whole.backward()
    gradients = [p.grad.clone() for p in model.parameters()]
    model.zero_grad()
    monkeypatch.setattr(nanogpt.model, "LOGITS_AT_ONCE", 40 * 7)  # 7 of the 24 rows at a time
    pieces = LossOf(model)(x, y)
    pieces.backward()
    torch.testing.assert_close(pieces, whole, atol=1e-6, rtol=1e-6)
    for parameter, gradient in zip(model.parameters(), gradients, strict=True):
        torch.testing.assert_close(parameter.grad, gradient, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(whole, next_token_loss(model(x), y))


def test_one_batch_can_be_learnt_by_heart(model):
    x = ids()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for _ in range(150):
        loss = next_token_loss(model(x[:, :-1]), x[:, 1:])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.05


def test_attention_weights_come_from_every_layer_and_head(model):
    weights = model.attention_weights(ids())
    assert weights.shape == (2, 2, 2, 12, 12)
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, 2, 2, 12))


def test_dropout_works_in_training_alone():
    model = GPT(ModelConfig(n_layer=1, n_head=1, n_embd=8, context_length=12, vocab_size=40, dropout=0.5))
    assert not torch.equal(model(ids()), model(ids()))
    model.eval()
    torch.testing.assert_close(model(ids()), model(ids()), atol=0, rtol=0)
