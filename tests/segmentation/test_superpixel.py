"""Regions of one colour, merged and ordered."""

import numpy as np
import pytest
from oracle_frames import best_subset, pictures

from distraction_gym.segmentation import make_segmenter
from distraction_gym.segmentation.merging import Regions


def slow_round(labels, colors, tolerance, movers):
    """Let each region join its most similar neighbour: loops, in the order of the pixels."""
    height, width = labels.shape
    count = labels.max() + 1
    means = [colors[labels == region].mean(axis=0) for region in range(count)]
    edges = set()
    for row in range(height):
        for column in range(width):
            for other in ((row + 1, column), (row, column + 1)):
                if other[0] < height and other[1] < width:
                    edges.add(tuple(sorted((labels[row, column], labels[other]))))
    edges = {edge: np.linalg.norm(means[edge[0]] - means[edge[1]]) for edge in edges}
    group = list(range(count))
    joined = False
    for region in range(count):
        near = [(far, edge) for edge, far in edges.items() if region in edge and edge[0] != edge[1]]
        if not near or not movers(int((labels == region).sum())) or min(near)[0] > tolerance:
            continue
        joined = True
        old, new = (group[end] for end in min(near)[1])
        group = [min(old, new) if label in (old, new) else label for label in group]
    order = {label: rank for rank, label in enumerate(sorted(set(group)))}
    return np.vectorize(lambda label: order[group[label]])(labels), joined


def slow_merge(colors, tolerance, area):
    labels = np.arange(colors[..., 0].size).reshape(colors.shape[:2])
    for limit, movers in (
        (tolerance, lambda size: True),
        (np.inf, lambda size: size < area),
    ):
        joined = True
        while joined:
            labels, joined = slow_round(labels, colors, limit, movers)
    return labels


@pytest.mark.parametrize("seed", range(6))
def test_merging_equals_a_slow_reference(seed):
    rng = np.random.default_rng(seed)
    blocks = rng.integers(0, 60, (3, 4, 3))
    colors = np.kron(blocks, np.ones((3, 2, 1))) + rng.normal(0, 4, (9, 8, 3))
    regions = Regions(colors.astype(np.float32))
    regions.merge(14.0)
    regions.absorb(3)
    wanted = slow_merge(colors.astype(np.float32).astype(np.float64), 14.0, 3)
    pairs = set(zip(regions.labels.ravel().tolist(), wanted.ravel().tolist(), strict=True))
    assert len(pairs) == regions.labels.max() + 1 == wanted.max() + 1  # the same but for numbers
    np.testing.assert_array_equal(regions.sizes, np.bincount(regions.labels.ravel()))
    for region, mean in enumerate(regions.means):
        np.testing.assert_allclose(mean, colors[regions.labels == region].mean(axis=0), rtol=1e-4)


def test_antialiased_borders_belong_to_what_they_surround():
    frame = np.full((24, 24, 3), (64, 89, 115), np.uint8)
    sprite = np.array([153, 77, 255])
    frame[6:16, 6:16] = frame[6, 6] * 0.45 + sprite * 0.55
    frame[7:15, 7:15] = sprite
    frame[19, 4:20] = (250, 250, 40)  # as thin as a border, but no blend
    masks, scores = make_segmenter("superpixel", k=4).segment(frame[None])
    found = {mask.tobytes() for mask in masks[0, :2]}
    square, line = np.zeros((2, 24, 24), bool)
    square[6:16, 6:16] = line[19, 4:20] = True
    assert found == {square.tobytes(), line.tobytes()} and scores[0, 2] == 0


def test_things_before_a_shaded_background():
    frame = np.zeros((48, 48, 3), np.uint8)
    frame[..., 2] = np.linspace(60, 160, 48)[:, None]  # a sky, from edge to edge
    frame[10:20, 8:20] = (240, 80, 30)
    frame[30:36, 30:40] = (250, 220, 20)
    masks, scores = make_segmenter("superpixel", k=4).segment(frame[None])
    things = {frozenset(np.flatnonzero(frame[..., 0] == red)) for red in (240, 250)}
    assert {frozenset(np.flatnonzero(mask)) for mask in masks[0, :2]} == things
    assert (np.diff(scores[0]) <= 0).all() and scores.max() <= 1 and scores[0, 1] > 0.3
    np.testing.assert_array_equal(masks[0].any(axis=(1, 2)), scores[0] > 0)


def test_a_flat_picture_has_no_masks():
    masks, scores = make_segmenter("superpixel", k=3).segment(np.full((2, 16, 20, 3), 90, np.uint8))
    assert masks.shape == (2, 3, 16, 20) and not masks.any() and not scores.any()


def test_each_frame_is_segmented_for_itself():
    frames, _ = pictures("mini", "reach", "video_hard")
    segmenter = make_segmenter("superpixel")
    masks, scores = segmenter.segment(frames)
    assert segmenter.is_stateless
    for row in (2, 0, 3):
        alone = segmenter.segment(frames[row : row + 1])
        np.testing.assert_array_equal(alone.masks[0], masks[row])
        np.testing.assert_array_equal(alone.scores[0], scores[row])
    assert (masks.sum(axis=1) <= 1).all()  # no pixel is in two masks


def test_large_pictures_are_segmented_at_the_working_size():
    frames, _ = pictures("mini", "reach", episodes=2)
    large = frames.repeat(10, axis=1).repeat(10, axis=2)
    masks, _ = make_segmenter("superpixel", work_size=36).segment(large)
    wanted, _ = make_segmenter("superpixel").segment(frames)
    np.testing.assert_array_equal(masks, wanted.repeat(10, axis=2).repeat(10, axis=3))
    assert large.shape[1:3] == masks.shape[2:] == (360, 360)


@pytest.mark.parametrize("task", ["reach", "track", "catch"])
def test_sprites_of_the_mini_suite_are_found(task):
    frames, foregrounds = pictures("mini", task)
    for k, least in ((4, 0.8), (8, 0.9)):
        masks, _ = make_segmenter("superpixel", k=k).segment(frames)
        assert min(map(best_subset, masks, foregrounds)) > least


@pytest.mark.render
@pytest.mark.parametrize("task", ["walker_walk", "cheetah_run", "cartpole_swingup", "finger_spin"])
def test_robots_are_found(task):
    pytest.importorskip("dm_control")
    frames, foregrounds = pictures("dmcgb", task, episodes=2)
    masks, _ = make_segmenter("superpixel").segment(frames)
    assert min(map(best_subset, masks, foregrounds)) > 0.8
