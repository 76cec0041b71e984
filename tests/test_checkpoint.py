import errno
import os
import subprocess
import sys
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

import nanogpt.checkpoint as checkpoint
from nanogpt.checkpoint import (
    StoredTensor,
    checkpoints,
    empty_model,
    load_checkpoint,
    model_tensors,
    require_free,
    save_checkpoint,
    set_model_tensors,
    stored_tensors,
    write_folder,
    write_tensors,
    write_whole,
)
from nanogpt.config import ModelConfig
from nanogpt.model import GPT

SMALL = ModelConfig(n_layer=1, n_head=1, n_embd=8, context_length=4, vocab_size=16)


def save(run, step: int, value: float = 0.0):
    return save_checkpoint(run, step, {"w": torch.full((3,), value)}, {"w/m": torch.ones(3)}, {})


def test_a_checkpoint_comes_back_as_it_was(tmp_path):
    tensors = {"a": torch.randn(3, 4), "b": torch.arange(5)}
    memory = {"a/exp_avg": torch.randn(3, 4).T}  # not contiguous
    folder = save_checkpoint(tmp_path, 7, tensors, memory, {"note": "x"})
    assert folder.name == "step_000007"
    assert sorted(f.name for f in folder.iterdir()) == ["model.safetensors", "optimizer.safetensors", "state.json"]
    weights, optimizer, state = load_checkpoint(folder)
    torch.testing.assert_close(weights, tensors, atol=0, rtol=0)
    torch.testing.assert_close(optimizer, memory, atol=0, rtol=0)
    assert (state["step"], state["note"]) == (7, "x")


def test_the_newest_two_are_kept(tmp_path):
    for step in (5, 10, 15, 1_000_000):
        save(tmp_path, step)
    assert [f.name for f in checkpoints(tmp_path)] == ["step_000015", "step_1000000"]


def test_an_end_while_an_old_checkpoint_is_deleted_leaves_no_half_of_it(tmp_path, monkeypatch):
    def killed_after_one_file(folder):
        next(folder.iterdir()).unlink()
        raise KeyboardInterrupt

    for step in (5, 10):
        save(tmp_path, step)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(checkpoint.shutil, "rmtree", killed_after_one_file)
        save(tmp_path, 15)
    assert [load_checkpoint(f)[2]["step"] for f in checkpoints(tmp_path)] == [10, 15]
    save(tmp_path, 20)
    assert sorted(f.name for f in tmp_path.iterdir()) == ["step_000015", "step_000020"]


def steps_of_saving(monkeypatch, tmp_path) -> int:
    """How many times a save touches the disk in a way that can fail."""
    calls = []
    arm(monkeypatch, lambda: calls.append(1))
    save(tmp_path / "count", 1)
    monkeypatch.undo()
    return len(calls)


def arm(monkeypatch, trap) -> None:
    """Spring `trap` before each write, flush and rename of a save."""
    import safetensors.torch

    def guarded(function):
        def call(*args, **kwargs):
            trap()
            return function(*args, **kwargs)

        return call

    monkeypatch.setattr(safetensors.torch, "save_file", guarded(safetensors.torch.save_file))
    monkeypatch.setattr(checkpoint, "flush_to_disk", guarded(checkpoint.flush_to_disk))
    monkeypatch.setattr("pathlib.Path.write_text", guarded(checkpoint.Path.write_text))
    monkeypatch.setattr("pathlib.Path.replace", guarded(checkpoint.Path.replace))


def test_a_full_disk_at_any_moment_leaves_the_previous_checkpoint_whole(monkeypatch, tmp_path):
    moments = steps_of_saving(monkeypatch, tmp_path)
    assert moments >= 8
    for moment in range(moments - 1):  # the last one flushes the rename: the new one is there then
        run = tmp_path / f"run{moment}"
        save(run, 1, value=1.0)
        left = [moment]

        def full(left=left):
            left[0] -= 1
            if left[0] < 0:
                raise OSError(errno.ENOSPC, "No space left on device")

        with monkeypatch.context() as patch:
            arm(patch, full)
            with pytest.raises(OSError, match="No space left"):
                save(run, 2, value=2.0)
        assert [f.name for f in run.iterdir()] == ["step_000001"]
        weights, _, _ = load_checkpoint(checkpoints(run)[-1])
        assert weights["w"].tolist() == [1.0] * 3


def test_a_save_that_the_system_cuts_short_leaves_the_previous_one(tmp_path):
    save(tmp_path, 1)
    code = (
        "import sys, resource, signal, torch; from pathlib import Path; from nanogpt.checkpoint import save_checkpoint;"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096));"
        "save_checkpoint(Path(sys.argv[1]), 2, {'w': torch.ones(100_000)}, {}, {})"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True)
    assert done.returncode == 1
    assert "could not be written" in done.stderr or "File too large" in done.stderr
    assert [f.name for f in tmp_path.iterdir()] == ["step_000001"]


