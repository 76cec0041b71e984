import re
from html import unescape
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from touch import at_work, ended, move

from nanogpt.course.widgets.tokens import SHOWN, TEXT, pieces, readable, token_explorer
from nanogpt.tokenizer import gpt2_tokenizer


@pytest.fixture
def explorer(story_run):
    explorer = token_explorer(story_run)
    yield explorer
    assert explorer.following.work.end()
    assert not at_work()


def write(explorer, text: str) -> None:
    """The page sends another text."""
    move(explorer.text, value=text)
    assert ended(explorer.following.work)


def boxes(cut) -> list[tuple[str, str, int, bytes, bool]]:
    """Class, what is written, id, bytes and whether it is marked, of each box that the page has."""
    found = re.findall(
        r'<span class="([^"]+)" title="token \d+: id \d+, bytes ([^"]+)">(.*?)<small>(\d+)', cut.view.value
    )
    return [(css, unescape(text), int(i), bytes.fromhex(data), "chosen" in css) for css, data, text, i in found]


def test_a_text_is_cut_by_both_each_token_with_its_id_and_its_bytes(explorer, story_run):
    gpt2, own = explorer.cuts
    for cut, encoding in ((gpt2, gpt2_tokenizer()), (own, story_run.tokenizer)):
        found = boxes(cut)
        assert [i for _, _, i, _, _ in found] == encoding.encode_ordinary(TEXT)
        assert b"".join(data for _, _, _, data, _ in found) == TEXT.encode()
        size, count = len(TEXT.encode()), len(found)
        said = f"{count} tokens for {len(TEXT)} characters, {size} bytes: {size / count:.2f} bytes per token"
        assert cut.counts.text == said


def test_typing_cuts_anew_and_the_chosen_token_is_told(explorer):
    write(explorer, "The future of AI is")
    gpt2 = explorer.cuts[0]
    assert [(text, i) for _, text, i, _, _ in boxes(gpt2)] == [
        ("The", 464), ("␣future", 2003), ("␣of", 286), ("␣AI", 9552), ("␣is", 318),
    ]  # fmt: skip
    move(gpt2.place, value=4)
    assert ended(explorer.following.work)
    assert gpt2.facts.text == "token 4 of 5: '␣AI', id 9552, 3 bytes 20 41 49"
    assert [marked for *_, marked in boxes(gpt2)] == [False] * 3 + [True, False]
    assert boxes(explorer.cuts[1])[0][-1]  # the other one's choice is its own


def test_a_shorter_text_takes_the_choice_along(explorer):
    write(explorer, "one two three four five six")
    gpt2 = explorer.cuts[0]
    move(gpt2.place, value=6)
    write(explorer, "one two")
    assert (gpt2.place.value, gpt2.place.max) == (2, 2)
    assert gpt2.facts.text.startswith("token 2 of 2: '␣two'")


def test_parts_of_a_character_are_bytes_and_say_of_what(explorer):
    write(explorer, "5€ 😀")
    gpt2 = explorer.cuts[0]
    parts = [(text, css) for css, text, *_ in boxes(gpt2) if "part" in css]
    assert [text for text, _ in parts] == ["20 F0 9F 98", "80"]
    move(gpt2.place, value=len(boxes(gpt2)))
    assert ended(explorer.following.work)
    assert ": '80', part of '😀', id " in gpt2.facts.text


def test_what_can_not_be_seen_is_made_visible():
    for data, shown in {
        b" a": "␣a", b"\n\n": "⏎⏎", b"\t": "⇥", b"\r\n": "␍⏎", "\u200b".encode(): "U+200B", b"\x00": "U+0000",
        "\u202e".encode(): "U+202E", "\u0301".encode(): "◌\u0301", b"\xf0\x9f": "F0 9F", "日".encode(): "日",
    }.items():  # fmt: skip
        assert readable(data) == shown


def test_neighbours_differ_and_a_line_ends_where_the_text_has_it_end(explorer):
    write(explorer, "a b c\nd e")
    tints = [re.search(r"b\d", css).group() for css, *_ in boxes(explorer.cuts[0])]
    assert all(left != right for left, right in pairwise(tints))
    assert explorer.cuts[0].view.value.count("<br>") == 1


def test_text_is_escaped(explorer):
    write(explorer, "<script>alert('&amp;\"')</script>")
    for cut in explorer.cuts:
        assert "<script" not in cut.view.value
        assert "".join(text for _, text, *_ in boxes(cut)) == "<script>alert('&amp;\"')</script>"
        assert "<" not in re.sub("</?(div|span)[^<>]*>", "", cut.facts.widget.value)


