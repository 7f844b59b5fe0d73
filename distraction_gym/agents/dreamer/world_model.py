"""The world model: what it sees, what it predicts, and its losses (DreamerV3, equations 3-5)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor, nn

from distraction_gym.agents.dreamer.distributions import balanced_kl, entropy, kl_divergence
from distraction_gym.agents.dreamer.heads import ContinueHead, TwoHotHead
from distraction_gym.agents.dreamer.pictures import Decoder, Encoder
from distraction_gym.agents.dreamer.rssm import RSSM, State
from distraction_gym.agents.dreamer.sizes import Sizes


@dataclass(frozen=True)
class Sequences:
    """Steps in a row, `(B, T, ...)`. The action at t led to the image at t; the reward came along.

    At an episode's first step there was neither: both are 0.
    """

    image: Tensor
    """uint8 `(B, T, 3, H, W)`: the newest frame of each observation."""
    action: Tensor
    """`(B, T, A)` in [-1, 1]."""
    reward: Tensor
    """`(B, T)`."""
    first: Tensor
    """`(B, T)` float: 1 where a sequence begins or another episode is joined to it, else 0."""
    terminal: Tensor
    """`(B, T)` float: 1 where the episode terminated, never at a time limit."""
    extras: dict[str, Tensor] = field(default_factory=dict)
    """What else was stored with each image, by name, `(B, T, ...)`. The encoder never sees it."""

    def map(self, change: Callable[[Tensor], Tensor]) -> Sequences:
        """Return the sequences with every tensor changed in the same way."""
        return Sequences(
            change(self.image),
            change(self.action),
            change(self.reward),
            change(self.first),
            change(self.terminal),
            {name: change(value) for name, value in self.extras.items()},
        )


class Learned(NamedTuple):
    """What one pass over a batch gives."""

    losses: dict[str, Tensor]
    """Weighted scalars; their sum trains the world model."""
    states: State
    """Posterior states `(B, T, ...)`, from which imagination starts."""
    notes: dict[str, Tensor]
    """Scalars to log beside the losses."""


class WorldModel(nn.Module):
    """Encoder, RSSM, decoder, reward and continuation; a variant overrides the hooks it changes.

    Args:
        side: Height and width of the pictures.
        actions: Numbers of an action.
        sizes: How large the networks are.
        free_nats: KL that costs nothing, for each step.
        dyn_scale: Weight of the loss that moves the prior.
        rep_scale: Weight of the loss that moves the posterior.
    """

    def __init__(
        self,
        side: int,
        actions: int,
        sizes: Sizes,
        *,
        free_nats: float = 1.0,
        dyn_scale: float = 0.5,
        rep_scale: float = 0.1,
    ) -> None:
        super().__init__()
        self.side, self.actions, self.sizes = side, actions, sizes
        self.free_nats, self.dyn_scale, self.rep_scale = free_nats, dyn_scale, rep_scale
        self.encoder = Encoder(side, sizes.depth)
        self.rssm = RSSM(
            actions, self.encoder.size, sizes.deter, sizes.stoch, sizes.classes, sizes.hidden
        )
        self.features = self.rssm.features
        self.reward = TwoHotHead(self.features, sizes.units, sizes.layers)
        self.goes_on = ContinueHead(self.features, sizes.units, sizes.layers)
        decoder = self.make_decoder()
        if decoder is not None:
            self.decoder = decoder
        self.extras = nn.ModuleDict(self.extra_modules())

    # Hooks: what a variant may change.

    def make_decoder(self) -> nn.Module | None:
        """Return what makes pictures `(..., 3, H, W)` in [0, 1] of features, or None."""
        return Decoder(self.features, self.side, self.sizes.depth)

    def extra_modules(self) -> dict[str, nn.Module]:
        """Return the variant's own networks by name, `self.extras[name]` from then on."""
        return {}

    def target(self, batch: Sequences) -> Tensor:
        """Return the pictures that the decoder is to make, `(B, T, 3, H, W)` in [0, 1]."""
        return self.pictures(batch)

    def image_loss(self, batch: Sequences, features: Tensor) -> dict[str, Tensor]:
        """Return what teaches features `(B, T, F)` to describe pictures, as weighted scalars.

        Here the decoder's squared error, summed over pixels and colours: no half, no mean.
        """
        return {"image_loss": pixel_error(self.decoder(features), self.target(batch)).mean()}

    def kl_loss(self, posterior: Tensor, prior: Tensor) -> dict[str, Tensor]:
        """Return what draws prior and posterior together, as weighted scalars.

        Both are log-probabilities `(B, T, stoch, classes)`.
        """
        return balanced_kl(posterior, prior, self.free_nats, self.dyn_scale, self.rep_scale)

    def reward_loss(self, batch: Sequences, features: Tensor) -> dict[str, Tensor]:
        """Return what teaches the reward head, as weighted scalars."""
        return {"reward_loss": self.reward.loss(features, batch.reward).mean()}

    def continue_loss(self, batch: Sequences, features: Tensor) -> dict[str, Tensor]:
        """Return what teaches the continuation head, as weighted scalars."""
        return {"continue_loss": self.goes_on.loss(features, 1 - batch.terminal).mean()}

    def learn(self, batch: Sequences) -> Learned:
        """Return the losses of a batch, and the states that it passes through."""
        states, posterior, prior = self.observe(batch)
        features = states.features
        losses = {
            **self.image_loss(batch, features),
            **self.reward_loss(batch, features),
            **self.continue_loss(batch, features),
            **self.kl_loss(posterior, prior),
        }
        return Learned(losses, states, latent_notes(posterior, prior))

    # Parts for hooks.

    def pictures(self, batch: Sequences) -> Tensor:
        """Return a batch's images as floats in [0, 1], `(B, T, 3, H, W)`."""
        return as_pictures(batch.image, batch.action)

    def observe(self, batch: Sequences) -> tuple[State, Tensor, Tensor]:
        """Follow a batch: states, and log-probabilities of posterior and prior (`RSSM.observe`)."""
        embed = self.encoder(self.pictures(batch))
        return self.rssm.observe(batch.action, batch.first, embed)


@torch.no_grad()
def latent_notes(posterior: Tensor, prior: Tensor) -> dict[str, Tensor]:
    """Return what to log of log-probabilities `(B, T, stoch, classes)`: KL and entropies, nats."""
    return {
        "kl": kl_divergence(posterior, prior).mean(),
        "prior_entropy": entropy(prior).mean(),
        "posterior_entropy": entropy(posterior).mean(),
    }


def as_pictures(image: Tensor, like: Tensor) -> Tensor:
    """Return images 0-255 as floats in [0, 1], of the type of `like`."""
    return image.to(like.dtype) / 255.0


def pixel_error(made: Tensor, target: Tensor) -> Tensor:
    """Return the squared error of pictures `(..., C, H, W)`, summed over their values: `(...)`."""
    return (made - target).square().sum(dim=(-3, -2, -1))
