"""Meta-World's own environments with upright cameras, our seeds and whole pickles.

Nothing of Meta-World is changed in place: every task's class gets a subclass.
"""

from __future__ import annotations

import functools
import sys
from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt
from gymnasium.envs.mujoco.mujoco_rendering import MujocoRenderer

from distraction_gym.errors import require
from distraction_gym.scenes.gl import load_mujoco
from distraction_gym.seeding import stream

mujoco = load_mujoco()  # before Meta-World, which imports it
env_dict: Any = require("metaworld.env_dict", "metaworld")
stock: Any = require("metaworld.sawyer_xyz_env", "metaworld")

CAMERA = "corner2"
CORNER4 = (0.75, 0.075, 0.7)
"""Metres. Meta-World has this camera from version 3.1 on; before, papers moved corner2 there."""
_WELD = np.array([0, 0, 0, 0, 0, 0, -1, 0, 0, 0, 5.0])
"""Anchor, relative position and rotation, torque scale: what Meta-World writes into each weld."""
_HALF_TURN = np.array([0.0, 0, 0, 1])


State = npt.NDArray[np.float64]


class MetaWorldEnv(gym.Env[State, npt.NDArray[np.float32]]):
    """A task of Meta-World: states as observations, without a time limit.

    Seeds draw the places of goal and objects anew in every episode, where Meta-World draws from 50
    prepared ones. The state holds the goal. Around Meta-World's environment, not one of its
    classes: their `compute_reward` makes checkers take them for goal-conditioned ones.

    `info` of every control step: `"success"`, whether the goal holds now, and `"is_success"`,
    whether it has held in this episode.

    Attributes: `model` and `data`, the raw structures; `sawyer`, Meta-World's environment.

    Args:
        task: A name in the suite's `TASKS`.
        render_mode: `"rgb_array"` or None.
    """

    def __init__(self, task: str, render_mode: str | None = None) -> None:
        self.sawyer = sawyer_class(task)(render_mode)
        self.render_mode = render_mode
        self.metadata = {"render_modes": ["rgb_array"], "render_fps": round(1 / self.sawyer.dt)}
        self.action_space = self.sawyer.action_space
        self.observation_space = self.sawyer.observation_space
        self._has_succeeded = False

    @property
    def model(self) -> Any:
        """The `mujoco.MjModel`."""
        return self.sawyer.model

    @property
    def data(self) -> Any:
        """The `mujoco.MjData`."""
        return self.sawyer.data

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[State, dict[str, Any]]:
        """Start an episode; the seed feeds the stream called "physics"."""
        super().reset(seed=seed)
        if seed is not None:
            self.np_random = stream(seed, "physics")
        self._has_succeeded = False
        self.sawyer.np_random = self.np_random
        return self.sawyer.draw_anew()

    def step(
        self, action: npt.NDArray[np.float32]
    ) -> tuple[State, float, bool, bool, dict[str, Any]]:
        """Take one control step; success does not end the episode."""
        obs, reward, terminated, truncated, info = self.sawyer.step(action)
        success = bool(info["success"])
        self._has_succeeded |= success
        info = {**info, "success": success, "is_success": self._has_succeeded}
        return obs, float(reward), terminated, truncated, info

    def render(self) -> Any:
        """Return Meta-World's own picture, `(480, 480, 3)` uint8."""
        return self.sawyer.render()

    def close(self) -> None:
        """Free Meta-World's renderer."""
        self.sawyer.close()


class Sawyer(stock.SawyerXYZEnv):
    """What the classes made by `sawyer_class` add to Meta-World's."""

    task: str
    max_path_length = sys.maxsize

    def __init__(self, render_mode: str | None = None) -> None:
        super().__init__(render_mode=render_mode, camera_name=CAMERA)
        self._set_task_called = True  # a seed takes the place of Meta-World's set_task
        self.seeded_rand_vec = True
        self._partially_observable = False
        del self.sawyer_observation_space  # cached, without the goal
        self.observation_space = self.sawyer_observation_space

    def draw_anew(self) -> tuple[State, dict[str, Any]]:
        """Start an episode with goal and objects in places that `np_random` draws."""
        self._freeze_rand_vec = False
        return super().reset()

    def reset_model(self) -> State:
        """Place everything. Meta-World's reset calls this twice: the second time draws nothing."""
        obs = super().reset_model()
        self._freeze_rand_vec = True
        return obs

    def reset_mocap_welds(self) -> None:
        """Do what Meta-World does; newer versions of mujoco have one column more, which stays 0."""
        welds = self.model.eq_type == mujoco.mjtEq.mjEQ_WELD
        self.model.eq_data[welds] = 0.0
        self.model.eq_data[welds, : _WELD.size] = _WELD

    def _initialize_simulation(self) -> tuple[Any, Any]:
        spec = mujoco.MjSpec.from_file(self.fullpath)
        if "corner4" not in [camera.name for camera in spec.cameras]:
            spec.worldbody.add_camera(name="corner4", pos=CORNER4)
        model = spec.compile()
        moved, corner2 = model.camera("corner4"), model.camera("corner2")
        moved.quat, moved.fovy = corner2.quat, corner2.fovy
        model.vis.global_.offwidth, model.vis.global_.offheight = self.width, self.height
        data = mujoco.MjData(model)
        _turn_upright(model, data)
        return model, data

    def __reduce__(self) -> tuple[Any, ...]:
        # The data holds the model; two pickles of it would come back as two models.
        dropped = ("model", "mujoco_renderer")
        state = {name: value for name, value in self.__dict__.items() if name not in dropped}
        return _blank, (self.task,), state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.model = self.data.model
        self.mujoco_renderer = MujocoRenderer(self.model, self.data, camera_name=CAMERA)


@functools.cache
def sawyer_class(task: str) -> type[Sawyer]:
    """Return the class of a task, such as `"coffee_button"`."""
    own = env_dict.ENV_CLS_MAP[f"{task.replace('_', '-')}-v3"]
    return type(own.__name__, (Sawyer, own), {"task": task})


def _blank(task: str) -> Sawyer:
    """Return an environment to be filled by a pickle's state."""
    cls = sawyer_class(task)
    return cls.__new__(cls)


def _turn_upright(model: Any, data: Any) -> None:
    """Roll cameras that stand on their head (corner, corner2, corner3, corner4) by half a turn."""
    mujoco.mj_kinematics(model, data)
    mujoco.mj_camlight(model, data)
    for camera in np.flatnonzero(data.cam_xmat.reshape(-1, 3, 3)[:, 2, 1] < 0):
        mujoco.mju_mulQuat(model.cam_quat[camera], model.cam_quat[camera].copy(), _HALF_TURN)
