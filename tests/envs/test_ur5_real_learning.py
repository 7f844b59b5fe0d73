"""MaDi on the real arm's environment, before the simulated controller: learning, and its faults."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest
from ur5_lab import FAST, START, own_address, write_film

from distraction_gym.envs.ur5.controller import ControllerProcess
from distraction_gym.envs.ur5.task import RESET_POSE
from distraction_gym.envs.ur5_real import dashboard
from distraction_gym.envs.ur5_real.env import make
from distraction_gym.envs.ur5_real.faults import ArmFault

pytest.importorskip("rtde_control")
pytest.importorskip("stable_baselines3")
from stable_baselines3.common.callbacks import BaseCallback

from distraction_gym.agents import MaDi
from distraction_gym.agents.common.checkpoint import load_checkpoint
from distraction_gym.agents.common.resumable import ResumableCheckpoint

HOST = own_address(72)
SIDE = 36
SETTINGS = {
    "asynchronous": True,
    "augment": "random_conv",
    "batch_size": 8,
    "buffer_size": 400,
    "learning_starts": 20,
    "catch_up_updates": 0,
    "masker_filters": 4,
    "policy_kwargs": {
        "net_arch": [32],
        "projection_dim": 16,
        "features_extractor_kwargs": {"strides": [2, 2, 1], "filters": 8},
    },
}

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def film(tmp_path_factory) -> str:
    return write_film(tmp_path_factory.mktemp("camera") / "disc.avi", 160, 90)


@pytest.fixture
def controller():
    with ControllerProcess(HOST, start=START) as started:
        yield started


@pytest.fixture
def env(controller, film):
    made = make(robot_ip=HOST, camera=film, limits=FAST, image_size=SIDE, stale_after=2.0)
    yield made
    made.close()


class At(BaseCallback):
    """Does something at a step, and keeps what each step told."""

    def __init__(self, step: int = -1, act=None) -> None:
        super().__init__()
        self.step, self.act = step, act
        self.told: list[dict] = []

    def _on_step(self) -> bool:
        self.told.append(self.locals["infos"][0])
        if self.num_timesteps == self.step:
            self.act()
        return True


def test_madi_learns_while_the_arm_moves(controller, env):
    model, seen = MaDi("CnnPolicy", env, **SETTINGS), At()
    model.learn(300, callback=seen)
    assert model._n_updates > 0 and model.replay_buffer.size() == 300
    assert not any("fault" in info for info in seen.told)
    assert all({"control_period", "jitter", "missed_deadlines"} <= set(i) for i in seen.told)
    assert sum("terminal_observation" in info for info in seen.told) == 2  # of 150 steps each


def test_a_fault_while_it_learns_loses_nothing(controller, env, tmp_path):
    model = MaDi("CnnPolicy", env, **SETTINGS)
    keep = ResumableCheckpoint(tmp_path, every=10**6)
    at = At(60, lambda: controller.inject("script_death"))
    with pytest.raises(ArmFault, match="program_stopped"):
        model.learn(120, callback=[keep, at])
    stored = model.num_timesteps
    assert 60 <= stored < 120 and model.replay_buffer.size() == stored
    assert not any(thread.name == "learner" for thread in threading.enumerate())

    env.unwrapped.recover()
    model.learn(20, reset_num_timesteps=False)
    assert model.num_timesteps == model.replay_buffer.size() == stored + 20

    again = MaDi("CnnPolicy", env, **SETTINGS)  # what another process would go on from
    load_checkpoint(again, tmp_path)
    assert again.num_timesteps == again.replay_buffer.size() == stored


@pytest.mark.parametrize("fault", ["protective_stop", "script_death"])
def test_a_fault_on_the_way_to_where_episodes_begin(controller, env, fault):
    env.reset()
    for _ in range(30):
        env.step(np.array([0.5, 0, 0, 0, 0], np.float32))
    timer = threading.Timer(0.1, lambda: controller.inject(fault))
    timer.start()
    with pytest.raises(ArmFault) as raised:
        for _ in range(20):  # the way back may be short
            env.reset()
            env.step(np.array([0.5, 0, 0, 0, 0], np.float32))
    timer.join()
    assert raised.value.name == {"script_death": "program_stopped"}.get(fault, fault)
    give_up = time.monotonic() + 10
    while not controller.state()["standing"]:
        assert time.monotonic() < give_up
        time.sleep(0.05)
    dashboard.unlock_protective_stop(HOST)  # does nothing where there is none
    env.unwrapped.recover()
    obs, _ = env.reset()
    assert obs in env.observation_space
    np.testing.assert_allclose(controller.state()["q"], RESET_POSE, atol=3e-3)
