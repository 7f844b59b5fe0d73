"""SMG's networks and losses by themselves: sizes, frame order, slow references in float64."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from distraction_gym.agents.common.doubling import DoublingConv
from distraction_gym.agents.smg.losses import (
    PIXEL_LOSSES,
    ViewMaker,
    Views,
    attribution,
    blend,
    mask_loss,
    separation_losses,
    squared_error,
)
from distraction_gym.agents.smg.networks import (
    AuxHead,
    Decoder,
    InverseDynamics,
    Separator,
)

torch.set_num_threads(1)
SIDE, STACK, BATCH, LATENT = 14, 3, 4, 6


def rand(*shape, seed=0, top=1.0):
    generator = torch.Generator().manual_seed(seed)
    return top * torch.rand(*shape, generator=generator, dtype=torch.float64)


def pictures(seed=0):
    return rand(BATCH, 3 * STACK, SIDE, SIDE, seed=seed, top=255)


def size(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


class Noise:
    """A source of pictures."""

    def sample(self, n, rng):
        return rng.integers(0, 256, (n, 3, SIDE, SIDE), dtype=np.uint8)


class Trunk(nn.Module):
    """Something to encode with."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3 * STACK, 5)

    def forward(self, obs):
        return self.linear(obs.mean(dim=(2, 3)))


@pytest.fixture
def separator():
    torch.manual_seed(0)
    shape = (3 * STACK, SIDE, SIDE)
    return Separator(Trunk(), 5, LATENT, shape, (3, 5, 4)).double()


class TestNetworks:
    def test_they_have_the_papers_sizes(self):
        assert size(Decoder(256, (84, 84), 4)) == 3_739_876
        assert size(Decoder(256, (84, 84), 3)) == 3_739_299
        assert size(InverseDynamics(256, 6)) == 1_581_062
        assert size(AuxHead(256, 3)) == 256 * 768 + 768

    @pytest.mark.parametrize("picture", [(84, 84), (36, 36), (48, 64), (50, 37)])
    def test_a_decoder_draws_pictures_of_any_size(self, picture):
        decoder = Decoder(4, picture, 4, (2, 3, 3))
        drawn = decoder(torch.randn(5, 4))
        assert drawn.shape == (5, 4, *picture)
        assert drawn.min() > 0 and drawn.max() < 1

    def test_a_decoder_starts_from_the_papers_grid(self):
        assert Decoder(256, (84, 84), 3).grid == (32, 21, 21)

    def test_a_decoder_equals_the_official_order_of_layers(self):
        decoder = Decoder(5, (12, 20), 4, (2, 6, 3)).double()
        latents = rand(3, 5) - 0.5

        def convolve(layer, maps):
            return F.conv2d(maps, layer.weight, layer.bias, padding=1)

        maps = F.relu(decoder.linear(latents).view(-1, 2, 3, 5))
        maps = F.relu(F.interpolate(convolve(decoder.first, maps), scale_factor=2.0))
        maps = F.relu(F.interpolate(convolve(decoder.second, maps), scale_factor=2.0))
        torch.testing.assert_close(decoder(latents), convolve(decoder.last, maps).sigmoid())

    def test_doubling_has_the_same_gradients(self):
        layer = DoublingConv(2, 3).double()
        small, upper = rand(2, 2, 5, 4), rand(2, 3, 10, 8, seed=1)
        parts = layer.weight, layer.bias
        fast = torch.autograd.grad((layer(small) * upper).sum(), parts)
        doubled = F.interpolate(small, scale_factor=2.0)
        slow = F.conv2d(doubled, *parts, padding=1)
        slowly = torch.autograd.grad((slow * upper).sum(), parts)
        for found, expected in zip(fast, slowly, strict=True):
            torch.testing.assert_close(found, expected)

    def test_the_rows_of_a_sample_are_its_frames_side_by_side(self):
        head = AuxHead(LATENT, STACK)
        latents = torch.randn(BATCH, LATENT)
        rows = head(latents)
        assert rows.shape == (BATCH * STACK, LATENT)
        for b in range(BATCH):
            for k in range(STACK):
                weight = head.linear.weight[k * LATENT : (k + 1) * LATENT]
                bias = head.linear.bias[k * LATENT : (k + 1) * LATENT]
                expected = F.relu(weight @ latents[b] + bias)
                torch.testing.assert_close(rows[b * STACK + k], expected)

    def test_row_k_becomes_the_channels_of_frame_k(self, separator):
        latents = rand(BATCH, LATENT)
        images, masks = separator.foreground(latents)
        planes = separator.fore_decoder(separator.fore_head(latents))
        for b in range(BATCH):
            for k in range(STACK):
                row = planes[b * STACK + k]
                torch.testing.assert_close(images[b, 3 * k : 3 * k + 3], 255 * row[:3])
                torch.testing.assert_close(masks[b, k], row[3])

    def test_the_background_keeps_the_frames_in_order_too(self, separator):
        obs = pictures()
        latents = separator.back_encoder(obs / 255)
        rows = separator.back_decoder(separator.back_head(latents))
        drawn = separator.background(obs)
        torch.testing.assert_close(drawn[1, 6:9], 255 * rows[1 * STACK + 2])
        torch.testing.assert_close(drawn[3, 0:3], 255 * rows[3 * STACK])


