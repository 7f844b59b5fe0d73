"""Adroit's tasks as pictures: RL-ViGen's protocol on Gymnasium-Robotics' models."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np

from distraction_gym.envs import pictures
from distraction_gym.envs.adroit import MODES
from distraction_gym.envs.adroit.hand import FRAME_SKIP, AdroitEnv
from distraction_gym.envs.adroit.pipelines import pipeline
from distraction_gym.envs.adroit.tasks import HAND
from distraction_gym.registry import unknown

ACTION_REPEAT = 2
_PLAIN = np.array([0.5, 0.5, 0.5, 1.0], np.float32)  # MuJoCo's colour for geoms that are given none


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
    proprioception: bool = False,
    reward: str = "sparse",
    reward_rescale: bool = True,
) -> gym.Env:
    """Build an Adroit environment; observations are uint8 `(3 * frame_stack, size, size)`.

    An episode is 200 control steps (pen: 100, or until the pen falls), and ends by truncation. The
    model is compiled once; no reset compiles it again.

    Args:
        task: `"door"`, `"hammer"`, `"pen"` or `"relocate"`.
        mode: A name in `MODES`, such as `"video_hard"`.
        image_size: Height and width in pixels.
        frame_stack: Frames per observation, oldest first.
        action_repeat: Control steps per agent step; None is 2.
        assets: `"auto"`, `"generated"`, or a folder like DMC-GB's data folder.
        camera: Number or name; None is the papers' (relocate: `"vil_camera"`).
        composite: `"exact"`, or `"chroma"` for DMC-GB's green screen.
        render_quality: `"standard"`, `"fast"` or `"draft"` (see `MujocoScene`).
        render_mode: `"rgb_array"` or None.
        proprioception: Return `{"image": ..., "proprio": the 24 joints of wrist and fingers}`.
        reward: `"sparse"`, the papers'.
        reward_rescale: Whether to divide rewards as the papers do: door 20, hammer 100, pen 50,
            relocate 30.

    Raises:
        UnknownName: for a task, mode, reward, camera or quality that does not exist.
        AssetsMissing: for a video mode whose clips are not on this machine.
        MissingExtra: without gymnasium-robotics.
    """
    if mode not in MODES:
        raise unknown("mode of suite 'adroit'", mode, MODES)
    env = AdroitEnv(task, reward=reward, reward_rescale=reward_rescale, render_mode=render_mode)
    return pictures.observe(
        env,
        pipeline(mode, dressed(env.model)),
        control_step=FRAME_SKIP * env.model.opt.timestep,
        episode=env.task.episode,
        action_repeat=ACTION_REPEAT if action_repeat is None else action_repeat,
        image_size=image_size,
        frame_stack=frame_stack,
        assets=assets,
        camera=env.task.camera if camera is None else camera,
        composite=composite,
        render_quality=render_quality,
        relevant=[*HAND, *env.task.objects],
        proprioception=proprioception,
    )


def dressed(model: Any) -> list[str]:
    """Return what the test levels recolour: whatever has no colour of its own but its material's.

    RL-ViGen changes the default colour of all geoms, which those take that are given none. They
    keep their textures. The ground is gone at these levels.
    """
    plain = (model.geom_rgba == _PLAIN).all(axis=1)
    plain &= np.isin(model.geom_group, (0, 1, 2))  # what is drawn
    names: dict[str, None] = {}
    for geom in np.flatnonzero(plain).tolist():
        material = int(model.geom_matid[geom])
        named = (
            model.mat(material).name if material >= 0 else f"geom:{model.geom(geom).name or geom}"
        )
        names[named] = None
    names.pop("groundplane")
    return list(names)
