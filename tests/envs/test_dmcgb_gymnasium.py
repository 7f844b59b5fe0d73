"""DMC-GB environments beside each other, in the middle of an episode, and after their end.

What holds for every registered ID (checkers, specs, vectors) is in test_registered_ids.
"""

import pickle

import gymnasium as gym
import numpy as np
import pytest

import distraction_gym  # noqa: F401
from distraction_gym.registration import env_id

pytest.importorskip("distraction_gym.envs.dmcgb.env", exc_type=ImportError)
pytestmark = pytest.mark.render


def make(mode="video_hard"):
    name = env_id("dmcgb", "walker_walk", mode)
    return gym.make(name, assets="generated", render_quality="draft")


def follow(env, steps=3, seed=1):
    frames = [env.reset(seed=seed)[0]]
    env.action_space.seed(0)
    frames += [env.step(env.action_space.sample())[0] for _ in range(steps)]
    return np.array(frames)


@pytest.mark.parametrize("mode", ["video_hard", "color_hard"])
def test_a_pickle_goes_on_in_the_middle_of_an_episode(mode):
    env = make(mode)
    follow(env)
    twin = pickle.loads(pickle.dumps(env))
    assert twin.spec == env.spec
    for _ in range(3):
        action = env.action_space.sample()
        ours, theirs = env.step(action), twin.step(action)
        np.testing.assert_array_equal(ours[0], theirs[0])
        assert ours[1] == theirs[1]
    # Without a seed both go on in the same streams.
    np.testing.assert_array_equal(env.reset()[0], twin.reset()[0])
    env.close(), twin.close()


def test_environments_share_a_process_without_touching_each_other():
    alone = make("color_hard")
    expected = follow(alone)
    envs = [make("clean"), make("color_hard"), make("video_hard")]
    for env in envs:
        env.reset(seed=0)
    np.testing.assert_array_equal(follow(envs[1]), expected)
    follow(envs[2])
    np.testing.assert_array_equal(follow(envs[1]), expected)
    for env in (alone, *envs):
        env.close()


def test_a_closed_environment_closes_twice():
    env = make()
    env.reset(seed=0)
    env.close(), env.close()
