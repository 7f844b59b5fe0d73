"""MaDi's UR5 task, wherever the arm is: limits, what a picture pays, what the arm feels.

Numpy and OpenCV only: the simulated environment and the real arm's share it. Source: ReLoD's code
with MaDi's changes (`bramgrooten/relod`). Angles are in rad, lengths in m, and frames are the
base's as Universal Robots' controllers have it; ReLoD's has x and y the other way round.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from distraction_gym.envs.ur5 import kinematics
from distraction_gym.typing import Frame

Vector = npt.NDArray[np.float64]
"""`(6,)` float64: one number per joint; or `(5,)`, of those that the task moves."""
Mask = npt.NDArray[np.bool_]

SHAPE = (90, 160)
"""Height and width of the camera's picture: every fourth pixel of 640 x 360."""
CONTROL_STEP = 0.04
"""Seconds per action."""
EPISODE = 150
"""Actions per episode."""
MOVED = 5
"""How many joints move, from the base on; wrist 3 stays where it is."""
RESET_POSE = (1.5707, -2.0, 2.1, -3.0415, -1.5707, 3.1415)
"""Where episodes begin, six joints."""

RADIUS, MARGIN = 7, 10
"""The disc's radius and its least distance to the screen's edge, on a screen of 160 x 90."""
LOWEST, HIGHEST, HIGHEST_DISTRACTED = (120, 0, 0), (255, 50, 50), (255, 0, 50)
"""Which RGB count as the disc's; before a distraction green has to be 0."""
BIG_ENOUGH = 0.015
"""The share of the picture that the disc has to fill for the sparse reward."""
_SCALE, _MOST = 800.0, 4.0


@dataclass(frozen=True)
class Limits:
    """How far and how fast the arm may go; the defaults are MaDi's."""

    low: tuple[float, ...] = tuple(map(math.radians, (50, -120, 0, -220, -120)))
    """Of the five joints that move."""
    high: tuple[float, ...] = tuple(map(math.radians, (140, -20, 135, -150, -70)))
    box_low: tuple[float, float, float] = (-0.15, -0.5, 0.37)
    """Where the flange may be."""
    box_high: tuple[float, float, float] = (0.25, -0.17, 0.63)
    speed: float = 2.0
    """What an action of 1 asks of a joint, rad/s."""
    acceleration: float = 1.4
    """Of the joint that has to change most, rad/s2; the others follow in proportion."""


def draw_target(rng: np.random.Generator) -> tuple[float, float]:
    """Draw the disc's centre on a screen of 160 x 90, from its lower left corner."""
    inset = RADIUS + MARGIN
    height, width = SHAPE
    x, y = rng.random(2).tolist()
    return inset + x * (width - 2 * inset), inset + y * (height - 2 * inset)


# What a picture pays ------------------------------------------------------------------------------


def target_mask(frame: Frame, highest: tuple[int, int, int] = HIGHEST) -> Mask:
    """Return where a picture `(H, W, 3)`, RGB, shows the disc, `(H, W)` bool."""
    return np.asarray(cv2.inRange(frame, LOWEST, highest), bool)


def dense_reward(mask: Mask) -> float:
    """Return what a view of the disc pays, in [0, 4]: large and in the middle is best."""
    height, width = mask.shape
    rows, columns = np.nonzero(mask)
    up = 0.5 - np.abs(rows - height // 2) / height
    across = 0.5 - np.abs(columns - width // 2) / width
    return min(_SCALE * float(up @ across) / mask.size, _MOST)


def sparse_reward(mask: Mask) -> float:
    """Return 1 if the disc is large enough, wherever it is in the picture."""
    return float(mask.mean() >= BIG_ENOUGH)


def resized(frame: Frame, size: tuple[int, int]) -> Frame:
    """Return a camera's picture at another height and width."""
    if frame.shape[:2] == size:
        return frame
    return np.asarray(cv2.resize(frame, size[::-1], interpolation=cv2.INTER_AREA), np.uint8)


# How the arm moves --------------------------------------------------------------------------------


def wanted_speeds(action: npt.ArrayLike, limits: Limits) -> Vector:
    """Return the joint speeds that an action asks for, `(6,)`.

    Raises:
        ValueError: unless the action is five finite numbers.
    """
    given = np.asarray(action, np.float64)
    if given.shape != (MOVED,) or not np.isfinite(given).all():
        raise ValueError(f"an action is {MOVED} finite numbers in [-1, 1], got {action!r}")
    return np.append(np.clip(given, -1.0, 1.0) * limits.speed, 0.0)


def advance(
    q: Vector, speed: Vector, wanted: Vector, seconds: float, acceleration: float
) -> tuple[Vector, Vector]:
    """Return angles and speeds after some time on the way to other speeds, as `speedj` goes.

    All joints arrive at the same moment, and the one with the longest way accelerates in full.
    """
    change = wanted - speed
    needed = float(np.abs(change).max()) / acceleration
    ramp = min(needed, seconds)
    after = speed + change * (ramp / needed) if needed > 0 else wanted
    return q + (speed + after) / 2 * ramp + after * (seconds - ramp), after


class Guard:
    """Overrides speeds after which the arm could no longer stop within its limits.

    Looks one control step ahead, and from there to where full braking ends. An arm that is outside
    already may move wherever it gets no further out.

    Args:
        arm: The arm's lengths.
        limits: Where it may be.
    """

    def __init__(self, arm: kinematics.Arm, limits: Limits) -> None:
        self._arm, self._limits = arm, limits
        self._middle = (np.array(limits.low) + limits.high) / 2
        self._half = (np.array(limits.high) - limits.low) / 2
        self._box = np.array([limits.box_low, limits.box_high])

    def allowed(self, q: Vector, speed: Vector, wanted: Vector) -> Vector:
        """Return the speeds to ask for in this control step, `(6,)`.

        The wanted ones; if not, those without the joints that would leave their range; if not,
        zero: brake.
        """
        now = self._outside(self._rest(q, speed))
        worse = self._outside(self._after(q, speed, wanted)) > now
        if not worse.any():
            return wanted
        held = np.where(np.append(worse[:MOVED], False), 0.0, wanted)
        if not (self._outside(self._after(q, speed, held)) > now).any():
            return held
        return np.zeros_like(wanted)

    def _after(self, q: Vector, speed: Vector, wanted: Vector) -> Vector:
        return self._rest(*advance(q, speed, wanted, CONTROL_STEP, self._limits.acceleration))

    def _rest(self, q: Vector, speed: Vector) -> Vector:
        return q + speed * (float(np.abs(speed).max()) / self._limits.acceleration / 2)

    def _outside(self, q: Vector) -> Vector:
        """Return how far five joints and the flange's three coordinates are outside, `(8,)`."""
        low, high = self._box
        flange = kinematics.forward(self._arm, q)[:3, 3]
        joints = np.abs(q[:MOVED] - self._middle) - self._half
        box = np.maximum(low - flange, flange - high)
        return np.maximum(np.append(joints, box), 1e-9)


def proprioception(
    q: Vector, speed: Vector, action: npt.NDArray[np.floating], limits: Limits
) -> npt.NDArray[np.float32]:
    """Return what the arm feels, `(15,)`: angles, speeds by their limit, the last action."""
    felt = (q[:MOVED], speed[:MOVED] / limits.speed, action)
    return np.concatenate(felt, dtype=np.float32)
