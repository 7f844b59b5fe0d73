"""The oracle's mask beside each observation."""

import functools
import pickle

import gymnasium as gym
import numpy as np
import pytest
from counting_env import Counting, Footage, keep_upper_half

from distraction_gym import env_id
from distraction_gym.distractions.base import Distraction
from distraction_gym.envs.mini.env import MiniEnv
from distraction_gym.errors import UnknownName, UnsupportedEnvironment
from distraction_gym.scene import Scene, Segments
from distraction_gym.wrappers import AddForegroundMask, DistractionWrapper, StackFrames
from distraction_gym.wrappers import distraction as module


class Blob(Distraction):
    """Something in the left column, in front of everything."""

    def apply(self, frame, scene):
        self.cover = np.zeros(frame.shape[:2], bool)
        self.cover[:, 0] = True
        return np.where(self.cover[..., None], np.uint8(255), frame)


class Halves(Scene):
    """An upper half called torso over a lower half called ground, and a soft border if asked."""

    def __init__(self, soft=False):
        self.soft = soft

    def foreground(self, frame, objects=None):
        assert frame.shape == (8, 6, 3) and frame.dtype == np.uint8
        if objects is not None:
            return self.segments(frame).ids == self.segments(frame).names.index(objects[0])
        mask = keep_upper_half(frame, None)
        if not self.soft:
            return mask
        weights = mask.astype(np.float32)
        weights[3], weights[4] = 0.6, 0.4
        return weights

    def segments(self, frame):
        ids = np.zeros((8, 6), np.int32)
        ids[:4] = 1
        return Segments(ids, ("ground", "torso"))


def counting(scene=None, **kwargs):
    env = Counting(**kwargs)
    env.scene = scene or Halves()
    return env


UPPER = keep_upper_half(np.zeros((8, 6, 3)), None)


@pytest.fixture
def blob(monkeypatch):
    monkeypatch.setattr(module, "build", lambda mode, **kwargs: [Blob()])


def test_every_frame_has_a_mask():
    env = AddForegroundMask(counting())
    assert env.observation_space == env.unwrapped.observation_space
    for obs, *_, info in (env.reset(seed=0), env.step(np.zeros(1))):
        assert info["foreground"].dtype == bool and "instances" not in info
        np.testing.assert_array_equal(info["foreground"], UPPER)
        assert obs.shape == (8, 6, 3) and info["time"] == obs[0, 0, 0]


@pytest.mark.parametrize("channels_first", [False, True])
def test_masks_may_be_observed(channels_first):
    env = AddForegroundMask(counting(channels_first=channels_first), observe=True)
    for obs, *_, info in (env.reset(seed=0), env.step(np.zeros(1))):
        assert env.observation_space.contains(obs) and list(obs) == ["foreground", "image"][::-1]
        assert obs["foreground"] is info["foreground"] and obs["foreground"].shape == (8, 6)
        assert obs["image"].shape == env.unwrapped.observation_space.shape


def test_dictionaries_get_one_more_entry():
    env = counting()
    image = env.observation_space
    env.observation_space = gym.spaces.Dict(camera=image, time=gym.spaces.Discrete(9))
    env._picture = lambda: {"camera": np.zeros(image.shape, np.uint8), "time": np.int64(0)}
    env = AddForegroundMask(env, observe=True)
    obs, _ = env.reset(seed=0)
    assert set(obs) == {"camera", "time", "foreground"} and env.observation_space.contains(obs)


def test_what_a_distraction_hides_is_no_foreground(blob):
    visible = UPPER.copy()
    visible[:, 0] = False
    for covered, wanted in ((False, visible), (True, UPPER)):
        env = DistractionWrapper(counting(), "any")
        env = AddForegroundMask(env, covered=covered, instances=True)
        for _, *_, info in (env.reset(seed=0), env.step(np.zeros(1))):
            np.testing.assert_array_equal(info["foreground"], wanted)
            ids, names = info["instances"]["ids"], info["instances"]["names"]
            assert ids.dtype == np.int32
            assert (ids[:, 1:] == UPPER[:, 1:]).all()
            assert names[ids[7, 0]] == ("ground" if covered else "distraction")


def test_objects_may_be_chosen():
    env = AddForegroundMask(counting(), ["ground"])
    np.testing.assert_array_equal(env.reset(seed=0)[1]["foreground"], ~UPPER)


