"""Planning by MPPI in the latent space (section 3.2), for several environments at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from distraction_gym.agents.tdmpc2.world_model import WorldModel

MANY_ACTIONS, FURTHER_ITERATIONS = 20, 2
"""From so many numbers of an action on there are two more iterations."""


class Plan(NamedTuple):
    """What acting remembers of each environment; `predict` hands it out as numpy arrays."""

    mean: Any
    """Of the actions of the plan that was made last, `(n, horizon, A)` float32."""
    action: Any
    """The one that was taken, `(n, A)` in [-1, 1]."""


@dataclass(frozen=True)
class Planning:
    """How to plan."""

    horizon: int = 3
    """Steps that a plan looks ahead."""
    iterations: int = 6
    num_samples: int = 512
    """Action sequences that are weighed in each iteration ..."""
    num_pi_trajs: int = 24
    """... among them these, the policy prior's, which stay."""
    num_elites: int = 64
    """The best of them, from which mean and deviation follow."""
    temperature: float = 0.5
    min_std: float = 0.05
    max_std: float = 2.0

    def __post_init__(self) -> None:
        if not 1 <= self.num_elites <= self.num_samples:
            raise ValueError(
                f"num_elites={self.num_elites} of num_samples={self.num_samples} are kept: choose "
                "between 1 and as many"
            )
        if not 0 <= self.num_pi_trajs < self.num_samples:
            raise ValueError(
                f"num_pi_trajs={self.num_pi_trajs} of num_samples={self.num_samples} are the "
                "policy prior's: choose fewer, 0 for none"
            )
        if self.horizon < 1 or self.iterations < 1:
            raise ValueError(
                f"horizon and iterations must be 1 or more, got {self.horizon}, {self.iterations}"
            )

    def iterations_for(self, actions: int) -> int:
        """Return how many iterations there are for actions of so many numbers."""
        return self.iterations + FURTHER_ITERATIONS * (actions >= MANY_ACTIONS)


def plan(
    model: WorldModel,
    z: Tensor,
    mean: Tensor,
    settings: Planning,
    gamma: float,
    deterministic: bool = False,
) -> Plan:
    """Plan from latent states, and choose the first action of one of the elites.

    Args:
        model: In evaluation mode.
        z: `(n, L)`.
        mean: Of the first iteration's actions, `(n, horizon, A)`; see `moved_on`.
        settings: How to plan.
        gamma: Discount.
        deterministic: Add no noise to the action. Which elite it is of is drawn either way.
    """
    environments, horizon, actions = mean.shape
    std = torch.full_like(mean, settings.max_std)
    z = z[:, None].expand(-1, settings.num_samples, -1)
    known = prior_actions(model, z[:, : settings.num_pi_trajs], horizon)
    fresh = environments, settings.num_samples - settings.num_pi_trajs, horizon, actions
    for _ in range(settings.iterations_for(actions)):
        noise = torch.randn(fresh, dtype=mean.dtype, device=mean.device)
        drawn = (mean[:, None] + std[:, None] * noise).clamp(-1, 1)
        sampled = torch.cat([known, drawn], dim=1)
        values = estimate_value(model, z, sampled, gamma).nan_to_num(0.0)
        score, elites = _elites(values, sampled, settings)
        mean, std = _moments(score, elites, settings)
    chosen = torch.multinomial(score, 1)[:, 0]
    action = elites[torch.arange(environments, device=z.device), chosen, 0]
    if not deterministic:
        action = action + std[:, 0] * torch.randn_like(action)
    return Plan(mean, action.clamp(-1, 1))


def moved_on(mean: Tensor, first: Tensor) -> Tensor:
    """Return where planning starts: a step later in the last plan, zeros where an episode begins.

    Args:
        mean: The last plan's, `(n, horizon, A)`.
        first: `(n,)`: 1 where an episode begins, else 0.
    """
    later = torch.cat([mean[:, 1:], torch.zeros_like(mean[:, :1])], dim=1)
    return later * (1 - first)[:, None, None]


def prior_actions(model: WorldModel, z: Tensor, horizon: int) -> Tensor:
    """Follow the policy prior through the model from `(n, P, L)`: actions `(n, P, horizon, A)`."""
    actions = [model.prior(z).action]
    for _ in range(horizon - 1):
        z = model.next(z, actions[-1])
        actions.append(model.prior(z).action)
    return torch.stack(actions, dim=2)


def estimate_value(model: WorldModel, z: Tensor, actions: Tensor, gamma: float) -> Tensor:
    """Return what action sequences earn: the rewards on the way, and a value at their end.

    `sum_t gamma^t R(z_t, a_t) + gamma^H Q(z_H, p(z_H))`, where Q is the mean of two critics drawn
    at random. Where the model expects an episode to end nothing is earned any more.

    Args:
        model: The model.
        z: Where they start, `(n, S, L)`.
        actions: `(n, S, horizon, A)`.
        gamma: Discount.

    Returns:
        `(n, S)`.
    """
    earned, counts = torch.zeros_like(z[..., 0]), torch.ones_like(z[..., 0])
    for action in actions.unbind(dim=2):
        earned = earned + counts * model.rewards(z, action)
        z = model.next(z, action)
        counts = counts * gamma
        if model.termination is not None:
            counts = counts * (model.termination_logits(z) <= 0)
    values = model.two_values(z, model.prior(z).action).mean(dim=0)
    return earned + counts * values


def _elites(values: Tensor, actions: Tensor, settings: Planning) -> tuple[Tensor, Tensor]:
    """Return the weights `(n, E)` of the best of action sequences `(n, S, H, A)`, and those."""
    best, places = values.topk(settings.num_elites, dim=1)
    score = (settings.temperature * best).softmax(dim=1)
    return score, actions.gather(1, places[:, :, None, None].expand(-1, -1, *actions.shape[2:]))


def _moments(score: Tensor, elites: Tensor, settings: Planning) -> tuple[Tensor, Tensor]:
    """Return the weighted mean and the bounded deviation of the elites, each `(n, H, A)`."""
    weight = score[:, :, None, None]
    mean = (weight * elites).sum(dim=1)
    std = (weight * (elites - mean[:, None]) ** 2).sum(dim=1).sqrt()
    return mean, std.clamp(settings.min_std, settings.max_std)
