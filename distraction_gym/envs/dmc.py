"""What the suites on dm_control share: its tasks as Gymnasium environments that return pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium as gym
import numpy as np

from distraction_gym.envs import pictures
from distraction_gym.errors import require
from distraction_gym.registry import unknown
from distraction_gym.scenes.gl import load_mujoco
from distraction_gym.seeding import stream

load_mujoco()  # before Shimmy, which imports dm_control and mujoco
suite: Any = require("dm_control.suite", "dmc")
shimmy: Any = require("shimmy.dm_control_compatibility", "dmc")

EPISODE = 1000
"""Control steps per episode."""
ACTION_REPEAT = {"cartpole": 8, "finger": 2}
DEFAULT_ACTION_REPEAT = 4
CAMERA = {"quadruped": 2}
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


def split(task: str, tasks: Sequence[str], suite_name: str) -> tuple[str, str]:
    """Return dm_control's domain and task; both may hold underscores.

    Raises:
        UnknownName: for a task that is not among the suite's `tasks`.
    """
    for domain, name in suite.ALL_TASKS:
        if f"{domain}_{name}" == task and task in tasks:
            return domain, name
    raise unknown(f"task of suite {suite_name!r}", task, tasks)


def load(domain: str, name: str) -> Any:
    """Load a task of dm_control's suite that never ends by itself."""
    return suite.load(domain, name, task_kwargs={"time_limit": _NEVER})


def action_repeat_of(domain: str) -> int:
    """Return the papers' action repeat: cartpole 8, finger 2, others 4."""
    return ACTION_REPEAT.get(domain, DEFAULT_ACTION_REPEAT)


def observe(
    control: Any,
    mode: str | list[dict[str, Any]],
    *,
    action_repeat: int,
    image_size: int,
    frame_stack: int,
    assets: str,
    camera: int | str,
    composite: str,
    render_quality: str,
    render_mode: str | None,
    extra_background: Mapping[str, Sequence[str]] | None = None,
    relevant: Sequence[str] | None = None,
) -> gym.Env:
    """Wrap a task of dm_control's suite; observations are uint8 `(3 * frame_stack, size, size)`.

    Every frame is drawn at the observation's size and disturbed before it is stacked. An episode
    is 1000 control steps, and ends by truncation.

    Args:
        control: From `load`.
        mode: A mode of `distractions.MODES`, or a list of `{"kind": name, **arguments}`.
        action_repeat: Control steps per agent step.
        image_size: Height and width in pixels.
        frame_stack: Frames per observation, oldest first.
        assets: `"auto"`, `"generated"`, or a folder like DMC-GB's data folder.
        camera: Number or name.
        composite: `"exact"`, or `"chroma"` for DMC-GB's green screen.
        render_quality: `"standard"`, `"fast"` or `"draft"` (see `MujocoScene`).
        render_mode: `"rgb_array"` or None.
        extra_background: Part -> names of geoms that masks count as that part.
        relevant: What matters, as in `dmc_relevant`; None is whatever is neither sky nor floor.

    Raises:
        UnknownName: for a mode, camera or quality that does not exist.
        AssetsMissing: for a video mode whose clips are not on this machine.
    """
    return pictures.observe(
        DmControlEnv(control, render_mode),
        mode,
        control_step=control.control_timestep(),
        episode=EPISODE,
        action_repeat=action_repeat,
        image_size=image_size,
        frame_stack=frame_stack,
        assets=assets,
        camera=camera,
        composite=composite,
        render_quality=render_quality,
        extra_background=extra_background,
        relevant=relevant,
    )
