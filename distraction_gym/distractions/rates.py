"""How distractions that last go on: from episode to episode, and from step to step."""

from __future__ import annotations

import math

import numpy as np


class Cycle:
    """Goes through a list, one entry per episode, from the first again after the last.

    A new seed begins anew, so that the same seed gives the same entries (DMC-GB2's code draws the
    order when the environment is made, which has one seed for its whole life).

    Args:
        length: How many entries the list has.
        shuffled: Whether a seed shuffles the list; if not, it chooses where to begin.
    """

    def __init__(self, length: int, *, shuffled: bool) -> None:
        self._length, self._shuffled = length, shuffled
        self._rng: np.random.Generator | None = None
        self._order: list[int] = []
        self._place = 0

    def next(self, rng: np.random.Generator) -> int:
        """Return the entry for the next episode.

        Args:
            rng: The stream of `Distraction.reset`: another one than last time is another seed.
        """
        if rng is not self._rng:
            self._rng, self._place = rng, 0
            self._order = self._draw(rng)
        entry = self._order[self._place % self._length]
        self._place += 1
        return entry

    def _draw(self, rng: np.random.Generator) -> list[int]:
        if self._shuffled:
            return rng.permutation(self._length).tolist()
        return ((np.arange(self._length) + rng.integers(self._length)) % self._length).tolist()


class Pace:
    """Spreads moves over agent steps.

    Args:
        moves_per_step: Moves per agent step; 0.5 is one in every second step.

    Raises:
        ValueError: for a pace below 0.
    """

    def __init__(self, moves_per_step: float) -> None:
        if not 0.0 <= moves_per_step < math.inf:
            raise ValueError(f"moves_per_step must be at least 0, got {moves_per_step!r}")
        self._pace, self._step = moves_per_step, 0

    def reset(self) -> None:
        """Start an episode."""
        self._step = 0

    def due(self) -> int:
        """Return how many moves to make before the next frame; none before the first."""
        before = math.floor((self._step - 1) * self._pace) if self._step else 0
        moves = math.floor(self._step * self._pace) - before
        self._step += 1
        return moves
