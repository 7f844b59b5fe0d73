"""Clips that lie as pictures in a folder, pictures as clips, and how long a clip may be."""

import cv2
import numpy as np
import pytest
from fakes import write_clip

from distraction_gym.assets import clips as module
from distraction_gym.assets.clips import FileClip, most_frames
from distraction_gym.assets.stills import PictureClip, scale
from distraction_gym.assets.store import clips
from distraction_gym.errors import AssetsMissing, BrokenAsset

SIZE = (24, 20)


def _write(path, value, shape=(120, 160)):
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full((*shape, 3), (0, 0, value), np.uint8))  # BGR: red


def test_davis_layout_is_a_pack_of_clips_in_order_and_rgb(tmp_path):
    for name, frames in (("walking", 3), ("bear", 11)):
        for index in range(frames):
            _write(tmp_path / "davis" / name / f"{index}.png", 10 + 10 * index)
    bear, walking = clips("davis", str(tmp_path))
    assert [bear.name, walking.name] == ["bear", "walking"]
    footage = bear.decode(SIZE)
    assert footage.shape == (11, *SIZE, 3)
    assert footage.dtype == np.uint8
    assert footage[:, 0, 0, 0].tolist() == list(range(10, 120, 10)), "10 comes after 9"
    assert footage[..., 1:].max() == 0


def test_sizes_may_be_mixed_within_a_clip_and_within_a_pack(tmp_path):
    _write(tmp_path / "pack" / "a" / "0.jpg", 200, (100, 300))
    _write(tmp_path / "pack" / "a" / "1.jpg", 200, (480, 854))
    write_clip(tmp_path / "pack" / "b.mp4", frames=2, height=140, width=110)
    assert [clip.decode(SIZE).shape for clip in clips("pack", str(tmp_path))] == [(2, *SIZE, 3)] * 2


def test_pictures_are_clips_of_one_frame_where_nothing_moves(tmp_path):
    for index in (2, 10):
        _write(tmp_path / "stills" / f"{index}.jpg", 100)
    (tmp_path / "stills" / ".hidden.jpg").write_bytes(b"")
    (tmp_path / "stills" / "empty").mkdir()
    found = clips("stills", str(tmp_path))
    assert [clip.name for clip in found] == ["2.jpg", "10.jpg"]
    assert found[0].decode(SIZE).shape == (1, *SIZE, 3)
    write_clip(tmp_path / "stills" / "film.mp4", frames=2)
    assert [clip.name for clip in clips("stills", str(tmp_path))] == ["film.mp4"], "not thumbnails"


def test_a_shrunken_photograph_is_averaged(rng):
    noise = rng.integers(0, 256, (800, 800, 3), np.uint8)
    assert scale(noise, (8, 8)).std() < 10
    assert scale(noise[:50, :50], (100, 100)).shape == (100, 100, 3)


def test_damaged_small_and_missing_pictures_are_named(tmp_path):
    _write(tmp_path / "pack" / "a" / "0.jpg", 100)
    (tmp_path / "pack" / "a" / "1.jpg").write_bytes(b"<html>")
    with pytest.raises(BrokenAsset, match=r"1\.jpg is no picture"):
        PictureClip(tmp_path / "pack" / "a").decode(SIZE)
    _write(tmp_path / "pack" / "a" / "1.jpg", 100, (90, 200))
    with pytest.raises(BrokenAsset, match=r"1\.jpg is 200x90 pixels; expected at least 100x100"):
        PictureClip(tmp_path / "pack" / "a").decode(SIZE)
    for clip in (PictureClip(tmp_path / "gone.png"), FileClip(tmp_path / "gone.mp4")):
        with pytest.raises(BrokenAsset, match="gone"):
            clip.key(SIZE)
    with pytest.raises(AssetsMissing, match=r"holds no clip .*\*\.jpg.*folders of pictures"):
        (tmp_path / "bare").mkdir()
        clips("bare", str(tmp_path))


def test_the_key_changes_with_any_of_the_pictures(tmp_path):
    for index in range(3):
        _write(tmp_path / "a" / f"{index}.png", 100)
    clip = PictureClip(tmp_path / "a")
    before = clip.key(SIZE)
    assert clip.key(SIZE) == before
    assert clip.key((24, 24)) != before
    _write(tmp_path / "a" / "1.png", 100, (130, 130))
    changed = clip.key(SIZE)
    assert changed != before
    (tmp_path / "a" / "2.png").unlink()
    assert clip.key(SIZE) not in (before, changed)


def test_clips_end_after_a_thousand_frames_or_256_mb():
    assert most_frames((84, 84)) == most_frames((240, 320)) == 1000
    assert most_frames((480, 640)) == 291
    assert most_frames((20000, 20000)) == 1


@pytest.mark.parametrize("limit", [{"MOST_FRAMES": 4}, {"MOST_BYTES": 4 * SIZE[0] * SIZE[1] * 3}])
def test_longer_clips_are_cut_and_are_not_taken_for_torn_ones(tmp_path, monkeypatch, limit):
    path = write_clip(tmp_path / "long.mp4", frames=12)
    for index in range(12):
        _write(tmp_path / "long" / f"{index}.png", 100)
    whole = FileClip(path).decode(SIZE)
    keys = [clip.key(SIZE) for clip in (FileClip(path), PictureClip(tmp_path / "long"))]
    for name, value in limit.items():
        monkeypatch.setattr(module, name, value)
    for clip, key in zip((FileClip(path), PictureClip(tmp_path / "long")), keys, strict=True):
        assert clip.decode(SIZE).shape[0] == 4
        assert clip.key(SIZE) != key, "the cache must not mix the two"
    np.testing.assert_array_equal(FileClip(path).decode(SIZE), whole[:4])
