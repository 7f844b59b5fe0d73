"""The five parts of the model: `h`, `d`, `R`, `Q` and `p` (section 3.1)."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from distraction_gym.agents.common.symlog import two_hot_mean
from distraction_gym.agents.tdmpc2.encoder import PixelEncoder
from distraction_gym.agents.tdmpc2.layers import Ensemble, SimNorm, dense, mlp, start
from distraction_gym.agents.tdmpc2.prior import PolicyPrior
from distraction_gym.agents.tdmpc2.sizes import Sizes

BINS, LIMIT = 101, 10.0
"""Rewards and values are predicted over bins between -10 and 10, on the scale of `symlog`."""


class WorldModel(nn.Module):
    """Encoder, dynamics, reward, Q functions, policy prior; and where episodes end, if asked.

    Args:
        shape: Of the pictures, `(3k, H, W)`.
        actions: Numbers of an action.
        sizes: How large the networks are.
        shift: Largest random shift of pictures, in pixels.
        episodic: Predict terminations.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        actions: int,
        sizes: Sizes,
        shift: int = 3,
        episodic: bool = False,
    ) -> None:
        super().__init__()
        latent, units, group = sizes.latent_dim, sizes.mlp_dim, sizes.simnorm_dim
        self.encoder = PixelEncoder(shape, sizes.num_channels, latent, group, shift)
        hidden = dense(latent + actions, units), dense(units, units)
        self.dynamics = nn.Sequential(*hidden, dense(units, latent, SimNorm(group))).apply(start)
        self.reward = mlp(latent + actions, units, BINS, zero=True)
        self.termination = mlp(latent, units, 1) if episodic else None
        self.prior = PolicyPrior(latent, units, actions)
        self.critics = Ensemble(sizes.num_q, latent + actions, units, BINS)
        self.target_critics = copy.deepcopy(self.critics).requires_grad_(False)

    def train(self, mode: bool = True) -> WorldModel:
        """Set the mode of all but the target critics, which never drop anything."""
        super().train(mode)
        self.target_critics.eval()
        return self

    def next(self, z: Tensor, action: Tensor) -> Tensor:
        """Return latent states `(..., L)` after actions `(..., A)`."""
        made: Tensor = self.dynamics(torch.cat([z, action], dim=-1))
        return made

    def reward_logits(self, z: Tensor, action: Tensor) -> Tensor:
        """Return the reward's logits `(..., BINS)` for actions in latent states."""
        logits: Tensor = self.reward(torch.cat([z, action], dim=-1))
        return logits

    def rewards(self, z: Tensor, action: Tensor) -> Tensor:
        """Return expected rewards `(...)`."""
        return two_hot_mean(self.reward_logits(z, action), LIMIT)

    def termination_logits(self, z: Tensor) -> Tensor:
        """Return logits `(...)` of an episode's termination on arriving in latent states."""
        assert self.termination is not None
        logits: Tensor = self.termination(z)
        return logits.squeeze(-1)

    def value_logits(self, z: Tensor, action: Tensor) -> Tensor:
        """Return all Q functions' logits, `(num_q, ..., BINS)`."""
        everyone = torch.arange(self.critics.members, device=z.device)
        logits: Tensor = self.critics(torch.cat([z, action], dim=-1), everyone)
        return logits

    def all_values(self, z: Tensor, action: Tensor) -> Tensor:
        """Return the values `(num_q, ...)` that all Q functions expect."""
        return two_hot_mean(self.value_logits(z, action), LIMIT)

    def two_values(self, z: Tensor, action: Tensor, target: bool = False) -> Tensor:
        """Return the values `(2, ...)` that two Q functions, drawn at random, expect.

        Args:
            z: `(..., L)`.
            action: `(..., A)`.
            target: Ask those that follow slowly.
        """
        critics = self.target_critics if target else self.critics
        drawn = torch.randperm(critics.members, device=z.device)[:2]
        return two_hot_mean(critics(torch.cat([z, action], dim=-1), drawn), LIMIT)

    @torch.no_grad()
    def follow(self, rate: float) -> None:
        """Move the target critics towards the critics."""
        pairs = zip(self.target_critics.parameters(), self.critics.parameters(), strict=True)
        for slow, fast in pairs:
            slow.lerp_(fast, rate)
