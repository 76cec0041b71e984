"""GPT-2's weights in our own model: one table of names and transposes, and the import of a checkpoint.

Three kinds are read: GPT-2 from the hub, a folder as Hugging Face's `transformers` writes it, and the
`ckpt.pt` of nanoGPT. Tensors go from file to file one at a time: a large model needs no memory of its size.
"""

import json
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from nanogpt.checkpoint import (
    StoredTensor,
    empty_model,
    model_tensors,
    require_free,
    sha256,
    stored_tensors,
    write_folder,
    write_state,
    write_tensors,
)
from nanogpt.config import ModelConfig, RunConfig
from nanogpt.hf_tokenizer import read_tokenizer
from nanogpt.runs import write_run_files
from nanogpt.tokenizer import gpt2_tokenizer, tokenizer_hash

if TYPE_CHECKING:
    import tiktoken

HUB = {name: f"openai-community/{name}" for name in ("gpt2", "gpt2-medium", "gpt2-large", "gpt2-xl")}

MODULES = {  # ours -> GPT-2's; {} is the layer
    "token_embedding": "wte",
    "position_embedding": "wpe",
    "blocks.{}": "h.{}",
    "blocks.{}.attention_norm": "h.{}.ln_1",
    "blocks.{}.attention.qkv": "h.{}.attn.c_attn",
    "blocks.{}.attention.proj": "h.{}.attn.c_proj",
    "blocks.{}.mlp_norm": "h.{}.ln_2",
    "blocks.{}.mlp.up": "h.{}.mlp.c_fc",
    "blocks.{}.mlp.proj": "h.{}.mlp.c_proj",
    "final_norm": "ln_f",
}
TRANSPOSED = ("c_attn.weight", "c_proj.weight", "c_fc.weight")  # GPT-2 keeps these (in, out), torch (out, in)
MASK = re.compile(r"h\.\d+\.attn\.(masked_)?bias")  # the causal mask, which older files carry along

FIXED = {  # what GPT-2's config.json could say otherwise and our model can't; the first is GPT-2's own
    "activation_function": ("gelu_new", "gelu_pytorch_tanh"),
    "layer_norm_epsilon": (1e-5,),
    "scale_attn_weights": (True,),
    "scale_attn_by_inverse_layer_idx": (False,),
    "add_cross_attention": (False,),
    "tie_word_embeddings": (True,),
}


def gpt2_module(module: str) -> str:
    """Our module's name -> GPT-2's: blocks.3.attention.qkv -> h.3.attn.c_attn."""
    layer = re.search(r"\d+", module)
    return MODULES[re.sub(r"\d+", "{}", module)].format(layer and layer[0])


def gpt2_tensor(name: str) -> tuple[str, bool]:
    """Our tensor's name -> GPT-2's, and whether GPT-2 keeps it transposed."""
    module, kind = name.rsplit(".", 1)
    theirs = f"{gpt2_module(module)}.{kind}"
    return theirs, theirs.endswith(TRANSPOSED)


@dataclass(frozen=True)
class Source:
    """A checkpoint made elsewhere: opened and understood, its tensors not yet read."""

    name: str
    config: ModelConfig
    tensors: dict[str, StoredTensor]
    """By GPT-2's names."""
    files: list[Path]
    tokenizer: "tiktoken.Encoding"
    gelu: str = "tanh"
    """What the weights were trained with: GPT-2's tanh approximation, or nanoGPT's exact one."""
    conv1d: bool = True
    """Whether the table's transposes apply; nanoGPT keeps its matrices as torch does."""
    step: int = 0


