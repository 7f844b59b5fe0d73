"""The convolutional encoder and decoder, for square pictures of any size.

The side is halved, rounding up, as long as at least 4 pixels are left: 64 -> 32 -> 16 -> 8 -> 4 as
in the paper, 84 -> 42 -> 21 -> 11 -> 6, 36 -> 18 -> 9 -> 5.
"""

from __future__ import annotations

from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn

from distraction_gym.agents.common.acceleration import Convolutions
from distraction_gym.agents.dreamer.layers import ChannelNorm, start_normal, start_uniform
from distraction_gym.errors import UnsupportedEnvironment

SMALLEST = 4


def halvings(side: int) -> list[int]:
    """Return the sides that a picture has on its way through the encoder, its own first.

    Raises:
        UnsupportedEnvironment: if it cannot be halved once.
    """
    sides = [side]
    while (half := (sides[-1] + 1) // 2) >= SMALLEST:
        sides.append(half)
    if len(sides) == 1:
        raise UnsupportedEnvironment(
            f"pictures of {side} x {side} are too small to halve: draw them at 8 x 8 or larger, "
            "64 x 64 in the paper:  gym.make(..., image_size=64)"
        )
    return sides


class _Halve(nn.Sequential):
    """A convolution that halves a picture, with padding as TensorFlow's "same"."""

    def __init__(self, inputs: int, outputs: int) -> None:
        convolution = nn.Conv2d(inputs, outputs, 4, stride=2, padding=1, bias=False)
        super().__init__(convolution, ChannelNorm(outputs), nn.SiLU())

    def forward(self, pictures: Tensor) -> Tensor:
        if pictures.shape[-1] % 2:
            pictures = F.pad(pictures, (0, 1, 0, 1))
        return super().forward(pictures)  # type: ignore[no-untyped-call]


class Encoder(nn.Module):
    """Pictures in [0, 1] -> one vector each.

    Kernel 4, stride 2, channels doubling from `depth`; a ChannelNorm and SiLU after each. 64 x 64
    pictures and depth 32 give 4096 numbers, from 690,624 parameters.

    Args:
        side: Height and width of the pictures.
        depth: Channels after the first layer.
        channels: Channels of the pictures.
    """

    def __init__(self, side: int, depth: int, channels: int = 3) -> None:
        super().__init__()
        sides = halvings(side)
        widths = [channels, *(depth * 2**i for i in range(len(sides) - 1))]
        layers = (_Halve(a, b) for a, b in pairwise(widths))
        self.convolutions = Convolutions(*layers)
        self.convolutions.apply(start_normal)
        self.size = widths[-1] * sides[-1] ** 2

    def forward(self, pictures: Tensor) -> Tensor:
        """Encode `(..., 3, H, W)` as `(..., size)`."""
        flat = pictures.reshape(-1, *pictures.shape[-3:])
        return self.convolutions(flat - 0.5).reshape(*pictures.shape[:-3], self.size)


class Decoder(nn.Module):
    """Feature vectors -> pictures, through the encoder's sizes backwards.

    The output is moved by `offset` and not squashed: 0.5 is the middle of [0, 1]. 64 x 64 pictures
    from 1536 features at depth 32 take 6,985,667 parameters.

    Args:
        features: Numbers that a picture is made of.
        side: Height and width of the pictures.
        depth: Channels before the last layer.
        channels: Channels of the pictures.
        offset: What is added to the last layer's output.
    """

    def __init__(
        self, features: int, side: int, depth: int, channels: int = 3, offset: float = 0.5
    ) -> None:
        super().__init__()
        self.sides = halvings(side)[::-1]
        self.offset = offset
        widths = [*(depth * 2**i for i in range(len(self.sides) - 1))][::-1]
        self.first = nn.Linear(features, widths[0] * self.sides[0] ** 2)
        self.layers = nn.ModuleList(
            Convolutions(_double(a, b), ChannelNorm(b), nn.SiLU()) for a, b in pairwise(widths)
        )
        self.layers.append(Convolutions(nn.ConvTranspose2d(widths[-1], channels, 4, 2, 1)))
        self.layers.apply(start_normal)
        start_uniform(self.first, 1.0)
        start_uniform(self.layers[-1][0], 1.0)  # type: ignore[index]

    def forward(self, features: Tensor) -> Tensor:
        """Decode `(..., features)` as `(..., channels, H, W)`."""
        least = self.sides[0]
        pictures = self.first(features.reshape(-1, features.shape[-1]))
        pictures = pictures.reshape(len(pictures), -1, least, least)
        for layer, side in zip(self.layers, self.sides[1:], strict=True):
            # Where the encoder rounded up there is a row and a column too many.
            pictures = layer(pictures)[..., :side, :side]
        return pictures.reshape(*features.shape[:-1], *pictures.shape[1:]) + self.offset


def _double(inputs: int, outputs: int) -> nn.ConvTranspose2d:
    return nn.ConvTranspose2d(inputs, outputs, 4, stride=2, padding=1, bias=False)
