"""Which weights each loss of each agent may move, and that no other moves.

A method that moves more than SAC does has a row: nothing is worked out from the code under test.
"""

import pytest
import torch
from pictures import OWN, moved_parts, random_batch, small

from distraction_gym.agents import CURL, PAD, PIEG, SGQN, SMG, SODA, TRMS, TRMSSAC, DrQv2, MaDi

ENCODER = {"trunk", "critic projection"}
CRITIC = ENCODER | {"critic heads"}
BY_CRITIC = dict.fromkeys(OWN, CRITIC) | {
    MaDi: CRITIC | {"masker"},
    # The critic's loss trains the sampler, and the student has its own: see test_trms.py.
    **dict.fromkeys((TRMS, TRMSSAC), CRITIC | {"sampler", "student"}),
}
ACTOR = {"actor", "alpha"}
BY_ACTOR = dict.fromkeys(OWN, ACTOR) | {cls: {"actor"} for cls in (DrQv2, PIEG, TRMS)}
BY_AUXILIARY = {
    CURL: ENCODER | {"logits"},
    # The slow copies follow right after the step.
    SODA: {"trunk", "projection", "predictor", "target_trunk", "target_projection"},
    PAD: {"trunk", "inverse"},
    SGQN: ENCODER | {"decoder"},
    SMG: ENCODER | {"separator", "inverse"},
}


@pytest.mark.parametrize("cls", list(OWN))
def test_the_critics_loss(cls):
    model = small(cls)
    found = moved_parts(model, lambda: model._update_critic(random_batch()))
    assert found == BY_CRITIC[cls]


@pytest.mark.parametrize("cls", list(OWN))
def test_the_actors_loss(cls):
    model = small(cls)
    found = moved_parts(model, lambda: model._update_actor(random_batch(), torch.randn(6, 1)))
    assert found == BY_ACTOR[cls]
    trunk = [p for p in model.critic.features_extractor.parameters() if p.requires_grad]
    assert all(p.grad is None for p in trunk)
    assert trunk and all(p.requires_grad for p in model.critic.q_networks[0].parameters())


@pytest.mark.parametrize("cls", list(OWN))
def test_the_auxiliary_losses(cls):
    model = small(cls)
    model.learn(14)  # some methods draw pictures from the replay buffer
    if not hasattr(model, "_update_auxiliary"):
        assert cls not in BY_AUXILIARY
        return
    found = moved_parts(model, lambda: model._update_auxiliary(random_batch()))
    assert found == BY_AUXILIARY[cls]


@pytest.mark.parametrize("cls", list(OWN))
def test_the_target_follows_and_nothing_else_moves(cls):
    model = small(cls)
    with torch.no_grad():
        for parameter in model.critic.parameters():
            if parameter.requires_grad:
                parameter.add_(0.1)
    assert moved_parts(model, model._update_target) == {"target"}
