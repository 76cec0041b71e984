"""pyproject.toml, constraints.txt and environment.yml say the same thing, and it is what is installed."""

import re
import subprocess
import tomllib
from importlib.metadata import PackageNotFoundError, distribution, version
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
FIXED = {"torch", "jupyterlab", "ipywidgets", "tiktoken", "datasets", "matplotlib", "nbval"}


def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def requirements() -> dict[str, Requirement]:
    listed = project()["dependencies"] + project()["optional-dependencies"]["test"]
    return {canonicalize_name(r.name): r for r in map(Requirement, listed)}


def pins() -> dict[str, str]:
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", line) for line in lines), "a pin is name==version, without a platform"
    return {canonicalize_name(name): number for name, number in (line.split("==") for line in lines)}


def conda() -> dict:
    return yaml.safe_load((ROOT / "environment.yml").read_text())


def test_the_project_is_what_it_says():
    assert project()["name"] == "nanogpt"
    assert project()["requires-python"] == ">=3.11"
    assert "test" in project()["optional-dependencies"]
    assert pins()["torch"] == "2.13.0"
    assert set(requirements()) >= FIXED


def test_every_range_admits_its_pin():
    for name, requirement in requirements().items():
        assert pins()[name] in requirement.specifier, name


def test_every_dependency_of_a_dependency_is_pinned():
    seen, waiting = set(), [(name, frozenset(r.extras)) for name, r in requirements().items()]
    while waiting:
        name, extras = waiting.pop()
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        assert name in pins(), f"{name} is needed but constraints.txt does not pin it"
        for line in distribution(name).requires or []:
            requirement = Requirement(line)
            wanted = requirement.marker is None or any(
                requirement.marker.evaluate({"extra": extra}) for extra in ("", *extras)
            )
            if wanted and _installed(requirement.name):
                waiting.append((canonicalize_name(requirement.name), frozenset(requirement.extras)))


def _installed(name: str) -> bool:
    try:
        distribution(name)
    except PackageNotFoundError:
        return False
    return True


def test_what_is_installed_is_what_is_pinned():
    for name, number in pins().items():
        assert version(name).split("+")[0] == number, name


def test_no_pin_is_for_one_platform_alone():
    assert not [name for name in pins() if name.startswith(("nvidia-", "triton", "pywin", "appnope"))]


def test_conda_gets_the_same_versions():
    environment = conda()
    assert environment["name"] == "nanogpt"
    minimum = project()["requires-python"].removeprefix(">=")
    assert f"python={minimum}" in environment["dependencies"]
    (from_pip,) = (entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict))
    assert from_pip[0] == "-c constraints.txt"
    assert from_pip[-1] == "-e .[test]"
    named = dict(entry.split("==") for entry in from_pip[1:-1])
    assert set(named) == FIXED
    for name, number in named.items():
        assert pins()[name] == number, name


def test_setting_up_a_second_time_has_nothing_to_do():
    if not (ROOT / ".venv" / "ready").exists():
        pytest.skip("needs the environment that make setup makes")
    assert subprocess.run(["make", "--question", "setup"], cwd=ROOT).returncode == 0
