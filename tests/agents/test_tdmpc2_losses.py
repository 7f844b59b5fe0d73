"""TD-MPC2's losses against slow references in float64, and which weights each may move."""

import math

import pytest
import torch
from plans import model_of, random_slices, slow_cross_entropy, slow_member, slow_number, stir, tiny

from distraction_gym.agents.common.descent import frozen
from distraction_gym.agents.tdmpc2.losses import Weights, decayed, model_losses, prior_loss
from distraction_gym.agents.tdmpc2.scale import RunningScale

GAMMA = 0.9
PARTS = ("encoder", "dynamics", "reward", "termination", "critics", "prior", "target_critics")


def slow_value(critics, member, z, action):
    return slow_number(slow_member(critics, member, torch.cat([z, action], -1)))


def slow_targets(model, batch, seed):
    """Ask two target critics, step by step, with the random numbers of a seed."""
    torch.manual_seed(seed)
    seen = torch.stack(
        [torch.stack([model.encoder.read(o[None])[0] for o in s]) for s in batch.obs]
    )
    actions = model.prior(seen[1:]).action
    pair = torch.randperm(5)[:2].tolist()
    targets = torch.empty_like(batch.reward)
    for t in range(3):
        for b in range(4):
            # The picture after the action, and the encoder's own latent state of it.
            z, action = seen[t + 1, b], actions[t, b]
            least = min(slow_value(model.target_critics, m, z, action) for m in pair)
            alive = 1 - batch.terminal[t, b]
            targets[t, b] = batch.reward[t, b] + GAMMA * alive * least
    return seen, targets


def test_losses_equal_a_slow_reference():
    _, model = model_of(episodic=True)
    batch = random_slices(dtype=torch.float64)
    with torch.no_grad():
        seen, targets = slow_targets(model, batch, seed=5)
        slow = dict.fromkeys(("consistency", "reward", "value"), 0.0)
        ends = 0.0
        for b in range(4):
            z = seen[0, b]
            for t in range(3):
                action = batch.action[t, b]
                both = torch.cat([z, action])
                code = model.reward(both)
                share = 0.5**t / 3 / 4
                slow["reward"] += 0.1 * share * slow_cross_entropy(code, batch.reward[t, b].item())
                for member in range(5):
                    logits = slow_member(model.critics, member, both)
                    error = slow_cross_entropy(logits, targets[t, b].item())
                    slow["value"] += 0.1 * share * error / 5
                z = model.dynamics(both)
                slow["consistency"] += 20 * share * ((z - seen[t + 1, b]) ** 2).sum().item() / 16
                chance = torch.sigmoid(model.termination(z)).item()
                right = chance if batch.terminal[t, b] else 1 - chance
                ends -= math.log(right) / 12
        torch.manual_seed(5)
        losses, z = model_losses(model, batch, Weights(), GAMMA)
    for name, value in {**slow, "termination": ends}.items():
        assert losses[f"{name}_loss"].item() == pytest.approx(value, rel=1e-9), name
    assert z.shape == (4, 4, 16)


def test_the_published_weights_are_the_defaults():
    assert tiny()._weights() == Weights(0.5, 20.0, 0.1, 0.1, 1.0, 1e-4)


def test_later_steps_count_half_as_much():
    errors = torch.tensor([[8.0, 0.0], [2.0, 2.0], [4.0, 4.0]])
    assert decayed(errors, 0.5) == pytest.approx((4 + 0.5 * 2 + 0.25 * 4) / 3)


