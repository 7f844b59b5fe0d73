"""Replay buffers on disk: plain arrays, and of the frames only what has changed."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any

import numpy as np
import torch
from stable_baselines3.common.buffers import ReplayBuffer
from stable_baselines3.her.her_replay_buffer import HerReplayBuffer

from distraction_gym.agents.common.replay import FrameReplayBuffer
from distraction_gym.errors import CheckpointError

PART_BYTES = 32 * 2**20
"""Frames lie in files of about this size: the unit of what is written again."""


def write_replay(buffer: ReplayBuffer, folder: Path) -> None:
    """Write a replay buffer as `.npy` files into a new folder.

    The frames of a `FrameReplayBuffer` that have not changed since the checkpoint before are hard
    links to its files: a checkpoint writes what a run has added, not gigabytes each time.

    Raises:
        TypeError: for `HerReplayBuffer`, whose state is more than arrays.
    """
    if isinstance(buffer, HerReplayBuffer):
        raise TypeError("HerReplayBuffer cannot be written as arrays; use save_replay_buffer")
    folder.mkdir()
    for name, array in _arrays(buffer).items():
        _write(folder / f"{name}.npy", array)
    if isinstance(buffer, FrameReplayBuffer):
        _write_beside(folder, "tails", buffer.tails)
        _write_beside(folder, "heads", buffer.heads)
        _write_frames(buffer, folder)


def read_replay(buffer: ReplayBuffer, folder: Path) -> None:
    """Fill a buffer of the same shape from a folder that `write_replay` wrote.

    Raises:
        CheckpointError: if the buffer's shape is another.
    """
    stored = {path.stem: path for path in folder.glob("*.npy")}
    buffer.reset()
    state = _read(stored["state"])
    buffer.pos, buffer.full = int(state[0]), bool(state[1])
    for name, array in _targets(buffer).items():
        _fill(array, _read(stored[name]), name)
    if isinstance(buffer, FrameReplayBuffer):
        buffer.count = int(state[2])
        if "last_next" in stored:
            buffer.last_next = _read(stored["last_next"])
        buffer.tails = _read_beside(folder, "tails")
        buffer.heads = _read_beside(folder, "heads")
        _read_frames(buffer, folder)


def settle(buffer: ReplayBuffer, folder: Path) -> None:
    """Tell the buffer where its newest files lie, so that the next write can link to them."""
    if isinstance(buffer, FrameReplayBuffer):
        buffer.saved_in = (folder, buffer.count)


def _targets(buffer: ReplayBuffer) -> dict[str, np.ndarray]:
    """Find the arrays of a buffer whose first axis is the ring; those of Dict spaces by key."""
    found: dict[str, Any] = {}
    for name, value in vars(buffer).items():
        if name in ("last_next", "tails", "heads"):
            continue
        keyed = isinstance(value, dict)
        found.update({f"{name}.{k}": v for k, v in value.items()} if keyed else {name: value})
    return {name: value for name, value in found.items() if isinstance(value, np.ndarray)}


def _arrays(buffer: ReplayBuffer) -> dict[str, np.ndarray]:
    used = {name: array[: buffer.size()] for name, array in _targets(buffer).items()}
    count = buffer.count if isinstance(buffer, FrameReplayBuffer) else 0
    used["state"] = np.array([buffer.pos, buffer.full, count], dtype=np.int64)
    if isinstance(buffer, FrameReplayBuffer) and buffer.last_next is not None:
        used["last_next"] = buffer.last_next
    return used


def _fill(target: np.ndarray, stored: np.ndarray, name: str) -> None:
    if stored.shape[1:] != target.shape[1:] or len(stored) > len(target):
        raise CheckpointError(
            f"the replay buffer in the checkpoint holds {name} of shape {stored.shape}, "
            f"the model's {target.shape}. Build the model with the settings of the run "
            "(environment, n_envs, buffer_size)."
        )
    target[: len(stored)] = stored


def _write_beside(folder: Path, name: str, frames: dict[tuple[int, int], np.ndarray]) -> None:
    if frames:
        _write(folder / f"{name}-keys.npy", np.array(list(frames), dtype=np.int64))
        _write(folder / f"{name}-frames.npy", np.stack(list(frames.values())))


def _read_beside(folder: Path, name: str) -> dict[tuple[int, int], np.ndarray]:
    if not (folder / f"{name}-keys.npy").exists():
        return {}
    keys, frames = _read(folder / f"{name}-keys.npy"), _read(folder / f"{name}-frames.npy")
    return {(int(a), int(b)): frame for (a, b), frame in zip(keys, frames, strict=True)}


def _parts(buffer: FrameReplayBuffer) -> list[tuple[str, int, int]]:
    """List the files of the ring's used slots: name, first slot, slot after the last."""
    height, width = buffer.obs_shape[1:]
    per_slot = buffer.n_envs * buffer.frame_channels * height * width
    step = max(1, PART_BYTES // per_slot)
    used = min(buffer.count + 1, buffer.ring) if buffer.count else 0
    return [
        (f"frames-{start // step:05d}.npy", start, min(start + step, used))
        for start in range(0, used, step)
    ]


def _write_frames(buffer: FrameReplayBuffer, folder: Path) -> None:
    source, since = buffer.saved_in or (None, buffer.count - buffer.ring)
    # From the slot that then held the newest frame, which a new episode may have written again.
    slots = np.arange(max(since, buffer.count - buffer.ring + 1), buffer.count + 1)
    written = np.zeros(buffer.ring, dtype=bool)
    written[slots % buffer.ring] = True
    for name, start, stop in _parts(buffer):
        if source is not None and not written[start:stop].any():
            # Another disk, a file system without links, or a folder that was removed: write.
            with contextlib.suppress(OSError):
                os.link(source / name, folder / name)
                continue
        _write(folder / name, buffer.frames[start:stop].cpu().numpy())


def _read_frames(buffer: FrameReplayBuffer, folder: Path) -> None:
    for name, start, stop in _parts(buffer):
        frames = _read(folder / name)
        if frames.shape != tuple(buffer.frames[start:stop].shape):
            raise CheckpointError(f"{folder / name} holds {frames.shape}: not this buffer's frames")
        buffer.frames[start:stop] = torch.from_numpy(frames)


def _write(path: Path, array: np.ndarray) -> None:
    with path.open("wb") as file:
        np.save(file, np.ascontiguousarray(array), allow_pickle=False)


def _read(path: Path) -> np.ndarray:
    return np.load(path, allow_pickle=False)
