"""The Masker: one RGB frame in, one soft mask out."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from distraction_gym.agents.common.encoders import initialize


class Masker(nn.Module):
    """Convolutions 3x3 with padding 1, ReLU between them, a sigmoid at the end.

    3 -> 32 -> 32 -> 1 in the paper's size: 10,433 parameters. Starts at about 0.5 everywhere.
    Source: MaDi's official code (arXiv 2312.15339).

    Args:
        filters: Filters of the hidden layers.
        layers: Convolutions in all, at least 2.
    """

    def __init__(self, filters: int = 32, layers: int = 3) -> None:
        super().__init__()
        if layers < 2:
            raise ValueError(f"the Masker needs at least 2 layers, got {layers}")
        channels = [3, *[filters] * (layers - 1), 1]
        convolutions: list[nn.Module] = []
        for inward, outward in pairwise(channels):
            convolutions += [nn.Conv2d(inward, outward, 3, padding=1), nn.ReLU()]
        self.convolutions = nn.Sequential(*convolutions[:-1]).apply(initialize)
        # Channels last: about twice as fast on a CPU, where the Masker is most of an update.
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, frames: Tensor) -> Tensor:
        """Return masks `(N, 1, H, W)` in (0, 1) of float frames `(N, 3, H, W)`, 0-255."""
        frames = (frames / 255.0).contiguous(memory_format=torch.channels_last)
        return torch.sigmoid(self.convolutions(frames))
