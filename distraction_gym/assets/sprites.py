"""Things cut out of painted scenes: each has a shape, a texture and colours of its own."""

from __future__ import annotations

import functools

import cv2
import numpy as np
import numpy.typing as npt

from distraction_gym.assets.leaves import Leaves, palette, shapes
from distraction_gym.seeding import stream

COUNT = 24
_TRIES = 3
_BITS = 4  # sub-pixel bits of OpenCV's drawing functions


@functools.lru_cache(maxsize=8)
def sprites(side: int) -> npt.NDArray[np.uint8]:
    """Return the same `COUNT` sprites at a size, read-only `(COUNT, side, side, 4)` uint8.

    RGB, 0 outside, and how much of the pixel is covered, 0-255. Each fits into the circle within
    its square, so that it can be turned. They are drawn once per process and size.
    """
    drawn = np.stack([_sprite(index, side) for index in range(COUNT)])
    drawn.setflags(write=False)
    return drawn


def _sprite(index: int, side: int) -> npt.NDArray[np.uint8]:
    rng = stream(index, "sprites")
    outline = max(shapes(rng, _TRIES), key=_fullness)  # no splinters
    outline *= 0.95 / np.hypot(*outline.T).max()
    colors = palette(rng, 3)
    leaves = Leaves.scatter(rng, colors, (0.12, 0.4), 1.0)
    texture, _ = leaves.paint(side, tuple(colors[0].tolist()))
    points = np.round(((outline + 1) / 2 * side - 0.5) * (1 << _BITS)).astype(np.int32)
    cover = np.zeros((side, side), np.uint8)
    cv2.fillPoly(cover, [points], (255.0,), cv2.LINE_AA, _BITS)
    colored = np.round(texture * (cover[..., None] / 255))
    return np.dstack([colored.astype(np.uint8), cover])


def _fullness(outline: npt.NDArray[np.float64]) -> float:
    """Return the area of an outline, as a share of the circle around it."""
    area = cv2.contourArea(outline.astype(np.float32))
    return float(area / (np.pi * (outline**2).sum(-1).max()))
