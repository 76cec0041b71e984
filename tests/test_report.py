import csv
import dataclasses
import itertools
import json
import math
import re
from html.parser import HTMLParser

import pytest
from invented import OWN, first_run, gpt2, lambada_report, note_run, samples_report, text_report, wikitext_report
from matplotlib.container import ErrorbarContainer

from nanogpt.course.page import STYLE
from nanogpt.course.plots.evaluate import (
    describe_perplexity_by_parameters,
    interval,
    panels,
    plot_perplexity_by_parameters,
    short_count,
)
from nanogpt.course.published import read_published
from nanogpt.course.report import write_report
from nanogpt.course.rows import benchmark_rows, comparison_rows

FILES = {"report.json", "report.csv", "perplexity.png", "perplexity.svg", "report.html"}


def offline():
    return [first_run(), gpt2()]


def online():
    sizes = {"gpt2": 3.231, "gpt2-medium": 2.949, "gpt2-large": 2.772, "gpt2-xl": 2.651}
    models = [gpt2(text_report(loss), text_report(loss - 0.1, 1024), name=name) for name, loss in sizes.items()]
    return [note_run(text_report(3.95), samples_report(), lambada_report(0.11), wikitext_report(4.6)), *models]


def mixed():
    own = text_report(2.3, 128, "owt-768", tokenizer=OWN, sha="88")
    return [first_run(own), note_run(text_report(3.95)), gpt2(text_report(3.2))]


def rows_of(entries):
    return comparison_rows(entries, read_published())


def differs(entry, reference=None):
    """How the last row of an entry's own differs from a first one at context 512."""
    entries = [reference or note_run(text_report()), dataclasses.replace(entry, name="runs/other")]
    return next(row.differs for row in reversed(rows_of(entries)) if row.model == "runs/other")


def test_a_row_for_each_score_and_each_published_figure_behind_its_model():
    rows = rows_of([note_run(text_report(3.95)), gpt2(text_report(3.2), text_report(3.1, 1024))])
    assert [(row.model, row.kind, row.context_length) for row in rows] == [
        ("runs/gpt-30m", "measured", 512),
        ("gpt2", "measured", 512),
        ("gpt2", "measured", 1024),
        ("gpt2", "published", 1024),
        ("gpt2-medium", "published", 1024),
        ("gpt2-large", "published", 1024),
        ("gpt2-xl", "published", 1024),
        ("gpt2-finetuned-owt", "published", None),
        ("nanogpt-124m", "published", None),
    ]
    first, published = rows[0], rows[3]
    assert (first.parameters, first.training_tokens, first.trained_on) == (30_135_168, 655_360_000, "openwebtext")
    assert (first.token_perplexity_low, first.token_perplexity_high) == (math.exp(3.93), math.exp(3.98))
    assert first.bits_per_byte_low / first.bits_per_byte == pytest.approx(3.93 / 3.95)
    assert published.token_perplexity == pytest.approx(math.exp(3.12))
    assert (published.bits_per_byte, published.loss_low, published.training_tokens) == (None, None, None)


def test_no_published_figure_is_called_measured():
    values = {row.value for row in read_published()}
    for entries in (offline(), online(), mixed(), [gpt2()]):
        for row in rows_of(entries):
            assert (row.kind == "published") == (row.loss in values)
            assert (row.source == "measured here") == (row.kind == "measured")
        for row in benchmark_rows(entries, read_published()):
            assert (row.source == "measured here") == (row.kind == "measured")


def test_the_first_row_sets_the_protocol_and_the_same_does_not_differ():
    assert rows_of(online())[0].differs == ""
    assert differs(gpt2(text_report(3.0))) == ""


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"context_length": 1024, "stride": 1024}, "context 1,024 instead of 512"),
        ({"stride": 256}, "windows at a stride of 256 instead of disjoint windows"),
        ({"limit": 1000}, "its first 1,000 documents instead of the whole text"),
        ({"precision": "bfloat16"}, "bfloat16 instead of float32"),
    ],
)
def test_a_row_says_how_its_protocol_differs(changed, says):
    report = text_report(3.0)
    report["settings"] |= changed
    assert differs(gpt2(report)) == says


def test_a_row_on_another_text_or_of_another_tokenizer_says_so():
    assert differs(gpt2(text_report(text="mine", source="mine.txt", sha="99"))) == "another text: mine (mine.txt)"
    assert differs(first_run(text_report(context=512, tokenizer=OWN, sha="88"))) == (
        "another tokenizer (768 tokens): only bits per byte compare"
    )


