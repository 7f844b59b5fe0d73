"""The papers' keys: which pixels of a frame are green, or blue, enough to be replaced."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from distraction_gym.typing import RGB, Frame

SCREEN: RGB = (0.2, 0.8, 0.2)
"""The colour that sky and floor are flooded with (DMC-GB's code)."""
_LEAST_SATURATION = 80
_LEAST_VALUE = 70


def chroma_key(frame: Frame) -> npt.NDArray[np.bool_]:
    """Return which pixels DMC-GB replaces, `(H, W)`.

    In HSV by the hexcone formula: 100 <= h <= 185 degrees, 80 <= s <= 255, 70 <= v <= 255, all
    inclusive (DMC-GB's code). OpenCV's own HSV is coarser and gives other masks.

    Args:
        frame: `(H, W, 3)` uint8.
    """
    red, green, blue = (frame[..., channel].astype(np.int32) for channel in range(3))
    value = np.maximum(np.maximum(red, green), blue)
    chroma = value - np.minimum(np.minimum(red, green), blue)
    # In integers, so that the inclusive bounds hold to the last unit. Where green is largest,
    # h = 120 + 60 (b - r) / chroma, at most 180; where blue is, h = 240 + 60 (r - g) / chroma, at
    # least 180; where red is, h is outside. Each bound is multiplied out.
    greenish = (green == value) & (3 * (blue - red) >= -chroma)
    cyanish = (blue == value) & (12 * (red - green) <= -11 * chroma)
    vivid = (chroma > 0) & (255 * chroma >= _LEAST_SATURATION * value) & (value >= _LEAST_VALUE)
    return (greenish | cyanish) & vivid


def blue_key(frame: Frame) -> npt.NDArray[np.bool_]:
    """Return which pixels have more blue than red and more blue than green, `(H, W)`.

    The rule of Deep Bisimulation for Control's code, which TIA, DreamerPro and RePo took over: it
    selects dm_control's sky and its bluish floor.

    Args:
        frame: `(H, W, 3)` uint8.
    """
    red, green, blue = (frame[..., channel] for channel in range(3))
    return (blue > red) & (blue > green)
