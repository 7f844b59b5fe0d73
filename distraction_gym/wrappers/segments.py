"""A segmenter's masks beside each observation, for an agent that chooses among them itself."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np

from distraction_gym.segmentation import Segmenter, as_segmenter
from distraction_gym.segmentation.cached import CachedSegmenter
from distraction_gym.wrappers.stacked import PictureStack


class AddSegments(gym.ObservationWrapper, gym.utils.RecordConstructorArgs):
    """Make observations `{"image": observation, "segments": masks}`; Dict ones get one more entry.

    `segments`, `(n * k, H, W)` uint8, 0 or 1: of each of the n stacked frames, oldest first, the k
    masks that the segmenter finds in it, best first, with empty planes where it finds fewer. A
    frame is segmented when it is new. `MaskSelectorExtractor` reads them.

    Args:
        env: Its observations are pictures or stacks of them, as `MaskObservation` takes them.
        segmenter: A name in `SEGMENTERS`, `{"name": ..., **arguments}`, or a segmenter (which does
            not survive `env.spec.to_json()`).
        key: The entry of Dict observations that is the picture; None takes the only one.

    Raises:
        UnsupportedEnvironment: if the observations are no pictures, or the segmenter cannot work on
            this environment.
        UnknownName: for a segmenter or key that does not exist.
        ValueError: for a segmenter that needs to know which frame came before, such as `"oracle"`.
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
        self.segmenter = CachedSegmenter(as_segmenter(segmenter), size=64)
        self.segmenter.bind(env)
        frames = self._stack.frames(space.sample())
        shape = (len(frames) * self.segmenter.k, *frames.shape[1:3])
        own = space.spaces if isinstance(space, gym.spaces.Dict) else {"image": space}
        segments = gym.spaces.Box(0, 1, shape, np.uint8)
        self.observation_space = gym.spaces.Dict({**own, "segments": segments})

    def observation(self, observation: Any) -> dict[str, Any]:
        """Return the observation with the masks of its frames."""
        masks = self.segmenter.segment(self._stack.frames(observation)).masks
        entries = observation if isinstance(observation, dict) else {"image": observation}
        return {**entries, "segments": masks.reshape(-1, *masks.shape[2:]).astype(np.uint8)}
