"""TIA: two models share a picture out, and rewards are kept out of the second."""

import numpy as np
import pytest
import torch
from dreams import SIDE, random_sequences, tiny
from variants import check_files, copied, doubled, moved, reached, unlike_zero

from distraction_gym.agents import TIA, Dreamer
from distraction_gym.agents.common.descent import descend
from distraction_gym.agents.common.presets import load_preset
from distraction_gym.agents.dreamer.rssm import State
from distraction_gym.errors import TrainingDiverged


class Small(TIA):
    """With few steps of the adversary, and weights that tests can add up."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **{"adversary_steps": 2, "adversarial_scale": 3.0, **kwargs})


def noise(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def pixels(made, batch):
    """Sum the squared error over a picture's values, and take the mean over pictures."""
    total = 0.0
    for b in range(made.shape[0]):
        for t in range(made.shape[1]):
            total += ((made[b, t] - batch.image[b, t].double() / 255) ** 2).sum()
    return total / (made.shape[0] * made.shape[1])


# Each loss.


def test_the_mask_lays_one_picture_over_the_other():
    world, _ = doubled(tiny(Small))
    features, others = noise(2, 3, world.features), noise(2, 3, world.features, seed=1)
    picture, mask = world.draw(features, others)
    assert picture.shape == (2, 3, 3, SIDE, SIDE) and mask.shape == (2, 3, 1, SIDE, SIDE)
    task, rest = world.decoder.both(features), world.extras["distractor_decoder"].both(others)
    weight = world.extras["blend"].convolution.weight[0, :, 0, 0]
    votes = sum(
        weight[3 * who + i] * each[:, :, 3 + i]
        for who, each in enumerate((task, rest))
        for i in range(3)
    )
    slow = torch.sigmoid(votes + world.extras["blend"].convolution.bias)
    torch.testing.assert_close(mask[:, :, 0], slow)
    for color in range(3):
        expected = slow * (task[:, :, color] + 0.5) + (1 - slow) * (rest[:, :, color] + 0.5)
        torch.testing.assert_close(picture[:, :, color], expected)
    for bias, who in (
        (50.0, world.decoder(features)),
        (-50.0, world.extras["distractor_decoder"](others)),
    ):
        world.extras["blend"].convolution.bias.data.fill_(bias)
        torch.testing.assert_close(world.draw(features, others)[0], who)


def test_every_loss():
    model = tiny(Small, free_nats=0.0, alone_scale=1.5)
    world, batch = doubled(model)
    unlike_zero(world)
    other = world.observe_distractor(batch)
    torch.manual_seed(5)
    losses = world.learn(batch, other).losses
    torch.manual_seed(5)
    states, posterior, prior = world.observe(batch)
    features, others = states.features, other.states.features
    told = world.extras["adversary"].loss(others, batch.reward).sum() / batch.reward.numel()
    kl = lambda p, q: (p.exp() * (p - q)).sum((-2, -1)).mean()  # noqa: E731
    expected = {
        "image_loss": pixels(world.draw(features, others)[0], batch),
        "reward_loss": world.reward.loss(features, batch.reward).mean(),
        "continue_loss": world.goes_on.loss(features, 1 - batch.terminal).mean(),
        "dyn_loss": 0.5 * kl(posterior, prior),
        "rep_loss": 0.1 * kl(posterior, prior),
        "distractor_dyn_loss": 0.5 * kl(other.posterior, other.prior),
        "distractor_rep_loss": 0.1 * kl(other.posterior, other.prior),
        "alone_loss": 1.5 * pixels(world.extras["alone_decoder"](others), batch),
        "adversarial_loss": -3.0 * told,
    }
    assert losses.keys() == expected.keys()
    for name, loss in losses.items():
        torch.testing.assert_close(loss, expected[name], msg=name)


