"""Each extra asks for all that its suite imports: nothing else that is installed may help."""

from __future__ import annotations

import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

tomllib = pytest.importorskip("tomllib")  # Python 3.11

PROJECT = Path(__file__).parents[1] / "pyproject.toml"
SUITES = {
    "": "mini-reach-video_hard-v0",
    "dmc": "dmcgb-walker_walk-video_hard-v0",
    "adroit": "adroit-door-video_hard-v0",
    "unitree": "unitree-walk-video_hard-v0",
    "arm": "arm-push-video_easy-v0",
    "ur5": "ur5-reach-video_hard-v0",
    "metaworld": "metaworld-coffee_button-video_hard-v0",
}
PROGRAM = """
import sys
from importlib.machinery import PathFinder

class Finder:
    find_distributions = PathFinder.find_distributions

    def find_spec(name, path=None, target=None):
        if name.partition(".")[0] not in absent:
            return PathFinder.find_spec(name, path, target)

absent = set(sys.argv[2].split(","))
sys.meta_path[sys.meta_path.index(PathFinder)] = Finder
import gymnasium
import distraction_gym
gymnasium.make(f"distraction_gym/{sys.argv[1]}", assets="generated").close()
"""


def asked_for(extra: str) -> set[str]:
    """Return the distributions that come with the package and an extra."""
    project = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]
    own = [*project["dependencies"], *project["optional-dependencies"].get(extra, [])]
    todo, found = [Requirement(line) for line in own], set()
    while todo:
        wanted = todo.pop()
        for name in ("", *wanted.extras):
            entry = canonicalize_name(wanted.name), name
            if entry in found:
                continue
            found.add(entry)
            further = map(Requirement, metadata.requires(wanted.name) or [])
            todo += [r for r in further if r.marker is None or r.marker.evaluate({"extra": name})]
    return {name for name, _ in found}


@pytest.mark.parametrize("extra", SUITES)
def test_a_suite_needs_no_more_than_its_extra(extra):
    try:
        here = asked_for(extra)
    except metadata.PackageNotFoundError as error:
        pytest.skip(f"{error.name} is not installed")
    owners = metadata.packages_distributions().items()
    absent = [m for m, names in owners if not here & set(map(canonicalize_name, names))]
    assert "torch" in absent or "torch" not in dict(owners)
    absent.remove("distraction_gym")
    command = [sys.executable, "-c", PROGRAM, SUITES[extra], ",".join(absent)]
    subprocess.run(command, check=True, cwd=PROJECT.parent)
