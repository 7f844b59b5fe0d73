"""SVEA's two halves and MaDi's masks (acceptance checks of the papers' specification)."""

import numpy as np
import pytest
import torch
from pictures import Bandit, equal_updates, moved, random_batch, small, weights

from distraction_gym.agents import SAC, SVEA, DrQ, MaDi
from distraction_gym.agents.madi import Masker


def same_networks(source, *models):
    """Give the models the weights of the first."""
    for model in models:
        model.policy.load_state_dict(source.policy.state_dict())


class TestSVEA:
    @pytest.mark.parametrize(("alpha", "beta"), [(0.5, 0.5), (0.7, 0.3)])
    def test_the_loss_weighs_a_clean_and_an_augmented_half(self, alpha, beta):
        model = small(SVEA, svea_alpha=alpha, svea_beta=beta)
        model.augmentation = lambda obs: 255 - obs
        batch = random_batch()
        torch.manual_seed(2)
        target = model.td_target(batch)
        clean = model.q_error(batch.obs, batch.action, target)
        augmented = model.q_error(255 - batch.obs, batch.action, target)
        torch.manual_seed(2)
        found = model.critic_loss(batch)
        torch.testing.assert_close(found, alpha * clean + beta * augmented)

    @pytest.mark.parametrize("cls", [SVEA, MaDi])
    def test_without_augmentation_it_is_the_plain_critic_loss(self, cls):
        plain, model = small(SAC), small(cls)
        same_networks(plain, model)
        model.augmentation = lambda obs: obs
        if cls is MaDi:  # a mask of one everywhere
            model.encode_inputs = lambda obs: obs
        losses = []
        for agent in (plain, model):
            torch.manual_seed(4)
            losses.append(agent.critic_loss(random_batch()))
        torch.testing.assert_close(losses[0], losses[1])

    def test_with_no_weight_on_the_augmented_half_it_is_drq_weight_for_weight(self):
        equal_updates(small(SVEA, svea_alpha=1.0, svea_beta=0.0), small(DrQ))

    def test_madi_with_masks_of_one_is_svea_weight_for_weight(self):
        model = small(MaDi)
        model.masks = lambda obs: torch.ones_like(obs[:, ::3])
        equal_updates(model, small(SVEA))

    def test_the_strong_augmentation_falls_on_the_shifted_observation(self):
        model = small(SVEA)
        seen = []
        model.augmentation = lambda obs: seen.append(obs.clone()) or obs
        batch = random_batch()
        model.critic_loss(batch)
        torch.testing.assert_close(seen[0], batch.obs)

    def test_the_actor_never_sees_the_strong_augmentation(self):
        model = small(SVEA)
        model.augmentation = None  # calling it would fail
        model._update_actor(random_batch(), torch.randn(6, 1))


class TestMasker:
    def test_it_has_the_papers_parameters(self):
        assert sum(p.numel() for p in Masker().parameters()) == 10_433

    def test_masks_start_near_a_half_and_stay_open(self):
        torch.manual_seed(0)
        masks = Masker()(255 * torch.rand(6, 3, 84, 84))
        assert masks.shape == (6, 1, 84, 84)
        assert masks.min() > 0 and masks.max() < 1
        assert abs(masks.mean().item() - 0.5) < 0.2

    def test_its_input_is_normalised_inside(self):
        frames = 255 * torch.rand(2, 3, 20, 20)
        masker = Masker()
        expected = torch.sigmoid(masker.convolutions(frames / 255))
        torch.testing.assert_close(masker(frames), expected)

    def test_fewer_than_two_layers_are_refused(self):
        with pytest.raises(ValueError, match="at least 2"):
            Masker(layers=1)


class TestMaDi:
    def test_a_stack_is_masked_frame_by_frame(self):
        model = small(MaDi, stack=3)
        obs = random_batch(stack=3).obs
        masked = model.encode_inputs(obs)
        for k in range(3):
            frame = obs[:, 3 * k : 3 * k + 3]
            mask = model.extras["masker"](frame)
            torch.testing.assert_close(masked[:, 3 * k : 3 * k + 3], mask * frame)
            torch.testing.assert_close(model.masks(obs)[:, k], mask[:, 0])

    def test_augmentation_comes_before_the_mask(self):
        model = small(MaDi)
        order = []
        masks, model.augmentation = model.masks, lambda obs: order.append("augment") or obs
        model.masks = lambda obs: order.append("mask") or masks(obs)
        model.critic_loss(random_batch())
        assert order == ["mask", "augment", "mask"]  # the target's; then augmentation, then both

    def test_each_picture_of_an_update_is_masked_once(self):
        model = small(MaDi, stack=3)
        passes = []
        masker = model.extras["masker"]
        masker.register_forward_pre_hook(lambda _, args: passes.append(args[0].clone()))
        model.critic_loss(random_batch(stack=3))
        assert [len(frames) for frames in passes] == [6 * 3, 2 * 6 * 3]
        every = torch.cat(passes).flatten(1)
        assert len(every.unique(dim=0)) == len(every)

    def test_the_actors_pass_asks_no_gradient_of_the_masker(self):
        model = small(MaDi)
        before = weights(model.extras)
        model._update_actor(random_batch(), torch.randn(6, 1))
        assert not moved(model.extras, before)
        assert all(p.grad is None for p in model.extras.parameters())

    def test_it_acts_on_masked_pictures(self):
        model = small(MaDi)
        obs = random_batch().obs.byte()
        masked = model.encode_inputs(obs.float())
        mean, _ = model.actor.read(model.policy.encode(masked))
        action, _ = model.predict(obs.numpy(), deterministic=True)
        np.testing.assert_allclose(action, torch.tanh(mean).detach().numpy(), atol=1e-6)

    def test_the_masker_has_an_optimizer_and_a_rate_of_its_own(self):
        model = small(MaDi, masker_lr=0.123)
        (group,) = model.extra_optimizer.param_groups
        assert group["lr"] == 0.123
        assert {id(p) for p in group["params"]} == {id(p) for p in model.extras.parameters()}

    def test_explain_gives_the_newest_frames_mask(self):
        model = small(MaDi, stack=3)
        obs = random_batch(stack=3).obs
        torch.testing.assert_close(model.explain(obs.byte()), model.masks(obs.byte().float())[:, 2])

    def test_the_masker_is_saved(self, tmp_path):
        model = small(MaDi).learn(14)
        model.save(tmp_path / "model")
        loaded = MaDi.load(tmp_path / "model", env=Bandit())
        assert not moved(loaded.extras, weights(model.extras))
