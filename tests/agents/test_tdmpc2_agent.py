"""TDMPC2 as a whole: what is stored and sampled, when it learns, files, terminations, errors."""

import math

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium import spaces
from plans import TINY, Clock, Mortal, random_slices, tiny
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.vec_env import VecNormalize
from variants import same_parameters

from distraction_gym.agents import TDMPC2
from distraction_gym.agents.common.checkpoint import load_checkpoint, resume
from distraction_gym.agents.common.presets import load_preset
from distraction_gym.agents.common.resumable import ResumableCheckpoint
from distraction_gym.errors import TrainingDiverged, UnknownName, UnsupportedEnvironment

# What is stored.


@pytest.mark.parametrize(("n_envs", "buffer_size"), [(1, 200), (3, 200), (1, 30)])
def test_actions_and_rewards_lie_between_the_pictures_before_and_after(n_envs, buffer_size):
    """In this environment the reward is the action taken, and pictures show the step."""
    agent = tiny(Mortal, n_envs, episodic=True, buffer_size=buffer_size).learn(100)
    batch = agent.replay_buffer.sample_slices(300, 3)
    assert batch.obs.shape == (4, 300, 6, 12, 12) and batch.obs.dtype == torch.uint8
    older, newer = (batch.obs[:, :, at, 0, 0].int() // 10 for at in (0, 3))
    assert torch.equal(older, (newer - 1).clamp(min=0)), "stacks, also at the ends of episodes"
    assert torch.equal(newer[1:], newer[:-1] + 1), "one episode, without a gap"
    # The agent's actions are in [-1, 1]; the environment's go to 2.
    torch.testing.assert_close(2 * batch.action[..., 0], batch.reward)
    # Episodes of 5 are cut off, those of 8 terminate: by the last action alone.
    assert set(newer[1:][batch.terminal == 1].tolist()) == {8}
    assert (batch.terminal[newer[1:] == 8] == 1).all() and 5 in newer
    if buffer_size == 200:
        assert set(newer[0].tolist()) == {0, 1, 2, 3, 4, 5}


def test_episodes_that_were_left_are_not_joined():
    agent = tiny().learn(28)
    agent.learn(30)
    newer = agent.replay_buffer.sample_slices(300, 3).obs[:, :, 3, 0, 0].int() // 10
    assert torch.equal(newer[1:], newer[:-1] + 1)


def test_slices_that_there_are_not():
    agent = tiny(horizon=9, episode_length=9)
    with pytest.raises(ValueError, match="slices of 9 steps"):
        agent.learn(40)
    with pytest.raises(TypeError, match="sample_slices"):
        agent.replay_buffer.sample(3)


def test_rewards_are_stored_as_the_environment_pays_them():
    env = VecNormalize(make_vec_env(Clock, 2), norm_obs=False)
    agent = TDMPC2("CnnPolicy", env, **TINY).learn(40)
    batch = agent.replay_buffer.sample_slices(20, 3)
    torch.testing.assert_close(2 * batch.action[..., 0], batch.reward)


# When it learns.


def test_an_update_a_decision_and_as_many_at_first_as_there_were_random_steps():
    agent = tiny(learning_starts=10, catch_up_updates=None).learn(10)
    assert agent._n_updates == 0 and agent._last_memory is None
    agent.learn(1, reset_num_timesteps=False)
    assert agent._n_updates == 10 + 1
    agent.learn(5, reset_num_timesteps=False)
    assert agent._n_updates == 10 + 6 and agent._last_memory is not None
    several = tiny(n_envs=4, catch_up_updates=0).learn(32)
    assert several._n_updates == 32 - 24, "decisions count over all environments"


def test_lengths_of_episodes_are_asked_of_the_environment():
    env = gym.make("distraction_gym/mini-reach-clean-v0")
    settings = {k: v for k, v in TINY.items() if k not in ("episode_length", "learning_starts")}
    agent = TDMPC2("CnnPolicy", env, **settings)
    assert (agent.episode_length, agent.gamma, agent.learning_starts) == (25, 0.95, 1000)
    long = tiny(episode_length=500, learning_starts=None)
    assert (long.gamma, long.learning_starts, long.policy.gamma) == (0.99, 2500, 0.99)
    assert tiny(gamma=0.7, episode_length=None).policy.gamma == 0.7
    with pytest.raises(UnsupportedEnvironment, match="episode_length=500"):
        tiny(episode_length=None)


# Ends of episodes.


def test_a_termination_is_refused_unless_expected():
    with pytest.raises(UnsupportedEnvironment, match="episodic=True"):
        tiny(Mortal).learn(20)
    agent = tiny(Mortal, episodic=True).learn(40)
    assert agent.policy.world_model.termination is not None
    assert tiny().learn(40).policy.world_model.termination is None, "a time limit is none"


# Bad numbers, bad observations.


class Broken(Clock):
    """Pays no number from its sixth episode on."""

    def step(self, action):
        obs, reward, *rest = super().step(action)
        return obs, math.nan if self.episode > 4 else reward, *rest


def test_a_loss_that_is_no_number_stops_the_run(tmp_path):
    with pytest.raises(TrainingDiverged, match=r"reward_loss is nan.*, in update \d+") as told:
        tiny(Broken).learn(100, ResumableCheckpoint(tmp_path, every=1000))
    (folder,) = tmp_path.iterdir()
    assert str(folder) in str(told.value)
    kept = tiny()
    load_checkpoint(kept, folder)
    assert all(p.isfinite().all() for p in kept.policy.parameters())


@pytest.mark.parametrize("shape", [(4,), (4, 12, 12)])
def test_other_observations_are_refused(shape):
    class Other(Clock):
        observation_space = spaces.Box(0, 255, shape, np.uint8)

    with pytest.raises(UnsupportedEnvironment, match="stacked RGB frames"):
        tiny(Other)


def test_frames_in_another_order_are_refused():
    class Backwards(Clock):
        def draw(self):
            return super().draw()[::-1].copy()

    with pytest.raises(UnsupportedEnvironment, match=r"StackFrames\(env, k\)"):
        tiny(Backwards).learn(20)


def test_options_are_checked():
    with pytest.raises(UnknownName, match="precision"):
        tiny(precision="float8")


def test_convolutions_in_bfloat16():
    found = []
    for precision in ("float32", "bfloat16"):
        agent = tiny(precision=precision, shift=0)
        torch.manual_seed(0)
        found.append(agent._update(random_slices())["consistency_loss"])
    assert found[0] != found[1]
    torch.testing.assert_close(*found, rtol=0.1, atol=0)


# Files.


def test_saved_and_loaded_it_acts_the_same_and_learns_on(tmp_path):
    agent = tiny(n_envs=2, episodic=True, learning_starts=None, episode_length=5)
    agent.learning_starts = 24
    agent.learn(40)
    agent.save(tmp_path / "model")
    again = TDMPC2.load(tmp_path / "model", env=agent.get_env(), device="cpu")
    assert (again.gamma, again.learning_starts) == (0.95, 24)
    same_parameters(again, agent)
    obs = np.stack([agent.observation_space.sample() for _ in range(2)])
    acts = []
    for each in (agent, again):
        torch.manual_seed(1)
        action, state = each.predict(obs)
        acts.append((action, *each.predict(obs, state)[1]))
    assert all(np.array_equal(a, b) for a, b in zip(*acts, strict=True))
    again.learn(20)
    again = TDMPC2.load(tmp_path / "model", env=agent.get_env(), device="cpu")
    before = again._n_updates
    again.learn(20, reset_num_timesteps=False)  # past learning_starts, and nothing in the buffer
    assert (again.num_timesteps, again._n_updates - before) == (60, 20 - 2 * 2)
    read_only = TDMPC2.load(tmp_path / "model", device="cpu")
    assert read_only.replay_buffer._frames is None and read_only.predict(obs[0])[0].shape == (2,)


@pytest.mark.parametrize("n_envs", [1, 3])
def test_resumed_equals_unbroken(n_envs, tmp_path):
    whole = tiny(n_envs=n_envs)
    whole.learn(60, ResumableCheckpoint(tmp_path, every=30, keep=9))
    again = tiny(n_envs=n_envs, seed=99)  # every random state comes from the checkpoint
    resume(again, next(tmp_path.glob("0001-*")))
    assert 30 <= again.num_timesteps < 60 and again._last_memory is not None
    again.learn(60 - again.num_timesteps, reset_num_timesteps=False)
    assert again._n_updates == whole._n_updates
    same_parameters(again, whole)


# What it shows.


def test_explain_tells_what_the_value_depends_on():
    agent = tiny().learn(40)
    obs = np.stack([agent.observation_space.sample() for _ in range(3)])
    state = torch.get_rng_state()
    found = agent.explain(obs)
    assert torch.equal(torch.get_rng_state(), state), "nothing is drawn, nor shifted"
    assert found.shape == (3, 12, 12) and 0 <= found.min() < found.max() <= 1
    torch.testing.assert_close(agent.explain(obs[1]), found[1:2])
    with torch.no_grad():  # of older frames alone
        agent.policy.world_model.encoder.convolutions[0].weight[:, 3:].zero_()
    assert not agent.explain(obs).any()
    assert list(agent.views(obs[0])) == ["saliency"]


def test_losses_are_logged():
    agent = tiny()
    seen = {}
    agent.learn(30, lambda scope, _: seen.update(scope["self"].logger.name_to_value) or True)
    names = {"consistency_loss", "reward_loss", "value_loss", "prior_loss", "entropy"}
    assert {f"train/{name}" for name in (*names, "value_scale", "n_updates")} <= set(seen)


@pytest.mark.parametrize("suite", ["mini-reach", "dmcgb-walker_walk", "unitree-walk"])
def test_presets(suite):
    preset = load_preset("tdmpc2", f"distraction_gym/{suite}-clean-v0")
    if suite == "dmcgb-walker_walk":
        assert preset["env_kwargs"] == {"image_size": 64, "frame_stack": 3, "action_repeat": 2}
    if suite == "mini-reach":
        assert preset["n_envs"] == 4 and preset["num_samples"] < 512
