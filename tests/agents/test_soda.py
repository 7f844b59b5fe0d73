"""SODA: its loss, its two views, its slow copy, and RAD where it learns at rate 0."""

import pytest
import torch
from pictures import SIDE, equal_updates, random_batch, scenes, small, weights

from distraction_gym.agents import RAD, SODA
from distraction_gym.agents.common.strong import StrongAugmentation
from distraction_gym.agents.soda import NormalizedMLP


def soda(**kwargs):
    """Build a small agent that draws its pictures from noise, not from a replay buffer."""
    model = small(SODA, **kwargs)
    model.sample_pictures = lambda size: random_batch(size=size, seed=3).obs
    return model


def slow_mlp(mlp: NormalizedMLP, vectors: torch.Tensor) -> torch.Tensor:
    """Write out linear, BatchNorm over the batch at hand, ReLU, linear."""
    first, norm, _, last = mlp.double()
    hidden = vectors @ first.weight.T + first.bias
    mean = hidden.mean(dim=0)
    variance = ((hidden - mean) ** 2).mean(dim=0)
    hidden = (hidden - mean) / (variance + 1e-5).sqrt() * norm.weight + norm.bias
    return hidden.clamp(min=0) @ last.weight.T + last.bias


def slow_loss(model, augmented, clean) -> float:
    trunk = model.critic.features_extractor.double()
    extras = model.extras
    made = slow_mlp(extras["projection"], trunk(augmented.double() / 255))
    made = slow_mlp(extras["predictor"], made)
    aim = extras["target_trunk"].double()(clean.double() / 255)
    aim = slow_mlp(extras["target_projection"], aim)
    total = 0.0
    for one, other in zip(made, aim, strict=True):
        difference = one / one.pow(2).sum().sqrt() - other / other.pow(2).sum().sqrt()
        total += difference.pow(2).sum().item()
    return total / made.numel()


class TestLoss:
    def test_it_equals_a_slow_reference_in_float64(self):
        model = soda()
        with torch.no_grad():
            for parameter in model.extras.parameters():
                parameter.add_(0.05 * torch.randn_like(parameter))
        augmented, clean = random_batch(size=8).obs, random_batch(size=8, seed=1).obs
        found = model.consistency(augmented, clean).item()
        assert found == pytest.approx(slow_loss(model, augmented, clean), rel=1e-4)

    def test_one_crop_is_augmented_after_cropping_and_another_of_the_same_is_not(self):
        model, seen = soda(soda_batch_size=30), []
        model.augmentation = lambda obs: seen.append(obs) or obs * 0 + 7.0
        model.consistency = lambda augmented, clean: seen.extend([augmented, clean])
        model.auxiliary_losses(random_batch())
        cropped, augmented, clean = seen
        side = model.random_crop.size
        assert cropped.shape == clean.shape == (30, 3, side, side)
        assert (augmented == 7.0).all()
        source = model.sample_pictures(30)
        windows = [
            source[..., y : y + side, x : x + side]
            for y in range(SIDE - side)
            for x in range(SIDE - side)
        ]
        found = []
        for crops in (cropped, clean):
            hits = torch.stack([(w == crops).flatten(1).all(dim=1) for w in windows])
            assert hits.any(dim=0).all()
            found.append(hits.float().argmax(dim=0))
        assert (found[0] != found[1]).any()

    def test_batchnorm_takes_the_batchs_statistics_in_evaluation_too(self):
        mlp, vectors = NormalizedMLP(5, 4), torch.randn(9, 5)
        assert torch.equal(mlp.train()(vectors), mlp.eval()(vectors))

    def test_reinforcement_learning_never_meets_the_augmentation(self):
        model = soda(aux_update_interval=100)

        def refuse(obs):
            raise AssertionError("augmented outside of the auxiliary loss")

        model.augmentation = refuse
        for seed in range(4):
            model._update(random_batch(seed=seed))

    def test_it_falls_when_it_is_trained(self):
        model = soda(soda_tau=0.0, aux_lr=3e-3)
        model.sample_pictures = scenes
        losses = [model._update_auxiliary(random_batch())["soda_loss"].item() for _ in range(80)]
        assert sum(losses[-10:]) < 0.6 * sum(losses[:10])


class TestSlowCopy:
    def test_it_starts_equal_and_the_trunk_stays_that_of_the_target_critic(self):
        model = soda()
        online, target = model.critic.features_extractor, model.critic_target.features_extractor
        # The official code builds the predictor after copying, and so draws the trunk anew.
        for other in (model.extras["target_trunk"], target):
            assert all(map(torch.equal, weights(online), weights(other)))

    def test_it_follows_trunk_and_projection_after_each_step(self):
        model = soda(soda_tau=0.25)
        pairs = [
            (model.critic.features_extractor, model.extras["target_trunk"]),
            (model.extras["projection"], model.extras["target_projection"]),
        ]
        before = [weights(target) for _, target in pairs]
        model._update_auxiliary(random_batch())
        for (online, target), old in zip(pairs, before, strict=True):
            for source, follower, was in zip(weights(online), weights(target), old, strict=True):
                torch.testing.assert_close(follower, 0.75 * was + 0.25 * source)

    def test_no_gradient_reaches_it(self):
        model = soda()
        model.auxiliary_losses(random_batch())["soda_loss"].backward()
        for name in ("target_trunk", "target_projection"):
            assert all(p.grad is None for p in model.extras[name].parameters())


class TestSettings:
    def test_at_rate_0_it_is_rad_weight_for_weight(self):
        equal_updates(soda(aux_lr=0.0), small(RAD))

    def test_the_papers_numbers(self):
        model = small(SODA, soda_batch_size=256)
        assert (model.aux_lr, model.soda_tau, model.aux_update_interval) == (3e-4, 0.005, 2)
        defaults = SODA.__init__.__kwdefaults__
        assert defaults["soda_batch_size"] == 256

    def test_overlay_is_the_default_and_its_pictures_are_as_large_as_crops(self):
        assert StrongAugmentation.__init__.__kwdefaults__["augment"] == "overlay"
        model, shapes = small(SODA), set()
        model.augmentation = lambda obs, generator=None: shapes.add(obs.shape[1:]) or obs
        model.learn(14)  # pictures are looked for at once, and laid over crops later
        assert shapes == {(3, model.random_crop.size, model.random_crop.size)}

    def test_its_batch_is_drawn_anew_and_whole(self):
        model = small(SODA).learn(12)
        pictures = model.sample_pictures(5)
        assert pictures.shape == (5, 3, SIDE, SIDE) and pictures.dtype == torch.float32
