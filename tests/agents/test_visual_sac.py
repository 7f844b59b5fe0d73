"""The loop: equal to SB3's where nothing is changed, and the papers' subtleties where it is."""

import copy
import math

import numpy as np
import pytest
import stable_baselines3
import torch
import torch.nn.functional as F
from gymnasium import spaces
from pictures import OWN, Bandit, drift, in_float64, moved, random_batch, small, weights
from stable_baselines3.common.buffers import ReplayBuffer
from stable_baselines3.common.callbacks import EvalCallback
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.evaluation import evaluate_policy

from distraction_gym.agents import PIEG, SAC, SRM, SVEA, DrQv2, MaDi
from distraction_gym.agents.common.visual_sac import Batch, VisualSAC
from distraction_gym.errors import CheckpointError, UnsupportedEnvironment

AGENTS = list(OWN)


def bandit_learns(cls, updates, **kwargs):
    """Train on the bandit and return the mean reward of the deterministic policy."""
    model = small(cls, batch_size=32, buffer_size=5000, gamma=0.0, ent_coef_lr=1e-3, **kwargs)
    model.learn(updates)
    return evaluate_policy(model, model.get_env(), 60, warn=False)[0]


SETTINGS = {"learning_starts": 20, "batch_size": 16, "buffer_size": 500, "seed": 3}


class TestEquality:
    def test_without_hooks_it_is_sb3s_sac_weight_for_weight(self):
        shared = {**SETTINGS, "learning_rate": 3e-4, "tau": 0.005}
        nets = {"net_arch": [32, 32], "features_extractor_kwargs": {"features_dim": 32}}
        # Built and trained one after the other: both draw from torch's own generator.
        theirs = stable_baselines3.SAC("CnnPolicy", Dot36(), policy_kwargs=dict(nets), **shared)
        theirs.learn(71)
        ours = VisualSAC(
            "CnnPolicy",
            Dot36(),
            policy_kwargs={**nets, "share_encoder": False},
            ent_coef="auto",
            ent_coef_lr=None,
            ent_coef_beta1=0.9,
            encoder_tau=None,
            target_update_interval=1,
            actor_update_interval=1,
            catch_up_updates=0,
            replay_buffer_class=ReplayBuffer,
            **shared,
        )
        ours.learn(71)
        assert ours._n_updates == theirs._n_updates == 51
        pairs = zip(
            theirs.policy.state_dict().items(), ours.policy.state_dict().values(), strict=True
        )
        for (name, expected), found in pairs:
            torch.testing.assert_close(found, expected, atol=2e-5, rtol=1e-4, msg=name)
        torch.testing.assert_close(ours.log_ent_coef, theirs.log_ent_coef)

    def test_critic_loss_equals_a_slow_reference_in_float64(self):
        model, batch = small(SAC), random_batch()
        drift(model.critic_target)  # it starts as a copy, and nothing could tell them apart
        torch.manual_seed(5)
        found = model.critic_loss(batch)
        torch.manual_seed(5)
        noise = torch.normal(torch.zeros(6, 1), 1.0).double()
        networks = copy.deepcopy(model.policy).double()
        exact = in_float64(batch)
        alpha = model.log_ent_coef.item()
        total = sum(
            slow_error(networks, Batch(*(part[i : i + 1] for part in exact[:5])), noise[i], alpha)
            for i in range(6)
        )
        assert found.item() == pytest.approx(total / 6, rel=1e-5)


def slow_error(networks, one, noise, log_alpha):
    """Return the critic's loss of one transition, written out."""
    actor, critic, target = networks.actor, networks.critic, networks.critic_target
    mean, log_std = actor.read(critic.features_extractor(one.next_obs / 255))
    gaussian = mean + noise * log_std.exp()
    action = torch.tanh(gaussian)
    density = torch.distributions.Normal(mean, log_std.exp()).log_prob(gaussian)
    log_prob = density - torch.log(1 - action**2 + 1e-6)
    q_next = min(target.read(target.features_extractor(one.next_obs / 255), action))
    value = q_next - math.exp(log_alpha) * log_prob
    goal = one.reward + one.discount * value
    heads = critic.read(critic.features_extractor(one.obs / 255), one.action)
    return sum(0.5 * ((q - goal) ** 2).item() for q in heads)


class Dot36(Bandit):
    """Noise pictures with terminations and time limits."""

    def __init__(self) -> None:
        super().__init__()
        self.action_space = spaces.Box(-1, 1, (2,), np.float32)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.steps = 0
        return self._noise(), {}

    def _noise(self):
        return self.np_random.integers(0, 256, self.observation_space.shape, np.uint8)

    def step(self, action):
        self.steps += 1
        chance = self.np_random.random()
        return self._noise(), float(action.sum()), chance < 0.1, self.steps >= 10, {}


class TestGradients:
    def test_the_projections_learn_from_their_owners(self):
        model = small(SAC)
        before = weights(model.actor.projection), weights(model.critic.projection)
        model._update_actor(random_batch(), torch.randn(6, 1))
        assert moved(model.actor.projection, before[0])
        assert not moved(model.critic.projection, before[1])

    def test_two_target_rates(self):
        model = small(SAC)
        with torch.no_grad():
            for parameter in model.critic_target.parameters():
                parameter.zero_()
        model._update_target()
        online, target = model.critic, model.critic_target
        for source, follower in zip(
            online.encoder_parameters(), target.encoder_parameters(), strict=True
        ):
            torch.testing.assert_close(follower, 0.05 * source)
        for head, target_head in zip(online.q_networks, target.q_networks, strict=True):
            for source, follower in zip(head.parameters(), target_head.parameters(), strict=True):
                torch.testing.assert_close(follower, 0.01 * source)

    def test_actor_and_target_move_every_second_update(self):
        model = small(SAC)
        for update in (1, 2, 3, 4):
            before = weights(model.actor.latent_pi), weights(model.critic_target)
            model._update(random_batch(seed=update))
            even = update % 2 == 0
            assert moved(model.actor.latent_pi, before[0]) is even
            assert moved(model.critic_target, before[1]) is even


