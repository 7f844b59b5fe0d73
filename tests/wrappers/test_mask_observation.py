"""Observations that show what a segmenter's masks select."""

import pickle

import gymnasium as gym
import numpy as np
import pytest
from counting_env import Counting
from gymnasium.envs.registration import EnvSpec

from distraction_gym import env_id
from distraction_gym.errors import UnknownName, UnsupportedEnvironment
from distraction_gym.segmentation import Segmenter, make_segmenter
from distraction_gym.segmentation.base import fill
from distraction_gym.wrappers import AddForegroundMask, DistractionWrapper, MaskObservation
from distraction_gym.wrappers.stacked import PictureStack

ACTION = np.zeros(1)


class Columns(Segmenter):
    """Two masks: column 0, and columns 3 and 4; the foreground is the row that the time says."""

    def __init__(self, stateless=True):
        super().__init__(k=3)
        self.is_stateless = stateless
        self.times, self.env, self.resets = [], None, 0

    def bind(self, env):
        self.env = env

    def reset(self):
        self.resets += 1

    def segment(self, frames):
        self.times += [int(frame.max()) for frame in frames]
        planes = np.zeros((2, *frames.shape[1:3]), bool)
        planes[0, :, 0] = planes[1, :, 3:5] = True
        scores = np.array([0.9, 0.4], np.float32)
        return fill([planes] * len(frames), [scores] * len(frames), self.k)

    def foreground(self, frames):
        self.times += [int(frame.max()) for frame in frames]
        masks = np.zeros(frames.shape[:3], bool)
        for mask, frame in zip(masks, frames, strict=True):
            mask[int(frame.max()) % 8] = True
        return masks


class Stacked(gym.Wrapper):
    """The last three frames, in one of the shapes that stacks come in; zeros before the first."""

    def __init__(self, env, shape):
        super().__init__(env)
        self.shape = shape
        self.observation_space = gym.spaces.Box(0, 255, shape, np.uint8)

    def reset(self, **kwargs):
        obs, info = self.env.reset(**kwargs)
        self.frames = [obs + 100] * 3
        return self.put(), info

    def step(self, action):
        obs, *rest = self.env.step(action)
        self.frames = [*self.frames[1:], obs + 100]
        return self.put(), *rest

    def put(self):
        stack = np.stack(self.frames)
        channels_last = len(self.shape) == 4 and self.shape[-1] == 3
        return stack if channels_last else stack.transpose(0, 3, 1, 2).reshape(self.shape)


class Bright(gym.ObservationWrapper):
    """Nothing is black: time t is painted as 100 + t."""

    def observation(self, obs):
        return obs + np.uint8(100)


def columns(*numbers):
    mask = np.zeros((8, 6), bool)
    mask[:, list(numbers)] = True
    return mask


@pytest.mark.parametrize(
    ("select", "shown"),
    [
        ("all", columns(0, 3, 4)),
        ("largest", columns(3, 4)),
        ([0], columns(0)),
        ((1, 2), columns(3, 4)),
        ([2], columns()),
        (lambda frame, found: found.masks[0] * 0.6 + found.masks[1] * 0.4, columns(0)),
        (lambda frame, found: found.masks[found.scores > 0.3].any(axis=0), columns(0, 3, 4)),
    ],
)
def test_what_is_selected_is_shown(select, shown):
    env = MaskObservation(Bright(Counting()), Columns(), select)
    assert env.observation_space == env.unwrapped.observation_space
    for time, (obs, *_, info) in enumerate((env.reset(seed=0), env.step(ACTION))):
        assert info["mask"].dtype == bool and info["time"] == time
        np.testing.assert_array_equal(info["mask"], shown)
        np.testing.assert_array_equal(obs, np.where(shown[..., None], 100 + time, (0, 0, 0)))
        assert obs.dtype == np.uint8 and env.observation_space.contains(obs)


def test_the_foreground_is_the_segmenters_own():
    env = MaskObservation(Bright(Counting()), Columns())
    _, info = env.reset(seed=0)
    np.testing.assert_array_equal(info["mask"], (np.arange(8) == 100 % 8)[:, None].repeat(6, 1))


