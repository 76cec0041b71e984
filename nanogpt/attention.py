"""Attention twice: written out, so that the weights can be seen, and fast, so that models can be trained.

Shapes: B sequences, T new tokens, S tokens they may look at (S >= T with a cache), H heads, D wide each.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nanogpt.config import ModelConfig


def causal_mask(n_queries: int, n_keys: int, device: torch.device | None = None) -> Tensor:
    """Who may look at whom: (T, S) bool, True where query i may see key j.

    The last query stands at the last key, so query i is at position S - T + i and sees the keys up to
    there. Without a cache T = S and this is the lower triangle.
    """
    query_position = torch.arange(n_keys - n_queries, n_keys, device=device)[:, None]  # (T, 1)
    key_position = torch.arange(n_keys, device=device)[None, :]  # (1, S)
    return key_position <= query_position  # (T, S)


def attention_weights(query: Tensor, key: Tensor) -> Tensor:
    """How much each query looks at each key: softmax(Q K^T / sqrt(D)) over the past.

    query (B, H, T, D), key (B, H, S, D) -> (B, H, T, S); each row sums to 1 (Vaswani et al., 2017).
    """
    scores = query @ key.transpose(-2, -1) / math.sqrt(query.size(-1))  # (B, H, T, S)
    visible = causal_mask(query.size(-2), key.size(-2), query.device)  # (T, S)
    return scores.masked_fill(~visible, float("-inf")).softmax(dim=-1)  # (B, H, T, S)


def written_out_attention(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Average the values by the attention weights: (B, H, T, D)."""
    return attention_weights(query, key) @ value  # (B, H, T, S) @ (B, H, S, D)


def fast_attention(query: Tensor, key: Tensor, value: Tensor, dropout: float = 0.0) -> Tensor:
    """The same numbers as `written_out_attention`, by torch's fused kernel: (B, H, T, D).

    The kernel's own causal mask puts query 0 at key 0, which is right only without a cache; with one,
    the mask is built here. On a CPU the kernel is faster in float32 than in 16 bits.
    """
    T, S = query.size(-2), key.size(-2)
    mask = None if T in (1, S) else causal_mask(T, S, query.device)  # the newest token sees everything
    if query.device.type != "cpu" or query.dtype.itemsize > 2:
        return F.scaled_dot_product_attention(query, key, value, mask, dropout, is_causal=T == S)
    with torch.autocast("cpu", enabled=False):
        wide = (x.float() for x in (query, key, value))
        return F.scaled_dot_product_attention(*wide, mask, dropout, is_causal=T == S).to(query.dtype)


class KVCache:
    """Keys and values of the tokens read so far, for all layers. It belongs to whoever generates.

    Pass it to each `forward` with only the new tokens; the model appends to it and moves `length` on.
    """

    def __init__(self, config: ModelConfig, batch_size: int, device: torch.device, dtype: torch.dtype):
        shape = (config.n_layer, batch_size, config.n_head, config.context_length, config.head_dim)
        self.keys = torch.empty(shape, device=device, dtype=dtype)  # (L, B, H, T, D)
        self.values = torch.empty(shape, device=device, dtype=dtype)  # (L, B, H, T, D)
        self.length = 0

    def append(self, layer: int, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Store a layer's new keys and values (B, H, T, D); return all of them, (B, H, S, D)."""
        end = self.length + key.size(2)
        self.keys[layer, :, :, self.length : end] = key
        self.values[layer, :, :, self.length : end] = value
        return self.keys[layer, :, :, :end], self.values[layer, :, :, :end]


class CausalSelfAttention(nn.Module):
    """Multi-head attention in which a token sees itself and the past."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.n_head, self.head_dim, self.dropout = config.n_head, config.head_dim, config.dropout
        self.qkv = nn.Linear(config.n_embd, 3 * config.n_embd, bias=config.bias)
        self.proj = nn.Linear(config.n_embd, config.n_embd, bias=config.bias)
        self.proj_dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor, cache: KVCache | None = None, layer: int = 0) -> Tensor:
        """x (B, T, C) -> (B, T, C). With a cache, x is only the new tokens."""
        query, key, value = self.split_heads(x)  # each (B, H, T, D)
        if cache is not None:
            key, value = cache.append(layer, key, value)  # (B, H, S, D)
        mixed = fast_attention(query, key, value, self.dropout if self.training else 0.0)  # (B, H, T, D)
        merged = mixed.transpose(1, 2).flatten(2)  # (B, T, H, D) -> (B, T, C)
        return self.proj_dropout(self.proj(merged))

    def split_heads(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values of x (B, T, C), each (B, H, T, D)."""
        B, T, _ = x.shape
        qkv = self.qkv(x).view(B, T, 3, self.n_head, self.head_dim)  # (B, T, 3C) -> (B, T, 3, H, D)
        query, key, value = qkv.permute(2, 0, 3, 1, 4)  # (3, B, H, T, D)
        return query, key, value

    def weights(self, x: Tensor) -> Tensor:
        """What this layer looks at, (B, H, T, T), written out; for looking, not for training."""
        query, key, _ = self.split_heads(x)
        return attention_weights(query, key)
