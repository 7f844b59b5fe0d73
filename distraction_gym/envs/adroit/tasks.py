"""The four tasks: where things start, what is paid, and when the goal is met.

Numbers are those of RL-ViGen's and VRL3's code, whose sparse rewards leave out only what leads the
hand to the object. All are functions of a model and its data: nothing is kept between steps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from distraction_gym.registry import Registry

Vector = npt.NDArray[np.float64]
Pose = Mapping[str, Sequence[float]]
"""A camera's attributes as MJCF names them: `pos`, and `quat` or `euler`."""

Place = tuple[str, str, str]
"""The kind, name and attribute of what a task moves, as in `model.body("door").pos`."""

_FROM_ABOVE = [0.0, 0.0, 3.14]  # radians; not pi, in the official models too
_FINGERS = [
    *(f"{name}{part}" for name in ("ff", "mf", "rf", "lf") for part in ("knuckle", "proximal")),
    *(f"{name}{part}" for name in ("ff", "mf", "rf", "lf", "th") for part in ("middle", "distal")),
    "lfmetacarpal",
    "thbase",
    "thproximal",
    "thhub",
]
HAND = tuple(f"body:{name}" for name in ("forearm", "wrist", "palm", *_FINGERS))
"""The hand's parts, as `Scene.foreground` takes them."""


class Task:
    """What the tasks answer; `model` and `data` are MuJoCo's structures."""

    model: str
    """The file among Gymnasium-Robotics' models."""
    camera: str
    """Through which one looks; the papers' where they have one."""
    cameras: ClassVar[Mapping[str, Pose]] = {}
    """Cameras that the model lacks, or has elsewhere."""
    episode = 200
    """Control steps."""
    needed = 25
    """An episode succeeds when the goal was met at more control steps than these."""
    scale: float
    """`reward_rescale` divides rewards by this."""
    hand: slice
    """The 24 joints of wrist and fingers within `qpos`."""
    state: ClassVar[Mapping[str, Place]] = {}
    """What a recorded state holds beside `qpos` and `qvel`."""
    objects: tuple[str, ...]
    """What matters in a picture beside the hand."""

    def place(self, model: Any, rng: np.random.Generator) -> None:
        """Put things where an episode starts, in the official order of draws."""
        raise NotImplementedError

    def reward(self, model: Any, data: Any) -> float:
        """Return what a control step pays, before any rescaling."""
        raise NotImplementedError

    def is_met(self, model: Any, data: Any) -> bool:
        """Return whether the goal is met now."""
        raise NotImplementedError

    def is_lost(self, model: Any, data: Any) -> bool:
        """Return whether the episode ends here for good."""
        return False


TASKS: Registry[Task] = Registry("task of suite 'adroit'")


class Door(Task):
    """Turn the latch and pull the door open."""

    model, camera = "adroit_door.xml", "top"
    cameras: ClassVar[Mapping[str, Pose]] = {"top": {"pos": [0.0, 0.0, 1.5], "euler": _FROM_ABOVE}}
    scale, hand = 20.0, slice(4, -2)
    state: ClassVar[Mapping[str, Place]] = {"door_body_pos": ("body", "frame", "pos")}
    objects = ("body:frame", "body:door", "body:latch")

    def place(self, model: Any, rng: np.random.Generator) -> None:
        """Move the door's frame."""
        for axis, (low, high) in enumerate(((-0.3, -0.2), (0.25, 0.35), (0.252, 0.35))):
            model.body("frame").pos[axis] = rng.uniform(low, high)

    def reward(self, model: Any, data: Any) -> float:
        """Return a little less the more it is shut, and three bonuses on the way."""
        angle = self._angle(data)
        bonus = 2.0 * (angle > 0.2) + 8.0 * (angle > 1.0) + 10.0 * (angle > 1.35)
        return float(bonus - 0.1 * (angle - 1.57) ** 2)

    def is_met(self, model: Any, data: Any) -> bool:
        """Return whether it stands open by more than 1.4 radians (Gymnasium-Robotics: 1.35)."""
        return self._angle(data) > 1.4

    def _angle(self, data: Any) -> float:
        return float(data.joint("door_hinge").qpos[0])


