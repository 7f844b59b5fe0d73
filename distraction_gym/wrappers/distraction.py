"""Put distractions into the pictures of any environment."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt

from distraction_gym.distractions.modes import build
from distraction_gym.errors import UnsupportedEnvironment
from distraction_gym.scene import Scene
from distraction_gym.scenes import find_scene
from distraction_gym.scenes.keyed import MaskFunction, keyed_scene
from distraction_gym.wrappers.pictures import PictureFormat
from distraction_gym.wrappers.pipeline import Pipeline, pipeline_of

CHOICES = """\
  foreground="my_module:my_mask"  a function (frame, env) -> (H, W) bool, 1 = keep
  foreground={"key": {"color": [0, 255, 0], "tolerance": 30}}  one colour is the background
  foreground="blend"  nothing is known: the video lies over the whole frame"""


class DistractionWrapper(gym.Wrapper, gym.utils.RecordConstructorArgs):
    """Disturb the pictures that an environment returns; its physics and rewards stay as they are.

    Wrap it before frames are stacked, and once: a mode is a list of distractions. The observation
    space stays the environment's, and what is not disturbed keeps its exact values. The seed of
    `reset` feeds a stream of its own, so that the same seed gives the same episode beneath every
    mode; without a seed the stream goes on.

    Attributes: `scene` (what is in the picture), `undistorted` (the frame before distractions,
    `(H, W, 3)` uint8), `cover` (where distractions lie in front of the scene, or None).
    `info["distraction"]` lists what the episode drew, one dictionary per distraction.

    Args:
        env: Its observations are single pictures: `(H, W, 3)`, `(3, H, W)`, or in grey `(H, W)`,
            `(H, W, 1)`, `(1, H, W)`; uint8, or float between the bounds of its space; arrays or
            PyTorch tensors; or a dictionary with one of these.
        mode: A name in `distractions.MODES`, or a list of `{"kind": name, **arguments}`.
        foreground: What to keep. `"auto"`: the environment's own scene, or MuJoCo's exact masks.
            A function `(frame, env) -> (H, W)`, 1 where the picture is to be kept, or
            `"module:function"` (functions themselves do not survive `env.spec.to_json()`).
            `{"key": {"color": [r, g, b], "tolerance": n}}`: pixels of that colour are background.
            `"blend"` or `{"blend": weight}`: the distraction lies over the whole frame.
        assets: `"auto"`, `"generated"` or a folder with clips and colour tables.
        composite: `"exact"` masks, or `"chroma"`: the papers' green screen (needs a simulator).
        key: The entry of Dict observations to disturb; None takes the only picture among them.

    Raises:
        UnsupportedEnvironment: if the observations are no pictures, nothing is known about what
            they show, or they are disturbed already.
        UnknownName: for a mode, foreground or key that does not exist.
    """

    def __init__(
        self,
        env: gym.Env,
        mode: str | list[dict[str, Any]],
        *,
        foreground: str | dict[str, Any] | MaskFunction = "auto",
        assets: str = "auto",
        composite: str = "exact",
        key: str | None = None,
    ) -> None:
        gym.utils.RecordConstructorArgs.__init__(
            self, mode=mode, foreground=foreground, assets=assets, composite=composite, key=key
        )
        _check_single(env)
        _check_unstacked(env)
        _check_undisturbed(env)
        super().__init__(env)
        self.picture_format = PictureFormat.of(env.observation_space, key)
        self._foreground = foreground
        distractions = build(mode, assets=assets, composite=composite)
        self.pipeline = Pipeline(distractions, self._find_scene())

    @property
    def scene(self) -> Scene:
        """What is in the picture."""
        return self.pipeline.scene

    @property
    def cover(self) -> npt.NDArray[np.bool_] | None:
        """Where distractions lie in front of the scene in the last frame, `(H, W)` bool."""
        return self.pipeline.cover

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Start an episode beneath new distractions."""
        self.pipeline.reset(seed)
        obs, info = self.env.reset(seed=seed, options=options)
        obs = self._disturb(obs, first=True)
        return obs, {**info, "distraction": self.pipeline.drawn}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Step and disturb the picture."""
        obs, reward, terminated, truncated, info = self.env.step(action)
        info = {**info, "distraction": self.pipeline.drawn}
        return self._disturb(obs), float(reward), terminated, truncated, info

    def render(self) -> Any:
        """Return the newest disturbed frame, `(H, W, 3)` (render mode `rgb_array`)."""
        return self._frame if self.render_mode == "rgb_array" else self.env.render()

    def close(self) -> None:
        """Free the scene, then the environment."""
        self.scene.close()
        super().close()

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.pipeline.attach(self._find_scene())

    def _disturb(self, obs: Any, first: bool = False) -> Any:
        frame = self.picture_format.frame(obs)
        disturb = self.pipeline.begin if first else self.pipeline.disturb
        self.undistorted, self._frame = disturb(frame)
        return self.picture_format.replace(obs, frame, self._frame)

    def _find_scene(self) -> Scene:
        if self._foreground != "auto":
            return keyed_scene(self._foreground, self.env)
        scene = find_scene(self.env)
        if scene is None:
            raise UnsupportedEnvironment(
                f"nothing is known about what the pictures of {self.env.unwrapped} show (it has no "
                f"attribute `scene` and is no MuJoCo environment). Say what to keep:\n{CHOICES}"
            )
        return scene


def _check_single(env: Any) -> None:
    if not isinstance(env, gym.Env):
        raise UnsupportedEnvironment(
            f"{type(env).__name__} is no gymnasium.Env. Vector environments of Gymnasium's take "
            "distraction_gym.wrappers.DistractionVectorWrapper(env, mode, foreground=...); in "
            "those of Stable-Baselines3 wrap each environment before they are put together."
        )


def _check_unstacked(env: gym.Env) -> None:
    while isinstance(env, gym.Wrapper):
        if isinstance(env, gym.wrappers.FrameStackObservation):  # three grey frames look like RGB
            raise UnsupportedEnvironment("Stack frames after the distractions, not before them.")
        env = env.env


def _check_undisturbed(env: gym.Env) -> None:
    pipeline = pipeline_of(env)
    if pipeline is not None and pipeline.distractions:
        raise UnsupportedEnvironment(
            "this environment's pictures are disturbed already, and two wrappers would undo each "
            "other's edits. Put all distractions into one list: DistractionWrapper(env, [...])."
        )
