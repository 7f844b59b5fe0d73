"""Dreamer's parts against slow references in float64, one equation at a time."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from distraction_gym.agents.common import symlog
from distraction_gym.agents.dreamer import distributions
from distraction_gym.agents.dreamer.distributions import BoundedNormal
from distraction_gym.agents.dreamer.heads import Actor, ContinueHead, TwoHotHead
from distraction_gym.agents.dreamer.layers import MLP, Dense, start_normal
from distraction_gym.agents.dreamer.ones import Ones
from distraction_gym.agents.dreamer.pictures import Decoder, Encoder, halvings
from distraction_gym.agents.dreamer.sizes import Sizes
from distraction_gym.agents.dreamer.world_model import WorldModel
from distraction_gym.errors import UnsupportedEnvironment

torch.set_num_threads(1)
BINS = np.linspace(-20, 20, 255)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def parameters(module):
    return sum(p.numel() for p in module.parameters())


# Symlog and two-hot.

NUMBERS = [0.0, 1.0, -1.0, 0.3, -7.5, 1e4, -3e6, 1e-9, 4.8e8, 1e12, -1e12]


def test_symlog_and_back():
    x = torch.tensor(NUMBERS, dtype=torch.float64)
    slow = [math.copysign(math.log(1 + abs(v)), v) for v in NUMBERS]
    torch.testing.assert_close(symlog.symlog(x), torch.tensor(slow, dtype=torch.float64))
    torch.testing.assert_close(symlog.symexp(symlog.symlog(x)), x)


def slow_two_hot(value):
    """Return the 255 weights, as DreamerV3's code works them out: by distances to two bins."""
    weights = np.zeros(255)
    below = max(int((value >= BINS).sum()) - 1, 0)
    above = min(255 - int((value < BINS).sum()), 254)
    if below == above:
        weights[below] = 1.0
        return weights
    to_below, to_above = abs(BINS[below] - value), abs(BINS[above] - value)
    weights[below] += to_above / (to_below + to_above)
    weights[above] += to_below / (to_below + to_above)
    return weights


@pytest.mark.parametrize("number", NUMBERS)
def test_two_hot_loss_and_mean(number):
    logits = torch.randn(255, generator=generator(), dtype=torch.float64)
    weights = slow_two_hot(math.copysign(math.log1p(abs(number)), number))
    log_probs = logits.numpy() - np.log(np.exp(logits.numpy()).sum())
    got = symlog.two_hot_log_prob(logits, torch.tensor(number, dtype=torch.float64))
    assert got.item() == pytest.approx(float(weights @ log_probs), rel=1e-9)
    mean = float(np.exp(log_probs) @ BINS)
    slow = math.copysign(math.expm1(abs(mean)), mean)
    assert symlog.two_hot_mean(logits).item() == pytest.approx(slow, rel=1e-9)


def test_a_two_hot_code_says_the_number_it_was_made_of():
    x = torch.linspace(-300, 300, 41, dtype=torch.float64)
    codes = np.stack([slow_two_hot(v) for v in symlog.symlog(x).tolist()])
    back = symlog.symexp(torch.from_numpy(codes) @ symlog.bins(255, x))
    torch.testing.assert_close(back, x)


# Distributions.


def test_unimix_leaves_no_class_impossible():
    logits = torch.tensor([[[900.0, 0.0, -900.0, 0.0]]], dtype=torch.float64)
    probs = distributions.unimix(logits).exp()
    expected = [0.99 + 0.0025, 0.0025, 0.0025, 0.0025]
    assert probs.flatten().tolist() == pytest.approx(expected)


