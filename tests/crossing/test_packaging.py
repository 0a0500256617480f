"""The conda recipe and the container file say what pyproject.toml says."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.version import Version

import sectoraug as sa

ROOT = Path(__file__).parents[2]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
CONDA_NAMES = {"torch": "pytorch", "opencv-python-headless": "py-opencv", "python-gdcm": "gdcm"}
# Versions of wheels have a fourth number, those of conda do not; OpenCV's must be above, for `pip check`.
CONDA_FLOORS = {"opencv-python-headless": "4.10", "python-gdcm": "3.0.24"}


@pytest.fixture(scope="module")
def recipe() -> dict[str, Any]:
    text = (ROOT / ".ci" / "conda" / "recipe.yaml").read_text()
    for name, value in yaml.safe_load(text)["context"].items():
        text = text.replace(f"${{{{ {name} }}}}", value)
    parsed: dict[str, Any] = yaml.safe_load(text)
    return parsed


def in_conda(requirements: list[str]) -> dict[str, str]:
    """Name and floor in conda of each requirement of pyproject.toml; what its own extras bring included."""
    found: dict[str, str] = {}
    for requirement in map(Requirement, requirements):
        if requirement.name == "sectoraug":
            for extra in requirement.extras:
                found |= in_conda(PROJECT["project"]["optional-dependencies"][extra])
            continue
        (bound,) = requirement.specifier
        assert bound.operator == ">="
        name = CONDA_NAMES.get(requirement.name, requirement.name)
        found[name] = CONDA_FLOORS.get(requirement.name, bound.version)
        assert Version(found[name]).release[:3] >= Version(bound.version).release[:3]
    return found


def floors(specs: list[str]) -> dict[str, str]:
    return dict(spec.split(" >=") for spec in specs)


def test_the_recipe_runs_with_the_core_dependencies_and_their_floors(recipe: dict[str, Any]) -> None:
    wanted = in_conda(PROJECT["project"]["dependencies"])
    python = PROJECT["project"]["requires-python"].removeprefix(">=")
    assert floors(recipe["requirements"]["run"]) == {"python": python, **wanted}
    assert recipe["context"]["python_min"] == python


def test_the_recipe_constrains_what_the_workbench_brings(recipe: dict[str, Any]) -> None:
    wanted = in_conda(PROJECT["project"]["optional-dependencies"]["workbench"])
    assert floors(recipe["requirements"]["run_constraints"]) == wanted
    for test in recipe["tests"]:
        needed = floors(test.get("requirements", {}).get("run", []))
        assert needed.items() <= wanted.items()


def test_the_recipe_repeats_the_projects_own_words(recipe: dict[str, Any]) -> None:
    project = PROJECT["project"]
    assert recipe["package"] == {"name": project["name"], "version": sa.__version__}
    assert recipe["build"]["python"]["entry_points"] == [f"{k} = {v}" for k, v in project["scripts"].items()]
    build_system = in_conda(PROJECT["build-system"]["requires"])
    assert floors([spec for spec in recipe["requirements"]["host"] if ">=" in spec]) == build_system
    assert recipe["about"]["summary"] == project["description"]
    assert recipe["about"]["license"] == project["license"]
    assert [recipe["about"]["license_file"]] == project["license-files"]
    assert recipe["about"]["homepage"] in project["urls"].values()


def steps() -> list[tuple[str, str]]:
    """Instruction and argument of each step of the container file."""
    text = (ROOT / ".ci" / "Containerfile").read_text()
    joined = re.sub(r"^#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", " ")
    return [(word, rest) for line in joined.splitlines() if line for word, _, rest in [line.partition(" ")]]


def test_the_container_installs_extras_that_exist_from_files_that_exist() -> None:
    project = PROJECT["project"]
    ran = " ".join(rest for word, rest in steps() if word == "RUN")
    extras = re.findall(r'"/source\[([\w,]+)\]"', ran)
    assert len(extras) == 1 and set(extras[0].split(",")) <= set(project["optional-dependencies"])
    sources = [name for word, rest in steps() if word == "COPY" for name in rest.split()[:-1]]
    assert {"pyproject.toml", "setup.cfg", "sectoraug", project["readme"], *project["license-files"]} == set(
        sources
    )
    assert all((ROOT / name).exists() for name in sources)


def test_the_container_runs_the_command_as_a_user_on_a_python_that_is_tested() -> None:
    said = dict(steps())
    (python,) = re.findall(r"python:(3\.\d+)-slim$", said["FROM"])
    assert f"Programming Language :: Python :: {python}" in PROJECT["project"]["classifiers"]
    assert json.loads(said["ENTRYPOINT"]) == list(PROJECT["project"]["scripts"])
    user, group = said["USER"].split(":")
    assert int(user) > 0 and int(group) > 0
    assert list(dict(steps())).index("USER") > list(dict(steps())).index("RUN")
