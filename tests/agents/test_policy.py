"""The papers' networks: sizes, ranges, initial values."""

import numpy as np
import pytest
import torch
from gymnasium import spaces
from pictures import random_batch, small

from distraction_gym.agents import SAC
from distraction_gym.agents.common.encoders import PixelEncoder, Projection
from distraction_gym.agents.common.policy import LOG_STD_MAX, LOG_STD_MIN, VisualSACPolicy


def count(*modules):
    return sum(p.numel() for module in modules for p in module.parameters())


@pytest.fixture(scope="module")
def paper_policy():
    observations = spaces.Box(0, 255, (9, 84, 84), np.uint8)
    return VisualSACPolicy(observations, spaces.Box(-1, 1, (6,), np.float32), lambda _: 1e-3)


def test_parameter_counts_are_the_papers(paper_policy):
    trunk = paper_policy.critic.features_extractor
    assert count(trunk) == 95_104
    assert trunk.features_dim == 32 * 21 * 21
    assert count(paper_policy.critic.projection) == 1_411_500
    online = count(paper_policy.critic) + count(paper_policy.actor) - count(trunk)
    assert 6_350_000 < online < 6_450_000


def test_the_trunk_is_one_object_and_the_projections_are_two(paper_policy):
    actor, critic, target = paper_policy.actor, paper_policy.critic, paper_policy.critic_target
    assert actor.features_extractor is critic.features_extractor
    assert target.features_extractor is not critic.features_extractor
    assert actor.projection is not critic.projection


def test_the_actors_optimizer_does_not_hold_the_trunk(paper_policy):
    held = {id(p) for group in paper_policy.actor.optimizer.param_groups for p in group["params"]}
    assert not held & {id(p) for p in paper_policy.critic.features_extractor.parameters()}
    held = {id(p) for group in paper_policy.critic.optimizer.param_groups for p in group["params"]}
    assert held == {id(p) for p in paper_policy.critic.parameters()}


def test_convolutions_start_delta_orthogonal():
    encoder = PixelEncoder(spaces.Box(0, 255, (9, 36, 36), np.uint8), strides=[2, 1])
    weight = encoder.convolutions[2].weight.detach()
    centre = weight[:, :, 1, 1]
    torch.testing.assert_close(centre @ centre.T, 2 * torch.eye(32), atol=1e-5, rtol=0)
    weight[:, :, 1, 1] = 0
    assert not weight.any()


def test_no_relu_after_the_last_layer():
    encoder = PixelEncoder(spaces.Box(0, 255, (3, 36, 36), np.uint8), strides=[2, 1])
    assert (encoder(torch.rand(2, 3, 36, 36)) < 0).any()


def test_the_projection_ends_in_tanh():
    assert Projection(10, 4)(100 * torch.randn(5, 10)).abs().max() <= 1


def test_log_std_stays_in_the_papers_range():
    actor = small(SAC).actor
    with torch.no_grad():
        actor.log_std.weight.mul_(1e4)
    _, log_std = actor.read(1e3 * torch.randn(200, actor.projection[0].in_features))
    assert LOG_STD_MIN <= log_std.min() < -9.9
    assert 1.9 < log_std.max() <= LOG_STD_MAX


def test_log_probability_is_the_papers_formula():
    model = small(SAC)
    batch, noise = random_batch(), torch.randn(6, 1)
    encoded = model.policy.encode(batch.obs)
    action, log_prob = model.policy.act(encoded, noise)
    mean, log_std = model.actor.read(encoded)
    torch.testing.assert_close(action, torch.tanh(mean + noise * log_std.exp()))
    gaussian = -0.5 * noise**2 - log_std - 0.5 * np.log(2 * np.pi)
    slow = gaussian - torch.log(torch.relu(1 - action**2) + 1e-6)
    torch.testing.assert_close(log_prob, slow.sum(1, keepdim=True))


def test_the_deterministic_action_is_tanh_of_the_mean():
    model = small(SAC)
    obs = random_batch().obs.byte()
    mean, _ = model.actor.read(model.policy.encode(obs.float()))
    action, _ = model.predict(obs.numpy(), deterministic=True)
    np.testing.assert_allclose(action, torch.tanh(mean).detach().numpy(), atol=1e-6)
