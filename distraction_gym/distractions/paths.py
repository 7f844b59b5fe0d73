"""Ways through the picture: straight, and back from its edges.

In picture units: (0, 0) is the top left corner and (1, 1) the bottom right one, whatever the size.
Where something is depends on the step alone, so that nothing has to be kept between frames.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Points = npt.NDArray[np.float64]
"""`(n, 2)`: x, y."""
_PERIODS = np.array([37.0, 61.0, 113.0])  # steps; no common multiple within an episode


@dataclass(frozen=True)
class Paths:
    """Where `n` things are at a step."""

    start: Points
    velocity: Points
    """Picture units per step."""

    @classmethod
    def scatter(cls, rng: np.random.Generator, count: int, speed: float) -> Paths:
        """Begin anywhere, in any direction, at half to one and a half times a speed."""
        start, angle = rng.random((count, 2)), rng.uniform(0, 2 * np.pi, count)
        pace = speed * rng.uniform(0.5, 1.5, count)
        return cls(start, np.stack([np.cos(angle), np.sin(angle)], axis=-1) * pace[:, None])

    def at(self, step: int) -> Points:
        """Return the places at a step, in [0, 1]."""
        return 1 - np.abs(1 - (self.start + self.velocity * step) % 2)


@dataclass(frozen=True)
class Wander:
    """Smooth wandering of `n` numbers in [-1, 1]: a sum of slow sines."""

    phase: npt.NDArray[np.float64]
    """`(n, 3)`, radians."""

    @classmethod
    def draw(cls, rng: np.random.Generator, count: int) -> Wander:
        """Draw the phases."""
        return cls(rng.uniform(0, 2 * np.pi, (count, len(_PERIODS))))

    def at(self, step: int) -> npt.NDArray[np.float64]:
        """Return the numbers at a step, `(n,)`."""
        return np.sin(self.phase + 2 * np.pi * step / _PERIODS).mean(-1)
