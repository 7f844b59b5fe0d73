"""New colours for single materials, for an episode or always changing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from distraction_gym.assets.colors import STOCK
from distraction_gym.assets.store import color_table
from distraction_gym.distractions.base import DISTRACTIONS, Distraction, unit
from distraction_gym.distractions.rates import Pace
from distraction_gym.registry import unknown
from distraction_gym.scene import Scene
from distraction_gym.typing import RGB

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


@DISTRACTIONS.register("repaint")
class Repaint(Distraction):
    """Give materials one colour, and the sky another, for each episode (RL-ViGen's code, Adroit).

    Both are drawn from a table of colours. Textures stay, multiplied by the colour.

    `intensity`: how far the colours move from the materials' own (the sky's: from dm_control's) to
    the table's, and how far parts fade.

    Args:
        intensity: In [0, 1].
        table: `"color_easy"`, `"color_hard"` or a file of your own (see `assets.store`).
        names: Which materials; None takes all.
        fade: Part or material -> its opacity at intensity 1.
        assets: `"auto"`, `"generated"` or a folder.

    Raises:
        AssetsMissing: if a named folder has no such table.
        ValueError: for an intensity outside [0, 1].
    """

    def __init__(
        self,
        intensity: float = 1.0,
        table: str = "color_hard",
        names: Sequence[str] | None = None,
        fade: Mapping[str, float] | None = None,
        assets: str = "auto",
    ) -> None:
        self._intensity = unit("intensity", intensity)
        self._name, self._table = table, color_table(table, assets)
        self._names, self._fade = names, dict(fade or {})
        self._drawn = (0, 0)

    def reset(self, rng: np.random.Generator, scene: Scene) -> None:
        """Draw the episode's two colours.

        Raises:
            UnknownName: for a part or material that does not exist.
            UnsupportedEnvironment: if the scene's materials are out of reach.
        """
        first, second = rng.integers(len(self._table), size=2).tolist()
        self._drawn = (first, second)
        if not self._intensity:
            return
        stock = scene.materials()
        body, sky = self._table[first]["self_rgb"], self._table[second]["skybox_rgb"]
        names = stock if self._names is None else self._names
        scene.tint({name: self._mixed(stock.get(name, body), body) for name in names})
        scene.recolor({"sky": [self._mixed(STOCK["skybox_rgb"], sky)]})
        for part, alpha in self._fade.items():
            scene.fade(part, 1 - self._intensity * (1 - alpha))

    def describe(self) -> dict[str, Any]:
        """Return the table, and which of its entries materials and sky wear."""
        materials, sky = self._drawn
        return {"table": self._name, "materials": materials, "sky": sky}

    def _mixed(self, own: RGB, other: RGB) -> RGB:
        if self._intensity == 1.0:
            return other  # the table's numbers, to the last bit
        red, green, blue = (a + self._intensity * (b - a) for a, b in zip(own, other, strict=True))
        return red, green, blue
