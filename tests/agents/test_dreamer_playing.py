"""Dreamer plays: what it stores, what it remembers, how it is evaluated."""

import numpy as np
import pytest
import torch
from dreams import Counter, Telling, random_sequences, tiny
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.evaluation import evaluate_policy

from distraction_gym.agents.dreamer.rssm import State
from distraction_gym.bench.evaluate import play


@pytest.mark.parametrize("n_envs", [1, 3])
def test_rewards_actions_and_infos_lie_beside_the_pictures_they_came_with(n_envs):
    """In this environment the reward is the action taken and the picture shows the step."""
    model = tiny(Telling, n_envs=n_envs, train_ratio=1).learn(90)
    batch = model.replay_buffer.sample_sequences(60, 12)
    number = batch.image[..., 0, 0, 0] // 10
    assert torch.equal(batch.extras["shown"], number.long()), "also at the ends of episodes"
    # The agent's actions are in [-1, 1]; the environment's go to 2.
    torch.testing.assert_close(2 * batch.action[..., 0], batch.reward)
    assert (batch.reward[number == 0] == 0).all() and (batch.reward[number > 0] != 0).all()
    follows = number[:, 1:].long() == number[:, :-1].long() + 1
    assert (follows | (batch.first[:, 1:] == 1)).all()
    # Episodes of 4 terminate, those of 7 are cut off: both show their last picture.
    assert set(number[batch.terminal == 1].tolist()) == {4}
    assert 7 in number and number.max() == 7


def test_learning_twice_joins_no_episodes():
    model = tiny(Telling).learn(14)
    model.learn(9)
    batch = model.replay_buffer.sample_sequences(200, 6)
    number = (batch.image[..., 0, 0, 0] // 10).long()
    follows = number[:, 1:] == number[:, :-1] + 1
    assert (follows | (batch.first[:, 1:] == 1)).all()


def test_how_many_updates_there_are():
    # 5 replayed steps a step and 15 in an update: one every 3 steps, after 2 at once.
    model = tiny().learn(12)
    assert model._n_updates == 0
    model.learn(1, reset_num_timesteps=False)
    assert model._n_updates == 2
    model.learn(29, reset_num_timesteps=False)
    assert model._n_updates == 2 + 30 // 3
    several = tiny(n_envs=4, pretrain_updates=0).learn(40)
    assert several._n_updates == (40 - 12) // 3, "steps count over all environments"


def test_random_actions_come_first():
    model = tiny()
    model.learn(12)
    assert model._last_memory is None
    model.learn(4, reset_num_timesteps=False)
    assert model._last_memory is not None


# How it acts.


def test_a_memory_goes_from_step_to_step():
    model = tiny()
    obs = np.stack([model.observation_space.sample() for _ in range(3)])
    torch.manual_seed(0)
    action, state = model.predict(obs, deterministic=True)
    assert action.shape == (3, 1) and [part.shape for part in state] == [(3, 8), (3, 3, 4), (3, 1)]
    assert all(isinstance(part, np.ndarray) for part in state)
    # Predict rescales to the action space in float32: near zero, 1e-7 of its bounds is much.
    np.testing.assert_allclose(state[2], action / 2, rtol=1e-5, atol=1e-6)
    _, state2 = model.predict(obs, state, np.zeros(3, bool), deterministic=True)
    assert not np.allclose(state2[0], state[0])
    # An episode's start forgets: as if there had been no state.
    starts = np.array([False, True, False])
    torch.manual_seed(7)
    _, forgotten = model.predict(obs, state, starts)
    torch.manual_seed(7)
    _, fresh = model.predict(obs)
    np.testing.assert_allclose(forgotten[0][1], fresh[0][1])
    assert not np.allclose(forgotten[0][0], fresh[0][0])
    one, state = model.predict(obs[0])
    assert one.shape == (1,) and state[0].shape == (1, 8)
    with pytest.raises(ValueError, match=r"expected .* for 3 environments"):
        model.predict(obs, state)


def test_acting_is_the_sequence_models_own_step():
    model = tiny()
    batch = random_sequences(batch=1, steps=4)
    batch.first[:, 1:] = 0
    world, memory = model.policy.world_model, None
    h = []
    with torch.no_grad():
        torch.manual_seed(0)
        states, _, _ = world.observe(batch)
        torch.manual_seed(0)
        memory = model.policy.remember(1)
        for at in range(4):
            # Of stacked frames the newest is looked at.
            stack = torch.cat([torch.zeros_like(batch.image[:, at]), batch.image[:, at]], 1)
            memory = memory._replace(action=batch.action[:, at])
            memory = model.policy.look(stack, memory, batch.first[:, at])
            h.append(memory.deter)
            memory = model.policy.remember(1)._replace(deter=memory.deter, stoch=memory.stoch)
    torch.testing.assert_close(torch.stack(h, 1), states.deter)


def test_the_mode_is_the_mean_of_the_actor_in_a_state_that_is_drawn():
    model = tiny()
    obs = torch.as_tensor(np.repeat(model.observation_space.sample()[None], 200, 0))
    with torch.no_grad():
        memory = model.policy.remember(200)
        modes = model.policy.act(obs, memory, torch.ones(200), deterministic=True)
        policy = model.policy.behavior.actor.distribution(State(*modes[:2]).features)
        samples = model.policy.act(obs, memory, torch.ones(200))
    assert len(modes.stoch.unique(dim=0)) > 1, "the state is drawn in evaluation too"
    assert torch.equal(modes.action, policy.mean)
    assert len(samples.action.unique()) > len(modes.action.unique())
    assert samples.action.abs().max() <= 1


def test_evaluation_hands_the_memory_on_and_forgets_it_between_episodes():
    class Asked:
        """Counts its calls in its memory."""

        def __init__(self):
            self.calls = []

        def predict(self, obs, state=None, episode_start=None, deterministic=False):
            count = 0 if state is None else state[0] + 1
            self.calls.append((count, episode_start))
            return np.zeros(1, np.float32), (count,)

    model = Asked()
    play(model, Counter(), 2, seed=0)
    assert [count for count, _ in model.calls] == [*range(4), *range(7)]
    assert all((start is None) == (count == 0) for count, start in model.calls)
    assert all(not start.any() for _, start in model.calls if start is not None)


def test_evaluation_repeats_itself_and_leaves_training_alone():
    model = tiny()
    state = torch.get_rng_state()
    returns = play(model, Counter(), 2, seed=5).returns
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(123)
    assert (
        play(model, Counter(), 2, seed=5).returns
        == returns
        != play(model, Counter(), 2, seed=6).returns
    )


def test_evaluation_asks_models_without_memory_as_before():
    class Plain:
        def predict(self, obs, deterministic):
            assert deterministic
            return np.ones(1, np.float32), None

    assert play(Plain(), Counter(), 2, seed=0).returns == (4.0, 7.0)
    assert len(play(tiny(), Counter(), 2, seed=0).returns) == 2


def test_stock_evaluation_hands_the_memory_on():
    model = tiny()
    returns, lengths = evaluate_policy(
        model, make_vec_env(Counter, 2), 4, return_episode_rewards=True
    )
    assert sorted(lengths) == [4, 4, 7, 7] and np.isfinite(returns).all()


# What each loss moves.
