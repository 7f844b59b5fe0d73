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
    told = told_scene(env)
    if told is not None:
        return told
    if is_mujoco(env):
        from distraction_gym.scenes.native import native_scene

        return native_scene(env)
    return None


def told_scene(env: gym.Env) -> Scene | None:
    """Return the `Scene` that an environment or a wrapper has as its attribute `scene`.

    Simulators keep things of their own under that name, which do not count.
    """
    scene = env.get_wrapper_attr("scene") if env.has_wrapper_attr("scene") else None
    return scene if isinstance(scene, Scene) else None


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
