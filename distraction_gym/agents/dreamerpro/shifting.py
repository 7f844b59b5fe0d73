"""Sequences seen twice, each time from a little to the side (DreamerPro, arXiv 2110.14565)."""

from __future__ import annotations

import dataclasses

import torch
import torch.nn.functional as F
from torch import Tensor

from distraction_gym.agents.dreamer import Sequences


def two_views(batch: Sequences, pixels: float) -> Sequences:
    """Return `2B` sequences, the batch and the batch again, each with a shift of its own.

    Args:
        batch: `B` sequences.
        pixels: The largest shift, up, down and to either side.

    Returns:
        Sequences whose pictures are floats 0-255; sequence `i` and sequence `B + i` are two views
        of the same steps.
    """
    twice = batch.map(lambda value: torch.cat([value, value]))
    offsets = (2 * torch.rand(len(twice.action), 2, device=twice.action.device) - 1) * pixels
    image = shifted(twice.image.to(twice.action.dtype), offsets.to(twice.action.dtype))
    return dataclasses.replace(twice, image=image)


def shifted(pictures: Tensor, offsets: Tensor) -> Tensor:
    """Move sequences of pictures `(N, T, C, H, W)`, between pixels bilinearly.

    Args:
        pictures: Floats.
        offsets: `(N, 2)` pixels to the right and down, the same for all of a sequence; what comes
            in at the edges is their own colour.
    """
    height, width = pictures.shape[-2:]
    size = torch.tensor([width, height], dtype=offsets.dtype, device=offsets.device)
    still = torch.eye(2, dtype=offsets.dtype, device=offsets.device).expand(len(offsets), 2, 2)
    # A grid from -1 to 1 says where each pixel comes from: against the movement.
    maps = torch.cat([still, (-2 * offsets / size)[..., None]], dim=-1)
    flat = pictures.flatten(1, 2)
    grid = F.affine_grid(maps, list(flat.shape), align_corners=False)
    moved = F.grid_sample(flat, grid, padding_mode="border", align_corners=False)
    return moved.reshape(pictures.shape)
