"""Robot models of MuJoCo Menagerie, where they are on this machine."""

from __future__ import annotations

from pathlib import Path

from distraction_gym.errors import AssetsMissing, require


def menagerie_folder(robot: str, extra: str) -> Path:
    """Return the folder of a robot's model files, which nothing downloads from here.

    The package `mujoco-menagerie` looks in the folder that `MENAGERIE_ROOT` names, else in what it
    has downloaded before.

    Args:
        robot: Menagerie's name, such as `"unitree_a1"`.
        extra: The pip extra that installs `mujoco-menagerie`, for the error.

    Raises:
        AssetsMissing: for a robot that is not on this machine.
        MissingExtra: without mujoco-menagerie.
    """
    package = require("mujoco_menagerie", extra)
    entry, cache = package.get(robot), package.Cache()
    folder = cache.root / robot if cache.root is not None else cache.model_path(entry)
    found = folder.is_dir() if cache.root is not None else cache.is_cached(entry)
    if not found:
        raise AssetsMissing(
            f"MuJoCo Menagerie's {robot} is not at {folder}. Download it:  python -m "
            f"mujoco_menagerie prefetch {robot}   or point MENAGERIE_ROOT at a folder that holds "
            f"{robot}/. Without model='menagerie' a model without meshes is drawn, offline."
        )
    return Path(folder)
