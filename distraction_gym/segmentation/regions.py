"""Connected pieces of masks."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np

from distraction_gym.segmentation.base import Masks


def pieces(mask: Masks, min_area: float) -> Iterator[Masks]:
    """Yield the connected pieces (8 neighbours) of a mask `(H, W)`, largest first.

    Args:
        mask: `(H, W)` bool.
        min_area: Share of the picture below which a piece is left out.
    """
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    areas = stats[1:count, cv2.CC_STAT_AREA]
    for index in np.argsort(-areas, kind="stable"):
        if areas[index] >= min_area * mask.size:
            yield labels == index + 1
