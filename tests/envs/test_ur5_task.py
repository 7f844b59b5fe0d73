"""The UR5 task without a robot: what a picture pays, how the arm moves, what holds it back."""

from __future__ import annotations

import math

import numpy as np
import pytest

from distraction_gym.distractions.player import Player
from distraction_gym.envs.ur5 import task
from distraction_gym.envs.ur5.kinematics import ARMS, forward

LIMITS = task.Limits()
RESET = np.array(task.RESET_POSE)


def picture(seed: int) -> np.ndarray:
    """Return noise with a red disc somewhere, `(90, 160, 3)` RGB."""
    rng = np.random.default_rng(seed)
    frame = rng.integers(0, 256, (90, 160, 3)).astype(np.uint8)
    rows, columns = np.mgrid[:90, :160]
    row, column, radius = rng.uniform(0, 90), rng.uniform(0, 160), rng.uniform(4, 12)
    frame[np.hypot(rows - row, columns - column) < radius] = (230, 20, 0)
    return frame


def slowly(frame: np.ndarray, green: int) -> tuple[float, float]:
    """Return the dense reward and the sparse one as ReLoD's code has them, pixel by pixel."""
    total, count = 0.0, 0
    for row in range(90):
        for column in range(160):
            r, g, b = frame[row, column].tolist()
            if 0 <= b <= 50 and 0 <= g <= green and 120 <= r <= 255:
                up = 1 / 2 - abs(row - int(90 / 2)) / 90
                total += up * (1 / 2 - abs(column - int(160 / 2)) / 160)
                count += 1
    return min(max(800 * total / 160 / 90, 0.0), 4.0), float(count / (90 * 160) >= 0.015)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("highest", "green"), [(task.HIGHEST, 50), (task.HIGHEST_DISTRACTED, 0)])
def test_rewards_are_those_of_the_papers_code(seed, highest, green):
    frame = picture(seed)
    if seed % 2:
        frame[frame[..., 0] == 230, 1] = 0
    mask = task.target_mask(frame, highest)
    dense, sparse = slowly(frame, green)
    assert task.dense_reward(mask) == pytest.approx(dense, abs=1e-9)
    assert task.sparse_reward(mask) == sparse


def test_red_is_the_first_channel_and_blue_pays_nothing():
    frame = np.full((90, 160, 3), 255, np.uint8)
    frame[40:50, 70:90] = (0, 0, 255)
    assert task.dense_reward(task.target_mask(frame)) == 0
    frame[40:50, 70:90] = (255, 0, 0)
    assert task.dense_reward(task.target_mask(frame)) > 2
    frame[40:50, 70:90] = (255, 1, 0)
    assert task.target_mask(frame).any()
    assert not task.target_mask(frame, task.HIGHEST_DISTRACTED).any()


def test_a_reward_is_at_most_four():
    assert task.dense_reward(np.ones((90, 160), bool)) == 4.0


@pytest.mark.parametrize("pack", ["video_easy", "video_hard"])
def test_generated_clips_hold_next_to_nothing_that_counts_as_the_disc(pack):
    player = Player(pack, "generated", clips=1)
    player.reset(np.random.default_rng(0))
    shown = [player.next((90, 160)) for _ in range(60)][::6]
    assert np.ptp(shown) > 100
    masks = [task.target_mask(frame, task.HIGHEST_DISTRACTED) for frame in shown]
    # Where episodes begin the disc has 80 pixels or more.
    assert max(mask.sum() for mask in masks) <= 3


def test_targets_are_drawn_within_the_margin():
    drawn = np.array([task.draw_target(np.random.default_rng(seed)) for seed in range(400)])
    np.testing.assert_allclose(drawn.min(axis=0), (17, 17), atol=1.5)
    np.testing.assert_allclose(drawn.max(axis=0), (143, 73), atol=1.5)


def test_limits_are_the_papers():
    degrees = np.rad2deg([LIMITS.low, LIMITS.high])
    np.testing.assert_allclose(degrees[0], [50, -120, 0, -220, -120])
    np.testing.assert_allclose(degrees[1], [140, -20, 135, -150, -70])
    assert (LIMITS.speed, LIMITS.acceleration) == (2.0, 1.4)
    # SenseAct's kinematics have x and y the other way round.
    senseact = [(-0.25, 0.17, 0.37), (0.15, 0.5, 0.63)]
    turned = np.array(senseact) * (-1, -1, 1)
    np.testing.assert_allclose(np.sort(turned, axis=0), [LIMITS.box_low, LIMITS.box_high])
    for arm in ARMS.values():
        place = forward(arm, RESET)[:3, 3]
        assert (place > LIMITS.box_low).all() and (place < LIMITS.box_high).all()


