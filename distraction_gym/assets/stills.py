"""Clips that lie as pictures in a folder (DAVIS' layout), and single pictures as clips."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from distraction_gym.assets.clips import (
    Footage,
    Size,
    check_size,
    entry_name,
    most_frames,
)
from distraction_gym.assets.files import natural
from distraction_gym.errors import BrokenAsset
from distraction_gym.typing import Frame

SUFFIXES = (".jpg", ".jpeg", ".png")
_RULE = 1  # raise it with every change of what is decoded: the cache keys on it


@dataclass(frozen=True)
class PictureClip:
    """A folder whose pictures are the frames, in numeric order; or one picture, one frame long.

    The pictures may be of different sizes.
    """

    path: Path

    @property
    def name(self) -> str:
        """The folder's or the file's name."""
        return self.path.name

    def files(self) -> list[Path]:
        """Return the files in their order."""
        if not self.path.is_dir():
            return [self.path]
        found = (path for path in self.path.iterdir() if path.suffix.lower() in SUFFIXES)
        return sorted((path for path in found if path.name[0] != "."), key=natural)

    def key(self, size: Size) -> str:
        """Return a digest of every file's path, time and length, and the size.

        Raises:
            BrokenAsset: if the files are gone.
        """
        return entry_name(self.path, self.files, size, _RULE)

    def decode(self, size: Size) -> Footage:
        """Read the pictures, as many as `most_frames` allows.

        Raises:
            BrokenAsset: if one cannot be read, or is smaller than 100x100.
        """
        files = self.files()[: most_frames(size)]
        if not files:
            raise BrokenAsset(f"{self.path} holds no picture (*{', *'.join(SUFFIXES)}).")
        return np.stack([_read(path, size) for path in files])


def scale(picture: Frame, size: Size) -> Frame:
    """Scale a photograph to a height and width; areas average where it shrinks.

    Large pictures need it: between pixel centres, as `clips.resize` does, most would be skipped.
    """
    height, width = size
    shrinks = picture.shape[0] > height
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(picture, (width, height), interpolation=how), np.uint8)


def _read(path: Path, size: Size) -> Frame:
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if picture is None:
        raise BrokenAsset(f"{path} is no picture that OpenCV can read. Remove it.")
    check_size(path, width=picture.shape[1], height=picture.shape[0])
    small = scale(np.asarray(picture, np.uint8), size)
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2RGB), np.uint8)
