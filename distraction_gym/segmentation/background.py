"""What differs from a background that is known: a picture of the empty scene, or one colour."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from distraction_gym.errors import AssetsMissing, BrokenAsset
from distraction_gym.segmentation.base import Frames, Masks, Segmenter, Segments, fill
from distraction_gym.segmentation.regions import pieces


class BackgroundSegmenter(Segmenter):
    """Masks are the connected pieces of what differs from the background.

    A pixel differs by its largest difference in a channel. `foreground` is all pixels that differ,
    specks included. A piece's score is its share of the whole picture's difference: what is large
    and stands out comes first.

    Args:
        k: Most masks per frame.
        reference: The picture of the empty scene: `(H, W, 3)` numbers 0-255 (nested lists too), or
            the path of a picture file. None: tell `learn`, or give a colour.
        color: `[r, g, b]`, 0-255: a background of one colour, such as a green screen.
        tolerance: Largest difference, 0-255, that still counts as background.
        min_area: Share of the picture below which a piece is no mask.

    Raises:
        AssetsMissing: for a path without a file.
        BrokenAsset: for a file that is no picture.
        ValueError: for both a reference and a colour, or one of another shape.
    """

    def __init__(
        self,
        k: int = 8,
        *,
        reference: Any = None,
        color: Sequence[int] | None = None,
        tolerance: int = 30,
        min_area: float = 0.001,
    ) -> None:
        super().__init__(k)
        if reference is not None and color is not None:
            raise ValueError("a background is a reference or a color, not both: leave one out")
        self.tolerance, self.min_area = tolerance, min_area
        self._background: npt.NDArray[np.uint8] | None = None
        if reference is not None:
            self._background = _picture(reference)
        elif color is not None:
            self._background = _checked(np.asarray(color), (1, "one colour [r, g, b]"))

    def learn(self, frames: Frames) -> None:
        """Take the median of frames `(B, H, W, 3)`, pixel by pixel, for the background.

        Right wherever fewer than half of the frames show something else: things have to move.
        """
        self._background = np.median(frames, axis=0).round().astype(np.uint8)

    def segment(self, frames: Frames) -> Segments:
        """Return the pieces that differ, those with most of the difference first."""
        found = [self._pieces(difference) for difference in self._differences(frames)]
        return fill([masks for masks, _ in found], [scores for _, scores in found], self.k)

    def foreground(self, frames: Frames) -> Masks:
        """Return every pixel that differs, `(B, H, W)`."""
        different: Masks = self._differences(frames) > self.tolerance
        return different

    def _differences(self, frames: Frames) -> npt.NDArray[np.uint8]:
        if self._background is None:
            raise ValueError(
                "no background is known yet. Give reference=picture or color=[r, g, b], or call "
                "learn(frames) with frames in which things move."
            )
        if self._background.ndim == 3 and self._background.shape != frames.shape[1:]:
            raise ValueError(
                f"the background is a picture {self._background.shape}, and the frames are "
                f"{frames.shape[1:]}: both must have one size"
            )
        lighter = np.maximum(frames, self._background)
        red, green, blue = np.moveaxis(lighter - np.minimum(frames, self._background), -1, 0)
        return np.maximum(np.maximum(red, green), blue)  # max(axis=-1) is slower

    def _pieces(self, difference: npt.NDArray[np.uint8]) -> tuple[Masks, npt.NDArray[np.float32]]:
        different = difference > self.tolerance
        masks = np.array([*pieces(different, self.min_area)]).reshape(-1, *difference.shape)
        whole = max(float(difference[different].sum()), 1.0)
        shares = np.array([difference[mask].sum() / whole for mask in masks], np.float32)
        order = np.argsort(-shares, kind="stable")
        return masks[order], shares[order]


def _picture(reference: Any) -> npt.NDArray[np.uint8]:
    if not isinstance(reference, str | Path):
        return _checked(np.asarray(reference), (3, "a picture (H, W, 3)"))
    if not Path(reference).is_file():
        raise AssetsMissing(f"there is no picture {reference}: expected the empty scene's")
    found = cv2.imread(str(reference))
    if found is None:
        raise BrokenAsset(f"{reference} is no picture that OpenCV can read")
    return np.asarray(found[..., ::-1], np.uint8)


def _checked(value: npt.NDArray, expected: tuple[int, str]) -> npt.NDArray[np.uint8]:
    dimensions, what = expected
    if value.ndim != dimensions or value.shape[-1] != 3 or value.min() < 0 or value.max() > 255:
        raise ValueError(f"expected {what} with numbers 0-255, got shape {value.shape}")
    return value.astype(np.uint8)
