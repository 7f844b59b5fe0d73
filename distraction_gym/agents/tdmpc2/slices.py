"""Replay of slices: a few steps in a row out of one episode."""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple, NoReturn

import numpy as np
import torch
from torch import Tensor

from distraction_gym.agents.common.replay import FrameReplayBuffer

_ATTEMPTS = 100
"""Rounds of drawing: by then there is a slice, or hardly any."""


class Slices(NamedTuple):
    """Steps in a row, time first. The action at t was taken at picture t and led to t + 1."""

    obs: Tensor
    """uint8 `(H + 1, B, 3k, h, w)`, an episode's last picture among them."""
    action: Tensor
    """`(H, B, A)` in [-1, 1]."""
    reward: Tensor
    """`(H, B)`: what the action earned."""
    terminal: Tensor
    """`(H, B)` float: 1 where the action ended the episode, never at a time limit."""


class SliceReplay(FrameReplayBuffer):
    """A `FrameReplayBuffer` from which slices are drawn, each as likely as any other."""

    otherwise: ClassVar[str] = "Type:  StackFrames(env, k)  around an environment of single frames."

    def sample(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refuse: single transitions are of no use here."""
        raise TypeError("SliceReplay has slices: use sample_slices(batch_size, horizon)")

    def sample_slices(self, batch_size: int, horizon: int) -> Slices:
        """Draw slices of `horizon` steps.

        Raises:
            ValueError: if no episode has as many steps yet.
        """
        slots, envs = self._choose(batch_size, horizon)
        everywhere = np.tile(envs, horizon)
        first = self._observations(slots.ravel(), everywhere)
        obs = torch.cat([first, self._next_observations(slots[-1], envs)]).to(self.device)
        ended = self.dones[slots, envs] * (1 - self.timeouts[slots, envs])
        return Slices(
            obs.view(horizon + 1, batch_size, *self.obs_shape),
            self.to_torch(self.actions[slots, envs]),
            self.to_torch(self.rewards[slots, envs]),
            self.to_torch(ended),
        )

    def _choose(self, batch_size: int, horizon: int) -> tuple[np.ndarray, np.ndarray]:
        """Return slots `(horizon, batch_size)` of transitions, and environments `(batch_size,)`."""
        room = self.size() - horizon + 1
        oldest = self.count - self.size()
        steps = np.arange(horizon)[:, None]
        kept: list[tuple[np.ndarray, np.ndarray]] = []
        found = 0
        for _ in range(_ATTEMPTS if room > 0 else 0):
            slots = (oldest + np.random.randint(room, size=batch_size) + steps) % self.buffer_size
            envs = np.random.randint(self.n_envs, size=batch_size)
            inside = slots[:-1]
            broken = (self.dones[inside, envs] > 0) | self.ends[inside, envs]
            whole = ~broken.any(axis=0)
            kept.append((slots[:, whole], envs[whole]))
            found += int(whole.sum())
            if found >= batch_size:
                slots, envs = (np.concatenate(parts, axis=-1) for parts in zip(*kept, strict=True))
                return slots[:, :batch_size], envs[:batch_size]
        raise ValueError(
            f"found {found} slices of {horizon} steps for a batch of {batch_size}: no episode, or "
            "hardly any, is that long. Let learning_starts be larger, or horizon smaller"
        )
