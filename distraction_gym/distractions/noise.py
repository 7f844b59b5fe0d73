"""Noise of a camera's sensor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from distraction_gym.distractions.base import DISTRACTIONS, Distraction, unit
from distraction_gym.registry import unknown
from distraction_gym.scene import Scene
from distraction_gym.typing import Frame

_DEVIATION = 0.3 * 255
"""Standard deviation of gaussian noise at intensity 1, in grey levels."""
_SHARE = 0.3
"""Share of pixels that salt and pepper replace at intensity 1."""

Grain = npt.NDArray[np.float32]


def _normal(rng: np.random.Generator, shape: tuple[int, ...]) -> Grain:
    return rng.standard_normal(shape, np.float32)


def _uniform(rng: np.random.Generator, shape: tuple[int, ...]) -> Grain:
    return rng.random(shape[:2], np.float32)


def _add(frame: Frame, grain: Grain, intensity: float) -> Frame:
    scaled = grain * np.float32(_DEVIATION * intensity)
    return np.asarray(cv2.add(frame, scaled, dtype=cv2.CV_8U), np.uint8)


def _sprinkle(frame: Frame, grain: Grain, intensity: float) -> Frame:
    half = _SHARE * intensity / 2
    out = frame.copy()
    out[grain < half] = 0
    out[grain > 1 - half] = 255
    return out


PATTERNS: dict[
    str,
    tuple[
        Callable[[np.random.Generator, tuple[int, ...]], Grain],
        Callable[[Frame, Grain, float], Frame],
    ],
] = {"gaussian": (_normal, _add), "salt_and_pepper": (_uniform, _sprinkle)}
"""Name -> how the grain is drawn, and how it is laid into a frame."""


@DISTRACTIONS.register("noise")
class Noise(Distraction):
    """Add noise to every pixel of every frame.

    `intensity`: the standard deviation of gaussian noise, up to 0.3 of the range (the upper end
    of ImageNet-C's severities), or the share of pixels that become salt or pepper, up to 0.3.

    Args:
        pattern: `"gaussian"` (per channel) or `"salt_and_pepper"` (white and black pixels).
        static: Whether an episode keeps its noise, like dirt on a lens.
        intensity: In [0, 1].

    Raises:
        UnknownName: for a pattern that does not exist.
        ValueError: for an intensity outside [0, 1].
    """

    def __init__(
        self, pattern: str = "gaussian", static: bool = False, intensity: float = 1.0
    ) -> None:
        if pattern not in PATTERNS:
            raise unknown("pattern of noise", pattern, PATTERNS)
        self._intensity = unit("intensity", intensity)
        self._pattern, self._static = pattern, static
        self._grain: Grain | None = None

    def reset(self, rng: np.random.Generator, scene: Scene) -> None:
        """Draw the seed of an episode's noise."""
        # One draw only: what other distractions draw does not depend on our number of pixels.
        self._rng = np.random.default_rng(int(rng.integers(2**63)))
        self._grain = None

    def apply(self, frame: Frame, scene: Scene) -> Frame:
        """Add noise to a frame."""
        if self._intensity == 0.0:
            return frame
        draw, lay = PATTERNS[self._pattern]
        if self._grain is None or not self._static or self._grain.shape[:2] != frame.shape[:2]:
            self._grain = draw(self._rng, frame.shape)
        return lay(frame, self._grain, self._intensity)

    def describe(self) -> dict[str, Any]:
        """Return the pattern."""
        return {"pattern": self._pattern}
