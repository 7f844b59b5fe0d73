"""Augmentations: what all of them promise, and the papers' three against slow references."""

import random

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from distraction_gym.agents.common.augmentations import (
    AUGMENTATIONS,
    Compose,
    Cutout,
    Overlay,
    RandomConv,
    RandomCrop,
    RandomShift,
    SpectrumMask,
    build,
)
from distraction_gym.errors import UnknownName

torch.set_num_threads(1)


class Pictures:
    """A source of pictures that draws noise."""

    def sample(self, n: int, rng: np.random.Generator) -> np.ndarray:
        return rng.integers(0, 256, (n, 3, 12, 10), dtype=np.uint8)


SMALL = {
    "overlay": lambda: Overlay(Pictures()),
    "random_crop": lambda: RandomCrop(8),
    "cutout": lambda: Cutout(2, 8),
    "spectrum_mask": lambda: SpectrumMask(probability=1.0),
}
"""Augmentations whose defaults do not suit pictures of 12 x 10, or that would act by chance."""
PER_BATCH = {"spectrum_mask"}
"""Those that draw once for the whole batch."""


def make(name: str):
    return SMALL.get(name, AUGMENTATIONS[name])()


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def obs() -> torch.Tensor:
    return torch.randint(0, 256, (6, 9, 12, 10), generator=seeded(7)).float()


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_shape_dtype_and_input_untouched(name, obs):
    before = obs.clone()
    side = (8, 8) if name == "random_crop" else (12, 10)
    out = make(name)(obs, seeded())
    assert out.shape == (6, 9, *side) and out.dtype == obs.dtype
    assert not torch.equal(out, obs)
    assert torch.equal(obs, before)
    out.zero_()  # what comes back shares no memory with what went in
    assert torch.equal(obs, before)
    exact = make(name)(obs.double(), seeded())
    assert exact.dtype == torch.float64
    torch.testing.assert_close(exact, make(name)(obs, seeded()).double(), atol=1e-2, rtol=1e-4)


@pytest.mark.parametrize("name", sorted(set(AUGMENTATIONS) - {"spectrum_mask"}))
def test_values_stay_in_their_range(name, obs):
    for picture in (obs, obs * 0, obs * 0 + 255):
        for seed in range(5):
            out = make(name)(picture, seeded(seed))
            assert out.min() >= -1e-3 and out.max() <= 255 + 1e-3


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_a_generator_decides_and_torchs_own_state_does_otherwise(name, obs):
    augment = make(name)
    assert torch.equal(augment(obs, seeded(3)), augment(obs, seeded(3)))
    assert not torch.equal(augment(obs, seeded(3)), augment(obs, seeded(4)))
    state = torch.get_rng_state()
    augment(obs, seeded(3))  # with a generator, torch's own state stays as it was
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(1)
    draws = [augment(obs) for _ in range(20)]  # many rings hold no frequency
    assert not all(torch.equal(draws[0], draw) for draw in draws)
    torch.manual_seed(1)
    np.random.seed(5)  # neither numpy's state nor Python's has a say
    random.seed(5)
    assert all(torch.equal(draw, augment(obs)) for draw in draws)


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_a_generator_of_the_cpu_serves_pictures_of_any_device(name, obs):
    # The meta device computes shapes alone, and refuses tensors of the CPU in their midst.
    out = make(name)(obs.to("meta"), seeded())
    assert out.device.type == "meta"
    assert out.shape == make(name)(obs, seeded()).shape


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_frames_of_a_sample_share_one_draw_and_samples_do_not(name):
    frame = torch.randint(0, 256, (1, 3, 12, 10), generator=seeded(1)).float()
    out = make(name)(frame.repeat(8, 3, 1, 1), seeded(2))
    assert torch.equal(out[:, :3], out[:, 3:6]) and torch.equal(out[:, :3], out[:, 6:])
    assert (len({sample.numpy().tobytes() for sample in out}) > 4) is (name not in PER_BATCH)


