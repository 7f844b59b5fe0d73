"""What would happen under the actor, and what it would be worth (DreamerV3, equation 7)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from distraction_gym.agents.dreamer.heads import Actor
from distraction_gym.agents.dreamer.ones import Ones
from distraction_gym.agents.dreamer.rssm import State
from distraction_gym.agents.dreamer.world_model import WorldModel


class Dream(NamedTuple):
    """Imagined trajectories, time first: states 0 (real) to H - 1."""

    features: Tensor
    """`(H, N, F)`."""
    entropy: Tensor
    """Of the actor in each state but the last, `(H - 1, N)` nats."""
    ones: Ones | None
    """Where the features are one-hot vectors, if that helps."""


def imagine(model: WorldModel, actor: Actor, start: State, horizon: int) -> Dream:
    """Follow the actor through the prior.

    Gradients pass through all states and actions to the actor, but not through what it looks at.

    Args:
        model: The world model.
        actor: Chooses the actions.
        start: Real states `(N, ...)`, detached.
        horizon: How many states a trajectory has, the real one counted.
    """
    state, features, entropies = start, [start.features], []
    distribution = actor.late_distribution(len(start.deter), horizon - 1)
    for _ in range(horizon - 1):
        policy = distribution(features[-1])
        entropies.append(policy.entropy())
        state = model.rssm.imagine(state, policy.sample())
        features.append(state.features)
    stacked = torch.stack(features)
    # A GPU multiplies zeros faster than it finds the ones.
    ones = Ones.of(stacked, *model.rssm.shape) if stacked.is_cpu else None
    return Dream(stacked, torch.stack(entropies), ones)


def lambda_returns(rewards: Tensor, discounts: Tensor, values: Tensor, lambda_: float) -> Tensor:
    """Return `R_t = r_{t+1} + g_{t+1} ((1 - l) v_{t+1} + l R_{t+1})` for all states but the last.

    The recursion ends with `R = v` at the last state.

    Args:
        rewards: Received on arriving at each state, `(H, N)`; the first is not used.
        discounts: What each state counts, `(H, N)`: gamma where the episode goes on, 0 at its end.
        values: The critic's, `(H, N)`.
        lambda_: 0 asks the critic after one step, 1 at the end only.

    Returns:
        `(H - 1, N)`.
    """
    returns = [values[-1]]
    for at in range(len(rewards) - 1, 0, -1):
        ahead = (1 - lambda_) * values[at] + lambda_ * returns[-1]
        returns.append(rewards[at] + discounts[at] * ahead)
    return torch.stack(returns[:0:-1])


def weights(discounts: Tensor) -> Tensor:
    """Return how likely each state is ever reached, discounted: `w_t = prod_{k < t} g_k`, detached.

    Args:
        discounts: `(H, N)`.
    """
    reached = torch.cat([torch.ones_like(discounts[:1]), discounts[:-1]])
    return reached.cumprod(dim=0).detach()
