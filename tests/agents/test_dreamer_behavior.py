"""Imagination, returns, and the losses of actor and critic against slow references in float64."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from distraction_gym.agents.common.symlog import two_hot_log_prob
from distraction_gym.agents.dreamer import rssm as rssm_module
from distraction_gym.agents.dreamer.behavior import Behavior, Outlook, ReturnRange
from distraction_gym.agents.dreamer.distributions import BoundedNormal, mode_one_hot
from distraction_gym.agents.dreamer.imagination import imagine, lambda_returns, weights
from distraction_gym.agents.dreamer.rssm import State
from distraction_gym.agents.dreamer.sizes import Sizes
from distraction_gym.agents.dreamer.world_model import Sequences, WorldModel, pixel_error

torch.set_num_threads(1)
SIDE, ACTIONS = 12, 2
SMALL = Sizes(deter=6, stoch=3, classes=4, hidden=7, depth=2, units=5, layers=1)


def rand(*shape):
    return torch.rand(*shape, dtype=torch.float64)


def drifted(network):
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    return network


@pytest.fixture
def pair():
    torch.manual_seed(0)
    model = drifted(WorldModel(SIDE, ACTIONS, SMALL).double())
    behavior = Behavior(model.features, ACTIONS, SMALL, horizon=4, gamma=0.9).double()
    return model, drifted(behavior)


def sequences(batch=2, steps=3):
    torch.manual_seed(5)
    first = torch.zeros(batch, steps, dtype=torch.float64)
    first[:, 0] = 1
    return Sequences(
        torch.randint(0, 256, (batch, steps, 3, SIDE, SIDE), dtype=torch.uint8),
        2 * rand(batch, steps, ACTIONS) - 1,
        10 * rand(batch, steps) - 5,
        first,
        (rand(batch, steps) > 0.7).double(),
    )


def starts(n=5):
    stoch = mode_one_hot(torch.randn(n, 3, 4, dtype=torch.float64))
    return State(torch.randn(n, 6, dtype=torch.float64), stoch)


def slow_return(rewards, discounts, values, lambda_, at):
    """Return R_t by the recursion as it is written, for one trajectory."""
    if at == len(values) - 1:
        return values[at]
    after = slow_return(rewards, discounts, values, lambda_, at + 1)
    ahead = (1 - lambda_) * values[at + 1] + lambda_ * after
    return rewards[at + 1] + discounts[at + 1] * ahead


@pytest.mark.parametrize("lambda_", [0.0, 0.95, 1.0])
def test_lambda_returns(lambda_):
    rewards, discounts, values = rand(3, 6, 4)
    got = lambda_returns(rewards, discounts, values, lambda_)
    assert got.shape == (5, 4)
    for n in range(4):
        parts = [part[:, n].tolist() for part in (rewards, discounts, values)]
        slow = [slow_return(*parts, lambda_, at) for at in range(5)]
        assert got[:, n].tolist() == pytest.approx(slow)


def test_an_end_cuts_what_follows_and_its_reward_counts():
    rewards = torch.tensor([[9.0], [1.0], [2.0], [4.0]])
    discounts = torch.tensor([[1.0], [0.5], [0.0], [0.5]])
    values = torch.full((4, 1), 100.0)
    got = lambda_returns(rewards, discounts, values, 1.0).squeeze(1).tolist()
    assert got == [1 + 0.5 * 2, 2, 4 + 0.5 * 100]


def test_weights_begin_with_one_and_are_constants():
    discounts = torch.tensor([[0.5], [0.8], [0.1]], requires_grad=True)
    got = weights(discounts)
    assert got.squeeze(1).tolist() == pytest.approx([1.0, 0.5, 0.4])
    assert not got.requires_grad


def test_return_range():
    range_, low, high = ReturnRange().double(), 0.0, 0.0
    for seed in range(4):
        returns = 40 * torch.rand(7, 9, dtype=torch.float64, generator=_seeded(seed))
        range_.update(returns)
        now = np.percentile(returns.numpy(), [5, 95])
        low, high = 0.99 * low + 0.01 * now[0], 0.99 * high + 0.01 * now[1]
        assert range_.ends.tolist() == pytest.approx([low, high])
        assert range_.scale.item() == pytest.approx(max(1.0, high - low))
    assert range_.scale > 1 and ReturnRange().scale == 1, "small returns are not blown up"
    assert list(ReturnRange().state_dict()) == ["ends"], "a checkpoint must hold the averages"


def _seeded(seed):
    return torch.Generator().manual_seed(seed)


def test_imagination_goes_from_state_to_state(pair, monkeypatch):
    model, behavior = pair
    monkeypatch.setattr(rssm_module, "sample_one_hot", mode_one_hot)
    monkeypatch.setattr(BoundedNormal, "sample", lambda self: self.mean)
    start = starts()
    dream = imagine(model, behavior.actor, start, 4)
    state = start
    for at in range(4):
        torch.testing.assert_close(dream.features[at], state.features)
        raw = behavior.actor(state.features)
        std = 0.9 * torch.sigmoid(raw[:, ACTIONS:] + 2) + 0.1
        entropy = (0.5 * math.log(2 * math.pi * math.e) + std.log()).sum(-1)
        if at < 3:
            torch.testing.assert_close(dream.entropy[at], entropy)
        state = model.rssm.imagine(state, raw[:, :ACTIONS].tanh())
    assert (len(dream.features), len(dream.entropy)) == (4, 3), (
        "horizon states, the real one counted"
    )


def test_outlook_is_made_of_the_heads_predictions(pair):
    model, behavior = pair
    torch.manual_seed(1)
    outlook = behavior.outlook(model, starts())
    torch.manual_seed(1)
    features = imagine(model, behavior.actor, starts_again(), 4).features
    discounts = 0.9 * model.goes_on(features).squeeze(-1).sigmoid()
    rewards, values = model.reward.mean(features), behavior.critic.mean(features)
    returns = lambda_returns(rewards, discounts, values, 0.95)
    assert outlook.returns.shape == outlook.weights.shape == (3, 5)
    for row in range(3):
        torch.testing.assert_close(outlook.values[row], values[row])
        torch.testing.assert_close(outlook.weights[row], discounts[:row].prod(0))
    torch.testing.assert_close(outlook.returns, returns)
    drawn = features[:-1].gather(-1, outlook.ones.rows)
    assert drawn.shape == (3, 5, 3) and drawn.min() == 1


def starts_again():
    torch.manual_seed(1)
    return starts()


def outlook_of(height=3, n=4):
    return Outlook(rand(height, n, 18), *(10 * rand(3, height, n)), rand(height, n))


def test_actor_loss(pair):
    _, behavior = pair
    outlook = outlook_of()
    behavior.range.ends.copy_(torch.tensor([1.5, 6.0]))
    total = 0.0
    for at in np.ndindex(3, 4):
        normal_return = (outlook.returns[at] - 1.5) / 4.5
        advantage = normal_return - (outlook.values[at] - 1.5) / 4.5
        total -= (outlook.weights[at] * (advantage + 3e-4 * outlook.entropy[at])).item()
    assert behavior.actor_loss(outlook).item() == pytest.approx(total / 12)


def test_critic_loss_learns_returns_and_the_slow_critic_in_equal_parts(pair):
    _, behavior = pair
    outlook = outlook_of()
    logits = behavior.critic(outlook.features)
    assert not torch.allclose(logits, behavior.slow_critic(outlook.features))
    slow = behavior.slow_critic.mean(outlook.features)
    losses = -two_hot_log_prob(logits, outlook.returns) - two_hot_log_prob(logits, slow)
    expected = (outlook.weights * losses).mean()
    torch.testing.assert_close(behavior.critic_loss(outlook), expected)


def test_the_slow_critic_follows():
    behavior = Behavior(18, ACTIONS, SMALL)
    nn.init.ones_(behavior.critic[-1].bias)
    before = behavior.slow_critic[-1].bias.clone()
    behavior.follow(0.02)
    torch.testing.assert_close(behavior.slow_critic[-1].bias, 0.98 * before + 0.02)


def test_gradients_reach_actions_through_the_dynamics(pair):
    """With a reward that reads h alone, only the dynamics tell the actor what pays."""
    model, behavior = pair
    torch.manual_seed(0)
    behavior.actor_loss(behavior.outlook(model, starts())).backward()
    gradient = behavior.actor[-1].weight.grad
    assert gradient[:ACTIONS].abs().max() > 1e-8
    alone = [p.grad.clone() for p in behavior.actor.parameters()]
    behavior.zero_grad()
    torch.manual_seed(0)
    outlook = behavior.outlook(model, starts())
    # With constant returns nothing but entropy is left, which the mean has no part in.
    still = outlook._replace(returns=outlook.returns.detach(), values=outlook.values.detach())
    behavior.actor_loss(still).backward()
    assert behavior.actor[-1].weight.grad[:ACTIONS].abs().max() == 0
    assert not torch.equal(alone[-1], behavior.actor[-1].bias.grad)


# The world model's losses.


def test_world_model_losses_add_up(pair):
    model, _ = pair
    batch = sequences()
    torch.manual_seed(2)
    learned = model.learn(batch)
    torch.manual_seed(2)
    states, posterior, prior = model.observe(batch)
    made = model.decoder(states.features)
    image = reward = goes_on = 0.0
    for at in np.ndindex(2, 3):
        image += ((made[at] - batch.image[at].double() / 255) ** 2).sum().item() / 6
        reward -= two_hot_log_prob(model.reward(states.features[at]), batch.reward[at]).item() / 6
        p = model.goes_on.mean(states.features[at]).item()
        goes_on -= math.log(1 - p if batch.terminal[at] else p) / 6
    assert learned.losses["image_loss"].item() == pytest.approx(image)
    assert learned.losses["reward_loss"].item() == pytest.approx(reward)
    assert learned.losses["continue_loss"].item() == pytest.approx(goes_on)
    kl = (posterior.exp() * (posterior - prior)).sum((-2, -1)).clamp(min=1).mean()
    torch.testing.assert_close(learned.losses["dyn_loss"], 0.5 * kl)
    torch.testing.assert_close(learned.losses["rep_loss"], 0.1 * kl)
    assert list(learned.losses) == [
        *("image_loss", "reward_loss", "continue_loss", "dyn_loss", "rep_loss")
    ]


def test_pixel_errors_are_sums():
    assert pixel_error(torch.ones(2, 3, 4, 4), torch.zeros(2, 3, 4, 4)).tolist() == [48.0, 48.0]


def test_extras_never_reach_the_encoder(pair):
    model, _ = pair
    batch, seen = sequences(), []
    model.encoder.register_forward_hook(lambda _, inputs, output: seen.append(output.detach()))
    for value in (0.0, 1.0):
        mask = torch.full((2, 3, SIDE, SIDE), value, dtype=torch.float64)
        changed = batch.map(torch.clone)
        changed.extras["mask"] = mask
        model.learn(changed)
    assert torch.equal(*seen)
