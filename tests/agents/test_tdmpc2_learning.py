"""TDMPC2 learns what pays: Dreamer's bar, which pushes can move to the middle of the picture."""

import numpy as np
import pytest
import torch
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.evaluation import evaluate_policy
from test_dreamer_learning import STEPS, Bar

from distraction_gym.agents import TDMPC2

torch.set_num_threads(1)
SETTINGS = {
    "learning_rate": 1e-3,
    "buffer_size": 2000,
    "learning_starts": 120,
    "catch_up_updates": 100,
    "batch_size": 32,
    "gradient_steps": 2,
    "episode_length": STEPS,
    "gamma": 0.8,
    "shift": 0,
    "iterations": 3,
    "num_samples": 32,
    "num_elites": 8,
    "num_pi_trajs": 4,
    "seed": 0,
    "device": "cpu",
    "policy_kwargs": {"latent_dim": 32, "mlp_dim": 32, "num_channels": 4},
}


@pytest.mark.slow
def test_it_learns():
    model = TDMPC2("CnnPolicy", make_vec_env(Bar, 4, seed=0), **SETTINGS)

    def score():
        torch.manual_seed(0)
        return np.mean(evaluate_policy(model, make_vec_env(Bar, 1, seed=9), 30)[0])

    assert score() < 3.5
    model.learn(800)
    assert score() > 4.8
