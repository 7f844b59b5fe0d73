"""What the documentation says to type works: Python runs (with less training), commands parse."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from distraction_gym.cli import build_parser

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "distraction_gym").rglob("README.md")),
]
# Blocks marked `python` run, in their order and one namespace per page; `py` is shown only.
BLOCK = re.compile(r"^( *)```(\w+)[^\n]*\n(.*?)^\1```", re.MULTILINE | re.DOTALL)
SHORTER = (
    (re.compile(r"\.learn\([\d_]+"), ".learn(40"),
    (re.compile(r"steps=\d+"), "steps=40"),
    (re.compile(r"buffer_size=[\d_]+"), "buffer_size=1000"),
)


def blocks(page: Path, language: str) -> list[str]:
    found = BLOCK.findall(page.read_text("utf-8"))
    return [textwrap.dedent(body) for _, kind, body in found if kind == language]


def program(page: Path) -> str:
    code = "\n".join(blocks(page, "python"))
    for pattern, text in SHORTER:
        code = pattern.sub(text, code)
    return code


def commands(page: Path) -> list[str]:
    lines = "\n".join(blocks(page, "bash")).replace("\\\n", " ").splitlines()
    return [line.partition("  #")[0] for line in lines if line.startswith("distraction-gym ")]


def name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.mark.slow
@pytest.mark.render
@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "python")], ids=name)
def test_python_runs(page: Path, tmp_path: Path) -> None:
    pytest.importorskip("stable_baselines3")
    pytest.importorskip("dm_control")
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", program(page)]
    child = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert child.returncode == 0, child.stderr


@pytest.mark.parametrize("page", [page for page in PAGES if commands(page)], ids=name)
def test_commands_parse(page: Path) -> None:
    parser = build_parser()
    for line in commands(page):
        if line.split()[1] not in ("COMMAND", "--debug"):
            assert callable(parser.parse_args(shlex.split(line)[1:]).run), line


def test_links_between_files_lead_somewhere() -> None:
    """MkDocs checks its own pages; the READMEs link to files too."""
    broken = []
    for page in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "videos" / "README.md"):
        for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text("utf-8")):
            if "://" not in target and not (page.parent / target).exists():
                broken.append(f"{name(page)}: {target}")
    assert broken == []
