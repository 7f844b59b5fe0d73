"""What SMG adds to an encoder: heads, a background encoder, decoders, inverse dynamics.

Source: SMG's official code (arXiv 2410.10834). Sizes at the paper's 9x84x84 with latents of 256:
3.74 M parameters in each decoder, 1.58 M in the inverse dynamics.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from distraction_gym.agents.common.doubling import DoublingConv
from distraction_gym.agents.common.encoders import Projection, initialize

WHITE = 255.0
PAPER_FILTERS = (32, 128, 64)
"""Filters of a decoder: of the grid that it starts from, and of its two hidden convolutions."""


class AuxHead(nn.Module):
    """One latent of a stack -> one latent for each of its frames: linear, ReLU.

    Args:
        latent: Size of a latent.
        stack: Frames of a stack.
    """

    def __init__(self, latent: int, stack: int) -> None:
        super().__init__()
        self.latent = latent
        self.linear = nn.Linear(latent, latent * stack)

    def forward(self, latents: Tensor) -> Tensor:
        """Return `(B * k, latent)` of `(B, latent)`: rows `B*k+0, ...` are one sample's frames.

        With the frames of a sample side by side, `(B * k, 3, H, W)` viewed as `(B, 3k, H, W)` has
        the channels of frame 0 first, as a stack of observations has.
        """
        return F.relu(self.linear(latents).view(-1, self.latent))


class Decoder(nn.Module):
    """A frame's latent -> planes as large as the picture, each in (0, 1).

    Linear to a grid of a quarter of the picture's side, then 3x3 convolutions with padding 1 and
    twice nearest-neighbour doubling. 84x84 starts from 21x21; where a side is no multiple of 4,
    the grid is rounded up and what it draws is cropped. Layers start as PyTorch has them.

    Args:
        latent: Size of a latent.
        picture: Height and width in pixels.
        planes: 3 for an image, 4 for an image and its mask. The official code has a convolution
            for each; one of 4 filters has the same parameters.
        filters: As `PAPER_FILTERS`.
    """

    def __init__(
        self,
        latent: int,
        picture: tuple[int, int],
        planes: int,
        filters: Sequence[int] = PAPER_FILTERS,
    ) -> None:
        super().__init__()
        grid, middle, last = filters
        self.picture = picture
        self.grid = (grid, *(math.ceil(side / 4) for side in picture))
        self.linear = nn.Linear(latent, math.prod(self.grid))
        self.first = nn.Conv2d(grid, middle, 3, padding=1)
        self.second = DoublingConv(middle, last)
        self.last = DoublingConv(last, planes)

    def forward(self, latents: Tensor) -> Tensor:
        """Return `(N, planes, H, W)` of `(N, latent)`."""
        maps = F.relu(self.linear(latents).view(-1, *self.grid))
        # The official code doubles before each ReLU, which is the same.
        maps = F.relu(self.second(F.relu(self.first(maps))))
        height, width = self.picture
        return torch.sigmoid(self.last(maps)[..., :height, :width])


class Separator(nn.Module):
    """Both heads, both decoders and the background's own encoder.

    The foreground's encoder is not in here: it is the one that the agent acts with.

    Args:
        trunk: Trunk of the background's encoder, of pictures in [0, 1], initialised apart from
            the foreground's: were they equal, nothing would tell the two branches apart.
        features_dim: What the trunk gives.
        latent: Size of a latent.
        shape: Of an observation, `(3k, H, W)`.
        filters: As `PAPER_FILTERS`.
    """

    def __init__(
        self,
        trunk: nn.Module,
        features_dim: int,
        latent: int,
        shape: Sequence[int],
        filters: Sequence[int] = PAPER_FILTERS,
    ) -> None:
        super().__init__()
        channels, height, width = shape
        self.shape, picture = tuple(shape), (height, width)
        self.back_encoder = nn.Sequential(trunk, Projection(features_dim, latent))
        self.fore_head = AuxHead(latent, channels // 3)
        self.back_head = AuxHead(latent, channels // 3)
        self.fore_decoder = Decoder(latent, picture, 4, filters)
        self.back_decoder = Decoder(latent, picture, 3, filters)

    def foreground(self, latents: Tensor) -> tuple[Tensor, Tensor]:
        """Draw foregrounds and masks.

        Args:
            latents: Of the foreground's encoder, `(B, latent)`.

        Returns:
            Pictures `(B, 3k, H, W)`, 0-255, and one mask per frame, `(B, k, H, W)` in (0, 1).
        """
        planes = self.fore_decoder(self.fore_head(latents))
        image = (WHITE * planes[:, :3]).reshape(len(latents), *self.shape)
        return image, planes[:, 3].reshape(len(latents), -1, *self.shape[1:])

    def background(self, obs: Tensor) -> Tensor:
        """Draw the backgrounds of `(B, 3k, H, W)`, 0-255, in the same form."""
        latents = self.back_encoder(obs / WHITE)
        return (WHITE * self.back_decoder(self.back_head(latents))).reshape(obs.shape)


class InverseDynamics(nn.Sequential):
    """`(B, 2 latent)`, an observation's and the next's -> the action `(B, actions)` between them.

    ReLU between layers, none at the end.

    Args:
        latent: Size of a latent.
        actions: Numbers in an action.
        arch: Sizes of the hidden layers.
    """

    def __init__(self, latent: int, actions: int, arch: Sequence[int] = (1024, 1024)) -> None:
        layers: list[nn.Module] = []
        for inward, outward in pairwise([2 * latent, *arch, actions]):
            layers += [nn.Linear(inward, outward), nn.ReLU()]
        super().__init__(*layers[:-1])
        self.apply(initialize)
