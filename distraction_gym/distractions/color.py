"""New colours for the robot, the floor and the sky, drawn from a table at every reset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from distraction_gym.assets.colors import STOCK
from distraction_gym.assets.store import color_table
from distraction_gym.distractions.base import DISTRACTIONS, Distraction, unit
from distraction_gym.distractions.rates import Cycle
from distraction_gym.registry import unknown
from distraction_gym.scene import Scene
from distraction_gym.typing import RGB

ORDERS = ("random", "seeded")


@DISTRACTIONS.register("color")
class Color(Distraction):
    """Recolour the scene for each episode (DMC-GB's code: color_easy, color_hard).

    Edge marks, the sky's lower end and all other materials keep their colours.

    `intensity`: how far the colours move from dm_control's own (0) to the table's (1).

    Args:
        intensity: In [0, 1].
        table: `"color_easy"`, `"color_hard"` or a file of your own (see `assets.store`).
        order: `"random"` draws an entry for each episode; `"seeded"` takes the next of the table,
            from an entry on that each seed draws (DMC-GB2's code).
        shift: Materials that, instead of wearing the table's body colour, move from their own by as
            much as it differs from dm_control's (RL-ViGen's code).
        assets: `"auto"`, `"generated"` or a folder.

    Raises:
        AssetsMissing: if a named folder has no such table.
        UnknownName: for a table or an order that does not exist.
    """

    def __init__(
        self,
        table: str = "color_hard",
        intensity: float = 1.0,
        order: str = "random",
        shift: Sequence[str] = (),
        assets: str = "auto",
    ) -> None:
        if order not in ORDERS:
            raise unknown("order", order, ORDERS)
        self._intensity = unit("intensity", intensity)
        self._name, self._table = table, color_table(table, assets)
        self._cycle = Cycle(len(self._table), shuffled=False) if order == "seeded" else None
        self._shift = tuple(shift)
        self._index = 0

    def reset(self, rng: np.random.Generator, scene: Scene) -> None:
        """Draw an entry and wear it.

        Raises:
            UnsupportedEnvironment: if the scene's colours are out of reach.
            UnknownName: for a material to shift that does not exist.
        """
        if self._cycle is None:
            self._index = int(rng.integers(len(self._table)))
        else:
            self._index = self._cycle.next(rng)
        if self._intensity == 0.0:
            return
        entry = self._table[self._index]
        colors = {key: self._mixed(STOCK[key], color) for key, color in entry.items()}
        parts = {
            "floor": (colors["grid_rgb1"], colors["grid_rgb2"]),
            "sky": (colors["skybox_rgb"],),
        }
        if self._shift:
            scene.tint(self._shifted(scene.materials(), colors["self_rgb"]))
        else:
            parts["body"] = (colors["self_rgb"],)
        scene.recolor(parts)

    def _shifted(self, own: Mapping[str, RGB], body: RGB) -> dict[str, RGB]:
        """Return what materials wear, each channel within [0, 1]."""
        change = np.subtract(body, STOCK["self_rgb"])
        colors = {}
        for name in self._shift:
            if name not in own:
                raise unknown("material", name, own)
            red, green, blue = np.clip(own[name] + change, 0.0, 1.0).tolist()
            colors[name] = (red, green, blue)
        return colors

    def _mixed(self, stock: RGB, color: RGB) -> RGB:
        if self._intensity == 1.0:
            return color  # the papers' numbers, to the last bit
        red, green, blue = (
            a + self._intensity * (b - a) for a, b in zip(stock, color, strict=True)
        )
        return red, green, blue

    def describe(self) -> dict[str, Any]:
        """Return the table and which of its entries this episode wears."""
        return {"table": self._name, "index": self._index}
