import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nanogpt.attention import (
    CausalSelfAttention,
    attention_weights,
    causal_mask,
    fast_attention,
    written_out_attention,
)
from nanogpt.config import ModelConfig

SMALL = ModelConfig(n_layer=1, n_head=2, n_embd=16, context_length=12, vocab_size=32)


def qkv(T: int, S: int) -> list[torch.Tensor]:
    torch.manual_seed(T * 100 + S)
    return [torch.randn(2, 3, n, 8, requires_grad=True) for n in (T, S, S)]


def test_the_mask_is_the_lower_triangle():
    assert causal_mask(3, 3).tolist() == [[True, False, False], [True, True, False], [True, True, True]]


def test_with_a_cache_the_last_query_stands_at_the_last_key():
    assert causal_mask(2, 4).tolist() == [[True, True, True, False], [True, True, True, True]]


@pytest.mark.parametrize(("T", "S"), [(1, 1), (7, 7), (1, 9), (3, 9)])
def test_written_out_and_fast_attention_agree_in_value_and_gradient(T, S):
    outputs, gradients = [], []
    for attend in (written_out_attention, fast_attention):
        inputs = qkv(T, S)
        out = attend(*inputs)
        (out * torch.linspace(-1, 1, out.numel()).view_as(out)).sum().backward()
        outputs.append(out)
        gradients.append([x.grad for x in inputs])
    torch.testing.assert_close(outputs[0], outputs[1], atol=1e-5, rtol=1e-5)
    for written, fast in zip(*gradients, strict=True):
        torch.testing.assert_close(written, fast, atol=1e-5, rtol=1e-5)


@given(st.integers(1, 6), st.integers(0, 6))
def test_weights_are_an_average_over_the_past(T, before):
    query, key, _ = qkv(T, T + before)
    weights = attention_weights(query, key)
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, 3, T))
    assert (weights[..., ~causal_mask(T, T + before)] == 0).all()


@settings(max_examples=20)
@given(st.integers(0, 11))
def test_changing_a_token_does_not_move_what_came_before(t):
    attention = CausalSelfAttention(SMALL)
    x = torch.randn(1, 12, 16)
    changed = x.clone()
    changed[:, t] += 1
    before, after = attention(x), attention(changed)
    torch.testing.assert_close(before[:, :t], after[:, :t], atol=0, rtol=0)
    assert not torch.allclose(before[:, t], after[:, t])


def test_the_module_is_multi_head_attention_as_torch_has_it():
    attention = CausalSelfAttention(SMALL)
    reference = torch.nn.MultiheadAttention(16, 2, bias=False, batch_first=True)
    reference.in_proj_weight.data.copy_(attention.qkv.weight.data)
    reference.out_proj.weight.data.copy_(attention.proj.weight.data)
    x = torch.randn(2, 12, 16)
    expected, _ = reference(x, x, x, attn_mask=~causal_mask(12, 12), need_weights=False)
    torch.testing.assert_close(attention(x), expected, atol=1e-5, rtol=1e-5)


def test_the_weights_that_are_shown_are_the_weights_that_are_used():
    attention = CausalSelfAttention(SMALL)
    x = torch.randn(2, 12, 16)
    _, _, value = attention.split_heads(x)
    mixed = (attention.weights(x) @ value).transpose(1, 2).flatten(2)
    torch.testing.assert_close(attention.proj(mixed), attention(x), atol=1e-5, rtol=1e-5)
