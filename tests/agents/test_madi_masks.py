"""Soft, hard and mixed masks, what they learn from, and MaDi beside its parent."""

import copy
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from pictures import moved, random_batch, small, weights

from distraction_gym.agents import SVEA, MaDi
from distraction_gym.agents.common.visual_sac import VisualSAC
from distraction_gym.agents.madi.thresholds import THRESHOLDS, binarize
from distraction_gym.errors import UnknownName


def opened(model):
    """Make a Masker let everything through: 1 exactly, so that its gradient is 0."""
    with torch.no_grad():
        model.extras["masker"].convolutions[-1].bias.fill_(50.0)


class TestThresholds:
    MASKS = torch.rand(3, 2, 7, 5, generator=torch.Generator().manual_seed(0))

    def test_fix_compares_with_the_threshold(self):
        found = binarize(self.MASKS, "fix", 0.7)
        assert found.flatten().tolist() == [float(m > 0.7) for m in self.MASKS.flatten()]

    def test_avg_compares_with_the_mean_over_the_whole_batch(self):
        masks = self.MASKS.clone()
        masks[0] += 5  # so that a mean per sample would say something else
        mean = np.mean(masks.double().numpy())
        found = binarize(masks, "avg", 0.5)
        assert found.flatten().tolist() == [float(m > mean) for m in masks.flatten()]
        assert found[0].all() and not found[1:].any()

    @pytest.mark.parametrize("share", [0.01, 0.1, 0.33, 0.5, 0.9, 1.0])
    def test_quantile_keeps_a_share_of_the_whole_batch(self, share):
        values = sorted(self.MASKS.flatten().tolist())
        k = int((1 - share) * len(values)) + 1  # counted from 1, as torch.kthvalue does
        found = binarize(self.MASKS, "quantile", share)
        assert found.flatten().tolist() == [float(m > values[k - 1]) for m in self.MASKS.flatten()]
        assert found.sum() == len(values) - k

    @pytest.mark.parametrize("mode", THRESHOLDS)
    def test_they_are_strict(self, mode):
        """An even mask, which every mode compares with itself, is shut everywhere."""
        assert not binarize(torch.full((2, 1, 4, 4), 0.5), mode, 0.5).any()

    @pytest.mark.parametrize("mode", THRESHOLDS)
    def test_shape_and_dtype_stay_and_no_gradient_passes(self, mode):
        masks = self.MASKS.double().requires_grad_()
        found = binarize(masks, mode, 0.5)
        assert (found.shape, found.dtype) == (masks.shape, masks.dtype)
        assert not found.requires_grad
        assert set(found.unique().tolist()) == {0.0, 1.0}

    @pytest.mark.parametrize(
        ("wrong", "error", "said"),
        [
            ({"mask_type": "firm"}, UnknownName, "mask type 'firm'.*hard, mixed, soft"),
            ({"threshold_mode": "average"}, UnknownName, "Did you mean 'avg'"),
            ({"mask_threshold": 0.0}, ValueError, r"in \(0, 1\], got 0"),
        ],
    )
    def test_wrong_settings_are_named(self, wrong, error, said):
        with pytest.raises(error, match=said):
            small(MaDi, **wrong)


class Seen:
    """Records which values of an even picture of 200 reach the trunk, in float."""

    def __init__(self, model):
        model.critic.features_extractor.register_forward_pre_hook(self.keep)
        self.values = []

    def keep(self, module, args):
        self.values.append(255 * args[0].detach())

    def hard(self):
        """Return whether every picture since the last call was masked by 0 and 1 alone."""
        values, self.values = torch.cat([v.flatten() for v in self.values]), []
        whole = (values / 200).round() * 200
        return bool(torch.isclose(values, whole, atol=1e-3).all())


def even(batch):
    """Return a batch whose pictures are all 200."""
    return batch._replace(
        **{k: torch.full_like(getattr(batch, k), 200) for k in ("obs", "next_obs")}
    )


class TestTypes:
    def test_soft_masks_are_the_default(self):
        model = small(MaDi)
        obs = random_batch().obs
        assert model.mask_type == "soft"
        torch.testing.assert_close(model.encode_inputs(obs), model.masks(obs) * obs)

    def test_hard_masks_apply_everywhere_and_teach_the_masker_nothing(self):
        model = small(MaDi, mask_type="hard")
        model.augmentation = lambda obs: obs
        seen, before = Seen(model), weights(model.extras)
        model._update_critic(even(random_batch()))
        assert seen.hard()
        assert not moved(model.extras, before)
        model.predict(np.full((1, 3, 36, 36), 200, np.uint8))
        assert seen.hard()
        assert model.masks(random_batch().obs).unique().numel() > 2  # `masks` stay soft
        assert set(model.explain(random_batch().obs).unique().tolist()) <= {0.0, 1.0}

    def test_mixed_masks_are_soft_while_learning_and_hard_outside(self):
        model = small(MaDi, mask_type="mixed")
        seen, before = Seen(model), weights(model.extras)
        env = model.get_env().envs[0].unwrapped
        env._draw = lambda: np.full((3, 36, 36), 200, np.uint8)
        env.column = 0.0
        model.learn(14)
        assert not seen.hard()
        assert moved(model.extras, before)
        model.predict(np.full((1, 3, 36, 36), 200, np.uint8), deterministic=False)
        assert seen.hard()
        assert set(model.explain(random_batch().obs).unique().tolist()) <= {0.0, 1.0}

    def test_actions_for_the_replay_buffer_are_a_part_of_learning(self):
        model = small(MaDi, mask_type="mixed")
        model._last_obs = np.full((1, 3, 36, 36), 200, np.uint8)
        seen = Seen(model)
        model._sample_action(learning_starts=0)
        assert seen.values and not seen.hard()

    def test_a_failed_update_does_not_leave_it_learning(self):
        model = small(MaDi, mask_type="mixed").learn(14)
        model.critic_loss = None  # calling it fails
        with pytest.raises(TypeError):
            model.train(1, batch_size=2)
        assert not model._learns

    @pytest.mark.parametrize("mask_type", ["hard", "mixed"])
    def test_they_are_saved(self, mask_type, tmp_path):
        model = small(MaDi, mask_type=mask_type, threshold_mode="quantile", mask_threshold=0.25)
        model.learn(14)
        model.save(tmp_path / "model")
        loaded = MaDi.load(tmp_path / "model")
        obs = random_batch().obs
        torch.testing.assert_close(loaded.explain(obs), model.explain(obs))
        assert loaded.explain(obs).mean() < 0.3


