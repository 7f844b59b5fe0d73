"""The simulated UR5: kinematics, motion, both models of the arm, and what its IDs return."""

from __future__ import annotations

import os
import pickle

import gymnasium as gym
import numpy as np
import pytest

pytest.importorskip("mujoco")

import mujoco

from distraction_gym.envs.ur5 import kinematics, robot, scene, task
from distraction_gym.envs.ur5.env import UR5Env
from distraction_gym.errors import UnknownName

CLEAN = "distraction_gym/ur5-reach-clean-v0"
NEEDS_MENAGERIE = pytest.mark.skipif(
    "MENAGERIE_ROOT" not in os.environ, reason="MENAGERIE_ROOT names no folder of robots"
)
MODELS = [
    ("ur5e", "own", 1e-9),
    ("ur5", "own", 1e-9),
    # Its lengths are rounded.
    pytest.param("ur5e", "menagerie", 2e-3, marks=NEEDS_MENAGERIE),
]


@pytest.mark.parametrize(("name", "model", "tolerance"), MODELS)
def test_the_flange_is_where_denavit_and_hartenberg_say(name, model, tolerance):
    compiled = scene.build(name, model)
    data = mujoco.MjData(compiled)
    rng = np.random.default_rng(0)
    for q in [np.array(task.RESET_POSE), *rng.uniform(-3, 3, (5, 6))]:
        data.qpos[scene.joint_addresses(compiled)] = q
        mujoco.mj_forward(compiled, data)
        expected = kinematics.forward(kinematics.ARMS[name], q)
        flange = data.site(robot.FLANGE)
        np.testing.assert_allclose(flange.xpos, expected[:3, 3], atol=tolerance)
        np.testing.assert_allclose(flange.xmat.reshape(3, 3), expected[:3, :3], atol=1e-6)


def test_links_weigh_what_universal_robots_says():
    model = scene.build()
    masses = [model.body(robot.PREFIX + link).mass[0] for link in robot.LINKS]
    np.testing.assert_allclose(masses, [3.761, 8.058, 2.846, 1.37, 1.3, 0.365])
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    # At zero the upper arm lies along -x; its middle is told in the elbow's frame.
    place = data.body(f"{robot.PREFIX}upper_arm_link").xipos
    np.testing.assert_allclose(place, [-0.2125, -0.11336, 0.1625], atol=1e-6)


def flange(env: UR5Env) -> np.ndarray:
    return env.data.site(robot.FLANGE).xpos.copy()


@NEEDS_MENAGERIE
def test_both_models_of_the_arm_move_alike():
    envs = [UR5Env(model=model) for model in ("own", "menagerie")]
    for env in envs:
        env.reset(seed=0)
    start, rng = flange(envs[0]), np.random.default_rng(0)
    for action in rng.uniform(-1, 1, (4, 5)).repeat(15, axis=0):
        for env in envs:
            env.step(action)
        np.testing.assert_allclose(flange(envs[0]), flange(envs[1]), atol=3e-3)
    assert np.linalg.norm(flange(envs[0]) - start) > 0.05


@pytest.mark.parametrize("name", ["ur5e", "ur5"])
def test_the_arm_follows_as_speedj_goes_and_holds_still(name):
    env = UR5Env(name)
    env.reset(seed=0)
    joints = scene.joint_addresses(env.model)
    for _ in range(10):
        env.step(np.zeros(5, np.float32))
    np.testing.assert_allclose(env.data.qpos[joints], task.RESET_POSE, atol=1e-4)
    q, speed = np.array(task.RESET_POSE), np.zeros(6)
    wanted = task.wanted_speeds([0.1, 0.2, -0.1, 0.05, 0.0], env.limits)
    for _ in range(15):
        _, reward, terminated, truncated, info = env.step([0.1, 0.2, -0.1, 0.05, 0.0])
        q, speed = task.advance(q, speed, wanted, task.CONTROL_STEP, 1.4)
        np.testing.assert_allclose(env.data.qpos[joints], q, atol=3e-3)
        assert info == {"overridden": False} and not reward and not terminated and not truncated
    np.testing.assert_allclose(env.data.qvel[joints], wanted, atol=0.02)
    felt = env.proprioception()
    np.testing.assert_allclose(felt[10:], [0.1, 0.2, -0.1, 0.05, 0.0], rtol=1e-6)
    np.testing.assert_allclose(felt[5:10], env.data.qvel[joints][:5] / 2, rtol=1e-5)


def test_a_move_out_of_the_box_is_overridden():
    env, overridden = UR5Env(), []
    env.reset(seed=0)
    for _ in range(40):
        overridden.append(env.step([0, 1, 0, 0, 0])[4]["overridden"])
        assert env.data.site(robot.FLANGE).xpos[1] > -0.503
    assert not overridden[0] and overridden[-1]


def test_an_action_that_is_none_is_refused():
    env = UR5Env()
    env.reset(seed=0)
    with pytest.raises(ValueError, match="finite"):
        env.step(np.full(5, np.nan))


def test_episodes_begin_at_one_pose_with_the_disc_somewhere():
    env = UR5Env()
    states = [env.reset(seed=seed)[0] for seed in (1, 2, 1)]
    env.step(np.ones(5))
    states.append(env.reset()[0])
    np.testing.assert_array_equal(states[0], states[2])
    joints = [state[: env.model.nq] for state in states]
    discs = [tuple(state[-3:]) for state in states]
    assert np.ptp(joints, axis=0).max() == 0 and len(set(discs)) == 3
    copy = pickle.loads(pickle.dumps(env))
    np.testing.assert_array_equal(copy.step(np.ones(5))[0], env.step(np.ones(5))[0])


@pytest.mark.parametrize(
    ("keyword", "name"),
    [("camera", "room"), ("robot", "ur3"), ("model", "none"), ("reward", "big"), ("mode", "fog")],
)
def test_unknown_names_are_told(keyword, name):
    from distraction_gym.envs.ur5.env import make

    with pytest.raises(UnknownName, match=name):
        make(**{"task": "reach", "mode": "clean", keyword: name})


def test_menagerie_has_no_ur5_of_the_cb3_kind():
    with pytest.raises(ValueError, match="robot='ur5e'"):
        UR5Env("ur5", "menagerie")


@pytest.mark.render
def test_an_episode_is_150_actions_whose_rewards_a_repeat_adds():
    single = gym.make(CLEAN, image_size=8, disable_env_checker=True)
    repeated = gym.make(CLEAN, image_size=8, action_repeat=50, disable_env_checker=True)
    single.reset(seed=0)
    repeated.reset(seed=0)
    action = np.array([0.02, 0.03, 0, 0, 0], np.float32)
    total = sum(single.step(action)[1] for _ in range(50))
    ends = [repeated.step(action) for _ in range(3)]
    assert ends[0][1] == pytest.approx(total) and total > 1
    assert [end[2:4] for end in ends] == [(False, False), (False, False), (False, True)]
    assert repeated.unwrapped.data.time == pytest.approx(6.0)
    assert single.metadata["render_fps"] == 25
    single.close()
    repeated.close()


@pytest.mark.render
def test_proprioception_is_beside_the_picture():
    env = gym.make(CLEAN, proprioception=True, frame_stack=1, disable_env_checker=True)
    obs, _ = env.reset(seed=0)
    env.close()
    assert obs["image"].shape == (3, 84, 84) and obs["proprio"].shape == (15,)
    np.testing.assert_allclose(obs["proprio"][:5], task.RESET_POSE[:5], rtol=1e-6)
    assert not obs["proprio"][5:].any()
