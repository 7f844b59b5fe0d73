"""Every registered ID: its name, its spaces, its spec, and the checkers of Gymnasium and SB3."""

from __future__ import annotations

import pickle
import re
import warnings
from collections.abc import Iterator

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.envs.registration import EnvSpec
from gymnasium.utils.env_checker import check_env

from distraction_gym.envs import TABLES
from distraction_gym.registration import NAMESPACE, SUITES, env_id, parse_id

IDS = sorted(name for name in gym.registry if name.startswith(f"{NAMESPACE}/"))
PATTERN = re.compile(r"^distraction_gym/[a-z0-9_]+-[a-z0-9_]+-[a-z0-9_]+-v\d+$")


def of_suite(name: str) -> list[str]:
    """Return a suite's IDs, as parameters; those that draw with OpenGL carry its mark."""
    marks = [pytest.mark.render] if SUITES[name].extra else []
    ids = [item for item in IDS if parse_id(item).suite == name]
    return [pytest.param(item, marks=marks, id=item.split("/")[1]) for item in ids]


def sampled(name: str) -> list[str]:
    """Return every mode of a suite's first task, and one mode of each other, in rotation."""
    suite = SUITES[name]
    first = {env_id(name, suite.tasks[0], mode) for mode in suite.modes}
    rotating = {
        env_id(name, task, suite.modes[place % len(suite.modes)])
        for place, task in enumerate(suite.tasks)
    }
    return [param for param in of_suite(name) if param.values[0] in first | rotating]


# A few of the other suites.
_FEW = [
    env_id("dmcgb2", "cartpole_swingup", "color_video_easy"),
    env_id("dcs", "reacher_easy", "beta_05"),
    env_id("sd", "cheetah_run", "video_train"),
    env_id("unitree", "walk", "color_hard"),
    env_id("unitree", "stand", "video_hard"),
    env_id("adroit", "pen", "video_hard"),
    env_id("arm", "push", "test2"),
    env_id("arm", "hammerall", "video_hard"),
    env_id("metaworld", "door_open", "video_hard"),
    env_id("ur5", "reach", "color_hard"),
    env_id("ur5", "reach", "video_hard"),
]
SIMULATORS = {
    "adroit": "gymnasium_robotics",
    "arm": "mujoco",
    "unitree": "mujoco",
    "metaworld": "metaworld",
    "ur5": "mujoco",
}
"""What a suite's IDs need; the others', dm_control."""
CHECKED = [
    *of_suite("mini"),
    *sampled("dmcgb"),
    *(pytest.param(name, marks=[pytest.mark.render], id=name.split("/")[1]) for name in _FEW),
]


def make(name: str, **kwargs: object) -> gym.Env:
    suite = SUITES[parse_id(name).suite]
    if suite.extra:
        pytest.importorskip(SIMULATORS.get(suite.name, "dm_control"))
    return gym.make(name, assets="generated", **kwargs)


@pytest.fixture
def no_warnings() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # Gymnasium says this of every environment that `gym.make` returns: TimeLimit is a wrapper.
        warnings.filterwarnings("ignore", message=".*is different from the unwrapped version")
        yield


def test_every_task_and_mode_is_registered_once() -> None:
    expected = [env_id(s.name, task, mode) for s in TABLES for task in s.tasks for mode in s.modes]
    assert sorted(expected) == IDS
    assert all("clean" in suite.modes or suite.hardware for suite in TABLES)


def test_names_have_three_fields_of_words() -> None:
    for name in IDS:
        assert PATTERN.match(name), name
        assert str(parse_id(name)) == name == str(parse_id(name.split("/")[1]))


@pytest.mark.parametrize("name", CHECKED)
def test_gymnasium_finds_no_fault(name: str, no_warnings: None) -> None:
    env = make(name)
    try:
        check_env(env)
    finally:
        env.close()


@pytest.mark.parametrize("name", CHECKED)
def test_sb3_finds_no_fault(name: str, no_warnings: None) -> None:
    checker = pytest.importorskip("stable_baselines3.common.env_checker")
    env = make(name)
    try:
        checker.check_env(env)
    finally:
        env.close()


@pytest.mark.parametrize("name", CHECKED)
def test_spec_and_pickle_come_back(name: str) -> None:
    env = make(name)
    assert env.spec is not None
    again = [gym.make(EnvSpec.from_json(env.spec.to_json())), pickle.loads(pickle.dumps(env))]
    try:
        expected = play(env)
        assert all(frame in env.observation_space and frame.std() > 0 for frame in expected)
        for copy in again:
            np.testing.assert_array_equal(play(copy), expected)
    finally:
        for item in (env, *again):
            item.close()


def play(env: gym.Env) -> np.ndarray:
    """Return the first two observations of an episode, `(2, C, H, W)`."""
    first, _ = env.reset(seed=3)
    second, _, terminated, truncated, _ = env.step(np.ones(env.action_space.shape, np.float32))
    assert not terminated and not truncated
    return np.stack([first, second])


@pytest.mark.parametrize("mode", ["sync", "async"])
@pytest.mark.parametrize(
    "name",
    [
        env_id("mini", "reach", "video_hard"),
        pytest.param(env_id("dmcgb", "walker_walk", "video_hard"), marks=pytest.mark.render),
    ],
)
def test_make_vec(name: str, mode: str) -> None:
    single = make(name)
    expected = play(single)
    single.close()
    kwargs = {"context": "spawn"} if mode == "async" else {}
    envs = gym.make_vec(
        name, num_envs=2, vectorization_mode=mode, vector_kwargs=kwargs, assets="generated"
    )
    try:
        obs, _ = envs.reset(seed=3)
        assert obs.shape == (2, *expected[0].shape) and obs.dtype == np.uint8
        np.testing.assert_array_equal(obs[0], expected[0])
        assert (obs[0] != obs[1]).any()
        obs, rewards, *_ = envs.step(np.ones(envs.action_space.shape, np.float32))
        np.testing.assert_array_equal(obs[0], expected[1])
        assert rewards.shape == (2,)
    finally:
        envs.close()
