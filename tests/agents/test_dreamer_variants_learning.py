"""Dreamer's variants learn what Dreamer learns, in the same environment."""

import numpy as np
import pytest
import torch
from stable_baselines3.common.env_util import make_vec_env
from test_dreamer_learning import SETTINGS, Bar

from distraction_gym.agents import TIA, DreamerPro, RePo
from distraction_gym.bench.evaluate import play

torch.set_num_threads(1)
# Pictures are small and tell little: so are shifts, targets and numbers of prototypes.
OWN = {
    RePo: {"beta": 1.0, "beta_lr": 1e-2, "target_kl": 0.5},
    DreamerPro: {"prototypes": 30, "freeze_updates": 50, "shift": 0.5},
    TIA: {"adversarial_scale": 10.0, "adversary_steps": 5},
}


@pytest.mark.slow
@pytest.mark.parametrize(("cls", "steps"), [(RePo, 1200), (DreamerPro, 800), (TIA, 800)])
def test_it_learns(cls, steps):
    model = cls("CnnPolicy", make_vec_env(Bar, 4, seed=0), **SETTINGS, **OWN[cls])
    assert np.mean(play(model, Bar(), 30, seed=0).returns) < 3.5
    model.learn(steps)
    assert np.mean(play(model, Bar(), 30, seed=0).returns) > 4.4
