"""Clips are decoded once per machine and size, and then only mapped into memory.

An entry is a `.npy` file whose name says what it was made from. It is written in full or not at
all, so any number of processes may fill one at once. Mapped pages belong to the operating system:
environments, and processes, share them.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
import warnings
from collections import OrderedDict
from pathlib import Path

import numpy as np

from distraction_gym.assets.clips import Clip, Footage, Size
from distraction_gym.assets.files import PART, atomic_file
from distraction_gym.assets.store import cache_root
from distraction_gym.errors import BrokenAsset

DISK_BYTES = 4 << 30
"""Most bytes of decoded clips on disk; `$DISTRACTION_GYM_CACHE_BYTES` overrides, 0 keeps none."""
OPEN_BYTES = 256 << 20
"""Most bytes of clips that a process keeps open; `$DISTRACTION_GYM_OPEN_BYTES` overrides."""
_ABANDONED = 3600.0  # seconds after which an unfinished file has no writer any more

_lock = threading.RLock()
_open: OrderedDict[str, Footage] = OrderedDict()
_broken: dict[str, str] = {}  # entry -> fault: a damaged clip is not decoded at every reset
_warned = False


def frames(clip: Clip, size: Size) -> Footage:
    """Return a clip at a height and width, read-only `(T, H, W, 3)` uint8.

    Decoded at the first call on this machine, mapped from disk after that. Where the cache cannot
    be written, the clip stays in memory, and one warning says so.

    Raises:
        BrokenAsset: if the clip cannot be decoded; at once if that is known already.
    """
    with _lock:
        key = clip.key(size)
        if key in _broken:
            raise BrokenAsset(_broken[key])
        if key not in _open:
            try:
                _open[key] = _load(clip, size, cache_root() / "clips" / f"{key}.npy")
            except BrokenAsset as error:
                _broken[key] = str(error)
                raise
        _open.move_to_end(key)
        _close_oldest(_budget("DISTRACTION_GYM_OPEN_BYTES", OPEN_BYTES))
        return _open[key]


def clear() -> None:
    """Let go of every open clip, and of what is known of broken ones; the files stay."""
    with _lock:
        _open.clear()
        _broken.clear()


def _load(clip: Clip, size: Size, path: Path) -> Footage:
    found = _map(path, size)
    if found is not None:
        return found
    decoded = clip.decode(size)
    decoded.setflags(write=False)
    kept = _map(path, size) if _save(decoded, path) else None
    return decoded if kept is None else kept


def _map(path: Path, size: Size) -> Footage | None:
    """Open an entry; None if there is none, or if it is damaged and has to be made again."""
    try:
        # Untyped in NumPy 2.2, the last for Python 3.10.
        mapped: Footage = np.lib.format.open_memmap(path, mode="r")  # type: ignore[no-untyped-call]
    except Exception:  # whatever is wrong with it: it can be made again
        return None
    if mapped.dtype != np.uint8 or mapped.ndim != 4 or mapped.shape[1:] != (*size, 3):
        return None
    with contextlib.suppress(OSError):  # a cache that others fill and we only read
        os.utime(path)  # the entries used longest ago are removed first
    return mapped


def _save(decoded: Footage, path: Path) -> bool:
    """Write an entry and return whether it could be kept."""
    budget = _budget("DISTRACTION_GYM_CACHE_BYTES", DISK_BYTES)
    if decoded.nbytes > budget:
        return False
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _make_room(path.parent, budget - decoded.nbytes)
        with atomic_file(path) as file:
            np.save(file, decoded)
    except OSError as error:
        _warn(path.parent, error)
        return False
    return True


def _make_room(folder: Path, budget: int) -> None:
    """Remove the entries used longest ago until the rest fits, and what killed writers left."""
    entries = []
    for path in folder.iterdir():
        try:
            stat = path.stat()
        except FileNotFoundError:
            continue  # another process was quicker
        if path.suffix == ".npy":
            entries.append((stat.st_mtime, stat.st_size, path))
        elif path.suffix == PART and time.time() - stat.st_mtime > _ABANDONED:
            path.unlink(missing_ok=True)
    used = sum(length for _, length, _ in entries)
    for _, length, path in sorted(entries):
        if used <= budget:
            return
        path.unlink(missing_ok=True)  # whoever has it mapped keeps it until they let go
        used -= length


def _close_oldest(budget: int) -> None:
    used = sum(footage.nbytes for footage in _open.values())
    while used > budget and len(_open) > 1:
        _, footage = _open.popitem(last=False)
        used -= footage.nbytes


def _budget(name: str, default: int) -> int:
    value = os.environ.get(name)
    if value is None:
        return default
    if not value.isdecimal():
        raise ValueError(f"${name} is {value!r}; expected a number of bytes, such as {default}")
    return int(value)


def _warn(folder: Path, error: OSError) -> None:
    global _warned
    if not _warned:
        _warned = True
        warnings.warn(
            f"decoded clips cannot be kept in {folder} ({error.strerror or error}); they stay in "
            "memory, and every process decodes its own. To keep them elsewhere:  "
            "export DISTRACTION_GYM_CACHE=FOLDER",
            RuntimeWarning,
            stacklevel=4,
        )
