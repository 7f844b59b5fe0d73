"""Acting with a memory: `predict` hands on what was remembered from step to step."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.type_aliases import PyTorchObs
from torch import Tensor

from distraction_gym.agents.common.failing import FailureMixin

Arrays = dict[str, npt.NDArray[Any]]
NOT_HERE = frozenset(
    (
        *("action_noise", "gradient_steps", "n_steps", "replay_buffer_class", "train_freq"),
        *("sde_sample_freq", "use_sde", "use_sde_at_warmup"),
    )
)
"""Settings of Stable-Baselines3's off-policy algorithms that mean nothing to a world model."""


class RememberingPolicy(BasePolicy):
    """A policy that remembers.

    A memory is a NamedTuple of arrays with a row for each environment. Its last field, `action`, is
    what was chosen, `(n, A)` in [-1, 1].
    """

    def remember(self, batch: int) -> Any:
        """Return the memory of environments that have just begun, as tensors."""
        raise NotImplementedError

    def act(self, obs: Tensor, memory: Any, first: Tensor, deterministic: bool = False) -> Any:
        """Look at a picture and choose an action, the `action` of the memory that is returned.

        Args:
            obs: `(n, 3k, H, W)`, values 0-255.
            memory: Tensors.
            first: `(n,)` 1 where the picture is an episode's first, else 0.
            deterministic: Choose without exploring.
        """
        raise NotImplementedError

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
            deterministic: Choose without exploring.

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

    def recall(self, state: tuple[npt.NDArray[Any], ...] | None, batch: int) -> Any:
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
        return type(fresh)(*(torch.as_tensor(part, device=self.device) for part in state))

    def _predict(self, observation: PyTorchObs, deterministic: bool = False) -> Tensor:
        assert isinstance(observation, Tensor)
        first = torch.ones(len(observation), device=self.device)
        memory = self.act(observation, self.remember(len(observation)), first, deterministic)
        action: Tensor = memory.action
        return action


def check_settings(agent: type, others: Iterable[str]) -> None:
    """Check that settings which an agent hands on to Stable-Baselines3 mean something.

    Raises:
        TypeError: for one that does not.
    """
    refused = sorted(NOT_HERE.intersection(others))
    if refused:
        raise TypeError(
            f"{agent.__name__} has no {', '.join(refused)}: how it explores, stores and updates is "
            "its own"
        )


class Remembering(FailureMixin):
    """An algorithm whose policy remembers while it collects steps, too."""

    SESSION_ARRAYS: ClassVar[tuple[str, ...]] = ("_last_memory",)
    """What a checkpoint keeps of the middle of an episode, beside Stable-Baselines3's own."""

    policy: RememberingPolicy
    _last_memory: Arrays | None = None

    def _sample_action(
        self, learning_starts: int, action_noise: Any = None, n_envs: int = 1
    ) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
        if self.num_timesteps < learning_starts:
            return super()._sample_action(learning_starts, action_noise, n_envs)
        obs, _ = self.policy.obs_to_tensor(self._last_obs)  # type: ignore[arg-type]
        known = self._last_memory
        with torch.no_grad():
            memory = self.policy.recall(None if known is None else tuple(known.values()), n_envs)
            first = torch.as_tensor(self._last_episode_starts, device=self.device).float()
            memory = self.policy.act(obs, memory, first)  # type: ignore[arg-type]
        arrays = type(memory)(*(part.cpu().numpy() for part in memory))
        self._last_memory = arrays._asdict()
        scaled = arrays.action.reshape(n_envs, *self.action_space.shape)  # type: ignore[misc]
        return np.asarray(self.policy.unscale_action(scaled)), scaled
