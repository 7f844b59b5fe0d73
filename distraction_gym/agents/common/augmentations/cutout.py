"""Cutout: a black box in each sample."""

from __future__ import annotations

import torch
from torch import Tensor

from distraction_gym.agents.common.augmentations.base import (
    AUGMENTATIONS,
    as_frames,
    integers,
    uniform,
)


@AUGMENTATIONS.register("cutout")
class Cutout:
    """Paint a box of each sample black, at one place on all its frames.

    Height and width are drawn apart, uniform on `smallest .. largest - 1` pixels (10..29 in RAD's
    code, arXiv 2004.14990, at 84 pixels). The box lies anywhere inside the picture, where RAD's
    code ties its place to its size.
    """

    def __init__(self, smallest: int = 10, largest: int = 30) -> None:
        if not 0 < smallest < largest:
            raise ValueError(f"expected 0 < smallest < largest, got {smallest}, {largest}")
        self.smallest, self.largest = smallest, largest

    def __call__(self, obs: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Cut a box out of float pictures `(B, 3k, H, W)`, 0-255.

        Raises:
            ValueError: if a box may be larger than the pictures.
        """
        as_frames(obs)
        height, width = obs.shape[2:]
        if self.largest - 1 > min(height, width):
            raise ValueError(
                f"boxes of up to {self.largest - 1} pixels do not fit in pictures of "
                f"{height} x {width}: lower largest"
            )
        rows = self._span(obs, height, generator)
        columns = self._span(obs, width, generator)
        box = rows[:, None, :, None] & columns[:, None, None, :]
        return obs.masked_fill(box, 0.0)

    def _span(self, obs: Tensor, side: int, generator: torch.Generator | None) -> Tensor:
        """Draw which of `side` lines lie in each sample's box, bool `(B, side)`."""
        batch = (len(obs),)
        length = self.smallest + integers(obs, self.largest - self.smallest, batch, generator)
        # How many places there are depends on the length: take a fraction of them, rounded down.
        places = side - length + 1
        fraction = uniform(obs, 0.0, 1.0, batch, generator)
        start = (fraction * places).long().minimum(places - 1)
        line = torch.arange(side, device=obs.device)
        return (line >= start[:, None]) & (line < (start + length)[:, None])
