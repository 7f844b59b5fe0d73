"""Segmentation Dreamer's losses: against slow references, and which weights each may move."""

import dataclasses

import pytest
import torch
from dreams import SIDE, random_sequences, tiny

from distraction_gym.agents import SD, Dreamer
from distraction_gym.agents.common.descent import descend
from distraction_gym.agents.sd.losses import mask_loss, nullified, quality, selective_error
from distraction_gym.agents.sd.world_model import HEAD

WORSE = {"name": "degraded", "segmenter": "oracle", "recall": 0.7}


def masked_sequences(share=0.4, **kwargs):
    batch = random_sequences(**kwargs)
    generator = torch.Generator().manual_seed(5)
    shape = *batch.reward.shape, *batch.image.shape[-2:]
    batch.extras["mask"] = torch.rand(shape, generator=generator) < share
    return batch


def with_masks(batch, mask):
    return dataclasses.replace(batch, extras={"mask": mask})


def fit(model, batch, updates):
    """Train the world model alone."""
    for _ in range(updates):
        learned = model.policy.world_model.learn(batch)
        descend(learned.losses, [model.optimizers.model], 1000.0)
        losses = model.extra_updates(batch, learned)
    return losses


def grads(model):
    """Return the largest gradient of each part of the world model."""
    world = model.policy.world_model
    parts = dict(world.named_children()) | {HEAD: world.extras[HEAD]}
    del parts["extras"]
    largest = {
        name: [p.grad.abs().max().item() for p in part.parameters() if p.grad is not None]
        for name, part in parts.items()
    }
    return {name: max(values, default=0.0) for name, values in largest.items()}


# The target.


def test_the_target_is_the_picture_where_the_mask_is_and_black_elsewhere():
    world, batch = tiny(SD).policy.world_model, masked_sequences()
    target, pictures = world.target(batch), world.pictures(batch)
    mask = batch.extras["mask"]
    for color in range(3):
        assert torch.equal(target[:, :, color][mask], pictures[:, :, color][mask])
        assert (target[:, :, color][~mask] == 0).all()


def test_the_target_may_be_the_mask_itself():
    world, batch = tiny(SD, target="mask").policy.world_model, masked_sequences()
    assert torch.equal(world.target(batch)[:, :, 2], batch.extras["mask"].float())
    assert world.decoder(torch.zeros(1, world.features)).shape == (1, 3, SIDE, SIDE)


def test_the_naive_loss_is_the_whole_masked_pictures_error():
    world, batch = tiny(SD).policy.world_model, masked_sequences()
    features = torch.randn(3, 5, world.features)
    (name, loss), *others = world.image_loss(batch, features).items()
    error = (world.decoder(features) - world.target(batch)) ** 2
    torch.testing.assert_close(loss, error.sum((-1, -2, -3)).mean())
    assert name == "image_loss" and not others and HEAD not in world.extras


# Selective L2.


def slow_losses(made, pictures, logits, mask):
    """Work out both losses pixel by pixel, from the paper's words."""
    frames, colors, height, width = made.shape
    image = own = 0.0
    for n in range(frames):
        for y in range(height):
            for x in range(width):
                chance = 1 / (1 + (-logits[n, y, x]).exp())
                told = bool(mask[n, y, x])
                own -= (chance if told else 1 - chance).log()
                if chance > 0.5 and not told:
                    continue  # the model says relevant, the masks do not
                for c in range(colors):
                    target = pictures[n, c, y, x] if told else 0.0
                    image += (made[n, c, y, x] - target) ** 2
    return image / frames, own / frames


