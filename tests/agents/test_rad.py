"""RAD: where it crops, what its networks are built for, and SAC where nothing is cropped."""

import numpy as np
import pytest
import torch
from gymnasium import spaces
from pictures import SIDE, SMALL, Bandit, equal_updates, small

from distraction_gym.agents import RAD, SAC
from distraction_gym.agents.common.augmentations import center_crop
from distraction_gym.agents.common.encoders import PixelEncoder
from distraction_gym.agents.common.presets import load_preset
from distraction_gym.bench.evaluate import evaluate
from distraction_gym.bench.training import configure, make_training_env

CROP = 30


def places(size: int) -> torch.Tensor:
    """Draw pictures that say of each pixel where it lies: row in channel 0, column in 1."""
    rows, columns = torch.meshgrid(torch.arange(SIDE), torch.arange(SIDE), indexing="ij")
    picture = torch.stack([rows, columns, torch.zeros_like(rows)]).float()
    return picture.expand(size, -1, -1, -1)


class TestTraining:
    def test_observations_and_next_observations_are_cropped_each_at_its_own_place(self):
        model = small(RAD, crop=CROP)
        obs, next_obs = model.augment_batch(places(200), places(200))
        assert obs.shape == next_obs.shape == (200, 3, CROP, CROP)
        corners = obs[:, :2, 0, 0], next_obs[:, :2, 0, 0]
        assert (corners[0] != corners[1]).any(dim=1).float().mean() > 0.9
        for corner, crops in zip(corners, (obs, next_obs), strict=True):
            assert set(corner.unique().tolist()) == set(range(SIDE - CROP))  # never the last place
            expected = corner[:, :, None, None] + places(1)[:, :2, :CROP, :CROP]
            torch.testing.assert_close(crops[:, :2], expected)

    def test_the_batch_keeps_the_whole_pictures_too(self):
        model = small(RAD, crop=CROP, learning_starts=300)
        model.learn(30)
        batch = model._sample(5)
        assert batch.obs.shape[-1] == batch.next_obs.shape[-1] == CROP
        assert batch.raw.shape[-1] == SIDE and batch.raw.dtype == torch.uint8

    def test_without_anything_to_crop_it_is_sac_weight_for_weight(self):
        rad, sac = small(RAD, crop=SIDE).learn(30), small(SAC).learn(30)
        for (name, ours), theirs in zip(
            rad.policy.state_dict().items(), sac.policy.state_dict().values(), strict=True
        ):
            assert torch.equal(ours, theirs), name

    def test_updates_draw_no_other_random_numbers_than_sacs(self):
        equal_updates(small(RAD, crop=SIDE), small(SAC))


class TestNetworks:
    def test_the_papers_sizes(self):
        space = spaces.Box(0, 255, (9, 100, 100), np.uint8)
        encoder = PixelEncoder(space, crop=84)
        assert encoder.features_dim == 32 * 21 * 21
        assert sum(p.numel() for p in encoder.parameters()) == 95_104
        picture = torch.rand(2, 9, 100, 100)
        torch.testing.assert_close(encoder(picture), encoder(picture[:, :, 8:92, 8:92]))

    def test_all_of_them_read_crops_as_they_are_and_the_middle_of_larger_pictures(self):
        model = small(RAD, crop=CROP)
        pictures = torch.rand(4, 3, SIDE, SIDE) * 255
        middle = center_crop(pictures, CROP)
        for target in (False, True):
            whole = model.policy.encode(pictures, target)
            torch.testing.assert_close(whole, model.policy.encode(middle, target))
            assert not torch.equal(whole, model.policy.encode(pictures[..., :CROP, :CROP], target))

    def test_it_acts_from_the_middle(self):
        model = small(RAD, crop=CROP)
        obs = np.random.default_rng(0).integers(0, 256, (3, SIDE, SIDE), np.uint8)
        edge = (SIDE - CROP) // 2
        blanked = np.zeros_like(obs)
        inside = (slice(None), slice(edge, edge + CROP), slice(edge, edge + CROP))
        blanked[inside] = obs[inside]
        actions = [model.predict(each, deterministic=True)[0] for each in (obs, blanked)]
        np.testing.assert_array_equal(*actions)

    def test_a_saved_model_knows_its_crop(self, tmp_path):
        model = small(RAD, crop=28).learn(12)
        model.save(tmp_path / "model")
        loaded = RAD.load(tmp_path / "model", env=Bandit())
        assert loaded.random_crop.size == loaded.critic.features_extractor.crop == 28
        obs = Bandit().reset(seed=0)[0]
        np.testing.assert_array_equal(
            model.predict(obs, deterministic=True)[0], loaded.predict(obs, deterministic=True)[0]
        )


class TestSettings:
    def test_without_a_size_the_papers_share_of_the_picture_remains(self):
        assert small(RAD, crop=None).random_crop.size == round(0.84 * SIDE) == 30

    def test_a_crop_larger_than_the_pictures_is_refused_with_what_to_do(self):
        with pytest.raises(ValueError, match=r"84 x 84 does not fit.*36 x 36.*draw them larger"):
            small(RAD, crop=84)

    def test_the_papers_draw_at_100_and_crop_to_84(self):
        for name in ("rad", "curl", "soda", "pad"):
            preset = load_preset(name, "distraction_gym/dmcgb-walker_walk-clean-v0")
            assert (preset["env_kwargs"], preset["crop"]) == ({"image_size": 100}, 84)
            preset = load_preset(name, "distraction_gym/mini-reach-clean-v0")
            assert round(0.84 * preset["env_kwargs"]["image_size"]) == preset["crop"] == 36

    def test_a_run_trains_and_is_measured_at_the_size_of_its_preset(self):
        config = configure("rad", "mini-reach-clean-v0", steps=10)
        env = make_training_env(config)
        assert env.observation_space.shape == (3, 43, 43)
        model = RAD("CnnPolicy", env, **{**SMALL, "crop": config.hyperparameters["crop"]})
        assert evaluate(model, config, "clean", episodes=1).env_kwargs == {"image_size": 43}
