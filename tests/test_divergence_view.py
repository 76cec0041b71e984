import dataclasses
import math
import re

import pytest
import torch
from random_gpt2 import in_our_model, random_gpt2
from touch import counted, move

from nanogpt.config import ModelConfig
from nanogpt.course.widgets.divergence import DivergenceView, divergence_view, judged, meaning
from nanogpt.divergence import IN_A_BLOCK, Divergence, Layer, compare_models

CONFIG = ModelConfig(n_layer=2, n_head=2, n_embd=32, context_length=16, vocab_size=64, bias=True)
IDS = torch.randint(64, (2, 12), generator=torch.Generator().manual_seed(3))


@pytest.fixture(scope="module")
def theirs():
    return random_gpt2(CONFIG)


@pytest.fixture(scope="module")
def planted(theirs) -> Divergence:
    """One transpose too few, in block 1."""
    ours = in_our_model(theirs, CONFIG)
    proj = ours.blocks[1].attention.proj
    proj.weight.data = proj.weight.data.T.clone()
    return compare_models(ours, theirs, IDS)


@pytest.fixture
def view(planted) -> DivergenceView:
    return divergence_view(planted)


def report(*relative: float, tolerance: float = 1e-5) -> Divergence:
    """Places of one block and what stands around it, apart by so much."""
    names = ["embeddings", *(f"blocks.0{inside}" for inside in IN_A_BLOCK), "final_norm", "logits"]
    values = [*relative, *[relative[-1]] * (len(names) - len(relative))]
    layers = [Layer(name, r * 2, 2.0, False) for name, r in zip(names, values, strict=True)]
    return judged(Divergence(layers, tolerance), tolerance)


def rows(view: DivergenceView) -> list[tuple[str, str]]:
    """Each place and the verdict beside it."""
    found = re.findall(r'<li class="place .*?"><span>.*?</span><span>(.*?)</span><span>(.*?)</span>', view.view.value)
    return [(name, re.sub(r" [^ ]+$", "", said)) for name, said in found]


def test_the_places_are_told_in_order_with_a_sign_and_a_word(planted, view):
    names = [layer.name for layer in planted.layers]
    first = names.index("blocks.1.attention.proj")
    assert [name for name, _ in rows(view)] == names
    after = ["· differs after"] * (len(names) - first - 1)
    assert [said for _, said in rows(view)] == ["= same"] * first + ["✗ differs first"] + after
    assert "block 0: = same" in view.view.value and "block 1: ✗ differs first" in view.view.value


def test_it_opens_at_the_first_that_differs_and_says_what_that_means(view):
    assert view.status.text.startswith(
        "At a tolerance of 1e-05 of the values' size blocks.1.attention.proj is the first that differs, by "
    )
    assert "The error lies between blocks.1.attention.heads and blocks.1.attention.proj. A matrix" in view.status.text
    assert view.place.value == 15
    assert view.facts.text.startswith("blocks.1.attention.proj, place 15 of 23: largest difference ")
    assert view.facts.text.endswith(": differs first")
    assert 'role="status"' in view.status.widget.value and 'role="status"' in view.facts.widget.value


def test_the_picker_tells_of_any_place(planted, view):
    move(view.place, value=1)
    assert view.facts.text.startswith("embeddings, place 1 of 23: ") and view.facts.text.endswith(": same")
    assert re.findall(r"<span>▸(.*?)</span><span>(.*?)<", view.view.value) == [("1", "embeddings")]
    move(view.place, value=23)
    layer = planted.layers[-1]
    assert view.facts.text == (
        f"logits, place 23 of 23: largest difference {layer.difference:.2g}, largest value {layer.scale:.2g}, "
        f"so {layer.relative:.2g} of its size: differs after"
    )


def test_the_tolerance_judges_anew_by_slider_and_by_box(view):
    move(view.tolerance.slider, value=1.0)
    assert view.tolerance.box.value == 1.0
    assert view.status.text.startswith("At a tolerance of 10 of the values' size all 23 places are the same.")
    assert {said for _, said in rows(view)} == {"= same"}
    assert view.facts.text.endswith(": same")
    move(view.tolerance.box, value=-9.0)
    assert view.tolerance.slider.value == -9.0
    assert "rounding" in view.status.text
    move(view.tolerance.box, value=-5.0)
    assert "blocks.1.attention.proj is the first that differs" in view.status.text


