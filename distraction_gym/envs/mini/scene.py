"""The picture of the mini suite: a sky, a floor that shades off, and the task's sprites on top."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import cv2
import numpy as np
import numpy.typing as npt

from distraction_gym.envs.mini.tasks import Sprite
from distraction_gym.registry import unknown
from distraction_gym.scene import Scene, Segments
from distraction_gym.scenes.turning import Turning
from distraction_gym.typing import RGB, Frame, Matte

# The background is plain and the sprites differ from it in hue alone: an agent that has seen
# nothing else has no reason to learn their shape, which is the fault that these tasks expose.
STOCK: dict[str, tuple[RGB, ...]] = {
    "sky": ((0.25, 0.35, 0.45),),
    "floor": ((0.1, 0.2, 0.3), (0.2, 0.3, 0.4)),
    "body": ((0.95, 0.3, 0.1),),
    "goal": ((0.6, 0.3, 1.0),),
}
RELEVANT = ("body", "goal")
HORIZON = 0.6
"""Fraction of the picture's height that is sky."""
_WHITE: RGB = (1.0, 1.0, 1.0)
_LABELS = {part: label for label, part in enumerate(STOCK)}
_SHIFT = 4  # sub-pixel bits of OpenCV's drawing functions


class MiniScene(Scene):
    """Draws frames `(S, S, 3)` uint8 and knows which pixel belongs to what (see `scene.Scene`).

    It has no camera: turns rotate and move the picture (see `scenes.turning.Turning`).
    """

    parts = tuple(STOCK)

    def __init__(self, image_size: int) -> None:
        self._size = image_size
        self._rows = {"sky": slice(0, round(HORIZON * image_size))}
        self._rows["floor"] = slice(self._rows["sky"].stop, image_size)
        self._depth = np.linspace(0.0, 1.0, image_size - self._rows["floor"].start)[:, None, None]
        self._sprites: tuple[Sprite, ...] = ()
        self._ids: npt.NDArray[np.uint8] | None = None
        self._background: Frame | None = None
        self.restore()

    # Pictures and masks ----------------------------------------------------------------------

    def draw(self, sprites: Sequence[Sprite]) -> Frame:
        """Draw the sprites over the background and remember where they are."""
        self._turning = Turning()
        self.stage()
        if self._background is None:
            self._background = self._draw_background()
        frame = self._background.copy()
        for sprite in sprites:
            self._lay(frame, sprite)
        self._sprites = tuple(one for one in sprites if self._alphas.get(one.part, 1.0) > 0.0)
        self._ids = None
        return self._turning.frame(frame)

    def background(self, parts: Sequence[str], frame: Frame) -> Matte:
        """Return where the last drawn frame shows the given parts, `(S, S)` bool."""
        return self._where(parts)

    def segments(self, frame: Frame) -> Segments:
        """Return which part each pixel of the last drawn frame shows."""
        return Segments(self._labels().astype(np.int32), self.parts)

    def foreground(self, frame: Frame, objects: Sequence[str] | None = None) -> Matte:
        """Return where the last drawn frame shows some parts, `(S, S)` bool; None: the sprites."""
        return self._where(RELEVANT if objects is None else objects)

    def turn(self, *, roll: float = 0.0, pan: float = 0.0, tilt: float = 0.0) -> None:
        """Rotate and move the next frame, in degrees of an assumed camera (see `scene.Scene`)."""
        self._turning.add(roll, pan, tilt)

    # Colours and textures --------------------------------------------------------------------

    def recolor(self, colors: Mapping[str, Sequence[RGB]]) -> None:
        """Give parts new colours (see `scene.Scene`)."""
        self._check(colors)
        for part, values in colors.items():
            self._colors[part] = tuple(values)
            self._pictures.pop(part, None)
            self._tints.pop(part, None)
        self._background = None

    def flood(self, parts: Sequence[str], color: RGB) -> None:
        """Give parts one flat colour (see `scene.Scene`)."""
        self._check(parts)
        self.recolor({part: [color] * len(STOCK[part]) for part in parts})

    def materials(self) -> dict[str, RGB]:
        """Return the colour of every part; that of the floor multiplies its two shades."""
        return {
            part: self._tints.get(part, _WHITE if len(colors) > 1 else colors[0])
            for part, colors in self._colors.items()
        }

    def tint(self, colors: Mapping[str, RGB]) -> None:
        """Give parts new colours (see `materials`)."""
        self._check(colors)
        self._tints.update(colors)
        self._background = None

    def fade(self, part: str, alpha: float) -> None:
        """Make a sprite translucent; one that cannot be seen is in no mask (see `scene.Scene`)."""
        if part not in RELEVANT:
            raise unknown("part of the mini scene that can fade", part, RELEVANT)
        self._alphas[part] = alpha

    def wrap(self, part: str, picture: Frame, opacity: float = 1.0) -> None:
        """Lay a picture, scaled to fit, over the sky or the floor (see `scene.Scene`)."""
        if part not in self._rows:
            raise unknown("texture of the mini scene", part, self._rows)
        self._pictures[part] = (picture, opacity)
        self._background = None

    def restore(self) -> None:
        """Return to the stock colours."""
        self._colors = dict(STOCK)
        self._tints: dict[str, RGB] = {}
        self._pictures: dict[str, tuple[Frame, float]] = {}
        self._alphas: dict[str, float] = {}
        self._background = None
        self._turning = Turning()

    # -----------------------------------------------------------------------------------------

    def _check(self, parts: Iterable[str]) -> None:
        for part in parts:
            if part not in STOCK:
                raise unknown("part of the mini scene", part, STOCK)

    def _where(self, parts: Sequence[str]) -> npt.NDArray[np.bool_]:
        self._check(parts)
        return np.isin(self._labels(), [_LABELS[part] for part in parts])

    def _labels(self) -> npt.NDArray[np.uint8]:
        """Return the index of the part that each pixel of the last drawn frame shows."""
        if self._ids is None:
            shape = (self._size, self._size)
            ids, cover, on_top = (np.zeros(shape, np.uint8) for _ in range(3))
            ids[self._rows["floor"]] = _LABELS["floor"]
            for sprite in self._sprites:
                touched = np.zeros(shape, np.uint8)
                self._paint(touched, sprite, (255.0,))
                self._paint(cover, sprite, (255.0,))
                on_top[touched > 0] = _LABELS[sprite.part]
            self._ids = self._turning.ids(np.where(cover < 128, ids, on_top))
        return self._ids

    def _shown(self, part: str) -> tuple[RGB, ...]:
        colors, tint = self._colors[part], self._tints.get(part)
        if tint is None:
            return colors
        if len(colors) == 1:
            return (tint,)
        return tuple(
            (color[0] * tint[0], color[1] * tint[1], color[2] * tint[2]) for color in colors
        )

    def _draw_background(self) -> Frame:
        far, near = (np.array(self._pixel(color)) for color in self._shown("floor"))
        frame = np.empty((self._size, self._size, 3), np.uint8)
        frame[self._rows["sky"]] = self._pixel(self._shown("sky")[0])
        frame[self._rows["floor"]] = np.round(far + self._depth * (near - far))
        for part, (picture, opacity) in self._pictures.items():
            region = frame[self._rows[part]]
            size = (region.shape[1], region.shape[0])
            scaled = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
            region[:] = cv2.addWeighted(scaled, opacity, region, 1.0 - opacity, 0.0)
        return frame

    @staticmethod
    def _pixel(color: RGB) -> tuple[float, ...]:
        return tuple(float(round(255 * channel)) for channel in color)

    def _lay(self, frame: Frame, sprite: Sprite) -> None:
        """Paint a sprite into a frame, as opaque as its part is."""
        alpha = self._alphas.get(sprite.part, 1.0)
        below = frame.copy() if alpha < 1.0 else frame
        self._paint(frame, sprite, self._pixel(self._shown(sprite.part)[0]))
        if alpha < 1.0:
            cv2.addWeighted(frame, alpha, below, 1.0 - alpha, 0.0, dst=frame)

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
