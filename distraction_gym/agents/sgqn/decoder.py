"""The network that predicts which pixels a Q value depends on."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from distraction_gym.agents.common.doubling import DoublingConv

PAPER_FILTERS = (32, 128, 64)
"""Filters of the grid that the decoder starts from, and of its two hidden convolutions."""


class SaliencyDecoder(nn.Module):
    """Projected features and an action -> one logit for every number of the observation.

    Linear to a grid, then 3x3 convolutions with padding 1 and twice nearest-neighbour doubling;
    layers start as PyTorch has them. At 9x84x84 with 6 actions it has 1,625,961 parameters
    (SGQN's official code). The grid there, 21x21, is both the trunk's and a quarter of the
    picture; here it is a quarter of the picture, rounded up and the surplus cut off, whatever
    the trunk.

    Args:
        latent: Size of the projected features.
        actions: Size of an action.
        shape: Shape of the observations, `(3k, H, W)`.
        filters: As `PAPER_FILTERS`.
    """

    def __init__(
        self,
        latent: int,
        actions: int,
        shape: Sequence[int],
        filters: Sequence[int] = PAPER_FILTERS,
    ) -> None:
        super().__init__()
        channels, *self.side = shape
        grid, middle, last = filters
        self.grid = (grid, *(math.ceil(side / 4) for side in self.side))
        self.linear = nn.Linear(latent + actions, math.prod(self.grid))
        self.first = nn.Conv2d(grid, middle, 3, padding=1)
        self.second = DoublingConv(middle, last)
        self.last = DoublingConv(last, channels)

    def forward(self, features: Tensor, actions: Tensor) -> Tensor:
        """Return logits `(B, 3k, H, W)` of features `(B, latent)` and actions `(B, A)`."""
        joined = torch.cat([features, actions], dim=1)
        maps = F.relu(self.linear(joined).view(-1, *self.grid))
        # The official code doubles before each ReLU, which is the same.
        maps = F.relu(self.second(F.relu(self.first(maps))))
        height, width = self.side
        return self.last(maps)[..., :height, :width]
