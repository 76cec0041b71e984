import copy
import math

import pytest
import torch
from random_gpt2 import in_our_model, random_gpt2
from torch import nn

from nanogpt.attention import CausalSelfAttention
from nanogpt.config import ModelConfig
from nanogpt.divergence import Layer, compare_models
from nanogpt.model import GPT

CONFIG = ModelConfig(n_layer=3, n_head=2, n_embd=32, context_length=16, vocab_size=64, bias=True)
IDS = torch.randint(64, (2, 12), generator=torch.Generator().manual_seed(3))
BLOCK = [
    ".attention_norm", ".attention.qkv", ".attention.heads", ".attention.proj", ".attention.sum",
    ".mlp_norm", ".mlp.up", ".mlp.gelu", ".mlp.proj", "",
]  # fmt: skip
PLACES = ["embeddings", *(f"blocks.{i}{place}" for i in range(3) for place in BLOCK), "final_norm", "logits"]


@pytest.fixture
def theirs():
    return random_gpt2(CONFIG)


@pytest.fixture
def ours(theirs) -> GPT:
    return in_our_model(theirs, CONFIG)


def first(ours: nn.Module, theirs: nn.Module) -> str:
    divergence = compare_models(ours, theirs, IDS)
    assert divergence.first.name in divergence.to_table().splitlines()[-1]
    return divergence.first.name


def test_equal_models_are_the_same_at_every_place(ours, theirs):
    divergence = compare_models(ours, theirs, IDS)
    assert [layer.name for layer in divergence.layers] == PLACES
    assert divergence.first is None
    assert max(layer.relative for layer in divergence.layers) < 1e-6
    assert all(layer.scale > 0.1 for layer in divergence.layers)
    lines = divergence.to_table().splitlines()
    assert [line.split()[0] for line in lines[1:-1]] == PLACES
    assert all(line.endswith("  same") for line in lines[1:-1])
    assert lines[-1] == "the models are the same everywhere, to 1e-05 of the values' size"


def test_a_model_and_its_copy_differ_by_nothing_at_all(ours):
    divergence = compare_models(ours, copy.deepcopy(ours), IDS)
    assert [layer.difference for layer in divergence.layers] == [0.0] * len(PLACES)


@pytest.mark.parametrize("block", [0, 1, 2])
def test_a_square_matrix_that_was_not_transposed_is_named(block, ours, theirs):
    proj = ours.blocks[block].attention.proj
    proj.weight.data = proj.weight.data.T.clone()
    assert first(ours, theirs) == f"blocks.{block}.attention.proj"


def test_the_table_marks_what_is_the_same_what_differs_first_and_what_after(ours, theirs):
    proj = ours.blocks[1].attention.proj
    proj.weight.data = proj.weight.data.T.clone()
    marks = [line.split("  ")[-1] for line in compare_models(ours, theirs, IDS).to_table().splitlines()[1:-1]]
    place = PLACES.index("blocks.1.attention.proj")
    assert marks == ["same"] * place + ["differs first"] + ["differs after"] * (len(PLACES) - place - 1)


def test_the_other_gelu_is_named_at_the_first_block(ours):
    assert first(ours, random_gpt2(CONFIG, activation_function="gelu")) == "blocks.0.mlp.gelu"


@pytest.mark.parametrize(
    ("module", "place"),
    [
        ("blocks.0.attention_norm", "blocks.0.attention_norm"),
        ("blocks.2.mlp_norm", "blocks.2.mlp_norm"),
        ("final_norm", "final_norm"),
    ],
)
def test_another_epsilon_in_a_layer_norm_is_named(module, place):
    theirs = random_gpt2(CONFIG, std=0.02)  # an epsilon shows where the stream that it is added to is small
    ours = in_our_model(theirs, CONFIG)
    ours.get_submodule(module).eps = 1e-6
    assert first(ours, theirs) == place


@pytest.mark.parametrize(
    "place",
    ["blocks.1.attention_norm", "blocks.1.attention.qkv", "blocks.1.attention.proj", "blocks.1.mlp_norm",
     "blocks.1.mlp.up", "blocks.1.mlp.proj", "final_norm"],
)  # fmt: skip
def test_one_number_of_one_bias_is_named(place, ours, theirs):
    ours.get_submodule(place).bias.data[7] += 1e-3
    assert first(ours, theirs) == place


def test_queries_and_keys_swapped_in_the_weights_are_named_where_they_are_made(ours, theirs):
    for tensor in (ours.blocks[1].attention.qkv.weight.data, ours.blocks[1].attention.qkv.bias.data):
        query, key, value = tensor.clone().chunk(3)
        tensor.copy_(torch.cat([key, query, value]))
    assert first(ours, theirs) == "blocks.1.attention.qkv"


