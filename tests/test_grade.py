"""A class graded more than once: the same marks each time, only what is new, nothing left of a grading that failed."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest
from classes import (
    FULL,
    NAME,
    QUICK,
    STEM,
    graded,
    hand_in,
    handed_in,
    needs_sandbox,
    new_class,
    scores,
    verdicts,
)

from nanogpt.course.classroom import grade as grading
from nanogpt.course.classroom import gradebook, sandbox, submission
from nanogpt.course.classroom.grade import UNFINISHED, grade
from nanogpt.course.classroom.submission import read_result

WRONG = {"one_head": "def one_head(x, *_): return x"}
WORK = {"s01": handed_in(), "s02": handed_in(WRONG), "s03": b"hello"}
QUESTION = "attention_written"
EXPECTED = {
    "s01": FULL | {QUESTION: None},
    "s02": FULL | {"one_head_test": 0, QUESTION: None},
    "s03": dict.fromkeys([*FULL, QUESTION], 0),
}

pytestmark = [needs_sandbox, pytest.mark.slow]


@pytest.fixture(scope="module")
def graded_once(tmp_path_factory) -> Path:
    course = new_class(tmp_path_factory.mktemp("class"), WORK)
    graded(course)
    return course


@pytest.fixture
def course(graded_once, tmp_path) -> Path:
    """The graded class, for one test alone."""
    return Path(shutil.copytree(graded_once, tmp_path / "course"))


@pytest.fixture
def inline(monkeypatch) -> None:
    """Grade in this process, where something can be put in the place of a part."""

    def one_by_one(todo, jobs):
        for job, mark in todo.items():
            yield job, submission.grade_one(job, mark)

    monkeypatch.setattr(grading, "_in_a_pool", one_by_one)


def outcome_of(result: dict) -> dict:
    return {key: value for key, value in result.items() if key != "seconds"}


def manual(course: Path, score: float, student: str = "s01") -> None:
    with gradebook.open_gradebook(course) as book:
        gradebook.enter_written(book, NAME, student, QUESTION, score, "well said")


def broken(*arguments):
    raise ZeroDivisionError("of the grader's own")


def test_a_class_is_graded_and_its_marks_are_in_the_gradebook(graded_once):
    assert scores(graded_once) == EXPECTED
    statuses = [read_result(graded_once, NAME, student)["status"] for student in WORK]
    assert statuses == ["graded", "graded", "refused"]


def test_what_is_unchanged_is_not_graded_again(course, monkeypatch):
    monkeypatch.setattr(submission, "judge_notebook", broken)
    before = {student: read_result(course, NAME, student) for student in WORK}
    results, said = graded(course)
    assert said == [] and results == before and scores(course) == EXPECTED


def test_what_the_gradebook_lost_is_graded_again(course, inline):
    with gradebook.open_gradebook(course) as book:
        book.remove_submission(NAME, "s02")
    _, said = graded(course)
    assert [line.split()[0] for line in said] == ["s02"]
    (course / gradebook.GRADEBOOK).unlink()
    graded(course)
    assert scores(course) == EXPECTED


def test_graded_again_each_gets_the_same(course, inline):
    before = {student: outcome_of(read_result(course, NAME, student)) for student in WORK}
    results, said = graded(course, again=True)
    assert len(said) == len(WORK)
    assert {student: outcome_of(result) for student, result in results.items()} == before
    assert scores(course) == EXPECTED


def test_only_what_was_changed_is_graded_again_and_no_old_mark_stays(course, inline):
    hand_in(course, "s02", WORK["s01"])
    hand_in(course, "s03", WORK["s02"])
    _, said = graded(course)
    assert [line.split()[0] for line in said] == ["s02", "s03"]
    assert scores(course) == {"s01": EXPECTED["s01"], "s02": EXPECTED["s01"], "s03": EXPECTED["s02"]}


def test_a_notebook_that_is_refused_now_leaves_nothing_of_the_one_before(course, inline):
    hand_in(course, "s01", b"hello")
    graded(course)
    assert scores(course)["s01"] == EXPECTED["s03"]
    assert [path.name for path in (course / "autograded" / "s01" / NAME).iterdir()] == ["result.json"]


def test_a_grading_that_fails_leaves_no_mark_and_no_notebook_and_is_done_again(course, inline, monkeypatch):
    hand_in(course, "s01", WORK["s02"])
    with monkeypatch.context() as patch:
        patch.setattr(submission, "judge_notebook", broken)
        results, said = graded(course)
    assert said == [f"{'s01':16} failed: the grader stopped with ZeroDivisionError: of the grader's own"]
    assert results["s01"]["outcomes"] == [] and results["s01"]["answers"] == {}
    assert [path.name for path in (course / "autograded" / "s01" / NAME).iterdir()] == ["result.json"]
    assert scores(course) == EXPECTED | {"s01": dict.fromkeys(EXPECTED["s01"])}
    with gradebook.open_gradebook(course) as book:
        assert gradebook.marks(book, NAME)["s01"]["score"] is None
        assert gradebook.marks(book, NAME)["s02"]["score"] == 13
    graded(course)
    assert scores(course) == EXPECTED | {"s01": EXPECTED["s02"]}


def test_a_file_that_cannot_be_read_costs_only_its_own_student_the_mark(course, inline):
    file = hand_in(course, "s01", b"")
    file.unlink()
    file.symlink_to("/proc/self/mem")  # which nobody can read from its beginning
    hand_in(course, "s03", WORK["s01"])
    results, _ = graded(course)
    assert results["s01"]["status"] == "failed" and results["s01"]["reason"].startswith("it can't be read: ")
    assert scores(course) == {
        "s01": dict.fromkeys(EXPECTED["s01"]),
        "s02": EXPECTED["s02"],
        "s03": EXPECTED["s01"],
    }


@pytest.mark.parametrize("between", ["nothing", "a failure", "a stop"])
def test_a_persons_score_is_kept_while_the_written_answer_is_the_same(course, inline, monkeypatch, between):
    manual(course, 1.5)
    hand_in(course, "s01", handed_in(WRONG))  # other code, the same words
    with monkeypatch.context() as patch:
        if between == "a failure":
            patch.setattr(submission, "judge_notebook", broken)
            graded(course)
        if between == "a stop":
            patch.setattr(submission, "judge_notebook", interrupted)
            with pytest.raises(KeyboardInterrupt):
                graded(course)
            assert read_result(course, NAME, "s01")["reason"] == UNFINISHED
            assert scores(course)["s01"]["one_head_test"] is None
    graded(course)
    assert scores(course)["s01"] == FULL | {"one_head_test": 0, QUESTION: 1.5}


def interrupted(*arguments):
    raise KeyboardInterrupt


def test_a_persons_score_is_dropped_when_the_written_answer_has_changed(course, inline):
    manual(course, 2)
    changed = handed_in()
    changed.cells[-1].source = "Something else."
    hand_in(course, "s01", changed)
    graded(course)
    assert scores(course)["s01"] == EXPECTED["s01"]


@pytest.mark.parametrize("between", ["nothing", "a failure"])
def test_a_persons_score_of_a_test_is_dropped_when_the_code_has_changed_and_told(course, inline, monkeypatch, between):
    by_hand(course, "one_head_test", 1.0)
    graded(course, again=True)
    assert scores(course)["s02"] == EXPECTED["s02"] | {"one_head_test": 1}
    hand_in(course, "s02", handed_in({"one_head": "def one_head(x, *_): return -x"}))
    if between == "a failure":
        with monkeypatch.context() as patch:
            patch.setattr(submission, "judge_notebook", broken)
            graded(course)
        assert set(scores(course)["s02"].values()) == {None}
    _, said = graded(course)
    assert said == [f"{'s02':16} 13 of 15: a person gave 1 for one_head_test as it was before: give it anew"]
    assert scores(course)["s02"] == EXPECTED["s02"]


def test_what_was_marked_before_our_grader_knew_it_stands_and_is_asked_about(course, inline):
    by_hand(course, "one_head_test", 1.0)
    (course / "autograded" / "s02" / NAME / "result.json").unlink()  # as where nbgrader's autograde was first
    _, said = graded(course)
    asked = "what a person gave for one_head_test stands: is it for this work?"
    assert said == [f"{'s02':16} 13 of 15: {asked}"]
    assert scores(course)["s02"] == EXPECTED["s02"] | {"one_head_test": 1}


def test_a_space_at_the_end_is_no_other_answer(course, inline):
    manual(course, 1.5)
    work = handed_in()
    work.cells[-1].source += "\n"
    hand_in(course, "s01", work)
    graded(course)
    assert scores(course)["s01"] == FULL | {QUESTION: 1.5}


def test_a_damaged_result_is_graded_again(course, inline):
    (course / "autograded" / "s02" / NAME / "result.json").write_text("{")
    graded(course)
    assert scores(course) == EXPECTED


def test_a_persons_scores_of_a_refused_file_are_dropped_with_the_file(course, inline):
    by_hand(course, "one_head_test", 1.0, "s03")
    graded(course, again=True)
    assert scores(course)["s03"]["one_head_test"] == 1
    hand_in(course, "s03", b"something else")
    graded(course)
    assert scores(course)["s03"] == EXPECTED["s03"]


def by_hand(course: Path, test: str, score: float, student: str = "s02") -> None:
    """Change a test's score as nbgrader's form does."""
    with gradebook.open_gradebook(course) as book:
        book.find_grade(test, STEM, NAME, student).manual_score = score
        book.db.commit()


GRADES = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from classes import NAME, QUICK
from nanogpt.course.classroom.grade import grade
if __name__ == "__main__":
    grade(Path(sys.argv[1]), NAME, QUICK, 1, say=lambda line: print(line, flush=True))
"""


