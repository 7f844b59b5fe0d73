"""The Masker in stock algorithms: it learns from their losses, is copied and saved with them."""

from __future__ import annotations

import copy

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium import spaces
from gymnasium.wrappers import DiscretizeAction
from pictures import SIDE, Bandit, moved, weights
from stable_baselines3 import A2C, DQN, PPO, SAC, TD3
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.policies import ActorCriticPolicy
from stable_baselines3.common.torch_layers import FlattenExtractor, NatureCNN
from stable_baselines3.common.vec_env import DummyVecEnv, VecFrameStack

from distraction_gym.agents import MaskerExtractor
from distraction_gym.agents.madi import Masker
from distraction_gym.agents.madi.extractor import explain, find_maskers
from distraction_gym.errors import UnknownName, UnsupportedEnvironment

contrib = pytest.importorskip("sb3_contrib", reason="pip install -e '.[dev]'")

OFF_POLICY = {"buffer_size": 60, "learning_starts": 8, "batch_size": 4, "train_freq": 2}
ON_POLICY = {"n_steps": 8, "batch_size": 8}
DISCRETE = {"exploration_initial_eps": 0.0, "exploration_final_eps": 0.0}
ACTING = {
    "PPO": (PPO, "CnnPolicy", ON_POLICY, ["features_extractor"]),
    "A2C": (A2C, "CnnPolicy", {}, ["features_extractor"]),
    "SAC": (SAC, "CnnPolicy", OFF_POLICY, ["actor", "critic", "critic_target"]),
    "TD3": (TD3, "CnnPolicy", OFF_POLICY, ["actor", "actor_target", "critic", "critic_target"]),
    "DQN": (DQN, "CnnPolicy", {**OFF_POLICY, **DISCRETE}, ["q_net", "q_net_target"]),
    "TQC": (contrib.TQC, "CnnPolicy", OFF_POLICY, ["actor", "critic", "critic_target"]),
    "QRDQN": (
        contrib.QRDQN,
        "CnnPolicy",
        {**OFF_POLICY, **DISCRETE},
        ["quantile_net", "quantile_net_target"],
    ),
    "TRPO": (contrib.TRPO, "CnnPolicy", ON_POLICY, ["features_extractor"]),
    "RecurrentPPO": (
        contrib.RecurrentPPO,
        "CnnLstmPolicy",
        ON_POLICY,
        ["features_extractor"],
    ),
}
SMALL = {
    "features_extractor_class": MaskerExtractor,
    "features_extractor_kwargs": {"inner_kwargs": {"features_dim": 16}, "masker_filters": 4},
    "net_arch": [16],
}


def build(name: str, env: gym.Env | None = None, **policy_kwargs):
    """Build a small stock algorithm with a Masker on the bandit."""
    cls, policy, settings, _ = ACTING[name]
    env = Bandit() if env is None else env
    if cls in (DQN, contrib.QRDQN):
        env = DiscretizeAction(env, 5)
    arguments = copy.deepcopy({**SMALL, **policy_kwargs})
    if name == "RecurrentPPO":
        arguments["lstm_hidden_size"] = 16
    return cls(policy, env, policy_kwargs=arguments, seed=0, device="cpu", **settings)


def pictures(batch: int = 4, stack: int = 1, side: int = SIDE) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (batch, 3 * stack, side, side), np.uint8)


@pytest.fixture
def space() -> spaces.Box:
    return spaces.Box(0, 255, (9, SIDE, SIDE), np.uint8)


