import json
import shutil
import subprocess
import sys
import types
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from random_gpt2 import in_our_model, random_gpt2
from safetensors.torch import load_file, save_file
from transformers import GPT2LMHeadModel

from nanogpt.checkpoint import checkpoints, empty_model, load_checkpoint, model_tensors
from nanogpt.config import ModelConfig
from nanogpt.gpt2 import HUB, gpt2_module, gpt2_tensor, import_checkpoint
from nanogpt.hf_tokenizer import write_tokenizer
from nanogpt.model import GPT
from nanogpt.runs import load_run
from nanogpt.tokenizer import gpt2_tokenizer, tokenizer_hash, train_tokenizer

SMALL = ModelConfig(n_layer=2, n_head=2, n_embd=32, context_length=16, vocab_size=50_257, bias=True)
SHAPES = [SMALL, ModelConfig(1, 4, 48, 8, 50_257, True), ModelConfig(3, 1, 16, 12, 50_304, True)]


def save(model: GPT2LMHeadModel, folder: Path, **how) -> Path:
    model.save_pretrained(folder, **how)
    return folder


@pytest.fixture(scope="module")
def theirs() -> GPT2LMHeadModel:
    return random_gpt2(SMALL)


@pytest.fixture(scope="module")
def kept(theirs, tmp_path_factory) -> Path:
    return save(theirs, tmp_path_factory.mktemp("hf") / "gpt2")


@pytest.fixture
def folder(kept, tmp_path) -> Path:
    """A Hugging Face folder of one's own, to spoil."""
    return Path(shutil.copytree(kept, tmp_path / "hf"))


def ids(config: ModelConfig = SMALL) -> torch.Tensor:
    shape = (2, config.context_length)
    return torch.randint(config.vocab_size, shape, generator=torch.Generator().manual_seed(5))


def weights_of(run: Path) -> dict[str, torch.Tensor]:
    return load_checkpoint(checkpoints(run)[-1], with_optimizer=False)[0]


def expected_weights(theirs: GPT2LMHeadModel) -> dict[str, torch.Tensor]:
    return model_tensors(in_our_model(theirs, SMALL))


def set_config(folder: Path, **fields) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


def set_tensors(folder: Path, **changed: torch.Tensor | None) -> None:
    """Change tensors of a folder by GPT-2's names, with __ for the points; None takes one away."""
    path = folder / "model.safetensors"
    tensors = load_file(path)
    tensors = {name: tensor.clone() for name, tensor in tensors.items()}
    for name, tensor in changed.items():
        full = name.replace("__", ".")
        tensors.pop(full, None)
        if tensor is not None:
            tensors[full] = tensor
    save_file(tensors, path)


def refusal(source, tmp_path, kind=ValueError) -> str:
    """The sentence with which an import is refused, having left nothing behind."""
    out = tmp_path / "runs" / "out"
    with pytest.raises(kind) as error:
        import_checkpoint(source, out)
    assert not out.exists()
    assert not out.parent.exists() or not list(out.parent.iterdir())
    said = str(error.value)
    assert "\n" not in said
    return said


def test_the_table_names_what_transformers_has():
    ours = model_tensors(empty_model(SMALL))
    theirs = random_gpt2(ModelConfig(2, 2, 32, 16, 64, True)).transformer.state_dict()
    assert {gpt2_tensor(name)[0] for name in ours} == set(theirs)
    assert gpt2_tensor("blocks.11.attention.qkv.weight") == ("h.11.attn.c_attn.weight", True)
    assert gpt2_tensor("blocks.0.attention.qkv.bias") == ("h.0.attn.c_attn.bias", False)
    assert gpt2_module("blocks.7") == "h.7"


@pytest.mark.parametrize("config", SHAPES, ids=str)
def test_an_imported_model_gives_the_logits_that_transformers_gives(config, tmp_path):
    theirs = random_gpt2(config)
    save(theirs, tmp_path / "hf")
    import_checkpoint(tmp_path / "hf", tmp_path / "run")
    run = load_run(tmp_path / "run")
    assert run.model.config == run.config.model == config
    with torch.inference_mode():
        torch.testing.assert_close(run.model(ids(config)), theirs(ids(config)).logits, atol=1e-5, rtol=1e-5)


