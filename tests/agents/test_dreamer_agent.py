"""Dreamer as a whole: what it stores, how it acts, what each loss moves, files, resumed runs."""

import hashlib

import gymnasium as gym
import numpy as np
import pytest
import torch
from dreams import SIDE, TINY, Counter, random_sequences, tiny
from gymnasium import spaces
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.logger import KVWriter, Logger
from stable_baselines3.common.vec_env import VecNormalize

from distraction_gym.agents import Dreamer
from distraction_gym.agents.common.checkpoint import load_checkpoint, resume
from distraction_gym.agents.common.descent import descend
from distraction_gym.agents.common.presets import load_preset
from distraction_gym.agents.common.resumable import ResumableCheckpoint
from distraction_gym.agents.dreamer import ArraySpec, WorldModel
from distraction_gym.agents.dreamer.panels import open_loop
from distraction_gym.agents.dreamer.rssm import State
from distraction_gym.bench.evaluate import play
from distraction_gym.bench.views import SEEN, agent_view
from distraction_gym.errors import TrainingDiverged, UnsupportedEnvironment


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


class Telling(Dreamer):
    """Stores what the environment's info says of each picture."""

    def extra_arrays(self):
        return {"shown": ArraySpec((), "int64")}

    def describe(self, frames, infos):
        assert frames.shape[1:] == (3, SIDE, SIDE)
        return {"shown": np.array([info["shown"] for info in infos])}


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
    np.testing.assert_allclose(state[2], action / 2, rtol=1e-5)
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
    returns = play(model, Counter(), 2, seed=5)
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(123)
    assert play(model, Counter(), 2, seed=5) == returns != play(model, Counter(), 2, seed=6)


def test_evaluation_asks_models_without_memory_as_before():
    class Plain:
        def predict(self, obs, deterministic):
            assert deterministic
            return np.ones(1, np.float32), None

    assert play(Plain(), Counter(), 2, seed=0) == (4.0, 7.0)
    assert len(play(tiny(), Counter(), 2, seed=0)) == 2


def test_stock_evaluation_hands_the_memory_on():
    model = tiny()
    returns, lengths = evaluate_policy(
        model, make_vec_env(Counter, 2), 4, return_episode_rewards=True
    )
    assert sorted(lengths) == [4, 4, 7, 7] and np.isfinite(returns).all()


# What each loss moves.

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


def test_one_batch_is_learned_by_heart():
    model = tiny(learning_rate=3e-3, policy_kwargs={**TINY["policy_kwargs"], "deter": 16})
    batch = random_sequences(2, 4)
    losses = [model._update(batch) for _ in range(100)]
    for name, share in (("image_loss", 0.8), ("reward_loss", 0.6), ("continue_loss", 0.3)):
        assert losses[-1][name] < share * losses[0][name], name


# Hooks.


class OwnWorld(WorldModel):
    """Adds a network with a loss of its own."""

    def __init__(self, *args, weight=1.0, **kwargs):
        self.weight = weight
        super().__init__(*args, **kwargs)

    def extra_modules(self):
        return {"probe": torch.nn.Linear(self.features, 1)}

    def image_loss(self, batch, features):
        own = self.extras["probe"](features.detach()).square().mean()
        return {**super().image_loss(batch, features), "probe_loss": self.weight * own}


class Variant(Dreamer):
    """States what it changes."""

    world_model_class = OwnWorld

    def world_model_kwargs(self):
        return {**super().world_model_kwargs(), "weight": 0.5}

    def extra_optimizers(self):
        return {"probe": torch.optim.SGD(self.extras["probe"].parameters(), 0.1)}

    def extra_updates(self, batch, learned):
        assert learned.states.features.shape[:2] == batch.reward.shape
        return {"seen": batch.image.float().mean()}


def test_a_variant_states_only_what_it_changes(tmp_path):
    model = tiny(Variant)
    assert model.policy.world_model.weight == 0.5
    owned = {id(p) for group in model.optimizers.model.param_groups for p in group["params"]}
    probe = list(model.extras["probe"].parameters())
    assert not owned & {id(p) for p in probe}
    losses = model._update(random_sequences())
    assert {"probe_loss", "seen", "image_loss", "actor_loss"} <= set(losses)
    model.save(tmp_path / "variant")
    again = Variant.load(tmp_path / "variant", device="cpu")
    assert torch.equal(again.extras["probe"].weight, model.extras["probe"].weight)
    assert again.policy.world_model.weight == 0.5


