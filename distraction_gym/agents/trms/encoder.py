"""TRMS's trunk: eleven convolutions and a linear layer."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from gymnasium import spaces
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from torch import Tensor, nn

from distraction_gym.agents.common.acceleration import Convolutions
from distraction_gym.agents.common.encoders import PixelEncoder, convolution_stack, features_of


class TRMSEncoder(BaseFeaturesExtractor):
    """Masked pictures `(B, 3k, H, W)` in [0, 1] -> `(B, features)`.

    Pictures are moved to [-0.5, 0.5], so that what is masked is black and not grey. 3x3
    convolutions without padding, ReLU between them and none after the last, one linear layer;
    9x84x84 passes through 32x21x21. Weights start orthogonal. Source: TRMS (TMLR 2025), appendix C.

    Args:
        observation_space: Channel-first pictures.
        features: Size of the last layer.
        filters: Filters of each convolution.
        strides: Stride of each; None takes the papers' eleven, or four for pictures under 60
            pixels.
    """

    def __init__(
        self,
        observation_space: spaces.Box,
        features: int = 512,
        filters: int = 32,
        strides: Sequence[int] | None = None,
    ) -> None:
        super().__init__(observation_space, features_dim=features)
        if strides is None:
            small = min(observation_space.shape[1:]) < 60
            strides = PixelEncoder.SMALL_STRIDES if small else PixelEncoder.PAPER_STRIDES
        convolutions = convolution_stack(observation_space.shape[0], filters, strides)[:-1]
        flat = features_of(convolutions, torch.zeros(1, *observation_space.shape))
        self.convolutions = Convolutions(*convolutions)
        self.head = nn.Linear(flat, features)
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                gain = math.sqrt(2) if isinstance(module, nn.Conv2d) else 1.0
                nn.init.orthogonal_(module.weight, gain)
                assert module.bias is not None
                nn.init.zeros_(module.bias)

    def forward(self, observations: Tensor) -> Tensor:
        """Encode normalised pictures."""
        return self.head(self.convolutions(observations - 0.5).flatten(1))
