"""New colours for compiled textures, as MuJoCo's compiler would have made them."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from distraction_gym.typing import RGB

Pixels = npt.NDArray[np.uint8]
"""`(H, W, 3)` uint8; a skybox holds its six faces below each other."""

_MARK_CONTRAST = 8  # levels by which a random mark stands out from its neighbours
_FULL = 255.0


def fill(color: RGB, out: Pixels) -> None:
    """Give a texture one colour, marks and edges included."""
    # A whole row at a time: NumPy is twelve times slower with three bytes at a time.
    out.reshape(len(out), -1)[:] = np.tile(_levels([color])[0], out.shape[1])


class Gradient:
    """A texture that runs from one colour to black, with random marks (dm_control's skybox).

    MuJoCo's compiler keeps no record of how a texture was made, so that the brightness of each
    pixel is read from the texture itself; its quantisation costs about one level.
    """

    def __init__(self, stock: Pixels) -> None:
        smooth = cv2.medianBlur(stock, 3)
        brightest = int(np.argmax([smooth[..., channel].max() for channel in range(3)]))
        self._brightness = np.ascontiguousarray(smooth[..., brightest])
        off = cv2.split(cv2.absdiff(stock, smooth))
        self._marks = np.flatnonzero(cv2.max(cv2.max(off[0], off[1]), off[2]) > _MARK_CONTRAST)
        self._mark_colors = stock.reshape(-1, 3)[self._marks]
        self._top = max(int(self._brightness.max()), 1)

    def paint(self, colors: Sequence[RGB], out: Pixels) -> None:
        """Write the texture with a new top colour into `out`; the marks keep theirs."""
        # A stored level is a product cut to an integer: on average it was half a level more.
        share = np.minimum((np.arange(256) + 0.5) / (self._top + 1), 1.0)
        table = (share[:, None] * np.asarray(colors[0]) * _FULL).astype(np.uint8)
        cv2.applyColorMap(self._brightness, table[:, None], out)
        out.reshape(-1, 3)[self._marks] = self._mark_colors


class Checker:
    """A texture of a dark and a light field, perhaps with an edge mark (dm_control's grid).

    Anything else between its darkest and its lightest colour is mixed from the two new ones.
    """

    def __init__(self, stock: Pixels) -> None:
        self._stock = stock
        brightness = stock.sum(axis=-1, dtype=np.float32)
        low, high = float(brightness.min()), float(brightness.max())
        self._light = ((brightness - low) / max(high - low, 1.0))[..., None]
        # An edge mark runs around the texture: then its corner differs from the field beside it.
        self._inside = np.ones(stock.shape[:2], bool)
        if not np.array_equal(stock[0, 0], stock[1, 1]):
            self._inside[[0, -1]] = self._inside[:, [0, -1]] = False

    def paint(self, colors: Sequence[RGB], out: Pixels) -> None:
        """Write the texture with two new fields into `out`, the dark one first; the edge stays."""
        dark, light = _levels(colors[:2])
        mixed = dark + self._light * (light.astype(np.float32) - dark)
        out[:] = np.where(self._inside[..., None], mixed.astype(np.uint8), self._stock)


def _levels(colors: Sequence[RGB]) -> Pixels:
    """Return colours as MuJoCo's compiler stores them: scaled to 255 and cut, not rounded."""
    scaled = np.asarray(colors, np.float64) * _FULL
    return np.clip(scaled, 0, _FULL).astype(np.uint8)
