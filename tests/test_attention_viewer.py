import copy
import html
import math
import re
import threading
import time

import pytest
import torch
from touch import at_work, click, counted, ended, move

from nanogpt.config import ModelConfig
from nanogpt.course.widgets import attention, heads
from nanogpt.course.widgets.attention import SHOWN, AttentionViewer, attention_viewer, read_text
from nanogpt.model import GPT

TOKENS = ["the", " cat", "\n", "<b>"]
WEIGHTS = torch.tensor(  # (2, 2, 4, 4)
    [
        [
            [[1, 0, 0, 0], [0.25, 0.75, 0, 0], [0.6, 0.3, 0.1, 0], [0.9, 0.06, 0.04, 0]],
            [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]],
        ],
        [
            [[1, 0, 0, 0], [0.5, 0.5, 0, 0], [0.25, 0.25, 0.5, 0], [0.25, 0.25, 0.25, 0.25]],
            [[0.7, 0.3, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0.998, 0.002, 0]],  # the first sees the future
        ],
    ]
)


@pytest.fixture
def viewer() -> AttentionViewer:
    return attention_viewer(weights=WEIGHTS, tokens=TOKENS)


@pytest.fixture
def reader(story_run) -> AttentionViewer:
    return attention_viewer(story_run)


def boxes(viewer: AttentionViewer) -> list[tuple[str, str]]:
    """The tokens as they are shown, each with what is written below it."""
    return re.findall(r'class="txt">(.*?)</span><span class="num">(.*?)<', viewer.view.value)


def chosen_map(viewer: AttentionViewer) -> list[str]:
    return re.findall(r'class="chosen"><figcaption>(.*?)<', viewer.maps.value)


def test_each_token_carries_its_share_and_the_largest_are_named(viewer):
    assert boxes(viewer) == [("the", "90%"), ("␣cat", "6%"), ("⏎", "4%"), ("&lt;b&gt;", "· ▲")]
    expected = "Layer 0, head 0: token 3, '<b>', looks most at 'the' (token 0) 90%, ' cat' (token 1) 6%"
    assert viewer.facts.text.startswith(expected)
    assert 'role="status"' in viewer.facts.widget.value


def test_the_token_box_chooses_who_looks(viewer):
    move(viewer.token, value=2)
    assert [said for _, said in boxes(viewer)] == ["60%", "30%", "10% ▲", "·"]
    assert viewer.facts.text.endswith(
        r"token 2, '\n', looks most at 'the' (token 0) 60%, ' cat' (token 1) 30%, itself 10%"
    )
    move(viewer.token, value=9)  # beyond the last is the last
    assert boxes(viewer)[-1][1] == "· ▲"


def test_the_head_and_the_layer_are_chosen_by_their_boxes(viewer):
    move(viewer.head, value=1)
    assert [said for _, said in boxes(viewer)] == ["·", "·", "·", "100% ▲"]
    assert chosen_map(viewer) == ["▸ head 1"]
    move(viewer.layer, value=1)
    assert [said for _, said in boxes(viewer)] == ["·", "100%", "·", "· ▲"]
    assert "All heads of layer 1" in viewer.maps.value
    move(viewer.head, value=0)
    assert [said for _, said in boxes(viewer)] == ["25%", "25%", "25%", "25% ▲"]


def test_a_leak_from_the_future_is_shown(viewer):
    move(viewer.layer, value=1)
    move(viewer.head, value=1)
    move(viewer.token, value=0)
    assert [said for _, said in boxes(viewer)] == ["70% ▲", "30%", "·", "·"]


