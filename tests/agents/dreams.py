"""A Dreamer small enough to test with, and environments that tell what was stored."""

from typing import Any

import gymnasium as gym
import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3.common.env_util import make_vec_env

from distraction_gym.agents import Dreamer
from distraction_gym.agents.dreamer import ArraySpec
from distraction_gym.agents.dreamer.world_model import Sequences

torch.set_num_threads(1)
SIDE = 12
TINY: dict[str, Any] = {
    "buffer_size": 200,
    "learning_starts": 12,
    "batch_size": 3,
    "batch_length": 5,
    "train_ratio": 5,
    "pretrain_updates": 2,
    "horizon": 4,
    "gamma": 0.9,
    "draw_every": 0,
    "seed": 0,
    "device": "cpu",
    "policy_kwargs": {
        **{"deter": 8, "stoch": 3, "classes": 4, "hidden": 8, "depth": 2, "units": 8},
        "layers": 1,
    },
}


class Counter(gym.Env):
    """The picture shows the step's number; the reward is the action that was just taken.

    Episodes end at steps 4 and 7 in turn, by termination and by a time limit in turn.
    """

    observation_space = spaces.Box(0, 255, (6, SIDE, SIDE), np.uint8)
    action_space = spaces.Box(-2, 2, (1,), np.float32)
    episode = -1

    def reset(self, *, seed: int | None = None, options: Any = None):
        super().reset(seed=seed)
        self.at = 0
        self.episode += 1
        return self.draw(), {"shown": 0}

    def draw(self):
        frames = np.zeros((2, 3, SIDE, SIDE), np.uint8)
        frames[1] = 10 * self.at
        return frames.reshape(6, SIDE, SIDE)

    def step(self, action):
        self.at += 1
        over = self.at == (4, 7)[self.episode % 2]
        limit = self.episode % 2 == 1
        done = bool(over and not limit), bool(over and limit)
        return self.draw(), float(action[0]), *done, {"shown": self.at}


def tiny(cls: type = Dreamer, env: Any = Counter, n_envs: int = 1, **kwargs: Any):
    """Build a tiny agent on copies of an environment."""
    return cls("CnnPolicy", make_vec_env(env, n_envs), **{**TINY, **kwargs})


def random_sequences(batch: int = 3, steps: int = 5, side: int = SIDE, actions: int = 1):
    """Draw sequences of noise, joined in the middle."""
    generator = torch.Generator().manual_seed(0)
    rand = lambda *shape: torch.rand(*shape, generator=generator)  # noqa: E731
    first = torch.zeros(batch, steps)
    first[:, 0] = first[-1, steps // 2] = 1
    return Sequences(
        (256 * rand(batch, steps, 3, side, side)).byte(),
        2 * rand(batch, steps, actions) - 1,
        rand(batch, steps),
        first,
        (rand(batch, steps) > 0.8).float(),
    )


class Telling(Dreamer):
    """Stores what the environment's info says of each picture."""

    def extra_arrays(self):
        return {"shown": ArraySpec((), "int64")}

    def describe(self, frames, infos):
        assert frames.shape[1:] == (3, SIDE, SIDE)
        return {"shown": np.array([info["shown"] for info in infos])}
