"""Masks beside the frames they belong to: eight binary planes in one more channel of bytes."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from gymnasium import spaces
from torch import Tensor

from distraction_gym.agents.common.replay import FrameReplayBuffer
from distraction_gym.segmentation import Masks

_BITS = 8
Bytes = npt.NDArray[np.uint8]


def channels_for(k: int) -> int:
    """Return how many channels of bytes hold `k` planes."""
    return math.ceil(k / _BITS)


def pack(masks: npt.NDArray[np.bool_]) -> Bytes:
    """Pack masks `(N, k, H, W)` into `(N, channels_for(k), H, W)` uint8, the first in bit 0."""
    count, k, height, width = masks.shape
    padded = np.zeros((count, channels_for(k) * _BITS, height, width), np.uint8)
    padded[:, :k] = masks
    grouped = padded.reshape(count, -1, _BITS, height, width)
    weights = (1 << np.arange(_BITS, dtype=np.uint8))[:, None, None]
    return (grouped * weights).sum(axis=2, dtype=np.uint8)


def unpack(packed: Tensor, k: int) -> Tensor:
    """Return the planes `(..., k, H, W)`, float 0 or 1, of bytes `(..., channels_for(k), H, W)`."""
    bits = torch.arange(_BITS, dtype=torch.uint8, device=packed.device)[:, None, None]
    planes = (packed.to(torch.uint8).unsqueeze(-3) >> bits) & 1
    return planes.flatten(-4, -3)[..., :k, :, :].float()


def frames_of(obs: npt.NDArray[Any]) -> Bytes:
    """Return the frames of observations `(B, 3f, H, W)`, oldest first, as `(B, f, H, W, 3)`."""
    count, stacked, height, width = obs.shape
    frames = obs.reshape(count, stacked // 3, 3, height, width)
    return np.ascontiguousarray(frames.transpose(0, 1, 3, 4, 2))


class SegmentedReplayBuffer(FrameReplayBuffer):
    """A `FrameReplayBuffer` whose frames carry the masks that were found in them.

    Samples are stacks of `3 + channels_for(k)` channels per frame: its colours, then its packed
    planes. A frame is segmented when it is added, and never again.

    Args:
        buffer_size: As `FrameReplayBuffer`.
        observation_space: Stacked RGB frames `(3f, H, W)`.
        action_space: As `FrameReplayBuffer`.
        k: Planes per frame.
        **kwargs: As `FrameReplayBuffer`.
    """

    segment: Callable[[Bytes, Bytes, npt.NDArray], tuple[Masks, Masks]] | None = None
    """Frames of a step's observations and of the next ones, `(n, f, H, W, 3)`, and whether those
    end episodes, `(n,)` -> masks of both, `(n, f, k, H, W)`; set by the agent. None leaves planes
    empty."""

    def __init__(
        self,
        buffer_size: int,
        observation_space: spaces.Space,
        action_space: spaces.Space,
        *,
        k: int = 4,
        **kwargs: Any,
    ) -> None:
        assert observation_space.shape is not None
        stacked, height, width = observation_space.shape
        self.planes = channels_for(k)
        channels = 3 + self.planes
        carried = spaces.Box(0, 255, (stacked // 3 * channels, height, width), np.uint8)
        super().__init__(buffer_size, carried, action_space, frame_channels=channels, **kwargs)

    def add(
        self,
        obs: np.ndarray,
        next_obs: np.ndarray,
        action: np.ndarray,
        reward: np.ndarray,
        done: np.ndarray,
        infos: list[dict[str, Any]],
    ) -> None:
        """Add one transition of each environment, as `FrameReplayBuffer.add`."""
        both: tuple[Masks | None, Masks | None] = (None, None)
        if self.segment is not None:
            both = self.segment(frames_of(obs), frames_of(next_obs), done)
        obs, next_obs = map(self._carry, (obs, next_obs), both)
        super().add(obs, next_obs, action, reward, done, infos)

    def __getstate__(self) -> dict[str, Any]:
        """Return all but the agent's function: `save_replay_buffer` would write the agent too."""
        return {name: value for name, value in vars(self).items() if name != "segment"}

    def _carry(self, obs: np.ndarray, masks: Masks | None) -> np.ndarray:
        """Put each frame's planes behind its colours."""
        count, stacked, height, width = obs.shape
        colors = obs.reshape(count, stacked // 3, 3, height, width)
        packed = np.zeros((count, stacked // 3, self.planes, height, width), np.uint8)
        if masks is not None:
            packed = pack(masks.reshape(-1, *masks.shape[2:])).reshape(packed.shape)
        return np.concatenate([colors, packed], axis=2).reshape(count, -1, height, width)
