import json

import numpy as np
import pytest
import torch

from nanogpt.course import plots, progress, tiers
from nanogpt.course.claims import CLAIMS


def test_the_tier_can_be_named(monkeypatch):
    for name in tiers.TIERS:
        monkeypatch.setenv("NANOGPT_TIER", name)
        assert tiers.tier() == name
        assert tiers.pick(smoke="smoke", laptop="laptop", gpu="gpu") == name
    monkeypatch.setenv("NANOGPT_TIER", "cluster")
    with pytest.raises(ValueError, match="NANOGPT_TIER='cluster' is not a tier; choose smoke, laptop or gpu"):
        tiers.tier()


@pytest.mark.parametrize(("cuda", "found"), [(True, "gpu"), (False, "laptop")])
def test_unset_the_tier_follows_the_machine(cuda, found, monkeypatch):
    monkeypatch.delenv("NANOGPT_TIER")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    assert tiers.tier() == found


def test_the_workspace_is_the_course_seen_from_its_notebooks(monkeypatch, tmp_path):
    monkeypatch.delenv("NANOGPT_HOME")
    (tmp_path / "notebooks").mkdir()
    for place in (tmp_path, tmp_path / "notebooks"):
        monkeypatch.chdir(place)
        assert tiers.workspace() == tmp_path


def test_a_new_run_never_meets_an_old_one(monkeypatch, tmp_path):
    monkeypatch.setenv("NANOGPT_HOME", str(tmp_path))
    for expected in ("start", "start-2", "start-3"):
        run = tiers.new_run("start")
        assert run == tmp_path / "runs" / expected
        run.mkdir(parents=True)


@pytest.fixture
def home(monkeypatch, tmp_path):
    monkeypatch.setenv("NANOGPT_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def test_there_are_eleven_claims_in_order():
    assert [claim.id for claim in CLAIMS] == [f"C{i}" for i in range(1, 12)]


def test_predictions_come_back(home):
    assert progress.read_predictions() == {}
    bets = {"C1": ("holds", 29.94), "C2": ("false", None), "C11": ("unsure", 3)}
    progress.save_predictions(bets)
    assert progress.read_predictions() == bets
    assert json.loads((home / "progress.json").read_text())["predictions"]["C1"] == ["holds", 29.94]


@pytest.mark.parametrize(
    ("bets", "says"),
    [
        ({"C12": ("holds", 1)}, "'C12' is not one of the claims C1 to C11"),
        ({"C1": ("maybe", 1)}, "C1: .* is not a prediction; write one of holds, false, unsure"),
        ({"C1": "holds"}, "is not a prediction"),
        ({"C1": ("holds", "many")}, "the figure 'many' is not a number"),
    ],
)
def test_a_prediction_that_is_none_is_refused_and_loses_nothing(bets, says, home):
    progress.save_predictions({"C1": ("false", 30)})
    with pytest.raises(ValueError, match=says):
        progress.save_predictions(bets)
    assert progress.read_predictions() == {"C1": ("false", 30)}


def test_running_the_notebook_afresh_costs_nobody_their_bets(home):
    progress.save_predictions({"C1": ("false", 30), "C2": ("unsure", None)})
    progress.save_predictions({"C1": ("unsure", None), "C2": ("unsure", 0.7)})
    assert progress.read_predictions() == {"C1": ("false", 30), "C2": ("unsure", 0.7)}


def test_predictions_leave_the_rest_of_the_file_alone(home):
    progress.save_predictions({"C1": ("false", 30)})
    path = progress.progress_file()
    path.write_text(json.dumps(json.loads(path.read_text()) | {"passed": ["causal_mask"]}))
    progress.save_predictions({"C2": ("holds", None)})
    assert progress.read_progress() == {
        "passed": ["causal_mask"],
        "predictions": {"C1": ["false", 30], "C2": ["holds", None]},
    }


def test_a_progress_file_of_another_kind_is_not_overwritten(home):
    home.mkdir()
    (home / "progress.json").write_text("my notes")
    with pytest.raises(ValueError, match=r"progress.json is not a progress file; rename it"):
        progress.save_predictions({"C1": ("false", 30)})
    assert (home / "progress.json").read_text() == "my notes"


METRICS = [{"step": i, "loss": 6.0 - 0.03 * i} for i in range(100)] + [{"step": 100, "loss": 3.0, "val_loss": 3.1}]
BASELINES = {"uniform": 6.2, "bigram": 3.9}


def test_the_loss_chart_shows_what_it_is_given():
    axes = plots.plot_loss(METRICS, BASELINES)
    assert len(axes.lines) == 2 + 2 + 1  # the baselines, raw and smoothed, held out
    assert {text.get_text() for text in axes.texts} == {"uniform 6.20", "bigram 3.90"}
    assert axes.get_ylabel() == "loss (nats per token)"


def test_the_words_of_the_loss_chart_come_from_its_numbers():
    words = plots.describe_loss(METRICS, BASELINES)
    assert "101 training steps: it falls from 6.00 to 3.0" in words
    assert "below uniform and bigram" in words
    assert "above every baseline" in plots.describe_loss(METRICS[:2], {"bigram": 3.9})


def test_smoothing_keeps_a_constant_and_the_first_value():
    assert plots.smooth(np.full(50, 2.0)) == pytest.approx(np.full(50, 2.0))
    assert plots.smooth(np.arange(50.0))[0] == 0


def test_the_ladder_has_a_bar_a_model():
    ladder = {"uniform": 3.5, "bigram": 2.4, "your GPT": 1.8}
    axes = plots.plot_ladder(ladder, "your GPT")
    assert [bar.get_width() for bar in axes.patches] == [3.5, 2.4, 1.8]
    assert [bar.get_hatch() for bar in axes.patches] == ["///", "///", None]  # told apart without colour
    assert "your GPT 1.80" in plots.describe_ladder(ladder)


def test_tokens_on_a_chart_can_be_read():
    axes = plots.plot_next_tokens({"before": [(" the", 0.5), ("\n", 0.25), ("$x$", 0.1)]})
    assert [label.get_text() for label in axes.get_yticklabels()] == ["␣the", "⏎", r"\$x\$"]
    assert "before: ' the' 50.0%" in plots.describe_next_tokens({"before": [(" the", 0.5)]})


def test_the_attention_chart_says_where_the_last_tokens_look():
    weights = torch.tensor([[1.0, 0, 0], [0.2, 0.8, 0], [0.1, 0.7, 0.2]])
    plots.plot_attention(weights, ["a", "b", "c"], "layer 0, head 1")
    words = plots.describe_attention(weights, ["a", "b", "c"], "layer 0, head 1")
    assert "'c' at 'b' (70%)" in words


def test_a_live_chart_draws_itself_in_one_place_and_not_at_every_step(monkeypatch):
    shown = []
    monkeypatch.setattr(plots, "show", lambda axes, alt, display_id, update: shown.append((display_id, update)))
    chart = plots.LiveLoss(BASELINES, every_seconds=1000)
    for metrics in METRICS:
        chart.add(metrics)
    chart.draw()
    assert len(shown) == 2
    assert shown[0][0] == shown[1][0]
    assert [update for _, update in shown] == [False, True]


def test_a_picture_is_published_with_its_words(monkeypatch):
    seen = {}
    monkeypatch.setattr("IPython.display.publish_display_data", lambda data, **rest: seen.update(data=data, **rest))
    plots.show(plots.plot_ladder({"a": 1.0}, "a"), "words for the picture")
    assert seen["metadata"]["image/png"]["alt"] == seen["data"]["text/plain"] == "words for the picture"
    assert seen["data"]["image/png"].startswith("iVBOR")
