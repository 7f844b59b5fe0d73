"""What a distraction answers: what to draw for an episode, and what to do to a frame."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from distraction_gym.registry import Registry
from distraction_gym.scene import Scene
from distraction_gym.typing import Frame


class Distraction:
    """One mechanism that disturbs a picture or a scene.

    Constructor arguments are JSON types, so that a mode (a list of
    `{"kind": name, **arguments}`) survives `env.spec.to_json()`. Every kind takes an `intensity` in
    [0, 1] and documents what it measures; at 0 the picture stays as it is.

    Attribute `cover`: where this distraction lay in front of the scene in the last frame, `(H, W)`
    bool, or None. Masks of the foreground leave such pixels out.
    """

    cover: npt.NDArray[np.bool_] | None = None

    @property
    def keeps_foreground(self) -> bool:
        """Whether this distraction promises to leave pixels of neither sky nor floor untouched."""
        return False

    def reset(self, rng: np.random.Generator, scene: Scene) -> None:
        """Start an episode: draw what stays fixed, and edit the scene if need be.

        Called with the scene restored to stock and before the environment's own reset: the new
        episode's state is known from the first `stage` on.

        Args:
            rng: The environment's `"distraction"` stream; keep it to draw within the episode.
            scene: What is in the picture.
        """

    def stage(self, scene: Scene) -> None:
        """Edit the scene for one frame: camera, lights, solids, textures, colours.

        Called once per agent step, `reset` included, after the physics and before the drawing.
        """

    def apply(self, frame: Frame, scene: Scene) -> Frame:
        """Disturb one frame, `(H, W, 3)` uint8; called once per agent step, `reset` included.

        Never writes into `frame`.
        """
        return frame

    def describe(self) -> dict[str, Any]:
        """Return what this episode drew (a clip's name, a table's index), for `info`."""
        return {}


DISTRACTIONS: Registry[type[Distraction]] = Registry(
    "distraction", plugins="distraction_gym.distractions"
)


def unit(name: str, value: float) -> float:
    """Return a value that has to lie in [0, 1], such as an intensity.

    Raises:
        ValueError: if it does not, or is no number.
    """
    if not isinstance(value, (int, float)) or not 0.0 <= value <= 1.0:
        raise ValueError(f"{name} must lie between 0 and 1, got {value!r}")
    return float(value)
