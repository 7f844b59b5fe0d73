"""RePo: no picture is described, the KL is a constraint, and its multiplier is learned."""

import math

import numpy as np
import pytest
import torch
from dreams import random_sequences, tiny
from variants import check_files, copied, doubled, moved, reached, unlike_zero

from distraction_gym.agents import RePo
from distraction_gym.agents.common.presets import load_preset
from distraction_gym.agents.dreamer.distributions import unimix
from distraction_gym.agents.repo import Multiplier, RePoWorld

STATES = {"encoder", "rssm"}


def slow_balanced_kl(posterior, prior):
    """Return 5/6 KL[sg(post) || prior] + 1/6 KL[post || sg(prior)], in loops and without clips."""
    total = 0.0
    for p, q in zip(posterior.flatten(0, 1), prior.flatten(0, 1), strict=True):
        for latent in range(p.shape[0]):
            for k in range(p.shape[1]):
                a, b = p[latent, k], q[latent, k]
                total += 5 / 6 * a.detach().exp() * (a.detach() - b)
                total += 1 / 6 * a.exp() * (a - b.detach())
    return total / (posterior.shape[0] * posterior.shape[1])


@pytest.mark.parametrize("strength", [0.1, 3.0])
def test_the_kl_is_paid_for_by_beta_from_the_first_nat_on(strength):
    generator = torch.Generator().manual_seed(0)
    raw = [strength * torch.randn(2, 3, 4, 5, generator=generator).double() for _ in range(2)]
    raw = [value.requires_grad_() for value in raw]
    posterior, prior = map(unimix, raw)
    world, _ = doubled(tiny(RePo, beta=0.7, target_kl=2.5))
    (name, loss), *others = world.kl_loss(posterior, prior).items()
    assert name == "kl_loss" and not others
    slow = slow_balanced_kl(posterior, prior)
    assert slow < 1 or strength > 1, "one case is below a free nat"
    torch.testing.assert_close(loss, 0.7 * (slow - 2.5), rtol=1e-6, atol=0)
    for got, expected in zip(
        torch.autograd.grad(loss, raw, retain_graph=True),
        torch.autograd.grad(0.7 * slow, raw),
        strict=True,
    ):
        torch.testing.assert_close(got, expected, rtol=1e-6, atol=1e-12)
        assert got.abs().max() > 0


def test_five_parts_move_the_prior_and_one_the_posterior():
    world, _ = doubled(tiny(RePo))
    assert (world.free_nats, world.dyn_scale, world.rep_scale) == (0.0, 5 / 6, 1 - 5 / 6)
    with pytest.raises(TypeError, match="free_nats"):
        tiny(RePo, free_nats=1.0)


@pytest.mark.parametrize(("kl", "sign"), [(9.0, 1), (0.5, -1)])
def test_beta_rises_above_the_target_and_falls_below(kl, sign):
    multiplier = Multiplier(beta=0.1, target=3.0)
    optimizer = torch.optim.Adam(multiplier.parameters(), 1e-2)
    value = torch.tensor(kl, requires_grad=True)
    loss = multiplier.loss(value)
    assert loss.item() == pytest.approx(-math.log(0.1) * (kl - 3))
    loss.backward()
    assert value.grad is None, "the multiplier's step moves no state"
    optimizer.step()
    assert multiplier.log_beta.item() == pytest.approx(math.log(0.1) + sign * 1e-2)


def test_the_models_loss_leaves_beta_alone():
    multiplier = Multiplier(beta=0.1, target=3.0)
    value = torch.tensor(5.0, requires_grad=True)
    multiplier.penalty(value).backward()
    assert multiplier.log_beta.grad is None and value.grad.item() == pytest.approx(0.1)


@pytest.mark.parametrize(("target_kl", "rises"), [(1e-4, True), (50.0, False)])
def test_beta_in_a_run(target_kl, rises):
    model = tiny(RePo, target_kl=target_kl, beta_lr=1e-2)
    losses = model._update(random_sequences())
    assert math.log(losses["beta"] / 1e-5) == pytest.approx(1e-2 if rises else -1e-2, rel=1e-2)


