"""New colours for compiled textures, as MuJoCo's compiler would have made them."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from distraction_gym.typing import RGB

Pixels = npt.NDArray[np.uint8]
"""`(H, W, 3)` uint8; a skybox holds its six faces below each other, or one for all six."""

_MARK_CONTRAST = 8  # levels by which a random mark stands out from its neighbours
_FULL = 255.0
_FLAT_SIDE = 16  # a texture of one colour needs no more


def flat(color: RGB) -> Pixels:
    """Return a small texture of one colour."""
    return np.full((_FLAT_SIDE, _FLAT_SIDE, 3), levels([color])[0])


def shrunk(pixels: Pixels, factor: int) -> Pixels:
    """Return the mean of every `factor` by `factor` block, as the renderer's mipmaps hold it."""
    if factor == 1:
        return pixels
    size = (pixels.shape[1] // factor, pixels.shape[0] // factor)
    return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA).astype(np.uint8)


class Gradient:
    """A texture that runs from one colour to black, with random marks (dm_control's skybox).

    MuJoCo's compiler keeps no record of how a texture was made, so that the brightness of each
    pixel is read from the texture itself; its quantisation costs about one level.

    Args:
        stock: The texture as compiled.
        factor: How many times smaller to paint it; has to divide its width and height.
    """

    def __init__(self, stock: Pixels, factor: int = 1) -> None:
        smooth = cv2.medianBlur(stock, 3)
        brightest = int(np.argmax([smooth[..., channel].max() for channel in range(3)]))
        brightness = np.ascontiguousarray(smooth[..., brightest], np.uint8)
        self._top = max(int(brightness.max()), 1)
        self._brightness = shrunk(brightness, factor)
        off = cv2.split(cv2.absdiff(stock, smooth))
        rows, columns = np.nonzero(cv2.max(cv2.max(off[0], off[1]), off[2]) > _MARK_CONTRAST)
        # A mark lends its colour to the small pixel that it falls into, by its share of it.
        places = (rows // factor) * (stock.shape[1] // factor) + columns // factor
        self._marks, owner = np.unique(places, return_inverse=True)
        area = factor * factor
        self._mark_light = np.zeros((len(self._marks), 3))
        np.add.at(self._mark_light, owner, stock[rows, columns] / area)
        self._unmarked = 1.0 - np.bincount(owner, minlength=len(self._marks))[:, None] / area

    def paint(self, colors: Sequence[RGB]) -> Pixels:
        """Return the texture with a new top colour; the marks keep theirs."""
        # A stored level is a product cut to an integer: on average it was half a level more.
        share = np.minimum((np.arange(256) + 0.5) / (self._top + 1), 1.0)
        table = (share[:, None] * np.asarray(colors[0]) * _FULL).astype(np.uint8)
        out = cv2.applyColorMap(self._brightness, table[:, None])
        texels = out.reshape(-1, 3)
        texels[self._marks] = np.rint(self._unmarked * texels[self._marks] + self._mark_light)
        return out.astype(np.uint8, copy=False)


class Checker:
    """A texture of a dark and a light field, perhaps with an edge mark (dm_control's grid).

    Anything else between its darkest and its lightest colour is mixed from the two new ones.
    """

    def __init__(self, stock: Pixels) -> None:
        self._stock = stock
        # An edge mark runs around the texture: then its corner differs from the field beside it.
        self._inside = np.ones(stock.shape[:2], bool)
        if not np.array_equal(stock[0, 0], stock[1, 1]):
            self._inside[[0, -1]] = self._inside[:, [0, -1]] = False
        brightness = stock.sum(axis=-1, dtype=np.float32)
        fields = brightness[self._inside]  # an edge may be brighter than both
        low, high = float(fields.min()), float(fields.max())
        self._light = np.clip((brightness - low) / max(high - low, 1.0), 0.0, 1.0)[..., None]

    def paint(self, colors: Sequence[RGB]) -> Pixels:
        """Return the texture with two new fields, the dark one first; the edge stays."""
        dark, light = levels(colors[:2])
        mixed = dark + self._light * (light.astype(np.float32) - dark)
        return np.where(self._inside[..., None], mixed.astype(np.uint8), self._stock)


def levels(colors: Sequence[RGB]) -> Pixels:
    """Return colours as MuJoCo's compiler stores them: scaled to 255 and cut, not rounded."""
    scaled = np.asarray(colors, np.float64) * _FULL
    return np.clip(scaled, 0, _FULL).astype(np.uint8)
