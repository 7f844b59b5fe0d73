"""The rules of the papers: which clip, which frame, which way; and what becomes of broken clips."""

import itertools
import pickle
import warnings
from pathlib import Path

import cv2
import numpy as np
import pytest
from fakes import write_clip

from distraction_gym.assets import cache
from distraction_gym.assets.clips import FileClip
from distraction_gym.distractions import player as module
from distraction_gym.distractions.player import Player
from distraction_gym.errors import BrokenAsset, UnknownName
from distraction_gym.seeding import stream

SIZE = (12, 10)
FRAMES = 6


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Three short clips, whose frames are of the grey value of their number."""
    root = tmp_path_factory.mktemp("assets")
    for clip, frame in itertools.product(range(3), range(FRAMES)):
        path = root / "pack" / f"video{clip}" / f"{frame}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), np.full((100, 100, 3), frame, np.uint8))
    return str(root)


@pytest.fixture(autouse=True)
def _forget(monkeypatch):
    cache.clear()
    monkeypatch.setattr(module, "_warned", set())


def _frames(player, steps):
    """Return which frame of the clip that plays each step shows."""
    return [int(player.next(SIZE)[0, 0, 0]) for _ in range(steps)]


def _played(folder, steps=14, seed=0, **kwargs):
    player = Player("pack", folder, **kwargs)
    player.reset(stream(seed, "distraction"))
    return _frames(player, steps)


def _names(player, episodes, rng, steps=1):
    names = []
    for _ in range(episodes):
        player.reset(rng)
        _frames(player, steps)
        names.append(player.describe()["clip"].removesuffix(".mp4"))
    return names


def test_forward_begins_at_the_first_frame_and_loops(folder):
    assert _played(folder) == [0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5, 0, 1]


def test_a_random_start_follows_the_seed_and_meets_every_frame(folder):
    starts = [_played(folder, 8, seed, start="random") for seed in range(40)]
    assert starts[3] == _played(folder, 8, 3, start="random")
    assert {frames[0] for frames in starts} == set(range(FRAMES))
    assert all((np.diff(frames) % FRAMES == 1).all() for frames in starts)


def test_bouncing_goes_either_way_and_turns_at_the_ends(folder):
    played = [_played(folder, 30, seed, start="random", motion="bounce") for seed in range(30)]
    assert {np.sign(frames[1] - frames[0]) for frames in played} >= {-1, 1}
    # Distracting Control Suite's own loop; the frames it shows twice are easily got wrong.
    for frames in played:
        place, direction = frames[0], 1
        if frames[1] < frames[0] or frames[0] == 0:
            direction = -1 if frames[1] < frames[0] else 1
        for frame in frames[1:]:
            place += direction
            if place <= 0:
                place, direction = 0, 1
            if place >= FRAMES:
                place, direction = FRAMES - 1, -1
            assert frame == place


def test_one_frame_bounces_and_loops_too(tmp_path):
    (tmp_path / "pack").mkdir()
    cv2.imwrite(str(tmp_path / "pack" / "a.png"), np.zeros((100, 100, 3), np.uint8))
    for motion in module.MOTIONS:
        assert _played(str(tmp_path), 4, start="random", motion=motion) == [0] * 4


def test_a_still_holds_its_frame_for_the_episode(folder):
    player, rng = Player("pack", folder, start="random", motion="still"), stream(0, "x")
    shown = set()
    for _ in range(20):
        player.reset(rng)
        frames = _frames(player, 5)
        assert len(set(frames)) == 1
        shown.add(frames[0])
    assert len(shown) > 3


def test_running_is_one_tape_that_no_reset_rewinds(folder):
    player, rng = Player("pack", folder, order="running"), stream(0, "x")
    seen, told = [], []
    for steps in (4, 4, 7, 5):
        player.reset(rng)
        seen += _frames(player, steps)
        told.append((player.describe()["clip"], player.describe()["frame"]))
    assert seen == [*range(6), *range(6), *range(6), 0, 1]
    assert told == [("video0", 0), ("video0", 4), ("video1", 2), ("video2", 3)]
    player.reset(stream(5, "x"))
    assert _frames(player, 1) == [2], "no seed rewinds it either"


def test_a_tape_may_begin_anywhere(folder):
    begun = {tuple(_played(folder, 3, seed, order="running", start="random")) for seed in range(30)}
    assert len(begun) > 4


def test_seeded_order_is_the_list_from_a_place_that_is_drawn_once(folder):
    begun = set()
    for seed in range(12):
        rng = stream(seed, "distraction")
        names = _names(Player("pack", folder, order="seeded"), 5, rng)
        first = int(names[0][-1])
        assert names == [f"video{(first + step) % 3}" for step in range(5)]
        begun.add(first)
    assert begun == {0, 1, 2}


def test_only_the_first_clips(folder):
    rng = stream(0, "x")
    assert set(_names(Player("pack", folder, clips=2), 20, rng)) == {"video0", "video1"}
    assert set(_names(Player("pack", folder, clips=9), 20, rng)) == {"video0", "video1", "video2"}
    with pytest.raises(ValueError, match="at least 1"):
        Player("pack", folder, clips=0)


def test_grey_has_no_colours_and_their_brightness():
    colored = Player("video_easy", "generated")
    grey = Player("video_easy", "generated", grey=True)
    for player in (colored, grey):
        player.reset(stream(0, "x"))
    one, other = colored.next(SIZE), grey.next(SIZE)
    assert other.shape == one.shape
    assert (other == other[..., :1]).all()
    assert np.abs(one @ [0.299, 0.587, 0.114] - other[..., 0]).max() < 1


def test_the_size_may_change_and_the_clip_goes_on(folder):
    player = Player("pack", folder)
    player.reset(stream(0, "x"))
    assert _frames(player, 2) == [0, 1]
    assert player.next((20, 30)).shape == (20, 30, 3)
    assert _frames(player, 1) == [3]


@pytest.mark.parametrize(
    "rules",
    [
        {"order": "running"},
        {"order": "seeded", "motion": "bounce", "start": "random"},
        {"order": "listed", "start": "random"},
    ],
    ids=str,
)
def test_a_pickle_goes_on_where_it_was(folder, rules):
    player, rng = Player("pack", folder, **rules), stream(3, "x")
    player.reset(rng)
    _frames(player, 4)
    stored = pickle.dumps((player, rng))
    assert len(stored) < 4000, "no pictures"
    copy, copied_rng = pickle.loads(stored)
    for _ in range(4):
        assert _frames(copy, 5) == _frames(player, 5)
        copy.reset(copied_rng)
        player.reset(rng)


def test_sixteen_players_show_the_same_memory(folder):
    players = [Player("pack", folder, order="listed") for _ in range(16)]
    for player in players:
        player.reset(stream(0, "x"))
    first, *others = [player.next(SIZE) for player in players]
    assert all(np.shares_memory(first, other) for other in others)
    assert not first.flags.writeable


def test_unknown_rules_are_named(folder):
    with pytest.raises(UnknownName, match="Did you mean 'running'"):
        Player("pack", folder, order="runing")
    with pytest.raises(UnknownName, match="unknown start"):
        Player("pack", folder, start="last")
    with pytest.raises(UnknownName, match="Did you mean 'bounce'"):
        Player("pack", folder, motion="bounced")
    with pytest.raises(ValueError, match="forward"):
        Player("pack", folder, order="running", motion="still")


# Broken clips ------------------------------------------------------------------------------------


@pytest.fixture
def damaged(tmp_path):
    """Four clips, of which the second and the third are damaged."""
    for index in range(4):
        write_clip(tmp_path / "pack" / f"video{index}.mp4", frames=FRAMES)
    for index in (1, 2):
        path = tmp_path / "pack" / f"video{index}.mp4"
        path.write_bytes(path.read_bytes()[:300])
    return str(tmp_path)


def test_broken_clips_are_skipped_with_one_warning_each(damaged):
    player, rng = Player("pack", damaged, order="listed"), stream(0, "x")
    with pytest.warns(RuntimeWarning) as caught:
        assert _names(player, 4, rng) == ["video3", "video0", "video3", "video0"]
    told = [str(warning.message) for warning in caught]
    assert len(told) == 2
    assert "video1.mp4 is skipped" in told[0]
    assert "video2.mp4 is skipped" in told[1]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        _names(Player("pack", damaged, order="listed"), 4, rng)
    (Path(damaged) / "pack").rename(Path(damaged) / "other")  # whose clips have the same names
    with pytest.warns(RuntimeWarning, match=r"other.video1\.mp4"):
        _names(Player("other", damaged, order="listed"), 1, rng)


@pytest.mark.filterwarnings("ignore:the clip")
@pytest.mark.parametrize("order", module.ORDERS)
def test_what_plays_instead_follows_the_seed(damaged, order):
    def names():
        return _names(Player("pack", damaged, order=order), 12, stream(1, "x"), steps=4)

    played = names()
    assert played == names()
    assert set(played) == {"video0", "video3"}


@pytest.mark.filterwarnings("ignore:the clip")
def test_a_clip_that_breaks_in_the_middle_of_a_run(damaged, monkeypatch):
    player, rng = Player("pack", damaged, order="listed", clips=1), stream(0, "x")
    player.reset(rng)
    _frames(player, 3)
    original = FileClip.decode

    def decode(self, size):
        if self.name == "video0.mp4":
            raise BrokenAsset("video0.mp4 went away")
        return original(self, size)

    monkeypatch.setattr(FileClip, "decode", decode)
    monkeypatch.setenv("DISTRACTION_GYM_CACHE_BYTES", "0")
    with pytest.raises(BrokenAsset, match=r"none of the 1 clips of 'pack'.*went away"):
        player.next((30, 30))
    longer = Player("pack", damaged, order="listed")
    assert _names(longer, 3, rng) == ["video3", "video0", "video3"], "decoded at this size before"
    cache.clear()
    monkeypatch.setattr(cache, "_map", lambda path, size: None)
    assert _names(longer, 3, rng) == ["video3"] * 3


@pytest.mark.filterwarnings("ignore:the clip video[12]")
def test_a_file_that_is_deleted_is_skipped_like_a_broken_one(damaged, tmp_path):
    player, rng = Player("pack", damaged, order="listed"), stream(0, "x")
    (tmp_path / "pack" / "video3.mp4").unlink()
    with pytest.warns(RuntimeWarning, match="video3.mp4 is skipped: .* cannot be read any more"):
        assert _names(player, 2, rng) == ["video0", "video0"]


def test_an_error_where_none_is_left(tmp_path):
    for index in range(3):
        (tmp_path / "pack").mkdir(exist_ok=True)
        (tmp_path / "pack" / f"video{index}.mp4").write_bytes(b"<html>")
    player = Player("pack", str(tmp_path))
    player.reset(stream(0, "x"))
    with (
        pytest.warns(RuntimeWarning, match="is skipped"),
        pytest.raises(BrokenAsset, match="none of the 3 clips of 'pack' can be decoded"),
    ):
        player.next(SIZE)
