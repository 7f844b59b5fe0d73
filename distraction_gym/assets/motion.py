"""How a camera and what it sees move: smoothly, together, and in the end back to the start."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

Path = npt.NDArray[np.float64]
_WAVES = np.arange(1, 5)


def wander(rng: np.random.Generator, frames: int, dimensions: int) -> Path:
    """Draw a periodic path `(frames, dimensions)`: slow waves are larger than quick ones."""
    phase = rng.uniform(0, 2 * np.pi, (dimensions, len(_WAVES)))
    height = rng.normal(0, 1, (dimensions, len(_WAVES))) / _WAVES**1.5
    time = 2 * np.pi * np.arange(frames)[:, None, None] / frames
    return (height * np.sin(_WAVES * time + phase)).sum(-1)


@dataclass(frozen=True)
class Motion:
    """Where the view lies on a canvas, frame by frame; lengths are in units of the view's side."""

    shift: Path
    """`(T, 2)`."""
    zoom: Path
    """`(T,)`: above 1 is nearer."""
    roll: Path
    """`(T,)`, radians."""

    def view(self, canvas: npt.NDArray[np.float32], t: int, size: int) -> npt.NDArray[np.float32]:
        """Return what is in view at frame `t`, `(size, size, channels)`; the canvas repeats."""
        cos, sin = np.cos(self.roll[t]) / self.zoom[t], np.sin(self.roll[t]) / self.zoom[t]
        turn = np.array([[cos, -sin], [sin, cos]])
        # The view turns about its middle; both grids count from the middle of a pixel.
        middle = np.full(2, (size - 1) / 2)
        offset = middle + self.shift[t] * size - turn @ middle
        matrix = np.column_stack([turn, offset % len(canvas)])
        flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
        wrap = cv2.BORDER_WRAP
        seen = cv2.warpAffine(canvas, matrix, (size, size), flags=flags, borderMode=wrap)
        return np.asarray(seen, np.float32)
