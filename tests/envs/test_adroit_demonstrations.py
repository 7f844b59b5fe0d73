"""An Adroit task solved, and demonstrations: recorded as Minari's are, replayed as VRL3 does."""

from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest

pytest.importorskip("gymnasium_robotics")

from distraction_gym.envs.adroit import demonstrations
from distraction_gym.envs.adroit.demonstrations import load_demonstrations
from distraction_gym.envs.adroit.hand import AdroitEnv
from distraction_gym.errors import AssetsMissing, BrokenAsset, MissingExtra, UnknownName
from distraction_gym.registration import env_id

FOUND = Path(__file__).parent / "adroit_pen.npz"
"""Seed -> an episode's actions, `(50, 24)`; made by benchmarks/solve_adroit.py."""
SMALL = {"image_size": 12, "render_quality": "draft", "assets": "generated"}


def solutions():
    with np.load(FOUND) as found:
        return {int(seed): found[seed] for seed in found}


@pytest.mark.render
@pytest.mark.parametrize("seed", solutions())
def test_the_pen_task_can_be_solved(seed):
    actions = solutions()[seed]
    env = gym.make(env_id("adroit", "pen"), disable_env_checker=True, **SMALL)
    env.reset(seed=seed)
    played = [env.step(action) for action in actions]
    assert played[-1][3] is True and not any(step[2] for step in played)  # to the end, not dropped
    assert played[-1][-1]["is_success"], "the papers' count"
    assert sum(step[1] for step in played) > 10, "and it is paid"
    env.reset(seed=seed)
    idle = [env.step(np.zeros(24, np.float32))[-1] for _ in actions[:20]]
    assert not idle[-1]["is_success"]
    env.close()


# Demonstrations ---------------------------------------------------------------------------------


def recorded(task, actions, seed, *, with_state=True):
    """Return one episode as Minari's collector records Gymnasium-Robotics' environment."""
    from minari.data_collector.episode_buffer import EpisodeBuffer

    env = AdroitEnv(task)
    env.reset(seed=seed)
    state = {"qpos": env.data.qpos.copy(), "qvel": env.data.qvel.copy()}
    for name, (kind, row, field) in env.task.state.items():
        state[name] = np.array(getattr(getattr(env.model, kind)(row), field))
    states = [np.concatenate([state["qpos"], state["qvel"]])]
    for action in actions:
        states.append(env.step(action)[0])
    count = len(actions)
    return EpisodeBuffer(
        options={"initial_state_dict": state} if with_state else None,
        observations=states,
        actions=list(actions),
        rewards=[0.0] * count,
        terminations=[False] * count,
        truncations=[False] * (count - 1) + [True],
    )


@pytest.fixture
def datasets(tmp_path, monkeypatch):
    """Return a function that writes a dataset where Minari looks for it."""
    pytest.importorskip("h5py")
    minari = pytest.importorskip("minari")
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))

    def write(name, task, episodes):
        env = AdroitEnv(task)
        minari.create_dataset_from_buffers(
            name,
            episodes,
            action_space=env.action_space,
            observation_space=env.observation_space,
            data_format="hdf5",
        )
        return tmp_path / name

    return write


@pytest.mark.render
@pytest.mark.filterwarnings("ignore")  # Minari asks for an author
def test_recorded_episodes_come_back_as_our_observations(datasets, rng):
    seed, actions = next(iter(solutions().items()))
    actions = np.repeat(actions, 2, axis=0)  # found at action repeat 2, replayed at 1
    other = rng.uniform(-1, 1, (5, 24)).astype(np.float32)
    folder = datasets(
        "D4RL/pen/human-v2", "pen", [recorded("pen", actions, seed), recorded("pen", other, 1)]
    )
    human, short = load_demonstrations("pen", proprioception=True, **SMALL)
    assert human.is_success and not human.is_terminated and not short.is_success
    assert len(human.observations) == 101 and len(short.observations) == 6
    np.testing.assert_array_equal(human.actions, actions)
    env = gym.make(env_id("adroit", "pen"), action_repeat=1, proprioception=True, **SMALL)
    obs, _ = env.reset(seed=seed)
    for now, action, reward, after, ended in human.transitions():
        np.testing.assert_equal(obs, now)
        obs, paid, *_ = env.step(action)
        np.testing.assert_equal(obs, after)
        assert reward == pytest.approx(paid) and ended is False
    env.close()
    again = next(load_demonstrations("pen", folder, **SMALL))
    np.testing.assert_array_equal(again.observations[-1], human.observations[-1]["image"])


@pytest.mark.render
@pytest.mark.filterwarnings("ignore")
def test_a_dropped_pen_ends_its_demonstration(datasets):
    episode = recorded("pen", np.zeros((4, 24), np.float32), 0)
    episode.options["initial_state_dict"]["qpos"][24:27] = [0.18, 0, 0.2]  # down, and aside
    folder = datasets("drop-v0", "pen", [episode])
    (demonstration,) = load_demonstrations("pen", folder, **SMALL)
    assert [ended for *_, ended in demonstration.transitions()] == [True]


@pytest.mark.filterwarnings("ignore")
def test_what_is_missing_is_told_at_once(datasets, tmp_path, monkeypatch):
    with pytest.raises(AssetsMissing, match="minari download D4RL/door/human-v2"):
        load_demonstrations("door")
    with pytest.raises(AssetsMissing, match="nowhere"):
        load_demonstrations("door", tmp_path / "nowhere")
    with pytest.raises(UnknownName, match="door"):
        load_demonstrations("dor")
    episode = recorded("door", np.zeros((2, 28), np.float32), 0, with_state=False)
    folder = datasets("stateless-v0", "door", [episode])
    with pytest.raises(BrokenAsset, match="initial_state_dict"):
        next(load_demonstrations("door", folder, **SMALL))

    def absent(module, extra):
        raise MissingExtra(module)

    monkeypatch.setattr(demonstrations, "require", absent)
    with pytest.raises(MissingExtra, match=r"pip install 'minari\[hdf5,hf\]'"):
        load_demonstrations("door")
