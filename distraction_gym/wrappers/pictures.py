"""Which part of an observation is the picture, and how it is written there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import cv2
import gymnasium as gym
import numpy as np
import numpy.typing as npt

from distraction_gym.errors import UnsupportedEnvironment
from distraction_gym.registry import unknown
from distraction_gym.typing import Frame

_SMALLEST = 5
"""Boxes with shorter sides are taken for tables of numbers (rotation matrices, joint states)."""

_EXPECTED = """\
Expected one picture: a Box (H, W, 3), (3, H, W), or in grey (H, W), (H, W, 1), (1, H, W); uint8, or
float between finite bounds; or a Dict with such an entry.
From states to pictures: gymnasium.wrappers.AddRenderObservation(env), with
gym.make(..., render_mode='rgb_array'), or for MuJoCo distraction_gym.wrappers.ObserveScene(env).
Stack frames after the distractions."""


@dataclass(frozen=True)
class PictureFormat:
    """Turns observations of one space into frames `(H, W, 3)` uint8, and back.

    Floats are scaled by the space's bounds, grey is repeated; on the way back only what differs is
    written, so that the rest keeps its exact values. PyTorch tensors (`NumpyToTorch`) are told from
    the observations themselves, and keep their dtype and device.

    Attributes: `size`, the picture's height and width.
    """

    box: gym.spaces.Box
    key: str | None = None
    """The entry of a Dict space that is the picture."""

    @classmethod
    def of(cls, space: gym.Space, key: str | None = None) -> PictureFormat:
        """Find the picture in an observation space.

        Args:
            space: Of single observations.
            key: The entry of a Dict space; None takes the only one that looks like a picture.

        Raises:
            UnsupportedEnvironment: if there is no picture, or more than one.
            UnknownName: for a key that the space does not have.
        """
        if isinstance(space, gym.spaces.Dict):
            key = _only_picture(space) if key is None else key
            if key not in space.spaces:
                raise unknown("observation key", key, map(str, space.spaces))
            return cls(_checked(space.spaces[key], f"the entry {key!r} is"), key)
        if key is not None:
            raise UnsupportedEnvironment(
                f"key={key!r} chooses an entry of a Dict, and these observations are {space}. "
                "Leave the key out."
            )
        return cls(_checked(space, "the observations are"))

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        height, width = _hwc(self.box.low).shape[:2]
        return height, width

    def frame(self, obs: Any) -> Frame:
        """Return an observation's picture, `(H, W, 3)` uint8; perhaps a view of it."""
        return self.to_frame(to_numpy(self.take(obs)))

    def replace(self, obs: Any, before: Frame, after: Frame) -> Any:
        """Return the observation with another picture in it; `obs` is not written to.

        Args:
            obs: The observation from which `before` was made.
            before: What `frame(obs)` returned.
            after: `(H, W, 3)` uint8.
        """
        if after is before:
            return obs
        old = self.take(obs)
        return self.put(obs, like(self.from_frame(to_numpy(old), before, after), old))

    def take(self, obs: Any) -> Any:
        """Return the entry of an observation that is the picture."""
        return obs if self.key is None else obs[self.key]

    def put(self, obs: Any, value: Any) -> Any:
        """Return the observation with another entry in the picture's place."""
        return value if self.key is None else {**obs, self.key: value}

    def to_frame(self, picture: npt.NDArray) -> Frame:
        """Turn a picture of the space's layout into `(H, W, 3)` uint8.

        Raises:
            UnsupportedEnvironment: for a picture that does not fit the space.
        """
        fits = _is_float(picture) if _is_float(self.box) else picture.dtype == self.box.dtype
        if picture.shape != self.box.shape or not fits:
            raise UnsupportedEnvironment(
                f"the observation space promises pictures {self.box.shape} {self.box.dtype}, and "
                f"the environment returned {picture.shape} {picture.dtype}"
            )
        frame = _hwc(picture)
        if _is_float(self.box):
            low, span, _ = self._scale
            frame = np.rint(255.0 * (frame - low) / span).clip(0, 255).astype(np.uint8)
        return frame if frame.shape[-1] == 3 else np.repeat(frame, 3, axis=-1)

    def from_frame(self, picture: npt.NDArray, before: Frame, after: Frame) -> npt.NDArray:
        """Turn a frame into a picture of the space's layout and the dtype of `picture`.

        Args:
            picture: What `before` was made from; kept wherever the frames do not differ.
            before: `(H, W, 3)` uint8.
            after: `(H, W, 3)` uint8.
        """
        old, new = _hwc(picture), after
        if old.shape[-1] == 3 and not _is_float(self.box):
            return self._laid_out(new)
        differs = after != before
        if old.shape[-1] == 1:
            differs = differs[..., :1] | differs[..., 1:2] | differs[..., 2:]  # any() is slower
            grey = cv2.cvtColor(np.ascontiguousarray(after), cv2.COLOR_RGB2GRAY)
            new = np.asarray(grey, np.uint8)[..., None]
        if not _is_float(self.box):
            return self._laid_out(np.where(differs, new, old))
        low, span, high = self._scale
        scaled = np.minimum(low + span * (new / 255.0), high)  # the sum may round beyond it
        return self._laid_out(np.where(differs, scaled.astype(old.dtype), old))

    @cached_property
    def _scale(self) -> tuple[npt.NDArray[np.float64], ...]:
        """Return the space's low bounds, their distances to the high ones, and these."""
        low, high = (_hwc(bound).astype(np.float64) for bound in (self.box.low, self.box.high))
        return low, high - low, high

    def _laid_out(self, frame: npt.NDArray) -> npt.NDArray:
        if len(self.box.shape) == 2:
            return frame[..., 0]
        return np.ascontiguousarray(np.moveaxis(frame, -1, 0)) if _is_chw(self.box) else frame


