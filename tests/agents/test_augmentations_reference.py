"""Crop, cutout, colour jitter, frequency mask and rotation against slow references."""

import colorsys
import itertools
import math

import numpy as np
import pytest
import torch

from distraction_gym.agents.common.augmentations import (
    ColorJitter,
    Cutout,
    RandomCrop,
    Rotate,
    SpectrumMask,
    center_crop,
)
from distraction_gym.agents.common.augmentations.colors import turn_hue
from distraction_gym.agents.common.augmentations.spectrum import remove_ring

torch.set_num_threads(1)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def obs() -> torch.Tensor:
    return torch.randint(0, 256, (5, 6, 12, 10), generator=seeded(7)).double()


class TestRandomCrop:
    def test_it_equals_slicing_one_sample_at_a_time(self, obs):
        out = RandomCrop(7)(obs, seeded(3))
        generator = seeded(3)
        top, left = (torch.randint(room, (5,), generator=generator) for room in (5, 3))
        for sample, cropped, row, column in zip(obs, out, top, left, strict=True):
            assert torch.equal(cropped, sample[:, row : row + 7, column : column + 7])

    def test_the_last_place_is_never_chosen(self):
        # 100 -> 84 leaves places 0..16; the papers' code draws 0..15.
        picture = torch.arange(100.0).view(1, 1, 100, 1).expand(5000, 1, 100, 100)
        rows = RandomCrop(84)(picture, seeded())[:, 0, 0, 0]
        columns = RandomCrop(84)(picture.transpose(2, 3), seeded())[:, 0, 0, 0]
        for places in (rows, columns):
            assert set(places.int().tolist()) == set(range(16))
            assert np.bincount(places.int()).min() > 5000 / 16 * 0.75

    def test_of_the_same_size_it_copies_and_draws_nothing(self, obs):
        square, state = obs[..., :10, :], torch.get_rng_state()
        out = RandomCrop(10)(square)
        assert torch.equal(out, square) and out.data_ptr() != square.data_ptr()
        assert torch.equal(torch.get_rng_state(), state)

    def test_where_only_one_side_is_larger(self, obs):
        out = RandomCrop(10)(obs, seeded(1))
        assert out.shape == (5, 6, 10, 10)
        assert all(
            any(torch.equal(crop, sample[:, top : top + 10]) for top in range(2))
            for crop, sample in zip(out, obs, strict=True)
        )

    def test_bytes_are_cropped_as_floats_are(self, obs):
        out = RandomCrop(8)(obs.byte(), seeded())
        assert out.dtype == torch.uint8
        assert torch.equal(out.double(), RandomCrop(8)(obs, seeded()))

    def test_too_small_pictures_are_refused(self, obs):
        with pytest.raises(ValueError, match="84 x 84 does not fit in pictures of 12 x 10"):
            RandomCrop()(obs)
        with pytest.raises(ValueError, match="11 x 11 does not fit"):
            center_crop(obs, 11)

    def test_the_centre_of_100_pixels_leaves_8_on_each_side(self):
        picture = torch.arange(100 * 100).view(1, 1, 100, 100)
        assert torch.equal(center_crop(picture), picture[..., 8:92, 8:92])
        assert torch.equal(center_crop(picture, 100), picture)
        assert center_crop(picture[..., :99], 84).shape == (1, 1, 84, 84)


class TestCutout:
    def test_it_equals_painting_one_box_at_a_time(self, obs):
        out = Cutout(2, 7)(obs, seeded(4))
        generator = seeded(4)
        spans = []
        for side in (12, 10):
            length = 2 + torch.randint(5, (5,), generator=generator)
            fraction = torch.rand(5, generator=generator)
            spans.append((length, (fraction * (side - length + 1)).long()))
        for index, sample in enumerate(obs):
            (high, wide), (top, left) = zip(*((n[index], s[index]) for n, s in spans), strict=True)
            expected = sample.clone()
            expected[:, top : top + high, left : left + wide] = 0
            assert torch.equal(out[index], expected)

    def test_sizes_and_places_cover_their_ranges(self):
        out = Cutout(3, 6)(torch.ones(6000, 3, 12, 10), seeded())
        boxes = set()
        for sample in out[:, 0] == 0:
            rows, columns = torch.nonzero(sample).T
            top, bottom = int(rows.min()), int(rows.max())
            boxes.add((top, bottom - top + 1))
            left, right = int(columns.min()), int(columns.max())
            assert sample[top : bottom + 1, left : right + 1].all()
            assert 3 <= right - left + 1 <= 5
        assert boxes == {(top, n) for n in (3, 4, 5) for top in range(12 - n + 1)}

    def test_boxes_as_large_as_the_picture(self, obs):
        assert Cutout(10, 11)(obs, seeded()).isfinite().all()
        with pytest.raises(ValueError, match="lower largest"):
            Cutout(10, 12)(obs)


