"""SGQN: both losses against slow references, what they move, and the traps of the official code."""

import math
import random as python_random

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from pictures import SMALL, Bandit, drift, in_float64, moved_parts, random_batch, small

from distraction_gym.agents import SAC, SGQN
from distraction_gym.agents.common.checkpoint import resume, save_checkpoint
from distraction_gym.agents.common.presets import load_preset
from distraction_gym.agents.common.visual_ddpg import VisualDDPG
from distraction_gym.agents.sgqn import SaliencyDecoder, blank_out
from distraction_gym.errors import AssetsMissing

STILL = {"consistency_weight": 0.0, "aux_lr": 0.0, "critic_weight_decay": 0.0}


def slow_guided(critic, obs, action):
    """Return the guided gradient of Q1 at one picture `(1, C, H, W)`, layer by layer."""
    inputs, value = [], obs / 255
    trunk = list(critic.features_extractor.convolutions)
    linear, norm, _ = critic.projection
    head = list(critic.q_networks[0])
    for layer in trunk:
        inputs.append(value)
        value = layer(value)
    flat = linear(value.flatten(1))
    squashed = torch.tanh(norm(flat))
    value, head_inputs = torch.cat([squashed, action], 1), []
    for layer in head:
        head_inputs.append(value)
        value = layer(value)
    gradient = torch.ones_like(value)
    for layer, before in zip(reversed(head), reversed(head_inputs), strict=True):
        gradient = step_back(layer, before, gradient)
    gradient = gradient[:, : squashed.shape[1]] * (1 - squashed**2)
    jacobian = torch.autograd.functional.jacobian(norm, flat)[0, :, 0]
    gradient = (gradient @ jacobian) @ linear.weight
    gradient = gradient.view(1, *trunk[-1](inputs[-1]).shape[1:])
    for layer, before in zip(reversed(trunk), reversed(inputs), strict=True):
        gradient = step_back(layer, before, gradient)
    return gradient.detach()


def step_back(layer, before, gradient):
    if isinstance(layer, torch.nn.ReLU):
        return torch.where((before > 0) & (gradient > 0), gradient, 0.0)
    if isinstance(layer, torch.nn.Linear):
        return gradient @ layer.weight
    return torch.nn.grad.conv2d_input(before.shape, layer.weight, gradient, layer.stride)