def test_of_a_long_text_the_first_tokens_are_shown_and_the_cut_is_told(explorer):
    write(explorer, "word " * 3000)
    gpt2 = explorer.cuts[0]
    assert len(boxes(gpt2)) == SHOWN == gpt2.place.max
    assert gpt2.counts.text.startswith("3,001 tokens for 15,000 characters, 15,000 bytes: 5.00 bytes per token; ")
    assert gpt2.counts.text.endswith("the first 2,000 are shown, the rest is cut off")


def test_an_empty_text_says_so_and_is_no_end(explorer):
    write(explorer, "")
    gpt2 = explorer.cuts[0]
    assert explorer.status.text == "the text is empty; type something to cut"
    assert (gpt2.counts.text, gpt2.facts.text, boxes(gpt2), gpt2.place.disabled) == ("no tokens", "", [], True)
    write(explorer, "again")
    assert explorer.status.text == ""
    assert (gpt2.facts.text, gpt2.place.disabled) == ("token 1 of 1: 'again', id 17776, 5 bytes 61 67 61 69 6E", False)


def test_half_a_surrogate_from_the_page_does_no_harm(explorer):
    write(explorer, "a\ud83d b")
    assert explorer.status.text == ""
    assert explorer.cuts[0].counts.text.startswith("3 tokens")
    assert explorer._repr_mimebundle_()[1]["image/png"]["alt"]


@given(st.text(max_size=60))
def test_the_pieces_are_the_text_and_each_part_lies_in_what_it_is_part_of(text):
    found, count, size = pieces(gpt2_tokenizer(), text)
    assert b"".join(piece.data for piece in found).decode() == text
    assert (len(found), size) == (count, len(text.encode()))
    for piece in found:
        assert piece.data in (piece.part_of.encode() if piece.part_of else text.encode())
        assert bool(piece.part_of) == (piece.data.decode(errors="replace").encode() != piece.data)


def test_it_takes_a_tokenizer_a_run_its_data_or_a_folder(story_run, story_data):
    ids = story_run.tokenizer.encode_ordinary(TEXT)
    for given_one in (story_run.tokenizer, story_run, story_data, story_run.folder, str(story_data.folder)):
        gpt2, own = token_explorer(given_one).cuts
        assert [i for _, _, i, _, _ in boxes(own)] == ids
        assert (gpt2.title, own.title) == ("GPT-2, vocabulary of 50,257", "trained, vocabulary of 512")


def test_making_one_leaves_no_thread_and_shows_all_at_once(story_run):
    gpt2, own = token_explorer(story_run).cuts
    assert not at_work()
    assert (gpt2.place.value, own.place.value) == (1, 1)
    assert "chosen" in own.view.value


def test_gpt2s_own_is_not_shown_twice(story_run):
    assert [cut.title[:5] for cut in token_explorer(story_run, gpt2_tokenizer()).cuts] == ["train", "GPT-2"]
    assert [cut.title[:5] for cut in token_explorer().cuts] == ["GPT-2"]


def test_what_is_no_tokenizer_is_refused_with_a_sentence(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"holds no tokenizer\.json; give the folder of a run"):
        token_explorer(tmp_path)
    with pytest.raises(ValueError, match=r"int is not a tokenizer; give a tiktoken\.Encoding"):
        token_explorer(3)
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(ValueError, match="not a tokenizer of ours"):
        token_explorer(tmp_path)


def test_every_control_is_labelled_and_what_changes_is_told(explorer):
    assert explorer.text.description == "Text"
    for cut in explorer.cuts:
        assert cut.place.description == "Token"
        assert cut.title in cut.place.tooltip
        assert 'role="status"' in cut.counts.widget.value
        assert 'role="status"' in cut.facts.widget.value


def test_its_picture_shows_the_beginning_of_the_text(explorer, monkeypatch):
    write(explorer, "The dog was happy. " * 20)
    alt = explorer._picture()[1]
    assert "trained, vocabulary of 512, the first 36 bytes: " in alt
    assert alt.split("The last row reads ")[1].replace(" | ", "") == ("The dog was happy. " * 2)[:36]
    monkeypatch.setenv("NANOGPT_PICTURES", "1")
    assert set(explorer._repr_mimebundle_()[0]) == {"image/png", "text/plain"}
