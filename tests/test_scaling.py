import math

import pytest

from nanogpt.config import PRESETS
from nanogpt.scaling import CHINCHILLA, CHINCHILLA_REFIT, flops_per_token, forecast_loss, training_flops

NOTE = PRESETS["gpt-30m"]
PARAMETERS = NOTE.model.parameter_count(positions=False)


def test_chinchillas_third_approach_by_hand():
    expected = 1.69 + 406.4 / 1e9**0.34 + 410.7 / 20e9**0.28
    assert forecast_loss(CHINCHILLA, 10**9, 20 * 10**9) == pytest.approx(expected)
    assert expected == pytest.approx(2.5801, abs=1e-3)


def test_the_notes_model_is_forecast_to_end_near_perplexity_70_and_at_100k_steps_near_41():
    after_20k, after_100k = (steps * NOTE.train.tokens_per_step for steps in (20_000, 100_000))
    assert forecast_loss(CHINCHILLA, PARAMETERS, after_20k) == pytest.approx(4.25, abs=0.005)
    assert math.exp(forecast_loss(CHINCHILLA, PARAMETERS, after_20k)) == pytest.approx(70, abs=0.5)
    for law in (CHINCHILLA, CHINCHILLA_REFIT):
        assert 41 <= math.exp(forecast_loss(law, PARAMETERS, after_100k)) <= 42.5


def test_more_parameters_or_tokens_never_raise_a_forecast():
    for law in (CHINCHILLA, CHINCHILLA_REFIT):
        losses = [forecast_loss(law, 10**n, 10**9) for n in range(6, 12)]
        assert losses == sorted(losses, reverse=True)
        losses = [forecast_loss(law, 10**8, 10**n) for n in range(6, 14)]
        assert losses == sorted(losses, reverse=True)
        assert losses[-1] > law.floor


@pytest.mark.parametrize(("parameters", "tokens"), [(0, 10), (10, 0), (-5, 10)])
def test_a_forecast_of_nothing_is_refused(parameters, tokens):
    with pytest.raises(ValueError, match="a forecast needs a model and some training, got"):
        forecast_loss(CHINCHILLA, parameters, tokens)


def test_the_notes_model_takes_194_megaflop_a_token():
    assert flops_per_token(NOTE.model) == 6 * 29_938_560 + 12 * 6 * 384 * 512
    assert flops_per_token(NOTE.model) == pytest.approx(194e6, rel=2e-3)
    assert training_flops(NOTE.model, 655_360_000) == flops_per_token(NOTE.model) * 655_360_000
