"""What a robot feels of itself, beside the picture."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt

from distraction_gym.errors import UnsupportedEnvironment


class AddProprioception(gym.Wrapper, gym.utils.RecordConstructorArgs):
    """Make the observation `{"image": observation, "proprio": numbers}`.

    `"proprio"` is float32 `(n,)`: what the environment's own `proprioception()` returns after each
    step, of the newest frame only.

    Args:
        env: An environment whose unwrapped one has the method `proprioception()`.

    Raises:
        UnsupportedEnvironment: if it has none.
    """

    def __init__(self, env: gym.Env) -> None:
        gym.utils.RecordConstructorArgs.__init__(self)
        super().__init__(env)
        if not hasattr(env.unwrapped, "proprioception"):
            raise UnsupportedEnvironment(
                f"{env.unwrapped} does not tell its proprioception: expected a method "
                "proprioception() that returns an array of shape (n,). Leave out "
                "proprioception=True."
            )
        self.observation_space = gym.spaces.Dict(
            {
                "image": env.observation_space,
                "proprio": gym.spaces.Box(-np.inf, np.inf, self._read().shape, np.float32),
            }
        )

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Start an episode."""
        obs, info = self.env.reset(seed=seed, options=options)
        return {"image": obs, "proprio": self._read()}, info

    def step(self, action: Any) -> tuple[dict[str, Any], float, bool, bool, dict[str, Any]]:
        """Step, and add what the robot feels afterwards."""
        obs, reward, terminated, truncated, info = self.env.step(action)
        read = {"image": obs, "proprio": self._read()}
        return read, float(reward), terminated, truncated, info

    def _read(self) -> npt.NDArray[np.float32]:
        base: Any = self.env.unwrapped
        return np.asarray(base.proprioception(), np.float32)
