"""A still picture in place of the sky, or of the sky and the floor."""

from __future__ import annotations

from collections.abc import Sequence

from distraction_gym.distractions.base import DISTRACTIONS
from distraction_gym.distractions.video import Video


@DISTRACTIONS.register("image")
class Image(Video):
    """Show one picture behind the robot for a whole episode: one frame of a random clip.

    A folder of pictures is a pack as well (see `assets.store`).

    `intensity`: the picture's opacity; below 1 the stock background shines through.

    Args:
        pack: Which pictures or clips.
        replace: Parts of the scene that the picture hides.
        intensity: In [0, 1].
        composite: `"exact"`, `"chroma"` or `"blue"` (see `Video`).
        clips: Only the first so many; None takes all.
        grey: Whether to take the picture's colours out.
        assets: `"auto"`, `"generated"` or a folder.

    Raises:
        AssetsMissing: if there are no pictures.
        UnknownName: for a composite that does not exist.
        ValueError: for an intensity outside [0, 1], or between them with a green screen.
    """

    def __init__(
        self,
        pack: str = "video_hard",
        replace: Sequence[str] = ("sky", "floor"),
        intensity: float = 1.0,
        composite: str = "exact",
        clips: int | None = None,
        grey: bool = False,
        assets: str = "auto",
    ) -> None:
        super().__init__(
            pack,
            replace,
            intensity,
            composite,
            start="random",
            motion="still",
            clips=clips,
            grey=grey,
            assets=assets,
        )