def test_one_text_is_recognised_across_tokenizers_by_its_documents_and_bytes():
    assert all(row.same_text for row in rows_of(mixed()))
    fewer = first_run(text_report(2.3, 128, tokenizer=OWN, sha="88", documents=4000))
    assert not rows_of([note_run(text_report()), fewer])[1].same_text
    other_tokens = first_run(text_report(2.3, 128, tokenizer=OWN))  # of the same prepared folder
    assert rows_of([note_run(text_report()), other_tokens])[1].same_text


def test_published_rows_say_how_they_differ():
    on_pydocs = {row.model: row.differs for row in rows_of(offline()) if row.kind == "published"}
    assert on_pydocs["gpt2"] == (
        "another text: OpenWebText instead of pydocs; random batches instead of each token once; "
        "context 1,024 instead of 128; another tokenizer: perplexities don't compare"
    )
    on_owt = {row.model: row.differs for row in rows_of(online()) if row.kind == "published"}
    assert on_owt["gpt2"] == (
        "of 4,434,897 held-out tokens instead of 4,400; random batches instead of each token once; "
        "context 1,024 instead of 512"
    )
    assert on_owt["nanogpt-124m"].endswith("how it was scored is not stated; context not stated")


def test_benchmarks_stand_beside_the_published_ones_labelled_by_protocol():
    rows = benchmark_rows([note_run(lambada_report(0.11)), gpt2(lambada_report(0.32))], read_published())
    assert {row.benchmark for row in rows} == {"lambada"}  # the one that was measured
    assert [(row.model, row.kind, row.accuracy, row.word_perplexity) for row in rows] == [
        ("runs/gpt-30m", "measured", 0.11, 40.0),
        ("gpt2", "measured", 0.32, 40.0),
        ("gpt2", "published", pytest.approx(0.4599), 35.13),
        ("gpt2", "published", pytest.approx(0.3256), 40.06),
    ]
    assert rows[2].protocol.startswith("paper zero-shot")
    assert rows[3].protocol == "lm-evaluation-harness lambada_openai"
    assert (rows[0].accuracy_low, rows[0].word_perplexity_high) == (pytest.approx(0.10), 43.0)
    assert benchmark_rows(offline(), read_published()) == []


def test_wikitexts_interval_is_of_its_loss():
    row = benchmark_rows([note_run(wikitext_report(4.6))], read_published())[0]
    ends = [row.token_perplexity_low, row.token_perplexity_high]
    assert ends == pytest.approx([math.exp(4.58), math.exp(4.62)])
    assert row.word_perplexity_low is None


def test_published_figures_share_the_axis_of_measured_ones_on_openwebtext_alone():
    (together,) = panels(rows_of(online()))
    assert {row.kind for row in together.rows} == {"measured", "published"}
    measured, published = panels(rows_of(offline()))
    assert {row.kind for row in measured.rows} == {"measured"}
    assert {row.kind for row in published.rows} == {"published"}
    assert "not to be compared" in published.title
    (nothing,) = panels(rows_of([gpt2()]))
    assert "nothing was measured here" in nothing.title


def test_tokenizers_never_share_an_axis_of_token_perplexity():
    perplexity, bits = panels(rows_of(mixed()))
    assert {row.tokenizer for row in perplexity.rows} == {"gpt2"}
    assert bits.value == "bits_per_byte"
    assert {row.model for row in bits.rows} == {"runs/first", "runs/gpt-30m", "gpt2"}
    own = first_run(text_report(2.3, 128, "owt-768", tokenizer=OWN, sha="88"))  # on OpenWebText, but in its own tokens
    assert [{row.kind for row in panel.rows} for panel in panels(rows_of([own]))] == [{"measured"}, {"published"}]


def test_a_score_on_another_text_is_not_charted():
    other = dataclasses.replace(first_run(text_report(text="mine", source="mine.txt", sha="99")), name="runs/other")
    assert "runs/other" not in {row.model for panel in panels(rows_of([*online(), other])) for row in panel.rows}


