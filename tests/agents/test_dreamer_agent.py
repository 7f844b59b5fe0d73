"""Dreamer learns: what each loss moves, bad numbers and observations, files, resumed runs."""

import hashlib

import gymnasium as gym
import numpy as np
import pytest
import torch
from dreams import TINY, Counter, Telling, random_sequences, tiny
from gymnasium import spaces
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.vec_env import VecNormalize

from distraction_gym.agents import Dreamer
from distraction_gym.agents.common.checkpoint import load_checkpoint, resume
from distraction_gym.agents.common.descent import descend
from distraction_gym.agents.common.presets import load_preset
from distraction_gym.agents.common.resumable import ResumableCheckpoint
from distraction_gym.agents.dreamer import BEHAVIOR_CLIP, MODEL_CLIP
from distraction_gym.agents.dreamer.rssm import State
from distraction_gym.bench.evaluate import play
from distraction_gym.errors import CheckpointError, TrainingDiverged, UnsupportedEnvironment


def parts(model):
    """Sort all weights by what they belong to."""
    policy = model.policy
    return {
        **dict(policy.world_model.named_children()),
        "start": torch.nn.ParameterList([policy.world_model.rssm.start]),
        "actor": policy.behavior.actor,
        "critic": policy.behavior.critic,
        "slow critic": policy.behavior.slow_critic,
    }


def moved_by(model, act):
    before = {n: [p.detach().clone() for p in m.parameters()] for n, m in parts(model).items()}
    act()
    return {
        name
        for name, module in parts(model).items()
        if any(
            not torch.equal(p, q) for p, q in zip(module.parameters(), before[name], strict=True)
        )
    }


# What is stored.


MODEL = {"encoder", "rssm", "start", "decoder", "reward", "goes_on"}


def test_each_loss_moves_its_own_part():
    model = tiny()
    batch, world = random_sequences(), model.policy.world_model
    torch.nn.init.normal_(model.policy.behavior.critic[-1].weight)
    torch.nn.init.normal_(world.reward[-1].weight)
    model._update(batch)
    learned = world.learn(batch)

    def step(name, losses):
        return moved_by(model, lambda: descend(losses, [getattr(model.optimizers, name)]))

    assert step("model", learned.losses) == MODEL
    starts = State(*(part.detach().flatten(0, 1) for part in learned.states))
    assert moved_by(model, lambda: model._update_behavior(starts)) == {
        *("actor", "critic", "slow critic")
    }
    assert all(p.requires_grad for p in world.parameters())
    assert all(p.requires_grad for p in model.policy.behavior.critic.parameters())


@pytest.mark.parametrize(
    ("loss", "reached"),
    [
        ("image_loss", {"encoder", "rssm", "start", "decoder"}),
        ("reward_loss", {"encoder", "rssm", "start", "reward"}),
        ("continue_loss", {"encoder", "rssm", "start", "goes_on"}),
        ("dyn_loss", {"encoder", "rssm", "start"}),
        ("rep_loss", {"encoder", "rssm", "start"}),
    ],
)
def test_where_each_loss_of_the_world_model_goes(loss, reached):
    model = tiny(free_nats=0.0)
    torch.nn.init.normal_(model.policy.world_model.reward[-1].weight)
    model.policy.world_model.learn(random_sequences()).losses[loss].backward()
    found = {
        name
        for name, module in parts(model).items()
        if any(p.grad is not None and p.grad.abs().max() > 0 for p in module.parameters())
    }
    assert found == reached


def test_actor_and_critic_losses_reach_themselves_alone():
    model = tiny()
    behavior, world = model.policy.behavior, model.policy.world_model
    torch.nn.init.normal_(behavior.critic[-1].weight)
    starts = State(*(p.detach().flatten(0, 1) for p in world.learn(random_sequences()).states))
    model._update_behavior(starts)
    grads = {
        name
        for name, module in parts(model).items()
        if any(p.grad is not None for p in module.parameters())
    }
    assert grads == {"actor", "critic"}


def test_the_slow_critic_follows_first_and_returns_are_scaled_before_the_actor_learns(monkeypatch):
    model, order = tiny(), []
    behavior = model.policy.behavior
    told = [(behavior, name) for name in ("follow", "outlook", "actor_loss", "critic_loss")]
    for owner, name in (*told, (behavior.range, "update")):
        own = getattr(owner, name)
        monkeypatch.setattr(
            owner, name, lambda *args, own=own, name=name: (order.append(name), own(*args))[1]
        )
    model._update(random_sequences())
    assert order == ["follow", "outlook", "update", "actor_loss", "critic_loss"]


