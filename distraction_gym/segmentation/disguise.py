"""Training pictures in disguise: other backgrounds, colours, light and views, the truth kept.

What is laid behind the things are pictures for training (`assets.pictures`), never a clip of an
evaluation.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt

from distraction_gym.assets.pictures import PictureSource, pictures
from distraction_gym.segmentation.samples import FLOOR, SKY, THING, Labels, Samples

Picture = npt.NDArray[np.float32]
"""`(H, W, 3)`, RGB, 0-255."""
Change = Callable[[Picture, Labels, np.random.Generator], Picture]

_HIDDEN = (0.25, 0.2, 0.35, 0.2)
"""How often nothing is replaced, the sky, sky and floor, and all that is no thing."""
_ZOOM = 0.25
_TURN = 15.0
_SHIFT = 0.1


class Disguise:
    """Draws another look of a labelled frame.

    Args:
        size: Height and width of the frames.
        images: `"generated"`, or a folder of pictures (the layout of Places365).
        seed: Seed of generated pictures.
    """

    def __init__(self, size: int, images: str = "generated", seed: int = 0) -> None:
        self._pictures: PictureSource = pictures(images, (size, size), seed)

    def __call__(self, samples: Samples, rng: np.random.Generator) -> Samples:
        """Return as many frames, each changed by itself, with the labels that are now true."""
        changed = [
            self._change(frame, labels, rng)
            for frame, labels in zip(samples.frames, samples.labels, strict=True)
        ]
        frames, labels = zip(*changed, strict=True)
        return Samples(np.stack(frames), np.stack(labels))

    def _change(
        self, frame: npt.NDArray[np.uint8], labels: Labels, rng: np.random.Generator
    ) -> tuple[npt.NDArray[np.uint8], Labels]:
        frame, labels = _moved(frame, labels, rng)
        picture = frame.astype(np.float32)
        for change in (_recoloured, self._replaced, self._overlaid, _lit, _noisy):
            picture = change(picture, labels, rng)
        return np.clip(picture, 0, 255).astype(np.uint8), labels

    def _replaced(self, picture: Picture, labels: Labels, rng: np.random.Generator) -> Picture:
        """Show a picture in place of the sky, of sky and floor, or of all that is no thing."""
        covered = rng.choice([SKY, FLOOR, FLOOR + 1, THING], p=_HIDDEN)
        hidden = labels < covered if covered else np.zeros_like(labels, np.bool_)
        return np.where(hidden[..., None], self._draw(rng) * rng.uniform(0.3, 1.2), picture)

    def _overlaid(self, picture: Picture, labels: Labels, rng: np.random.Generator) -> Picture:
        if rng.random() > 0.15:
            return picture
        alpha = np.float32(rng.uniform(0.1, 0.35))
        return picture * (1 - alpha) + self._draw(rng) * alpha

    def _draw(self, rng: np.random.Generator) -> Picture:
        return self._pictures.sample(1, rng)[0].transpose(1, 2, 0).astype(np.float32)


def _moved(
    frame: npt.NDArray[np.uint8], labels: Labels, rng: np.random.Generator
) -> tuple[npt.NDArray[np.uint8], Labels]:
    """Mirror, turn, scale and shift a frame; what lies beyond its borders is mirrored in."""
    height, width = labels.shape
    zoom = float(np.exp(rng.uniform(-_ZOOM, _ZOOM)))
    centre = (width / 2, height / 2)
    matrix = cv2.getRotationMatrix2D(centre, rng.uniform(-_TURN, _TURN), zoom)
    matrix[0, 2] += rng.uniform(-_SHIFT, _SHIFT) * width
    matrix[1, 2] += rng.uniform(-_SHIFT, _SHIFT) * height
    if rng.random() < 0.5:
        frame, labels = frame[:, ::-1], labels[:, ::-1]
    size, border = (width, height), cv2.BORDER_REFLECT
    shown = cv2.warpAffine(
        np.ascontiguousarray(frame), matrix, size, flags=cv2.INTER_LINEAR, borderMode=border
    )
    named = cv2.warpAffine(
        np.ascontiguousarray(labels), matrix, size, flags=cv2.INTER_NEAREST, borderMode=border
    )
    return np.asarray(shown, np.uint8), np.asarray(named, np.int16)


def _recoloured(picture: Picture, labels: Labels, rng: np.random.Generator) -> Picture:
    """Pull the sky, the floor and the things towards colours of their own; the shading stays."""
    if rng.random() < 0.4:
        return picture
    picture = picture.copy()
    regions = [labels == SKY, labels == FLOOR, labels >= THING]
    if rng.random() < 0.5:  # or every thing by itself
        regions[2:] = [labels == label for label in np.unique(labels) if label >= THING]
    for region in regions:
        shown = picture[region]
        if shown.size:
            grey = shown.mean(axis=1, keepdims=True)
            painted = rng.uniform(0, 255, 3) * (grey + 1) / (grey.mean() + 1)
            pull = rng.uniform(0, 1)
            picture[region] = shown * (1 - pull) + painted * pull
    return picture


def _lit(picture: Picture, labels: Labels, rng: np.random.Generator) -> Picture:
    """Change brightness, contrast and the balance of the channels."""
    gain = rng.uniform(0.6, 1.4) * rng.uniform(0.85, 1.15, 3)
    lit = (picture - 128) * gain + 128 + rng.uniform(-35, 35)
    return np.asarray(lit, np.float32)


def _noisy(picture: Picture, labels: Labels, rng: np.random.Generator) -> Picture:
    if rng.random() < 0.15:
        picture = np.asarray(cv2.GaussianBlur(np.clip(picture, 0, 255), (3, 3), 0), np.float32)
    if rng.random() < 0.2:
        picture = picture + rng.normal(0, rng.uniform(2, 12), picture.shape).astype(np.float32)
    return picture