@pytest.mark.parametrize("name", ["model.safetensors", "optimizer.safetensors", "state.json"])
@pytest.mark.parametrize("damage", ["cut", "flip", "gone"])
def test_a_damaged_checkpoint_is_refused_by_file_with_the_way_out(name, damage, tmp_path):
    folder = save(tmp_path, 3)
    path = folder / name
    raw = bytearray(path.read_bytes())
    if damage == "cut":
        path.write_bytes(raw[:-3])
    elif damage == "flip":
        raw[len(raw) // 2] ^= 0xFF
        path.write_bytes(raw)
    else:
        path.unlink()
    with pytest.raises(ValueError, match=rf"{name} is missing, cut short or altered; remove .*step_000003 to go on"):
        load_checkpoint(folder)


def test_the_tied_head_is_kept_once(tmp_path):
    model = GPT(SMALL)
    tensors = model_tensors(model)
    assert "lm_head.weight" not in tensors
    again = GPT(SMALL)
    set_model_tensors(again, tensors, tmp_path)
    assert again.lm_head.weight is again.token_embedding.weight
    x = torch.randint(16, (2, 4))
    torch.testing.assert_close(again(x), model(x), atol=0, rtol=0)


def test_weights_of_another_shape_are_refused_by_name(tmp_path):
    other = model_tensors(GPT(ModelConfig(n_layer=1, n_head=1, n_embd=8, context_length=5, vocab_size=16)))
    with pytest.raises(ValueError, match=r"position_embedding.weight has shape \(5, 8\), the model expects \(4, 8\)"):
        set_model_tensors(GPT(SMALL), other, tmp_path)


def test_weights_of_another_depth_are_refused_by_name(tmp_path):
    other = model_tensors(GPT(ModelConfig(n_layer=2, n_head=1, n_embd=8, context_length=4, vocab_size=16)))
    with pytest.raises(ValueError, match=r"blocks.1.attention.proj.weight is missing on one side"):
        set_model_tensors(GPT(SMALL), other, tmp_path)


def test_write_whole_replaces_a_file_or_leaves_it(tmp_path):
    path = tmp_path / "report.json"
    write_whole(path, lambda partial: partial.write_text("one"))

    def fail_half_way(partial):
        partial.write_text("tw")
        raise RuntimeError("half-way")

    with pytest.raises(RuntimeError):
        write_whole(path, fail_half_way)
    assert path.read_text() == "one"
    assert list(tmp_path.iterdir()) == [path]


def test_write_whole_flushes_every_file_of_a_folder_and_of_the_folders_in_it(tmp_path, monkeypatch):
    flushed = []
    monkeypatch.setattr(checkpoint, "flush_to_disk", lambda path: flushed.append(path.name))

    def fill(folder):
        (folder / "inner").mkdir(parents=True)
        (folder / "inner" / "a").write_text("a")
        (folder / "b").write_text("b")

    write_whole(tmp_path / "run", fill)
    (partial,) = set(flushed) - {"a", "b", "inner", tmp_path.name}
    assert partial.startswith(f".run.{os.getpid()}-")
    assert partial.endswith(".partial")


def test_several_may_write_the_same_file_at_once(tmp_path):
    path, all_there = tmp_path / "report.json", threading.Barrier(4)

    def slowly(text):
        def write(partial):
            partial.write_text(text[:2])
            all_there.wait(10)
            partial.write_text(text)

        write_whole(path, write)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(slowly, ["one", "two", "three", "four"]))
    assert path.read_text() in ("one", "two", "three", "four")
    assert list(tmp_path.iterdir()) == [path]


def test_what_killed_writers_left_is_cleared_up_and_what_others_are_at_is_not(tmp_path):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    mine, gone = os.getpid(), ended.pid
    stale = [f".run.{gone}-00000000.partial", f".run.{mine}-00000000.partial", ".run.partial"]
    others = [f".run.{mine}-11111111.partial", f".run.json.{gone}-00000000.partial", ".run.notes.partial"]
    for name in stale + others:
        (tmp_path / name).mkdir()
        (tmp_path / name / "a").write_text("a")
    day_before_yesterday = time.time() - 2 * 86_400
    os.utime(tmp_path / stale[1], (day_before_yesterday, day_before_yesterday))
    write_whole(tmp_path / "run", lambda partial: partial.write_text("whole"))
    assert {path.name for path in tmp_path.iterdir()} == {"run", *others}


