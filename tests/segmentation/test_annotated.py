"""A handful of annotated frames: which are chosen, and how a folder of them is read."""

import cv2
import numpy as np
import pytest
from balls import pictures

from distraction_gym.errors import AssetsMissing, BrokenAsset
from distraction_gym.segmentation.examples import annotated, read_annotated, spread
from distraction_gym.segmentation.samples import OTHER, SKY, THING, Samples


def grey(*values):
    return np.array(values, np.uint8)[:, None, None, None] * np.ones((1, 8, 8, 3), np.uint8)


def test_the_first_is_ordinary_and_the_others_are_as_far_off_as_can_be():
    frames = grey(10, 90, 95, 100, 250, 85)  # the mean is 105
    assert spread(frames, 1) == [3]
    # 250 is 150 from 100; then 10 is 90 from the nearer of 100 and 250; then 85 is 15 from 100.
    assert spread(frames, 4) == [3, 4, 0, 5]
    assert sorted(spread(frames, 6)) == list(range(6))


def test_equal_frames_are_chosen_once_each():
    assert sorted(spread(grey(7, 7, 7), 3)) == [0, 1, 2]


@pytest.mark.parametrize("count", [0, 4])
def test_no_more_are_chosen_than_there_are(count):
    with pytest.raises(ValueError, match=f"{count} examples of 3"):
        spread(grey(1, 2, 3), count)


def test_an_annotation_tells_what_matters_and_no_more():
    labels = np.array([[[SKY, OTHER], [THING, THING + 4]]], np.int16)
    found = annotated(Samples(np.zeros((1, 2, 2, 3), np.uint8), labels))
    np.testing.assert_array_equal(found.labels, [[[SKY, SKY], [THING, THING]]])


@pytest.fixture
def folder(tmp_path):
    """Two pairs, one of them a JPEG, with masks of 255 and of 1."""
    shown = pictures(2, 24, np.random.default_rng(1))
    for row, (name, value) in enumerate((("a.png", 255), ("b.jpg", 1))):
        cv2.imwrite(str(tmp_path / name), shown.frames[row, ..., ::-1])
        mask = shown.foreground[row].astype(np.uint8) * value
        cv2.imwrite(str(tmp_path / f"{name[0]}_mask.png"), mask)
    (tmp_path / "notes.txt").write_text("not a picture")
    return tmp_path, shown


def test_pairs_are_read(folder):
    path, shown = folder
    found = read_annotated(path)
    assert shown.foreground.any((1, 2)).all()
    np.testing.assert_array_equal(found.foreground, shown.foreground)
    np.testing.assert_array_equal(found.frames[0], shown.frames[0])  # RGB
    assert set(np.unique(found.labels)) == {SKY, THING}


def write(name, value, size=(24, 24), color=False):
    picture = np.full((*size, 3) if color else size, value, np.uint8)
    return lambda path: cv2.imwrite(str(path / name), picture)


def soft(path):
    mask = np.zeros((24, 24), np.uint8)
    cv2.circle(mask, (12, 12), 6, 255, -1)
    cv2.imwrite(str(path / "a_mask.png"), cv2.GaussianBlur(mask, (5, 5), 0))


def empty(path):
    for name in ("a_mask.png", "b_mask.png"):
        write(name, 0)(path)


def another_size(path):
    write("a.png", 9, (24, 30), True)(path)
    write("a_mask.png", 255, (24, 30))(path)


WRONG = {
    "Without the other half: c.png": (AssetsMissing, write("c.png", 9, color=True)),
    "Without the other half: c_mask.png": (AssetsMissing, write("c_mask.png", 255)),
    "grey values: expected 0 for background": (BrokenAsset, soft),
    r"a_mask.png is \(20, 24\) and its frame \(24, 24\)": (
        BrokenAsset,
        write("a_mask.png", 255, (20, 24)),
    ),
    "frames of one size": (BrokenAsset, another_size),
    "all masks are empty": (BrokenAsset, empty),
    "a.png is no picture": (BrokenAsset, lambda path: (path / "a.png").write_text("text")),
}


@pytest.mark.parametrize("said", WRONG)
def test_what_is_wrong_is_said(folder, said):
    path, _ = folder
    error, damage = WRONG[said]
    damage(path)
    with pytest.raises(error, match=said):
        read_annotated(path)


def test_a_folder_must_be_there_and_hold_pictures(tmp_path):
    with pytest.raises(AssetsMissing, match="no folder"):
        read_annotated(tmp_path / "none")
    with pytest.raises(AssetsMissing, match="holds no pictures"):
        read_annotated(tmp_path)
