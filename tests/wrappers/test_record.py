"""Films: the twin plays the same episode, and every step is there."""

import copy

import cv2
import gymnasium as gym
import numpy as np
import pytest
from gymnasium.wrappers import RecordEpisodeStatistics

import distraction_gym  # noqa: F401
from distraction_gym.envs.mini.env import MiniEnv
from distraction_gym.wrappers import AddForegroundMask
from distraction_gym.wrappers import record as module
from distraction_gym.wrappers.distraction import DistractionWrapper
from distraction_gym.wrappers.record import RecordComparison, clean_spec

ID = "distraction_gym/mini-reach-video_hard-v0"


@pytest.fixture
def pages(monkeypatch):
    """The panels of every frame that is filmed."""
    seen = []
    draw = module.side_by_side
    monkeypatch.setattr(
        module, "side_by_side", lambda panels, *rest: seen.append(panels) or draw(panels, *rest)
    )
    return seen


def play(env, steps, seed=None):
    env.action_space.seed(0)
    env.reset(seed=seed)
    for _ in range(steps):
        env.step(env.action_space.sample())


@pytest.mark.parametrize("seed", [5, None])
def test_the_twin_plays_the_same_episode(tmp_path, pages, seed):
    env = RecordComparison(gym.make(ID), str(tmp_path / "a.mp4"), size=36)
    play(env, 3, seed)
    play(env, 3)
    env.close()
    assert len(pages) == 8
    for page in pages:
        assert list(page) == ["clean", "distracted", "foreground"]
        keep = page["foreground"] == 1
        assert 0 < keep.sum() < keep.size / 2
        np.testing.assert_array_equal(page["clean"][keep], page["distracted"][keep])
        assert (page["clean"][~keep] != page["distracted"][~keep]).mean() > 0.5
    assert (pages[0]["clean"] != pages[4]["clean"]).any()  # the second episode is another


def test_an_agents_panels_take_the_place_of_the_foreground(tmp_path, pages):
    env = RecordComparison(gym.make(ID), str(tmp_path / "a.mp4"), size=36)
    env.watch(lambda obs: {"mask": np.ones(obs.shape[1:]), "network sees": obs.transpose(1, 2, 0)})
    play(env, 1, 0)
    env.close()
    assert list(pages[0]) == ["clean", "distracted", "mask", "network sees"]


def test_an_environment_of_ones_own_shows_what_was_undistorted(tmp_path, pages):
    env = DistractionWrapper(MiniEnv("reach"), "video_hard", assets="generated")
    env = RecordComparison(env, str(tmp_path / "a.mp4"), size=36)
    play(env, 2, 0)
    env.close()
    assert list(pages[0]) == ["undistorted", "distracted", "foreground"]
    assert (pages[0]["undistorted"] != pages[0]["distracted"]).any()
    video = cv2.VideoCapture(str(tmp_path / "a.mp4"))
    assert video.get(cv2.CAP_PROP_FRAME_COUNT) == 3
    assert video.get(cv2.CAP_PROP_FPS) == MiniEnv.metadata["render_fps"]


def test_the_clean_spec_has_no_distraction():
    wrapped = DistractionWrapper(MiniEnv("reach"), "color_hard", assets="generated")
    assert clean_spec(gym.make(ID).spec).kwargs["mode"] == "clean"
    spec = copy.deepcopy(gym.spec(ID))
    spec.additional_wrappers = (DistractionWrapper.wrapper_spec(**wrapped._saved_kwargs),)
    (inside,) = clean_spec(spec).additional_wrappers
    assert inside.kwargs["mode"] == "clean"
    assert spec.kwargs["mode"] == "video_hard"  # the original stays
    (own,) = spec.additional_wrappers
    assert own.kwargs["mode"] == "color_hard"


@pytest.mark.parametrize("outside", [AddForegroundMask, RecordEpisodeStatistics])
def test_wrappers_around_an_environment_are_around_its_twin(outside, tmp_path, pages):
    env = RecordComparison(outside(gym.make(ID)), str(tmp_path / "a.mp4"), size=36)
    play(env, 2, 0)
    env.close()
    assert (pages[0]["clean"] != pages[0]["distracted"]).any() and len(pages) == 3


def test_it_survives_its_spec(tmp_path):
    env = RecordComparison(gym.make(ID), str(tmp_path / "a.mp4"))
    again = gym.make(gym.envs.registration.EnvSpec.from_json(env.spec.to_json()))
    assert isinstance(again, RecordComparison)
