"""The GPT: embeddings, a stack of blocks, a head that shares the token embedding's weights."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from nanogpt.attention import KVCache
from nanogpt.block import Block
from nanogpt.config import ModelConfig

LOGITS_AT_ONCE = 2**28  # numbers; float32 logits over 1 GiB are made and used piece by piece


class GPT(nn.Module):
    """GPT-2's architecture (Radford et al., 2019): tanh GELU, pre-norm, learned positions, tied head."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.config = config
        self.token_embedding = nn.Embedding(config.vocab_size, config.n_embd)
        self.position_embedding = nn.Embedding(config.context_length, config.n_embd)
        self.dropout = nn.Dropout(config.dropout)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.n_layer))
        self.final_norm = nn.LayerNorm(config.n_embd, bias=config.bias)
        self.lm_head = nn.Linear(config.n_embd, config.vocab_size, bias=False)
        self.lm_head.weight = self.token_embedding.weight  # tied: one matrix reads and writes tokens
        self.initialise()

    def initialise(self) -> None:
        """Draw all weights anew: N(0, 0.02), biases 0, norms 1.

        What writes to the residual stream is drawn smaller by sqrt(2L), since 2L of them add up there.
        """
        for name, module in self.named_modules():
            if isinstance(module, nn.Linear | nn.Embedding):
                writes_to_stream = name.endswith(".proj")
                std = 0.02 / math.sqrt(2 * self.config.n_layer) if writes_to_stream else 0.02
                nn.init.normal_(module.weight, std=std)
            if isinstance(module, nn.Linear) and module.bias is not None:
                nn.init.zeros_(module.bias)

    def forward(self, token_ids: Tensor, cache: KVCache | None = None) -> Tensor:
        """token_ids (B, T) int64 -> logits (B, T, V): at each position, a score for each next token.

        With a cache, token_ids are only the new tokens, and the cache grows by T.
        Raises ValueError when the tokens don't fit the context.
        """
        return self.lm_head(self.features(token_ids, cache))  # (B, T, C) -> (B, T, V)

    def features(self, token_ids: Tensor, cache: KVCache | None = None) -> Tensor:
        """token_ids (B, T) -> what the head reads, (B, T, C)."""
        x = self.embed(token_ids, cache)
        for layer, block in enumerate(self.blocks):
            x = block(x, cache, layer)  # (B, T, C)
        if cache is not None:
            cache.length += token_ids.size(1)
        return self.final_norm(x)

    def embed(self, token_ids: Tensor, cache: KVCache | None = None) -> Tensor:
        """token_ids (B, T) -> token plus position embeddings, (B, T, C)."""
        start = cache.length if cache is not None else 0
        end = start + token_ids.size(1)
        if end > self.config.context_length:
            raise ValueError(
                f"{end} tokens do not fit the model's context_length={self.config.context_length}; give fewer"
            )
        positions = torch.arange(start, end, device=token_ids.device)  # (T,)
        return self.dropout(self.token_embedding(token_ids) + self.position_embedding(positions))

    def attention_weights(self, token_ids: Tensor) -> Tensor:
        """What every head looks at while reading token_ids (B, T): (L, B, H, T, T), written out."""
        x, weights = self.embed(token_ids), []
        for block in self.blocks:
            weights.append(block.attention.weights(block.attention_norm(x)))  # (B, H, T, T)
            x = block(x)
        return torch.stack(weights)

    def parameter_count(self, positions: bool = True) -> int:
        """Count the trainable numbers, the tied head once; nanoGPT counts without the position table."""
        count = sum(p.numel() for p in self.parameters())
        return count if positions else count - self.position_embedding.weight.numel()


def next_token_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Mean cross-entropy in nats per token: logits (B, T, V) or (N, V), targets (B, T) or (N,)."""
    return F.cross_entropy(logits.flatten(0, -2).float(), targets.flatten())


class LossOf(nn.Module):
    """A model together with its loss, as one module that can be compiled and wrapped for several GPUs.

    The logits of a large batch are most of its memory (V numbers a token). Where they would be over
    1 GiB they are made a piece at a time, and made again for the gradient.
    """

    def __init__(self, model: GPT):
        super().__init__()
        self.model = model

    def forward(self, token_ids: Tensor, targets: Tensor) -> Tensor:
        """token_ids and targets (B, T) -> the mean loss, nats per token; equal to `next_token_loss`."""
        head = self.model.lm_head
        rows = max(1, LOGITS_AT_ONCE // head.out_features)
        features = self.model.features(token_ids).flatten(0, 1)  # (B * T, C)
        if len(features) <= rows:
            return next_token_loss(head(features), targets)

        def piece_loss(features: Tensor, targets: Tensor) -> Tensor:
            return F.cross_entropy(head(features).float(), targets, reduction="sum")

        pieces = zip(features.split(rows), targets.flatten().split(rows), strict=True)
        total = sum(checkpoint(piece_loss, f, t, use_reentrant=False) for f, t in pieces)
        return total / targets.numel()
