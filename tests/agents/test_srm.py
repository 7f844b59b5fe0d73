"""SRM: which pictures are filtered, for whom; its parent at probability 0; RL-ViGen's form."""

import json

import numpy as np
import pytest
import torch
from pictures import Bandit, drift, in_float64, moved, random_batch, small, weights
from stable_baselines3.common.evaluation import evaluate_policy

from distraction_gym.agents import SRM, SVEA, DrQ
from distraction_gym.agents.common.augmentations import Overlay, RandomConv, SpectrumMask


def invert(obs):
    """Stand in for the filter with something that is easily told."""
    return 255 - obs


class TestAugmentation:
    def test_observations_are_filtered_after_the_shift_and_next_ones_only_shifted(self):
        model, batch = small(SRM), random_batch()
        order = []
        model._shift = lambda obs, pad: order.append(pad) or obs + 1
        model.spectrum_mask = lambda obs: order.append("mask") or 2 * obs
        obs, next_obs = model.augment_batch(batch.obs, batch.next_obs)
        assert order == [4, 4, "mask"]
        torch.testing.assert_close(obs, 2 * (batch.obs + 1))
        torch.testing.assert_close(next_obs, batch.next_obs + 1)

    def test_critic_and_actor_see_the_same_filtered_pictures(self):
        model = small(SRM, learning_starts=100).learn(20)
        model.spectrum_mask = invert
        seen = []
        model.encode_inputs = lambda obs: seen.append(obs.detach().clone()) or obs
        model._n_updates = 1  # the next one moves the actor too
        batch = model._sample(8)
        assert batch.obs.mean() > 128 > batch.next_obs.mean()  # the bandit's pictures are dark
        model._update(batch)
        target, critic, actor = seen
        assert torch.equal(target, batch.next_obs)
        assert torch.equal(critic, batch.obs) and torch.equal(actor, batch.obs)

    def test_half_of_the_batches_are_left_alone(self):
        model, batch = small(SRM, shift=0, shift_next=0), random_batch()
        torch.manual_seed(0)
        same = [
            torch.equal(model.augment_batch(batch.obs, batch.next_obs)[0], batch.obs)
            for _ in range(400)
        ]
        assert 160 < sum(same) < 240

    def test_it_acts_on_pictures_as_they_are(self):
        model = small(SRM)
        model.spectrum_mask = None  # calling it would fail
        assert model.predict(Bandit().reset(seed=0)[0])[0].shape == (1,)

    def test_a_wrong_probability_is_refused_at_once(self):
        with pytest.raises(ValueError, match="probability"):
            small(SRM, srm_probability=1.5)


class TestLosses:
    def test_the_critics_loss_is_one_td_term(self):
        model, batch = small(SRM), random_batch()
        drift(model.critic_target)
        torch.manual_seed(2)
        found = model.critic_loss(batch)
        torch.manual_seed(2)
        target = model.td_target(batch)
        critic, exact = model.critic.double(), in_float64(batch)
        heads = critic.read(critic.features_extractor(exact.obs / 255), exact.action)
        slow = sum(
            0.5 * (q - t).pow(2).item() for h in heads for q, t in zip(h, target, strict=True)
        )
        assert found.item() == pytest.approx(slow / 6, rel=1e-5)

    def test_without_masks_it_is_drq_weight_for_weight(self):
        parent = small(DrQ).learn(60)
        model = small(SRM, srm_probability=0.0).learn(60)
        assert model._n_updates == parent._n_updates == 50
        for name, state in parent.policy.state_dict().items():
            assert torch.equal(state, model.policy.state_dict()[name]), name

    def test_with_masks_it_is_not(self):
        parent = small(DrQ).learn(60)
        model = small(SRM, srm_probability=1.0).learn(60)
        assert moved(model.critic, weights(parent.critic))


class TestFiles:
    def test_its_probability_is_saved(self, tmp_path):
        small(SRM, srm_probability=0.25).save(tmp_path / "model")
        loaded = SRM.load(tmp_path / "model", env=Bandit())
        assert loaded.srm_probability == loaded.spectrum_mask.probability == 0.25


class TestSVEAWithAList:
    AUGMENT = ("overlay", {"kind": "spectrum_mask", "probability": 1.0})

    def test_the_mask_falls_on_the_overlay(self):
        model = small(SVEA, augment=list(self.AUGMENT), overlay_alpha=0.25)
        overlay, mask = model.augmentation.parts
        assert isinstance(overlay, Overlay) and overlay.alpha == 0.25
        assert isinstance(mask, SpectrumMask) and mask.probability == 1.0

    def test_the_list_is_plain_data_and_survives_a_file(self, tmp_path):
        augment = ["random_conv", *self.AUGMENT[1:]]
        assert json.loads(json.dumps(augment)) == augment
        model = small(SVEA, augment=augment).learn(14)
        model.save(tmp_path / "model")
        loaded = SVEA.load(tmp_path / "model", env=Bandit())
        assert loaded.augment == augment
        assert [type(part) for part in loaded.augmentation.parts] == [RandomConv, SpectrumMask]

    def test_a_list_of_one_learns_as_its_name_does(self):
        by_name = small(SVEA, augment="random_conv").learn(40)
        by_list = small(SVEA, augment=[{"kind": "random_conv"}]).learn(40)
        assert not moved(by_list.critic, weights(by_name.critic))

    def test_parts_that_change_the_size_show_before_the_first_step(self):
        model = small(SVEA, augment=["random_conv", {"kind": "random_crop", "size": 30}])
        with pytest.raises(ValueError, match=r"makes pictures \(3, 30, 30\) of \(3, 36, 36\)"):
            model.learn(20)
        assert model.num_timesteps == 0

    def test_pictures_too_small_for_a_part_show_before_the_first_step(self):
        model = small(SVEA, augment=["random_conv", {"kind": "cutout", "largest": 60}])
        with pytest.raises(ValueError, match="lower largest"):
            model.learn(20)
        assert model.num_timesteps == 0


@pytest.mark.slow
def test_it_learns_although_every_batch_is_filtered():
    settings = {"batch_size": 32, "buffer_size": 5000, "gamma": 0.0, "ent_coef_lr": 1e-3}
    model = small(SRM, srm_probability=1.0, shift=0, **settings).learn(600)
    reward = evaluate_policy(model, model.get_env(), 60, warn=False)[0]
    random_policy = 1 - 2 / 3  # the mean distance of two uniform points on [-1, 1] is 2/3
    assert np.isfinite(reward) and reward > random_policy + 0.35
