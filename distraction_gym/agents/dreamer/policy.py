"""Acting with a memory: `predict` hands on what the model believes from step to step."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from gymnasium import spaces
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.type_aliases import PyTorchObs, Schedule
from torch import Tensor

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


class DreamerPolicy(BasePolicy):
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

    def predict(
        self,
        observation: npt.NDArray[Any] | dict[str, npt.NDArray[Any]],
        state: tuple[npt.NDArray[Any], ...] | None = None,
        episode_start: npt.NDArray[Any] | None = None,
        deterministic: bool = False,
    ) -> tuple[npt.NDArray[Any], tuple[npt.NDArray[Any], ...] | None]:
        """Choose actions, and return them with the memory that the next call must be given.

        Args:
            observation: One observation, or one of each environment.
            state: What the call before returned; None at the beginning of episodes.
            episode_start: `(n,)` True where an observation is an episode's first: what was
                remembered of that environment is forgotten.
            deterministic: Take the mean of the actor's distribution.

        Raises:
            ValueError: for a memory of another number of environments.
        """
        self.set_training_mode(False)
        obs, vectorized = self.obs_to_tensor(observation)
        assert isinstance(obs, Tensor)
        with torch.no_grad():
            memory = self.recall(state, len(obs))
            starts = np.zeros(len(obs)) if episode_start is None else np.asarray(episode_start)
            first = torch.as_tensor(starts, dtype=torch.float32, device=self.device).reshape(-1)
            memory = self.act(obs, memory, first, deterministic)
        arrays = tuple(part.cpu().numpy() for part in memory)
        actions = np.asarray(self.unscale_action(arrays[-1].reshape(-1, *self.action_space.shape)))  # type: ignore[misc]
        return (actions if vectorized else actions[0]), arrays

    def recall(self, state: tuple[npt.NDArray[Any], ...] | None, batch: int) -> Memory:
        """Return a memory as tensors; None is that of environments that have just begun."""
        fresh = self.remember(batch)
        if state is None:
            return fresh
        shapes = [tuple(part.shape) for part in fresh]
        if [np.shape(part) for part in state] != shapes:
            raise ValueError(
                f"state has arrays of shape {[np.shape(part) for part in state]}, expected "
                f"{shapes} for {batch} environments: pass what predict returned, or None when "
                "episodes begin"
            )
        return Memory(*(torch.as_tensor(part, device=self.device) for part in state))

    def _predict(self, observation: PyTorchObs, deterministic: bool = False) -> Tensor:
        assert isinstance(observation, Tensor)
        first = torch.ones(len(observation), device=self.device)
        return self.act(observation, self.remember(len(observation)), first, deterministic).action
