"""Textured things that tumble through the picture, in front of the robot or beside it."""

from __future__ import annotations

import math
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
        stay: Steps for which each thing is there before it is gone for as many, and so on, in a
            turn of its own; None: always.

    Raises:
        UnknownName: for a layer that does not exist.
        ValueError: for an intensity outside [0, 1], or fewer than one thing or step.
    """

    def __init__(
        self,
        count: int = 8,
        size: float = 0.45,
        speed: float = 0.015,
        layer: str = "front",
        intensity: float = 1.0,
        stay: int | None = None,
    ) -> None:
        super().__init__(layer, intensity)
        self._stay = None if stay is None else at_least_one("stay", stay)
        self._count, self._size, self._speed = at_least_one("count", count), size, speed

    def reset(self, rng: np.random.Generator, scene: Scene) -> None:
        """Draw the things of an episode."""
        super().reset(rng, scene)
        self._which = rng.integers(COUNT, size=self._count)
        self._paths = Paths.scatter(rng, self._count, self._speed)
        self._scale = rng.uniform(0.5, 1.0, self._count)
        self._angle = rng.uniform(0, 2 * np.pi, self._count)
        self._spin = rng.normal(0, 0.04, self._count)  # radians per step
        if self._stay is not None:
            self._turn = rng.integers(2 * self._stay, size=self._count)

    def paint(self, canvas: Frame, cover: Cover, step: int) -> None:
        """Paint the things, the first on top."""
        height, width = cover.shape
        side = max(4, round(self._size * min(height, width)))
        centers = (self._paths.at(step) * (width, height) - 0.5).tolist()
        angles, scales = (self._angle + self._spin * step).tolist(), self._scale.tolist()
        for index in self._present(step):
            sprite = sprites(side)[self._which[index]]
            _stamp(canvas, cover, sprite, centers[index], scales[index], angles[index])

    def _present(self, step: int) -> list[int]:
        """Return which things there are, the first last."""
        things = reversed(range(shown(self._count, self._intensity)))
        if self._stay is None:
            return list(things)
        return [i for i in things if (self._turn[i] + step) % (2 * self._stay) < self._stay]

    def describe(self) -> dict[str, Any]:
        """Return which sprites there are."""
        return {"sprites": self._which[: shown(self._count, self._intensity)].tolist()}


def _stamp(
    canvas: Frame,
    cover: Cover,
    sprite: npt.NDArray[np.uint8],
    center: tuple[float, float],
    scale: float,
    angle: float,
) -> None:
    """Lay a sprite, turned and scaled about `center` (x, y), into canvas and cover."""
    (x, y), reach = center, len(sprite) * scale / 2 + 1
    left, upper = max(math.floor(x - reach), 0), max(math.floor(y - reach), 0)
    right = min(math.ceil(x + reach), cover.shape[1])
    lower = min(math.ceil(y + reach), cover.shape[0])
    # From the pixels of this part of the canvas to those of the sprite.
    cos, sin, middle = math.cos(angle) / scale, math.sin(angle) / scale, (len(sprite) - 1) / 2
    right_by, down_by = left - x, upper - y
    matrix = np.array(
        [
            [cos, sin, middle + cos * right_by + sin * down_by],
            [-sin, cos, middle - sin * right_by + cos * down_by],
        ]
    )
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    seen = cv2.warpAffine(sprite, matrix, (right - left, lower - upper), flags=flags)
    part, mask = canvas[upper:lower, left:right], cover[upper:lower, left:right]
    alpha = cv2.extractChannel(seen, 3)
    through = cv2.cvtColor(cv2.bitwise_not(alpha), cv2.COLOR_GRAY2RGB)
    rest = cv2.multiply(part, through, scale=1 / 255)
    part[:] = cv2.add(rest, cv2.cvtColor(seen, cv2.COLOR_RGBA2RGB))  # its colours are premultiplied
    np.maximum(mask, alpha, out=mask)
