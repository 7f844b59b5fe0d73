"""Any MuJoCo model as a scene: pictures, exact masks and new colours, by mujoco's public API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from distraction_gym.errors import UnsupportedEnvironment
from distraction_gym.registry import unknown
from distraction_gym.scene import Scene
from distraction_gym.scenes.canvas import QUALITIES, Canvas, ViewerCanvas, camera_number, mujoco
from distraction_gym.scenes.look import Look
from distraction_gym.scenes.parts import PARTS, find_parts
from distraction_gym.typing import RGB, Frame, Matte

_GEOM = mujoco.mjtObj.mjOBJ_GEOM
_NOTHING = -1
_SKY_OBJECT = (-1, -1)


class MujocoScene(Scene):
    """Draws a MuJoCo model and answers what distractions ask (see `scene.Scene`).

    Works on the raw structures, wherever they come from: `physics.model.ptr` and
    `physics.data.ptr` of dm_control, `env.unwrapped.model` and `.data` of Gymnasium. The OpenGL
    context appears with the first frame and goes with `close`; a pickle leaves it behind.

    Colours are changed in the model itself (`mat_rgba`, `tex_data`) and sent to the live context:
    no XML is reloaded and no context made anew. Physics never reads them.

    Args:
        model: A `mujoco.MjModel`.
        data: Its `mujoco.MjData`.
        image_size: Height and width in pixels, or one number for both.
        camera: A camera's number or name; None is the first one.
        quality: `"standard"` is dm_control's own picture; `"fast"` has a smaller shadow map (mean
            difference below 0.03 grey levels); `"draft"` has no shadows and no antialiasing.
        extra_background: Part (`"sky"` or `"floor"`) -> names of geoms to count as that part.
        viewer: A Gymnasium viewer that draws the pictures; masks and colours then fit its view.
        paintable: False if somebody else draws the pictures where colours cannot be changed.

    Raises:
        UnknownName: for a camera, quality, part or geom that does not exist.
        ValueError: for a size that is not positive.
    """

    parts = PARTS

    def __init__(
        self,
        model: Any,
        data: Any,
        *,
        image_size: int | tuple[int, int] = 84,
        camera: int | str | None = None,
        quality: str = "standard",
        extra_background: Mapping[str, Sequence[str]] | None = None,
        viewer: Any = None,
        paintable: bool = True,
    ) -> None:
        self.size = (image_size, image_size) if isinstance(image_size, int) else image_size
        if min(self.size) < 1:
            raise ValueError(f"image_size must be positive, got {image_size!r}")
        QUALITIES[quality]  # an unknown one raises here, not at the first frame
        self._model, self._data = model, data
        self._camera = camera_number(model, camera)
        self._quality = quality
        self._geoms = find_parts(model, extra_background or {})
        self._look = Look(model, self._geoms)
        self._paintable = paintable
        self._viewer = viewer
        self._canvas: Canvas | None = None

    def render(self) -> Frame:
        """Draw the current state, `(H, W, 3)` uint8.

        Raises:
            RenderingUnavailable: without a working OpenGL.
        """
        self.stage()
        canvas = self._open_canvas()
        self._look.write(self._model, canvas.upload)
        canvas.update(self._data)
        return canvas.draw()

    def background(self, parts: Sequence[str], frame: Frame) -> Matte:
        """Return where the current state shows the given parts, `(H, W)` bool.

        The frame is not looked at: a second pass draws which object each pixel shows. Tendons and
        sites (a cup's string, a target) belong to no part.

        Raises:
            UnknownName: for a part that does not exist.
        """
        behind = self._ids_of(parts)
        canvas = self._open_canvas()
        canvas.update(self._data)
        pixels, objects = canvas.segments()
        is_behind = [
            "sky" in parts if thing == _SKY_OBJECT else thing[0] == _GEOM and thing[1] in behind
            for thing in objects
        ]
        return np.array(is_behind)[pixels]

    def recolor(self, colors: Mapping[str, Sequence[RGB]]) -> None:
        """Give parts new colours before the next frame is drawn (see `scene.Scene`).

        Raises:
            UnknownName: for a part that does not exist.
            UnsupportedEnvironment: if the picture's colours are out of reach.
        """
        self._ids_of(colors)
        for part, values in colors.items():
            self._look.want(part, "recolor", values)
        self._show()

    def flood(self, parts: Sequence[str], color: RGB) -> None:
        """Give parts one flat colour, marks and edges included (see `scene.Scene`).

        Raises:
            UnknownName: for a part that does not exist.
            UnsupportedEnvironment: if the picture's colours are out of reach.
        """
        self._ids_of(parts)
        for part in parts:
            self._look.want(part, "flood", [color])
        self._show()

    def restore(self) -> None:
        """Undo every edit: the next frame shows the stock scene."""
        self._look.want_stock()
        if self._viewer is not None:
            self._show()

    def bind(self, model: Any, data: Any) -> None:
        """Go on with other structures of the same model (after unpickling)."""
        self._model, self._data = model, data
        self._look.forget()

    def close(self) -> None:
        """Free the OpenGL context; the next frame makes another."""
        if self._canvas is not None:
            self._canvas.close()
        self._canvas = None

    def __getstate__(self) -> dict[str, Any]:
        # The data holds the model; two pickles of it would come back as two models.
        return {**super().__getstate__(), "_canvas": None, "_model": None, "_viewer": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.bind(self._data.model, self._data)

    def _ids_of(self, parts: Sequence[str] | Mapping[str, Any]) -> frozenset[int]:
        for part in parts:
            if part not in PARTS:
                raise unknown("part of a MuJoCo scene", part, PARTS)
        return frozenset().union(*(getattr(self._geoms, part) for part in parts))

    def _open_canvas(self) -> Canvas:
        if self._canvas is None:
            if self._viewer is not None:
                self._canvas = ViewerCanvas(self._model, self._viewer)
            else:
                self._canvas = Canvas(self._model, self.size, self._camera, self._quality)
        return self._canvas

    def _show(self) -> None:
        """Write the colours at once where the next picture is not drawn here."""
        if not self._paintable:
            raise UnsupportedEnvironment(
                "the picture comes from dm_control's own renderer, whose colours cannot be changed "
                "from here. Take the pictures with ObserveScene(env) instead of "
                "AddRenderObservation(env), or a video mode with composite='exact'."
            )
        if self._viewer is not None:
            self._look.write(self._model, self._open_canvas().upload)
