"""A GPT that can be read in an evening, and a course that builds it.

The package holds the engine, one concept a file; `nanogpt.course` holds what makes it a course.
Importing it costs torch and nothing more.
"""

from nanogpt.config import PRESETS, ModelConfig, RunConfig, TrainConfig
from nanogpt.generate import Sampling, generate_tokens
from nanogpt.model import GPT, next_token_loss

__all__ = [
    "GPT",
    "PRESETS",
    "ModelConfig",
    "RunConfig",
    "Sampling",
    "TrainConfig",
    "generate_tokens",
    "next_token_loss",
]
