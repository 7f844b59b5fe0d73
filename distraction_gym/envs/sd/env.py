"""Segmentation Dreamer's protocol on a stock dm_control, as far as its poster tells it."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np

from distraction_gym.envs import dmc
from distraction_gym.envs.dmc_relevant import relevant
from distraction_gym.envs.sd import TASKS

ACTION_REPEAT = 2
STANDING = ("cheetah", "hopper", "walker")
"""Domains whose robot stands on the floor, which the video leaves visible there, in grey."""
WALLS = {"reacher": {"floor": ["wall_x", "wall_y", "wall_neg_x", "wall_neg_y"]}}
_FLOOR = "grid"  # dm_control's texture of it


def make(
    task: str,
    mode: str | list[dict[str, Any]],
    *,
    image_size: int = 64,
    frame_stack: int = 1,
    action_repeat: int | None = None,
    assets: str = "auto",
    camera: int | str | None = None,
    composite: str = "exact",
    render_quality: str = "standard",
    render_mode: str | None = "rgb_array",
    ground: bool = False,
) -> gym.Env:
    """Build one of SD's environments; observations are uint8 `(3 * frame_stack, size, size)`.

    An episode is 1000 control steps, and ends by truncation.

    Args:
        task: A name in `TASKS`, such as `"cheetah_run"`.
        mode: A name in the suite's table or in `distractions.MODES`, or a list of
            `{"kind": name, **arguments}`.
        image_size: Height and width in pixels.
        frame_stack: Frames per observation, oldest first; world models remember, and take one.
        action_repeat: Control steps per agent step; None is 2.
        assets: `"auto"`, `"generated"`, or a folder with the packs `driving_train` and
            `driving_test`.
        camera: Number or name; None is 0.
        composite: `"exact"`, or `"chroma"` for DMC-GB's green screen; the blue modes keep their
            own.
        render_quality: `"standard"`, `"fast"` or `"draft"` (see `MujocoScene`).
        render_mode: `"rgb_array"` or None.
        ground: Whether masks count the floor as what matters (an ablation: without it SD falls
            behind on the cheetah).

    Raises:
        UnknownName: for a task, mode, camera or quality that does not exist.
        AssetsMissing: for a mode whose clips are not on this machine.
        MissingExtra: without dm_control, mujoco and shimmy.
    """
    domain, name = dmc.split(task, TASKS, "sd")
    control = dmc.load(domain, name)
    wanted = relevant(domain, name)
    assert wanted is not None, "every domain of the table has its set"
    if mode in ("video_train", "video_test") and domain in STANDING:
        take_color(control.physics.model.ptr, _FLOOR)
    return dmc.observe(
        control,
        pipeline(mode, domain) if isinstance(mode, str) else mode,
        action_repeat=ACTION_REPEAT if action_repeat is None else action_repeat,
        image_size=image_size,
        frame_stack=frame_stack,
        assets=assets,
        camera=0 if camera is None else camera,
        composite=composite,
        render_quality=render_quality,
        render_mode=render_mode,
        extra_background=WALLS.get(domain),
        relevant=[*wanted, "floor"] if ground else wanted,
    )


def pipeline(mode: str, domain: str) -> str:
    """Return the mode of `distractions.MODES` that one of the suite stands for in a domain."""
    background = "sd_sky" if domain in STANDING else "sd_background"
    return {
        "video_train": f"{background}_train",
        "video_test": background,
        "blue_train": "natural_color_train",
        "blue_test": "natural_color",
    }.get(mode, mode)


def take_color(model: Any, name: str) -> None:
    """Make a texture of a `mujoco.MjModel` grey: every pixel the mean of its channels."""
    texture = model.tex(name)
    start = int(texture.adr[0])
    size = int(texture.height[0] * texture.width[0] * texture.nchannel[0])
    pixels = model.tex_data[start : start + size].reshape(-1, texture.nchannel[0])
    pixels[:] = np.mean(pixels, axis=1, keepdims=True)
