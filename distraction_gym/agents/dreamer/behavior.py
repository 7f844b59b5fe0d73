"""Actor and critic, trained on imagined trajectories (DreamerV3, equations 7-12)."""

from __future__ import annotations

import copy
from typing import NamedTuple

import torch
from torch import Tensor, nn

from distraction_gym.agents.dreamer.heads import Actor, TwoHotHead
from distraction_gym.agents.dreamer.imagination import imagine, lambda_returns, weights
from distraction_gym.agents.dreamer.ones import Ones
from distraction_gym.agents.dreamer.rssm import State
from distraction_gym.agents.dreamer.sizes import Sizes
from distraction_gym.agents.dreamer.world_model import WorldModel


class ReturnRange(nn.Module):
    """Moving averages of the 5th and 95th percentile of returns: what the actor divides by.

    Averages start at 0, and a range below 1 counts as 1: small returns are not blown up.
    """

    quantiles: Tensor
    ends: Tensor

    def __init__(self, rate: float = 0.01) -> None:
        super().__init__()
        self.rate = rate
        self.register_buffer("quantiles", torch.tensor([0.05, 0.95]), persistent=False)
        self.register_buffer("ends", torch.zeros(2))

    @torch.no_grad()
    def update(self, returns: Tensor) -> None:
        """Take account of new returns, of any shape, unless they are no finite numbers."""
        fresh = torch.quantile(returns.flatten(), self.quantiles)
        self.ends.lerp_(torch.where(fresh.isfinite(), fresh, self.ends), self.rate)

    @property
    def low(self) -> Tensor:
        """The 5th percentile."""
        return self.ends[0]

    @property
    def scale(self) -> Tensor:
        """The range, at least 1."""
        return (self.ends[1] - self.ends[0]).clamp(min=1.0)


class Outlook(NamedTuple):
    """What imagination promises; time comes first, and the last state is left out."""

    features: Tensor
    """`(H - 1, N, F)`."""
    returns: Tensor
    """`(H - 1, N)`."""
    values: Tensor
    """The critic's, `(H - 1, N)`."""
    weights: Tensor
    """`(H - 1, N)`, detached."""
    entropy: Tensor
    """`(H - 1, N)`."""
    ones: Ones | None = None
    """Where the features are one-hot vectors, if that helps."""


class Behavior(nn.Module):
    """Actor, critic, and the critic that follows it slowly.

    Args:
        features: Numbers that describe a state.
        actions: Numbers of an action.
        sizes: How large the networks are.
        horizon: States of an imagined trajectory.
        gamma: Discount of a step.
        lambda_: Of the returns.
        ent_coef: Weight of the actor's entropy.
    """

    def __init__(
        self,
        features: int,
        actions: int,
        sizes: Sizes,
        *,
        horizon: int = 15,
        gamma: float = 0.997,
        lambda_: float = 0.95,
        ent_coef: float = 3e-4,
    ) -> None:
        super().__init__()
        self.horizon, self.gamma = horizon, gamma
        self.lambda_, self.ent_coef = lambda_, ent_coef
        self.actor = Actor(features, actions, sizes.units, sizes.layers)
        self.critic = TwoHotHead(features, sizes.units, sizes.layers)
        self.slow_critic = copy.deepcopy(self.critic).requires_grad_(False)
        self.range = ReturnRange()

    def outlook(self, model: WorldModel, start: State) -> Outlook:
        """Imagine from states `(N, ...)`; gradients reach whatever of the networks takes them."""
        dream = imagine(model, self.actor, start, self.horizon)
        discounts = self.gamma * model.goes_on.mean(dream.features, dream.ones)
        values = self.critic.mean(dream.features, dream.ones)
        rewards = model.reward.mean(dream.features, dream.ones)
        returns = lambda_returns(rewards, discounts, values, self.lambda_)
        return Outlook(
            dream.features[:-1],
            returns,
            values[:-1],
            weights(discounts)[:-1],
            dream.entropy,
            dream.ones and dream.ones._replace(rows=dream.ones.rows[:-1]),
        )

    def actor_loss(self, outlook: Outlook) -> Tensor:
        """Return minus the weighted advantage and entropy; its gradient passes through the model.

        Call `range.update(outlook.returns)` before.
        """
        low, scale = self.range.low, self.range.scale
        advantage = (outlook.returns - low) / scale - (outlook.values - low) / scale
        return -(outlook.weights * (advantage + self.ent_coef * outlook.entropy)).mean()

    def critic_loss(self, outlook: Outlook) -> Tensor:
        """Return the critic's cross-entropy with the returns and with the slow critic."""
        features, returns = outlook.features.detach(), outlook.returns.detach()
        with torch.no_grad():
            slow = self.slow_critic.mean(features, outlook.ones)
        loss = self.critic.loss(features, returns, slow, ones=outlook.ones)
        return (outlook.weights * loss).mean()

    @torch.no_grad()
    def follow(self, rate: float) -> None:
        """Move the slow critic towards the critic."""
        pairs = zip(self.slow_critic.parameters(), self.critic.parameters(), strict=True)
        for slow, fast in pairs:
            slow.lerp_(fast, rate)
