"""What a MuJoCo camera looks at, and how finely it sees."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from distraction_gym.scene import Vector
from distraction_gym.scenes.gl import load_mujoco

mujoco = load_mujoco()

_FACTORS = (8, 4, 2, 1)


def focus(model: Any, data: Any, camera: Any) -> Vector:
    """Return the point around which to move a `mujoco.MjvCamera` (see `MujocoScene.focus`)."""
    if camera.type == mujoco.mjtCamera.mjCAMERA_FREE:
        return np.array(camera.lookat)
    if camera.type == mujoco.mjtCamera.mjCAMERA_TRACKING:
        return data.subtree_com[camera.trackbodyid].copy()
    body = _followed(model, camera.fixedcamid)
    return data.subtree_com[body].copy() if body > 0 else np.zeros(3)


def texture_factor(model: Any, camera: int, size: tuple[int, int]) -> Callable[[int], int]:
    """Return how many times smaller a sky's texture may be without a change of the picture.

    The renderer draws from mipmaps, each half as large as the one before: those that are finer
    than the picture's pixels are never looked at. `camera` is a number, `size` is in pixels.
    """
    degrees = model.cam_fovy[camera] if camera >= 0 else model.vis.global_.fovy
    half = math.tan(math.radians(float(degrees)) / 2)
    corner = 1 + half**2 * (1 + (size[1] / size[0]) ** 2)  # pixels are finest in the corners
    pixels_per_radian = size[0] / 2 / half * corner

    def factor(texture: int) -> int:
        side = int(model.tex_width[texture])
        texels_per_radian = side / 2  # in the middle of a face; more elsewhere
        return next(
            step
            for step in _FACTORS
            if step == 1 or (side % step == 0 and step * pixels_per_radian <= texels_per_radian)
        )

    return factor


def _followed(model: Any, camera: int) -> int:
    """Return the body that a camera of the model follows; 0, the world, if it stands still."""
    mode, own = model.cam_mode[camera], int(model.cam_bodyid[camera])
    modes = mujoco.mjtCamLight
    if mode in (modes.mjCAMLIGHT_TARGETBODY, modes.mjCAMLIGHT_TARGETBODYCOM):
        return int(model.cam_targetbodyid[camera])
    if mode == modes.mjCAMLIGHT_FIXED:
        return int(model.body_rootid[own])
    return own
