"""UR5 and UR5e: forward kinematics, Jacobian, inverse."""

from __future__ import annotations

import math

import numpy as np
import pytest

from distraction_gym.envs.ur5 import kinematics
from distraction_gym.envs.ur5.kinematics import ARMS, UR5, UR5E
from distraction_gym.errors import UnknownName

HALF = math.pi / 2
POSES = [  # UR5e, flange in the base
    ([0] * 6, [-0.8172, -0.2329, 0.0628, 1.570796, 0, 0]),
    ([0, -HALF, HALF, -HALF, -HALF, 0], [-0.4919, -0.1333, 0.4879, 2.221441, 2.221441, 0]),
    (
        [0.3, -1.2, 1.4, -1.7, -1.5, 0.6],
        [-0.561158, -0.320493, 0.374544, 2.457628, 1.807539, 0.066457],
    ),
    (
        [-1.0, -2.0, -1.5, 0.4, 1.2, 2.0],
        [0.199337, -0.62396, 0.514848, 1.243852, 0.971574, -0.733398],
    ),
]


@pytest.mark.parametrize(("q", "pose"), POSES)
def test_forward_reaches_known_poses(q: list[float], pose: list[float]) -> None:
    # Rotations, not their vectors: a half turn has two.
    np.testing.assert_allclose(
        kinematics.forward(UR5E, q), kinematics.matrix(pose), rtol=0, atol=2e-6
    )


def test_straight_arm_of_a_ur5_by_hand() -> None:
    reach = kinematics.forward(UR5, np.zeros(6))[:3, 3]
    np.testing.assert_allclose(
        reach, [-0.425 - 0.39225, -0.10915 - 0.0823, 0.089159 - 0.09465], atol=1e-12
    )


@pytest.mark.parametrize("arm", ARMS.values(), ids=ARMS)
def test_jacobian_is_the_derivative(arm: kinematics.Arm, rng: np.random.Generator) -> None:
    tool = kinematics.matrix([0.02, -0.05, 0.1, 0.3, -0.2, 0.1])
    step = 1e-6
    for q in rng.uniform(-3, 3, (5, 6)):
        jacobian = kinematics.jacobian(arm, q, tool)
        before = kinematics.forward(arm, q) @ tool
        for joint in range(6):
            after = kinematics.forward(arm, q + step * np.eye(6)[joint]) @ tool
            linear = (after - before)[:3, 3] / step
            turn = kinematics.rotation_vector(after[:3, :3] @ before[:3, :3].T) / step
            np.testing.assert_allclose(jacobian[:, joint], [*linear, *turn], atol=1e-4)


@pytest.mark.parametrize("arm", ARMS.values(), ids=ARMS)
def test_inverse_finds_every_way_and_the_nearest(
    arm: kinematics.Arm, rng: np.random.Generator
) -> None:
    counts = []
    for q in rng.uniform(-math.pi, math.pi, (100, 6)):
        flange = kinematics.forward(arm, q)
        found = list(kinematics.inverse(arm, flange))
        counts.append(len(found))
        assert min(np.abs(kinematics.wrap(way - q)).max() for way in found) < 1e-6
        for way in found:
            np.testing.assert_allclose(kinematics.forward(arm, way), flange, atol=1e-7)
        np.testing.assert_allclose(kinematics.nearest(arm, flange, q), q, atol=1e-6)
    assert max(counts) == 8


def test_inverse_keeps_to_the_turn_it_is_on_and_to_the_limits() -> None:
    q = np.array([5.0, -1.2, 1.4, -5.5, -1.5, 4.0])
    flange = kinematics.forward(UR5E, q)
    np.testing.assert_allclose(kinematics.nearest(UR5E, flange, q + 0.1), q, atol=1e-7)
    around = kinematics.nearest(UR5E, flange, q + 2 * math.pi)
    assert around is not None
    assert (np.abs(around) <= UR5E.joint_limits).all()


def test_out_of_reach_has_no_joints() -> None:
    assert kinematics.nearest(UR5E, kinematics.matrix([1.2, 0, 0.2, 0, 0, 0]), np.zeros(6)) is None
    assert kinematics.nearest(UR5E, kinematics.matrix([0, 0, 0.5, 0, 0, 0]), np.zeros(6)) is None


def test_straight_wrist_leaves_wrist_3_where_it_was() -> None:
    q = np.array([0.3, -1.2, 1.4, -1.7, 0.0, 0.8])
    found = kinematics.nearest(UR5E, kinematics.forward(UR5E, q), q)
    np.testing.assert_allclose(found, q, atol=1e-6)


def test_rotation_vectors_go_both_ways(rng: np.random.Generator) -> None:
    for vector in rng.normal(size=(50, 3)):
        vector *= rng.uniform(0, math.pi) / np.linalg.norm(vector)
        there = kinematics.rotation_vector(kinematics.rotation(vector))
        np.testing.assert_allclose(there, vector, atol=1e-7)
    for axis in ([1, 0, 0], [0, -1, 0], [0.6, -0.8, 0], [0, 0.6, -0.8]):
        for angle in (math.pi, math.pi - 1e-8, 1e-8, 0):
            turned = kinematics.rotation(np.array(axis) * angle)
            again = kinematics.rotation(kinematics.rotation_vector(turned))
            np.testing.assert_allclose(again, turned, atol=1e-9)


def test_unknown_arm_is_named() -> None:
    with pytest.raises(UnknownName, match="Did you mean 'ur5e'"):
        kinematics.arm_named("ur5ee")
