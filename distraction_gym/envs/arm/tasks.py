"""SMG's four tasks: where things begin, what is paid, what succeeds, and how to do it."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from distraction_gym.envs.arm.objects import NAILS
from distraction_gym.registry import Registry

Point = npt.NDArray[np.float64]
"""`(3,)`: metres, in the world's axes."""

SCALE = 0.05
"""Metres by which a full action moves the hand's target along each axis."""
LOW, HIGH = np.array([1.40, 0.15, 0.6]), np.array([1.70, 0.45, 1.0])
"""The workspace of the site `grasp`."""
_HAND = np.array([1.2561169, 0.3, 0.62603332])
_FLANGE = 0.17  # metres from the drawn place up to link7
_DISC = np.array([1.605, 0.3, 0.58])
_CUBE = np.array([1.355, 0.3, 0.61625])
_BOX = np.array([1.605, 0.3, 0.62])


def distance(one: Point, other: Point, axes: int = 3) -> float:
    """Return how far two points are apart along the first axes, from rounded coordinates."""
    return float(np.linalg.norm(np.around(one[:axes], 4) - np.around(other[:axes], 4)))


class Task:
    """A task on a model's state.

    Args:
        data: The `mujoco.MjData` of the task's model.
    """

    axes: ClassVar[int] = 2
    """How many numbers an action has: x and y, or z too."""
    low: ClassVar[Point] = LOW
    high: ClassVar[Point] = HIGH
    radius: ClassVar[float] = 0.05
    """Below this distance in metres from what is moved to the goal the task is done."""

    def __init__(self, data: Any) -> None:
        self.data = data

    def hand(self, rng: np.random.Generator) -> Point:
        """Draw where link7 begins; x is short of the workspace, on purpose (SMG's code)."""
        return _shifted(_HAND, rng.uniform(-0.05, 0.1), rng.uniform(-0.1, 0.1), _FLANGE)

    def scatter(self, rng: np.random.Generator) -> None:
        """Draw where the things on the table begin, the hand being where it is."""
        raise NotImplementedError

    def goal(self) -> Point:
        """Return where the goal is now: it moves with what carries it."""
        return self.data.body("target").xpos.copy()

    def moved(self) -> Point:
        """Return where the thing is that has to get to the goal."""
        return self.site("grasp")

    def reward(self, goal: Point, effort: float) -> float:
        """Return what a step pays, at most 1.

        Args:
            goal: Where the goal was before the step.
            effort: Norm of the action, before anything is limited.
        """
        away = self.away(goal)
        return 1.0 if away < self.radius else round(-3 * away - 0.5 * effort**2, 4)

    def away(self, goal: Point) -> float:
        """Return the distance to the goal along the task's axes."""
        return distance(self.moved(), goal, self.axes)

    def succeeds(self, goal: Point) -> bool:
        """Return whether the task is done now."""
        return self.away(goal) < self.radius

    def expert(self) -> npt.NDArray[np.float32]:
        """Return a good action, from the true state."""
        raise NotImplementedError

    def site(self, name: str) -> Point:
        """Return where a site is."""
        return self.data.site(name).xpos.copy()

    def _place(self, body: str, point: Point) -> None:
        """Move a free body without turning it."""
        address = self.data.model.joint(body).qposadr[0]
        self.data.qpos[address : address + 3] = point

    def _go(self, offset: Point) -> npt.NDArray[np.float32]:
        """Return the action that moves the hand by an offset, or as far towards it as it can."""
        return np.clip(offset[: self.axes] / SCALE, -1.0, 1.0).astype(np.float32)


TASKS: Registry[type[Task]] = Registry("task of suite 'arm'")


@TASKS.register("reach")
class Reach(Task):
    """Move the hand over the red disc."""

    def scatter(self, rng: np.random.Generator) -> None:
        """Draw the disc's place (see `Task`)."""
        place = _shifted(_DISC, rng.uniform(-0.1, 0.1), rng.uniform(-0.2, 0.2))
        self.data.mocap_pos[self.data.model.body("target").mocapid[0]] = place

    def expert(self) -> npt.NDArray[np.float32]:
        """Go straight there (see `Task`)."""
        return self._go(self.goal() - self.moved())


