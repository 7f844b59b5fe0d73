"""Inverse dynamics: which action led from one picture to the next."""

from __future__ import annotations

import copy

import torch
from stable_baselines3.common.torch_layers import create_mlp
from torch import Tensor, nn

from distraction_gym.agents.common.encoders import PixelEncoder, Projection, initialize


def split(trunk: PixelEncoder, head_layers: int) -> tuple[nn.Sequential, nn.Sequential]:
    """Return a trunk's layers but the last ones, and the last ones; both remain the trunk's own.

    Args:
        trunk: A trunk of n convolutions with ReLU between them.
        head_layers: How many convolutions are the second part, each with the ReLU before it.

    Raises:
        ValueError: if they leave no layer to the first part.
    """
    layers = trunk.convolutions
    most = len(layers) // 2
    if not 0 <= head_layers <= most:
        raise ValueError(
            f"head_layers must leave one of the trunk's {most + 1} layers to be shared: expected "
            f"0 to {most}, got {head_layers}"
        )
    cut = len(layers) - 2 * head_layers
    return layers[:cut], layers[cut:]


class InverseDynamics(nn.Module):
    """The branch beside reinforcement learning's: an own head and projection, then an MLP.

    Args:
        head: The layers of reinforcement learning's head, which are copied and start anew.
        features_dim: What comes out of them.
        projection_dim: Size of the vector made of a picture.
        units: Units of each of the MLP's two hidden layers.
        actions: Numbers in an action.
    """

    def __init__(
        self, head: nn.Sequential, features_dim: int, projection_dim: int, units: int, actions: int
    ) -> None:
        super().__init__()
        self.head = copy.deepcopy(head).apply(initialize)
        self.projection = Projection(features_dim, projection_dim)
        layers = create_mlp(2 * projection_dim, actions, [units, units])
        self.mlp = nn.Sequential(*layers).apply(initialize)

    def forward(self, maps: Tensor, next_maps: Tensor) -> Tensor:
        """Return actions `(B, A)` from the shared layers' maps of both pictures, `(B, C, h, w)`."""
        vectors = [self.projection(self.head(each).flatten(1)) for each in (maps, next_maps)]
        return self.mlp(torch.cat(vectors, dim=1))