def test_an_import_is_a_whole_run(kept, theirs, tmp_path):
    said = import_checkpoint(kept, tmp_path / "out" / "run")
    assert "2 layers, 2 heads, width 32, context 16 and 1,634,208 parameters" in said
    assert "GELU" not in said
    folder = tmp_path / "out" / "run"
    assert sorted(p.name for p in folder.iterdir()) == ["config.json", "run.json", "step_000000", "tokenizer.json"]
    assert sorted(p.name for p in (folder / "step_000000").iterdir()) == ["model.safetensors", "state.json"]
    run = load_run(folder)
    assert run.origin["imported"]["source"] == str(kept)
    assert list(run.origin["imported"]["sha256"]) == ["model.safetensors"]
    assert run.origin["tokenizer_sha256"] == tokenizer_hash(run.tokenizer) == tokenizer_hash(gpt2_tokenizer())
    assert run.step == 0
    torch.testing.assert_close(weights_of(folder), expected_weights(theirs), atol=0, rtol=0)


def test_names_without_prefix_old_masks_and_a_copied_head_are_read(folder, theirs, tmp_path):
    state = {name.removeprefix("transformer."): t.clone() for name, t in theirs.state_dict().items()}
    for layer in range(2):
        state[f"h.{layer}.attn.bias"] = torch.ones(1, 1, 16, 16, dtype=torch.bool)
        state[f"h.{layer}.attn.masked_bias"] = torch.tensor(-1e4)
    assert "lm_head.weight" in state
    save_file(state, folder / "model.safetensors")
    import_checkpoint(folder, tmp_path / "run")
    torch.testing.assert_close(weights_of(tmp_path / "run"), expected_weights(theirs), atol=0, rtol=0)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_half_precision_becomes_float32_exactly(dtype, tmp_path):
    half = random_gpt2(SMALL).to(dtype)
    save(half, tmp_path / "hf")
    import_checkpoint(tmp_path / "hf", tmp_path / "run")
    torch.testing.assert_close(weights_of(tmp_path / "run"), expected_weights(half.float()), atol=0, rtol=0)


def test_shards_are_read_as_one(theirs, tmp_path):
    save(theirs, tmp_path / "hf", max_shard_size="100KB")
    shards = sorted(p.name for p in (tmp_path / "hf").glob("model-*.safetensors"))
    assert len(shards) > 1
    import_checkpoint(tmp_path / "hf", tmp_path / "run")
    torch.testing.assert_close(weights_of(tmp_path / "run"), expected_weights(theirs), atol=0, rtol=0)
    assert sorted(load_run(tmp_path / "run").origin["imported"]["sha256"]) == shards
    (tmp_path / "hf" / shards[1]).unlink()
    assert f"{shards[1]} is missing; get it again" in refusal(tmp_path / "hf", tmp_path, FileNotFoundError)
    (tmp_path / "hf" / "model.safetensors.index.json").write_text('{"weight_map": [1]}')
    assert "names no shards in 'weight_map'" in refusal(tmp_path / "hf", tmp_path)


@pytest.mark.parametrize("name", HUB)
def test_a_name_is_fetched_from_the_hub(name, kept, tmp_path, monkeypatch):
    asked = []

    def download(repo: str, filename: str) -> Path:
        asked.append((repo, filename))
        return kept / filename

    monkeypatch.setitem(sys.modules, "nanogpt.hub", types.SimpleNamespace(download=download))
    import_checkpoint(name, tmp_path / "run")
    repo = f"openai-community/{name}"
    assert asked == [(repo, "config.json"), (repo, "model.safetensors")]
    assert load_run(tmp_path / "run").origin["imported"]["source"] == repo


def test_a_hub_that_is_not_there_leaves_nothing(tmp_path, monkeypatch):
    def download(repo: str, filename: str) -> Path:
        raise OSError(f"{repo} can't be reached; go online")

    monkeypatch.setitem(sys.modules, "nanogpt.hub", types.SimpleNamespace(download=download))
    assert "can't be reached" in refusal("gpt2", tmp_path, OSError)


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("model_type", "gpt_neo", "'gpt2'"),
        ("activation_function", "gelu", "'gelu_new' or 'gelu_pytorch_tanh'"),
        ("layer_norm_epsilon", 1e-6, "1e-05"),
        ("n_inner", 64, "None or 128"),
        ("tie_word_embeddings", False, "True"),
        ("scale_attn_weights", False, "True"),
        ("scale_attn_by_inverse_layer_idx", True, "False"),
        ("add_cross_attention", True, "False"),
    ],
)
def test_a_model_that_ours_cannot_be_is_refused_by_its_field(field, value, expected, folder, tmp_path):
    set_config(folder, **{field: value})
    said = refusal(folder, tmp_path)
    assert f"config.json says {field}={value!r}, but our model has {expected};" in said


