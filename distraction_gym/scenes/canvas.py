"""Where MuJoCo draws: an OpenGL context of our own, and one scene of geoms in it."""

from __future__ import annotations

import atexit
import weakref
from typing import Any

import numpy as np
import numpy.typing as npt

from distraction_gym.registry import unknown
from distraction_gym.scenes import films, gl
from distraction_gym.scenes.quality import QUALITIES, Quality
from distraction_gym.typing import Frame

mujoco = gl.load_mujoco()

_SPARE_GEOMS = 1000  # solids, and what a user's visual options show
_SEGMENT = (mujoco.mjtRndFlag.mjRND_SEGMENT, mujoco.mjtRndFlag.mjRND_IDCOLOR)


class Canvas:
    """Draws the geoms of one model through one camera, `(height, width)` pixels.

    The picture equals dm_control's `physics.render` in every pixel; `segments` is a second, cheap
    pass over the same geoms.

    Attribute `scene`: the `mujoco.MjvScene`, whose camera, lights and geoms may be edited between
    `update` and `draw`.

    Args:
        model: The `mujoco.MjModel`.
        size: Height and width in pixels.
        camera: A `mujoco.MjvCamera` (see `make_camera`).
        quality: A name in `QUALITIES`.

    Raises:
        RenderingUnavailable: without a working OpenGL.
        UnknownName: for a quality that does not exist.
    """

    def __init__(
        self,
        model: Any,
        size: tuple[int, int],
        camera: Any,
        quality: str = "standard",
    ) -> None:
        self._is_open = False
        self._drawer: Any = None
        chosen = QUALITIES[quality]
        self._model = model
        gl.shared.take(*size)
        self._is_open = True
        _close_at_exit(self)
        self._rect = mujoco.MjrRect(0, 0, size[1], size[0])
        with gl.shared.current():
            self._drawer = _make_drawer(model, size, chosen)
        self._terrain = model.hfield_data.copy()
        self._options, self._camera = _dm_control_options(), camera
        most = 2 * (model.ngeom + model.nsite + model.nwrap) + _SPARE_GEOMS
        self.scene = mujoco.MjvScene(model, most)
        self.scene.flags[mujoco.mjtRndFlag.mjRND_SHADOW] = chosen.shadows
        self._buffer = np.empty((*size, 3), np.uint8)

    def __del__(self) -> None:
        self.close()

    def look_through(self, camera: Any, options: Any) -> None:
        """Take another `mujoco.MjvCamera` and `mujoco.MjvOption`."""
        self._camera, self._options = camera, options

    def update(self, data: Any) -> None:
        """Put the geoms where the state `data` (a `mujoco.MjData`) says."""
        everything = mujoco.mjtCatBit.mjCAT_ALL.value
        mujoco.mjv_updateScene(
            self._model, data, self._options, None, self._camera, everything, self.scene
        )
        self._update_terrain()

    def draw(self) -> Frame:
        """Return the picture, `(H, W, 3)` uint8."""
        self._render()
        return self._buffer[::-1].copy()  # OpenGL's first row is the lowest

    def segments(self) -> npt.NDArray[np.int32]:
        """Return which geom of `scene` each pixel shows, `(H, W)` int32: `segid + 1`, 0 the sky."""
        self.scene.flags[_SEGMENT[0]] = self.scene.flags[_SEGMENT[1]] = True
        try:
            self._render()
        finally:
            self.scene.flags[_SEGMENT[0]] = self.scene.flags[_SEGMENT[1]] = False
        upright = self._buffer[::-1]
        ids = upright[..., 0].astype(np.int32)
        if self.scene.ngeom >= 255:  # a second digit, in green; a third would be 65 thousand geoms
            ids += upright[..., 1].astype(np.int32) << 8
        return ids

    def upload(self, texture: int) -> None:
        """Send a texture's pixels, as the model holds them now, to the renderer."""
        with gl.shared.current():
            mujoco.mjr_uploadTexture(self._model, self._drawer, texture)

    def show(self, texture: int, picture: Frame) -> None:
        """Put a picture, as large as the last one, on all sides of a cube texture."""
        with gl.shared.current():
            films.show(int(self._drawer.texture[texture]), picture)

    def close(self) -> None:
        """Free what the graphics driver holds; a closed canvas cannot draw."""
        was_open, self._is_open = self._is_open, False
        if not was_open or gl.is_forked():
            return
        if self._drawer is not None:
            with gl.shared.current():
                self._drawer.free()
        gl.shared.release()

    def _update_terrain(self) -> None:
        """Send height fields again if a task has changed them (dm_control's quadruped_escape)."""
        if np.array_equal(self._terrain, self._model.hfield_data):
            return
        self._terrain = self._model.hfield_data.copy()
        with gl.shared.current():
            for field in range(self._model.nhfield):
                mujoco.mjr_uploadHField(self._model, self._drawer, field)

    def _render(self) -> None:
        with gl.shared.current():
            # Each drawer has frames of its own, and the last one to draw may have been another.
            mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN, self._drawer)
            mujoco.mjr_render(self._rect, self.scene, self._drawer)
            mujoco.mjr_readPixels(self._buffer, None, self._rect, self._drawer)


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


def make_camera(model: Any, number: int) -> Any:
    """Return a `mujoco.MjvCamera`: the model's camera of this number; -1 is the free camera."""
    camera = mujoco.MjvCamera()
    if number == -1:
        mujoco.mjv_defaultFreeCamera(model, camera)
    else:
        camera.type = mujoco.mjtCamera.mjCAMERA_FIXED
        camera.fixedcamid = number
    return camera


def _dm_control_options() -> Any:
    options = mujoco.MjvOption()
    # The rays of range finders are not part of dm_control's pictures.
    options.flags[mujoco.mjtVisFlag.mjVIS_RANGEFINDER] = False
    return options


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
    return drawer


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
