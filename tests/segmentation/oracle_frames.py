"""How well masks fit: shared by the tests of segmenters."""

from itertools import product

import gymnasium as gym
import numpy as np

from distraction_gym import env_id
from distraction_gym.wrappers import AddForegroundMask


def iou(one, other):
    return (one & other).sum() / max((one | other).sum(), 1)


def best_subset(masks, foreground):
    """Return the best IoU with the foreground that the OR of some of the masks has."""
    chosen = product((False, True), repeat=len(masks))
    return max(iou(masks[list(choice)].any(axis=0), foreground) for choice in chosen)


def pictures(suite, task, mode="clean", episodes=4, **kwargs):
    """Return frames `(n, H, W, 3)` and the oracle's foregrounds `(n, H, W)` of random play."""
    env = AddForegroundMask(gym.make(env_id(suite, task, mode), frame_stack=1, **kwargs))
    env.action_space.seed(0)
    frames, masks = [], []
    for seed in range(episodes):
        env.reset(seed=seed)
        for _ in range(6):
            obs, *_, info = env.step(env.action_space.sample())
        frames.append(obs.transpose(1, 2, 0))
        masks.append(info["foreground"])
    env.close()
    return np.stack(frames), np.stack(masks)
