"""RL-ViGen's test levels as lists of distractions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from distraction_gym.distractions.modes import Mode

TABLE = "marblecube"
"""The texture on the table."""
_TABLE_SIDE = 128
_LIGHT = {"easy": {"step": 0.04, "reach": 1.2}, "hard": {"step": 0.12, "reach": 3.0}}


def pipeline(mode: str, materials: Sequence[str]) -> Mode:
    """Return a mode's distractions, in the order in which they act.

    Args:
        mode: A name in `MODES` of the suite's table.
        materials: What wears the colour that a level gives to objects.
    """
    if mode == "clean":
        return []
    kind, _, level = mode.partition("_")
    colors = {
        "kind": "repaint",
        "table": f"color_{level}",
        "names": list(materials),
        "fade": {"floor": 0.0},  # no ground at any level: there is sky all around the table
    }
    table: dict[str, Any] = {
        "kind": "texture_video",
        "pack": f"table_{level}",
        "part": TABLE,
        "order": "seeded",
        "motion": "still",
        "size": _TABLE_SIDE,
        "assets": "generated",  # the original pictures are others'
    }
    items = [colors, table]
    if kind == "video":
        items += [
            {"kind": "light_sweep", **_LIGHT[level]},
            {"kind": "video", "pack": f"video_{level}", "replace": ["sky", "floor"]},
        ]
    return items
