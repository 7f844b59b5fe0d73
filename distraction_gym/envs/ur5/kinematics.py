"""Kinematics of the UR5e and of the UR5 (CB3): where the flange is, and joints that put it there.

Denavit-Hartenberg parameters in the standard convention, from Universal Robots' article
"DH parameters for calculations of kinematics and dynamics". A real arm deviates from them by
up to millimetres (each is calibrated at the factory): read its pose, do not compute it from these.
Angles are in rad, lengths in m; a pose is `(x, y, z, rx, ry, rz)`, its rotation as a vector
(axis times angle).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from distraction_gym.registry import unknown

Vector = npt.NDArray[np.float64]
"""Six joints, or six numbers of a pose or of a velocity."""
Matrix = npt.NDArray[np.float64]

TURN = 2 * math.pi
_ROUNDING = 1e-9
# cos and sin of the six alpha: pi/2, 0, 0, pi/2, -pi/2, 0
_COS = (0.0, 1.0, 1.0, 0.0, 0.0, 1.0)
_SIN = (1.0, 0.0, 0.0, 1.0, -1.0, 0.0)


@dataclass(frozen=True)
class Arm:
    """Lengths and limits of one kind of arm."""

    name: str
    a: tuple[float, ...]
    d: tuple[float, ...]
    # The elbow turns 360 degrees on paper; the arm is in its own way beyond about 180.
    joint_limits: tuple[float, ...] = (TURN, TURN, math.pi, TURN, TURN, TURN)
    """Largest angle either way, rad."""
    speed_limit: float = math.pi
    """Of every joint, rad/s."""


UR5E = Arm("ur5e", (0, -0.425, -0.3922, 0, 0, 0), (0.1625, 0, 0, 0.1333, 0.0997, 0.0996))
UR5 = Arm("ur5", (0, -0.425, -0.39225, 0, 0, 0), (0.089159, 0, 0, 0.10915, 0.09465, 0.0823))
ARMS = {arm.name: arm for arm in (UR5E, UR5)}


def arm_named(name: str) -> Arm:
    """Return one of `ARMS`.

    Raises:
        UnknownName: for another name.
    """
    if name not in ARMS:
        raise unknown("arm", name, ARMS)
    return ARMS[name]


def frames(arm: Arm, q: npt.ArrayLike) -> Matrix:
    """Return the seven frames of the arm, `(7, 4, 4)`: base, after each joint; the last: flange."""
    result = np.empty((7, 4, 4))
    result[0] = np.eye(4)
    for joint, angle in enumerate(np.asarray(q, float).tolist()):
        result[joint + 1] = result[joint] @ _link(arm, joint, angle)
    return result


def forward(arm: Arm, q: npt.ArrayLike) -> Matrix:
    """Return the flange in the base, `(4, 4)`."""
    return frames(arm, q)[6]


def jacobian(arm: Arm, q: npt.ArrayLike, tool: Matrix | None = None) -> Matrix:
    """Return `(6, 6)`: joint speeds to linear and angular velocity of the flange, in the base.

    Args:
        arm: Which arm.
        q: Joint angles.
        tool: The point that moves, as a frame in the flange's; None: the flange.
    """
    all_frames = frames(arm, q)
    point = (all_frames[6] if tool is None else all_frames[6] @ tool)[:3, 3]
    return jacobian_at(all_frames, point)


def jacobian_at(all_frames: Matrix, point: Vector) -> Matrix:
    """Return the Jacobian `(6, 6)` of a point `(3,)` in the base, from what `frames` returned."""
    x, y, z = all_frames[:6, :3, 2].T
    dx, dy, dz = (point - all_frames[:6, :3, 3]).T
    return np.array([y * dz - z * dy, z * dx - x * dz, x * dy - y * dx, x, y, z])


def inverse(arm: Arm, flange: Matrix, wrist: float = 0.0) -> Iterator[Vector]:
    """Yield the joints (at most eight sets, each angle in [-pi, pi]) that put the flange there.

    Closed form: base from the wrist's centre, wrist 2 and 3 from the orientation, the rest is an
    arm of two links in a plane.

    Args:
        arm: Which arm.
        flange: Where, `(4, 4)` in the base.
        wrist: The angle of wrist 3 where it is free (wrist 2 straight).
    """
    a2, a3 = arm.a[1:3]
    d4, d6 = arm.d[3], arm.d[5]
    (nx, ox, _, px), (ny, oy, _, py), *_ = flange.tolist()
    centre = flange @ (0, 0, -d6, 1)
    for q1 in _shoulders(float(centre[0]), float(centre[1]), d4):
        s1, c1 = math.sin(q1), math.cos(q1)
        for q5 in _either((px * s1 - py * c1 - d4) / d6):
            s5 = math.sin(q5)
            q6 = wrist
            if abs(s5) > 1e-6:
                q6 = math.atan2((oy * c1 - ox * s1) / s5, (nx * s1 - ny * c1) / s5)
            beyond = _link(arm, 4, q5) @ _link(arm, 5, q6)
            wrist1 = np.linalg.inv(_link(arm, 0, q1)) @ flange @ np.linalg.inv(beyond)
            x, y, *_ = (wrist1 @ (0, -d4, 0, 1)).tolist()
            for q3 in _either((x * x + y * y - a2 * a2 - a3 * a3) / (2 * a2 * a3)):
                q2 = math.atan2(y, x) - math.atan2(a3 * math.sin(q3), a2 + a3 * math.cos(q3))
                q4 = math.atan2(wrist1[1, 0], wrist1[0, 0]) - q2 - q3
                yield wrap(np.array([q1, q2, q3, q4, q5, q6]))


def nearest(arm: Arm, flange: Matrix, near: npt.ArrayLike) -> Vector | None:
    """Return the joints within the limits that reach the flange and are nearest to `near`.

    None where there are none.
    """
    near = np.asarray(near, float)
    limits = np.array(arm.joint_limits)
    best, least = None, math.inf
    for found in inverse(arm, flange, wrist=float(near[5])):
        q = found + TURN * np.round((near - found) / TURN)
        q = np.where(np.abs(q) > limits, found, q)
        distance = float(np.abs(q - near).max())
        if distance < least and (np.abs(q) <= limits).all():
            best, least = q, distance
    return best


def wrap(angles: Vector) -> Vector:
    """Return the same directions in [-pi, pi]."""
    return angles - TURN * np.round(angles / TURN)


def matrix(pose: npt.ArrayLike) -> Matrix:
    """Return a pose as a frame, `(4, 4)`."""
    pose = np.asarray(pose, float)
    result = np.eye(4)
    result[:3, :3] = rotation(pose[3:])
    result[:3, 3] = pose[:3]
    return result


def pose(frame: Matrix) -> Vector:
    """Return a frame `(4, 4)` as a pose."""
    return np.concatenate([frame[:3, 3], rotation_vector(frame[:3, :3])])


def rotation(vector: npt.ArrayLike) -> Matrix:
    """Return a rotation vector as a matrix `(3, 3)` (Rodrigues' formula)."""
    x, y, z = np.asarray(vector, float).tolist()
    angle = math.sqrt(x * x + y * y + z * z)
    if angle < 1e-12:
        return np.eye(3)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]]) / angle
    return np.eye(3) + math.sin(angle) * cross + (1 - math.cos(angle)) * (cross @ cross)


