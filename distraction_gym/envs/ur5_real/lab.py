"""What a lab decides: limits, where episodes begin, and whether the arm may move at all."""

from __future__ import annotations

import dataclasses
import ipaddress
import json
import logging
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from distraction_gym.envs.ur5.task import RESET_POSE, Limits
from distraction_gym.envs.ur5_real import dashboard
from distraction_gym.envs.ur5_real.safety import SafetyLimits
from distraction_gym.errors import DistractionGymError

_LOG = logging.getLogger(__name__)
_SLOWER = ("speed", "acceleration")
_SECTIONS = {"safety": SafetyLimits, "task": Limits}


class NotAllowed(DistractionGymError, ValueError):
    """An arm that nobody said may be moved, or limits that cannot be read."""


@dataclass(frozen=True)
class Lab:
    """Limits, and where episodes begin. Angles in rad, lengths in m, times in s."""

    safety: SafetyLimits = field(default_factory=SafetyLimits)
    task: Limits = field(default_factory=Limits)
    """Never faster than `safety`: an action of 1 asks for the lower of both speeds. The arm
    accelerates by the lower of both accelerations."""
    reset_pose: tuple[float, ...] = RESET_POSE

    @classmethod
    def read(cls, limits: str | os.PathLike[str] | Mapping[str, Any] | None) -> Lab:
        """Read `{"safety": {...}, "task": {...}, "reset_pose": [...]}`, or a JSON file with it.

        What is not named keeps its default; see `SafetyLimits` and `Limits`.

        Raises:
            NotAllowed: for names or values that make no sense.
        """
        given = dict(limits if isinstance(limits, Mapping) else _load(limits))
        try:
            pose = tuple(float(angle) for angle in given.pop("reset_pose", RESET_POSE))
            if len(pose) != 6:
                raise ValueError(f"reset_pose: expected six angles, got {len(pose)}")
            safety, moves = (_section(name, given.pop(name, {})) for name in _SECTIONS)
            if given:
                raise ValueError(f"{sorted(given)}: expected safety, task, reset_pose")
        except (TypeError, ValueError) as error:
            raise NotAllowed(f"limits: {error}") from error
        slower = {key: min(getattr(moves, key), getattr(safety, key)) for key in _SLOWER}
        moves = dataclasses.replace(moves, **slower)
        safety = dataclasses.replace(safety, acceleration=moves.acceleration)
        return cls(safety, moves, pose)


def allow(host: str | None, lab: Lab, unattended: bool) -> str:
    """Return the address if the arm there may be moved; a person is asked about a real one.

    Args:
        host: The controller's address. Those in 127.0.0.0/8 are simulated: nobody is asked.
        lab: What is shown to the person.
        unattended: Ask nobody.

    Raises:
        NotAllowed: without an address, without a person to ask, or where they say no.
        ArmFault: where the controller does not answer.
    """
    if host is None:
        raise NotAllowed(
            "robot_ip is missing, and there is no default: an arm would move. Type "
            "robot_ip='192.168.0.10' (the address on the pendant), or start a simulated one "
            "(distraction-gym ur5 simulate) and type robot_ip='127.0.0.11'"
        )
    if is_simulated(host):
        return host
    if unattended:
        _LOG.warning("unattended=True: the arm at %s may move without anyone's consent", host)
        return host
    if not sys.stdin.isatty():
        raise NotAllowed(
            f"{host} may be a real arm, and there is nobody to ask. Run this in a terminal, try "
            "dry_run=True, or, if it may move without being watched, add unattended=True"
        )
    print(f"The arm at {host} is going to MOVE.\n{described(host, lab)}", file=sys.stderr)
    if (
        input("Is its space clear, and the emergency stop at hand? Type 'move' to go on: ")
        != "move"
    ):
        raise NotAllowed(f"nobody allowed the arm at {host} to move")
    return host


def is_simulated(host: str) -> bool:
    """Return whether an address is this machine's own, 127.0.0.0/8."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:  # a name: it may be any machine's
        return False


def described(host: str, lab: Lab) -> str:
    """Return what a person should see before an arm moves.

    Raises:
        ArmFault: where the controller does not answer.
    """
    orders = ("get robot model", "get serial number", "PolyscopeVersion", "robotmode", "safetymode")
    said = dashboard.ask(host, *orders)
    lines = [f"{order}: {answer}" for order, answer in zip(orders, said, strict=True)]
    lines += [f"episodes begin at {lab.reset_pose} rad"]
    lines += [f"{name}: {value}" for name, value in dataclasses.asdict(lab.safety).items()]
    return "\n".join(f"  {line}" for line in lines)


def _load(path: str | os.PathLike[str] | None) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        loaded = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise NotAllowed(f"limits {os.fspath(path)}: {error}") from error
    if not isinstance(loaded, dict):
        raise NotAllowed(f"limits {os.fspath(path)}: expected an object, got {loaded!r}")
    return loaded


def _section(name: str, values: Mapping[str, Any]) -> Any:
    kind = _SECTIONS[name]
    known = {item.name for item in dataclasses.fields(kind)}
    if not known >= set(values):
        raise ValueError(
            f"{name}: unknown {sorted(set(values) - known)}; there are {sorted(known)}"
        )
    return kind(
        **{key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}
    )
