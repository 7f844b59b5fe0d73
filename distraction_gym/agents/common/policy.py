"""The policy of pixel SAC: one trunk for actor and critic, trained by the critic alone.

Two calls make up everything that the training loop needs: `encode` an observation once, then let
the actor and the critic read what came out.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, cast

import torch
from stable_baselines3.common.policies import ContinuousCritic
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor, NatureCNN
from stable_baselines3.common.type_aliases import PyTorchObs, Schedule
from stable_baselines3.sac.policies import Actor, SACPolicy
from torch import Tensor, nn

from distraction_gym.agents.common.encoders import PixelEncoder, Projection, initialize
from distraction_gym.agents.common.vit import ViTEncoder
from distraction_gym.registry import Registry

LOG_STD_MIN, LOG_STD_MAX = -10.0, 2.0

TRUNKS: Registry[type[BaseFeaturesExtractor]] = Registry("trunk")
"""Trunks that settings in text (presets, the command line) can name."""

for _name, _class in (("cnn", PixelEncoder), ("vit", ViTEncoder)):
    TRUNKS.add(_name, _class)


class PixelActor(Actor):
    """SB3's actor on trunk features: an own projection, an MLP, a squashed log-std.

    Whatever it is trained with, no gradient reaches the trunk (DMC-GB's code).
    """

    def __init__(self, *, projection_dim: int, features_dim: int, **kwargs: Any) -> None:
        super().__init__(features_dim=projection_dim, **kwargs)
        for head in (self.latent_pi, self.mu, self.log_std):
            cast(nn.Module, head).apply(initialize)
        self.projection = Projection(features_dim, projection_dim)

    def extract_features(
        self, obs: PyTorchObs, features_extractor: BaseFeaturesExtractor
    ) -> Tensor:
        """Encode observations with the shared trunk, as `(B, trunk features)`."""
        with torch.no_grad():
            return super().extract_features(obs, features_extractor)

    def get_action_dist_params(self, obs: PyTorchObs) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """Return mean and log-std of the Gaussian before tanh, each `(B, actions)`."""
        assert self.features_extractor is not None
        return (*self.read(self.extract_features(obs, self.features_extractor)), {})

    def read(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and log-std from trunk features, which are detached here."""
        latent = self.latent_pi(self.projection(features.detach()))
        squashed = torch.tanh(self.log_std(latent))  # type: ignore[operator]
        log_std = LOG_STD_MIN + 0.5 * (LOG_STD_MAX - LOG_STD_MIN) * (squashed + 1)
        return self.mu(latent), log_std


class PixelCritic(ContinuousCritic):
    """SB3's critic with a projection between its trunk and its Q networks."""

    def __init__(self, *, projection_dim: int, features_dim: int, **kwargs: Any) -> None:
        super().__init__(features_dim=projection_dim, **kwargs)
        for network in self.q_networks:
            network.apply(initialize)
        self.projection = Projection(features_dim, projection_dim)

    def forward(self, obs: Tensor, actions: Tensor) -> tuple[Tensor, ...]:
        """Return each head's Q value of observations, `(B, 1)`; gradients reach the trunk."""
        assert self.features_extractor is not None
        return self.read(self.extract_features(obs, self.features_extractor), actions)

    def read(self, features: Tensor, actions: Tensor) -> tuple[Tensor, ...]:
        """Return each head's Q value of trunk features, `(B, 1)`."""
        joined = torch.cat([self.projection(features), actions], dim=1)
        return tuple(network(joined) for network in self.q_networks)

    def encoder_parameters(self) -> list[nn.Parameter]:
        """Return trunk and projection, which the papers' target follows at a rate of its own."""
        assert self.features_extractor is not None
        return [*self.features_extractor.parameters(), *self.projection.parameters()]


class VisualSACPolicy(SACPolicy):
    """The networks of the papers' pixel SAC.

    Args:
        *args: As Stable-Baselines3's `SACPolicy`, whose keyword arguments are taken too.
        projection_dim: Size of the vector between the trunk and the MLPs.
        share_encoder: False builds SB3's own networks instead: two extractors, each trained by
            the loss of its owner, and no projection.
        **kwargs: `net_arch`, `features_extractor_class` (or a name in `TRUNKS`, such as `"vit"`),
            `features_extractor_kwargs`, ...
    """

    critic: ContinuousCritic
    _PAPERS: ClassVar[dict[str, Any]] = {
        "net_arch": [1024, 1024],
        "features_extractor_class": PixelEncoder,
    }

    def __init__(
        self, *args: Any, projection_dim: int = 100, share_encoder: bool = True, **kwargs: Any
    ) -> None:
        self.projection_dim = projection_dim
        self.share_encoder = share_encoder
        self.input_hook: Callable[[Tensor], Tensor] | None = None
        defaults = self._PAPERS if share_encoder else {"features_extractor_class": NatureCNN}
        trunk = kwargs.get("features_extractor_class")
        if isinstance(trunk, str):
            kwargs["features_extractor_class"] = TRUNKS[trunk]
        super().__init__(*args, **{**defaults, **kwargs})

    def _build(self, lr_schedule: Schedule) -> None:
        if not self.share_encoder:
            super()._build(lr_schedule)
            return
        self.critic = self.make_critic()
        self.critic_target = self.make_target()
        self.critic_target.load_state_dict(self.critic.state_dict())
        self.critic_target.set_training_mode(False)
        self.actor = self.make_actor(self.critic.features_extractor)
        own = [p for name, p in self.actor.named_parameters() if "features_extractor" not in name]
        rate = lr_schedule(1)
        optimizer = cast(Any, self.optimizer_class)
        self.actor.optimizer = optimizer(own, lr=rate, **self.optimizer_kwargs)
        critic = self.critic.parameters()
        self.critic.optimizer = optimizer(critic, lr=rate, **self.optimizer_kwargs)

    def make_actor(self, features_extractor: BaseFeaturesExtractor | None = None) -> Actor:
        """Build the actor on a trunk that belongs to the critic."""
        if not self.share_encoder:
            return super().make_actor(features_extractor)
        kwargs = self._update_features_extractor(self.actor_kwargs, features_extractor)
        return PixelActor(projection_dim=self.projection_dim, **kwargs).to(self.device)

    def make_critic(
        self, features_extractor: BaseFeaturesExtractor | None = None
    ) -> ContinuousCritic:
        """Build a critic with a trunk of its own."""
        if not self.share_encoder:
            return super().make_critic(features_extractor)
        kwargs = self._update_features_extractor(self.critic_kwargs, features_extractor)
        return PixelCritic(projection_dim=self.projection_dim, **kwargs).to(self.device)

    def make_target(self) -> ContinuousCritic:
        """Build the critic that follows the other."""
        return self.make_critic()

    def _predict(self, observation: PyTorchObs, deterministic: bool = False) -> Tensor:
        if self.input_hook is not None:
            observation = self.input_hook(cast(Tensor, observation).float())
        return self.actor(observation, deterministic)

    def encode(self, obs: Tensor, target: bool = False) -> Tensor:
        """Return what both heads read: the trunk's features, or `obs` where no trunk is shared.

        Args:
            obs: Float pictures `(B, C, H, W)`, 0-255.
            target: Use the target critic's trunk.
        """
        if not self.share_encoder:
            return obs
        critic = self.critic_target if target else self.critic
        assert critic.features_extractor is not None
        return critic.extract_features(obs, critic.features_extractor)

    def act(self, encoded: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Sample actions `(B, A)` in [-1, 1] and their log-probabilities `(B, 1)`.

        Args:
            encoded: What `encode` returned; no gradient reaches a shared trunk.
            noise: Standard normal, `(B, A)`.
        """
        if self.share_encoder:
            mean, log_std = cast(PixelActor, self.actor).read(encoded)
        else:
            mean, log_std, _ = self.actor.get_action_dist_params(encoded)
        distribution = cast(Any, self.actor.action_dist).proba_distribution(mean, log_std)
        gaussian = mean + noise * log_std.exp()
        actions = torch.tanh(gaussian)
        return actions, distribution.log_prob(actions, gaussian).reshape(-1, 1)

    def q_values(self, encoded: Tensor, actions: Tensor, target: bool = False) -> Tensor:
        """Return the Q values of all heads, `(B, heads)`."""
        critic = self.critic_target if target else self.critic
        if self.share_encoder:
            return torch.cat(cast(PixelCritic, critic).read(encoded, actions), dim=1)
        return torch.cat(critic(encoded, actions), dim=1)
