"""Shared types: frames, mattes, colours, and what a distraction may ask of a scene."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

Frame = npt.NDArray[np.uint8]
"""One picture, `(H, W, 3)` uint8, RGB, 0-255."""

Matte = npt.NDArray[np.bool_] | npt.NDArray[np.float32]
"""`(H, W)`: which pixels a background covers. Booleans, or float32 weights in [0, 1]."""

RGB = tuple[float, float, float]
"""A colour, each channel in [0, 1]."""


class Scene(Protocol):
    """What a distraction may ask of the thing in the picture.

    Parts are named: `"sky"` (everything at infinity), `"floor"` (the ground), `"body"` (the
    robot's own material); a scene may know more and lists them in `parts`.
    """

    @property
    def parts(self) -> tuple[str, ...]:
        """Names of the parts that this scene can tell apart."""

    def background(self, parts: Sequence[str], frame: Frame) -> Matte:
        """Return where `frame` (just drawn from this scene) shows the given parts.

        Raises:
            UnknownName: for a part that the scene does not have.
        """

    def recolor(self, colors: Mapping[str, Sequence[RGB]]) -> None:
        """Give parts new colours before the next frame is drawn.

        `"sky"` takes one colour (the top of its gradient), `"floor"` two (the checker's fields),
        `"body"` one. Marks, edges and lights stay as they are.
        """

    def flood(self, parts: Sequence[str], color: RGB) -> None:
        """Give every pixel of the parts one flat colour (marks and edges too), for chroma keys."""

    def restore(self) -> None:
        """Undo every edit: the next frame shows the stock scene."""