def test_samples_are_one_hot_follow_their_probabilities_and_pass_gradients_straight():
    torch.manual_seed(0)
    logits = torch.tensor([1.0, 0.0, -1.0], dtype=torch.float64, requires_grad=True)
    log_probs = distributions.unimix(logits)
    drawn = distributions.sample_one_hot(log_probs.expand(20_000, 3))
    assert set(drawn.detach().round().unique().tolist()) == {0.0, 1.0}
    assert (drawn.sum(-1) - 1).abs().max() < 1e-9
    np.testing.assert_allclose(drawn.mean(0).detach(), log_probs.exp().detach(), atol=0.015)
    one = distributions.sample_one_hot(distributions.unimix(logits))
    (straight,) = torch.autograd.grad(one[1], logits)
    (true,) = torch.autograd.grad(distributions.unimix(logits).exp()[1], logits)
    torch.testing.assert_close(straight, true)
    mode = distributions.mode_one_hot(distributions.unimix(logits))
    assert mode.tolist() == pytest.approx([1, 0, 0])


def slow_kl(p, q):
    """Return KL for each batch and time: two loops, sums over latents and classes."""
    found = torch.zeros(p.shape[:2], dtype=p.dtype)
    for b in range(p.shape[0]):
        for t in range(p.shape[1]):
            for latent in range(p.shape[2]):
                a, c = p[b, t, latent].exp(), q[b, t, latent]
                found[b, t] = found[b, t] + (a * (a.log() - c)).sum()
    return found


def test_kl_is_balanced_and_free_for_each_step_not_for_the_mean():
    size = (3, 4, 5, 6)
    strength = torch.tensor([0.01, 0.4, 2.0], dtype=torch.float64).view(3, 1, 1, 1)
    raw = [torch.randn(size, generator=generator(i), dtype=torch.float64) for i in range(2)]
    raw = [(strength * value).requires_grad_() for value in raw]
    posterior, prior = map(distributions.unimix, raw)
    kl = slow_kl(posterior, prior)
    assert (kl < 1).any() and (kl > 1).any(), "a test of free nats needs both"
    losses = distributions.balanced_kl(posterior, prior)
    clipped = torch.where(kl > 1, kl, torch.ones_like(kl)).mean()
    torch.testing.assert_close(losses["dyn_loss"], 0.5 * clipped)
    torch.testing.assert_close(losses["rep_loss"], 0.1 * clipped)
    assert clipped > max(1, kl.mean().item()) + 1e-3
    by_dyn = torch.autograd.grad(losses["dyn_loss"], raw, allow_unused=True, retain_graph=True)
    by_rep = torch.autograd.grad(losses["rep_loss"], raw, allow_unused=True, retain_graph=True)
    by_kl = torch.autograd.grad(clipped, raw)
    assert by_dyn[0] is None and by_rep[1] is None
    torch.testing.assert_close(by_dyn[1], 0.5 * by_kl[1])
    torch.testing.assert_close(by_rep[0], 0.1 * by_kl[0])
    assert by_rep[0][0].abs().max() == 0, "what is free pushes nothing"


def test_entropy_of_categoricals():
    log_probs = torch.full((2, 3, 8), -math.log(8), dtype=torch.float64)
    assert distributions.entropy(log_probs).tolist() == pytest.approx([3 * math.log(8)] * 2)


def test_the_actors_distribution():
    raw = torch.randn(2, 5000, 3, generator=generator(), dtype=torch.float64) * 3
    policy = BoundedNormal.of(*raw)
    assert policy.std.min() > 0.1 and policy.std.max() < 1.0
    torch.testing.assert_close(policy.std, 0.9 / (1 + (-raw[1] - 2).exp()) + 0.1)
    normal = torch.distributions.Normal(raw[0].tanh(), policy.std)
    torch.testing.assert_close(policy.entropy(), normal.entropy().sum(-1))
    torch.manual_seed(3)
    drawn = policy.sample()
    torch.manual_seed(3)
    free = policy.mean + policy.std * torch.randn_like(policy.mean)
    torch.testing.assert_close(drawn, free.clamp(-1, 1))
    assert (free.abs() > 1).any()


def test_gradients_pass_actions_at_the_border():
    mean = torch.zeros(1000, 1, dtype=torch.float64, requires_grad=True)
    torch.manual_seed(0)
    drawn = BoundedNormal(mean, torch.ones(1000, 1, dtype=torch.float64)).sample()
    drawn.sum().backward()
    assert (drawn.abs() > 1 - 1e-9).any() and (mean.grad > 0).all()


