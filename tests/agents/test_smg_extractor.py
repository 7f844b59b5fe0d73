"""SMG's extractor in stock algorithms: what rides on the features, and leaves them alone."""

import copy

import gymnasium as gym
import numpy as np
import pytest
import sb3_contrib
import stable_baselines3 as sb3
import torch
from gymnasium import spaces
from pictures import Bandit, moved, weights

from distraction_gym.agents import SeparatedExtractor
from distraction_gym.errors import UnknownName, UnsupportedEnvironment

torch.set_num_threads(1)
SMALL = {
    "features_dim": 8,
    "decoder_filters": (2, 4, 2),
    "trunk_kwargs": {"filters": 4, "strides": (2, 2, 2)},
}
POLICY = {
    "features_extractor_class": SeparatedExtractor,
    "features_extractor_kwargs": SMALL,
    "net_arch": [16],
}
OFF_POLICY = {"buffer_size": 100, "learning_starts": 8, "batch_size": 8, "train_freq": 1}
ON_POLICY = {"n_steps": 8}
ALGORITHMS = {
    sb3.PPO: {**ON_POLICY, "batch_size": 4, "n_epochs": 2},
    sb3.A2C: ON_POLICY,
    sb3.SAC: OFF_POLICY,
    sb3.TD3: OFF_POLICY,
    sb3.DQN: OFF_POLICY,
    sb3_contrib.TQC: OFF_POLICY,
    sb3_contrib.QRDQN: OFF_POLICY,
}


class Choices(gym.ActionWrapper):
    """The bandit with three actions to choose from."""

    def __init__(self):
        super().__init__(Bandit())
        self.action_space = spaces.Discrete(3)

    def action(self, action):
        return np.array([action - 1.0])


def build(algorithm, **kwargs):
    env = Choices() if algorithm in (sb3.DQN, sb3_contrib.QRDQN) else Bandit()
    arguments = {**ALGORITHMS[algorithm], "policy_kwargs": dict(POLICY), "seed": 0, **kwargs}
    return algorithm("CnnPolicy", env, **arguments)


def extractor(stack=3, **kwargs):
    torch.manual_seed(0)
    space = spaces.Box(0, 255, (3 * stack, 36, 36), np.uint8)
    return SeparatedExtractor(space, **{**SMALL, **kwargs})


