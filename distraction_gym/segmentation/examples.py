"""A handful of annotated frames: which to annotate, and how to read those that a person made."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from distraction_gym.assets.files import natural
from distraction_gym.assets.stills import SUFFIXES
from distraction_gym.errors import AssetsMissing, BrokenAsset
from distraction_gym.segmentation.base import Frames, Masks
from distraction_gym.segmentation.samples import SKY, THING, Samples

MASK = "_mask.png"
"""What the name of a frame's mask ends in: `a_mask.png` belongs to `a.png` or `a.jpg`."""
_LOOK = 32  # pixels: frames are compared at this size


def spread(frames: Frames, count: int) -> list[int]:
    """Choose frames that span the others: the most ordinary one, then whatever is farthest off.

    The first is the frame nearest to the mean of all; each further one has the largest distance,
    pixel by pixel, to the nearest of those chosen before (farthest-point sampling). No mask is
    looked at, so that frames can be chosen before anybody annotates them.

    Args:
        frames: `(N, H, W, 3)` uint8.
        count: How many to choose.

    Returns:
        Their indices, in the order of the choice.

    Raises:
        ValueError: for more than there are, or fewer than one.
    """
    if not 1 <= count <= len(frames):
        raise ValueError(f"cannot choose {count} examples of {len(frames)} frames")
    small = [cv2.resize(frame, (_LOOK, _LOOK), interpolation=cv2.INTER_AREA) for frame in frames]
    looks = np.stack(small).reshape(len(frames), -1).astype(np.float32)
    chosen = [int(np.argmin(_distance(looks, looks.mean(axis=0))))]
    nearest = _distance(looks, looks[chosen[0]])
    while len(chosen) < count:
        nearest[chosen] = -1  # never twice, even where all frames are equal
        chosen.append(int(np.argmax(nearest)))
        nearest = np.minimum(nearest, _distance(looks, looks[chosen[-1]]))
    return chosen


def _distance(
    looks: npt.NDArray[np.float32], look: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    return np.linalg.norm(looks - look, axis=1)


def annotated(samples: Samples) -> Samples:
    """Return what a person's annotation would tell: what matters, and all the rest as one."""
    labels = np.where(samples.foreground, THING, SKY).astype(np.int16)
    return Samples(samples.frames, labels)


def read_annotated(folder: str | Path) -> Samples:
    """Read pictures with their masks beside them: `a.png` and `a_mask.png`, and so on.

    A mask has 0 for background and one other value for what matters.

    Raises:
        AssetsMissing: if the folder does not exist, holds no pair, or part of a pair.
        BrokenAsset: for files that are no pictures, masks of more values or another size than
            their frame, frames of several sizes, and masks that are all empty.
    """
    folder = Path(folder).expanduser()
    frames, masks = zip(*(_read(frame, mask) for frame, mask in _pairs(folder)), strict=True)
    sizes = sorted({frame.shape[:2] for frame in frames})
    if len(sizes) > 1:
        raise BrokenAsset(f"{folder}: frames of one size are expected, got {sizes} (height, width)")
    shown = np.stack(masks)
    if not shown.any():
        raise BrokenAsset(f"{folder}: all masks are empty; paint what matters white (255)")
    return Samples(np.stack(frames), np.where(shown, THING, SKY).astype(np.int16))


def _pairs(folder: Path) -> Iterator[tuple[Path, Path]]:
    if not folder.is_dir():
        raise AssetsMissing(f"no folder {folder}: expected one with a.png, a{MASK}, b.png, ...")
    files = sorted((path for path in folder.iterdir() if path.is_file()), key=natural)
    masks = {path.name.removesuffix(MASK): path for path in files if path.name.endswith(MASK)}
    pictures = [path for path in files if path.suffix.lower() in SUFFIXES]
    frames = {path.stem: path for path in pictures if not path.name.endswith(MASK)}
    single = [(frames | masks)[name].name for name in sorted(frames.keys() ^ masks.keys())]
    if single:
        raise AssetsMissing(
            f"{folder}: every frame needs its mask and every mask its frame, a.png and a{MASK}. "
            f"Without the other half: {', '.join(single)}"
        )
    if not frames:
        raise AssetsMissing(f"{folder} holds no pictures: expected a.png, a{MASK}, b.png, ...")
    return ((frames[name], masks[name]) for name in frames)


def _read(frame: Path, mask: Path) -> tuple[Frames, Masks]:
    picture = cv2.imread(str(frame), cv2.IMREAD_COLOR)
    plane = cv2.imread(str(mask), cv2.IMREAD_GRAYSCALE | cv2.IMREAD_ANYDEPTH)
    for path, found in ((frame, picture), (mask, plane)):
        if found is None:
            raise BrokenAsset(f"{path} is no picture that OpenCV can read")
    assert picture is not None and plane is not None
    if picture.shape[:2] != plane.shape:
        raise BrokenAsset(f"{mask} is {plane.shape} and its frame {picture.shape[:2]}: one size")
    values = np.unique(plane)
    if len(values[values > 0]) > 1:
        raise BrokenAsset(
            f"{mask} has {len(values)} grey values: expected 0 for background and one other (255) "
            "for what matters, drawn without smooth edges"
        )
    return np.asarray(picture[..., ::-1], np.uint8), np.asarray(plane > 0, np.bool_)
