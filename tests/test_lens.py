import re
import threading
import time

import pytest
import torch
from touch import at_work, ended, move

from nanogpt.course.widgets import follow
from nanogpt.course.widgets.controls import Number
from nanogpt.course.widgets.follow import Following
from nanogpt.course.widgets.lens import SHOWN, Change, bars_html, changed_by, next_token_lens
from nanogpt.generate import Sampling, next_token_probs

PROMPT = "One day, "


@pytest.fixture
def lens(story_run):
    lens = next_token_lens(story_run, PROMPT)
    yield lens
    assert lens.following.work.end()
    assert not at_work()


def rows(lens) -> list[list[str]]:
    """Name, own probability and the one after the settings of each bar, as the page has them."""
    assert ended(lens.following.work)
    return [
        [re.sub("<[^>]+>", "", row[i]) for i in (0, 2, 3)]
        for tr in re.findall('<tr><th scope="row".*?</tr>', lens.view.value)
        for row in [re.findall("<t[hd].*?</t[hd]>", tr)]
    ]


def by_hand(run, prompt: str, sampling: Sampling) -> tuple[torch.Tensor, torch.Tensor]:
    """The distribution before and after, and in the vocabulary's own order: (V,) each."""
    with torch.inference_mode():
        logits = run.model(torch.tensor([run.tokenizer.encode_ordinary(prompt)]))[0, -1, : run.tokenizer.n_vocab]
        return logits.softmax(-1), next_token_probs(logits, sampling, torch.tensor([], dtype=torch.long))


def test_the_bars_are_the_likeliest_tokens_before_and_after_the_settings(lens, story_run):
    own, after = by_hand(story_run, PROMPT, Sampling(0.8, top_k=50, top_p=0.9))
    best = own.topk(SHOWN).indices
    *bars, others = rows(lens)
    assert [bar[1] for bar in bars] == [f"{p:.1%}" for p in own[best]]
    assert [bar[2] for bar in bars] == [f"{p:.1%}" if p else "✕ cut" for p in after[best]]
    rest = after.sum() - after[best].sum()
    assert others[0].startswith(f"{story_run.tokenizer.n_vocab - SHOWN} others")
    assert others[2] in (f"{rest:.1%}", "✕ cut")


@pytest.mark.parametrize("part", ["slider", "box"])
@pytest.mark.parametrize(
    ("dial", "value", "sampling"),
    [
        ("temperature", 1.5, Sampling(1.5, top_k=50, top_p=0.9)),
        ("top_k", 3, Sampling(0.8, top_k=3, top_p=0.9)),
        ("top_p", 0.3, Sampling(0.8, top_k=50, top_p=0.3)),
    ],
)
def test_each_dial_moves_the_bars_and_says_what_is_left(lens, story_run, part, dial, value, sampling):
    move(getattr(getattr(lens, dial), part), value=value)
    own, after = by_hand(story_run, PROMPT, sampling)
    expected = [f"{p:.1%}" if p else "✕ cut" for p in after[own.topk(SHOWN).indices]]
    assert [row[2] for row in rows(lens)[:-1]] == expected
    assert f"{int((after > 0).sum())} of {len(after)} tokens can be drawn" in lens.status.text


def test_another_prompt_is_read_and_a_dial_alone_only_filters_again(lens, story_run, monkeypatch):
    read = []
    forward = story_run.model.forward
    monkeypatch.setattr(story_run.model, "forward", lambda ids, *rest: read.append(ids.tolist()) or forward(ids, *rest))
    move(lens.temperature.slider, value=0.0)
    first = rows(lens)
    assert read == []
    move(lens.prompt, value="The dog was")
    assert rows(lens) != first
    assert read == [[story_run.tokenizer.encode_ordinary("The dog was")]]
    assert "1 of 512 tokens can be drawn" in lens.status.text


def test_with_the_cuts_off_nothing_is_cut_however_cold_it_is(lens):
    move(lens.top_k.box, value=0)
    move(lens.top_p.box, value=1.0)
    move(lens.temperature.box, value=0.05)
    assert "512 of 512 tokens can be drawn" in (rows(lens) and lens.status.text)
    assert "cut" not in lens.view.value


def test_entropy_and_perplexity_by_hand():
    change = changed_by(torch.zeros(16), Sampling(1.0, top_k=4))
    assert change.bits == pytest.approx((4.0, 2.0), abs=1e-5)
    assert change.own == pytest.approx([1 / 16] * 12 + [4 / 16])
    assert change.after == pytest.approx([1 / 4] * 4 + [0] * 9)
    assert change.cut == [False] * 4 + [True] * 8
    assert change.others == (4, 4)
    assert changed_by(torch.tensor([2.0, 1.0]), Sampling(0.0)).bits[1] == 0


def test_the_step_is_told_in_bits_and_as_token_perplexity(lens, story_run):
    own, after = by_hand(story_run, PROMPT, Sampling(0.8, top_k=50, top_p=0.9))
    for probs in (own, after):
        nats = torch.special.entr(probs).sum()
        assert f"{nats / torch.tensor(2.0).log():.2f} bits (token perplexity {nats.exp():.1f})" in lens.status.text
    assert 'role="status"' in lens.status.widget.value


def test_of_a_prompt_over_the_context_the_end_is_read_and_the_cut_is_told(lens, story_run):
    T = story_run.model.config.context_length
    long = "The dog was very happy. " * 40
    count = len(story_run.tokenizer.encode_ordinary(long))
    move(lens.prompt, value=long)
    assert len(rows(lens)) == SHOWN + 1
    said = f"the model reads {T} tokens and the prompt has {count}: its first {count - T} are cut off"
    assert lens.status.text.startswith(said)


