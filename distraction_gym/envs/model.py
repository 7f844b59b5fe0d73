"""Any MuJoCo model as a Gymnasium environment."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt

from distraction_gym.scenes.gl import load_mujoco
from distraction_gym.scenes.mujoco import MujocoScene
from distraction_gym.seeding import stream
from distraction_gym.typing import Frame

mujoco = load_mujoco()

State = npt.NDArray[np.float64]
_RENDER_SIZE = (240, 320)


class ModelEnv(gym.Env[State, npt.NDArray[np.float32]]):
    """A `mujoco.MjModel` that is stepped: actions are controls, observations `[qpos, qvel, act]`.

    For pictures wrap it: `DistractionWrapper(ObserveScene(ModelEnv(model)), "video_hard")`. For a
    time limit wrap it in `gymnasium.wrappers.TimeLimit`: it has none of its own.

    Attributes: `model` and `data`, the raw structures.

    Args:
        model: A `mujoco.MjModel`, or the path of an XML file.
        frame_skip: Physics steps per action.
        reward: `(model, data) -> float` after each step; None pays nothing.
        terminated: `(model, data) -> bool` after each step; None never ends.
        noise: Half width of the uniform noise on the initial positions (metres, radians; rotations
            stay rotations) and velocities.
        keyframe: The name of the keyframe in which episodes start; None is the model's own pose.
        render_mode: `"rgb_array"` or None.

    Raises:
        FileNotFoundError: for a path that does not exist.
        ValueError: for an XML that MuJoCo cannot read, or a frame skip below 1.
        KeyError: for a keyframe that the model does not have.
    """

    def __init__(
        self,
        model: Any,
        *,
        frame_skip: int = 5,
        reward: Callable[[Any, Any], float] | None = None,
        terminated: Callable[[Any, Any], bool] | None = None,
        noise: float = 0.0,
        keyframe: str | None = None,
        render_mode: str | None = "rgb_array",
    ) -> None:
        if frame_skip < 1:
            raise ValueError(f"frame_skip must be at least 1, got {frame_skip!r}")
        self.model = _load(model) if isinstance(model, str | Path) else model
        self.data = mujoco.MjData(self.model)
        self._frame_skip, self._noise = frame_skip, noise
        self._reward, self._terminated = reward, terminated
        self._keyframe = None if keyframe is None else self.model.keyframe(keyframe).id
        self._scene: MujocoScene | None = None
        self.render_mode = render_mode
        seconds = frame_skip * self.model.opt.timestep
        self.metadata = {"render_modes": ["rgb_array"], "render_fps": max(1, round(1 / seconds))}
        self.action_space = _controls(self.model)
        self.observation_space = gym.spaces.Box(-np.inf, np.inf, self._state().shape, np.float64)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[State, dict[str, Any]]:
        """Start an episode; the seed feeds the stream called "physics"."""
        super().reset(seed=seed)
        if seed is not None:
            self.np_random = stream(seed, "physics")
        if self._keyframe is None:
            mujoco.mj_resetData(self.model, self.data)
        else:
            mujoco.mj_resetDataKeyframe(self.model, self.data, self._keyframe)
        push, speed = self.np_random.uniform(-self._noise, self._noise, (2, self.model.nv))
        mujoco.mj_integratePos(self.model, self.data.qpos, push, 1.0)  # turns quaternions too
        self.data.qvel += speed
        mujoco.mj_forward(self.model, self.data)
        return self._state(), {}

    def step(
        self, action: npt.NDArray[np.float32]
    ) -> tuple[State, float, bool, bool, dict[str, Any]]:
        """Hold the controls for `frame_skip` physics steps."""
        self.data.ctrl[:] = action  # MuJoCo itself clips to the actuators' ranges
        mujoco.mj_step(self.model, self.data, self._frame_skip)
        # A step leaves the bodies' positions as they were before it: rewards want the new ones.
        mujoco.mj_forward(self.model, self.data)
        reward = float(self._reward(self.model, self.data)) if self._reward else 0.0
        over = bool(self._terminated(self.model, self.data)) if self._terminated else False
        return self._state(), reward, over, False, {}

    def render(self) -> Frame | None:  # type: ignore[override]
        """Return a picture from the model's first camera, `(240, 320, 3)` uint8."""
        if self.render_mode != "rgb_array":
            return None
        if self._scene is None:
            self._scene = MujocoScene(self.model, self.data, image_size=_RENDER_SIZE)
        return self._scene.render()

    def close(self) -> None:
        """Free the renderer."""
        if self._scene is not None:
            self._scene.close()

    def _state(self) -> State:
        return np.concatenate([self.data.qpos, self.data.qvel, self.data.act])

    def __getstate__(self) -> dict[str, Any]:
        # The data holds the model; two pickles of it would come back as two models.
        dropped = ("model", "_scene")
        return {name: value for name, value in self.__dict__.items() if name not in dropped}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.model, self._scene = self.data.model, None


def _load(path: str | Path) -> Any:
    if not Path(path).is_file():
        raise FileNotFoundError(f"no MuJoCo XML at {str(path)!r}")
    return mujoco.MjModel.from_xml_path(str(path))


def _controls(model: Any) -> gym.Space[npt.NDArray[np.float32]]:
    """Return the actuators' ranges; [-1, 1] for those that have none."""
    limited = model.actuator_ctrllimited.astype(np.bool_)[:, None]
    low, high = np.where(limited, model.actuator_ctrlrange, (-1.0, 1.0)).T.astype(np.float32)
    return gym.spaces.Box(low, high, dtype=np.float32)