@pytest.mark.parametrize("name", AUGMENTATIONS)
@pytest.mark.parametrize("stack", [1, 2, 5])
def test_stacks_of_any_length(name, stack):
    obs = torch.randint(0, 256, (2, 3 * stack, 12, 10), generator=seeded(1)).float()
    whole = make(name)(obs, seeded(2))
    if name != "color_jitter":  # its contrast turns about the mean of the whole stack
        first = make(name)(obs[:, :3], seeded(2))
        torch.testing.assert_close(whole[:, :3], first, atol=1e-3, rtol=1e-5)
    assert whole.shape[1] == 3 * stack


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_pictures_that_do_not_lie_contiguously(name, obs):
    scattered = obs.flip(3).permute(0, 1, 3, 2).contiguous().permute(0, 1, 3, 2)
    augment = make(name)
    expected = augment(scattered.contiguous(), seeded())
    assert torch.allclose(augment(scattered, seeded()), expected, atol=1e-3)


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


@pytest.mark.parametrize("name", sorted(set(AUGMENTATIONS) - {"random_shift", "random_crop"}))
def test_wrong_pictures_are_refused(name, obs):
    with pytest.raises(TypeError, match=r"obs\.float\(\)"):
        make(name)(obs.byte())
    with pytest.raises(ValueError, match="3k"):
        make(name)(obs[:, :4])


WRONG = [
    ("random_shift", {"pad": -1}, "pad"),
    ("random_crop", {"size": 0}, "size"),
    ("overlay", {"alpha": 1.5}, "alpha"),
    ("cutout", {"smallest": 0}, "smallest"),
    ("cutout", {"smallest": 5, "largest": 5}, "smallest"),
    ("color_jitter", {"hue": 0.6}, "hue"),
    ("color_jitter", {"contrast": 1.1}, "contrast"),
    ("rotate", {"degrees": -1}, "degrees"),
    ("spectrum_mask", {"probability": 1.1}, "probability"),
]


@pytest.mark.parametrize(("name", "arguments", "match"), WRONG)
def test_wrong_arguments_are_refused(name, arguments, match):
    with pytest.raises(ValueError, match=match):
        AUGMENTATIONS[name](**arguments)


class TestLists:
    def test_the_first_in_a_list_acts_first(self, obs):
        generator = seeded(3)
        expected = RandomConv()(RandomShift(2)(obs, generator), generator)
        parts = build([{"kind": "random_shift", "pad": 2}, "random_conv"])
        assert torch.equal(parts(obs, seeded(3)), expected)

    def test_a_name_alone_is_a_list_of_one(self, obs):
        assert torch.equal(build("random_conv")(obs, seeded()), RandomConv()(obs, seeded()))

    def test_defaults_fill_what_an_item_leaves_open(self):
        defaults = {"overlay": {"alpha": 0.25, "seed": 7}, "cutout": {"largest": 11}}
        (overlay,) = build([{"kind": "overlay", "alpha": 0.75}], defaults).parts
        assert (overlay.alpha, overlay.seed) == (0.75, 7)

    def test_parts_of_ones_own_join_in(self, obs):
        both = Compose([lambda obs, generator: 255 - obs, RandomShift(0)])
        assert torch.equal(both(obs), 255 - obs)

    @pytest.mark.parametrize(
        ("augment", "match"),
        [
            ([], r"no augmentation.*\['overlay'\]"),
            ([{"largest": 20}], "a name or a dictionary such as"),
            ([3], "a name or a dictionary such as"),
            ([{"kind": "cutout", "size": 3}], r"does not take size; it takes smallest, largest"),
            ([{"kind": "random_conv", "size": 3}], r"does not take size; it takes nothing"),
        ],
    )
    def test_wrong_lists_are_refused(self, augment, match):
        with pytest.raises(ValueError, match=match):
            build(augment)

    def test_an_unknown_name_is_told_the_nearest(self):
        with pytest.raises(UnknownName, match="Did you mean 'random_conv'"):
            build(["random_convs"])
