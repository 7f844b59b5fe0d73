"""What is painted over the picture: in front of everything, or behind the robot."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from distraction_gym.distractions.base import Distraction, unit
from distraction_gym.distractions.composite import composite
from distraction_gym.registry import unknown
from distraction_gym.scene import Scene
from distraction_gym.typing import Frame, Matte

LAYERS = ("front", "behind")
BACKDROP = ("sky", "floor")
Cover = npt.NDArray[np.uint8]
"""`(H, W)` uint8: 255 where something was painted, less at its edges."""


def backdrop(scene: Scene, frame: Frame) -> Matte:
    """Return where `frame` shows sky or floor, `(H, W)`, as far as the scene has them."""
    return scene.background([part for part in BACKDROP if part in scene.parts], frame)


class Painted(Distraction):
    """Paints things of its own, `paint` by step, in front of the scene or on its backdrop.

    Args:
        layer: `"front"` hides the robot too, so that no mask of the background removes it;
            `"behind"` shows on sky and floor only.
        intensity: In [0, 1].

    Raises:
        UnknownName: for a layer that does not exist.
        ValueError: for an intensity outside [0, 1].
    """

    def __init__(self, layer: str, intensity: float) -> None:
        if layer not in LAYERS:
            raise unknown("layer", layer, LAYERS)
        self._intensity, self._behind = unit("intensity", intensity), layer == "behind"
        self._step = 0

    @property
    def keeps_foreground(self) -> bool:
        """True for what lies behind."""
        return self._behind

    def reset(self, rng: np.random.Generator, scene: Scene) -> None:
        """Start an episode at step 0."""
        self._step, self.cover = 0, None

    def apply(self, frame: Frame, scene: Scene) -> Frame:
        """Paint over a copy of the frame."""
        if self._intensity == 0.0:
            return frame
        canvas, cover = np.array(frame, order="C"), np.zeros(frame.shape[:2], np.uint8)
        self.paint(canvas, cover, self._step)
        self._step += 1
        if self._behind:
            return composite(frame, canvas, backdrop(scene, frame))
        self.cover = cover >= 128
        return canvas

    def paint(self, canvas: Frame, cover: Cover, step: int) -> None:
        """Paint into `canvas`, and 255 into `cover` wherever it did."""
        raise NotImplementedError


def shown(count: int, intensity: float) -> int:
    """Return how many of `count` things an intensity shows: at least one, except at 0."""
    return int(np.ceil(count * intensity))


def at_least_one(name: str, count: int) -> int:
    """Return a number of things.

    Raises:
        ValueError: if there are none.
    """
    if count < 1:
        raise ValueError(f"{name} must be at least 1, got {count!r}")
    return count
