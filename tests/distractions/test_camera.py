"""Cameras on spheres: the Distracting Control Suite's limits, speeds and looks."""

import numpy as np
import pytest
from fakes import FakeScene

from distraction_gym.distractions.camera import Camera
from distraction_gym.distractions.orbit import (
    Box,
    gaze,
    look_level,
    look_turned,
    to_offset,
    to_sphere,
)
from distraction_gym.distractions.walks import WALKS, DistractingControl
from distraction_gym.errors import UnknownName
from distraction_gym.scene import Pose

BETA = 0.3
HALF = np.pi / 2


def poses(camera, steps, scene=None, seed=0):
    scene = FakeScene() if scene is None else scene
    camera.reset(np.random.default_rng(seed), scene)
    seen = []
    for _ in range(steps):
        scene.frame(camera)
        seen.append(scene.pose)
    return seen


def places(camera, steps, scene=None, seed=0):
    scene = FakeScene() if scene is None else scene
    return np.array(
        [to_sphere(pose.position - scene.middle) for pose in poses(camera, steps, scene, seed)]
    )


def roll_of(pose, look=look_level):
    level = look(-pose.rotation[:, 2])
    turn = level.T @ pose.rotation
    return np.arctan2(turn[1, 0], turn[0, 0])


@pytest.mark.parametrize("motion", WALKS)
def test_poses_stay_within_the_limits(motion):
    seen, rolls = [], []
    for seed in range(40):
        for pose in poses(Camera(BETA, motion), 12, seed=seed):
            seen.append(to_sphere(pose.position))
            rolls.append(roll_of(pose))
    radius, azimuth, polar, _ = np.array(seen).T
    assert radius.min() >= 4 * (1 - 0.5 * BETA) - 1e-9
    assert radius.max() <= 4 * (1 + 1.5 * BETA) + 1e-9
    assert np.abs(azimuth + HALF).max() <= HALF * BETA + 1e-9
    assert polar.min() >= HALF * (1 - BETA) - 1e-9
    assert polar.max() <= HALF + 1e-9  # upright: never below the ground
    assert np.abs(rolls).max() <= HALF * BETA + 1e-9
    if motion in ("static", "dcs"):  # and they use them
        assert radius.max() - radius.min() > 4 * BETA
        assert np.ptp(azimuth) > HALF * BETA and np.ptp(rolls) > HALF * BETA


def test_azimuth_stays_in_front_of_the_robot_and_polar_angle_above_the_ground():
    seen = np.concatenate([places(Camera(1.0, "static"), 1, seed=seed) for seed in range(200)])
    assert seen[:, 1].min() >= -np.pi and seen[:, 1].max() <= 0
    assert seen[:, 2].min() >= 0 and seen[:, 2].max() <= HALF + 1e-9
    free = Camera(1.0, "static", upright=False)
    assert max(places(free, 1, seed=seed)[0, 2] for seed in range(50)) > HALF + 0.1


def test_an_upright_camera_that_stands_elsewhere_may_stay_there():
    behind = np.array([4.0, HALF, 2.0, 0.0])
    box = Box.around(behind, angle=0.1, roll=0.1, zoom=(0.1, 0.1), upright=True)
    assert (box.low <= behind).all() and (behind <= box.high).all()


def test_a_static_camera_draws_one_pose_per_episode():
    camera, scene = Camera(BETA, "static"), FakeScene()
    first, second = poses(camera, 4, scene, seed=0), poses(camera, 4, scene, seed=1)
    assert all(np.array_equal(pose.position, first[0].position) for pose in first)
    assert not np.array_equal(first[0].position, second[0].position)


def test_jitter_is_independent_and_small():
    seen = places(Camera(1.0, "jitter"), 200)
    assert np.abs(seen[:, 1] + HALF).max() <= 0.1 * HALF + 1e-9
    steps = np.diff(seen[:, 1])
    assert np.corrcoef(steps[:-1], steps[1:])[0, 1] < -0.3  # as of independent numbers


def test_drift_is_continuous():
    seen = places(Camera(1.0, "drift"), 200)
    assert np.abs(np.diff(seen[:, 1])).max() < 0.1 * np.ptp(seen[:, 1])
    assert np.ptp(seen[:, 1]) > 0.5


@pytest.mark.parametrize("radius", [4.0, 1.0])
def test_the_suites_speeds_are_capped_in_proportion_to_the_distance(radius):
    scene = FakeScene()
    scene.stock_pose = Pose(np.array([0.0, -radius, 0.0]), scene.stock_pose.rotation)
    seen = poses(Camera(BETA), 300, scene)
    moved = np.linalg.norm(np.diff([pose.position for pose in seen], axis=0), axis=1)
    rolled = np.abs(np.diff([roll_of(pose) for pose in seen]))
    assert moved.max() <= 0.4 * BETA * radius / 4 + 1e-9
    assert moved.max() > 0.2 * BETA * radius / 4
    assert 0 < rolled.max() <= np.pi / 50 * BETA + 1e-9


def test_velocity_is_lost_at_the_limits():
    stock = np.array([4.0, -HALF, HALF, 0.0])
    box = Box.around(stock, angle=0.1, roll=0.1, zoom=(0.1, 0.1), upright=True)
    walk = DistractingControl(np.random.default_rng(0), box, BETA)
    for _ in range(200):
        before = walk.place
        walk.move()
        moved = to_offset(walk.place) - to_offset(before)
        np.testing.assert_array_equal(walk._velocity, moved)
        assert walk._roll_velocity == walk.place[3] - before[3]