def slow_jitter(sample, brightness, contrast, saturation, turn):
    """Change one stack's colours pixel by pixel; `(k, 3, H, W)` in [0, 1]."""

    def clip(value):
        return min(1.0, max(0.0, value))

    def grey(pixel):
        return 0.2989 * pixel[0] + 0.587 * pixel[1] + 0.114 * pixel[2]

    pixels = sample.permute(0, 2, 3, 1).reshape(-1, 3).tolist()
    pixels = [[clip(v * brightness) for v in pixel] for pixel in pixels]
    mean = sum(grey(pixel) for pixel in pixels) / len(pixels)
    pixels = [[clip(contrast * v + (1 - contrast) * mean) for v in pixel] for pixel in pixels]
    out = []
    for pixel in pixels:
        mixed = [clip(saturation * v + (1 - saturation) * grey(pixel)) for v in pixel]
        hue, chroma, value = colorsys.rgb_to_hsv(*mixed)
        out.append(colorsys.hsv_to_rgb((hue + turn) % 1.0, chroma, value))
    k, _, height, width = sample.shape
    return torch.tensor(out, dtype=torch.float64).view(k, height, width, 3).permute(0, 3, 1, 2)


class TestColorJitter:
    def test_it_equals_changing_one_pixel_at_a_time(self, obs):
        jitter = ColorJitter(0.3, 0.5, 0.9, 0.4)
        out = jitter(obs, seeded(2)).view(5, 2, 3, 12, 10)
        generator = seeded(2)
        spans = ((0.7, 1.3), (0.5, 1.5), (0.1, 1.9), (-0.4, 0.4))
        factors = [lo + (hi - lo) * torch.rand(5, generator=generator) for lo, hi in spans]
        for index, sample in enumerate(obs.view(5, 2, 3, 12, 10) / 255):
            expected = slow_jitter(sample, *(part[index].item() for part in factors))
            torch.testing.assert_close(out[index], expected * 255, atol=1e-3, rtol=0)

    def test_without_strength_it_changes_nothing(self, obs):
        torch.testing.assert_close(ColorJitter(0, 0, 0, 0)(obs), obs)

    def test_a_grey_picture_stays_grey(self):
        grey = torch.full((20, 3, 4, 4), 90.0)
        out = ColorJitter()(grey, seeded())
        torch.testing.assert_close(out, out[:, :1].expand_as(out))
        assert out[:, 0, 0, 0].unique().numel() == 20

    def test_a_turn_of_hue_keeps_full_colours_full(self):
        red = torch.tensor([255.0, 0, 0]).view(1, 3, 1, 1)
        turned = turn_hue(red.unsqueeze(1) / 255, torch.tensor([0.5]).view(1, 1, 1, 1, 1))
        assert turned.flatten().tolist() == [0, 1, 1]  # half a turn from red lies cyan
        jitter = ColorJitter(0, 0, 0, 0.5)
        found = torch.stack([jitter(red, seeded(seed)) for seed in range(40)])
        torch.testing.assert_close(found.amax(2), torch.full_like(found.amax(2), 255.0))
        torch.testing.assert_close(found.amin(2), torch.zeros_like(found.amin(2)))
        assert len({int(pixel.argmax()) for pixel in found}) == 3

    def test_the_same_pixel_changes_alike_in_all_frames(self):
        frames = torch.randint(0, 256, (1, 9, 6, 6), generator=seeded()).float()
        frames[:, :, 2, 3] = frames[:, :3, 2, 3].repeat(1, 3)  # still, while all else moves
        out = ColorJitter()(frames, seeded(1))[0, :, 2, 3].view(3, 3)
        torch.testing.assert_close(out[0], out[1])
        torch.testing.assert_close(out[0], out[2])


def slow_ring(picture: np.ndarray, low: float, high: float) -> np.ndarray:
    """Remove a square ring of frequencies from `(H, W)`, each frequency by itself."""
    height, width = picture.shape
    spectrum = np.fft.fft2(picture)
    for row, column in itertools.product(range(height), range(width)):
        # The frequencies past the middle are the negative ones.
        fy = min(row, height - row) / height
        fx = min(column, width - column) / width
        if low <= max(fy, fx) < high:
            spectrum[row, column] = 0
    return np.fft.ifft2(spectrum).real


