"""Exercises from solutions: nbgrader takes out what stands between the markers, and the hidden tests."""

import contextlib
import io
import logging
import shutil
import tempfile
from pathlib import Path

SOLUTIONS, EXERCISES, CONFIG = "solutions", "exercises", "nbgrader_config.py"


def assignments(course: Path) -> list[str]:
    """The names of all assignments that have a solution, in order. Raises FileNotFoundError where there is none."""
    found = sorted(path.parent.name for path in (course / SOLUTIONS).glob("*/*.ipynb"))
    if not found:
        raise FileNotFoundError(f"{course / SOLUTIONS} holds no solutions; name the course's folder with --course")
    return found


def stem_of(course: Path, name: str) -> str:
    """The stem of an assignment's notebook: attention for 03_attention. FileNotFoundError for an unknown name."""
    names = assignments(course)
    if name not in names:
        raise FileNotFoundError(f"there is no solution called {name!r}; choose one of {', '.join(names)}")
    return next((course / SOLUTIONS / name).glob("*.ipynb")).stem


def build(course: Path, name: str | None = None) -> list[Path]:
    """Make `exercises/<name>/` of `solutions/<name>/`, all of them if no name is given. Returns the notebooks made.

    The old exercise is replaced only when the new one is whole. Raises FileNotFoundError for an unknown name,
    ValueError where nbgrader refuses a solution.
    """
    if name is not None:
        stem_of(course, name)
    made = []
    with tempfile.TemporaryDirectory() as scratch:
        for each in [name] if name else assignments(course):
            notebooks = _generate(course, each, Path(scratch))
            place = course / EXERCISES / each
            shutil.rmtree(place, ignore_errors=True)
            place.mkdir(parents=True)
            made += [Path(shutil.copyfile(notebook, place / notebook.name)) for notebook in notebooks]
    return made


def _generate(course: Path, name: str, scratch: Path) -> list[Path]:
    """Run nbgrader's own converter on one assignment, without its database, in a folder of our own."""
    from nbgrader.converters import GenerateAssignment
    from nbgrader.converters.base import NbGraderException
    from nbgrader.coursedir import CourseDirectory
    from traitlets.config import PyFileConfigLoader

    config = PyFileConfigLoader(CONFIG, path=str(course)).load_config()
    config.SaveCells.enabled = False  # what its --no-db does
    shutil.copytree(course / SOLUTIONS / name, scratch / SOLUTIONS / name)
    directory = CourseDirectory(root=str(scratch), assignment_id=name, config=config)
    converter = GenerateAssignment(coursedir=directory, no_database=True, force=True, config=config)
    converter.log.setLevel(logging.CRITICAL)
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            converter.start()
    except (NbGraderException, SystemExit) as error:
        raise ValueError(f"nbgrader refuses {name}: {error}; mend its cells' metadata or markers") from None
    return sorted((scratch / EXERCISES / name).glob("*.ipynb"))
