"""The colours of a MuJoCo model: what they are to be, and what has been written so far."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from distraction_gym.errors import UnsupportedEnvironment
from distraction_gym.scenes.parts import PARTS, Parts, Tints, texture_pixels, textures_of
from distraction_gym.scenes.textures import Checker, Gradient, Pixels, fill
from distraction_gym.typing import RGB

Paint = tuple[str, tuple[RGB, ...]]
"""`("stock", ())`, `("recolor", colours)` or `("flood", (colour,))`."""
STOCK: Paint = ("stock", ())
_NOTHING: Paint = ("nothing", ())  # differs from every paint


class PartLook:
    """The colours of one part: its texture if it has one, else its materials' and geoms'.

    Args:
        model: A `mujoco.MjModel` in its stock colours.
        part: `"sky"`, `"floor"` or `"body"`.
        geoms: The part's geoms.
    """

    def __init__(self, model: Any, part: str, geoms: Iterable[int]) -> None:
        self.wanted = STOCK
        self.written = STOCK
        self._part = part
        self._tints = Tints(model, geoms if part != "sky" else ())
        self._geoms = tuple(geoms)
        self._textures = [] if part == "body" else textures_of(model, part, self._geoms)
        self._stock: dict[int, Pixels] = {}
        self._painters: dict[int, Gradient | Checker] = {}

    def forget(self) -> None:
        """Believe nothing about what the model and the renderer hold."""
        self.written = _NOTHING

    def write(self, model: Any, upload: Callable[[int], None]) -> None:
        """Bring model and renderer to the wanted paint, if they are not there already."""
        if self.wanted == self.written:
            return
        if self._part == "sky" and not self._textures and self.wanted != STOCK:
            raise UnsupportedEnvironment(
                "this model has no skybox, so that its sky is black and cannot be coloured. "
                "Type composite='exact' for video modes, or take a mode that leaves the sky alone."
            )
        if not self._textures:
            self._tints.paint(model, self.wanted[1][0] if self.wanted[1] else None)
        for texture in self._textures:
            pixels = texture_pixels(model, texture)
            stock = self._stock.setdefault(texture, pixels.copy())
            self._paint(texture, stock, pixels)
            upload(texture)
        self.written = self.wanted

    def _paint(self, texture: int, stock: Pixels, out: Pixels) -> None:
        kind, colors = self.wanted
        if kind == "stock":
            out[:] = stock
        elif kind == "flood":
            fill(colors[0], out)
        else:
            if texture not in self._painters:
                self._painters[texture] = Gradient(stock) if self._part == "sky" else Checker(stock)
            self._painters[texture].paint(colors, out)


class Look:
    """The colours of all parts of a model."""

    def __init__(self, model: Any, parts: Parts) -> None:
        self._parts = {name: PartLook(model, name, getattr(parts, name)) for name in PARTS}

    def want(self, part: str, kind: str, colors: Sequence[RGB]) -> None:
        """Note a paint: `"recolor"` or `"flood"`."""
        self._parts[part].wanted = (kind, tuple((*map(float, color),) for color in colors))  # type: ignore[misc]

    def want_stock(self) -> None:
        """Note that everything is to look as compiled."""
        for look in self._parts.values():
            look.wanted = STOCK

    def forget(self) -> None:
        """Believe nothing about what the model and the renderer hold."""
        for look in self._parts.values():
            look.forget()

    def write(self, model: Any, upload: Callable[[int], None]) -> None:
        """Bring model and renderer to the wanted colours; what is there already costs nothing."""
        for look in self._parts.values():
            look.write(model, upload)
