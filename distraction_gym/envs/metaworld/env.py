"""Meta-World's V3 tasks, seen through a camera."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np

from distraction_gym.envs import pictures
from distraction_gym.envs.metaworld import TASKS
from distraction_gym.envs.metaworld.pipelines import pipeline
from distraction_gym.envs.metaworld.sawyer import CAMERA, MetaWorldEnv
from distraction_gym.registry import unknown

ACTION_REPEAT, EPISODE = 2, 500
TABLE, FLOOR = ("table_wood", "wall_metal"), "basic_floor"
"""Materials of the table and its rim, and of the floor beneath."""


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
    """Build a Meta-World environment; observations are uint8 `(3 * frame_stack, size, size)`.

    An episode is 500 control steps, and ends by truncation, never by success. `info["success"]`
    tells whether the goal holds, `info["is_success"]` whether it has held in this episode.

    Args:
        task: A name in `TASKS`, such as `"coffee_button"`.
        mode: A name in the suite's modes, or another of `distractions.MODES`.
        image_size: Height and width in pixels (Segmentation Dreamer's pictures have 64).
        frame_stack: Frames per observation, oldest first.
        action_repeat: Control steps per agent step; None is 2.
        assets: `"auto"`, `"generated"`, or a folder like DMC-GB's data folder.
        camera: `"corner2"` (also None), `"corner"`, `"corner3"`, `"corner4"`, `"topview"`,
            `"behindGripper"`, `"gripperPOV"`, or a number.
        composite: Not looked at: this lab has nothing that could be keyed, masks are exact.
        render_quality: `"standard"`, `"fast"` or `"draft"` (see `MujocoScene`).
        render_mode: `"rgb_array"` or None.

    Raises:
        UnknownName: for a task, mode, camera or quality that does not exist.
        AssetsMissing: for a video mode whose clips are not on this machine.
        MissingExtra: without metaworld.
    """
    if task not in TASKS:
        raise unknown("task of suite 'metaworld'", task, TASKS)
    env = MetaWorldEnv(task, render_mode)
    return pictures.observe(
        env,
        pipeline(mode, lab(env.model)),
        control_step=env.sawyer.dt,
        episode=EPISODE,
        action_repeat=ACTION_REPEAT if action_repeat is None else action_repeat,
        image_size=image_size,
        frame_stack=frame_stack,
        assets=assets,
        camera=CAMERA if camera is None else camera,
        composite="exact",
        render_quality=render_quality,
        extra_background=behind(env.model),
        relevant=relevant(env.model),
    )


def lab(model: Any) -> list[str]:
    """Return the materials of table and floor. Tables with a hole in the middle have no rim."""
    names = [model.mat(number).name for number in range(model.nmat)]
    return [name for name in names if name in (*TABLE, FLOOR)]


def behind(model: Any) -> dict[str, list[str]]:
    """Return what `video_easy` replaces, as `"sky"`, and `video_hard` besides, as `"floor"`.

    The room around the table, and the table with its rim.
    """
    return {"sky": ["floor"], "floor": _bodies(model, _table(model))}


def relevant(model: Any) -> list[str]:
    """Return what matters: the robot, the task's objects, and the marks drawn on them."""
    sites = np.flatnonzero(model.site_rgba[:, 3]).tolist()
    return [
        *_bodies(model, set(model.geom_bodyid.tolist()) - {0} - _table(model)),
        *(f"site:{model.site(site).name or site}" for site in sites),
    ]


def _bodies(model: Any, numbers: set[int]) -> list[str]:
    return [f"body:{model.body(number).name or number}" for number in sorted(numbers)]


def _table(model: Any) -> set[int]:
    made_of = [number for number in range(model.nmat) if model.mat(number).name in TABLE]
    return set(model.geom_bodyid[np.isin(model.geom_matid, made_of)].tolist())
