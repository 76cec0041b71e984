"""The commands of `nanogpt class`: what an instructor does with the exercises."""

from pathlib import Path

from tyro.conf import Positional


def build(name: Positional[str | None] = None, course: Path = Path()) -> None:
    """Make the exercises of their solutions, in nbgrader's format.

    Args:
        name: One assignment, like 03_attention; all of them if left out.
        course: The course's folder, which holds solutions/ and nbgrader_config.py.
    """
    from nanogpt.course.classroom.build import build as build_exercises

    for notebook in build_exercises(course, name):
        print(notebook)


COMMANDS = {"build": build}
