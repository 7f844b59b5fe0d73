"""What every command to the arm has to pass, whoever asks. No substitute for the controller's own.

The controller's safety configuration (planes, speeds, forces, emergency stop) protects people;
these checks are a second line, and are no safety function. Angles are in rad, lengths in m, in the
base's frame.
"""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from distraction_gym.envs.ur5 import kinematics
from distraction_gym.envs.ur5.kinematics import Arm, Vector
from distraction_gym.envs.ur5.task import advance
from distraction_gym.errors import DistractionGymError

HORIZON = 0.05
"""Seconds that a command is assumed to last before the next one takes effect."""
_SCALES = (1.0, 0.5, 0.25, 0.0)
_LINE_STEP = 0.02  # rad between two places of a path that is checked
_GAIN = 4.0  # of what is left of a way, how much to cover per second
_BRAKING = 0.5  # which part of the acceleration a way's end makes use of
_POINTS = ("elbow", "wrist 1", "wrist 2", "wrist 3", "flange")  # the frames 2 to 6


class Refused(DistractionGymError, ValueError):
    """A command that is not sent: no six finite numbers, or a place outside the limits."""


@dataclass(frozen=True)
class SafetyLimits:
    """What no command may exceed. The defaults keep off a table at z = 0, and off nothing else."""

    joints_low: tuple[float, ...] = tuple(map(math.radians, (-270, -270, -165, -270, -270, -270)))
    """Of six joints."""
    joints_high: tuple[float, ...] = tuple(map(math.radians, (270, 270, 165, 270, 270, 270)))
    tool_low: tuple[float, ...] = (-0.85, -0.85, 0.1)
    """Where the flange may be."""
    tool_high: tuple[float, ...] = (0.85, 0.85, 1.2)
    arm_low: tuple[float, ...] = (-0.85, -0.85, 0.05)
    """Where elbow and wrists may be."""
    arm_high: tuple[float, ...] = (0.85, 0.85, 1.2)
    speed: float = 0.5
    """Of every joint, rad/s."""
    acceleration: float = 1.4
    """Of the joint that has to change most, rad/s2."""
    tool_speed: float = 0.25
    """Of the flange, m/s."""
    reset_speed: float = 0.25
    """Of the fastest joint on the way to where episodes begin, rad/s."""

    def __post_init__(self) -> None:
        sizes = {"joints": 6, "tool": 3, "arm": 3}
        for name, size in sizes.items():
            low, high = (np.asarray(getattr(self, f"{name}_{end}")) for end in ("low", "high"))
            if low.shape != (size,) or high.shape != (size,) or not (low < high).all():
                raise ValueError(f"{name}_low and {name}_high: expected {size} numbers, low < high")
        for name in ("speed", "acceleration", "tool_speed", "reset_speed"):
            if not 0 < getattr(self, name) < math.inf:
                raise ValueError(f"{name}: expected a number above 0, got {getattr(self, name)}")

    def as_dict(self) -> dict[str, object]:
        """Return every limit by its name."""
        return dataclasses.asdict(self)


