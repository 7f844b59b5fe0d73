"""Modes: named lists of distractions."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

from distraction_gym.distractions import (  # noqa: F401  they register themselves
    blur,
    camera,
    color,
    cutout,
    dots,
    geometry,
    image,
    jitter,
    lights,
    materials,
    noise,
    overlay,
    solids,
    sprites,
    texture,
    vanish,
    video,
)
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
# For agents that learn under distraction: other clips of the same kind.
_TRAIN = {"kind": "video", "pack": "video_hard_train", "replace": ["sky", "floor"]}
MODES.add("video_hard_train", [_TRAIN])

for _kind in ("image", "overlay", "noise", "blur", "cutout", "dots", "sprites", "jitter"):
    MODES.add(_kind, [{"kind": _kind}])
for _kind in ("rotate", "shift", "light", "materials", "texture", "texture_video", "solids"):
    MODES.add(_kind, [{"kind": _kind}])
# Things that come and go before a film: what matters, or what does not.
_VISITORS = {"kind": "sprites", "count": 3, "stay": 6}
MODES.add("video_vanish", [*MODES["video_hard"], {"kind": "vanish"}])
MODES.add("video_vanish_train", [_TRAIN, {"kind": "vanish"}])
MODES.add("video_visitors", [*MODES["video_hard"], _VISITORS])
MODES.add("light_moving", [{"kind": "light", "moving": True}])
MODES.add("solids_beside", [{"kind": "solids", "layer": "beside"}])
for _motion in ("static", "jitter", "drift", "dcs"):
    MODES.add(f"camera_{_motion}", [{"kind": "camera", "motion": _motion}])
MODES.add("dots_behind", [{"kind": "dots", "layer": "behind"}])
MODES.add("sprites_behind", [{"kind": "sprites", "layer": "behind"}])
_NO_COLORS = {"hue": 0.0, "saturation": [-1.0, -1.0], "contrast": 0.0, "brightness": 0.0}
MODES.add("grayscale", [{"kind": "jitter", **_NO_COLORS}])

# Natural video of the papers on world models, whose protocols differ. TIA's and RePo's code: one
# grey tape, the same in training and evaluation, that no reset rewinds.
_NATURAL = {"kind": "video", "composite": "blue"}
MODES.add("natural_grey", [{**_NATURAL, "pack": "driving_train", "grey": True, "order": "running"}])
for _suffix, _pack in (("", "driving_test"), ("_train", "driving_train")):
    # TPC's and DreamerPro's code: in colour, another clip from another frame on at every reset.
    _clip = {"pack": _pack, "start": "random"}
    MODES.add(f"natural_color{_suffix}", [{**_NATURAL, **_clip}])
    # Segmentation Dreamer shows both: the floor stays where the robot stands on it, and is hidden
    # in Cartpole (its poster; its clips and their rules are not published).
    MODES.add(f"sd_sky{_suffix}", [{"kind": "video", "replace": ["sky"], **_clip}])
    MODES.add(f"sd_background{_suffix}", [{"kind": "video", **_clip}])


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
    made = []
    for item in resolve(mode, assets=assets, composite=composite):
        arguments = {name: value for name, value in item.items() if name != "kind"}
        made.append(DISTRACTIONS[item["kind"]](**arguments))
    return made


def resolve(
    mode: str | Sequence[Mapping[str, Any]], *, assets: str = "auto", composite: str = "exact"
) -> Mode:
    """Return a mode with every argument of every distraction written out (see `build`)."""
    items = MODES[mode] if isinstance(mode, str) else mode
    defaults = {"assets": assets, "composite": composite}
    return [_resolved(item, defaults) for item in items]


def _resolved(item: Mapping[str, Any], defaults: Mapping[str, str]) -> dict[str, Any]:
    if not isinstance(item, Mapping) or "kind" not in item:
        raise TypeError(
            "a mode is a name or a list such as [{'kind': 'video', 'pack': 'video_hard'}], got "
            f"the item {item!r}"
        )
    known = inspect.signature(DISTRACTIONS[item["kind"]]).parameters
    surplus = sorted(set(item) - set(known) - {"kind"})
    if surplus:
        raise TypeError(
            f"the distraction {item['kind']!r} does not take {', '.join(surplus)}; it takes "
            f"{', '.join(known) or 'no arguments'}"
        )
    own = {name: item.default for name, item in known.items() if item.default is not item.empty}
    shared = {name: value for name, value in defaults.items() if name in known}
    return {"kind": item["kind"], **own, **shared, **item}
