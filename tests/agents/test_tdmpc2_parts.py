"""TD-MPC2's networks and heuristics: sizes, where they start, what they compute."""

import math

import numpy as np
import pytest
import torch
from plans import model_of, slow_member, slow_number, tiny

from distraction_gym.agents.common.symlog import bins, two_hot_log_prob, two_hot_mean
from distraction_gym.agents.tdmpc2 import heuristics
from distraction_gym.agents.tdmpc2.encoder import PixelEncoder
from distraction_gym.agents.tdmpc2.layers import SimNorm
from distraction_gym.agents.tdmpc2.prior import bounded_log_std
from distraction_gym.agents.tdmpc2.scale import RunningScale
from distraction_gym.agents.tdmpc2.sizes import Sizes
from distraction_gym.agents.tdmpc2.world_model import BINS, LIMIT, WorldModel


def test_simnorm_is_a_softmax_of_each_eight():
    x = torch.randn(3, 2, 24, dtype=torch.float64)
    found = SimNorm(8)(x)
    for part in range(3):
        each = x[1, 1, 8 * part : 8 * part + 8].exp()
        torch.testing.assert_close(found[1, 1, 8 * part : 8 * part + 8], each / each.sum())


@pytest.mark.parametrize("number", [0.0, 0.05, -3.7, 900.0, 1e6, -1e6])
def test_101_bins_reach_from_minus_ten_to_ten_in_symlog(number):
    assert (BINS, LIMIT) == (101, 10.0)
    place = math.copysign(math.log1p(abs(number)), number)
    place = min(max(place, -10.0), 10.0)  # e^10 is 22026: what is larger counts as that
    edges = np.linspace(-10, 10, 101)
    code = np.maximum(1 - np.abs(edges - place) / 0.2, 0)
    logits = torch.randn(101, dtype=torch.float64)
    loss = -(torch.from_numpy(code) * logits.log_softmax(-1)).sum()
    found = -two_hot_log_prob(logits, torch.tensor(number, dtype=torch.float64), LIMIT)
    torch.testing.assert_close(found, loss)
    assert two_hot_mean(logits, LIMIT).item() == pytest.approx(slow_number(logits))
    assert bins(101, logits, LIMIT)[[0, 50, 100]].tolist() == pytest.approx([-10, 0, 10])


# The encoder.


def test_the_papers_pictures_end_in_512_numbers():
    encoder = PixelEncoder((9, 64, 64), 32, 512, 8, shift=3)
    kinds = [(m.kernel_size[0], m.stride[0]) for m in encoder.modules() if hasattr(m, "stride")]
    assert kinds == [(7, 2), (5, 2), (3, 2), (3, 1)]
    assert isinstance(encoder.last, SimNorm)
    z = encoder(torch.randint(256, (2, 5, 9, 64, 64), dtype=torch.uint8))
    assert z.shape == (2, 5, 512)
    torch.testing.assert_close(z.reshape(10, 64, 8).sum(-1), torch.ones(10, 64))


@pytest.mark.parametrize(("shape", "layers"), [((9, 84, 84), 4), ((3, 36, 36), 3), ((6, 12, 9), 1)])
def test_pictures_of_other_sizes(shape, layers):
    encoder = PixelEncoder(shape, 4, 24, 8, shift=1)
    found = [m for m in encoder.modules() if isinstance(m, torch.nn.Conv2d)]
    assert len(found) == layers
    assert encoder(torch.zeros(2, *shape)).shape == (2, 24)


