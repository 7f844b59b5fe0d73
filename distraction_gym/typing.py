"""Shared types: frames, mattes and colours."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Frame = npt.NDArray[np.uint8]
"""One picture, `(H, W, 3)` uint8, RGB, 0-255."""

Matte = npt.NDArray[np.bool_] | npt.NDArray[np.float32]
"""`(H, W)`: which pixels a background covers. Booleans, or float32 weights in [0, 1]."""

RGB = tuple[float, float, float]
"""A colour, each channel in [0, 1]."""
