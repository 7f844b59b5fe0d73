"""Masks remembered by the bytes of their frame."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple

import gymnasium as gym
import numpy as np
import numpy.typing as npt

from distraction_gym.segmentation.base import Frames, Masks, Segmenter, Segments

_Key = tuple[str, tuple[int, ...], bytes]


class _Entry(NamedTuple):
    packed: npt.NDArray[np.uint8]
    scores: npt.NDArray[np.float32]


class CachedSegmenter(Segmenter):
    """Segments a frame once, and remembers its masks for as long as it is among the newest.

    Frames are told apart by their size and a hash of their bytes; masks are kept bit-packed, an
    eighth of a byte per pixel and plane. What is new in a batch is segmented in one call, a frame
    that occurs twice in it once.

    Attributes: `calls` (of the segmenter), `hits` (frames whose masks were known).

    Args:
        segmenter: Whose masks depend on the frame alone.
        size: Frames to remember; the one that was asked for longest ago goes first.

    Raises:
        ValueError: for a segmenter that is not stateless, or a size below 1.
    """

    def __init__(self, segmenter: Segmenter, size: int = 4096) -> None:
        if not segmenter.is_stateless:
            raise ValueError(
                f"{type(segmenter).__name__} gives equal frames different masks (is_stateless is "
                "False): there is nothing to cache. Use it as it is."
            )
        if size < 1:
            raise ValueError(f"size must be at least 1, got {size}")
        super().__init__(segmenter.k)
        self.segmenter, self.size = segmenter, size
        self.calls, self.hits = 0, 0
        self._known: OrderedDict[_Key, _Entry] = OrderedDict()

    def segment(self, frames: Frames) -> Segments:
        """Return the masks of frames `(B, H, W, 3)`, segmenting only those that are new."""
        entries = self._look_up("segments", frames, self.segmenter.segment)
        height, width = frames.shape[1:3]
        masks = np.stack([_unpack(entry, (self.k, height, width)) for entry in entries])
        return Segments(masks, np.stack([entry.scores for entry in entries]))

    def foreground(self, frames: Frames) -> Masks:
        """Return the segmenter's own foreground `(B, H, W)`, remembered as well."""
        entries = self._look_up("foreground", frames, self._foreground)
        return np.stack([_unpack(entry, frames.shape[1:3]) for entry in entries])

    def bind(self, env: gym.Env) -> None:
        """Tell the segmenter where the frames come from."""
        self.segmenter.bind(env)

    def _foreground(self, frames: Frames) -> Segments:
        return Segments(self.segmenter.foreground(frames), np.zeros((len(frames), 0), np.float32))

    def _look_up(self, what: str, frames: Frames, find: Callable[[Frames], Segments]) -> list:
        keys = [(what, frame.shape, _digest(frame)) for frame in frames]
        entries = {key: self._known[key] for key in keys if key in self._known}
        self.hits += sum(key in entries for key in keys)
        new = {key: row for row, key in enumerate(keys) if key not in entries}
        if new:
            self.calls += 1
            masks, scores = find(frames[list(new.values())])
            for key, planes, values in zip(new, masks, scores, strict=True):
                entries[key] = _Entry(np.packbits(planes), values.copy())
        self._remember(entries)
        return [entries[key] for key in keys]

    def _remember(self, entries: dict[_Key, _Entry]) -> None:
        for key, entry in entries.items():
            self._known[key] = entry
            self._known.move_to_end(key)
        while len(self._known) > self.size:
            self._known.popitem(last=False)


def _digest(frame: npt.NDArray[np.uint8]) -> bytes:
    return hashlib.blake2b(frame.tobytes(), digest_size=16).digest()


def _unpack(entry: _Entry, shape: tuple[int, ...]) -> Masks:
    count = int(np.prod(shape))
    return np.unpackbits(entry.packed, count=count).view(np.bool_).reshape(shape)
