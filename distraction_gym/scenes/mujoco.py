"""Any MuJoCo model as a scene: pictures, exact masks and edits, by mujoco's public API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from distraction_gym.errors import UnsupportedEnvironment
from distraction_gym.registry import unknown
from distraction_gym.scene import Light, Pose, Scene, Segments, Solid, Vector
from distraction_gym.scenes import lens, objects, overrides
from distraction_gym.scenes.canvas import Canvas, camera_number, make_camera
from distraction_gym.scenes.overrides import Overrides
from distraction_gym.scenes.paints import Flat, Paint, Paints, Recolored, Wrapped
from distraction_gym.scenes.palette import Palette, Row, rows_of
from distraction_gym.scenes.parts import PARTS, find_parts, texture_names, textures_of
from distraction_gym.scenes.quality import QUALITIES
from distraction_gym.scenes.textures import levels
from distraction_gym.typing import RGB, Frame, Matte

_Stamp = tuple[Any, ...]


class MujocoScene(Scene):
    """Draws a MuJoCo model and answers what distractions ask (see `scene.Scene`).

    Works on the raw structures, wherever they come from: `physics.model.ptr` and
    `physics.data.ptr` of dm_control, `env.unwrapped.model` and `.data` of Gymnasium, or your own
    `mujoco.MjModel` and `mujoco.MjData`. The OpenGL context appears with the first frame and goes
    with `close`; a pickle leaves it behind.

    Physics, other renderers and pickles never meet an edit: camera, lights and solids are changed
    in mujoco's drawing list, colours and textures are worn by the model only while it is copied to
    that list or to the graphics driver. No XML is reloaded and no context made anew.

    Attributes: `size` (height and width in pixels), `model`.

    Args:
        model: A `mujoco.MjModel`.
        data: Its `mujoco.MjData`.
        image_size: Height and width in pixels, or one number for both.
        camera: A camera's number or name; None is the first one, -1 the free camera.
        quality: `"standard"` is dm_control's own picture; `"fast"` has a smaller shadow map, and no
            reflections in parts that a distraction covers (mean difference below 0.03 grey
            levels in dm_control's tasks); `"draft"` has no shadows and no antialiasing either.
        extra_background: Part (`"sky"` or `"floor"`) -> names of geoms to count as that part.
        relevant: What `foreground` shows unless told otherwise: names as there. None is whatever
            is neither sky nor floor nor a solid that a distraction has placed.

    Raises:
        UnknownName: for a camera, quality, part, geom or object that does not exist.
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
        relevant: Sequence[str] | None = None,
    ) -> None:
        self.size = (image_size, image_size) if isinstance(image_size, int) else image_size
        if min(self.size) < 1:
            raise ValueError(f"image_size must be positive, got {image_size!r}")
        self._quality = quality
        self._skips_hidden = QUALITIES[quality].skips_hidden
        self._camera = camera_number(model, camera)
        self._geoms = find_parts(model, extra_background or {})
        self._textures = {
            part: textures_of(model, part, getattr(self._geoms, part)) for part in ("sky", "floor")
        }
        self._palette = Palette(model)
        factor = lens.texture_factor(model, self._camera, self.size)
        self._paints = Paints({sky: factor(sky) for sky in self._textures["sky"]})
        self._plain_sky: RGB | None = None  # what a model without a skybox is to show there
        self._overrides = Overrides()
        self._canvas: Canvas | None = None
        self._stamp: _Stamp | None = None
        self._ids: npt.NDArray[np.int32] | None = None
        self._relevant = None if relevant is None else tuple(relevant)
        self.bind(model, data)
        self._things(self._relevant or ())  # unknown names raise here, not at the first mask

    def bind(self, model: Any, data: Any) -> None:
        """Go on with other structures of the same model (after unpickling, or with new data)."""
        self.model, self._data = model, data
        self._census = objects.Census(model)
        self._stamp = None

    # Pictures --------------------------------------------------------------------------------

    def render(self) -> Frame:
        """Draw the current state, `(H, W, 3)` uint8.

        Raises:
            RenderingUnavailable: without a working OpenGL.
        """
        self.stage()
        return self._draw()

    def stage(self) -> None:
        """Let the distractions edit the next frame: camera, lights and solids start anew."""
        self._overrides = Overrides()
        self._stamp = None
        super().stage()
        self._stamp = None

    def restore(self) -> None:
        """Undo every edit: the next frame shows the stock scene."""
        self._palette.restore()
        self._paints.restore()
        self._plain_sky = None
        self._overrides = Overrides()
        self._stamp = None

    def close(self) -> None:
        """Free the OpenGL context; the next frame makes another."""
        if self._canvas is not None:
            self._canvas.close()
        self._canvas = None

    # Masks -----------------------------------------------------------------------------------

    def background(self, parts: Sequence[str], frame: Frame) -> Matte:
        """Return where the current state shows the given parts, `(H, W)` bool.

        The frame is not looked at: a second pass draws which object each pixel shows, once per
        state. Tendons, sites and solids (a cup's string, a target) belong to no part.

        Raises:
            UnknownName: for a part that does not exist.
        """
        for part in parts:
            self._check_part(part)
        return self._where(self._things(parts))

    def segments(self, frame: Frame) -> Segments:
        """Return which object each pixel of the current state shows (see `scene.Scene`)."""
        return self._census.name(self._object_ids())

    def owner(self, name: str) -> str:
        """Return the body of a geom (see `scene.Scene`)."""
        return objects.owner(self.model, name)

    def foreground(self, frame: Frame, objects: Sequence[str] | None = None) -> Matte:
        """Return where the current state shows what matters, `(H, W)` bool.

        Args:
            frame: Not looked at.
            objects: `"geom:torso"`, `"body:torso"` (all geoms of the body), `"site:target"`,
                `"tendon:string"`, `"group:1"` (a geom group), or a part; numbers stand for missing
                names. None takes the scene's `relevant`.

        Raises:
            UnknownName: for an object that the model does not have.
        """
        chosen = self._relevant if objects is None else objects
        if chosen is not None:
            return self._where(self._things(chosen))
        ids = self._object_ids()
        return ~self._census.irrelevant(self._things(("sky", "floor")))[ids]

    # Colours and textures --------------------------------------------------------------------

    def recolor(self, colors: Mapping[str, Sequence[RGB]]) -> None:
        """Give parts new colours before the next frame is drawn (see `scene.Scene`).

        A part without a texture takes the first colour, the sky of a model without a skybox too.

        Raises:
            UnknownName: for a part that does not exist.
        """
        for part, values in colors.items():
            given = tuple((float(red), float(green), float(blue)) for red, green, blue in values)
            self._paint(part, Recolored(given), given[0])

    def flood(self, parts: Sequence[str], color: RGB) -> None:
        """Give parts one flat colour, marks and edges included (see `scene.Scene`).

        Raises:
            UnknownName: for a part that does not exist.
        """
        for part in parts:
            self._paint(part, Flat(color), color)

    def materials(self) -> dict[str, RGB]:
        """Return the colour of every material, as edited so far.

        Geoms with colours of their own are listed as `"geom:<name or number>"`.
        """
        return self._palette.read(self.model)

    def tint(self, colors: Mapping[str, RGB]) -> None:
        """Give materials new colours (see `scene.Scene`).

        Raises:
            UnknownName: for a material that does not exist.
        """
        self._palette.tint(dict(zip(self._palette.rows(colors), colors.values(), strict=True)))

    def fade(self, part: str, alpha: float) -> None:
        """Make the floor, the body or one of `materials()` translucent (see `scene.Scene`).

        Raises:
            UnknownName: for a part or material that does not exist.
            UnsupportedEnvironment: for the sky.
        """
        if part == "sky":
            raise UnsupportedEnvironment(
                "there is nothing behind the sky, so that it cannot fade. Expected 'floor', "
                "'body' or a material."
            )
        self._palette.fade(self._rows(part) if part in PARTS else self._palette.rows([part]), alpha)

    def wrap(self, part: str, picture: Frame, opacity: float = 1.0) -> None:
        """Lay a picture over the sky, the floor or a texture (see `scene.Scene`).

        One of 256 by 256 pixels costs about a millisecond a frame.

        Raises:
            UnknownName: for a part or texture that does not exist.
            UnsupportedEnvironment: for a part without a texture.
            ValueError: for a picture that is not `(S, S, 3)` uint8.
        """
        if picture.dtype != np.uint8 or picture.shape != (len(picture), len(picture), 3):
            raise ValueError(
                f"a texture is a square picture (S, S, 3) uint8, got {picture.shape} "
                f"{picture.dtype}"
            )
        for texture in self._textures_to_wrap(part):
            self._paints.want(texture, Wrapped(picture, opacity))

    def hide(self, parts: Sequence[str]) -> None:
        """Expect parts to be covered (see `scene.Scene`): quality `"standard"` changes nothing."""
        for part in parts:
            self._check_part(part)
            if self._skips_hidden and part != "sky":
                self._palette.dull(self._rows(part))

    # Camera, lights, solids ------------------------------------------------------------------

    def view(self) -> Pose:
        """Return the pose from which the next frame is drawn, as edited so far."""
        return self._overrides.pose or overrides.read_pose(self._posed().scene)

    def focus(self) -> Vector:
        """Return the point around which to move the camera, in the world's metres.

        The centre of mass of the body that the camera tracks, with all that hangs from it, as in
        the Distracting Control Suite's code; of the body on which it is mounted; what a free
        camera looks at; else the origin.
        """
        return lens.focus(self.model, self._data, self._lens())

    def center(self) -> Vector:
        """Return the centre of mass of the first body, with all that hangs from it.

        The Distracting Control Suite's code takes it for the robot.
        """
        return self._data.subtree_com[min(1, self.model.nbody - 1)].copy()

    def aim(self, pose: Pose) -> None:
        """Draw the next frame from another pose."""
        self._overrides.pose = pose

    def turn(self, *, roll: float = 0.0, pan: float = 0.0, tilt: float = 0.0) -> None:
        """Turn the next frame's view about its own axes, in degrees (see `scene.Scene`)."""
        self.aim(overrides.turned(self.view(), roll, pan, tilt))

    def lights(self) -> tuple[Light, ...]:
        """Return the lights of the next frame, as edited so far."""
        if self._overrides.lights is None:
            return overrides.read_lights(self._posed().scene)
        return self._overrides.lights

    def light(self, lights: Sequence[Light]) -> None:
        """Draw the next frame under other lights; a headlight stays at the camera.

        Without its shadow a lamp lights large floors differently: MuJoCo then computes its light at
        their few corners, and otherwise at every pixel.

        Raises:
            ValueError: unless there are as many as in `lights()`.
        """
        if len(lights) != len(self.lights()):
            raise ValueError(f"expected {len(self.lights())} lights, got {len(lights)}")
        self._overrides.lights = tuple(lights)

    def place(self, solids: Sequence[Solid]) -> None:
        """Draw solids into the next frame, beside those placed before.

        Raises:
            UnknownName: for a shape or material that does not exist.
        """
        for solid in solids:
            overrides.SHAPES[solid.shape]
            overrides.material_of(self.model, solid)
        self._overrides.solids += tuple(solids)

    # -----------------------------------------------------------------------------------------

    def __getstate__(self) -> dict[str, Any]:
        # The data holds the model; two pickles of it would come back as two models.
        dropped = dict.fromkeys(("_canvas", "model", "_census", "_stamp", "_ids"))
        return {**super().__getstate__(), **dropped}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.bind(self._data.model, self._data)

    def _draw(self) -> Frame:
        canvas = self._posed()
        self._paints.send(self.model, canvas)
        frame = canvas.draw()
        if self._plain_sky is not None:
            frame[self._where(self._things(("sky",)))] = levels([self._plain_sky])[0]
        return frame

    def _posed(self) -> Canvas:
        """Return the canvas with the current state, as edited so far, in its drawing list."""
        canvas = self._open_canvas()
        stamp = _stamp(self._data)
        if stamp != self._stamp:
            with self._palette.worn(self.model):
                canvas.update(self._data)
            self._overrides.apply(canvas.scene, self.model)
            self._stamp, self._ids = stamp, None
        return canvas

    def _open_canvas(self) -> Canvas:
        if self._canvas is None:
            self._canvas = Canvas(self.model, self.size, self._lens(), self._quality)
            self._paints.forget()
            self._stamp = None
        return self._canvas

    def _lens(self) -> Any:
        """Return the `mujoco.MjvCamera` through which pictures are drawn."""
        return make_camera(self.model, self._camera)

    def _object_ids(self) -> npt.NDArray[np.int32]:
        canvas = self._posed()
        if self._ids is None:
            self._ids = self._census.take(canvas.scene, canvas.segments())
        return self._ids

    def _where(self, things: frozenset[objects.Thing]) -> npt.NDArray[np.bool_]:
        ids = self._object_ids()
        return self._census.within(things)[ids]

    def _things(self, names: Sequence[str]) -> frozenset[objects.Thing]:
        return objects.things(self.model, self._geoms, names)

    def _check_part(self, part: str) -> None:
        if part not in PARTS:
            raise unknown("part of a MuJoCo scene", part, PARTS)

    def _rows(self, part: str) -> list[Row]:
        return rows_of(self.model, getattr(self._geoms, part))

    def _paint(self, part: str, paint: Paint, color: RGB) -> None:
        """Paint a part's textures; a part without any takes the colour itself."""
        self._check_part(part)
        textures = self._textures.get(part, ())
        for texture in textures:
            self._paints.want(texture, paint)
        if not textures and part == "sky":
            self._plain_sky = color
        elif not textures:
            self._palette.tint(dict.fromkeys(self._rows(part), color))

    def _textures_to_wrap(self, part: str) -> Sequence[int]:
        named = texture_names(self.model)
        if part in named:
            return [named[part]]
        if part not in self._textures:
            raise unknown("texture", part, {**self._textures, **named})
        if not self._textures[part]:
            raise UnsupportedEnvironment(
                f"the {part} of this model has no texture for a picture to be laid on. "
                f"It has: {', '.join(named) or 'none'}."
            )
        return self._textures[part]


def _stamp(data: Any) -> _Stamp:
    """Return what tells two states apart, for environments that nobody asks to be drawn anew."""
    return (data.time, data.qpos.tobytes(), data.mocap_pos.tobytes(), data.mocap_quat.tobytes())
