"""A replay buffer that stores each picture of an episode once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3.common.buffers import ReplayBuffer
from stable_baselines3.common.type_aliases import ReplayBufferSamples
from stable_baselines3.common.vec_env import VecNormalize

from distraction_gym.errors import UnsupportedEnvironment

_USE_STOCK = (
    "Type:  replay_buffer_class=ReplayBuffer  (from stable_baselines3.common.buffers; with n_steps "
    "above 1 NStepReplayBuffer), which stores whole observations."
)


class FrameReplayBuffer(ReplayBuffer):
    """Stable-Baselines3's `ReplayBuffer` for stacked frames, at a `2k`-th of its memory.

    An observation is a stack of `k` frames, oldest first, of which only the newest is new. That
    one is stored, on a ring; stacks are put together again when they are sampled. Two kinds of
    frames lie beside the ring: the observation that ends an episode, and the older frames of a
    first observation that does not simply repeat its newest one.

    What `sample` returns, and the random numbers it draws, equal those of `ReplayBuffer`: every
    one of the last `buffer_size` transitions can be drawn, for the ring is a stack longer than the
    transitions it serves and so never loses an older frame that is still needed.

    Episodes need no marks: an observation that differs from the last `next_obs` starts a segment
    of its own, be it after a termination, a time limit or a reset from outside.

    Args:
        buffer_size: Transitions kept, over all environments together.
        observation_space: uint8 `Box` of shape `(k * frame_channels, H, W)`.
        action_space: Any space that `ReplayBuffer` takes.
        device: Where samples go.
        n_envs: Environments that step together.
        optimize_memory_usage: Must stay False: there is nothing left to optimise.
        handle_timeout_termination: Bootstrap from the last observation of a time limit.
        frame_channels: Channels of one frame: 3 for RGB, 1 for grey.
        storage_device: Where frames are kept: `"cpu"`, or a GPU (no copies when sampling there).
        n_steps: Steps whose rewards a sample sums up, fewer where an episode ends; its `discounts`
            then say what the value that follows them counts. As `NStepReplayBuffer` has it.
        gamma: Discount of those rewards.

    Raises:
        UnsupportedEnvironment: for observations that are not stacks of pictures.
    """

    otherwise: ClassVar[str] = _USE_STOCK
    """What to type where observations are no stacks."""

    def __init__(
        self,
        buffer_size: int,
        observation_space: spaces.Space,
        action_space: spaces.Space,
        device: torch.device | str = "auto",
        n_envs: int = 1,
        optimize_memory_usage: bool = False,
        handle_timeout_termination: bool = True,
        frame_channels: int = 3,
        storage_device: torch.device | str = "cpu",
        n_steps: int = 1,
        gamma: float = 0.99,
    ) -> None:
        if optimize_memory_usage:
            raise ValueError(
                "FrameReplayBuffer stores single frames already: leave optimize_memory_usage out"
            )
        _check_space(observation_space, frame_channels)
        # ReplayBuffer's own constructor would set whole stacks aside: go past it.
        super(ReplayBuffer, self).__init__(
            buffer_size, observation_space, action_space, device, n_envs
        )
        self.buffer_size = max(buffer_size // n_envs, 1)
        self.optimize_memory_usage = False
        self.handle_timeout_termination = handle_timeout_termination
        self.frame_channels = frame_channels
        self.stack = self.obs_shape[0] // frame_channels
        self.storage_device = torch.device(storage_device)
        self.n_steps, self.gamma = n_steps, gamma
        # One slot per transition, the older frames of the oldest, the next frame of the newest.
        self.ring = self.buffer_size + self.stack
        self._allocate_small()
        self._frames: torch.Tensor | None = None
        self.reset()

    def _allocate_small(self) -> None:
        shape = (self.buffer_size, self.n_envs)
        action_dtype = self._maybe_cast_dtype(self.action_space.dtype)
        self.actions = np.zeros((*shape, self.action_dim), dtype=action_dtype)
        self.rewards = np.zeros(shape, dtype=np.float32)
        self.dones = np.zeros(shape, dtype=np.float32)
        self.timeouts = np.zeros(shape, dtype=np.float32)
        self.ages = np.zeros(shape, dtype=np.uint8)  # steps since the segment began, up to k - 1
        self.ends = np.zeros(shape, dtype=bool)  # is the next observation in `tails`?

    @property
    def frames(self) -> torch.Tensor:
        """The ring, `(ring, n_envs, frame_channels, H, W)` uint8 on `storage_device`.

        Set aside at first use: a model that is loaded to predict never pays for it. The operating
        system hands out its pages as they are written.
        """
        if self._frames is None:
            shape = (self.ring, self.n_envs, self.frame_channels, *self.obs_shape[1:])
            self._frames = torch.empty(shape, dtype=torch.uint8, device=self.storage_device)
        return self._frames

    def reset(self) -> None:
        """Forget every transition."""
        super().reset()
        self.count = 0  # transitions ever added; the frame of transition t lies in slot t % ring
        self.last_next: np.ndarray | None = None
        # Keyed by (slot of the transition, environment): (k * frame_channels, H, W).
        self.tails: dict[tuple[int, int], np.ndarray] = {}
        # Keyed by (slot of the frame, environment): ((k - 1) * frame_channels, H, W).
        self.heads: dict[tuple[int, int], np.ndarray] = {}
        self.saved_in: tuple[Path, int] | None = None  # last checkpoint's folder, and its count
        self._broken = False  # was the last addition no stack?

    def add(
        self,
        obs: np.ndarray,
        next_obs: np.ndarray,
        action: np.ndarray,
        reward: np.ndarray,
        done: np.ndarray,
        infos: list[dict[str, Any]],
    ) -> None:
        """Add one transition of each environment.

        Args:
            obs: `(n_envs, k * frame_channels, H, W)` uint8.
            next_obs: The same; after an episode's end its terminal observation.
            action: `(n_envs, action_dim)`.
            reward: `(n_envs,)`.
            done: `(n_envs,)`, terminations and time limits alike.
            infos: One per environment; `"TimeLimit.truncated"` tells time limits.

        Raises:
            UnsupportedEnvironment: if `next_obs` is not `obs` moved on by one frame, at the first
                addition or twice in a row. A single one comes about where a callback stops
                `learn` in the middle of a step, and is kept as it is.
        """
        obs, next_obs = np.asarray(obs), np.asarray(next_obs)
        strays = self._strays(obs, next_obs)
        for env in range(self.n_envs):
            self._place(env, obs[env])
        self.ends[self.pos] = False
        for env in strays:
            self._close(self.pos, env, next_obs[env])
        self.actions[self.pos] = np.asarray(action).reshape(self.n_envs, self.action_dim)
        self.rewards[self.pos] = reward
        self.dones[self.pos] = done
        if self.handle_timeout_termination:
            self.timeouts[self.pos] = [info.get("TimeLimit.truncated", False) for info in infos]
        self.count += 1
        slot = self.count % self.ring
        self.frames[slot] = torch.as_tensor(next_obs[:, -self.frame_channels :])
        self.last_next = next_obs.copy()
        self.pos = (self.pos + 1) % self.buffer_size
        self.full = self.full or self.pos == 0

    def _strays(self, obs: np.ndarray, next_obs: np.ndarray) -> list[int]:
        """List the environments whose next observation is not this one, moved on by a frame."""
        shift = self.frame_channels
        moved_on = (obs[:, shift:] == next_obs[:, :-shift]).all(axis=(1, 2, 3))
        if not moved_on.all() and (self._broken or self.count == 0):
            raise UnsupportedEnvironment(
                f"observations are not stacks of {self.stack} frames with {shift} channels, oldest "
                "first: the older frames of the next observation are not the newer ones of this.\n"
                + self.otherwise
            )
        self._broken = not moved_on.all()
        return [int(env) for env in np.flatnonzero(~moved_on)]

    def _close(self, slot: int, env: int, next_obs: np.ndarray) -> None:
        """Keep a transition's next observation beside the ring."""
        self.tails[slot, env] = next_obs.copy()
        self.ends[slot, env] = True

    def _place(self, env: int, obs: np.ndarray) -> None:
        """Carry on the environment's segment, or close it and start one with this observation."""
        before, slot = (self.pos - 1) % self.buffer_size, self.count % self.ring
        newest = obs[-self.frame_channels :]
        self.heads.pop((slot, env), None)
        last = None if self.last_next is None else self.last_next[env]
        if last is not None and not self.ends[before, env] and np.array_equal(obs, last):
            age = min(int(self.ages[before, env]) + 1, self.stack - 1)
        else:
            age = 0
            if last is not None:
                self._close(before, env, last)
            self.frames[slot, env] = torch.as_tensor(newest)
            if not np.array_equal(obs, np.tile(newest, (self.stack, 1, 1))):
                self.heads[slot, env] = obs[: -self.frame_channels].copy()
        self.tails.pop((self.pos, env), None)
        self.ages[self.pos, env] = age

    def _get_samples(
        self, batch_inds: np.ndarray, env: VecNormalize | None = None
    ) -> ReplayBufferSamples:
        if env is not None and env.norm_obs:
            raise UnsupportedEnvironment(
                "pictures are stored as they are: use VecNormalize(..., norm_obs=False)"
            )
        envs = np.random.randint(0, high=self.n_envs, size=(len(batch_inds),))
        last, rewards, discounts = self._returns(batch_inds, envs, env)
        dones = self.dones[last, envs] * (1 - self.timeouts[last, envs])
        return ReplayBufferSamples(
            self._observations(batch_inds, envs).to(self.device),
            self.to_torch(self.actions[batch_inds, envs]),
            self._next_observations(last, envs).to(self.device),
            self.to_torch(dones.reshape(-1, 1)),
            self.to_torch(rewards.reshape(-1, 1)),
            None if self.n_steps == 1 else self.to_torch(discounts.reshape(-1, 1)),
        )

    def _returns(
        self, slots: np.ndarray, envs: np.ndarray, env: VecNormalize | None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the last slot that each return reaches, the returns, and what comes after counts.

        A return ends with its episode or segment, and at the newest transition.
        """
        steps = np.arange(self.n_steps, dtype=np.int64)
        reached = (slots[:, None] + steps) % self.buffer_size
        at = (reached, envs[:, None])
        ends = (self.dones[at] > 0) | self.ends[at] | (reached == (self.pos - 1) % self.buffer_size)
        ends[:, -1] = True
        last = ends.argmax(axis=1)
        discounts = np.float32(self.gamma) ** steps.astype(np.float32)
        kept = discounts * (steps <= last[:, None])
        returns = (self._normalize_reward(self.rewards[at], env) * kept).sum(axis=1)
        after = np.float32(self.gamma) ** (last + 1).astype(np.float32)
        return reached[np.arange(len(slots)), last], returns, after

    def _counts_and_ages(
        self, slots: np.ndarray, envs: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        counts = self.count - 1 - (self.pos - 1 - slots) % self.buffer_size
        return counts, self.ages[slots, envs].astype(np.int64)

    def _rows(self, counts: np.ndarray, ages: np.ndarray) -> np.ndarray:
        """Return the frame slots `(B, k)` of observations."""
        # The first frame of a segment stands in for those before it.
        back = np.minimum(np.arange(self.stack)[::-1], ages[:, None])
        return (counts[:, None] - back) % self.ring

    def _observations(self, slots: np.ndarray, envs: np.ndarray) -> torch.Tensor:
        """Put together the observations of transitions, `(B, k * frame_channels, H, W)`."""
        counts, ages = self._counts_and_ages(slots, envs)
        obs = self._gather(self._rows(counts, ages), envs)
        self._restore_heads(obs, counts, ages, envs, 0)
        return obs

    def _next_observations(self, slots: np.ndarray, envs: np.ndarray) -> torch.Tensor:
        """Put together the observations that followed, `(B, k * frame_channels, H, W)`."""
        counts, ages = self._counts_and_ages(slots, envs)
        newest = (counts[:, None] + 1) % self.ring
        rows = np.concatenate([self._rows(counts, ages)[:, 1:], newest], axis=1)
        next_obs = self._gather(rows, envs)
        self._restore_heads(next_obs, counts, ages, envs, 1)
        for row in np.flatnonzero(self.ends[slots, envs]):
            next_obs[row] = torch.as_tensor(self.tails[int(slots[row]), int(envs[row])])
        return next_obs

    def _restore_heads(
        self,
        stacks: torch.Tensor,
        counts: np.ndarray,
        ages: np.ndarray,
        envs: np.ndarray,
        later: int,
    ) -> None:
        """Put back the frames from before a segment that stacks `later` steps on still show."""
        if not self.heads:
            return
        for row in np.flatnonzero(ages < self.stack - 1):
            age = int(ages[row])
            head = self.heads.get((int((counts[row] - age) % self.ring), int(envs[row])))
            self._restore_head(stacks[row], head, age + later)

    def _restore_head(self, stack: torch.Tensor, head: np.ndarray | None, age: int) -> None:
        """Put back the frames from before the segment that a stack of this age still shows."""
        if head is not None and age < self.stack - 1:
            older = torch.as_tensor(head[age * self.frame_channels :])
            stack[: len(older)] = older

    def _gather(self, slots: np.ndarray, envs: np.ndarray) -> torch.Tensor:
        """Pick frames of slots `(B, k)` in environments `(B,)`: `(B, k * frame_channels, H, W)`."""
        rows = (slots * self.n_envs + envs[:, None]).ravel()
        flat = self.frames.view(self.ring * self.n_envs, -1)
        if self.storage_device.type == "cpu":  # numpy copies rows of bytes 5 times faster
            picked = torch.from_numpy(flat.numpy()[rows])
        else:
            picked = flat.index_select(0, torch.as_tensor(rows, device=self.storage_device))
        return picked.view(len(slots), *self.obs_shape)


def _check_space(space: spaces.Space, frame_channels: int) -> None:
    shape: Sequence[int] = space.shape or ()
    if not isinstance(space, spaces.Box) or space.dtype != np.uint8 or len(shape) != 3:
        raise UnsupportedEnvironment(
            "FrameReplayBuffer stores pictures, uint8 (channels, height, width), "
            f"but the observations are {space}.\n{_USE_STOCK}"
        )
    if shape[0] % frame_channels:
        raise UnsupportedEnvironment(
            f"{shape[0]} channels are not a stack of frames with {frame_channels} channels each. "
            "Type:  replay_buffer_kwargs={'frame_channels': 1}  for grey frames.\n" + _USE_STOCK
        )
