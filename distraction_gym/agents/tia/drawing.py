"""Two pictures and a mask between them (TIA, arXiv 2106.15612)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from distraction_gym.agents.dreamer.layers import start_normal
from distraction_gym.agents.dreamer.pictures import Decoder


class MaskedDecoder(nn.Module):
    """Feature vectors -> a picture, and what there is to say about where it shows.

    Args:
        features: Numbers that a picture is made of.
        side: Height and width of the pictures.
        depth: Channels before the last layer.
    """

    def __init__(self, features: int, side: int, depth: int) -> None:
        super().__init__()
        self.both = Decoder(features, side, depth, channels=6, offset=0.0)

    def forward(self, features: Tensor) -> Tensor:
        """Decode `(..., features)` as pictures alone, `(..., 3, H, W)`."""
        return self.parts(features)[0]

    def parts(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Decode `(..., features)` as pictures and votes, both `(..., 3, H, W)`."""
        picture, votes = self.both(features).chunk(2, dim=-3)
        return picture + 0.5, votes


class Blend(nn.Module):
    """Makes one mask of two decoders' votes: a 1 x 1 convolution and a sigmoid."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(6, 1, kernel_size=1)
        self.apply(start_normal)

    def forward(self, task: Tensor, distractor: Tensor) -> Tensor:
        """Return the mask `(..., 1, H, W)` in [0, 1] of votes `(..., 3, H, W)`: 1 for the task."""
        votes = torch.cat([task, distractor], dim=-3)
        mask = self.convolution(votes.flatten(0, -4)).sigmoid()
        return mask.reshape(*votes.shape[:-3], *mask.shape[1:])


def laid_over(task: Tensor, distractor: Tensor, mask: Tensor) -> Tensor:
    """Return pictures `(..., 3, H, W)`: the task's where the mask is 1, the other's where 0."""
    return mask * task + (1 - mask) * distractor
