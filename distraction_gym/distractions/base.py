"""What a distraction answers: what to draw for an episode, and what to do to a frame."""

from __future__ import annotations

from typing import Any

import numpy as np

from distraction_gym.registry import Registry
from distraction_gym.typing import Frame, Scene

DISTRACTIONS: Registry[type[Distraction]]


class Distraction:
    """One mechanism that disturbs a picture or a scene.

    Constructor arguments are JSON types, so that a mode (a list of
    `{"kind": name, **arguments}`) survives `env.spec.to_json()`.
    """

    def reset(self, rng: np.random.Generator, scene: Scene) -> None:
        """Start an episode: draw what stays fixed, and edit the scene if need be.

        Called with the scene restored to stock and before the environment's own reset.

        Args:
            rng: The environment's `"distraction"` stream; keep it to draw within the episode.
            scene: What is in the picture.
        """

    def apply(self, frame: Frame, scene: Scene) -> Frame:
        """Disturb one frame, `(H, W, 3)` uint8; called once per agent step, `reset` included.

        Never writes into `frame`.
        """
        return frame

    def describe(self) -> dict[str, Any]:
        """Return what this episode drew (a clip's name, a table's index), for `info`."""
        return {}


DISTRACTIONS = Registry("distraction")