@pytest.mark.parametrize("entries", [offline, online, mixed], ids=lambda entries: entries.__name__)
def test_names_on_the_chart_neither_overlap_nor_are_cut(entries):
    baselines = first_run().reports[0]["baselines"]
    figure = plot_perplexity_by_parameters(rows_of(entries()), baselines).figure
    figure.draw_without_rendering()
    for axes in figure.axes:
        lines = [line.get_window_extent() for line in axes.lines if len(line.get_xdata()) == 2]
        names = [text.get_window_extent() for text in axes.texts if "runs/" in text.get_text()]
        assert not any(line.overlaps(name) for line in lines for name in names)
        texts = [*axes.texts, axes.title, axes._left_title, axes.xaxis.label, axes.yaxis.label]
        boxes = [text.get_window_extent() for text in texts if text.get_text()]
        for box in boxes:
            assert figure.bbox.x0 <= box.x0 and box.x1 <= figure.bbox.x1
            assert figure.bbox.y0 <= box.y0 and box.y1 <= figure.bbox.y1
        for one, other in itertools.combinations(boxes, 2):
            assert not one.overlaps(other)


def test_a_long_name_is_shortened_from_the_front():
    long = dataclasses.replace(note_run(text_report()), name="runs/" + "a" * 60 + "-seed-7")
    axes = plot_perplexity_by_parameters(rows_of([long]))
    names = [text.get_text() for text in axes.texts]
    assert any(name.startswith("…") and name.endswith("-seed-7") for name in names)


def test_marks_are_told_apart_without_colour_and_no_line_joins_them():
    axes = plot_perplexity_by_parameters(rows_of(online()))
    bars = [container for container in axes.containers if isinstance(container, ErrorbarContainer)]
    assert len(bars) == 9
    hollow = [line for line in axes.lines if line.get_marker() == "D"]
    assert len(hollow) == 6
    assert all(line.get_markerfacecolor() == "none" for line in hollow)
    assert {bar.lines[0].get_marker() for bar in bars} == {"o", "s"}  # the two contexts
    assert all(len(line.get_xdata()) == 1 for line in axes.lines)
    assert axes.get_xscale() == "log"


def test_baselines_stand_only_where_they_compare():
    baselines = first_run().reports[0]["baselines"]

    def named(entries):
        figure = plot_perplexity_by_parameters(rows_of(entries), baselines).figure
        return [
            [text.get_text() for text in axes.texts if text.get_text().startswith("bigram")] for axes in figure.axes
        ]

    assert named(offline()) == named(offline()[::-1]) == [["bigram 49.4"], []]
    other = gpt2(text_report(3.0, 128, "pydocs", "pydocs", sha="f6", documents=400))
    assert named([first_run(), other]) == [[], ["bigram 1.95"], []]  # GPT-2's tokens, bits per byte, published


def test_intervals_are_drawn():
    row = rows_of(online())[0]
    axes = plot_perplexity_by_parameters([row])
    (segment,) = axes.containers[0].lines[2][0].get_segments()
    assert segment[:, 1] == pytest.approx(interval(row, "token_perplexity"))


def test_the_charts_words_come_from_its_figures():
    words = describe_perplexity_by_parameters(rows_of(offline()))
    assert "Token perplexity on pydocs: measured, runs/first (902k) 20.09 (19.69 to 20.7) at context 128." in words
    assert "published, gpt2 (124M) 22.65" in words


def test_counts_are_short():
    counts = {902_272: "902k", 30_135_168: "30.1M", 124e6: "124M", 1_557_686_400: "1.56B", 7: "7", 0: "0"}
    assert {count: short_count(count) for count in counts} == counts