def test_both_losses_equal_a_slow_reference():
    torch.manual_seed(0)
    model = tiny(SD, masks=WORSE)
    world = model.policy.world_model.double()
    batch = masked_sequences(batch=2, steps=2)
    batch = dataclasses.replace(batch, action=batch.action.double())
    features = torch.randn(2, 2, world.features).double()
    torch.nn.init.normal_(world.extras[HEAD].layers[-1][0].weight)
    made, logits = world.decoder(features), world.mask_logits(features)
    assert 0.05 < (logits > 0).double().mean() < 0.95
    loss = world.image_loss(batch, features)["image_loss"]
    image, own = slow_losses(
        made.flatten(0, 1).detach(),
        (batch.image / 255.0).double().flatten(0, 1),
        logits.flatten(0, 1).detach(),
        batch.extras["mask"].flatten(0, 1),
    )
    torch.testing.assert_close(loss, image, rtol=1e-6, atol=0)
    torch.testing.assert_close(world.measured["mask_loss"], own, rtol=1e-6, atol=0)


def test_ignored_is_what_the_head_finds_and_the_mask_does_not_and_nothing_else():
    logits = torch.tensor([[3.0, 3.0, -3.0, -3.0, 0.0]])
    mask = torch.tensor([[True, False, True, False, False]])
    assert nullified(logits, mask).tolist() == [[False, True, False, False, False]]
    assert not nullified(logits.requires_grad_(), mask).requires_grad


def test_nothing_is_ignored_where_the_masks_have_all_that_the_head_finds():
    logits = torch.randn(4, 6, 6)
    mask = (logits > 0) | (torch.rand(4, 6, 6) > 0.5)
    assert not nullified(logits, mask).any()
    made, target = torch.rand(4, 3, 6, 6), torch.rand(4, 3, 6, 6)
    error = selective_error(made, target, nullified(logits, mask))
    torch.testing.assert_close(error, (made - target).square().sum((-1, -2, -3)))


def test_ignored_pixels_are_not_made_up_for():
    """A sum over fewer pixels, not a mean: the balance against the KL stays."""
    made, target = torch.ones(1, 3, 4, 4), torch.zeros(1, 3, 4, 4)
    ignored = torch.zeros(1, 4, 4, dtype=torch.bool)
    ignored[0, :2] = True
    assert selective_error(made, target, ignored).item() == 3 * 8
    made.requires_grad_()
    selective_error(made, target, ignored).sum().backward()
    assert (made.grad[0, :, :2] == 0).all() and (made.grad[0, :, 2:] == 2).all()


def test_cross_entropy_is_summed_over_pixels():
    logits, mask = torch.zeros(2, 5, 4, 4), torch.ones(2, 5, 4, 4, dtype=torch.bool)
    torch.testing.assert_close(mask_loss(logits, mask), torch.full((2, 5), 16 * 0.6931472))


def test_the_head_starts_unwilling_to_ignore():
    world = tiny(SD, masks=WORSE).policy.world_model
    chance = world.mask_logits(torch.zeros(1, world.features)).sigmoid()
    torch.testing.assert_close(chance, torch.full_like(chance, 0.1192), atol=1e-3, rtol=0)


# Which weights each loss moves.


def test_the_mask_heads_loss_never_reaches_the_model():
    model = tiny(SD, masks=WORSE)
    model.policy.world_model.learn(masked_sequences()).notes["mask_loss"].backward()
    found = grads(model)
    assert found.pop(HEAD) > 0 and set(found.values()) == {0.0}


def test_the_models_losses_never_reach_the_mask_head():
    model = tiny(SD, masks=WORSE, free_nats=0.0)
    torch.nn.init.constant_(model.extras[HEAD].layers[-1][0].bias, 1.0)  # ignores a lot
    learned = model.policy.world_model.learn(masked_sequences())
    assert learned.notes["nullified"] > 0.3
    sum(learned.losses.values()).backward()
    found = grads(model)
    assert found[HEAD] == 0 and found["encoder"] > 0 and found["decoder"] > 0


def test_with_the_ablation_it_does():
    model = tiny(SD, masks=WORSE, mask_gradient=True)
    losses = model.policy.world_model.learn(masked_sequences()).losses
    losses["mask_loss"].backward()
    found = grads(model)
    assert found[HEAD] > 0 and found["encoder"] > 0 and found["rssm"] > 0
    assert found["decoder"] == 0 and not hasattr(model.optimizers, HEAD)
    assert model._update(masked_sequences())["mask_loss"] > 0


