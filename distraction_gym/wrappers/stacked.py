"""Observations of one picture, or of several stacked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt

from distraction_gym.wrappers.pictures import PictureFormat, like, to_numpy

Frames = npt.NDArray[np.uint8]
"""`(n, H, W, 3)` uint8, oldest first."""


class PictureStack:
    """Turns observations into frames `(n, H, W, 3)` uint8, oldest first, and back.

    Takes whatever `PictureFormat` takes (n is 1), and stacks of RGB pictures: along the channels as
    in `StackFrames`, `(3n, H, W)`, or along an axis of their own, `(n, H, W, 3)` or `(n, 3, H, W)`.

    Args:
        space: Of single observations.
        key: The entry of a Dict space; None takes the only one with pictures.

    Raises:
        UnsupportedEnvironment: if there is no picture, or more than one entry with pictures.
        UnknownName: for a key that the space does not have.
    """

    def __init__(self, space: gym.Space, key: str | None = None) -> None:
        if isinstance(space, gym.spaces.Dict):
            singles: gym.Space = gym.spaces.Dict(
                {name: _single(entry) for name, entry in space.spaces.items()}
            )
        else:
            singles = _single(space)
        self._format = PictureFormat.of(singles, key)

    def frames(self, obs: Any) -> Frames:
        """Return an observation's pictures, `(n, H, W, 3)` uint8; perhaps a view of them."""
        return np.stack([self._format.to_frame(picture) for picture in self._pictures(obs)])

    def replace(self, obs: Any, before: Frames, after: Frames) -> Any:
        """Return the observation with other pictures in it; `obs` is not written to.

        Args:
            obs: The observation from which `before` was made.
            before: What `frames(obs)` returned.
            after: `(n, H, W, 3)` uint8.
        """
        triples = zip(self._pictures(obs), before, after, strict=True)
        written = np.stack([self._format.from_frame(*each) for each in triples])
        old = self._format.take(obs)
        return self._format.put(obs, like(written.reshape(tuple(old.shape)), old))

    def _pictures(self, obs: Any) -> npt.NDArray:
        return to_numpy(self._format.take(obs)).reshape(-1, *self._format.box.shape)


class FrameMemory:
    """What was found in the frames of a stack: each is looked at once, when it is new.

    Frames go through a stack from step to step, so that all but the newest are known by their
    content. Oldest first, one by one: some segmenters follow the picture from frame to frame.

    Args:
        find: Returns an array for a frame `(H, W, 3)` uint8; always of the same shape.
    """

    def __init__(self, find: Callable[[npt.NDArray[np.uint8]], npt.NDArray[Any]]) -> None:
        self._find = find
        self._known: dict[bytes, npt.NDArray[Any]] = {}

    def forget(self) -> None:
        """Take whatever comes next for new."""
        self._known = {}

    def look(self, frames: Frames) -> npt.NDArray[Any]:
        """Return what was found in each of the frames `(n, H, W, 3)`: `(n, ...)`."""
        contents = [frame.tobytes() for frame in frames]
        known = {content: self._known[content] for content in contents if content in self._known}
        for content, frame in zip(contents, frames, strict=True):
            if content not in known:
                known[content] = self._find(frame)
        self._known = known
        return np.stack([known[content] for content in contents])


def _channels_last(shape: tuple[int, ...]) -> bool:
    """Return whether the last axis is so short that it can be no picture's width."""
    return shape[-1] in (1, 3) or 2 * shape[-1] <= min(shape[:2])


def _single(space: gym.Space) -> gym.Space:
    """Return the space of one picture of a stack; any other space as it is."""
    if not isinstance(space, gym.spaces.Box):
        return space
    shape = space.shape
    if len(shape) == 4:
        single = shape[1:]
    elif len(shape) == 3 and shape[0] > 3 and shape[0] % 3 == 0 and not _channels_last(shape):
        single = (3, *shape[1:])
    else:
        return space
    low, high = (bound.reshape(-1, *single)[0] for bound in (space.low, space.high))
    return gym.spaces.Box(low, high, dtype=space.dtype)  # type: ignore[arg-type]