class TestSpectrumMask:
    @pytest.mark.parametrize("size", [(12, 10), (11, 9), (12, 9), (84, 84)])
    @pytest.mark.parametrize("ring", [(0.0, 0.01), (0.08, 0.13), (0.25, 0.3), (0.48, 0.53)])
    def test_it_equals_a_slow_transform(self, size, ring):
        obs = 255 * torch.rand(2, 3, *size, generator=seeded(1), dtype=torch.float64)
        out = remove_ring(obs, *ring)
        for picture, found in zip(obs.view(6, *size), out.view(6, *size), strict=True):
            np.testing.assert_allclose(found, slow_ring(picture.numpy(), *ring), atol=1e-9)

    def test_a_ring_of_no_width_removes_nothing(self, obs):
        torch.testing.assert_close(remove_ring(obs, 0.2, 0.2), obs)

    def test_the_ring_is_square_and_open_above(self):
        obs = 255 * torch.rand(1, 3, 20, 20, generator=seeded(1), dtype=torch.float64)
        kept = torch.fft.fft2(remove_ring(obs, 0.1, 0.2)).abs()[0, 0] > 1e-6
        assert kept[1, 1] and kept[4, 0] and kept[4, 4]  # 0.05 below; 0.2 itself stays
        assert not kept[2, 0] and not kept[3, 3] and not kept[0, 2]  # 0.1 goes, corners too

    def test_one_draw_for_the_whole_batch(self, obs):
        twins = obs[:1].repeat(8, 1, 1, 1)
        out = SpectrumMask(1.0)(twins, seeded(1))
        torch.testing.assert_close(out, out[:1].expand_as(out), atol=1e-9, rtol=0)

    def test_rings_are_drawn_and_rounded_as_in_the_official_code(self, obs, monkeypatch):
        rings = []
        module = "distraction_gym.agents.common.augmentations.spectrum.remove_ring"
        monkeypatch.setattr(module, lambda obs, *ring: rings.append(ring) or obs)
        generator, mask = seeded(5), SpectrumMask()
        for _ in range(4000):
            mask(obs, generator)
        assert 0.46 < len(rings) / 4000 < 0.54
        low, high = np.array(rings).T
        width = high - low
        for drawn, digits in ((low, 51), (width, 6)):
            counts = np.bincount(np.rint(drawn * 100).astype(int))
            np.testing.assert_allclose(drawn * 100, np.rint(drawn * 100), atol=1e-9)
            assert len(counts) == digits
            # Rounding gives the two ends half the weight of the others: one in ten has no width.
            inner = counts[1:-1].mean()
            assert 0.3 < (counts[0] + counts[-1]) / 2 / inner < 0.75

    def test_never_means_unchanged_and_nothing_drawn(self, obs):
        state = torch.get_rng_state()
        out = SpectrumMask(0.0)(obs)
        assert torch.equal(out, obs) and out.data_ptr() != obs.data_ptr()
        assert torch.equal(torch.get_rng_state(), state)


def slow_rotation(picture: np.ndarray, angle: float) -> np.ndarray:
    """Rotate `(H, W)` counter-clockwise about its middle, one pixel at a time."""
    height, width = picture.shape
    out = np.zeros_like(picture)
    for row, column in itertools.product(range(height), range(width)):
        # Upwards is positive here; where a pixel comes from lies the angle back.
        right, up = column - (width - 1) / 2, (height - 1) / 2 - row
        from_right = math.cos(angle) * right + math.sin(angle) * up
        from_up = math.cos(angle) * up - math.sin(angle) * right
        y = min(max((height - 1) / 2 - from_up, 0.0), height - 1.0)
        x = min(max((width - 1) / 2 + from_right, 0.0), width - 1.0)
        top, left = min(int(y), height - 2), min(int(x), width - 2)
        dy, dx = y - top, x - left
        above = (1 - dx) * picture[top, left] + dx * picture[top, left + 1]
        below = (1 - dx) * picture[top + 1, left] + dx * picture[top + 1, left + 1]
        out[row, column] = (1 - dy) * above + dy * below
    return out


class TestRotate:
    @pytest.mark.parametrize("degrees", [20.0, 180.0])
    def test_it_equals_reading_one_pixel_at_a_time(self, obs, degrees):
        out = Rotate(degrees)(obs, seeded(6))
        angles = math.radians(degrees) * (2 * torch.rand(5, generator=seeded(6)) - 1)
        for sample, rotated, angle in zip(obs, out, angles.tolist(), strict=True):
            for picture, found in zip(sample, rotated, strict=True):
                expected = slow_rotation(picture.numpy(), angle)
                np.testing.assert_allclose(found, expected, atol=1e-3)

    def test_angles_reach_both_ends(self):
        # The middle of the right edge is marked: where it goes tells the angle.
        picture = torch.zeros(2000, 3, 41, 41)
        picture[:, :, 19:22, 34:37] = 255.0
        out = Rotate(90)(picture, seeded())[:, 0]
        rows, columns = (torch.arange(41.0) - 20).view(41, 1), torch.arange(41.0) - 20
        angles = torch.rad2deg(torch.atan2(-(out * rows).sum((1, 2)), (out * columns).sum((1, 2))))
        assert angles.min() < -88 and angles.max() > 88 and abs(angles.mean()) < 4

    def test_without_degrees_it_changes_nothing(self, obs):
        torch.testing.assert_close(Rotate(0)(obs), obs)