def test_one_batch_is_learned_by_heart():
    model = tiny(learning_rate=3e-3, policy_kwargs={**TINY["policy_kwargs"], "deter": 16})
    batch = random_sequences(2, 4)
    losses = [model._update(batch) for _ in range(100)]
    for name, share in (("image_loss", 0.8), ("reward_loss", 0.6), ("continue_loss", 0.3)):
        assert losses[-1][name] < share * losses[0][name], name


# Hooks.


class Broken(Counter):
    """Pays no number from its third episode on."""

    def step(self, action):
        obs, reward, *rest = super().step(action)
        return obs, float("nan") if self.episode > 2 else reward, *rest


def test_a_loss_that_is_no_number_stops_the_run(tmp_path):
    with pytest.raises(TrainingDiverged, match=r"reward_loss is nan, in update \d+ after") as told:
        tiny(env=Broken).learn(100, ResumableCheckpoint(tmp_path, every=1000))
    (folder,) = tmp_path.iterdir()
    assert str(folder) in str(told.value)
    kept = tiny()
    load_checkpoint(kept, folder)
    assert all(p.isfinite().all() for p in kept.policy.parameters())


@pytest.mark.parametrize(
    "space",
    [
        spaces.Box(0, 1, (4,)),
        spaces.Box(0, 255, (3, 12, 16), np.uint8),
        spaces.Box(0, 255, (4, 12, 12), np.uint8),
    ],
)
def test_other_observations_are_refused(space):
    class Other(Counter):
        observation_space = space

    with pytest.raises(UnsupportedEnvironment, match="square RGB pictures"):
        tiny(env=Other)


def test_rewards_are_stored_as_the_environment_pays_them():
    env = VecNormalize(make_vec_env(Counter, 2), norm_obs=False)
    model = Dreamer("CnnPolicy", env, **TINY).learn(40)
    batch = model.replay_buffer.sample_sequences(20, 6)
    torch.testing.assert_close(2 * batch.action[..., 0], batch.reward)


def test_saved_and_loaded_it_acts_the_same_and_learns_on(tmp_path):
    model = tiny(n_envs=2).learn(40)
    model.save(tmp_path / "model")
    again = Dreamer.load(tmp_path / "model", env=model.get_env(), device="cpu")
    obs = np.stack([model.observation_space.sample() for _ in range(2)])
    acts = []
    for each in (model, again):
        torch.manual_seed(1)
        action, state = each.predict(obs)
        acts.append((action, *each.predict(obs, state)[1]))
    assert all(np.array_equal(a, b) for a, b in zip(*acts, strict=True))
    assert torch.equal(model.policy.behavior.range.ends, again.policy.behavior.range.ends)
    assert model.policy.behavior.range.ends.abs().max() > 0
    again.learn(20)
    read_only = Dreamer.load(tmp_path / "model", device="cpu")
    assert not read_only.replay_buffer._planes and read_only.predict(obs[0])[0].shape == (1,)


def test_weights_and_moments_lie_alike_in_memory_whatever_the_file_has(tmp_path):
    """Adam's fused kernel walks both side by side."""
    model = tiny(channels_last=False).learn(30)
    model.save(tmp_path / "model")
    again = Dreamer.load(tmp_path / "model", channels_last=True, device="cpu")
    states = zip(
        model.optimizers.model.state.values(), again.optimizers.model.state.items(), strict=True
    )
    convolutions = 0
    for old, (weight, new) in states:
        assert torch.equal(old["exp_avg"], new["exp_avg"])
        assert new["exp_avg"].stride() == new["exp_avg_sq"].stride() == weight.stride()
        convolutions += old["exp_avg"].stride() != weight.stride()
    assert convolutions


@pytest.mark.parametrize("how", ["load", "resume"])
def test_rates_are_those_of_the_model_and_not_of_the_file(how, tmp_path):
    rates = {"learning_rate": 3e-3, "actor_lr": 2e-3, "critic_lr": 1e-3}
    if how == "load":
        tiny().learn(30).save(tmp_path / "model")
        model = Dreamer.load(tmp_path / "model", make_vec_env(Counter, 1), device="cpu", **rates)
    else:
        tiny().learn(30, ResumableCheckpoint(tmp_path))
        model = tiny(**rates)
        resume(model, tmp_path)
    model.learn(10, reset_num_timesteps=False)
    groups = [getattr(model.optimizers, n).param_groups[0] for n in ("model", "actor", "critic")]
    assert [group["lr"] for group in groups] == list(rates.values())