def test_pictures_of_another_size_are_told_apart_from_the_start():
    torch.manual_seed(0)
    encoder = PixelEncoder((3, 36, 36), 8, 64, 8, shift=0)
    pictures = torch.zeros(50, 3, 36, 36)
    for at, picture in enumerate(pictures):  # a spot in each, elsewhere
        picture[:, at % 30 : at % 30 + 6, at // 2 : at // 2 + 6] = 255
    assert encoder(pictures).std(0).mean() > 0.01


def test_pictures_are_shifted_one_by_one_in_acting_too():
    encoder = PixelEncoder((3, 12, 12), 2, 16, 8, shift=3).eval()
    picture = torch.rand(1, 3, 12, 12) * 255
    read = []
    encoder.read = lambda pictures: read.append(pictures) or torch.zeros(len(pictures), 16)
    encoder(picture.expand(300, -1, -1, -1))
    padded = torch.nn.functional.pad(picture, [3] * 4, mode="replicate")
    windows = {
        (top, left): padded[0, :, top : top + 12, left : left + 12]
        for top in range(7)
        for left in range(7)
    }
    seen = {k for k, w in windows.items() for one in read[0] if torch.equal(one, w)}
    assert len(seen) == 49, "up to three pixels either way, and every place of them"
    assert all(any(torch.equal(one, w) for w in windows.values()) for one in read[0][:20])
    still = PixelEncoder((3, 12, 12), 2, 16, 8, shift=0)
    assert torch.equal(still(picture), still.read(picture))


def test_pictures_are_scaled_to_a_half_either_way():
    encoder = PixelEncoder((3, 12, 12), 2, 16, 8, shift=0)
    seen = []
    encoder.convolutions.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    encoder(torch.tensor([0.0, 255.0]).reshape(1, 2, 1, 1, 1).expand(1, 2, 3, 12, 12))
    assert seen[0].amin() == -0.5 and seen[0].amax() == 0.5


# Where weights start.


def test_how_weights_start():
    torch.manual_seed(0)
    model = WorldModel((9, 64, 64), 6, Sizes())
    linear = [m for m in model.modules() if isinstance(m, torch.nn.Linear)]
    assert all(not m.bias.any() for m in linear)
    last = model.reward[-1]
    assert not last.weight.any() and last.out_features == 101
    assert not model.critics.last.weight.any() and not model.critics.last.bias.any()
    for weight in [*(m.weight for m in linear if m is not last), model.critics.first.linear.weight]:
        assert weight.std().item() == pytest.approx(0.02, rel=0.05)
    assert model.rewards(torch.rand(3, 512), torch.rand(3, 6)).abs().max() < 1e-6
    pairs = zip(model.critics.parameters(), model.target_critics.parameters(), strict=True)
    assert all(torch.equal(a, b) and not b.requires_grad for a, b in pairs)
    first = model.critics.first.linear.weight
    assert not torch.equal(first[0], first[1]), "each Q function starts by itself"
    learned = sum(p.numel() for p in model.parameters() if p.requires_grad)
    assert 4.5e6 < learned < 5.5e6 and model.critics.members == 5


def test_an_ensemble_is_its_members_one_by_one():
    _, model = model_of()
    x = torch.randn(3, 4, 18, dtype=torch.float64)
    found = model.critics(x, torch.tensor([3, 1]))
    for row, member in zip(found, (3, 1), strict=True):
        torch.testing.assert_close(row, slow_member(model.critics, member, x))


def test_dropout_is_in_the_first_layer_and_never_in_the_target():
    agent, model = model_of()
    drops = [m for m in model.modules() if isinstance(m, torch.nn.Dropout) and m.p]
    assert [m.p for m in drops] == [0.01, 0.01]
    assert {id(m) for m in drops} == {
        id(model.critics.first.dropout),
        id(model.target_critics.first.dropout),
    }
    agent.policy.set_training_mode(True)
    assert model.critics.first.dropout.training and not model.target_critics.first.dropout.training
    order = []
    model.critics.first.linear.register_forward_hook(lambda *_: order.append("linear"))
    model.critics.first.dropout.register_forward_hook(lambda *_: order.append("dropout"))
    agent.policy.set_training_mode(False)
    model.all_values(torch.rand(1, 16).double(), torch.rand(1, 2).double())
    assert order == ["linear", "dropout"]


def test_two_values_are_of_two_different_critics_drawn_anew():
    _, model = model_of()
    z, action = torch.rand(1, 16).double(), torch.rand(1, 2).double()
    each = model.all_values(z, action)[:, 0].tolist()
    assert len(set(each)) == 5
    pairs = {tuple(model.two_values(z, action)[:, 0].tolist()) for _ in range(200)}
    places = {tuple(np.argmin(np.abs(np.array(each) - v)) for v in pair) for pair in pairs}
    assert len(places) == 20 and all(a != b for a, b in places)
    target = model.two_values(z, action, target=True)
    assert not np.isin(target.tolist(), each).any()


def test_critics_are_followed_at_the_rate():
    _, model = model_of()
    before = [p.clone() for p in model.target_critics.parameters()]
    model.follow(0.01)
    pairs = zip(before, model.critics.parameters(), model.target_critics.parameters(), strict=True)
    for old, fast, slow in pairs:
        torch.testing.assert_close(slow, 0.99 * old + 0.01 * fast)


# The policy prior.


def test_deviations_lie_between_e_minus_10_and_e_2():
    raw = torch.tensor([-50.0, 0.0, 50.0])
    assert bounded_log_std(raw).tolist() == [-10, -4, 2]


def test_entropy_is_what_the_official_ratio_of_log_probabilities_comes_to():
    _, model = model_of()
    z = torch.rand(5, 16).double()
    torch.manual_seed(3)
    drawn = model.prior(z)
    torch.manual_seed(3)
    mean, raw = model.prior.network(z).chunk(2, -1)
    noise = torch.randn_like(mean)
    log_std = -10 + 6 * (raw.tanh() + 1)
    action = (mean + noise * log_std.exp()).tanh()
    normal = torch.distributions.Normal(mean, log_std.exp())
    plain = normal.log_prob(mean + noise * log_std.exp()).sum(-1)
    squashed = plain - (torch.relu(1 - action**2) + 1e-6).log().sum(-1)
    official = -squashed * (plain * 2) / (squashed + 1e-8)
    torch.testing.assert_close(drawn.action, action)
    torch.testing.assert_close(drawn.entropy, official)
    torch.testing.assert_close(model.prior.mode(z), mean.tanh())


# Scale and heuristics.


def test_the_scale_follows_the_range_of_percentiles():
    scale, slow = RunningScale().double(), 1.0
    assert scale.value == 1
    for width in (0.1, 30.0, 500.0):
        values = width * torch.rand(64, dtype=torch.float64)
        scale.update(values)
        low, high = np.percentile(values, [5, 95])
        slow += 0.01 * (max(high - low, 1.0) - slow)
        assert scale.value.item() == pytest.approx(slow)
    scale.update(torch.full((64,), math.nan, dtype=torch.float64))
    assert scale.value.item() == pytest.approx(slow)


def test_what_follows_from_the_length_of_episodes():
    assert heuristics.discount(500) == pytest.approx(0.99)
    assert heuristics.discount(250) == pytest.approx(0.98)
    assert heuristics.discount(25) == 0.95
    assert heuristics.discount(2000) == 0.995
    assert [heuristics.seed_steps(n) for n in (25, 200, 500)] == [1000, 1000, 2500]


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"policy_kwargs": {"latent_dim": 20}}, "multiple"),
        ({"policy_kwargs": {"num_q": 1}}, "2 or more"),
        ({"num_elites": 11}, "num_samples=10"),
        ({"num_pi_trajs": 10}, "choose fewer"),
        ({"horizon": 0}, "horizon"),
    ],
)
def test_settings_that_cannot_be_are_refused(wrong, told):
    with pytest.raises(ValueError, match=told):
        tiny(**wrong)
