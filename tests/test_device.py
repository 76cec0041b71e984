import pytest
import torch

from nanogpt.device import autocast, choose_device, choose_precision, matmul_gflops

CPU = torch.device("cpu")


def test_auto_finds_a_device_and_a_missing_one_is_named():
    assert choose_device("auto").type in ("cpu", "cuda", "mps")
    with pytest.raises(ValueError, match="device='tpu' is not on this machine, which has cpu"):
        choose_device("tpu")


def test_the_speed_of_a_product_is_measured():
    assert matmul_gflops(CPU, torch.float32) > 0.1


@pytest.mark.parametrize(("half", "chosen"), [(50.0, "float32"), (120.0, "float32"), (300.0, "bfloat16")])
def test_precision_follows_the_measurement(half, chosen, monkeypatch):
    speeds = {torch.float32: 100.0, torch.bfloat16: half}
    monkeypatch.setattr("nanogpt.device.matmul_gflops", lambda device, dtype: speeds[dtype])
    assert choose_precision("auto", CPU) == chosen
    assert choose_precision("float32", CPU) == "float32"


def test_autocast_multiplies_in_what_was_chosen():
    a = torch.randn(4, 4)
    for name, dtype in (("float32", torch.float32), ("bfloat16", torch.bfloat16)):
        with autocast(CPU, name):
            assert (a @ a).dtype == dtype
