"""What a robot feels, beside the picture."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest

from distraction_gym.errors import UnsupportedEnvironment
from distraction_gym.wrappers import AddProprioception


class Counting(gym.Env):
    """Pictures of noise; it feels how many steps it has taken, twice."""

    observation_space = gym.spaces.Box(0, 255, (3, 4, 4), np.uint8)
    action_space = gym.spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.steps = 0
        return self.np_random.integers(0, 256, (3, 4, 4), np.uint8), {}

    def step(self, action):
        self.steps += 1
        return self.np_random.integers(0, 256, (3, 4, 4), np.uint8), 1.0, False, False, {}

    def proprioception(self):
        return np.full(2, getattr(self, "steps", 0), np.float64)


def test_it_stands_beside_the_picture():
    env, plain = AddProprioception(Counting()), Counting()
    obs, _ = env.reset(seed=1)
    np.testing.assert_array_equal(obs["image"], plain.reset(seed=1)[0])
    assert obs in env.observation_space
    for step in (1, 2):
        obs, *_ = env.step(0)
        np.testing.assert_array_equal(obs["image"], plain.step(0)[0])
        assert obs["proprio"].tolist() == [step, step] and obs in env.observation_space


def test_an_environment_that_feels_nothing():
    with pytest.raises(UnsupportedEnvironment, match="proprioception\\(\\)"):
        AddProprioception(gym.make("CartPole-v1"))
