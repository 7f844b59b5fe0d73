"""Dead leaves: shapes of all sizes, thrown on top of each other until nothing shows through.

With radii distributed as r^-3 the picture looks alike at every scale, has edges and occlusions,
and its power spectrum falls as that of photographs (Lee, Mumford and Huang, "Occlusion models for
natural images", 2001). Everything random is drawn before anything is painted, in units of the
view, so that the same leaves lie at the same places at every resolution.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from distraction_gym.assets.noise import Field, Noise

Canvas = npt.NDArray[np.float32]
"""`(S, S, 3)` float32, RGB, 0-255; it repeats beyond its edges."""

_CORNERS = 20
_MOST_GRAIN = 0.35
_WHITE = np.float32(255)
_BITS = 4  # sub-pixel bits of OpenCV's drawing functions


def palette(rng: np.random.Generator, count: int) -> npt.NDArray[np.float32]:
    """Draw the colours of one scene, `(count, 3)`, 0-255: from dull to vivid, dark to bright."""
    hue = rng.uniform(0, 360) + rng.normal(0, 70, count)
    saturation, value = rng.beta(1.5, 2.4, count), rng.beta(2.0, 1.4, count)
    hsv = np.stack([hue % 360, saturation, value], axis=-1).astype(np.float32)
    return 255 * cv2.cvtColor(hsv[None], cv2.COLOR_HSV2RGB)[0]


@dataclass(frozen=True)
class Leaves:
    """Leaves on a square that repeats; lengths are in units of the square's side."""

    outlines: npt.NDArray[np.float64]
    """`(n, corners, 2)`: x, y."""
    colors: npt.NDArray[np.float32]
    """`(n, 3)`, 0-255."""
    grain: npt.NDArray[np.float32]
    """`(n,)`: how strongly texture shows on each."""
    texture: Noise
    light: Noise

    @classmethod
    def scatter(
        cls,
        rng: np.random.Generator,
        colors: npt.NDArray[np.float32],
        radii: tuple[float, float],
        cover: float,
    ) -> Leaves:
        """Throw leaves until their areas add up to `cover` squares.

        Args:
            rng: Draws everything.
            colors: The scene's palette, `(k, 3)`.
            radii: Smallest and largest radius.
            cover: About 3 leaves no gap; far less than 1 leaves single leaves.
        """
        low, high = radii
        mean_area = 2 * np.pi * np.log(high / low) / (low**-2 - high**-2)
        count = max(1, round(cover / mean_area))
        # Inverse of the cumulative distribution of r^-3 between the two radii.
        radius = (low**-2 - rng.random(count) * (low**-2 - high**-2)) ** -0.5
        outlines = shapes(rng, count) * radius[:, None, None] + rng.random((count, 1, 2))
        jitter = rng.normal(0, 18, (count, 3)) + rng.normal(0, 22, (count, 1))
        picked = colors[rng.integers(len(colors), size=count)] + jitter
        grain = np.minimum(rng.gamma(1.5, 0.08, count), _MOST_GRAIN).astype(np.float32)
        texture, light = Noise(rng, 0.8), Noise(rng, 1.4)
        return cls(outlines, np.clip(picked, 0, 255).astype(np.float32), grain, texture, light)

    def paint(self, size: int, ground: tuple[float, float, float]) -> tuple[Canvas, Field]:
        """Return the picture, and where leaves cover the ground, `(S, S)` float32 in [0, 1]."""
        # A fourth channel holds the grain, so that one stroke lays colour and texture.
        flat = np.full((size, size, 4), (*ground, 0.0), np.uint8)
        cover = np.zeros((size, size), np.uint8)
        paints = np.column_stack([self.colors, 255 * self.grain]).tolist()
        for points, paint in zip(_copies(self.outlines, size), paints, strict=True):
            for polygon in points:
                cv2.fillPoly(flat, [polygon], paint, cv2.LINE_AA, _BITS)
                cv2.fillPoly(cover, [polygon], 255, cv2.LINE_AA, _BITS)
        texture = self.texture.draw(size) * (flat[..., 3] / _WHITE)
        gain = (1 + texture) * (1 + 0.2 * self.light.draw(size))
        picture = np.clip(flat[..., :3] * gain[..., None], 0, _WHITE)
        return picture.astype(np.float32), (cover / _WHITE).astype(np.float32, copy=False)


def shapes(rng: np.random.Generator, count: int) -> npt.NDArray[np.float64]:
    """Draw outlines around the origin, of radius about 1: blobs, ovals, blocks and splinters."""
    angle = np.linspace(0, 2 * np.pi, _CORNERS, endpoint=False)
    phase = rng.uniform(0, 2 * np.pi, (count, 3, 1))
    waves = np.cos(np.array([2, 3, 5])[:, None] * angle + phase)
    bumps = 1 + (rng.uniform(0, 0.3, (count, 3, 1)) * waves).sum(1)
    # The distance to a block's sides, in the directions of the corners.
    block = 0.85 / np.maximum(np.abs(np.cos(angle)), np.abs(np.sin(angle)))
    kind = rng.integers(3, size=(count, 1))
    distance = np.choose(kind, [bumps, np.ones_like(bumps), np.broadcast_to(block, bumps.shape)])
    stretch = np.exp(rng.normal(0, 0.35, (count, 1)))
    x, y = distance * np.cos(angle) * stretch, distance * np.sin(angle) / stretch
    turn = rng.uniform(0, 2 * np.pi, (count, 1))
    cos, sin = np.cos(turn), np.sin(turn)
    return np.stack([x * cos - y * sin, x * sin + y * cos], axis=-1)


def _copies(outlines: npt.NDArray[np.float64], size: int) -> Iterator[list[npt.NDArray[np.int32]]]:
    """Yield each outline in sub-pixels, and again wherever it leaves one side for the other."""
    side = size << _BITS
    # OpenCV counts from the middle of a pixel.
    points = np.round(outlines * side - (1 << _BITS) / 2).astype(np.int32)
    low, high = points.min(1).tolist(), points.max(1).tolist()
    for outline, first, last in zip(points, low, high, strict=True):
        shifts = [
            [s for s in (-side, 0, side) if b + s > 0 and a + s < side]
            for a, b in zip(first, last, strict=True)
        ]
        yield [outline + np.array((x, y), np.int32) for x in shifts[0] for y in shifts[1]]
