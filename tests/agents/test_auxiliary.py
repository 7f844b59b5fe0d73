"""Losses with an optimizer of their own: when they step, what they move, what is saved."""

import pytest
import torch
from pictures import SMALL, Bandit, moved, random_batch, weights

from distraction_gym.agents.common.auxiliary import AuxiliaryLosses


class Decays(AuxiliaryLosses):
    """Shrinks the trunk, and counts."""

    def extra_modules(self):
        return {"head": torch.nn.Linear(2, 1)}

    def auxiliary_losses(self, batch):
        squares = sum((p**2).sum() for p in self.critic.features_extractor.parameters())
        return {"decay": squares, "head": self.extras["head"](torch.ones(1, 2)).squeeze() ** 2}

    def auxiliary_groups(self):
        trunk = self.critic.features_extractor.parameters()
        return [{"params": trunk}, {"params": self.extras["head"].parameters()}]

    def after_auxiliary(self):
        self.steps = getattr(self, "steps", 0) + 1


def decays(**kwargs):
    return Decays("CnnPolicy", Bandit(), **{**SMALL, **kwargs})


def test_they_move_what_they_name_and_nothing_else():
    model = decays()
    parts = [model.critic.features_extractor, model.extras]
    still = [
        model.critic.projection,
        model.critic.q_networks[0],
        model.actor.mu,
        model.critic_target,
    ]
    before = [weights(part) for part in parts + still]
    losses = model._update_auxiliary(random_batch())
    changed = [moved(p, w) for p, w in zip(parts + still, before, strict=True)]
    assert changed == [True, True, False, False, False, False]
    assert set(losses) == {"decay", "head"}


def test_they_step_every_few_updates():
    model = decays(aux_update_interval=3)
    found = ["decay" in model._update(random_batch()) for _ in range(7)]
    assert found == [False, False, True, False, False, True, False]
    assert model.steps == 2


def test_the_gradient_is_clipped():
    model = decays(aux_clip=1e-3)
    model._update_auxiliary(random_batch())
    parameters = [p for g in model.auxiliary_optimizer.param_groups for p in g["params"]]
    norm = torch.stack([p.grad.norm() for p in parameters if p.grad is not None]).norm()
    assert norm.item() == pytest.approx(1e-3, rel=1e-3)


def test_networks_and_optimizer_are_saved(tmp_path):
    model = decays()
    for _ in range(2):
        model._update(random_batch())
    model.save(tmp_path / "model")
    loaded = Decays.load(tmp_path / "model")
    assert torch.equal(loaded.extras["head"].weight, model.extras["head"].weight)
    states = (m.auxiliary_optimizer.state_dict()["state"][0] for m in (model, loaded))
    first, second = (state["exp_avg"] for state in states)
    assert torch.equal(first, second) and first.any()


def test_the_losses_are_logged():
    model = decays()
    model.learn(14)
    assert {"train/decay", "train/head", "train/critic_loss"} <= set(model.logger.name_to_value)
