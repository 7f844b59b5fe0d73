"""Masks without a network: regions of one colour, merged and ordered by how much they stand out."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from distraction_gym.segmentation.base import Frames, Masks, Segmenter, Segments, fill
from distraction_gym.segmentation.merging import Regions
from distraction_gym.typing import Frame

_LIGHTNESS = 0.6
"""Weight of CIELAB's lightness beside its two colour axes: shading splits no object."""


class SuperpixelSegmenter(Segmenter):
    def __init__(
        self,
        k: int = 8,
        *,
        tolerance: float = 14.0,
        min_area: float = 0.001,
        max_area=0.35,
        work_size: int = 128,
    ) -> None:
        super().__init__(k)
        self.tolerance, self.min_area, self.max_area, self.work_size = (
            tolerance,
            min_area,
            max_area,
            work_size,
        )

    def segment(self, frames: Frames) -> Segments:
        found = [self._segment(frame) for frame in frames]
        return fill([m for m, _ in found], [s for _, s in found], self.k)

    def _segment(self, frame: Frame):
        small = _shrink(frame, self.work_size)
        colors = _colors(small)
        regions = Regions(colors)
        regions.merge(self.tolerance)
        regions.absorb(self.min_area * colors.shape[0] * colors.shape[1])
        scores = _scores(regions, self.max_area)
        best = np.argsort(-scores, kind="stable")[: self.k]
        best = best[scores[best] > 0]
        masks = regions.labels[None] == best[:, None, None]
        if small is not frame:
            h, w = frame.shape[:2]
            masks = (
                np.array(
                    [
                        cv2.resize(m.astype(np.uint8), (w, h), interpolation=cv2.INTER_NEAREST)
                        for m in masks
                    ]
                )
                .reshape(-1, h, w)
                .astype(bool)
            )
        return masks, scores[best].astype(np.float32)


def _shrink(frame, size):
    longest = max(frame.shape[:2])
    if longest <= size:
        return frame
    h, w = (max(1, round(s * size / longest)) for s in frame.shape[:2])
    return np.asarray(cv2.resize(frame, (w, h), interpolation=cv2.INTER_AREA), np.uint8)


def _colors(frame):
    lab = cv2.cvtColor(np.ascontiguousarray(frame).astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    return lab * np.float32([_LIGHTNESS, 1, 1])


def _scores(regions, max_area):
    n = len(regions.sizes)
    means, sizes = regions.means, regions.sizes
    h, w = regions.labels.shape
    share = sizes / sizes.sum()
    dist = np.linalg.norm(means[:, None] - means[None], axis=-1)
    ys, xs = np.indices((h, w))
    cy = np.bincount(regions.labels.ravel(), ys.ravel(), n) / sizes / max(h, w)
    cx = np.bincount(regions.labels.ravel(), xs.ravel(), n) / sizes / max(h, w)
    space = (cy[:, None] - cy) ** 2 + (cx[:, None] - cx) ** 2
    contrast = (dist * share * np.exp(-space / 0.4)).sum(1)
    contrast = contrast / max(contrast.max(), 1e-9)
    lab = regions.labels
    rim = np.concatenate([lab[0], lab[-1], lab[1:-1, 0], lab[1:-1, -1]])
    border = np.bincount(rim, minlength=n) / np.sqrt(sizes)  # boundary connectivity
    inside = np.exp(-((border / 2.2) ** 4))
    size = np.minimum(1, np.sqrt(share / 0.01)) * (share <= max_area)
    return contrast * inside * size