def rotation_vector(turned: Matrix) -> Vector:
    """Return a rotation matrix as a vector; of a half turn's two, the one with x, y or z > 0."""
    (xx, xy, xz), (yx, yy, yz), (zx, zy, zz) = turned.tolist()
    sine = np.array([zy - yz, xz - zx, yx - xy]) / 2
    length = float(np.linalg.norm(sine))
    cosine = (xx + yy + zz - 1) / 2
    angle = math.atan2(length, cosine)
    if length > 1e-6:
        return sine * (angle / length)
    if cosine > 0:
        return sine
    outer = (turned + turned.T) / 4 + np.eye(3) / 2  # axis times axis, at a half turn
    column = outer[:, int(np.argmax(np.diag(outer)))]
    axis = column / np.linalg.norm(column)
    return axis * math.copysign(angle, float(sine @ axis) if length else 1.0)


def _link(arm: Arm, joint: int, angle: float) -> Matrix:
    sine, cosine = math.sin(angle), math.cos(angle)
    sa, ca, a, d = _SIN[joint], _COS[joint], arm.a[joint], arm.d[joint]
    return np.array(
        [
            [cosine, -sine * ca, sine * sa, a * cosine],
            [sine, cosine * ca, -cosine * sa, a * sine],
            [0.0, sa, ca, d],
            [0.0, 0.0, 0.0, 1.0],
        ]
    )


def _shoulders(x: float, y: float, offset: float) -> Iterator[float]:
    """Yield the base angles with which the wrist's centre is `offset` beside the arm's plane."""
    distance = math.hypot(x, y)
    if distance > 0:
        for angle in _either(offset / distance):
            yield math.atan2(y, x) + angle + math.pi / 2


def _either(cosine: float) -> Iterator[float]:
    """Yield both angles of a cosine; none if it is out of reach."""
    if abs(cosine) <= 1 + _ROUNDING:
        angle = math.acos(max(-1.0, min(1.0, cosine)))
        yield angle
        yield -angle
