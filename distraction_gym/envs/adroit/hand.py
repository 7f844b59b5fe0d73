"""The hand and its object as an environment of states."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt

from distraction_gym.envs.adroit.tasks import TASKS, Task
from distraction_gym.errors import MissingExtra
from distraction_gym.registry import unknown
from distraction_gym.scenes.gl import load_mujoco
from distraction_gym.scenes.mujoco import MujocoScene
from distraction_gym.seeding import stream
from distraction_gym.typing import Frame

mujoco = load_mujoco()

State = npt.NDArray[np.float64]
FRAME_SKIP = 5
REWARDS = ("sparse",)
_RENDER_SIZE = (240, 320)


class AdroitEnv(gym.Env[State, npt.NDArray[np.float32]]):
    """One of Adroit's tasks as RL-ViGen and VRL3 set it, on Gymnasium-Robotics' models.

    Observations are `[qpos, qvel]`; actions in [-1, 1] are clipped, then mapped to the actuators'
    ranges. A step is 0.01 s. There is no time limit of its own.

    `info` holds `"success"`, whether the goal is met now, and `"is_success"`, whether it has been
    met at more than `needed` control steps of the episode: what success rates count.

    Attributes: `model`, `data`, `task` (a `tasks.Task`).

    Args:
        task: A name in `tasks.TASKS`.
        reward: `"sparse"`, the papers'.
        reward_rescale: Whether to divide rewards by the task's scale, as the papers do.
        render_mode: `"rgb_array"` or None.

    Raises:
        UnknownName: for a task or a reward that does not exist.
        MissingExtra: without gymnasium-robotics.
    """

    def __init__(
        self,
        task: str,
        *,
        reward: str = "sparse",
        reward_rescale: bool = True,
        render_mode: str | None = "rgb_array",
    ) -> None:
        if reward not in REWARDS:
            raise unknown("reward of suite 'adroit'", reward, REWARDS)
        self.task = TASKS[task]
        self.model = compiled(self.task)
        self.data = mujoco.MjData(self.model)
        self._scale = self.task.scale if reward_rescale else 1.0
        self._stock = {name: place.copy() for name, place in _places(self.model, self.task).items()}
        self._met = 0
        self._scene: MujocoScene | None = None
        self.render_mode = render_mode
        rate = round(1 / (FRAME_SKIP * self.model.opt.timestep))
        self.metadata = {"render_modes": ["rgb_array"], "render_fps": rate}
        low, high = self.model.actuator_ctrlrange.T
        self._middle, self._reach = (high + low) / 2, (high - low) / 2
        self.action_space = gym.spaces.Box(-1.0, 1.0, low.shape, np.float32)
        self.observation_space = gym.spaces.Box(-np.inf, np.inf, self._state().shape, np.float64)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[State, dict[str, Any]]:
        """Start an episode; the seed feeds the stream called "physics".

        Args:
            seed: Any non-negative integer.
            options: `{"initial_state_dict": state}` starts from a recorded state instead: `"qpos"`,
                `"qvel"` and what `task.state` names, as Gymnasium-Robotics' `get_env_state` tells.

        Raises:
            UnknownName: if such a state lacks a part.
        """
        super().reset(seed=seed)
        if seed is not None:
            self.np_random = stream(seed, "physics")
        self._met = 0
        mujoco.mj_resetData(self.model, self.data)
        self._put(self._stock)
        self.task.place(self.model, self.np_random)
        if options and "initial_state_dict" in options:
            self._recall(options["initial_state_dict"])
        mujoco.mj_forward(self.model, self.data)
        return self._state(), self._info()

    def step(
        self, action: npt.NDArray[np.float32]
    ) -> tuple[State, float, bool, bool, dict[str, Any]]:
        """Hold an action for five physics steps."""
        self.data.ctrl[:] = self.controls(action)
        mujoco.mj_step(self.model, self.data, FRAME_SKIP)
        # Joints are new now; sites and bodies are where they were one physics step ago, and the
        # papers' rewards see them there.
        met = self.task.is_met(self.model, self.data)
        self._met += met
        reward = self.task.reward(self.model, self.data) / self._scale
        lost = self.task.is_lost(self.model, self.data)
        return self._state(), reward, lost, False, self._info(met)

    def controls(self, action: npt.ArrayLike) -> State:
        """Return the actuators' targets that an action stands for."""
        clipped = np.clip(np.asarray(action, np.float64), -1.0, 1.0)
        return self._middle + self._reach * clipped

    def proprioception(self) -> State:
        """Return the angles of wrist and fingers, `(24,)`, in radians."""
        return self.data.qpos[self.task.hand].copy()

    def render(self) -> Frame | None:  # type: ignore[override]
        """Return a picture from the papers' camera, `(240, 320, 3)` uint8."""
        if self.render_mode != "rgb_array":
            return None
        if self._scene is None:
            self._scene = MujocoScene(
                self.model, self.data, image_size=_RENDER_SIZE, camera=self.task.camera
            )
        return self._scene.render()

    def close(self) -> None:
        """Free the renderer."""
        if self._scene is not None:
            self._scene.close()

    def _recall(self, state: Mapping[str, Any]) -> None:
        for name in ("qpos", "qvel", *self.task.state):
            if name not in state:
                raise unknown("part of the recorded state", name, state)
        self.data.qpos[:], self.data.qvel[:] = state["qpos"], state["qvel"]
        self._put(state)

    def _put(self, places: Mapping[str, Any]) -> None:
        """Put what a task moves where a recorded state has it."""
        for name, place in _places(self.model, self.task).items():
            place[:] = places[name]

    def _info(self, met: bool = False) -> dict[str, Any]:
        return {"success": met, "is_success": self._met > self.task.needed}

    def _state(self) -> State:
        return np.concatenate([self.data.qpos, self.data.qvel])

    def __getstate__(self) -> dict[str, Any]:
        # The data holds the model; two pickles of it would come back as two models.
        dropped = ("model", "_scene")
        return {name: value for name, value in self.__dict__.items() if name not in dropped}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.model, self._scene = self.data.model, None


def _places(model: Any, task: Task) -> dict[str, State]:
    """Return views of where the model keeps what a task moves."""
    return {
        name: getattr(getattr(model, kind)(row), attribute)
        for name, (kind, row, attribute) in task.state.items()
    }


def compiled(task: Task) -> Any:
    """Return Gymnasium-Robotics' model of a task with the papers' cameras, a `mujoco.MjModel`.

    Raises:
        MissingExtra: without gymnasium-robotics.
    """
    # Found and not imported: that would load, register and announce every environment of theirs.
    package = importlib.util.find_spec("gymnasium_robotics")
    if package is None or package.origin is None:
        raise MissingExtra(
            "gymnasium-robotics is not installed. Type:  pip install 'distraction-gym[adroit]'"
        )
    folder = Path(package.origin).parent / "envs" / "assets" / "adroit_hand"
    spec = mujoco.MjSpec.from_file(str(folder / task.model))
    for name, pose in task.cameras.items():
        camera = spec.camera(name) or spec.worldbody.add_camera(name=name)
        camera.pos = pose["pos"]
        if "euler" in pose:
            camera.alt.type = mujoco.mjtOrientation.mjORIENTATION_EULER
            camera.alt.euler = pose["euler"]
        else:
            camera.quat = pose["quat"]
    return spec.compile()