class Safety:
    """Clips speeds and refuses places; counts both.

    Attribute `counts`: `clipped` (slower than asked), `blocked` (too slow by half or stopped, for
    the limits were near), `refused` (no command, or a place outside the limits).

    Args:
        arm: The arm's lengths.
        limits: What no command may exceed.
    """

    def __init__(self, arm: Arm, limits: SafetyLimits) -> None:
        self._arm, self._limits = arm, limits
        self.counts: Counter[str] = Counter(clipped=0, blocked=0, refused=0)
        points = ([limits.arm_low, limits.arm_high],) * 4 + ([limits.tool_low, limits.tool_high],)
        self._low, self._high = (np.array(ends) for ends in zip(*points, strict=True))

    def speeds(self, q: Vector, speed: Vector, wanted: npt.ArrayLike) -> Vector:
        """Return the joint speeds that may be asked for now, `(6,)`, along those wanted.

        Wherever the arm brakes from, it stops within the limits. One that is outside already may
        only get less far outside.

        Args:
            q: Joint angles, `(6,)`.
            speed: Joint speeds, `(6,)`.
            wanted: Joint speeds.

        Raises:
            Refused: unless `wanted` is six finite numbers.
        """
        slower = self._slow(q, self.six(wanted))
        if not slower.any():
            return slower
        for scale in _SCALES[:-1]:
            if self._stays(q, speed, scale * slower):
                self.counts["blocked"] += scale < 1
                return scale * slower
        self.counts["blocked"] += 1
        return np.zeros(6)

    def six(self, given: npt.ArrayLike) -> Vector:
        """Return six finite numbers, `(6,)`.

        Raises:
            Refused: for anything else.
        """
        try:
            array = np.asarray(given, np.float64)
        except (TypeError, ValueError):
            array = np.empty(0)
        if array.shape != (6,) or not np.isfinite(array).all():
            self.counts["refused"] += 1
            raise Refused(f"expected six finite numbers, got {given!r}")
        return array

    def toward(self, q: Vector, goal: Vector) -> Vector:
        """Return joint speeds on the straight way (of the joints) to a goal, `(6,)`."""
        way = goal - q
        left = float(np.abs(way).max())
        braking = math.sqrt(2 * _BRAKING * self._limits.acceleration * left)
        fastest = min(self._limits.reset_speed, braking, _GAIN * left)
        return way * (fastest / left) if left > 0 else np.zeros(6)

    def check_way(self, start: npt.ArrayLike, goal: npt.ArrayLike) -> None:
        """Check the straight way of the joints from one place to another.

        Raises:
            Refused: where it leaves the limits, or for what is not six finite numbers.
        """
        first, last = self.six(start), self.six(goal)
        steps = max(1, math.ceil(float(np.abs(last - first).max()) / _LINE_STEP))
        for share in np.linspace(0, 1, steps + 1):
            where = self.trouble(first + share * (last - first))
            if where:
                self.counts["refused"] += 1
                at = "where the arm is" if share == 0 else f"{share:.0%} of the way on"
                raise Refused(
                    f"the way to {np.round(last, 3).tolist()} rad leaves the limits {at}: {where}. "
                    "Move the arm by hand, or check the limits"
                )

    def trouble(self, q: Vector) -> str:
        """Return what is outside the limits with the joints at these angles; "" is nothing."""
        outside = self._outside(q)
        if not outside.any():
            return ""
        worst = int(outside.argmax())
        if worst < 6:
            return f"joint {worst} is at {q[worst]:.3f} rad, {outside[worst]:.3f} outside"
        point, axis = divmod(worst - 6, 3)
        return f"{_POINTS[point]} is {outside[worst]:.3f} m outside along {'xyz'[axis]}"

    def _slow(self, q: Vector, wanted: Vector) -> Vector:
        """Return the same direction at a speed within the limits of the joints and of the tool."""
        tool = float(np.linalg.norm(kinematics.jacobian(self._arm, q)[:3] @ wanted))
        joint = float(np.abs(wanted).max())
        excess = max(1.0, joint / self._limits.speed, tool / self._limits.tool_speed)
        self.counts["clipped"] += excess > 1
        return wanted / excess

    def _stays(self, q: Vector, speed: Vector, wanted: Vector) -> bool:
        acceleration = self._limits.acceleration
        after, then = advance(q, speed, wanted, HORIZON, acceleration)
        rest = _braked(after, then, acceleration)
        outside = np.max([self._outside(p) for p in (after, (after + rest) / 2, rest)], axis=0)
        if not outside.any():
            return True
        here = np.maximum(self._outside(q), self._outside(_braked(q, speed, acceleration)))
        return bool((outside <= here).all())

    def _outside(self, q: Vector) -> Vector:
        """Return how far six joints and the coordinates of five points are outside, `(21,)`."""
        points = kinematics.frames(self._arm, q)[2:, :3, 3]
        joints = np.maximum(self._limits.joints_low - q, q - self._limits.joints_high)
        places = np.maximum(self._low - points, points - self._high)
        return np.maximum(np.concatenate([joints, places.ravel()]), 0.0)


def _braked(q: Vector, speed: Vector, acceleration: float) -> Vector:
    """Return where the joints come to rest: all at once, the fastest brakes in full."""
    return q + speed * (float(np.abs(speed).max()) / acceleration / 2)
