"""Lay one picture over another where a matte says so."""

from __future__ import annotations

import numpy as np

from distraction_gym.typing import Frame, Matte


def composite(frame: Frame, behind: Frame, matte: Matte) -> Frame:
    """Return `frame` with `behind` in it, `(H, W, 3)` uint8; neither is written to.

    Args:
        frame: The picture to keep where the matte is 0.
        behind: The picture to show where the matte is 1.
        matte: `(H, W)`: booleans choose pixels, floats in [0, 1] blend them.
    """
    if matte.dtype == np.bool_:
        return np.where(matte[..., None], behind, frame)
    weight = matte[..., None].astype(np.float32)
    mixed = frame + weight * (behind.astype(np.float32) - frame)
    return np.rint(mixed).astype(np.uint8)
