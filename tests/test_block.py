import torch
from transformers import GPT2Config
from transformers.models.gpt2.modeling_gpt2 import GPT2MLP

from nanogpt.block import MLP, Block
from nanogpt.config import ModelConfig

SMALL = ModelConfig(n_layer=2, n_head=2, n_embd=16, context_length=12, vocab_size=32, bias=True)


def test_the_mlp_is_gpt2s():
    ours, theirs = MLP(SMALL), GPT2MLP(64, GPT2Config(n_embd=16, resid_pdrop=0.0))
    for mine, other in ((ours.up, theirs.c_fc), (ours.proj, theirs.c_proj)):
        other.weight.data.copy_(mine.weight.data.T)  # GPT-2 stores it transposed
        other.bias.data.copy_(mine.bias.data)
    x = torch.randn(3, 5, 16)
    torch.testing.assert_close(ours(x), theirs(x), atol=1e-5, rtol=1e-5)


def test_a_block_with_silent_branches_passes_its_input_on():
    block = Block(SMALL)
    for branch in (block.attention.proj, block.mlp.proj):
        torch.nn.init.zeros_(branch.weight)
        torch.nn.init.zeros_(branch.bias)
    x = torch.randn(2, 12, 16)
    torch.testing.assert_close(block(x), x, atol=0, rtol=0)


def test_each_branch_reads_a_normalised_stream():
    block = Block(SMALL)
    x = torch.randn(2, 12, 16)
    moved = block(1000 * x) - 1000 * x  # pre-norm: the branches hardly notice the stream's size
    torch.testing.assert_close(moved, block(x * 10_000) - x * 10_000, atol=5e-2, rtol=5e-2)
