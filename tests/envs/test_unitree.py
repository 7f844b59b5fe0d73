"""Unitree: RL-ViGen's rewards, Menagerie's robots to the last bit, returns as measured."""

import os

import numpy as np
import pytest

pytest.importorskip("mujoco")

from distraction_gym.envs.unitree import TASKS, rewards
from distraction_gym.envs.unitree.env import QuadrupedEnv
from distraction_gym.envs.unitree.robots import ROBOTS
from distraction_gym.envs.unitree.scene import SENSORS, START, compile_model
from distraction_gym.registry import UnknownName
from distraction_gym.scenes.gl import load_mujoco

mujoco = load_mujoco()

HOME = (0.0, 0.9, -1.8)


@pytest.fixture
def menagerie():
    """Menagerie's robots; tests that need them skip, saying so, when they are absent."""
    pytest.importorskip("mujoco_menagerie")
    if not os.environ.get("MENAGERIE_ROOT"):
        pytest.skip("needs MuJoCo Menagerie's robots: MENAGERIE_ROOT")


def quadruped(task, robot="a1", model="own"):
    return QuadrupedEnv(task, robot, model, render_mode=None)


def holding(env, angles):
    """Return the action that asks every leg for these joint angles, as far as the task lets it."""
    low, high = env.model.actuator_ctrlrange.T
    angles = np.clip(np.tile(angles, 4), low, high)
    return 2 * (angles - low) / (high - low) - 1


# Rewards ----------------------------------------------------------------------------------------


def bell(distance):
    return np.exp(-0.5 * (np.sqrt(-2 * np.log(0.1)) * distance) ** 2)


def moving_mass(model, qpos, qvel, step=1e-7):
    """Return the velocity of the robot's centre of mass, by differences."""
    data, centers = mujoco.MjData(model), []
    for sign in (-1, 1):
        data.qpos[:] = qpos
        mujoco.mj_integratePos(model, data.qpos, qvel, sign * step)
        mujoco.mj_kinematics(model, data)
        centers.append(model.body_mass @ data.xipos / model.body_mass.sum())
    return (centers[1] - centers[0]) / (2 * step)


def slow_reward(task, model, qpos, qvel, control):
    """RL-ViGen's formulas, from joint positions and velocities alone."""
    w, x, y, z = qpos[3:7] / np.linalg.norm(qpos[3:7])
    forward = np.array([1 - 2 * (y * y + z * z), 2 * (x * y + w * z), 2 * (x * z - w * y)])
    left = np.array([2 * (x * y - w * z), 1 - 2 * (x * x + z * z), 2 * (y * z + w * x)])
    up = np.array([2 * (x * z + w * y), 2 * (y * z - w * x), 1 - 2 * (x * x + y * y)])
    body = np.stack([forward, left, up], axis=1)
    inertial = np.empty(9)
    mujoco.mju_quat2Mat(inertial, model.body_iquat[1])
    axes = body @ inertial.reshape(3, 3)
    spin = body @ qvel[3:6]
    standing = 1.0 if qpos[2] >= 0.36 else bell((0.36 - qpos[2]) / 0.18)
    tilt = 0.1 * sum((axes[:, 0] - [0, 0, 1]) ** 2) + 0.05 * sum((axes[:, 2] - [1, 0, 0]) ** 2)
    if task == "stand":
        low, high = model.actuator_ctrlrange.T
        scaled = [2 * (c - a) / (b - a) - 1 for c, a, b in zip(control, low, high, strict=True)]
        return (2 * standing + up[2]) / 3 - 0.08 * np.mean(np.square(scaled)) - tilt
    stable = [0.05, 0.22, -0.8, 0.05, 0.22, -0.8, 0.1, 0.68, 0, 0.1, 0.68, 0]
    velocity = moving_mass(model, qpos, qvel)
    s = (3 * standing + up[2] + forward[0]) / 5 - 0.05 * sum((control - stable) ** 2) / 12
    s -= 0.05 * velocity[2] ** 2 + 0.005 * (spin[0] ** 2 + spin[1] ** 2) + tilt
    short = 1 - velocity[0]
    m = 1.0 if short <= 0 else 1 - 0.9 * short if 0.9 * short < 1 else 0.0
    return (s + m + s * m) / 3


