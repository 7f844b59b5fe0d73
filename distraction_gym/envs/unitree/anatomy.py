"""A robot's numbers as a MuJoCo model without meshes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from distraction_gym.envs.unitree import looks
from distraction_gym.envs.unitree.robots import FEMUR, LEGS, SHIN, Link, Robot, Shape
from distraction_gym.scenes.gl import load_mujoco

mujoco = load_mujoco()

JOINTS = ("hip", "thigh", "calf")
"""What an actuator is called after its leg: abduction, hip and knee."""
_DAMPING = (1.0, 2.0, 2.0)
_AXES = ((1, 0, 0), (0, 1, 0), (0, 1, 0))
_ARMATURE, _FRICTION, _GAIN = 0.01, 0.2, 100.0
_DRAWN, _TOUCHING = 2, 3  # geom groups: mujoco draws 0 to 2


def build(robot: Robot) -> Any:
    """Return the robot alone as a `mujoco.MjSpec`: joints at 0, no floor.

    Names are Menagerie's: bodies `trunk`, `FR_hip`, `FR_thigh`, `FR_calf`, ..., actuators
    `FR_hip`, ..., materials `dark` and `carbonfibre`.
    """
    spec = mujoco.MjSpec()
    spec.compiler.degree = False
    spec.option.cone = mujoco.mjtCone.mjCONE_ELLIPTIC
    spec.option.impratio = 100
    for material in ("dark", "carbonfibre"):
        spec.add_material(name=material)
    trunk = spec.worldbody.add_body(name="trunk", pos=(0, 0, robot.drop_height))
    trunk.add_freejoint()
    _weigh(trunk, robot.trunk)
    _draw(trunk, (*looks.TRUNK, *looks.HEAD), "carbonfibre")
    _touch(trunk, robot.trunk_shapes, robot)
    spec.worldbody.add_light(
        name="spotlight",
        mode=mujoco.mjtCamLight.mjCAMLIGHT_TARGETBODYCOM,
        targetbody="trunk",
        pos=(0, -1, 2),
    )
    for leg in LEGS:
        _grow(trunk, robot, leg)
        for part, torque in zip(JOINTS, robot.torques, strict=True):
            _drive(spec, f"{leg}_{part}", torque, robot.ranges[JOINTS.index(part)])
    return spec


def _grow(trunk: Any, robot: Robot, leg: str) -> None:
    front, left = (1 if leg[0] == "F" else -1), (1 if leg[1] == "L" else -1)
    ahead, aside = robot.hip_at
    hip = _hang(trunk, robot, leg, 0, (front * ahead, left * aside, 0.0), robot.hips[leg])
    _draw(hip, looks.hip(front, left), "dark")
    _touch(hip, robot.hip_shapes[leg], robot)
    offset = (0.0, left * robot.thigh_offset, 0.0)
    thigh = _hang(hip, robot, leg, 1, offset, robot.thighs[leg[1]])
    _draw(thigh, looks.thigh(robot.length), "dark")
    _touch(thigh, FEMUR, robot)
    calf = _hang(thigh, robot, leg, 2, (0.0, 0.0, -robot.length), robot.calf)
    _draw(calf, looks.calf(robot.length, robot.foot), "dark")
    _touch(calf, SHIN, robot)
    calf.add_geom(
        type=mujoco.mjtGeom.mjGEOM_SPHERE,
        size=(robot.foot, 0, 0),
        pos=(0, 0, -robot.length),
        friction=(0.8, 0.02, 0.01),
        solimp=(0.015, 1, robot.foot_softness, 0.5, 2),
        condim=6,
        priority=1,
        margin=0.001,
        group=_TOUCHING,
    )


def _hang(parent: Any, robot: Robot, leg: str, joint: int, place: Any, link: Link) -> Any:
    """Add the next part of a leg, and the joint that it hangs from."""
    name = f"{leg}_{JOINTS[joint]}"
    body = parent.add_body(name=name, pos=place)
    body.add_joint(
        name=f"{name}_joint",
        axis=_AXES[joint],
        range=robot.ranges[joint],
        limited=mujoco.mjtLimited.mjLIMITED_TRUE,
        damping=_DAMPING[joint],
        armature=_ARMATURE,
        frictionloss=_FRICTION,
    )
    _weigh(body, link)
    return body


def _weigh(body: Any, link: Link) -> None:
    body.mass, body.ipos, body.explicitinertial = link.mass, link.center, True
    if len(link.inertia) == 6:
        body.fullinertia = link.inertia
    else:
        body.inertia, body.iquat = link.inertia, link.frame


def _drive(spec: Any, name: str, torque: float, reach: tuple[float, float]) -> None:
    """Add a motor that holds a position."""
    motor = spec.add_actuator(
        name=name,
        target=f"{name}_joint",
        trntype=mujoco.mjtTrn.mjTRN_JOINT,
        ctrlrange=reach,
        forcerange=(-torque, torque),
    )
    motor.set_to_position(kp=_GAIN)


def _draw(body: Any, shapes: Iterable[Shape], material: str) -> None:
    for number, shape in enumerate(shapes):
        body.add_geom(
            name=f"{body.name}_{number}",
            material=material,
            group=_DRAWN,
            contype=0,
            conaffinity=0,
            **_form(shape),
        )


def _touch(body: Any, shapes: Iterable[Shape], robot: Robot) -> None:
    for shape in shapes:
        body.add_geom(
            group=_TOUCHING,
            friction=(0.6, 0.005, 0.0001),
            condim=robot.friction_dimensions,
            margin=0.001,
            **_form(shape),
        )


def _form(shape: Shape) -> dict[str, Any]:
    form = {
        "type": getattr(mujoco.mjtGeom, f"mjGEOM_{shape.kind.upper()}"),
        "size": (*shape.size, 0.0, 0.0)[:3],
    }
    if shape.ends is not None:
        return {**form, "fromto": shape.ends}
    return {**form, "pos": shape.place, "quat": shape.turn}
