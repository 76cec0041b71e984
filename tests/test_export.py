import json
import shutil
import sys
import warnings
from pathlib import Path

import pytest
import torch
from random_gpt2 import random_gpt2
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer, GPT2LMHeadModel

from nanogpt.checkpoint import checkpoints, load_checkpoint, model_tensors
from nanogpt.config import PRESETS, ModelConfig
from nanogpt.export import export_run
from nanogpt.gpt2 import import_checkpoint
from nanogpt.runs import load_run, start_run
from nanogpt.tokenizer import gpt2_tokenizer, tokenizer_hash


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    monkeypatch.setattr("socket.socket.connect", lambda *_: pytest.fail("went to the network"))


@pytest.fixture(scope="module")
def exported(story_run, tmp_path_factory) -> Path:
    """A run without biases, its 512 tokens learnt from its own text."""
    out = tmp_path_factory.mktemp("hf") / "out"
    export_run(story_run.folder, out)
    return out


@pytest.fixture(scope="module")
def gpt2_run(tmp_path_factory) -> Path:
    """A run with biases and 47 rows of padding, read with GPT-2's tokenizer."""
    folder = tmp_path_factory.mktemp("gpt2")
    random_gpt2(ModelConfig(2, 2, 16, 12, 50_304, True)).save_pretrained(folder / "hf")
    import_checkpoint(folder / "hf", folder / "run")
    return folder / "run"


def weights_of(run: Path) -> dict[str, torch.Tensor]:
    return load_checkpoint(checkpoints(run)[-1], with_optimizer=False)[0]


