"""Other hues, saturation, contrast and brightness of all pixels: another camera, another light."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from distraction_gym.distractions.base import DISTRACTIONS, Distraction, unit
from distraction_gym.distractions.paths import Wander
from distraction_gym.registry import unknown
from distraction_gym.scene import Scene
from distraction_gym.typing import Frame

PACES = ("episode", "drift")
Range = float | Sequence[float]
"""Lowest and highest value at intensity 1; one number `r` stands for `[-r, r]`."""

# RGB -> luma and the two chroma axes of NTSC: hue is an angle there, saturation a radius.
_TO_YIQ = np.array([[0.299, 0.587, 0.114], [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]])
_FROM_YIQ = np.linalg.inv(_TO_YIQ)
_MIDDLE = 127.5


@DISTRACTIONS.register("jitter")
class Jitter(Distraction):
    """Shift the colours of the whole picture, the robot's too; no simulator is asked.

    `intensity`: how far, as a share of the ranges below.

    Args:
        hue: Turn of the hues, in degrees.
        saturation: Added to a factor 1; `[-1, -1]` takes all colours out at intensity 1.
        contrast: Added to a factor 1 on the distance from middle grey.
        brightness: Added to a factor 1.
        pace: `"episode"` keeps an episode's colours, `"drift"` lets them wander.
        intensity: In [0, 1].

    Raises:
        UnknownName: for a pace that does not exist.
        ValueError: for an intensity outside [0, 1], or a range that is none.
    """

    def __init__(
        self,
        hue: Range = 180.0,
        saturation: Range = 0.6,
        contrast: Range = 0.5,
        brightness: Range = 0.4,
        pace: str = "episode",
        intensity: float = 1.0,
    ) -> None:
        if pace not in PACES:
            raise unknown("pace", pace, PACES)
        self._intensity, self._drifts = unit("intensity", intensity), pace == "drift"
        ranges = {"hue": hue, "saturation": saturation, "contrast": contrast}
        ranges["brightness"] = brightness
        self._ranges = np.array([_range(name, given) for name, given in ranges.items()])
        self._step = 0

    def reset(self, rng: np.random.Generator, scene: Scene) -> None:
        """Draw an episode's colours, or their way."""
        self._step = 0
        self._wander = Wander.draw(rng, 4) if self._drifts else None
        self._fixed = rng.uniform(-1, 1, 4)
        self._matrix = _matrix(self._values())

    def apply(self, frame: Frame, scene: Scene) -> Frame:
        """Shift the colours of a frame."""
        if self._intensity == 0.0:
            return frame
        if self._wander is not None:
            self._matrix = _matrix(self._values())
            self._step += 1
        return np.asarray(cv2.transform(frame, self._matrix), np.uint8)

    def describe(self) -> dict[str, Any]:
        """Return what the episode begins with: degrees, and what is added to the factors."""
        names = ("hue", "saturation", "contrast", "brightness")
        return dict(zip(names, self._values(0).round(3).tolist(), strict=True))

    def _values(self, step: int | None = None) -> npt.NDArray[np.float64]:
        at = self._step if step is None else step
        drawn = self._fixed if self._wander is None else self._wander.at(at)
        low, high = self._ranges.T
        return self._intensity * (low + (drawn + 1) / 2 * (high - low))


def _matrix(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Put all four into one linear map of `(r, g, b, 1)`, `(3, 4)`."""
    turn, (saturation, contrast, brightness) = np.deg2rad(values[0]), 1 + values[1:]
    cos, sin = saturation * np.cos(turn), saturation * np.sin(turn)
    chroma = np.array([[1, 0, 0], [0, cos, -sin], [0, sin, cos]])
    colors = contrast * brightness * _FROM_YIQ @ chroma @ _TO_YIQ
    return np.column_stack([colors, np.full(3, _MIDDLE * (1 - contrast))])


def _range(name: str, given: Range) -> tuple[float, float]:
    pair = (-given, given) if isinstance(given, (int, float)) else tuple(given)
    if len(pair) != 2 or pair[0] > pair[1]:
        raise ValueError(
            f"{name} is a number, or runs from the lowest to the highest value, got {given!r}"
        )
    return float(pair[0]), float(pair[1])
