"""The Distracting Control Suite on a stock dm_control, through public APIs."""

from __future__ import annotations

import gymnasium as gym

from distraction_gym.envs import dmc
from distraction_gym.envs.dcs import MODES, TASKS
from distraction_gym.envs.dcs.pipelines import pipeline
from distraction_gym.envs.dmc_relevant import relevant
from distraction_gym.registry import unknown


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
    """Build an environment of the suite; observations are uint8 `(3 * frame_stack, size, size)`.

    One frame is drawn per agent step, after as many moves of background, camera and colours as its
    control steps would have made. An episode is 1000 control steps, and ends by truncation.

    Args:
        task: A name in `TASKS`, such as `"cheetah_run"`.
        mode: A name in `MODES`, such as `"hard_dynamic"` or `"beta_02"`.
        image_size: Height and width in pixels.
        frame_stack: Frames per observation, oldest first.
        action_repeat: Control steps per agent step; None takes cartpole 8, finger 2, others 4.
        assets: `"auto"`, `"generated"`, or a folder that holds `davis/`.
        camera: Number or name; None is 0.
        composite: Not looked at: the clip is a texture of the scene.
        render_quality: `"standard"`, `"fast"` or `"draft"` (see `MujocoScene`).
        render_mode: `"rgb_array"` or None.

    Raises:
        UnknownName: for a task, mode, camera or quality that does not exist.
        AssetsMissing: for modes other than `"clean"`, if the clips are not on this machine.
        MissingExtra: without dm_control, mujoco and shimmy.
    """
    domain, name = dmc.split(task, TASKS, "dcs")
    if mode not in MODES:
        raise unknown("mode of suite 'dcs'", mode, MODES)
    repeat = dmc.action_repeat_of(domain) if action_repeat is None else action_repeat
    return dmc.observe(
        dmc.load(domain, name),
        pipeline(mode, domain, repeat, image_size),
        action_repeat=repeat,
        image_size=image_size,
        frame_stack=frame_stack,
        assets=assets,
        camera=0 if camera is None else camera,
        composite=composite,
        render_quality=render_quality,
        render_mode=render_mode,
        relevant=relevant(domain, name),
    )