def to_numpy(value: Any) -> npt.NDArray:
    """Return an array or a PyTorch tensor (of any device) as a NumPy array."""
    if not hasattr(value, "detach"):
        return np.asarray(value)
    tensor = value.detach().cpu()
    # NumPy has no bfloat16, and float64 holds every float exactly.
    return (tensor.double() if tensor.is_floating_point() else tensor).numpy()


def like(array: npt.NDArray, value: Any) -> Any:
    """Return an array as what `value` is: a tensor of its dtype and device, or an array."""
    return value.new_tensor(array) if hasattr(value, "detach") else array


def _is_float(holder: Any) -> bool:
    return bool(np.issubdtype(holder.dtype, np.floating))


def _is_chw(holder: Any) -> bool:
    return len(holder.shape) == 3 and holder.shape[-1] not in (1, 3)


def _hwc(array: npt.NDArray) -> npt.NDArray:
    """Return a view `(H, W, C)` of an array in any layout."""
    if array.ndim == 2:
        return array[..., None]
    return np.moveaxis(array, 0, -1) if _is_chw(array) else array


def _looks_like_a_picture(space: gym.Space) -> bool:
    if not isinstance(space, gym.spaces.Box) or len(space.shape) not in (2, 3):
        return False
    *sides, channels = _hwc(space.low).shape
    if channels not in (1, 3) or min(sides) < _SMALLEST:
        return False
    if _is_float(space):
        return bool(np.isfinite([space.low, space.high]).all() and (space.low < space.high).all())
    return space.dtype == np.uint8 and bool((space.low == 0).all() and (space.high == 255).all())


def _checked(space: gym.Space, what: str) -> gym.spaces.Box:
    if isinstance(space, gym.spaces.Box) and _looks_like_a_picture(space):
        return space
    raise UnsupportedEnvironment(f"{what} {space}.\n{_EXPECTED}")


def _only_picture(space: gym.spaces.Dict) -> str:
    entries: Mapping[str, gym.Space] = space.spaces
    found = [key for key, entry in entries.items() if _looks_like_a_picture(entry)]
    if not found:
        listed = "".join(f"\n  {key!r}: {entry}" for key, entry in entries.items())
        raise UnsupportedEnvironment(f"none of the observations is a picture:{listed}\n{_EXPECTED}")
    if len(found) > 1:
        raise UnsupportedEnvironment(
            f"several of the observations look like pictures: {', '.join(map(repr, found))}. "
            f"Say which one to disturb, such as key={found[0]!r}."
        )
    return found[0]