def test_killed_in_the_middle_it_goes_on_with_the_rest_and_gives_the_same_marks(tmp_path, inline, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))  # what was killed leaves its empty folder there
    work = {"s01": WORK["s01"], "s02": WORK["s02"], "s03": WORK["s03"], "s04": handed_in(WRONG)}
    course = new_class(tmp_path / "course", work)
    script = tmp_path / "grades.py"
    script.write_text(GRADES)
    command = [sys.executable, str(script), str(course), str(Path(__file__).parent)]
    grader = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    first = grader.stdout.readline().split()[0]
    time.sleep(0.7)  # into the next one
    left = [process.pid for process in psutil.Process(grader.pid).children(recursive=True)]
    grader.send_signal(signal.SIGKILL)
    done = {first, *(line.split()[0] for line in grader.stdout)}
    grader.wait()
    grader.stdout.close()
    assert done < set(work)
    _, alive = psutil.wait_procs([psutil.Process(pid) for pid in left if psutil.pid_exists(pid)], timeout=10)
    assert alive == []
    stopped = [student for student in work if (result := read_result(course, NAME, student)) and not result["outcomes"]]
    assert set(stopped) - {"s03"} <= set(work) - done

    _, said = graded(course)
    assert {line.split()[0] for line in said} == set(work) - done
    assert scores(course) == EXPECTED | {"s04": EXPECTED["s02"]}