class TestExtractor:
    def test_each_frame_is_masked_by_itself_before_the_inner_extractor(self, space):
        extractor = MaskerExtractor(space, FlattenExtractor, masker_filters=4)
        obs = torch.rand(2, 9, SIDE, SIDE)
        found = extractor(obs).view_as(obs)
        for k in range(3):
            frame = obs[:, 3 * k : 3 * k + 3]
            expected = extractor.masker(255 * frame) * frame
            torch.testing.assert_close(found[:, 3 * k : 3 * k + 3], expected)

    def test_the_default_is_nature_cnn_and_the_papers_masker(self, space):
        extractor = MaskerExtractor(space)
        assert isinstance(extractor.inner, NatureCNN) and extractor.features_dim == 512
        assert sum(p.numel() for p in extractor.masker.parameters()) == 10_433

    def test_raw_and_normalised_pictures_get_the_same_mask(self, space):
        normalised = MaskerExtractor(space)
        raw = MaskerExtractor(space, white=255)
        raw.load_state_dict(normalised.state_dict())
        obs = torch.rand(2, 9, SIDE, SIDE)
        torch.testing.assert_close(normalised.masks(obs), raw.masks(255 * obs))

    @pytest.mark.parametrize("high", [1.0, 255.0])
    def test_float_pictures_are_measured_by_their_space(self, high):
        space = spaces.Box(0, high, (3, SIDE, SIDE), np.float32)
        extractor = MaskerExtractor(space, inner_kwargs={"features_dim": 8})
        frame = torch.rand(2, 3, SIDE, SIDE)
        torch.testing.assert_close(extractor.masks(high * frame), extractor.masker(255 * frame))
        assert extractor(high * frame).shape == (2, 8)

    def test_raw_pictures_that_nobody_named_are_an_error(self, space):
        with pytest.raises(ValueError, match=r'reach 200.*"white": 255'):
            MaskerExtractor(space)(torch.full((1, 9, SIDE, SIDE), 200.0))

    @pytest.mark.parametrize(
        "bad",
        [
            spaces.Box(0, 255, (4, SIDE, SIDE), np.uint8),
            spaces.Box(0, 255, (1, SIDE, SIDE), np.uint8),
            spaces.Box(0, 1, (SIDE, SIDE, 3), np.float32),
            spaces.Box(-1, 1, (9,), np.float32),
            spaces.Dict({"image": spaces.Box(0, 255, (3, SIDE, SIDE), np.uint8)}),
        ],
        ids=["rgba", "grey", "channels last", "vector", "dictionary"],
    )
    def test_what_is_no_stack_of_rgb_frames_is_refused(self, bad):
        with pytest.raises(UnsupportedEnvironment, match="RGB frames"):
            MaskerExtractor(bad)

    def test_pictures_without_an_upper_bound_need_their_white(self):
        space = spaces.Box(-np.inf, np.inf, (3, SIDE, SIDE), np.float32)
        with pytest.raises(ValueError, match=r'"white": 1\.0'):
            MaskerExtractor(space)
        assert MaskerExtractor(space, white=1.0).white == 1.0


@pytest.mark.parametrize("name", ACTING)
class TestAlgorithms:
    def test_they_build_one_masker_per_extractor(self, name):
        found = find_maskers(build(name))
        assert sorted({key.split(".")[0] for key in found}) == sorted(ACTING[name][3])
        assert next(iter(found)).split(".")[0] == ACTING[name][3][0]

    def test_masks_start_as_an_even_grey(self, name):
        """PPO's family would initialise the Masker anew, with dense filters."""
        for extractor in find_maskers(build(name)).values():
            first = extractor.masker.convolutions[0].weight
            assert torch.count_nonzero(first[:, :, 1, 1]) and not first[:, :, 0, :].any()

    def test_the_masker_learns(self, name):
        model = build(name)
        learned = {key for key in find_maskers(model) if "target" not in key}
        before = {key: weights(m.masker) for key, m in find_maskers(model).items()}
        model.learn(24)
        after = find_maskers(model)
        assert all(moved(after[key].masker, before[key]) for key in learned)

    def test_the_first_masker_is_the_one_that_acts(self, name):
        model = build(name)
        used = []
        for key, extractor in find_maskers(model).items():
            extractor.masker.register_forward_hook(lambda *_, key=key: used.append(key))
        model.predict(pictures(2), deterministic=True)
        assert set(used) == {next(iter(find_maskers(model)))}

    def test_explain_gives_the_mask_of_what_acting_sees(self, name):
        model = build(name)
        obs = pictures()
        masker = next(iter(find_maskers(model).values())).masker
        expected = masker(torch.as_tensor(obs).float())[:, 0]
        torch.testing.assert_close(explain(model, obs), expected)
        torch.testing.assert_close(explain(model, obs[0]), expected[:1])

    def test_a_saved_model_masks_and_acts_the_same(self, name, tmp_path):
        model = build(name).learn(16)
        model.save(tmp_path / "model")
        loaded = type(model).load(tmp_path / "model", device="cpu")
        obs = pictures()
        torch.testing.assert_close(explain(loaded, obs), explain(model, obs))
        acts = [m.predict(obs, deterministic=True)[0] for m in (model, loaded)]
        np.testing.assert_array_equal(*acts)

    def test_a_deep_copy_has_maskers_of_its_own(self, name):
        model = build(name)
        twin = copy.deepcopy(model.policy)
        kept = weights(twin)
        with torch.no_grad():
            for extractor in find_maskers(model).values():
                extractor.masker.convolutions[-1].bias.add_(1)
        assert not moved(twin, kept)


