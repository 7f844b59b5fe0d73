"""TRMS's parts: packed planes, the sampler's choice, the student, the clock."""

import numpy as np
import pytest
import torch
from gymnasium import spaces

from distraction_gym.agents.common.replay import FrameReplayBuffer
from distraction_gym.agents.trms.clock import LOOK_EVERY, PATIENCE, TeachingClock, agreement
from distraction_gym.agents.trms.encoder import TRMSEncoder
from distraction_gym.agents.trms.planes import SegmentedReplayBuffer, frames_of, pack, unpack
from distraction_gym.agents.trms.probe import fewest
from distraction_gym.agents.trms.sampler import MaskSampler, take, union
from distraction_gym.agents.trms.student import Student


def random_planes(count=5, k=4, side=12, seed=0, share=0.3):
    return torch.from_numpy(np.random.default_rng(seed).random((count, k, side, side)) < share)


def count(module):
    return sum(p.numel() for p in module.parameters())


class TestPlanes:
    @pytest.mark.parametrize("k", [1, 4, 8, 9, 15, 17])
    def test_what_is_packed_comes_out_again(self, k):
        masks = random_planes(3, k)
        packed = pack(masks.numpy())
        assert packed.shape == (3, -(-k // 8), 12, 12) and packed.dtype == np.uint8
        assert torch.equal(unpack(torch.from_numpy(packed), k), masks.float())
        as_sampled = torch.from_numpy(packed).float()[:, None]  # batches are float
        assert torch.equal(unpack(as_sampled, k), masks.float()[:, None])

    def test_frames_are_single_pictures_channels_last(self):
        obs = np.random.default_rng(0).integers(0, 256, (2, 9, 5, 7), np.uint8)
        frames = frames_of(obs)
        assert frames.shape == (2, 3, 5, 7, 3)
        np.testing.assert_array_equal(frames[1, 1], obs[1, 3:6].transpose(1, 2, 0))


def walk(stack=3, side=6, steps=40, seed=0):
    """Yield transitions of episodes of 7 steps, stacked as a wrapper would."""
    rng = np.random.default_rng(seed)

    def frame():
        return rng.integers(0, 256, (3, side, side), np.uint8)

    obs = np.tile(frame(), (stack, 1, 1))
    for step in range(steps):
        done = step % 7 == 6
        after = np.concatenate([obs[3:], frame()])
        yield obs[None], after[None], np.array([[0.1]]), np.array([step]), np.array([done]), [{}]
        obs = np.tile(frame(), (stack, 1, 1)) if done else after


def each(segment):
    """Return what segments observations by segmenting each of their frames for itself."""

    def masks(stacks):
        found = segment(stacks.reshape(-1, *stacks.shape[2:]))
        return found.reshape(*stacks.shape[:2], *found.shape[1:])

    return lambda now, later, ends: (masks(now), masks(later))


class TestBuffer:
    def fill(self, buffer):
        for transition in walk():
            buffer.add(*transition)
        np.random.seed(1)
        return buffer.sample(64)

    def test_masks_travel_with_their_frames(self):
        space = spaces.Box(0, 255, (9, 6, 6), np.uint8), spaces.Box(-1, 1, (1,), np.float32)
        asked = []

        def segment(frames):
            asked.append(len(frames))
            return np.stack([frames[..., 0] > 128, frames[..., 1] > 200], axis=1)

        buffer = SegmentedReplayBuffer(30, *space, device="cpu", k=2)
        buffer.segment = each(segment)
        ours, plain = self.fill(buffer), self.fill(FrameReplayBuffer(30, *space, device="cpu"))
        for found, expected in (
            (ours.observations, plain.observations),
            (ours.next_observations, plain.next_observations),
        ):
            parts = found.view(64, 3, 4, 6, 6)
            assert torch.equal(parts[:, :, :3].flatten(1, 2), expected)
            again = segment(frames_of(expected.numpy()).reshape(-1, 6, 6, 3))
            assert torch.equal(
                unpack(parts[:, :, 3:], 2).flatten(0, 1), torch.from_numpy(again).float()
            )
        assert torch.equal(ours.rewards, plain.rewards)

    def test_a_switch_to_no_masks_loses_no_frame(self):
        space = spaces.Box(0, 255, (9, 6, 6), np.uint8), spaces.Box(-1, 1, (1,), np.float32)
        buffer = SegmentedReplayBuffer(60, *space, device="cpu", k=2)
        buffer.segment = each(lambda frames: np.stack([frames[..., 0] > 128] * 2, axis=1))
        plain = FrameReplayBuffer(60, *space, device="cpu")
        for step, transition in enumerate(walk()):
            if step == 17:
                buffer.segment = None
            buffer.add(*transition)
            plain.add(*transition)
        slots, envs = np.arange(40), np.zeros(40, np.int64)
        for name in ("_observations", "_next_observations"):
            found = getattr(buffer, name)(slots, envs).view(40, 3, 4, 6, 6)
            expected = getattr(plain, name)(slots, envs)
            assert torch.equal(found[:, :, :3].flatten(1, 2), expected)
            assert found[:17, :, 3].any() and not found[17:, :, 3].any()


class TestChoice:
    def test_the_threshold_is_one_over_all_planes_or_those_with_a_mask(self):
        weights = torch.tensor([[0.2, 0.5, 0.3, 0.0], [0.51, 0.49, 0.0, 0.0]])
        real = torch.tensor([[True, True, True, False], [True, True, False, False]])
        assert take(weights, real).tolist() == [[0, 1, 1, 0], [1, 1, 0, 0]]
        assert take(weights, real, "found").tolist() == [[0, 1, 0, 0], [1, 0, 0, 0]]

    @pytest.mark.parametrize("k", [1, 2, 3, 4, 5, 6, 7, 10, 15])
    def test_equal_masks_are_all_taken(self, k):
        weights = torch.full((1, k), 1.7).softmax(1)
        assert take(weights, torch.ones(1, k, dtype=torch.bool)).sum() == k

    def test_at_least_one_is_taken(self):
        torch.manual_seed(0)
        weights = torch.randn(1000, 4).softmax(1)
        taken = take(weights, torch.ones(1000, 4, dtype=torch.bool)).sum(1)
        assert taken.min() >= 1 and taken.max() < 4

    def test_backward_the_threshold_is_an_identity(self):
        weights = torch.tensor([[0.2, 0.5, 0.3]], requires_grad=True)
        taken = take(weights, torch.ones(1, 3, dtype=torch.bool))
        (taken * torch.tensor([[1.0, 2.0, 3.0]])).sum().backward()
        assert weights.grad.tolist() == [[1.0, 2.0, 3.0]]

    def test_the_union_is_an_or_with_a_gradient_for_every_mask(self):
        planes, taken = random_planes().float(), torch.tensor([[1.0, 0.0, 1.0, 0.0]] * 5)
        found = union(taken.requires_grad_(), planes)
        expected = (planes[:, 0].bool() | planes[:, 2].bool()).float()
        assert torch.equal(found[:, 0].detach(), expected)
        found.sum().backward()
        assert (taken.grad[:, [1, 3]] > 0).all()  # what they would add
        alone = (planes[0, 0].bool() & ~planes[0, 2].bool()).sum()  # only what no other shows
        assert taken.grad[0, 0] == alone

    def test_the_union_of_one_mask_repeated_is_that_mask(self):
        plane = random_planes(2, 1).float()
        assert torch.equal(union(torch.ones(2, 4), plane.expand(-1, 4, -1, -1)), plane)


class TestSampler:
    def test_size_is_the_papers(self):
        assert count(MaskSampler(4)) == pytest.approx(102_500, rel=0.01)

    def test_empty_planes_are_never_taken_and_get_no_weight(self):
        torch.manual_seed(0)
        planes = random_planes(8).float()
        planes[:, 2:] = 0
        for training in (True, False):
            choice = MaskSampler(4, (4, 4)).train(training)(planes)
            assert not choice.weights[:, 2:].any() and not choice.taken[:, 2:].any()
            assert (choice.taken.sum(1) >= 1).all()
            torch.testing.assert_close(choice.weights.sum(1), torch.ones(8))

    def test_a_frame_without_masks_is_left_whole_and_spoils_no_gradient(self):
        torch.manual_seed(0)
        sampler = MaskSampler(4, (4, 4))
        planes = random_planes(3).float()
        planes[1] = 0
        choice = sampler(planes)
        assert choice.found.tolist() == [True, False, True]
        assert (choice.mask[1] == 1).all() and not choice.weights[1].any()
        choice.mask.sum().backward()
        assert all(p.grad is not None and p.grad.isfinite().all() for p in sampler.parameters())

    def test_noise_is_for_training_only(self):
        torch.manual_seed(0)
        sampler, planes = MaskSampler(4, (4, 4)), random_planes().float()
        assert not torch.equal(sampler(planes).weights, sampler(planes).weights)
        sampler.eval()
        assert torch.equal(sampler(planes).weights, sampler(planes).weights)

    def test_at_the_papers_temperature_the_choice_starts_as_a_coin_flip(self):
        # Equal logits: 44 % of the masks are taken for k=4, 40 % for 10, 39 % for 15.
        torch.manual_seed(0)
        for k, share in ((4, 0.44), (10, 0.40), (15, 0.39)):
            noise = -torch.empty(20_000, k).exponential_().log()
            weights = (noise / 5.0).softmax(1)
            taken = take(weights, torch.ones(20_000, k, dtype=torch.bool))
            assert taken.mean().item() == pytest.approx(share, abs=0.01)

    def test_gumbel_softmax_equals_a_slow_reference(self):
        sampler, planes = MaskSampler(4, (4, 4)).double(), random_planes().double()
        torch.manual_seed(3)
        found = sampler(planes).weights
        sampler.convolutions.train()
        logits = sampler.head(sampler.convolutions(planes).mean((2, 3)))
        torch.manual_seed(3)
        noise = -torch.log(torch.empty_like(logits).exponential_())
        for row in range(5):
            powers = [np.exp((logits[row, i] + noise[row, i]).item() / 5.0) for i in range(4)]
            assert found[row].tolist() == pytest.approx([p / sum(powers) for p in powers])

    def test_a_temperature_of_nothing_is_refused(self):
        with pytest.raises(ValueError, match="above 0, got 0"):
            MaskSampler(4, temperature=0)


class TestStudent:
    def test_size_is_the_papers(self):
        assert count(Student()) == pytest.approx(67_000, rel=0.02)

    def test_one_logit_per_pixel(self):
        assert Student((4, 4))(torch.rand(3, 3, 20, 24) * 255).shape == (3, 1, 20, 24)

    def test_the_trunk_is_the_papers(self):
        encoder = TRMSEncoder(spaces.Box(0, 255, (9, 84, 84), np.uint8))
        assert encoder.head.in_features == 32 * 21 * 21 and encoder.head.out_features == 512
        black = encoder(torch.zeros(1, 9, 84, 84))
        grey = encoder(torch.full((1, 9, 84, 84), 0.5))
        torch.testing.assert_close(grey, torch.zeros_like(grey))  # moved to [-0.5, 0.5]
        assert black.abs().max() > 0.01


class TestProbe:
    def test_the_fewest_masks_that_show_nearly_all(self):
        masks = np.zeros((4, 5, 20, 20), bool)
        masks[:, 0, :10] = True
        masks[:, 1, 5:15] = True
        masks[:, 2, 14:16, 0] = True  # two pixels, one of them new: one of 301
        masks[:, 4, 0, 0] = True
        assert fewest(masks) == 2
        masks[:, 3, 15:] = True
        assert fewest(masks) == 4

    def test_frames_without_masks_do_not_count(self):
        masks = np.zeros((4, 3, 8, 8), bool)
        assert fewest(masks) == 1
        masks[0, :2, :4, 0] = True
        masks[0, 1, :4, 1] = True
        assert fewest(masks) == 2


class TestClock:
    def test_agreement_is_the_mean_intersection_over_union(self):
        teacher = torch.zeros(3, 1, 4, 4)
        teacher[0, 0, :2] = 1  # 8 pixels
        student = torch.zeros(3, 1, 4, 4)
        student[0, 0, 1:3] = 0.9  # 4 shared of 12
        student[1, 0, 0] = 0.9  # nothing to agree with
        assert agreement(student, teacher).item() == pytest.approx((4 / 12 + 0 + 1) / 3)

    def test_it_goes_on_while_agreement_rises_and_stops_when_it_does_not(self):
        clock = TeachingClock()
        for step in range(4 * LOOK_EVERY):
            clock.observe(torch.tensor(step / 1000))
        assert not clock.done and clock.waited == 0
        for _ in range(LOOK_EVERY * (PATIENCE + 6)):
            clock.observe(torch.tensor(0.8))
        assert clock.done

    def test_it_goes_on_while_a_sampler_that_took_everything_learns_to_choose(self):
        clock = TeachingClock()
        for step in range(LOOK_EVERY * 2 * PATIENCE):
            clock.observe(torch.tensor(0.9 - step / 4000))
        assert not clock.done

    def test_its_state_is_the_models(self):
        clock, other = TeachingClock(), TeachingClock()
        for _ in range(LOOK_EVERY + 3):
            clock.observe(torch.tensor(0.5))
        other.load_state_dict(clock.state_dict())
        assert other.updates == LOOK_EVERY + 3 and other.mark == clock.mark > 0
