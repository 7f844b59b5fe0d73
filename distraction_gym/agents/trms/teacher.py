"""The teacher: a segmenter, built when it is first asked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from distraction_gym.agents.trms.video import Video
from distraction_gym.errors import UnsupportedEnvironment
from distraction_gym.segmentation import Frames, Masks, Segmenter, as_segmenter
from distraction_gym.segmentation.cached import CachedSegmenter


class Teacher:
    """The masks of frames; a model that only predicts never builds its segmenter.

    A segmenter that judges each frame for itself is one for all. One that follows the picture from
    frame to frame (`propagated`) is built once for each environment, and once more for `masks`.

    Args:
        segmenter: A name in `SEGMENTERS`, or `{"name": name, **arguments}`.
        k: Masks per frame.
        cached: Remember the masks of the newest frames, where they depend on the frame alone.
    """

    def __init__(self, segmenter: str | dict[str, Any], k: int, cached: bool) -> None:
        self._spec, self._k, self._cached = segmenter, k, cached
        self._segmenter: Segmenter | None = None
        self._videos: list[Video] = []

    @property
    def follows(self) -> bool:
        """Whether frames have to come in their order.

        Raises:
            AssetsMissing, MissingExtra, UnsupportedEnvironment: as `masks`.
        """
        return not self._any().is_stateless

    def masks(self, frames: Frames) -> Masks:
        """Return the masks `(N, k, H, W)` bool of frames `(N, H, W, 3)` uint8, each for itself.

        Of a segmenter that follows the picture, each frame is the first of a video: a key frame.

        Raises:
            AssetsMissing: for a segmenter whose weights are not on this machine.
            MissingExtra: for one whose packages are not installed.
            UnsupportedEnvironment: for one that only a single environment could tell.
        """
        segmenter = self._any()
        segmenter.reset()
        return segmenter.segment(frames).masks

    def look(self, stacks: Frames) -> Masks:
        """Return the masks `(n, f, k, H, W)` of every environment's newest observation.

        Args:
            stacks: `(n, f, H, W, 3)` uint8, oldest first.

        Raises:
            AssetsMissing, MissingExtra, UnsupportedEnvironment: as `masks`.
        """
        if not self.follows:
            found = self.masks(stacks.reshape(-1, *stacks.shape[2:]))
            return found.reshape(*stacks.shape[:2], *found.shape[1:])
        videos = self._videos_of(len(stacks))
        return np.stack([video.look(stack) for video, stack in zip(videos, stacks, strict=True)])

    def step(
        self, stacks: Frames, later: Frames, ends: Sequence[bool] | npt.NDArray
    ) -> tuple[Masks, Masks]:
        """Return the masks of observations and of those that follow, which are then the newest.

        Args:
            stacks: As `look`.
            later: The same one step later, an episode's last observation included.
            ends: `(n,)`: whether it is one.

        Raises:
            AssetsMissing, MissingExtra, UnsupportedEnvironment: as `masks`.
        """
        now = self.look(stacks)
        if not self.follows:
            return now, self.look(later)
        triples = zip(self._videos, later, ends, strict=True)
        return now, np.stack([video.go_on(stack, bool(end)) for video, stack, end in triples])

    def _any(self) -> Segmenter:
        """Return the segmenter of frames that are in no order."""
        if self._segmenter is None:
            segmenter = self._built()
            cached = self._cached and segmenter.is_stateless
            self._segmenter = CachedSegmenter(segmenter) if cached else segmenter
        return self._segmenter

    def _videos_of(self, count: int) -> list[Video]:
        if not self._videos:
            self._videos = [Video(self._built()) for _ in range(count)]
        return self._videos

    def _built(self) -> Segmenter:
        segmenter = as_segmenter(self._spec, k=self._k)
        if segmenter.needs_env:
            raise UnsupportedEnvironment(
                f"{self._spec!r} has to be asked in the environment, at the very moment of a "
                "frame, and an agent asks later, when the next episode may have begun. Type:  "
                "segmenter='superpixel'  , or another that finds its masks in the picture"
            )
        return segmenter
