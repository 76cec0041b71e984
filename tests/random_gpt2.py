"""GPT-2 as `transformers` has it, with random weights large enough that a mix-up would show."""

from pathlib import Path

import torch
from transformers import GPT2Config, GPT2LMHeadModel

from nanogpt.checkpoint import model_tensors, set_model_tensors
from nanogpt.config import ModelConfig
from nanogpt.gpt2 import gpt2_tensor
from nanogpt.model import GPT


def random_gpt2(config: ModelConfig, std: float = 0.1, **other) -> GPT2LMHeadModel:
    """Every weight, bias and norm drawn from N(0, std), the norms around 1; `other` goes into its GPT2Config."""
    torch.manual_seed(config.n_layer * config.n_embd)
    model = GPT2LMHeadModel(
        GPT2Config(
            n_layer=config.n_layer, n_head=config.n_head, n_embd=config.n_embd, n_positions=config.context_length,
            vocab_size=config.vocab_size, bos_token_id=0, eos_token_id=0, **other,
        )
    ).eval()  # fmt: skip
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.normal_(mean=1.0 if "ln_" in name and name.endswith("weight") else 0.0, std=std)
    return model


def in_our_model(theirs: GPT2LMHeadModel, config: ModelConfig) -> GPT:
    """The same weights in a GPT of ours, without a file between them."""
    ours, state = GPT(config).eval(), theirs.transformer.state_dict()
    tensors = {}
    for name in model_tensors(ours):
        other, transposed = gpt2_tensor(name)
        tensors[name] = state[other].T if transposed else state[other]
    set_model_tensors(ours, tensors, Path("theirs"))
    return ours