def test_the_settings_of_the_paper():
    """Section 2 of the specification, whose numbers are those of the code of January 2023."""
    model = Dreamer("CnnPolicy", make_vec_env(Counter, 1), buffer_size=10, device="cpu")
    settings = {
        **{"batch_size": 16, "batch_length": 64, "train_ratio": 512.0, "learning_starts": 2500},
        **{"pretrain_updates": 100, "gamma": 0.997, "return_lambda": 0.95, "horizon": 15},
        **{"ent_coef": 3e-4, "tau": 0.02, "free_nats": 1.0, "dyn_scale": 0.5, "rep_scale": 0.1},
    }
    assert {name: getattr(model, name) for name in settings} == settings
    adams = {name: optimizer.param_groups[0] for name, optimizer in vars(model.optimizers).items()}
    rates = {name: (group["lr"], group["eps"]) for name, group in adams.items()}
    assert rates == {"model": (1e-4, 1e-8), "actor": (3e-5, 1e-5), "critic": (3e-5, 1e-5)}
    assert all(group["weight_decay"] == 0 for group in adams.values())
    assert (MODEL_CLIP, BEHAVIOR_CLIP) == (1000.0, 100.0)


@pytest.mark.parametrize(
    ("wrong", "error", "told"),
    [
        ({"horizon": 1}, ValueError, "horizon counts states"),
        ({"train_freq": 2, "use_sde": True}, TypeError, "Dreamer has no train_freq, use_sde"),
    ],
)
def test_settings_that_make_no_sense(wrong, error, told):
    with pytest.raises(error, match=told):
        tiny(**wrong)


def test_a_buffer_of_another_size_is_refused(tmp_path):
    """Or the advice would be to remove good checkpoints."""
    tiny(buffer_size=40).learn(60, ResumableCheckpoint(tmp_path, every=1000))
    with pytest.raises(CheckpointError, match="a ring of 40 steps, the model's one of 90"):
        resume(tiny(buffer_size=90), tmp_path)


def fingerprint(model):
    digest = hashlib.sha256()
    for name, state in sorted(model.get_parameters().items()):
        digest.update(f"{name}{_plain(state)}".encode())
    state = np.random.get_state()
    batch = model.replay_buffer.sample_sequences(16, 6)
    np.random.set_state(state)
    for tensor in (batch.image, batch.action, batch.reward, *batch.extras.values()):
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()


def _plain(value):
    if isinstance(value, torch.Tensor):
        return value.detach().numpy().tobytes().hex()
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value


@pytest.mark.parametrize("case", [{}, {"n_envs": 3}, {"cls": Telling, "buffer_size": 40}])
def test_resumed_equals_unbroken(case, tmp_path):
    whole = tiny(**case)
    whole.learn(90, ResumableCheckpoint(tmp_path, every=30, keep=9))
    first = next(tmp_path.glob("0001-*"))
    again = tiny(**case, seed=99)  # every random state comes from the checkpoint
    resume(again, first)
    assert 30 <= again.num_timesteps < 90 and again._last_memory is not None
    again.learn(90 - again.num_timesteps, reset_num_timesteps=False)
    assert again._n_updates == whole._n_updates
    assert fingerprint(again) == fingerprint(whole)


def test_without_resume_a_new_episode_begins(tmp_path):
    model = tiny().learn(40, ResumableCheckpoint(tmp_path, every=1000))
    again = tiny()
    load_checkpoint(again, tmp_path)
    assert again._last_memory is None and again._last_obs is None
    assert fingerprint(again) == fingerprint(model)
    again.learn(20, reset_num_timesteps=False)


@pytest.mark.parametrize("suite", ["mini-reach", "dmcgb-walker_walk", "unitree-walk"])
def test_presets(suite):
    preset = load_preset("dreamer", f"distraction_gym/{suite}-clean-v0")
    assert preset["n_envs"] == 4
    if suite == "dmcgb-walker_walk":
        assert preset["env_kwargs"] == {"image_size": 64, "frame_stack": 1, "action_repeat": 2}


def test_convolutions_in_bfloat16():
    batch = random_sequences()
    losses = []
    for precision in ("float32", "bfloat16"):
        torch.manual_seed(0)
        losses.append(tiny(precision=precision)._update(batch)["image_loss"])
    assert losses[0] != losses[1]
    torch.testing.assert_close(*losses, rtol=0.05, atol=0)


def test_any_environment_with_pictures():
    env = gym.make("distraction_gym/mini-catch-video_hard-v0", frame_stack=3)
    model = Dreamer("CnnPolicy", env, **TINY).learn(40)
    assert model._n_updates > 5 and np.isfinite(play(model, env, 1, seed=0).returns)
