"""New colours for single materials, for an episode or always changing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from distraction_gym.distractions.base import DISTRACTIONS, Distraction, unit
from distraction_gym.distractions.rates import Pace
from distraction_gym.registry import unknown
from distraction_gym.scene import Scene

_WALK = 0.03
"""Standard deviation of a move, as a share of the intensity (Distracting Control Suite's code)."""


@DISTRACTIONS.register("materials")
class Materials(Distraction):
    """Give each material a colour near its own (Distracting Control Suite's code).

    Textures stay, multiplied by the colour.

    `intensity`: how far each channel may go from the stock colour, within [0, 1]; it is the
    suite's beta (easy 0.1, medium 0.2, hard 0.3).

    Args:
        intensity: In [0, 1].
        names: Which materials; None takes all.
        dynamic: Whether the colours go on changing: per move and channel, a normal step of
            standard deviation 0.03 times the intensity.
        moves_per_step: Moves per agent step.

    Raises:
        ValueError: for an intensity outside [0, 1], or a pace below 0.
    """

    def __init__(
        self,
        intensity: float = 0.3,
        names: Sequence[str] | None = None,
        dynamic: bool = False,
        moves_per_step: float = 1.0,
    ) -> None:
        self._intensity = unit("intensity", intensity)
        self._names, self._dynamic = names, dynamic
        self._pace = Pace(moves_per_step)
        self._rng: np.random.Generator | None = None
        self._colors: npt.NDArray[np.float64] = np.empty((0, 3))

    def reset(self, rng: np.random.Generator, scene: Scene) -> None:
        """Draw the episode's first colours.

        Raises:
            UnknownName: for a material that does not exist.
            UnsupportedEnvironment: if the scene's materials are out of reach.
        """
        self._rng = rng
        self._pace.reset()
        if not self._intensity:
            return
        stock = scene.materials()
        self._chosen = tuple(stock if self._names is None else self._names)
        for name in self._chosen:
            if name not in stock:
                raise unknown("material", name, stock)
        middle = np.array([stock[name] for name in self._chosen]).reshape(-1, 3)
        self._low = np.clip(middle - self._intensity, 0.0, 1.0)
        self._high = np.clip(middle + self._intensity, 0.0, 1.0)
        self._colors = self._low + rng.random(middle.shape) * (self._high - self._low)
        self._tint(scene)

    def stage(self, scene: Scene) -> None:
        """Let the colours change."""
        moves = self._pace.due() if self._intensity and self._dynamic else 0
        for _ in range(moves):
            assert self._rng is not None, "reset comes first"
            step = self._rng.normal(0.0, _WALK * self._intensity, self._colors.shape)
            self._colors = np.clip(self._colors + step, self._low, self._high)
        if moves:
            self._tint(scene)

    def describe(self) -> dict[str, Any]:
        """Return the intensity, and whether the colours go on changing."""
        return {"intensity": self._intensity, "dynamic": self._dynamic}

    def _tint(self, scene: Scene) -> None:
        colors = ((red, green, blue) for red, green, blue in self._colors.tolist())
        scene.tint(dict(zip(self._chosen, colors, strict=True)))