def test_the_same_said_otherwise_is_no_reason_to_refuse(folder, tmp_path):
    set_config(folder, activation_function="gelu_pytorch_tanh", n_inner=128)
    import_checkpoint(folder, tmp_path / "run")


@pytest.mark.parametrize("field", ["n_layer", "n_head", "n_embd", "n_positions", "vocab_size"])
@pytest.mark.parametrize("value", [None, "12", 2.0, True])
def test_a_size_that_is_no_whole_number_is_named(field, value, folder, tmp_path):
    set_config(folder, **{field: value})
    assert f"config.json says {field}={value!r}, expected a whole number" in refusal(folder, tmp_path)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"n_layer": 3}, "lacks the tensor h.2.ln_1.weight, which its configuration asks for"),
        ({"n_layer": 1}, "has the tensor h.1.attn.c_attn.bias, which a GPT-2 of its configuration has not"),
        ({"n_embd": 16}, "tensor wte.weight has shape (50257, 32), its configuration asks for (50257, 16)"),
        ({"n_positions": 17}, "tensor wpe.weight has shape (16, 32), its configuration asks for (17, 32)"),
        ({"n_head": 3}, "n_embd=32 does not divide into n_head=3 heads"),
        ({"vocab_size": 1000}, "has vocab_size=1000, but its tokenizer (gpt2) has 50257 tokens"),
        ({"vocab_size": 70_000}, "vocab_size=70000 does not fit the 16 bits"),
    ],
    ids=str,
)
def test_sizes_that_are_not_the_tensors_are_refused(fields, says, folder, tmp_path):
    set_config(folder, **fields)
    assert says in refusal(folder, tmp_path)