def test_a_folder_is_written_where_none_or_an_empty_one_is(tmp_path):
    for place in (tmp_path / "empty", tmp_path / "deep" / "new"):
        if place.name == "empty":
            place.mkdir()
        require_free(place, "choose another")
        write_folder(place, lambda folder: (folder / "a").write_text("a"))
        assert [p.name for p in place.iterdir()] == ["a"]
        with pytest.raises(FileExistsError, match=f"{place} already exists; choose another"):
            require_free(place, "choose another")
    with pytest.raises(FileExistsError, match="a already exists"):
        require_free(tmp_path / "empty" / "a", "choose another")


def as_stored(tensors: dict[str, torch.Tensor]) -> dict[str, StoredTensor]:
    return {n: StoredTensor(tuple(t.shape), str(t.dtype), lambda t=t: t) for n, t in tensors.items()}


def test_tensors_written_one_by_one_are_what_safetensors_reads(tmp_path):
    from safetensors.torch import load_file

    tensors = {
        "matrix": torch.randn(3, 5), "transposed": torch.randn(7, 2).T, "half": torch.randn(4).half(),
        "scalar": torch.tensor(2.5), "empty": torch.zeros(0, 3), "é": torch.randn(1),
    }  # fmt: skip
    write_tensors(tmp_path / "t.safetensors", as_stored(tensors))
    read = load_file(tmp_path / "t.safetensors")
    assert read.keys() == tensors.keys()
    for name, tensor in tensors.items():
        torch.testing.assert_close(read[name], tensor.float(), atol=0, rtol=0)


def test_one_tensor_is_in_memory_at_a_time(tmp_path):
    alive = []

    def read():
        assert not alive, "the tensor before is still held"
        alive.append(1)
        tensor = torch.ones(100)
        weakref.finalize(tensor, alive.pop)
        return tensor

    write_tensors(tmp_path / "t.safetensors", {name: StoredTensor((100,), "float32", read) for name in "abc"})
    assert list(stored_tensors(tmp_path / "t.safetensors")) == ["a", "b", "c"]


def test_what_a_file_holds_is_known_before_it_is_read(tmp_path):
    from safetensors.torch import save_file

    tensors = {"a": torch.randn(2, 3).bfloat16(), "b": torch.arange(4), "c": torch.tensor(True)}
    save_file(tensors, tmp_path / "t.safetensors")
    stored = stored_tensors(tmp_path / "t.safetensors")
    assert {name: (s.shape, s.dtype) for name, s in stored.items()} == {
        "a": ((2, 3), "bfloat16"), "b": ((4,), "int64"), "c": ((), "bool"),
    }  # fmt: skip
    torch.testing.assert_close({name: s.read() for name, s in stored.items()}, tensors, atol=0, rtol=0)
    assert stored["a"].T.shape == (3, 2)
    torch.testing.assert_close(stored["a"].T.read(), tensors["a"].T, atol=0, rtol=0)


@pytest.mark.parametrize("size", [0, 4, 50, 200])
def test_a_tensor_file_that_was_cut_is_named(size, tmp_path):
    path = tmp_path / "t.safetensors"
    write_tensors(path, as_stored({"a": torch.ones(50)}))
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(ValueError, match=r"t\.safetensors is not a whole safetensors file"):
        stored_tensors(path)


def test_an_empty_model_takes_the_tensors_over_and_is_tied(tmp_path):
    model = GPT(SMALL).eval()
    tensors = {name: tensor.clone() for name, tensor in model_tensors(model).items()}
    filled = empty_model(SMALL).eval()
    set_model_tensors(filled, tensors, tmp_path)
    assert filled.lm_head.weight is filled.token_embedding.weight
    assert filled.token_embedding.weight.data_ptr() == tensors["token_embedding.weight"].data_ptr()
    assert all(parameter.requires_grad for parameter in filled.parameters())
    assert filled.parameter_count() == model.parameter_count()
    x = torch.randint(16, (2, 4))
    torch.testing.assert_close(filled(x), model(x), atol=0, rtol=0)


def test_a_model_with_weights_of_its_own_gets_copies(tmp_path):
    tensors = {name: tensor.clone() for name, tensor in model_tensors(GPT(SMALL)).items()}
    model = GPT(SMALL)
    weight = model.token_embedding.weight
    set_model_tensors(model, tensors, tmp_path)
    assert model.token_embedding.weight is weight  # an optimiser that holds it goes on holding it
    tensors["token_embedding.weight"].zero_()
    assert weight.abs().sum() > 0


def test_what_was_loaded_is_ones_own_and_can_be_changed(tmp_path):
    folder = save(tmp_path, 3, value=1.0)
    weights, memory, _ = load_checkpoint(folder)
    weights["w"].add_(1)
    memory["w/m"].zero_()
    (folder / "model.safetensors").write_bytes(b"")  # nothing of it is mapped into memory any more
    assert weights["w"].tolist() == [2.0] * 3
