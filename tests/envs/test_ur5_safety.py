"""No sequence of commands takes the real arm out of its limits, whatever it holds."""

from __future__ import annotations

import numpy as np
import pytest

from distraction_gym.envs.ur5.kinematics import ARMS, frames, jacobian
from distraction_gym.envs.ur5.task import RESET_POSE, advance
from distraction_gym.envs.ur5_real.safety import Refused, Safety, SafetyLimits

HOME = np.array(RESET_POSE)
TICK, LATENCY = 0.01, 2  # seconds, ticks
NARROW = SafetyLimits(
    joints_low=tuple(HOME - 0.3),
    joints_high=tuple(HOME + 0.3),
    tool_low=(-0.25, -0.45, 0.4),
    tool_high=(0.2, -0.1, 0.6),
    arm_low=(-0.25, -0.25, 0.3),
    arm_high=(0.3, 0.4, 0.62),
)


def asks(rng: np.random.Generator, step: int) -> np.ndarray:
    """Return joint speeds that nobody should ask for: full speed one way for a while, or noise."""
    if step % 100 < 60:
        return np.sign(np.random.default_rng(step // 100).normal(size=6)) * 9
    return rng.normal(size=6) * 3


def inside(arm: str, q: np.ndarray, limits: SafetyLimits) -> bool:
    points = frames(ARMS[arm], q)[2:, :3, 3]
    flange, others = points[4], points[:4]
    return bool(
        (q >= np.array(limits.joints_low)).all()
        and (q <= np.array(limits.joints_high)).all()
        and (flange >= limits.tool_low).all()
        and (flange <= limits.tool_high).all()
        and (others >= limits.arm_low).all()
        and (others <= limits.arm_high).all()
    )


@pytest.mark.parametrize("arm", sorted(ARMS))
@pytest.mark.parametrize("seed", range(2))
def test_nothing_that_is_asked_for_leads_outside(arm, seed):
    rng, safety = np.random.default_rng(seed), Safety(ARMS[arm], NARROW)
    q, speed, on_the_way, reached = HOME.copy(), np.zeros(6), [np.zeros(6)] * LATENCY, 0.0
    assert inside(arm, q, NARROW)
    for step in range(400):
        on_the_way.append(safety.speeds(q, speed, asks(rng, step + 1000 * seed)))
        q, speed = advance(q, speed, on_the_way.pop(0), TICK, NARROW.acceleration)
        assert inside(arm, q, NARROW), (step, safety.trouble(q))
        assert np.abs(speed).max() <= NARROW.speed + 1e-9
        tool = np.linalg.norm(jacobian(ARMS[arm], q)[:3] @ speed)
        assert tool <= 1.1 * NARROW.tool_speed
        reached = max(reached, np.abs(q - HOME).max())
    assert reached > 0.1  # it did move
    assert safety.counts["clipped"] and safety.counts["blocked"]


@pytest.mark.parametrize(
    "given",
    [[np.nan] * 6, [0, 0, np.inf, 0, 0, 0], [0.1] * 5, [[0.1] * 6], "fast", None],
    ids=["nan", "infinite", "five", "nested", "text", "nothing"],
)
def test_what_is_no_command_is_refused(given):
    safety = Safety(ARMS["ur5e"], SafetyLimits())
    with pytest.raises(Refused, match="six finite numbers"):
        safety.speeds(HOME, np.zeros(6), given)
    assert safety.counts["refused"] == 1


def test_too_fast_is_slowed_down_in_the_same_direction():
    safety = Safety(ARMS["ur5e"], SafetyLimits())
    asked = np.array([0.0, 0.0, 0.0, 2.0, -1.0, 4.0])
    given = safety.speeds(HOME, np.zeros(6), asked)
    np.testing.assert_allclose(given, asked / 8)
    assert safety.counts["clipped"] == 1
    slow = np.array([0.05, 0, 0, 0, 0, 0])
    np.testing.assert_array_equal(safety.speeds(HOME, np.zeros(6), slow), slow)
    assert safety.counts == {"clipped": 1, "blocked": 0, "refused": 0}


def test_the_elbow_has_limits_of_its_own():
    bent = np.array([0.0, -1.1, 2.4, -2.5, -1.57, 0.0])
    top = frames(ARMS["ur5e"], bent)[2, 2, 3] + 0.005  # the elbow is the highest point
    below = (-0.85, -0.85, -0.5)
    limits = SafetyLimits(tool_low=below, arm_low=below, arm_high=(0.85, 0.85, top))
    safety = Safety(ARMS["ur5e"], limits)
    q, speed, raises = bent, np.zeros(6), np.array([0, -0.4, 0.4, 0, 0, 0])
    for _ in range(60):
        assert not safety.trouble(q)
        q, speed = advance(q, speed, safety.speeds(q, speed, raises), TICK, limits.acceleration)
    assert safety.counts["blocked"]
    assert "elbow" in safety.trouble(bent + 0.2 * raises)


def test_an_arm_outside_may_come_back_only():
    outside = HOME + np.array([0.5, 0, 0, 0, 0, 0])
    limits = SafetyLimits(joints_low=tuple(HOME - 0.3), joints_high=tuple(HOME + 0.3))
    safety = Safety(ARMS["ur5e"], limits)
    inwards = np.array([-0.2, 0, 0, 0, 0, 0])
    np.testing.assert_array_equal(safety.speeds(outside, np.zeros(6), inwards), inwards)
    assert not safety.speeds(outside, np.zeros(6), -inwards).any()


def test_a_way_is_checked_all_along():
    safety = Safety(ARMS["ur5e"], SafetyLimits())
    safety.check_way(HOME, HOME + 0.2)
    upright, lean = np.array([0, -np.pi / 2, 0, 0, 0, 0]), 0.6 * np.eye(6)[1]
    start, end = upright - lean, upright + lean
    height = [frames(ARMS["ur5e"], p)[6, 2, 3] for p in (start, upright, end)]
    low = SafetyLimits(tool_high=(0.85, 0.85, max(height[0], height[2]) + 0.01))
    assert height[1] > low.tool_high[2]  # both ends are fine, what lies between them is not
    with pytest.raises(Refused, match="of the way on: flange"):
        Safety(ARMS["ur5e"], low).check_way(start, end)
    with pytest.raises(Refused, match="where the arm is"):
        safety.check_way(HOME + 4, HOME)


def test_the_way_home_is_straight_and_ends_there():
    safety, goal = (
        Safety(ARMS["ur5e"], SafetyLimits()),
        HOME + np.array([0.3, -0.1, 0.2, 0, 0.1, 0]),
    )
    q, speed = HOME.copy(), np.zeros(6)
    for _ in range(400):
        q, speed = advance(q, speed, safety.toward(q, goal), TICK, 1.4)
        assert np.abs(speed).max() <= SafetyLimits().reset_speed + 1e-9
        share = (q - HOME)[0] / 0.3
        np.testing.assert_allclose(q, HOME + share * (goal - HOME), atol=1e-6)
    np.testing.assert_allclose(q, goal, atol=1e-3)
    assert not safety.toward(goal, goal).any()


@pytest.mark.parametrize(
    "wrong", [{"joints_low": (0.0,) * 5}, {"tool_low": (0, 0, 2)}, {"speed": float("nan")}]
)
def test_limits_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong)).split("_")[0]):
        SafetyLimits(**wrong)
