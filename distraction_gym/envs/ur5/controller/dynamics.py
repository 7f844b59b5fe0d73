"""Joints with masses and servos, by MuJoCo, for the simulated controller."""

from __future__ import annotations

import numpy as np

from distraction_gym.envs.ur5 import scene
from distraction_gym.envs.ur5.kinematics import Vector
from distraction_gym.envs.ur5.robot import DAMPING_TIME
from distraction_gym.scenes.gl import load_mujoco

mujoco = load_mujoco()


class MujocoBody:
    """The suite's arm, its servos after the controller's set-points.

    Args:
        robot: `"ur5e"` or `"ur5"`.
        model: The arm's model, `"own"` or `"menagerie"`.
    """

    tolerance = 1e-3  # its servos creep up to where they should be, 0.2 s for each factor of e

    def __init__(self, robot: str = "ur5e", model: str = "own") -> None:
        self._model = scene.build(robot, model)
        self._data = mujoco.MjData(self._model)
        self._joints = scene.joint_addresses(self._model)

    def reset(self, q: Vector) -> None:
        """See `Body`."""
        self._data.qpos[self._joints] = q
        self._data.qvel[:] = 0

    def step(self, q: Vector, qd: Vector, dt: float) -> tuple[Vector, Vector]:
        """See `Body`."""
        self._data.ctrl[:] = q + DAMPING_TIME * qd  # the servos' damping is against any speed
        mujoco.mj_step(self._model, self._data, max(1, round(dt / scene.TIMESTEP)))
        joints = np.array(self._data.qpos[self._joints])
        return joints, np.array(self._data.qvel[self._joints])
