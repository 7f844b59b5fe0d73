"""DreamerPro: two views, Sinkhorn's assignments, three losses, slow copies, frozen prototypes."""

import math

import numpy as np
import pytest
import torch
from dreams import SIDE, random_sequences, tiny
from variants import check_files, copied, doubled, moved, reached, unlike_zero

from distraction_gym.agents import DreamerPro
from distraction_gym.agents.common.presets import load_preset
from distraction_gym.agents.dreamerpro import shifted, sinkhorn, two_views

SMALL = {"prototypes": 6, "projection": 4}


class Small(DreamerPro):
    """With few prototypes."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **{**SMALL, "freeze_updates": 3, **kwargs})


def noise(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


# Two views.


def slow_shift(picture, right, down):
    """Read each pixel between its four neighbours of before; edges go on for ever."""
    height, width = picture.shape[1:]
    made = torch.zeros_like(picture)
    for y in range(height):
        for x in range(width):
            at = min(max(y - down, 0), height - 1), min(max(x - right, 0), width - 1)
            top, left = math.floor(at[0]), math.floor(at[1])
            for i, j in ((0, 0), (0, 1), (1, 0), (1, 1)):
                share = (1 - abs(at[0] - top - i)) * (1 - abs(at[1] - left - j))
                row, column = min(top + i, height - 1), min(left + j, width - 1)
                made[:, y, x] += share * picture[:, row, column]
    return made


def test_sequences_move_as_one_between_pixels():
    pictures = noise(2, 3, 3, 7, 7)
    offsets = torch.tensor([[1.3, -2.6], [-0.5, 2.0]], dtype=torch.float64)
    got = shifted(pictures, offsets)
    for n in range(2):
        for t in range(3):
            expected = slow_shift(pictures[n, t], *offsets[n].tolist())
            torch.testing.assert_close(got[n, t], expected)


def test_a_batch_is_seen_twice_from_different_sides():
    batch, steps = random_sequences(4, 6), torch.arange(SIDE)
    batch.image[:] = (10 * steps + steps[:, None]).byte()  # columns and rows, in every picture
    torch.manual_seed(0)
    views = two_views(batch, 3.0)
    assert views.image.dtype == torch.float32 and views.image.shape[:2] == (8, 6)
    for name in ("action", "reward", "first", "terminal"):
        twice, once = getattr(views, name), getattr(batch, name)
        assert torch.equal(twice[:4], once) and torch.equal(twice[4:], once)
    # In the middle a picture moved by (x, y) is darker by 10 x + y.
    middle = views.image[:, :, 0, 6, 6]
    assert (middle == middle[:, :1]).all() or (middle - middle[:, :1]).abs().max() < 1e-3
    by = 66 - middle[:, 0]
    assert len(by.round(decimals=3).unique()) == 8, "each of both views has a shift of its own"
    assert by.abs().max() <= 33.001
    assert ((10 * by) % 10).abs().max() > 0.01, "shifts are no whole pixels"


def test_acting_sees_pictures_as_they_are(monkeypatch):
    model = tiny(Small)
    monkeypatch.setattr(type(model), "augment_batch", None)
    assert model.predict(model.observation_space.sample())[0].shape == (1,)


# Assignments.


def slow_sinkhorn(scores, epsilon, rounds):
    """Share out plain numbers, `(vectors, prototypes)`, by hand."""
    q = np.exp(scores.numpy() / epsilon).T
    q /= q.sum()
    count, vectors = q.shape
    for _ in range(rounds):
        for row in range(count):
            q[row] /= q[row].sum() * count
        for column in range(vectors):
            q[:, column] /= q[:, column].sum() * vectors
    return torch.from_numpy((q * vectors).T.copy())


def test_sinkhorn():
    scores = torch.tanh(noise(3, 8, 5))
    got = sinkhorn(scores, 0.1, 3)
    torch.testing.assert_close(got, slow_sinkhorn(scores.flatten(0, 1), 0.1, 3).view(3, 8, 5))
    long = sinkhorn(scores, 0.1, 200)
    for spread, tolerance in ((got, 0.35), (long, 1e-6)):
        torch.testing.assert_close(spread.sum(-1), torch.ones(3, 8, dtype=torch.float64))
        each = spread.sum((0, 1)) * 5 / 24
        assert (each - 1).abs().max() < tolerance, "prototypes have equal shares"
    hard = sinkhorn(scores.float(), 0.0125, 3)
    assert hard.isfinite().all() and hard.max(-1).values.mean() > got.max(-1).values.mean()


def unit(vector):
    return vector / vector.square().sum(-1, keepdim=True).sqrt()


def slow_losses(world, batch, embed, features):
    """Work the three losses out one step at a time, with SwAV's two halves apart."""
    extras, how = world.extras, world.prototyping
    prototypes = unit(extras["prototypes"].weight.detach().clone())
    pictures = batch.image.double() / 255
    slow = unit(extras["slow_projection"](extras["slow_encoder"](pictures))).detach()
    count, steps = len(embed) // 2, embed.shape[1]
    targets = {}
    for view in range(2):
        rows = [(count * view + b, t) for b in range(count) for t in range(1, steps)]
        scores = torch.stack([prototypes @ slow[row] for row in rows])
        spread = slow_sinkhorn(scores, how.sinkhorn_epsilon, how.sinkhorn_iterations)
        targets.update(zip(rows, spread, strict=True))
    swav, temporal, rows = [0.0, 0.0], 0.0, count * (steps - 1)
    for (b, t), own in targets.items():
        view, other = b // count, targets[((b + count) % (2 * count), t)]
        seen = prototypes @ unit(extras["picture_projection"](embed[b, t]))
        believed = prototypes @ unit(extras["state_projection"](features[b, t]))
        swav[view] -= (other * torch.log_softmax(seen / how.temperature, 0)).sum() / rows
        temporal -= (own * torch.log_softmax(believed / how.temperature, 0)).sum() / (2 * rows)
    norm = 0.0
    for name, inputs in (("picture_projection", embed), ("state_projection", features)):
        lengths = extras[name](inputs).square().sum(-1).sqrt()
        norm = norm + ((lengths - 1) ** 2).mean()
    return {
        "swav_loss": 0.5 * swav[0] + 0.5 * swav[1],
        "temporal_loss": temporal,
        "norm_loss": how.norm_scale * norm,
    }