@pytest.mark.parametrize("task", TASKS)
def test_rewards_equal_a_slow_implementation(task, rng):
    env = quadruped(task)
    env.reset(seed=0)
    seen = []
    for step in range(60):
        if step % 12 == 0:  # thrown up and on its way, so that every term is at work
            env.data.qpos[2] = rng.uniform(0.1, 0.6)
            env.data.qvel[:3] = rng.uniform([0.0, -1.0, -1.0], [2.0, 1.0, 1.0])
        _, reward, *_ = env.step(rng.uniform(-1, 1, 12))
        expected = slow_reward(task, env.model, env.data.qpos, env.data.qvel, env.data.ctrl)
        assert reward == pytest.approx(expected, abs=1e-6), step
        seen.append(reward)
    assert np.std(seen) > 0.1


MEASURED = {
    ("walk", None): 224,
    ("walk", HOME): 255,
    ("walk", (0.0, 0.6, -1.2)): 385,
    ("stand", None): 324,
    ("stand", HOME): 628,
    ("stand", (0.0, 0.6, -1.2)): -857,
}


@pytest.mark.parametrize(("task", "angles"), MEASURED)
def test_returns_of_constant_controls(task, angles):
    """Measured with RL-ViGen's formulas on dm_control; None is the middle of the range."""
    env = quadruped(task)
    env.reset(seed=0)
    action = np.zeros(12) if angles is None else holding(env, angles)
    total = sum(env.step(action)[1] for _ in range(1000))
    assert total == pytest.approx(MEASURED[task, angles], rel=0.01)


@pytest.mark.parametrize("robot", ROBOTS)
def test_the_inertial_axes_of_an_upright_trunk(robot):
    """MuJoCo may turn their signs round: the body's own axes would cost 0.3 of every reward."""
    env = quadruped("walk", robot)
    env.reset(seed=0)
    axes = {name: env.data.sensor(name).data for name in SENSORS if name.endswith("axis")}
    np.testing.assert_allclose(axes["x_axis"], [0, 0, 1], atol=0.01)
    np.testing.assert_allclose(axes["z_axis"], [1, 0, 0], atol=0.01)
    data = env.data
    assert rewards._tilt(data) < 1e-4
    np.testing.assert_allclose(data.body("trunk").xmat.reshape(3, 3), np.eye(3), atol=1e-9)


# Robots -----------------------------------------------------------------------------------------

PHYSICS = (
    *("body_mass", "body_ipos", "body_iquat", "body_inertia", "body_pos", "body_quat"),
    *("jnt_axis", "jnt_range", "jnt_limited", "dof_damping", "dof_armature", "dof_frictionloss"),
    *("actuator_ctrlrange", "actuator_forcerange", "actuator_gainprm", "actuator_biasprm"),
)
TOUCH = (
    *("geom_type", "geom_size", "geom_pos", "geom_quat", "geom_bodyid", "geom_friction"),
    *("geom_condim", "geom_margin", "geom_priority", "geom_solimp", "geom_solref"),
)


