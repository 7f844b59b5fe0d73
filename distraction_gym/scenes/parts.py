"""Which geoms of a MuJoCo model are floor or body, and where their colours are kept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from distraction_gym.registry import unknown
from distraction_gym.scenes.gl import load_mujoco

mujoco = load_mujoco()

PARTS = ("sky", "floor", "body")
# Names in dm_control's common/materials.xml.
_FLOOR_MATERIAL, _BODY_MATERIAL = "grid", "self"
_DEFAULT_RGBA = (0.5, 0.5, 0.5, 1.0)  # a geom that has this takes its material's colour


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
        extra_background: Part -> names of geoms to count as that part as well.

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
    used = {int(model.mat_texid[material, role]) for material in _materials(model, geoms)}
    return sorted(
        index for index in used - {-1} if model.tex_type[index] == mujoco.mjtTexture.mjTEXTURE_2D
    )


def texture_pixels(model: Any, texture: int) -> npt.NDArray[np.uint8]:
    """Return a texture's pixels in the model, `(H, W, C)` uint8; writing changes the model."""
    shape = (
        int(model.tex_height[texture]),
        int(model.tex_width[texture]),
        int(model.tex_nchannel[texture]),
    )
    start = int(model.tex_adr[texture])
    return model.tex_data[start : start + int(np.prod(shape))].reshape(shape)


class Tints:
    """The colours (rgba) that the model keeps for a part's geoms: their materials' or their own."""

    def __init__(self, model: Any, geoms: Iterable[int]) -> None:
        plain = [
            geom
            for geom in sorted(geoms)
            if model.geom_matid[geom] < 0
            or not np.array_equal(model.geom_rgba[geom], np.array(_DEFAULT_RGBA, np.float32))
        ]
        self._geoms = plain
        self._materials = sorted(_materials(model, set(geoms) - set(plain)))
        self._stock = self._read(model)

    def paint(self, model: Any, color: Sequence[float] | None) -> None:
        """Give every geom one colour, opaque where it was; None restores the stock colours."""
        materials, own = self._stock
        if color is None:
            model.mat_rgba[self._materials] = materials
            model.geom_rgba[self._geoms] = own
        else:
            model.mat_rgba[self._materials, :3] = color
            model.geom_rgba[self._geoms, :3] = color

    def _read(self, model: Any) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        return model.mat_rgba[self._materials].copy(), model.geom_rgba[self._geoms].copy()


def _materials(model: Any, geoms: Iterable[int]) -> set[int]:
    return {int(model.geom_matid[geom]) for geom in geoms} - {-1}


def _with_material(model: Any, materials: Sequence[str], name: str) -> frozenset[int]:
    if name not in materials:
        return frozenset()
    return frozenset(np.flatnonzero(model.geom_matid == materials.index(name)).tolist())


def _named(model: Any, names: Sequence[str]) -> frozenset[int]:
    known = {model.geom(index).name: index for index in range(model.ngeom)}
    for name in names:
        if name not in known:
            raise unknown("geom", name, filter(None, known))
    return frozenset(known[name] for name in names)
