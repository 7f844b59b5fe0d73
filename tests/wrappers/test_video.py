"""Panels and mp4 files, read back."""

import cv2
import numpy as np
import pytest

from distraction_gym.wrappers.video import Mp4Writer, enlarge, side_by_side


def frames_of(path):
    capture = cv2.VideoCapture(str(path))
    frames = []
    while True:
        more, frame = capture.read()
        if not more:
            return frames
        frames.append(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB))


def test_an_mp4_reads_back(tmp_path):
    colors = [(250, 0, 0), (0, 250, 0), (0, 0, 250)] * 5
    with Mp4Writer(tmp_path / "new" / "a.mp4", 10) as video:
        for color in colors:
            video.write(np.full((48, 64, 3), color, np.uint8))
    frames = frames_of(tmp_path / "new" / "a.mp4")
    assert len(frames) == len(colors) and frames[0].shape == (48, 64, 3)
    for frame, color in zip(frames, colors, strict=True):
        assert np.abs(frame.mean(axis=(0, 1)) - color).max() < 30  # RGB went in, RGB came out
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["a.mp4"]


def test_an_error_leaves_the_earlier_film(tmp_path):
    path = tmp_path / "a.mp4"
    path.write_bytes(b"earlier")
    with pytest.raises(RuntimeError), Mp4Writer(path, 10) as video:
        video.write(np.zeros((48, 64, 3), np.uint8))
        raise RuntimeError
    assert path.read_bytes() == b"earlier" and len(list(tmp_path.iterdir())) == 1


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        Mp4Writer(tmp_path / "file" / "a.mp4", 10).write(np.zeros((48, 64, 3), np.uint8))


def test_pixels_grow_by_a_whole_factor():
    picture = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    big = enlarge(picture, 7)
    assert big.shape == (8, 8, 3)
    np.testing.assert_array_equal(big[:4, :4], np.broadcast_to(picture[0, 0], (4, 4, 3)))
    assert enlarge(np.zeros((200, 200, 3), np.uint8), 192).shape == (200, 200, 3)


def test_mattes_are_grey():
    grey = enlarge(np.array([[0.0, 0.5], [1.0, 1.0]], np.float32), 2)
    assert grey[:, :, 0].tolist() == [[0, 128], [255, 255]]
    assert enlarge(np.array([[True, False]]), 1)[0, 0].tolist() == [255, 255, 255]


def test_panels_have_even_sizes_and_keep_their_pixels():
    red = np.zeros((33, 33, 3), np.uint8) + np.uint8([255, 0, 0])
    page = side_by_side({"a": red, "b": np.zeros((33, 33))}, "caption", 99)
    assert page.shape[0] % 2 == 0 and page.shape[1] % 2 == 0
    assert (page == [255, 0, 0]).all(axis=2).sum() == 99 * 99
