"""Lay one picture over another where a matte says so."""

from __future__ import annotations

import cv2
import numpy as np

from distraction_gym.typing import Frame, Matte


def composite(frame: Frame, behind: Frame, matte: Matte, opacity: float = 1.0) -> Frame:
    """Return `frame` with `behind` in it, `(H, W, 3)` uint8; neither is written to.

    Args:
        frame: The picture to keep where the matte is 0.
        behind: The picture to show where the matte is 1.
        matte: `(H, W)`: booleans choose pixels, floats in [0, 1] blend them.
        opacity: In [0, 1]: how much of `behind` shows there.
    """
    if matte.dtype == np.bool_:
        shown = behind if opacity == 1.0 else blend(frame, behind, opacity)
        mask = np.ascontiguousarray(matte).view(np.uint8)
        return np.asarray(cv2.copyTo(shown, mask, np.array(frame, order="C")), np.uint8)
    weight = matte[..., None].astype(np.float32) * np.float32(opacity)
    mixed = frame + weight * (behind.astype(np.float32) - frame)
    return np.rint(mixed).astype(np.uint8)


def blend(frame: Frame, other: Frame, opacity: float) -> Frame:
    """Return a mixture of two pictures, `(H, W, 3)` uint8: 0 is `frame`, 1 is `other`."""
    mixed = cv2.addWeighted(frame, 1.0 - opacity, other, opacity, 0.0)
    return np.asarray(mixed, np.uint8)
