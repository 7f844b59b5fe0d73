"""Rectangles that hide a part of the picture."""

from __future__ import annotations

from typing import Any

import numpy as np

from distraction_gym.assets.leaves import palette
from distraction_gym.distractions.base import DISTRACTIONS
from distraction_gym.distractions.layers import Cover, Painted, at_least_one
from distraction_gym.distractions.paths import Paths
from distraction_gym.scene import Scene
from distraction_gym.typing import Frame

_MOST = 0.4
"""Share of the picture that the rectangles hide at intensity 1, where none lies on another."""


@DISTRACTIONS.register("cutout")
class Cutout(Painted):
    """Hide parts of the picture, the robot's too, under rectangles of one colour each.

    `intensity`: their area; at 1 they hide up to two fifths of the picture.

    Args:
        count: How many rectangles.
        speed: Picture widths and heights per step; at 0 they stay where the episode put them.
        intensity: In [0, 1].

    Raises:
        ValueError: for an intensity outside [0, 1], or fewer than one rectangle.
    """

    def __init__(self, count: int = 3, speed: float = 0.0, intensity: float = 1.0) -> None:
        super().__init__("front", intensity)
        self._count, self._speed = at_least_one("count", count), speed

    def reset(self, rng: np.random.Generator, scene: Scene) -> None:
        """Draw the rectangles of an episode."""
        super().reset(rng, scene)
        self._paths = Paths.scatter(rng, self._count, self._speed)
        self._ratio = np.exp(rng.uniform(-0.7, 0.7, self._count))
        share = rng.uniform(0.5, 1.5, self._count)
        self._area = _MOST * share / share.sum()
        self._colors = palette(rng, self._count).astype(np.uint8)

    def paint(self, canvas: Frame, cover: Cover, step: int) -> None:
        """Paint the rectangles, the first on top."""
        height, width = cover.shape
        centers = self._paths.at(step) * (width, height)
        high = np.sqrt(self._intensity * self._area * height * width / self._ratio)
        halves = np.stack([high * self._ratio, high], axis=-1) / 2
        low = np.maximum(np.round(centers - halves), 0).astype(int).tolist()
        top = np.round(centers + halves).astype(int).tolist()
        for index in reversed(range(self._count)):
            (left, upper), (right, lower) = low[index], top[index]
            canvas[upper:lower, left:right] = self._colors[index]
            cover[upper:lower, left:right] = 255

    def describe(self) -> dict[str, Any]:
        """Return where the rectangles are at first: x, y of their middles in [0, 1]."""
        return {"centers": self._paths.start.round(3).tolist()}