class Hammer(Task):
    """Take the hammer and drive the nail in."""

    model, camera = "adroit_hammer.xml", "top"
    cameras: ClassVar[Mapping[str, Pose]] = {"top": {"pos": [0.0, 0.0, 1.1], "euler": _FROM_ABOVE}}
    scale, hand = 100.0, slice(2, -7)
    state: ClassVar[Mapping[str, Place]] = {"board_pos": ("body", "nail_board", "pos")}
    objects = ("body:nail_board", "body:nail", "body:Object", "site:nail_goal", "site:S_target")

    def place(self, model: Any, rng: np.random.Generator) -> None:
        """Choose the board's height."""
        model.body("nail_board").pos[2] = rng.uniform(0.1, 0.25)

    def reward(self, model: Any, data: Any) -> float:
        """Return a cost of how far the nail is out, and two bonuses when it is nearly in."""
        left = self._left(data)
        return float(25.0 * (left < 0.02) + 75.0 * (left < 0.01) - 10.0 * left)

    def is_met(self, model: Any, data: Any) -> bool:
        """Return whether the nail is in, to a centimetre."""
        return self._left(data) < 0.01

    def _left(self, data: Any) -> float:
        return _distance(data.site("S_target").xpos, data.site("nail_goal").xpos)


class Pen(Task):
    """Turn the pen in the hand until it points where the green one points."""

    model, camera = "adroit_pen.xml", "vil_camera"
    cameras: ClassVar[Mapping[str, Pose]] = {
        "vil_camera": {"pos": [0.0, -0.8, 0.8], "quat": [0.92388, 0.382683, 0.0, 0.0]}
    }
    episode, needed = 100, 20
    scale, hand = 50.0, slice(0, -6)
    state: ClassVar[Mapping[str, Place]] = {"desired_orien": ("body", "target", "quat")}
    objects = ("body:Object", "body:target")

    def place(self, model: Any, rng: np.random.Generator) -> None:
        """Turn the green pen about two axes."""
        about_x, about_y = rng.uniform(-1.0, 1.0), rng.uniform(-1.0, 1.0)
        model.body("target").quat[:] = _quaternion(about_x, about_y)

    def reward(self, model: Any, data: Any) -> float:
        """Return 50 when place and direction are right."""
        away = _distance(data.body("Object").xpos, data.site("eps_ball").xpos)
        return 50.0 * (away < 0.075 and self.is_met(model, data))

    def is_met(self, model: Any, data: Any) -> bool:
        """Return whether it points the right way; where it is does not count."""
        return bool(_direction(data, "object") @ _direction(data, "target") > 0.95)

    def is_lost(self, model: Any, data: Any) -> bool:
        """Return whether the pen was dropped."""
        return bool(data.body("Object").xpos[2] < 0.075)


class Relocate(Task):
    """Take the ball to the green sphere."""

    model, camera = "adroit_relocate.xml", "vil_camera"
    cameras: ClassVar[Mapping[str, Pose]] = {
        "cam2": {"pos": [0.0, 0.8, 0.2], "euler": [-1.57, 0.0, 3.14]},
        "cam3": {"pos": [0.8, 0.0, 0.2], "euler": [0.0, 1.57, 1.57]},
    }
    scale, hand = 30.0, slice(6, -6)
    state: ClassVar[Mapping[str, Place]] = {
        "obj_pos": ("body", "Object", "pos"),
        "target_pos": ("site", "target", "pos"),
    }
    objects = ("body:Object", "site:target")

    def place(self, model: Any, rng: np.random.Generator) -> None:
        """Move ball and sphere; the sphere's height is fixed."""
        ball, sphere = model.body("Object").pos, model.site("target").pos
        ball[:2] = rng.uniform(-0.15, 0.15), rng.uniform(-0.15, 0.3)
        sphere[:] = rng.uniform(-0.2, 0.2), rng.uniform(-0.2, 0.2), 0.25

    def reward(self, model: Any, data: Any) -> float:
        """Return 10 near the sphere's centre and 30 at it."""
        away = self._away(data)
        return 10.0 * (away < 0.1) + 20.0 * (away < 0.05)

    def is_met(self, model: Any, data: Any) -> bool:
        """Return whether the ball is within 0.1 m."""
        return self._away(data) < 0.1

    def _away(self, data: Any) -> float:
        return _distance(data.body("Object").xpos, data.site("target").xpos)


TASKS.add("door", Door())
TASKS.add("hammer", Hammer())
TASKS.add("pen", Pen())
TASKS.add("relocate", Relocate())


def _distance(first: Vector, second: Vector) -> float:
    return float(np.linalg.norm(first - second))


def _direction(data: Any, pen: str) -> Vector:
    """Return the unit vector from a pen's bottom to its top."""
    along: Vector = data.site(f"{pen}_top").xpos - data.site(f"{pen}_bottom").xpos
    return along / np.linalg.norm(along)


def _quaternion(about_x: float, about_y: float) -> Vector:
    """Return a turn about x, and then about the turned y, as `(w, x, y, z)`."""
    x, y = about_x / 2, about_y / 2
    return np.array(
        [np.cos(x) * np.cos(y), np.sin(x) * np.cos(y), np.cos(x) * np.sin(y), np.sin(x) * np.sin(y)]
    )
