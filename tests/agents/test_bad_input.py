"""What agents say to environments and settings that they cannot work with."""

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces
from pictures import Bandit

from distraction_gym.agents import RAD, SAC, SVEA, DrQv2
from distraction_gym.errors import AssetsMissing, UnsupportedEnvironment


class Noise(gym.Env):
    """Noise of any shape."""

    def __init__(self, shape, dtype=np.uint8, high=255):
        self.observation_space = spaces.Box(0, high, shape, dtype)
        self.action_space = spaces.Box(-1, 1, (2,), np.float32)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return self.observation_space.sample(), {}

    def step(self, action):
        return self.observation_space.sample(), 0.0, False, False, {}


def build(cls, shape, **kwargs):
    return cls("CnnPolicy", Noise(shape), buffer_size=300, **kwargs)


@pytest.mark.parametrize("cls", [SAC, RAD])
def test_pictures_too_small_for_the_trunk(cls):
    with pytest.raises(UnsupportedEnvironment, match=r"too small.*84 x 84.*strides"):
        build(cls, (9, 21, 21))


def test_a_trunk_with_fewer_layers_reads_small_pictures():
    kwargs = {"features_extractor_kwargs": {"strides": [2, 1]}}
    assert build(SAC, (9, 21, 21), policy_kwargs=kwargs).critic.features_extractor.features_dim


@pytest.mark.parametrize("cls", [SAC, DrQv2])
@pytest.mark.parametrize("shape", [(1, 84, 84), (4, 84, 84)])
def test_frames_that_are_not_rgb(cls, shape):
    with pytest.raises(UnsupportedEnvironment, match=r"stacked RGB frames.*StackFrames"):
        build(cls, shape)


def test_channels_last_is_turned_round_by_stable_baselines3():
    assert build(SAC, (84, 84, 9)).observation_space.shape == (9, 84, 84)


def test_a_batch_larger_than_the_buffer():
    with pytest.raises(ValueError, match=r"batch_size=512 is more than buffer_size=300"):
        build(SAC, (9, 84, 84), batch_size=512).learn(1)


def test_a_folder_of_pictures_that_is_missing_stops_learning_before_it_begins(tmp_path):
    model = SVEA("CnnPolicy", Bandit(), buffer_size=300, overlay_images=str(tmp_path / "places"))
    with pytest.raises(AssetsMissing, match="places"):
        model.learn(10)
    assert model.num_timesteps == 0
