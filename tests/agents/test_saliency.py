"""Input gradients and guided backpropagation against gradients worked out layer by layer."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from pictures import random_batch, small
from torch import nn

from distraction_gym.agents import SAC
from distraction_gym.agents.common.saliency import (
    guided_gradients,
    input_gradients,
    normalized,
    per_pixel,
    quantile_mask,
)


def back(layer, inputs, gradient, guided):
    """Return the gradient at a layer's inputs; nothing here asks autograd."""
    if isinstance(layer, nn.Linear):
        return gradient @ layer.weight
    if isinstance(layer, nn.Conv2d):
        return torch.nn.grad.conv2d_input(
            inputs.shape, layer.weight, gradient, layer.stride, layer.padding
        )
    if isinstance(layer, nn.ReLU):
        passed = gradient * (inputs > 0)
        return passed * (passed > 0) if guided else passed
    if isinstance(layer, nn.Tanh):
        return gradient * (1 - torch.tanh(inputs) ** 2)
    if isinstance(layer, nn.Flatten):
        return gradient.reshape(inputs.shape)
    assert isinstance(layer, nn.LayerNorm)
    variance = inputs.var(1, unbiased=False, keepdim=True) + layer.eps
    unit = (inputs - inputs.mean(1, keepdim=True)) / variance.sqrt()
    scaled = gradient * layer.weight
    mean, along = scaled.mean(1, keepdim=True), (scaled * unit).mean(1, keepdim=True)
    return (scaled - mean - unit * along) / variance.sqrt()


def slow_gradient(layers, obs, guided):
    """Return the gradient of the summed output of layers in a row at their input."""
    inputs = []
    value = obs
    for layer in layers:
        inputs.append(value)
        value = layer(value)
    gradient = torch.ones_like(value)
    for layer, value in zip(reversed(layers), reversed(inputs), strict=True):
        gradient = back(layer, value, gradient, guided)
    return gradient.detach()


class Nested(nn.Module):
    """ReLUs in a trunk, in a head inside of another Sequential, and one used twice."""

    def __init__(self, inplace=False):
        super().__init__()
        torch.manual_seed(0)
        self.relu = nn.ReLU(inplace)
        self.trunk = nn.Sequential(
            nn.Conv2d(6, 5, 3, 2), self.relu, nn.Conv2d(5, 4, 3, padding=1), self.relu
        )
        self.heads = nn.ModuleList(
            nn.Sequential(
                nn.Sequential(nn.Flatten(), nn.Linear(4 * 49, 12), nn.LayerNorm(12), nn.Tanh()),
                nn.Sequential(nn.Linear(12, 7), nn.ReLU(inplace), nn.Linear(7, 1)),
            )
            for _ in range(2)
        )
        self.double()

    def forward(self, obs):
        features = self.trunk(obs)
        return torch.cat([head(features) for head in self.heads], dim=1)

    def layers(self):
        return [*self.trunk, *self.heads[0][0], *self.heads[0][1]]


def pictures(samples=3, side=16):
    generator = torch.Generator().manual_seed(1)
    return torch.rand(samples, 6, side, side, generator=generator, dtype=torch.float64)


def first(network):
    return lambda obs: network(obs)[:, 0]


class TestGradients:
    @pytest.mark.parametrize("guided", [False, True])
    def test_they_equal_those_worked_out_layer_by_layer(self, guided):
        network, obs = Nested(), pictures()
        expected = slow_gradient(network.layers(), obs, guided)
        score = first(network)
        found = guided_gradients(score, obs, network) if guided else input_gradients(score, obs)
        torch.testing.assert_close(found, expected)
        assert not found.requires_grad and expected.abs().max() > 0

    def test_guiding_makes_a_difference_and_leaves_no_hook(self):
        network, obs = Nested(), pictures()
        plain = input_gradients(first(network), obs)
        guided = guided_gradients(first(network), obs, network)
        assert not torch.allclose(plain, guided)
        torch.testing.assert_close(input_gradients(first(network), obs), plain, rtol=0, atol=0)
        with pytest.raises(ZeroDivisionError):
            guided_gradients(lambda _: 1 / 0, obs, network)
        for module in network.modules():
            assert not module._forward_hooks and not module._backward_hooks

    def test_relus_that_write_into_their_input_guide_too(self):
        obs = pictures()
        found = [guided_gradients(first(net), obs, net) for net in (Nested(), Nested(True))]
        torch.testing.assert_close(found[0], found[1], rtol=0, atol=0)

    def test_compiled_networks_are_guided_too(self):
        network, obs = Nested(), pictures()
        expected = guided_gradients(first(network), obs, network)
        network.trunk.compile(backend="aot_eager")
        network(obs).sum().backward()  # compiles it
        found = guided_gradients(first(network), obs, network)
        torch.testing.assert_close(found, expected, rtol=0, atol=0)

    def test_no_parameter_is_left_with_a_gradient_and_the_picture_is_left_alone(self):
        network, obs = Nested(), pictures()
        with torch.no_grad():
            guided_gradients(first(network), obs, network)
            input_gradients(first(network), obs)
        assert all(p.grad is None and p.requires_grad for p in network.parameters())
        assert not obs.requires_grad and obs.grad is None

    def test_a_sample_of_the_batch_does_not_change_anothers(self):
        network, obs = Nested(), pictures()
        alone = guided_gradients(first(network), obs[1:2], network)
        torch.testing.assert_close(guided_gradients(first(network), obs, network)[1:2], alone)

    @pytest.mark.parametrize("activation", [nn.Tanh(), nn.Identity()])
    def test_networks_without_relu_modules_are_refused(self, activation):
        network = nn.Sequential(nn.Flatten(), nn.Linear(6 * 16 * 16, 1), activation).double()
        with pytest.raises(ValueError, match=r"no nn\.ReLU module in this Sequential"):
            guided_gradients(lambda obs: F.relu(network(obs)), pictures(), network)

    def test_the_critic_of_an_agent(self):
        model, batch = small(SAC, stack=2), random_batch(stack=2)
        critic = model.critic.double()

        def q_value(obs):
            return critic.read(critic.features_extractor(obs), batch.action.double())[0]

        obs = batch.obs.double() / 255
        found = guided_gradients(q_value, obs, critic)
        for i in range(len(obs)):
            # The action enters as a constant: the first head layer without its last column.
            head = critic.q_networks[0]
            into = nn.Linear(16, 32).double()
            into.weight.data = head[0].weight.data[:, :16]
            into.bias.data = head[0].bias.data + head[0].weight.data[:, 16] * batch.action[i]
            trunk = list(critic.features_extractor.convolutions)
            layers = [*trunk, nn.Flatten(), *critic.projection, into, *head[1:]]
            torch.testing.assert_close(
                found[i : i + 1], slow_gradient(layers, obs[i : i + 1], True)
            )


