"""Textured things that tumble through the picture, in front of the robot or beside it."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from distraction_gym.assets.sprites import COUNT, sprites
from distraction_gym.distractions.base import DISTRACTIONS
from distraction_gym.distractions.layers import Cover, Painted, at_least_one, shown
from distraction_gym.distractions.paths import Paths
from distraction_gym.scene import Scene
from distraction_gym.typing import Frame


@DISTRACTIONS.register("sprites")
class Sprites(Painted):
    """Let textured things drift and turn; in front, they are no background that can be masked.

    `intensity`: the share of the things that is there (from 0, none).

    Args:
        count: How many things there are at intensity 1.
        size: The diameter of the largest, in shorter sides of the picture.
        speed: Their mean speed, in picture widths and heights per step.
        layer: `"front"` or `"behind"` (see `Painted`).
        intensity: In [0, 1].

    Raises:
        UnknownName: for a layer that does not exist.
        ValueError: for an intensity outside [0, 1], or fewer than one thing.
    """

    def __init__(
        self,
        count: int = 8,
        size: float = 0.45,
        speed: float = 0.015,
        layer: str = "front",
        intensity: float = 1.0,
    ) -> None:
        super().__init__(layer, intensity)
        self._count, self._size, self._speed = at_least_one("count", count), size, speed

    def reset(self, rng: np.random.Generator, scene: Scene) -> None:
        """Draw the things of an episode."""
        super().reset(rng, scene)
        self._which = rng.integers(COUNT, size=self._count)
        self._paths = Paths.scatter(rng, self._count, self._speed)
        self._scale = rng.uniform(0.5, 1.0, self._count)
        self._angle = rng.uniform(0, 2 * np.pi, self._count)
        self._spin = rng.normal(0, 0.04, self._count)  # radians per step

    def paint(self, canvas: Frame, cover: Cover, step: int) -> None:
        """Paint the things, the first on top."""
        height, width = cover.shape
        side = max(4, round(self._size * min(height, width)))
        centers = self._paths.at(step) * (width, height) - 0.5
        for index in reversed(range(shown(self._count, self._intensity))):
            sprite = sprites(side)[self._which[index]]
            angle = float(self._angle[index] + self._spin[index] * step)
            _stamp(canvas, cover, sprite, centers[index], float(self._scale[index]), angle)

    def describe(self) -> dict[str, Any]:
        """Return which sprites there are."""
        return {"sprites": self._which[: shown(self._count, self._intensity)].tolist()}


def _stamp(
    canvas: Frame,
    cover: Cover,
    sprite: npt.NDArray[np.uint8],
    center: npt.NDArray[np.float64],
    scale: float,
    angle: float,
) -> None:
    """Lay a sprite, turned and scaled about `center` (x, y), into canvas and cover."""
    side = int(np.ceil(len(sprite) * scale)) + 2
    low = np.maximum(np.floor(center - side / 2).astype(int), 0)
    high = np.minimum(np.ceil(center + side / 2).astype(int), cover.shape[::-1])
    (left, upper), (right, lower) = low.tolist(), high.tolist()
    # From the pixels of this part of the canvas to those of the sprite.
    cos, sin = np.cos(angle) / scale, np.sin(angle) / scale
    turn = np.array([[cos, sin], [-sin, cos]])
    offset = (len(sprite) - 1) / 2 + turn @ (low - center)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    matrix = np.column_stack([turn, offset])
    seen = cv2.warpAffine(sprite, matrix, (right - left, lower - upper), flags=flags)
    part, mask = canvas[upper:lower, left:right], cover[upper:lower, left:right]
    left_over = 255 - seen[..., 3:].astype(np.uint16)
    part[:] = seen[..., :3] + ((part * left_over + 127) // 255).astype(np.uint8)
    np.maximum(mask, seen[..., 3], out=mask)