@pytest.mark.parametrize("azimuth", [np.pi, -np.pi, -HALF])
def test_walks_do_not_jump_where_angles_wrap(azimuth):
    stock = np.array([4.0, azimuth, 1.0, 0.0])
    box = Box.around(stock, angle=0.3, roll=0.1, zoom=(0.1, 0.1), upright=False)
    walk = DistractingControl(np.random.default_rng(0), box, 1.0)
    places = [walk.place]
    for _ in range(300):
        walk.move()
        places.append(walk.place)
    seen = np.array(places)[:, 1] - azimuth
    assert seen.min() < -0.1 and seen.max() > 0.1
    assert np.abs(np.diff(seen)).max() < 0.2  # the fastest walk passes by


def test_pushes_are_normal_in_each_direction():
    """The paper's N(0, 1)^3 is a vector of three numbers, not a number cubed."""
    stock = np.array([4.0, -HALF, HALF, 0.0])
    box = Box.around(stock, angle=3.0, roll=3.0, zoom=(0.9, 9.0), upright=False)
    pushes = []
    for seed in range(500):
        walk = DistractingControl(np.random.default_rng(seed), box, 0.5)
        walk._velocity = np.zeros(3)
        walk._push()
        pushes.append(walk._velocity)
    speeds = np.linalg.norm(pushes, axis=1)
    assert speeds.max() <= 0.4 * 0.5 + 1e-9
    assert np.mean(speeds) == pytest.approx(0.1 * 0.5 * np.sqrt(8 / np.pi), rel=0.05)


def test_several_moves_per_step_are_the_same_walk():
    one, four = Camera(BETA), Camera(BETA, moves_per_step=4)
    slow, quick = poses(one, 9), poses(four, 3)
    for step in range(3):
        np.testing.assert_array_equal(slow[4 * step].position, quick[step].position)


def test_half_a_move_per_step_holds_every_other_frame():
    seen = places(Camera(BETA, moves_per_step=0.5), 7)[:, 0]
    changed = np.diff(seen) != 0
    assert changed.tolist() == [False, True, False, True, False, True]


def test_it_looks_where_the_stock_camera_looked_as_far_away_as_the_robot():
    scene = FakeScene()
    level = scene.stock_pose.rotation
    scene.stock_pose = Pose(np.array([0.0, -4.0, 1.0]), level)  # looks past the origin, 1 m above
    target = gaze(scene.stock_pose, scene.center())
    np.testing.assert_allclose(target, [0, np.sqrt(17) - 4, 1])
    for pose in poses(Camera(BETA), 5, scene):
        direction = (target - pose.position) / np.linalg.norm(target - pose.position)
        np.testing.assert_allclose(-pose.rotation[:, 2], direction, atol=1e-12)
        np.testing.assert_allclose(pose.rotation @ pose.rotation.T, np.eye(3), atol=1e-12)
        assert np.linalg.det(pose.rotation) == pytest.approx(1)


def test_it_follows_what_the_camera_tracks():
    scene = FakeScene()
    camera = Camera(BETA, "static")
    camera.reset(np.random.default_rng(0), scene)
    scene.frame(camera)
    before = scene.pose
    step = np.array([1.0, 0.0, 0.5])
    scene.middle = scene.middle + step
    scene.stock_pose = scene.stock_pose._replace(position=scene.stock_pose.position + step)
    scene.frame(camera)
    np.testing.assert_allclose(scene.pose.position - before.position, step)
    np.testing.assert_allclose(scene.pose.rotation, before.rotation)


def test_level_looks_keep_the_horizon_and_spin_above_the_robot():
    for direction in ([0, 1, 0], [1, 1, -0.5], [-1, 2, 0.3]):
        rotation = look_level(np.array(direction, float))
        assert rotation[2, 0] == 0 and rotation[2, 1] > 0  # right is level, up is up
    left, right = (look_level(np.array([x, 0.0, -1.0])) for x in (-0.01, 0.01))
    assert np.abs(left - right).max() > 1


def test_turned_looks_do_not_spin_above_the_robot():
    straight = look_turned(np.array([0.0, 0.0, -1.0]))
    np.testing.assert_allclose(straight, np.eye(3))
    left, right = (look_turned(np.array([x, 0.0, -1.0])) for x in (-0.01, 0.01))
    assert np.abs(left - right).max() < 0.05
    direction = np.array([0.3, -0.2, -0.9])
    rotation = look_turned(direction)
    np.testing.assert_allclose(-rotation[:, 2], direction / np.linalg.norm(direction))
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)
    # the smallest turn has its axis in the plane
    axis = [rotation[2, 1] - rotation[1, 2], rotation[0, 2] - rotation[2, 0]]
    np.testing.assert_allclose(rotation[1, 0], rotation[0, 1])
    assert np.linalg.norm(axis) > 0


def test_seeds_and_unknown_names():
    a, b, c = (places(Camera(BETA), 5, seed=seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(a, b)
    assert (a != c).any()
    with pytest.raises(UnknownName, match="Did you mean 'drift'"):
        Camera(motion="drif")
    scene = FakeScene()
    assert poses(Camera(0.0), 2, scene)[1] is scene.stock_pose