# Networks.


def test_the_papers_sizes():
    model = WorldModel(64, 6, Sizes())
    counts = {name: parameters(part) for name, part in model.named_children()}
    assert counts["encoder"] == 690_624
    assert counts["rssm"] == 5_778_944
    assert counts["decoder"] == 6_985_667
    assert parameters(Decoder(1536, 64, 32, channels=1)) == 6_984_641
    assert parameters(model) == 15_687_811
    assert parameters(Actor(1536, 6, 512, 2)) == 1_056_780
    assert parameters(TwoHotHead(1536, 512, 2)) == 1_181_439
    assert (model.encoder.size, model.features) == (4096, 1536)


@pytest.mark.parametrize(
    ("side", "sides"),
    [(64, [64, 32, 16, 8, 4]), (84, [84, 42, 21, 11, 6]), (36, [36, 18, 9, 5]), (9, [9, 5])],
)
def test_any_square_picture(side, sides):
    assert halvings(side) == sides
    encoder, decoder = Encoder(side, 4), Decoder(10, side, 4)
    assert encoder(torch.rand(2, 3, 3, side, side)).shape == (2, 3, encoder.size)
    assert decoder(torch.rand(2, 3, 10)).shape == (2, 3, 3, side, side)
    with pytest.raises(UnsupportedEnvironment, match="too small to halve"):
        halvings(6)


