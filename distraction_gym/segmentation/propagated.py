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

_Grey = npt.NDArray[np.uint8]
_Soft = npt.NDArray[np.float32]
_WORK_SIZE = 160
"""Pixels of the longer side at which motion is looked for; larger pictures are scaled down."""


@dataclass
class _Stream:
    """What is remembered of one video."""

    grey: _Grey
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
        **arguments: Of the segmenter that is named, over its mapping's, such as `k`.

    Raises:
        ValueError: for `every` below 1, or arguments for a segmenter that is built already.
    """

    is_stateless = False

    def __init__(
        self,
        segmenter: Segmenter | str | Mapping[str, Any] = "superpixel",
        every: int = 4,
        *,
        residual: float = 15.0,
        **arguments: Any,
    ) -> None:
        if every < 1:
            raise ValueError(f"every must be at least 1, got {every}")
        self.segmenter = as_segmenter(segmenter, **arguments)
        super().__init__(self.segmenter.k)
        self.needs_env = self.segmenter.needs_env
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
        if (
            stream is None
            or stream.age + 1 >= self.every
            or stream.masks.shape[1:] != frame.shape[:2]
        ):
            return None
        grey = _grey(frame)
        flow = _flow_back(grey, stream.grey)
        moved = _look_up(stream.grey, _places(flow, grey.shape))
        if cv2.absdiff(moved, grey).mean() > self.residual:
            return None
        places = _places(flow, frame.shape[:2])
        masks = np.stack([_look_up(mask, places) for mask in stream.masks])
        return _Stream(grey, masks, stream.scores, stream.age + 1)


def _grey(frame: Frame) -> _Grey:
    """Return a frame's brightness at the size at which motion is looked for."""
    grey = cv2.cvtColor(np.ascontiguousarray(frame), cv2.COLOR_RGB2GRAY)
    scale = _WORK_SIZE / max(grey.shape)
    if scale < 1.0:
        grey = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return np.asarray(grey, np.uint8)


def _flow_back(now: _Grey, before: _Grey) -> _Soft:
    """Return how far each pixel has to go back to where it was, `(H, W, 2)` columns and rows."""
    # Of windows of 5, 9, 13 and 17 pixels the smallest follows limbs best, in 36- and in 84-pixel
    # pictures.
    window, scales, rounds, neighbours, sigma = 5, 3, 3, 5, 1.1
    return cv2.calcOpticalFlowFarneback(  # type: ignore[call-overload]
        now, before, None, 0.5, scales, window, rounds, neighbours, sigma, 0
    )


def _places(flow: _Soft, shape: tuple[int, ...]) -> tuple[_Soft, _Soft]:
    """Return which columns and rows each pixel of a picture looks up, both `(H, W)`."""
    height, width = shape
    scale = width / flow.shape[1], height / flow.shape[0]
    if scale != (1.0, 1.0):
        flow = np.asarray(cv2.resize(flow, (width, height)) * np.array(scale, np.float32))
    rows, columns = np.indices((height, width), np.float32)
    return columns + flow[..., 0], rows + flow[..., 1]


def _look_up(picture: Any, places: tuple[_Soft, _Soft]) -> Any:
    """Return a picture's values at these places; beyond its border, those of the border."""
    return cv2.remap(picture, *places, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
