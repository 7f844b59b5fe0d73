"""The encoder `h`: pictures -> latent states (section 3.1; the official code's for pixels)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from distraction_gym.agents.common.acceleration import Convolutions
from distraction_gym.agents.common.augmentations import RandomShift
from distraction_gym.agents.common.encoders import features_of
from distraction_gym.agents.tdmpc2.layers import SimNorm, dense, start

HALVING = ((7, 2), (5, 2), (3, 2))
LAST = (3, 1)
"""Kernels and strides for 64 x 64: 29, 13, 6, and 4 pixels wide at the end."""
SMALLEST = 6
"""A halving layer that would leave fewer pixels than this is left out."""


class PixelEncoder(nn.Module):
    """Stacked frames, shifted at random, as numbers on simplices.

    64 x 64 pictures and 32 channels end in 512 numbers, which are the latent state. Of other sizes
    (84 -> 39, 18, 8, 6; 36 -> 15, 6, 4) a layer with LayerNorm makes as many as it takes, such as
    the official encoder of states ends in: without LayerNorm latent states of different pictures
    begin almost alike.

    Args:
        shape: Of the pictures, `(3k, H, W)`.
        channels: Of each convolution.
        latent: Numbers of a latent state.
        group: Numbers of each of its simplices.
        shift: Largest shift in pixels; 0 for none.
    """

    def __init__(
        self, shape: tuple[int, ...], channels: int, latent: int, group: int, shift: int
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        inputs = shape[0]
        for kernel, stride in _layers(min(shape[1:])):
            layers += [nn.Conv2d(inputs, channels, kernel, stride), nn.ReLU()]
            inputs = channels
        self.convolutions = Convolutions(*layers[:-1])
        features = features_of(self.convolutions, torch.zeros(1, *shape))
        simplices = SimNorm(group)
        fits = features == latent
        self.last = simplices if fits else dense(features, latent, simplices).apply(start)
        self.shift = RandomShift(shift)

    def forward(self, pictures: Tensor) -> Tensor:
        """Shift each picture by itself, and encode: `(..., 3k, H, W)` 0-255 as `(..., latent)`."""
        flat = pictures.reshape(-1, *pictures.shape[-3:])
        if self.shift.pad:
            flat = self.shift(flat)
        return self.read(flat).reshape(*pictures.shape[:-3], -1)

    def read(self, pictures: Tensor) -> Tensor:
        """Encode `(B, 3k, H, W)` 0-255 as they are."""
        scaled = pictures.to(next(self.parameters()).dtype) / 255 - 0.5
        latent: Tensor = self.last(self.convolutions(scaled).flatten(1))
        return latent


def _layers(side: int) -> list[tuple[int, int]]:
    """Return kernels and strides for pictures whose shorter side is this long."""
    chosen = []
    for kernel, stride in HALVING:
        left = (side - kernel) // stride + 1
        if left >= SMALLEST:
            chosen.append((kernel, stride))
            side = left
    return [*chosen, LAST]
