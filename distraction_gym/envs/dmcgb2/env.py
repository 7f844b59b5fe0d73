"""DMC-GB2 on a stock dm_control, through public APIs."""

from __future__ import annotations

import gymnasium as gym

from distraction_gym.envs import dmc
from distraction_gym.envs.dmc_relevant import relevant
from distraction_gym.envs.dmcgb2 import MODES, TASKS
from distraction_gym.envs.dmcgb2.pipelines import pipeline
from distraction_gym.envs.dmcgb2.screens import add_screen
from distraction_gym.registry import unknown

ACTION_REPEAT = 2


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
    """Build a DMC-GB2 environment; observations are uint8 `(3 * frame_stack, size, size)`.

    An episode is 1000 control steps, and ends by truncation. The model is compiled once, with a
    texture for the video screen; no reset compiles it again.

    Args:
        task: A name in `TASKS`, such as `"walker_walk"`.
        mode: A name in `MODES`, such as `"rotate_shift_hard"`.
        image_size: Height and width in pixels.
        frame_stack: Frames per observation, oldest first.
        action_repeat: Control steps per agent step; None is 2.
        assets: `"auto"`, `"generated"`, or a folder like DMC-GB's data folder.
        camera: Number or name; None is 0.
        composite: Not looked at: the clip is a texture of the scene.
        render_quality: `"standard"`, `"fast"` or `"draft"` (see `MujocoScene`).
        render_mode: `"rgb_array"` or None.

    Raises:
        UnknownName: for a task, mode, camera or quality that does not exist.
        AssetsMissing: for a video mode whose clips are not on this machine.
        MissingExtra: without dm_control, mujoco and shimmy.
    """
    domain, name = dmc.split(task, TASKS, "dmcgb2")
    if mode not in MODES:
        raise unknown("mode of suite 'dmcgb2'", mode, MODES)
    control = dmc.load(domain, name)
    add_screen(control, domain)
    return dmc.observe(
        control,
        pipeline(mode, domain, image_size),
        action_repeat=ACTION_REPEAT if action_repeat is None else action_repeat,
        image_size=image_size,
        frame_stack=frame_stack,
        assets=assets,
        camera=0 if camera is None else camera,
        composite=composite,
        render_quality=render_quality,
        render_mode=render_mode,
        relevant=relevant(domain, name),
    )
