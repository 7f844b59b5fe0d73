"""Rotation of each sample about its middle."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from distraction_gym.agents.common.augmentations.base import AUGMENTATIONS, as_frames, uniform


@AUGMENTATIONS.register("rotate")
class Rotate:
    """Rotate each sample by an angle of its own, uniform on `[-degrees, degrees]`.

    Bilinear; past its edge a picture goes on with the edge's own pixels. Source: SADA's code
    (DMC-GB2), which pads with the edge, turns and cuts, by one angle for the whole batch.
    """

    def __init__(self, degrees: float = 180.0) -> None:
        if degrees < 0:
            raise ValueError(f"degrees must be 0 or more, got {degrees}")
        self.degrees = degrees

    def __call__(self, obs: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Rotate float pictures `(B, 3k, H, W)`, 0-255, counter-clockwise by positive angles."""
        as_frames(obs)
        largest = math.radians(self.degrees)
        angle = uniform(obs, -largest, largest, (len(obs),), generator)
        return F.grid_sample(
            obs, _grid(obs, angle), mode="bilinear", padding_mode="border", align_corners=False
        )


def _grid(obs: Tensor, angle: Tensor) -> Tensor:
    """Return where each pixel comes from, `(B, H, W, 2)` as `grid_sample` counts (x, y)."""
    height, width = obs.shape[2:]
    # In pixels from the middle, so that pictures that are not square keep their proportions.
    y, x = (torch.arange(side, device=obs.device, dtype=obs.dtype) for side in (height, width))
    y, x = (y - (height - 1) / 2)[:, None], x - (width - 1) / 2
    cos, sin = angle.cos()[:, None, None], angle.sin()[:, None, None]
    from_x, from_y = cos * x - sin * y, sin * x + cos * y
    return torch.stack([from_x * (2 / width), from_y * (2 / height)], dim=-1)
