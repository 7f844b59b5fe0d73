"""A video in place of the sky, of the sky and the floor, or of whatever is blue."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from distraction_gym.distractions.base import DISTRACTIONS, Distraction, unit
from distraction_gym.distractions.chroma import SCREEN, blue_key, chroma_key
from distraction_gym.distractions.composite import composite as lay_over
from distraction_gym.distractions.player import Player
from distraction_gym.registry import unknown
from distraction_gym.scene import Scene
from distraction_gym.typing import Frame, Matte

KEYS: dict[str, Callable[[Frame], Matte] | None] = {
    "exact": None,
    "chroma": chroma_key,
    "blue": blue_key,
}
"""Composites, and how each finds the pixels to replace; the scene itself knows them exactly."""


@DISTRACTIONS.register("video")
class Video(Distraction):
    """Play a clip behind the robot, one of its frames per agent step (DMC-GB's code).

    `intensity`: the clip's opacity; below 1 the stock background shines through.

    Args:
        pack: Which clips (see `assets.store`).
        replace: Parts of the scene that the clip hides, or the name of one.
        intensity: In [0, 1].
        composite: `"exact"` asks the scene where these parts are. `"chroma"` floods them with
            green and keys it, as DMC-GB does, edges and all; a distraction that recolours the
            same parts must then come earlier in the mode, and nothing shines through. `"blue"`
            replaces pixels with more blue than red and than green, whatever they show: in
            dm_control sky and floor, and a few parts of robots (code of Deep Bisimulation for
            Control, TIA, DreamerPro and RePo).
        order: Which clip an episode shows: `"random"`, `"listed"`, `"seeded"` or `"running"`.
        start: Its `"first"` frame, or a `"random"` one.
        motion: `"forward"`, `"bounce"` or `"still"`.
        clips: Only the first so many clips; None takes all. See `Player` for all four.
        grey: Whether to take the clip's colours out.
        assets: `"auto"`, `"generated"` or a folder.

    Raises:
        AssetsMissing: if there are no clips.
        UnknownName: for a composite, order, start or motion that does not exist.
        ValueError: for an intensity outside [0, 1], or between them with a green screen.
    """

    def __init__(
        self,
        pack: str = "video_hard",
        replace: Sequence[str] = ("sky", "floor"),
        intensity: float = 1.0,
        composite: str = "exact",
        order: str = "random",
        start: str = "first",
        motion: str = "forward",
        clips: int | None = None,
        grey: bool = False,
        assets: str = "auto",
    ) -> None:
        if composite not in KEYS:
            raise unknown("composite", composite, KEYS)
        self._intensity = unit("intensity", intensity)
        if composite == "chroma" and 0 < intensity < 1:
            raise ValueError(
                f"intensity={intensity} lets the stock background shine through, and "
                "composite='chroma' paints it green: take composite='exact', or intensity=1"
            )
        self._player = Player(
            pack, assets, clips=clips, order=order, start=start, motion=motion, grey=grey
        )
        self._replace = (replace,) if isinstance(replace, str) else tuple(replace)
        self._composite = composite

    @property
    def keeps_foreground(self) -> bool:
        """True for exact masks of sky and floor: keys cut into the robot's edges."""
        return self._composite == "exact" and set(self._replace) <= {"sky", "floor"}

    def reset(self, rng: np.random.Generator, scene: Scene) -> None:
        """Choose the episode's clip.

        Raises:
            UnsupportedEnvironment: if a key is asked for and the scene cannot be flooded.
        """
        self._player.reset(rng)
        if self._composite == "chroma" and self._intensity:
            scene.flood(self._replace, SCREEN)
        if self._composite == "exact" and self._intensity == 1.0:
            scene.hide(self._replace)

    def apply(self, frame: Frame, scene: Scene) -> Frame:
        """Put the clip's next frame behind what is in `frame`.

        Raises:
            BrokenAsset: if no clip of the pack can be decoded.
        """
        behind = self._player.next((frame.shape[0], frame.shape[1]))
        if not self._intensity:
            return frame
        key = KEYS[self._composite]
        matte = scene.background(self._replace, frame) if key is None else key(frame)
        return lay_over(frame, behind, matte, self._intensity)

    def describe(self) -> dict[str, Any]:
        """Return the pack and the episode's clip."""
        return self._player.describe()
