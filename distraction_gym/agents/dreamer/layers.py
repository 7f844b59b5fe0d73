"""Layers that every network here is made of, and how their weights start.

Source: the PyTorch port of January 2023's DreamerV3, NM512/dreamerv3-torch (`networks.py`,
`tools.py`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn

from distraction_gym.agents.dreamer.late import LateLinear
from distraction_gym.agents.dreamer.ones import Ones, linear_of_ones

EPSILON = 1e-3
_CUT_STD = 0.87962566103423978
"""Standard deviation of a unit normal cut off at two."""


def start_normal(module: nn.Module) -> None:
    """Draw a layer's weights from a normal cut at two sigmas, of variance 2 / (fan in + fan out).

    Biases start at zero; use with `module.apply`.
    """
    if isinstance(module, (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)):
        std = math.sqrt(1.0 / _mean_fan(module)) / _CUT_STD
        nn.init.trunc_normal_(module.weight, 0.0, std, -2.0 * std, 2.0 * std)
        _zero_bias(module)


def start_uniform(module: nn.Module, scale: float) -> None:
    """Draw an output layer's weights evenly, with variance `2 scale / (fan in + fan out)`.

    A `scale` of 0 starts a network that predicts zero, whatever it is shown.
    """
    assert isinstance(module, (nn.Linear, nn.ConvTranspose2d))
    limit = math.sqrt(3.0 * scale / _mean_fan(module))
    nn.init.uniform_(module.weight, -limit, limit)
    _zero_bias(module)


def _mean_fan(module: nn.Linear | nn.Conv2d | nn.ConvTranspose2d) -> float:
    if isinstance(module, nn.Linear):
        return (module.in_features + module.out_features) / 2
    taps = math.prod(module.kernel_size)
    return taps * (module.in_channels + module.out_channels) / 2


def _zero_bias(module: nn.Module) -> None:
    if isinstance(module.bias, Tensor):
        nn.init.zeros_(module.bias)


class Dense(nn.Sequential):
    """Linear without bias, LayerNorm, SiLU."""

    def __init__(self, inputs: int, outputs: int) -> None:
        linear = nn.Linear(inputs, outputs, bias=False)
        super().__init__(linear, nn.LayerNorm(outputs, eps=EPSILON), nn.SiLU())
        self.apply(start_normal)

    @property
    def linear(self) -> nn.Linear:
        """The first layer."""
        linear: nn.Linear = self[0]  # type: ignore[assignment]
        return linear

    def rest(self, hidden: Tensor) -> Tensor:
        """Apply what follows on the linear layer."""
        normal: Tensor = self[2](self[1](hidden))
        return normal


class MLP(nn.Sequential):
    """Dense layers, then one linear layer without activation.

    Args:
        inputs: Numbers in.
        outputs: Numbers out.
        units: Of each hidden layer.
        layers: How many hidden layers.
        scale: The output layer's, as `start_uniform`.
    """

    def __init__(self, inputs: int, outputs: int, units: int, layers: int, scale: float) -> None:
        sizes = [inputs, *[units] * layers]
        last = nn.Linear(sizes[-1], outputs)
        super().__init__(*(Dense(a, b) for a, b in pairwise(sizes)), last)
        start_uniform(last, scale)

    def forward(self, inputs: Tensor, ones: Ones | None = None) -> Tensor:
        """Return outputs `(..., outputs)` of inputs `(..., inputs)`.

        Args:
            inputs: What is read.
            ones: Where the inputs are one-hot vectors, if that is known.
        """
        first, *others = self
        if ones is None or not isinstance(first, Dense):
            outputs: Tensor = first(inputs)
        else:
            outputs = first.rest(linear_of_ones(inputs, first.linear.weight, ones))
        for layer in others:
            outputs = layer(outputs)
        return outputs

    def late(self, batch: int, steps: int) -> Callable[[Tensor], Tensor]:
        """Return the network for so many steps of a loop, made of `LateLinear`."""
        hidden = [part for part in self if isinstance(part, Dense)]
        linear = [LateLinear.of(part.linear, batch, steps) for part in hidden]
        last: nn.Linear = self[-1]  # type: ignore[assignment]
        output = LateLinear.of(last, batch, steps)

        def network(inputs: Tensor) -> Tensor:
            for part, layer in zip(hidden, linear, strict=True):
                inputs = part.rest(layer(inputs))
            return output(inputs)

        return network


class ChannelNorm(nn.LayerNorm):
    """LayerNorm over the channels of each pixel of `(B, C, H, W)`."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, eps=EPSILON)

    def forward(self, pictures: Tensor) -> Tensor:
        """Normalise."""
        turned = pictures.permute(0, 2, 3, 1)
        normal = F.layer_norm(turned, self.normalized_shape, self.weight, self.bias, self.eps)
        return normal.permute(0, 3, 1, 2)
