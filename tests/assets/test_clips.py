"""Video files: how they are found, in which order, and what becomes of their pixels."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from fakes import write_clip

from distraction_gym.assets.clips import FileClip, resize
from distraction_gym.assets.store import cache_root, clips
from distraction_gym.errors import AssetsMissing, BrokenAsset


def _slow_resize(frame, size):
    """The papers' rule pixel by pixel: float bilinear between centres, then cut off."""
    out = np.empty((*size, 3), np.uint8)
    limits = np.array(frame.shape[:2]) - 1
    for place in np.ndindex(size):
        at = np.maximum((np.array(place) + 0.5) * frame.shape[:2] / np.array(size) - 0.5, 0)
        low = np.floor(at).astype(int)
        high = np.minimum(low + 1, limits)
        (y, x), (y0, x0), (y1, x1) = at - low, low, high
        top = frame[y0, x0] * (1 - x) + frame[y0, x1] * x
        bottom = frame[y1, x0] * (1 - x) + frame[y1, x1] * x
        out[place] = np.floor(top * (1 - y) + bottom * y + 1e-9)
    return out


@pytest.mark.parametrize("size", [(36, 36), (84, 84), (20, 50)])
def test_resizing_is_the_papers_rule(size, rng):
    frame = rng.integers(0, 256, (150, 120, 3), np.uint8)
    difference = np.abs(resize(frame, size).astype(int) - _slow_resize(frame, size))
    assert difference.max() <= 1
    assert (difference > 0).mean() < 0.01
    # What is easily taken instead, and is not the same: rounding, and averaging areas.
    for other in (cv2.INTER_LINEAR, cv2.INTER_AREA):
        wrong = cv2.resize(frame, size[::-1], interpolation=other)
        assert (np.abs(wrong.astype(int) - _slow_resize(frame, size)) > 0).mean() > 0.2


def test_a_clip_is_decoded_whole_in_rgb(tmp_path):
    path = tmp_path / "red.mp4"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), 25, (160, 120))
    for index in range(7):
        frame = np.zeros((120, 160, 3), np.uint8)
        frame[:, :80] = (0, 0, 100 + 20 * index)  # OpenCV writes BGR: red, on the left
        writer.write(frame)
    writer.release()
    footage = FileClip(path).decode((24, 20))
    assert footage.shape == (7, 24, 20, 3)
    assert footage.dtype == np.uint8
    left, right = footage[:, :, :8], footage[:, :, 12:]
    assert left[..., 0].mean() > 100
    assert left[..., 2].mean() < 30
    assert right.mean() < 30, "the whole frame is shown, not a square cut out of it"
    assert (np.diff(left[..., 0].mean((1, 2))) > 10).all()


def test_numeric_order_of_the_files_that_exist(tmp_path):
    for index in (0, 2, 10, 9):
        write_clip(tmp_path / "video_easy" / f"video{index}.mp4", frames=2)
    (tmp_path / "video_easy" / "notes.txt").write_text("not a clip")
    (tmp_path / "video_easy" / ".video3.mp4.123.part").write_text("not finished")
    names = [clip.name for clip in clips("video_easy", str(tmp_path))]
    assert names == ["video0.mp4", "video2.mp4", "video9.mp4", "video10.mp4"]


def test_auto_looks_in_the_named_folder_and_then_among_fetched_packs(tmp_path, monkeypatch):
    named, cache = tmp_path / "named", tmp_path / "cache"
    write_clip(named / "video_easy" / "a.mp4", frames=2)
    write_clip(cache / "packs" / "video_easy" / "b.mp4", frames=2)
    monkeypatch.setenv("DISTRACTION_GYM_CACHE", str(cache))
    assert [clip.name for clip in clips("video_easy")] == ["b.mp4"]
    monkeypatch.setenv("DISTRACTION_GYM_ASSETS", str(named))
    assert [clip.name for clip in clips("video_easy")] == ["a.mp4"]
    monkeypatch.setenv("DISTRACTION_GYM_CACHE", "~/elsewhere")  # as in files that no shell reads
    assert cache_root() == Path.home() / "elsewhere"


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (None, "does not exist"),
        ("", "has no folder 'video_hard'"),
        ("video_hard", "holds no clip"),
    ],
)
def test_missing_clips_say_what_is_missing_and_what_to_type(tmp_path, made, said):
    folder = tmp_path / "data"
    if made is not None:
        (folder / made).mkdir(parents=True)
    with pytest.raises(AssetsMissing, match=rf"(?s){said}.*distraction-gym fetch dmcgb.*generated"):
        clips("video_hard", str(folder))


def test_a_file_that_is_no_video_is_named(tmp_path):
    path = tmp_path / "video0.mp4"
    path.write_bytes(b"<html>not found</html>" * 100)
    with pytest.raises(BrokenAsset, match=r"video0\.mp4"):
        FileClip(path).decode((24, 24))


def test_a_torn_file_is_refused(tmp_path, rng):
    path = tmp_path / "video0.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 25, (120, 120))
    for _ in range(40):
        writer.write(rng.integers(0, 256, (120, 120, 3), np.uint8))
    writer.release()
    assert len(FileClip(path).decode((24, 24))) == 40
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(BrokenAsset, match=r"video0\.avi"):
        FileClip(path).decode((24, 24))


def test_clips_below_100_pixels_are_refused(tmp_path):
    path = write_clip(tmp_path / "small.mp4", height=96, width=160)
    with pytest.raises(
        BrokenAsset, match=r"small\.mp4 is 160x96 pixels; expected at least 100x100"
    ):
        FileClip(path).decode((24, 24))


def test_the_key_changes_with_the_file_and_the_size(tmp_path):
    path = write_clip(tmp_path / "video0.mp4", frames=3)
    clip = FileClip(path)
    before = clip.key((24, 24))
    assert clip.key((24, 24)) == before
    assert clip.key((24, 20)) != before
    write_clip(path, frames=5)
    assert clip.key((24, 24)) != before


def test_real_clips_are_listed_and_decoded(dmcgb_data):
    easy = [clip.name for clip in clips("video_easy", str(dmcgb_data))]
    assert easy == [f"video{index}.mp4" for index in (0, 1, 2, 6, 8, 9)]
    hard = clips("video_hard", str(dmcgb_data))
    assert [clip.name for clip in hard[:11]] == [f"video{index}.mp4" for index in range(11)]
    footage = hard[0].decode((84, 84))
    assert footage.shape == (500, 84, 84, 3)
    assert footage.std() > 20