C_ATTN = "transformer__h__0__attn__c_attn__weight"


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({C_ATTN: None}, "lacks the tensor h.0.attn.c_attn.weight"),
        ({C_ATTN: torch.ones(32, 95)}, "c_attn.weight has shape (32, 95), its configuration asks for (32, 96)"),
        ({C_ATTN: torch.ones(96, 32)}, "c_attn.weight has shape (96, 32), its configuration asks for (32, 96)"),
        ({C_ATTN: torch.ones(32, 96, dtype=torch.int8)}, "h.0.attn.c_attn.weight is of type int8, expected float32"),
        ({C_ATTN: torch.ones(32, 96).double()}, "h.0.attn.c_attn.weight is of type float64, expected float32"),
        ({"transformer__h__0__adapter": torch.ones(3)}, "has the tensor h.0.adapter, which a GPT-2"),
        ({"lm_head__weight": torch.ones(50_257, 32)}, "lm_head.weight differs from wte.weight"),
        ({"lm_head__weight": torch.ones(50_304, 32)}, "lm_head.weight differs from wte.weight"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_a_tensor_that_does_not_fit_is_refused_by_name(changed, says, folder, tmp_path):
    set_tensors(folder, **changed)
    assert says in refusal(folder, tmp_path)


@pytest.mark.parametrize("share", [0.0, 0.0001, 0.5, 0.9999])
def test_weights_that_were_cut_are_refused(share, folder, tmp_path):
    path = folder / "model.safetensors"
    raw = path.read_bytes()
    path.write_bytes(raw[: int(len(raw) * share)])
    assert "model.safetensors is not a whole safetensors file" in refusal(folder, tmp_path)


@pytest.mark.parametrize(
    ("text", "says"),
    [("{", "is not JSON"), ("[]", "holds no object of fields, got list"), ("\udcff", "is not JSON")],
)
def test_a_configuration_that_is_none_is_refused(text, says, folder, tmp_path):
    (folder / "config.json").write_bytes(text.encode(errors="surrogateescape"))
    assert f"config.json {says}" in refusal(folder, tmp_path)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_a_file_that_is_missing_is_named(name, folder, tmp_path):
    (folder / name).unlink()
    assert f"{name} is missing" in refusal(folder, tmp_path, FileNotFoundError)


def test_what_is_not_there_or_in_the_way_is_named(kept, tmp_path):
    said = refusal("gpt3", tmp_path, FileNotFoundError)
    assert "gpt3 is not there; give one of gpt2, gpt2-medium, gpt2-large, gpt2-xl, a folder" in said
    (tmp_path / "empty").mkdir()
    import_checkpoint(kept, tmp_path / "empty")
    before = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*")}
    with pytest.raises(FileExistsError, match="empty already exists; choose another --out"):
        import_checkpoint(kept, tmp_path / "empty")
    assert {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*")} == before


def test_a_disk_that_fills_up_leaves_nothing(kept, tmp_path, monkeypatch):
    def full(folder, state):
        assert (folder / "model.safetensors").stat().st_size > 6_000_000
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("nanogpt.gpt2.write_state", full)
    assert "No space left" in refusal(kept, tmp_path, OSError)


def test_a_folder_with_its_own_tokenizer_is_read_with_it(tmp_path):
    tokenizer = train_tokenizer(["the cat sat on the mat, and the rat " * 20], 300)
    config = ModelConfig(1, 1, 8, 6, tokenizer.n_vocab, True)
    save(random_gpt2(config), tmp_path / "hf")
    assert f"vocab_size={tokenizer.n_vocab}, but its tokenizer (gpt2) has 50257" in refusal(tmp_path / "hf", tmp_path)
    write_tokenizer(tokenizer, tmp_path / "hf", 6)
    import_checkpoint(tmp_path / "hf", tmp_path / "run")
    run = load_run(tmp_path / "run")
    assert tokenizer_hash(run.tokenizer) == tokenizer_hash(tokenizer) == run.origin["tokenizer_sha256"]


def save_as_nanogpt(gpt: GPT, path: Path, prefix: str = "_orig_mod.", **changed) -> Path:
    """What nanoGPT's train.py would have saved of this model."""
    state = {f"{prefix}transformer.{gpt2_tensor(name)[0]}": t for name, t in model_tensors(gpt).items()}
    state[f"{prefix}lm_head.weight"] = gpt.lm_head.weight.data
    c = gpt.config
    args = {
        "n_layer": c.n_layer, "n_head": c.n_head, "n_embd": c.n_embd, "block_size": c.context_length,
        "bias": c.bias, "vocab_size": c.vocab_size, "dropout": 0.2,
    }  # fmt: skip
    kept = {
        "model": state, "optimizer": {"state": {0: {"step": torch.tensor(7.0)}}, "param_groups": [{"lr": 6e-4}]},
        "model_args": args, "iter_num": 2000, "best_val_loss": torch.tensor(3.1), "config": {"dataset": "openwebtext"},
    }  # fmt: skip
    torch.save(kept | changed, path)
    return path


@pytest.fixture(scope="module")
def ours() -> GPT:
    return GPT(ModelConfig(2, 2, 16, 8, 50_304, bias=False))


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("prefix", ["", "_orig_mod."])
def test_a_checkpoint_of_nanogpt_is_read_as_it_is(bias, prefix, tmp_path):
    config = ModelConfig(2, 2, 16, 8, 50_304, bias)
    model = GPT(config)
    said = import_checkpoint(save_as_nanogpt(model, tmp_path / "ckpt.pt", prefix), tmp_path / "run")
    assert "trained with the exact GELU" in said
    run = load_run(tmp_path / "run")
    assert (run.step, run.config.model, run.origin["imported"]["gelu"]) == (2000, config, "exact")
    torch.testing.assert_close(weights_of(tmp_path / "run"), model_tensors(model), atol=0, rtol=0)


def test_masks_in_a_checkpoint_of_nanogpt_are_passed_over(ours, tmp_path):
    path = save_as_nanogpt(ours, tmp_path / "ckpt.pt")
    kept = torch.load(path, weights_only=True)
    kept["model"]["_orig_mod.transformer.h.0.attn.bias"] = torch.ones(1, 1, 8, 8)
    torch.save(kept, path, _use_new_zipfile_serialization=False)  # an old file, which can't be mapped into memory
    import_checkpoint(path, tmp_path / "run")
    torch.testing.assert_close(weights_of(tmp_path / "run"), model_tensors(ours), atol=0, rtol=0)


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"model": None}, "has no 'model' as a ckpt.pt of nanoGPT has it"),
        ({"model_args": None}, "has no 'model_args'"),
        ({"iter_num": None}, "has no 'iter_num'"),
        ({"iter_num": -1}, "iter_num=-1, expected True or False and a number from 0"),
        ({"model_args": {"n_layer": 2}}, "says bias=None"),
        ({"model_args": {"n_layer": 2, "bias": True}}, "says n_head=None, expected a whole number"),
        ({"model": {"a": 1}}, "a is of type int, expected a tensor"),
        ({"model": {}}, "lacks the tensor wte.weight"),
    ],
    ids=str,
)
def test_a_checkpoint_that_is_not_nanogpts_is_refused_by_what_it_lacks(changed, says, ours, tmp_path):
    assert says in refusal(save_as_nanogpt(ours, tmp_path / "ckpt.pt", **changed), tmp_path)


