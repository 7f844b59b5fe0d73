"""Frames with the truth beside them: what segmentation networks are trained on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from distraction_gym.segmentation.base import Frames, Masks

Labels = npt.NDArray[np.int16]
"""`(..., H, W)`: what each pixel shows: `SKY`, `FLOOR`, `OTHER`, or a thing, from `THING` on."""

SKY, FLOOR, OTHER, THING = range(4)


class Samples(NamedTuple):
    """Frames of one size with their labels."""

    frames: Frames
    labels: Labels

    @property
    def foreground(self) -> Masks:
        """Where a frame shows what matters, `(N, H, W)`."""
        found: Masks = self.labels >= THING
        return found

    def of(self, indices: Sequence[int]) -> Samples:
        """Return some of them, in this order."""
        chosen = np.asarray(indices, np.intp)
        return Samples(self.frames[chosen], self.labels[chosen])

    def at(self, size: int) -> Samples:
        """Return them as squares of another size: areas average where they shrink."""
        if self.frames.shape[1:3] == (size, size):
            return self
        how = cv2.INTER_AREA if self.frames.shape[1] > size else cv2.INTER_LINEAR
        frames = [cv2.resize(frame, (size, size), interpolation=how) for frame in self.frames]
        labels = [
            cv2.resize(plane, (size, size), interpolation=cv2.INTER_NEAREST)
            for plane in self.labels
        ]
        return Samples(np.stack(frames), np.stack(labels))


def joined(parts: Iterable[Samples]) -> Samples:
    """Put samples of one size together."""
    found = list(parts)
    return Samples(
        np.concatenate([part.frames for part in found]),
        np.concatenate([part.labels for part in found]),
    )