def import_checkpoint(source: str | Path, out: str | Path) -> str:
    """Make a run of GPT-2's weights; returns a sentence on what was imported.

    source: gpt2, gpt2-medium, gpt2-large or gpt2-xl (from the hub), a folder with config.json and
    model.safetensors (whole, or in shards with their index), or nanoGPT's ckpt.pt. Weights become float32.
    nanoGPT computes the exact GELU and our model GPT-2's tanh approximation of it, so the logits of a
    ckpt.pt move, by less than a thousandth of their spread in the tests. Dropout becomes 0: it is a setting
    of training, not a property of weights.

    Raises ValueError, naming the field or tensor, for what our model can't compute exactly or what was
    cut or altered; FileNotFoundError, FileExistsError; the hub's OSError. `out` is then left as it was.
    """
    out = Path(out)
    require_free(out, "choose another --out")
    opened = _open(str(source))
    tensors = _in_our_names(opened)
    hashes = {file.name: sha256(file) for file in opened.files}
    origin = {
        "imported": {"source": opened.name, "gelu": opened.gelu, "sha256": hashes},
        "tokenizer_sha256": tokenizer_hash(opened.tokenizer),
    }

    def fill(run: Path) -> None:
        write_run_files(run, RunConfig(opened.config), origin, opened.tokenizer)
        folder = run / f"step_{opened.step:06d}"
        folder.mkdir()
        write_tensors(folder / "model.safetensors", tensors)
        write_state(folder, {"step": opened.step})

    write_folder(out, fill)
    config, change = opened.config, ""
    if opened.gelu != "tanh":
        change = (
            "; it was trained with the exact GELU, for which GPT-2's tanh approximation now stands in: "
            "logits move by less than a thousandth of their spread"
        )
    return (
        f"{opened.name} has {config.n_layer} layers, {config.n_head} heads, width {config.n_embd}, context "
        f"{config.context_length} and {config.parameter_count():,} parameters{change}"
    )


def _in_our_names(source: Source) -> dict[str, StoredTensor]:
    """The source's tensors as our model has them; ValueError where they are not exactly those of its shape."""
    if source.config.vocab_size < source.tokenizer.n_vocab:
        raise ValueError(
            f"{source.name} has vocab_size={source.config.vocab_size}, but its tokenizer "
            f"({source.tokenizer.name}) has {source.tokenizer.n_vocab} tokens; import it as a Hugging Face folder "
            "that holds the tokenizer.json it was trained with"
        )
    left = {name: stored for name, stored in source.tensors.items() if not MASK.fullmatch(name)}
    head, found = left.pop("lm_head.weight", None), {}
    for ours, expected in model_tensors(empty_model(source.config)).items():
        name, transposed = gpt2_tensor(ours)
        transposed = transposed and source.conv1d
        shape = tuple(expected.T.shape if transposed else expected.shape)
        if name not in left:
            raise ValueError(f"{source.name} lacks the tensor {name}, which its configuration asks for; get it again")
        stored = left.pop(name)
        if stored.shape != shape:
            raise ValueError(
                f"{source.name}: tensor {name} has shape {stored.shape}, its configuration asks for {shape}; "
                "take both from the same place"
            )
        if stored.dtype not in ("float32", "float16", "bfloat16"):
            raise ValueError(
                f"{source.name}: tensor {name} is of type {stored.dtype}, expected float32, float16 or bfloat16; "
                "import the checkpoint as it was before that was done to it"
            )
        found[ours] = stored.T if transposed else stored
    if left:
        raise ValueError(
            f"{source.name} has the tensor {min(left)}, which a GPT-2 of its configuration has not; "
            "import a plain GPT-2 language model"
        )
    if head is not None and not torch.equal(head.read(), source.tensors["wte.weight"].read()):
        raise ValueError(
            f"{source.name}: lm_head.weight differs from wte.weight, and our head is the token embedding; "
            "import a checkpoint whose head is tied"
        )
    return found


def _open(source: str) -> Source:
    path = Path(source)
    if source in HUB:
        from nanogpt.hub import download

        repo = HUB[source]
        config = _model_config(download(repo, "config.json"))
        files = [download(repo, "model.safetensors")]
        return Source(repo, config, _tensors_of(files), files, gpt2_tokenizer())
    if path.is_dir():
        config, files = _model_config(path / "config.json"), _weight_files(path)
        return Source(source, config, _tensors_of(files), files, read_tokenizer(path))
    if path.is_file():
        return _open_nanogpt(path)
    raise FileNotFoundError(
        f"{source} is not there; give one of {', '.join(HUB)}, a folder with config.json and model.safetensors, "
        "or a ckpt.pt of nanoGPT"
    )


def _model_config(path: Path) -> ModelConfig:
    """Read GPT-2's config.json; ValueError, naming the field, for a model that ours can't be."""
    values = _read_json(path)
    _require(path, "model_type", values.get("model_type"), ("gpt2",))
    for field, fitting in FIXED.items():
        _require(path, field, values.get(field, fitting[0]), fitting)
    sizes = _whole_numbers(values, "n_positions", path)
    _require(path, "n_inner", values.get("n_inner"), (None, 4 * sizes["n_embd"]))
    return ModelConfig(**sizes, bias=True)


