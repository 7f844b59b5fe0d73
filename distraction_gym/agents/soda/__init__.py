"""SODA: generalization by soft data augmentation (arXiv 2011.13389)."""

from __future__ import annotations

import copy
from typing import Any, cast

import torch
import torch.nn.functional as F
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from stable_baselines3.common.utils import polyak_update
from torch import Tensor, nn

from distraction_gym.agents.common.auxiliary import AuxiliaryLosses
from distraction_gym.agents.common.encoders import initialize
from distraction_gym.agents.common.strong import StrongAugmentation
from distraction_gym.agents.common.visual_sac import Batch
from distraction_gym.agents.rad import RAD

__all__ = ["SODA", "NormalizedMLP"]


class NormalizedMLP(nn.Sequential):
    """Linear, BatchNorm, ReLU, linear.

    BatchNorm takes the batch's own statistics at all times, as it does in the official code.
    """

    def __init__(self, inward: int, size: int) -> None:
        norm = nn.BatchNorm1d(size, track_running_stats=False)
        super().__init__(nn.Linear(inward, size), norm, nn.ReLU(), nn.Linear(size, size))
        self.apply(initialize)


class SODA(AuxiliaryLosses, StrongAugmentation, RAD):
    """RAD whose trunk also learns to see through a strong augmentation.

    What it makes of an augmented crop shall tell what a slow copy of it makes of a clean one.
    Reinforcement learning itself never meets an augmented picture.

    Args:
        *args: As `RAD`.
        aux_lr: Adam's rate for that loss.
        soda_batch_size: Observations in a batch of its own.
        soda_tau: Rate at which the copy follows, after each step.
        **kwargs: As `RAD`, `StrongAugmentation` and `AuxiliaryLosses`.
    """

    def __init__(
        self,
        *args: Any,
        aux_lr: float = 3e-4,
        soda_batch_size: int = 256,
        soda_tau: float = 0.005,
        **kwargs: Any,
    ) -> None:
        self.soda_batch_size, self.soda_tau = soda_batch_size, soda_tau
        super().__init__(*args, aux_lr=aux_lr, **kwargs)

    def extra_modules(self) -> dict[str, nn.Module]:
        """Return projection and predictor, and the slow copies of trunk and projection."""
        size = self.policy.projection_dim
        projection = NormalizedMLP(self._trunk().features_dim, size)
        return {
            "projection": projection,
            "predictor": NormalizedMLP(size, size),
            "target_trunk": copy.deepcopy(self._trunk()).requires_grad_(False),
            "target_projection": copy.deepcopy(projection).requires_grad_(False),
        }

    def auxiliary_losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return the loss of two crops of a batch of its own, one of them augmented."""
        pictures = self.sample_pictures(self.soda_batch_size)
        augmented = self.augmentation(self.random_crop(pictures))
        return {"soda_loss": self.consistency(augmented, self.random_crop(pictures))}

    def consistency(self, augmented: Tensor, clean: Tensor) -> Tensor:
        """Return the mean squared difference, over all elements, of vectors of length 1.

        Args:
            augmented: Pictures `(B, 3k, H, W)`, 0-255, for trunk, projection and predictor.
            clean: The same not augmented, for the slow copy, which learns nothing here.
        """
        encoded = self.policy.encode(self.encode_inputs(augmented))
        predicted = self.extras["predictor"](self.extras["projection"](encoded))
        with torch.no_grad():
            trunk = cast(BaseFeaturesExtractor, self.extras["target_trunk"])
            aim = self.critic.extract_features(self.encode_inputs(clean), trunk)
            aim = self.extras["target_projection"](aim)
        return F.mse_loss(F.normalize(predicted, dim=1), F.normalize(aim, dim=1))

    def auxiliary_groups(self) -> list[dict[str, Any]]:
        """Have the loss train trunk, projection and predictor."""
        parts = self._trunk(), self.extras["projection"], self.extras["predictor"]
        return [{"params": part.parameters()} for part in parts]

    def after_auxiliary(self) -> None:
        """Move the slow copies."""
        pairs = (
            (self._trunk(), self.extras["target_trunk"]),
            (self.extras["projection"], self.extras["target_projection"]),
        )
        for online, target in pairs:
            polyak_update(online.parameters(), target.parameters(), self.soda_tau)

    def augmented_shape(self) -> tuple[int, ...]:
        """Return the shape of a crop."""
        return (*super().augmented_shape()[:1], self.random_crop.size, self.random_crop.size)

    def _trunk(self) -> BaseFeaturesExtractor:
        assert self.critic.features_extractor is not None
        return self.critic.features_extractor
