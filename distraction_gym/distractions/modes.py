"""Modes: named lists of distractions."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

from distraction_gym.distractions import color, video  # noqa: F401  they register themselves
from distraction_gym.distractions.base import DISTRACTIONS, Distraction
from distraction_gym.registry import Registry

Mode = list[dict[str, Any]]
"""`[{"kind": name, **arguments}, ...]`: JSON types, so that it survives `env.spec.to_json()`."""

MODES: Registry[Mode] = Registry("mode")
MODES.add("clean", [])
MODES.add("color_easy", [{"kind": "color", "table": "color_easy"}])
MODES.add("color_hard", [{"kind": "color", "table": "color_hard"}])
MODES.add("video_easy", [{"kind": "video", "pack": "video_easy", "replace": ["sky"]}])
MODES.add("video_hard", [{"kind": "video", "pack": "video_hard", "replace": ["sky", "floor"]}])


def build(
    mode: str | Sequence[Mapping[str, Any]], *, assets: str = "auto", composite: str = "exact"
) -> list[Distraction]:
    """Make the distractions of a mode.

    Args:
        mode: A name in `MODES`, or a list of `{"kind": name, **arguments}`.
        assets: Where distractions that do not say take their clips and tables from.
        composite: How distractions that do not say are laid into the picture.

    Raises:
        UnknownName: for a mode or a kind that does not exist.
        TypeError: for a mode that is no such list, or arguments that a distraction does not take.
        AssetsMissing: if a distraction's clips or tables are not here.
    """
    items = MODES[mode] if isinstance(mode, str) else mode
    defaults = {"assets": assets, "composite": composite}
    return [_make(item, defaults) for item in items]


def _make(item: Mapping[str, Any], defaults: Mapping[str, str]) -> Distraction:
    if not isinstance(item, Mapping) or "kind" not in item:
        raise TypeError(
            "a mode is a name or a list such as [{'kind': 'video', 'pack': 'video_hard'}], got "
            f"the item {item!r}"
        )
    cls = DISTRACTIONS[item["kind"]]
    known = inspect.signature(cls).parameters
    given = {name: value for name, value in item.items() if name != "kind"}
    surplus = sorted(set(given) - set(known))
    if surplus:
        raise TypeError(
            f"the distraction {item['kind']!r} does not take {', '.join(surplus)}; it takes "
            f"{', '.join(known) or 'no arguments'}"
        )
    filled = {name: value for name, value in defaults.items() if name in known}
    return cls(**{**filled, **given})