def test_shades_grow_with_the_weight_and_text_on_them_can_be_read():
    shades = [heads.shade(weight) for weight in (0, 0.009, 0.01, 0.05, 0.15, 0.35, 0.65, 1)]
    assert shades == sorted(shades) and shades[:2] == [0, 0] and len(set(shades)) == 6

    def luminance(colour) -> float:
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (c / 255 for c in colour)]
        return sum(part * c for part, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    def over(alpha: float, top, ground) -> list[float]:
        return [alpha * t + (1 - alpha) * g for t, g in zip(top, ground, strict=True)]

    for ground, ink, opacity in (((255,) * 3, (0, 0, 0), 0.87), ((17,) * 3, (255,) * 3, 1.0)):  # light and dark theme
        for alpha in [0, *(alpha for _, alpha in heads.BANDS)]:
            shaded = over(alpha, (30, 110, 190), ground)
            light, dark = sorted([luminance(shaded), luminance(over(opacity, ink, shaded))], reverse=True)
            assert (light + 0.05) / (dark + 0.05) >= 4.5


def test_the_mouse_shows_the_weights_of_the_token_it_is_over(viewer):
    rules = viewer.rules.value
    over = {i: re.findall(rf":has\(\.t{i}:hover\) :is\((.*?)\){{.*?--said:\"(.*?)\"", rules) for i in range(4)}
    assert over[2] == [(".t0", "60%"), (".t1", "30%"), (".t2", "10% ▲")]
    assert over[1] == [(".t0", "25%"), (".t1", "75% ▲")]
    assert rules.count(":has") == rules.count(f".{viewer._scope}.nanogpt-attention:has")
    assert re.findall(r":has\(\.t(\d):hover\){--row:(\d)}", rules) == [(str(i), str(i)) for i in range(4)]
    other = attention_viewer(weights=WEIGHTS, tokens=TOKENS)
    assert other._scope != viewer._scope  # two on a page don't answer to one mouse
    move(viewer.head, value=1)
    assert viewer.rules.value != rules


def test_the_small_maps_draw_each_weight_once():
    paths = heads._runs(WEIGHTS[0, 0])
    squares = sum(int(width) for path in paths.values() for width in re.findall(r"h(\d+)v", path))
    assert squares == int((WEIGHTS[0, 0] >= 0.01).sum())
    assert "M0 2h1v1h-1z" in paths[heads.shade(0.6)]
    level = heads._runs(torch.full((3, 3), 0.3))
    assert list(level.values()) == ["M0 0h3v1h-3zM0 1h3v1h-3zM0 2h3v1h-3z"]  # neighbours in a row are one


def by_hand(model: GPT, ids: list[int]) -> torch.Tensor:
    """(L, H, T, T), head by head and row by row."""
    x = model.token_embedding.weight[ids] + model.position_embedding.weight[: len(ids)]  # (T, C)
    layers = []
    for block in model.blocks:
        C, D = x.size(1), model.config.head_dim
        query, key, _ = block.attention.qkv(block.attention_norm(x)).split(C, dim=1)  # each (T, C)
        maps = torch.zeros(model.config.n_head, len(ids), len(ids))
        for h in range(model.config.n_head):
            for t in range(len(ids)):
                q, k = query[t, h * D : (h + 1) * D], key[: t + 1, h * D : (h + 1) * D]
                maps[h, t, : t + 1] = (k @ q / math.sqrt(D)).softmax(0)
        layers.append(maps)
        x = block(x[None])[0]
    return torch.stack(layers)


def test_the_weights_are_those_computed_by_hand(story_run, reader):
    with torch.inference_mode():
        expected = by_hand(story_run.model, story_run.tokenizer.encode_ordinary(attention.TEXT))
    torch.testing.assert_close(reader.reading.weights, expected, atol=1e-5, rtol=1e-5)
    assert "".join(reader.reading.tokens) == attention.TEXT


@pytest.mark.parametrize("training", [False, True])
def test_the_model_is_left_as_it_was(training, story_run):
    model = GPT(ModelConfig(n_layer=2, n_head=2, n_embd=16, context_length=32, vocab_size=512, dropout=0.5)).eval()
    ids = torch.arange(8)[None]
    before, state = model(ids), copy.deepcopy(model.state_dict())
    if training:
        model.train()
        model.blocks[0].eval()
    modes = [module.training for module in model.modules()]
    viewer = attention_viewer(model, story_run.tokenizer)
    move(viewer.text, value="Another text.")
    click(viewer.read)
    assert ended(viewer.work)
    assert [module.training for module in model.modules()] == modes
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())
    assert all(torch.equal(tensor, state[name]) for name, tensor in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())
    assert torch.equal(model.eval()(ids), before)
    expected = model.attention_weights(torch.tensor([story_run.tokenizer.encode_ordinary("Another text.")]))[:, 0]
    torch.testing.assert_close(viewer.reading.weights, expected)  # without dropout, whatever the mode


def test_another_text_is_read_in_a_thread(reader):
    move(reader.layer, value=1)
    move(reader.text, value="A fox & a <script>hen")
    click(reader.read)
    assert ended(reader.work) and not at_work()
    assert re.fullmatch(r"\d+ tokens read in \d+ ms", reader.status.text)
    assert html.unescape("".join(text for text, _ in boxes(reader))).replace("␣", " ") == "A fox & a <script>hen"
    assert "<script>" not in reader.view.value + reader.facts.widget.value
    assert reader.token.value == reader.token.max == len(reader.reading.tokens) - 1
    assert reader.facts.text.startswith("Layer 1, head 0")


def test_a_long_text_is_read_from_its_end_and_that_is_said(story_run):
    text = "word " * 200 + "the end."
    viewer = attention_viewer(story_run, text=text)
    count, T = len(story_run.tokenizer.encode_ordinary(text)), min(SHOWN, story_run.model.config.context_length)
    assert len(viewer.reading.tokens) == T < count
    assert "".join(viewer.reading.tokens).endswith("the end.")
    assert viewer.status.text == f"the text has {count} tokens; only its last {T} are read"


