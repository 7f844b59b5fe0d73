"""What the textures of a MuJoCo model are to show, and what has been sent to the renderer."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from distraction_gym.scenes.canvas import Canvas, mujoco
from distraction_gym.scenes.textures import Checker, Gradient, Pixels, flat
from distraction_gym.typing import RGB, Frame

_EMPTY = np.empty((0, 0, 3), np.uint8)
_SIZES = ("tex_height", "tex_width", "tex_nchannel", "tex_adr")


@dataclass(frozen=True)
class Recolored:
    """The stock texture in other colours: a sky's top, or a checker's two fields."""

    colors: tuple[RGB, ...]


@dataclass(frozen=True)
class Flat:
    """One colour."""

    color: RGB


@dataclass(frozen=True, eq=False)
class Wrapped:
    """A picture; each is another one, so that a buffer may be used again."""

    picture: Frame
    opacity: float = 1.0


Paint = Recolored | Flat | Wrapped


class Paints:
    """The paints of a model's textures.

    The model holds one only while it is sent to the renderer; otherwise it holds its own pixels.

    Args:
        sky_factor: Texture -> how many times smaller a recoloured gradient may be without its
            picture changing. Textures that are not listed are checkers.
    """

    def __init__(self, sky_factor: Mapping[int, int]) -> None:
        self._sky_factor = dict(sky_factor)
        self._wanted: dict[int, Paint] = {}
        self._sent: dict[int, Paint] = {}
        self._painters: dict[int, Gradient | Checker] = {}
        self._scaled: dict[int, Pixels] = {}
        self._film_sides: dict[int, int] = {}  # of cubes that the renderer holds as one picture

    def __bool__(self) -> bool:
        return bool(self._wanted)

    def want(self, texture: int, paint: Paint) -> None:
        """Note a paint."""
        self._wanted[texture] = paint

    def restore(self) -> None:
        """Note that every texture is to look as compiled."""
        self._wanted.clear()

    def forget(self) -> None:
        """Know that the renderer is a new one, with the textures as compiled."""
        self._sent.clear()
        self._film_sides.clear()

    def send(self, model: Any, canvas: Canvas) -> None:
        """Send what the renderer does not have yet."""
        for texture in self._wanted.keys() | self._sent.keys():
            paint = self._wanted.get(texture)
            if paint == self._sent.get(texture):
                continue
            if paint is None:
                canvas.upload(texture)
                self._film_sides.pop(texture, None)
                del self._sent[texture]
            else:
                self._send_pixels(model, canvas, texture, self._mix(model, texture, paint))
                self._sent[texture] = paint

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_sent": {}, "_painters": {}, "_scaled": {}, "_film_sides": {}}

    def _send_pixels(self, model: Any, canvas: Canvas, texture: int, pixels: Pixels) -> None:
        side = len(pixels)
        is_film = (
            model.tex_type[texture] != mujoco.mjtTexture.mjTEXTURE_2D
            and side == pixels.shape[1]
            and pixels.size <= len(model.tex_data)
        )
        if not is_film or self._film_sides.get(texture) != side:
            with holding(model, texture, pixels):
                canvas.upload(texture)
            self._film_sides.pop(texture, None)
        if is_film:  # the first picture too: its mipmaps have to be made as the others' are
            canvas.show(texture, pixels)
            self._film_sides[texture] = side

    def _mix(self, model: Any, texture: int, paint: Paint) -> Pixels:
        match paint:
            case Flat(color):
                return flat(color)
            case Wrapped(picture, opacity):
                if opacity == 1.0:
                    return picture
                below = self._scaled_stock(model, texture, len(picture))
                above = np.tile(picture, (len(below) // len(picture), 1, 1))
                mixed = cv2.addWeighted(above, opacity, below, 1.0 - opacity, 0.0)
                return np.asarray(mixed, np.uint8)
            case Recolored(colors):
                if texture not in self._painters:
                    stock, factor = stock_pixels(model, texture), self._sky_factor.get(texture)
                    self._painters[texture] = Gradient(stock, factor) if factor else Checker(stock)
                return self._painters[texture].paint(colors)

    def _scaled_stock(self, model: Any, texture: int, side: int) -> Pixels:
        """Return a texture as compiled, each of its sides scaled to `(side, side)`."""
        if self._scaled.get(texture, _EMPTY).shape[1] != side:
            stock = stock_pixels(model, texture)
            size = (side, side * max(1, len(stock) // stock.shape[1]))
            scaled = cv2.resize(stock, size, interpolation=cv2.INTER_AREA)
            self._scaled[texture] = np.asarray(scaled, np.uint8)
        return self._scaled[texture]


def stock_pixels(model: Any, texture: int) -> Pixels:
    """Return a texture as compiled, `(H, W, 3)` uint8; a view if it has three channels."""
    height, width, channels, start = (int(getattr(model, name)[texture]) for name in _SIZES)
    pixels = model.tex_data[start : start + height * width * channels]
    pixels = pixels.reshape(height, width, channels)
    return np.repeat(pixels, 3, axis=-1) if channels == 1 else pixels[..., :3]


@contextlib.contextmanager
def holding(model: Any, texture: int, pixels: Pixels) -> Iterator[None]:
    """Let the model hold other pixels for a texture within the `with` block.

    They may use the room of the model's other textures meanwhile; a picture for which even that is
    too little is scaled down.
    """
    most = math.isqrt(len(model.tex_data) // 3)
    if pixels.size > len(model.tex_data):
        pixels = cv2.resize(pixels, (most, most), interpolation=cv2.INTER_AREA).astype(np.uint8)
    room = model.tex_data[: pixels.size]
    stock = room.copy()
    sizes = {name: int(getattr(model, name)[texture]) for name in _SIZES}
    held = (*pixels.shape, 0)
    try:
        room[:] = pixels.reshape(-1)
        for name, value in zip(_SIZES, held, strict=True):
            getattr(model, name)[texture] = value
        yield
    finally:
        room[:] = stock
        for name, number in sizes.items():
            getattr(model, name)[texture] = number
