"""Masks that follow the picture between key frames."""

import cv2
import numpy as np
import pytest
from oracle_frames import iou

from distraction_gym.segmentation import Segmenter, make_segmenter
from distraction_gym.segmentation.base import fill
from distraction_gym.segmentation.propagated import PropagatedSegmenter

CLUTTER = np.random.default_rng(7).integers(30, 90, (12, 12, 3), dtype=np.uint8)


class Red(Segmenter):
    """One mask: where it is red; counts frames."""

    def __init__(self, k=1):
        super().__init__(k)
        self.batches, self.resets = [], 0

    def segment(self, frames):
        self.batches.append(len(frames))
        masks = [frame[None, ..., 0] > 200 for frame in frames]
        return fill(masks, [np.full(1, 0.7, np.float32)] * len(frames), self.k)

    def reset(self):
        self.resets += 1


def film(length=9, size=64, speed=(2, 1), start=(10, 12)):
    """A red disc with a dark dot that drifts over clutter; frames and its masks."""
    frames, masks = [], []
    background = cv2.resize(CLUTTER, (size, size), interpolation=cv2.INTER_CUBIC)
    for time in range(length):
        frame = background.copy()
        center = (start[0] + speed[0] * time, start[1] + speed[1] * time)
        cv2.circle(frame, center, 7, (250, 60, 40), -1)
        frames.append(frame)
        masks.append(frame[..., 0] > 200)
    return np.stack(frames), np.stack(masks)


def play(segmenter, frames):
    return np.stack([segmenter.segment(frame[None]).masks[0, 0] for frame in frames])


def test_masks_move_with_the_picture():
    frames, wanted = film()
    inner = Red()
    segmenter = PropagatedSegmenter(inner, every=9)
    found = play(segmenter, frames)
    assert inner.batches == [1] and segmenter.key_frames == 1
    np.testing.assert_array_equal(found[0], wanted[0])
    assert min(map(iou, found, wanted)) > 0.85
    assert iou(found[0], wanted[-1]) < 0.1  # standing still would have missed it


def test_large_pictures_are_followed_at_a_smaller_size():
    frames, wanted = (film.repeat(6, axis=1).repeat(6, axis=2) for film in film(5))
    found = play(PropagatedSegmenter(Red(), every=5), frames)
    assert found.shape == (5, 384, 384) and min(map(iou, found, wanted)) > 0.85


def test_every_nth_frame_is_segmented():
    frames, wanted = film(7)
    for every, keys in ((1, 7), (3, 3), (4, 2)):
        segmenter = PropagatedSegmenter(Red(), every)
        found = play(segmenter, frames)
        assert segmenter.key_frames == keys
        np.testing.assert_array_equal(found[::every], wanted[::every])
    assert not segmenter.is_stateless and segmenter.k == 1


def test_scores_stay_those_of_the_key_frame():
    frames, _ = film(3)
    segmenter = PropagatedSegmenter(Red(k=2))
    for frame in frames:
        masks, scores = segmenter.segment(frame[None])
        np.testing.assert_allclose(scores, [[0.7, 0]])
        assert masks.shape == (1, 2, 64, 64) and masks.dtype == bool and not masks[0, 1].any()


def test_rows_of_a_batch_are_videos_of_their_own():
    (left, left_masks), (right, right_masks) = film(5), film(5, speed=(-2, 0), start=(50, 40))
    inner = Red()
    segmenter = PropagatedSegmenter(inner, every=5)
    pairs = zip(left, right, strict=True)
    found = np.stack([segmenter.segment(np.stack(pair)).masks[:, 0] for pair in pairs])
    assert inner.batches == [2]
    assert min(map(iou, found[:, 0], left_masks)) > 0.85
    assert min(map(iou, found[:, 1], right_masks)) > 0.85


def test_another_picture_is_a_key_frame_for_its_row_alone():
    frames, _ = film(3)
    inner = Red()
    segmenter = PropagatedSegmenter(inner, every=10)
    segmenter.segment(np.stack([frames[0], frames[0]]))
    new = 255 - frames[1]
    masks, _ = segmenter.segment(np.stack([frames[1], new]))
    assert inner.batches == [2, 1]
    np.testing.assert_array_equal(masks[1, 0], new[..., 0] > 200)


def test_reset_and_other_sizes_start_anew():
    frames, wanted = film(4)
    inner = Red()
    segmenter = PropagatedSegmenter(inner, every=10)
    segmenter.segment(frames[:1])
    segmenter.reset()
    np.testing.assert_array_equal(segmenter.segment(frames[3:]).masks[0, 0], wanted[3])
    assert inner.resets == 1 and inner.batches == [1, 1]
    segmenter.segment(frames[3:, :40, :48])
    segmenter.segment(frames[2:])
    assert inner.batches == [1, 1, 1, 2]


def test_the_segmenter_may_be_named():
    frames, _ = film(3)
    segmenter = make_segmenter("propagated", segmenter={"name": "superpixel", "k": 3}, every=2)
    assert segmenter.segment(frames).masks.shape == (3, 3, 64, 64)
    for name in ("propagated", "degraded"):
        inner = {"name": "superpixel", "k": 3, "tolerance": 9.0}
        segmenter = make_segmenter(name, segmenter=inner, k=2)
        assert (segmenter.k, segmenter.segmenter.k, segmenter.segmenter.tolerance) == (2, 2, 9.0)
    with pytest.raises(ValueError, match="Red is built already and takes no k: give it by name"):
        PropagatedSegmenter(Red(), k=2)
    with pytest.raises(ValueError, match="every must be at least 1, got 0"):
        PropagatedSegmenter(Red(), every=0)
