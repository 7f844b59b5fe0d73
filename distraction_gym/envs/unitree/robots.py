"""Unitree's A1 and Go1 in numbers: masses, joints, motors, and what touches the floor.

The numbers are those of MuJoCo Menagerie's descriptions (BSD-3-Clause, Unitree Robotics), which
derive from Unitree's own; lengths are metres, masses kilograms, angles radians.
"""

from __future__ import annotations

from typing import NamedTuple

Numbers = tuple[float, ...]


class Link(NamedTuple):
    """A rigid part: its mass, centre of mass and inertia."""

    mass: float
    center: Numbers
    inertia: Numbers
    """Three principal moments, or six entries: xx yy zz xy xz yz."""
    frame: Numbers = (1.0, 0.0, 0.0, 0.0)
    """The principal axes, as a quaternion."""


class Shape(NamedTuple):
    """A solid on a link."""

    kind: str
    size: Numbers
    place: Numbers = (0.0, 0.0, 0.0)
    turn: Numbers = (1.0, 0.0, 0.0, 0.0)
    ends: Numbers | None = None
    """Where a capsule or cylinder begins and ends, instead of `place` and `turn`."""


class Robot(NamedTuple):
    """A quadruped. Legs are named FR, FL, RR, RL: front or rear, right or left."""

    folder: str
    """Menagerie's name."""
    trunk: Link
    trunk_shapes: tuple[Shape, ...]
    hip_at: tuple[float, float]
    """Forward and to the left of the trunk's middle."""
    hips: dict[str, Link]
    hip_shapes: dict[str, tuple[Shape, ...]]
    thigh_offset: float
    """From hip to thigh, sideways."""
    thighs: dict[str, Link]
    """By side: R, L."""
    length: float
    """Of the thigh, and of the calf."""
    calf: Link
    ranges: tuple[tuple[float, float], ...]
    """Of abduction, hip and knee."""
    torques: tuple[float, float, float]
    foot: float
    """Radius."""
    foot_softness: float
    """Depth in metres over which a foot's contact hardens."""
    friction_dimensions: int
    """MuJoCo's `condim` of everything but the feet."""
    drop_height: float
    """Of the trunk where walking begins."""
    lying_height: float
    """Of the trunk with folded legs, where standing up begins."""


LEGS = ("FR", "FL", "RR", "RL")
FEMUR = (
    Shape("capsule", (0.015,), ends=(-0.02, 0.0, 0.0, -0.02, 0.0, -0.16)),
    Shape("capsule", (0.015,), ends=(0.0, 0.0, 0.0, -0.02, 0.0, -0.1)),
    Shape("capsule", (0.015,), ends=(-0.02, 0.0, -0.16, 0.0, 0.0, -0.2)),
)
SHIN = (
    Shape("capsule", (0.01,), ends=(0.0, 0.0, 0.0, 0.02, 0.0, -0.13)),
    Shape("capsule", (0.01,), ends=(0.02, 0.0, -0.13, 0.0, 0.0, -0.2)),
)
_ALONG_X, _ALONG_Y = (1.0, 0.0, 1.0, 0.0), (1.0, 1.0, 0.0, 0.0)


def _trunk(chin: float) -> tuple[Shape, ...]:
    """Return what a trunk touches with; `chin` is the radius of a bar below the face."""
    return (
        Shape("box", (0.125, 0.04, 0.057)),
        Shape("cylinder", (0.058, 0.125), (0.0, -0.04, 0.0), _ALONG_X),
        Shape("cylinder", (0.058, 0.125), (0.0, 0.04, 0.0), _ALONG_X),
        Shape("box", (0.005, 0.06, 0.05), (0.25, 0.0, 0.0)),
        Shape("capsule", (0.009, 0.035), (0.25, 0.06, -0.01)),
        Shape("capsule", (0.009, 0.035), (0.25, -0.06, -0.01)),
        Shape("capsule", (chin, 0.06), (0.25, 0.0, -0.05), _ALONG_Y),
        Shape("capsule", (0.021, 0.052), (0.255, 0.0, 0.0355), _ALONG_Y),
    )


def _motor(radius: float, half: float, outwards: float) -> Shape:
    return Shape("cylinder", (radius, half), (0.0, outwards, 0.0), _ALONG_Y)


_A1_HIP = _motor(0.04, 0.04, 0.055), _motor(0.04, 0.04, -0.055)
_A1_MOMENTS = (0.000807752, 0.00055293, 0.000468983)
_A1_THIGH = (0.00555739, 0.00513936, 0.00133944)

