"""The arm: from capsules and cylinders on Denavit-Hartenberg lengths, or MuJoCo Menagerie's meshes.

Names of joints and links are Menagerie's. Both hold their own weight, as the real controller sees
to, and follow angles by servos alike. They touch nothing: the task's limits keep them from it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from distraction_gym.envs.ur5.kinematics import UR5E, Arm
from distraction_gym.registry import Registry
from distraction_gym.scenes.gl import load_mujoco
from distraction_gym.scenes.menagerie import menagerie_folder

mujoco = load_mujoco()

PREFIX = "arm/"
"""What names of the arm's parts begin with in the task's model."""
BASE = "base"
FLANGE = f"{PREFIX}flange"
"""The site where tools are mounted; its z axis points away from the arm."""
LINKS = (
    "shoulder_link",
    "upper_arm_link",
    "forearm_link",
    "wrist_1_link",
    "wrist_2_link",
    "wrist_3_link",
)
JOINTS = (
    "shoulder_pan_joint",
    "shoulder_lift_joint",
    "elbow_joint",
    "wrist_1_joint",
    "wrist_2_joint",
    "wrist_3_joint",
)
DAMPING_TIME = 0.2
"""Seconds: damping by stiffness of every servo (Menagerie's)."""
_STIFFNESS = (2000.0, 2000.0, 2000.0, 500.0, 500.0, 500.0)  # Nm/rad
_TORQUE = (150.0, 150.0, 150.0, 28.0, 28.0, 28.0)  # Nm
_ARMATURE = 0.1

# Universal Robots' article on kinematics and dynamics: of the UR5e. It lists no inertia tensors.
_MASSES = (3.761, 8.058, 2.846, 1.37, 1.3, 0.365)
_CENTERS = (
    (0.0, -0.02561, 0.00193),
    (0.2125, 0.0, 0.11336),
    (0.15, 0.0, 0.0265),
    (0.0, -0.0018, 0.01634),
    (0.0, 0.0018, 0.01634),
    (0.0, 0.0, -0.001159),
)
_ALPHA = (90.0, 0.0, 0.0, 90.0, -90.0, 0.0)
_UPPER, _FORE = 0.138, 0.007
"""How far the tubes of upper arm and forearm are beside the shoulder, along its axis."""
_GREY, _BLUE, _DARK = (0.82, 0.83, 0.85, 1), (0.49, 0.68, 0.8, 1), (0.25, 0.25, 0.27, 1)

Piece = tuple[tuple[float, ...], float, tuple[float, ...]]
"""A capsule: from and to, radius, colour."""


def own(arm: Arm) -> Any:
    """Return our own arm, an `MjSpec` without meshes."""
    spec = mujoco.MjSpec()
    spec.compiler.degree = True
    body = spec.worldbody.add_body(name=BASE)
    _draw(body, ((0, 0, 0, 0, 0, 0.02), 0.08, _DARK), ((0, 0, 0, 0, 0, 0.06), 0.065, _GREY))
    place, tilt = (0.0, 0.0, 0.0), 0.0
    for index, (name, joint) in enumerate(zip(LINKS, JOINTS, strict=True)):
        body = body.add_body(name=name, pos=place, quat=_about_x(tilt))
        body.add_joint(name=joint, axis=(0, 0, 1), range=_range(arm, index))
        place, tilt = (arm.a[index], 0.0, arm.d[index]), _ALPHA[index]
        _weigh(body, index, place, tilt)
        _draw(body, *_pieces(arm)[index])
    body.add_site(name="flange", pos=place, size=(0.005,) * 3, group=4)
    return _driven(spec)


def menagerie(arm: Arm) -> Any:
    """Return Menagerie's `universal_robots_ur5e`, an `MjSpec`.

    Raises:
        AssetsMissing: if it is not on this machine.
        MissingExtra: without mujoco-menagerie.
        ValueError: for another arm than the UR5e.
    """
    if arm != UR5E:
        raise ValueError(
            f"MuJoCo Menagerie has no {arm.name}: take model='own', or robot='ur5e' with it"
        )
    folder = menagerie_folder("universal_robots_ur5e", "ur5")
    spec = mujoco.MjSpec.from_file(str(folder / "ur5e.xml"))
    for part in (*spec.actuators, *spec.keys, *spec.lights):
        spec.delete(part)
    for geom in spec.geoms:
        geom.contype = geom.conaffinity = 0
    spec.site("attachment_site").name = "flange"
    return _driven(spec)


MODELS: Registry[Callable[[Arm], Any]] = Registry("model of the arm")
MODELS.add("own", own)
MODELS.add("menagerie", menagerie)


def _driven(spec: Any) -> Any:
    """Take the weight off, and put a servo on every joint."""
    for body in spec.bodies[1:]:
        body.gravcomp = 1
    for name, stiffness, torque in zip(JOINTS, _STIFFNESS, _TORQUE, strict=True):
        spec.joint(name).armature = _ARMATURE
        servo = spec.add_actuator(name=name.removesuffix("_joint"), target=name)
        servo.trntype = mujoco.mjtTrn.mjTRN_JOINT
        servo.set_to_position(kp=stiffness, kv=stiffness * DAMPING_TIME)
        servo.forcerange = (-torque, torque)
    return spec


def _range(arm: Arm, index: int) -> tuple[float, float]:
    limit = math.degrees(arm.joint_limits[index])
    return -limit, limit


def _about_x(degrees: float) -> tuple[float, ...]:
    half = math.radians(degrees) / 2
    return (math.cos(half), math.sin(half), 0.0, 0.0)


def _weigh(body: Any, index: int, place: tuple[float, ...], tilt: float) -> None:
    """Give a link its mass, its centre (told in the next joint's frame) and a rod's inertia."""
    cosine, sine = math.cos(math.radians(tilt)), math.sin(math.radians(tilt))
    turn = np.array([[1, 0, 0], [0, cosine, -sine], [0, sine, cosine]])
    mass, length = _MASSES[index], float(np.linalg.norm(place))
    body.mass, body.ipos = mass, np.array(place) + turn @ _CENTERS[index]
    across, along = mass * (length**2 / 12 + 0.05**2 / 4), mass * 0.05**2 / 2
    body.inertia = (along, across, across) if place[0] else (across, across, along)
    body.explicitinertial = True


def _draw(body: Any, *pieces: Piece) -> None:
    for ends, radius, color in pieces:
        geom = body.add_geom(
            type=mujoco.mjtGeom.mjGEOM_CAPSULE, fromto=ends, size=(radius, 0, 0), rgba=color
        )
        geom.mass = geom.contype = geom.conaffinity = 0


def _pieces(arm: Arm) -> tuple[tuple[Piece, ...], ...]:
    """Return what each link is drawn of, in its own frame: z is its joint's axis."""
    _, upper, fore, *_ = arm.a
    shoulder, *_, wrist1, wrist2, wrist3 = arm.d
    return (
        (((0, 0, shoulder - 0.06, 0, 0, shoulder + 0.01), 0.06, _BLUE),),
        (
            ((0, 0, 0, 0, 0, _UPPER), 0.058, _GREY),
            ((0, 0, _UPPER, upper, 0, _UPPER), 0.05, _GREY),
            ((upper, 0, _UPPER + 0.01, upper, 0, 0.06), 0.052, _BLUE),
        ),
        (
            ((0, 0, _FORE, 0, 0, 0.05), 0.048, _GREY),
            ((0, 0, _FORE, fore, 0, _FORE), 0.04, _GREY),
            ((fore, 0, 0, fore, 0, 0.04), 0.042, _BLUE),
        ),
        (((0, 0, 0.05, 0, 0, wrist1), 0.042, _GREY),),
        (((0, 0, 0, 0, 0, wrist2), 0.045, _BLUE),),
        (((0, 0, 0.04, 0, 0, wrist3 - 0.03), 0.035, _GREY), _flange(wrist3)),
    )


def _flange(end: float) -> Piece:
    return ((0, 0, end - 0.04, 0, 0, end - 0.031), 0.031, _DARK)
