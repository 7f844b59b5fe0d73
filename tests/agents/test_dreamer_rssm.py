"""The RSSM against a slow one, step by step; episode starts; where gradients go."""

import pytest
import torch
from torch import nn

from distraction_gym.agents.dreamer import rssm as module
from distraction_gym.agents.dreamer.distributions import mode_one_hot
from distraction_gym.agents.dreamer.rssm import RSSM, NormGRU, State, restart

torch.set_num_threads(1)
ACTIONS, EMBED, DETER, STOCH, CLASSES, HIDDEN = 2, 7, 5, 3, 4, 6


def drifted(network, seed=1):
    """Move all weights, norms and biases too, so that none can be left out unseen."""
    torch.manual_seed(seed)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return network


@pytest.fixture
def rssm(monkeypatch):
    """A model in float64 that takes modes for samples."""
    monkeypatch.setattr(module, "sample_one_hot", mode_one_hot)
    return drifted(RSSM(ACTIONS, EMBED, DETER, STOCH, CLASSES, HIDDEN).double())


def rand(*shape):
    return torch.randn(*shape, dtype=torch.float64)


def slow_norm(x, norm):
    x = (x - x.mean()) / (x.var(unbiased=False) + 1e-3).sqrt()
    return x * norm.weight + norm.bias


def slow_dense(x, dense):
    x = slow_norm(dense[0].weight @ x, dense[1])
    return x * torch.sigmoid(x)


def slow_gru(x, h, cell):
    """One LayerNorm over the three gates; reset times the normalised candidate; update - 1."""
    gates = slow_norm(cell.linear.weight @ torch.cat([x, h]), cell.norm)
    size = len(h)
    reset, candidate, update = gates[:size], gates[size : 2 * size], gates[2 * size :]
    candidate = torch.tanh(torch.sigmoid(reset) * candidate)
    update = torch.sigmoid(update - 1)
    return update * candidate + (1 - update) * h


def slow_probs(x, dense, linear):
    logits = (linear.weight @ slow_dense(x, dense) + linear.bias).view(STOCH, CLASSES)
    return 0.99 * torch.softmax(logits, -1) + 0.01 / CLASSES


def slow_mode(probs):
    one_hot = torch.eye(CLASSES, dtype=probs.dtype)[probs.argmax(-1)]
    return one_hot + probs - probs.detach()


def slow_observe(model, action, first, embed):
    """Follow one sequence with loops."""
    start = torch.tanh(model.start)
    start_z = slow_mode(slow_probs(start, model.prior_hidden, model.prior_logits))
    h, z, found = start, start_z, []
    for a, begins, e in zip(action, first, embed, strict=True):
        if begins:
            h, z, a = start, start_z, torch.zeros_like(a)
        x = slow_dense(torch.cat([z.flatten(), a]), model.inputs)
        h = slow_gru(x, h, model.cell)
        prior = slow_probs(h, model.prior_hidden, model.prior_logits)
        joined = torch.cat([h, e])
        posterior = slow_probs(joined, model.posterior_hidden, model.posterior_logits)
        z = slow_mode(posterior)
        found.append((h, z, posterior.log(), prior.log()))
    return [torch.stack(part) for part in zip(*found, strict=True)]


def test_the_gru_cell():
    cell = drifted(NormGRU(4, 3).double())
    x, h = rand(6, 4), rand(6, 3)
    slow = torch.stack([slow_gru(a, b, cell) for a, b in zip(x, h, strict=True)])
    torch.testing.assert_close(cell(x, h), slow)


def test_a_new_cell_keeps_most_of_its_state():
    cell = NormGRU(4, 3)
    nn.init.zeros_(cell.linear.weight)
    h = torch.ones(1, 3)
    torch.testing.assert_close(cell(torch.ones(1, 4), h), torch.full((1, 3), 0.7310586))


def test_observing_sequences_with_starts_in_the_middle(rssm):
    batch, steps = 3, 6
    action, embed = rand(batch, steps, ACTIONS), rand(batch, steps, EMBED)
    first = torch.zeros(batch, steps, dtype=torch.float64)
    first[:, 0] = 1
    first[1, 3] = first[2, 1] = first[2, 2] = 1
    states, posterior, prior = rssm.observe(action, first, embed)
    for row in range(batch):
        slow = slow_observe(rssm, action[row], first[row], embed[row])
        got = (states.deter[row], states.stoch[row], posterior[row], prior[row])
        for ours, theirs in zip(got, slow, strict=True):
            torch.testing.assert_close(ours, theirs)


