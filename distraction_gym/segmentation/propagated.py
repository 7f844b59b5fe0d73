"""Masks that follow the picture between the frames that are really segmented."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import gymnasium as gym
import numpy as np
import numpy.typing as npt

from distraction_gym.segmentation import as_segmenter
from distraction_gym.segmentation.base import Frames, Segmenter, Segments
from distraction_gym.typing import Frame

_Soft = npt.NDArray[np.float32]


@dataclass
class _Stream:
    """What is remembered of one video."""

    grey: npt.NDArray[np.uint8]
    masks: _Soft
    """`(k, H, W)` in [0, 1]: kept soft, so that warping again and again wears nothing away."""
    scores: _Soft
    age: int = 0


class PropagatedSegmenter(Segmenter):
    """Segments every few frames, and moves the masks along the optical flow in between.

    Row i of a batch is the next frame of video i, so that every call, of `segment` or `foreground`,
    is one step in time. Flow is Farnebäck's (`cv2.calcOpticalFlowFarneback`), from the new frame
    back to the last one: each pixel looks up in the old masks what it was. Masks keep their order
    from key frame to key frame. `foreground` is all masks together.

    A video begins anew, with a key frame, when the flow cannot explain the new frame (a cut, or a
    new episode before another background), when the number or size of the frames changes, and after
    `reset`. Before a plain background a new episode looks like a small motion: there say `reset`.

    Attributes: `key_frames`, how many frames were segmented so far.

    Args:
        segmenter: For the key frames: a segmenter, a name, or `{"name": ..., **arguments}`.
        every: Frames from one key frame to the next; 1 segments each.
        residual: Mean difference in brightness, 0-255, between the new frame and the last one
            moved along the flow, above which a frame is a key frame.

    Raises:
        ValueError: for `every` below 1.
    """

    is_stateless = False

    def __init__(
        self,
        segmenter: Segmenter | str | Mapping[str, Any] = "superpixel",
        every: int = 4,
        *,
        residual: float = 15.0,
    ) -> None:
        if every < 1:
            raise ValueError(f"every must be at least 1, got {every}")
        self.segmenter = as_segmenter(segmenter)
        super().__init__(self.segmenter.k)
        self.every, self.residual = every, residual
        self.key_frames = 0
        self._streams: list[_Stream | None] = []

    def bind(self, env: gym.Env) -> None:
        """Tell the segmenter where the frames come from."""
        self.segmenter.bind(env)

    def reset(self) -> None:
        """Forget all videos: the next frames are key frames."""
        self._streams = []
        self.segmenter.reset()

    def segment(self, frames: Frames) -> Segments:
        """Return the masks of the next frame `(B, H, W, 3)` of each of B videos."""
        before = self._streams if len(self._streams) == len(frames) else [None] * len(frames)
        streams = [self._follow(*pair) for pair in zip(before, frames, strict=True)]
        keys = [row for row, stream in enumerate(streams) if stream is None]
        if keys:
            found = self.segmenter.segment(frames[keys])
            self.key_frames += len(keys)
            for row, masks, scores in zip(keys, *found, strict=True):
                streams[row] = _Stream(_grey(frames[row]), masks.astype(np.float32), scores)
        self._streams = streams
        now = [stream for stream in streams if stream is not None]
        masks = np.stack([stream.masks for stream in now]) >= 0.5
        return Segments(masks, np.stack([stream.scores for stream in now]))

    def _follow(self, stream: _Stream | None, frame: Frame) -> _Stream | None:
        """Return a video one frame later, or None if that is a key frame."""
        if stream is None or stream.age + 1 >= self.every or stream.grey.shape != frame.shape[:2]:
            return None
        grey = _grey(frame)
        places = _places_before(grey, stream.grey)
        unexplained = cv2.absdiff(_look_up(stream.grey, places), grey).mean()
        if unexplained > self.residual:
            return None
        masks = np.stack([_look_up(mask, places) for mask in stream.masks])
        return _Stream(grey, masks, stream.scores, stream.age + 1)


def _grey(frame: Frame) -> npt.NDArray[np.uint8]:
    return np.asarray(cv2.cvtColor(np.ascontiguousarray(frame), cv2.COLOR_RGB2GRAY), np.uint8)


def _places_before(now: npt.NDArray[np.uint8], before: npt.NDArray[np.uint8]) -> _Soft:
    """Return where each pixel was in the last frame, `(H, W, 2)` columns and rows."""
    # Of windows of 5, 9, 13 and 17 pixels the smallest follows limbs best, in 36- and in 84-pixel
    # pictures.
    window, scales, rounds, neighbours, sigma = 5, 3, 3, 5, 1.1
    flow = cv2.calcOpticalFlowFarneback(  # type: ignore[call-overload]
        now, before, None, 0.5, scales, window, rounds, neighbours, sigma, 0
    )
    rows, columns = np.indices(now.shape, np.float32)
    return np.asarray(flow + np.stack([columns, rows], axis=-1), np.float32)


def _look_up(picture: Any, places: _Soft) -> Any:
    """Return a picture's values at these places; beyond its border, those of the border."""
    return cv2.remap(
        picture, places[..., 0], places[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
