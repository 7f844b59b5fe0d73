"""What moves in a mini task, and what it pays. Tasks list sprites, the scene draws them.

Coordinates run from -1 to 1, x to the right and y downwards.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt

from distraction_gym.registry import Registry

Point = npt.NDArray[np.float64]

SPEED = 0.15
"""How far a full action moves the agent in one step."""

TOUCH = 0.2
"""Distance at which the disc counts as on the box."""


class Sprite(NamedTuple):
    """One thing in the picture: a disc or a box, `size` its half size in halves of the picture."""

    shape: str
    part: str
    center: tuple[float, float]
    size: tuple[float, float]


class Task(ABC):
    """A tiny control problem."""

    action_size: ClassVar[int] = 2
    horizon: ClassVar[int] = 25
    """Control steps of an episode; the end is a time limit, never a termination."""

    @abstractmethod
    def reset(self, rng: np.random.Generator) -> None:
        """Draw the start of an episode; `rng` may be kept for draws within it."""

    @abstractmethod
    def step(self, action: Point) -> float:
        """Move by `action` (each in [-1, 1]) and return the reward."""

    @abstractmethod
    def sprites(self) -> tuple[Sprite, ...]:
        """Return what to draw, in painting order."""

    @abstractmethod
    def expert(self) -> Point:
        """Return a good action from the true state: the yardstick of what is reachable."""


TASKS: Registry[type[Task]] = Registry("mini task")


def _towards(delta: Point) -> Point:
    return np.clip(delta / SPEED, -1.0, 1.0)


def _disc(part: str, center: Point, size: float) -> Sprite:
    return Sprite("disc", part, (float(center[0]), float(center[1])), (size, size))


def _box(part: str, center: Point, width: float, height: float) -> Sprite:
    return Sprite("box", part, (float(center[0]), float(center[1])), (width, height))


@TASKS.register("reach")
class Reach(Task):
    """Move the disc onto the box. Reward `exp(-3 d)` a step: at most 25 an episode.

    `d` is the distance beyond `TOUCH`, within which the disc covers the box: 1 is paid there.
    """

    def reset(self, rng: np.random.Generator) -> None:
        """Start an episode (see `Task`)."""
        self.agent = rng.uniform(-0.8, 0.8, 2)
        self.goal = rng.uniform(-0.8, 0.8, 2)

    def step(self, action: Point) -> float:
        """Move and return the reward (see `Task`)."""
        self.agent = np.clip(self.agent + SPEED * action, -1.0, 1.0)
        distance = float(np.linalg.norm(self.agent - self.goal))
        return float(np.exp(-3.0 * max(0.0, distance - TOUCH)))

    def sprites(self) -> tuple[Sprite, ...]:
        """Return what is in the picture (see `Task`)."""
        return (_box("goal", self.goal, 0.22, 0.22), _disc("body", self.agent, 0.24))

    def expert(self) -> Point:
        """Return a good action (see `Task`)."""
        return _towards(self.goal - self.agent)


@TASKS.register("track")
class Track(Reach):
    """Reach a box that drifts and bounces off the borders; same reward, twice as long."""

    horizon = 50
    drift = 0.08

    def reset(self, rng: np.random.Generator) -> None:
        """Start an episode (see `Task`)."""
        super().reset(rng)
        angle = rng.uniform(0.0, 2.0 * np.pi)
        self.velocity = self.drift * np.array([np.cos(angle), np.sin(angle)])

    def step(self, action: Point) -> float:
        """Move and return the reward (see `Task`)."""
        goal = self.goal + self.velocity
        self.velocity = np.where(np.abs(goal) > 0.8, -self.velocity, self.velocity)
        self.goal = np.clip(goal, -0.8, 0.8)
        return super().step(action)


@TASKS.register("catch")
class Catch(Task):
    """Move the paddle under falling boxes. Reward 1 for each one caught: at most 4 an episode."""

    action_size = 1
    horizon = 48
    fall_steps = 12
    paddle_row = 0.85
    reach = 0.3

    def reset(self, rng: np.random.Generator) -> None:
        """Start an episode (see `Task`)."""
        self._rng = rng
        self.paddle = float(rng.uniform(-0.8, 0.8))
        self._drop()

    def _drop(self) -> None:
        self.ball = np.array([self._rng.uniform(-0.8, 0.8), -0.85])

    def step(self, action: Point) -> float:
        """Move and return the reward (see `Task`)."""
        self.paddle = float(np.clip(self.paddle + SPEED * action[0], -1.0, 1.0))
        self.ball[1] += (self.paddle_row + 0.85) / self.fall_steps
        if self.ball[1] < self.paddle_row - 1e-9:
            return 0.0
        caught = abs(self.ball[0] - self.paddle) < self.reach
        self._drop()
        return float(caught)

    def sprites(self) -> tuple[Sprite, ...]:
        """Return what is in the picture (see `Task`)."""
        paddle = np.array([self.paddle, self.paddle_row])
        return (_box("goal", self.ball, 0.2, 0.2), _box("body", paddle, self.reach, 0.12))

    def expert(self) -> Point:
        """Return a good action (see `Task`)."""
        return _towards(self.ball[:1] - self.paddle)
