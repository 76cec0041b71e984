import base64
import json
import re

import pytest
from invented_class import NAME, POINTS, hand_in, new_course, outcome, slip, untouched
from test_feedback import SCRIPT, Reader

from nanogpt.course.check import items
from nanogpt.course.classroom.report import write_class_report

DASH = "\N{EN DASH}"
ROSTER = "s01 s02 s03 s04 s05 s06 s07 s08"
RAISES = outcome("causal_mask", "wrong", cause=f"it stops with {SCRIPT}")


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    course = new_course(tmp_path_factory.mktemp("course"), ROSTER)
    hand_in(course, "s01", slip("causal_mask"), slip("split_heads", 1), score=1.5)  # 12 + 1.5
    hand_in(course, "s02", slip("causal_mask"), RAISES | {"item": "one_head", "test": "one_head_test", "points": 2.0})
    hand_in(course, "s03", slip("causal_mask", 1), outcome("multi_head", "stopped"), remarks=["multi_head: it stopped"])
    hand_in(course, "s04", *map(untouched, POINTS), written="")
    hand_in(course, "s05", status="refused", reason=f"{SCRIPT} is not a notebook")
    hand_in(course, "s06", status="failed", reason="the grader stopped with OSError: no process")
    (course / "submitted" / "s07" / NAME).mkdir(parents=True)  # handed in, and not graded yet
    (course / "submitted" / "zz9" / NAME).mkdir(parents=True)
    (course / "submitted" / f"{NAME}.json").write_text(json.dumps([f"{SCRIPT}.ipynb is of nobody on the roster"]))
    return course


@pytest.fixture(scope="module")
def html(course):
    path = write_class_report(course, NAME)
    assert path == course / "reports" / f"{NAME}.html"
    return path.read_text(encoding="utf-8")


def rows(html, caption):
    """The rows of a table, cell by cell."""
    body = re.search(rf"<caption><span>{caption}.*?<tbody>(.*?)</tbody>", html, re.DOTALL)[1]
    cells = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in body.split("</tr>") if row.strip()]
    return [tuple(re.sub("<.*?>", "", cell) for cell in row) for row in cells]


def test_the_page_is_whole_loads_nothing_and_runs_nothing(html):
    page = Reader(html)
    assert page.open == []
    assert {"script", "link", "iframe"}.isdisjoint(tag for tag, _ in page.tags)
    sources = [attrs["src"] for tag, attrs in page.tags if tag == "img"]
    assert len(sources) == 2
    assert all(source.startswith("data:image/svg+xml;base64,") for source in sources)
    assert "href" not in html


def test_it_says_how_many_stand_where_and_who(html):
    assert "7 of 8 handed in, and 4 are graded." in html
    assert rows(html, "Where the submissions stand") == [
        ("handed in", "7", ""),
        ("graded", "4", ""),
        ("of these, nothing attempted", "1", "s04"),
        ("of these, a written answer waits", "2", "s02, s03"),
        ("refused", "1", "s05"),
        ("failed, by the grader&#x27;s fault", "1", "s06"),
        ("not graded yet", "1", "s07"),
        ("missing", "1", "s08"),
    ]


def test_each_chart_has_words_that_say_what_it_shows(html):
    marks, verdicts = (attrs["alt"] for tag, attrs in Reader(html).tags if tag == "img")
    assert "the points of 4 submissions, of 17, rounded down: 1 with 0, 1 with 10, 1 with 12, 1 with 13." in marks
    assert "causal_mask: 3 not right yet, 1 not attempted; attention_weights: 3 right, 1 not attempted" in verdicts
    assert "multi_head: 2 right, 1 not attempted, 1 stopped." in verdicts
    assert "2 still wait for a person" in html
    svg = base64.b64decode(re.search(r"base64,([^\"]+)", html)[1])
    assert b"<svg" in svg


def test_the_items_stand_in_the_exercises_order_with_figures(html):
    found = rows(html, "How the answers to each item turned out")
    assert [row[0] for row in found] == list(POINTS)
    assert found[0] == ("causal_mask", "0", "3", "1", "0")
    assert found[-1] == ("multi_head", "2", "0", "1", "1")


def test_slips_are_counted_the_most_frequent_first_in_each_item(html):
    first, second, *_ = items("attention")["causal_mask"].slips
    heads = list(items("attention")["split_heads"].slips)[1]
    assert rows(html, "What wrong answers") == [
        ("causal_mask", first, "2"),
        ("causal_mask", second, "1"),
        ("one_head", "it stops with &lt;script&gt;alert(1)&lt;/script&gt;", "1"),
        ("split_heads", heads, "1"),
    ]


def test_what_was_not_recognised_is_a_row_too(tmp_path):
    course = new_course(tmp_path)
    hand_in(course, "s01", outcome("one_head", "wrong"))
    hand_in(course, "s02", outcome("one_head", "wrong"))
    hand_in(course, "s03", slip("one_head"))
    page = write_class_report(course, NAME).read_text()
    assert "missing" not in page  # there is no roster
    assert "3 handed in, and 3 are graded." in page
    assert rows(page, "What wrong answers")[0] == ("one_head", "not recognised", "2")


def test_what_happened_is_told_with_who_or_where(html):
    assert rows(html, "Incidents") == [
        ("s03", "multi_head: it stopped"),
        ("s05", "refused: &lt;script&gt;alert(1)&lt;/script&gt; is not a notebook"),
        ("s06", "failed: the grader stopped with OSError: no process"),
        ("at collection", "&lt;script&gt;alert(1)&lt;/script&gt;.ipynb is of nobody on the roster"),
        ("not on the roster", "zz9 is not on the roster, so what they handed in is not graded"),
    ]


def test_each_student_has_a_row(html):
    assert "All, of 17" in html
    assert rows(html, "Points of each student") == [
        ("s01", "12", "1.5", "13.5", "graded"),
        ("s02", "12", "waits", "12", "graded, a written answer waits"),
        ("s03", "10", "waits", "10", "graded, a written answer waits"),
        ("s04", "0", "0", "0", "graded, nothing attempted"),
        ("s05", DASH, DASH, "0", "refused"),
        ("s06", DASH, DASH, DASH, "failed"),
        ("s07", DASH, DASH, DASH, "not graded yet"),
        ("s08", DASH, DASH, DASH, "nothing handed in"),
    ]


def test_the_same_class_gives_the_same_bytes(course, html):
    assert write_class_report(course, NAME).read_text(encoding="utf-8") == html


def test_a_class_of_which_nothing_is_graded_has_a_page_too(tmp_path):
    page = write_class_report(new_course(tmp_path, "s01 s02"), NAME).read_text()
    assert "0 of 2 handed in, and 0 are graded." in page
    assert "There are none yet." in page
    assert "Nothing out of the ordinary." in page
    assert "<img" not in page


def test_an_unknown_assignment_is_told(tmp_path):
    with pytest.raises(FileNotFoundError, match="choose one of 03_attention"):
        write_class_report(new_course(tmp_path), "03")
