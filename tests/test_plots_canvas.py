import io

from PIL import Image

from nanogpt.course.plots.canvas import SHADES, as_png, new_axes, new_panels, show, visible


def test_a_picture_is_published_with_its_words(monkeypatch):
    seen = {}
    monkeypatch.setattr("IPython.display.publish_display_data", lambda data, **rest: seen.update(data=data, **rest))
    show(new_axes(), "words for the picture")
    assert seen["metadata"]["image/png"]["alt"] == seen["data"]["text/plain"] == "words for the picture"
    assert seen["data"]["image/png"].startswith("iVBOR")


def test_a_picture_is_stored_with_few_colours_and_on_white():
    axes = new_axes(4, 3)
    axes.plot([0, 1], [1, 0])
    picture = Image.open(io.BytesIO(as_png(axes)))
    assert (picture.mode, picture.size) == ("P", (440, 330))
    assert len(picture.getcolors()) <= SHADES
    assert picture.convert("RGB").getpixel((0, 0)) == (255, 255, 255)


def test_panels_stand_side_by_side_in_one_figure():
    left, right = new_panels(2, sharey=True)
    assert left.figure is right.figure
    left.set_ylim(0, 7)
    assert right.get_ylim() == (0, 7)


def test_a_token_is_written_so_that_it_can_be_seen():
    assert [visible(token) for token in (" a", "\n", "$", "")] == ["␣a", "⏎", r"\$", "∅"]