@TASKS.register("push")
class Push(Reach):
    """Push the cube to the disc; 20 cm away is near enough (SMG's code)."""

    high = np.array([HIGH[0], HIGH[1], 0.9])
    radius = 0.2

    def scatter(self, rng: np.random.Generator) -> None:
        """Draw the cube's place and the disc's (see `Task`)."""
        place = _shifted(_CUBE, rng.uniform(-0.05, 0.2), rng.uniform(-0.2, 0.2))
        self._place("cube", place)
        super().scatter(rng)

    def moved(self) -> Point:
        """Return where the cube is."""
        return self.data.body("cube").xpos.copy()

    def expert(self) -> npt.NDArray[np.float32]:
        """Go round the cube, then push (see `Task`)."""
        if self.away(self.goal()) < 0.03:
            return self._go(np.zeros(3))
        cube, hand = self.moved()[:2], self.site("grasp")[:2]
        way = _unit(self.goal()[:2] - cube)
        along = float((hand - cube) @ way)
        across = hand - cube - along * way
        beside = float(np.linalg.norm(across))
        if along < -0.05:  # behind it
            return self._go(SCALE * way - across if beside < 0.02 else cube - 0.1 * way - hand)
        return self._go(SCALE * (-way if beside > 0.09 else _unit(across)))


@TASKS.register("pegbox")
class PegBox(Task):
    """Carry the peg that hangs from the hand into the box."""

    axes = 3
    radius = 0.08

    def hand(self, rng: np.random.Generator) -> Point:
        """Draw where link7 begins (see `Task`)."""
        return _shifted(super().hand(rng), z=0.07 + 0.1 + rng.uniform(-0.05, 0.05))

    def scatter(self, rng: np.random.Generator) -> None:
        """Draw the box's place (see `Task`)."""
        place = _shifted(_BOX, rng.uniform(-0.1, 0.1), rng.uniform(-0.2, 0.2))
        self._place("box", place)

    def goal(self) -> Point:
        """Return the middle of the box's bottom, however the box may be turned."""
        return _shifted(self.data.body("box").xpos, y=0.075, z=-0.035)

    def moved(self) -> Point:
        """Return where the peg is."""
        return self.site("held/peg")

    def reward(self, goal: Point, effort: float) -> float:
        """Return what a step pays: more above the box, most in it (see `Task`)."""
        across = distance(self.moved(), goal, 2)
        above = 10 - 20 * self.away(goal) if across <= 0.05 else 0.0
        return -(effort**2) - 4 * across + above

    def expert(self) -> npt.NDArray[np.float32]:
        """Go above the box, then down (see `Task`)."""
        offset = _shifted(self.goal() - self.moved(), z=0.04)
        return self._go(_from_above(offset, clearance=0.08, near=0.035))


@TASKS.register("hammerall")
class HammerAll(Task):
    """Drive in the one nail of four that stands out."""

    axes = 3
    radius = 0.01
    nail = 1
    """Number of the episode's nail."""

    def hand(self, rng: np.random.Generator) -> Point:
        """Draw where link7 begins (see `Task`)."""
        return _shifted(super().hand(rng), z=0.07 + rng.uniform(-0.05, 0.1))

    def scatter(self, rng: np.random.Generator) -> None:
        """Draw the board's place, and the nail that is pulled out (see `Task`)."""
        board = self.data.body("board").xpos
        place = _shifted(board, rng.uniform(-0.05, 0.05), rng.uniform(-0.1, 0.1))
        self._place("board", place)
        self.nail = NAILS[int(rng.integers(len(NAILS)))]
        self.data.joint(f"nail{self.nail}").qpos = self.data.model.joint(f"nail{self.nail}").range[
            0
        ]

    def goal(self) -> Point:
        """Return where the nail's head is to be: it lies on the board."""
        return self.site(f"goal{self.nail}")

    def moved(self) -> Point:
        """Return where the nail's head is."""
        return self.site(f"nail{self.nail}")

    def reward(self, goal: Point, effort: float) -> float:
        """Return what a step pays: nothing at best (see `Task`)."""
        return (
            -0.1 * effort**2
            - 2 * distance(self.site("held/tool"), self.moved())
            - 2 * self.away(goal)
        )

    def expert(self) -> npt.NDArray[np.float32]:
        """Go above the nail, then down onto it (see `Task`)."""
        if self.succeeds(self.goal()):
            return self._go(np.zeros(3))
        offset = _shifted(self.moved() - self.site("held/tool"), z=-0.03)
        return self._go(_from_above(offset, clearance=0.06, near=0.01))


def _shifted(point: Point, x: float = 0.0, y: float = 0.0, z: float = 0.0) -> Point:
    return point + np.array([x, y, z])


def _unit(vector: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return vector / max(float(np.linalg.norm(vector)), 1e-9)


def _from_above(offset: Point, clearance: float, near: float) -> Point:
    """Return where to go next on the way to an offset that is to be reached from above.

    Args:
        offset: From where one is to where one wants to be.
        clearance: How high above it to come near, in metres.
        near: How far aside is right above, in metres.
    """
    if np.linalg.norm(offset[:2]) < near:
        return offset
    rise = offset[2] + clearance
    return np.array([*(offset[:2] if rise < 0.01 else (0.0, 0.0)), rise])
