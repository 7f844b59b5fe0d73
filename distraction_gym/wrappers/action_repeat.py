"""Hold an action for several control steps."""

from __future__ import annotations

from typing import Any

import gymnasium as gym


class ActionRepeat(gym.Wrapper, gym.utils.RecordConstructorArgs):
    """Repeat every action and return the sum of the raw rewards; an episode's end cuts it short.

    Where `info` tells of `"success"`, it tells afterwards whether any of the steps had it.

    Args:
        env: Any environment.
        repeat: Control steps per agent step, at least 1.

    Raises:
        ValueError: for a repeat below 1.
    """

    def __init__(self, env: gym.Env, repeat: int) -> None:
        if repeat < 1:
            raise ValueError(f"action_repeat must be at least 1, got {repeat!r}")
        gym.utils.RecordConstructorArgs.__init__(self, repeat=repeat)
        super().__init__(env)
        self._repeat = repeat

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Return the last observation and info, and the rewards' sum."""
        total, has_succeeded = 0.0, False
        for _ in range(self._repeat):
            obs, reward, terminated, truncated, info = self.env.step(action)
            total += float(reward)
            has_succeeded |= bool(info.get("success", False))
            if terminated or truncated:
                break
        if "success" in info:
            info = {**info, "success": has_succeeded}
        return obs, total, terminated, truncated, info
