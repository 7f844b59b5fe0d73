"""SMG in the loop: what each step sees and moves, its parent, its panels, its files."""

import copy

import numpy as np
import pytest
import torch
from gymnasium import spaces
from pictures import Bandit, drift, equal_updates, moved, moved_parts, random_batch, small, weights

from distraction_gym.agents import SMG, DrQ
from distraction_gym.agents.smg.losses import Views, blend, separation_losses
from distraction_gym.errors import AssetsMissing, UnknownName

SCALES = ("recon_scale", "mask_scale", "back_scale", "action_scale", "fore_scale")
NOTHING = {**dict.fromkeys(SCALES, 0.0), "consistency_scale": 0.0}


@pytest.fixture
def model():
    made = small(SMG, stack=3)
    drift(made.critic_target)
    drift(made.extras)
    return made


def exact(model):
    """Return critic, separator and inverse dynamics in double precision."""
    parts = model.critic, model.extras["separator"], model.extras["inverse"]
    return [copy.deepcopy(part).double() for part in parts]


def fixed_views(model, batch, **kwargs):
    """Let the model use pictures that are drawn once."""
    views = model._view(batch.obs, model.policy.encode(batch.obs))._replace(**kwargs)
    model.make_views = lambda obs, mask: views
    return views


class TestPapersSize:
    def test_networks_and_settings_are_the_official_codes(self):
        env = Bandit()
        env.observation_space = spaces.Box(0, 255, (9, 84, 84), np.uint8)
        env.action_space = spaces.Box(-1, 1, (6,), np.float32)
        model = SMG("CnnPolicy", env, buffer_size=64)
        own = {*model.critic.parameters(), *model.actor.parameters()}
        assert sum(p.numel() for p in own) == pytest.approx(11.29e6, rel=2e-3)
        separator = model.extras["separator"]
        sizes = {
            name: sum(p.numel() for p in part.parameters())
            for name, part in [*separator.named_children(), ("inverse", model.extras["inverse"])]
        }
        assert sizes["fore_decoder"] == 3_739_876 and sizes["back_decoder"] == 3_739_299
        assert sizes["inverse"] == 1_581_062
        encoder = sum(p.numel() for p in model.critic.encoder_parameters())
        assert sizes["back_encoder"] == encoder
        assert separator.fore_decoder.grid == (32, 21, 21)
        assert (model.batch_size, model.aux_lr, model.aux_clip) == (64, 1e-3, 100)
        assert (model.shift, model.shift_next, model.aux_update_interval) == (4, 4, 2)


class TestCriticStep:
    def test_the_loss_equals_a_slow_reference_in_float64(self, model):
        batch = random_batch(stack=3)
        views = fixed_views(model, batch)
        torch.manual_seed(1)
        target = model.td_target(batch).double()
        torch.manual_seed(1)
        found = model.critic_loss(batch)
        critic, *_ = exact(model)
        total = 0.0
        for i in range(6):
            q_values, changed = (
                critic.read(
                    critic.features_extractor(obs[i : i + 1].double() / 255),
                    batch.action[i : i + 1].double(),
                )
                for obs in (batch.obs, views.consistency)
            )
            for q, again in zip(q_values, changed, strict=True):
                # The official MSE + 0.5 * MSE; SB3's half falls on both.
                total += 0.5 * ((q - target[i]) ** 2 + 0.5 * (again - q) ** 2).item() / 6
        assert found.item() == pytest.approx(total, rel=1e-4)

    def test_the_plain_q_value_is_a_constant_to_the_consistency(self, model):
        batch = random_batch(stack=3)
        views = fixed_views(model, batch)
        heads = [p for head in model.critic.q_networks for p in head.parameters()]
        gradients = []
        for scale in (0.5, 0.0):
            model.consistency_scale = scale
            torch.manual_seed(1)
            gradients.append(torch.autograd.grad(model.critic_loss(batch), heads))
        plain, changed = (
            model.policy.q_values(model.policy.encode(obs), batch.action)
            for obs in (batch.obs, views.consistency)
        )
        alone = 0.25 * ((changed - plain.detach()) ** 2).mean(0).sum()
        expected = torch.autograd.grad(alone, heads)
        for both, td_only, consistency in zip(*gradients, expected, strict=True):
            torch.testing.assert_close(both - td_only, consistency, rtol=1e-3, atol=1e-6)

    def test_the_td_error_never_sees_a_changed_picture(self, model):
        batch = random_batch(stack=3)
        model.make_views = None  # calling it would fail
        model.consistency_scale = 0.0
        torch.manual_seed(1)
        found = model.critic_loss(batch)
        torch.manual_seed(1)
        expected = model.q_error(batch.obs, batch.action, model.td_target(batch))
        torch.testing.assert_close(found, expected)
        model.td_target(batch)
        model.actor_loss(batch, torch.randn(6, 1))

    def test_pictures_are_made_once_with_the_mask_from_before_the_step(self, model):
        batch = random_batch(stack=3)
        mask = model.separate(batch.obs)[1]
        make, seen, masks = model.make_views, [], []

        def spy(obs, mask):
            masks.append(mask)
            seen.append(make(obs, mask))
            return seen[-1]

        model.make_views = spy
        model._n_updates = 1
        model._update(batch)
        assert len(seen) == 1 and model._views is seen[0]
        assert torch.equal(masks[0], mask) and not masks[0].requires_grad
        assert torch.equal(seen[0].attribution, blend(mask, batch.obs, seen[0].background))
        assert not torch.equal(model.separate(batch.obs)[1], mask)


