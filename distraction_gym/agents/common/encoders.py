"""Networks that read pictures, as the DMC-GB family of pixel SAC builds them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from gymnasium import spaces
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from torch import Tensor, nn

from distraction_gym.agents.common.acceleration import Convolutions
from distraction_gym.agents.common.augmentations import center_crop
from distraction_gym.errors import UnsupportedEnvironment


def initialize(module: nn.Module) -> None:
    """Initialise one layer in the way of the papers' code; use with `module.apply`.

    Linear: orthogonal, bias 0. Convolution: delta-orthogonal, that is zero but for the centre
    tap, which is orthogonal with gain sqrt(2); bias 0. Source: DMC-GB's code (arXiv 2011.13389).
    """
    if isinstance(module, nn.Linear):
        nn.init.orthogonal_(module.weight)
        nn.init.zeros_(module.bias)
    elif isinstance(module, nn.Conv2d):
        assert module.bias is not None
        nn.init.zeros_(module.weight)
        nn.init.zeros_(module.bias)
        rows, columns = (size // 2 for size in module.kernel_size)
        nn.init.orthogonal_(module.weight.data[:, :, rows, columns], math.sqrt(2))


class PixelEncoder(BaseFeaturesExtractor):
    """The convolutional trunk: `(B, C, H, W)` in [0, 1] -> `(B, features_dim)`.

    3x3 convolutions without padding, ReLU between them and none after the last. The default is
    the papers': 11 layers of 32 filters, the first with stride 2; 9x84x84 gives 32x21x21 = 14,112
    features from 95,104 parameters. Source: MaDi's code. Pictures under 60 pixels, which
    those layers would eat up, get four layers by default.

    Args:
        observation_space: Channel-first pictures.
        filters: Filters of each layer.
        strides: Stride of each layer; its length is the number of layers.
        crop: Side of the square in the middle that is read; None for the whole picture. Pictures
            of that very size, such as random crops, are read as they are (DMC-GB's code).

    Raises:
        ValueError: if the pictures are smaller than the crop.
    """

    PAPER_STRIDES = (2, *[1] * 10)
    SMALL_STRIDES = (2, 2, 1, 1)

    def __init__(
        self,
        observation_space: spaces.Box,
        filters: int = 32,
        strides: Sequence[int] | None = None,
        crop: int | None = None,
    ) -> None:
        blank = _cropped(torch.zeros(1, *observation_space.shape), crop)
        if strides is None:
            small = min(blank.shape[2:]) < 60
            strides = self.SMALL_STRIDES if small else self.PAPER_STRIDES
        convolutions = convolution_stack(blank.shape[1], filters, strides)[:-1]
        super().__init__(observation_space, features_dim=features_of(convolutions, blank))
        self.crop = crop
        self.convolutions = Convolutions(*convolutions.apply(initialize))

    def forward(self, observations: Tensor) -> Tensor:
        """Encode normalised pictures."""
        return self.convolutions(_cropped(observations, self.crop)).flatten(1)


def convolution_stack(channels: int, filters: int, strides: Sequence[int]) -> nn.Sequential:
    """Return 3x3 convolutions without padding, a ReLU after each."""
    sizes = [channels, *[filters] * len(strides)]
    layers: list[nn.Module] = []
    for (inward, outward), stride in zip(pairwise(sizes), strides, strict=True):
        layers += [nn.Conv2d(inward, outward, 3, stride), nn.ReLU()]
    return nn.Sequential(*layers)


def features_of(network: nn.Module, blank: Tensor) -> int:
    """Return how many numbers a network makes of one picture `(1, C, H, W)`.

    Raises:
        UnsupportedEnvironment: if the picture is too small for its layers.
    """
    with torch.no_grad():
        try:
            return network(blank).numel()
        except RuntimeError as error:
            height, width = blank.shape[2:]
            raise UnsupportedEnvironment(
                f"pictures of {height} x {width} are too small for this trunk: {error}. Draw them "
                "larger (84 x 84 in the papers), or give it fewer layers:  "
                'policy_kwargs={"features_extractor_kwargs": {"strides": [2, 1]}}'
            ) from error


def _cropped(pictures: Tensor, crop: int | None) -> Tensor:
    return pictures if crop is None else center_crop(pictures, crop)


class DrQv2Encoder(BaseFeaturesExtractor):
    """DrQ-v2's trunk: four 3x3 convolutions, the first with stride 2, ReLU after every one.

    Pictures in [0, 1] are moved to [-0.5, 0.5]; kernels start orthogonal as a whole, gain sqrt(2).
    9x84x84 gives 32x35x35 = 39,200 features. Source: the official code (arXiv 2107.09645).

    Args:
        observation_space: Channel-first pictures.
        filters: Filters of each layer.
        strides: Stride of each layer.
    """

    def __init__(
        self,
        observation_space: spaces.Box,
        filters: int = 32,
        strides: Sequence[int] = (2, 1, 1, 1),
    ) -> None:
        convolutions = convolution_stack(observation_space.shape[0], filters, strides)
        for name, parameter in convolutions.named_parameters():
            if name.endswith("bias"):
                nn.init.zeros_(parameter)
            else:
                nn.init.orthogonal_(parameter, math.sqrt(2))
        blank = torch.zeros(1, *observation_space.shape)
        super().__init__(observation_space, features_dim=features_of(convolutions, blank))
        self.convolutions = Convolutions(*convolutions)

    def forward(self, observations: Tensor) -> Tensor:
        """Encode normalised pictures, `(B, features_dim)`."""
        return self.convolutions(observations - 0.5).flatten(1)


class Projection(nn.Sequential):
    """Trunk features -> a vector in (-1, 1): linear, LayerNorm, tanh (MaDi's official code)."""

    def __init__(self, features_dim: int, size: int) -> None:
        super().__init__(nn.Linear(features_dim, size), nn.LayerNorm(size), nn.Tanh())
        self.apply(initialize)
