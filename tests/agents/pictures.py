"""A bandit on pictures, and agents small enough to test with."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import torch
from gymnasium import spaces

from distraction_gym.agents import SAC, SRM, SVEA, MaDi
from distraction_gym.agents.common.visual_sac import Batch

torch.set_num_threads(1)
SIDE = 36


class Bandit(gym.Env):
    """One bright patch in a stack of frames; the action that names its column is paid best."""

    def __init__(self, stack: int = 1) -> None:
        self.observation_space = spaces.Box(0, 255, (3 * stack, SIDE, SIDE), np.uint8)
        self.action_space = spaces.Box(-1, 1, (1,), np.float32)
        self.stack = stack

    def _draw(self) -> np.ndarray:
        self.column = self.np_random.uniform(-1, 1)
        frame = np.full((3, SIDE, SIDE), 40, np.uint8)
        left = int((self.column + 1) / 2 * (SIDE - 8))
        frame[0, 12:24, left : left + 8] = 230
        return np.tile(frame, (self.stack, 1, 1))

    def reset(self, *, seed: int | None = None, options: Any = None):
        super().reset(seed=seed)
        return self._draw(), {}

    def step(self, action: np.ndarray):
        reward = 1.0 - abs(float(action[0]) - self.column)
        return self._draw(), reward, True, False, {}


SMALL: dict[str, Any] = {
    "batch_size": 8,
    "buffer_size": 200,
    "learning_starts": 10,
    "catch_up_updates": 0,
    "seed": 0,
    "policy_kwargs": {
        "net_arch": [32, 32],
        "projection_dim": 16,
        "features_extractor_kwargs": {"strides": [2, 2, 1], "filters": 8},
    },
}
OWN = {
    SAC: {},
    SVEA: {"augment": "random_conv"},
    MaDi: {"augment": "random_conv", "masker_filters": 4},
    SRM: {},
}


def small(cls: type, stack: int = 1, **kwargs: Any):
    """Build a small agent on the bandit."""
    return cls("CnnPolicy", Bandit(stack), **{**SMALL, **OWN[cls], **kwargs})


def random_batch(stack: int = 1, size: int = 6, seed: int = 0) -> Batch:
    """Draw a batch of noise."""
    generator = torch.Generator().manual_seed(seed)

    def rand(*shape: int) -> torch.Tensor:
        return torch.rand(*shape, generator=generator)

    obs, next_obs = (rand(size, 3 * stack, SIDE, SIDE) * 255 for _ in range(2))
    discount = 0.9 * (rand(size, 1) > 0.3)
    return Batch(obs, 2 * rand(size, 1) - 1, rand(size, 1), next_obs, discount)


def in_float64(batch: Batch) -> Batch:
    """Return the same batch in double precision."""
    return Batch(*(None if part is None else part.double() for part in batch))


def weights(module: torch.nn.Module) -> list[torch.Tensor]:
    return [p.detach().clone() for p in module.parameters()]


def moved(module: torch.nn.Module, before: list[torch.Tensor]) -> bool:
    """Return whether any weight differs from what it was."""
    return any(not torch.equal(p, q) for p, q in zip(module.parameters(), before, strict=True))


def drift(module: torch.nn.Module) -> None:
    """Move weights a little, so that copies of one network can be told apart."""
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.05 * torch.randn(parameter.shape, generator=generator))
