"""A loss that is no number stops the run, with its name, the step, and the last good state."""

import numpy as np
import pytest
import torch
from pictures import Bandit, random_batch, small, weights

from distraction_gym.agents import SAC
from distraction_gym.agents.common.checkpoint import load_checkpoint
from distraction_gym.agents.common.descent import descend
from distraction_gym.agents.common.resumable import ResumableCheckpoint
from distraction_gym.errors import TrainingDiverged


class Broken(Bandit):
    """Pays no number from its 16th step on."""

    played = 0

    def step(self, action):
        self.played += 1
        obs, reward, *rest = super().step(action)
        return obs, float("nan") if self.played > 15 else reward, *rest


def broken():
    model = small(SAC)
    model.set_env(Broken())
    return model


def test_it_says_which_loss_and_when_and_keeps_the_last_good_state(tmp_path):
    model = broken()
    with pytest.raises(
        TrainingDiverged, match=r"critic_loss is nan, in update \d+ after"
    ) as caught:
        model.learn(200, callback=ResumableCheckpoint(tmp_path, every=1000))
    (folder,) = tmp_path.iterdir()
    assert str(folder) in str(caught.value)
    kept = small(SAC)
    load_checkpoint(kept, folder)
    assert all(p.isfinite().all() for p in kept.policy.parameters())
    assert kept._n_updates >= 5


def test_without_checkpoints_it_says_how_to_have_them():
    with pytest.raises(TrainingDiverged, match="ResumableCheckpoint"):
        broken().learn(200)


def test_a_later_run_does_not_write_into_an_earlier_ones_folder(tmp_path):
    model = small(SAC)
    model.learn(12, callback=ResumableCheckpoint(tmp_path, every=1000))
    (first,) = tmp_path.iterdir()
    model.set_env(Broken())
    with pytest.raises(TrainingDiverged, match="needs callback=ResumableCheckpoint"):
        model.learn(200, reset_num_timesteps=False)
    assert list(tmp_path.iterdir()) == [first]


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_no_weight_moves(bad):
    model, batch = small(SAC), random_batch()
    before = weights(model.policy)
    batch.reward[2] = bad
    with pytest.raises(TrainingDiverged):
        model._update(batch)
    assert all(torch.equal(p, q) for p, q in zip(weights(model.policy), before, strict=True))


def test_a_gradient_that_is_no_number_stops_it_too():
    weight = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.Adam([weight])
    with pytest.raises(TrainingDiverged, match="gradient of root"):
        descend({"root": weight.sqrt().sum()}, [optimizer])  # 0, with an infinite slope
    assert weight.item() == 0


@pytest.mark.parametrize(("clip", "moved"), [(None, 5.0), (6.0, 5.0), (2.0, 2.0)])
def test_gradients_longer_than_the_clip_are_shortened_to_it(clip, moved):
    weights = [torch.nn.Parameter(torch.zeros(())) for _ in range(2)]
    optimizer = torch.optim.SGD(weights, 1.0)
    descend({"root": 3 * weights[0] + 4 * weights[1]}, [optimizer], clip)
    found = [weight.item() for weight in weights]
    assert found == pytest.approx([-0.6 * moved, -0.8 * moved], rel=1e-5)


def test_one_parameter_of_two_optimizers_is_stepped_by_both():
    weight = torch.nn.Parameter(torch.ones(1))
    optimizers = [torch.optim.SGD([weight], 0.1), torch.optim.SGD([weight], 0.2), None]
    losses = descend({"a": 2 * weight.sum(), "b": weight.sum()}, optimizers)
    assert weight.item() == pytest.approx(1 - 0.3 * 3)
    assert {name: value.item() for name, value in losses.items()} == {"a": 2.0, "b": 1.0}
    assert not np.any([value.requires_grad for value in losses.values()])
