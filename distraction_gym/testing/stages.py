"""Where distractions are tried: tiny environments, one of each kind of scene."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
import numpy.typing as npt

from distraction_gym.envs.mini.env import MiniEnv
from distraction_gym.registry import Registry
from distraction_gym.scenes.gl import load_mujoco
from distraction_gym.typing import Frame, Matte

SIZE = 36


class Stage(NamedTuple):
    """An environment that returns frames `(H, W, 3)` uint8, and what to keep of them."""

    make: Callable[[], gym.Env]
    foreground: Any
    """The argument of `DistractionWrapper`."""


STAGES: Registry[Stage] = Registry("stage")


class ReadOnly(gym.Wrapper):
    """Return frames that raise `ValueError` when somebody writes into them."""

    def reset(self, **kwargs: Any) -> tuple[Frame, dict[str, Any]]:
        """Start an episode."""
        frame, info = self.env.reset(**kwargs)
        return _locked(frame), info

    def step(self, action: Any) -> tuple[Frame, float, bool, bool, dict[str, Any]]:
        """Take a step."""
        frame, reward, terminated, truncated, info = self.env.step(action)
        return _locked(frame), float(reward), terminated, truncated, info


def is_not_black(frame: Frame, env: gym.Env) -> Matte:
    """Return where a frame shows anything, `(H, W)` bool."""
    return frame.max(axis=-1) > 0


class Walk(gym.Env[Frame, npt.NDArray[np.float32]]):
    """A white square on a random walk over black: pictures without a simulator, not square."""

    observation_space = gym.spaces.Box(0, 255, (SIZE, SIZE + 8, 3), np.uint8)
    action_space = gym.spaces.Box(-1.0, 1.0, (2,), np.float32)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Frame, dict[str, Any]]:
        """Put the square somewhere."""
        super().reset(seed=seed)
        self.place = self.np_random.uniform(6, SIZE - 6, 2)
        return self._draw(), {}

    def step(self, action: Any) -> tuple[Frame, float, bool, bool, dict[str, Any]]:
        """Move it by the action and a random push."""
        self.place = np.clip(self.place + action + self.np_random.normal(size=2), 6, SIZE - 6)
        return self._draw(), float(self.place.sum()), False, False, {}

    def _draw(self) -> Frame:
        frame = np.zeros((SIZE, SIZE + 8, 3), np.uint8)
        row, column = self.place.round().astype(int)
        frame[row - 4 : row + 4, column - 4 : column + 4] = 255
        return frame


MODEL = """
<mujoco>
  <asset>
    <texture name="skybox" type="skybox" builtin="gradient" rgb1=".4 .6 .8" rgb2="0 0 0"
             width="32" height="192"/>
    <texture name="grid" type="2d" builtin="checker" rgb1=".1 .2 .3" rgb2=".2 .3 .4"
             width="32" height="32"/>
    <material name="grid" texture="grid" texrepeat="4 4" reflectance=".2"/>
    <material name="self" rgba=".7 .5 .3 1"/>
  </asset>
  <worldbody>
    <light name="sun" pos="0 -1 3" dir="0 .3 -1"/>
    <camera name="front" pos="0 -2 .8" xyaxes="1 0 0 0 .2 1" mode="trackcom"/>
    <geom name="floor" type="plane" size="3 3 .1" material="grid"/>
    <body name="torso" pos="0 0 .4">
      <joint name="slide" type="slide" axis="1 0 0" damping="1"/>
      <geom name="trunk" type="box" size=".2 .1 .2" mass="1" material="self"/>
      <geom name="head" type="sphere" size=".12" pos="0 0 .3" mass="1" material="self"/>
      <site name="eye" pos="0 -.12 .3" size=".04" rgba="1 1 1 1"/>
    </body>
  </worldbody>
  <actuator><motor name="push" joint="slide" ctrlrange="-1 1" gear="20"/></actuator>
</mujoco>
"""


class Slider(gym.Env[Frame, npt.NDArray[np.float32]]):
    """A robot on a rail, drawn by MuJoCo: sky, floor, body, a light and a tracking camera."""

    observation_space = gym.spaces.Box(0, 255, (SIZE, SIZE, 3), np.uint8)
    action_space = gym.spaces.Box(-1.0, 1.0, (1,), np.float32)

    def __init__(self) -> None:
        self._mujoco = load_mujoco()
        from distraction_gym.scenes.mujoco import MujocoScene

        self.model = self._mujoco.MjModel.from_xml_string(MODEL)
        self.data = self._mujoco.MjData(self.model)
        self.scene = MujocoScene(self.model, self.data, image_size=SIZE, quality="draft")

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Frame, dict[str, Any]]:
        """Put the robot somewhere on its rail."""
        super().reset(seed=seed)
        self._mujoco.mj_resetData(self.model, self.data)
        self.data.qpos[0] = self.np_random.uniform(-0.3, 0.3)
        self._mujoco.mj_forward(self.model, self.data)
        return self.scene.render(), {}

    def step(self, action: Any) -> tuple[Frame, float, bool, bool, dict[str, Any]]:
        """Push it for a twentieth of a second."""
        self.data.ctrl[:] = action
        self._mujoco.mj_step(self.model, self.data, 25)
        return self.scene.render(), float(self.data.qpos[0]), False, False, {}

    def close(self) -> None:
        """Free the renderer."""
        self.scene.close()

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_mujoco"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._mujoco = load_mujoco()
        self.model = self.data.model  # two pickles of a model come back as two models


def _locked(frame: Frame) -> Frame:
    frame = frame.copy()
    frame.setflags(write=False)
    return frame


STAGES.add("mini", Stage(lambda: ReadOnly(MiniEnv("reach", SIZE)), "auto"))
STAGES.add("mujoco", Stage(lambda: ReadOnly(Slider()), "auto"))
STAGES.add("pixels", Stage(lambda: ReadOnly(Walk()), f"{__name__}:is_not_black"))