def test_where_each_loss_goes():
    model = tiny(Small, free_nats=0.0)
    world, batch = model.policy.world_model, random_sequences()
    unlike_zero(world)
    learned = world.learn(batch)
    task, rest = {"encoder", "rssm"}, {"distractor_encoder", "distractor_rssm"}
    found = {name: reached(world, loss) for name, loss in learned.losses.items()}
    assert found == {
        "image_loss": task | rest | {"decoder", "distractor_decoder", "blend"},
        "reward_loss": {*task, "reward"},
        "continue_loss": {*task, "goes_on"},
        "dyn_loss": task,
        "rep_loss": task,
        "distractor_dyn_loss": rest,
        "distractor_rep_loss": rest,
        "alone_loss": {*rest, "alone_decoder"},
        "adversarial_loss": rest,
    }
    features = world.observe_distractor(batch).states.features.detach()
    assert reached(world, world.adversary_loss(features, batch.reward)) == {"adversary"}


# Who steps what.


def test_who_owns_what():
    model = tiny(Small)
    world, owned = model.policy.world_model, {}
    names = {id(p): name for name, p in world.named_parameters()}
    for optimizer in ("model", "distractor", "drawing", "adversary"):
        groups = getattr(model.optimizers, optimizer).param_groups
        held = [names.pop(id(p)) for group in groups for p in group["params"]]
        owned[optimizer] = {name.removeprefix("extras.").split(".")[0] for name in held}
    assert not names, "each weight has one owner"
    assert owned == {
        "model": {"encoder", "rssm", "reward", "goes_on"},
        "distractor": {"distractor_encoder", "distractor_rssm", "alone_decoder"},
        "drawing": {"decoder", "distractor_decoder", "blend"},
        "adversary": {"adversary"},
    }
    assert model.optimizers.adversary.param_groups[0]["lr"] == 6e-4


def test_the_adversary_learns_first_from_states_that_stand_still():
    model = tiny(Small, adversary_steps=20, adversary_lr=1e-2)
    world, batch = model.policy.world_model, random_sequences()
    features = world.observe_distractor(batch).states.features.detach()
    before, start = copied(world), world.adversary_loss(features, batch.reward).item()
    losses = model._train_adversary(world, features, batch.reward)
    assert losses["adversary_loss"] < 0.8 * start
    assert {name.split(".")[1] for name in moved(world, before)} == {"adversary"}
    states = model.optimizers.adversary.state.values()
    assert {int(state["step"]) for state in states} == {20}


def test_it_is_the_new_adversary_that_states_withhold_rewards_from(monkeypatch):
    """The first adversary predicts nothing, and has no gradient to follow."""
    model = tiny(Small, adversary_lr=1e-2)
    world, found = model.policy.world_model, []
    learn = world.learn

    def watched(batch, distraction):
        learned = learn(batch, distraction)
        others = distraction.states.deter
        (gradient,) = torch.autograd.grad(
            learned.losses["adversarial_loss"], others, retain_graph=True
        )
        found.append(gradient.abs().max())
        return learned

    monkeypatch.setattr(world, "learn", watched)
    model._update(random_sequences())
    assert found[0] > 0


def test_states_learn_to_withhold_rewards():
    """One small step down the adversarial loss makes the adversary worse."""
    world, batch = doubled(tiny(Small, adversarial_scale=1.0))
    unlike_zero(world)
    embed = world.extras["distractor_encoder"](world.pictures(batch)).detach()
    embed.requires_grad_()
    rssm = world.extras["distractor_rssm"]

    def told():
        torch.manual_seed(0)
        return world.distractor_losses(
            batch,
            torch.cat(
                [rssm.posterior(noise(3, 5, 8), embed).exp().flatten(-2), noise(3, 5, 8)], -1
            ),
        )["adversarial_loss"]

    before = told()
    (gradient,) = torch.autograd.grad(before, embed)
    with torch.no_grad():
        embed -= 1e-4 * gradient
    after = told()
    assert after < before < 0
    assert -after > -before, "its cross-entropy rose"


