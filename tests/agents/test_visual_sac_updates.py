"""Updates in detail: the actor's loss, default rates, the batch's augmentation, memory."""

import copy
import math
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from pictures import OWN, SMALL, Bandit, drift, random_batch, small

from distraction_gym.agents import SAC, SGQN, SVEA, TRMSSAC, DrQv2, MaDi
from distraction_gym.agents.common.allocator import keep_freed_memory
from distraction_gym.agents.common.visual_ddpg import VisualDDPG
from distraction_gym.errors import AssetsMissing, CheckpointError

MASKS = {
    MaDi: lambda extras, obs: extras["masker"](obs),
    TRMSSAC: lambda extras, obs: torch.sigmoid(extras["student"](obs)),
}


@pytest.mark.parametrize("cls", [cls for cls in OWN if not issubclass(cls, VisualDDPG)])
def test_actor_loss_equals_a_slow_reference_in_float64(cls):
    model, batch, noise = small(cls), random_batch(), torch.randn(6, 1)
    drift(model.critic_target)
    drift(model.extras)
    model.policy.input_hook = None  # else a copy of the policy would hold a copy of the model
    networks, extras = (copy.deepcopy(part).double() for part in (model.policy, model.extras))
    found, log_prob = model.actor_loss(batch, noise)
    total, alpha = 0.0, math.exp(model.log_ent_coef.item())
    for i in range(6):
        obs = batch.obs[i : i + 1].double()
        seen = obs * MASKS[cls](extras, obs) if cls in MASKS else obs
        features = networks.critic.features_extractor(seen / 255)
        mean, log_std = networks.actor.read(features)
        gaussian = mean + noise[i].double() * log_std.exp()
        action = torch.tanh(gaussian)
        density = torch.distributions.Normal(mean, log_std.exp()).log_prob(gaussian)
        slow = density - torch.log(1 - action**2 + 1e-6)
        assert log_prob[i].item() == pytest.approx(slow.item(), rel=1e-4, abs=1e-4)
        total += (alpha * slow - min(networks.critic.read(features, action))).item()
    assert found.item() == pytest.approx(total / 6, rel=1e-4, abs=1e-5)


class TestRates:
    def test_the_optimizers_have_the_papers(self):
        model = small(SAC)
        optimizers = model.critic.optimizer, model.actor.optimizer, model.ent_coef_optimizer
        rates = [(o.param_groups[0]["lr"], o.param_groups[0]["betas"]) for o in optimizers]
        assert rates == [(1e-3, (0.9, 0.999)), (1e-3, (0.9, 0.999)), (1e-4, (0.5, 0.999))]

    def test_the_entropy_coefficient_starts_at_a_tenth_and_aims_at_minus_one_per_action(self):
        model = small(SAC)
        assert model.log_ent_coef.exp().item() == pytest.approx(0.1)
        assert model.target_entropy == -1.0

    @pytest.mark.parametrize(("bias", "rises"), [(-3.0, True), (3.0, False)])
    def test_the_entropy_coefficient_rises_when_there_is_too_little_entropy(self, bias, rises):
        model = small(SAC)
        with torch.no_grad():
            model.actor.log_std.weight.zero_()
            model.actor.log_std.bias.fill_(bias)
            model.actor.mu.weight.zero_()
        noise = torch.randn(6, 1, generator=torch.Generator().manual_seed(0)) * 0.1
        before = model.log_ent_coef.item()
        model._update_actor(random_batch(), noise)
        assert (model.log_ent_coef.item() > before) is rises


class TestAugmentation:
    def test_what_the_hook_returns_is_what_the_losses_see(self):
        class Inverted(SAC):
            def augment_batch(self, obs, next_obs):
                return 255 - obs, next_obs

        batches = []
        for cls in (SAC, Inverted):
            model = cls("CnnPolicy", Bandit(), **{**SMALL, "learning_starts": 100})
            model.learn(20)
            np.random.seed(0)
            batches.append(model._sample(4))
        torch.testing.assert_close(batches[1].obs, 255 - batches[0].obs)
        torch.testing.assert_close(batches[1].next_obs, batches[0].next_obs)

    def test_a_missing_folder_of_pictures_shows_before_the_first_step(self, tmp_path):
        model = small(SVEA, augment="overlay", overlay_images=str(tmp_path / "places"))
        with pytest.raises(AssetsMissing, match="does not exist"):
            model.learn(20)
        assert model.num_timesteps == 0

    def test_the_early_look_at_them_draws_nothing_from_the_run(self):
        model = small(SVEA)
        before = torch.random.get_rng_state(), np.random.get_state()[1].copy()
        model._setup_learn(1)
        assert torch.equal(before[0], torch.random.get_rng_state())
        np.testing.assert_array_equal(before[1], np.random.get_state()[1])


class TestMemory:
    SCRIPT = """
import resource, torch
from distraction_gym.agents.common.allocator import keep_freed_memory
from distraction_gym.agents.common.visual_ddpg import VisualDDPG
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(16 * 2**20)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
print([faults() for _ in range(4)][-1], int(keep_freed_memory()), [faults() for _ in range(40)][-1])
"""

    def test_freed_memory_is_used_again_without_new_pages(self):
        bare = {name: v for name, v in os.environ.items() if not name.startswith("MALLOC_")}
        program = [sys.executable, "-c", self.SCRIPT]
        out = subprocess.run(program, env=bare, capture_output=True, text=True, check=True)
        before, was_set, after = map(int, out.stdout.split())
        if not was_set:
            pytest.skip("only glibc can be told")
        assert after < before / 10

    def test_the_users_own_settings_stand(self, monkeypatch):
        monkeypatch.setenv("MALLOC_ARENA_MAX", "2")
        keep_freed_memory.cache_clear()
        assert keep_freed_memory() is False
        keep_freed_memory.cache_clear()


def test_the_entropy_coefficient_follows_the_schedule_unless_it_has_a_rate_of_its_own():
    for own, expected in ((None, 0.0), (1e-4, 1e-4)):
        model = small(SAC, learning_rate=lambda left: 1e-3 * left, ent_coef_lr=own).learn(20)
        assert model.critic.optimizer.param_groups[0]["lr"] == 0.0
        assert model.ent_coef_optimizer.param_groups[0]["lr"] == expected


def test_settings_given_to_load_count_and_not_the_files(tmp_path):
    small(SGQN).learn(20).save(tmp_path / "sgqn")
    model = SGQN.load(tmp_path / "sgqn", device="cpu", critic_weight_decay=0.5, ent_coef_beta1=0.7)
    assert model.critic.optimizer.param_groups[0]["weight_decay"] == 0.5
    assert model.ent_coef_optimizer.param_groups[0]["betas"][0] == 0.7
    small(DrQv2).learn(20).save(tmp_path / "drqv2")
    assert DrQv2.load(tmp_path / "drqv2", device="cpu", gamma=0.5).replay_buffer.gamma == 0.5
    small(SAC, ent_coef=0.2).learn(20).save(tmp_path / "sac")
    model = SAC.load(tmp_path / "sac", device="cpu", ent_coef=0.01)
    assert model.ent_coef_tensor == 0.01
    small(SAC).learn(20).save(tmp_path / "learned")
    with pytest.raises(CheckpointError, match="does not fit the model"):
        SAC.load(tmp_path / "learned", device="cpu", ent_coef=0.1)


@pytest.mark.parametrize("cls", [SAC, DrQv2])
def test_state_dependent_exploration_is_refused(cls):
    with pytest.raises(ValueError, match="use_sde=True"):
        small(cls, use_sde=True)
