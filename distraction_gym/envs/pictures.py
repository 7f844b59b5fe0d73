"""From a MuJoCo environment of states to what IDs return: distracted, stacked frames."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium as gym
from gymnasium.wrappers import TimeLimit

from distraction_gym.wrappers import (
    ActionRepeat,
    AddProprioception,
    DistractionWrapper,
    ObserveScene,
    StackFrames,
)


def observe(
    env: gym.Env,
    mode: str | list[dict[str, Any]],
    *,
    control_step: float,
    episode: int,
    action_repeat: int,
    image_size: int,
    frame_stack: int,
    assets: str,
    camera: int | str,
    composite: str,
    render_quality: str,
    extra_background: Mapping[str, Sequence[str]] | None = None,
    relevant: Sequence[str] | None = None,
    proprioception: bool = False,
) -> gym.Env:
    """Wrap a MuJoCo environment; observations are uint8 `(3 * frame_stack, size, size)`.

    Every frame is drawn at the observation's size and disturbed before it is stacked. A time limit
    is truncation.

    Args:
        env: An environment of states, one control step per step, without a time limit.
        mode: A mode of `distractions.MODES`, or a list of `{"kind": name, **arguments}`.
        control_step: Seconds per control step.
        episode: Control steps per episode.
        action_repeat: Control steps per agent step.
        image_size: Height and width in pixels.
        frame_stack: Frames per observation, oldest first.
        assets: `"auto"`, `"generated"`, or a folder like DMC-GB's data folder.
        camera: Number or name.
        composite: `"exact"`, or `"chroma"` for DMC-GB's green screen.
        render_quality: `"standard"`, `"fast"` or `"draft"` (see `MujocoScene`).
        extra_background: Part -> names of geoms that masks count as that part.
        relevant: What matters, names as in `MujocoScene.foreground`; None is whatever is neither
            sky nor floor.
        proprioception: Return `{"image": ..., "proprio": ...}` (see `AddProprioception`).

    Raises:
        UnknownName: for a mode, camera or quality that does not exist.
        AssetsMissing: for a video mode whose clips are not on this machine.
    """
    env = ActionRepeat(env, action_repeat)
    rate = round(1 / (action_repeat * control_step))
    env.metadata = {**env.metadata, "render_fps": max(1, rate)}
    geoms = {part: list(names) for part, names in (extra_background or {}).items()}
    objects = None if relevant is None else list(relevant)
    env = ObserveScene(env, image_size, camera, render_quality, geoms or None, objects)
    env = StackFrames(
        DistractionWrapper(env, mode, assets=assets, composite=composite), frame_stack
    )
    if proprioception:
        env = AddProprioception(env)
    return TimeLimit(env, math.ceil(episode / action_repeat))
