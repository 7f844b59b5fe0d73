"""Observations in which a segmenter's masks decide what is seen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import gymnasium as gym
import numpy as np

from distraction_gym.errors import UnsupportedEnvironment
from distraction_gym.registry import unknown
from distraction_gym.segmentation import Masks, Segmenter, Segments, as_segmenter
from distraction_gym.typing import Frame
from distraction_gym.wrappers.stacked import FrameMemory, PictureStack

Choice = Callable[[Frame, Segments], Any]
"""`(frame (H, W, 3) uint8, Segments of that frame: masks (k, H, W), scores (k,)) -> (H, W)`."""


class MaskObservation(gym.Wrapper, gym.utils.RecordConstructorArgs):
    """Show only what a segmenter's masks select; the rest of each picture is `fill`.

    The observation space stays as it is, so that any algorithm takes it. Every frame of a stack is
    masked by its own mask; a frame is segmented when it is new, and its mask goes along with it
    through the stack. `info["mask"]`, `(H, W)` bool: what is shown of the newest frame.

    It goes around registered IDs, distractions and frame stacks, and needs no simulator unless the
    segmenter does. It makes the segmenter its own: give each environment one, or a name.

    Args:
        env: Its observations are pictures as `DistractionWrapper` takes them, or stacks of RGB
            pictures: `(3n, H, W)`, `(n, H, W, 3)`, `(n, 3, H, W)`.
        segmenter: A name in `SEGMENTERS`, `{"name": ..., **arguments}`, or a segmenter (which does
            not survive `env.spec.to_json()`).
        select: `"foreground"`: what the segmenter takes for that; `"all"` masks together; the
            `"largest"` of them; a list of their indices, best first; or a function
            `(frame, Segments) -> (H, W)`.
        fill: What is shown instead: a brightness or `[r, g, b]`, 0-255.
        key: The entry of Dict observations that is the picture; None takes the only one.

    Raises:
        UnsupportedEnvironment: if the observations are no pictures, or the segmenter cannot work on
            this environment.
        UnknownName: for a segmenter, selection or key that does not exist.
        ValueError: for indices beyond the segmenter's k.
    """

    def __init__(
        self,
        env: gym.Env,
        segmenter: Segmenter | str | dict[str, Any],
        select: str | Sequence[int] | Choice = "foreground",
        *,
        fill: int | Sequence[int] = 0,
        key: str | None = None,
    ) -> None:
        gym.utils.RecordConstructorArgs.__init__(
            self, _disable_deepcopy=True, segmenter=segmenter, select=select, fill=fill, key=key
        )
        super().__init__(env)
        _check_colors(env)
        self.segmenter = as_segmenter(segmenter)
        self.segmenter.bind(env)
        self._select = _checked(select, self.segmenter.k)
        self._fill = np.broadcast_to(np.asarray(fill, np.uint8), 3)
        self._stack = PictureStack(env.observation_space, key)
        self._masks = FrameMemory(self._choose)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Start an episode: its first frame is masked too, and the segmenter starts anew."""
        obs, info = self.env.reset(seed=seed, options=options)
        self.segmenter.reset()
        self._masks.forget()
        return self._mask(obs, info)

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Step, and mask what is new."""
        obs, reward, terminated, truncated, info = self.env.step(action)
        obs, info = self._mask(obs, info)
        return obs, float(reward), terminated, truncated, info

    def _mask(self, obs: Any, info: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        frames = self._stack.frames(obs)
        masks = self._masks.look(frames)
        shown = np.where(masks[..., None], frames, self._fill)
        return self._stack.replace(obs, frames, shown), {**info, "mask": masks[-1].copy()}

    def _choose(self, frame: Frame) -> Masks:
        if self._select == "foreground":
            return self.segmenter.foreground(frame[None])[0]
        masks, scores = self.segmenter.segment(frame[None])
        found = Segments(masks[0], scores[0])
        if isinstance(self._select, str):
            return _SELECTIONS[self._select](found.masks)
        if callable(self._select):
            return _as_mask(self._select(frame, found), frame)
        return _all(found.masks[self._select])


def _largest(masks: Masks) -> Masks:
    return np.asarray(masks[masks.sum(axis=(1, 2)).argmax()], np.bool_)


def _all(masks: Masks) -> Masks:
    return np.asarray(masks.any(axis=0), np.bool_)


_SELECTIONS: dict[str, Callable[[Masks], Masks]] = {"all": _all, "largest": _largest}


def _checked(select: Any, k: int) -> str | list[int] | Choice:
    if isinstance(select, str):
        if select not in ("foreground", *_SELECTIONS):
            raise unknown("selection of masks", select, ("foreground", *_SELECTIONS))
        return select
    if callable(select):
        return select
    indices = [int(index) for index in select]
    if not indices or not all(0 <= index < k for index in indices):
        raise ValueError(
            f"select={indices} must hold indices from 0 to {k - 1}: the segmenter's k is {k}"
        )
    return indices


def _as_mask(given: Any, frame: Frame) -> Masks:
    mask = np.asarray(given)
    if mask.shape != frame.shape[:2]:
        raise ValueError(
            f"the selection returned shape {mask.shape} for a frame of shape {frame.shape}; "
            f"expected {frame.shape[:2]}, 1 where the picture is to be shown"
        )
    return np.asarray(mask >= 0.5, np.bool_)


def _check_colors(env: gym.Env) -> None:
    space = env.observation_space
    while isinstance(env, gym.Wrapper):
        if isinstance(env, gym.wrappers.FrameStackObservation) and len(space.shape or ()) == 3:
            raise UnsupportedEnvironment(
                "grey frames are stacked here, and three of them look like one in colour. Mask "
                "before they are stacked: FrameStackObservation(MaskObservation(env, ...), n)."
            )
        env = env.env