def test_an_update_moves_the_head_with_its_own_optimizer():
    model = tiny(SD, masks=WORSE, mask_lr=1e-2)
    own = {id(p) for p in model.extras[HEAD].parameters()}
    groups = model.optimizers.model.param_groups
    assert not own & {id(p) for group in groups for p in group["params"]}
    batch = masked_sequences()
    batch.extras["mask"][:] = batch.extras["mask"][0, 0]
    first = model._update(batch)["mask_loss"]
    assert fit(model, batch, 60)["mask_loss"] < 0.7 * first


# With its own parts at nothing it is its parent.


def same_weights(one, two):
    theirs = dict(two.policy.named_parameters())
    for name, ours in one.policy.named_parameters():
        assert torch.equal(ours, theirs[name]), name


@pytest.mark.parametrize("masks", ["oracle", WORSE])
def test_when_all_is_relevant_it_is_dreamer_weight_for_weight(masks):
    sd, dreamer = tiny(SD, masks=masks), tiny(Dreamer)
    sd.policy.load_state_dict(dreamer.policy.state_dict(), strict=False)
    for update in range(6):
        batch = random_sequences()
        mask = torch.ones(3, 5, SIDE, SIDE, dtype=torch.bool)
        for model in (dreamer, sd):
            torch.manual_seed(update)
            model._update(batch if model is dreamer else with_masks(batch, mask))
    same_weights(dreamer, sd)


def test_the_mask_matters_to_the_target_alone():
    """Two masks, one picture: the same states; only the decoder is to draw something else."""
    world = tiny(SD).policy.world_model
    batch = masked_sequences()
    results, seen = [], []
    world.encoder.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    for mask in (batch.extras["mask"], ~batch.extras["mask"]):
        torch.manual_seed(0)
        results.append(world.learn(with_masks(batch, mask)))
    one, two = results
    assert torch.equal(one.states.features, two.states.features)
    assert torch.equal(seen[0], seen[1]) and torch.equal(seen[0], batch.image / 255.0)
    differs = {name for name in one.losses if one.losses[name] != two.losses[name]}
    assert differs == {"image_loss"}


# What it is for.


def flickering(steps):
    """One thing before black, in masks that lack it in two frames of five."""
    batch = random_sequences(8, steps)
    image = torch.zeros_like(batch.image)
    image[..., 3:9, 3:9] = 220
    mask = torch.zeros(8, steps, SIDE, SIDE, dtype=torch.bool)
    mask[..., 3:9, 3:9] = True
    mask &= (torch.rand(8, steps, generator=torch.Generator().manual_seed(1)) > 0.4)[
        ..., None, None
    ]
    return dataclasses.replace(batch, image=image, extras={"mask": mask})


@pytest.mark.slow
def test_selective_l2_draws_what_flickering_masks_miss_now_and_then():
    bright = {}
    for selective in (False, True):
        model = tiny(SD, masks=WORSE, selective=selective, learning_rate=3e-3, mask_lr=1e-2)
        batch = flickering(5)
        fit(model, batch, 200)
        with torch.no_grad():
            world = model.policy.world_model
            made = world.decoder(world.observe(batch)[0].features)
        bright[selective] = made[..., 4:8, 4:8].mean().item()
    assert abs(bright[True] - 220 / 255) < 0.08, "the thing as it is"
    assert bright[False] < 0.7, "as dark as masks are often empty"


def test_how_good_masks_are():
    found = torch.tensor([True, True, False, False, True])
    truth = torch.tensor([True, False, True, False, True])
    measured = quality(found, truth, "mask")
    assert {name: round(value.item(), 3) for name, value in measured.items()} == {
        "mask_recall": 0.667,
        "mask_precision": 0.667,
        "mask_iou": 0.5,
    }
    assert quality(found, found, "head")["head_iou"] == 1
