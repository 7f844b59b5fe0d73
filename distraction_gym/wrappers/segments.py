"""A segmenter's masks beside each observation, for an agent that chooses among them itself."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np

from distraction_gym.segmentation import Masks, Segmenter, as_segmenter
from distraction_gym.typing import Frame
from distraction_gym.wrappers.stacked import FrameMemory, PictureStack


class AddSegments(gym.Wrapper, gym.utils.RecordConstructorArgs):
    """Make observations `{"image": observation, "segments": masks}`; Dict ones get one more entry.

    `segments`, `(n * k, H, W)` uint8, 0 or 1: of each of the n stacked frames, oldest first, the k
    masks that the segmenter finds in it, best first, with empty planes where it finds fewer. A
    frame is segmented when it is new, and its masks go along with it through the stack.
    `MaskSelectorExtractor` reads them. It makes the segmenter its own: give each environment one,
    or a name.

    Args:
        env: Its observations are pictures or stacks of them, as `MaskObservation` takes them.
        segmenter: A name in `SEGMENTERS`, `{"name": ..., **arguments}`, or a segmenter (which does
            not survive `env.spec.to_json()`).
        key: The entry of Dict observations that is the picture; None takes the only one.

    Raises:
        UnsupportedEnvironment: if the observations are no pictures, or the segmenter cannot work on
            this environment.
        UnknownName: for a segmenter or key that does not exist.
    """

    def __init__(
        self,
        env: gym.Env,
        segmenter: Segmenter | str | dict[str, Any] = "superpixel",
        *,
        key: str | None = None,
    ) -> None:
        gym.utils.RecordConstructorArgs.__init__(
            self, _disable_deepcopy=True, segmenter=segmenter, key=key
        )
        super().__init__(env)
        space = env.observation_space
        self._stack = PictureStack(space, key)
        self.segmenter = as_segmenter(segmenter)
        self.segmenter.bind(env)
        self._masks = FrameMemory(self._segment)
        frames = self._stack.frames(space.sample())
        shape = (len(frames) * self.segmenter.k, *frames.shape[1:3])
        own = space.spaces if isinstance(space, gym.spaces.Dict) else {"image": space}
        segments = gym.spaces.Box(0, 1, shape, np.uint8)
        self.observation_space = gym.spaces.Dict({**own, "segments": segments})

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Start an episode, and the segmenter anew."""
        obs, info = self.env.reset(seed=seed, options=options)
        self.segmenter.reset()
        self._masks.forget()
        return self._with_segments(obs), info

    def step(self, action: Any) -> tuple[dict[str, Any], float, bool, bool, dict[str, Any]]:
        """Step, and segment what is new."""
        obs, reward, terminated, truncated, info = self.env.step(action)
        return self._with_segments(obs), float(reward), terminated, truncated, info

    def _with_segments(self, obs: Any) -> dict[str, Any]:
        masks = self._masks.look(self._stack.frames(obs))
        entries = obs if isinstance(obs, dict) else {"image": obs}
        return {**entries, "segments": masks.reshape(-1, *masks.shape[2:]).astype(np.uint8)}

    def _segment(self, frame: Frame) -> Masks:
        return self.segmenter.segment(frame[None]).masks[0]
