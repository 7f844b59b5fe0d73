"""A bandit on pictures, and agents small enough to test with."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import torch
from gymnasium import spaces

from distraction_gym.agents import (
    CURL,
    PAD,
    PIEG,
    RAD,
    SAC,
    SGQN,
    SMG,
    SODA,
    SRM,
    SVEA,
    TRMS,
    TRMSSAC,
    DrQ,
    DrQv2,
    MaDi,
)
from distraction_gym.agents.common.visual_sac import Batch
from distraction_gym.segmentation import SEGMENTERS, Segmenter, Segments
from distraction_gym.segmentation.base import fill

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


@SEGMENTERS.register("halves")
class Halves(Segmenter):
    """Splits a frame into what is red beyond 150, and the rest; counts how often it is asked."""

    asked = 0

    def segment(self, frames: np.ndarray) -> Segments:
        type(self).asked += 1
        red = frames[..., 0] > 150
        found = [np.stack([part for part in (one, ~one) if part.any()]) for one in red]
        scores = [np.linspace(0.9, 0.5, len(part), dtype=np.float32) for part in found]
        return fill(found, scores, self.k)


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
_TRMS: dict[str, Any] = {
    "segmenter": "halves",
    "augment": "random_conv",
    "k": 3,
    "teach_steps": 40,
    "sampler_filters": [4, 8],
    "sampler_lr": 1e-3,
    "student_filters": [4, 4],
    "student_lr": 1e-3,
    "learning_rate": 1e-3,
    "policy_kwargs": {
        "net_arch": [32, 32],
        "projection_dim": 16,
        "features_extractor_kwargs": {"features": 32, "strides": [2, 2, 1], "filters": 8},
    },
}
OWN = {
    SAC: {},
    RAD: {"crop": 30},
    DrQ: {},
    CURL: {"crop": 30},
    SODA: {"crop": 30, "augment": "random_conv", "soda_batch_size": 16},
    PAD: {"crop": 30, "head_layers": 1, "inverse_units": 32},
    SVEA: {"augment": "random_conv"},
    MaDi: {"augment": "random_conv", "masker_filters": 4},
    SGQN: {"augment": "random_conv", "decoder_filters": [4, 8, 4]},
    SMG: {"decoder_filters": [4, 8, 4], "inverse_arch": [16], "mask_warmup": 0},
    SRM: {},
    TRMS: {**_TRMS, "n_steps": 1, "noise_steps": 300},
    TRMSSAC: _TRMS,
    DrQv2: {"train_freq": 1, "noise_steps": 300, "learning_rate": 1e-3},
    PIEG: {
        "augment": "random_conv",
        "backbone": "random",
        "train_freq": 1,
        "noise_steps": 300,
        "learning_rate": 1e-3,
        "policy_kwargs": {
            "net_arch": [32, 32],
            "projection_dim": 16,
            "features_extractor_kwargs": {"features": 32},
        },
    },
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
    return Batch(obs, 2 * rand(size, 1) - 1, rand(size, 1), next_obs, discount, obs.byte())


def components(model: Any) -> dict[str, list[torch.nn.Parameter]]:
    """Sort a model's weights by what they belong to; the trunk belongs to itself."""
    critic, actor, target = model.critic, model.actor, model.critic_target
    trunk = list(critic.features_extractor.parameters())
    shared = {id(parameter) for parameter in trunk}
    parts = {
        "trunk": trunk,
        "critic projection": list(critic.projection.parameters()),
        "critic heads": [p for head in critic.q_networks for p in head.parameters()],
        "actor": [p for p in actor.parameters() if id(p) not in shared],
        "target": [p for p in target.parameters() if id(p) not in shared],
        "alpha": [] if model.log_ent_coef is None else [model.log_ent_coef],
    }
    return parts | {name: list(module.parameters()) for name, module in model.extras.items()}


def moved_parts(model: Any, act: Any) -> set[str]:
    """Do something to a model and name the components of which any weight has moved."""
    parts = components(model)
    before = {name: [p.detach().clone() for p in part] for name, part in parts.items()}
    act()
    return {
        name
        for name, part in parts.items()
        if any(not torch.equal(p, q) for p, q in zip(part, before[name], strict=True))
    }


def scenes(size: int, seed: int = 0) -> torch.Tensor:
    """Draw smooth pictures `(size, 3, SIDE, SIDE)`, 0-255, that crops leave recognisable."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(size, 3, 4, 4, generator=generator) * 255
    return torch.nn.functional.interpolate(coarse, (SIDE, SIDE), mode="bilinear")


def in_float64(batch: Batch) -> Batch:
    """Return the same batch in double precision."""
    return Batch(*(None if part is None else part.double() for part in batch))


def weights(module: torch.nn.Module) -> list[torch.Tensor]:
    return [p.detach().clone() for p in module.parameters()]


def moved(module: torch.nn.Module, before: list[torch.Tensor]) -> bool:
    """Return whether any weight differs from what it was."""
    return any(not torch.equal(p, q) for p, q in zip(module.parameters(), before, strict=True))


def equal_updates(first: Any, second: Any, updates: int = 4) -> None:
    """Make the same updates of two agents, and compare every weight of their policies."""
    for update in range(updates):
        for model in (first, second):
            torch.manual_seed(update)
            model._update(random_batch(seed=update))
    pairs = zip(first.policy.state_dict().items(), second.policy.state_dict().values(), strict=True)
    for (name, ours), theirs in pairs:
        assert torch.equal(ours, theirs), name


def drift(module: torch.nn.Module) -> None:
    """Move weights a little, so that copies of one network can be told apart."""
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.05 * torch.randn(parameter.shape, generator=generator))
