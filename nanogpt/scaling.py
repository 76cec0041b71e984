"""What training costs in floating-point operations, and what loss published scaling laws forecast.

A forecast is not a measurement: the laws were fitted to other texts with another tokenizer, and a loss in nats
per token depends on both. Say so wherever one is shown.
"""

from typing import NamedTuple

from nanogpt.config import ModelConfig


class Law(NamedTuple):
    """L = floor + a / N^alpha + b / D^beta, in nats per token, of N parameters trained on D tokens."""

    floor: float
    a: float
    alpha: float
    b: float
    beta: float


CHINCHILLA = Law(1.69, 406.4, 0.34, 410.7, 0.28)
"""Hoffmann et al., 2022 (arXiv 2203.15556), their third approach."""
CHINCHILLA_REFIT = Law(1.8172, 482.01, 0.3478, 2085.43, 0.3658)
"""The same data fitted anew by Besiroglu et al., 2024 (arXiv 2404.10102)."""
LAWS = {"Chinchilla": CHINCHILLA, "its re-fit": CHINCHILLA_REFIT}


def forecast_loss(law: Law, parameters: int, tokens: int) -> float:
    """The loss in nats per token that `law` expects after one pass over `tokens`. ValueError below 1."""
    if parameters < 1 or tokens < 1:
        raise ValueError(
            f"a forecast needs a model and some training, got {parameters} parameters and {tokens} tokens; "
            "give 1 or more of each"
        )
    return law.floor + law.a / parameters**law.alpha + law.b / tokens**law.beta


def flops_per_token(config: ModelConfig) -> int:
    """Floating-point operations of training on one token, forward and backward: 6 N + 12 L C T.

    N leaves out the position table, which multiplies nothing; the second term is attention (Chowdhery et
    al., 2022, arXiv 2204.02311, appendix B).
    """
    attention = 12 * config.n_layer * config.n_embd * config.context_length
    return 6 * config.parameter_count(positions=False) + attention


def training_flops(config: ModelConfig, tokens: int) -> int:
    """Floating-point operations of training on `tokens` tokens."""
    return flops_per_token(config) * tokens
