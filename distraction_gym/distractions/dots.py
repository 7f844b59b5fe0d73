"""Dots that move through the picture."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from distraction_gym.assets.leaves import palette
from distraction_gym.distractions.base import DISTRACTIONS
from distraction_gym.distractions.layers import Cover, Painted, at_least_one, shown
from distraction_gym.distractions.paths import Paths
from distraction_gym.scene import Scene
from distraction_gym.typing import Frame

_BITS = 4  # sub-pixel bits of OpenCV's drawing functions
_ANGLES = np.linspace(0, 2 * np.pi, 24, endpoint=False)
_CIRCLE = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], axis=-1)


@DISTRACTIONS.register("dots")
class Dots(Painted):
    """Coloured dots in straight flight, as in the simple distractors of Deep Bisimulation.

    They pass through each other and turn back at the picture's edges.

    `intensity`: the share of the dots that is there (from 0, none).

    Args:
        count: How many dots there are at intensity 1.
        size: Their mean diameter, in shorter sides of the picture.
        speed: Their mean speed, in picture widths and heights per step.
        layer: `"front"` or `"behind"` (see `Painted`).
        intensity: In [0, 1].

    Raises:
        UnknownName: for a layer that does not exist.
        ValueError: for an intensity outside [0, 1], or fewer than one dot.
    """

    def __init__(
        self,
        count: int = 16,
        size: float = 0.1,
        speed: float = 0.02,
        layer: str = "front",
        intensity: float = 1.0,
    ) -> None:
        super().__init__(layer, intensity)
        self._count, self._size, self._speed = at_least_one("count", count), size, speed

    def reset(self, rng: np.random.Generator, scene: Scene) -> None:
        """Draw the dots of an episode."""
        super().reset(rng, scene)
        self._paths = Paths.scatter(rng, self._count, self._speed)
        self._radius = self._size / 2 * rng.uniform(0.5, 1.5, self._count)
        self._colors = palette(rng, self._count).tolist()

    def paint(self, canvas: Frame, cover: Cover, step: int) -> None:
        """Paint the dots, the first on top."""
        height, width = cover.shape
        middles = self._paths.at(step) * (width, height) - 0.5  # the middle of a pixel counts
        radius = np.maximum(self._radius * min(height, width) - 0.5, 0)  # OpenCV adds half a pixel
        # Not `cv2.circle`: it makes diamonds of small ones.
        outlines = middles[:, None] + radius[:, None, None] * _CIRCLE
        points = np.round(outlines * (1 << _BITS)).astype(np.int32)
        for index in reversed(range(shown(self._count, self._intensity))):
            for image, color in ((canvas, self._colors[index]), (cover, (255.0,))):
                cv2.fillPoly(image, [points[index]], color, cv2.LINE_AA, _BITS)

    def describe(self) -> dict[str, Any]:
        """Return how many dots there are."""
        return {"dots": shown(self._count, self._intensity)}
