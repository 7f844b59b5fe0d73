"""What a segmenter is: frames in, masks of single things out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple

import gymnasium as gym
import numpy as np
import numpy.typing as npt

Frames = npt.NDArray[np.uint8]
"""`(B, H, W, 3)` uint8, RGB, 0-255."""

Masks = npt.NDArray[np.bool_]
"""`(..., H, W)`: True where a pixel shows the thing."""


class Segments(NamedTuple):
    """The masks that were found in a batch of frames, best first."""

    masks: Masks
    """`(B, k, H, W)`; planes without a pixel fill up where fewer than `k` were found."""
    scores: npt.NDArray[np.float32]
    """`(B, k)` in [0, 1], falling; 0 for the planes that fill up."""


class Segmenter(ABC):
    """Finds up to `k` things in each frame, each as a mask.

    Subclass it, override `segment` (and `foreground` where there is a better answer than
    everything found), and add it to `SEGMENTERS` or offer it in the entry-point group
    `distraction_gym.segmenters`. What a frame's masks are must depend on the frame alone, unless
    `is_stateless` says otherwise: caches rely on it.

    Args:
        k: Most masks per frame.

    Raises:
        ValueError: for a `k` below 1.
    """

    is_stateless: bool = True
    """Whether equal frames always have equal masks."""
    needs_env: bool = False
    """Whether it has to be bound to an environment, of which it knows the newest frame alone."""

    def __init__(self, k: int = 8) -> None:
        if k < 1:
            raise ValueError(f"k must be at least 1, got {k}")
        self.k = k

    @abstractmethod
    def segment(self, frames: Frames) -> Segments:
        """Return the masks of frames `(B, H, W, 3)` uint8.

        Each frame for itself; where that is not so (`is_stateless`), row i of every batch is the
        next frame of video i.
        """

    def foreground(self, frames: Frames) -> Masks:
        """Return one mask `(B, H, W)` of all that matters: here, whatever was found."""
        union: Masks = np.any(self.segment(frames).masks, axis=1)
        return union

    def bind(self, env: gym.Env) -> None:  # noqa: B027  most have nothing to do
        """Get to know the environment that the frames come from."""

    def reset(self) -> None:  # noqa: B027  most have nothing to do
        """Forget earlier frames: the next ones are of new episodes."""


def fill(found: list[Masks], scores: list[npt.NDArray[np.float32]], k: int) -> Segments:
    """Put together the masks of single frames, at most `k` each, filled up with empty planes.

    Args:
        found: Per frame, `(n, H, W)` bool, best first.
        scores: Per frame, `(n,)` float32.
        k: Planes per frame in the result.
    """
    shape = (len(found), k, *found[0].shape[1:])
    masks, filled = np.zeros(shape, np.bool_), np.zeros(shape[:2], np.float32)
    for row, (planes, values) in enumerate(zip(found, scores, strict=True)):
        count = min(len(planes), k)
        masks[row, :count], filled[row, :count] = planes[:k], values[:k]
    return Segments(masks, filled)