class TestLosses:
    def test_the_critics_loss_equals_a_slow_reference_in_float64(self):
        model, batch = small(MaDi, stack=2), random_batch(stack=2)
        model.augmentation = lambda obs: 255 - obs
        target = model.td_target(batch)
        model.td_target = lambda batch: target
        found = model.critic_loss(batch)
        critic, masker = (copy.deepcopy(m).double() for m in (model.critic, model.extras["masker"]))
        obs, action = batch.obs.double(), batch.action.double()
        total = 0.0
        for i in range(6):
            for picture in (obs[i], 255 - obs[i]):
                q_values = _slow_q_values(critic, masker, picture, action[i])
                total += sum((q - target[i].item()) ** 2 for q in q_values)
        # The mean of two halves of six, and Stable-Baselines3's half.
        assert found.item() == pytest.approx(0.5 * total / 12, rel=1e-5)

    def test_the_target_sees_masked_next_observations_and_no_augmentation(self):
        model, batch = small(MaDi), random_batch()
        found = []
        for augmentation in (torch.zeros_like, lambda obs: 255 - obs):
            model.augmentation = augmentation
            q_error, targets = model.q_error, []
            model.q_error = lambda o, a, y, q=q_error, seen=targets: seen.append(y) or q(o, a, y)
            torch.manual_seed(0)
            model.critic_loss(batch)
            model.q_error = q_error
            found += targets
        torch.testing.assert_close(*found, rtol=0, atol=0)
        torch.manual_seed(0)
        masked = batch._replace(next_obs=model.encode_inputs(batch.next_obs))
        torch.testing.assert_close(SVEA.td_target(_unmasked(model), masked), found[0][:6])

    def test_without_augmentation_it_is_the_plain_loss_of_masked_pictures(self):
        model, batch = small(MaDi), random_batch()
        model.augmentation = lambda obs: obs
        losses = []
        for loss in (model.critic_loss, lambda batch: VisualSAC.critic_loss(model, batch)):
            torch.manual_seed(1)
            losses.append(loss(batch))
        torch.testing.assert_close(*losses)

    def test_the_actors_step_moves_neither_masker_nor_trunk_and_the_critics_moves_both(self):
        model = small(MaDi)
        parts = [model.extras, model.critic.features_extractor]
        before = [weights(part) for part in parts]
        model._update_actor(random_batch(), torch.randn(6, 1))
        assert not any(moved(part, old) for part, old in zip(parts, before, strict=True))
        model._update_critic(random_batch())
        assert all(moved(part, old) for part, old in zip(parts, before, strict=True))

    def test_with_masks_of_one_it_is_svea_weight_for_weight(self):
        model, parent = small(MaDi), small(SVEA, shift_next=0)
        parent.policy.load_state_dict(model.policy.state_dict())
        opened(model)
        for agent in (model, parent):
            torch.manual_seed(3)
            for seed in range(6):
                agent._update(random_batch(seed=seed))
        assert not moved(model.policy, weights(parent.policy))


def _unmasked(model):
    """Return a view of a model that masks nothing."""
    twin = copy.copy(model)
    twin.encode_inputs = lambda obs: obs
    return twin


def _slow_q_values(critic, masker, picture, action):
    """Q values of one stacked picture, masked frame by frame and pixel by pixel."""
    masked = []
    for frame in picture.split(3):
        layer = frame / 255
        for index in (0, 2, 4):
            convolution = masker.convolutions[index]
            layer = _slow_convolution(layer, convolution.weight, convolution.bias)
            layer = layer.clamp(min=0) if index < 4 else layer
        mask = [[1 / (1 + math.exp(-x)) for x in row] for row in layer[0].tolist()]
        masked.append(frame * torch.tensor(mask).double())
    features = critic.features_extractor(torch.cat(masked)[None] / 255)
    return [q.item() for q in critic.read(features, action[None])]


def _slow_convolution(picture, weight, bias):
    """3x3, padding 1, written as nine shifted products."""
    height, width = picture.shape[1:]
    padded = F.pad(picture, (1, 1, 1, 1))
    total = bias[:, None, None].expand(-1, height, width).clone()
    for row in range(3):
        for column in range(3):
            part = padded[:, row : row + height, column : column + width]
            total += torch.einsum("oi,ihw->ohw", weight[:, :, row, column], part)
    return total.detach()