class Page(HTMLParser):
    """What a test wants to know of a page: tags, attributes, text, and whether tags are closed in order."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.open, self.text = [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)

    def all(self, *names):
        return [attrs for tag, attrs in self.tags if tag in names]


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    out = tmp_path_factory.mktemp("report")
    entries = online()
    entries[1].reports.append(samples_report(" <script>alert(1)</script> & so on"))
    return write_report(entries, out, ["a <note>"], {"C1": ("holds", 29.94), "C2": ("holds", None)})


def test_the_report_is_a_page_a_chart_and_the_figures(full):
    assert full.name == "report.html"
    assert {path.name for path in full.parent.iterdir()} == FILES
    kept = json.loads((full.parent / "report.json").read_text())
    assert set(kept) == {"compared", "notes", "rows", "benchmarks", "claims", "chart", "entries"}
    assert [claim["claim"]["id"] for claim in kept["claims"]] == [f"C{i}" for i in range(1, 12)]
    assert kept["claims"][0]["prediction"] == ["holds", 29.94]
    with (full.parent / "report.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == len(kept["rows"])
    assert [float(line["loss"]) for line in lines] == [row["loss"] for row in kept["rows"]]
    assert (full.parent / "perplexity.png").read_bytes().startswith(b"\x89PNG")
    assert b"<svg" in (full.parent / "perplexity.svg").read_bytes()


def test_the_page_is_whole_and_loads_nothing(full):
    page = Page(full.read_text())
    for attrs in (attrs for _, attrs in page.tags):
        for name in ("src", "href", "srcset", "poster", "data"):
            assert attrs.get(name, "data:").startswith("data:")
    assert page.all("script", "link", "iframe") == []
    assert "url(" not in full.read_text()
    assert "@import" not in full.read_text()
    assert all(image["alt"] for image in page.all("img"))
    assert len(page.all("img")) == 1
    assert dict(page.tags)["html"]["lang"] == "en"


def test_tables_name_their_rows_and_columns(full):
    page = Page(full.read_text())
    assert len(page.all("table")) == len(page.all("caption")) == 5
    assert {attrs["scope"] for attrs in page.all("th")} == {"row", "col"}


def test_what_is_not_ours_stays_text(full):
    text = full.read_text()
    assert "<script" not in text
    assert " <script>alert(1)</script> & so on" in "".join(Page(text).text)
    assert "a &lt;note&gt;" in text


def test_the_page_says_what_was_compared_under_which_protocol(full):
    text = "".join(Page(full.read_text()).text)
    assert (
        "runs/gpt-30m, gpt2, gpt2-medium, gpt2-large and gpt2-xl on the held-out part of owt (openwebtext): "
        "held-out documents in disjoint windows of 512 tokens, each token scored once, 4,400 tokens of 4,007 "
        "documents, in float32."
    ) in text
    assert "random batches instead of each token once" in text
    assert "holds, rightly; 29.94 (parameters, in millions)" in text
    assert "holds, wrongly" in text


def test_the_page_says_what_its_figures_were_made_from(full):
    text = "".join(Page(full.read_text()).text)
    for said in ("e5" * 32, "c3" * 32, "a1" * 32, "python 3.11.2, torch 2.13.0", "1.5"):
        assert said in text


def test_offline_the_page_says_what_was_not_measured(tmp_path):
    text = "".join(Page(write_report(offline(), tmp_path, ["go online for the rest"]).read_text()).text)
    assert "Of gpt2 nothing was measured here; what is shown is published." in text
    assert "go online for the rest" in text
    assert "uniform" in text  # what models that only count reach, for scale
    text = "".join(Page(write_report([gpt2()], tmp_path).read_text()).text)
    assert "Nothing was measured here" in text
    assert "22.6" in "".join(Page(write_report([], tmp_path).read_text()).text)


@pytest.mark.slow
def test_the_same_figures_give_the_same_bytes_and_other_files_stay(tmp_path):
    write_report(online(), tmp_path / "a")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "mine.txt").write_text("mine")
    write_report(offline(), tmp_path / "b")  # an older report, to be replaced
    write_report(online(), tmp_path / "b")
    for name in FILES:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    assert (tmp_path / "b" / "mine.txt").read_text() == "mine"
    assert {path.name for path in (tmp_path / "b").iterdir()} == FILES | {"mine.txt"}


def test_a_report_that_cannot_be_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(NotADirectoryError, match="is a file, and the report is a folder; choose another --out"):
        write_report(offline(), tmp_path / "file")


def test_an_interrupted_report_leaves_the_last_page_whole(tmp_path, monkeypatch):
    page = write_report(offline(), tmp_path)
    before = page.read_bytes()
    monkeypatch.setattr("nanogpt.course.report.render_page", lambda *parts: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_report(online(), tmp_path)
    assert page.read_bytes() == before


def brightness(colour):
    """Relative luminance of #rrggbb (WCAG 2.1)."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_every_colour_of_text_can_be_read_on_its_ground_in_light_dark_and_print():
    blocks = re.findall(r":root \{(.*?)\}", STYLE.read_text(), re.DOTALL)
    themes = [dict(re.findall(r"--(\w+): (#\w+)", block)) for block in blocks]
    assert len(themes) == 3
    for theme in themes:
        for text in ("ink", "soft", "blue", "no", "half"):
            for ground in ("paper", "tint"):
                light, dark = sorted((brightness(theme[text]), brightness(theme[ground])), reverse=True)
                assert (light + 0.05) / (dark + 0.05) >= 4.5, (text, ground)
