"""Planning: MPPI against a slow reference, its warm start, and what `predict` hands on."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from plans import Clock, model_of, slow_member, slow_number, tiny
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.evaluation import evaluate_policy

from distraction_gym.agents.tdmpc2.planning import Planning, estimate_value, moved_on, plan

GAMMA = 0.9


def slow_return(model, z, actions, pair, final):
    """Earn what the model says, one sequence; stop where it expects an end."""
    total, counts = 0.0, 1.0
    for action in actions:
        both = torch.cat([z, action])
        total += counts * slow_number(model.reward(both))
        z = model.dynamics(both)
        counts *= GAMMA
        if model.termination is not None and torch.sigmoid(model.termination(z)).item() > 0.5:
            counts = 0.0
    both = torch.cat([z, final])
    return total + counts * sum(slow_number(slow_member(model.critics, m, both)) for m in pair) / 2


def final_actions(model, z, actions):
    """Return what the prior draws where sequences end, from torch's random state as it is."""
    for action in actions.unbind(2):
        z = model.next(z, action)
    return model.prior(z).action


@pytest.mark.parametrize("episodic", [False, True])
def test_what_a_sequence_of_actions_earns(episodic):
    _, model = model_of(episodic=episodic)
    z = torch.rand(2, 16, dtype=torch.float64)[:, None].expand(-1, 6, -1)
    actions = 2 * torch.rand(2, 6, 3, 2, dtype=torch.float64) - 1
    with torch.no_grad():
        torch.manual_seed(4)
        found = estimate_value(model, z, actions, GAMMA)
        torch.manual_seed(4)
        final, pair = final_actions(model, z, actions), torch.randperm(5)[:2].tolist()
        for n, s in np.ndindex(2, 6):
            slow = slow_return(model, z[n, s], actions[n, s], pair, final[n, s])
            assert found[n, s].item() == pytest.approx(slow, rel=1e-9)


def test_planning_equals_a_slow_reference_in_each_environment():
    _, model = model_of()
    settings = Planning(3, iterations=2, num_samples=7, num_pi_trajs=2, num_elites=3)
    z = torch.rand(2, 16, dtype=torch.float64)
    start = torch.rand(2, 3, 2, dtype=torch.float64) - 0.5
    with torch.no_grad():
        torch.manual_seed(6)
        found = plan(model, z, start, settings, GAMMA)
        torch.manual_seed(6)
        mean, std = start.clone(), torch.full_like(start, 2.0)
        at = z[:, None].expand(-1, 2, -1)
        known = []
        for _ in range(3):
            known.append(model.prior(at).action)
            at = model.next(at, known[-1])
        known = torch.stack(known, 2)
        for _ in range(2):
            noise = torch.randn(2, 5, 3, 2, dtype=torch.float64)
            drawn = (mean[:, None] + std[:, None] * noise).clamp(-1, 1)
            # The prior's sequences stay from iteration to iteration.
            actions = torch.cat([known, drawn], 1)
            every = z[:, None].expand(-1, 7, -1)
            final, pair = final_actions(model, every, actions), torch.randperm(5)[:2].tolist()
            scores, elites = [], []
            for n in range(2):
                values = [
                    slow_return(model, z[n], actions[n, s], pair, final[n, s]) for s in range(7)
                ]
                best = sorted(range(7), key=lambda s: -values[s])[:3]
                raw = [np.exp(0.5 * (values[s] - values[best[0]])) for s in best]
                scores.append(torch.tensor(raw) / sum(raw))
                elites.append(actions[n, best])
                mean[n] = sum(w * a for w, a in zip(scores[n], elites[n], strict=True))
                spread = sum(
                    w * (a - mean[n]) ** 2 for w, a in zip(scores[n], elites[n], strict=True)
                )
                std[n] = spread.sqrt().clamp(0.05, 2.0)
        chosen = torch.multinomial(torch.stack(scores), 1)[:, 0].tolist()
        action = torch.stack([elites[n][chosen[n], 0] for n in range(2)])
        action = action + std[:, 0] * torch.randn(2, 2, dtype=torch.float64)
    torch.testing.assert_close(found.mean, mean)
    torch.testing.assert_close(found.action, action.clamp(-1, 1))


class Known:
    """A model in which an action pays the more the nearer it is to a place of the environment."""

    termination = None

    def __init__(self, actions=1):
        self.actions, self.asked = actions, 0

    def next(self, z, action):
        return z

    def rewards(self, z, action):
        self.asked += 1
        return -20 * (action - z).abs().sum(-1)

    def two_values(self, z, action):
        return torch.zeros(2, *z.shape[:-1])

    def prior(self, z):
        return SimpleNamespace(action=torch.zeros(*z.shape[:-1], self.actions))