def test_where_each_loss_goes():
    model = tiny(RePo, beta=1.0)
    world, batch = model.policy.world_model, random_sequences()
    unlike_zero(world)
    learned = world.learn(batch)
    found = {name: reached(world, loss) for name, loss in learned.losses.items()}
    assert found == {
        "reward_loss": {*STATES, "reward"},
        "continue_loss": {*STATES, "goes_on"},
        "kl_loss": STATES,
    }
    assert reached(world, world.probe_loss(batch, learned.states.features)) == {"decoder"}


def test_the_probe_is_the_decoders_squared_error():
    world, batch = doubled(tiny(RePo))
    features = torch.randn(3, 5, world.features, dtype=torch.float64)
    made, total = world.decoder(features), 0.0
    for b in range(3):
        for t in range(5):
            total += ((made[b, t] - batch.image[b, t].double() / 255) ** 2).sum()
    torch.testing.assert_close(world.probe_loss(batch, features), total / 15)


def test_the_probe_changes_nothing_that_is_learned():
    """Not even through the largest norm of gradients."""
    one, two = tiny(RePo), tiny(RePo)
    for weight in two.policy.world_model.decoder.parameters():
        weight.data.mul_(300.0)
    for model in (one, two):
        torch.manual_seed(3)
        for _ in range(4):
            model._update(random_sequences())
    differ = moved(one.policy.world_model, copied(two.policy.world_model))
    assert differ and all(name.startswith("decoder.") for name in differ)
    pairs = zip(one.policy.behavior.parameters(), two.policy.behavior.parameters(), strict=True)
    assert all(torch.equal(p, q) for p, q in pairs)


def test_who_owns_what():
    model = tiny(RePo)
    world = model.policy.world_model
    owned = {
        name: {id(p) for group in optimizer.param_groups for p in group["params"]}
        for name, optimizer in vars(model.optimizers).items()
    }
    assert owned["decoder"] == {id(p) for p in world.decoder.parameters()}
    assert owned["multiplier"] == {id(world.extras["multiplier"].log_beta)}
    rest = {id(p) for p in world.parameters()} - owned["decoder"] - owned["multiplier"]
    assert owned["model"] == rest


def test_an_update_moves_every_part_and_the_probe_learns():
    model = tiny(RePo, learning_rate=3e-3)
    world, batch = model.policy.world_model, random_sequences(2, 4)
    unlike_zero(world)
    before = copied(world)
    losses = [model._update(batch) for _ in range(60)]
    assert {name.split(".")[0] for name in moved(world, before)} >= {
        *(*STATES, "reward", "goes_on", "decoder", "extras")
    }
    assert losses[-1]["image_loss"] < 0.9 * losses[0]["image_loss"]
    assert {"kl_loss", "multiplier_loss", "beta", "kl", "actor_loss"} <= set(losses[0])


def test_rewards_of_last_steps_count():
    """The reward lies beside the picture that it led to: none belongs to the next episode."""
    world, batch = doubled(tiny(RePo))
    unlike_zero(world)
    features = torch.randn(3, 5, world.features, dtype=torch.float64)
    loss = world.reward_loss(batch, features)["reward_loss"]
    assert batch.terminal.any()
    batch.reward[batch.terminal == 1] += 5
    assert not torch.equal(loss, world.reward_loss(batch, features)["reward_loss"])


def test_files(tmp_path):
    check_files(RePo, tmp_path)


def test_settings_are_kept(tmp_path):
    model = tiny(RePo, target_kl=7.0, beta=0.5, prior_share=0.75)
    model._update(random_sequences())
    model.save(tmp_path / "model")
    again = RePo.load(tmp_path / "model", device="cpu").policy.world_model
    assert isinstance(again, RePoWorld)
    assert (again.extras["multiplier"].target, again.dyn_scale) == (7.0, 0.75)
    assert again.extras["multiplier"].beta == model.extras["multiplier"].beta != 0.5


def test_what_people_see():
    model = tiny(RePo)
    shown = model.views(model.observation_space.sample())
    assert shown["reconstruction"].dtype == np.uint8


@pytest.mark.parametrize("suite", ["mini-reach", "dmcgb-walker_walk", "unitree-walk"])
def test_presets(suite):
    preset = load_preset("repo", f"distraction_gym/{suite}-clean-v0")
    assert preset["n_envs"] == 4
    assert ("beta" in preset) == (suite == "mini-reach")