def test_an_empty_prompt_is_one_sentence_and_takes_the_bars_away(lens):
    before = rows(lens)
    move(lens.prompt, value="")
    assert rows(lens) == []
    assert lens.status.text == "the prompt is empty; type at least one character to go on from"
    move(lens.prompt, value=PROMPT)
    assert rows(lens) == before


def test_what_fails_in_the_thread_is_a_sentence_in_the_widget(lens, monkeypatch):
    def fail(*_):
        raise OSError("the accelerator is gone")

    monkeypatch.setattr(lens.run.model, "forward", fail)
    move(lens.prompt, value="Once")
    assert ended(lens.following.work)
    assert lens.status.text == "the accelerator is gone"


def test_making_one_leaves_no_thread_and_shows_all_at_once(story_run):
    lens = next_token_lens(story_run, PROMPT)
    assert not at_work()
    assert len(rows(lens)) == SHOWN + 1


def test_what_can_not_be_looked_at_is_refused_with_a_sentence(story_run, tmp_path):
    with pytest.raises(ValueError, match="the prompt is empty"):
        next_token_lens(story_run, "")
    with pytest.raises(FileNotFoundError, match="holds no run"):
        next_token_lens(tmp_path)


def test_a_run_folder_does_as_well(story_run):
    assert rows(next_token_lens(str(story_run.folder), PROMPT)) == rows(next_token_lens(story_run, PROMPT))


def test_tokens_are_escaped_and_cuts_are_told_in_words():
    html = bars_html(["<b>", "&"], Change([0.6, 0.3, 0.1], [1.0, 0.0, 0.0], [False, True], (7, 7), (1.0, 0.0)))
    assert "&lt;b&gt;" in html
    assert "<b>" not in html
    assert html.count("✕ cut") == 2
    some = bars_html(["a"], Change([0.6, 0.4], [0.9, 0.1], [False], (7, 5), (1.0, 0.5)))
    assert "7 others, 5 cut" in some


def test_the_outline_is_the_models_own_and_the_solid_bar_what_is_left():
    html = bars_html(["a"], Change([0.2, 0.1], [0.4, 0.0], [False], (7, 7), (1.0, 0.0)))
    assert "The whole width is 50%" in html
    assert 'class="now" style="width: 80.00%"></div><div class="own" style="width: 40.00%"' in html


def test_every_control_is_labelled_and_the_sliders_have_a_box_with_a_label(lens):
    dials = [lens.temperature, lens.top_k, lens.top_p]
    assert all(isinstance(dial, Number) for dial in dials)
    assert [w.description for w in (lens.prompt, *(d.box for d in dials))] == [
        "Prompt",
        "Temperature",
        "Top-k",
        "Top-p",
    ]


def test_its_picture_shows_the_dials_as_they_stand(lens, monkeypatch):
    move(lens.top_k.box, value=0)
    move(lens.top_p.box, value=0.3)
    assert ended(lens.following.work)
    bundle, metadata = lens._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in bundle
    assert "temperature 0.8, top-p 0.3: " in metadata["image/png"]["alt"]
    assert "can't be drawn" in metadata["image/png"]["alt"]
    monkeypatch.setenv("NANOGPT_PICTURES", "1")
    assert set(lens._repr_mimebundle_()[0]) == {"image/png", "text/plain"}


def test_many_moves_are_few_drawings_and_the_last_one_counts(lens, monkeypatch):
    drawn = []
    monkeypatch.setattr(lens.following, "_draw", lambda *state: drawn.append(state))
    began = time.monotonic()
    for value in range(1, 60):
        move(lens.top_k.slider, value=value)
        time.sleep(0.004)
    assert ended(lens.following.work)
    assert drawn[-1] == (PROMPT, 0.8, 59, 0.9)
    assert len(drawn) <= 2 + (time.monotonic() - began) / 0.1


def test_no_change_is_lost_whenever_it_comes(monkeypatch):
    monkeypatch.setattr(follow, "EVERY", 0.0005)
    state, drawn, told = [0], [], []
    following = Following(told.append, lambda: tuple(state), drawn.append)
    for i in range(1, 400):
        state[0] = i
        following.changed()
        assert sum(thread.is_alive() for thread in at_work()) <= 1
        time.sleep(0.0001 * (i % 14))  # now before, now after, now within the thread's end
    assert ended(following.work)
    assert drawn[-1] == 399
    assert told == []


def test_what_failed_once_is_not_tried_again_and_the_next_change_is_drawn():
    state, drawn, told = ["bad"], [], []

    def draw(value):
        drawn.append(value)
        if value == "bad":
            raise ValueError("this can't be drawn")

    following = Following(told.append, lambda: tuple(state), draw)
    following.changed()
    assert ended(following.work)
    state[0] = "good"
    following.changed()
    assert ended(following.work)
    assert (drawn, told) == (["bad", "good"], ["this can't be drawn"])


def test_after_a_thread_that_could_not_be_started_the_next_change_is_drawn(monkeypatch):
    def no_thread(thread):
        raise RuntimeError("can't start new thread")

    state, drawn, told = [1], [], []
    following = Following(told.append, lambda: tuple(state), drawn.append)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", no_thread)
        following.changed()
    assert "can't start new thread" in told[0]
    state[0] = 2
    following.changed()
    assert ended(following.work)
    assert (drawn, len(told)) == ([2], 1)


def test_it_draws_in_a_thread_that_a_closed_kernel_does_not_wait_for(lens):
    seen = []
    lens.following._draw = lambda *_: seen.append(threading.current_thread())
    move(lens.top_k.slider, value=7)
    assert ended(lens.following.work)
    assert [thread.daemon for thread in seen] == [True]
    assert seen[0] is not threading.main_thread()
