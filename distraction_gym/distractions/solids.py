"""Things that move about in the scene, beside the robot or between it and the camera."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from distraction_gym.distractions.base import DISTRACTIONS, Distraction, unit
from distraction_gym.distractions.layers import at_least_one, shown
from distraction_gym.distractions.paths import Paths
from distraction_gym.registry import unknown
from distraction_gym.scene import Scene, Solid, Vector

LAYERS = {"front": (0.45, 0.75), "beside": (1.05, 1.5)}
"""How far from the camera, as shares of the robot's distance."""
_SHAPES = ("sphere", "box", "capsule", "cylinder", "ellipsoid")
_WIDTH, _HEIGHT = 1.0, 0.7
"""Extent of the field that they move in, as shares of its distance from the camera."""


class _Field(NamedTuple):
    """How the camera saw the robot when an episode began, whatever becomes of it."""

    rotation: npt.NDArray[np.float64]
    distance: float
    aside: Vector
    """From what the camera tracks to the robot."""

    @classmethod
    def before(cls, scene: Scene) -> _Field:
        pose, center = scene.view(), scene.center()
        distance = float(np.linalg.norm(pose.position - center))
        return cls(pose.rotation, distance, center - scene.focus())


@DISTRACTIONS.register("solids")
class Solids(Distraction):
    """Let coloured solids fly about: lit and shaded like the robot, touching nothing.

    They move in planes before the camera, and along with it if it tracks the robot. In front of
    the robot they hide it, so that no mask of the background removes them: the scene's own mask of
    the foreground does not show them.

    `intensity`: the share of `count` that is there, at least one above 0.

    Args:
        intensity: In [0, 1].
        count: How many at intensity 1.
        layer: `"front"` of the robot, or `"beside"` and behind it.
        size: Mean half size, as a share of their distance from the camera.
        speed: Mean way per agent step, as a share of the field's width.

    Raises:
        UnknownName: for a layer that does not exist.
        ValueError: for an intensity outside [0, 1], or a count below 1.
    """

    def __init__(
        self,
        intensity: float = 1.0,
        count: int = 6,
        layer: str = "front",
        size: float = 0.04,
        speed: float = 0.02,
    ) -> None:
        if layer not in LAYERS:
            raise unknown("layer", layer, LAYERS)
        self._count = shown(at_least_one("count", count), unit("intensity", intensity))
        self._layer, self._size, self._speed = layer, size, speed
        self._step = 0
        self._field: _Field | None = None

    def reset(self, rng: np.random.Generator, scene: Scene) -> None:
        """Draw the episode's solids and their ways."""
        count = self._count
        self._step, self._field = 0, None
        self._paths = Paths.scatter(rng, count, self._speed)
        self._depths = rng.uniform(*LAYERS[self._layer], count)
        self._shapes = [_SHAPES[index] for index in rng.integers(len(_SHAPES), size=count)]
        self._sizes = self._size * self._depths[:, None] * rng.uniform(0.6, 1.4, (count, 3))
        self._colors = rng.uniform(0.1, 1.0, (count, 3))
        self._turns = [_rotation(rng) for _ in range(count)]

    def stage(self, scene: Scene) -> None:
        """Place the solids into the frame.

        Raises:
            UnsupportedEnvironment: if nothing can be placed into the scene.
        """
        if not self._count:
            return
        if self._field is None:
            self._field = _Field.before(scene)
        field = self._field
        away = self._depths[:, None] * field.distance
        across = (self._paths.at(self._step) - 0.5) * (_WIDTH, _HEIGHT) * away
        local = np.column_stack([across, field.distance - away])
        places = scene.focus() + field.aside + local @ field.rotation.T
        self._step += 1
        scene.place([self._solid(*pair, field.distance) for pair in enumerate(places.tolist())])

    def describe(self) -> dict[str, Any]:
        """Return how many there are, and where."""
        return {"count": self._count, "layer": self._layer}

    def _solid(self, index: int, place: list[float], distance: float) -> Solid:
        x, y, z = place
        a, b, c = (distance * self._sizes[index]).tolist()
        red, green, blue = self._colors[index].tolist()
        return Solid(
            self._shapes[index],
            (x, y, z),
            (a, a, a) if self._shapes[index] == "sphere" else (a, b, c),
            (red, green, blue),
            self._turns[index],
        )


def _rotation(rng: np.random.Generator) -> tuple[float, ...]:
    """Draw a rotation, any of them equally likely; row by row."""
    square, upper = np.linalg.qr(rng.normal(size=(3, 3)))
    matrix: npt.NDArray[np.float64] = square * np.sign(np.diag(upper))
    if np.linalg.det(matrix) < 0:
        matrix[:, 0] = -matrix[:, 0]
    return tuple(matrix.ravel().tolist())