def slow_mask(critic, obs, action, quantile):
    """Return what is kept of one stack, `(1, 3k, H, W)` of 0 and 1, the same for three colours."""
    gradient = slow_guided(critic, obs, action).numpy()[0]
    mask = np.zeros_like(gradient)
    for frame in range(len(gradient) // 3):
        strength = np.abs(gradient[3 * frame : 3 * frame + 3]).max(0)
        mask[3 * frame : 3 * frame + 3] = strength >= np.quantile(strength, quantile)
    return torch.tensor(mask)[None]


def double(**kwargs):
    """Build a model in double precision, as if it had learned a bit.

    At the start filters have a centre tap only: few pixels matter, and all the others tie.
    """
    model = learned(**kwargs)
    model.policy.double()
    model.extras.double()
    trunk = model.critic.features_extractor
    model.policy.encode = lambda obs, target=False: trunk(obs / 255)  # SB3's would use float32
    return model


def learned(**kwargs):
    model = small(SGQN, **{"stack": 2, "quantile": 0.8, **kwargs})
    drift(model.critic)
    return model


def heads(model, obs, action):
    return model.critic.read(model.critic.features_extractor(obs / 255), action)


class TestConsistency:
    def test_the_critics_loss_equals_a_slow_reference_in_float64(self):
        model = double(consistency_weight=0.7)
        batch = in_float64(random_batch(stack=2))
        target = torch.randn(6, 1, dtype=torch.float64)
        model.td_target = lambda _: target
        torch.manual_seed(3)
        found = model.critic_loss(batch)
        torch.manual_seed(3)
        low, high = batch.obs.min(), batch.obs.max()
        value = low + (high - low) * torch.rand((), dtype=torch.float64)
        official = 0.0  # MSE(Q1, y) + MSE(Q2, y) + w [MSE(Q1, Q1 masked) + MSE(Q2, Q2 masked)]
        for i in range(6):
            one, action = batch.obs[i : i + 1], batch.action[i : i + 1]
            mask = slow_mask(model.critic, one, action, 0.8)
            masked = one * mask + value * (1 - mask)
            pairs = zip(heads(model, one, action), heads(model, masked, action), strict=True)
            for q, q_masked in pairs:
                official += ((q - target[i]) ** 2 + 0.7 * (q - q_masked) ** 2).item() / 6
        # Half of it, so that the TD error is VisualSAC's: the ratio of the terms is the same.
        torch.testing.assert_close(found.item(), official / 2, rtol=1e-9, atol=1e-12)

    def test_the_default_ratio_is_the_official_one(self):
        assert small(SGQN).consistency_weight == 0.5

    def test_one_value_blanks_out_the_whole_batch(self):
        obs = random_batch(stack=2).obs
        kept = torch.rand(6, 2, 36, 36) > 0.5
        blank = blank_out(obs, kept)
        gone = ~kept.repeat_interleave(3, dim=1)
        assert len(blank[gone].unique()) == 1
        assert obs.min() <= blank[gone][0] <= obs.max()
        assert torch.equal(blank[~gone], obs[~gone])
        values = {blank_out(obs, kept)[gone][0].item() for _ in range(20)}
        assert len(values) == 20 and max(values) - min(values) > 50

    def test_the_value_is_drawn_from_torch_alone(self):
        """A run's random state is torch's and numpy's; the official code asks `random`."""
        model, batch = small(SGQN), random_batch()
        losses = []
        for seed in (1, 2):
            python_random.seed(seed)
            np.random.seed(seed)
            torch.manual_seed(0)
            losses.append(model.critic_loss(batch))
        assert torch.equal(losses[0], losses[1])

    def test_gradients_flow_through_both_sides(self):
        model, batch = learned(consistency_weight=1.0), random_batch(stack=2)
        model.td_target = lambda batch: model._q_values(batch.obs, batch.action)[:, :1].detach()
        torch.manual_seed(0)
        kept = model.salient(batch.obs, batch.action)
        torch.manual_seed(0)
        blanked = blank_out(batch.obs, kept)
        whole = model._q_values(batch.obs, batch.action)
        other = model._q_values(blanked, batch.action)
        target = whole[:, :1].detach()

        def weight_gradient(loss):
            return torch.autograd.grad(loss, model.critic.q_networks[0][0].weight)[0]

        def loss(a, b):
            td = 0.5 * sum(F.mse_loss(q[:, None], target) for q in whole.unbind(1))
            return td + 0.5 * sum(F.mse_loss(p, q) for p, q in zip(a.T, b.T, strict=True))

        torch.manual_seed(0)
        found = weight_gradient(model.critic_loss(batch))
        both = torch.autograd.grad(
            loss(whole, other), model.critic.q_networks[0][0].weight, retain_graph=True
        )[0]
        torch.testing.assert_close(found, both)
        stopped = weight_gradient(loss(whole, other.detach()))
        assert not torch.allclose(found, stopped, rtol=0.01, atol=0)

    def test_masks_are_constants_and_no_weight_keeps_a_gradient(self):
        model, batch = small(SGQN), random_batch()
        kept = model.salient(batch.obs, batch.action)
        assert kept.dtype == torch.bool and not kept.requires_grad
        assert all(p.grad is None for p in model.critic.parameters())
        assert not batch.obs.requires_grad

    def test_saliency_is_of_the_first_q_network(self):
        model, batch = learned(), random_batch(stack=2)
        before = model.salient(batch.obs, batch.action)
        drift(model.critic.q_networks[1])
        assert torch.equal(model.salient(batch.obs, batch.action), before)
        drift(model.critic.q_networks[0])
        assert not torch.equal(model.salient(batch.obs, batch.action), before)

    def test_the_target_never_sees_a_blanked_picture(self):
        model, batch = small(SGQN), random_batch()
        seen = []
        encode = model.policy.encode
        model.policy.encode = lambda obs, target=False: seen.append(obs) or encode(obs, target)
        model.td_target(batch)
        assert all(torch.equal(obs, batch.next_obs) for obs in seen)


class TestPrediction:
    def test_the_loss_equals_a_slow_reference_in_float64(self):
        model = double()
        model.augmentation = lambda obs: 0.5 * obs + 60
        batch = in_float64(random_batch(stack=2))
        (found,) = model.auxiliary_losses(batch).values()
        decoder, total = model.extras["decoder"], 0.0
        for i in range(6):
            one, action = batch.obs[i : i + 1], batch.action[i : i + 1]
            mask = slow_mask(model.critic, one, action, 0.8)
            features = model.critic.features_extractor((0.5 * one + 60) / 255)
            logits = decoder(model.critic.projection(features), action)
            for logit, known in zip(logits.flatten().tolist(), mask.flatten(), strict=True):
                probability = 1 / (1 + math.exp(-logit))
                total -= math.log(probability if known else 1 - probability)
        torch.testing.assert_close(found.item(), total / (6 * 6 * 36 * 36), rtol=1e-9, atol=0)

    def test_it_moves_the_decoder_and_the_critics_encoder_alone(self):
        model = small(SGQN)
        found = moved_parts(model, lambda: model._update_auxiliary(random_batch()))
        assert found == {"decoder", "trunk", "critic projection"}

    def test_the_critics_loss_leaves_the_decoder_alone(self):
        model = small(SGQN)
        found = moved_parts(model, lambda: model._update_critic(random_batch()))
        assert found == {"trunk", "critic projection", "critic heads"}

    def test_saliency_is_asked_for_again_once_the_critic_has_learned(self):
        model = small(SGQN, stack=2, learning_rate=1e-2, quantile=0.8)
        asked = []
        salient = model.salient

        def ask(obs, action):
            asked.append(salient(obs, action))
            return asked[-1]

        model.salient = ask
        model._update(random_batch(stack=2))
        assert len(asked) == 1  # the auxiliary loss waits for the second update
        model._update(random_batch(stack=2))
        assert len(asked) == 3
        assert not torch.equal(asked[1], asked[2])

    def test_masks_come_from_the_picture_without_the_overlay(self):
        model, batch = small(SGQN), random_batch()
        seen = []
        model.salient = lambda obs, action: seen.append(obs) or torch.ones(6, 1, 36, 36).bool()
        model.augmentation = lambda obs: 255 - obs
        model.predict_salient = lambda obs, action: seen.append(obs) or torch.zeros_like(obs)
        model.auxiliary_losses(batch)
        assert torch.equal(seen[0], batch.obs) and torch.equal(seen[1], 255 - batch.obs)

    def test_the_optimizer(self):
        model = small(SGQN)
        assert [group["lr"] for group in model.auxiliary_optimizer.param_groups] == [3e-4, 3e-4]
        assert model.aux_update_interval == 2


class TestDecoder:
    def test_the_papers_size(self):
        decoder = SaliencyDecoder(100, 6, (9, 84, 84))
        assert sum(p.numel() for p in decoder.parameters()) == 1_625_961
        assert decoder.grid == (32, 21, 21)
        assert decoder.linear.out_features == 14_112

    def test_it_equals_the_official_order_of_layers(self):
        decoder = SaliencyDecoder(7, 2, (9, 84, 84))
        features, action = torch.randn(2, 7), torch.randn(2, 2)
        maps = decoder.linear(torch.cat([features, action], 1)).view(-1, 32, 21, 21)
        for layer in (decoder.first, decoder.second):
            maps = F.conv2d(maps.relu(), layer.weight, layer.bias, padding=1)
            maps = maps.repeat_interleave(2, 2).repeat_interleave(2, 3)
        logits = F.conv2d(maps.relu(), decoder.last.weight, decoder.last.bias, padding=1)
        torch.testing.assert_close(decoder(features, action), logits)

    @pytest.mark.parametrize("shape", [(9, 36, 36), (9, 48, 48), (3, 50, 37), (9, 100, 100)])
    def test_other_pictures(self, shape):
        decoder = SaliencyDecoder(7, 2, shape, (4, 4, 4))
        assert decoder(torch.randn(2, 7), torch.randn(2, 2)).shape == (2, *shape)

    def test_it_reads_the_action(self):
        decoder = SaliencyDecoder(7, 2, (3, 36, 36), (4, 4, 4))
        features = torch.randn(1, 7)
        first, second = (decoder(features, action) for action in torch.eye(2)[:, None])
        assert not torch.equal(first, second)


class TestModel:
    def test_without_its_coefficients_it_is_sac_with_random_shift(self):
        parent, model = small(SAC, shift=4, shift_next=4), small(SGQN, **STILL)
        model.policy.load_state_dict(parent.policy.state_dict())
        for agent in (parent, model):
            torch.manual_seed(4)
            for seed in range(6):
                batch = random_batch(seed=seed)
                obs, next_obs = agent.augment_batch(batch.obs, batch.next_obs)
                agent._update(batch._replace(obs=obs, next_obs=next_obs))
        expected = parent.policy.state_dict()
        for name, value in model.policy.state_dict().items():
            assert torch.equal(value, expected[name]), name
        assert torch.equal(model.log_ent_coef, parent.log_ent_coef)

    def test_each_coefficient_makes_a_difference(self):
        for name in STILL:
            plain = small(SGQN, **STILL)
            model = small(SGQN, **{key: value for key, value in STILL.items() if key != name})
            for agent in (plain, model):
                torch.manual_seed(4)
                for seed in range(3):
                    agent._update(random_batch(seed=seed))
            trunks = (agent.critic.features_extractor.state_dict() for agent in (plain, model))
            first, second = (list(trunk.values()) for trunk in trunks)
            assert not all(map(torch.equal, first, second)), name

    def test_weight_decay_is_the_critics_alone(self):
        model = small(SGQN)
        assert {g["weight_decay"] for g in model.critic.optimizer.param_groups} == {1e-5}
        assert {g["weight_decay"] for g in model.actor.optimizer.param_groups} == {0}
        assert {g["weight_decay"] for g in model.auxiliary_optimizer.param_groups} == {0}

    def test_both_observations_are_shifted(self):
        model = small(SGQN)
        assert (model.shift, model.shift_next) == (4, 4)

    def test_explain_gives_the_newest_frames_pixels_that_the_critic_kept(self):
        model, obs = learned(), random_batch(stack=2).obs.byte()
        action = torch.as_tensor(model.predict(obs.numpy(), deterministic=True)[0])
        found = model.explain(obs).double()
        critic = model.critic.double()
        pairs = zip(obs.double(), action.double(), strict=True)
        masks = [slow_mask(critic, one[None], a[None], 0.8)[:, 3] for one, a in pairs]
        expected = torch.cat(masks)
        assert set(found.unique().tolist()) == {0.0, 1.0}
        assert (found != expected).float().mean() < 1e-3  # float32 may move a pixel at the limit

    def test_save_load_and_resume(self, tmp_path):
        model = small(SGQN).learn(14)
        model.save(tmp_path / "model")
        loaded = SGQN.load(tmp_path / "model", env=Bandit())
        assert loaded.quantile == model.quantile
        for ours, theirs in (
            (model.extras, loaded.extras),
            (model.critic, loaded.critic),
        ):
            pairs = zip(ours.parameters(), theirs.parameters(), strict=True)
            assert all(torch.equal(p, q) for p, q in pairs)
        (group,) = loaded.critic.optimizer.param_groups
        assert group["weight_decay"] == 1e-5
        save_checkpoint(model, tmp_path / "run")
        again = small(SGQN)
        resume(again, tmp_path / "run")
        for agent in (model, again):
            torch.manual_seed(0)
            agent._n_updates = 1  # the next one has an auxiliary step
            agent._update(random_batch())
        for ours, theirs in ((model.extras, again.extras), (model.policy, again.policy)):
            pairs = zip(ours.parameters(), theirs.parameters(), strict=True)
            assert all(torch.equal(p, q) for p, q in pairs)

    def test_it_runs_on_the_learner_of_drqv2_too(self):
        class SGQNv2(SGQN, VisualDDPG):
            pass

        settings = {**SMALL, "augment": "random_conv", "train_freq": 1}
        model = SGQNv2("CnnPolicy", Bandit(), **settings).learn(14)
        logged = model.logger.name_to_value
        assert logged["train/ent_coef"] == 0 and np.isfinite(logged["train/saliency_loss"])
        assert model.explain(random_batch().obs).mean() < 0.5

    def test_losses_are_logged(self):
        model = small(SGQN).learn(14)
        logged = set(model.logger.name_to_value)
        assert {"train/consistency", "train/kept", "train/saliency_loss"} <= logged

    def test_bad_settings_are_refused(self):
        with pytest.raises(ValueError, match=r"quantile must lie in \[0, 1\]"):
            small(SGQN, quantile=95)
        with pytest.raises(ValueError, match="share_encoder"):
            small(SGQN, policy_kwargs={"share_encoder": False, "net_arch": [8]})
        with pytest.raises(AssetsMissing):
            small(SGQN, augment="overlay", overlay_images="/nowhere").learn(1)

    @pytest.mark.parametrize(
        ("task", "quantile"),
        [
            *[("walker_walk", 0.95), ("finger_spin", 0.95), ("cheetah_run", 0.95)],
            *[("cartpole_swingup", 0.98), ("ball_in_cup_catch", 0.98)],
        ],
    )
    def test_quantiles_of_the_papers_tasks(self, task, quantile):
        preset = load_preset("sgqn", f"distraction_gym/dmcgb-{task}-clean-v0")
        assert preset["quantile"] == quantile

    @pytest.mark.parametrize(
        ("name", "weight", "quantile"),
        [
            *[("adroit-hammer", 0.9, 0.9), ("adroit-door", 0.5, 0.9), ("adroit-pen", 0.9, 0.9)],
            ("unitree-walk", 0.9, 0.93),
        ],
    )
    def test_settings_of_rl_vigen(self, name, weight, quantile):
        preset = load_preset("sgqn", f"distraction_gym/{name}-clean-v0")
        assert (preset["consistency_weight"], preset["quantile"]) == (weight, quantile)
        assert (preset["batch_size"], preset["n_steps"]) == (256, 3)
