"""A flat screen in the scene, behind the robot."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from distraction_gym.scene import Scene, Solid


class Screen:
    """A box that wears a material of the scene, upright or tilted back.

    Args:
        material: The material that it wears; the video plays on that material's texture.
        position: Where it stands, in metres; what it follows is added.
        size: Half sizes in metres.
        tilt: Degrees about the world's x axis.
        follow: Axes (0 to 2) along which it moves with what the camera tracks.

    Raises:
        ValueError: for an axis that does not exist.
    """

    def __init__(
        self,
        material: str,
        position: Sequence[float],
        size: Sequence[float],
        tilt: float = 0.0,
        follow: Sequence[int] = (),
    ) -> None:
        if not set(follow) <= {0, 1, 2}:
            raise ValueError(f"follow lists axes from 0 to 2, got {follow!r}")
        self._material = material
        self._position, self._size = np.array(position, np.float64), np.array(size, np.float64)
        cosine, sine = math.cos(math.radians(tilt)), math.sin(math.radians(tilt))
        self._rotation = (1.0, 0.0, 0.0, 0.0, cosine, -sine, 0.0, sine, cosine)
        self._follow = np.isin(np.arange(3), follow)

    def stage(self, scene: Scene) -> None:
        """Place it into the next frame.

        Raises:
            UnknownName: if the scene has no such material.
            UnsupportedEnvironment: if nothing can be placed into the scene.
        """
        position = self._position
        if self._follow.any():
            position = position + np.where(self._follow, scene.focus(), 0.0)
        x, y, z = position.tolist()
        width, depth, height = self._size.tolist()
        solid = Solid(
            "box",
            (x, y, z),
            (width, depth, height),
            color=(1.0, 1.0, 1.0),
            rotation=self._rotation,
            material=self._material,
        )
        scene.place([solid])
