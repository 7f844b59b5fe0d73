"""A picture or a clip over the whole frame, like a reflection in a window."""

from __future__ import annotations

from typing import Any

import numpy as np

from distraction_gym.distractions.base import DISTRACTIONS, Distraction, unit
from distraction_gym.distractions.composite import blend
from distraction_gym.distractions.player import Player
from distraction_gym.scene import Scene
from distraction_gym.typing import Frame


@DISTRACTIONS.register("overlay")
class Overlay(Distraction):
    """Mix a clip into every pixel, the robot's too; nothing needs to be known of the scene.

    `intensity`: the clip's weight; at 1 nothing else is seen.

    Args:
        pack: Which clips (see `assets.store`).
        intensity: In [0, 1].
        order: Which clip an episode shows: `"random"`, `"listed"`, `"seeded"` or `"running"`.
        start: Its `"first"` frame, or a `"random"` one.
        motion: `"forward"`, `"bounce"` or `"still"`.
        clips: Only the first so many clips; None takes all. See `Player` for all four.
        grey: Whether to take the clip's colours out.
        assets: `"auto"`, `"generated"` or a folder.

    Raises:
        AssetsMissing: if there are no clips.
        UnknownName: for an order, start or motion that does not exist.
        ValueError: for an intensity outside [0, 1].
    """

    def __init__(
        self,
        pack: str = "video_hard",
        intensity: float = 0.5,
        order: str = "random",
        start: str = "random",
        motion: str = "forward",
        clips: int | None = None,
        grey: bool = False,
        assets: str = "auto",
    ) -> None:
        self._intensity = unit("intensity", intensity)
        self._player = Player(
            pack, assets, clips=clips, order=order, start=start, motion=motion, grey=grey
        )

    def reset(self, rng: np.random.Generator, scene: Scene) -> None:
        """Choose the episode's clip."""
        self._player.reset(rng)

    def apply(self, frame: Frame, scene: Scene) -> Frame:
        """Mix the clip's next frame into `frame`.

        Raises:
            BrokenAsset: if no clip of the pack can be decoded.
        """
        over = self._player.next((frame.shape[0], frame.shape[1]))
        return blend(frame, over, self._intensity) if self._intensity else frame

    def describe(self) -> dict[str, Any]:
        """Return the pack and the episode's clip."""
        return self._player.describe()