def test_with_nothing_changed_a_variant_is_the_parent():
    class Same(Dreamer):
        pass

    one, two = tiny().learn(30), tiny(Same).learn(30)
    pairs = zip(one.policy.parameters(), two.policy.parameters(), strict=True)
    assert all(torch.equal(p, q) for p, q in pairs)


# Pictures, logs, errors, files.


def test_views_and_explain():
    model = tiny()
    obs = model.observation_space.sample()
    state = torch.get_rng_state()
    panels = agent_view(model)(obs)
    assert torch.equal(torch.get_rng_state(), state), "looking draws nothing"
    assert {name: panel.shape for name, panel in panels.items()} == {
        "saliency": (SIDE, SIDE),
        "reconstruction": (SIDE, SIDE, 3),
        SEEN: (SIDE, SIDE, 3),
    }
    assert np.array_equal(panels[SEEN], obs[3:].transpose(1, 2, 0))


def test_open_loop_pictures():
    model, batch = tiny().policy.world_model, random_sequences(5, 9)
    batch.first[1, 7] = 1
    sheet = open_loop(model, batch, rows=3)
    assert sheet.shape == (3 * 2 * SIDE, 9 * SIDE, 3) and sheet.dtype == np.uint8
    truth = batch.image[0, 0].permute(1, 2, 0).numpy()
    assert np.abs(sheet[:SIDE, :SIDE].astype(int) - truth).max() <= 1
    ended = sheet[3 * SIDE : 4 * SIDE, 7 * SIDE :]
    assert ended.max() == 0 < sheet[3 * SIDE : 4 * SIDE, : 7 * SIDE].max()


class Halved(WorldModel):
    """Has the decoder draw the upper half alone."""

    def target(self, batch):
        pictures = self.pictures(batch)
        pictures[..., SIDE // 2 :, :] = 0
        return pictures


class Blind(WorldModel):
    """Draws nothing."""

    def make_decoder(self):
        return None

    def image_loss(self, batch, features):
        return {}


def variant(world):
    return type("Own", (Dreamer,), {"world_model_class": world})


def test_what_the_decoder_learns_is_drawn_where_it_is_not_what_was_seen():
    model, batch = tiny(variant(Halved)), random_sequences(2, 8)
    sheet = open_loop(model.policy.world_model, batch)
    assert sheet.shape == (2 * 3 * SIDE, 8 * SIDE, 3)
    assert sheet[SIDE + SIDE // 2 : 2 * SIDE].max() == 0 < sheet[SIDE // 2 : SIDE].max()
    torch.manual_seed(0)
    own = model.policy.world_model.learn(batch).losses["image_loss"]
    batch.image[..., SIDE // 2 :, :] = 0
    assert not torch.equal(own, model.policy.world_model.learn(batch).losses["image_loss"])


def test_a_model_without_decoder_learns_and_shows_no_pictures_of_its_own():
    model = tiny(variant(Blind), draw_every=1).learn(30)
    assert model._n_updates > 2
    assert list(model.views(model.observation_space.sample())) == ["saliency"]


class Kept(KVWriter):
    def __init__(self):
        self.values = {}

    def write(self, key_values, key_excluded, step=0):
        self.values.update(key_values)


def test_what_is_logged():
    model, kept = tiny(draw_every=5, n_envs=2), Kept()
    model.set_logger(Logger(None, [kept]))
    model.learn(60, log_interval=1)
    names = {name.removeprefix("train/") for name in kept.values if name.startswith("train/")}
    assert names >= {
        *("image_loss", "reward_loss", "continue_loss", "dyn_loss", "rep_loss", "kl"),
        *("actor_loss", "critic_loss", "return_low", "return_high", "actor_entropy"),
        *("imagined_return", "imagined_value", "prior_entropy", "posterior_entropy"),
        *("learning_rate", "n_updates"),
    }
    assert kept.values["pictures/open_loop"].image.shape[2] == 3


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
    assert model._n_updates > 5 and np.isfinite(play(model, env, 1, seed=0)[0])