class TestMasks:
    def test_a_pixel_counts_by_its_strongest_colour(self):
        gradients = torch.randn(2, 6, 5, 4)
        found = per_pixel(gradients)
        assert found.shape == (2, 2, 5, 4)
        for b, k, y, x in np.ndindex(2, 2, 5, 4):
            expected = max(abs(gradients[b, 3 * k + c, y, x].item()) for c in range(3))
            assert found[b, k, y, x] == expected

    @pytest.mark.parametrize("quantile", [0.0, 0.3, 0.5, 0.9, 0.95, 0.98, 1.0])
    @pytest.mark.parametrize("ties", [False, True])
    def test_each_frame_of_each_sample_has_its_own_quantile(self, quantile, ties):
        saliency = torch.rand(3, 2, 9, 7) * torch.tensor([1.0, 10.0, 0.1])[:, None, None, None]
        if ties:
            saliency = (5 * saliency).round()
        found = quantile_mask(saliency, quantile)
        assert found.dtype == torch.bool
        for b, k in np.ndindex(3, 2):
            frame = saliency[b, k].numpy()
            expected = frame >= np.float32(np.quantile(frame, quantile))
            np.testing.assert_array_equal(found[b, k].numpy(), expected)

    def test_at_84_pixels_it_keeps_what_torchs_quantile_keeps(self):
        saliency = torch.rand(4, 3, 84, 84)
        for quantile in (0.9, 0.93, 0.95, 0.98):
            limit = torch.quantile(saliency.flatten(2), quantile, dim=2)[..., None, None]
            found = quantile_mask(saliency, quantile)
            assert torch.equal(found, saliency >= limit)
            kept = found.sum((2, 3)).float()
            assert (kept - (1 - quantile) * 84**2).abs().max() <= 1

    def test_where_most_is_zero_everything_is_kept(self):
        saliency = torch.zeros(1, 1, 10, 10)
        saliency[..., 0, :5] = 1.0
        assert quantile_mask(saliency, 0.9).all()
        assert quantile_mask(saliency, 0.96).sum() == 5

    @pytest.mark.parametrize("quantile", [-0.1, 1.5, math.nan])
    def test_other_quantiles_are_refused(self, quantile):
        with pytest.raises(ValueError, match=r"must lie in \[0, 1\]"):
            quantile_mask(torch.rand(1, 1, 3, 3), quantile)

    def test_pictures_are_scaled_to_their_own_strongest_pixels(self):
        saliency = torch.rand(2, 20, 10) * torch.tensor([1e-30, 50.0])[:, None, None]
        saliency[1, 3, 3] = 1e6  # an outlier does not leave the rest black
        found = normalized(saliency)
        for picture, scaled in zip(saliency, found, strict=True):
            limit = picture.flatten().sort().values[math.ceil(0.98 * 199)]
            torch.testing.assert_close(scaled, (picture / limit).clamp(max=1))
        lonely = torch.zeros(1, 20, 10)
        lonely[0, 3, 3:5] = torch.tensor([4.0, 2.0])
        assert normalized(lonely)[0, 3, 3:5].tolist() == [1.0, 0.5]
        assert torch.equal(normalized(torch.zeros(1, 3, 3)), torch.zeros(1, 3, 3))
