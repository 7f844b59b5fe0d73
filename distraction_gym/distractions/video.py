"""A video in place of the sky, or of the sky and the floor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from distraction_gym.assets import cache
from distraction_gym.assets.clips import Footage
from distraction_gym.assets.store import clips
from distraction_gym.distractions.base import DISTRACTIONS, Distraction
from distraction_gym.distractions.chroma import SCREEN, chroma_key
from distraction_gym.distractions.composite import composite as lay_over
from distraction_gym.registry import unknown
from distraction_gym.scene import Scene
from distraction_gym.typing import Frame, Matte

COMPOSITES = ("exact", "chroma")
ORDERS = ("random", "listed")


@DISTRACTIONS.register("video")
class Video(Distraction):
    """Play a clip behind the robot, one of its frames per agent step (DMC-GB's code).

    Args:
        pack: Which clips (see `assets.store`).
        replace: Parts of the scene that the clip hides.
        composite: `"exact"` asks the scene where these parts are; `"chroma"` floods them with
            green and keys it, as the papers do, edges and all. A distraction that recolours the
            same parts must then come earlier in the mode.
        order: `"random"` draws the clip from the distraction's stream. `"listed"` is the papers'
            order, which no seed changes: the first episode shows the second clip of the list.
        assets: `"auto"`, `"generated"` or a folder.

    Raises:
        AssetsMissing: if there are no clips.
        UnknownName: for a composite or order that does not exist.
    """

    def __init__(
        self,
        pack: str = "video_hard",
        replace: Sequence[str] = ("sky", "floor"),
        composite: str = "exact",
        order: str = "random",
        assets: str = "auto",
    ) -> None:
        for kind, name, known in (("composite", composite, COMPOSITES), ("order", order, ORDERS)):
            if name not in known:
                raise unknown(kind, name, known)
        self._pack, self._clips = pack, clips(pack, assets)
        self._replace = tuple(replace)
        self._keyed, self._listed = composite == "chroma", order == "listed"
        self._index = 0
        self._step = 0
        self._footage: Footage | None = None

    def reset(self, rng: np.random.Generator, scene: Scene) -> None:
        """Choose the episode's clip, from its first frame on.

        Raises:
            UnsupportedEnvironment: if a key is asked for and the scene cannot be flooded.
        """
        if self._listed:
            self._index = (self._index + 1) % len(self._clips)  # before it is used: the papers'
        else:
            self._index = int(rng.integers(len(self._clips)))
        self._step, self._footage = 0, None
        if self._keyed:
            scene.flood(self._replace, SCREEN)

    def apply(self, frame: Frame, scene: Scene) -> Frame:
        """Put the clip's next frame behind what is in `frame`.

        Raises:
            BrokenAsset: if the clip cannot be decoded.
        """
        if self._footage is None or self._footage.shape[1:3] != frame.shape[:2]:
            size = (frame.shape[0], frame.shape[1])
            self._footage = cache.frames(self._clips[self._index], size)
        behind = self._footage[self._step % len(self._footage)]
        self._step += 1
        return lay_over(frame, behind, self._matte(frame, scene))

    def describe(self) -> dict[str, Any]:
        """Return the pack and the episode's clip."""
        return {"pack": self._pack, "clip": self._clips[self._index].name}

    def __getstate__(self) -> dict[str, Any]:
        # Megabytes of pictures that the cache gives back at the next frame.
        return {**self.__dict__, "_footage": None}

    def _matte(self, frame: Frame, scene: Scene) -> Matte:
        return chroma_key(frame) if self._keyed else scene.background(self._replace, frame)
