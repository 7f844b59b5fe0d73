"""DMC-GB on a stock dm_control: the same physics, rewards and pictures, through public APIs."""

from __future__ import annotations

import math
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.wrappers import TimeLimit

from distraction_gym.envs.dmcgb import TASKS
from distraction_gym.errors import require
from distraction_gym.registry import unknown
from distraction_gym.scenes.gl import load_mujoco
from distraction_gym.seeding import stream
from distraction_gym.wrappers import ActionRepeat, DistractionWrapper, ObserveScene, StackFrames

load_mujoco()  # before Shimmy, which imports dm_control and mujoco
suite: Any = require("dm_control.suite", "dmc")
shimmy: Any = require("shimmy.dm_control_compatibility", "dmc")

EPISODE = 1000
"""Control steps per episode."""
ACTION_REPEAT = {"cartpole": 8, "finger": 2}
DEFAULT_ACTION_REPEAT = 4
CAMERA = {"quadruped": 2}
# The papers' green screen removes cartpole's thin rails as well.
RAILS = {"cartpole": {"sky": ["rail1", "rail2"]}}
_NEVER = 1e6  # seconds: the time limit is the wrapper's, so that it is truncation


class DmControlEnv(shimmy.DmControlCompatibilityV0):
    """A task of dm_control's suite: states as observations, actions in [-1, 1], our seeds.

    Gymnasium's RescaleAction is not used: its functions cannot be pickled, and it warns about
    float32 spaces.
    """

    def __init__(self, env: Any, render_mode: str | None = None) -> None:
        # Shimmy writes its own frame rate, and into a dictionary that all its environments share.
        self.metadata = {"render_modes": ["rgb_array"]}
        super().__init__(env, render_mode)
        self.metadata["render_fps"] = round(1 / env.control_timestep())
        spec = env.action_spec()
        low, high = (np.asarray(bound, np.float64) for bound in (spec.minimum, spec.maximum))
        self._middle, self._reach = (high + low) / 2, (high - low) / 2
        self.action_space = gym.spaces.Box(-1.0, 1.0, low.shape, np.float32)

    def __getstate__(self) -> dict[str, Any]:
        # Everything, in the middle of an episode: Shimmy would pickle its arguments only.
        return self.__dict__

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Start an episode; the seed feeds the stream called "physics"."""
        gym.Env.reset(self, seed=seed)
        if seed is not None:
            self.np_random = physics_random(seed)
        return super().reset(options=options)

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Take one control step with an action in [-1, 1], scaled to the actuators' ranges."""
        return super().step(self._middle + self._reach * np.asarray(action, np.float64))


def physics_random(seed: int) -> np.random.RandomState:
    """Return the generator from which dm_control's task draws under a seed."""
    return np.random.RandomState(int(stream(seed, "physics").integers(2**32)))


def make(
    task: str,
    mode: str,
    *,
    image_size: int = 84,
    frame_stack: int = 3,
    action_repeat: int | None = None,
    assets: str = "auto",
    camera: int | str | None = None,
    composite: str = "exact",
    render_quality: str = "standard",
    render_mode: str | None = "rgb_array",
) -> gym.Env:
    """Build a DMC-GB environment; observations are uint8 `(3 * frame_stack, size, size)`.

    Every frame is drawn at the observation's size and disturbed before it is stacked. An episode
    is 1000 control steps, and ends by truncation.

    Args:
        task: A name in `TASKS`, such as `"walker_walk"`.
        mode: `"clean"` or a mode of `distractions.MODES`.
        image_size: Height and width in pixels.
        frame_stack: Frames per observation, oldest first.
        action_repeat: Control steps per agent step; None takes the papers' (cartpole 8, finger 2,
            others 4).
        assets: `"auto"`, `"generated"`, or a folder like DMC-GB's data folder.
        camera: Number or name; None takes the papers' (quadruped 2, others 0).
        composite: `"exact"`, or `"chroma"` for the papers' green screen.
        render_quality: `"standard"`, `"fast"` or `"draft"` (see `MujocoScene`).
        render_mode: `"rgb_array"` or None.

    Raises:
        UnknownName: for a task, mode, camera or quality that does not exist.
        AssetsMissing: for a video mode whose clips are not on this machine.
        MissingExtra: without dm_control, mujoco and shimmy.
    """
    domain, name = _split(task)
    repeat = (
        ACTION_REPEAT.get(domain, DEFAULT_ACTION_REPEAT) if action_repeat is None else action_repeat
    )
    control = suite.load(domain, name, task_kwargs={"time_limit": _NEVER})
    env: gym.Env = DmControlEnv(control, render_mode)
    env = ActionRepeat(env, repeat)
    env.metadata = {
        **env.metadata,
        "render_fps": max(1, round(1 / (repeat * control.control_timestep()))),
    }
    env = ObserveScene(
        env,
        image_size,
        CAMERA.get(domain, 0) if camera is None else camera,
        render_quality,
        RAILS.get(domain),
    )
    env = DistractionWrapper(env, mode, assets=assets, composite=composite)
    return TimeLimit(StackFrames(env, frame_stack), math.ceil(EPISODE / repeat))


def _split(task: str) -> tuple[str, str]:
    """Return dm_control's domain and task; both may hold underscores."""
    for domain, name in suite.ALL_TASKS:
        if f"{domain}_{name}" == task and task in TASKS:
            return domain, name
    raise unknown("task of suite 'dmcgb'", task, TASKS)
