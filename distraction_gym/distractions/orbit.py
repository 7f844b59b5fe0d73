"""Camera poses on spheres around a robot: places, their limits, and where to look from there."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from distraction_gym.scene import Pose, Vector

Place = npt.NDArray[np.float64]
"""`(4,)`: radius in metres, azimuth, polar angle (0 is above the robot) and roll in radians."""
Rotation = npt.NDArray[np.float64]
"""`(3, 3)`, as in `scene.Pose`."""

_UPRIGHT = np.array([[0.0, -math.pi, 0.0, -np.inf], [np.inf, 0.0, math.pi / 2, np.inf]])
"""In front of the robot and above the ground; an unmoved camera is at azimuth -pi/2."""


class Box(NamedTuple):
    """Where a camera may be; in radius, angles and roll each by itself."""

    stock: Place
    low: Place
    high: Place

    @classmethod
    def around(
        cls, stock: Place, *, angle: float, roll: float, zoom: tuple[float, float], upright: bool
    ) -> Box:
        """Return the limits around a place.

        Args:
            stock: The place of the unmoved camera, without roll.
            angle: Azimuth and polar angle may differ by so much, in radians.
            roll: So may the roll.
            zoom: The radius may shrink, and grow, by these shares.
            upright: Whether to stay in front of the robot and above the ground, if that is where
                the place is.
        """
        reach = np.array([0.0, angle, angle, roll])
        low, high = stock - reach, stock + reach
        low[0], high[0] = max(0.0, stock[0] * (1 - zoom[0])), stock[0] * (1 + zoom[1])
        if upright:
            low = np.minimum(np.maximum(low, _UPRIGHT[0]), stock)
            high = np.maximum(np.minimum(high, _UPRIGHT[1]), stock)
        return cls(stock, low, high)

    def clip(self, place: Place) -> Place:
        """Return the nearest place within the limits."""
        return np.minimum(np.maximum(place, self.low), self.high)

    def uniform(self, rng: np.random.Generator) -> Place:
        """Draw a place: uniform in each coordinate."""
        return self.low + rng.random(4) * (self.high - self.low)


def to_sphere(offset: Vector) -> Place:
    """Return the place at an offset from the middle, without roll."""
    across = math.hypot(offset[0], offset[1])
    azimuth = math.atan2(offset[1], offset[0])
    return np.array([math.hypot(across, offset[2]), azimuth, math.atan2(across, offset[2]), 0.0])


def to_offset(place: Place) -> Vector:
    """Return the offset of a place from the middle, in metres."""
    radius, azimuth, polar, _ = place
    across = radius * math.sin(polar)
    return np.array(
        [across * math.cos(azimuth), across * math.sin(azimuth), radius * math.cos(polar)]
    )


def gaze(pose: Pose, center: Vector) -> Vector:
    """Return the point on a camera's axis that is as far away as the robot's centre."""
    return pose.position - np.linalg.norm(pose.position - center) * pose.rotation[:, 2]


def look_level(direction: Vector) -> Rotation:
    """Return how a camera without roll looks along a direction; straight down, +y is up."""
    yaw = math.atan2(direction[0], direction[1])
    right = np.array([math.cos(yaw), -math.sin(yaw), 0.0])
    forward = direction / np.linalg.norm(direction)
    return np.column_stack([right, np.cross(right, forward), -forward])


def look_turned(direction: Vector) -> Rotation:
    """Return the smallest turn of a camera that looks straight down so that it looks there.

    Above the robot, where a level camera spins about, it does not (DCS' code: for reacher).
    """
    forward = direction / np.linalg.norm(direction)
    cosine, axis = -forward[2], np.array([forward[1], -forward[0], 0.0])  # (0, 0, -1) x forward
    x, y, _ = axis
    cross = np.array([[0.0, 0.0, y], [0.0, 0.0, -x], [-y, x, 0.0]])
    # Rodrigues' formula for a sine that is the axis' length; straight up there is no smallest turn.
    return np.eye(3) + cross + cross @ cross / max(1.0 + cosine, 1e-9)


def rolled(rotation: Rotation, angle: float) -> Rotation:
    """Return a rotation rolled about the camera's own axis, by radians."""
    cosine, sine = math.cos(angle), math.sin(angle)
    return rotation @ np.array([[cosine, -sine, 0.0], [sine, cosine, 0.0], [0.0, 0.0, 1.0]])


LOOKS: dict[bool, Callable[[Vector], Rotation]] = {True: look_level, False: look_turned}
"""By `upright`."""
