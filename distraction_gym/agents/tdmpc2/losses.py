"""What the model and the policy prior are trained by (section 3.1)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from distraction_gym.agents.common.symlog import two_hot_log_prob
from distraction_gym.agents.tdmpc2.scale import RunningScale
from distraction_gym.agents.tdmpc2.slices import Slices
from distraction_gym.agents.tdmpc2.world_model import LIMIT, WorldModel


@dataclass(frozen=True)
class Weights:
    """Of the losses."""

    rho: float = 0.5
    """What each further step of a slice counts."""
    consistency: float = 20.0
    reward: float = 0.1
    value: float = 0.1
    termination: float = 1.0
    entropy: float = 1e-4


@torch.no_grad()
def td_target(model: WorldModel, reward: Tensor, next_z: Tensor, discount: Tensor) -> Tensor:
    """Return `r + discount * min(Q'_i, Q'_j)(z', p(z'))`, `(...)`, of two target critics.

    Args:
        model: Its target critics are asked about an action of its prior.
        reward: `(...)`.
        next_z: The encoder's own latent states `(..., L)` of the pictures that followed.
        discount: `(...)`: gamma, or 0 where the episode terminated, never at a time limit.
    """
    values = model.two_values(next_z, model.prior(next_z).action, target=True)
    return reward + discount * values.amin(dim=0)


def model_losses(
    model: WorldModel, batch: Slices, weights: Weights, gamma: float
) -> tuple[dict[str, Tensor], Tensor]:
    """Return the model's losses, weighted scalars by name, and its latent states.

    The model follows the actions of a slice from its first picture on, `(H + 1, B, L)`; the
    encoder's own latent states of later pictures are what it is to arrive at, without gradient.
    """
    with torch.no_grad():
        seen = model.encoder(batch.obs[1:])
        target = td_target(model, batch.reward, seen, gamma * (1 - batch.terminal))
    latents = [model.encoder(batch.obs[0])]
    for action in batch.action:
        latents.append(model.next(latents[-1], action))
    z = torch.stack(latents)
    rewards = model.reward_logits(z[:-1], batch.action)
    values = model.value_logits(z[:-1], batch.action).transpose(0, 1)
    targets = target[:, None].expand(values.shape[:-1])
    errors = {
        "consistency": (z[1:] - seen) ** 2,
        "reward": -two_hot_log_prob(rewards, batch.reward, LIMIT),
        "value": -two_hot_log_prob(values, targets, LIMIT),
    }
    losses = {
        f"{name}_loss": getattr(weights, name) * decayed(error, weights.rho)
        for name, error in errors.items()
    }
    if model.termination is not None:
        ends = F.binary_cross_entropy_with_logits(model.termination_logits(z[1:]), batch.terminal)
        losses["termination_loss"] = weights.termination * ends
    return losses, z


def decayed(errors: Tensor, rho: float) -> Tensor:
    """Return `1/T sum_t rho^t mean(errors_t)` of errors `(T, ...)`."""
    steps = torch.arange(len(errors), device=errors.device)
    return (errors.flatten(1).mean(dim=1) * rho**steps).mean()


def prior_loss(
    model: WorldModel, z: Tensor, scale: RunningScale, weights: Weights
) -> tuple[Tensor, Tensor]:
    """Return the policy prior's loss and its mean entropy.

    Call it with the critics frozen: gradients reach the prior through the action alone.

    Args:
        model: The model.
        z: Its latent states `(H + 1, B, L)`, detached.
        scale: Takes account of the first step's values, before it divides all of them.
        weights: `rho` and `entropy` count.
    """
    drawn = model.prior(z)
    values = model.two_values(z, drawn.action).mean(dim=0)
    scale.update(values[0].detach())
    gain = values / scale.value + weights.entropy * drawn.entropy
    return -decayed(gain, weights.rho), drawn.entropy.detach().mean()
