"""Edits of one frame's camera, lights and solids, made where physics does not look."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from distraction_gym.registry import Registry, unknown
from distraction_gym.scene import Light, Pose, Solid
from distraction_gym.scenes.gl import load_mujoco

mujoco = load_mujoco()

SHAPES: Registry[Any] = Registry("shape of a solid")
for _shape in ("sphere", "box", "capsule", "cylinder", "ellipsoid"):
    SHAPES.add(_shape, getattr(mujoco.mjtGeom, f"mjGEOM_{_shape.upper()}"))

SOLID = int(mujoco.mjtObj.mjOBJ_UNKNOWN)
"""The object type that drawn solids bear: no object of a model has it."""
_FINISH = ("emission", "specular", "shininess", "reflectance")
_COLORS = ("ambient", "diffuse", "specular")


class Overrides:
    """What one frame shows differently; None where the simulator's own stands."""

    def __init__(self) -> None:
        self.pose: Pose | None = None
        self.lights: tuple[Light, ...] | None = None
        self.solids: tuple[Solid, ...] = ()

    def __bool__(self) -> bool:
        return self.pose is not None or self.lights is not None or bool(self.solids)

    def apply(self, scene: Any, model: Any) -> None:
        """Write the edits into a freshly updated `mujoco.MjvScene` of a model."""
        if self.pose is not None:
            write_pose(scene, self.pose)
        if self.lights is not None:
            write_lights(scene, self.lights)
        for index, solid in enumerate(self.solids):
            _add_solid(scene, model, index, solid)


def turned(pose: Pose, roll: float, pan: float, tilt: float) -> Pose:
    """Return a pose turned about its own axes, in degrees: R @ Ry(pan) @ Rx(tilt) @ Rz(roll)."""
    turn = _about(1, pan) @ _about(0, tilt) @ _about(2, roll)
    return Pose(pose.position, pose.rotation @ turn)


def read_pose(scene: Any) -> Pose:
    """Return the camera's pose: the middle of the pair that mujoco keeps for stereo."""
    left, right = scene.camera
    position = (left.pos.astype(np.float64) + right.pos) / 2
    forward, up = left.forward.astype(np.float64), left.up.astype(np.float64)
    return Pose(position, np.column_stack([np.cross(forward, up), up, -forward]))


def write_pose(scene: Any, pose: Pose) -> None:
    """Move the camera."""
    for camera in scene.camera:
        camera.pos[:] = pose.position
        camera.forward[:] = -pose.rotation[:, 2]
        camera.up[:] = pose.rotation[:, 1]


def read_lights(scene: Any) -> tuple[Light, ...]:
    """Return the lights."""
    return tuple(_read_light(light) for light in scene.lights[: scene.nlight])


def write_lights(scene: Any, lights: Sequence[Light]) -> None:
    """Change the lights; a headlight stays at the camera, wherever it is said to be."""
    for light, wanted in zip(scene.lights[: scene.nlight], lights, strict=True):
        light.pos[:], light.dir[:] = wanted.position, wanted.direction
        for color in _COLORS:
            getattr(light, color)[:] = getattr(wanted, color)
        light.castshadow = wanted.casts_shadow


def _read_light(light: Any) -> Light:
    colors = {color: _triple(getattr(light, color)) for color in _COLORS}
    return Light(
        _triple(light.pos),
        _triple(light.dir),
        casts_shadow=bool(light.castshadow),
        is_headlight=bool(light.headlight),
        **colors,
    )


def material_of(model: Any, solid: Solid) -> int:
    """Return the number of the material that a solid wears, -1 for none.

    Raises:
        UnknownName: if the model has no such material.
    """
    if solid.material is None:
        return -1
    number = mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_MATERIAL, solid.material)
    if number < 0:
        names = [model.mat(index).name for index in range(model.nmat)]
        raise unknown("material", solid.material, filter(None, names))
    return int(number)


def _add_solid(scene: Any, model: Any, index: int, solid: Solid) -> None:
    if scene.ngeom >= scene.maxgeom:
        raise ValueError(f"a frame has room for {scene.maxgeom} geoms, solids included")
    geom = scene.geoms[scene.ngeom]
    size, position, rotation = (
        np.asarray(values, np.float64) for values in (solid.size, solid.position, solid.rotation)
    )
    color = np.array([*solid.color, 1.0], np.float32)
    mujoco.mjv_initGeom(geom, SHAPES[solid.shape], size, position, rotation, color)
    material = material_of(model, solid)
    if material >= 0:
        geom.matid, geom.rgba[:] = material, model.mat_rgba[material]
        for name in _FINISH:
            setattr(geom, name, getattr(model, f"mat_{name}")[material])
    # Of no category that is left out of shadows and reflections, and found in masks.
    geom.category = mujoco.mjtCatBit.mjCAT_DYNAMIC
    geom.objtype, geom.objid, geom.segid = SOLID, index, scene.ngeom
    scene.ngeom += 1


def _about(axis: int, degrees: float) -> npt.NDArray[np.float64]:
    cosine, sine = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    first, second = (axis + 1) % 3, (axis + 2) % 3
    rotation = np.eye(3)
    rotation[first, first] = rotation[second, second] = cosine
    rotation[first, second], rotation[second, first] = -sine, sine
    return rotation


def _triple(values: Any) -> tuple[float, float, float]:
    return (float(values[0]), float(values[1]), float(values[2]))
