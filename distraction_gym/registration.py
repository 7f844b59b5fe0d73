"""Environment IDs: `distraction_gym/<suite>-<task>-<mode>-v<N>`.

A suite is a table. Registering it imports no simulator: the entry point is a string that
Gymnasium imports at `gym.make`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import gymnasium as gym

from distraction_gym.errors import UnknownName
from distraction_gym.registry import Registry, unknown

NAMESPACE = "distraction_gym"
_ID = re.compile(
    rf"^(?:{NAMESPACE}/)?(?P<suite>\w+)-(?P<task>\w+)-(?P<mode>\w+)-v(?P<version>\d+)$"
)


@dataclass(frozen=True)
class Suite:
    """A family of environments that share tasks, modes and `gym.make` keywords."""

    name: str
    entry_point: str
    """`"module:function"`; the function takes `task`, `mode` and the keywords of `gym.make`."""
    tasks: tuple[str, ...]
    modes: tuple[str, ...]
    version: int = 0
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    """Defaults for `gym.make` where the suite's own differ from the package's."""
    packs: Mapping[str, str] = field(default_factory=dict)
    """Mode -> asset pack that it needs (see `distraction-gym fetch`)."""
    extra: str | None = None
    """The pip extra that installs the simulator."""
    hardware: bool = False
    """Whether it drives a machine: nothing makes one of its environments unasked."""


class EnvName(NamedTuple):
    """The fields of an environment ID."""

    suite: str
    task: str
    mode: str
    version: int

    def __str__(self) -> str:
        return f"{NAMESPACE}/{self.suite}-{self.task}-{self.mode}-v{self.version}"

    def with_mode(self, mode: str) -> EnvName:
        """Return the name of the same task in another mode.

        Raises:
            UnknownName: if the suite has no such mode.
        """
        if mode not in SUITES[self.suite].modes:
            raise unknown(f"mode of suite {self.suite!r}", mode, SUITES[self.suite].modes)
        return self._replace(mode=mode)


SUITES: Registry[Suite] = Registry("suite")


def env_id(suite: str, task: str, mode: str = "clean") -> str:
    """Build a registered ID.

    >>> env_id("dmcgb", "walker_walk", "video_hard")
    'distraction_gym/dmcgb-walker_walk-video_hard-v0'

    Raises:
        UnknownName: if the suite, the task or the mode does not exist.
    """
    table = SUITES[suite]
    for kind, name, known in (("task", task, table.tasks), ("mode", mode, table.modes)):
        if name not in known:
            raise unknown(f"{kind} of suite {suite!r}", name, known)
    return str(EnvName(suite, task, mode, table.version))


def parse_id(name: str) -> EnvName:
    """Split an ID (with or without its namespace) into its fields.

    Raises:
        UnknownName: if it is not registered.
    """
    match = _ID.match(name)
    if match:
        parsed = EnvName(match["suite"], match["task"], match["mode"], int(match["version"]))
        if str(parsed) in gym.registry:
            return parsed
    known = [key for key in gym.registry if key.startswith(f"{NAMESPACE}/")]
    full = name if name.startswith(f"{NAMESPACE}/") else f"{NAMESPACE}/{name}"
    error = unknown("environment ID", full, known)
    if len(str(error)) > 400:  # the list of every ID helps nobody
        error = UnknownName(f"unknown environment ID {name!r}. See them all:  distraction-gym list")
    raise error


def register_suite(suite: Suite) -> None:
    """Register every task and mode of a suite with Gymnasium.

    Raises:
        ValueError: if the suite is already registered.
    """
    SUITES.add(suite.name, suite)
    for task in suite.tasks:
        for mode in suite.modes:
            gym.register(
                id=str(EnvName(suite.name, task, mode, suite.version)),
                entry_point=suite.entry_point,
                kwargs={"task": task, "mode": mode, **suite.kwargs},
            )


def register_all() -> None:
    """Register the suites of this package; a second call does nothing."""
    from distraction_gym.envs import TABLES

    for suite in TABLES:
        if suite.name not in SUITES:
            register_suite(suite)