@pytest.mark.parametrize("action", [[0, 0, math.nan, 0, 0], [math.inf] * 5, [0.0] * 6, [0.0]])
def test_what_is_no_action_is_refused(action):
    with pytest.raises(ValueError, match="5 finite numbers"):
        task.wanted_speeds(action, LIMITS)


def test_actions_are_speeds_and_wrist_3_stays():
    speeds = task.wanted_speeds([1.0, -0.5, 3.0, 0.0, -9.0], LIMITS)
    np.testing.assert_allclose(speeds, [2.0, -1.0, 2.0, 0.0, -2.0, 0.0])


def test_joints_take_up_speed_together_as_fast_as_the_leading_one_may():
    start, wanted = np.zeros(6), np.array([1.4, -0.7, 0, 0, 0, 0])
    q, speed = task.advance(start, start, wanted, 0.5, 1.4)
    np.testing.assert_allclose(speed, [0.7, -0.35, 0, 0, 0, 0], atol=1e-12)
    np.testing.assert_allclose(q, [0.175, -0.0875, 0, 0, 0, 0], atol=1e-12)
    q, speed = task.advance(start, start, wanted, 3.0, 1.4)  # one second of it at full speed
    np.testing.assert_allclose(speed, wanted, atol=1e-12)
    np.testing.assert_allclose(q, [0.7 + 2.8, -0.35 - 1.4, 0, 0, 0, 0], atol=1e-12)


def test_many_short_steps_lead_where_a_long_one_does():
    rng = np.random.default_rng(0)
    q, speed, wanted = rng.uniform(-1, 1, (3, 6))
    expected = task.advance(q, speed, wanted, 0.04, 1.4)
    for _ in range(20):
        q, speed = task.advance(q, speed, wanted, 0.002, 1.4)
    np.testing.assert_allclose((q, speed), expected, atol=1e-12)


def outside(arm, q: np.ndarray) -> float:
    """Return by how much (rad or m) the arm is outside its limits."""
    place = forward(arm, q)[:3, 3]
    joints = np.maximum(np.array(LIMITS.low) - q[:5], q[:5] - LIMITS.high)
    box = np.maximum(LIMITS.box_low - place, place - LIMITS.box_high)
    return float(max(joints.max(), box.max()))


@pytest.mark.parametrize("robot", ARMS)
def test_no_action_leads_the_arm_out_of_its_limits(robot):
    arm = ARMS[robot]
    guard, stopped = task.Guard(arm, LIMITS), 0
    for seed in range(4):
        rng = np.random.default_rng(seed)
        q, speed = RESET.copy(), np.zeros(6)
        for step in range(150):
            if step % 25 == 0:  # long enough for full speed
                wanted = task.wanted_speeds(rng.choice([-1, 1], 5), LIMITS)
            allowed = guard.allowed(q, speed, wanted)
            stopped += int((allowed != wanted).any())
            q, speed = task.advance(q, speed, allowed, task.CONTROL_STEP, LIMITS.acceleration)
            assert outside(arm, q) < 2e-3
    assert stopped > 50


def test_without_the_guard_the_arm_would_leave():
    q, speed = RESET.copy(), np.zeros(6)
    for _ in range(50):
        wanted = task.wanted_speeds([0, 1, 0, 0, 0], LIMITS)
        q, speed = task.advance(q, speed, wanted, task.CONTROL_STEP, LIMITS.acceleration)
    assert outside(ARMS["ur5e"], q) > 0.1


def test_an_arm_outside_may_come_back_and_go_no_further():
    guard = task.Guard(ARMS["ur5e"], LIMITS)
    q, rest = RESET.copy(), np.zeros(6)
    q[4] = math.radians(-60)
    back, further = np.zeros(6), np.zeros(6)
    back[4], further[4] = -0.5, 0.5
    np.testing.assert_array_equal(guard.allowed(q, rest, back), back)
    np.testing.assert_array_equal(guard.allowed(q, rest, further), rest)


def test_a_joint_at_its_end_does_not_hold_the_others():
    guard = task.Guard(ARMS["ur5e"], LIMITS)
    q = RESET.copy()
    q[4] = LIMITS.high[4]
    wanted = np.array([0.2, 0, 0, 0, 0.5, 0])
    allowed = guard.allowed(q, np.zeros(6), wanted)
    np.testing.assert_array_equal(allowed, [0.2, 0, 0, 0, 0, 0])


def test_proprioception_is_fifteen_numbers():
    q, speed = np.arange(6.0), np.arange(6.0) / 10
    felt = task.proprioception(q, speed, np.full(5, 0.5, np.float32), LIMITS)
    expected = [0, 1, 2, 3, 4, 0, 0.05, 0.1, 0.15, 0.2, 0.5, 0.5, 0.5, 0.5, 0.5]
    np.testing.assert_allclose(felt, expected, rtol=1e-6)
    assert felt.shape == (15,) and felt.dtype == np.float32