def test_an_export_loads_into_transformers_with_nothing_missing_or_left_over(exported):
    model, info = AutoModelForCausalLM.from_pretrained(exported, output_loading_info=True)
    assert isinstance(model, GPT2LMHeadModel)
    assert not any(info[kind] for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    assert model.lm_head.weight is model.transformer.wte.weight


def test_an_export_gives_the_logits_of_the_run(exported, story_run):
    theirs = AutoModelForCausalLM.from_pretrained(exported).eval()
    ids = torch.randint(512, (2, 64), generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        torch.testing.assert_close(theirs(ids).logits, story_run.model(ids), atol=1e-5, rtol=1e-5)


def test_padding_is_cut_off_and_the_other_logits_stay(gpt2_run, tmp_path):
    export_run(gpt2_run, tmp_path / "hf")
    theirs = AutoModelForCausalLM.from_pretrained(tmp_path / "hf").eval()
    assert theirs.config.vocab_size == 50_257
    assert (theirs.config.bos_token_id, theirs.config.eos_token_id) == (50_256, 50_256)
    ids = torch.randint(50_257, (2, 12), generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        ours = load_run(gpt2_run).model(ids)[..., :50_257]
        torch.testing.assert_close(theirs(ids).logits, ours, atol=1e-5, rtol=1e-5)


def test_an_export_holds_what_transformers_asks_for_and_no_more(exported):
    assert sorted(p.name for p in exported.iterdir()) == [
        "config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json",
    ]  # fmt: skip


def test_an_exported_run_comes_back_exactly(exported, story_run, tmp_path):
    import_checkpoint(exported, tmp_path / "run")
    again, before = weights_of(tmp_path / "run"), weights_of(story_run.folder)
    for name, tensor in again.items():
        expected = before.get(name, torch.zeros(tensor.shape))  # it had no biases
        torch.testing.assert_close(tensor, expected, atol=0, rtol=0)
    assert before.keys() <= again.keys()
    run = load_run(tmp_path / "run")
    assert tokenizer_hash(run.tokenizer) == story_run.origin["tokenizer_sha256"] == run.origin["tokenizer_sha256"]


def test_an_exported_run_gives_the_same_logits_when_it_is_back(exported, story_run, tmp_path):
    import_checkpoint(exported, tmp_path / "run")
    ids = torch.randint(512, (2, 64), generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        again = load_run(tmp_path / "run").model(ids)
        torch.testing.assert_close(again, story_run.model(ids), atol=1e-5, rtol=1e-5)


@pytest.mark.slow
def test_padding_is_all_that_a_round_trip_loses(gpt2_run, tmp_path):
    export_run(gpt2_run, tmp_path / "hf")
    import_checkpoint(tmp_path / "hf", tmp_path / "run")
    again, before = weights_of(tmp_path / "run"), weights_of(gpt2_run)
    before["token_embedding.weight"] = before["token_embedding.weight"][:50_257]
    torch.testing.assert_close(again, before, atol=0, rtol=0)


def test_an_import_exports_the_very_tensors_it_was_made_of(tmp_path):
    random_gpt2(ModelConfig(2, 2, 32, 16, 50_257, True)).save_pretrained(tmp_path / "hf")
    import_checkpoint(tmp_path / "hf", tmp_path / "run")
    export_run(tmp_path / "run", tmp_path / "again")
    tensors = [load_file(tmp_path / name / "model.safetensors") for name in ("hf", "again")]
    torch.testing.assert_close(tensors[1], tensors[0], atol=0, rtol=0)
    configs = [json.loads((tmp_path / name / "config.json").read_text()) for name in ("hf", "again")]
    differing = {field for field, value in configs[1].items() if configs[0][field] != value}
    assert differing == {"attn_pdrop", "embd_pdrop", "resid_pdrop", "bos_token_id", "eos_token_id"}


def test_transformers_generates_what_the_run_would(exported, story_run):
    theirs, tokenizer = AutoModelForCausalLM.from_pretrained(exported), AutoTokenizer.from_pretrained(exported)
    prompt = tokenizer("Once there was", return_tensors="pt")
    assert prompt.input_ids[0].tolist() == story_run.tokenizer.encode_ordinary("Once there was")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it misses a token for padding
        written = theirs.generate(**prompt, max_new_tokens=12, do_sample=False)[0]
    ids = prompt.input_ids
    while ids.size(1) < len(written):
        with torch.inference_mode():
            ids = torch.cat([ids, story_run.model(ids)[:, -1:].argmax(-1)], dim=1)
    assert written.tolist() == ids[0].tolist()


def refusal(run, out, kind=ValueError) -> str:
    with pytest.raises(kind) as error:
        export_run(run, out)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_what_cannot_be_exported_is_named_and_leaves_nothing(story_run, story_data, tmp_path):
    out = tmp_path / "hf" / "out"
    assert "holds no run" in refusal(tmp_path / "nowhere", out, FileNotFoundError)
    start_run(tmp_path / "new", PRESETS["smoke"], story_data.folder, "smoke")
    assert "has no checkpoint yet" in refusal(tmp_path / "new", out, FileNotFoundError)
    run = Path(shutil.copytree(story_run.folder, tmp_path / "run"))
    file = checkpoints(run)[-1] / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-1])
    assert "model.safetensors is missing, cut short or altered" in refusal(run, out)
    assert not out.parent.exists()


def test_a_run_whose_configuration_was_altered_is_refused(story_run, tmp_path):
    run = Path(shutil.copytree(story_run.folder, tmp_path / "run"))
    path = run / "config.json"
    path.write_text(path.read_text().replace('"n_embd": 32', '"n_embd": 64'))
    said = refusal(run, tmp_path / "out")
    assert "is from another configuration: blocks.0.attention.proj.weight has shape (32, 32)" in said
    assert not (tmp_path / "out").exists()


def test_an_export_never_overwrites_and_never_stays_half_written(story_run, tmp_path, monkeypatch):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    assert "out already exists; choose another --out" in refusal(story_run.folder, tmp_path / "out", FileExistsError)
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["mine.txt"]

    def full(path, tensors):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("nanogpt.export.write_tensors", full)
    assert "No space left" in refusal(story_run.folder, tmp_path / "other", OSError)
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_exporting_needs_no_transformers(story_run, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)  # any import of it fails
    export_run(story_run.folder, tmp_path / "out")
    import_checkpoint(tmp_path / "out", tmp_path / "run")
    assert weights_of(tmp_path / "run").keys() >= model_tensors(story_run.model).keys()


def test_dropout_is_told_to_whoever_trains_on(story_run, tmp_path):
    run = Path(shutil.copytree(story_run.folder, tmp_path / "run"))
    path = run / "config.json"
    path.write_text(path.read_text().replace('"dropout": 0.0', '"dropout": 0.25'))
    export_run(run, tmp_path / "out")
    config = AutoModelForCausalLM.from_pretrained(tmp_path / "out").config
    assert (config.attn_pdrop, config.embd_pdrop, config.resid_pdrop) == (0.25, 0.25, 0.25)


def test_gpt2s_own_tokenizer_is_exported_by_its_ids(gpt2_run, tmp_path):
    export_run(gpt2_run, tmp_path / "hf")
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "hf")
    text = "The future of AI is naïve 日本語 🙂\n\n  don't"
    assert tokenizer(text).input_ids == gpt2_tokenizer().encode_ordinary(text)