@pytest.mark.parametrize("robot", ROBOTS)
@pytest.mark.parametrize("task", TASKS)
def test_it_is_menageries_robot_to_the_last_bit(task, robot, menagerie, rng):
    """The compiled numbers, and states and rewards under the same actions."""
    own, theirs = quadruped(task, robot), quadruped(task, robot, "menagerie")
    for name in PHYSICS:
        a, b = getattr(own.model, name), getattr(theirs.model, name)
        np.testing.assert_array_equal(a, b, err_msg=name)
    touching = [np.flatnonzero(env.model.geom_contype) for env in (own, theirs)]
    for name in TOUCH:
        a, b = (getattr(e.model, name)[g] for e, g in zip((own, theirs), touching, strict=True))
        np.testing.assert_array_equal(a, b, err_msg=name)
    own.reset(seed=0)
    theirs.reset(seed=0)
    for action in rng.uniform(-1, 1, (100, 12)):
        (a, paid, *_), (b, wanted, *_) = own.step(action), theirs.step(action)
        np.testing.assert_array_equal(a, b)
        assert paid == wanted
    assert [theirs.model.camera(i).name for i in range(3)] == ["back_above", "y", "y1"]


@pytest.mark.parametrize(("robot", "mass"), [("a1", 12.453), ("go1", 12.743)])
def test_masses(robot, mass):
    assert compile_model("walk", robot, "own").body_mass.sum() == pytest.approx(mass, abs=1e-3)


def test_what_is_drawn_touches_and_weighs_nothing():
    model = compile_model("walk", "a1", "own")
    drawn = model.geom_group == 2
    assert drawn.sum() > 60 and not model.geom_contype[drawn].any()
    assert not model.geom_conaffinity[drawn].any()
    assert set(model.geom_group.tolist()) == {0, 2, 3}  # floor, drawn, touching


# The task ---------------------------------------------------------------------------------------


def test_walking_starts_straight_and_standing_folded():
    walk, stand = quadruped("walk"), quadruped("stand")
    for env in (walk, stand):
        first, _ = env.reset(seed=0)
        env.step(env.action_space.sample())
        again, _ = env.reset(seed=1)
        np.testing.assert_array_equal(first, again, err_msg="nothing is drawn at random")
    np.testing.assert_array_equal(walk.data.qpos, [0, 0, 0.43, 1, *[0] * 15])
    knee = -2.69653
    legs = [0.05, 1.3, knee, 0.05, 1.3, knee, 0.1, 1.3, knee, 0.1, 1.3, knee]
    np.testing.assert_array_equal(stand.data.qpos, [0, 0, 0.096, 1, 0, 0, 0, *legs])
    # A knee of 0 is out of its range: the first steps pull it in.
    assert (walk.model.jnt_range[3::3, 1] < 0).all()


def test_actions_span_the_tasks_range():
    bounds = {
        "walk": [(-0.6, 0.2), (-0.8, 0.8), (-2.0, -0.916298)],
        "stand": [(-0.802851, 0.802851), (-1.0472, 4.18879), (-2.69653, -0.916298)],
    }
    for task, expected in bounds.items():
        env = quadruped(task)
        env.reset(seed=0)
        for action, side in ((-1.0, 0), (1.0, 1)):
            env.step(np.full(12, action, np.float32))
            np.testing.assert_allclose(env.data.ctrl, [pair[side] for pair in expected] * 4)
    assert [env.model.actuator(i).name for i in (0, 4, 8, 9)] == [
        *("FR_hip", "FL_thigh", "RR_calf", "RL_hip"),
    ]


def test_time_and_contacts_are_rlvigens():
    env = quadruped("walk")
    env.reset(seed=0)
    env.step(np.zeros(12))
    assert env.data.time == pytest.approx(0.01)
    option = env.model.opt
    assert (option.timestep, option.impratio) == (0.002, 100)
    assert option.cone == mujoco.mjtCone.mjCONE_ELLIPTIC
    assert option.integrator == mujoco.mjtIntegrator.mjINT_EULER
    assert env.model.key(0).name == START
    feet = env.model.geom_priority == 1
    assert feet.sum() == 4 and (env.model.geom_condim[feet] == 6).all()


@pytest.mark.parametrize("wrong", [{"robot": "spot"}, {"model": "pybullet"}])
def test_names_that_do_not_exist(wrong):
    with pytest.raises(UnknownName):
        quadruped("walk", **wrong)