@pytest.mark.parametrize("norm_scale", [0.3, 0.0])
def test_the_three_losses(norm_scale):
    model = tiny(Small, norm_scale=norm_scale)
    world, batch = doubled(model)
    for weight in world.extras["slow_encoder"].parameters():
        weight.data.add_(0.05)
    batch = model.augment_batch(batch)
    embed = world.encoder(world.pictures(batch)).detach()
    features = noise(*embed.shape[:2], world.features)
    slow = slow_losses(world, batch, embed, features)
    got = world.prototype_losses(batch, embed, features)
    assert got.keys() == slow.keys()
    for name in got:
        torch.testing.assert_close(got[name], slow[name])


def test_only_the_first_step_is_left_out_and_views_are_shared_out_apart():
    model = tiny(Small)
    world, batch = doubled(model)
    batch = model.augment_batch(batch)
    targets = world.targets(batch)
    assert targets.shape == (6, 4, 6)
    batch.image[:, 0] = 0
    assert torch.equal(world.targets(batch), targets)
    batch.image[3:] = batch.image[3:].flip(0)
    changed = world.targets(batch)
    assert torch.equal(changed[:3], targets[:3]) and not torch.equal(changed[3:], targets[3:])


def test_the_reward_loss_is_weighed():
    world, batch = doubled(tiny(Small, reward_scale=1000.0))
    features = noise(3, 5, world.features)
    unweighed = world.reward.loss(features, batch.reward).mean()
    loss = world.reward_loss(batch, features)["reward_loss"]
    torch.testing.assert_close(loss, 1000 * unweighed)


# What moves.

STATES = {"encoder", "rssm"}
SEEN = {"encoder", "picture_projection"}
BELIEVED = {*STATES, "state_projection"}


