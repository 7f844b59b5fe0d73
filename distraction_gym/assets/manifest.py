"""Lists of files that users may fetch: where from, which packs they form, and their digests."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path, PurePosixPath

from distraction_gym.errors import BrokenAsset
from distraction_gym.registry import unknown

MANIFESTS = ("dmcgb",)
"""What the package knows how to fetch; each has a JSON file beside this module."""


@dataclass(frozen=True)
class Manifest:
    """One source of files."""

    name: str
    base: str
    """URL that every path is appended to."""
    terms: str
    """Whose the files are, for the user to read before they come."""
    packs: Mapping[str, Mapping[str, str | None]]
    """Pack -> path -> SHA-256, or None where nobody has verified the file yet."""


def load(source: str | Path) -> Manifest:
    """Read a manifest: the name of one of `MANIFESTS`, or the path of a JSON file.

    Raises:
        UnknownName: for a name that is not in `MANIFESTS`.
        BrokenAsset: for a file that is no manifest.
    """
    if isinstance(source, str):
        if source not in MANIFESTS:
            raise unknown("set of assets", source, MANIFESTS)
        text = resources.files(__package__).joinpath(f"{source}.json").read_text()
    else:
        text = source.read_text()
    try:
        manifest = Manifest(**json.loads(text))
        paths = [path for files in manifest.packs.values() for path in files]
    except (ValueError, TypeError, AttributeError) as error:
        raise BrokenAsset(f"{source} is no manifest: {error}") from error
    for path in paths:
        pure = PurePosixPath(path)
        if pure.is_absolute() or ".." in pure.parts:
            raise BrokenAsset(f"manifest {source} names {path!r}, which leads out of its folder")
    return manifest
