"""MuJoCo structures inside environments, and scenes that fit the pictures these draw themselves."""

from __future__ import annotations

from typing import Any

import gymnasium as gym

from distraction_gym.errors import UnsupportedEnvironment
from distraction_gym.scenes import is_mujoco
from distraction_gym.scenes.canvas import Canvas, mujoco
from distraction_gym.scenes.mujoco import MujocoScene
from distraction_gym.typing import Frame

# dm_control's `physics.render` without arguments
_DM_HEIGHT, _DM_WIDTH, _FREE_CAMERA = 240, 320, -1


def model_and_data(env: gym.Env) -> tuple[Any, Any]:
    """Return the `mujoco.MjModel` and `mujoco.MjData` of an environment.

    Raises:
        UnsupportedEnvironment: if it has none, or makes new ones for every episode.
    """
    base: Any = env.unwrapped
    if isinstance(getattr(base, "model", None), mujoco.MjModel) and hasattr(base, "data"):
        return base.model, base.data
    if not is_mujoco(env):
        raise UnsupportedEnvironment(
            f"{env.unwrapped} is not a MuJoCo environment whose model can be found: expected "
            "attributes `model` and `data` (Gymnasium's, Gymnasium-Robotics', your own, "
            "distraction_gym.envs.ModelEnv), or dm_control's suite through Shimmy (`physics`)"
        )
    return base.physics.model.ptr, base.physics.data.ptr


def native_scene(env: gym.Env) -> ForeignScene:
    """Return a scene that fits what `env.render()` of a MuJoCo environment draws.

    Raises:
        UnsupportedEnvironment: if it draws nothing.
    """
    base: Any = env.unwrapped
    model, data = model_and_data(env)
    if hasattr(base, "mujoco_renderer"):
        viewer = _viewer(base)
        size = (viewer.viewport.height, viewer.viewport.width)
        is_fixed = viewer.cam.type == mujoco.mjtCamera.mjCAMERA_FIXED
        camera = viewer.cam.fixedcamid if is_fixed else _FREE_CAMERA
        return ForeignScene(model, data, image_size=size, camera=camera, viewer=viewer)
    asked = base.render_kwargs
    size = (asked.get("height", _DM_HEIGHT), asked.get("width", _DM_WIDTH))
    return ForeignScene(model, data, image_size=size, camera=asked.get("camera_id", _FREE_CAMERA))


def _viewer(base: Any) -> Any:
    """Return the viewer of one of Gymnasium's MuJoCo environments."""
    if base.render_mode is None:
        raise UnsupportedEnvironment(
            f"{base} draws nothing (render_mode=None), so that its pictures come from elsewhere. "
            "Make it with render_mode='rgb_array' and take AddRenderObservation(env), or let "
            "ObserveScene(env) draw, or say what to keep: "
            "DistractionWrapper(env, ..., foreground=my_mask)"
        )
    if base.mujoco_renderer.viewer is None:
        base.render()  # makes the viewer
    return base.mujoco_renderer.viewer


class ForeignScene(MujocoScene):
    """A MuJoCo model whose pictures somebody else draws.

    As long as nothing is edited, that picture stands. Otherwise `redraw` draws its own in its
    place, of the same size and through the same camera.

    Args:
        viewer: A Gymnasium viewer, whose camera and visual options are taken over; None leaves
            dm_control's.
        kwargs: As for `MujocoScene`.
    """

    def __init__(self, model: Any, data: Any, *, viewer: Any = None, **kwargs: Any) -> None:
        self._viewer = viewer
        super().__init__(model, data, **kwargs)

    def redraw(self, frame: Frame) -> Frame:
        """Return `frame`, or a picture of the same state with the scene's edits in it."""
        self.stage()
        return self._draw() if self._is_edited() else frame

    def close(self) -> None:
        """Free our renderer, and what Gymnasium leaves of its own.

        Its viewer's `MjrContext` is freed whenever the garbage collector comes by, in whichever
        GL context is current then: the textures of another environment would go with it.
        """
        super().close()
        viewer, self._viewer = self._viewer, None
        if viewer is not None and viewer.con is not None:
            viewer.make_context_current()
            viewer.con.free()

    def _is_edited(self) -> bool:
        has_sky = self._plain_sky is not None
        return bool(self._overrides or self._paints or self._palette or has_sky)

    def _open_canvas(self) -> Canvas:
        canvas = super()._open_canvas()
        if self._viewer is not None:
            canvas.look_through(self._viewer.cam, self._viewer.vopt)
        return canvas

    def _lens(self) -> Any:
        return super()._lens() if self._viewer is None else self._viewer.cam

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "_viewer": None}
