"""The model as a policy of Stable-Baselines3, which plans every action."""

from __future__ import annotations

from typing import Any

import torch
from gymnasium import spaces
from stable_baselines3.common.type_aliases import Schedule
from torch import Tensor

from distraction_gym.agents.common.remembering import RememberingPolicy
from distraction_gym.agents.tdmpc2.planning import Plan, Planning, moved_on, plan
from distraction_gym.agents.tdmpc2.scale import RunningScale
from distraction_gym.agents.tdmpc2.sizes import Sizes
from distraction_gym.agents.tdmpc2.world_model import WorldModel


class TDMPC2Policy(RememberingPolicy):
    """Plans with the model; what it remembers is the plan it made last.

    Args:
        observation_space: uint8 `(3k, H, W)`.
        action_space: A `Box`.
        lr_schedule: Accepted for Stable-Baselines3's sake: the agent has the optimizers.
        gamma: Discount.
        planning: Fields of `Planning`.
        model: Further arguments of `WorldModel`.
        **sizes: Fields of `Sizes`: `latent_dim`, `mlp_dim`, `num_channels`, `num_q`, `simnorm_dim`.
    """

    def __init__(
        self,
        observation_space: spaces.Space,
        action_space: spaces.Box,
        lr_schedule: Schedule,
        *,
        gamma: float = 0.99,
        planning: dict[str, Any] | None = None,
        model: dict[str, Any] | None = None,
        **sizes: int,
    ) -> None:
        super().__init__(observation_space, action_space, normalize_images=False)
        self.built_with = {
            **{"lr_schedule": lr_schedule, "gamma": gamma},
            **{"planning": planning, "model": model},
            **sizes,
        }
        assert observation_space.shape is not None
        self.gamma, self.planning = gamma, Planning(**(planning or {}))
        self.world_model = WorldModel(
            observation_space.shape, spaces.flatdim(action_space), Sizes(**sizes), **(model or {})
        )
        self.scale = RunningScale()

    def _get_constructor_parameters(self) -> dict[str, Any]:
        spaces_only = super()._get_constructor_parameters()
        del spaces_only["normalize_images"]
        return {**spaces_only, **self.built_with}

    def remember(self, batch: int) -> Plan:
        """Return the plan of environments that have just begun, as tensors: all zeros."""
        actions = spaces.flatdim(self.action_space)
        nothing = torch.zeros(batch, self.planning.horizon, actions, device=self.device)
        return Plan(nothing, nothing[:, 0])

    def act(self, obs: Tensor, memory: Plan, first: Tensor, deterministic: bool = False) -> Plan:
        """Plan from pictures, starting from the last plan; as `RememberingPolicy.act`."""
        z = self.world_model.encoder(obs)
        mean = moved_on(memory.mean, first)
        return plan(self.world_model, z, mean, self.planning, self.gamma, deterministic)
