"""A lens out of focus."""

from __future__ import annotations

import cv2
import numpy as np

from distraction_gym.distractions.base import DISTRACTIONS, Distraction, unit
from distraction_gym.scene import Scene
from distraction_gym.typing import Frame

_RADIUS = 0.025


@DISTRACTIONS.register("blur")
class Blur(Distraction):
    """Blur every frame with a Gaussian.

    `intensity`: its standard deviation, up to 0.025 of the picture's shorter side (about that of
    ImageNet-C's highest severity).

    Args:
        intensity: In [0, 1].

    Raises:
        ValueError: for an intensity outside [0, 1].
    """

    def __init__(self, intensity: float = 1.0) -> None:
        self._intensity = unit("intensity", intensity)

    def apply(self, frame: Frame, scene: Scene) -> Frame:
        """Blur a frame."""
        sigma = self._intensity * _RADIUS * min(frame.shape[:2])
        if sigma == 0.0:
            return frame
        return np.asarray(cv2.GaussianBlur(frame, (0, 0), sigma), np.uint8)