class TestAuxiliaryStep:
    def test_the_losses_equal_a_slow_reference_in_float64(self, model):
        batch = random_batch(stack=3)
        views = fixed_views(model, batch)
        model._n_updates = 1
        found = model.auxiliary_losses(batch)
        critic, separator, inverse = exact(model)

        def encode(obs):
            return critic.projection(critic.features_extractor(obs / 255))

        doubled = Views(*(view.double() for view in views))
        latents, following = encode(doubled.obs), encode(batch.next_obs.double())
        first = separator.foreground(latents)
        expected = separation_losses(separator, encode, doubled, first, model.rho)
        guess = inverse(torch.cat([latents, following], dim=1))
        expected["action"] = ((guess - batch.action.double()) ** 2).mean()
        scales = {"recon": 1.0, "mask": 1.0, "back": 2.0, "action": 1.0, "fore": 0.1}
        assert set(found) == {f"{name}_loss" for name in scales}
        for name, scale in scales.items():
            value = scale * expected[name].item()
            assert found[f"{name}_loss"].item() == pytest.approx(value, rel=1e-4), name

    def test_the_action_trains_the_encoder_through_both_observations(self, model):
        batch = random_batch(stack=3)
        for name in ("obs", "next_obs"):
            leaf = getattr(batch, name).clone().requires_grad_()
            given = batch._replace(**{name: leaf})
            fixed_views(model, batch)
            loss = model.auxiliary_losses(given)["action_loss"]
            assert torch.autograd.grad(loss, leaf)[0].any(), name

    def test_the_masks_share_counts_only_after_the_updates_that_catch_up(self, model):
        batch = random_batch(stack=3)
        model.mask_warmup = 5
        for update, counts in ((5, False), (6, True)):
            model._n_updates = update
            assert ("mask_loss" in model.auxiliary_losses(batch)) is counts

    def test_a_background_of_its_own_that_no_other_step_moves(self, model):
        batch = random_batch(stack=3)
        own, shared = model.extras["separator"].back_encoder, model.critic.encoder_parameters()
        assert not {id(p) for p in own.parameters()} & {id(p) for p in shared}
        fresh = small(SMG, stack=3)
        pairs = zip(
            fresh.extras["separator"].back_encoder.parameters(),
            fresh.critic.encoder_parameters(),
            strict=True,
        )
        assert any(not torch.equal(p, q) for p, q in pairs), "independent start"
        before = weights(model.extras)
        model._update_critic(batch)
        model._update_actor(batch, torch.randn(6, 1))
        model._update_target()
        assert not moved(model.extras, before)

    def test_two_optimizers_hold_the_same_encoder(self, model):
        encoder = {id(p) for p in model.critic.encoder_parameters()}
        for optimizer in (model.critic.optimizer, model.auxiliary_optimizer):
            held = {id(p) for group in optimizer.param_groups for p in group["params"]}
            assert encoder <= held
        heads = {id(p) for head in model.critic.q_networks for p in head.parameters()}
        assert not heads & held

    def test_a_batchs_losses_fall(self):
        # At the weight of 1 the share hardly counts against pixels of 0-255 in so few steps.
        model = small(SMG, mask_scale=255.0)
        bandit = Bandit()
        frames = [bandit.reset(seed=seed)[0] for seed in range(6)]
        obs = torch.as_tensor(np.stack(frames)).float()
        batch = random_batch()._replace(obs=obs, next_obs=obs)
        losses = []
        for update in range(80):
            model._n_updates = update
            losses.append(model._update_auxiliary(batch))
        first, last = losses[1], losses[-1]
        assert last["recon_loss"] < 0.4 * first["recon_loss"]
        assert last["mask_loss"] < 0.1 * first["mask_loss"]


