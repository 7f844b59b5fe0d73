"""The transformer trunk: its size, its arithmetic, and MaDi upon it."""

import math

import numpy as np
import pytest
import torch
from gymnasium import spaces
from pictures import Bandit, moved, weights

from distraction_gym.agents import SAC, MaDi
from distraction_gym.agents.common.vit import ViTEncoder
from distraction_gym.errors import UnknownName


def space(side=96, channels=9):
    return spaces.Box(0, 255, (channels, side, side), np.uint8)


def small_vit(**kwargs):
    return ViTEncoder(space(24, 3), dim=16, depth=2, heads=4, **kwargs)


def test_it_has_the_official_codes_parameters():
    encoder = ViTEncoder(space())
    by_part = {
        "patches": 8 * 8 * 9 * 128 + 128,
        "class_token": 128,
        "positions": (12 * 12 + 1) * 128,
        "blocks": 4 * (2 * 2 * 128 + 3 * 128 * 128 + 3 * (128 * 128 + 128)),
        "norm": 2 * 128,
    }
    found = dict.fromkeys(by_part, 0)
    for name, parameter in encoder.named_parameters():
        found[name.split(".")[0]] += parameter.numel()
    assert found == by_part
    assert sum(found.values()) == 489_600
    assert encoder.features_dim == 128
    assert encoder(torch.rand(2, 9, 96, 96)).shape == (2, 128)


def test_it_starts_as_the_official_code():
    torch.manual_seed(0)
    encoder = ViTEncoder(space())
    for parameter in (
        encoder.positions,
        encoder.blocks[0].qkv.weight,
        encoder.blocks[3].mix.weight,
    ):
        assert parameter.std().item() == pytest.approx(0.02, rel=0.1)
    assert encoder.blocks[0].qkv.bias is None
    assert not encoder.blocks[0].mix.bias.any() and not encoder.blocks[0].mlp[0].bias.any()
    assert encoder.norm.eps == encoder.blocks[1].norms[0].eps == 1e-6


def test_it_equals_a_slow_reference_in_float64():
    torch.manual_seed(0)
    encoder = small_vit(mlp_ratio=2.0).double()
    with torch.no_grad():
        for parameter in encoder.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    pictures = torch.rand(2, 3, 24, 24).double()
    expected = torch.stack([_slow(encoder, picture) for picture in pictures])
    torch.testing.assert_close(encoder(pictures), expected)


def test_patches_have_to_fill_the_picture():
    with pytest.raises(ValueError, match=r"84x84.*image_size=96"):
        ViTEncoder(space(84))
    with pytest.raises(ValueError, match="3 heads"):
        ViTEncoder(space(), heads=3)


def test_an_unknown_trunk_is_named():
    with pytest.raises(UnknownName, match=r"unknown trunk 'vlt'.*'vit'"):
        SAC("CnnPolicy", Bandit(), policy_kwargs={"features_extractor_class": "vlt"})


def test_madi_learns_upon_it(tmp_path):
    class Larger(Bandit):
        def __init__(self):
            super().__init__()
            self.observation_space = space(48, 3)

        def _draw(self):
            return np.pad(super()._draw(), ((0, 0), (6, 6), (6, 6)))

    kwargs = {
        "features_extractor_class": "vit",
        "features_extractor_kwargs": {"dim": 16, "depth": 1, "heads": 2},
        "net_arch": [16],
        "projection_dim": 8,
    }
    model = MaDi(
        "CnnPolicy",
        Larger(),
        **{"batch_size": 4, "buffer_size": 60, "learning_starts": 8, "catch_up_updates": 0},
        **{"augment": "random_conv", "masker_filters": 4, "shift": 6, "shift_next": 6, "seed": 0},
        policy_kwargs=kwargs,
    )
    trunk = model.critic.features_extractor
    assert isinstance(trunk, ViTEncoder)
    before = [weights(part) for part in (trunk, model.extras)]
    model.learn(12)
    assert all(moved(p, w) for p, w in zip((trunk, model.extras), before, strict=True))
    assert model.actor.features_extractor is trunk
    model.save(tmp_path / "model")
    loaded = MaDi.load(tmp_path / "model")
    obs = np.random.default_rng(0).integers(0, 256, (3, 3, 48, 48), np.uint8)
    acts = [agent.predict(obs, deterministic=True)[0] for agent in (model, loaded)]
    np.testing.assert_array_equal(*acts)


def _slow(encoder, picture):
    """One picture, token by token and head by head."""
    rows, columns = picture.shape[1] // 8, picture.shape[2] // 8
    tokens = [encoder.class_token[0, 0]]
    for row in range(rows):
        for column in range(columns):
            patch = picture[:, 8 * row : 8 * row + 8, 8 * column : 8 * column + 8]
            weight = encoder.patches.weight.flatten(1)
            tokens.append(weight @ patch.flatten() + encoder.patches.bias)
    tokens = [token + encoder.positions[0, i] for i, token in enumerate(tokens)]
    for block in encoder.blocks:
        attended = _slow_attention(block, [_slow_norm(t, block.norms[0]) for t in tokens])
        tokens = [t + a for t, a in zip(tokens, attended, strict=True)]
        tokens = [t + _slow_mlp(block.mlp, _slow_norm(t, block.norms[1])) for t in tokens]
    return _slow_norm(tokens[0], encoder.norm)


def _slow_attention(block, tokens):
    dim, size = len(tokens[0]), len(tokens[0]) // block.heads
    projected = [block.qkv.weight @ token for token in tokens]
    queries, keys, values = ([p[i * dim : (i + 1) * dim] for p in projected] for i in range(3))
    out = []
    for query in queries:
        heads = []
        for head in range(block.heads):
            part = slice(head * size, (head + 1) * size)
            scores = torch.stack([query[part] @ key[part] for key in keys]) / math.sqrt(size)
            shares = scores.exp() / scores.exp().sum()
            heads.append(sum(s * value[part] for s, value in zip(shares, values, strict=True)))
        out.append(block.mix.weight @ torch.cat(heads) + block.mix.bias)
    return out


def _slow_mlp(mlp, token):
    hidden = mlp[0].weight @ token + mlp[0].bias
    hidden = 0.5 * hidden * (1 + torch.erf(hidden / math.sqrt(2)))
    return mlp[2].weight @ hidden + mlp[2].bias


def _slow_norm(token, norm):
    scaled = (token - token.mean()) / torch.sqrt(token.var(unbiased=False) + 1e-6)
    return scaled * norm.weight + norm.bias
