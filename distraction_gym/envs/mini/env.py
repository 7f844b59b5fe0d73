"""Mini environments: what MinAtar is to Atari, for visual distraction."""

from __future__ import annotations

import math
from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt
from gymnasium.wrappers import TimeLimit

from distraction_gym.envs.mini.scene import MiniScene
from distraction_gym.envs.mini.tasks import TASKS
from distraction_gym.seeding import stream
from distraction_gym.typing import Frame
from distraction_gym.wrappers import ActionRepeat, DistractionWrapper, StackFrames

MIN_IMAGE_SIZE = 16


class MiniEnv(gym.Env[Frame, npt.NDArray[np.float32]]):
    """A tiny task drawn as `(S, S, 3)` uint8 frames; actions are float32 in [-1, 1].

    Endless: the time limit is a wrapper's. `scene` is what distractions and masks ask.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 10}  # noqa: RUF012  Gymnasium's way

    def __init__(self, task: str, image_size: int = 36, render_mode: str | None = None) -> None:
        if image_size < MIN_IMAGE_SIZE:
            raise ValueError(f"image_size must be at least {MIN_IMAGE_SIZE}, got {image_size}")
        if render_mode not in (None, "rgb_array"):
            raise ValueError(f"render_mode must be 'rgb_array' or None, got {render_mode!r}")
        self.task = TASKS[task]()
        self.scene = MiniScene(image_size)
        self.render_mode = render_mode
        self.observation_space = gym.spaces.Box(0, 255, (image_size, image_size, 3), np.uint8)
        self.action_space = gym.spaces.Box(-1.0, 1.0, (self.task.action_size,), np.float32)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Frame, dict[str, Any]]:
        """Start an episode; the seed feeds the stream called "physics"."""
        super().reset(seed=seed)
        if seed is not None:
            self.np_random = stream(seed, "physics")
        self.task.reset(self.np_random)
        return self._draw(), {}

    def step(
        self, action: npt.NDArray[np.float32]
    ) -> tuple[Frame, float, bool, bool, dict[str, Any]]:
        """Move and draw; never terminates."""
        reward = self.task.step(np.clip(np.asarray(action, np.float64), -1.0, 1.0))
        return self._draw(), reward, False, False, {}

    def render(self) -> Frame | None:  # type: ignore[override]
        """Return the current frame, undistorted."""
        return self._frame if self.render_mode == "rgb_array" else None

    def _draw(self) -> Frame:
        self._frame = self.scene.draw(self.task.sprites())
        return self._frame


def make(
    task: str,
    mode: str,
    *,
    image_size: int = 36,
    frame_stack: int = 1,
    action_repeat: int | None = None,
    assets: str = "auto",
    camera: int | str | None = None,
    composite: str = "exact",
    render_quality: str = "standard",
    render_mode: str | None = "rgb_array",
) -> gym.Env:
    """Build a mini environment; observations are uint8 `(3 * frame_stack, image_size, image_size)`.

    Args:
        task: `"reach"`, `"track"` or `"catch"`.
        mode: `"clean"` or a mode of `distractions.MODES`.
        image_size: Height and width in pixels, at least 16.
        frame_stack: Frames per observation, oldest first.
        action_repeat: Control steps per agent step; None means 1.
        assets: `"auto"` and `"generated"` use generated footage, a folder the user's own clips.
        camera: There is but one view: None.
        composite: `"exact"` or `"chroma"` (see `DistractionWrapper`).
        render_quality: Accepted for uniformity; there is no renderer to trade quality with.
        render_mode: `"rgb_array"` or None.

    Raises:
        UnknownName: for a task or mode that does not exist.
        ValueError: for a camera or a picture that is too small.
    """
    if camera is not None:
        raise ValueError(f"the mini suite has one view: expected camera=None, got {camera!r}")
    repeat = 1 if action_repeat is None else action_repeat
    env: gym.Env = ActionRepeat(MiniEnv(task, image_size, render_mode), repeat)
    horizon = math.ceil(TASKS[task].horizon / repeat)
    # The quick start needs no files, so that "auto" never looks for the real clips here.
    footage = "generated" if assets == "auto" else assets
    env = DistractionWrapper(env, mode, assets=footage, composite=composite)
    return TimeLimit(StackFrames(env, frame_stack), horizon)
