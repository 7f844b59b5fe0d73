"""The policy of DrQ-v2: a deterministic actor with noise whose size the algorithm schedules."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from stable_baselines3.common.policies import ContinuousCritic
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from stable_baselines3.common.type_aliases import PyTorchObs
from stable_baselines3.td3.policies import Actor
from torch import Tensor

from distraction_gym.agents.common.encoders import DrQv2Encoder, Projection, initialize
from distraction_gym.agents.common.policy import VisualSACPolicy

_INSIDE = 1.0 - 1e-6  # actions stay within it, as in the official code
_ACTOR_TAKES = (
    *("observation_space", "action_space", "net_arch", "activation_fn", "normalize_images"),
    *("features_extractor", "features_dim"),
)


class NoisyActor(Actor):
    """SB3's deterministic actor on trunk features, with an own projection and normal noise.

    No gradient reaches the trunk. Source: DrQ-v2's official code (arXiv 2107.09645).
    """

    std: Tensor
    """Standard deviation of the noise, set by the algorithm at every step; saved with the model."""

    def __init__(self, *, projection_dim: int, features_dim: int, **kwargs: Any) -> None:
        super().__init__(features_dim=projection_dim, **kwargs)
        self.mu.apply(initialize)
        self.projection = Projection(features_dim, projection_dim)
        self.register_buffer("std", torch.tensor(1.0))

    def forward(self, obs: Tensor, deterministic: bool = True) -> Tensor:
        """Return actions `(B, A)` in [-1, 1] of observations."""
        assert self.features_extractor is not None
        mean = self.read(self.extract_features(obs, self.features_extractor))
        if deterministic:
            return mean
        return (mean + self.std * torch.randn_like(mean)).clamp(-_INSIDE, _INSIDE)

    def extract_features(
        self, obs: PyTorchObs, features_extractor: BaseFeaturesExtractor
    ) -> Tensor:
        """Encode observations with the shared trunk, as `(B, trunk features)`."""
        with torch.no_grad():
            return super().extract_features(obs, features_extractor)

    def read(self, features: Tensor) -> Tensor:
        """Return the mean action `(B, A)` from trunk features, which are detached here."""
        return self.mu(self.projection(features.detach()))


class VisualDDPGPolicy(VisualSACPolicy):
    """The networks of DrQ-v2: its trunk, 50 features, 1024-1024 heads, no target trunk.

    Args:
        *args: As `VisualSACPolicy`.
        projection_dim: Size of the vector between the trunk and the MLPs.
        noise_clip: Largest noise on actions within an update.
        **kwargs: As `VisualSACPolicy`.
    """

    _PAPERS: ClassVar[dict[str, Any]] = {
        "net_arch": [1024, 1024],
        "features_extractor_class": DrQv2Encoder,
    }
    actor: NoisyActor  # type: ignore[assignment]

    def __init__(
        self, *args: Any, projection_dim: int = 50, noise_clip: float = 0.3, **kwargs: Any
    ) -> None:
        self.noise_clip = noise_clip
        super().__init__(*args, projection_dim=projection_dim, **kwargs)

    def make_actor(  # type: ignore[override]
        self, features_extractor: BaseFeaturesExtractor | None = None
    ) -> NoisyActor:
        """Build the actor on a trunk that belongs to the critic."""
        kwargs = self._update_features_extractor(self.actor_kwargs, features_extractor)
        own = {name: kwargs[name] for name in _ACTOR_TAKES}
        return NoisyActor(projection_dim=self.projection_dim, **own).to(self.device)

    def make_target(self) -> ContinuousCritic:
        """Build the target on the online trunk: only its heads and projection follow."""
        return self.make_critic(self.critic.features_extractor)

    def act(self, encoded: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Return actions `(B, A)` with clipped noise, and no log-probabilities: zeros `(B, 1)`.

        Args:
            encoded: What `encode` returned; no gradient reaches the trunk.
            noise: Standard normal, `(B, A)`.
        """
        drawn = (noise * self.actor.std).clamp(-self.noise_clip, self.noise_clip)
        action = self.actor.read(encoded) + drawn
        # Clamped, with the gradient of the unclamped value (the official code's `_clamp`).
        action = action + (action.clamp(-_INSIDE, _INSIDE) - action).detach()
        return action, torch.zeros_like(action[:, :1])
