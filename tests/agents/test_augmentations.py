"""Augmentations against slow references that treat one sample at a time."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from distraction_gym.agents.common.augmentations import (
    AUGMENTATIONS,
    Overlay,
    RandomConv,
    RandomShift,
)
from distraction_gym.errors import UnknownName

torch.set_num_threads(1)


class Pictures:
    """A source of pictures that draws noise."""

    def sample(self, n: int, rng: np.random.Generator) -> np.ndarray:
        return rng.integers(0, 256, (n, 3, 12, 10), dtype=np.uint8)


def build(name: str):
    return Overlay(Pictures()) if name == "overlay" else AUGMENTATIONS[name]()


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def obs() -> torch.Tensor:
    return torch.randint(0, 256, (6, 9, 12, 10), generator=seeded(7)).float()


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_shape_range_and_input_untouched(name, obs):
    before = obs.clone()
    out = build(name)(obs)
    assert out.shape == obs.shape and out.dtype == obs.dtype
    assert out.min() >= 0 and out.max() <= 255
    assert not torch.equal(out, obs)
    assert torch.equal(obs, before)
    assert out.data_ptr() != obs.data_ptr()


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_a_generator_decides_and_torchs_own_state_does_otherwise(name, obs):
    augment = build(name)
    assert torch.equal(augment(obs, seeded(3)), augment(obs, seeded(3)))
    assert not torch.equal(augment(obs, seeded(3)), augment(obs, seeded(4)))
    state = torch.get_rng_state()
    first = augment(obs)
    assert not torch.equal(first, augment(obs))
    torch.set_rng_state(state)
    np.random.seed(5)  # numpy's state has no say
    assert torch.equal(first, augment(obs))


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_frames_of_a_sample_share_one_draw_and_samples_do_not(name):
    frame = torch.randint(0, 256, (1, 3, 12, 10), generator=seeded(1)).float()
    out = build(name)(frame.repeat(8, 3, 1, 1), seeded(2))
    assert torch.equal(out[:, :3], out[:, 3:6]) and torch.equal(out[:, :3], out[:, 6:])
    assert len({sample.numpy().tobytes() for sample in out}) > 4


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_pictures_that_do_not_lie_contiguously(name, obs):
    scattered = obs.flip(3).permute(0, 1, 3, 2).contiguous().permute(0, 1, 3, 2)
    augment = build(name)
    expected = augment(scattered.contiguous(), seeded())
    assert torch.allclose(augment(scattered, seeded()), expected, atol=1e-4)


@pytest.mark.parametrize("pad", [0, 1, 4])
def test_shift_equals_padding_and_cropping(obs, pad):
    out = RandomShift(pad)(obs, seeded(11))
    offsets = torch.randint(2 * pad + 1, (len(obs), 2), generator=seeded(11)).tolist()
    for sample, shifted, (top, left) in zip(obs, out, offsets, strict=True):
        padded = F.pad(sample[None], (pad,) * 4, mode="replicate")[0]
        assert torch.equal(shifted, padded[:, top : top + 12, left : left + 10])


def test_shift_reaches_both_ends_of_its_range():
    picture = torch.arange(100.0).view(1, 1, 10, 10).expand(4000, 1, 10, 10)
    centres = RandomShift(4)(picture, seeded())[:, 0, 5, 5]
    shifts = {(int(v) // 10 - 5, int(v) % 10 - 5) for v in centres}
    assert shifts == {(dy, dx) for dy in range(-4, 5) for dx in range(-4, 5)}


def test_shift_takes_bytes(obs):
    out = RandomShift()(obs.byte(), seeded())
    assert torch.equal(out.float(), RandomShift()(obs, seeded()))


def test_conv_equals_one_kernel_per_sample(obs):
    out = RandomConv()(obs, seeded(5))
    kernels = torch.randn(len(obs) * 3, 3, 3, 3, generator=seeded(5)).view(-1, 3, 3, 3, 3)
    for sample, filtered, kernel in zip(obs, out, kernels, strict=True):
        for frame, result in zip(sample.split(3), filtered.split(3), strict=True):
            padded = F.pad(frame[None] / 255, (1, 1, 1, 1), mode="replicate")
            expected = torch.sigmoid(F.conv2d(padded, kernel))[0] * 255
            assert torch.allclose(result, expected, atol=1e-3)


@pytest.mark.parametrize("alpha", [0.0, 0.3, 0.5, 1.0])
def test_overlay_equals_mixing_one_picture_at_a_time(obs, alpha):
    out = Overlay(Pictures(), alpha=alpha)(obs, seeded(9))
    seed = int(torch.randint(2**63 - 1, (), generator=seeded(9)))
    drawn = Pictures().sample(len(obs), np.random.default_rng(seed))
    for sample, mixed, picture in zip(obs, out, torch.from_numpy(drawn).float(), strict=True):
        for frame, result in zip(sample.split(3), mixed.split(3), strict=True):
            assert torch.allclose(result, alpha * picture + (1 - alpha) * frame, atol=1e-3)


def test_overlay_draws_generated_pictures_at_the_size_of_the_observation(obs):
    out = Overlay("generated")(obs, seeded())
    assert out.shape == obs.shape
    assert torch.equal(out, Overlay("generated")(obs, seeded()))


@pytest.mark.parametrize("augment", [RandomConv(), Overlay(Pictures())])
def test_wrong_pictures_are_refused(augment, obs):
    with pytest.raises(TypeError, match=r"obs\.float\(\)"):
        augment(obs.byte())
    with pytest.raises(ValueError, match="3k"):
        augment(obs[:, :4])


def test_wrong_arguments_are_refused():
    with pytest.raises(ValueError, match="pad"):
        RandomShift(-1)
    with pytest.raises(ValueError, match="alpha"):
        Overlay(alpha=1.5)
    with pytest.raises(UnknownName, match="Did you mean 'random_conv'"):
        AUGMENTATIONS["random_convs"]