class TestPictures:
    def test_a_mask_of_one_shows_the_observation_and_of_zero_the_other(self):
        obs, other = pictures(), pictures(1)
        mask = torch.ones(BATCH, STACK, SIDE, SIDE, dtype=torch.float64)
        assert torch.equal(blend(mask, obs, other), obs)
        assert torch.equal(blend(0 * mask, obs, other), other)
        assert torch.equal(attribution(obs, 0 * mask), 0 * obs)

    def test_each_frame_has_a_mask_of_its_own_for_its_three_channels(self):
        inside, outside = pictures(), pictures(1)
        mask = rand(BATCH, STACK, SIDE, SIDE, seed=2)
        found = blend(mask, inside, outside)
        for b in range(BATCH):
            for channel in range(3 * STACK):
                m = mask[b, channel // 3]
                expected = inside[b, channel] * m + outside[b, channel] * (1 - m)
                torch.testing.assert_close(found[b, channel], expected)

    def test_views_come_from_pictures_and_the_mask_as_it_is(self):
        make = ViewMaker(Noise())
        obs = pictures().float()
        mask = torch.rand(BATCH, STACK, SIDE, SIDE, requires_grad=True)
        views = make(obs, mask, torch.Generator().manual_seed(0))
        assert views.obs is obs and not any(view.requires_grad for view in views)
        torch.testing.assert_close(views.attribution, blend(mask, obs, views.background).detach())
        frames = views.background.view(BATCH, STACK, 3, SIDE, SIDE)
        assert torch.equal(frames[:, 0], frames[:, 2]), "one picture for all frames"
        assert not torch.equal(frames[0], frames[1]), "a picture for each sample"
        assert views.background.max() > 1, "0-255"

    def test_one_draw_in_four_is_the_attribution_augmentation_for_the_whole_batch(self):
        make = ViewMaker(Noise())
        obs, mask = pictures().float(), torch.rand(BATCH, STACK, SIDE, SIDE)
        generator = torch.Generator().manual_seed(1)
        attributed = 0
        for _ in range(400):
            views = make(obs, mask, generator)
            if torch.equal(views.consistency, views.attribution):
                attributed += 1
            else:
                other = 2 * views.consistency - obs
                assert other.min() > -1e-3 and other.max() < 255.001, "half, half"
                assert not torch.allclose(other, views.background), "a fresh picture"
        assert 70 <= attributed <= 130  # 100 expected, standard deviation 8.7


class TestLosses:
    def test_the_masks_share_per_frame(self):
        mask = rand(BATCH, STACK, SIDE, SIDE)
        errors = [
            (mask[b, k].sum().item() / SIDE**2 - 0.06) ** 2
            for b in range(BATCH)
            for k in range(STACK)
        ]
        assert mask_loss(mask, 0.06).item() == pytest.approx(np.mean(errors))

    def test_squared_error_is_half_the_sum_over_heads_against_a_constant(self):
        q_values = rand(BATCH, 2).requires_grad_()
        target = rand(BATCH, 2, seed=1).requires_grad_()
        found = squared_error(q_values, target)
        expected = 0.5 * sum(
            ((q_values[:, i] - target[:, i]) ** 2).sum().item() / BATCH for i in range(2)
        )
        assert found.item() == pytest.approx(expected)
        found.backward()
        assert q_values.grad is not None and target.grad is None
        one = target.detach()[:, :1]
        both = squared_error(q_values, one.expand(-1, 2))
        torch.testing.assert_close(squared_error(q_values, one), both)

    @pytest.mark.parametrize(
        ("name", "of_pixel"),
        [("l1", lambda a, b: abs(a - b)), ("l2", lambda a, b: (a - b) ** 2 / 255)],
    )
    def test_pictures_are_compared_by_either_error(self, name, of_pixel):
        drawn, true = rand(2, 3, 4, 4, top=255), rand(2, 3, 4, 4, seed=1, top=255)
        pixels = zip(drawn.flatten().tolist(), true.flatten().tolist(), strict=True)
        expected = np.mean([of_pixel(a, b) for a, b in pixels])
        assert PIXEL_LOSSES[name](drawn, true).item() == pytest.approx(expected)

    def test_every_comparison_of_pictures_is_the_one_asked_for(self, separator):
        encoder = nn.Sequential(Trunk(), nn.Linear(5, LATENT)).double()
        views = Views(*(pictures(seed) for seed in range(4)))
        first = separator.foreground(encoder(views.obs))
        found = separation_losses(separator, encoder, views, first, 0.2, lambda a, b: 0 * a + 7)
        sevens = {name for name, loss in found.items() if (loss == 7).all()}
        assert sevens == {"recon", "back", "fore"}

    def test_all_of_them_equal_a_slow_reference(self, separator):
        encoder = nn.Sequential(Trunk(), nn.Linear(5, LATENT)).double()
        views = Views(*(pictures(seed) for seed in range(4)))
        first = separator.foreground(encoder(views.obs))
        found = separation_losses(separator, encoder, views, first, 0.2)

        def frames(decoder, head, latent):
            """Draw one sample frame by frame: lists of (planes, H, W)."""
            latents = F.relu(head.linear(latent)).view(STACK, LATENT)
            return [decoder(latents[k : k + 1])[0] for k in range(STACK)]

        sums = dict.fromkeys(("recon", "mask", "back", "fore"), 0.0)
        for b in range(BATCH):
            part = [view[b : b + 1] for view in views]
            fore = frames(separator.fore_decoder, separator.fore_head, encoder(part[0])[0])
            again = frames(separator.fore_decoder, separator.fore_head, encoder(part[3])[0])
            latents = [separator.back_encoder(part[i] / 255)[0] for i in (0, 1)]
            plain, filled = (
                frames(separator.back_decoder, separator.back_head, latent) for latent in latents
            )
            for k in range(STACK):
                channels = slice(3 * k, 3 * k + 3)
                image, mask = 255 * fore[k][:3], fore[k][3]
                rebuilt = image * mask + 255 * plain[k] * (1 - mask)
                sums["recon"] += (rebuilt - part[0][0, channels]).abs().mean().item()
                sums["mask"] += (mask.sum().item() / SIDE**2 - 0.2) ** 2
                error = (255 * filled[k] - part[2][0, channels]).abs().mean()
                sums["back"] += error.item()
                changed = 255 * again[k][:3] * again[k][3]
                sums["fore"] += (changed - image * mask).abs().mean().item()
        for name, total in sums.items():
            assert found[name].item() == pytest.approx(total / (BATCH * STACK)), name

    def test_the_plain_foreground_is_a_constant_to_the_consistency(self, separator):
        encoder = nn.Sequential(Trunk(), nn.Linear(5, LATENT)).double()
        views = Views(*(pictures(seed) for seed in range(4)))
        latents = encoder(views.obs).detach().requires_grad_()
        first = separator.foreground(latents)
        losses = separation_losses(separator, encoder, views, first, 0.2)
        assert torch.autograd.grad(losses["fore"], latents, allow_unused=True) == (None,)

    @pytest.mark.parametrize(
        ("name", "moved"),
        [
            (
                "recon",
                {"encoder", "fore_head", "fore_decoder"}
                | {"back_encoder", "back_head", "back_decoder"},
            ),
            ("mask", {"encoder", "fore_head", "fore_decoder"}),
            ("back", {"back_encoder", "back_head", "back_decoder"}),
            ("fore", {"encoder", "fore_head", "fore_decoder"}),
        ],
    )
    def test_each_moves_its_own_networks_only(self, separator, name, moved):
        encoder = nn.Sequential(Trunk(), nn.Linear(5, LATENT)).double()
        views = Views(*(pictures(seed) for seed in range(4)))
        first = separator.foreground(encoder(views.obs))
        separation_losses(separator, encoder, views, first, 0.2)[name].backward()
        networks = {"encoder": encoder, **dict(separator.named_children())}
        touched = {
            key
            for key, network in networks.items()
            if any(p.grad is not None and p.grad.any() for p in network.parameters())
        }
        assert touched == moved