def test_a_process_of_the_graders_that_dies_is_told_and_the_others_are_graded(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    slow = handed_in(added="import time\ntime.sleep(2)")
    course = new_class(tmp_path / "course", {"s01": slow, "s02": WORK["s02"]})
    killed: list[int] = []
    watching = threading.Thread(target=kill_the_first, args=(killed, 2))
    watching.start()
    results, said = graded(course, jobs=1)
    watching.join()
    assert len(killed) == 2
    assert f"{'s01':16} failed: the grader's process died over it" in said
    assert scores(course) == {"s01": dict.fromkeys(EXPECTED["s01"]), "s02": EXPECTED["s02"]}
    assert verdicts(results["s02"])["one_head"] == "wrong"


def kill_the_first(killed: list[int], times: int) -> None:
    """Kill that many processes of a pool, each as soon as a sandbox is in it."""
    until = time.monotonic() + 60
    while len(killed) < times and time.monotonic() < until:
        for child in psutil.Process(os.getpid()).children():
            if child.pid not in killed and any(process.name() == "bwrap" for process in child.children()):
                child.kill()
                killed.append(child.pid)
        time.sleep(0.01)


def test_the_class_is_entered_from_the_roster_with_those_who_handed_nothing_in(course):
    (course / "roster.csv").write_text("id,last_name\ns01,One\ns02,Two\ns03,Three\ns04,Four\n")
    graded(course)
    with gradebook.open_gradebook(course) as book:
        assert {student.id: student.last_name for student in book.students}["s04"] == "Four"
    assert "s04" not in scores(course)


def test_where_no_sandbox_can_be_had_nothing_is_graded_unless_it_is_not_wanted(tmp_path, inline, monkeypatch):
    course = new_class(tmp_path / "course", {"s01": handed_in(WRONG)})
    monkeypatch.setattr(sandbox, "trouble", lambda: "there is no bwrap here")
    with pytest.raises(OSError, match="there is no bwrap here"):
        graded(course)
    assert not (course / "autograded").exists()
    graded(course, sandboxed=False)
    assert scores(course) == {"s01": EXPECTED["s02"]}


def test_an_unknown_assignment_or_one_that_is_not_built_is_told_in_a_sentence(course):
    with pytest.raises(FileNotFoundError, match="there is no solution called '99_nothing'"):
        grade(course, "99_nothing", QUICK, 1)
    shutil.rmtree(course / "exercises")
    with pytest.raises(
        FileNotFoundError, match=rf"{STEM}\.ipynb is not there; make it with: nanogpt class build {NAME}"
    ):
        grade(course, NAME, QUICK, 1)
    assert scores(course) == EXPECTED
