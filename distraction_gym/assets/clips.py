"""Clips: footage that decodes to pictures of the size that an environment needs."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterable, Iterator
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

MOST_FRAMES = 1000
"""What comes after is not decoded: no episode of the papers is longer, at one frame per step."""
MOST_BYTES = 256 << 20
"""Nor what makes a decoded clip larger than this: 291 frames at 480x640."""

_DECODE_RULE = 2  # raise it with every change of what is decoded: the cache keys on it
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
        """Return a digest of the path, the file's time and length, and the size.

        Raises:
            BrokenAsset: if the file is gone.
        """
        return entry_name(self.path, lambda: [self.path], size, _DECODE_RULE)

    def decode(self, size: Size) -> Footage:
        """Read the file frame by frame, keeping only the small pictures: `most_frames` of them.

        Raises:
            BrokenAsset: if it cannot be read so far, or is smaller than 100x100.
        """
        capture, limit = cv2.VideoCapture(str(self.path)), most_frames(size)
        try:
            declared = min(self._check(capture), limit)
            frames = [resize(frame, size) for frame in itertools.islice(_read(capture), limit)]
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
        check_size(self.path, width=width, height=height)
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


def most_frames(size: Size) -> int:
    """Return how many frames of a clip are decoded at most (`MOST_FRAMES`, `MOST_BYTES`)."""
    return max(1, min(MOST_FRAMES, MOST_BYTES // (size[0] * size[1] * 3)))


def check_size(path: Path, *, width: int, height: int) -> None:
    """Refuse footage that is too small to show.

    Raises:
        BrokenAsset: if it is smaller than 100x100.
    """
    if min(width, height) < SMALLEST_SIDE:
        raise BrokenAsset(
            f"{path} is {width}x{height} pixels; expected at least "
            f"{SMALLEST_SIDE}x{SMALLEST_SIDE}. Take a larger clip."
        )


def entry_name(path: Path, files: Callable[[], Iterable[Path]], size: Size, rule: int) -> str:
    """Return a name for what is decoded from files: their path, times and lengths digested.

    Raises:
        BrokenAsset: if they are gone.
    """
    digest = hashlib.sha256(f"{path.resolve()}|{size}|{rule}|{most_frames(size)}".encode())
    try:
        for file in files():
            stat = file.stat()
            digest.update(f"|{file.name}|{stat.st_mtime_ns}|{stat.st_size}".encode())
    except OSError as error:
        raise BrokenAsset(f"{path} cannot be read any more: {error}") from error
    return f"{path.stem}-{digest.hexdigest()[:24]}"


def _read(capture: cv2.VideoCapture) -> Iterator[Frame]:
    while True:
        found, frame = capture.read()
        if not found:
            return
        yield np.asarray(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB), np.uint8)
