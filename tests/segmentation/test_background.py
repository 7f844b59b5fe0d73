"""What differs from a known background."""

import json

import cv2
import numpy as np
import pytest

from distraction_gym.errors import AssetsMissing, BrokenAsset
from distraction_gym.segmentation import make_segmenter

GREEN = (0, 200, 0)


def empty(shape=(20, 24)):
    frame = np.full((*shape, 3), GREEN, np.uint8)
    frame[:, :8] = (10, 60, 120)
    return frame


def scene():
    """A large faint thing, a small bright one, a speck; returns the frame and their masks."""
    frame = empty()
    masks = np.zeros((3, 20, 24), bool)
    masks[0, 2:10, 10:20] = masks[1, 12:16, 2:6] = masks[2, 18, 22] = True
    frame[masks[0]] += np.uint8(40)
    frame[masks[1]] = 255
    frame[masks[2]] = 255
    return frame, masks


def references(tmp_path):
    cv2.imwrite(str(tmp_path / "empty.png"), empty()[..., ::-1])
    return {
        "list": {"reference": empty().tolist()},
        "array": {"reference": empty()},
        "path": {"reference": str(tmp_path / "empty.png")},
    }


@pytest.mark.parametrize("kind", ["list", "array", "path"])
def test_pieces_that_differ_come_by_their_difference(kind, tmp_path):
    frame, masks = scene()
    segmenter = make_segmenter("background", k=4, min_area=0.005, **references(tmp_path)[kind])
    found, scores = segmenter.segment(np.stack([frame, empty()]))
    # 80 pixels differ by 40, 16 by 245: the small one is the larger part of the difference
    np.testing.assert_array_equal(found[0, :2], masks[[1, 0]])
    difference = [(masks[1].sum() * 245), masks[0].sum() * 40, 255]
    np.testing.assert_allclose(scores[0, :2], np.array(difference[:2]) / sum(difference), rtol=1e-3)
    assert not found[0, 2:].any() and not scores[0, 2:].any()
    assert not found[1].any() and not scores[1].any()
    np.testing.assert_array_equal(segmenter.foreground(frame[None])[0], masks.any(axis=0))


def test_small_differences_are_background():
    frame, masks = scene()
    found = make_segmenter("background", reference=empty(), tolerance=40).foreground(frame[None])
    np.testing.assert_array_equal(found[0], masks[1] | masks[2])


def test_at_most_k_masks():
    frame, masks = scene()
    found = make_segmenter("background", k=1, reference=empty()).segment(frame[None])
    np.testing.assert_array_equal(found.masks[0], masks[1:2])


def test_one_colour_is_the_background():
    frame = np.full((9, 9, 3), GREEN, np.uint8)
    frame[3:5, 3:6] = (0, 120, 0)  # as different as it is dark
    frame[7, 7] = (20, 220, 20)
    found = make_segmenter("background", color=list(GREEN)).foreground(frame[None])[0]
    np.testing.assert_array_equal(found, frame[..., 1] == 120)


def test_diagonal_neighbours_are_one_piece():
    frame = np.zeros((6, 6, 3), np.uint8)
    frame[np.arange(6), np.arange(6)] = 255
    found = make_segmenter("background", color=[0, 0, 0]).segment(frame[None])
    np.testing.assert_array_equal(found.masks[0, 0], np.eye(6, dtype=bool))


def test_the_median_of_frames_in_which_things_move_is_the_background(rng):
    frames = np.stack([empty()] * 9)
    for index, frame in enumerate(frames):
        frame[5:9, 2 * index : 2 * index + 4] = 255
    segmenter = make_segmenter("background")
    segmenter.learn(frames)
    found = segmenter.foreground(frames)
    np.testing.assert_array_equal(found, (frames == 255).all(axis=-1))


def test_arguments_are_json():
    frame, _ = scene()
    arguments = {"k": 3, "reference": empty().tolist(), "tolerance": 20, "min_area": 0.01}
    one, other = (
        make_segmenter("background", **given)
        for given in (arguments, json.loads(json.dumps(arguments)))
    )
    np.testing.assert_array_equal(one.segment(frame[None]).masks, other.segment(frame[None]).masks)


def test_errors_say_what_to_do(tmp_path):
    frame = empty()[None]
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(ValueError, match=r"call learn\(frames\)"):
        make_segmenter("background").segment(frame)
    with pytest.raises(ValueError, match="leave one out"):
        make_segmenter("background", reference=empty(), color=[0, 0, 0])
    with pytest.raises(AssetsMissing, match=r"no picture nowhere.png"):
        make_segmenter("background", reference="nowhere.png")
    with pytest.raises(BrokenAsset, match="no picture that OpenCV can read"):
        make_segmenter("background", reference=str(tmp_path / "text.png"))
    with pytest.raises(ValueError, match=r"expected one colour \[r, g, b\]"):
        make_segmenter("background", color=[0, 300, 0])
    with pytest.raises(ValueError, match=r"expected a picture \(H, W, 3\)"):
        make_segmenter("background", reference=[[0, 1], [2, 3]])
    with pytest.raises(
        ValueError, match=r"a picture \(20, 24, 3\), and the frames are \(8, 8, 3\)"
    ):
        make_segmenter("background", reference=empty()).segment(frame[:, :8, :8])
