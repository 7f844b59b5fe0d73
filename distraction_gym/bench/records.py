"""What one evaluation leaves behind: a JSON line that says all it takes to repeat it."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import platform
import subprocess
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path
from typing import Any

from distraction_gym.errors import CheckpointError

FILE = "records.jsonl"
PACKAGES = (
    *("distraction-gym", "gymnasium", "numpy", "opencv-python", "torch", "stable-baselines3"),
    *("dm_control", "mujoco", "shimmy"),
)


@dataclass(frozen=True)
class Record:
    """One model under one mode."""

    suite: str
    task: str
    mode: str
    algo: str
    seed: int
    """The training seed."""
    eval_seed: int
    steps: int
    """Agent steps (decisions) that the model was trained for."""
    frames: int
    """The same in frames of the simulator: steps x action repeat."""
    returns: tuple[float, ...]
    """Undiscounted return of each episode, in order; episode i pairs across modes."""
    assets: str
    clips: str
    """Digest of the clips the mode may show; empty for modes without video."""
    env_kwargs: Mapping[str, Any] = field(default_factory=dict)
    train_mode: str = "clean"
    """What it was trained under."""
    versions: Mapping[str, str] = field(default_factory=dict)
    commit: str | None = None
    finished: str = ""
    """UTC, ISO 8601."""
    successes: tuple[bool, ...] = ()
    """Whether each episode succeeded; empty where the task knows no success."""

    @property
    def cell(self) -> tuple[str, str, str, str, str, int]:
        """What the record measures; a later record of the same cell replaces an earlier one."""
        return (self.suite, self.task, self.algo, self.train_mode, self.mode, self.seed)


def now() -> str:
    """Return the time, UTC, ISO 8601 to the second."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def versions() -> dict[str, str]:
    """Return the versions of what can change a return, by distribution name."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def commit() -> str | None:
    """Return the commit that the package runs from, or None where it is no git checkout."""
    here = Path(__file__).parent
    command = ["git", "-C", str(here), "rev-parse", "HEAD"]
    # An installed package may lie inside somebody else's checkout: only a tracked file counts.
    tracked = ["git", "-C", str(here), "ls-files", "--error-unmatch", Path(__file__).name]
    try:
        subprocess.run(tracked, capture_output=True, check=True)
        return subprocess.run(command, capture_output=True, check=True, text=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def digest(names: Iterable[str]) -> str:
    """Return a short digest of a list of names, in order; empty for an empty list."""
    joined = "\n".join(names)
    return hashlib.sha256(joined.encode()).hexdigest()[:16] if joined else ""


def append(path: Path, record: Record) -> None:
    """Add one line to a records file, creating it (and its folder) if need be.

    It takes the place of a last line that a killed process left half-written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    whole = path.read_bytes().rfind(b"\n") + 1
    with path.open("r+", encoding="utf-8") as file:
        file.truncate(whole)
        file.seek(whole)
        file.write(json.dumps(dataclasses.asdict(record)) + "\n")


def read(path: Path) -> list[Record]:
    """Read the records of a file, or of every records file below a folder; the last of a cell wins.

    A line that a killed process left half-written (the last of a file) is dropped.

    Raises:
        CheckpointError: if there is no records file, or a line is not a record.
    """
    files = [path] if path.is_file() else sorted(path.rglob(FILE))
    if not files:
        raise CheckpointError(
            f"no {FILE} in {path}: expected a folder that `distraction-gym eval` or "
            "`distraction-gym bench run` wrote"
        )
    found = [(record, file) for file in files for record in _read(file)]
    found.sort(key=lambda pair: pair[0].finished)  # stable: equal times keep the file's order
    last: dict[Any, tuple[Record, Path]] = {}
    for record, file in found:
        before = last.get(record.cell, (record, file))[1]
        if before != file:
            warnings.warn(
                f"{before} and {file} both have {record.algo} with seed {record.seed} under "
                f"{record.mode}: only the later counts. Report one of the folders",
                stacklevel=2,
            )
        last[record.cell] = record, file
    return [record for record, _ in last.values()]


def _read(file: Path) -> list[Record]:
    text = file.read_text(encoding="utf-8")
    whole = text[: text.rfind("\n") + 1]
    return [_parse(line, file, number) for number, line in enumerate(whole.splitlines(), 1)]


def _parse(line: str, file: Path, number: int) -> Record:
    try:
        values = json.loads(line)
        lists = {"returns": values["returns"], "successes": values.get("successes", ())}
        return Record(**{**values, **{name: tuple(items) for name, items in lists.items()}})
    except (json.JSONDecodeError, TypeError, KeyError) as error:
        raise CheckpointError(f"{file}, line {number}, is not a record: {error}") from error
