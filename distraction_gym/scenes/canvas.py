"""Where MuJoCo draws: an OpenGL context of our own, or a Gymnasium viewer's."""

from __future__ import annotations

import atexit
import contextlib
import weakref
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from distraction_gym.registry import Registry, unknown
from distraction_gym.scenes import gl
from distraction_gym.typing import Frame

mujoco = gl.load_mujoco()

_MAX_GEOMS = 10_000  # mujoco.Renderer's default
_SEGMENT = (mujoco.mjtRndFlag.mjRND_SEGMENT, mujoco.mjtRndFlag.mjRND_IDCOLOR)


@dataclass(frozen=True)
class Quality:
    """What a render quality changes; None leaves the model's own value."""

    shadow_size: int | None = None
    samples: int | None = None
    shadows: bool = True


QUALITIES: Registry[Quality] = Registry("render quality")
QUALITIES.add("standard", Quality())
QUALITIES.add("fast", Quality(shadow_size=512))
QUALITIES.add("draft", Quality(samples=0, shadows=False))


class Canvas:
    """Draws the geoms of one model through one camera, `(height, width)` pixels.

    The picture equals dm_control's `physics.render` in every pixel; `segments` is a second, cheap
    pass over the same geoms.

    Args:
        model: The `mujoco.MjModel`.
        size: Height and width in pixels.
        camera: Number or name of a camera; -1 is the free camera.
        quality: A name in `QUALITIES`.

    Raises:
        RenderingUnavailable: without a working OpenGL.
        UnknownName: for a quality that does not exist.
    """

    def __init__(self, model: Any, size: tuple[int, int], camera: int, quality: str) -> None:
        self._context: Any = None
        self._drawer: Any = None
        chosen = QUALITIES[quality]
        self._model = model
        self._context = gl.make_context(*size)
        _close_at_exit(self)
        self._rect = mujoco.MjrRect(0, 0, size[1], size[0])
        with gl.current(self._context):
            self._drawer = _make_drawer(model, size, chosen)
        self._terrain = model.hfield_data.copy()
        self._options = mujoco.MjvOption()
        # As in dm_control: the rays of range finders are not part of the picture.
        self._options.flags[mujoco.mjtVisFlag.mjVIS_RANGEFINDER] = False
        self._camera = _make_camera(model, camera)
        self._scene = mujoco.MjvScene(model, _MAX_GEOMS)
        self._scene.flags[mujoco.mjtRndFlag.mjRND_SHADOW] = chosen.shadows
        self._make_buffer()

    def __del__(self) -> None:
        self.close()

    def update(self, data: Any) -> None:
        """Put the geoms where the state `data` (a `mujoco.MjData`) says."""
        everything = mujoco.mjtCatBit.mjCAT_ALL.value
        mujoco.mjv_updateScene(
            self._model, data, self._options, None, self._camera, everything, self._scene
        )
        self._update_terrain()

    def draw(self) -> Frame:
        """Return the picture, `(H, W, 3)` uint8."""
        with self._current():
            self._render()
        return self._buffer[::-1].copy()  # OpenGL's first row is the lowest

    def segments(self) -> tuple[npt.NDArray[np.int64], list[tuple[int, int]]]:
        """Return which object each pixel shows.

        Returns:
            Indices `(H, W)` int64 into a list of `(object type, object id)`, as in mujoco's
            enumeration `mjtObj`; index 0 is the sky, `(-1, -1)`.
        """
        self._scene.flags[_SEGMENT[0]] = self._scene.flags[_SEGMENT[1]] = True
        try:
            with self._current():
                self._render()
        finally:
            self._scene.flags[_SEGMENT[0]] = self._scene.flags[_SEGMENT[1]] = False
        count = self._scene.ngeom
        objects = [(-1, -1)] * (count + 1)
        for geom in self._scene.geoms[:count]:
            if geom.segid >= 0:
                objects[geom.segid + 1] = (geom.objtype, geom.objid)
        red, green, blue = np.moveaxis(self._buffer[::-1].astype(np.int64), -1, 0)
        return red + (green << 8) + (blue << 16), objects

    def upload(self, texture: int) -> None:
        """Send a texture's pixels, as the model holds them now, to the renderer."""
        with self._current():
            mujoco.mjr_uploadTexture(self._model, self._drawer, texture)

    def close(self) -> None:
        """Free what the graphics driver holds; a closed canvas cannot draw."""
        context, self._context = self._context, None
        if context is None:
            return
        if self._drawer is not None:
            with gl.current(context):
                self._drawer.free()
        gl.free(context)

    def _update_terrain(self) -> None:
        """Send height fields again if a task has changed them (dm_control's quadruped_escape)."""
        if np.array_equal(self._terrain, self._model.hfield_data):
            return
        self._terrain = self._model.hfield_data.copy()
        with self._current():
            for field in range(self._model.nhfield):
                mujoco.mjr_uploadHField(self._model, self._drawer, field)

    def _make_buffer(self) -> None:
        self._buffer = np.empty((self._rect.height, self._rect.width, 3), np.uint8)

    def _current(self) -> AbstractContextManager[None]:
        return gl.current(self._context)

    def _render(self) -> None:
        mujoco.mjr_render(self._rect, self._scene, self._drawer)
        mujoco.mjr_readPixels(self._buffer, None, self._rect, self._drawer)