def test_a_halving_is_tensorflows_same_convolution_and_norms_channels():
    torch.manual_seed(0)
    for side in (8, 9):
        layer = Encoder(side, 5).convolutions[0].double()
        nn.init.normal_(layer[1].weight)
        picture = torch.rand(1, 3, side, side, dtype=torch.float64)
        out = -(-side // 2)
        total = (out - 1) * 2 + 4 - side
        padded = np.pad(picture[0].numpy(), ((0, 0), *[(total // 2, total - total // 2)] * 2))
        kernel = layer[0].weight.detach().numpy()
        for row in range(out):
            for column in range(out):
                window = padded[:, 2 * row : 2 * row + 4, 2 * column : 2 * column + 4]
                raw = (kernel * window).sum(axis=(1, 2, 3))
                normal = (raw - raw.mean()) / np.sqrt(raw.var() + 1e-3)
                scaled = normal * layer[1].weight.detach().numpy()
                slow = scaled / (1 + np.exp(-scaled))
                got = layer(picture)[0, :, row, column].detach().numpy()
                np.testing.assert_allclose(got, slow, rtol=1e-9, atol=1e-12)


def test_pictures_are_centred_on_the_way_in_and_out():
    encoder, decoder = Encoder(16, 4), Decoder(8, 16, 4)
    grey = torch.full((1, 3, 16, 16), 0.5)
    assert encoder(grey).abs().max() < 1e-5
    nn.init.zeros_(decoder.layers[-1][0].weight)
    assert torch.equal(decoder(torch.randn(1, 8)), grey)


def test_dense_layers():
    torch.manual_seed(0)
    dense, x = Dense(7, 5).double(), torch.randn(3, 7, dtype=torch.float64)
    assert dense[0].bias is None
    raw = x @ dense[0].weight.T
    normal = (raw - raw.mean(-1, keepdim=True)) / (raw.var(-1, False, keepdim=True) + 1e-3).sqrt()
    torch.testing.assert_close(dense(x), normal * torch.sigmoid(normal))


def test_how_weights_start():
    torch.manual_seed(0)
    for layer, fan in ((nn.Linear(300, 500), 400), (nn.Conv2d(30, 50, 4), 16 * 40)):
        start_normal(layer)
        std = 1 / math.sqrt(fan)
        assert layer.weight.std().item() == pytest.approx(std, rel=0.02)
        assert layer.weight.abs().max().item() <= 2 * std / 0.8796 + 1e-6
        assert layer.bias.abs().max() == 0
    last = MLP(300, 500, 400, 1, scale=1.0)[-1]
    limit = math.sqrt(3 / 450)
    assert 0.99 * limit < last.weight.abs().max().item() <= limit
    assert last.weight.std().item() == pytest.approx(1 / math.sqrt(450), rel=0.02)


def test_rewards_and_values_start_at_zero_and_continuation_does_not():
    features = torch.randn(50, 20)
    assert TwoHotHead(20, 16, 2).mean(features).abs().max() < 1e-4
    assert ContinueHead(20, 16, 2).mean(features).std() > 1e-3


def test_head_losses():
    torch.manual_seed(0)
    head, goes_on = TwoHotHead(6, 8, 1).double(), ContinueHead(6, 8, 1).double()
    nn.init.normal_(head[-1].weight)
    features = torch.randn(4, 3, 6, dtype=torch.float64)
    first, second = torch.randn(2, 4, 3, dtype=torch.float64) * 10
    one = -symlog.two_hot_log_prob(head(features), first)
    two = -symlog.two_hot_log_prob(head(features), second)
    torch.testing.assert_close(head.loss(features, first), one)
    torch.testing.assert_close(head.loss(features, first, second), one + two)
    target = (torch.rand(4, 3) > 0.5).double()
    p = goes_on.mean(features)
    slow = -(target * p.log() + (1 - target) * (1 - p).log())
    torch.testing.assert_close(goes_on.loss(features, target), slow)


@pytest.mark.parametrize("layers", [1, 2])
def test_gradients_that_come_late_are_the_same(layers):
    network, inputs = MLP(4, 3, 6, layers, 1.0).double(), torch.randn(2, 5, 4).double()
    nn.init.normal_(network[-1].bias)
    late = network.late(2, 5)
    found = torch.stack([late(inputs[:, at]) for at in range(5)], dim=1)
    weight = torch.randn(2, 5, 3).double()
    weight[:, 2] = 0  # a step that no loss reads
    expected = network(inputs)
    torch.testing.assert_close(found, expected)
    grads = [torch.autograd.grad(x, [*network.parameters()], weight) for x in (found, expected)]
    torch.testing.assert_close(*grads)


def test_a_late_gradient_leaves_out_steps_that_are_not_read():
    network, inputs = MLP(4, 3, 6, 1, 1.0).double(), torch.randn(2, 5, 4).double()
    late = network.late(2, 5)
    found = [late(inputs[:, at]) for at in range(5)]
    losses = found[3].sum(), network(inputs[:, 3]).sum()
    grads = [torch.autograd.grad(x, [*network.parameters()]) for x in losses]
    torch.testing.assert_close(*grads)


def test_exponentials_are_torchs_own():
    generator = torch.random.get_rng_state()
    found = distributions.exponential(torch.empty(40, 3, 4))
    torch.random.set_rng_state(generator)
    torch.testing.assert_close(found, torch.empty(40, 3, 4).exponential_(), rtol=1e-6, atol=0)


def test_one_hot_vectors_are_read_by_their_ones_with_the_gradients_of_a_product():
    network = MLP(3 * 4 + 2, 5, 6, 2, 1.0).double()
    latents = distributions.mode_one_hot(torch.randn(7, 2, 3, 4).double()).flatten(-2)
    features = torch.cat([latents, torch.randn(7, 2, 2).double()], dim=-1).requires_grad_()
    ones = Ones.of(features, 3, 4)
    assert torch.equal(ones.rows[0, 0], features[0, 0, :12].nonzero().squeeze(-1))
    found, expected = network(features, ones), network(features)
    torch.testing.assert_close(found, expected)
    weight, inputs = torch.randn_like(found), [features, *network.parameters()]
    grads = [torch.autograd.grad(x, inputs, weight) for x in (found, expected)]
    torch.testing.assert_close(*grads)
    assert grads[0][0][..., :12].abs().min() > 0, "what was not drawn has a gradient too"