class TestParent:
    def test_without_its_weights_it_is_drq(self):
        model, parent = small(SMG, **NOTHING), small(DrQ)
        parent.policy.load_state_dict(model.policy.state_dict())
        assert (parent.shift, parent.shift_next) == (model.shift, model.shift_next)
        before = weights(model.extras)
        equal_updates(model, parent)
        assert not moved(model.extras, before)

    @pytest.mark.parametrize("alone", SCALES)
    def test_each_loss_works_alone(self, alone):
        model = small(SMG, **{**NOTHING, alone: 1.0})
        name = alone.replace("_scale", "_loss")
        found = {}
        model._n_updates = 1
        parts = moved_parts(model, lambda: found.update(model._update_auxiliary(random_batch())))
        assert set(found) == {name}
        encoder = {"trunk", "critic projection"}
        by_action = encoder | {"inverse"}
        expected = {"action_scale": by_action, "back_scale": {"separator"}}
        assert parts == expected.get(alone, encoder | {"separator"})


class TestForUsers:
    def test_explain_is_the_newest_frames_mask(self, model):
        obs = random_batch(stack=3).obs.byte()
        assert torch.equal(model.explain(obs.numpy()), model.separate(obs.float())[1][:, 2])
        assert model.EXPLAINS == "mask"

    def test_panels_show_raw_foreground_mask_background_and_reconstruction(self, model):
        obs = random_batch(stack=3).obs.byte()
        foreground, mask, background = model.separate(obs.float())
        panels = model.panels(obs)
        assert panels.shape == (6 * 36, 5 * 36, 3) and panels.dtype == np.uint8
        row = np.split(panels[36:72].astype(float), 5, axis=1)
        rebuilt = foreground[1, 6:] * mask[1, 2] + background[1, 6:] * (1 - mask[1, 2])
        grey = 255 * mask[1, 2].expand(3, -1, -1)
        shown = (obs[1, 6:].float(), foreground[1, 6:], grey, background[1, 6:], rebuilt)
        for drawn, part in zip(row, shown, strict=True):
            assert np.abs(drawn - part.permute(1, 2, 0).numpy()).max() <= 0.51

    def test_panels_go_to_tensorboard(self, tmp_path):
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

        model = small(SMG, panel_interval=2, tensorboard_log=str(tmp_path))
        model.learn(20)
        (folder,) = tmp_path.iterdir()
        events = EventAccumulator(str(folder))
        events.Reload()
        assert events.Tags()["images"] == ["smg/panels"]
        picture = events.Images("smg/panels")[0]
        assert (picture.width, picture.height) == (5 * 36, 4 * 36)
        assert {"train/recon_loss", "train/mask_mean", "train/consistency_loss"} <= set(
            events.Tags()["scalars"]
        )

    def test_panels_change_nothing_in_the_run(self):
        models = [small(SMG, panel_interval=every).learn(20) for every in (0, 1)]
        assert not moved(models[0].policy, weights(models[1].policy))

    def test_it_is_saved_whole(self, model, tmp_path):
        model._n_updates = 1
        model._update(random_batch(stack=3))
        model.save(tmp_path / "model")
        loaded = SMG.load(tmp_path / "model", env=Bandit(3))
        obs = random_batch(stack=3).obs.byte()
        np.testing.assert_array_equal(loaded.panels(obs), model.panels(obs))
        assert loaded.scales == model.scales and loaded.rho == model.rho

    @pytest.mark.parametrize("side", [(40, 52), (37, 45)])
    def test_pictures_of_any_size(self, side):
        env = Bandit()
        env.observation_space = spaces.Box(0, 255, (3, *side), np.uint8)
        model = SMG("CnnPolicy", env, buffer_size=64, decoder_filters=[2, 4, 2])
        assert model.explain(np.zeros((2, 3, *side), np.uint8)).shape == (2, *side)


class TestBadInput:
    def test_a_share_outside_the_picture(self):
        with pytest.raises(ValueError, match="rho is a share"):
            small(SMG, rho=6.0)

    def test_a_pixel_loss_that_does_not_exist(self):
        with pytest.raises(UnknownName, match="l2"):
            small(SMG, pixel_loss="mse")

    def test_an_action_between_distant_observations(self):
        with pytest.raises(ValueError, match=r"n_steps=3.*action_scale=0"):
            small(SMG, n_steps=3)
        small(SMG, n_steps=3, action_scale=0.0)

    def test_no_projection_to_draw_from(self):
        with pytest.raises(ValueError, match="share_encoder"):
            small(SMG, policy_kwargs={"share_encoder": False, "net_arch": [8]})

    def test_a_missing_folder_of_pictures_shows_before_the_first_step(self, tmp_path):
        model = small(SMG, overlay_images=str(tmp_path / "places"))
        with pytest.raises(AssetsMissing, match="does not exist"):
            model.learn(20)
        assert model.num_timesteps == 0

    def test_the_early_look_at_them_draws_nothing_from_the_run(self):
        model = small(SMG)
        before = torch.random.get_rng_state(), np.random.get_state()[1].copy()
        model._setup_learn(1)
        assert torch.equal(before[0], torch.random.get_rng_state())
        np.testing.assert_array_equal(before[1], np.random.get_state()[1])
