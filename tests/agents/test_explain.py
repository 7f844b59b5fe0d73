"""`model.explain`: over all agents, and saliency against a slow reference."""

import math

import numpy as np
import pytest
import torch
from pictures import OWN, SIDE, Bandit, drift, random_batch, small

from distraction_gym.agents import SAC, TRMS, TRMSSAC
from distraction_gym.bench.views import SEEN, agent_view

AGENTS = list(OWN)
FURTHER = dict.fromkeys((TRMS, TRMSSAC), ("teacher", "candidates"))


def observations(samples=3):
    return random_batch(stack=2, size=samples).obs.byte()


def learned(cls):
    """Build an agent as if it had learned a bit: filters have all their taps."""
    model = small(cls, stack=2)
    drift(model.critic)
    return model


@pytest.mark.parametrize("cls", AGENTS)
class TestEveryAgent:
    def test_one_number_in_0_1_for_each_pixel(self, cls):
        found = learned(cls).explain(observations())
        assert found.shape == (3, SIDE, SIDE) and found.dtype == torch.float32
        assert 0 <= found.min() < found.max() <= 1

    def test_arrays_tensors_bytes_floats_one_or_many(self, cls):
        model, obs = learned(cls), observations()
        expected = model.explain(obs)
        read_only = obs.numpy().copy()
        read_only.flags.writeable = False
        for same in (obs.float(), read_only, obs.numpy().astype(np.float64)):
            assert torch.equal(model.explain(same), expected)
        for one in (obs[1], obs[1].numpy(), obs[1:2]):
            torch.testing.assert_close(model.explain(one), expected[1:2], rtol=1e-3, atol=1e-3)

    def test_it_leaves_everything_as_it_was(self, cls):
        model, obs = learned(cls), observations()
        model.policy.train()
        model.critic.q_networks[0].eval()
        modes = [module.training for module in model.policy.modules()]
        state = {name: value.clone() for name, value in model.policy.state_dict().items()}
        random = torch.get_rng_state(), np.random.get_state()[1].copy()
        frozen = [p.requires_grad for p in model.policy.parameters()]
        given = obs.clone()
        found = model.explain(obs)
        assert not found.requires_grad and torch.equal(obs, given)
        assert [module.training for module in model.policy.modules()] == modes
        assert [p.requires_grad for p in model.policy.parameters()] == frozen
        networks = [*model.policy.parameters(), *model.extras.parameters()]
        assert all(p.grad is None for p in networks)
        assert all(torch.equal(v, state[n]) for n, v in model.policy.state_dict().items())
        assert torch.equal(torch.get_rng_state(), random[0])
        assert np.array_equal(np.random.get_state()[1], random[1])

    def test_under_no_grad_and_twice_it_is_the_same(self, cls):
        model, obs = learned(cls), observations()
        with torch.no_grad():
            inside = model.explain(obs)
        assert torch.equal(inside, model.explain(obs))

    def test_a_film_shows_it_under_its_own_name(self, cls):
        model = learned(cls)
        panels = agent_view(model)(observations()[0].numpy())
        assert list(panels) == [cls.EXPLAINS, *FURTHER.get(cls, ()), SEEN]
        assert panels[cls.EXPLAINS].shape == (SIDE, SIDE)

    def test_other_shapes_are_refused(self, cls):
        model = learned(cls)
        for wrong in (torch.zeros(2, SIDE, SIDE, 6), torch.zeros(3, SIDE, SIDE), np.zeros(6)):
            with pytest.raises(ValueError, match=r"expected observations \('B', 6, 36, 36\) or"):
                model.explain(wrong)


def test_saliency_is_the_gradient_of_the_lesser_q_value_of_the_policys_action():
    model, obs = small(SAC, stack=2), observations()
    found = model.explain(obs)
    network = model.policy.double()
    for i, picture in enumerate(obs.double()):
        mean, _ = network.actor.read(network.critic.features_extractor(picture[None] / 255))
        action = torch.tanh(mean).detach()

        def lesser(pixels, action=action):
            features = network.critic.features_extractor(pixels[None] / 255)
            return min(network.critic.read(features, action)).squeeze()

        (slow,) = torch.autograd.functional.jacobian(lesser, (picture,))
        newest = slow[3:].abs().max(dim=0).values
        strongest = newest.flatten().sort().values[math.ceil(0.98 * (SIDE**2 - 1))]
        expected = (newest / strongest).clamp(max=1)
        torch.testing.assert_close(found[i].double(), expected, rtol=1e-3, atol=1e-4)


def test_unshared_encoders_are_explained_too():
    policy = {"share_encoder": False, "net_arch": [8]}
    model = SAC("CnnPolicy", Bandit(2), buffer_size=10, batch_size=2, policy_kwargs=policy)
    found = model.explain(observations())
    assert found.shape == (3, SIDE, SIDE) and found.max() == 1
