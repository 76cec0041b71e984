import re
import shutil
from html.parser import HTMLParser
from itertools import pairwise

import pytest
from invented_class import MOST, NAME, POINTS, QUESTION, STEM, hand_in, new_course, outcome, slip, untouched

from nanogpt.course.check import items
from nanogpt.course.classroom import gradebook
from nanogpt.course.classroom.feedback import write_feedback
from nanogpt.course.classroom.report import write_class_report
from nanogpt.course.classroom.sheet import STYLES, markdown, table, text

SCRIPT = "<script>alert(1)</script>"
STOPPED = outcome("multi_head", "stopped", cause="it was still running after 10 seconds")
RAISED = outcome(
    "one_head", "wrong", f"one_head: not right yet\n  because  ValueError: {SCRIPT}", f"it stops with {SCRIPT}"
)


class Reader(HTMLParser):
    """Tags in their order, those that were never closed, and all text."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.open, self.text = [], [], ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def page_of(course, student):
    return (course / "feedback" / student / NAME / "attention.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    course = new_course(tmp_path_factory.mktemp("course"))
    hand_in(
        course, "s01", slip("attention_weights"), RAISED, untouched("merge_heads"), STOPPED,
        written=f"The tokens 3 to 6.\n{SCRIPT}", score=1.5, comment=f"The tokens are right.\n{SCRIPT}",
        answers={"attention_weights": f"def attention_weights(query, key):\n    return key  # {SCRIPT}"},
        remarks=["the answer cell one_head is there 2 times; all count, in their order", SCRIPT],
    )  # fmt: skip
    hand_in(course, "s02", written="The past.")
    hand_in(course, "s03", *map(untouched, POINTS), written="")
    hand_in(course, "s04", status="refused", reason=f"{SCRIPT}.pdf is not a notebook; hand in the .ipynb file itself")
    hand_in(course, "s05", status="failed", reason="the grader stopped with OSError: no process")
    assert write_feedback(course, NAME) == [
        course / "feedback" / f"s0{i}" / NAME / "attention.html" for i in range(1, 6)
    ]
    return course


@pytest.mark.parametrize("student", ["s01", "s02", "s03", "s04", "s05"])
def test_a_page_is_whole_loads_nothing_and_runs_nothing(course, student):
    page = Reader(page_of(course, student))
    assert page.open == []
    assert {"script", "link", "img", "iframe", "object", "form"}.isdisjoint(tag for tag, _ in page.tags)
    assert not [attrs for _, attrs in page.tags if {"src", "href", "style"} & set(attrs)]
    assert not [name for _, attrs in page.tags for name in attrs if name.startswith("on")]
    assert "default-src 'none'" in page_of(course, student)
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch(r"h\d", tag)]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


@pytest.mark.parametrize("student", ["s01", "s02", "s03", "s04", "s05"])
def test_nothing_of_the_hidden_tests_or_the_solution_is_on_a_page(course, student):
    page, source = page_of(course, student), (course / "solutions" / NAME / "attention.ipynb").read_text()
    for secret in ("HIDDEN TESTS", "SOLUTION", "seed=", "check.", ".tril()"):
        assert secret in source
        assert secret not in page


def test_what_a_student_wrote_stands_there_as_text(course):
    page = page_of(course, "s01")
    assert "<script" not in page
    said = Reader(page).text
    assert f"return key  # {SCRIPT}" in said  # the answer
    assert f"ValueError: {SCRIPT}" in said  # the exception's message
    assert f"it stops with {SCRIPT}" in said  # its type
    assert f"The tokens 3 to 6.\n{SCRIPT}" in said  # the written answer
    assert f"The tokens are right.\n{SCRIPT}" in said  # the comment
    assert "<script" not in page_of(course, "s04")  # the file's name


def test_characters_that_cannot_be_shown_are_replaced():
    assert text("a\x00\x1b[31m\nb\t<&\"'") == "a��[31m\nb\t&lt;&amp;&quot;&#x27;"


def test_the_head_says_whose_it_is_and_the_marks(course):
    said = Reader(page_of(course, "s01")).text
    assert f"Feedback on {NAME}\ns01: 4.5 of 17 points\n" in said
    assert "Tests3 of 15 pointsWritten1.5 of 2 points" in said


def test_what_waits_for_a_person_is_said(course):
    said = Reader(page_of(course, "s02")).text
    assert "s02: 15 of 17 points so far" in said
    assert said.count("waits for a person, who gives up to 2") == 2  # in the head, and beside the answer


def test_each_item_has_its_verdict_in_words_and_by_a_sign_with_its_points(course):
    said = Reader(page_of(course, "s01")).text
    for line in [
        "causal_mask\n✓ right 1 of 1 point",
        "attention_weights\n✗ not right yet 0 of 4 points",
        "merge_heads\n○ not attempted 0 of 2 points",
        "multi_head\n■ stopped 0 of 4 points",
    ]:
        assert line in said
    for item in items("attention").values():
        assert item.asked in said


def test_the_recognised_slip_stands_out(course):
    sentence = next(iter(items("attention")["attention_weights"].slips))
    slips = re.findall(r'<p class="slip"><b>(.*?)</b> (.*?)</p>', page_of(course, "s01"))
    assert slips[0] == ("Where it seems to come from:", sentence)
    assert slips[-1] == ("What happened:", "it was still running after 10 seconds")
    assert "slip" not in page_of(course, "s02").partition("</style>")[2]


def test_an_item_that_was_not_attempted_has_no_report(course):
    assert "The report" not in Reader(page_of(course, "s03")).text


def test_the_written_question_comes_with_its_rubric(course):
    said = Reader(page_of(course, "s01")).text
    assert "Which of the seven outputs change" in said
    assert "1 point: the tokens with the wrong merge, and the reason; the reason alone earns it." in said
    assert "○ not attempted 0 of 2 points" in Reader(page_of(course, "s03")).text.partition("Written question")[2]


def test_what_happened_is_told(course):
    assert "the answer cell one_head is there 2 times" in Reader(page_of(course, "s01")).text
    assert "What happened on the way" not in page_of(course, "s02")


def test_a_refused_submission_is_told_the_reason_and_a_failed_one_that_it_is_not_the_students_fault(course):
    refused, failed = (Reader(page_of(course, student)).text for student in ("s04", "s05"))
    assert "s04: 0 of 17 points\nWhat was handed in could not be taken, and has no points: " in refused
    assert ".pdf is not a notebook; hand in the .ipynb file itself." in refused
    assert "s05: no mark yet\nIt could not be graded yet" in failed
    assert "OSError" not in failed


@pytest.fixture
def own(tmp_path):
    course = new_course(tmp_path)
    hand_in(course, "s01")
    return course


def test_a_page_whose_result_is_gone_is_removed_and_other_files_stay(own):
    hand_in(own, "s02")
    write_feedback(own, NAME)
    (own / "feedback" / "s02" / NAME / "notes.txt").write_text("kept")
    for student in ("s01", "s02"):
        shutil.rmtree(own / "autograded" / student)
    assert write_feedback(own, NAME) == []
    assert [path.name for path in (own / "feedback").rglob("*") if path.is_file()] == ["notes.txt"]
    assert not (own / "feedback" / "s01").exists()


def test_what_was_handed_in_anew_has_no_page_until_it_is_graded(own):
    assert len(write_feedback(own, NAME)) == 1
    (own / "submitted" / "s01" / NAME / f"{STEM}.ipynb").write_text("[]")
    assert write_feedback(own, NAME) == []
    assert "not graded yet" in write_class_report(own, NAME).read_text()


def test_points_that_a_person_changed_are_the_ones_that_count(own):
    with gradebook.open_gradebook(own) as book:
        gradebook.enter_written(book, NAME, "s01", "causal_mask_test", 0.5, "")
        gradebook.enter_written(book, NAME, "s01", QUESTION, 2.0, "")
    write_feedback(own, NAME)
    said = Reader(page_of(own, "s01")).text
    assert "✓ right 0.5 of 1 point (the test gave 1)" in said
    assert f"s01: {MOST - 0.5:g} of {MOST} points" in said


def test_without_a_gradebook_the_tests_points_are_shown_and_there_is_no_mark(own):
    (own / "gradebook.db").unlink()
    write_feedback(own, NAME)
    said = Reader(page_of(own, "s01")).text
    assert "s01: no mark yet" in said
    assert "Tests15 of 15 points" in said


def test_an_unknown_assignment_or_one_without_its_exercise_is_told(own):
    with pytest.raises(FileNotFoundError, match="choose one of 03_attention"):
        write_feedback(own, "03")
    shutil.rmtree(own / "exercises")
    with pytest.raises(FileNotFoundError, match="nanogpt class build"):
        write_feedback(own, NAME)


def test_a_question_loads_nothing_and_keeps_its_formulas():
    html = markdown("### A $a_i * b_i$\n\n[words](https://a.b) ![seen](c.png) <b>x</b>\n\n$$\nx_1 * y_1\n$$")
    assert html.startswith("<h3>A ")
    assert r"\(a_i * b_i\)" in html
    assert "x_1 * y_1" in html
    assert "<p>words seen &lt;b&gt;x&lt;/b&gt;</p>" in html


def test_a_table_names_a_row_like_the_one_above_for_the_ear_alone():
    html = table("T", ["a", "b"], [("x", 1), ("x", SCRIPT), ("y", 3)], numbers=[1])
    assert html.count('<tr class="again"><th scope="row"><span>x</span></th>') == 1
    assert "<script" not in html


def test_the_pages_own_style_uses_the_houses_colours_alone():
    """Their contrast is measured in test_report."""
    assert not re.search(r"#[0-9a-fA-F]{3}|rgb|hsl", STYLES[1].read_text())
    assert set(re.findall(r"color: ([^;]+);", STYLES[1].read_text())) <= {
        f"var(--{name})" for name in ("soft", "blue", "no", "half")
    }
