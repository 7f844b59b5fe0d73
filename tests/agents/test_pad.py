"""PAD: what is shared, the inverse loss, and an agent that learns while it is tested."""

import copy

import numpy as np
import pytest
import torch
from gymnasium import spaces
from pictures import SIDE, SMALL, Bandit, drift, equal_updates, random_batch, small, weights

from distraction_gym.agents import PAD, RAD
from distraction_gym.agents.common.encoders import PixelEncoder
from distraction_gym.agents.pad import split
from distraction_gym.bench.evaluate import play


class Wide(Bandit):
    """Actions in [-2, 2], and a few steps to an episode."""

    def __init__(self) -> None:
        super().__init__()
        self.action_space = spaces.Box(-2, 2, (1,), np.float32)

    def reset(self, *, seed=None, options=None):
        self.steps = 0
        return super().reset(seed=seed)

    def step(self, action):
        self.steps += 1
        obs, reward, *_ = super().step(action)
        return obs, reward, self.steps == 4, False, {}


def wide(**kwargs):
    own = {"head_layers": 1, "inverse_units": 16, "crop": 30}
    return PAD("CnnPolicy", Wide(), **{**SMALL, **own, **kwargs})


class TestSharing:
    def test_the_papers_trunk_has_8_shared_layers_and_3_of_its_own(self):
        trunk = PixelEncoder(spaces.Box(0, 255, (9, 100, 100), np.uint8), crop=84)
        shared, head = split(trunk, PAD.__init__.__kwdefaults__["head_layers"])
        kinds = [[type(layer).__name__ for layer in part] for part in (shared, head)]
        assert kinds == [["Conv2d", *["ReLU", "Conv2d"] * 7], ["ReLU", "Conv2d"] * 3]
        assert [*shared.parameters(), *head.parameters()] == [*trunk.parameters()]
        pictures = torch.rand(2, 9, 84, 84)
        torch.testing.assert_close(head(shared(pictures)).flatten(1), trunk(pictures))

    @pytest.mark.parametrize("head_layers", [-1, 3])
    def test_at_least_one_layer_is_shared(self, head_layers):
        with pytest.raises(ValueError, match=f"expected 0 to 2, got {head_layers}"):
            small(PAD, head_layers=head_layers)

    def test_the_branch_has_a_head_and_a_projection_of_its_own(self):
        model = small(PAD)
        trunk = {id(p) for p in model.critic.parameters()}
        assert not trunk & {id(p) for p in model.extras["inverse"].parameters()}
        _, head = split(model.critic.features_extractor, 1)
        shapes = [
            [p.shape for p in part.parameters()] for part in (head, model.extras.inverse.head)
        ]
        assert shapes[0] == shapes[1]

    def test_its_loss_moves_the_shared_layers_and_the_branch_but_neither_head_nor_critic(self):
        model = small(PAD)
        shared, head = split(model.critic.features_extractor, 1)
        parts = [shared, model.extras["inverse"]]
        critic = model.critic
        still = [head, critic.projection, critic.q_networks[0], model.critic_target]
        before = [weights(part) for part in parts + still]
        model._update_auxiliary(random_batch())
        same = [
            all(map(torch.equal, weights(part), old))
            for part, old in zip(parts + still, before, strict=True)
        ]
        assert same == [False, False, True, True, True, True]


class TestLoss:
    def test_it_equals_a_slow_reference_in_float64(self):
        model, batch = small(PAD), random_batch()
        drift(model.extras["inverse"])
        found = model.auxiliary_losses(batch)["inverse_loss"].item()
        assert found == pytest.approx(slow_loss(model, batch), rel=1e-5)

    def test_the_papers_mlp(self):
        model = small(PAD, inverse_units=1024)
        layers = [m for m in model.extras["inverse"].mlp if isinstance(m, torch.nn.Linear)]
        sizes = [(layer.in_features, layer.out_features) for layer in layers]
        assert sizes == [(2 * 16, 1024), (1024, 1024), (1024, 1)]  # no squashing at the end
        assert isinstance(model.extras["inverse"].mlp[-1], torch.nn.Linear)

    def test_at_rate_0_it_is_rad_weight_for_weight(self):
        equal_updates(small(PAD, aux_lr=0.0), small(RAD))

    def test_the_papers_rate_and_interval(self):
        model = small(PAD)
        assert (model.aux_lr, model.aux_update_interval) == (1e-3, 2)
        assert (model.adapt_steps, model.adapt_batch_size) == (1, 32)


def slow_loss(model, batch) -> float:
    """Write the loss out, one transition at a time."""
    convolutions = copy.deepcopy(model.critic.features_extractor.convolutions).double()
    branch = copy.deepcopy(model.extras["inverse"]).double()
    edge, side = (SIDE - model.random_crop.size) // 2, model.random_crop.size
    total = 0.0
    for i in range(len(batch.obs)):
        vectors = []
        for pictures in (batch.obs, batch.next_obs):
            maps = pictures[i : i + 1, :, edge : edge + side, edge : edge + side].double() / 255
            for layer in convolutions[:3]:  # convolution, ReLU, convolution
                maps = layer(maps)
            maps = branch.head[1](maps.clamp(min=0))
            linear, norm, _ = branch.projection
            hidden = (maps.reshape(1, -1) @ linear.weight.T + linear.bias)[0]
            spread = ((hidden - hidden.mean()) ** 2).mean()
            hidden = (hidden - hidden.mean()) / (spread + 1e-5).sqrt() * norm.weight + norm.bias
            vectors.append(torch.tanh(hidden))
        joint = torch.cat(vectors)
        for place, layer in enumerate(branch.mlp[::2]):
            joint = layer.weight @ (joint.clamp(min=0) if place else joint) + layer.bias
        total += ((joint - batch.action[i].double()) ** 2).mean().item()
    return total / len(batch.obs)


