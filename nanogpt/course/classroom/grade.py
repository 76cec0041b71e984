"""Grading a class: in parallel, each submission in a sandbox of its own, resumed where it was stopped.

A submission's result.json is written last. Where it is there, and of the same file and the same tests, nothing is done
again; before anything is done again, the old mark is taken away, and result.json says that none is there.
"""

import os
import re
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import connection, get_context, parent_process
from pathlib import Path
from typing import Any

import torch

from nanogpt.course.classroom import gradebook, sandbox
from nanogpt.course.classroom.build import stem_of
from nanogpt.course.classroom.collect import students_of
from nanogpt.course.classroom.roster import read_roster
from nanogpt.course.classroom.sandbox import Limits
from nanogpt.course.classroom.submission import (
    FAILED,
    GRADED,
    REFUSED,
    Job,
    blank_result,
    fingerprint,
    grade_one,
    keep_result,
    notebooks_of,
    read_result,
)

UNFINISHED = "its grading was stopped before it was done; grade again, and it goes on"


def grade(
    course: Path,
    assignment: str,
    limits: Limits,
    jobs: int,
    sandboxed: bool = True,
    again: bool = False,
    say: Callable[[str], None] = lambda line: None,
) -> list[dict[str, Any]]:
    """Grade what was handed in and isn't graded yet, or all of it `again`. Returns every result, by student.

    `jobs` submissions are graded side by side; `say` is told a line for each. Raises OSError where a sandbox is wanted
    and none can be had, FileNotFoundError for an unknown assignment or one whose exercise isn't built.
    """
    stem = stem_of(course, assignment)
    if sandboxed and (trouble := sandbox.trouble()):
        raise OSError(trouble)
    students, strangers = students_of(course, assignment)
    todo: dict[Job, str] = {}
    before: dict[Job, dict | None] = {}  # what a person may have marked; None where nobody knows what that was
    with gradebook.open_gradebook(course) as book:
        gradebook.register(book, assignment, stem, notebooks_of(course, assignment, stem)[1])
        gradebook.enter_students(book, read_roster(course) or students)
        held = gradebook.marks(book, assignment)
        for student in students:
            job = Job(course, assignment, stem, student.id, limits, sandboxed)
            mark, kept = fingerprint(job), read_result(course, assignment, student.id)
            missing = kept is None or student.id not in held  # from the gradebook, that is: it may have been moved away
            if again or missing or kept["fingerprint"] != mark or kept["status"] == FAILED:
                todo[job], before[job] = mark, {key: kept.get(key) for key in ("written", "code")} if kept else None
                keep_result(job, blank_result(job, mark) | {"reason": UNFINISHED} | (before[job] or {}))
                gradebook.clear(book, assignment, student.id)
                (job.place / f"{stem}.ipynb").unlink(missing_ok=True)
        for job, result in _graded(todo, jobs):
            if before[job] is None and (marked := held.get(job.student, {}).get("by_hand")):
                result["worth_a_look"].append(
                    f"what a person gave for {', '.join(marked)} stands: is it for this work?"
                )
            _enter(book, job, result, before[job])
            keep_result(job, result)
            say(line_of(result))
    for line in strangers:
        say(line)
    return [result for s in students if (result := read_result(course, assignment, s.id)) is not None]


def line_of(result: dict[str, Any]) -> str:
    """A result in a line: the student, the points that tests gave, and whatever happened."""
    outcomes = result["outcomes"]
    earned, most = (sum(o[key] for o in outcomes) for key in ("earned", "points"))
    points = f"{earned:g} of {most:g}" if result["status"] == GRADED else result["status"]
    if outcomes and all(o["verdict"] == "not attempted" for o in outcomes):
        points += ", not attempted"
    happened = "; ".join(filter(None, [result["reason"], *result["remarks"], *result["worth_a_look"]]))
    line = f"{result['student']:16} {points}" + (f": {happened}" if happened else "")
    line = re.sub(r"[\x00-\x1f\x7f-\x9f]", "?", line)  # what students wrote may steer a terminal, or be no character
    return line.encode("utf-8", "replace").decode("utf-8")


def _enter(book: Any, job: Job, result: dict[str, Any], before: dict[str, Any] | None) -> None:
    """Put a result into the gradebook. What was refused has 0; where the grader itself failed there is no mark.

    What a person gave stands while the written answers, or the code, are the same as `before`.
    """
    scores: dict[str, float | None] = {}
    if result["status"] == GRADED:
        scores = {outcome["test"]: outcome["earned"] for outcome in result["outcomes"]}
        scores |= {name: None if answer["attempted"] else 0.0 for name, answer in result["written"].items()}
    elif result["status"] == REFUSED:
        scores = dict.fromkeys(gradebook.cells(book, job.assignment), 0.0)
    else:
        result |= before or {}
    same_code = before is None or result["code"] == before["code"]
    same_words = before is None or _words(result["written"]) == _words(before["written"])
    if result["status"] == REFUSED:  # there are no words to tell another file by
        same_words = same_code
    keep = [kind for kind, same in {"markdown": same_words, "code": same_code}.items() if same]
    when = f"{job.handed_in:%Y-%m-%d %H:%M:%S} UTC"
    result["worth_a_look"] += gradebook.enter(book, job.assignment, job.student, when, scores, keep)
    if result["status"] == FAILED:
        gradebook.clear(book, job.assignment, job.student)  # a person's score of one cell is no mark


def _words(written: dict[str, dict[str, Any]]) -> dict[str, tuple[float, list[str]]]:
    """The written answers without the space between their words, as it is no reason to mark them anew."""
    return {name: (answer["points"], answer["answer"].split()) for name, answer in written.items()}


def _graded(todo: dict[Job, str], jobs: int) -> Iterator[tuple[Job, dict[str, Any]]]:
    """Results as they come. A process of ours that dies takes no other submission along: those are tried once more."""
    left = dict(todo)
    for job, result in _in_a_pool(todo, jobs):
        del left[job]
        yield job, result
    for job, mark in left.items():
        alone = list(_in_a_pool({job: mark}, 1))
        yield alone[0] if alone else (job, blank_result(job, mark) | {"reason": "the grader's process died over it"})


def _in_a_pool(todo: dict[Job, str], jobs: int) -> Iterator[tuple[Job, dict[str, Any]]]:
    with ProcessPoolExecutor(jobs, get_context("spawn"), _prepare_process) as pool:
        with _deaf_to_ctrl_c():  # so are the processes that begin here, until they are ready
            futures = {pool.submit(grade_one, job, mark): job for job, mark in todo.items()}
        try:
            for future in as_completed(futures):
                yield futures[future], future.result()
        except BrokenProcessPool:  # grade_one itself raises nothing
            return
        finally:
            pool.shutdown(cancel_futures=True)


@contextmanager
def _deaf_to_ctrl_c() -> Iterator[None]:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _prepare_process() -> None:
    """In a process of the pool: one thread for torch, and an end when the one that began it ends, even if killed."""
    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.default_int_handler)

    def wait() -> None:
        connection.wait([parent_process().sentinel])
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()
