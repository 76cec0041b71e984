from matplotlib.colors import to_hex
from matplotlib.patches import FancyBboxPatch

from nanogpt.course.plots.tokenizer import (
    describe_bricks,
    describe_bytes_per_token,
    describe_costs,
    label,
    plot_bricks,
    plot_bytes_per_token,
    plot_costs,
)

ROWS = {"bytes": [b"t", b"h", b"e", b" ", "é".encode()[:1], "é".encode()[1:]], "merged": [b"the", " é".encode()]}
CURVES = {"English": {256: 1.0, 512: 1.8}, "Greek": {256: 1.0, 512: 1.1}}
GPT2 = {"English": 4.2, "Greek": 1.7}


def test_a_brick_is_as_wide_as_its_bytes_and_carries_its_token():
    axes = plot_bricks(ROWS)
    bricks = [patch for patch in axes.patches if isinstance(patch, FancyBboxPatch)]
    assert [round(brick.get_width() + 0.12) for brick in bricks] == [1, 1, 1, 1, 1, 1, 3, 3]
    written = [text.get_text() for text in axes.texts]
    assert written[:8] == ["bytes", "6 tokens", "t", "h", "e", "␣", "C3", "A9"]
    assert written[8:] == ["merged", "2 tokens", "the", "␣é"]


def test_bricks_have_edges_and_single_bytes_are_white():
    bricks = plot_bricks(ROWS).patches
    assert all(to_hex(brick.get_edgecolor()) == "#222222" for brick in bricks)
    assert [to_hex(brick.get_facecolor()) == "#ffffff" for brick in bricks] == [True] * 6 + [False] * 2


def test_bricks_in_words():
    words = describe_bricks(ROWS)
    assert "bytes: 6, merged: 2" in words
    assert words.endswith("The last row reads the |  é")


def test_part_of_a_character_is_written_as_its_bytes():
    assert [label(token) for token in (b" a", b"\xe2\x82", b"\n")] == ["␣a", "E2 82", "⏎"]


def test_a_line_a_text_told_apart_without_colour():
    axes = plot_bytes_per_token(CURVES, GPT2)
    lines = [line for line in axes.lines if line.get_linestyle() != "None" and len(line.get_xdata()) == 2]
    english, greek = (line for line in lines if line.get_marker() != "None")
    assert list(english.get_xdata()) == [256, 512]
    assert list(english.get_ydata()) == [1.0, 1.8]
    assert english.get_linestyle() != greek.get_linestyle()
    assert english.get_marker() != greek.get_marker()
    hollow = [line for line in axes.lines if line.get_linestyle() == "None"]
    assert [line.get_ydata()[0] for line in hollow] == [4.2, 1.7]
    assert axes.get_xscale() == "log"
    assert "Greek: from 1.00 with 256 tokens to 1.10 with 512, GPT-2's 1.70" in describe_bytes_per_token(CURVES, GPT2)


def test_costs_are_bars_and_characters_are_marks():
    tokens, characters = {"English": 13, "Greek": 90}, {"English": 63, "Greek": 83}
    axes = plot_costs(tokens, characters)
    assert [bar.get_width() for bar in axes.patches] == [13, 90]
    assert [line.get_xdata()[0] for line in axes.lines] == [63, 83]
    assert "90 tokens, 6.9 times English" in [text.get_text() for text in axes.texts]
    assert "Greek 90 tokens for 83 characters" in describe_costs(tokens, characters)
