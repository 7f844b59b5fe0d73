"""Replay of sequences: whole episodes on a ring, single frames stored once."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import numpy as np
import numpy.typing as npt
import torch
from gymnasium import spaces
from stable_baselines3.common.buffers import ReplayBuffer

from distraction_gym.agents.dreamer.sequence_files import read_sequences, write_sequences
from distraction_gym.agents.dreamer.world_model import Sequences
from distraction_gym.errors import UnsupportedEnvironment

Extras = Mapping[str, npt.NDArray[Any]]
"""What is stored with an image, by name: arrays `(n_envs, ...)`."""


class ArraySpec(NamedTuple):
    """What an extra array holds for one image."""

    shape: tuple[int, ...]
    dtype: str
    """A numpy type's name; `"bool"` takes a bit per value."""


class SequenceReplay(ReplayBuffer):
    """Steps as the world model reads them: the action that led to an image, the reward on arriving.

    An episode is stored as its first image, without action and reward, and one step for each
    transition; its last image is the terminal observation, of time limits too. Environments have
    rings of their own, for their episodes end at different times.

    Args:
        buffer_size: Steps kept, over all environments together, first images among them.
        observation_space: uint8 `Box` of shape `(3k, H, W)`; the newest frame is kept.
        action_space: A `Box`.
        device: Where samples go.
        n_envs: Environments that step together.
        optimize_memory_usage: Must stay False: frames are stored once already.
        extras: What is stored with each image, by name.

    Raises:
        UnsupportedEnvironment: for observations that are no RGB pictures.
    """

    def __init__(
        self,
        buffer_size: int,
        observation_space: spaces.Space,
        action_space: spaces.Space,
        device: torch.device | str = "auto",
        n_envs: int = 1,
        optimize_memory_usage: bool = False,
        extras: Mapping[str, tuple[tuple[int, ...], str]] | None = None,
    ) -> None:
        if optimize_memory_usage:
            raise ValueError("SequenceReplay stores frames once: leave optimize_memory_usage out")
        shape = observation_space.shape or ()
        if observation_space.dtype != np.uint8 or len(shape) != 3 or shape[0] % 3:
            raise UnsupportedEnvironment(
                "SequenceReplay stores RGB pictures, uint8 (3k, H, W), but the observations are "
                f"{observation_space}"
            )
        # ReplayBuffer's own constructor would set whole observations aside, twice: go past it.
        super(ReplayBuffer, self).__init__(
            buffer_size, observation_space, action_space, device, n_envs
        )
        self.ring = max(buffer_size // n_envs, 2)
        self.extras = {name: ArraySpec(*spec) for name, spec in (extras or {}).items()}
        self.frame_shape = (3, *shape[1:])
        self._planes: dict[str, np.ndarray] = {}
        self._spans: np.ndarray | None = None
        self._starts: list[deque[int]] = []
        self.reset()

    @property
    def planes(self) -> dict[str, np.ndarray]:
        """What is large: frames and extras by name, `(ring, n_envs, ...)`.

        Set aside at first use: a model that is loaded to predict never pays for them.
        """
        if not self._planes:
            at = (self.ring, self.n_envs)
            self._planes["frames"] = np.empty((*at, *self.frame_shape), np.uint8)
            for name, (shape, dtype) in self.extras.items():
                packed = dtype == "bool"
                stored = (-(-int(np.prod(shape)) // 8),) if packed else shape
                self._planes[name] = np.empty((*at, *stored), np.uint8 if packed else dtype)
        return self._planes

    def reset(self) -> None:
        """Forget every step."""
        super().reset()
        at = (self.ring, self.n_envs)
        self.actions = np.zeros((*at, self.action_dim), np.float32)
        self.rewards = np.zeros(at, np.float32)
        self.terminals = np.zeros(at, bool)
        self.firsts = np.zeros(at, bool)
        self.counts = np.zeros(self.n_envs, np.int64)
        """Steps ever added, by environment; step i lies in slot `i % ring`."""
        self.open = np.zeros(self.n_envs, bool)
        """Does the environment's newest episode still go on?"""
        self.saved_in: tuple[Path, npt.NDArray[np.int64]] | None = None
        self.find_episodes()

    def size(self) -> int:
        """Return the steps of the environment that has the fewest."""
        return int(np.minimum(self.counts, self.ring).min())

    def add(  # type: ignore[override]
        self,
        obs: np.ndarray,
        next_obs: np.ndarray,
        action: np.ndarray,
        reward: np.ndarray,
        done: np.ndarray,
        infos: list[dict[str, Any]],
        begins: np.ndarray | None = None,
        extras: Extras | None = None,
        next_extras: Extras | None = None,
    ) -> None:
        """Add one transition of each environment.

        Args:
            obs: `(n_envs, 3k, H, W)` uint8; stored where an episode begins.
            next_obs: The same; after an episode's end its terminal observation.
            action: `(n_envs, A)` in [-1, 1].
            reward: `(n_envs,)`.
            done: `(n_envs,)`, terminations and time limits alike.
            infos: One per environment; `"TimeLimit.truncated"` tells time limits.
            begins: `(n_envs,)` True where `obs` is an episode's first although the episode before
                it never ended, such as after a reset from outside.
            extras: What goes with `obs`.
            next_extras: What goes with `next_obs`.
        """
        begins = ~self.open if begins is None else ~self.open | begins
        nothing = np.zeros(self.action_dim, np.float32)
        for env in range(self.n_envs):
            if begins[env]:
                self._starts[env].append(int(self.counts[env]))
                self._push(env, obs[env], nothing, 0.0, False, True, extras)
            limit = bool(infos[env].get("TimeLimit.truncated", False))
            ended = bool(done[env]) and not limit
            act = np.asarray(action[env], np.float32).reshape(-1)
            self._push(env, next_obs[env], act, float(reward[env]), ended, False, next_extras)
        self.open = ~np.asarray(done, bool)

    def _push(
        self,
        env: int,
        obs: np.ndarray,
        action: np.ndarray,
        reward: float,
        terminal: bool,
        first: bool,
        extras: Extras | None,
    ) -> None:
        at = (int(self.counts[env]) % self.ring, env)
        self.planes["frames"][at] = obs[-3:]
        for name, spec in self.extras.items():
            assert extras is not None, f"nothing was given for {name!r}"
            value = extras[name][env]
            self.planes[name][at] = np.packbits(value) if spec.dtype == "bool" else value
        self.actions[at], self.rewards[at] = action, reward
        self.terminals[at], self.firsts[at] = terminal, first
        self.counts[env] += 1
        self._spans = None

    def sample(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refuse: there are no single transitions here."""
        raise TypeError("SequenceReplay has sequences: use sample_sequences(batch_size, length)")

    def sample_sequences(self, batch_size: int, length: int) -> Sequences:
        """Draw steps in a row.

        A sequence begins at a random step of an episode, which is drawn with a probability
        proportional to its length; where it ends, the start of another one is joined to it. `first`
        marks both: no state is known there.

        Raises:
            ValueError: if no episode has two steps yet.
        """
        slots, envs, first = self._choose(batch_size, length)
        rows = slots * self.n_envs + envs
        picked = {name: _rows(plane, rows) for name, plane in self.planes.items()}
        image = picked.pop("frames")
        extras = {name: self._unpack(name, value) for name, value in picked.items()}
        return Sequences(
            self._to(image),
            self._to(self.actions[slots, envs]),
            self._to(self.rewards[slots, envs]),
            self._to(first),
            self._to(self.terminals[slots, envs].astype(np.float32)),
            {name: self._to(value) for name, value in extras.items()},
        )

    def _choose(self, batch_size: int, length: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return slots, environments and `first`, each `(batch_size, length)`."""
        owners, begins, lengths = self._episodes()
        slots, envs = (np.empty((batch_size, length), np.int64) for _ in range(2))
        first = np.zeros((batch_size, length), np.float32)
        up_to = lengths.cumsum()
        for row in range(batch_size):
            at = 0
            while at < length:
                chosen = np.searchsorted(up_to, np.random.randint(up_to[-1]), side="right")
                # Two steps at least, or there would be nothing to predict.
                offset = 0 if at else np.random.randint(lengths[chosen] - 1)
                until = min(length, at + lengths[chosen] - offset)
                slots[row, at:until] = begins[chosen] + offset + np.arange(until - at)
                envs[row, at:until] = owners[chosen]
                first[row, at] = 1.0
                at = until
        return slots % self.ring, envs, first

    def _episodes(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return environment, first step still there, and length of all episodes of 2 steps."""
        table = self._spans
        if table is None:
            found = [self._episodes_of(env) for env in range(self.n_envs)]
            table = np.concatenate(found, axis=1)
            table = self._spans = table[:, table[2] >= 2]
        if not table.shape[1]:
            raise ValueError("no episode has two steps yet: let learning_starts be 2 or more")
        return table[0], table[1], table[2]

    def _episodes_of(self, env: int) -> np.ndarray:
        starts, count = self._starts[env], int(self.counts[env])
        oldest = count - self.ring
        while len(starts) > 1 and starts[1] <= oldest:
            starts.popleft()
        ends = np.array([*starts, count][1:], np.int64)
        # The ring may have taken an episode's beginning: the rest is a sequence all the same.
        begins = np.maximum(np.array(starts, np.int64), oldest)
        return np.stack([np.full(len(begins), env), begins, ends - begins])

    def _unpack(self, name: str, value: np.ndarray) -> np.ndarray:
        shape, dtype = self.extras[name]
        if dtype != "bool":
            return value
        bits = np.unpackbits(value, axis=-1, count=int(np.prod(shape)))
        return bits.reshape(*value.shape[:2], *shape).astype(bool)

    def _to(self, array: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(array).to(self.device)

    # Files: see `agents/common/replay_files.py`, which calls these.

    def find_episodes(self) -> None:
        """Work out from `firsts` and `counts` where episodes begin."""
        self._spans, self._starts = None, []
        for env, count in enumerate(self.counts.tolist()):
            steps = np.arange(max(count - self.ring, 0), count)
            marked = self.firsts[steps % self.ring, env]
            marked[:1] = True  # of the oldest episode the beginning may be gone
            self._starts.append(deque(steps[marked].tolist()))

    def write_files(self, folder: Path) -> None:
        """Write all steps into a folder; what has not changed since the last one is linked."""
        write_sequences(self, folder)

    def read_files(self, folder: Path) -> None:
        """Read what `write_files` wrote."""
        read_sequences(self, folder)

    def settle_files(self, folder: Path) -> None:
        """Remember where the newest files lie, so that the next write can link to them."""
        self.saved_in = (folder, self.counts.copy())


def _rows(plane: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Pick rows `(B, T)` of a plane whose first two axes count as one."""
    flat = plane.reshape(plane.shape[0] * plane.shape[1], -1)
    return flat[rows].reshape(*rows.shape, *plane.shape[2:])
