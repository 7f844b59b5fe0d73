"""Where clips and colour tables are found.

A pack is a name: `video_easy`, `video_hard`, `color_easy`, `color_hard`, or a folder of your own.
A folder of assets is laid out like DMC-GB's data folder: `FOLDER/video_hard/*.mp4`,
`FOLDER/color_hard.json` (or the original `.pt`). A clip may also be a folder of pictures, as in
DAVIS (`FOLDER/davis/bear/00000.jpg`); a pack without any clip may hold single pictures.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from distraction_gym.assets.clips import Clip, FileClip, GeneratedClip
from distraction_gym.assets.colors import ColorTable, default_table, read_table
from distraction_gym.assets.files import natural
from distraction_gym.assets.generated import RECIPES
from distraction_gym.assets.manifest import MANIFESTS, load
from distraction_gym.assets.stills import SUFFIXES, PictureClip
from distraction_gym.errors import AssetsMissing

CACHE_ENV = "DISTRACTION_GYM_CACHE"
ASSETS_ENV = "DISTRACTION_GYM_ASSETS"
VIDEO_SUFFIXES = (".mp4", ".avi", ".mkv", ".mov", ".webm", ".m4v")
_TABLE_SUFFIXES = (".json", ".pt")


def cache_root() -> Path:
    """Return the folder for what is downloaded, drawn and decoded.

    `$DISTRACTION_GYM_CACHE`, else `~/.cache/distraction_gym`. It need not exist.
    """
    named = os.environ.get(CACHE_ENV)
    return Path(named or "~/.cache/distraction_gym").expanduser()


def packs_folder() -> Path:
    """Return where fetched packs lie, in the layout of every folder of assets."""
    return cache_root() / "packs"


def clips(pack: str, assets: str = "auto") -> Sequence[Clip]:
    """Return the clips of a pack in numeric order (`video2` before `video10`).

    Only what exists is listed, of any size and shape. Nothing is opened: that is `Clip.decode`.
    Pictures are clips of one frame where there is nothing that moves.

    Args:
        pack: Its name.
        assets: `"generated"`, a folder, or `"auto"`: the folder in `$DISTRACTION_GYM_ASSETS`, else
            the fetched packs.

    Raises:
        AssetsMissing: without such a folder, or without a clip in it.
        UnknownName: if no such pack is generated.
    """
    if assets == "generated":
        return [GeneratedClip(pack, index) for index in range(RECIPES[pack].clips)]
    folder = _folder(assets) / pack
    paths = sorted(_listing(folder), key=natural)
    found = [clip for clip in map(_moving, paths) if clip is not None]
    if not found:
        found = [PictureClip(path) for path in paths if path.suffix.lower() in SUFFIXES]
    if not found:
        raise _missing(pack, folder, assets)
    return found


def color_table(name: str, assets: str = "auto") -> ColorTable:
    """Return a colour table.

    Args:
        name: `"color_easy"`, `"color_hard"`, or a file's name without its ending.
        assets: `"generated"` draws our own table (see `colors`), a folder must hold a file, and
            `"auto"` takes a file where there is one and our own table where there is none.

    Raises:
        AssetsMissing: if a named folder holds no such file.
        BrokenAsset: if the file is no colour table.
        UnknownName: if there is neither a file nor a table of our own.
    """
    if assets == "generated":
        return default_table(name)
    folder = _folder(assets)
    for suffix in _TABLE_SUFFIXES:
        path = folder / f"{name}{suffix}"
        if path.is_file():
            return read_table(path)
    if assets == "auto":
        return default_table(name)
    raise AssetsMissing(
        f"no colour table {name!r}: {folder} holds neither {name}.json nor {name}.pt.\n"
        "Type  distraction-gym fetch dmcgb  and take assets='auto', or take assets='generated' "
        "(our own table: returns are not comparable with published ones)."
    )


def _folder(assets: str) -> Path:
    if assets != "auto":
        return Path(assets).expanduser()
    named = os.environ.get(ASSETS_ENV)
    return Path(named).expanduser() if named else packs_folder()


def _moving(path: Path) -> Clip | None:
    if path.is_dir():
        clip = PictureClip(path)
        return clip if clip.files() else None
    return FileClip(path) if path.suffix.lower() in VIDEO_SUFFIXES else None


def _listing(folder: Path) -> list[Path]:
    # Names like .video0.mp4.part belong to unfinished downloads.
    return [path for path in folder.glob("*") if not path.name.startswith(".")]


def _ways(pack: str) -> str:
    """Return how to come by a pack: not every one can be fetched."""
    for name in MANIFESTS:
        if pack in load(name).packs:
            return f"Type  distraction-gym fetch {name}  (about 100 MB), or name"
    return "No pack of that name can be fetched: name"


def _missing(pack: str, folder: Path, assets: str) -> AssetsMissing:
    if not folder.parent.is_dir():
        problem = f"the folder {folder.parent} does not exist"
    elif not folder.is_dir():
        problem = f"{folder.parent} has no folder {pack!r}"
    else:
        suffixes = ", *".join(VIDEO_SUFFIXES + SUFFIXES)
        problem = f"{folder} holds no clip (*{suffixes}, or folders of pictures)"
    source = f"${ASSETS_ENV}" if assets == "auto" and os.environ.get(ASSETS_ENV) else "assets"
    return AssetsMissing(
        f"no clips for {pack!r}: {problem} ({source}={_folder(assets)}).\n"
        f"{_ways(pack)} a folder with {pack}/*.mp4 (or folders of pictures) in it:  "
        "assets='FOLDER',\n"
        "or take assets='generated' (drawn here, offline; returns are not comparable with "
        "published ones)."
    )