def test_features_are_z_then_h():
    state = State(torch.arange(2.0), torch.arange(6.0).view(2, 3) + 10)
    assert state.features.tolist() == [10, 11, 12, 13, 14, 15, 0, 1]


def test_one_by_one_equals_all_at_once(rssm):
    action, embed = rand(2, 4, ACTIONS), rand(2, 4, EMBED)
    first = torch.tensor([[1, 0, 1, 0], [1, 0, 0, 0]], dtype=torch.float64)
    states, _, _ = rssm.observe(action, first, embed)
    state = State(rand(2, DETER), rand(2, STOCH, CLASSES))  # a start forgets it
    for at in range(4):
        state = rssm.observe_one(state, action[:, at], first[:, at], embed[:, at])
        torch.testing.assert_close(state.deter, states.deter[:, at])
        torch.testing.assert_close(state.stoch, states.stoch[:, at])


def test_imagining_is_observing_without_a_picture(rssm):
    state, action = State(rand(2, DETER), mode_one_hot(rand(2, STOCH, CLASSES))), rand(2, ACTIONS)
    ahead = rssm.imagine(state, action)
    for row in range(2):
        joined = torch.cat([state.stoch[row].flatten(), action[row]])
        h = slow_gru(slow_dense(joined, rssm.inputs), state.deter[row], rssm.cell)
        z = slow_mode(slow_probs(h, rssm.prior_hidden, rssm.prior_logits))
        torch.testing.assert_close(ahead.deter[row], h)
        torch.testing.assert_close(ahead.stoch[row], z)


def test_a_start_forgets_state_and_action_alone(rssm):
    state, embed = State(rand(2, DETER), rand(2, STOCH, CLASSES)), rand(2, EMBED)
    first = torch.tensor([1.0, 0.0], dtype=torch.float64)
    after = restart(state, first, rssm.initial(2))
    torch.testing.assert_close(after.deter[0], torch.tanh(rssm.start))
    torch.testing.assert_close(after.deter[1], state.deter[1])
    one, other = (rssm.observe_one(state, rand(2, ACTIONS), first, embed) for _ in range(2))
    assert torch.equal(one.deter[0], other.deter[0])
    assert not torch.equal(one.deter[1], other.deter[1])


def test_gradients_are_those_of_a_slow_one(rssm):
    """Weights get theirs after the loop: each must get all of it, and once."""
    action, embed = rand(1, 5, ACTIONS), rand(1, 5, EMBED)
    first = torch.tensor([[1.0, 0, 0, 1, 0]], dtype=torch.float64)
    states, posterior, prior = rssm.observe(action, first, embed)
    slow = slow_observe(rssm, action[0], first[0], embed[0])
    found = states.deter[0], states.stoch[0], posterior[0], prior[0]
    weights = [torch.randn_like(part) for part in found]
    both = [
        torch.autograd.grad(
            sum((w * part).sum() for w, part in zip(weights, parts, strict=True)),
            [*rssm.parameters()],
        )
        for parts in (found, slow)
    ]
    for mine, theirs in zip(*both, strict=True):
        assert theirs.abs().max() > 0
        torch.testing.assert_close(mine, theirs)


def test_gradients_pass_states_actions_and_the_learned_start(rssm):
    action = rand(1, 3, ACTIONS).requires_grad_()
    embed = rand(1, 3, EMBED).requires_grad_()
    first = torch.tensor([[1.0, 0, 0]], dtype=torch.float64)
    states, _, _ = rssm.observe(action, first, embed)
    states.features[0, -1].square().sum().backward()
    assert action.grad[0, 0].abs().max() == 0, "the first action led to nothing"
    assert action.grad[0, 1:].abs().amin(dim=-1).min() > 0
    assert embed.grad[0].abs().amax(dim=-1).min() > 0
    assert rssm.start.grad.abs().max() > 0


def test_the_first_h_is_zero_at_the_beginning():
    fresh = RSSM(ACTIONS, EMBED, DETER, STOCH, CLASSES, HIDDEN)
    assert fresh.initial(2).deter.abs().max() == 0
