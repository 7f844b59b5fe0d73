"""Collecting steps: what is stored of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from distraction_gym.agents.common.remembering import Arrays, Remembering
from distraction_gym.agents.dreamer.sequences import ArraySpec


class Collecting(Remembering):
    """The part of the loop that plays."""

    SESSION_ARRAYS: ClassVar[tuple[str, ...]] = (*Remembering.SESSION_ARRAYS, "_last_extras")

    _last_extras: Arrays | None = None

    # Hooks: what a method may store with each picture.

    def extra_arrays(self) -> dict[str, ArraySpec]:
        """Return what `describe` gives for one picture, by name: `batch.extras[name]` later."""
        return {}

    def describe(
        self, frames: npt.NDArray[np.uint8], infos: list[dict[str, Any]]
    ) -> dict[str, npt.NDArray[Any]]:
        """Return what is stored with pictures beside them, arrays `(n, ...)` by name.

        The encoder never sees any of it.

        Args:
            frames: The newest frames, `(n, 3, H, W)`.
            infos: What the environments said of those very pictures.
        """
        return {}

    def begin_episodes(self, envs: Sequence[int]) -> None:
        """Be told that `describe` gets the first pictures of episodes next, of these environments.

        Any other time it gets the next picture of every environment.
        """

    # The loop.

    def _setup_learn(self, *args: Any, **kwargs: Any) -> Any:
        known = self._last_episode_starts
        result = super()._setup_learn(*args, **kwargs)
        if self._last_episode_starts is not known:  # the environments were reset
            assert self.env is not None and isinstance(self._last_obs, np.ndarray)
            self._last_memory = None
            infos = list(self.env.unwrapped.reset_infos)
            self.begin_episodes(range(self.n_envs))
            self._last_extras = self.describe(self._last_obs[:, -3:], infos)
        return result

    def _store_transition(
        self,
        replay_buffer: Any,
        buffer_action: npt.NDArray[Any],
        new_obs: Any,
        reward: npt.NDArray[Any],
        dones: npt.NDArray[Any],
        infos: list[dict[str, Any]],
    ) -> None:
        assert self.env is not None
        if self._vec_normalize_env is not None:
            reward = self._vec_normalize_env.get_original_reward()
        ended = np.flatnonzero(dones)
        next_obs = np.array(new_obs)
        for env in ended:
            next_obs[env] = infos[env]["terminal_observation"]
        next_extras = self.describe(next_obs[:, -3:], infos)
        replay_buffer.add(
            self._last_obs,
            next_obs,
            buffer_action,
            reward,
            dones,
            infos,
            np.asarray(self._last_episode_starts, bool),
            self._last_extras,
            next_extras,
        )
        self._last_extras = next_extras
        if len(ended):
            # The infos of an episode's end are not those of the picture that begins the next.
            resets = self.env.unwrapped.reset_infos
            self.begin_episodes(ended.tolist())
            begun = self.describe(new_obs[ended, -3:], [resets[env] for env in ended])
            for name, value in begun.items():
                self._last_extras[name] = np.array(next_extras[name])
                self._last_extras[name][ended] = value
        self._last_obs = self._last_original_obs = new_obs
        self._last_episode_starts = np.asarray(dones, bool)
