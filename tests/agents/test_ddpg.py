"""The DrQ-v2 family: targets without entropy, no target trunk, scheduled noise."""

import numpy as np
import pytest
import torch
from gymnasium import spaces
from pictures import Bandit, drift, in_float64, random_batch, small

from distraction_gym.agents import SVEA, DrQv2
from distraction_gym.agents.common.ddpg_policy import VisualDDPGPolicy
from distraction_gym.agents.common.encoders import DrQv2Encoder
from distraction_gym.agents.common.visual_ddpg import VisualDDPG


def count(module):
    return sum(p.numel() for p in module.parameters())


class TestNetworks:
    def test_sizes_are_the_papers(self):
        pictures = spaces.Box(0, 255, (9, 84, 84), np.uint8)
        policy = VisualDDPGPolicy(pictures, spaces.Box(-1, 1, (6,), np.float32), lambda _: 1e-4)
        trunk = policy.critic.features_extractor
        assert trunk.features_dim == 32 * 35 * 35
        assert count(trunk) == 9 * 32 * 9 + 32 + 3 * (32 * 32 * 9 + 32)
        assert count(policy.critic.projection) == 39_200 * 50 + 50 + 2 * 50
        layers = [(50, 1024), (1024, 1024), (1024, 6)]
        assert count(policy.actor.mu) == sum(a * b + b for a, b in layers)

    def test_pictures_are_centred_and_the_last_layer_has_a_relu(self):
        encoder = DrQv2Encoder(spaces.Box(0, 255, (3, 36, 36), np.uint8))
        out = encoder(torch.full((1, 3, 36, 36), 0.5))
        assert not out.any()  # biases start at 0
        assert (encoder(torch.rand(2, 3, 36, 36)) >= 0).all()

    def test_kernels_start_orthogonal_as_a_whole(self):
        encoder = DrQv2Encoder(spaces.Box(0, 255, (3, 36, 36), np.uint8))
        flat = encoder.convolutions[2].weight.detach().flatten(1)
        torch.testing.assert_close(flat @ flat.T, 2 * torch.eye(32), atol=1e-5, rtol=0)

    def test_the_target_reads_the_online_trunk(self):
        model = small(DrQv2)
        assert model.critic_target.features_extractor is model.critic.features_extractor
        assert model.actor.features_extractor is model.critic.features_extractor
        assert model.critic_target.projection is not model.critic.projection
        held = {id(p) for g in model.actor.optimizer.param_groups for p in g["params"]}
        assert not held & {id(p) for p in model.critic.features_extractor.parameters()}

    def test_the_target_moves_by_tau(self):
        model = small(DrQv2, tau=0.25)
        drift(model.critic.q_networks[0])
        source, follower = (c.q_networks[0][0].weight for c in (model.critic, model.critic_target))
        expected = 0.25 * source.detach() + 0.75 * follower.detach()
        model._update_target()
        torch.testing.assert_close(follower, expected)


