"""What is kept of played episodes."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest

from distraction_gym.bench.evaluate import clips_digest
from distraction_gym.bench.records import append, read

pytest.importorskip("torch")

from fake_records import record

from distraction_gym.bench.evaluate import play


class Reaching(gym.Env):
    """Three steps; an episode succeeds if all its actions were 1, and pays one for each."""

    observation_space = gym.spaces.Box(0, 1, (1,), np.float32)
    action_space = gym.spaces.Discrete(2)

    def __init__(self, tells):
        self.tells = tells

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.steps, self.total = 0, 0
        return np.zeros(1, np.float32), {}

    def step(self, action):
        self.steps, self.total = self.steps + 1, self.total + action
        told = {"is_success": self.total == self.steps} if self.tells else {}
        return np.zeros(1, np.float32), float(action), False, self.steps == 3, told


class Steady:
    """Chooses 1 in every second episode, and once in the others."""

    calls = 0

    def predict(self, observation, *, deterministic=False):
        self.calls += 1
        return int(self.calls <= 3 or self.calls % 3 == 0), None


def test_returns_and_successes():
    assert play(Steady(), Reaching(True), 2, 0) == ((3.0, 1.0), (True, False))
    assert play(Steady(), Reaching(False), 2, 0) == ((3.0, 1.0), ())


def test_successes_come_back_from_a_file(tmp_path):
    path = tmp_path / "records.jsonl"
    append(path, record(successes=(True, False, True)))
    assert read(path)[0].successes == (True, False, True)


def test_clips_of_modes_that_only_their_suite_knows():
    digests = []
    for mode in ("clean", "color_easy", "video_easy", "video_hard"):
        env = gym.make(f"distraction_gym/mini-reach-{mode}-v0", assets="generated")
        digests.append(clips_digest(env))
    assert digests[:2] == ["", ""] and len(set(digests)) == 3
    assert clips_digest(gym.make("CartPole-v1")) == ""


@pytest.mark.render
def test_clips_of_a_suite_with_its_own_modes():
    pytest.importorskip("dm_control")
    name = "distraction_gym/dmcgb2-walker_walk-video_hard-v0"
    env = gym.make(name, assets="generated", image_size=32)
    try:
        assert clips_digest(env)
    finally:
        env.close()