def test_a_list_and_a_text_are_no_checkpoints(tmp_path):
    torch.save([1, 2], tmp_path / "ckpt.pt")
    assert "has no 'model'" in refusal(tmp_path / "ckpt.pt", tmp_path)
    (tmp_path / "ckpt.pt").write_text("hello")
    assert "was cut short or holds more than plain weights" in refusal(tmp_path / "ckpt.pt", tmp_path)


def test_a_checkpoint_of_nanogpt_that_was_cut_is_refused(ours, tmp_path):
    path = save_as_nanogpt(ours, tmp_path / "ckpt.pt")
    raw = path.read_bytes()
    for share in (0.0, 0.5, 0.999):
        path.write_bytes(raw[: int(len(raw) * share)])
        assert "was cut short or holds more than plain weights" in refusal(path, tmp_path)


class Trap:
    """Unpickled, it would make a file."""

    def __init__(self, place: Path):
        self.place = place

    def __reduce__(self):
        return Path.touch, (self.place,)


@pytest.mark.parametrize("zipped", [True, False])
def test_code_in_a_checkpoint_is_refused_and_not_run(zipped, tmp_path):
    place = tmp_path / "ran"
    torch.save({"model": Trap(place)}, tmp_path / "ckpt.pt", _use_new_zipfile_serialization=zipped)
    assert "(UnpicklingError), and nothing in it was run" in refusal(tmp_path / "ckpt.pt", tmp_path)
    assert not place.exists()
    torch.load(tmp_path / "ckpt.pt", weights_only=False)  # the trap does work
    assert place.exists()


def test_the_exact_gelu_of_nanogpt_moves_a_trained_models_logits_by_little(story_run, monkeypatch):
    x = torch.arange(64)[None] * 7
    with torch.inference_mode():
        tanh = story_run.model(x)
        original = F.gelu
        monkeypatch.setattr(F, "gelu", lambda x, approximate: original(x))
        exact = story_run.model(x)
    moved = (exact - tanh).abs().max().item()
    assert 1e-5 < moved < 1e-2
    assert moved < 5e-4 * (tanh.max() - tanh.min()).item()


PEAK = """
import sys
from nanogpt.gpt2 import import_checkpoint
import_checkpoint(sys.argv[1], sys.argv[2])
print(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1])
"""


def peak_of_import(source: Path, out: Path) -> int:
    """The most memory that an importing process had, in bytes, files mapped into it included."""
    done = subprocess.run([sys.executable, "-c", PEAK, source, out], capture_output=True, text=True, check=True)
    return int(done.stdout) * 1024


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc/self/status, which Linux has")
def test_a_large_model_is_imported_in_less_memory_than_its_weights(tmp_path):
    config = ModelConfig(n_layer=14, n_head=8, n_embd=1024, context_length=1024, vocab_size=50_257, bias=True)
    save(random_gpt2(config), tmp_path / "hf")
    size = (tmp_path / "hf" / "model.safetensors").stat().st_size
    assert size > 0.8e9
    assert peak_of_import(tmp_path / "hf", tmp_path / "run") < 0.9 * size