class TestTargets:
    def test_time_limits_bootstrap_and_terminations_do_not(self):
        class Ends(Dot36):
            def step(self, action):
                obs, reward, *_ = super().step(action)
                return obs, reward, self.terminates, not self.terminates, {}

        discounts = []
        for terminates in (True, False):
            env = Ends()
            env.terminates = terminates
            model = SAC("CnnPolicy", env, **{**SMALL_NO_SEED, "learning_starts": 100})
            model.learn(20)
            discounts.append(model._sample(8).discount.unique().tolist())
        assert discounts[0] == [0.0]
        assert discounts[1] == pytest.approx([0.99])

    @pytest.mark.parametrize("cls", [SVEA, MaDi])
    def test_targets_do_not_depend_on_the_strong_augmentation(self, cls):
        model = small(cls)
        targets = []
        model.q_error = lambda obs, action, target: targets.append(target) or target.sum()
        for bias in (0.0, 100.0):
            model.augmentation = lambda obs, bias=bias: obs * 0 + bias
            torch.manual_seed(1)
            model.critic_loss(random_batch())
        torch.testing.assert_close(targets[0], targets[1], rtol=0, atol=0)

    def test_actions_of_the_target_come_from_the_online_actor(self):
        model = small(SAC)
        torch.manual_seed(1)
        before = model.td_target(random_batch())
        with torch.no_grad():
            model.actor.mu.bias.add_(1.0)
        torch.manual_seed(1)
        assert not torch.equal(before, model.td_target(random_batch()))


SMALL_NO_SEED = {"batch_size": 8, "buffer_size": 200}


class TestShift:
    def test_defaults_follow_the_official_code_of_each_method(self):
        official = {
            SAC: (0, 0),
            SVEA: (4, 4),
            MaDi: (4, 0),
            SRM: (4, 4),
            DrQv2: (4, 4),
            PIEG: (4, 4),
        }
        found = {cls: small(cls) for cls in official}
        assert {cls: (m.shift, m.shift_next) for cls, m in found.items()} == official

    def test_madi_shifts_observations_but_not_next_observations(self):
        model = small(MaDi, learning_starts=300)
        model.learn(60)
        stored = {
            frame.numpy().tobytes() for frame in model.replay_buffer.sample(500).next_observations
        }
        batch = model._sample(20)
        assert all(obs.byte().numpy().tobytes() in stored for obs in batch.next_obs)
        assert not all(obs.byte().numpy().tobytes() in stored for obs in batch.obs)


class TestStableBaselines:
    @pytest.mark.parametrize("cls", AGENTS)
    def test_save_load_and_go_on(self, cls, tmp_path):
        model = small(cls).learn(20)
        model.save(tmp_path / "model")
        loaded = cls.load(tmp_path / "model", env=Bandit())
        obs = Bandit().reset(seed=0)[0]
        np.testing.assert_array_equal(
            model.predict(obs, deterministic=True)[0], loaded.predict(obs, deterministic=True)[0]
        )
        assert loaded._n_updates == model._n_updates
        loaded.learn(15, reset_num_timesteps=False)
        assert loaded.num_timesteps == 35

    def test_a_file_of_another_algorithm_is_refused(self, tmp_path):
        small(SAC).save(tmp_path / "model")
        with pytest.raises(CheckpointError, match=r"SAC\.load"):
            MaDi.load(tmp_path / "model")

    def test_vector_environments_callbacks_and_tensorboard(self, tmp_path):
        pytest.importorskip("tensorboard")
        env = make_vec_env(Bandit, 2)
        evaluation = EvalCallback(make_vec_env(Bandit, 1), eval_freq=10, verbose=0)
        model = SAC("CnnPolicy", env, tensorboard_log=str(tmp_path), **SMALL_NO_SEED)
        model.learn(40, callback=evaluation)
        assert list(tmp_path.rglob("events.out.*"))
        assert np.isfinite(evaluation.last_mean_reward)

    def test_updates_catch_up_with_the_random_steps_once(self):
        model = small(SAC, catch_up_updates=None)
        model.learn(13)
        assert model._n_updates == 10 + 3

    @pytest.mark.parametrize(
        "space",
        [
            spaces.Box(-1, 1, (4,), np.float32),
            spaces.Box(0, 1, (3, 36, 36), np.float32),
            spaces.Box(0, 255, (4, 36, 36), np.uint8),
        ],
    )
    def test_other_observations_are_refused_with_what_to_type(self, space):
        env = Bandit()
        env.observation_space = space
        with pytest.raises((UnsupportedEnvironment, ValueError), match=r"StackFrames|frame"):
            SAC("CnnPolicy", env, **SMALL_NO_SEED)


@pytest.mark.slow
@pytest.mark.parametrize("cls", AGENTS)
def test_it_learns_a_bandit_on_pictures(cls):
    random_policy = 1 - 2 / 3  # the mean distance of two uniform points on [-1, 1] is 2/3
    assert bandit_learns(cls, 600, **({"shift": 0} if cls is not SAC else {})) > (
        random_policy + 0.35
    )


def test_mse_of_both_heads_is_summed_and_halved():
    model = small(SAC)
    batch = random_batch()
    target = torch.zeros(6, 1)
    heads = model.critic(batch.obs, batch.action)
    slow = 0.5 * sum(F.mse_loss(head, target) for head in heads)
    torch.testing.assert_close(model.q_error(batch.obs, batch.action, target), slow)
