"""Environments and distractions small enough to follow by eye."""

from typing import ClassVar

import gymnasium as gym
import numpy as np

from distraction_gym.distractions.base import Distraction


class Counting(gym.Env):
    """Each step paints the frame with its own number; the upper half is what matters."""

    metadata: ClassVar = {"render_modes": ["rgb_array"], "render_fps": 10}

    def __init__(self, channels_first=False, ends_after=100, render_mode="rgb_array"):
        shape = (3, 8, 6) if channels_first else (8, 6, 3)
        self.observation_space = gym.spaces.Box(0, 255, shape, np.uint8)
        self.action_space = gym.spaces.Box(-1, 1, (1,), np.float32)
        self.render_mode = render_mode
        self._ends_after = ends_after

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.time = 0
        return self._picture(), {"time": 0}

    def step(self, action):
        self.time += 1
        ended = self.time >= self._ends_after
        return self._picture(), np.float64(self.time), ended, False, {"time": self.time}

    def render(self):
        return self._picture()

    def _picture(self):
        return np.full(self.observation_space.shape, self.time, np.uint8)


def keep_upper_half(frame, env):
    keep = np.zeros(frame.shape[:2], bool)
    keep[:4] = True
    return keep


class Footage(Distraction):
    """A clip whose frames are 100, 101, 102, ... plus a draw of the episode's."""

    def __init__(self, calls=None):
        self.calls = [] if calls is None else calls

    def reset(self, rng, scene):
        self.calls.append("reset")
        self._value = 100 + int(rng.integers(50))
        self.start = self._value

    def apply(self, frame, scene):
        self.calls.append("apply")
        behind = scene.background(["sky", "floor"], frame)
        self._value += 1
        clip = np.full_like(frame, self._value - 1)
        if behind.dtype == bool:
            return np.where(behind[..., None], clip, frame)
        return (behind[..., None] * clip + (1 - behind[..., None]) * frame).astype(np.uint8)

    def describe(self):
        return {"start": self.start}
