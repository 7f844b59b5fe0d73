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
    links to its files: a checkpoint writes what a run has added, not gigabytes each time. A buffer
    with `write_files`, `read_files` and `settle_files` does all this itself.

    Raises:
        TypeError: for `HerReplayBuffer`, whose state is more than arrays.
    """
    if isinstance(buffer, HerReplayBuffer):
        raise TypeError("HerReplayBuffer cannot be written as arrays; use save_replay_buffer")
    folder.mkdir()
    if hasattr(buffer, "write_files"):
        buffer.write_files(folder)
        return
    for name, array in _arrays(buffer).items():
        write_array(folder / f"{name}.npy", array)
    if isinstance(buffer, FrameReplayBuffer):
        _write_beside(folder, "tails", buffer.tails)
        _write_beside(folder, "heads", buffer.heads)
        _write_frames(buffer, folder)


def read_replay(buffer: ReplayBuffer, folder: Path) -> None:
    """Fill a buffer of the same shape from a folder that `write_replay` wrote.

    Raises:
        CheckpointError: if the buffer's shape is another.
    """
    if hasattr(buffer, "read_files"):
        buffer.read_files(folder)
        return
    stored = {path.stem: path for path in folder.glob("*.npy")}
    buffer.reset()
    state = read_array(stored["state"])
    buffer.pos, buffer.full = int(state[0]), bool(state[1])
    for name, array in _targets(buffer).items():
        values = read_array(stored[name])
        fill(array, values, name)
        if buffer.full and len(values) != len(array):
            raise unlike(f"{len(values)} steps, full", f"holds {len(array)}")
    if buffer.pos == buffer.buffer_size:  # what was a part of a larger one fills this one
        buffer.pos, buffer.full = 0, True
    if isinstance(buffer, FrameReplayBuffer):
        buffer.count = int(state[2])
        if "last_next" in stored:
            buffer.last_next = read_array(stored["last_next"])
        buffer.tails = _read_beside(folder, "tails")
        buffer.heads = _read_beside(folder, "heads")
        _read_frames(buffer, folder)


def settle(buffer: ReplayBuffer, folder: Path) -> None:
    """Tell the buffer where its newest files lie, so that the next write can link to them."""
    if isinstance(buffer, FrameReplayBuffer):
        buffer.saved_in = (folder, buffer.count)
    elif hasattr(buffer, "settle_files"):
        buffer.settle_files(folder)


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


def unlike(stored: str, own: str) -> CheckpointError:
    """Return the error for a buffer that is not the model's."""
    return CheckpointError(
        f"the replay buffer in the checkpoint holds {stored}, the model's {own}. Build the model "
        "with the settings of the run (environment, n_envs, buffer_size)."
    )


def fill(target: np.ndarray, stored: np.ndarray, name: str) -> None:
    """Put a stored array into the beginning of a larger one.

    Raises:
        CheckpointError: if the model's has another shape.
    """
    if stored.shape[1:] != target.shape[1:] or len(stored) > len(target):
        raise unlike(f"{name} of shape {stored.shape}", str(target.shape))
    target[: len(stored)] = stored


def _write_beside(folder: Path, name: str, frames: dict[tuple[int, int], np.ndarray]) -> None:
    if frames:
        write_array(folder / f"{name}-keys.npy", np.array(list(frames), dtype=np.int64))
        write_array(folder / f"{name}-frames.npy", np.stack(list(frames.values())))


def _read_beside(folder: Path, name: str) -> dict[tuple[int, int], np.ndarray]:
    if not (folder / f"{name}-keys.npy").exists():
        return {}
    keys, frames = (read_array(folder / f"{name}-{part}.npy") for part in ("keys", "frames"))
    return {(int(a), int(b)): frame for (a, b), frame in zip(keys, frames, strict=True)}


def write_parts(
    folder: Path,
    name: str,
    rows: np.ndarray | torch.Tensor,
    written: np.ndarray,
    source: Path | None,
) -> None:
    """Write a large array as files of about `PART_BYTES`, `name-00000.npy` and so on.

    Args:
        folder: Where the files go.
        name: What they begin with.
        rows: The array; its first axis is cut.
        written: Which rows have changed since the files in `source`.
        source: The files before these; parts without a change are linked to.
    """
    for file, start, stop in _parts(name, rows):
        if source is not None and not written[start:stop].any():
            # Another disk, a file system without links, or a folder that was removed: write.
            with contextlib.suppress(OSError):
                os.link(source / file, folder / file)
                continue
        part = rows[start:stop]
        write_array(folder / file, part.cpu().numpy() if isinstance(part, torch.Tensor) else part)


def read_parts(folder: Path, name: str, rows: np.ndarray | torch.Tensor) -> None:
    """Fill an array from the files that `write_parts` wrote of one of the same shape.

    Raises:
        CheckpointError: if its shape is another.
    """
    for file, start, stop in _parts(name, rows):
        part: Any = read_array(folder / file)
        if part.shape != tuple(rows[start:stop].shape):
            raise CheckpointError(f"{folder / file} holds {part.shape}: not this buffer's {name}")
        rows[start:stop] = torch.from_numpy(part) if isinstance(rows, torch.Tensor) else part


def _parts(name: str, rows: np.ndarray | torch.Tensor) -> list[tuple[str, int, int]]:
    """List the files of an array: name, first row, row after the last."""
    if not len(rows):
        return []
    step = max(1, PART_BYTES // max(rows[:1].nbytes, 1))
    return [
        (f"{name}-{start // step:05d}.npy", start, min(start + step, len(rows)))
        for start in range(0, len(rows), step)
    ]


def _used_frames(buffer: FrameReplayBuffer) -> torch.Tensor:
    return buffer.frames[: min(buffer.count + 1, buffer.ring) if buffer.count else 0]


def _write_frames(buffer: FrameReplayBuffer, folder: Path) -> None:
    source, since = buffer.saved_in or (None, buffer.count - buffer.ring)
    # From the slot that then held the newest frame, which a new episode may have written again.
    slots = np.arange(max(since, buffer.count - buffer.ring + 1), buffer.count + 1)
    written = np.zeros(buffer.ring, dtype=bool)
    written[slots % buffer.ring] = True
    write_parts(folder, "frames", _used_frames(buffer), written, source)


def _read_frames(buffer: FrameReplayBuffer, folder: Path) -> None:
    read_parts(folder, "frames", _used_frames(buffer))


def write_array(path: Path, array: np.ndarray) -> None:
    """Write one array."""
    with path.open("wb") as file:
        np.save(file, np.ascontiguousarray(array), allow_pickle=False)


def read_array(path: Path) -> np.ndarray:
    """Read what `write_array` wrote."""
    return np.load(path, allow_pickle=False)
