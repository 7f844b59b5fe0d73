"""A TDMPC2 small enough to test with, an environment that tells its steps, slow references."""

import math
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3.common.env_util import make_vec_env
from torch import nn

from distraction_gym.agents import TDMPC2
from distraction_gym.agents.tdmpc2.slices import Slices

torch.set_num_threads(1)
SIDE = 12
TINY: dict[str, Any] = {
    "buffer_size": 200,
    "learning_starts": 24,
    "batch_size": 6,
    "catch_up_updates": 3,
    "episode_length": 8,
    "shift": 1,
    "iterations": 2,
    "num_samples": 10,
    "num_elites": 4,
    "num_pi_trajs": 2,
    "seed": 0,
    "device": "cpu",
    "policy_kwargs": {"latent_dim": 16, "mlp_dim": 8, "num_channels": 2},
}


class Clock(gym.Env):
    """Both frames show the number of their step; the reward is the action that was just taken.

    Episodes are cut off after 5 and 8 steps in turn.
    """

    observation_space = spaces.Box(0, 255, (6, SIDE, SIDE), np.uint8)
    action_space = spaces.Box(-2, 2, (2,), np.float32)
    episode = -1

    def reset(self, *, seed: int | None = None, options: Any = None):
        super().reset(seed=seed)
        self.at = 0
        self.episode += 1
        return self.draw(), {}

    def draw(self):
        frames = [np.full((3, SIDE, SIDE), 10 * max(at, 0)) for at in (self.at - 1, self.at)]
        return np.concatenate(frames).astype(np.uint8)

    def step(self, action):
        self.at += 1
        over = self.at == (5, 8)[self.episode % 2]
        return self.draw(), float(action[0]), *self.ended(over), {}

    def ended(self, over):
        return False, over


class Mortal(Clock):
    """Its longer episodes terminate."""

    def ended(self, over):
        dies = self.episode % 2 == 1
        return over and dies, over and not dies


def tiny(env: Any = Clock, n_envs: int = 1, **kwargs: Any) -> TDMPC2:
    """Build a tiny agent on copies of an environment."""
    return TDMPC2("CnnPolicy", make_vec_env(env, n_envs), **{**TINY, **kwargs})


def random_slices(horizon: int = 3, batch: int = 4, dtype: torch.dtype = torch.float32) -> Slices:
    """Draw slices of noise."""
    generator = torch.Generator().manual_seed(0)
    rand = lambda *shape: torch.rand(*shape, generator=generator, dtype=dtype)  # noqa: E731
    return Slices(
        255 * rand(horizon + 1, batch, 6, SIDE, SIDE),
        2 * rand(horizon, batch, 2) - 1,
        5 * rand(horizon, batch) - 2,
        (rand(horizon, batch) > 0.6).to(dtype),
    )


def model_of(episodic: bool = False, dtype: torch.dtype = torch.float64, **kwargs: Any):
    """Return a tiny agent's model that predicts something everywhere, in evaluation mode."""
    agent = tiny(shift=0, episodic=episodic, **kwargs)
    stir(agent)
    agent.policy.set_training_mode(False)
    return agent, agent.policy.to(dtype).world_model


def stir(agent: TDMPC2) -> None:
    """Move all weights, those that start at zero and the target critics' too, apart."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in agent.policy.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=generator))


def slow_member(ensemble: Any, index: int, x: torch.Tensor) -> torch.Tensor:
    """Ask one network of an ensemble, layer by layer."""
    for layer in (ensemble.first, ensemble.second):
        x = x @ layer.linear.weight[index] + layer.linear.bias[index, 0]
        x = (x - x.mean(-1, keepdim=True)) / (x.var(-1, correction=0, keepdim=True) + 1e-5).sqrt()
        x = x * layer.scale[index, 0] + layer.offset[index, 0]
        x = x * torch.tanh(nn.functional.softplus(x))
    return x @ ensemble.last.weight[index] + ensemble.last.bias[index, 0]


def slow_number(logits: torch.Tensor) -> float:
    """Say what 101 logits predict."""
    probs = [math.exp(x) for x in logits.tolist()]
    mean = sum(p * (-10 + 0.2 * i) for i, p in enumerate(probs)) / sum(probs)
    return math.copysign(math.exp(abs(mean)) - 1, mean)


def slow_cross_entropy(logits: torch.Tensor, number: float) -> float:
    """Compare 101 logits with a number's two-hot code."""
    place = math.copysign(math.log(1 + abs(number)), number)
    place = (min(max(place, -10), 10) + 10) / 0.2
    below = min(math.floor(place + 1e-9), 99)
    log_probs = logits.log_softmax(-1).tolist()
    share = place - below
    return -(1 - share) * log_probs[below] - share * log_probs[below + 1]