def test_soft_masks_count_from_one_half():
    env = AddForegroundMask(counting(Halves(soft=True)))
    np.testing.assert_array_equal(env.reset(seed=0)[1]["foreground"], UPPER)


def test_the_mask_fits_the_picture_before_its_distractions(monkeypatch):
    monkeypatch.setattr(module, "build", lambda mode, **kwargs: [Footage()])

    def not_video(frame, env):  # fooled by disturbed pictures
        return frame.max(axis=-1) < 100

    env = DistractionWrapper(Counting(), "any", foreground=not_video)
    env = AddForegroundMask(StackFrames(env, 3))
    assert env.reset(seed=0)[1]["foreground"].all()


@pytest.mark.parametrize("mode", ["clean", "video_hard", "sprites"])
def test_registered_ids(mode):
    env = AddForegroundMask(gym.make(env_id("mini", "reach", "clean"), mode=mode), instances=True)
    obs, info = env.reset(seed=1)
    clean, _ = gym.make(env_id("mini", "reach", "clean")).reset(seed=1)
    mask = info["foreground"]
    assert mask.shape == (36, 36) and 0.01 < mask.mean() < 0.3
    if mode != "sprites":  # whose borders are soft
        assert (obs[:, mask] == clean[:, mask]).all()
    names = np.array(info["instances"]["names"])
    assert set(names[info["instances"]["ids"][mask]]) == {"body", "goal"}


def test_single_parts_of_the_mini_scene():
    both = AddForegroundMask(MiniEnv("reach")).reset(seed=1)[1]["foreground"]
    parts = [
        AddForegroundMask(MiniEnv("reach"), [part]).reset(seed=1)[1]["foreground"]
        for part in ("body", "goal")
    ]
    np.testing.assert_array_equal(parts[0] | parts[1], both)
    with pytest.raises(UnknownName, match="Did you mean 'body'"):
        AddForegroundMask(MiniEnv("reach"), ["boddy"]).reset(seed=1)


@pytest.mark.parametrize("way", ["sync", "async"])
def test_masks_of_vector_environments(way):
    wrapper = functools.partial(AddForegroundMask, observe=True, instances=True)
    name = env_id("mini", "reach", "video_hard")
    envs = gym.make_vec(name, num_envs=2, vectorization_mode=way, wrappers=[wrapper])
    obs, infos = envs.reset(seed=0)
    assert obs["foreground"].shape == (2, 36, 36) and obs["foreground"].dtype == bool
    np.testing.assert_array_equal(infos["foreground"], obs["foreground"])
    assert infos["instances"]["ids"].shape == (2, 36, 36)
    envs.close()


def test_a_pickle_goes_on():
    env = AddForegroundMask(gym.make(env_id("mini", "track", "video_hard")))
    env.reset(seed=0)
    other = pickle.loads(pickle.dumps(env))
    action = env.action_space.sample()
    for one, two in zip(env.step(action), other.step(action), strict=True):
        if isinstance(one, dict):
            np.testing.assert_array_equal(one["foreground"], two["foreground"])
        else:
            np.testing.assert_array_equal(one, two)


def test_without_a_scene_it_says_what_to_type():
    with pytest.raises(UnsupportedEnvironment, match=r"AddForegroundMask\(ObserveScene"):
        AddForegroundMask(Counting())
    with pytest.raises(UnsupportedEnvironment, match="Stack frames after"):
        AddForegroundMask(StackFrames(counting(), 3))


@pytest.mark.render
def test_bodies_and_instances_of_a_mujoco_robot():
    pytest.importorskip("dm_control")
    name = env_id("dmcgb", "walker_walk", "video_hard")
    torso = AddForegroundMask(gym.make(name, assets="generated"), ["body:torso"], instances=True)
    walker = AddForegroundMask(gym.make(name, assets="generated"))
    (_, part), (obs, whole) = torso.reset(seed=0), walker.reset(seed=0)
    assert part["foreground"].any() and not (part["foreground"] & ~whole["foreground"]).any()
    ids, names = part["instances"]["ids"], part["instances"]["names"]
    np.testing.assert_array_equal(ids == names.index("geom:torso"), part["foreground"])
    assert {"sky", "geom:floor", "geom:left_foot"} <= set(names)
    clean = walker.get_wrapper_attr("undistorted").transpose(2, 0, 1)
    assert (obs[-3:] == clean)[:, whole["foreground"]].all()
    torso.close(), walker.close()
