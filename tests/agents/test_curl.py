"""CURL: the contrastive loss, who makes queries and keys, and RAD where it learns at rate 0."""

import copy
import math

import pytest
import torch
from pictures import SIDE, drift, equal_updates, random_batch, scenes, small

from distraction_gym.agents import CURL, RAD
from distraction_gym.agents.common.presets import load_preset
from distraction_gym.agents.curl import BilinearLogits


def slow_loss(model, obs, positive) -> float:
    """Write the loss out, one query and one key at a time, in float64."""
    policy = copy.deepcopy(model.policy.critic).double()
    target = copy.deepcopy(model.policy.critic_target).double()
    weight = model.extras["logits"].weight.detach().double()
    total = 0.0
    for i in range(len(obs)):
        query = policy.projection(policy.features_extractor(obs[i : i + 1].double() / 255))[0]
        scores = []
        for j in range(len(obs)):
            picture = positive[j : j + 1].double() / 255
            key = target.projection(target.features_extractor(picture))[0]
            scores.append(
                sum(query[a].item() * (weight[a] * key).sum().item() for a in range(len(query)))
            )
        total -= scores[i] - math.log(sum(math.exp(score) for score in scores))
    return total / len(obs)


class TestLoss:
    def test_it_equals_a_slow_reference_in_float64(self):
        model = small(CURL)
        drift(model.critic_target)
        obs, positive = random_batch(size=4).obs, random_batch(size=4, seed=1).obs
        found = model.contrast(obs, positive)
        assert found.item() == pytest.approx(slow_loss(model, obs, positive), rel=1e-5)

    def test_the_weights_start_uniform_on_0_to_1_and_rows_end_at_0(self):
        torch.manual_seed(0)
        comparison = BilinearLogits(100)
        weight = comparison.weight.detach()
        assert 0.0 <= weight.min() < 0.01 and 0.99 < weight.max() < 1.0
        assert weight.mean().item() == pytest.approx(0.5, abs=0.01)
        logits = comparison(torch.randn(7, 100), torch.randn(7, 100))
        assert torch.equal(logits.max(dim=1).values, torch.zeros(7))

    def test_queries_are_reinforcement_learnings_crops_and_keys_second_ones_of_the_same(self):
        model, seen = small(CURL), []
        model.contrast = lambda obs, positive: seen.append((obs, positive)) or obs.sum()
        batch = random_batch(size=40)._replace(raw=random_batch(size=40).obs.byte())
        model.auxiliary_losses(batch)
        obs, positive = seen[0]
        assert obs is batch.obs
        side = model.random_crop.size
        windows = [
            batch.raw[..., y : y + side, x : x + side].float()
            for y in range(SIDE - side)
            for x in range(SIDE - side)
        ]
        hits = torch.stack([(w == positive).flatten(1).all(dim=1) for w in windows])
        assert hits.any(dim=0).all() and hits.any(dim=1).sum() > 3

    def test_keys_come_from_the_target_and_teach_it_nothing(self):
        model = small(CURL)
        obs, positive = random_batch().obs, random_batch(seed=1).obs
        before = model.contrast(obs, positive)
        before.backward()
        assert all(p.grad is None for p in model.critic_target.parameters())
        assert all(p.grad is not None for p in model.critic.encoder_parameters())
        assert all(p.grad is None for p in model.critic.q_networks[0].parameters())
        drift(model.critic_target)
        assert not torch.equal(before, model.contrast(obs, positive))

    def test_it_learns_to_tell_crops_apart(self):
        model, losses = small(CURL), []
        batch = random_batch(size=8)._replace(obs=scenes(8), raw=scenes(8).byte())
        for _ in range(150):
            losses.append(model._update_auxiliary(batch)["curl_loss"].item())
        assert losses[-1] < 0.5 * losses[0]


class TestSettings:
    def test_at_rate_0_it_is_rad_weight_for_weight(self):
        equal_updates(small(CURL, aux_lr=0.0), small(RAD))

    def test_the_papers_rate_and_interval(self):
        model = small(CURL)
        assert (model.aux_lr, model.aux_update_interval) == (1e-3, 2)
        preset = load_preset("curl", "distraction_gym/dmcgb-walker_walk-clean-v0")
        assert preset["aux_update_interval"] == 1  # the released script's

    def test_the_share_of_right_answers_is_logged(self):
        model = small(CURL).learn(14)
        assert 0 <= model.logger.name_to_value["train/curl_accuracy"] <= 1