A1 = Robot(
    folder="unitree_a1",
    trunk=Link(
        4.713,
        (0.0, 0.0041, -0.0005),
        (0.0158533, 0.0377999, 0.0456542, -3.66e-05, -6.11e-05, -2.75e-05),
    ),
    trunk_shapes=_trunk(chin=0.005),
    hip_at=(0.183, 0.047),
    hips={
        name: Link(0.696, (x, y, 3.1e-05), _A1_MOMENTS, frame)
        for name, x, y, frame in (
            ("FR", -0.003311, -0.000635, (0.507528, 0.506268, 0.491507, 0.494499)),
            ("FL", -0.003311, 0.000635, (0.494499, 0.491507, 0.506268, 0.507528)),
            ("RR", 0.003311, -0.000635, (0.491507, 0.494499, 0.507528, 0.506268)),
            ("RL", 0.003311, 0.000635, (0.506268, 0.507528, 0.494499, 0.491507)),
        )
    },
    hip_shapes={
        "FR": _A1_HIP[1:],
        "FL": (_A1_HIP[0], _A1_HIP[0]),  # twice in the description: it counts in contacts
        "RR": _A1_HIP[1:],
        "RL": _A1_HIP[:1],
    },
    thigh_offset=0.08505,
    thighs={
        "R": Link(
            1.013,
            (-0.003237, 0.022327, -0.027326),
            _A1_THIGH,
            (0.999125, -0.00256393, -0.0409531, -0.00806091),
        ),
        "L": Link(
            1.013,
            (-0.003237, -0.022327, -0.027326),
            _A1_THIGH,
            (0.999125, 0.00256393, -0.0409531, 0.00806091),
        ),
    },
    length=0.2,
    calf=Link(
        0.226,
        (0.00472659, 0.0, -0.131975),
        (0.00340344, 0.00339393, 3.54834e-05),
        (0.706886, 0.017653, 0.017653, 0.706886),
    ),
    ranges=((-0.802851, 0.802851), (-1.0472, 4.18879), (-2.69653, -0.916298)),
    torques=(33.5, 33.5, 33.5),
    foot=0.02,
    foot_softness=0.031,  # RL-ViGen's; Menagerie made it 0.02 since
    friction_dimensions=3,
    drop_height=0.43,
    lying_height=0.096,
)

_GO1_HIP = {
    "R": (_motor(0.046, 0.02, -0.045), _motor(0.031, 0.02, -0.065)),
    "L": (_motor(0.046, 0.02, 0.045), _motor(0.031, 0.02, 0.065)),
}
_GO1_REAR = _motor(0.046, 0.02, 0.0)
_GO1_MOMENTS = (0.000734064, 0.000468438, 0.000398719)
_GO1_THIGH = (0.00478717, 0.00460903, 0.000709268)

GO1 = Robot(
    folder="unitree_go1",
    trunk=Link(
        5.204,
        (0.0223, 0.002, -0.0005),
        (0.0716565, 0.0630105, 0.0168101),
        (-0.00342088, 0.705204, 0.000106698, 0.708996),
    ),
    trunk_shapes=_trunk(chin=0.01),
    hip_at=(0.1881, 0.04675),
    hips={
        name: Link(0.68, (x, y, -8.865e-05), _GO1_MOMENTS, frame)
        for name, x, y, frame in (
            ("FR", -0.0049166, 0.00762615, (0.507341, 0.514169, 0.495027, 0.482891)),
            ("FL", -0.0049166, -0.00762615, (0.482891, 0.495027, 0.514169, 0.507341)),
            ("RR", 0.0049166, 0.00762615, (0.495027, 0.482891, 0.507341, 0.514169)),
            ("RL", 0.0049166, -0.00762615, (0.514169, 0.507341, 0.482891, 0.495027)),
        )
    },
    hip_shapes={
        "FR": _GO1_HIP["R"],
        "FL": _GO1_HIP["L"],
        "RR": (*_GO1_HIP["R"], _GO1_REAR),
        "RL": (*_GO1_HIP["L"], _GO1_REAR),
    },
    thigh_offset=0.08,
    thighs={
        "R": Link(
            1.009,
            (-0.00304722, 0.019315, -0.0305004),
            _GO1_THIGH,
            (0.65243, -0.0272313, 0.0775126, 0.753383),
        ),
        "L": Link(
            1.009,
            (-0.00304722, -0.019315, -0.0305004),
            _GO1_THIGH,
            (0.753383, 0.0775126, -0.0272313, 0.65243),
        ),
    },
    length=0.213,
    calf=Link(
        0.195862,
        (0.00429862, 0.000976676, -0.146197),
        (0.00149767, 0.00148468, 3.58427e-05),
        (0.691246, 0.00357467, 0.00511118, 0.722592),
    ),
    ranges=((-0.863, 0.863), (-0.686, 4.501), (-2.818, -0.888)),
    torques=(23.7, 23.7, 35.55),
    foot=0.023,
    foot_softness=0.023,
    friction_dimensions=1,
    drop_height=0.445,
    lying_height=0.096,
)

ROBOTS = {"a1": A1, "go1": GO1}
