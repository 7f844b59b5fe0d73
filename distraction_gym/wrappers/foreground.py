"""The oracle's mask beside each observation: which pixels show what matters."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt

from distraction_gym.errors import UnsupportedEnvironment
from distraction_gym.scene import Scene
from distraction_gym.scenes import told_scene
from distraction_gym.typing import Frame
from distraction_gym.wrappers.pictures import PictureFormat
from distraction_gym.wrappers.pipeline import pipeline_of


class AddForegroundMask(gym.Wrapper, gym.utils.RecordConstructorArgs):
    """Add the mask of the newest frame's foreground to `info`, or to the observation as well.

    `info["foreground"]`, `(H, W)` bool: True where the frame shows what matters. Masks with soft
    borders count from one half. Pixels that a distraction hides (a blob that flies past in front)
    are no foreground, unless `covered`.

    `info["instances"]`, if asked for: `{"ids": (H, W) int32, "names": (...)}`, which object each
    pixel shows; `"distraction"` stands for what hides the scene.

    It works around registered IDs (outside frame stack and time limit), around
    `DistractionWrapper`, and around any environment that has a scene and returns single pictures.

    Args:
        env: An environment with a scene: from one of our IDs, or wrapped.
        objects: What matters: names as in `segments`, and for MuJoCo also `"body:torso"` (its
            geoms) and `"group:1"` (a geom group). None takes the task's own set, else whatever is
            neither sky nor floor.
        observe: Make the observation `{"image": observation, "foreground": mask}`; the mask is
            `(H, W)` bool there too. Dict observations get a further entry `"foreground"`.
        instances: Add `info["instances"]`.
        covered: Count foreground that distractions hide as foreground too.

    Raises:
        UnsupportedEnvironment: if no scene is known, or the observations are stacked and no
            `DistractionWrapper` is beneath the stack.
        UnknownName: at the first reset, for an object that the scene does not have.
    """

    def __init__(
        self,
        env: gym.Env,
        objects: list[str] | None = None,
        *,
        observe: bool = False,
        instances: bool = False,
        covered: bool = False,
    ) -> None:
        gym.utils.RecordConstructorArgs.__init__(
            self, objects=objects, observe=observe, instances=instances, covered=covered
        )
        super().__init__(env)
        self._objects, self._observe = objects, observe
        self._instances, self._covered = instances, covered
        self._is_distracted = pipeline_of(env) is not None
        _check_scene(env)
        self._format = (
            env.get_wrapper_attr("picture_format")
            if self._is_distracted
            else PictureFormat.of(env.observation_space)
        )
        if observe:
            mask = gym.spaces.Box(0, 1, self._format.size, np.bool_)  # type: ignore[arg-type]
            self.observation_space = gym.spaces.Dict(
                {**_entries(env.observation_space), "foreground": mask}
            )

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Start an episode; its first frame has a mask too."""
        obs, info = self.env.reset(seed=seed, options=options)
        return self._add(obs, info)

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Step, and add the mask of the new frame."""
        obs, reward, terminated, truncated, info = self.env.step(action)
        obs, info = self._add(obs, info)
        return obs, float(reward), terminated, truncated, info

    def _add(self, obs: Any, info: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        frame: Frame = (
            self.env.get_wrapper_attr("undistorted")
            if self._is_distracted
            else self._format.frame(obs)
        )
        scene, hidden = self._scene(), self._hidden()
        mask = _hard(scene.foreground(frame, self._objects))
        if hidden is not None:
            mask = mask & ~hidden
        info = {**info, "foreground": mask}
        if self._instances:
            info["instances"] = _name(scene, frame, hidden)
        return ({**_entries(obs), "foreground": mask} if self._observe else obs), info

    def _scene(self) -> Scene:
        return self.env.get_wrapper_attr("scene")

    def _hidden(self) -> npt.NDArray[np.bool_] | None:
        if self._covered or not self._is_distracted:
            return None
        return self.env.get_wrapper_attr("cover")


def _check_scene(env: gym.Env) -> None:
    if told_scene(env) is None:
        raise UnsupportedEnvironment(
            f"nothing tells what matters in the pictures of {env.unwrapped}. For MuJoCo type "
            "AddForegroundMask(ObserveScene(env)); for other pictures "
            "AddForegroundMask(DistractionWrapper(env, 'clean', foreground=my_mask))."
        )


def _entries(value: Any) -> dict[str, Any]:
    """Return the entries of Dict observations or their space; others become the `"image"`."""
    if isinstance(value, gym.spaces.Dict):
        return dict(value.spaces)
    return value if isinstance(value, dict) else {"image": value}


def _hard(matte: npt.NDArray) -> npt.NDArray[np.bool_]:
    return matte if matte.dtype == np.bool_ else matte >= 0.5


def _name(scene: Scene, frame: Frame, hidden: npt.NDArray[np.bool_] | None) -> dict[str, Any]:
    ids, names = scene.segments(frame)
    if hidden is None:
        return {"ids": ids, "names": names}
    shown = np.where(hidden, np.int32(len(names)), ids)
    return {"ids": shown, "names": (*names, "distraction")}
