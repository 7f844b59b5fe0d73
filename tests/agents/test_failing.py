"""An environment that raises in mid-training leaves a checkpoint, and a model that goes on."""

from __future__ import annotations

import threading
from functools import partial

import dreams
import gymnasium as gym
import numpy as np
import pictures
import plans
import pytest
from stable_baselines3.common.callbacks import StopTrainingOnMaxEpisodes
from stable_baselines3.common.vec_env import DummyVecEnv
from test_sd import Marked

from distraction_gym.agents import SAC, SD
from distraction_gym.agents.common.checkpoint import load_checkpoint, resume
from distraction_gym.agents.common.resumable import ResumableCheckpoint

STEPS, FAILS = 60, 26
MODELS = {
    "SAC": (partial(pictures.small, SAC), pictures.Bandit),
    "SAC, asynchronous": (partial(pictures.small, SAC, asynchronous=True), pictures.Bandit),
    "Dreamer": (dreams.tiny, dreams.Counter),
    "SD": (partial(dreams.tiny, SD, Marked), Marked),
    "TDMPC2": (plans.tiny, plans.Clock),
}


class Stops(gym.Wrapper):
    """Raises at a step, and must be reset then."""

    steps, down = 0, False

    def reset(self, **kwargs):
        self.down = False
        return super().reset(**kwargs)

    def step(self, action):
        assert not self.down, "an environment that had failed was stepped on"
        self.steps += 1
        if self.steps == FAILS:
            self.down = True
            raise OSError("the arm has stopped")
        return super().step(action)


@pytest.mark.parametrize("name", MODELS)
def test_an_environment_that_fails_leaves_a_checkpoint_to_go_on_from(name, tmp_path):
    build, env = MODELS[name]
    model = build()
    model.set_env(DummyVecEnv([lambda: Stops(env())]))
    with pytest.raises(OSError, match="the arm has stopped"):
        model.learn(STEPS, callback=ResumableCheckpoint(tmp_path, every=1000))
    assert not any(thread.name == "learner" for thread in threading.enumerate())
    again = build()
    load_checkpoint(again, tmp_path)
    assert again.replay_buffer.size() == model.replay_buffer.size() >= FAILS - 1
    resumed = build()
    resume(resumed, tmp_path)  # with the environment that failed
    for one in (model, again, resumed):  # the very model goes on as well
        assert one.num_timesteps == FAILS - 1
        one.learn(STEPS - one.num_timesteps, reset_num_timesteps=False)
        assert one.num_timesteps == STEPS


@pytest.mark.parametrize("cls", [dreams.Dreamer, SD])
def test_the_episode_that_failed_is_not_joined_to_the_next(cls):
    model = dreams.tiny(cls, Marked)
    model.set_env(DummyVecEnv([lambda: Stops(Marked())]))
    with pytest.raises(OSError, match="the arm has stopped"):
        model.learn(STEPS)
    model.learn(STEPS - model.num_timesteps, reset_num_timesteps=False)
    assert_whole(model.replay_buffer)


def test_nor_is_the_one_at_whose_end_a_callback_stopped():
    model = dreams.tiny().learn(STEPS, StopTrainingOnMaxEpisodes(1))
    assert model.num_timesteps == 4
    model.learn(STEPS, reset_num_timesteps=False)
    assert_whole(model.replay_buffer)


def assert_whole(replay):
    """Check that pictures in a row are steps in a row, but where an episode begins."""
    shown = replay.planes["frames"][: replay.counts[0], 0, 0, 0, 0] // 10
    follows = np.diff(shown.astype(int)) == 1
    assert np.array_equal(~follows, replay.firsts[1 : len(shown), 0])