class TestLosses:
    def test_the_critics_loss_equals_a_slow_reference_in_float64(self):
        model, batch = small(DrQv2), random_batch()
        drift(model.critic_target.projection)
        drift(model.critic_target.q_networks[1])
        model.actor.std.fill_(0.4)
        torch.manual_seed(5)
        found = model.critic_loss(batch).item()
        torch.manual_seed(5)
        noise = torch.normal(torch.zeros(6, 1), 1.0).double()
        model.policy.double()
        exact = in_float64(batch)
        errors = [self.slow_error(model.policy, exact, row, noise[row]) for row in range(6)]
        assert found == pytest.approx(np.mean(errors), rel=1e-5)

    @staticmethod
    def slow_error(policy, batch, row, noise):
        actor, critic, target = policy.actor, policy.critic, policy.critic_target
        one = slice(row, row + 1)
        trunk = critic.features_extractor
        features = trunk(batch.next_obs[one] / 255)
        mean = torch.tanh(actor.mu[:-1](actor.projection(features)))
        action = torch.clip(mean + torch.clip(0.4 * noise, -0.3, 0.3), -1 + 1e-6, 1 - 1e-6)
        joined = torch.cat([target.projection(features), action], 1)
        value = min(head(joined).item() for head in target.q_networks)
        goal = batch.reward[row].item() + batch.discount[row].item() * value
        seen = torch.cat([critic.projection(trunk(batch.obs[one] / 255)), batch.action[one]], 1)
        return sum(0.5 * (head(seen).item() - goal) ** 2 for head in critic.q_networks)

    def test_the_actor_climbs_the_smaller_q_value(self):
        model, batch = small(DrQv2), random_batch()
        model.actor.std.fill_(0.0)
        loss, _ = model.actor_loss(batch, torch.zeros(6, 1))
        with torch.no_grad():
            features = model.policy.encode(batch.obs)
            heads = model.policy.q_values(features, model.actor.read(features))
        torch.testing.assert_close(loss, -heads.min(1).values.mean())

    def test_mixed_with_svea_it_has_sveas_loss_on_this_base(self):
        class SVEAv2(SVEA, VisualDDPG):
            """As RL-ViGen builds it."""

        model = SVEAv2("CnnPolicy", Bandit(), augment="random_conv", buffer_size=50, batch_size=8)
        model.augmentation = lambda obs: obs
        batch = random_batch()
        torch.manual_seed(1)
        both = model.critic_loss(batch)
        torch.manual_seed(1)
        torch.testing.assert_close(both, VisualDDPG.critic_loss(model, batch))


class TestNoise:
    def test_it_falls_in_a_line_over_agent_steps(self):
        model = small(DrQv2, noise_steps=100)
        found = []
        for step in (0, 50, 100, 1000):
            model.num_timesteps = step
            found.append(model.noise())
        assert found == pytest.approx([1.0, 0.55, 0.1, 0.1])

    def test_acting_follows_the_schedule_and_a_saved_model_remembers(self, tmp_path):
        model = small(DrQv2, noise_steps=20)
        model.learn(15)
        assert model.actor.std.item() == pytest.approx(1 - 0.9 * 15 / 20)
        model.save(tmp_path / "m")
        assert DrQv2.load(tmp_path / "m").actor.std.item() == model.actor.std.item()

    def test_it_is_clipped_in_updates_and_not_in_acting(self):
        model = small(DrQv2)
        model.actor.std.fill_(5.0)
        encoded = model.policy.encode(random_batch().obs)
        mean = model.actor.read(encoded)
        action, log_prob = model.policy.act(encoded, torch.tensor([[1.0], [-1.0]] * 3))
        torch.testing.assert_close(action - mean, torch.tensor([[0.3], [-0.3]] * 3))
        assert not log_prob.any()
        acted = torch.cat([model.actor(random_batch().obs, deterministic=False) for _ in range(9)])
        assert (acted.abs() > 0.9).float().mean() > 0.5
        assert acted.abs().max() < 1

    def test_the_clamp_lets_gradients_through(self):
        model = small(DrQv2)
        with torch.no_grad():
            model.actor.mu[-2].bias.fill_(2.0)  # tanh(2) = 0.96: any noise upwards is clamped
        model.actor.std.fill_(1.0)
        action, _ = model.policy.act(model.policy.encode(random_batch().obs), torch.ones(6, 1))
        assert action.max() < 1
        action.sum().backward()
        assert model.actor.mu[-2].bias.grad.item() > 0

    def test_without_noise_it_is_deterministic(self):
        model = small(DrQv2)
        obs = random_batch().obs.byte().numpy()
        first, second = (model.predict(obs, deterministic=True)[0] for _ in range(2))
        assert np.array_equal(first, second)


def test_one_update_every_second_step():
    model = small(DrQv2, train_freq=2, learning_starts=10)
    model.learn(30)
    assert model._n_updates == 10  # none after the 10th step, then 12, 14, ... 30


def test_returns_over_three_steps_are_its_default():
    model = DrQv2("CnnPolicy", Bandit(), buffer_size=300)
    assert (model.replay_buffer.n_steps, model.replay_buffer.gamma) == (3, 0.99)
