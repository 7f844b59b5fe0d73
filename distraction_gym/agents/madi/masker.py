"""The Masker: one RGB frame in, one soft mask out."""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from distraction_gym.agents.common.acceleration import Convolutions
from distraction_gym.agents.common.encoders import initialize


class OneMap(nn.Conv2d):
    """A 3x3 convolution with padding 1 to a single channel, quick on a CPU.

    oneDNN computes 16 channels for that one, in a third of the Masker's time. Nine maps of a 1x1
    convolution, one per tap of the kernel, shifted and summed, are the same sum of products.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(channels, 1, 3, padding=1)

    def forward(self, input: Tensor) -> Tensor:
        """Convolve `(N, C, H, W)` to `(N, 1, H, W)`."""
        if not input.is_cpu:
            return super().forward(input)
        assert self.bias is not None
        # fold puts tap (i, j) at (y + i - 1, x + j - 1), and a kernel reads from there: reversed.
        taps = self.weight.flatten(2).flip(2).permute(2, 1, 0).unsqueeze(-1)
        maps = F.conv2d(input, taps).to(self.bias.dtype).flatten(2)
        return F.fold(maps, input.shape[2:], 3, padding=1) + self.bias


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
        convolutions: list[nn.Module] = []
        for inward, outward in pairwise([3, *[filters] * (layers - 1)]):
            # In place: what a convolution hands on is needed by nobody else, and large.
            convolutions += [nn.Conv2d(inward, outward, 3, padding=1), nn.ReLU(inplace=True)]
        self.convolutions = Convolutions(*convolutions, OneMap(filters)).apply(initialize)
        # Channels last: about twice as fast on a CPU, where the Masker is most of an update.
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, frames: Tensor) -> Tensor:
        """Return masks `(N, 1, H, W)` in (0, 1) of float frames `(N, 3, H, W)`, 0-255."""
        return torch.sigmoid(self.convolutions(frames / 255.0))
