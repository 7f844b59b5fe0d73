"""Write a folder in full or not at all (`assets.files.atomic_file` does so with a file)."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

# A name with one of these is unfinished or on its way out: readers never look at it.
UNFINISHED, DOOMED = ".tmp-", ".old-"


@contextlib.contextmanager
def atomic_folder(target: Path) -> Iterator[Path]:
    """Fill a new folder beside `target` (which must not exist) and move it there at the end."""
    part = target.with_name(f"{UNFINISHED}{os.getpid()}-{target.name}")
    part.mkdir(parents=True)
    try:
        yield part
        for path in [*part.rglob("*"), part]:
            _sync(path)
        part.rename(target)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    _sync(target.parent)


def remove_folder(folder: Path) -> None:
    """Remove a folder that a reader must never see half removed."""
    doomed = folder.with_name(f"{DOOMED}{folder.name}")
    folder.rename(doomed)
    shutil.rmtree(doomed)


def sweep(folder: Path) -> None:
    """Remove what killed writers left in a folder; no other process may be writing there."""
    for path in folder.iterdir():
        if path.name.startswith((UNFINISHED, DOOMED)):
            shutil.rmtree(path, ignore_errors=True)


def _sync(path: Path) -> None:
    """Have the operating system put a file, or the list of names of a folder, on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