def test_the_adversarial_gradient_does_not_shrink_the_tasks_steps():
    """Each model's gradient has a largest norm of its own."""
    kept = {}
    for scale in (0.0, 1e9):
        model = tiny(Small, adversarial_scale=scale, adversary_lr=1e-2)
        torch.manual_seed(0)
        for weight in model.policy.world_model.parameters():
            if weight.ndim > 1:
                weight.data += 0.1 * torch.randn_like(weight)
        model.update_model(random_sequences())
        kept[scale] = copied(model.policy.world_model)
    differ = {name for name in kept[0.0] if not torch.equal(kept[0.0][name], kept[1e9][name])}
    assert {name.removeprefix("extras.").split(".")[0] for name in differ} == {
        *("distractor_encoder", "distractor_rssm")
    } | ({"alone_decoder"} if any("alone" in name for name in differ) else set())


def test_gradients_are_clipped_apart():
    weights = [torch.nn.Parameter(torch.zeros(1)) for _ in range(2)]
    optimizers = [torch.optim.SGD([weight], 1.0) for weight in weights]
    loss = {"loss": (3 * weights[0] + 400 * weights[1]).sum()}
    descend(loss, optimizers, 10.0, apart=True)
    assert [weight.item() for weight in weights] == pytest.approx([-3.0, -10.0])
    bad = {"loss": (weights[0] + 1e38 * 1e3 * weights[1].sqrt()).sum()}
    with pytest.raises(TrainingDiverged):
        descend(bad, optimizers, 10.0, apart=True)
    assert weights[0].item() == pytest.approx(-3.0), "no parameter moves"


def test_only_the_task_acts_and_imagines():
    model = tiny(Small)
    obs, results = model.observation_space.sample(), []
    batch = random_sequences()
    starts = State(*(p.detach().flatten(0, 1) for p in model.policy.world_model.observe(batch)[0]))
    for _ in range(2):
        torch.manual_seed(0)
        outlook = model.policy.behavior.outlook(model.policy.world_model, starts)
        results.append((model.predict(obs)[0], outlook.features.detach().numpy()))
        for part in model.extras.values():
            for weight in part.parameters():
                weight.data.fill_(0.3)
    assert all(np.array_equal(a, b) for a, b in zip(*results, strict=True))
    assert model.policy.world_model.features == tiny(Dreamer).policy.world_model.features


def test_an_update_moves_all_and_is_logged():
    model = tiny(Small, learning_rate=3e-3)
    world = model.policy.world_model
    unlike_zero(world)
    before, batch = copied(world), random_sequences(2, 4)
    losses = [model._update(batch) for _ in range(40)]
    assert {n.removeprefix("extras.").split(".")[0] for n in moved(world, before)} == {
        *("encoder", "rssm", "reward", "goes_on", "decoder", "distractor_encoder"),
        *("distractor_rssm", "distractor_decoder", "blend", "alone_decoder", "adversary"),
    }
    for name in ("image_loss", "alone_loss"):
        assert losses[-1][name] < losses[0][name]
    assert {"adversary_loss", "adversarial_loss", "mask", "distractor_kl"} <= set(losses[0])
    assert 0 < losses[0]["mask"] < 1


def test_a_schedule_reaches_every_model():
    model = tiny(Small, learning_rate=lambda left: 1e-3 * left)
    model.learn(30)
    rates = [
        getattr(model.optimizers, name).param_groups[0]["lr"]
        for name in ("model", "distractor", "drawing")
    ]
    assert rates[0] < 1e-3 and len(set(rates)) == 1


def test_files(tmp_path):
    check_files(Small, tmp_path)


def test_what_people_see():
    model = tiny(Small, draw_every=1)
    obs = model.observation_space.sample()
    state = torch.get_rng_state()
    shown = model.views(obs)
    assert torch.equal(torch.get_rng_state(), state), "looking draws nothing"
    assert (
        shown["mask"].shape == (SIDE, SIDE) and 0 <= shown["mask"].min() <= shown["mask"].max() <= 1
    )
    assert shown["together"].shape == shown["reconstruction"].shape == (SIDE, SIDE, 3)
    model.learn(20)


@pytest.mark.parametrize("suite", ["mini-reach", "dmcgb-walker_walk", "unitree-walk"])
def test_presets(suite):
    preset = load_preset("tia", f"distraction_gym/{suite}-clean-v0")
    assert preset["n_envs"] == 4
    assert ("adversarial_scale" in preset) == (suite == "mini-reach")
