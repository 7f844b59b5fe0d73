"""MuJoCo structures inside environments, and scenes that fit the pictures these draw themselves."""

from __future__ import annotations

from typing import Any

import gymnasium as gym

from distraction_gym.errors import UnsupportedEnvironment
from distraction_gym.scenes import is_mujoco
from distraction_gym.scenes.mujoco import MujocoScene

# dm_control's `physics.render` without arguments
_DM_HEIGHT, _DM_WIDTH, _FREE_CAMERA = 240, 320, -1


def model_and_data(env: gym.Env) -> tuple[Any, Any]:
    """Return the `mujoco.MjModel` and `mujoco.MjData` of an environment.

    Raises:
        UnsupportedEnvironment: if it has none, or makes new ones for every episode.
    """
    if not is_mujoco(env):
        raise UnsupportedEnvironment(
            f"{env.unwrapped} is not a MuJoCo environment whose model can be found: expected one "
            "of Gymnasium's (`mujoco_renderer`) or of dm_control's suite through Shimmy (`physics`)"
        )
    base: Any = env.unwrapped
    if hasattr(base, "mujoco_renderer"):
        return base.model, base.data
    return base.physics.model.ptr, base.physics.data.ptr


def native_scene(env: gym.Env) -> MujocoScene:
    """Return a scene that fits what `env.render()` of a MuJoCo environment draws."""
    base: Any = env.unwrapped
    model, data = model_and_data(env)
    if not hasattr(base, "mujoco_renderer"):
        asked = base.render_kwargs
        size = (asked.get("height", _DM_HEIGHT), asked.get("width", _DM_WIDTH))
        camera = asked.get("camera_id", _FREE_CAMERA)
        return MujocoScene(model, data, image_size=size, camera=camera, paintable=False)
    if base.mujoco_renderer.viewer is None:
        base.render()  # makes the viewer
    viewer = base.mujoco_renderer.viewer
    size = (viewer.viewport.height, viewer.viewport.width)
    return MujocoScene(model, data, image_size=size, camera=-1, viewer=viewer)
