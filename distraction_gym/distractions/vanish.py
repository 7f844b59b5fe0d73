"""Things that matter are gone for a while: they vanish in mid-episode, or appear in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from distraction_gym.distractions.base import DISTRACTIONS, Distraction, unit
from distraction_gym.distractions.layers import BACKDROP, at_least_one
from distraction_gym.errors import UnsupportedEnvironment
from distraction_gym.scene import Scene


@DISTRACTIONS.register("vanish")
class Vanish(Distraction):
    """Let parts of the scene be gone now and then; physics and rewards know nothing of it.

    Each part is there for `stay` steps and gone for `gone`, over and over, and an episode begins
    anywhere in that: some parts appear later, others vanish. Masks of the foreground follow.

    `intensity`: how long parts are gone, at 1 `gone` steps.

    Args:
        parts: Names in `scene.parts`; None takes all that are neither sky nor floor.
        stay: Steps.
        gone: Steps, at intensity 1.
        intensity: In [0, 1].

    Raises:
        ValueError: for an intensity outside [0, 1], or no steps at all.
    """

    def __init__(
        self,
        parts: Sequence[str] | None = None,
        stay: int = 8,
        gone: int = 6,
        intensity: float = 1.0,
    ) -> None:
        self._gone = round(unit("intensity", intensity) * at_least_one("gone", gone))
        self._stay = at_least_one("stay", stay)
        self._parts = parts

    def reset(self, rng: np.random.Generator, scene: Scene) -> None:
        """Draw where each part begins in its turn of being there and being gone.

        Raises:
            UnsupportedEnvironment: if the scene knows nothing but sky and floor.
        """
        known = [part for part in scene.parts if part not in BACKDROP]
        names = known if self._parts is None else list(self._parts)
        if not names:
            raise UnsupportedEnvironment(
                f"nothing that could vanish is known of {type(scene).__name__}: it has to name "
                "parts beside 'sky' and 'floor', as those of mini and MuJoCo do"
            )
        period = self._stay + self._gone
        self._at = {name: int(rng.integers(period)) for name in names}
        self._begun = dict(self._at)

    def stage(self, scene: Scene) -> None:
        """Show or hide every part.

        Raises:
            UnknownName: for a part that the scene does not have.
            UnsupportedEnvironment: if the scene cannot hide parts.
        """
        if not self._gone:
            return
        for name, at in self._at.items():
            scene.fade(name, 1.0 if at < self._stay else 0.0)
            self._at[name] = (at + 1) % (self._stay + self._gone)

    def describe(self) -> dict[str, Any]:
        """Return for how many steps of its turn each part has been there, or gone, at first."""
        return {"turns": self._begun}
