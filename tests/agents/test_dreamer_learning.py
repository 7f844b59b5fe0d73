"""Dreamer learns what pays: a bar that pushes can move to the middle of the picture."""

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium import spaces
from stable_baselines3.common.env_util import make_vec_env

from distraction_gym.agents import Dreamer
from distraction_gym.bench.evaluate import play

torch.set_num_threads(1)
STEPS = 6


class Bar(gym.Env):
    """Pays most in the middle, step by step; an episode is cut off after six steps.

    Random pushes earn about 2.4, the best ones 5.5.
    """

    observation_space = spaces.Box(0, 255, (3, 12, 12), np.uint8)
    action_space = spaces.Box(-1, 1, (1,), np.float32)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.place, self.at = float(self.np_random.uniform(-1, 1)), 0
        return self.draw(), {}

    def draw(self):
        frame = np.zeros((3, 12, 12), np.uint8)
        left = round((self.place + 1) / 2 * 9)
        frame[0, 4:8, left : left + 3] = 255
        return frame

    def step(self, action):
        self.place = float(np.clip(self.place + 0.4 * float(action[0]), -1, 1))
        self.at += 1
        return self.draw(), 1 - abs(self.place), False, self.at == STEPS, {}


SETTINGS = {
    "learning_rate": 3e-3,
    "actor_lr": 1e-3,
    "critic_lr": 1e-3,
    "buffer_size": 2000,
    "learning_starts": 120,
    "batch_size": 8,
    "batch_length": 6,
    "train_ratio": 32,
    "pretrain_updates": 50,
    "gamma": 0.8,
    "horizon": 5,
    "draw_every": 0,
    "seed": 0,
    "device": "cpu",
    "policy_kwargs": {"deter": 32, "stoch": 4, "classes": 8, "hidden": 32, "units": 32, "depth": 4},
}


@pytest.mark.slow
def test_it_learns():
    model = Dreamer("CnnPolicy", make_vec_env(Bar, 4, seed=0), **SETTINGS)
    assert np.mean(play(model, Bar(), 30, seed=0).returns) < 3.5
    model.learn(800)
    assert np.mean(play(model, Bar(), 30, seed=0).returns) > 4.8
