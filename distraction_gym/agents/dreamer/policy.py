"""World model, actor and critic, and what they remember from step to step."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from gymnasium import spaces
from stable_baselines3.common.type_aliases import Schedule
from torch import Tensor

from distraction_gym.agents.common.remembering import RememberingPolicy
from distraction_gym.agents.dreamer.behavior import Behavior
from distraction_gym.agents.dreamer.rssm import State
from distraction_gym.agents.dreamer.sizes import Sizes
from distraction_gym.agents.dreamer.world_model import WorldModel, as_pictures


class Memory(NamedTuple):
    """What acting remembers of each environment; `predict` hands it out as numpy arrays."""

    deter: Any
    """`(n, deter)` float32."""
    stoch: Any
    """`(n, stoch, classes)` float32."""
    action: Any
    """The last action, `(n, A)` in [-1, 1]."""


class DreamerPolicy(RememberingPolicy):
    """World model, actor and critic, and how they act.

    Args:
        observation_space: uint8 `(3k, H, W)`, square; the newest frame is looked at.
        action_space: A `Box`.
        lr_schedule: Accepted for Stable-Baselines3's sake: the agent has the optimizers.
        world_model_class: A `WorldModel`.
        world_model_kwargs: Its further arguments.
        behavior_kwargs: Further arguments of `Behavior`.
        **sizes: Fields of `Sizes`: `deter`, `stoch`, `classes`, `hidden`, `depth`, `units`,
            `layers`.
    """

    def __init__(
        self,
        observation_space: spaces.Space,
        action_space: spaces.Box,
        lr_schedule: Schedule,
        *,
        world_model_class: type[WorldModel] = WorldModel,
        world_model_kwargs: dict[str, Any] | None = None,
        behavior_kwargs: dict[str, Any] | None = None,
        **sizes: int,
    ) -> None:
        super().__init__(observation_space, action_space, normalize_images=False)
        self.lr_schedule = lr_schedule
        self.built_with = {
            "world_model_class": world_model_class,
            "world_model_kwargs": world_model_kwargs or {},
            "behavior_kwargs": behavior_kwargs or {},
            **sizes,
        }
        actions, measures = spaces.flatdim(action_space), Sizes(**sizes)
        assert observation_space.shape is not None
        self.world_model = world_model_class(
            observation_space.shape[-1], actions, measures, **(world_model_kwargs or {})
        )
        self.behavior = Behavior(
            self.world_model.features, actions, measures, **(behavior_kwargs or {})
        )

    def _get_constructor_parameters(self) -> dict[str, Any]:
        spaces_only = super()._get_constructor_parameters()
        del spaces_only["normalize_images"]
        return {**spaces_only, "lr_schedule": self.lr_schedule, **self.built_with}

    def remember(self, batch: int) -> Memory:
        """Return the memory of environments that have just begun, as tensors."""
        state = self.world_model.rssm.initial(batch)
        actions = spaces.flatdim(self.action_space)
        return Memory(*state, torch.zeros(batch, actions, device=self.device))

    def look(self, obs: Tensor, memory: Memory, first: Tensor) -> State:
        """Return the state after one more picture.

        Args:
            obs: `(n, 3k, H, W)`, values 0-255.
            memory: Tensors.
            first: `(n,)` 1 where the picture is an episode's first, else 0.
        """
        embed = self.world_model.encoder(as_pictures(obs[:, -3:], memory.deter))
        state = State(memory.deter, memory.stoch)
        return self.world_model.rssm.observe_one(state, memory.action, first, embed)

    def act(
        self, obs: Tensor, memory: Memory, first: Tensor, deterministic: bool = False
    ) -> Memory:
        """Look at a picture and choose an action, the new memory's `action`; as `look`.

        The state is drawn either way; `deterministic` takes the mean of the actor's distribution.
        """
        state = self.look(obs, memory, first)
        policy = self.behavior.actor.distribution(state.features)
        return Memory(*state, policy.mean if deterministic else policy.sample())
