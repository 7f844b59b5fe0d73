"""The simulated environment, and the real arm's on the simulated controller, are the same task."""

from __future__ import annotations

from collections.abc import Iterator

import gymnasium as gym
import numpy as np
import pytest

pytest.importorskip("mujoco")

from ur5_lab import FAST, own_address

from distraction_gym.envs.ur5 import scene, task
from distraction_gym.envs.ur5.controller import CameraProcess, ControllerProcess
from distraction_gym.envs.ur5_real.env import make

pytestmark = pytest.mark.render
HOST = own_address(91)
CLEAN = "distraction_gym/ur5-reach-clean-v0"
WRIST_VIEW = "distraction_gym.envs.ur5.wrist:WristView"
PICTURE = {"image_size": task.SHAPE, "frame_stack": 1, "proprioception": True}
REST = np.zeros(task.MOVED, np.float32)
STANDING = 1e-3  # rad/s


@pytest.fixture
def simulated() -> Iterator[gym.Env]:
    env = gym.make(CLEAN, disable_env_checker=True, **PICTURE)
    yield env
    env.close()


@pytest.fixture
def served() -> Iterator[gym.Env]:
    pytest.importorskip("rtde_control")
    with (
        ControllerProcess(HOST, start=task.RESET_POSE, body="mujoco"),
        CameraProcess(HOST, WRIST_VIEW) as camera,
    ):
        env = make(
            robot_ip=HOST,
            camera=camera.url,
            screen=camera.url.removesuffix("/video"),
            limits=FAST,
            stale_after=2.0,
            **PICTURE,
        )
        yield env
        env.close()


def joints(served: gym.Env) -> tuple[np.ndarray, np.ndarray]:
    """The served arm's angles and speeds, as it told them last."""
    reading = served.unwrapped._state.reading
    return reading.q, reading.speed


def stand(served: gym.Env) -> tuple:
    """Step until the arm stands, and ten times more: no picture of its way is left anywhere."""
    for _ in range(300):
        served.step(REST)
        if np.abs(joints(served)[1]).max() < STANDING:
            break
    for _ in range(10):
        result = served.step(REST)
    assert np.abs(joints(served)[1]).max() < STANDING and "fault" not in result[-1]
    return result


def place(simulated: gym.Env, q: np.ndarray) -> None:
    """Let the simulated arm stand at these angles."""
    env = simulated.unwrapped
    env._q, env._speed = q.copy(), np.zeros(6)
    env.data.qpos[scene.joint_addresses(env.model)] = q
    env.data.qvel[:] = 0


def reset(simulated: gym.Env, served: gym.Env, seed: int) -> dict:
    """Begin an episode of each: the same seed puts the disc to the same place."""
    simulated.reset(seed=seed)
    info = served.reset(seed=seed)[1]
    env = simulated.unwrapped
    there = env.data.mocap_pos.copy()
    scene.place_target(env.data, *info["target"])
    np.testing.assert_allclose(env.data.mocap_pos, there, atol=1e-9)
    return info


def test_the_same_joints_give_the_same_observation_and_reward(simulated, served):
    """On the way of the servo to three discs, the arm stops now and then; both look.

    Measured: pictures differ by 0.03 to 0.5 grey levels on the mean, as a JPEG does (one that is a
    pixel off by 1.5 or more), rewards by 0.02 at most. A pixel in the middle, on the disc's edge,
    that counts for one and not for the other is 0.014.
    """
    rewards = []
    for seed in range(3):
        reset(simulated, served, seed)
        for steps in (0, 8, 8, 8):
            for _ in range(steps):
                place(simulated, joints(served)[0])
                served.step(simulated.unwrapped.expert())
            seen, reward, *_ = stand(served)
            place(simulated, joints(served)[0])
            expected, paid, *_ = simulated.step(REST)
            off = np.abs(seen["image"].astype(int) - expected["image"])
            assert off.mean() < 0.8
            assert reward == pytest.approx(paid, abs=0.05)
            np.testing.assert_allclose(seen["proprio"], expected["proprio"], atol=STANDING)
            rewards.append(paid)
    assert len({round(paid, 2) for paid in rewards}) > 6 and max(rewards) > 1


def test_the_same_actions_lead_to_the_same_joints(simulated, served):
    """Up to what the clock decides: an action that lasts longer moves the arm further.

    `jitter` tells by how much each action's time differed from 0.04 s. To that comes when the
    first and the last command took effect: a cycle of the arm's process (0.01 s) and two of the
    controller's (0.004 s) at each end.
    """
    actions = np.repeat(np.float32([[0.1, 0.1, -0.1, 0.05, 0.1], [-0.05, 0.1, 0, 0.1, 0]]), 10, 0)
    for _ in range(3):  # a machine that stops for 0.2 s has the arm braked: then once more
        stalls, late = reset(simulated, served, 5)["safety"]["stalls"], 0.0
        for action in (*actions, REST):
            *_, info = served.step(action)
            late += info["jitter"]
            assert not info["overridden"]
            assert not simulated.step(action)[-1]["overridden"]
        stand(served)
        for _ in range(30):
            simulated.step(REST)
        if info["safety"]["stalls"] == stalls and late < 0.3:
            break
    q = simulated.unwrapped.data.qpos[scene.joint_addresses(simulated.unwrapped.model)]
    moved = np.abs(q - task.RESET_POSE).max()
    fastest = 2.0 * np.abs(actions).max()  # rad/s
    tolerance = fastest * (late + 2 * 0.014) + 1e-3
    off = np.abs(joints(served)[0] - q).max()
    assert off < tolerance < moved
