"""Masks made worse on purpose, to ask how good masks have to be."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import cv2
import gymnasium as gym
import numpy as np
import numpy.typing as npt

from distraction_gym.segmentation import as_segmenter
from distraction_gym.segmentation.base import Frames, Masks, Segmenter, Segments
from distraction_gym.segmentation.regions import pieces
from distraction_gym.typing import Frame

_Field = npt.NDArray[np.float32]
_LOST, _FOUND, _PIECES = range(3)
"""Random streams: what is lost, what is found in error, which pieces and frames are."""


class DegradedSegmenter(Segmenter):
    """Another segmenter's masks with errors of a size that is asked for.

    First connected pieces go missing (`drop`), or the whole frame's masks (`blank`); of what is
    left every mask has exactly the recall and the precision that are named, up to a pixel, unless
    the picture has no room for the errors. Errors are blobs. They depend on the seed and the
    frame's bytes, and on nothing else: not on the order of frames, nor on how many come at once.

    Args:
        segmenter: Whose masks: a segmenter, a name, or `{"name": ..., **arguments}`.
        recall: Share of a mask's pixels that are kept; 0.7 is 30 % false negatives.
        precision: Share of the result's pixels that belong to the mask.
        drop: Probability with which a connected piece of a mask is missing.
        blank: Probability with which a frame has no mask at all.
        flicker: How far lost and added pixels change from frame to frame: at 1 each frame draws new
            ones, at 0 they lie at the same places of the picture in all frames.
        grain: Pixels across a blob of lost or added pixels, about; 1 is salt and pepper.
        seed: Of all that is drawn.
        **arguments: Of the segmenter that is named, over its mapping's, such as `k`.

    Raises:
        ValueError: for a share or probability outside of [0, 1], a precision of 0, a grain below 1,
            or arguments for a segmenter that is built already.
    """

    def __init__(
        self,
        segmenter: Segmenter | str | Mapping[str, Any],
        recall: float = 1.0,
        precision: float = 1.0,
        drop: float = 0.0,
        blank: float = 0.0,
        *,
        flicker: float = 1.0,
        grain: float = 3.0,
        seed: int = 0,
        **arguments: Any,
    ) -> None:
        shares = {"recall": recall, "precision": precision, "drop": drop, "blank": blank}
        for name, share in {**shares, "flicker": flicker}.items():
            if not 0.0 <= share <= 1.0:
                raise ValueError(f"{name} must lie between 0 and 1, got {share}")
        if precision == 0.0 or grain < 1.0:
            raise ValueError(
                f"precision must be more than 0 and grain 1 or more, got {precision} and {grain}"
            )
        self.segmenter = as_segmenter(segmenter, **arguments)
        super().__init__(self.segmenter.k)
        self.is_stateless = self.segmenter.is_stateless
        self.needs_env = self.segmenter.needs_env
        self.recall, self.precision, self.drop, self.blank = recall, precision, drop, blank
        self.flicker, self.grain, self.seed = flicker, grain, seed

    def bind(self, env: gym.Env) -> None:
        """Tell the segmenter where the frames come from."""
        self.segmenter.bind(env)

    def reset(self) -> None:
        """Tell the segmenter that the next frames are of new episodes."""
        self.segmenter.reset()

    def segment(self, frames: Frames) -> Segments:
        """Return the segmenter's masks of frames `(B, H, W, 3)`, each made worse, scores kept."""
        masks, scores = self.segmenter.segment(frames)
        worse = [self._spoil(*pair) for pair in zip(frames, masks, strict=True)]
        return Segments(np.stack(worse), scores)

    def foreground(self, frames: Frames) -> Masks:
        """Return the segmenter's own foreground `(B, H, W)` made worse."""
        pairs = zip(frames, self.segmenter.foreground(frames)[:, None], strict=True)
        return np.concatenate([self._spoil(*pair) for pair in pairs])

    def _spoil(self, frame: Frame, masks: Masks) -> Masks:
        """Make the masks `(n, H, W)` of one frame worse."""
        key = _key(frame)
        rng = np.random.default_rng([self.seed, _PIECES, key])
        if rng.random() < self.blank:
            return np.zeros_like(masks)
        lost, found = (self._field(stream, key, masks.shape[1:]) for stream in (_LOST, _FOUND))
        return np.stack([self._worse(mask, rng, lost, found) for mask in masks])

    def _worse(self, mask: Masks, rng: np.random.Generator, lost: _Field, found: _Field) -> Masks:
        left = mask
        if self.drop:
            kept = [piece for piece in pieces(mask, 0.0) if rng.random() >= self.drop]
            left = np.any(kept, axis=0) if kept else np.zeros_like(mask)
        count = round(self.recall * int(left.sum()))
        added = round(count * (1.0 - self.precision) / self.precision)
        return _highest(lost, left, count) | _highest(found, ~mask, added)

    def _field(self, stream: int, key: int, shape: tuple[int, ...]) -> _Field:
        """Return smooth noise `(H, W)`: part of it the same in all frames, part of it new."""
        held, fresh = ([self.seed, stream, *own] for own in ((), (key,)))
        weights = np.sqrt([1.0 - self.flicker, self.flicker]).astype(np.float32)
        noises = (_noise(np.random.default_rng(seed), shape, self.grain) for seed in (held, fresh))
        return np.asarray(sum(w * n for w, n in zip(weights, noises, strict=True)), np.float32)


def _key(frame: Frame) -> int:
    return int.from_bytes(hashlib.blake2b(frame.tobytes(), digest_size=8).digest(), "little")


def _noise(rng: np.random.Generator, shape: tuple[int, ...], grain: float) -> _Field:
    """Return noise of mean 0 and deviation 1 in blobs about `grain` pixels across."""
    height, width = shape
    coarse = [max(round(side / grain), 2) for side in shape]
    drawn = rng.standard_normal(coarse, np.float32)
    smooth = np.asarray(cv2.resize(drawn, (width, height), interpolation=cv2.INTER_CUBIC))
    return (smooth - smooth.mean()) / max(float(smooth.std()), 1e-6)


def _highest(field: _Field, where: Masks, count: int) -> Masks:
    """Return the `count` pixels of `where` that are highest in a field, or all that there are."""
    chosen = np.zeros(where.shape, np.bool_)
    places = np.flatnonzero(where)
    order = np.argsort(-field.ravel()[places], kind="stable")
    chosen.ravel()[places[order[:count]]] = True
    return chosen
