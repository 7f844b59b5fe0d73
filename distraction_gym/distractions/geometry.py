"""The view rolled about its axis, or turned so that the robot stands near the picture's edge."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from distraction_gym.distractions.base import DISTRACTIONS, Distraction, unit
from distraction_gym.distractions.rates import Cycle
from distraction_gym.scene import Scene

ENTRIES = 100
"""Angles, or offsets, in a list (DMC-GB2's code)."""


def rolls(limit: float) -> npt.NDArray[np.float64]:
    """Return evenly spaced angles in [-limit, limit), `(100,)`, in the unit of the limit."""
    return -limit + 2 * limit * np.arange(ENTRIES) / ENTRIES


def offsets(limits: Sequence[float]) -> npt.NDArray[np.float64]:
    """Return 25 offsets from each corner of a rectangle on to the next, `(100, 2)`: pan and tilt.

    Args:
        limits: Largest and smallest pan, largest and smallest tilt.
    """
    right, left, down, up = limits
    corners = np.array([[left, up], [right, up], [right, down], [left, down]])
    share = np.arange(ENTRIES // 4)[:, None] / (ENTRIES // 4)
    sides = [a + share * (b - a) for a, b in zip(corners, np.roll(corners, -1, 0), strict=True)]
    return np.concatenate(sides)


@DISTRACTIONS.register("rotate")
class Rotate(Distraction):
    """Roll the view by one angle per episode (DMC-GB2's code: rotate_easy, rotate_hard).

    The angles are 100, evenly spaced; the seed shuffles them and each episode takes the next.

    `intensity`: scales the limit. DMC-GB2's hard mode is 1, its easy one 0.5.

    Args:
        intensity: In [0, 1].
        limit: Largest roll in degrees, either way, at intensity 1.

    Raises:
        ValueError: for an intensity outside [0, 1].
    """

    def __init__(self, intensity: float = 1.0, limit: float = 180.0) -> None:
        self._angles = rolls(limit * unit("intensity", intensity))
        self._cycle = Cycle(ENTRIES, shuffled=True)
        self._angle = 0.0

    def reset(self, rng: np.random.Generator, scene: Scene) -> None:
        """Take the list's next angle."""
        self._angle = float(self._angles[self._cycle.next(rng)])

    def stage(self, scene: Scene) -> None:
        """Roll the frame's view.

        Raises:
            UnsupportedEnvironment: if the view is out of reach.
        """
        if self._angle:
            scene.turn(roll=self._angle)

    def describe(self) -> dict[str, Any]:
        """Return the episode's angle in degrees."""
        return {"roll": self._angle}


@DISTRACTIONS.register("shift")
class Shift(Distraction):
    """Turn the view aside by one offset per episode (DMC-GB2's code: shift_easy, shift_hard).

    The offsets are 100, along a rectangle; the seed shuffles them and each episode takes the next.

    `intensity`: scales the limits. DMC-GB2's hard mode is 1, its easy one 2/3.

    Args:
        intensity: In [0, 1].
        limits: Largest and smallest pan (about the camera's vertical axis), largest and smallest
            tilt (about its horizontal one), in degrees at intensity 1.

    Raises:
        ValueError: for an intensity outside [0, 1], or limits that are not four numbers.
    """

    def __init__(
        self, intensity: float = 1.0, limits: Sequence[float] = (10.0, -10.0, 10.0, -10.0)
    ) -> None:
        if len(limits) != 4:
            raise ValueError(
                "limits are the largest and smallest pan and the largest and smallest tilt, such "
                f"as [10, -10, 10, -10], got {limits!r}"
            )
        self._offsets = unit("intensity", intensity) * offsets(limits)
        self._cycle = Cycle(ENTRIES, shuffled=True)
        self._pan = self._tilt = 0.0

    def reset(self, rng: np.random.Generator, scene: Scene) -> None:
        """Take the list's next offset."""
        self._pan, self._tilt = self._offsets[self._cycle.next(rng)].tolist()

    def stage(self, scene: Scene) -> None:
        """Turn the frame's view.

        Raises:
            UnsupportedEnvironment: if the view is out of reach.
        """
        if self._pan or self._tilt:
            scene.turn(pan=self._pan, tilt=self._tilt)

    def describe(self) -> dict[str, Any]:
        """Return the episode's offset in degrees."""
        return {"pan": self._pan, "tilt": self._tilt}
