"""Masks without a network: regions of one colour, ordered by how much they stand out."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from distraction_gym.segmentation.base import Frames, Masks, Segmenter, Segments, fill
from distraction_gym.segmentation.merging import Numbers, Regions
from distraction_gym.typing import Frame

_LIGHTNESS = 0.6
"""Weight of CIELAB's lightness beside its two axes of colour: shading splits no object."""
_REACH = 0.4
"""Squared distance, in lengths of the picture, over which contrast counts (Cheng et al.'s)."""
_RIM = 2.2
"""Length on the picture's border, in roots of the region's area, that halves a score or so."""
_FULL_AREA = 0.01
"""Share of the picture from which on a region is no longer held to be a speck."""


class SuperpixelSegmenter(Segmenter):
    """Masks are regions of one colour, those that stand out most first; no weights, no training.

    Pixels grow to superpixels and these to regions: neighbours merge, most similar first, until
    their mean colours (CIELAB, lightness weighted less) differ by more than the tolerance; specks
    and antialiased borders join what they resemble. The score of a region is the product of

    - its contrast: the mean difference to all other regions, weighted by their areas and by how
      near they are ("Global contrast based salient region detection", Cheng et al., CVPR 2011,
      equation 7), relative to the highest in the picture;
    - how little of it lies along the picture's border: `exp(-(b / 2.2)^4)`, where b is its length
      there over the root of its area ("Saliency optimization from robust background detection", Zhu
      et al., CVPR 2014, equation 3). A thing that is cut off once has b = 1, a strip of sky or
      floor about 3;
    - its size: rising with the root of its area up to 1 % of the picture, and 0 above `max_area`.

    A thing of several colours becomes several masks; one that has the colour of what is behind it
    is not found. Each frame is segmented for itself, and equal frames have equal masks.

    Args:
        k: Most masks per frame.
        tolerance: Difference in colour up to which neighbours are one region; about 2 can just be
            seen, 12 tells dm_control's robots from all that is around them.
        min_area: Share of the picture below which a region is a speck.
        max_area: Share of the picture above which a region is a background.
        work_size: Longer sides are scaled down to this many pixels, and the masks up again.
    """

    def __init__(
        self,
        k: int = 8,
        *,
        tolerance: float = 12.0,
        min_area: float = 0.001,
        max_area: float = 0.35,
        work_size: int = 128,
    ) -> None:
        super().__init__(k)
        self.tolerance, self.work_size = tolerance, work_size
        self.min_area, self.max_area = min_area, max_area

    def segment(self, frames: Frames) -> Segments:
        """Return the regions of each frame, by score."""
        found = [self._segment(frame) for frame in frames]
        return fill([masks for masks, _ in found], [scores for _, scores in found], self.k)

    def _segment(self, frame: Frame) -> tuple[Masks, npt.NDArray[np.float32]]:
        colors = _colors(_shrink(frame, self.work_size))
        regions = Regions(colors)
        regions.merge(self.tolerance)
        regions.absorb(self.min_area * regions.labels.size)
        regions.absorb_blends()
        scores = _contrast(regions) * _inside(regions) * self._size(regions)
        best = np.argsort(-scores, kind="stable")[: self.k]
        best = best[scores[best] > 0]
        labels = _enlarge(regions.labels, frame)
        return labels == best[:, None, None], scores[best].astype(np.float32)

    def _size(self, regions: Regions) -> Numbers:
        shares = regions.sizes / regions.labels.size
        grown: Numbers = np.minimum(1.0, np.sqrt(shares / _FULL_AREA))
        return grown * (shares <= self.max_area)


def _contrast(regions: Regions) -> Numbers:
    means, places = regions.means, _centers(regions)
    differences = np.linalg.norm(means[:, None] - means, axis=-1)
    distances = np.square(places[:, None] - places).sum(axis=-1)
    contrast = (differences * np.exp(-distances / _REACH)) @ regions.sizes
    return contrast / max(contrast.max(), 1e-9)


def _inside(regions: Regions) -> Numbers:
    labels = regions.labels
    rim = np.concatenate([labels[0], labels[-1], labels[1:-1, 0], labels[1:-1, -1]])
    lengths = np.bincount(rim, minlength=len(regions.sizes))
    return np.exp(-((lengths / np.sqrt(regions.sizes) / _RIM) ** 4))


def _centers(regions: Regions) -> Numbers:
    """Return the regions' centres `(n, 2)` in lengths of the picture's longer side."""
    axes = np.indices(regions.labels.shape).reshape(2, -1) / max(regions.labels.shape)
    sums = [np.bincount(regions.labels.ravel(), axis) for axis in axes]
    return np.stack(sums, axis=1) / regions.sizes[:, None]


def _colors(frame: Frame) -> npt.NDArray[np.float32]:
    lab = cv2.cvtColor(frame.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    return np.asarray(lab * np.array([_LIGHTNESS, 1.0, 1.0], np.float32))


def _shrink(frame: Frame, size: int) -> Frame:
    longest = max(frame.shape[:2])
    if longest <= size:
        return np.ascontiguousarray(frame)
    height, width = (max(1, round(side * size / longest)) for side in frame.shape[:2])
    return np.asarray(cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def _enlarge(labels: npt.NDArray[np.int64], frame: Frame) -> npt.NDArray[np.int32]:
    size = (frame.shape[1], frame.shape[0])
    small = labels.astype(np.int32)
    return np.asarray(cv2.resize(small, size, interpolation=cv2.INTER_NEAREST), np.int32)
