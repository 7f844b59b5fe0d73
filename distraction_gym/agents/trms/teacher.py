"""The teacher: a segmenter, built when it is first asked."""

from __future__ import annotations

from typing import Any

from distraction_gym.segmentation import Frames, Masks, Segmenter, make_segmenter
from distraction_gym.segmentation.cached import CachedSegmenter


class Teacher:
    """The masks of frames; a model that only predicts never builds its segmenter.

    Args:
        segmenter: A name in `SEGMENTERS`, or `{"name": name, **arguments}`.
        k: Masks per frame.
        cached: Remember the masks of the newest frames.
    """

    def __init__(self, segmenter: str | dict[str, Any], k: int, cached: bool) -> None:
        self._spec = {"name": segmenter} if isinstance(segmenter, str) else segmenter
        self._k, self._cached = k, cached
        self._segmenter: Segmenter | None = None

    def masks(self, frames: Frames) -> Masks:
        """Return the masks `(N, k, H, W)` bool of frames `(N, H, W, 3)` uint8.

        Raises:
            AssetsMissing: for a segmenter whose weights are not on this machine.
            MissingExtra: for one whose packages are not installed.
            ValueError: for one that gives equal frames different masks.
        """
        if self._segmenter is None:
            segmenter = make_segmenter(**{**self._spec, "k": self._k})
            self._segmenter = CachedSegmenter(segmenter) if self._cached else segmenter
        return self._segmenter.segment(frames).masks