def test_a_plan_finds_what_pays_in_each_environment():
    torch.manual_seed(0)
    places = torch.tensor([[-0.6], [0.7]])
    found = plan(Known(), places, torch.zeros(2, 3, 1), Planning(), 0.9, deterministic=True)
    torch.testing.assert_close(found.action, places, atol=0.06, rtol=0)
    torch.testing.assert_close(found.mean, places[:, None].expand(-1, 3, -1), atol=0.1, rtol=0)


def test_exploring_adds_noise_of_at_least_the_least_deviation():
    torch.manual_seed(0)
    spread = []
    for deterministic in (True, False):
        place = torch.full((400, 1), 0.2)
        made = plan(Known(), place, torch.zeros(400, 3, 1), Planning(), 0.9, deterministic)
        spread.append((made.action - place).std().item())
    assert spread[1] ** 2 - spread[0] ** 2 >= 0.8 * 0.05**2
    assert made.action.abs().max() <= 1


@pytest.mark.parametrize(("actions", "iterations"), [(19, 6), (20, 8)])
def test_many_actions_take_two_more_iterations(actions, iterations):
    model = Known(actions)
    z = torch.zeros(1, actions)
    plan(model, z, torch.zeros(1, 3, actions), Planning(num_samples=65), 0.9)
    assert model.asked == 3 * iterations


def test_the_published_settings_are_the_defaults():
    assert Planning() == Planning(3, 6, 512, 24, 64, 0.5, 0.05, 2.0)
    agent = tiny(iterations=6, num_samples=512, num_elites=64, num_pi_trajs=24)
    assert agent.policy.planning == Planning() and agent.policy.gamma == agent.gamma == 0.95


# The warm start.


def test_planning_goes_on_a_step_later_and_anew_where_an_episode_begins():
    mean = torch.arange(12.0).reshape(2, 3, 2)
    later = moved_on(mean, torch.tensor([0.0, 1.0]))
    assert later[0].tolist() == [[2, 3], [4, 5], [0, 0]] and not later[1].any()


def test_predict_hands_the_plan_on():
    agent = tiny()
    obs = np.stack([agent.observation_space.sample() for _ in range(3)])

    def predict(*state):
        torch.manual_seed(7)
        return agent.predict(obs, *state, deterministic=True)

    action, state = predict()
    assert action.shape == (3, 2) and [part.shape for part in state] == [(3, 3, 2), (3, 2)]
    # Predict rescales to the action space in float32: near zero, 1e-7 of its bounds is much.
    np.testing.assert_allclose(state[1], action / 2, rtol=1e-5, atol=1e-6)
    _, warm = predict(state)
    _, mixed = predict(state, np.array([False, True, False]))
    np.testing.assert_array_equal(mixed[0][1], state[0][1])
    np.testing.assert_array_equal(mixed[0][[0, 2]], warm[0][[0, 2]])
    assert not np.allclose(warm[0], state[0])
    one, state = agent.predict(obs[0])
    assert one.shape == (2,) and state[0].shape == (1, 3, 2)
    with pytest.raises(ValueError, match=r"expected .* for 3 environments"):
        agent.predict(obs, state)


def watched(agent):
    """List, of each call of `act`: the number that each picture shows, and who starts anew."""
    told, act = [], agent.policy.act

    def watching(obs, memory, first, deterministic=False):
        numbers = (obs[:, -1, 0, 0] / 10).int().tolist()
        told.extend(zip(numbers, first.tolist(), memory.mean.abs().sum((1, 2)), strict=True))
        return act(obs, memory, first, deterministic)

    agent.policy.act = watching
    return told


@pytest.mark.parametrize("n_envs", [1, 3])
def test_while_learning_the_plan_is_forgotten_at_the_start_of_episodes(n_envs):
    agent = tiny(n_envs=n_envs)
    told = watched(agent)
    agent.learn(90)
    assert all((number == 0) == (first == 1) for number, first, _ in told)
    assert {number for number, *_ in told} == set(range(8))
    # The first plans of all begin in the middle of an episode, after random steps.
    assert all(known > 0 for number, _, known in told[n_envs:] if number > 0)


def test_evaluation_forgets_the_plan_between_episodes():
    agent = tiny()
    told = watched(agent)
    returns, lengths = evaluate_policy(
        agent, make_vec_env(Clock, 1), 4, return_episode_rewards=True
    )
    assert lengths == [5, 8, 5, 8] and np.isfinite(returns).all()
    assert [number for number, *_ in told] == [*range(5), *range(8)] * 2
    assert all(first == 1 or known == 0 or number > 0 for number, first, known in told)
    assert sum(first for _, first, _ in told) >= 3