def test_a_function_sees_the_frame_and_its_segments():
    met = []

    def choose(frame, found):
        met.append((frame, found))
        return found.masks[0]

    MaskObservation(Bright(Counting(channels_first=True)), Columns(), choose).reset(seed=0)
    frame, (masks, scores) = met[0]
    assert frame.shape == (8, 6, 3) and (frame == 100).all()
    assert masks.shape == (3, 8, 6) and scores.shape == (3,)


@pytest.mark.parametrize("shape", [(9, 8, 6), (3, 8, 6, 3), (3, 3, 8, 6)])
def test_every_frame_of_a_stack_has_its_own_mask_and_is_segmented_once(shape):
    segmenter = Columns(stateless=False)
    env = MaskObservation(Stacked(Counting(), shape), segmenter)
    obs, info = env.reset(seed=0)
    for time in range(6):
        frames = obs if shape[-1] == 3 else obs.reshape(3, 3, 8, 6).transpose(0, 2, 3, 1)
        for frame, painted in zip(frames, range(time - 2, time + 1), strict=True):
            value = 100 + max(painted, 0)
            row = np.arange(8)[:, None, None] == value % 8
            np.testing.assert_array_equal(frame, np.where(row, value, 0).repeat(6, 1).repeat(3, 2))
        np.testing.assert_array_equal(info["mask"], frames[-1].any(axis=-1))
        assert segmenter.times == list(range(100, 101 + time))
        obs, *_, info = env.step(ACTION)
    env.reset(seed=0)
    assert segmenter.times[-1] == 100 and segmenter.resets == 2


def test_what_is_not_shown_may_have_a_colour():
    for fill_with, wanted in ((7, (7, 7, 7)), ([250, 5, 9], (250, 5, 9))):
        env = MaskObservation(Bright(Counting(channels_first=True)), Columns(), [0], fill=fill_with)
        obs, _ = env.reset(seed=0)
        assert obs.shape == (3, 8, 6) and (obs[:, 0, 0] == 100).all()
        assert tuple(obs[:, 2, 2]) == wanted


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_floats_and_dictionaries_keep_what_is_shown(dtype):
    env = Counting()
    picture = np.random.default_rng(0).uniform(0.1, 1, (9, 8, 6)).astype(dtype)
    env.observation_space = gym.spaces.Dict(
        camera=gym.spaces.Box(0, 1, (9, 8, 6), dtype), place=gym.spaces.Box(0, 64, (2,))
    )
    place = np.ones(2, np.float32)
    env._picture = lambda: {"camera": picture, "place": place}
    before = picture.copy()
    env = MaskObservation(env, Columns(), [1])
    obs, _ = env.reset(seed=0)
    assert obs["place"] is place and obs["camera"].dtype == dtype
    np.testing.assert_array_equal(obs["camera"], np.where(columns(3, 4), before, 0))
    np.testing.assert_array_equal(picture, before)  # the environment's own array stays


def test_one_of_several_pictures_is_named():
    env = Counting()
    image = env.observation_space
    env.observation_space = gym.spaces.Dict(left=image, right=image)
    env._picture = lambda: dict.fromkeys(("left", "right"), np.full(image.shape, 9, np.uint8))
    with pytest.raises(UnsupportedEnvironment, match="'left', 'right'"):
        MaskObservation(env, Columns())
    obs, _ = MaskObservation(env, Columns(), [0], key="right").reset(seed=0)
    assert (obs["left"] == 9).all() and (obs["right"][:, 1:] == 0).all()
    with pytest.raises(UnknownName, match="'rihgt'"):
        MaskObservation(env, Columns(), key="rihgt")


def test_arguments_that_cannot_be_are_refused():
    for select in ([3], [-1], []):
        with pytest.raises(ValueError, match="indices from 0 to 2: the segmenter's k is 3"):
            MaskObservation(Counting(), Columns(), select)
    with pytest.raises(UnknownName, match="Did you mean 'largest'"):
        MaskObservation(Counting(), Columns(), "larges")
    with pytest.raises(UnknownName, match="Did you mean 'superpixel'"):
        MaskObservation(Counting(), "superpixels")
    with pytest.raises(ValueError, match="'name': 'superpixel'"):
        MaskObservation(Counting(), {"k": 3})
    with pytest.raises(UnsupportedEnvironment, match="Expected one picture"):
        MaskObservation(gym.make("CartPole-v1"), Columns())
    with pytest.raises(ValueError, match=r"returned shape \(3, 8, 6\)"):
        MaskObservation(Counting(), Columns(), lambda frame, found: found.masks).reset(seed=0)


