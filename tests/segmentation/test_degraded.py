"""Masks that are worse on purpose: by exactly how much, where, and in which frames."""

import gymnasium as gym
import numpy as np
import pytest
from balls import pictures

from distraction_gym.segmentation import SEGMENTERS, make_segmenter
from distraction_gym.segmentation.background import BackgroundSegmenter
from distraction_gym.segmentation.degraded import DegradedSegmenter
from distraction_gym.wrappers import AddForegroundMask, MaskObservation

GREY = {"name": "background", "color": [70, 70, 70]}
FRAMES = pictures(12, 48, np.random.default_rng(3)).frames
FRAMES = FRAMES[[(frame != 70).any() for frame in FRAMES]]
TRUTH = BackgroundSegmenter(color=[70, 70, 70]).foreground(FRAMES)


def degraded(**kwargs):
    return DegradedSegmenter(GREY, **kwargs)


def test_nothing_asked_for_changes_nothing():
    same = degraded()
    assert np.array_equal(same.foreground(FRAMES), TRUTH)
    plain = make_segmenter(**GREY).segment(FRAMES)
    for ours, theirs in zip(same.segment(FRAMES), plain, strict=True):
        assert np.array_equal(ours, theirs)
    assert "degraded" in SEGMENTERS and same.is_stateless


@pytest.mark.parametrize(
    ("recall", "precision"), [(0.7, 1.0), (1.0, 0.5), (0.6, 0.8), (0.0, 1.0), (0.33, 0.9)]
)
@pytest.mark.parametrize("grain", [1.0, 4.0])
def test_each_mask_has_the_recall_and_precision_that_are_named(recall, precision, grain):
    masks = degraded(recall=recall, precision=precision, grain=grain).foreground(FRAMES)
    for mask, truth in zip(masks, TRUTH, strict=True):
        hit, area = (mask & truth).sum(), truth.sum()
        assert abs(hit - recall * area) <= 0.5
        assert abs(mask.sum() * precision - hit) <= 0.5, "up to a pixel"


def test_segments_are_made_worse_one_by_one():
    masks, _ = degraded(recall=0.5).segment(FRAMES)
    whole, _ = make_segmenter(**GREY).segment(FRAMES)
    assert not (masks & ~whole).any()
    assert np.abs(masks.sum((2, 3)) - 0.5 * whole.sum((2, 3))).max() <= 0.5


def test_errors_are_blobs_as_large_as_the_grain():
    def edges(mask):
        return (mask[1:] != mask[:-1]).sum() + (mask[:, 1:] != mask[:, :-1]).sum()

    fine, coarse = (
        sum(map(edges, TRUTH & ~degraded(recall=0.5, grain=grain).foreground(FRAMES)))
        for grain in (1, 8)
    )
    assert coarse < 0.5 * fine


def test_a_frame_decides_and_neither_order_nor_company():
    segmenter = degraded(recall=0.5, precision=0.6, drop=0.3, blank=0.2)
    masks = segmenter.foreground(FRAMES)
    assert np.array_equal(segmenter.foreground(FRAMES[::-1])[::-1], masks)
    alone = [segmenter.foreground(frame[None])[0] for frame in FRAMES]
    assert np.array_equal(np.stack(alone), masks)
    same = degraded(recall=0.5, precision=0.6, drop=0.3, blank=0.2, seed=0).foreground(FRAMES)
    other = degraded(recall=0.5, precision=0.6, drop=0.3, blank=0.2, seed=1).foreground(FRAMES)
    assert np.array_equal(same, masks) and not np.array_equal(other, masks)


def nudged(count=30):
    """Return one picture again and again, with one pixel of the background that flickers."""
    frames = np.repeat(FRAMES[:1], count, axis=0).copy()
    frames[:, 0, 0] = 70 + np.arange(count)[:, None] // 2 % 20
    frames[:, 0, 1] = 70 + np.arange(count)[:, None] % 2
    return frames


@pytest.mark.parametrize("flicker", [0.0, 0.3, 1.0])
def test_flicker_is_how_much_errors_change_from_frame_to_frame(flicker):
    masks = degraded(recall=0.6, precision=0.7, flicker=flicker).foreground(nudged())
    changed = (masks[1:] != masks[:-1]).mean()
    still = (masks == masks[0]).all()
    assert still == (flicker == 0.0)
    if flicker == 0.3:
        wild = degraded(recall=0.6, precision=0.7).foreground(nudged())
        assert 0 < changed < 0.8 * (wild[1:] != wild[:-1]).mean()


def test_pieces_are_missing_whole_and_frames_altogether():
    frames = nudged(200)
    frames[:, 30:40, 5:12] = frames[:, 5:12, 30:40] = 250
    truth = BackgroundSegmenter(color=[70, 70, 70]).foreground(frames)
    masks = degraded(drop=0.4).foreground(frames)
    for corner in (np.s_[30:40, 5:12], np.s_[5:12, 30:40]):
        shown = np.array([mask[corner].mean() for mask in masks])
        assert set(shown.tolist()) == {0.0, 1.0} and 0.45 < shown.mean() < 0.75
    assert not (masks & ~truth).any()
    blank = degraded(blank=0.25).foreground(frames)
    gone = ~blank.any(axis=(1, 2))
    assert 0.15 < gone.mean() < 0.35 and np.array_equal(blank[~gone], truth[~gone])


def test_the_oracles_masks_are_made_worse_as_well():
    env = AddForegroundMask(gym.make("distraction_gym/mini-reach-video_hard-v0", frame_stack=1))
    worse = {"name": "degraded", "segmenter": "oracle", "recall": 0.5}
    env = MaskObservation(env, worse)
    _, info = env.reset(seed=0)
    for _ in range(3):
        mask, truth = info["mask"], info["foreground"]
        assert abs(mask.sum() - 0.5 * truth.sum()) <= 0.5 and not (mask & ~truth).any()
        *_, info = env.step(env.action_space.sample())
    assert not env.segmenter.is_stateless, "equal frames may have different masks"
    env.close()


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"recall": 1.2}, "recall must lie between 0 and 1, got 1.2"),
        ({"blank": -0.1}, "blank must lie between 0 and 1"),
        ({"precision": 0.0}, "precision must be more than 0"),
        ({"grain": 0.5}, "grain 1 or more"),
    ],
)
def test_what_makes_no_sense_is_refused(wrong, told):
    with pytest.raises(ValueError, match=told):
        degraded(**wrong)
