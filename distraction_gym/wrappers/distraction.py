"""Put distractions into the pictures of any environment."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt

from distraction_gym.distractions.base import DISTRACTIONS
from distraction_gym.distractions.modes import build
from distraction_gym.errors import UnsupportedEnvironment
from distraction_gym.scene import Scene
from distraction_gym.scenes import find_scene
from distraction_gym.scenes.keyed import MaskFunction, keyed_scene
from distraction_gym.seeding import stream
from distraction_gym.typing import Frame

_CHOICES = """\
  foreground="my_module:my_mask"  a function (frame, env) -> (H, W) bool, 1 = keep
  foreground={"key": {"color": [0, 255, 0], "tolerance": 30}}  one colour is the background
  foreground="blend"  nothing is known: the video lies over the whole frame"""


class DistractionWrapper(gym.Wrapper, gym.utils.RecordConstructorArgs):
    """Disturb the pictures that an environment returns; its physics and rewards stay as they are.

    Wrap it before frames are stacked. The seed of `reset` feeds a stream of its own, so that the
    same seed gives the same episode beneath every mode; without a seed the stream goes on.

    Attributes: `scene` (what is in the picture), `undistorted` (the frame before distractions).
    `info["distraction"]` lists what the episode drew, one dictionary per distraction.

    Args:
        env: Its observations are pictures, `(H, W, 3)` or `(3, H, W)` uint8.
        mode: A name in `distractions.MODES`, or a list of `{"kind": name, **arguments}`.
        foreground: What to keep. `"auto"`: the environment's own scene, or MuJoCo's exact masks.
            A function `(frame, env) -> (H, W)`, 1 where the picture is to be kept, or
            `"module:function"` (functions themselves do not survive `env.spec.to_json()`).
            `{"key": {"color": [r, g, b], "tolerance": n}}`: pixels of that colour are background.
            `"blend"` or `{"blend": weight}`: the distraction lies over the whole frame.
        assets: `"auto"`, `"generated"` or a folder with clips and colour tables.
        composite: `"exact"` masks, or `"chroma"`: the papers' green screen (needs a simulator).

    Raises:
        UnsupportedEnvironment: if the observations are no pictures, or nothing is known about
            what they show.
        UnknownName: for a mode or foreground that does not exist.
    """

    def __init__(
        self,
        env: gym.Env,
        mode: str | list[dict[str, Any]],
        *,
        foreground: str | dict[str, Any] | MaskFunction = "auto",
        assets: str = "auto",
        composite: str = "exact",
    ) -> None:
        gym.utils.RecordConstructorArgs.__init__(
            self, mode=mode, foreground=foreground, assets=assets, composite=composite
        )
        super().__init__(env)
        self._channels_first = _channels_first(env)
        self._distractions = build(mode, assets=assets, composite=composite)
        self._kinds = [_kind(type(distraction)) for distraction in self._distractions]
        self._foreground = foreground
        self.scene = self._take_scene()
        self._rng = stream(None, "distraction")
        self._info: list[dict[str, Any]] = []

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[npt.NDArray[np.uint8], dict[str, Any]]:
        """Start an episode beneath new distractions."""
        if seed is not None:
            self._rng = stream(seed, "distraction")
        self.scene.restore()
        for distraction in self._distractions:
            distraction.reset(self._rng, self.scene)
        obs, info = self.env.reset(seed=seed, options=options)
        obs = self._disturb(obs)
        self._info = [
            {"kind": kind, **distraction.describe()}
            for kind, distraction in zip(self._kinds, self._distractions, strict=True)
        ]
        return obs, {**info, "distraction": self._info}

    def step(self, action: Any) -> tuple[npt.NDArray[np.uint8], float, bool, bool, dict[str, Any]]:
        """Step and disturb the picture."""
        obs, reward, terminated, truncated, info = self.env.step(action)
        info = {**info, "distraction": self._info}
        return self._disturb(obs), float(reward), terminated, truncated, info

    def render(self) -> Any:
        """Return the newest disturbed frame, `(H, W, 3)` (render mode `rgb_array`)."""
        return self._frame if self.render_mode == "rgb_array" else self.env.render()

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "scene"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.scene = self._take_scene()

    def _disturb(self, obs: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        frame: Frame = obs.transpose(1, 2, 0) if self._channels_first else obs
        frame = self.undistorted = self.scene.redraw(frame)
        for distraction in self._distractions:
            frame = distraction.apply(frame, self.scene)
        self._frame = frame
        return np.ascontiguousarray(frame.transpose(2, 0, 1)) if self._channels_first else frame

    def _stage(self) -> None:
        for distraction in self._distractions:
            distraction.stage(self.scene)

    def _take_scene(self) -> Scene:
        scene = self._find_scene()
        scene.stagehand = self._stage
        return scene

    def _find_scene(self) -> Scene:
        if self._foreground != "auto":
            return keyed_scene(self._foreground, self.env)
        scene = find_scene(self.env)
        if scene is None:
            raise UnsupportedEnvironment(
                f"nothing is known about what the pictures of {self.env.unwrapped} show (it has no "
                f"attribute `scene` and is no MuJoCo environment). Say what to keep:\n{_CHOICES}"
            )
        return scene


def _channels_first(env: gym.Env) -> bool:
    space = env.observation_space
    if space.dtype == np.uint8 and space.shape is not None and len(space.shape) == 3:
        if space.shape[-1] == 3:
            return False
        if space.shape[0] == 3:
            return True
    raise UnsupportedEnvironment(
        f"DistractionWrapper expects single pictures, (H, W, 3) or (3, H, W) uint8, got {space}.\n"
        "From states to pictures: gymnasium.wrappers.AddRenderObservation(env), with "
        "gym.make(..., render_mode='rgb_array'), or for MuJoCo "
        "distraction_gym.wrappers.ObserveScene(env). Stack frames after the distractions."
    )


def _kind(cls: type) -> str:
    return next((name for name, known in DISTRACTIONS.items() if known is cls), cls.__name__)
