"""DMC-GB on a stock dm_control: the same physics, rewards and pictures, through public APIs."""

from __future__ import annotations

import gymnasium as gym

from distraction_gym.envs import dmc
from distraction_gym.envs.dmc_relevant import relevant
from distraction_gym.envs.dmcgb import TASKS

# The papers' green screen removes cartpole's thin rails as well.
RAILS = {"cartpole": {"sky": ["rail1", "rail2"]}}
# Seen from so far that a smaller shadow map changes the picture: "fast" is "standard" here.
FULL_SHADOWS = ("quadruped_escape", "swimmer_swimmer6", "swimmer_swimmer15")


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
    domain, name = dmc.split(task, TASKS, "dmcgb")
    if render_quality == "fast" and task in FULL_SHADOWS:
        render_quality = "standard"
    return dmc.observe(
        dmc.load(domain, name),
        mode,
        action_repeat=dmc.action_repeat_of(domain) if action_repeat is None else action_repeat,
        image_size=image_size,
        frame_stack=frame_stack,
        assets=assets,
        camera=dmc.CAMERA.get(domain, 0) if camera is None else camera,
        composite=composite,
        render_quality=render_quality,
        render_mode=render_mode,
        extra_background=RAILS.get(domain),
        relevant=relevant(domain, name),
    )
