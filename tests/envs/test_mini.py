"""The mini suite: solvable, deterministic, honest masks."""

import gymnasium as gym
import numpy as np
import pytest

import distraction_gym  # noqa: F401
from distraction_gym.envs.mini.env import MiniEnv
from distraction_gym.envs.mini.tasks import TASKS
from distraction_gym.errors import UnknownName


def play(env: gym.Env, act, steps: int, seed: int) -> float:
    env.reset(seed=seed)
    return sum(float(env.step(act())[1]) for _ in range(steps))


@pytest.mark.parametrize("task", TASKS)
def test_the_expert_beats_random_by_far(task):
    env, rng = MiniEnv(task), np.random.default_rng(0)
    horizon, size = env.task.horizon, env.task.action_size
    expert = np.mean([play(env, env.task.expert, horizon, seed) for seed in range(20)])
    random = np.mean(
        [play(env, lambda: rng.uniform(-1, 1, size), horizon, seed) for seed in range(20)]
    )
    assert expert > 2.5 * random


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("mode", ["color_hard", "video_hard"])
def test_a_seed_gives_the_same_physics_in_every_mode(task, mode):
    rewards = []
    for name in ("clean", mode):
        env = gym.make(f"distraction_gym/mini-{task}-{name}-v0")
        env.reset(seed=7)
        env.action_space.seed(1)
        episode = [env.step(env.action_space.sample())[1] for _ in range(20)]
        env.reset()  # the second episode of the seed pairs as well
        rewards.append(episode + [env.step(env.action_space.sample())[1] for _ in range(5)])
    assert rewards[0] == rewards[1]


def test_the_end_is_a_time_limit():
    env = gym.make("distraction_gym/mini-reach-clean-v0", action_repeat=2)
    env.reset(seed=0)
    ends = [env.step(env.action_space.sample())[2:4] for _ in range(13)]
    assert ends == [(False, False)] * 12 + [(False, True)]


def test_video_replaces_the_background_only():
    clean = gym.make("distraction_gym/mini-reach-clean-v0")
    hard = gym.make("distraction_gym/mini-reach-video_hard-v0")
    easy = gym.make("distraction_gym/mini-reach-video_easy-v0")
    stock, _ = clean.reset(seed=3)
    everything, _ = hard.reset(seed=3)
    sky_only, _ = easy.reset(seed=3)
    scene = clean.unwrapped.scene
    sky = scene.background(["sky"], stock)
    behind = scene.background(["sky", "floor"], stock)
    np.testing.assert_array_equal(everything[:, ~behind], stock[:, ~behind])
    np.testing.assert_array_equal(sky_only[:, ~sky], stock[:, ~sky])
    assert (everything[:, behind] != stock[:, behind]).mean() > 0.8
    assert (sky_only[:, sky] != stock[:, sky]).mean() > 0.8


def test_exact_and_chroma_agree_away_from_edges():
    frames = {}
    for composite in ("exact", "chroma"):
        env = gym.make("distraction_gym/mini-reach-video_hard-v0", composite=composite)
        frames[composite], _ = env.reset(seed=5)
    assert (frames["exact"] == frames["chroma"]).all(axis=0).mean() > 0.95


def test_colours_change_the_body_and_return_to_stock():
    env = gym.make("distraction_gym/mini-reach-color_hard-v0")
    first, _ = env.reset(seed=0)
    again, _ = env.reset(seed=0)
    other, _ = env.reset()
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    scene = env.unwrapped.scene
    scene.restore()
    stock, _ = gym.make("distraction_gym/mini-reach-clean-v0").reset(seed=0)
    env.unwrapped.reset(seed=0)
    np.testing.assert_array_equal(env.unwrapped.render().transpose(2, 0, 1), stock)


@pytest.mark.parametrize(
    ("kwargs", "error", "says"),
    [
        ({"camera": 1}, ValueError, "camera=None"),
        ({"image_size": 4}, ValueError, "at least 16"),
        ({"action_repeat": 0}, ValueError, "at least 1"),
        ({"render_mode": "human"}, ValueError, "rgb_array"),
    ],
)
def test_bad_keywords_are_named(kwargs, error, says):
    with pytest.raises(error, match=says):
        gym.make("distraction_gym/mini-reach-clean-v0", **kwargs)


def test_an_unknown_part_is_named():
    scene = MiniEnv("reach").scene
    with pytest.raises(UnknownName, match="floor"):
        scene.recolor({"flor": [(0.0, 0.0, 0.0)]})
