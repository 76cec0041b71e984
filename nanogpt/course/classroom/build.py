"""Exercises from solutions: nbgrader takes out what stands between the markers, and the hidden tests."""

import contextlib
import io
import logging
import shutil
import tempfile
from pathlib import Path
from typing import Any

SOLUTIONS, EXERCISES, CONFIG = "solutions", "exercises", "nbgrader_config.py"


def assignments(course: Path) -> list[str]:
    """The names of all assignments that have a solution, in order. Raises FileNotFoundError where there is none."""
    found = sorted({path.parent.name for path in (course / SOLUTIONS).glob("*/*.ipynb")})
    if not found:
        raise FileNotFoundError(f"{course / SOLUTIONS} holds no solutions; name the course's folder with --course")
    return found


def stem_of(course: Path, name: str) -> str:
    """The stem of an assignment's notebook: attention for 03_attention.

    Raises FileNotFoundError for an unknown name, ValueError where it can't be told which of several notebooks it is.
    """
    names = assignments(course)
    if name not in names:
        raise FileNotFoundError(f"there is no solution called {name!r}; choose one of {', '.join(names)}")
    stems = sorted(path.stem for path in (course / SOLUTIONS / name).glob("*.ipynb"))
    likely = stems if len(stems) == 1 else [stem for stem in stems if name.endswith(f"_{stem}")]
    if len(likely) != 1:
        raise ValueError(f"{course / SOLUTIONS / name} holds {', '.join(stems)}; leave the one that is the solution")
    return likely[0]


def nbgraders_config(course: Path) -> Any:
    """The course's settings for nbgrader. FileNotFoundError where there are none, ValueError for what can't be read."""
    from traitlets.config import PyFileConfigLoader

    if not (course / CONFIG).exists():
        raise FileNotFoundError(f"{course / CONFIG} is not there; copy this repository's")
    try:
        return PyFileConfigLoader(CONFIG, path=str(course)).load_config()
    except Exception as error:  # whatever its Python raises
        raise ValueError(f"{course / CONFIG} can't be read ({error}); mend it, or copy this repository's") from None


def build(course: Path, name: str | None = None) -> list[Path]:
    """Make `exercises/<name>/` of `solutions/<name>/`, all of them if no name is given. Returns the notebooks made.

    The old exercise is replaced only when the new one is whole. Raises FileNotFoundError for an unknown name,
    ValueError where nbgrader refuses a solution.
    """
    made = []
    with tempfile.TemporaryDirectory() as scratch:
        for each in [name] if name else assignments(course):
            notebook = _generate(course, each, Path(scratch))
            place = course / EXERCISES / each
            shutil.rmtree(place, ignore_errors=True)
            place.mkdir(parents=True)
            made.append(Path(shutil.copyfile(notebook, place / notebook.name)))
    return made


def _generate(course: Path, name: str, scratch: Path) -> Path:
    """Run nbgrader's own converter on one assignment, without its database, in a folder of our own."""
    from nbgrader.converters import GenerateAssignment
    from nbgrader.converters.base import NbGraderException
    from nbgrader.coursedir import CourseDirectory

    config = nbgraders_config(course)
    config.SaveCells.enabled = False  # what its --no-db does
    notebook = f"{stem_of(course, name)}.ipynb"
    (scratch / SOLUTIONS / name).mkdir(parents=True)
    shutil.copyfile(course / SOLUTIONS / name / notebook, scratch / SOLUTIONS / name / notebook)
    directory = CourseDirectory(root=str(scratch), assignment_id=name, config=config)
    converter = GenerateAssignment(coursedir=directory, no_database=True, force=True, config=config)
    converter.log.setLevel(logging.CRITICAL)
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            converter.start()
    except (NbGraderException, SystemExit) as error:
        raise ValueError(f"nbgrader refuses {name}: {error}; mend its cells' metadata or markers") from None
    return scratch / EXERCISES / name / notebook
