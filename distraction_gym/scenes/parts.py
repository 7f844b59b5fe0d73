"""Which geoms and textures of a MuJoCo model are sky, floor or body."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from distraction_gym.registry import unknown
from distraction_gym.scenes import objects
from distraction_gym.scenes.gl import load_mujoco

mujoco = load_mujoco()

PARTS = ("sky", "floor", "body")
# Names in dm_control's common/materials.xml.
_FLOOR_MATERIAL, _BODY_MATERIAL = "grid", "self"


class Parts(NamedTuple):
    """Geom ids per part; the sky's are geoms that a mask counts as sky."""

    sky: frozenset[int]
    floor: frozenset[int]
    body: frozenset[int]


def find_parts(model: Any, extra_background: Mapping[str, Sequence[str]]) -> Parts:
    """Sort the geoms of a model.

    dm_control's models name their materials: `grid` is the floor (and walls), `self` the body. In
    others, planes are the floor and everything else is the body.

    Args:
        model: A `mujoco.MjModel`.
        extra_background: Part -> names of geoms (or `"body:table"`, `"group:2"`) to count as that
            part as well.

    Raises:
        UnknownName: for a part or a geom that does not exist.
    """
    materials = [model.mat(index).name for index in range(model.nmat)]
    floor = _with_material(model, materials, _FLOOR_MATERIAL)
    if not floor:
        planes = np.flatnonzero(model.geom_type == mujoco.mjtGeom.mjGEOM_PLANE)
        floor = frozenset(planes.tolist())
    body = _with_material(model, materials, _BODY_MATERIAL)
    body = body or frozenset(range(model.ngeom)) - floor
    extra = {part: _named(model, names) for part, names in extra_background.items()}
    for part in extra:
        if part not in ("sky", "floor"):
            raise unknown("background part", part, ("sky", "floor"))
    sky = extra.get("sky", frozenset())
    return Parts(sky, floor | extra.get("floor", frozenset()), body)


def textures_of(model: Any, part: str, geoms: Iterable[int]) -> list[int]:
    """Return the ids of the colour textures that show on the sky, or on a part's geoms."""
    if part == "sky":
        skies = np.flatnonzero(model.tex_type == mujoco.mjtTexture.mjTEXTURE_SKYBOX)
        return skies.tolist()
    role = mujoco.mjtTextureRole.mjTEXROLE_RGB
    materials = {int(model.geom_matid[geom]) for geom in geoms} - {-1}
    used = {int(model.mat_texid[material, role]) for material in materials}
    return sorted(
        index for index in used - {-1} if model.tex_type[index] == mujoco.mjtTexture.mjTEXTURE_2D
    )


def texture_names(model: Any) -> dict[str, int]:
    """Return the ids of all textures; a number stands for a missing name."""
    return {model.tex(index).name or f"texture:{index}": index for index in range(model.ntex)}


def _with_material(model: Any, materials: Sequence[str], name: str) -> frozenset[int]:
    if name not in materials:
        return frozenset()
    return frozenset(np.flatnonzero(model.geom_matid == materials.index(name)).tolist())


def _named(model: Any, names: Sequence[str]) -> frozenset[int]:
    """Return geoms by their names, or by those of whole bodies and groups (`"body:table"`)."""
    known = {model.geom(index).name: index for index in range(model.ngeom)}
    found: set[int] = set()
    for name in names:
        if ":" in name:
            found |= objects.geom_ids(objects.find(model, name))
        elif name in known:
            found.add(known[name])
        else:
            raise unknown("geom", name, filter(None, known))
    return frozenset(found)
