"""DrQ: both pictures shifted, each on its own; no averages; SAC where nothing is shifted."""

import torch
from pictures import SIDE, random_batch, small

from distraction_gym.agents import SAC, DrQ


def test_both_are_shifted_each_by_an_offset_of_its_own():
    model = small(DrQ)
    dot = torch.zeros(300, 3, SIDE, SIDE)
    dot[:, :, 18, 18] = 255.0
    obs, next_obs = model.augment_batch(dot, dot)
    offsets = [torch.nonzero(pictures[:, 0])[:, 1:] - 18 for pictures in (obs, next_obs)]
    for offset in offsets:
        assert set(offset.unique().tolist()) == set(range(-4, 5))
    assert (offsets[0] != offsets[1]).any(dim=1).float().mean() > 0.9


def test_without_a_shift_it_is_sac_weight_for_weight():
    drq, sac = small(DrQ, shift=0, shift_next=0).learn(30), small(SAC).learn(30)
    for ours, theirs in zip(drq.policy.parameters(), sac.policy.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_one_target_and_one_q_value_per_transition_and_critic_and_actor_see_the_same(monkeypatch):
    model, seen = small(DrQ, actor_update_interval=1), []
    error, loss = model.q_error, model.actor_loss

    def watch_error(obs, action, target):
        seen.append(obs)
        return error(obs, action, target)

    def watch_actor(batch, noise):
        seen.append(batch.obs)
        return loss(batch, noise)

    monkeypatch.setattr(model, "q_error", watch_error)
    monkeypatch.setattr(model, "actor_loss", watch_actor)
    batch = random_batch()
    model._update(batch)
    assert len(seen) == 2 and all(obs is batch.obs for obs in seen)
