"""The package as a whole: what an import loads, which way imports go, what a wheel holds."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "distraction_gym"

# A module may import from its own folder and from layers below its own.
LAYERS = (
    {"registry", "registration", "seeding", "typing", "errors", "scene"},
    {"assets"},
    {"distractions", "scenes"},
    {"segmentation"},
    {"wrappers"},
    {"agents", "envs"},
    {"bench", "testing"},
    {"cli"},
    {"__main__"},
)
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}
# The tables of the suites are registered from below: a list of strings, no simulator.
EXEMPT = {("registration", "envs")}
HEAVY = (
    *("torch", "mujoco", "dm_control", "cv2", "shimmy", "stable_baselines3", "matplotlib"),
    "ultralytics",
)


def loaded_by(code: str, names: tuple[str, ...] = HEAVY) -> list[str]:
    """Return which modules a fresh process has loaded after running some code."""
    probe = f"{code}\nimport sys; print(*(name for name in {names!r} if name in sys.modules))"
    command = [sys.executable, "-c", probe]
    child = subprocess.run(command, capture_output=True, text=True)
    assert child.returncode == 0, child.stderr
    return child.stdout.split()


def modules() -> list[tuple[str, Path]]:
    """Return the top-level part and the file of every module."""
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        inside = path.relative_to(PACKAGE)
        found.append((inside.parts[0].removesuffix(".py"), path))
    return [(part, path) for part, path in found if part != "__init__"]


def imports(path: Path) -> Iterator[str]:
    """Yield the full name of all that a file imports, inside functions too."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_import_is_light() -> None:
    assert loaded_by("import distraction_gym") == []


@pytest.mark.parametrize(
    ("code", "absent"),
    [
        ("import distraction_gym.agents", ("torch", "stable_baselines3")),
        ("import distraction_gym.envs", ("mujoco", "dm_control", "cv2")),
        ("import distraction_gym.cli", ("torch", "mujoco", "cv2", "matplotlib")),
        (
            "import gymnasium, distraction_gym as d; gymnasium.make(d.env_id('mini', 'reach'))",
            ("mujoco",),
        ),
        (
            "import gymnasium, distraction_gym as d\n"
            "gymnasium.make(d.env_id('mini', 'reach', 'video_hard')).reset(seed=0)",
            ("torch", "stable_baselines3", "mujoco", "dm_control"),
        ),
    ],
)
def test_parts_load_only_what_they_need(code: str, absent: tuple[str, ...]) -> None:
    assert loaded_by(code, absent) == []


def test_every_module_has_a_layer() -> None:
    assert {part for part, _ in modules()} <= LEVEL.keys()


def test_imports_go_one_way() -> None:
    wrong = []
    for part, path in modules():
        for name in imports(path):
            if not name.startswith("distraction_gym."):
                continue
            other = name.split(".")[1]
            if other == part or other not in LEVEL or (part, other) in EXEMPT:
                continue  # `from distraction_gym import __version__` is no layer
            if LEVEL[other] > LEVEL[part] or LEVEL[other] == LEVEL[part] > 0:
                wrong.append(f"{path.relative_to(ROOT)} imports {name}")
    assert wrong == []


@pytest.mark.parametrize(
    ("part", "forbidden"),
    [
        ("envs", ("torch", "stable_baselines3", "distraction_gym.agents")),
        ("wrappers", ("torch", "stable_baselines3", "dm_control", "mujoco")),
        ("distractions", ("torch", "mujoco", "dm_control", "gymnasium")),
        ("agents", ("distraction_gym.envs", "mujoco", "dm_control")),
    ],
)
def test_parts_do_not_know_each_other(part: str, forbidden: tuple[str, ...]) -> None:
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for owner, path in modules()
        if owner == part
        for name in imports(path)
        if any(name == top or name.startswith(f"{top}.") for top in forbidden)
    ]
    assert wrong == []


@pytest.mark.parametrize("name", ["agents", "envs"])
def test_links_open_the_real_folders(name: str) -> None:
    link = ROOT / name
    if not link.is_symlink():
        pytest.skip("no links in this copy of the source")
    assert link.resolve() == PACKAGE / name


def test_modules_stay_small() -> None:
    lengths = sorted(len(path.read_text("utf-8").splitlines()) for _, path in modules())
    assert lengths[len(lengths) // 2] < 170
    assert lengths[-1] <= 400


def test_the_wheel_holds_the_package_and_nothing_beside_it(tmp_path: Path) -> None:
    pytest.importorskip("setuptools")
    source = tmp_path / "source"
    source.mkdir()
    skip = shutil.ignore_patterns("__pycache__")
    shutil.copytree(PACKAGE, source / "distraction_gym", ignore=skip)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    for name in ("agents", "envs"):  # the links as folders: worse than what a checkout has
        shutil.copytree(PACKAGE / name, source / name, ignore=skip)
    code = "from setuptools import build_meta; print(build_meta.build_wheel('out'))"
    command = [sys.executable, "-c", code]
    built = subprocess.run(command, cwd=source, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    wheel = source / "out" / built.stdout.split()[-1]
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"distraction_gym"}
    assert "distraction_gym/py.typed" in names
    wanted = [
        path.relative_to(ROOT).as_posix()
        for kind in ("*.py", "*.yml", "README.md", "*.pt")
        for path in PACKAGE.rglob(kind)
    ]
    assert set(wanted) <= set(names)


def test_no_tracked_file_names_a_place_on_one_machine() -> None:
    command = ["git", "ls-files", "-z"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    # In pieces, since this file is tracked as well.
    place = re.compile(
        rb"(?<![\w.~-])/(?:" + b"|".join((b"home", b"root", b"work", b"tmp")) + rb")/\w"
    )
    found = []
    for name in listed.stdout.split("\0"):
        path = ROOT / name
        if path.is_file() and not path.is_symlink() and place.search(path.read_bytes()):
            found.append(name)
    assert found == []