def test_grey_stacks_are_not_taken_for_colours():
    grey = gym.wrappers.GrayscaleObservation(Counting())
    with pytest.raises(UnsupportedEnvironment, match="Mask before they are stacked"):
        MaskObservation(gym.wrappers.FrameStackObservation(grey, 3), Columns())
    obs, _ = MaskObservation(Bright(grey), Columns(), [0]).reset(seed=0)
    np.testing.assert_array_equal(obs, np.where(columns(0), 100, 0))


@pytest.mark.parametrize("mode", ["clean", "video_hard"])
def test_the_oracle_shows_what_matters_in_registered_ids(mode):
    masked = MaskObservation(gym.make(env_id("mini", "reach", mode), frame_stack=3), "oracle")
    plain = AddForegroundMask(gym.make(env_id("mini", "reach", mode), frame_stack=3))
    masked.action_space.seed(0)
    history = []
    for step in range(5):
        action = masked.action_space.sample()
        obs, *_, info = masked.step(action) if step else masked.reset(seed=3)
        wanted, *_, truth = plain.step(action) if step else plain.reset(seed=3)
        history += [truth["foreground"]] * (1 if step else 3)
        np.testing.assert_array_equal(info["mask"], truth["foreground"])
        each = np.repeat(history[-3:], 3, axis=0)  # the mask of its own frame for each channel
        np.testing.assert_array_equal(obs, np.where(each, wanted, 0))


def test_a_masked_environment_comes_back_from_json_and_pickles():
    arguments = {
        "segmenter": {"name": "superpixel", "k": 2},
        "select": [0, 1],
        "fill": [9, 9, 9],
    }
    env = MaskObservation(gym.make(env_id("mini", "reach", "video_hard")), **arguments)
    again = gym.make(EnvSpec.from_json(env.spec.to_json()))
    copied = pickle.loads(pickle.dumps(env))
    wanted, _ = env.reset(seed=1)
    for other in (again, copied):
        obs, info = other.reset(seed=1)
        np.testing.assert_array_equal(obs, wanted)
        assert info["mask"].any()
    env.step(env.action_space.sample())
    midway = pickle.loads(pickle.dumps(env))
    action = env.action_space.sample()
    np.testing.assert_array_equal(midway.step(action)[0], env.step(action)[0])


def test_vector_environments():
    def make():
        return MaskObservation(gym.make(env_id("mini", "reach")), "oracle")

    envs = gym.vector.SyncVectorEnv([make] * 2)
    obs, infos = envs.reset(seed=[0, 1])
    for row, seed in enumerate((0, 1)):
        alone, info = make().reset(seed=seed)
        np.testing.assert_array_equal(obs[row], alone)
        np.testing.assert_array_equal(infos["mask"][row], info["mask"])


def test_distractions_may_come_before_or_after():
    reference = np.zeros((8, 6, 3), np.uint8).tolist()
    masked = MaskObservation(Counting(), {"name": "background", "reference": reference})
    disturbed = DistractionWrapper(masked, [{"kind": "noise"}], foreground="blend")
    disturbed.reset(seed=0)
    assert disturbed.observation_space.contains(disturbed.step(ACTION)[0])
    counted = MaskObservation(
        Counting(), make_segmenter("background", color=[0, 0, 0], tolerance=1)
    )
    counted.reset(seed=0)
    seen = [counted.step(ACTION)[-1]["mask"].all() for _ in range(3)]
    assert seen == [False, True, True]  # times 1, 2 and 3 differ from black by so much


def test_colours_stacked_behind_each_other_are_not_taken_for_rows():
    with pytest.raises(UnsupportedEnvironment, match="Expected one picture"):
        PictureStack(gym.spaces.Box(0, 255, (36, 36, 9), np.uint8))