def _require(path: Path, field: str, got: object, fitting: tuple) -> None:
    if got not in fitting:
        raise ValueError(
            f"{path} says {field}={got!r}, but our model has {' or '.join(map(repr, fitting))}; "
            "import a model of GPT-2's own architecture"
        )


def _whole_numbers(values: dict, context_length: str, path: Path) -> dict[str, int]:
    """The sizes of a model, by the names of our configuration; `context_length` is what the file calls that one."""
    names = {name: name for name in ("n_layer", "n_head", "n_embd", "vocab_size")} | {"context_length": context_length}
    for name in names.values():
        if type(values.get(name)) is not int:
            raise ValueError(
                f"{path} says {name}={values.get(name)!r}, expected a whole number; restore the file, or import a GPT-2"
            )
    return {ours: values[name] for ours, name in names.items()}


def _read_json(path: Path) -> dict:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise FileNotFoundError(
            f"{path} is missing; a Hugging Face folder has config.json and model.safetensors"
        ) from None
    except ValueError as error:
        raise ValueError(f"{path} is not JSON ({error}); get it again") from None
    if not isinstance(values, dict):
        raise ValueError(f"{path} holds no object of fields, got {type(values).__name__}; get it again")
    return values


def _weight_files(folder: Path) -> list[Path]:
    """The folder's model.safetensors, or the shards that its index names."""
    whole, index = folder / "model.safetensors", folder / "model.safetensors.index.json"
    if whole.exists() or not index.exists():
        return [whole]
    shards = _read_json(index).get("weight_map")
    if not isinstance(shards, dict) or not all(isinstance(name, str) for name in shards.values()):
        raise ValueError(f"{index} names no shards in 'weight_map'; get it again")
    return [folder / Path(name).name for name in sorted(set(shards.values()))]


def _tensors_of(files: list[Path]) -> dict[str, StoredTensor]:
    """The tensors of safetensors files, by GPT-2's names; some write `transformer.` before them."""
    for file in files:
        if not file.exists():
            raise FileNotFoundError(f"{file} is missing; get it again, or save the model anew as safetensors")
    return {n.removeprefix("transformer."): t for file in files for n, t in stored_tensors(file).items()}


def _open_nanogpt(path: Path) -> Source:
    """Open nanoGPT's ckpt.pt: a pickle, of which torch reads plain weights alone and runs nothing."""
    try:
        kept = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except OSError:
        raise
    except Exception as error:  # of as many kinds as a pickle can be broken or refused
        raise ValueError(
            f"{path} was cut short or holds more than plain weights ({type(error).__name__}), and nothing in it was "
            "run; import a ckpt.pt as nanoGPT's train.py writes it"
        ) from None
    for part, kind in {"model": dict, "model_args": dict, "iter_num": int}.items():
        if not isinstance(kept, dict) or not isinstance(kept.get(part), kind):
            raise ValueError(
                f"{path} has no {part!r} as a ckpt.pt of nanoGPT has it; import one that its train.py wrote"
            )
    args, step = kept["model_args"], kept["iter_num"]
    if type(args.get("bias")) is not bool or step < 0:
        raise ValueError(
            f"{path} says bias={args.get('bias')!r} and iter_num={step}, expected True or False and a number from 0; "
            "import a ckpt.pt as nanoGPT's train.py writes it"
        )
    config = ModelConfig(**_whole_numbers(args, "block_size", path), bias=args["bias"])
    tensors = {}
    for name, tensor in kept["model"].items():
        if not isinstance(tensor, torch.Tensor):
            raise ValueError(f"{path}: {name} is of type {type(tensor).__name__}, expected a tensor; get it again")
        name = name.removeprefix("_orig_mod.").removeprefix("transformer.")
        dtype = str(tensor.dtype).removeprefix("torch.")
        tensors[name] = StoredTensor(tuple(tensor.shape), dtype, tensor.detach)
    return Source(str(path), config, tensors, [path], gpt2_tokenizer(), gelu="exact", conv1d=False, step=step)
