"""The colours that MuJoCo keeps for materials and for single geoms, as distractions want them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from distraction_gym.registry import unknown
from distraction_gym.scenes.objects import geoms as as_things
from distraction_gym.scenes.objects import label
from distraction_gym.typing import RGB

_DEFAULT_RGBA = np.array([0.5, 0.5, 0.5, 1.0], np.float32)
_DRAWN_GROUPS = 3  # mujoco draws the geom groups 0 to 2 unless told otherwise

Row = tuple[str, int]
"""`("mat_rgba", material)` or `("geom_rgba", geom)`."""


class Palette:
    """Colours and opacities to be worn by materials and geoms.

    The model wears them only while mujoco copies them into its drawing list: physics (whose range
    finders do not see invisible geoms), other renderers and pickles always find its own.

    Args:
        model: A `mujoco.MjModel`.
    """

    def __init__(self, model: Any) -> None:
        self._names: dict[str, Row] = {}
        for material in range(model.nmat):
            self._names[model.mat(material).name or f"material:{material}"] = ("mat_rgba", material)
        for geom in range(model.ngeom):
            if _has_own_color(model, geom) and model.geom_group[geom] < _DRAWN_GROUPS:
                (thing,) = as_things([geom])
                self._names[label(model, thing)] = ("geom_rgba", geom)
        self.restore()

    def __bool__(self) -> bool:
        return bool(self._tints or self._alphas)

    def restore(self) -> None:
        """Want everything in its own colour."""
        self._tints: dict[Row, RGB] = {}
        self._alphas: dict[Row, float] = {}
        self._dull: frozenset[int] = frozenset()

    def read(self, model: Any) -> dict[str, RGB]:
        """Return the colour of every material, and of geoms that have their own."""
        return {
            name: self._tints.get((array, index)) or _rgb(getattr(model, array)[index])
            for name, (array, index) in self._names.items()
        }

    def rows(self, names: Iterable[str]) -> list[Row]:
        """Return where materials keep their colours.

        Raises:
            UnknownName: for a material that does not exist.
        """
        for name in names:
            if name not in self._names:
                raise unknown("material", name, self._names)
        return [self._names[name] for name in names]

    def tint(self, colors: Mapping[Row, RGB]) -> None:
        """Want other colours."""
        self._tints.update({row: _rgb(color) for row, color in colors.items()})

    def fade(self, rows: Iterable[Row], alpha: float) -> None:
        """Want rows as opaque as `alpha` says: 1 is their own opacity."""
        self._alphas.update(dict.fromkeys(rows, alpha))

    def dull(self, rows: Iterable[Row]) -> None:
        """Want materials without mirror images."""
        self._dull |= {index for array, index in rows if array == "mat_rgba"}

    @contextlib.contextmanager
    def worn(self, model: Any) -> Iterator[None]:
        """Let the model wear the colours within the `with` block."""
        arrays = [model.mat_rgba, model.geom_rgba, model.mat_reflectance]
        if not (self._tints or self._alphas or self._dull):
            yield
            return
        own = [array.copy() for array in arrays]
        try:
            for (name, index), color in self._tints.items():
                getattr(model, name)[index, :3] = color
            for (name, index), alpha in self._alphas.items():
                getattr(model, name)[index, 3] *= alpha
            model.mat_reflectance[list(self._dull)] = 0.0
            yield
        finally:
            for array, values in zip(arrays, own, strict=True):
                array[:] = values


def rows_of(model: Any, geoms: Iterable[int]) -> list[Row]:
    """Return where the colours of geoms are kept: with their materials, or with themselves."""
    rows: dict[Row, None] = {}
    for geom in sorted(geoms):
        own = _has_own_color(model, geom)
        rows["geom_rgba" if own else "mat_rgba", geom if own else int(model.geom_matid[geom])] = (
            None
        )
    return list(rows)


def _has_own_color(model: Any, geom: int) -> bool:
    # mujoco's rule: a colour other than the default wins over the material's.
    return model.geom_matid[geom] < 0 or not np.array_equal(model.geom_rgba[geom], _DEFAULT_RGBA)


def _rgb(color: Any) -> RGB:
    return (float(color[0]), float(color[1]), float(color[2]))