def test_the_priors_loss_equals_a_slow_reference():
    _, model = model_of()
    z = torch.rand(4, 6, 16, dtype=torch.float64)
    scale = RunningScale().double()
    scale.value.fill_(3.0)
    with torch.no_grad():
        torch.manual_seed(2)
        drawn = model.prior(z)
        pair = torch.randperm(5)[:2].tolist()
        values = torch.tensor(
            [
                [
                    sum(slow_value(model.critics, m, z[t, b], drawn.action[t, b]) for m in pair) / 2
                    for b in range(6)
                ]
                for t in range(4)
            ]
        )
        # The first step's values count, before any is divided.
        low, high = torch.quantile(values[0], torch.tensor([0.05, 0.95], dtype=values.dtype))
        width = 3.0 + 0.01 * (max((high - low).item(), 1.0) - 3.0)
        slow = 0.0
        for t in range(4):
            gain = (values[t] / width + 1e-4 * drawn.entropy[t]).mean().item()
            slow -= 0.5**t * gain / 4
        torch.manual_seed(2)
        loss, entropy = prior_loss(model, z, scale, Weights())
    assert loss.item() == pytest.approx(slow, rel=1e-6)
    assert scale.value.item() == pytest.approx(width, rel=1e-6)
    torch.testing.assert_close(entropy, drawn.entropy.mean())


# What each loss moves.


def reached(model, loss):
    """Name the parts that a loss has a gradient for."""
    model.zero_grad()
    loss.backward(retain_graph=True)
    return {
        name
        for name in PARTS
        if any(p.grad is not None and p.grad.any() for p in getattr(model, name).parameters())
    }


def test_where_each_loss_goes():
    _, model = model_of(episodic=True)
    losses, z = model_losses(model, random_slices(dtype=torch.float64), Weights(), GAMMA)
    found = {name: reached(model, loss) for name, loss in losses.items()}
    assert found == {
        "consistency_loss": {"encoder", "dynamics"},
        "reward_loss": {"encoder", "dynamics", "reward"},
        "value_loss": {"encoder", "dynamics", "critics"},
        "termination_loss": {"encoder", "dynamics", "termination"},
    }
    with frozen(model.critics):
        loss, _ = prior_loss(model, z.detach(), RunningScale().double(), Weights())
    assert reached(model, loss) == {"prior"}


def test_what_the_model_is_to_arrive_at_gets_no_gradient():
    _, model = model_of()
    batch = random_slices(dtype=torch.float64)
    obs = batch.obs.clone().requires_grad_()
    losses, _ = model_losses(model, batch._replace(obs=obs), Weights(), GAMMA)
    sum(losses.values()).backward()
    assert obs.grad[0].any() and not obs.grad[1:].any()


def test_an_update_moves_everything_and_the_target_a_little():
    agent = tiny(episodic=True)
    stir(agent)
    agent.policy.set_training_mode(True)
    model = agent.policy.world_model
    before = {n: [p.clone() for p in getattr(model, n).parameters()] for n in PARTS}
    agent._update(random_slices())
    for name in PARTS:
        pairs = zip(getattr(model, name).parameters(), before[name], strict=True)
        moved = [not torch.equal(p, q) for p, q in pairs]
        assert any(moved), name
    assert all(p.requires_grad for p in model.critics.parameters())


def test_gradients_are_cut_at_20_and_the_encoder_learns_at_three_tenths():
    agent = tiny(consistency_coef=1e6, learning_rate=1e-3)
    agent.learn(30)
    optimizers = agent.optimizers
    agent._update(random_slices())
    groups = optimizers.model.param_groups
    norm = torch.stack([p.grad.norm() for group in groups for p in group["params"]]).norm()
    assert norm.item() == pytest.approx(20.0, rel=1e-4)
    assert [group["lr"] for group in groups] == pytest.approx([3e-4, 1e-3, 1e-3, 1e-3])
    encoder = {id(p) for p in agent.policy.world_model.encoder.parameters()}
    assert {id(p) for p in groups[0]["params"]} == encoder
    (prior,) = optimizers.prior.param_groups
    assert (prior["lr"], prior["eps"], groups[0]["eps"]) == (1e-3, 1e-5, 1e-8)


def test_one_batch_is_learned_by_heart():
    torch.manual_seed(0)
    agent = tiny(learning_rate=3e-3, shift=0)
    batch = random_slices()
    losses = [agent._update(batch) for _ in range(80)]
    assert losses[-1]["reward_loss"] < 0.7 * losses[0]["reward_loss"]
    assert losses[-1]["consistency_loss"] < 0.7 * losses[0]["consistency_loss"]
