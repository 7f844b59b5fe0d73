"""The cache: decode once, keep within the budgets, survive whatever happens to the files."""

import multiprocessing
import os
import warnings
from dataclasses import dataclass

import numpy as np
import pytest

from distraction_gym.assets import cache
from distraction_gym.assets.store import cache_root
from distraction_gym.errors import BrokenAsset

SIZE = (10, 12)


@dataclass(frozen=True)
class Counted:
    """A clip that tells how often it was decoded."""

    name: str
    log: str
    frames: int = 5

    def key(self, size):
        return f"{self.name}-{size[0]}x{size[1]}"

    def decode(self, size):
        with open(self.log, "a") as log:
            log.write(f"{self.name}\n")
        rng = np.random.default_rng(len(self.name))
        return rng.integers(0, 256, (self.frames, *size, 3), np.uint8)


@pytest.fixture
def clip(tmp_path, monkeypatch):
    """Make clips in an empty cache; `clip("name")`."""
    monkeypatch.setenv("DISTRACTION_GYM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(cache, "_warned", False)
    cache.clear()
    yield lambda name="clip", **kwargs: Counted(name, str(tmp_path / "log"), **kwargs)
    cache.clear()


def _decoded(clip):
    try:
        with open(clip.log) as log:
            return log.read().split()
    except FileNotFoundError:
        return []


def _files():
    return sorted(path.name for path in (cache_root() / "clips").iterdir())


def test_decoded_once_and_mapped_after_that(clip):
    one = clip()
    first = cache.frames(one, SIZE)
    assert cache.frames(one, SIZE) is first, "environments of one process share it"
    assert isinstance(first, np.memmap)
    assert not first.flags.writeable
    cache.clear()  # as another process would start
    np.testing.assert_array_equal(cache.frames(one, SIZE), one.decode(SIZE))
    assert _decoded(one) == ["clip", "clip"], "once by the cache, once by this test"
    assert _files() == ["clip-10x12.npy"]


def test_each_size_is_an_entry_of_its_own(clip):
    assert cache.frames(clip(), (4, 6)).shape == (5, 4, 6, 3)
    assert cache.frames(clip(), (8, 8)).shape == (5, 8, 8, 3)
    assert len(_files()) == 2


@pytest.mark.parametrize("damage", ["empty", "text", "torn", "header", "shape"])
def test_a_damaged_entry_is_made_again(clip, damage):
    one = clip()
    expected = np.array(cache.frames(one, SIZE))
    cache.clear()
    path = cache_root() / "clips" / "clip-10x12.npy"
    content = path.read_bytes()
    if damage == "shape":
        np.save(path, np.zeros((5, 3, 3, 3), np.uint8))
    else:
        path.write_bytes(
            {
                "empty": b"",
                "text": b"no array at all",
                "torn": content[: len(content) // 2],
                "header": content[:20] + b"((((" + content[24:],
            }[damage]
        )
    np.testing.assert_array_equal(cache.frames(one, SIZE), expected)
    assert np.load(path).shape == expected.shape
    assert len(_decoded(one)) == 2


def test_a_cache_that_cannot_be_written_warns_once_and_works(clip, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("where a folder should be")
    monkeypatch.setenv("DISTRACTION_GYM_CACHE", str(tmp_path / "file"))
    with pytest.warns(RuntimeWarning, match="export DISTRACTION_GYM_CACHE"):
        first = cache.frames(clip("a"), SIZE)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        cache.frames(clip("bb"), SIZE)
        assert cache.frames(clip("a"), SIZE) is first
    assert _decoded(clip()) == ["a", "bb"]
    assert not first.flags.writeable


def test_a_cache_that_can_only_be_read_serves_what_it_holds(clip, monkeypatch):
    def refuse(*args, **kwargs):
        raise OSError(30, "Read-only file system")

    expected = np.array(cache.frames(clip("a"), SIZE))
    cache.clear()
    for module, name in ((cache.os, "utime"), (cache.Path, "mkdir"), (cache, "atomic_file")):
        monkeypatch.setattr(module, name, refuse)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(cache.frames(clip("a"), SIZE), expected)
    with pytest.warns(RuntimeWarning, match="Read-only file system"):
        assert cache.frames(clip("bb"), SIZE).shape == (5, *SIZE, 3)
    assert _decoded(clip()) == ["a", "bb"]
    assert _files() == ["a-10x12.npy"]


def test_a_broken_clip_is_not_decoded_at_every_reset(clip, monkeypatch):
    tried = []

    def torn(self, size):
        tried.append(self.name)
        raise BrokenAsset(f"{self.name} is torn")

    monkeypatch.setattr(Counted, "decode", torn)
    for _ in range(3):
        with pytest.raises(BrokenAsset, match="a is torn"):
            cache.frames(clip("a"), SIZE)
    assert tried == ["a"]
    with pytest.raises(BrokenAsset):
        cache.frames(clip("a"), (8, 8))
    assert tried == ["a", "a"], "at another size it may be another file"


def test_a_full_disk_leaves_no_half_entry(clip, monkeypatch):
    def full(file, array):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cache.np, "save", full)
    with pytest.warns(RuntimeWarning, match="No space left"):
        footage = cache.frames(clip(), SIZE)
    assert footage.shape == (5, *SIZE, 3)
    assert _files() == []


def test_the_disk_budget_drops_what_was_used_longest_ago(clip, monkeypatch):
    size = 5 * SIZE[0] * SIZE[1] * 3
    monkeypatch.setenv("DISTRACTION_GYM_CACHE_BYTES", str(3 * size + 500))
    for age, name in ((300, "a"), (200, "bb"), (100, "ccc")):
        cache.frames(clip(name), SIZE)
        path = cache_root() / "clips" / f"{name}-10x12.npy"
        os.utime(path, (path.stat().st_atime, path.stat().st_mtime - age))
    cache.clear()
    cache.frames(clip("a"), SIZE)  # oldest, and just used again
    cache.frames(clip("dddd"), SIZE)
    assert _files() == ["a-10x12.npy", "ccc-10x12.npy", "dddd-10x12.npy"]


def test_a_budget_of_zero_keeps_nothing_on_disk(clip, monkeypatch):
    monkeypatch.setenv("DISTRACTION_GYM_CACHE_BYTES", "0")
    one = clip()
    assert cache.frames(one, SIZE) is cache.frames(one, SIZE)
    assert not (cache_root() / "clips").exists()
    monkeypatch.setenv("DISTRACTION_GYM_CACHE_BYTES", "1 GB")
    with pytest.raises(ValueError, match="expected a number of bytes"):
        cache.frames(clip("other"), SIZE)


def test_few_clips_stay_open(clip, monkeypatch):
    size = 5 * SIZE[0] * SIZE[1] * 3
    monkeypatch.setenv("DISTRACTION_GYM_OPEN_BYTES", str(2 * size))
    first = cache.frames(clip("a"), SIZE)
    for name in ("bb", "ccc", "dddd"):
        cache.frames(clip(name), SIZE)
    assert len(cache._open) == 2
    np.testing.assert_array_equal(cache.frames(clip("a"), SIZE), first)
    assert _decoded(clip()).count("a") == 1, "what was closed is mapped again, not decoded"


def test_what_a_killed_writer_left_is_swept(clip):
    cache.frames(clip("a"), SIZE)
    old, young = (cache_root() / "clips" / f".{name}.npy.0.part" for name in ("old", "young"))
    for path in (old, young):
        path.write_bytes(b"half")
    os.utime(old, (0, 0))
    cache.frames(clip("bb"), SIZE)
    assert not old.exists()
    assert young.exists(), "its writer may still be at work"


def _fill(clip, barrier, answers):
    cache.clear()
    barrier.wait()
    answers.put(int(cache.frames(clip, (40, 40)).sum()))


def test_processes_may_fill_the_same_entry_at_once(clip):
    context = multiprocessing.get_context("fork")
    barrier, answers, one = context.Barrier(3), context.Queue(), clip(frames=200)
    workers = [context.Process(target=_fill, args=(one, barrier, answers)) for _ in range(3)]
    for worker in workers:
        worker.start()
    sums = [answers.get(timeout=60) for _ in workers]
    for worker in workers:
        worker.join()
    assert sums == [int(one.decode((40, 40)).sum())] * 3
    assert _files() == ["clip-40x40.npy"]


def _fill_several(clips, barrier, answers):
    cache.clear()
    barrier.wait()
    for _ in range(5):
        total = sum(int(cache.frames(clip, SIZE).sum()) for clip in clips)
        cache.clear()
    answers.put(total)


def test_processes_may_throw_out_each_others_entries(clip, monkeypatch):
    monkeypatch.setenv("DISTRACTION_GYM_CACHE_BYTES", str(3 * 40 * SIZE[0] * SIZE[1] * 3))
    several = [clip("x" * length, frames=40) for length in range(1, 7)]
    context = multiprocessing.get_context("fork")
    barrier, answers = context.Barrier(3), context.Queue()
    args = (several, barrier, answers)
    workers = [context.Process(target=_fill_several, args=args) for _ in range(3)]
    for worker in workers:
        worker.start()
    expected = sum(int(one.decode(SIZE).sum()) for one in several)
    assert [answers.get(timeout=60) for _ in workers] == [expected] * 3
    for worker in workers:
        worker.join()
