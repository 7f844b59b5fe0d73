"""What every module here does with files: order them, digest them, write them in full or not."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

PART = ".part"
"""Ending of files that are not finished yet."""


def natural(path: Path) -> list[tuple[int, int, str]]:
    """Return the key that sorts `video2` before `video10`."""
    pieces = re.split(r"(\d+)", path.as_posix())
    return [(1, int(piece), "") if piece.isdigit() else (0, 0, piece) for piece in pieces]


def sha256(path: Path) -> str:
    """Return the hexadecimal SHA-256 of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


@contextlib.contextmanager
def atomic_file(target: Path) -> Iterator[BinaryIO]:
    """Write a file beside its place and move it there at the end; an error leaves nothing.

    Any number of processes may write the same target at once: the last one wins, whole.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.{uuid.uuid4().hex}{PART}")
    try:
        with part.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