class ViewerCanvas(Canvas):
    """The canvas of a Gymnasium viewer, so that masks and colours fit the picture it draws."""

    def __init__(self, model: Any, viewer: Any) -> None:
        self._model = model
        self._viewer = viewer
        self._context = None
        self._rect, self._drawer = viewer.viewport, viewer.con
        self._options, self._camera, self._scene = viewer.vopt, viewer.cam, viewer.scn
        self._terrain = model.hfield_data.copy()
        self._make_buffer()

    def close(self) -> None:
        """Do nothing: the viewer belongs to the environment."""

    def _current(self) -> AbstractContextManager[None]:
        self._viewer.make_context_current()  # and leave it so: the viewer counts on that
        return contextlib.nullcontext()


def camera_number(model: Any, camera: int | str | None) -> int:
    """Return a camera's number; None means the first one, or the free camera (-1) if there is none.

    Raises:
        UnknownName: if the model has no such camera.
    """
    if camera is None:
        return 0 if model.ncam else -1
    names = [model.camera(index).name for index in range(model.ncam)]
    if isinstance(camera, str) and camera in names:
        return names.index(camera)
    if isinstance(camera, int) and -1 <= camera < model.ncam:
        return camera
    raise unknown("camera", str(camera), [*map(str, range(-1, model.ncam)), *filter(None, names)])


def _make_drawer(model: Any, size: tuple[int, int], quality: Quality) -> Any:
    """Return the `mujoco.MjrContext`; it copies the settings, so that the model keeps its own."""
    frame, detail = model.vis.global_, model.vis.quality
    before = (frame.offheight, frame.offwidth, detail.shadowsize, detail.offsamples)
    frame.offheight, frame.offwidth = size
    if quality.shadow_size is not None:
        detail.shadowsize = min(quality.shadow_size, detail.shadowsize)
    if quality.samples is not None:
        detail.offsamples = quality.samples
    try:
        drawer = mujoco.MjrContext(model, mujoco.mjtFontScale.mjFONTSCALE_100)
    finally:
        frame.offheight, frame.offwidth, detail.shadowsize, detail.offsamples = before
    mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN, drawer)
    return drawer


def _make_camera(model: Any, number: int) -> Any:
    camera = mujoco.MjvCamera()
    if number == -1:
        mujoco.mjv_defaultFreeCamera(model, camera)
    else:
        camera.type = mujoco.mjtCamera.mjCAMERA_FIXED
        camera.fixedcamid = number
    return camera


_open: weakref.WeakSet[Canvas] = weakref.WeakSet()


def _close_all() -> None:
    for canvas in list(_open):
        canvas.close()


def _close_at_exit(canvas: Canvas) -> None:
    """Free a canvas while the graphics driver is still there.

    mujoco and dm_control each shut EGL down at exit, the last to register first: stay the last.
    """
    _open.add(canvas)
    atexit.unregister(_close_all)
    atexit.register(_close_all)
