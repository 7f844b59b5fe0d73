"""Another camera pose: for an episode, for a frame, or moving all the time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from distraction_gym.distractions.base import DISTRACTIONS, Distraction, unit
from distraction_gym.distractions.orbit import LOOKS, Box, gaze, rolled, to_offset, to_sphere
from distraction_gym.distractions.rates import Pace
from distraction_gym.distractions.walks import WALKS, Walk
from distraction_gym.registry import unknown
from distraction_gym.scene import Pose, Scene, Vector


@DISTRACTIONS.register("camera")
class Camera(Distraction):
    """Look at the robot from elsewhere, on a sphere around it (Distracting Control Suite's code).

    The sphere's middle is what the camera tracks, or the origin if it stands still. Azimuth, polar
    angle, distance and roll each have limits; the camera keeps looking at the point on its stock
    axis that was as far away as the robot. An edit of the view by earlier distractions is lost.

    `intensity`: scales the limits and the speed; it is the suite's beta (easy 0.1, medium 0.2,
    hard 0.3).

    Args:
        intensity: In [0, 1].
        motion: `"static"` draws a pose per episode. `"dcs"` begins there and moves as the suite
            does: a velocity with normal noise, capped, and lost at the limits. `"drift"` wanders
            smoothly about the stock pose. `"jitter"` draws a pose for every move, within a tenth
            of the limits.
        upright: Whether the camera stays above the ground, in front of the robot, and level but
            for its roll. The suite says no for cameras that look straight down (reacher).
        moves_per_step: Moves per agent step. The suite moves at every control step, DMC-GB's
            variant at every second one.
        angle: Limit of azimuth and polar angle in degrees, either way, at intensity 1.
        roll: Limit of the roll in degrees, either way, at intensity 1.
        zoom: By which share the distance may shrink, and grow, at intensity 1.

    Raises:
        UnknownName: for a motion that does not exist.
        ValueError: for an intensity outside [0, 1], or a pace below 0.
    """

    def __init__(
        self,
        intensity: float = 0.3,
        motion: str = "dcs",
        upright: bool = True,
        moves_per_step: float = 1.0,
        angle: float = 90.0,
        roll: float = 90.0,
        zoom: Sequence[float] = (0.5, 1.5),
    ) -> None:
        if motion not in WALKS:
            raise unknown("motion of a camera", motion, WALKS)
        self._intensity, self._motion = unit("intensity", intensity), motion
        self._limits: dict[str, Any] = {
            "angle": np.radians(angle) * intensity,
            "roll": np.radians(roll) * intensity,
            "zoom": (zoom[0] * intensity, zoom[1] * intensity),
            "upright": upright,
        }
        self._look, self._pace = LOOKS[upright], Pace(moves_per_step)
        self._rng: np.random.Generator | None = None
        self._path: tuple[Walk, Vector] | None = None

    def reset(self, rng: np.random.Generator, scene: Scene) -> None:
        """Start an episode: its first `stage` draws the pose, which depends on the robot's."""
        self._rng, self._path = rng, None
        self._pace.reset()

    def stage(self, scene: Scene) -> None:
        """Move the camera.

        Raises:
            UnsupportedEnvironment: if the scene has none.
        """
        if not self._intensity:
            return
        pose, focus = scene.view(), scene.focus()
        if self._path is None:
            self._path = self._begin(pose, focus, gaze(pose, scene.center()) - focus)
        walk, target = self._path
        for _ in range(self._pace.due()):
            walk.move()
        offset = to_offset(walk.place)
        rotation = rolled(self._look(target - offset), float(walk.place[3]))
        scene.aim(Pose(focus + offset, rotation))

    def describe(self) -> dict[str, Any]:
        """Return the motion and its intensity."""
        return {"motion": self._motion, "intensity": self._intensity}

    def _begin(self, pose: Pose, focus: Vector, target: Vector) -> tuple[Walk, Vector]:
        assert self._rng is not None, "reset comes first"
        box = Box.around(to_sphere(pose.position - focus), **self._limits)
        return WALKS[self._motion](self._rng, box, self._intensity), target
