"""PAD: self-supervised policy adaptation during deployment (arXiv 2007.04309)."""

from __future__ import annotations

from typing import Any, cast

import torch
import torch.nn.functional as F
from gymnasium import spaces
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from torch import Tensor, nn

from distraction_gym.agents.common.augmentations import center_crop
from distraction_gym.agents.common.auxiliary import AuxiliaryLosses
from distraction_gym.agents.common.encoders import PixelEncoder
from distraction_gym.agents.common.visual_sac import Batch
from distraction_gym.agents.pad.adaptation import Adaptation
from distraction_gym.agents.pad.inverse import InverseDynamics, split
from distraction_gym.agents.rad import RAD

__all__ = ["PAD", "Adaptation", "InverseDynamics"]


class PAD(AuxiliaryLosses, RAD):
    """RAD whose trunk also learns inverse dynamics, in training and where it is deployed.

    The last layers of the trunk are reinforcement learning's own; the ones before are shared.
    `predict` acts without adapting, `adapter()` is the agent that adapts.

    Args:
        *args: As `RAD`, with a `PixelEncoder` for a trunk.
        head_layers: Layers of the trunk that are not shared: 3 of 11 in the paper.
        inverse_units: Units of each hidden layer that predicts actions.
        adapt_steps: Gradient steps after each step of a test episode; 0 for none.
        adapt_batch_size: Random crops in each of them.
        **kwargs: As `RAD` and `AuxiliaryLosses`; `aux_lr` is the rate of adaptation too.

    Raises:
        ValueError: if the trunk has no more than `head_layers` layers.
    """

    def __init__(
        self,
        *args: Any,
        head_layers: int = 3,
        inverse_units: int = 1024,
        adapt_steps: int = 1,
        adapt_batch_size: int = 32,
        **kwargs: Any,
    ) -> None:
        self.head_layers, self.inverse_units = head_layers, inverse_units
        self.adapt_steps, self.adapt_batch_size = adapt_steps, adapt_batch_size
        super().__init__(*args, **kwargs)

    def extra_modules(self) -> dict[str, nn.Module]:
        """Return the branch that predicts actions."""
        trunk = self._trunk()
        _, head = split(trunk, self.head_layers)
        actions = spaces.flatdim(self.action_space)
        sizes = trunk.features_dim, self.policy.projection_dim, self.inverse_units, actions
        return {"inverse": InverseDynamics(head, *sizes)}

    def auxiliary_losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return the error of the actions predicted from the batch's crops."""
        inverse = cast(InverseDynamics, self.extras["inverse"])
        pictures = batch.obs, batch.next_obs
        return {"inverse_loss": self.inverse_error(self._trunk(), inverse, *pictures, batch.action)}

    def inverse_error(
        self,
        trunk: PixelEncoder,
        inverse: InverseDynamics,
        obs: Tensor,
        next_obs: Tensor,
        action: Tensor,
    ) -> Tensor:
        """Return the mean squared error, over all elements, of predicted actions.

        Args:
            trunk: Its first layers are shared; the model's own, or a copy of it.
            inverse: What predicts, the model's own or a copy of it.
            obs: Pictures `(B, 3k, H, W)`, 0-255; of larger ones than crops the middle is read.
            next_obs: The same of what followed, cropped on their own.
            action: `(B, A)` in [-1, 1].
        """
        shared, _ = split(trunk, self.head_layers)
        pictures = self.encode_inputs(torch.cat([obs, next_obs]))
        pictures = center_crop(pictures, self.random_crop.size)
        # `extract_features` normalises and calls, whatever it is given.
        maps = self.critic.extract_features(pictures, cast(BaseFeaturesExtractor, shared))
        return F.mse_loss(inverse(*maps.chunk(2)), action)

    def auxiliary_groups(self) -> list[dict[str, Any]]:
        """Have the loss train the shared layers and the branch of its own."""
        shared, _ = split(self._trunk(), self.head_layers)
        return [{"params": part.parameters()} for part in (shared, self.extras["inverse"])]

    def adapter(self, seed: int = 0) -> Adaptation:
        """Return an agent for one test episode that learns from each of its steps."""
        return Adaptation(self, seed)

    def _trunk(self) -> PixelEncoder:
        assert isinstance(self.critic.features_extractor, PixelEncoder)
        return self.critic.features_extractor
