"""The only code that knows simulators: pictures, masks, cameras and colours."""

from __future__ import annotations

from typing import Any

import gymnasium as gym

from distraction_gym.scene import Scene


def find_scene(env: gym.Env) -> Scene | None:
    """Return what is in an environment's picture, or None if nothing is known about it.

    That is the attribute `scene` of the environment or a wrapper around it; else, for a MuJoCo
    environment, a scene that fits the picture which the environment itself draws.
    """
    if env.has_wrapper_attr("scene"):
        return env.get_wrapper_attr("scene")
    if is_mujoco(env):
        from distraction_gym.scenes.native import native_scene

        return native_scene(env)
    return None


def is_mujoco(env: gym.Env) -> bool:
    """Return whether the environment holds one MuJoCo model for its whole life.

    True of Gymnasium's own (`model` and `data`) and of dm_control's suite through Shimmy
    (`physics`); dm_control's composer environments compile a new model for every episode.
    """
    base: Any = env.unwrapped
    if hasattr(base, "mujoco_renderer"):
        return True
    kind = getattr(base, "env_type", None)
    return getattr(kind, "name", None) == "RL_CONTROL" and hasattr(base, "physics")
