"""One environment's frames in their order, for a segmenter that follows them."""

from __future__ import annotations

import numpy as np

from distraction_gym.segmentation import Frames, Masks, Segmenter


class Video:
    """The masks of an environment's newest observation, each frame of which is segmented once.

    Whether a frame is new is told by where it stands and not by its content: a picture that stays
    as it was is one step in time all the same.

    Args:
        segmenter: This environment's own; it is reset where an episode begins.
    """

    def __init__(self, segmenter: Segmenter) -> None:
        self._segmenter = segmenter
        self._newest: tuple[Frames, Masks] | None = None

    def look(self, frames: Frames) -> Masks:
        """Return the masks `(f, k, H, W)` of the newest observation, `(f, H, W, 3)`, oldest first.

        One that `go_on` was not given begins an episode.
        """
        if self._newest is None or not np.array_equal(frames, self._newest[0]):
            self._newest = frames.copy(), self._begin(frames)
        return self._newest[1]

    def go_on(self, frames: Frames, ends: bool) -> Masks:
        """Return the masks of the observation that follows, and take it for the newest.

        Args:
            frames: As `look`; after an episode's end its terminal observation.
            ends: Whether that is what it is: whatever comes next begins an episode.
        """
        before = self._newest
        if before is None or not np.array_equal(frames[:-1], before[0][1:]):
            masks = self._begin(frames)  # a step is missing in between
        else:
            masks = np.concatenate([before[1][1:], self._next(frames[-1])])
        self._newest = None if ends else (frames.copy(), masks)
        return masks

    def _begin(self, frames: Frames) -> Masks:
        self._segmenter.reset()
        found: list[Masks] = []
        for index, frame in enumerate(frames):
            # An episode's first frame stands in for those before it, and is one step in time.
            repeated = index > 0 and np.array_equal(frame, frames[index - 1])
            found.append(found[-1] if repeated else self._next(frame))
        return np.concatenate(found)

    def _next(self, frame: Frames) -> Masks:
        """Return the masks `(1, k, H, W)` of the next frame `(H, W, 3)`."""
        return self._segmenter.segment(frame[None]).masks