def test_judging_anew_is_what_comparing_anew_would_say(theirs):
    ours = in_our_model(theirs, CONFIG)
    ours.blocks[0].mlp.up.bias.data[3] += 1e-3
    divergence = compare_models(ours, theirs, IDS)
    for tolerance in (1e-9, 1e-4, 1e-3, 1.0):
        assert judged(divergence, tolerance) == compare_models(ours, theirs, IDS, tolerance)


def test_a_tolerance_between_the_steps_is_taken_exactly_until_it_is_moved(planted):
    for tolerance in (2e-5, 3e-12, 0.0):
        odd = judged(planted, tolerance)
        assert divergence_view(odd).divergence == odd


def test_a_tolerance_that_hides_the_error_says_so():
    view = divergence_view(report(0.0, 1e-7, 1e-7, 3e-4, 5e-4, tolerance=4e-4))
    assert view.status.text.endswith(
        "blocks.0.attention.proj is the first that differs, by 0.0005. Yet blocks.0.attention.heads is off by "
        "0.0003, more than rounding makes. The error lies there or before: the tolerance is too wide to see it."
    )
    move(view.tolerance.box, value=-3.0)
    assert view.status.text.endswith("Yet blocks.0.attention.heads is off by 0.0003, more than rounding makes.")


def test_equal_models_are_the_same_everywhere(theirs):
    view = divergence_view(compare_models(in_our_model(theirs, CONFIG), theirs, IDS))
    assert view.status.text == "At a tolerance of 1e-05 of the values' size all 23 places are the same."
    assert view.place.value == 1


def test_each_place_has_its_own_usual_mistake():
    usual = {
        "embeddings": "tables of tokens", ".attention_norm": "epsilon", ".attention.qkv": "queries",
        ".attention.heads": "split", ".attention.proj": "square", ".attention.sum": "added", ".mlp_norm": "epsilon",
        ".mlp.up": "bias", ".mlp.gelu": "tanh", ".mlp.proj": "bias", "": "the MLP brought", "final_norm": "epsilon",
        "logits": "the head",
    }  # fmt: skip
    assert set(IN_A_BLOCK) <= set(usual)
    for place, (name, words) in enumerate(usual.items()):
        divergence = report(*[1e-7] * place, 0.1)
        assert divergence.first.name in (name, f"blocks.0{name}")
        assert words in meaning(divergence)
    assert "in what comes first of all" in meaning(report(0.1))


def test_what_is_no_number_differs_and_is_drawn():
    divergence = report(0.0, 1e-7)
    layers = [*divergence.layers[:2], *(dataclasses.replace(x, difference=math.nan) for x in divergence.layers[2:])]
    view = divergence_view(judged(Divergence(layers, 1e-5), 1e-5))
    assert "blocks.0.attention.qkv is the first that differs, by nan" in view.status.text
    assert rows(view)[2][1] == "✗ differs first"
    view._repr_mimebundle_()


def test_a_name_is_shown_as_text():
    layers = [Layer("<script>alert(1)</script>", 1.0, 1.0, True)]
    view = divergence_view(Divergence(layers, 1e-5))
    assert "<script>" not in view.view.value + view.status.widget.value + view.facts.widget.value


def test_in_a_deep_model_only_what_tells_something_is_unfolded():
    names = ["embeddings", *(f"blocks.{i}{inside}" for i in range(12) for inside in IN_A_BLOCK), "final_norm", "logits"]
    layers = [Layer(name, 0.1 if i > 45 else 1e-7, 1.0, i > 45) for i, name in enumerate(names)]
    with counted() as sizes:
        view = divergence_view(Divergence(layers, 1e-5))
        sizes.clear()
        move(view.place, value=3)
    assert re.findall(r"<details open><summary>(.*?)</summary>", view.view.value) == [
        "block 0: = same", "block 4: ✗ differs first",
    ]  # fmt: skip
    assert view.view.value.count("<details") == 12
    assert sum(sizes) < 60_000


def test_the_picture_is_the_chapters_own(planted, view, monkeypatch):
    monkeypatch.setenv("NANOGPT_PICTURES", "1")
    data, metadata = view._repr_mimebundle_()
    assert set(data) == {"image/png", "text/plain"}
    assert "then blocks.1.attention.proj differs by" in data["text/plain"]
    assert metadata["image/png"]["alt"] == data["text/plain"]
    move(view.tolerance.box, value=1.0)
    assert "all are the same" in view._repr_mimebundle_()[0]["text/plain"]


def test_every_control_has_a_label(view):
    for control in (view.tolerance.box, view.tolerance.slider, view.place):
        assert control.tooltip
    assert view.tolerance.box.description and view.place.description
