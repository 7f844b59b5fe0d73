"""DreamerPro's world model: states that tell which prototypes a picture belongs to."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from distraction_gym.agents.dreamer import Learned, Sequences, WorldModel
from distraction_gym.agents.dreamer.layers import start_uniform
from distraction_gym.agents.dreamer.world_model import latent_notes
from distraction_gym.agents.dreamerpro.prototypes import Prototypes, cross_entropy, sinkhorn

WARM_UP = 1
"""First steps of a sequence that are assigned to nothing: little is known there."""


@dataclass(frozen=True)
class Prototyping:
    """How prototypes are used; see `DreamerPro`."""

    prototypes: int
    projection: int
    temperature: float
    sinkhorn_epsilon: float
    sinkhorn_iterations: int
    norm_scale: float
    reward_scale: float
    slow_rate: float
    freeze_updates: int


class ProWorld(WorldModel):
    """A world model without decoder.

    Its batches hold two views of each sequence, as `shifting.two_views` makes them.

    Args:
        *args: As `WorldModel`.
        prototyping: Fields of `Prototyping`.
        **kwargs: As `WorldModel`.
    """

    updates: Tensor

    def __init__(self, *args: Any, prototyping: dict[str, Any], **kwargs: Any) -> None:
        self.prototyping = Prototyping(**prototyping)
        super().__init__(*args, **kwargs)
        self.register_buffer("updates", torch.zeros((), dtype=torch.int64))

    def make_decoder(self) -> None:
        """Return none."""

    def extra_modules(self) -> dict[str, nn.Module]:
        """Add prototypes, projections to them, and the copies that follow slowly."""
        size = self.prototyping.projection
        picture = nn.Linear(self.encoder.size, size)
        state = nn.Linear(self.features, size)
        for layer in (picture, state):
            start_uniform(layer, 1.0)
        return {
            "prototypes": Prototypes(self.prototyping.prototypes, size),
            "picture_projection": picture,
            "state_projection": state,
            "slow_encoder": copy.deepcopy(self.encoder).requires_grad_(False),
            "slow_projection": copy.deepcopy(picture).requires_grad_(False),
        }

    def learn(self, batch: Sequences) -> Learned:
        """Return the losses of two views, and the states of both."""
        embed = self.encoder(self.pictures(batch))
        states, posterior, prior = self.rssm.observe(batch.action, batch.first, embed)
        features = states.features
        losses = {
            **self.prototype_losses(batch, embed, features),
            **self.reward_loss(batch, features),
            **self.continue_loss(batch, features),
            **self.kl_loss(posterior, prior),
        }
        return Learned(losses, states, latent_notes(posterior, prior))

    def prototype_losses(
        self, batch: Sequences, embed: Tensor, features: Tensor
    ) -> dict[str, Tensor]:
        """Return what assigns pictures and states to prototypes.

        Args:
            batch: `2B` sequences, the views of a batch one after the other.
            embed: `(2B, T, embed)` what the encoder makes of them.
            features: `(2B, T, F)` of the states.

        Returns:
            `swav_loss`: the encoder's assignments against those of the other view;
            `temporal_loss`: the states' against those of their own view;
            `norm_loss`: projections have length 1.
        """
        how, parts = self.prototyping, self.extras
        parts["prototypes"].renew()  # type: ignore[operator]
        targets = self.targets(batch)
        crossed = targets.roll(len(targets) // 2, dims=0)
        seen, believed = parts["picture_projection"](embed), parts["state_projection"](features)
        lengths = [(each.norm(dim=-1) - 1).square().mean() for each in (seen, believed)]
        swav, temporal = self.scores(seen), self.scores(believed)
        return {
            "swav_loss": cross_entropy(crossed, swav, how.temperature),
            "temporal_loss": cross_entropy(targets, temporal, how.temperature),
            "norm_loss": how.norm_scale * (lengths[0] + lengths[1]),
        }

    def scores(self, projected: Tensor) -> Tensor:
        """Return how near projections `(2B, T, P)` are to prototypes: `(2B, T - 1, count)`."""
        frozen = bool(self.updates < self.prototyping.freeze_updates)
        units = F.normalize(projected[:, WARM_UP:], dim=-1)
        near: Tensor = self.extras["prototypes"](units, fixed=frozen)
        return near

    @torch.no_grad()
    def targets(self, batch: Sequences) -> Tensor:
        """Assign pictures to prototypes as the slow copies see them: `(2B, T - 1, count)`.

        Each view is shared out over the prototypes by itself.
        """
        how, parts = self.prototyping, self.extras
        slow = parts["slow_projection"](parts["slow_encoder"](self.pictures(batch)))
        views = self.scores(slow).chunk(2)
        spread = [sinkhorn(v, how.sinkhorn_epsilon, how.sinkhorn_iterations) for v in views]
        return torch.cat(spread)

    def reward_loss(self, batch: Sequences, features: Tensor) -> dict[str, Tensor]:
        """Weigh it."""
        scale = self.prototyping.reward_scale
        return {name: scale * loss for name, loss in super().reward_loss(batch, features).items()}

    @torch.no_grad()
    def follow(self) -> None:
        """Move the slow copies towards what they copy, after an update; at first all the way."""
        rate = self.prototyping.slow_rate if self.updates else 1.0
        pairs = {
            "slow_encoder": self.encoder,
            "slow_projection": self.extras["picture_projection"],
        }
        for name, fast in pairs.items():
            both = zip(self.extras[name].parameters(), fast.parameters(), strict=True)
            for slow, weight in both:
                slow.lerp_(weight, rate)
        self.updates += 1
