"""How many masks an environment's frames need."""

from __future__ import annotations

import numpy as np
from stable_baselines3.common.vec_env import VecEnv

from distraction_gym.agents.trms.planes import frames_of
from distraction_gym.agents.trms.teacher import Teacher
from distraction_gym.segmentation import Masks

MOST = 15
"""Masks that are looked at: the most that the paper takes anywhere (Adroit's hammer and door)."""
STEPS = 100
COVERED = 0.99


def needed_masks(env: VecEnv, segmenter: str | dict) -> int:
    """Return the fewest masks that show nearly all that `MOST` show, in random play.

    Not in the paper, which sets the number by hand. The environment is stepped, and reset first.

    Args:
        env: With stacked RGB observations `(3f, H, W)`.
        segmenter: As `Teacher`.
    """
    teacher = Teacher(segmenter, MOST, cached=False)
    obs = env.reset()
    seen = []
    for step in range(STEPS):
        if step % 10 == 0:  # frames in a row are much alike
            seen.append(frames_of(np.asarray(obs)[:, -3:])[:, 0])
        actions = np.array([env.action_space.sample() for _ in range(env.num_envs)])
        obs, *_ = env.step(actions)
    return fewest(teacher.masks(np.concatenate(seen)))


def fewest(masks: Masks) -> int:
    """Return how many planes of `(N, k, H, W)`, from the first, cover what all of them do.

    But for 1 % of the pixels that any of them shows, on average over frames with masks.
    """
    shown = np.logical_or.accumulate(masks, axis=1).sum(axis=(2, 3))
    total = shown[:, -1:]
    if not total.any():
        return 1
    share = (shown / np.maximum(total, 1))[total[:, 0] > 0].mean(axis=0)
    return int(np.argmax(share >= COVERED)) + 1
