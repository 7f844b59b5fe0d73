"""Tables of colours for the colour modes: read from DMC-GB's files, or drawn here.

A table is a list; each entry names the colours that one episode wears.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from distraction_gym.assets.pickles import load_restricted
from distraction_gym.errors import BrokenAsset
from distraction_gym.registry import unknown
from distraction_gym.seeding import stream
from distraction_gym.typing import RGB

ColorTable = list[dict[str, RGB]]
KEYS = ("grid_rgb1", "grid_rgb2", "skybox_rgb", "self_rgb")

ENTRIES = 100
STOCK: dict[str, RGB] = {
    "grid_rgb1": (0.1, 0.2, 0.3),
    "grid_rgb2": (0.2, 0.3, 0.4),
    "skybox_rgb": (0.4, 0.6, 0.8),
    "self_rgb": (0.7, 0.5, 0.3),
}
"""dm_control's own colours, around which DMC-GB's tables lie."""
_SPREAD = {"color_easy": 0.1, "color_hard": 0.2}
_CHECKER = 0.1
"""The checker's second field is this much brighter than its first, in every entry of DMC-GB."""


def read_table(path: Path) -> ColorTable:
    """Read a table from JSON, or from the original pickle without running any of its code.

    Raises:
        BrokenAsset: if the file is no colour table.
    """
    try:
        content = path.read_bytes()
        entries = json.loads(content) if path.suffix == ".json" else load_restricted(content)
    except Exception as error:  # damaged pickles raise whatever they like
        raise BrokenAsset(f"{path} cannot be read as a colour table: {error}") from error
    if not isinstance(entries, list) or not entries:
        raise BrokenAsset(f"{path}: expected a list of colours, got {type(entries).__name__}")
    return [_entry(entry, f"{path}, entry {index}") for index, entry in enumerate(entries)]


def default_table(name: str) -> ColorTable:
    """Draw our own table, always the same: normal around the stock colours, clipped to [0, 1].

    Raises:
        UnknownName: for a name other than `color_easy` and `color_hard`.
    """
    if name not in _SPREAD:
        raise unknown("colour table", name, _SPREAD)
    rng = stream(0, f"colors/{name}")
    table = []
    for _ in range(ENTRIES):
        drawn = {key: rng.normal(stock, _SPREAD[name]) for key, stock in STOCK.items()}
        drawn = {key: np.clip(color, 0.0, 1.0) for key, color in drawn.items()}
        drawn["grid_rgb2"] = np.clip(drawn["grid_rgb1"] + _CHECKER, 0.0, 1.0)
        table.append({key: _rgb(drawn[key]) for key in KEYS})
    return table


def _entry(entry: Any, where: str) -> dict[str, RGB]:
    if not isinstance(entry, dict) or not set(KEYS) <= set(entry):
        raise BrokenAsset(f"{where}: expected the keys {', '.join(KEYS)}")
    colors = {}
    for key in KEYS:
        try:
            color = np.asarray(entry[key], np.float64)
        except (TypeError, ValueError):
            color = np.empty(0)
        # NaN fails this comparison too.
        if color.shape != (3,) or not ((color >= 0) & (color <= 1)).all():
            raise BrokenAsset(f"{where}: {key} is no colour of three numbers in [0, 1]")
        colors[key] = _rgb(color)
    return colors


def _rgb(color: npt.NDArray[np.float64]) -> RGB:
    red, green, blue = color.tolist()
    return red, green, blue
