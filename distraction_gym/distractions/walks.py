"""How a camera goes about within its limits, move by move."""

from __future__ import annotations

import math

import numpy as np

from distraction_gym.distractions.orbit import Box, Place, to_offset, to_sphere
from distraction_gym.distractions.paths import Wander

_SHAKE = 0.1
"""Jitter's share of the limits."""
# Distracting Control Suite's code: per move, at beta 1, for a camera 4 m away; roll in radians.
_NOISE, _FASTEST = 0.1, 0.4
_ROLL_NOISE, _ROLL_FASTEST = math.pi / 300, math.pi / 50
_USUAL_RADIUS = 4.0


class Walk:
    """A camera's places; this one stays where an episode begins, anywhere within the limits.

    Args:
        rng: Where it draws from, now and later.
        box: The limits.
        intensity: Scales speeds.
    """

    def __init__(self, rng: np.random.Generator, box: Box, intensity: float) -> None:
        self._rng, self._box, self._intensity = rng, box, intensity
        self.place: Place = box.uniform(rng)

    def move(self) -> None:
        """Go on to the next place."""


class Jitter(Walk):
    """Draws every place anew, near the stock one."""

    def __init__(self, rng: np.random.Generator, box: Box, intensity: float) -> None:
        super().__init__(rng, box, intensity)
        self.move()

    def move(self) -> None:
        """Draw a place."""
        drawn = self._box.uniform(self._rng)
        self.place = self._box.stock + _SHAKE * (drawn - self._box.stock)


class Drift(Walk):
    """Wanders smoothly about the stock place, as far as the limits."""

    def __init__(self, rng: np.random.Generator, box: Box, intensity: float) -> None:
        super().__init__(rng, box, intensity)
        self._wander, self._step = Wander.draw(rng, len(self.place)), -1
        self.move()

    def move(self) -> None:
        """Go a little further."""
        self._step += 1
        share, box = self._wander.at(self._step), self._box
        aside = np.where(share < 0, box.stock - box.low, box.high - box.stock)
        self.place = box.stock + share * aside


class DistractingControl(Walk):
    """Moves by a velocity that random pushes change (Distracting Control Suite's code)."""

    def __init__(self, rng: np.random.Generator, box: Box, intensity: float) -> None:
        super().__init__(rng, box, intensity)
        self._scale = box.stock[0] / _USUAL_RADIUS
        direction = rng.normal(size=3)
        speed = rng.uniform(0.0, _FASTEST * intensity)
        self._velocity = speed * direction / np.linalg.norm(direction)
        self._roll_velocity = rng.uniform(-1, 1) * _ROLL_FASTEST * intensity
        self.move()  # the suite shows no episode's first place

    def move(self) -> None:
        """Push, cap the speed, move, and lose what the limits did not let happen."""
        self._push()
        before = self.place
        after = to_sphere(to_offset(before) + self._velocity)
        # Azimuth comes back in [-pi, pi]: count on past its seam, where some boxes lie.
        after[1] += 2 * math.pi * round((self._box.stock[1] - after[1]) / (2 * math.pi))
        after[3] = before[3] + self._roll_velocity
        self.place = self._box.clip(after)
        self._velocity = to_offset(self.place) - to_offset(before)
        self._roll_velocity = float(self.place[3] - before[3])

    def _push(self) -> None:
        beta, fastest = self._intensity, _FASTEST * self._intensity * self._scale
        self._velocity = self._velocity + self._rng.normal(size=3) * _NOISE * beta * self._scale
        speed = float(np.linalg.norm(self._velocity))
        if speed > fastest:
            self._velocity = self._velocity * (fastest / speed)
        pushed = self._roll_velocity + self._rng.normal() * _ROLL_NOISE * beta
        self._roll_velocity = float(np.clip(pushed, -_ROLL_FASTEST * beta, _ROLL_FASTEST * beta))


WALKS: dict[str, type[Walk]] = {
    "static": Walk,
    "jitter": Jitter,
    "drift": Drift,
    "dcs": DistractingControl,
}