class TestAdaptation:
    @staticmethod
    def step(seed: int = 0):
        rng = np.random.default_rng(seed)
        pictures = (rng.integers(0, 256, (3, SIDE, SIDE), np.uint8) for _ in range(2))
        return next(pictures), np.array([1.5], np.float32), next(pictures)

    def test_a_copy_learns_and_the_agent_stays_as_it_is(self):
        model, (obs, action, next_obs) = wide(), self.step()
        before = [weights(model.policy), weights(model.extras)]
        acted = model.predict(obs, deterministic=True)[0]
        player = model.adapter()
        np.testing.assert_array_equal(player.predict(obs, deterministic=True)[0], acted)
        for _ in range(20):
            player.observe(obs, action, next_obs)
        assert not np.array_equal(player.predict(obs, deterministic=True)[0], acted)
        for module, old in zip((model.policy, model.extras), before, strict=True):
            assert all(map(torch.equal, weights(module), old))
            assert all(p.grad is None for p in module.parameters())
        np.testing.assert_array_equal(model.predict(obs, deterministic=True)[0], acted)

    def test_it_moves_what_the_loss_moves_in_training_and_keeps_reinforcement_learnings_parts(self):
        model = wide()
        player = model.adapter()
        shared, head = split(player.trunk, model.head_layers)
        actor = player.policy.actor
        assert actor.features_extractor is player.trunk
        parts = [shared, player.inverse, head, actor.projection, actor.latent_pi]
        before = [weights(part) for part in parts]
        player.observe(*self.step())
        same = [all(map(torch.equal, weights(p), b)) for p, b in zip(parts, before, strict=True)]
        assert same == [False, False, True, True, True]

    def test_one_step_of_a_fresh_adam_on_random_crops_of_the_one_transition(self):
        model, (obs, action, next_obs) = wide(), self.step()
        seen, error = [], model.inverse_error

        def watch(trunk, inverse, *pictures_and_action):
            seen.append(pictures_and_action)
            return error(trunk, inverse, *pictures_and_action)

        model.inverse_error = watch
        player = model.adapter()
        assert not player.optimizer.state and player.optimizer.param_groups[0]["lr"] == 1e-3
        player.observe(obs, action, next_obs)
        ((crops, next_crops, actions),) = seen
        assert crops.shape == next_crops.shape == (32, 3, 30, 30)
        assert actions.tolist() == [[0.75]] * 32  # as it is stored in training, in [-1, 1]
        for pictures, source in ((crops, obs), (next_crops, next_obs)):
            views = np.lib.stride_tricks.sliding_window_view(source, (30, 30), (1, 2))
            found = [(views == crop.numpy()[:, None, None]).all((0, 3, 4)) for crop in pictures]
            assert all(hit.any() for hit in found)
            assert len({tuple(map(tuple, np.argwhere(hit))) for hit in found}) > 5
        assert {s["step"].item() for s in player.optimizer.state.values()} == {1.0}

    def test_it_draws_from_a_generator_of_its_own(self):
        model = wide()
        state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()
        players = [model.adapter(seed) for seed in (1, 1, 2)]
        for player in players:
            player.observe(*self.step())
        assert torch.equal(torch.get_rng_state(), state)
        assert np.array_equal(np.random.get_state()[1], numpy_state)
        first, again, other = (weights(player.trunk) for player in players)
        assert all(map(torch.equal, first, again)) and not all(map(torch.equal, first, other))

    def test_neither_replay_buffer_nor_optimizers_are_copied(self):
        model = wide().learn(12)
        for owner in (model.replay_buffer, model.actor.optimizer, model.critic):
            owner.__deepcopy__ = lambda memo: pytest.fail("copied")
        model.adapter()

    def test_without_steps_it_plays_as_the_model(self):
        model, (obs, action, next_obs) = wide(adapt_steps=0), self.step()
        player = model.adapter()
        player.observe(obs, action, next_obs)
        actions = [each.predict(obs, deterministic=True)[0] for each in (model, player)]
        np.testing.assert_array_equal(*actions)

    def test_an_evaluation_adapts_from_step_to_step_and_starts_anew_with_each_episode(self):
        model, players = wide(), []
        adapter = model.adapter
        model.adapter = lambda seed: players.append(adapter(seed)) or players[-1]
        returns = play(model, Wide(), episodes=3, seed=5).returns
        assert len(returns) == len(players) == 3
        for player in players:
            assert {s["step"].item() for s in player.optimizer.state.values()} == {4.0}
        assert not all(map(torch.equal, weights(players[0].trunk), weights(players[1].trunk)))
        assert returns == play(model, Wide(), episodes=3, seed=5).returns

    def test_a_saved_model_adapts_alike(self, tmp_path):
        model = wide().learn(14)
        model.save(tmp_path / "model")
        loaded = PAD.load(tmp_path / "model", adapt_steps=2)
        assert loaded.adapt_steps == 2
        loaded.adapt_steps = 1
        assert play(loaded, Wide(), 2, 0) == play(model, Wide(), 2, 0)
