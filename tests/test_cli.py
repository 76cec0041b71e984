import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nanogpt.cli import main
from nanogpt.config import PRESETS
from nanogpt.runs import read_metrics


def nanogpt(*args) -> int:
    """Run a command in this process; returns its exit code."""
    with pytest.raises(SystemExit) as exit:
        main([str(arg) for arg in args])
    return exit.value.code or 0


def refusal(capsys, *args) -> str:
    """The one sentence that a refused command prints."""
    assert nanogpt(*args) == 2
    shown = capsys.readouterr()
    assert "Traceback" not in shown.err + shown.out
    lines = [line for line in shown.err.splitlines() if line.startswith("nanogpt: ")]
    assert len(lines) == 1, shown.err
    return lines[0]


def test_from_text_to_sample_the_commands_work_as_written(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert nanogpt("prepare", "stories", "--out", "data/stories", "--limit", "200", "--tokenizer", "512") == 0
    assert "held out" not in capsys.readouterr().err
    assert nanogpt("train", "smoke", "--data", "data/stories", "--run", "runs/first", "--train.n-steps", "6") == 0
    assert "next: nanogpt evaluate runs/first" in capsys.readouterr().out
    assert nanogpt("train", "smoke", "--run", "runs/first", "--resume", "--train.n-steps", "8") == 0
    assert len(read_metrics("runs/first")) == 8
    capsys.readouterr()
    assert nanogpt("evaluate", "runs/first", "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert {"loss", "token_perplexity", "bits_per_byte", "tokens_scored", "interval", "baselines"} <= report.keys()
    assert nanogpt("evaluate", "runs/first") == 0
    assert "bigram" in capsys.readouterr().out
    flags = ["--max-new-tokens", "30", "--temperature", "0.8", "--top-k", "50", "--seed", "1"]
    texts = []
    for _ in range(2):
        assert nanogpt("sample", "runs/first", "--prompt", "The", *flags) == 0
        texts.append(capsys.readouterr().out)
    assert texts[0] == texts[1]
    assert texts[0].startswith("The")
    assert len(texts[0]) > 20


def test_ones_own_texts_can_be_prepared_with_gpt2s_tokenizer(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_texts").mkdir()
    for i in range(30):
        (tmp_path / "my_texts" / f"{i}.txt").write_text(f"Text number {i}, with words of its own.")
    assert nanogpt("prepare", "my_texts/", "--out", "data/mine", "--tokenizer", "gpt2") == 0
    assert "vocabulary of 50,257" in capsys.readouterr().out


@pytest.mark.parametrize("command", ["prepare", "train", "evaluate", "sample", "doctor", "lab", "play"])
def test_every_command_explains_itself(command, capsys):
    assert nanogpt(command, "--help") == 0
    assert len(capsys.readouterr().out) > 100


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_can_be_asked_about(preset, capsys):
    assert nanogpt("train", preset, "--help") == 0
    assert "--train.learning-rate" in capsys.readouterr().out


@pytest.fixture
def run(story_run):
    return story_run.folder


def test_what_prepare_cannot_do_it_says(tmp_path, capsys):
    out = tmp_path / "out"
    assert "is neither a corpus" in refusal(capsys, "prepare", "no/such", "--out", out)
    (tmp_path / "empty").mkdir()
    assert "holds no .txt" in refusal(capsys, "prepare", tmp_path / "empty", "--out", out)
    (tmp_path / "blank.txt").write_text(" \n\n ")
    assert "the corpus is empty" in refusal(capsys, "prepare", tmp_path / "blank.txt", "--out", out)
    (tmp_path / "image.txt").write_bytes(bytes(range(256)))
    assert "is not UTF-8 text" in refusal(capsys, "prepare", tmp_path / "image.txt", "--out", out)
    assert "out of range" in refusal(capsys, "prepare", "stories", "--out", out, "--tokenizer", "65537")
    for empty in ("nothing.txt", "nothing.jsonl", "nothing.parquet"):
        (tmp_path / empty).write_bytes(b"")
        assert "the corpus is empty" in refusal(capsys, "prepare", tmp_path / empty, "--out", out)
    (tmp_path / "null.jsonl").write_text('{"text": null}')
    assert "null.jsonl has a row whose 'text' is NoneType" in refusal(
        capsys, "prepare", tmp_path / "null.jsonl", "--out", out
    )
    assert "seed=-1 is negative" in refusal(capsys, "prepare", "stories", "--out", out, "--seed", "-1")
    assert "val_share=1.5" in refusal(capsys, "prepare", "stories", "--out", out, "--val-share", "1.5")
    assert not out.exists()


def test_what_train_cannot_do_it_says(tmp_path, story_data, run, capsys):
    data, new = story_data.folder, tmp_path / "new"
    assert "n_embd=33 does not divide" in refusal(
        capsys, "train", "smoke", "--data", data, "--run", new, "--model.n-embd", "33"
    )
    assert "--data is missing" in refusal(capsys, "train", "smoke", "--run", new)
    assert "is not a prepared folder" in refusal(capsys, "train", "smoke", "--data", tmp_path, "--run", new)
    assert "already exists; add --resume" in refusal(capsys, "train", "smoke", "--data", data, "--run", run)
    assert "holds no run" in refusal(capsys, "train", "smoke", "--run", new, "--resume")
    assert "fewer than one context" in refusal(
        capsys, "train", "smoke", "--data", data, "--run", new,
        "--model.context-length", "200000", "--train.tokens-per-step", "3200000",
    )  # fmt: skip
    assert "is smaller than the 512 tokens" in refusal(
        capsys, "train", "smoke", "--data", data, "--run", new, "--model.vocab-size", "100"
    )
    assert "device='tpu' is not on this machine" in refusal(
        capsys, "train", "smoke", "--data", data, "--run", new, "--train.device", "tpu"
    )
    assert not new.exists()


def test_what_sample_cannot_do_it_says(run, capsys):
    def sample(*flags):
        return refusal(capsys, "sample", run, *flags)

    assert "the prompt is empty" in sample("--prompt", "")
    assert "but the model reads 64; shorten it" in sample("--prompt", "a b c " * 100)
    assert "temperature=-1.0 is negative" in sample("--prompt", "a", "--temperature", "-1")
    assert "top_k=513 is over the vocabulary of 512" in sample("--prompt", "a", "--top-k", "513")
    assert "is out of range" in sample("--prompt", "a", "--seed", str(2**64))
    assert "max_new_tokens=-1 is negative" in sample("--prompt", "a", "--max-new-tokens", "-1")


def test_temperature_0_is_greedy(run, capsys):
    texts = []
    for seed in ("1", "2"):
        assert nanogpt("sample", run, "--prompt", "Once", "--temperature", "0", "--seed", seed) == 0
        texts.append(capsys.readouterr().out)
    assert texts[0] == texts[1]


def test_a_place_that_may_not_be_written_is_named(capsys):
    if not Path("/sys/kernel").is_dir():
        pytest.skip("needs Linux's /sys, which refuses even root")
    said = refusal(capsys, "prepare", "stories", "--limit", "50", "--out", "/sys/nanogpt")
    assert "/sys/nanogpt" in said
    assert "no permission" in said


def test_a_full_disk_is_named_and_the_checkpoint_before_stays(tmp_path, story_data, capsys, monkeypatch):
    run = tmp_path / "run"
    flags = ["--train.n-steps", "8", "--train.checkpoint-every", "4"]
    import safetensors.torch

    calls = []
    original = safetensors.torch.save_file

    def disk_with_room_for_one(tensors, path):
        calls.append(path)
        if len(calls) > 2:
            raise OSError(28, "No space left on device", str(path))
        original(tensors, path)

    monkeypatch.setattr(safetensors.torch, "save_file", disk_with_room_for_one)
    said = refusal(capsys, "train", "smoke", "--data", story_data.folder, "--run", run, *flags)
    assert "the disk is full; free some space" in said
    monkeypatch.undo()
    assert nanogpt("train", "smoke", "--run", run, "--resume") == 0
    assert len(read_metrics(run)) == 8


def test_a_training_that_diverges_says_what_to_try(tmp_path, story_data, capsys):
    flags = ["--train.learning-rate", "1e30", "--train.warmup-steps", "0", "--train.grad-clip", "1e30"]
    said = refusal(capsys, "train", "smoke", "--data", story_data.folder, "--run", tmp_path / "run", *flags)
    assert "training diverged" in said
    assert "lower --train.learning-rate (now 1e+30)" in said


@pytest.mark.slow
def test_ctrl_c_saves_says_how_to_go_on_and_goes_on(tmp_path, story_data):
    run = tmp_path / "run"
    command = [sys.executable, "-m", "nanogpt", "train", "smoke", "--run", str(run)]
    start = [*command, "--data", str(story_data.folder), "--train.n-steps", "100000"]
    process = subprocess.Popen(start, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and len(read_metrics(run)) < 5:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert f"go on with: nanogpt train smoke --run {run} --resume" in out
    assert "Traceback" not in err
    done = len(read_metrics(run))
    again = [*command, "--resume", "--train.n-steps", str(done + 3)]
    subprocess.run(again, check=True, capture_output=True)
    assert len(read_metrics(run)) == done + 3


def test_the_doctor_says_what_it_found_a_line_each(capsys, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")  # a port where nothing answers
    assert nanogpt("doctor") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == [
        "Python", "torch", "cores", "matmul", "compiler", "accelerator", "hub", "disk", "tier",
    ]  # fmt: skip
    assert all(" - " in line for line in lines)
    assert "not reachable" in lines[6]


def test_a_hub_that_answers_is_reachable(capsys, monkeypatch):
    import threading
    from http.server import BaseHTTPRequestHandler, HTTPServer

    server = HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)  # answers HEAD with 501
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    assert nanogpt("doctor") == 0
    server.shutdown()
    assert "hub         reachable" in capsys.readouterr().out


def test_the_lab_opens_the_start_page_on_loopback_with_its_token(monkeypatch, tmp_path):
    from nanogpt.course import lab

    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "00_start.ipynb").write_text("{}")
    monkeypatch.setenv("NANOGPT_HOME", str(tmp_path))
    seen = {}
    monkeypatch.setattr(lab.subprocess, "call", lambda command, **rest: seen.update(rest, command=command) or 0)
    assert nanogpt("lab") == 0
    assert seen["cwd"] == tmp_path
    assert "--LabApp.default_url=/lab/tree/notebooks/00_start.ipynb" in seen["command"]
    assert list(Path(seen["env"]["JUPYTER_CONFIG_PATH"]).rglob("default_setting_overrides.json"))
    assert "--ip=127.0.0.1" in seen["command"]
    assert not [flag for flag in seen["command"] if "token" in flag]


def test_outside_the_course_the_lab_says_so(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("NANOGPT_HOME", str(tmp_path))
    assert "run this in the folder that the course was cloned into" in refusal(capsys, "lab")


@pytest.mark.slow
def test_a_reader_that_leaves_early_is_no_error(run):
    command = f"{sys.executable} -m nanogpt sample {run} --prompt Once --max-new-tokens 3000 --seed 1 | head -c 20"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, timeout=60)
    assert (len(done.stdout), done.stderr) == (20, "")  # with this seed the model writes more before it ends a text


def test_a_wrong_flag_is_exit_code_2(capsys):
    assert nanogpt("sample", "--no-such-flag") == 2
