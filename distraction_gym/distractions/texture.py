"""Another picture on a surface: a still one per episode, or a clip."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from distraction_gym.distractions.base import DISTRACTIONS, Distraction, unit
from distraction_gym.distractions.player import Player
from distraction_gym.distractions.screen import Screen
from distraction_gym.scene import Scene


@DISTRACTIONS.register("texture_video")
class TextureVideo(Distraction):
    """Play a clip on a surface of the scene itself, lit and seen in perspective.

    On the sky it is the Distracting Control Suite's background; on a screen behind the robot it is
    DMC-GB2's (their code).

    `intensity`: the clip's opacity; below 1 the stock texture shines through.

    Args:
        pack: Which clips (see `assets.store`).
        part: `"sky"`, `"floor"`, or the name of a texture.
        intensity: In [0, 1].
        size: Height and width in pixels at which the clip is sent to the renderer.
        fade: Part or material -> its opacity at intensity 1.
        screen: Place a screen into the scene: the arguments of `screen.Screen`.
        order: Which clip an episode shows: `"random"`, `"listed"`, `"seeded"` or `"running"`.
        start: Its `"first"` frame, or a `"random"` one.
        motion: `"forward"`, `"bounce"` or `"still"`.
        clips: Only the first so many clips; None takes all. See `Player` for all four.
        frames_per_step: Frames of the clip per agent step.
        assets: `"auto"`, `"generated"` or a folder.

    Raises:
        AssetsMissing: if there are no clips.
        UnknownName: for an order, start or motion that does not exist.
        ValueError: for an intensity outside [0, 1].
    """

    def __init__(
        self,
        pack: str = "video_hard",
        part: str = "sky",
        intensity: float = 1.0,
        size: int = 256,
        fade: Mapping[str, float] | None = None,
        screen: Mapping[str, Any] | None = None,
        order: str = "random",
        start: str = "first",
        motion: str = "forward",
        clips: int | None = None,
        frames_per_step: float = 1.0,
        assets: str = "auto",
    ) -> None:
        self._intensity = unit("intensity", intensity)
        self._part, self._size, self._fade = part, (size, size), dict(fade or {})
        self._screen = None if screen is None else Screen(**screen)
        self._player = Player(
            pack,
            assets,
            clips=clips,
            order=order,
            start=start,
            motion=motion,
            frames_per_step=frames_per_step,
        )
        self._still, self._laid = motion == "still", False

    def reset(self, rng: np.random.Generator, scene: Scene) -> None:
        """Choose the episode's clip.

        Raises:
            UnknownName: for a part or material that does not exist.
            UnsupportedEnvironment: if the scene's textures are out of reach.
        """
        self._player.reset(rng)
        self._laid = False
        if self._intensity:
            for part, alpha in self._fade.items():
                scene.fade(part, 1 - self._intensity * (1 - alpha))

    def stage(self, scene: Scene) -> None:
        """Show the clip's next frame.

        Raises:
            BrokenAsset: if no clip of the pack can be decoded.
            UnknownName: for a texture or a screen's material that does not exist.
        """
        if not self._intensity:
            return
        if self._screen is not None:
            self._screen.stage(scene)
        if not (self._still and self._laid):
            scene.wrap(self._part, self._player.next(self._size), self._intensity)
            self._laid = True

    def describe(self) -> dict[str, Any]:
        """Return the pack and the episode's clip."""
        return self._player.describe()


@DISTRACTIONS.register("texture")
class Texture(TextureVideo):
    """Show one picture on a surface of the scene for a whole episode: a frame of a random clip.

    A folder of pictures is a pack as well (see `assets.store`).

    `intensity`: the picture's opacity; below 1 the stock texture shines through.

    Args:
        pack: Which pictures or clips.
        part: `"sky"`, `"floor"`, or the name of a texture.
        intensity: In [0, 1].
        size: Height and width in pixels at which the picture is sent to the renderer.
        clips: Only the first so many; None takes all.
        assets: `"auto"`, `"generated"` or a folder.

    Raises:
        AssetsMissing: if there are no pictures.
        ValueError: for an intensity outside [0, 1].
    """

    def __init__(
        self,
        pack: str = "video_hard",
        part: str = "floor",
        intensity: float = 1.0,
        size: int = 256,
        clips: int | None = None,
        assets: str = "auto",
    ) -> None:
        super().__init__(
            pack,
            part,
            intensity,
            size,
            start="random",
            motion="still",
            clips=clips,
            assets=assets,
        )
