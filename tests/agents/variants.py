"""What tests of Dreamer's variants share: whom a loss reaches, and whether files hold."""

import numpy as np
import torch
from dreams import random_sequences, tiny

from distraction_gym.agents.common.checkpoint import resume
from distraction_gym.agents.common.resumable import ResumableCheckpoint


def parts(world):
    """Sort a world model's weights by what they belong to: its parts, and its extras by name."""
    found = {name: part for name, part in world.named_children() if name != "extras"}
    return {**found, **dict(world.extras.named_children())}


def reached(world, loss):
    """Name the parts that a loss has a gradient for."""
    world.zero_grad()
    loss.backward(retain_graph=True)
    return {
        name
        for name, part in parts(world).items()
        if any(p.grad is not None and p.grad.abs().max() > 0 for p in part.parameters())
    }


def unlike_zero(world):
    """Give output layers that start at zero some weights, so that gradients pass them."""
    for part in world.modules():
        if isinstance(part, torch.nn.Linear) and not part.weight.any():
            torch.nn.init.normal_(part.weight)


def copied(world):
    """Return all of a world model's weights and buffers."""
    return {name: value.detach().clone() for name, value in world.state_dict().items()}


def moved(world, before):
    """Name the weights and buffers that are not what they were."""
    return {
        name for name, value in world.state_dict().items() if not torch.equal(value, before[name])
    }


def doubled(model, batch=3, steps=5):
    """Return the model in float64, and a batch to match."""
    model.policy.double()
    cast = lambda value: value.double() if value.is_floating_point() else value  # noqa: E731
    return model.policy.world_model, random_sequences(batch, steps).map(cast)


def check_files(cls, tmp_path):
    """A saved model acts the same, and a resumed run ends at the weights of an unbroken one."""
    whole = tiny(cls)
    whole.learn(60, ResumableCheckpoint(tmp_path / "run", every=30, keep=9))
    again = tiny(cls, seed=99)
    resume(again, next((tmp_path / "run").glob("0001-*")))
    again.learn(60 - again.num_timesteps, reset_num_timesteps=False)
    assert again._n_updates == whole._n_updates
    same_parameters(again, whole)
    whole.save(tmp_path / "model")
    loaded = cls.load(tmp_path / "model", env=whole.get_env(), device="cpu")
    same_parameters(loaded, whole)
    obs, acts = whole.observation_space.sample(), []
    for each in (whole, loaded):
        torch.manual_seed(1)
        acts.append(each.predict(obs)[0])
    assert np.array_equal(*acts)
    loaded.learn(10)


def same_parameters(one, other):
    """Weights, buffers and the state of every optimizer are the same."""
    mine, theirs = one.get_parameters(), other.get_parameters()
    assert mine.keys() == theirs.keys()
    for name in mine:
        assert _same(mine[name], theirs[name]), name


def _same(one, other):
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(_same, one, other))
    return one == other
