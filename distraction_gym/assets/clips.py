"""Clips: footage that decodes to pictures of the size that an environment needs."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
import numpy.typing as npt

from distraction_gym.assets import generated
from distraction_gym.errors import BrokenAsset
from distraction_gym.typing import Frame

Footage = npt.NDArray[np.uint8]
"""`(T, H, W, 3)` uint8, RGB: a clip at one size."""

Size = tuple[int, int]
"""Height and width in pixels."""

SMALLEST_SIDE = 100
"""Clips below this width or height are refused, as DMC-GB's own loader does."""

_DECODE_RULE = 1  # raise it with every change of `resize`: the cache keys on it
_WHOLE = 0.9  # a container may overstate its frames a little; a torn file lacks many


class Clip(Protocol):
    """One piece of footage."""

    @property
    def name(self) -> str:
        """What to call it in `info` and reports."""

    def key(self, size: Size) -> str:
        """Return a file name that changes whenever the decoded pictures would."""

    def decode(self, size: Size) -> Footage:
        """Return the whole clip at a height and width."""


@dataclass(frozen=True)
class FileClip:
    """A video file that OpenCV can read; of any shape, shown whole."""

    path: Path

    @property
    def name(self) -> str:
        """The file's name."""
        return self.path.name

    def key(self, size: Size) -> str:
        """Return a digest of the path, the file's time and length, and the size."""
        stat = self.path.stat()
        origin = f"{self.path.resolve()}|{stat.st_mtime_ns}|{stat.st_size}|{size}|{_DECODE_RULE}"
        return f"{self.path.stem}-{hashlib.sha256(origin.encode()).hexdigest()[:24]}"

    def decode(self, size: Size) -> Footage:
        """Read the file frame by frame, keeping only the small pictures.

        Raises:
            BrokenAsset: if it cannot be read to its end, or is smaller than 100x100.
        """
        capture = cv2.VideoCapture(str(self.path))
        try:
            declared = self._check(capture)
            frames = [resize(frame, size) for frame in _read(capture)]
        finally:
            capture.release()
        if not frames or len(frames) < _WHOLE * declared:
            raise BrokenAsset(
                f"only {len(frames)} of {declared} frames of {self.path} can be read: the file is "
                "damaged. Remove it, or fetch it again."
            )
        return np.stack(frames)

    def _check(self, capture: cv2.VideoCapture) -> int:
        """Return how many frames the file says it has."""
        if not capture.isOpened():
            raise BrokenAsset(
                f"{self.path} is no video that OpenCV can read. Remove it, or fetch it again."
            )
        width = int(capture.get(cv2.CAP_PROP_FRAME_WIDTH))
        height = int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
        if min(width, height) < SMALLEST_SIDE:
            raise BrokenAsset(
                f"{self.path} is {width}x{height} pixels; expected at least "
                f"{SMALLEST_SIDE}x{SMALLEST_SIDE}. Take a larger clip."
            )
        return max(0, int(capture.get(cv2.CAP_PROP_FRAME_COUNT)))


@dataclass(frozen=True)
class GeneratedClip:
    """A clip of a generated pack, drawn when it is needed (see `generated`)."""

    pack: str
    index: int

    @property
    def name(self) -> str:
        """`generated0`, `generated1`, ..."""
        return f"generated{self.index}"

    def key(self, size: Size) -> str:
        """Return what the drawing depends on."""
        return f"{self.pack}-{self.name}-v{generated.VERSION}-{size[0]}x{size[1]}"

    def decode(self, size: Size) -> Footage:
        """Draw the clip; one that is not square is squeezed, as a file would be."""
        square = generated.clip(self.pack, self.index, max(size))
        if size[0] == size[1]:
            return square
        return np.stack([resize(frame, size) for frame in square])


def resize(frame: Frame, size: Size) -> Frame:
    """Scale a whole frame to a height and width by the papers' rule.

    Bilinear between pixel centres, no antialiasing, and truncated instead of rounded, as in
    DMC-GB's code: OpenCV's own uint8 resize rounds, and a third of all values would differ by 1.
    """
    height, width = size
    if frame.shape[:2] == size:
        return frame
    scaled = cv2.resize(frame.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
    return scaled.astype(np.uint8)


def _read(capture: cv2.VideoCapture) -> Iterator[Frame]:
    while True:
        found, frame = capture.read()
        if not found:
            return
        yield np.asarray(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB), np.uint8)
