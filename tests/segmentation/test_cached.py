"""Masks remembered by the bytes of their frame."""

import numpy as np
import pytest

from distraction_gym.segmentation import Segmenter, make_segmenter
from distraction_gym.segmentation.base import fill
from distraction_gym.segmentation.cached import CachedSegmenter


class Bright(Segmenter):
    """Mask i is where channel i is above 128; the foreground is something else."""

    def __init__(self, k=2):
        super().__init__(k)
        self.batches, self.bound = [], None

    def segment(self, frames):
        self.batches.append(frames)
        masks = [frame.transpose(2, 0, 1)[: self.k] > 128 for frame in frames]
        scores = [np.array([frame.max() / 255, 0.01], np.float32) for frame in frames]
        return fill(masks, scores, self.k)

    def foreground(self, frames):
        self.batches.append(frames)
        return frames[..., 2] > 200

    def bind(self, env):
        self.bound = env


def frames(rng, count, size=(7, 5)):
    return rng.integers(0, 256, (count, *size, 3), dtype=np.uint8)


def test_the_answers_are_the_segmenters(rng):
    plain, cached = Bright(), CachedSegmenter(Bright())
    batch = frames(rng, 6)
    for _ in range(2):
        for mine, wanted in zip(cached.segment(batch), plain.segment(batch), strict=True):
            np.testing.assert_array_equal(mine, wanted)
            assert mine.dtype == wanted.dtype
        np.testing.assert_array_equal(cached.foreground(batch), plain.foreground(batch))
    assert cached.k == 2 and cached.is_stateless


def test_only_new_frames_are_segmented_each_once_in_one_call(rng):
    inner = Bright()
    cached = CachedSegmenter(inner)
    first, second, third = frames(rng, 3)
    cached.segment(np.stack([first, second, first]))
    np.testing.assert_array_equal(np.sort(inner.batches[0], axis=0), np.sort([first, second], 0))
    cached.segment(np.stack([second, third, third, first]))
    assert len(inner.batches) == 2 and len(inner.batches[1]) == 1
    np.testing.assert_array_equal(inner.batches[1][0], third)
    assert (cached.calls, cached.hits) == (2, 2)


def test_nothing_new_calls_nothing(rng):
    inner = Bright()
    cached = CachedSegmenter(inner)
    batch = frames(rng, 4)
    cached.segment(batch)
    cached.segment(batch[::-1])
    assert len(inner.batches) == 1 and (cached.calls, cached.hits) == (1, 4)


def test_foregrounds_and_segments_are_not_mixed_up(rng):
    cached = CachedSegmenter(Bright())
    batch = frames(rng, 2)
    assert cached.segment(batch).masks.shape == (2, 2, 7, 5)
    assert cached.foreground(batch).shape == (2, 7, 5)
    assert cached.calls == 2 and cached.hits == 0


def test_what_was_asked_for_longest_ago_goes_first(rng):
    cached = CachedSegmenter(Bright(), size=2)
    first, second, third = frames(rng, 3)[:, None]
    for frame in (first, second, first, third):  # the third pushes out the second
        cached.segment(frame)
    assert (cached.calls, cached.hits) == (3, 1)
    cached.segment(first)
    assert cached.calls == 3
    cached.segment(second)
    assert cached.calls == 4


def test_a_batch_may_be_larger_than_the_cache(rng):
    batch = frames(rng, 5)
    masks, _ = CachedSegmenter(Bright(), size=2).segment(batch)
    np.testing.assert_array_equal(masks, Bright().segment(batch).masks)


def test_equal_bytes_of_another_size_are_another_frame():
    cached = CachedSegmenter(Bright())
    for shape in ((1, 4, 6, 3), (1, 6, 4, 3)):
        assert cached.segment(np.zeros(shape, np.uint8)).masks.shape == (1, 2, *shape[1:3])
    assert cached.calls == 2


def test_answers_may_be_written_into(rng):
    cached = CachedSegmenter(Bright())
    batch = frames(rng, 1)
    wanted = cached.segment(batch).masks.copy()
    first = cached.segment(batch)
    first.masks[:], first.scores[:] = True, 9
    again = cached.segment(batch)
    np.testing.assert_array_equal(again.masks, wanted)
    assert again.scores.max() <= 1


def test_the_segmenter_meets_the_environment():
    inner, env = Bright(), object()
    CachedSegmenter(inner).bind(env)
    assert inner.bound is env


def test_what_depends_on_more_than_the_frame_is_refused():
    with pytest.raises(ValueError, match="OracleSegmenter gives equal frames different masks"):
        CachedSegmenter(make_segmenter("oracle"))
    with pytest.raises(ValueError, match="size must be at least 1, got 0"):
        CachedSegmenter(Bright(), size=0)
