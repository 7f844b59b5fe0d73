"""RL-ViGen's Unitree tasks on MuJoCo alone."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt

from distraction_gym.envs import pictures
from distraction_gym.envs.model import ModelEnv, State
from distraction_gym.envs.unitree import TASKS, rewards
from distraction_gym.envs.unitree.scene import CAMERA, GREYS, START, compile_model
from distraction_gym.registry import unknown

EPISODE = 1000
"""Control steps per episode."""
ACTION_REPEAT = 2
FRAME_SKIP = 5
"""Physics steps of 2 ms per control step."""
_REWARDS = {"walk": rewards.walk, "stand": rewards.stand}
# RL-ViGen's code moves the robot's own greys by as much as the table's colour differs from
# dm_control's; which knobs its published results used is not known.
COLORS = {
    level: [{"kind": "color", "table": level, "shift": list(GREYS)}]
    for level in ("color_easy", "color_hard")
}


class QuadrupedEnv(ModelEnv):
    """A robot whose motors hold joint angles: actions in [-1, 1], scaled to the task's range."""

    def __init__(self, task: str, robot: str, model: str, render_mode: str | None) -> None:
        super().__init__(
            compile_model(task, robot, model),
            frame_skip=FRAME_SKIP,
            reward=_REWARDS[task],
            keyframe=START,
            render_mode=render_mode,
        )
        self._low, self._high = self.model.actuator_ctrlrange.T.copy()
        self.action_space = gym.spaces.Box(-1.0, 1.0, self._low.shape, np.float32)

    def step(
        self, action: npt.NDArray[np.float32]
    ) -> tuple[State, float, bool, bool, dict[str, Any]]:
        """Hold joint angles for one control step."""
        middle, reach = (self._high + self._low) / 2, (self._high - self._low) / 2
        return super().step(middle + reach * np.asarray(action, np.float64))


def make(
    task: str,
    mode: str | list[dict[str, Any]],
    *,
    image_size: int = 84,
    frame_stack: int = 3,
    action_repeat: int | None = None,
    assets: str = "auto",
    camera: int | str | None = None,
    composite: str = "exact",
    render_quality: str = "standard",
    render_mode: str | None = "rgb_array",
    robot: str = "a1",
    model: str = "own",
) -> gym.Env:
    """Build a Unitree environment; observations are uint8 `(3 * frame_stack, size, size)`.

    An episode is 1000 control steps, and ends by truncation. All episodes start alike.

    Args:
        task: `"walk"` (at 1 m/s) or `"stand"` (up, from lying).
        mode: A name in `MODES` of the suite's table or of `distractions.MODES`, or a list of
            `{"kind": name, **arguments}`.
        image_size: Height and width in pixels.
        frame_stack: Frames per observation, oldest first.
        action_repeat: Control steps per agent step; None is 2.
        assets: `"auto"`, `"generated"`, or a folder like DMC-GB's data folder.
        camera: Number or name; None is RL-ViGen's, `"back_above"`, which sees the floor and hardly
            any sky. `"y"` and `"y1"` look from the side.
        composite: `"exact"`, or `"chroma"` for DMC-GB's green screen.
        render_quality: `"standard"`, `"fast"` or `"draft"` (see `MujocoScene`).
        render_mode: `"rgb_array"` or None.
        robot: `"a1"` or `"go1"`.
        model: `"own"`, or `"menagerie"` for MuJoCo Menagerie's meshes: the same physics.

    Raises:
        UnknownName: for a task, mode, camera, quality, robot or model that does not exist.
        AssetsMissing: for a video mode whose clips, or a model whose files, are not on this
            machine.
        MissingExtra: without mujoco.
    """
    if task not in TASKS:
        raise unknown("task of suite 'unitree'", task, TASKS)
    env = QuadrupedEnv(task, robot, model, render_mode)
    return pictures.observe(
        env,
        COLORS.get(mode, mode) if isinstance(mode, str) else mode,
        control_step=FRAME_SKIP * env.model.opt.timestep,
        episode=EPISODE,
        action_repeat=ACTION_REPEAT if action_repeat is None else action_repeat,
        image_size=image_size,
        frame_stack=frame_stack,
        assets=assets,
        camera=CAMERA if camera is None else camera,
        composite=composite,
        render_quality=render_quality,
    )