class TestInSb3:
    def test_ppo_trains_one_masker_by_both_losses_unless_told_otherwise(self):
        assert list(find_maskers(build("PPO"))) == ["features_extractor"]
        apart = find_maskers(build("PPO", share_features_extractor=False))
        assert len(apart) == 2

    @pytest.mark.parametrize("name", ["SAC", "TD3", "TQC"])
    def test_actor_and_critic_train_a_masker_each(self, name):
        model = build(name)
        actor, critic = (
            find_maskers(model)[f"{k}.features_extractor"] for k in ("actor", "critic")
        )
        model.actor.optimizer.step = lambda *args, **kwargs: None
        before = weights(actor), weights(critic)
        model.learn(24)
        assert not moved(actor, before[0]) and moved(critic, before[1])

    @pytest.mark.parametrize("name", ["SAC", "TD3", "TQC"])
    @pytest.mark.parametrize("held", ["actor", "critic"])
    def test_a_shared_one_is_the_actors(self, name, held):
        model = build(name, share_features_extractor=True)
        getattr(model, held).optimizer.step = lambda *args, **kwargs: None
        masker = model.actor.features_extractor.masker
        before = weights(masker)
        model.learn(24)
        assert moved(masker, before) == (held == "critic")

    @pytest.mark.parametrize("policy_steps", [True, False])
    def test_trpo_trains_it_by_the_policys_step_alone(self, policy_steps):
        model = build("TRPO")
        model.target_kl, model.line_search_max_iter = 1.0, 10 * policy_steps
        before = weights(model.policy.features_extractor), weights(model.policy.value_net)
        model.learn(16)
        assert moved(model.policy.features_extractor, before[0]) == policy_steps
        assert moved(model.policy.value_net, before[1])

    def test_pictures_channels_last_are_turned_before(self):
        class Turned(gym.ObservationWrapper):
            observation_space = spaces.Box(0, 255, (SIDE, SIDE, 3), np.uint8)

            def observation(self, observation):
                return observation.transpose(1, 2, 0)

        model = build("PPO", Turned(Bandit()))
        assert explain(model, pictures(1)[0].transpose(1, 2, 0)).shape == (1, SIDE, SIDE)
        model.learn(8)

    def test_frames_stacked_by_sb3(self):
        env = VecFrameStack(DummyVecEnv([Bandit]), 3)
        model = build("PPO", env)
        assert model.policy.features_extractor.masks(torch.rand(2, 9, SIDE, SIDE)).shape[1] == 3
        model.learn(8)

    def test_pictures_left_as_they_are(self):
        kwargs = {**SMALL["features_extractor_kwargs"], "white": 255}
        model = build("DQN", normalize_images=False, features_extractor_kwargs=kwargs)
        obs = pictures()
        expected = model.policy.q_net.features_extractor.masker(torch.as_tensor(obs).float())
        torch.testing.assert_close(explain(model, obs), expected[:, 0])
        model.learn(16)

    def test_target_networks_follow(self):
        model = build("DQN")
        online, target = find_maskers(model).values()
        model.learn(12)
        assert moved(online.masker, weights(target.masker))
        model.policy.q_net_target.load_state_dict(model.policy.q_net.state_dict())
        assert not moved(online.masker, weights(target.masker))

    def test_a_model_without_masker_says_how_to_get_one(self):
        model = PPO("CnnPolicy", Bandit(), n_steps=8, batch_size=8)
        assert isinstance(model.policy, ActorCriticPolicy)
        with pytest.raises(ValueError, match="features_extractor_class"):
            explain(model, pictures())

    def test_any_masker_can_be_looked_at(self):
        model, obs = build("SAC"), pictures()
        critic = find_maskers(model)["critic.features_extractor"].masker
        with torch.no_grad():
            critic.convolutions[-1].bias.add_(1)
        expected = critic(torch.as_tensor(obs).float())[:, 0]
        torch.testing.assert_close(explain(model, obs, "critic.features_extractor"), expected)
        with pytest.raises(UnknownName, match=r"Did you mean 'critic\.features_extractor'"):
            explain(model, obs, "critic.features")

    def test_applying_a_function_leaves_the_masker_alone(self):
        extractor = MaskerExtractor(spaces.Box(0, 255, (3, SIDE, SIDE), np.uint8))
        seen = []
        extractor.apply(seen.append)
        assert not any(isinstance(module, Masker) for module in seen)
        assert any(isinstance(module, torch.nn.Conv2d) for module in seen)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "steps", "settings"),
    [
        ("PPO", 6_000, {"n_steps": 128, "batch_size": 64, "n_epochs": 4}),
        ("DQN", 2_000, {"buffer_size": 2_000, "batch_size": 32, "exploration_final_eps": 0.3}),
    ],
)
def test_they_learn_a_bandit_through_the_masker(name, steps, settings):
    cls, policy, small, _ = ACTING[name]
    env = DiscretizeAction(Bandit(), 5) if name == "DQN" else Bandit()
    arguments = {**small, **settings, "gamma": 0.0, "learning_rate": 1e-3}
    kwargs = copy.deepcopy(SMALL) | {"net_arch": [32]}
    model = cls(policy, env, policy_kwargs=kwargs, seed=0, device="cpu", **arguments).learn(steps)
    reward = evaluate_policy(model, model.get_env(), 100, warn=False)[0]
    random_policy = 1 - 2 / 3  # the mean distance of two uniform points on [-1, 1] is 2/3
    assert reward > random_policy + 0.35
