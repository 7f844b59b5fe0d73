"""A film on a skybox: new pixels for a texture that the renderer has already."""

from __future__ import annotations

from itertools import product

import cv2
import numpy as np

from distraction_gym.typing import Frame

_FACES = 6


def show(texture: int, picture: Frame) -> None:
    """Replace all sides of a cube texture, mipmaps included.

    `mjr_uploadTexture` would have the driver compute the mipmaps of every side, six times the same,
    which takes five times as long. A GL context has to be current.

    Args:
        texture: OpenGL's number of a texture whose sides are `(S, S)`.
        picture: `(S, S, 3)` uint8.
    """
    from OpenGL import GL  # only when a context exists has mujoco told PyOpenGL its platform

    GL.glBindTexture(GL.GL_TEXTURE_CUBE_MAP, texture)
    GL.glPixelStorei(GL.GL_UNPACK_ALIGNMENT, 1)
    for (level, pixels), face in product(enumerate(_mipmaps(picture)), range(_FACES)):
        height, width = pixels.shape[:2]
        side = GL.GL_TEXTURE_CUBE_MAP_POSITIVE_X + face
        GL.glTexSubImage2D(side, level, 0, 0, width, height, GL.GL_RGB, GL.GL_UNSIGNED_BYTE, pixels)


def _mipmaps(picture: Frame) -> list[Frame]:
    """Return a picture and its halves, down to a single pixel."""
    levels = [np.ascontiguousarray(picture)]
    while len(levels[-1]) > 1:
        side = len(levels[-1]) // 2
        half = cv2.resize(levels[-1], (side, side), interpolation=cv2.INTER_AREA)
        levels.append(np.asarray(half, np.uint8))
    return levels
