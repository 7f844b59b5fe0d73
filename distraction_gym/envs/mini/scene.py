"""The picture of the mini suite: a sky, a floor that shades off, and the task's sprites on top."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import cv2
import numpy as np

from distraction_gym.envs.mini.tasks import Sprite
from distraction_gym.registry import unknown
from distraction_gym.scene import Scene
from distraction_gym.typing import RGB, Frame, Matte

# The background is plain and the sprites differ from it in hue alone: an agent that has seen
# nothing else has no reason to learn their shape, which is the fault that these tasks expose.
STOCK: dict[str, tuple[RGB, ...]] = {
    "sky": ((0.25, 0.35, 0.45),),
    "floor": ((0.1, 0.2, 0.3), (0.2, 0.3, 0.4)),
    "body": ((0.95, 0.3, 0.1),),
    "goal": ((0.6, 0.3, 1.0),),
}
HORIZON = 0.6
"""Fraction of the picture's height that is sky."""
_SHIFT = 4  # sub-pixel bits of OpenCV's drawing functions


class MiniScene(Scene):
    """Draws frames `(S, S, 3)` uint8 and knows which pixel belongs to what (see `scene.Scene`)."""

    parts = ("sky", "floor", "body", "goal")

    def __init__(self, image_size: int) -> None:
        self._size = image_size
        self._is_sky = np.zeros((image_size, image_size), bool)
        self._is_sky[: round(HORIZON * image_size)] = True
        self._depth = np.linspace(0.0, 1.0, (~self._is_sky[:, 0]).sum())[:, None, None]
        self._sprites = np.zeros((image_size, image_size), np.uint8)
        self.restore()

    def draw(self, sprites: Sequence[Sprite]) -> Frame:
        """Draw the sprites over the background and remember where they are."""
        self.stage()
        frame = self._background.copy()
        self._sprites = np.zeros((self._size, self._size), np.uint8)
        for sprite in sprites:
            self._paint(frame, sprite, self._pixel(self._colors[sprite.part][0]))
            self._paint(self._sprites, sprite, (255.0,))
        return frame

    def background(self, parts: Sequence[str], frame: Frame) -> Matte:
        """Return where the last drawn frame shows sky or floor (see `scene.Scene`)."""
        self._check(parts)
        region = np.zeros((self._size, self._size), bool)
        if "sky" in parts:
            region |= self._is_sky
        if "floor" in parts:
            region |= ~self._is_sky
        return region & (self._sprites < 128)

    def recolor(self, colors: Mapping[str, Sequence[RGB]]) -> None:
        """Give parts new colours (see `scene.Scene`)."""
        self._check(colors)
        self._colors.update({part: tuple(values) for part, values in colors.items()})
        self._background = self._draw_background()

    def flood(self, parts: Sequence[str], color: RGB) -> None:
        """Give parts one flat colour (see `scene.Scene`)."""
        self._check(parts)
        self.recolor({part: [color] * len(STOCK[part]) for part in parts})

    def restore(self) -> None:
        """Return to the stock colours."""
        self._colors = dict(STOCK)
        self._background = self._draw_background()

    def _check(self, parts: Sequence[str] | Mapping[str, Sequence[RGB]]) -> None:
        for part in parts:
            if part not in STOCK:
                raise unknown("part of the mini scene", part, STOCK)

    def _draw_background(self) -> Frame:
        far, near = (np.array(self._pixel(color)) for color in self._colors["floor"])
        frame = np.empty((self._size, self._size, 3), np.uint8)
        frame[self._is_sky] = self._pixel(self._colors["sky"][0])
        frame[~self._is_sky[:, 0]] = np.round(far + self._depth * (near - far))
        return frame

    @staticmethod
    def _pixel(color: RGB) -> tuple[float, ...]:
        return tuple(float(round(255 * channel)) for channel in color)

    def _paint(self, image: Frame, sprite: Sprite, color: tuple[float, ...]) -> None:
        x, y = (self._fixed((value + 1) / 2 * (self._size - 1)) for value in sprite.center)
        half_x, half_y = (self._fixed(size / 2 * self._size) for size in sprite.size)
        if sprite.shape == "disc":
            cv2.circle(image, (x, y), half_x, color, -1, cv2.LINE_AA, _SHIFT)
        else:
            corners = [(x - half_x, y - half_y), (x + half_x, y - half_y)]
            corners += [(x + half_x, y + half_y), (x - half_x, y + half_y)]
            cv2.fillConvexPoly(image, np.array(corners, np.int32), color, cv2.LINE_AA, _SHIFT)

    @staticmethod
    def _fixed(value: float) -> int:
        return round(value * (1 << _SHIFT))
