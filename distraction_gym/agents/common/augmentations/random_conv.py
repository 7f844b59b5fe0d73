"""Random convolution: colours and edges of each sample under a filter of its own."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from distraction_gym.agents.common.augmentations.base import (
    AUGMENTATIONS,
    WHITE,
    as_frames,
    drawing_place,
)


@AUGMENTATIONS.register("random_conv")
class RandomConv:
    """Filter each sample with a 3x3 convolution of random weights, 3 channels to 3.

    `255 * sigmoid(conv(obs / 255))`, weights N(0, 1), no bias, replicate padding of 1, the same
    for all frames of a sample. Source: the code of MaDi and of DMC-GB.
    """

    def __call__(self, obs: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Filter float pictures `(B, 3k, H, W)`, 0-255."""
        frames = as_frames(obs)
        batch, stack, _, height, width = frames.shape
        draw, place = (batch * 3, 3, 3, 3), drawing_place(obs, generator)
        weight = torch.randn(draw, generator=generator, device=place).to(obs.device, obs.dtype)
        padded = F.pad(obs / WHITE, (1, 1, 1, 1), mode="replicate")
        # Samples become groups, so that each meets its own kernel; frames become the batch.
        grouped = padded.view(batch, stack, 3, height + 2, width + 2).transpose(0, 1)
        grouped = grouped.reshape(stack, batch * 3, height + 2, width + 2)
        out = F.conv2d(grouped, weight, groups=batch).sigmoid() * WHITE
        return out.view(stack, batch, 3, height, width).transpose(0, 1).reshape(obs.shape)
