"""A `SequenceReplay` on disk: plain arrays, and of the large ones only what has changed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from distraction_gym.agents.common import replay_files

if TYPE_CHECKING:
    from distraction_gym.agents.dreamer.sequences import SequenceReplay

_SMALL = ("actions", "rewards", "terminals", "firsts")


def write_sequences(buffer: SequenceReplay, folder: Path) -> None:
    """Write a buffer into a folder that exists; files that have not changed become hard links."""
    used = _used(buffer)
    for name in _SMALL:
        replay_files.write_array(folder / f"{name}.npy", getattr(buffer, name)[:used])
    for name in ("counts", "open"):
        replay_files.write_array(folder / f"{name}.npy", getattr(buffer, name))
    source = None if buffer.saved_in is None else buffer.saved_in[0]
    for name, plane in buffer.planes.items():
        replay_files.write_parts(folder, name, plane[:used], _written(buffer), source)


def read_sequences(buffer: SequenceReplay, folder: Path) -> None:
    """Fill a buffer of the same shape.

    Raises:
        CheckpointError: if the buffer's shape is another, or what is stored with its images.
    """
    buffer.reset()
    for name in ("counts", "open"):
        array = replay_files.read_array(folder / f"{name}.npy")
        replay_files.fill(getattr(buffer, name), array, name)
    for name in _SMALL:
        array = replay_files.read_array(folder / f"{name}.npy")
        replay_files.fill(getattr(buffer, name), array, name)
    if len(array) != _used(buffer):
        raise replay_files.unlike(f"a ring of {len(array)} steps", f"one of {buffer.ring}")
    for name in buffer.extras:
        if _used(buffer) and not any(folder.glob(f"{name}-*.npy")):
            raise replay_files.unlike(f"no {name}", "does")
    for name, plane in buffer.planes.items():
        replay_files.read_parts(folder, name, plane[: _used(buffer)])
    buffer.find_episodes()


def _used(buffer: SequenceReplay) -> int:
    return int(min(buffer.counts.max(), buffer.ring))


def _written(buffer: SequenceReplay) -> np.ndarray:
    """Mark the slots `(ring,)` that any environment has written since the last files."""
    written = np.zeros(buffer.ring, bool)
    since = np.zeros_like(buffer.counts) if buffer.saved_in is None else buffer.saved_in[1]
    for before, count in zip(since.tolist(), buffer.counts.tolist(), strict=True):
        steps = np.arange(max(before, count - buffer.ring), count)
        written[steps % buffer.ring] = True
    return written