@pytest.mark.parametrize("frozen", [True, False])
def test_where_each_loss_goes(frozen):
    model = tiny(Small, freeze_updates=3 if frozen else 0, free_nats=0.0)
    world = model.policy.world_model
    unlike_zero(world)
    learned = world.learn(model.augment_batch(random_sequences()))
    prototypes = set() if frozen else {"prototypes"}
    found = {name: reached(world, loss) for name, loss in learned.losses.items()}
    assert found == {
        "swav_loss": SEEN | prototypes,
        "temporal_loss": BELIEVED | prototypes,
        "norm_loss": SEEN | BELIEVED,
        "reward_loss": {*STATES, "reward"},
        "continue_loss": {*STATES, "goes_on"},
        "dyn_loss": STATES,
        "rep_loss": STATES,
    }
    assert learned.states.deter.shape[:2] == (6, 5), "imagination starts from both views"


def test_prototypes_stay_for_a_while():
    model = tiny(Small)
    weight = model.policy.world_model.extras["prototypes"].weight
    start, at = torch.nn.functional.normalize(weight.detach().clone(), dim=-1), []
    for _ in range(5):
        model._update(model.augment_batch(random_sequences()))
        at.append(weight.detach().clone())
    for kept in at[:3]:
        torch.testing.assert_close(kept, start)
    assert (at[3] - start).abs().max() > 1e-6
    model.policy.world_model.extras["prototypes"].renew()
    torch.testing.assert_close(weight.norm(dim=-1), torch.ones(6))


def test_prototypes_have_length_one_where_they_are_used():
    model = tiny(Small)
    world, batch = doubled(model)
    batch = model.augment_batch(batch)
    embed = world.encoder(world.pictures(batch))
    features = noise(*embed.shape[:2], world.features)
    losses = world.prototype_losses(batch, embed, features)
    world.extras["prototypes"].weight.data.mul_(5.0)
    for name, again in world.prototype_losses(batch, embed, features).items():
        torch.testing.assert_close(again, losses[name])


def test_slow_copies_follow_at_first_all_the_way():
    model = tiny(Small, slow_rate=0.25)
    world = model.policy.world_model
    pairs = [
        (world.extras["slow_encoder"], world.encoder),
        (world.extras["slow_projection"], world.extras["picture_projection"]),
    ]
    assert not any(p.requires_grad for slow, _ in pairs for p in slow.parameters())
    for update in range(3):
        expected = [[p.detach().clone() for p in slow.parameters()] for slow, _ in pairs]
        model._update(model.augment_batch(random_sequences()))
        rate = 1.0 if update == 0 else 0.25
        for (slow, fast), before in zip(pairs, expected, strict=True):
            for p, q, old in zip(slow.parameters(), fast.parameters(), before, strict=True):
                torch.testing.assert_close(p.detach(), old + rate * (q.detach() - old))
    assert world.updates == 3


def test_an_update_moves_all_and_is_logged():
    model = tiny(Small, freeze_updates=0, learning_rate=3e-3)
    world = model.policy.world_model
    unlike_zero(world)
    before = copied(world)
    batch = random_sequences(2, 4)
    losses = [model._update(model.augment_batch(batch)) for _ in range(40)]
    assert {n.removeprefix("extras.").split(".")[0] for n in moved(world, before)} == {
        *("encoder", "rssm", "reward", "goes_on", "prototypes", "picture_projection"),
        *("state_projection", "slow_encoder", "slow_projection", "updates"),
    }
    assert losses[-1]["temporal_loss"] < losses[0]["temporal_loss"]
    assert {"swav_loss", "norm_loss", "kl", "actor_loss"} <= set(losses[0])
    assert not hasattr(world, "decoder")


def test_files(tmp_path):
    check_files(Small, tmp_path)


def test_what_people_see():
    model = tiny(Small, draw_every=1)
    shown = model.views(model.observation_space.sample())
    assert "saliency" in shown and "reconstruction" not in shown
    model.learn(20)


@pytest.mark.parametrize("suite", ["mini-reach", "dmcgb-walker_walk", "unitree-walk"])
def test_presets(suite):
    preset = load_preset("dreamerpro", f"distraction_gym/{suite}-clean-v0")
    assert preset["n_envs"] == 4
    assert ("freeze_updates" in preset) == (suite == "mini-reach")