def test_an_empty_text_is_told_and_the_old_one_stays(reader):
    old = reader.view.value
    move(reader.text, value="")
    click(reader.read)
    assert ended(reader.work)
    assert reader.status.text.startswith("the text is empty")
    assert reader.view.value == old and not reader.read.disabled


def test_two_clicks_are_one_reading_and_a_closed_page_leaves_no_thread(reader, monkeypatch):
    calls, go_on = [], threading.Event()

    def slow(*args):
        calls.append(args)
        assert go_on.wait(30)
        return read_text(*args)

    monkeypatch.setattr(attention, "read_text", slow)
    click(reader.read)
    click(reader.read, late=True)
    assert reader.read.disabled and reader.status.text.startswith("still reading")
    assert [thread.daemon for thread in at_work()] == [True]
    reader.work.stop.set()
    old = reader.reading
    go_on.set()
    assert ended(reader.work) and len(calls) == 1
    assert reader.reading is old  # whoever was told to stop changes nothing any more


def test_choosing_a_token_sends_little_and_quickly(story_run):
    with counted() as sizes:
        viewer = attention_viewer(story_run, text="word " * 200)
        sizes.clear()
        start = time.perf_counter()
        move(viewer.token, value=1)
        assert time.perf_counter() - start < 0.2
    assert 0 < sum(sizes) < 20_000


def test_every_control_has_a_label_and_the_maps_have_words(reader):
    for control in (reader.text, reader.layer, reader.head, reader.token, reader.read):
        assert control.description and (control is reader.text or control.tooltip)
    labels = re.findall(r'role="img" aria-label="(.*?)"', reader.maps.value)
    assert len(labels) == reader.reading.weights.size(1) and all("looks most at token" in label for label in labels)


def test_plain_weights_have_no_text_to_read(viewer, reader):
    assert viewer.read not in viewer.widget.children and viewer.text not in viewer.widget.children
    assert reader.text in reader.widget.children


def test_long_weights_are_cut_and_what_lies_outside_is_told():
    viewer = attention_viewer(weights=torch.full((1, 1, 80, 80), 1 / 80))
    assert viewer.status.text == "the weights are of 80 tokens; only the last 64 are shown"
    assert viewer.facts.text.endswith("tokens that are not shown 20%")
    assert viewer.reading.tokens[0] == "16"


def test_the_picture_has_the_heads_and_its_words(viewer, reader, monkeypatch):
    monkeypatch.setenv("NANOGPT_PICTURES", "1")
    few = attention_viewer(weights=WEIGHTS, tokens=list("abac"))
    data, metadata = few._repr_mimebundle_()
    assert set(data) == {"image/png", "text/plain"}
    assert data["text/plain"].startswith("2 heat maps over the tokens a b a c. layer 0, head 0: the last token 'c'")
    assert metadata["image/png"]["alt"] == data["text/plain"]
    move(reader.head, value=1)
    assert reader._repr_mimebundle_()[0]["text/plain"].startswith("Heat map, layer 0, head 1")
    monkeypatch.delenv("NANOGPT_PICTURES")
    assert "application/vnd.jupyter.widget-view+json" in viewer._repr_mimebundle_()[0]


def test_a_run_folder_does_as_well(story_run, reader):
    torch.testing.assert_close(attention_viewer(story_run.folder).reading.weights, reader.reading.weights)


def test_weights_as_numpy_or_lists_do_as_well():
    for given in (WEIGHTS.numpy(), WEIGHTS.tolist()):
        torch.testing.assert_close(attention_viewer(weights=given).reading.weights, WEIGHTS.float())


def test_what_cannot_be_looked_at_is_refused_in_a_sentence(story_run):
    for given, words in (
        ({}, "needs a run or model, or weights="),
        ({"model": story_run, "weights": WEIGHTS}, "not both"),
        ({"model": torch.nn.Linear(2, 2)}, "Linear has no attention_weights"),
        ({"model": story_run.model}, "give its tokenizer too"),
        ({"weights": WEIGHTS[0]}, r"shape \(2, 4, 4\); give \(layers, heads, tokens, tokens\)"),
        ({"weights": [["a"]]}, r"weights is a list; give a tensor of numbers, \(L, H, T, T\)"),
        ({"weights": WEIGHTS, "tokens": ["a"]}, "1 tokens and weights of 4"),
        ({"weights": WEIGHTS, "tokens": [1, 2]}, "2 tokens and weights of 4"),
        ({"weights": WEIGHTS, "tokens": ["a", 1, 2, 3]}, "tokens holds 1, which is no text; give the text of each"),
        ({"weights": WEIGHTS, "tokens": 4}, "tokens is 4; give a list of 4 texts"),
        ({"model": story_run, "text": ""}, "the text is empty"),
    ):
        with pytest.raises(ValueError, match=words):
            attention_viewer(**given)