class Swapped(CausalSelfAttention):
    def split_heads(self, x):
        query, key, value = super().split_heads(x)
        return key, query, value


class Interleaved(CausalSelfAttention):
    def split_heads(self, x):
        B, T, _ = x.shape
        return self.qkv(x).view(B, T, self.n_head, self.head_dim, 3).permute(4, 0, 2, 1, 3)


@pytest.mark.parametrize("kind", [Swapped, Interleaved])
def test_heads_split_in_another_way_are_named_where_they_are_mixed(kind, ours, theirs):
    attention = kind(CONFIG)
    attention.load_state_dict(ours.blocks[1].attention.state_dict())
    ours.blocks[1].attention = attention
    assert first(ours, theirs) == "blocks.1.attention.heads"


def test_a_position_table_moved_by_one_is_named_at_the_embeddings(ours, theirs):
    ours.position_embedding.weight.data = ours.position_embedding.weight.data.roll(1, dims=0)
    assert first(ours, theirs) == "embeddings"


def test_a_residual_that_was_left_out_is_named_where_it_is_added(ours, theirs):
    block = ours.blocks[0]

    def without_residual(x, cache, layer):
        x = block.attention(block.attention_norm(x))
        return x + block.mlp(block.mlp_norm(x))

    block.forward = without_residual
    assert first(ours, theirs) == "blocks.0.attention.sum"


def test_a_head_that_is_not_the_embedding_is_named_at_the_logits(ours, theirs):
    ours.lm_head.weight = nn.Parameter(ours.lm_head.weight.flip(0))
    assert first(ours, theirs) == "logits"


def test_what_is_not_a_number_counts_as_parted(ours, theirs):
    ours.blocks[2].mlp.up.bias.data[0] = math.nan
    assert first(ours, theirs) == "blocks.2.mlp.up"


def test_padding_in_the_head_of_one_is_left_out(ours, theirs):
    wide = GPT(ModelConfig(3, 2, 32, 16, 128, True))
    tensors = ours.state_dict()
    padding = torch.randn(64, 32)
    for name in ("token_embedding.weight", "lm_head.weight"):
        tensors[name] = torch.cat([tensors[name], padding])
    wide.load_state_dict(tensors)
    assert compare_models(wide, theirs, IDS).first is None
    assert compare_models(theirs, wide, IDS).first is None


def test_a_tolerance_can_be_chosen(ours, theirs):
    ours.blocks[1].mlp.up.bias.data[7] += 1e-3
    assert compare_models(ours, theirs, IDS, tolerance=0.1).first is None


def test_models_are_left_as_they_were(theirs):
    model = GPT(ModelConfig(3, 2, 32, 16, 64, True, dropout=0.5)).train()
    compare_models(model, copy.deepcopy(model), IDS)
    assert model.training
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())
    assert compare_models(model, model, IDS).first is None  # dropout is off while comparing


def test_models_that_cannot_be_compared_are_refused_in_a_sentence(ours):
    with pytest.raises(ValueError, match=r"only one of the models computes blocks\.2"):
        compare_models(ours, GPT(ModelConfig(2, 2, 32, 16, 64, True)), IDS)
    with pytest.raises(ValueError, match=r"at embeddings one .* the shape \(2, 12, 32\) and the other \(2, 12, 16\)"):
        compare_models(ours, GPT(ModelConfig(3, 2, 16, 16, 64, True)), IDS)
    with pytest.raises(ValueError, match=r"token_embedding.weight is torch.bfloat16 on cpu; compare in float32"):
        compare_models(copy.deepcopy(ours).bfloat16(), ours, IDS)
    with pytest.raises(ValueError, match="Linear has no blocks; compare a GPT"):
        compare_models(nn.Linear(2, 2), ours, IDS)


def test_what_a_model_changes_in_place_is_compared_as_it_was(ours, theirs):
    block = ours.blocks[0]

    def in_place(x, cache, layer):
        x += block.attention(block.attention_norm(x))
        x += block.mlp(block.mlp_norm(x))
        return x

    block.forward = in_place
    assert compare_models(ours, theirs, IDS).first is None


def test_a_difference_is_told_as_a_share_of_the_values():
    assert Layer("x", 0.5, 2.0, True).relative == 0.25
    assert Layer("x", 0.0, 0.0, False).relative == 0.0
    assert Layer("x", 0.5, 0.0, True).relative == math.inf
