"""Stack the newest frames, channels first."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt

from distraction_gym.errors import UnsupportedEnvironment
from distraction_gym.typing import Frame


class StackFrames(gym.Wrapper, gym.utils.RecordConstructorArgs):
    """Turn frames `(H, W, 3)` into observations `(3 * k, H, W)` uint8, oldest frame first.

    `reset` repeats the first frame k times.

    Args:
        env: Its observations are pictures, `(H, W, 3)` uint8.
        k: Number of frames, at least 1.

    Raises:
        UnsupportedEnvironment: for other observations.
        ValueError: for a k below 1.
    """

    def __init__(self, env: gym.Env, k: int) -> None:
        if k < 1:
            raise ValueError(f"frame_stack must be at least 1, got {k!r}")
        shape = env.observation_space.shape
        if env.observation_space.dtype != np.uint8 or shape is None or shape[2:] != (3,):
            raise UnsupportedEnvironment(
                f"StackFrames expects pictures (H, W, 3) uint8, got {env.observation_space}"
            )
        gym.utils.RecordConstructorArgs.__init__(self, k=k)
        super().__init__(env)
        self._k = k
        self._stack = np.zeros((3 * k, *shape[:2]), np.uint8)
        self.observation_space = gym.spaces.Box(0, 255, self._stack.shape, np.uint8)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[npt.NDArray[np.uint8], dict[str, Any]]:
        """Start an episode with k times its first frame."""
        frame, info = self.env.reset(seed=seed, options=options)
        self._stack = np.tile(frame.transpose(2, 0, 1), (self._k, 1, 1))
        return self._stack.copy(), info

    def step(self, action: Any) -> tuple[npt.NDArray[np.uint8], float, bool, bool, dict[str, Any]]:
        """Drop the oldest frame and append the newest."""
        frame, reward, terminated, truncated, info = self.env.step(action)
        return self._append(frame), float(reward), terminated, truncated, info

    def _append(self, frame: Frame) -> npt.NDArray[np.uint8]:
        self._stack[:-3] = self._stack[3:]
        self._stack[-3:] = frame.transpose(2, 0, 1)
        return self._stack.copy()  # what the caller holds is the caller's to write into
