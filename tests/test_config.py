import dataclasses
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nanogpt.config import PRESETS, ModelConfig, RunConfig, TrainConfig


def test_the_default_model_is_the_30m_model():
    config = ModelConfig()
    shape = (config.n_layer, config.n_head, config.n_embd, config.context_length, config.vocab_size)
    assert shape == (6, 6, 384, 512, 50_304)
    assert (config.bias, config.dropout) == (False, 0.0)
    assert config.parameter_count(positions=False) == 29_938_560
    assert config.parameter_count() == 30_135_168


def test_gpt_30m_carries_the_notes_training():
    train = PRESETS["gpt-30m"].train
    assert (train.tokens_per_step, train.n_steps) == (32_768, 20_000)
    assert train.tokens_per_step * train.n_steps == 655_360_000
    assert (train.beta1, train.beta2, train.weight_decay, train.grad_clip) == (0.9, 0.95, 0.1, 1.0)
    assert train.final_learning_rate == pytest.approx(train.learning_rate / 10)
    assert train.warmup_steps > 0


@pytest.mark.parametrize("name", PRESETS)
def test_a_presets_tokens_divide_into_its_micro_batches(name):
    model, train = PRESETS[name].model, PRESETS[name].train
    assert train.tokens_per_step % (model.context_length * train.micro_batch_size) == 0


@pytest.mark.parametrize(
    ("name", "parameters"),  # with the vocabulary padded from 50,257 to 50,304 rows
    [("gpt2", 124_475_904), ("gpt2-medium", 354_871_296), ("gpt2-large", 774_090_240), ("gpt2-xl", 1_557_686_400)],
)
def test_the_gpt2_presets_have_gpt2s_sizes(name, parameters):
    assert PRESETS[name].model.parameter_count() == parameters


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"n_embd": 385}, "n_embd=385 does not divide into n_head=6 heads; choose a multiple of 6"),
        ({"vocab_size": 65_537}, "vocab_size=65537 does not fit the 16 bits"),
        ({"n_layer": 0}, "n_layer=0 is not positive"),
        ({"dropout": 1.0}, "dropout=1.0 is not a share"),
    ],
)
def test_a_model_that_does_not_fit_together_is_refused_by_name(change, says):
    with pytest.raises(ValueError, match=says):
        ModelConfig(**change)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"learning_rate": -1.0}, "learning_rate=-1.0 is not positive"),
        ({"learning_rate": float("nan")}, "learning_rate=nan is not positive"),
        ({"final_learning_rate": 1.0}, "final_learning_rate=1.0 is not between"),
        ({"warmup_steps": 30_000}, "warmup_steps=30000 is not between"),
        ({"beta1": 1.0}, "beta1=1.0 is not a decay rate"),
        ({"weight_decay": -0.1}, "weight_decay=-0.1 is negative"),
        ({"seed": -1}, "seed=-1 is out of range"),
    ],
)
def test_a_training_that_cannot_be_meant_is_refused_by_name(change, says):
    with pytest.raises(ValueError, match=says):
        TrainConfig(**change)


models = st.builds(
    lambda heads, dim, **rest: ModelConfig(n_head=heads, n_embd=heads * dim, **rest),
    heads=st.integers(1, 32),
    dim=st.integers(1, 128),
    n_layer=st.integers(1, 100),
    context_length=st.integers(1, 10_000),
    vocab_size=st.integers(1, 65_536),
    bias=st.booleans(),
    dropout=st.floats(0, 0.999),
)
trainings = st.builds(
    TrainConfig,
    n_steps=st.integers(400, 10**7),
    micro_batch_size=st.integers(1, 1000),
    optimizer=st.sampled_from(["adamw", "muon"]),
    learning_rate=st.floats(1e-4, 1.0),
    weight_decay=st.floats(0, 1),
    seed=st.integers(0, 2**63 - 1),
    compile=st.booleans(),
)


@given(models, trainings)
def test_a_configuration_survives_json(model, train):
    config = RunConfig(model, train)
    assert RunConfig.from_json(config.to_json()) == config


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "not JSON"),
        ("[]", "two parts"),
        ('{"model": {}, "train": {}}', "missing or unknown fields"),
        ('{"model": 3, "train": {}}', "should be an object"),
    ],
)
def test_json_that_is_no_configuration_is_refused(text, says):
    with pytest.raises(ValueError, match=says):
        RunConfig.from_json(text)


def test_a_value_of_another_type_is_refused_by_name():
    text = RunConfig().to_json().replace('"n_layer": 6', '"n_layer": "6"')
    with pytest.raises(ValueError, match="n_layer='6' should be of type int"):
        RunConfig.from_json(text)


def test_the_classes_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        ModelConfig().n_layer = 3


def test_config_needs_no_torch():
    code = (
        "import sys, importlib.util as u; s = u.spec_from_file_location('c', sys.argv[1]); "
        "m = u.module_from_spec(s); sys.modules['c'] = m; s.loader.exec_module(m); assert 'torch' not in sys.modules"
    )
    import nanogpt.config

    subprocess.run([sys.executable, "-c", code, nanogpt.config.__file__], check=True)