def batch(stack=3, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(5, 3 * stack, 36, 36, generator=generator)


def gradients(module, loss):
    module.zero_grad()
    loss.backward()
    return {name: p.grad.clone() for name, p in module.named_parameters() if p.grad is not None}


class TestRide:
    def test_the_features_and_their_gradient_are_untouched(self):
        module, obs = extractor(), batch()
        upper = torch.rand(5, 8)
        module.eval()
        plain = module(obs)
        alone = gradients(module, (plain * upper).sum())
        module.train()
        module.weight = 0.0
        features = module(obs)
        assert torch.equal(features, plain)
        seen = []
        features.grad_fn.next_functions[0][0].register_hook(lambda _, given: seen.append(given[0]))
        ridden = gradients(module, (features * upper).sum())
        assert torch.equal(seen[0], upper)
        for name, gradient in alone.items():
            assert torch.equal(ridden[name], gradient), name

    def test_the_losses_get_their_weight_and_add_up(self):
        upper = torch.rand(5, 8, dtype=torch.float64)
        module, obs = extractor().double(), batch().double()
        module.make_views = _once(module.make_views)
        module.eval()
        alone = gradients(module, (module(obs) * upper).sum())
        module.train()
        own = gradients(module, module._loss(255 * obs, module._encode(255 * obs)))
        module.weight *= 3
        both = gradients(module, (module(obs) * upper).sum())
        assert set(both) == {name for name, _ in module.named_parameters()}
        for name, gradient in both.items():
            expected = alone.get(name, 0) + 3 * own[name]
            torch.testing.assert_close(gradient, expected, rtol=1e-6, atol=1e-9)

    def test_the_losses_are_weighted_like_smgs(self):
        module, obs = extractor(weight=1.0), batch()
        total = module._loss(255 * obs, module._encode(255 * obs))
        parts = module.losses
        expected = parts["recon"] + parts["mask"] + 2 * parts["back"] + 0.1 * parts["fore"]
        torch.testing.assert_close(total.detach(), expected)
        assert parts["recon"] > 1, "0-255"

    def test_nothing_rides_in_evaluation_without_gradients_or_without_weights(self):
        module, obs = extractor(), batch()
        with torch.no_grad():
            module(obs)
        module.eval()
        module(obs)
        module.train()
        module.scales = dict.fromkeys(module.scales, 0.0)
        module(obs)
        assert not module.losses

    def test_a_batch_that_comes_again_at_once_costs_nothing(self):
        module = extractor()
        for obs, rides in ((batch(), True), (batch(), False), (batch(seed=1), True)):
            module.losses = {}
            module(obs)
            assert bool(module.losses) is rides

    def test_both_scales_of_pictures_are_the_same(self):
        first, second = extractor(weight=1.0), extractor(weight=1.0, white=255.0)
        obs = batch()
        torch.testing.assert_close(first(obs), second(255 * obs))
        for module in (first, second):
            module.make_views = _once(module.make_views)
        torch.manual_seed(0)
        first(batch(seed=1))
        torch.manual_seed(0)
        second(255 * batch(seed=1))
        for name, loss in first.losses.items():
            torch.testing.assert_close(loss, second.losses[name], msg=name)


@pytest.mark.parametrize("algorithm", list(ALGORITHMS))
class TestAlgorithms:
    def test_its_own_backward_trains_the_separation(self, algorithm, tmp_path):
        model = build(algorithm)
        before = _state(model)
        model.learn(16)
        modules = _extractors(model)
        assert modules and all(module.losses for module in modules.values())
        for name, module in modules.items():
            parts = {**dict(module.separator.named_children()), "trunk": module.trunk}
            for key, part in parts.items():
                assert moved(part, before[name, key]), f"{name}: {key}"
        model.save(tmp_path / "model")
        loaded = algorithm.load(tmp_path / "model")
        obs = Bandit().reset(seed=0)[0]
        assert np.array_equal(
            loaded.predict(obs, deterministic=True)[0], model.predict(obs, deterministic=True)[0]
        )
        pictures = torch.as_tensor(obs)[None]
        again = _extractors(loaded)
        for name, module in modules.items():
            assert np.array_equal(again[name].panels(pictures), module.panels(pictures))

    def test_it_starts_as_smg_has_it(self, algorithm):
        module = next(iter(_extractors(build(algorithm)).values()))
        kernel = module.trunk.convolutions[0].weight
        assert kernel[:, :, 1, 1].any() and not kernel[:, :, 0].any(), "centre tap only"


class TestForUsers:
    def test_a_copy_is_whole(self):
        module = extractor()
        module(batch()).sum().backward()
        other = copy.deepcopy(module)
        other.eval(), module.eval()
        assert torch.equal(other(batch()), module(batch()))

    def test_masks_and_panels(self):
        module = extractor()
        obs = (255 * batch()).byte()
        masks = module.masks(obs)
        assert masks.shape == (5, 3, 36, 36) and not masks.requires_grad
        assert module.panels(obs).shape == (5 * 36, 5 * 36, 3)

    def test_the_losses_of_a_batch_fall(self):
        module = extractor(features_dim=16, decoder_filters=(4, 8, 4))
        bandit = Bandit(3)
        frames = np.stack([bandit.reset(seed=seed)[0] for seed in range(6)])
        obs = torch.as_tensor(frames) / 255
        optimizer = torch.optim.Adam(module.parameters(), 3e-3)
        first = None
        for _ in range(80):
            module._seen = None
            optimizer.zero_grad()
            (0 * module(obs)).sum().backward()
            optimizer.step()
            first = first or module.losses
        assert module.losses["recon"] < 0.4 * first["recon"]

    def test_ppos_limit_on_gradients_leaves_the_policy_its_share(self):
        module, obs = extractor(features_dim=64), batch()
        norms = {}
        for weight in (1.0, 1 / 255):
            module.weight, module._seen = weight, None
            found = gradients(module, (0 * module(obs)).sum())
            norms[weight] = torch.stack([g.norm() for g in found.values()]).norm().item()
        assert norms[1 / 255] < 0.5 < norms[1.0]


class TestBadInput:
    @pytest.mark.parametrize("shape", [(4, 36, 36), (36,)])
    def test_no_frames(self, shape):
        with pytest.raises(UnsupportedEnvironment, match="stacked RGB frames"):
            SeparatedExtractor(spaces.Box(0, 255, shape, np.uint8))

    def test_a_loss_that_does_not_exist(self):
        with pytest.raises(UnknownName, match="Did you mean 'recon'"):
            extractor(scales={"recons": 1.0})

    def test_pictures_that_nobody_divided(self):
        with pytest.raises(ValueError, match='"white": 255'):
            extractor()(255 * batch())


def _once(make):
    """Let views be made once and then be the same."""
    kept = []

    def made(obs, mask):
        if not kept:
            kept.append(make(obs, mask))
        return kept[0]

    return made


def _extractors(model):
    """Find those that learn."""
    return {
        name: module
        for name, module in model.policy.named_modules()
        if isinstance(module, SeparatedExtractor) and "target" not in name
    }


def _state(model):
    return {
        (name, key): weights(part)
        for name, module in _extractors(model).items()
        for key, part in {
            **dict(module.separator.named_children()),
            "trunk": module.trunk,
        }.items()
    }
