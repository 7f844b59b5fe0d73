"""Film an episode beside its clean twin: what the agent should see, and what it gets."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt
from gymnasium.envs.registration import EnvSpec

from distraction_gym.registration import NAMESPACE
from distraction_gym.scene import Scene
from distraction_gym.typing import Frame
from distraction_gym.wrappers.video import Mp4Writer, side_by_side

View = Callable[[Any], Mapping[str, npt.NDArray]]
"""Observation -> further panels: title -> picture `(H, W, 3)` uint8 or matte `(H, W)`."""
DEFAULT_FPS = 10


class RecordComparison(gym.Wrapper, gym.utils.RecordConstructorArgs):
    """Write an mp4 of every episode until `close`: clean | distracted | foreground.

    The clean panel is a second environment, made from `env.spec` without its distractions and
    given the same seeds and actions: same seed, same physics. An environment that `gym.make` did
    not build shows the picture before distractions were put over it instead ("undistorted").

    Args:
        env: Observations are pictures: `(3 * k, H, W)` or `(H, W, 3)` uint8.
        path: Where the mp4 goes.
        size: Height of a panel in pixels, about.
        fps: Frames per second; None takes the environment's `render_fps`.
    """

    def __init__(self, env: gym.Env, path: str, size: int = 192, fps: float | None = None) -> None:
        gym.utils.RecordConstructorArgs.__init__(self, path=path, size=size, fps=fps)
        super().__init__(env)
        self._twin = None if env.spec is None else gym.make(clean_spec(env.spec))
        self._size = size
        self._video = Mp4Writer(path, fps or env.metadata.get("render_fps", DEFAULT_FPS))
        self._view: View | None = None
        self._seeded = False
        self._episode = 0

    def watch(self, view: View) -> None:
        """Show an agent's panels as well (its mask, what its network sees).

        Args:
            view: Called with each observation. A `"mask"` of the agent's takes the place of the
                foreground panel.
        """
        self._view = view

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Reset both environments; a first reset without a seed draws one for the two."""
        if seed is None and not self._seeded:
            seed = int(np.random.default_rng().integers(2**31))
        self._seeded = True
        obs, info = self.env.reset(seed=seed, options=options)
        clean = self._twin.reset(seed=seed, options=options)[0] if self._twin else None
        self._episode, self._step, self._return = self._episode + 1, 0, 0.0
        self._film(obs, clean)
        return obs, info

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Step both environments and add a frame."""
        obs, reward, terminated, truncated, info = self.env.step(action)
        clean = self._twin.step(action)[0] if self._twin else None
        self._step += 1
        self._return += float(reward)
        self._film(obs, clean)
        return obs, float(reward), terminated, truncated, info

    def close(self) -> None:
        """Finish the file and close both environments."""
        self._video.close()
        if self._twin:
            self._twin.close()
        super().close()

    def _film(self, obs: Any, clean: Any) -> None:
        panels: dict[str, npt.NDArray] = {}
        if clean is not None:
            panels["clean"] = newest_frame(clean)
        else:
            panels["undistorted"] = self.env.get_wrapper_attr("undistorted")
        panels["distracted"] = newest_frame(obs)
        views = dict(self._view(obs)) if self._view else {}
        if "mask" not in views:
            panels.update(self._foreground())
        name = self.env.spec.name if self.env.spec else ""
        caption = (
            f"{name}   episode {self._episode}   step {self._step}   return {self._return:.1f}"
        )
        self._video.write(side_by_side({**panels, **views}, caption, self._size))

    def _foreground(self) -> dict[str, npt.NDArray]:
        if not self.env.has_wrapper_attr("undistorted"):
            return {}
        scene: Scene = self.env.get_wrapper_attr("scene")
        return {"foreground": scene.foreground(self.env.get_wrapper_attr("undistorted"))}


def newest_frame(obs: npt.NDArray[np.uint8]) -> Frame:
    """Return the newest picture of an observation, `(H, W, 3)` uint8.

    Args:
        obs: `(3 * k, H, W)`, oldest first, or one picture `(H, W, 3)`.
    """
    if obs.shape[-1] == 3:
        return obs
    return np.ascontiguousarray(obs[-3:].transpose(1, 2, 0))


def clean_spec(spec: EnvSpec) -> EnvSpec:
    """Return the spec of the same environment without distractions."""
    clean = copy.deepcopy(spec)
    if spec.namespace == NAMESPACE:
        clean.kwargs["mode"] = "clean"
    for wrapper in clean.additional_wrappers:
        # Not left out: `gym.make` wants the wrappers of the environment's own spec first.
        if wrapper.entry_point.endswith(":DistractionWrapper") and wrapper.kwargs is not None:
            wrapper.kwargs["mode"] = "clean"
    return clean
