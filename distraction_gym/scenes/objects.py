"""Names of what a MuJoCo picture shows: geoms, sites, tendons, and groups of geoms."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from distraction_gym.registry import unknown
from distraction_gym.scene import Segments
from distraction_gym.scenes.gl import load_mujoco
from distraction_gym.scenes.overrides import SOLID
from distraction_gym.scenes.parts import PARTS, Parts

mujoco = load_mujoco()

Thing = tuple[int, int]
"""`(object type, object id)`, as in mujoco's enumeration `mjtObj`."""
SKY: Thing = (-1, -1)
_GEOM = int(mujoco.mjtObj.mjOBJ_GEOM)
_KINDS = {
    "geom": (_GEOM, "ngeom"),
    "site": (int(mujoco.mjtObj.mjOBJ_SITE), "nsite"),
    "tendon": (int(mujoco.mjtObj.mjOBJ_TENDON), "ntendon"),
}


def geoms(ids: Iterable[int]) -> frozenset[Thing]:
    """Return geoms as things."""
    return frozenset((_GEOM, int(index)) for index in ids)


def geom_ids(things: Iterable[Thing]) -> frozenset[int]:
    """Return the numbers of the geoms among some things."""
    return frozenset(index for kind, index in things if kind == _GEOM)


def things(model: Any, parts: Parts, names: Iterable[str]) -> frozenset[Thing]:
    """Return everything that is in any of some parts (`"sky"`, ...) or objects (see `find`).

    Raises:
        UnknownName: for a name that is neither.
    """
    found: set[Thing] = set()
    for name in names:
        if name in PARTS:
            found |= geoms(getattr(parts, name)) | ({SKY} if name == "sky" else set())
        else:
            found |= find(model, name)
    return frozenset(found)


def label(model: Any, thing: Thing) -> str:
    """Return `"sky"`, `"geom:torso"`, `"site:target"`, ...; a number stands for a missing name."""
    kind, index = thing
    if thing == SKY:
        return "sky"
    if kind == SOLID:
        return f"solid:{index}"
    return f"{mujoco.mju_type2Str(kind)}:{mujoco.mj_id2name(model, kind, index) or index}"


def find(model: Any, name: str) -> frozenset[Thing]:
    """Return what a name such as `"geom:torso"`, `"body:hand"` or `"group:1"` stands for.

    Raises:
        UnknownName: if the model has no such object.
    """
    kind, _, key = name.partition(":")
    if kind in _FINDERS:
        found = _FINDERS[kind](model, key)
        if found:
            return found
    elif kind in _KINDS:
        number, count = _KINDS[kind]
        for index in range(getattr(model, count)):
            if key in (mujoco.mj_id2name(model, number, index), str(index)):
                return frozenset([(number, index)])
    raise unknown("object of this MuJoCo scene", name, known_names(model))


def owner(model: Any, name: str) -> str:
    """Return `"body:hand"` for a geom of that body; the world's geoms and all else stay as is.

    Args:
        model: A `mujoco.MjModel`.
        name: A name from `label`.
    """
    kind, _, key = name.partition(":")
    if kind != "geom":
        return name
    index = mujoco.mj_name2id(model, _GEOM, key)
    body = int(model.geom_bodyid[int(key) if index < 0 else index])
    return f"body:{model.body(body).name or body}" if body > 0 else name


def known_names(model: Any) -> Iterator[str]:
    """Yield every name that `find` takes."""
    for number, count in _KINDS.values():
        for index in range(getattr(model, count)):
            yield label(model, (number, index))
    for body in sorted(set(model.geom_bodyid.tolist())):
        yield f"body:{model.body(body).name or body}"
    for group in sorted(set(model.geom_group.tolist())):
        yield f"group:{group}"


class Census:
    """Turns what a segmentation pass has drawn into names; remembers what it saw before."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self._key: tuple[Thing, ...] = ()
        self._things: list[Thing] = [SKY]
        self._rows: npt.NDArray[np.int32] = np.zeros(1, np.int32)

    def take(self, scene: Any, drawn: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
        """Return indices into `things` for a picture of `segid + 1`, `(H, W)` int32.

        Args:
            scene: The `mujoco.MjvScene` that was drawn.
            drawn: `(H, W)` int32, from `Canvas.segments`.
        """
        things = [SKY] * (scene.ngeom + 1)
        for geom in scene.geoms[: scene.ngeom]:
            if geom.segid >= 0:
                things[geom.segid + 1] = (geom.objtype, geom.objid)
        key = tuple(things)
        if key != self._key:  # a tendon's pieces are one thing; a scene's geoms seldom change
            self._key, self._things = key, list(dict.fromkeys(things))
            rows = {thing: row for row, thing in enumerate(self._things)}
            self._rows = np.array([rows[thing] for thing in things], np.int32)
        return self._rows[drawn]

    def within(self, wanted: frozenset[Thing]) -> npt.NDArray[np.bool_]:
        """Return which of the things seen last are wanted, `(things,)` bool."""
        return np.array([thing in wanted for thing in self._things])

    def irrelevant(self, behind: frozenset[Thing]) -> npt.NDArray[np.bool_]:
        """Return which of the things seen last are behind, or solids, `(things,)` bool."""
        return np.array([thing in behind or thing[0] == SOLID for thing in self._things])

    def name(self, ids: npt.NDArray[np.int32]) -> Segments:
        """Return a picture of indices together with the names."""
        return Segments(ids, tuple(label(self._model, thing) for thing in self._things))


def _body(model: Any, key: str) -> frozenset[Thing]:
    body = mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_BODY, key)
    number = int(key) if body < 0 and key.isdigit() else body
    return geoms(np.flatnonzero(model.geom_bodyid == number))


def _group(model: Any, key: str) -> frozenset[Thing]:
    return geoms(np.flatnonzero(model.geom_group == int(key))) if key.isdigit() else frozenset()


_FINDERS: dict[str, Callable[[Any, str], frozenset[Thing]]] = {"body": _body, "group": _group}
