"""Pictures for training augmentation (overlay); no evaluation clip is ever among them."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
import numpy.typing as npt

from distraction_gym.assets import cache, generated
from distraction_gym.assets.clips import Footage, Size, resize
from distraction_gym.assets.files import natural
from distraction_gym.assets.stills import SUFFIXES, scale
from distraction_gym.errors import AssetsMissing, BrokenAsset
from distraction_gym.typing import Frame

Batch = npt.NDArray[np.uint8]
"""`(n, 3, H, W)` uint8, RGB."""

POOL = 500
"""How many pictures are generated, once, for a seed and a size."""
_AREA = (0.08, 1.0)
_RATIO = (3 / 4, 4 / 3)
_TRIES = 10
_READERS = 8


class PictureSource(Protocol):
    """Where overlay takes its pictures from."""

    def sample(self, n: int, rng: np.random.Generator) -> Batch:
        """Draw `n` pictures with replacement; the same generator state gives the same pictures."""


def pictures(source: str, size: Size, seed: int = 0) -> PictureSource:
    """Open a source of training pictures.

    Args:
        source: `"generated"`, or a folder with pictures at any depth (the layout of Places365).
        size: Height and width of what it yields.
        seed: Which pool of generated pictures; a folder does not use it.

    Raises:
        AssetsMissing: if the folder does not exist or holds no picture.
    """
    if source == "generated":
        return GeneratedPictures(size, seed)
    return FolderPictures(Path(source).expanduser(), size)


class GeneratedPictures:
    """A pool of dead-leaves pictures, drawn once per machine and kept like a clip."""

    def __init__(self, size: Size, seed: int = 0) -> None:
        self._pool, self._size = _Pool(seed), size

    def sample(self, n: int, rng: np.random.Generator) -> Batch:
        """Draw pictures, mirrored half the time."""
        picked = cache.frames(self._pool, self._size)[rng.integers(POOL, size=n)]
        mirrored = rng.random(n) < 0.5
        picked[mirrored] = picked[mirrored, :, ::-1]
        return np.ascontiguousarray(picked.transpose(0, 3, 1, 2))


@dataclass(frozen=True)
class _Pool:
    """The pool in the form of a clip, so that `cache` keeps it."""

    seed: int

    @property
    def name(self) -> str:
        return f"pictures{self.seed}"

    def key(self, size: Size) -> str:
        return f"{self.name}-{POOL}-v{generated.VERSION}-{size[0]}x{size[1]}"

    def decode(self, size: Size) -> Footage:
        drawn = (generated.picture(self.seed, index, max(size)) for index in range(POOL))
        return np.stack([resize(picture, size) for picture in drawn])


class FolderPictures:
    """Pictures in a folder: a random crop of each, resized, mirrored half the time.

    The crop is torchvision's RandomResizedCrop with its defaults (area 0.08 to 1, ratio 3/4 to
    4/3), as in the papers (MaDi's official code).

    Raises:
        AssetsMissing: if the folder does not exist or holds no picture.
    """

    def __init__(self, folder: Path, size: Size) -> None:
        self._paths, self._size = _list(folder), size

    def sample(self, n: int, rng: np.random.Generator) -> Batch:
        """Draw pictures and read them from disk, several at once.

        Raises:
            BrokenAsset: for a file that is no picture.
        """
        paths = [self._paths[index] for index in rng.integers(len(self._paths), size=n)]
        # A stream for each picture: what one draws must not depend on the order of reading.
        streams = rng.spawn(n)
        with ThreadPoolExecutor(min(_READERS, os.cpu_count() or 1)) as readers:
            read = readers.map(self._read, paths, streams)
            return np.stack([picture.transpose(2, 0, 1) for picture in read])

    def _read(self, path: Path, rng: np.random.Generator) -> Frame:
        picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
        if picture is None:
            raise BrokenAsset(f"{path} is no picture that OpenCV can read. Remove it.")
        top, left, height, width = _crop(picture.shape[0], picture.shape[1], rng)
        part = picture[top : top + height, left : left + width]
        small = scale(np.asarray(part, np.uint8), self._size)
        out = np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2RGB), np.uint8)
        return out[:, ::-1] if rng.random() < 0.5 else out


def _list(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise AssetsMissing(
            f"the folder of pictures {folder} does not exist. Name a folder with jpg or png files "
            "(for example Places365's train folder), or take images='generated'."
        )
    walk = os.walk(folder, followlinks=True)  # data sets are often linked together
    found = [Path(place, name) for place, _, names in walk for name in names]
    found = [path for path in found if path.suffix.lower() in SUFFIXES]
    if not found:
        raise AssetsMissing(
            f"the folder of pictures {folder} holds none (*{', *'.join(SUFFIXES)}, at any depth). "
            "Name another, or take images='generated'."
        )
    return sorted(found, key=natural)


def _crop(height: int, width: int, rng: np.random.Generator) -> tuple[int, int, int, int]:
    """Draw top, left, height and width of a part of a picture, all in pixels."""
    for _ in range(_TRIES):
        area = height * width * rng.uniform(*_AREA)
        ratio = np.exp(rng.uniform(*np.log(_RATIO)))
        wide, high = round(np.sqrt(area * ratio)), round(np.sqrt(area / ratio))
        if 0 < wide <= width and 0 < high <= height:
            top, left = rng.integers(height - high + 1), rng.integers(width - wide + 1)
            return int(top), int(left), high, wide
    # Very long or tall pictures: the middle, as near to its shape as the ratios allow.
    wide = min(width, round(height * _RATIO[1]))
    high = min(height, round(width / _RATIO[0]))
    return (height - high) // 2, (width - wide) // 2, high, wide
