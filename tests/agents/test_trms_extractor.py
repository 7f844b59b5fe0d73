"""Masks beside observations, and an extractor for stock algorithms that chooses among them."""

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium import spaces
from stable_baselines3 import DQN, PPO, SAC
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor

from distraction_gym.agents import MaskSelectorExtractor
from distraction_gym.errors import UnsupportedEnvironment
from distraction_gym.segmentation import as_segmenter
from distraction_gym.segmentation.cached import CachedSegmenter
from distraction_gym.wrappers import AddForegroundMask, AddSegments

torch.set_num_threads(1)
ID = "distraction_gym/mini-reach-clean-v0"


class Means(BaseFeaturesExtractor):
    """The brightness of each channel."""

    def __init__(self, observation_space):
        super().__init__(observation_space, observation_space.shape[0])

    def forward(self, observations):
        return observations.mean((2, 3))


SETTINGS = {
    "features_extractor_class": MaskSelectorExtractor,
    "features_extractor_kwargs": {"inner_class": Means, "sampler_filters": [4]},
}


def made(**kwargs):
    return AddSegments(gym.make(ID, **kwargs), {"name": "superpixel", "k": 4})


class TestAddSegments:
    def test_every_frame_of_a_stack_brings_its_masks(self):
        env = made(frame_stack=2)
        obs, _ = env.reset(seed=0)
        for _ in range(3):
            obs, *_ = env.step(env.action_space.sample())
        assert obs in env.observation_space
        assert obs["segments"].shape == (8, 36, 36)
        for frame in range(2):
            picture = obs["image"][3 * frame : 3 * frame + 3].transpose(1, 2, 0)
            expected = env.segmenter.segment(picture[None]).masks[0]
            np.testing.assert_array_equal(obs["segments"][4 * frame : 4 * frame + 4], expected)

    def test_frames_are_segmented_once(self):
        counted = CachedSegmenter(as_segmenter("superpixel"))
        env = AddSegments(gym.make(ID, frame_stack=3), counted)
        env.reset(seed=0)
        for _ in range(5):
            env.step(env.action_space.sample())
        assert counted.calls <= 6
        assert counted.hits == 0

    def test_dict_observations_keep_their_entries(self):
        both = gym.wrappers.TransformObservation(
            gym.make(ID),
            lambda obs: {"camera": obs, "speed": np.zeros(2, np.float32)},
            spaces.Dict(
                {
                    "camera": gym.make(ID).observation_space,
                    "speed": spaces.Box(-1, 1, (2,), np.float32),
                }
            ),
        )
        obs, _ = AddSegments(both).reset(seed=0)
        assert set(obs) == {"camera", "speed", "segments"}

    def test_one_that_must_know_the_moment_is_asked_at_it(self):
        env = AddSegments(AddForegroundMask(gym.make(ID)), "oracle")
        obs, info = env.reset(seed=0)
        for _ in range(60):  # more than two episodes
            np.testing.assert_array_equal(obs["segments"].any(axis=0), info["foreground"])
            obs, _, terminated, truncated, info = env.step(env.action_space.sample())
            if terminated or truncated:
                obs, info = env.reset()

    def test_one_that_follows_the_picture_begins_with_each_episode(self):
        spec = {"name": "propagated", "segmenter": "superpixel", "every": 100}
        env = AddSegments(gym.make(ID, frame_stack=2), spec)
        alone = as_segmenter(spec)
        for seed in (0, 1):
            obs, _ = env.reset(seed=seed)
            alone.reset()
            expected = self.newest(alone, obs)
            np.testing.assert_array_equal(obs["segments"], np.concatenate([expected] * 2))
            for _ in range(4):
                before = expected
                obs, *_ = env.step(np.float32([1, 0]))
                expected = self.newest(alone, obs)
                np.testing.assert_array_equal(obs["segments"], np.concatenate([before, expected]))

    def newest(self, segmenter, obs):
        return segmenter.segment(obs["image"][-3:].transpose(1, 2, 0)[None]).masks[0]

    def test_it_can_be_made_from_its_spec(self):
        again = gym.make(gym.envs.registration.EnvSpec.from_json(made().spec.to_json()))
        assert again.reset(seed=0)[0]["segments"].any()


class TestExtractor:
    def space(self, k=4, stack=2):
        image = spaces.Box(0, 255, (3 * stack, 20, 20), np.uint8)
        return spaces.Dict(
            {"image": image, "segments": spaces.Box(0, 1, (k * stack, 20, 20), np.uint8)}
        )

    def test_features_come_from_what_the_sampler_took(self):
        torch.manual_seed(0)
        extractor = MaskSelectorExtractor(self.space(), Means, sampler_filters=[4]).eval()
        obs = {
            "image": torch.rand(5, 6, 20, 20),
            "segments": (torch.rand(5, 8, 20, 20) < 0.2).float(),
        }
        planes = obs["segments"].view(10, 4, 20, 20)
        mask = extractor.sampler(planes).mask.view(5, 2, 1, 20, 20)
        expected = (obs["image"].view(5, 2, 3, 20, 20) * mask).flatten(1, 2).mean((2, 3))
        torch.testing.assert_close(extractor(obs), expected)

    def test_whatever_trains_it_trains_the_sampler(self):
        extractor = MaskSelectorExtractor(self.space(), Means, sampler_filters=[4])
        obs = {
            "image": torch.rand(5, 6, 20, 20),
            "segments": (torch.rand(5, 8, 20, 20) < 0.2).float(),
        }
        extractor(obs).pow(2).sum().backward()
        assert any(p.grad.abs().sum() > 0 for p in extractor.sampler.parameters())

    def test_other_observations_are_refused(self):
        with pytest.raises(UnsupportedEnvironment, match="AddSegments"):
            MaskSelectorExtractor(spaces.Box(0, 255, (3, 20, 20), np.uint8))
        with pytest.raises(UnsupportedEnvironment, match="MultiInputPolicy"):
            MaskSelectorExtractor(spaces.Dict({"image": spaces.Box(0, 255, (3, 9, 9), np.uint8)}))

    @pytest.mark.parametrize(
        ("cls", "kwargs"),
        [
            (PPO, {"n_steps": 16, "batch_size": 8, "n_epochs": 1}),
            (SAC, {"buffer_size": 100, "learning_starts": 10, "batch_size": 8}),
            (DQN, {"buffer_size": 100, "learning_starts": 10, "batch_size": 8}),
        ],
    )
    def test_stock_algorithms_learn_and_load_with_it(self, cls, kwargs, tmp_path):
        env = made()
        if cls is DQN:
            moves = np.float32([[1, 0], [-1, 0], [0, 1], [0, -1]])
            env = gym.wrappers.TransformAction(env, lambda a: moves[a], spaces.Discrete(4))
        model = cls("MultiInputPolicy", env, policy_kwargs={**SETTINGS}, seed=0, **kwargs)
        before = [p.clone() for p in model.policy.parameters()]
        model.learn(24)
        assert any(
            not torch.equal(p, q) for p, q in zip(model.policy.parameters(), before, strict=True)
        )
        model.save(tmp_path / "model.zip")
        obs, _ = env.reset(seed=1)
        expected, _ = model.predict(obs, deterministic=True)
        found, _ = cls.load(tmp_path / "model.zip").predict(obs, deterministic=True)
        np.testing.assert_array_equal(found, expected)
