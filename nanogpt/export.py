"""A run as a folder that Hugging Face's `transformers` loads: GPT-2 by name, the run's weights, its tokenizer."""

import dataclasses
import json
from pathlib import Path

import torch

from nanogpt.checkpoint import (
    StoredTensor,
    empty_model,
    model_tensors,
    read_state,
    require_free,
    require_same_shapes,
    stored_tensors,
    write_folder,
    write_tensors,
)
from nanogpt.config import ModelConfig
from nanogpt.gpt2 import FIXED, gpt2_tensor
from nanogpt.hf_tokenizer import write_tokenizer
from nanogpt.runs import newest_checkpoint, read_config
from nanogpt.tokenizer import load_tokenizer


def export_run(run: str | Path, out: str | Path) -> None:
    """Write a run's newest checkpoint as a folder for `AutoModelForCausalLM` and `AutoTokenizer`.

    GPT-2 has biases everywhere, so a model without them gets zeros. The vocabulary is cut to the
    tokenizer's: the rows that a model has for padding are left out, and so are their logits.
    `import_checkpoint` reads the folder back, weights exactly and tokenizer included.

    Raises FileNotFoundError where there is no run or no checkpoint, FileExistsError where `out` holds
    something, ValueError for a damaged run or a tokenizer that can't be written as theirs.
    """
    run, out = Path(run), Path(out)
    require_free(out, "choose another --out")
    config = read_config(run)[0].model
    tokenizer = load_tokenizer(run / "tokenizer.json")
    folder = newest_checkpoint(run)
    _, (file,) = read_state(folder, "model.safetensors")
    tensors = stored_tensors(file)
    require_same_shapes(empty_model(config), tensors, folder)

    def fill(place: Path) -> None:
        settings = _gpt2_config(config, tokenizer.n_vocab, tokenizer.eot_token)
        (place / "config.json").write_text(json.dumps(settings, indent=2) + "\n")
        write_tokenizer(tokenizer, place, config.context_length)
        write_tensors(place / "model.safetensors", _in_gpt2s_names(config, tensors, tokenizer.n_vocab))

    write_folder(out, fill)


def _gpt2_config(config: ModelConfig, vocab_size: int, end_of_text: int) -> dict:
    """What `transformers` calls a GPT2Config."""
    return {
        "model_type": "gpt2",
        "architectures": ["GPT2LMHeadModel"],
        "n_layer": config.n_layer,
        "n_head": config.n_head,
        "n_embd": config.n_embd,
        "n_positions": config.context_length,
        "vocab_size": vocab_size,
        **{field: fitting[0] for field, fitting in FIXED.items()},
        **dict.fromkeys(("attn_pdrop", "embd_pdrop", "resid_pdrop"), config.dropout),
        "bos_token_id": end_of_text,
        "eos_token_id": end_of_text,
        "dtype": "float32",
    }


def _in_gpt2s_names(config: ModelConfig, tensors: dict[str, StoredTensor], vocab_size: int) -> dict[str, StoredTensor]:
    """Our tensors by GPT-2's names and in its layout, the embedding cut to `vocab_size` rows, zeros for no biases."""
    embedding = tensors["token_embedding.weight"]
    cut = StoredTensor((vocab_size, config.n_embd), embedding.dtype, lambda: embedding.read()[:vocab_size])
    tensors = tensors | {"token_embedding.weight": cut}
    renamed = {}
    for ours, expected in model_tensors(empty_model(dataclasses.replace(config, bias=True))).items():
        name, transposed = gpt2_tensor(ours)
        tensor = tensors.get(ours) or _zeros(tuple(expected.shape))
        renamed[f"transformer.{name}"] = tensor.T if transposed else tensor
    return renamed


def _zeros(shape: tuple[int, ...]) -> StoredTensor:
    return StoredTensor(shape, "float32", lambda: torch.zeros(shape))
