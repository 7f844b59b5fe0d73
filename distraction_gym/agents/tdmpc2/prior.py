"""The policy prior `p`: a squashed Gaussian (section 3.1)."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from distraction_gym.agents.tdmpc2.layers import mlp

LOG_STD_MIN, LOG_STD_MAX = -10.0, 2.0


class Drawn(NamedTuple):
    """Actions of the prior."""

    action: Tensor
    """`(..., A)` in (-1, 1)."""
    entropy: Tensor
    """What the loss rewards, `(...)`."""


class PolicyPrior(nn.Module):
    """Chooses actions without planning.

    Args:
        latent: Numbers of a latent state.
        units: Of the hidden layers.
        actions: Numbers of an action.
    """

    def __init__(self, latent: int, units: int, actions: int) -> None:
        super().__init__()
        self.network = mlp(latent, units, 2 * actions)

    def forward(self, z: Tensor) -> Drawn:
        """Draw actions for latent states `(..., L)`; gradients pass to mean and std.

        The entropy is minus the log-probability before the action is squashed, times the number of
        actions. The official code arrives there by way of the squashed one, from which it takes its
        scale: what squashing adds cancels out.
        """
        mean, raw = self.network(z).chunk(2, dim=-1)
        log_std = bounded_log_std(raw)
        noise = torch.randn_like(mean)
        log_prob = (-0.5 * noise**2 - log_std - 0.5 * math.log(2 * math.pi)).sum(dim=-1)
        action = mean + noise * log_std.exp()
        return Drawn(action.tanh(), -log_prob * mean.shape[-1])

    def mode(self, z: Tensor) -> Tensor:
        """Return the mean, squashed: actions `(..., A)`."""
        mean: Tensor = self.network(z).chunk(2, dim=-1)[0]
        return mean.tanh()


def bounded_log_std(raw: Tensor) -> Tensor:
    """Return the network's output between the bounds of log-deviations, -10 and 2."""
    return LOG_STD_MIN + 0.5 * (LOG_STD_MAX - LOG_STD_MIN) * (raw.tanh() + 1)
