import pickle

import numpy as np
import pytest
from fakes import FakeScene, write_clip

from distraction_gym.assets import cache
from distraction_gym.assets.store import clips
from distraction_gym.distractions.video import Video
from distraction_gym.errors import AssetsMissing, UnknownName
from distraction_gym.seeding import stream

SIZE = (24, 20)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Four short clips, one with a two-digit number, so that orders can go wrong."""
    root = tmp_path_factory.mktemp("assets")
    for index in (0, 1, 2, 10):
        write_clip(root / "pack" / f"video{index}.mp4", frames=6, seed=index)
    return str(root)


def _video(folder, **kwargs):
    return Video(pack="pack", assets=folder, **kwargs)


def _names(video, episodes, seed=0):
    rng, scene, names = stream(seed, "distraction"), FakeScene(*SIZE), []
    for _ in range(episodes):
        video.reset(rng, scene)
        names.append(video.describe()["clip"])
    return names


def test_listed_order_starts_at_the_second_clip_and_ignores_the_seed(folder):
    expected = [f"video{i}.mp4" for i in (1, 2, 10, 0, 1, 2)]
    assert _names(_video(folder, order="listed"), 6, seed=0) == expected
    assert _names(_video(folder, order="listed"), 6, seed=9) == expected


def test_listed_order_carries_on_over_the_life_of_the_object(folder):
    video = _video(folder, order="listed")
    assert _names(video, 3, seed=0) + _names(video, 3, seed=0) == [
        f"video{i}.mp4" for i in (1, 2, 10, 0, 1, 2)
    ]


def test_random_order_follows_the_stream_and_meets_every_clip(folder):
    drawn = _names(_video(folder), 40, seed=1)
    assert drawn == _names(_video(folder), 40, seed=1)
    assert drawn != _names(_video(folder), 40, seed=2)
    assert len(set(drawn)) == 4


def test_frame_t_of_the_episode_is_frame_t_of_the_clip_and_then_again(folder):
    video, scene = _video(folder, order="listed"), FakeScene(*SIZE)
    video.reset(stream(0, "distraction"), scene)
    clip = cache.frames(clips("pack", folder)[1], SIZE)
    assert len(clip) == 6
    for t in range(14):
        out = video.apply(scene.draw(), scene)
        np.testing.assert_array_equal(out[0, 0], clip[t % 6][0, 0])
    video.reset(stream(0, "distraction"), scene)
    second = cache.frames(clips("pack", folder)[2], SIZE)
    np.testing.assert_array_equal(video.apply(scene.draw(), scene)[0, 0], second[0][0, 0])


@pytest.mark.parametrize("replace", [["sky"], ["sky", "floor"]])
def test_exact_replaces_the_parts_and_nothing_else(folder, replace):
    video, scene = _video(folder, replace=replace), FakeScene(*SIZE)
    video.reset(stream(0, "distraction"), scene)
    frame = scene.draw()
    frame.setflags(write=False)
    out = video.apply(frame, scene)
    hidden = scene.background(replace, frame)
    np.testing.assert_array_equal(out[~hidden], frame[~hidden])
    assert (out[hidden] != frame[hidden]).any()
    assert scene.calls == [], "exact masks edit nothing"


@pytest.mark.parametrize("replace", [["sky"], ["sky", "floor"]])
def test_chroma_floods_the_parts_with_the_papers_green_and_keys_them(folder, replace):
    video, scene = _video(folder, replace=replace, composite="chroma"), FakeScene(*SIZE)
    video.reset(stream(0, "distraction"), scene)
    assert scene.calls == [("flood", tuple(replace), (0.2, 0.8, 0.2))]
    frame = scene.draw()
    frame.setflags(write=False)
    out = video.apply(frame, scene)
    hidden = scene.background(replace, frame)
    np.testing.assert_array_equal(out[~hidden], frame[~hidden])
    assert not (out[hidden] == (51, 204, 51)).all(axis=-1).any()


def test_soft_mattes_blend(folder):
    video, scene = _video(folder, replace=["sky"]), FakeScene(*SIZE, soft=True)
    video.reset(stream(0, "distraction"), scene)
    frame = scene.draw()
    out, weight = video.apply(frame, scene), scene.background(["sky"], frame)
    edge = (weight > 0.2) & (weight < 0.8)
    (clip,) = [c for c in clips("pack", folder) if c.name == video.describe()["clip"]]
    picture = cache.frames(clip, SIZE)[0]
    low, high = np.minimum(frame, picture), np.maximum(frame, picture)
    assert ((out >= low) & (out <= high)).all()
    assert ((out != frame) & (out != picture))[edge].any()


def test_a_reset_reuses_what_was_decoded(folder, monkeypatch):
    scene, decoded = FakeScene(22, 26), []
    original = type(clips("pack", folder)[0]).decode
    monkeypatch.setattr(
        type(clips("pack", folder)[0]),
        "decode",
        lambda self, size: decoded.append(self.name) or original(self, size),
    )
    for _ in range(2):  # two environments of one process
        video = _video(folder, order="listed")
        for _ in range(8):
            video.reset(stream(0, "distraction"), scene)
            video.apply(scene.draw(), scene)
    assert sorted(decoded) == ["video0.mp4", "video1.mp4", "video10.mp4", "video2.mp4"]


def test_a_pickle_holds_no_pictures_and_goes_on_in_the_middle_of_an_episode(folder):
    video, scene = _video(folder), FakeScene(*SIZE)
    video.reset(stream(5, "distraction"), scene)
    for _ in range(3):
        video.apply(scene.draw(), scene)
    stored = pickle.dumps(video)
    assert len(stored) < 4000
    copy = pickle.loads(stored)
    for _ in range(5):
        np.testing.assert_array_equal(
            copy.apply(scene.draw(), scene), video.apply(scene.draw(), scene)
        )


def test_what_cannot_be_is_said_when_it_is_built(folder):
    with pytest.raises(AssetsMissing, match="no_such_pack"):
        Video(pack="no_such_pack", assets=folder)
    with pytest.raises(UnknownName, match="exact"):
        _video(folder, composite="exactly")
    with pytest.raises(UnknownName, match="listed"):
        _video(folder, order="list")


def test_generated_footage_needs_nothing():
    video, scene = Video(pack="video_easy", replace=["sky"], assets="generated"), FakeScene(*SIZE)
    video.reset(stream(0, "distraction"), scene)
    out = video.apply(scene.draw(), scene)
    assert len(np.unique(out[scene.background(["sky"], out)], axis=0)) > 30


def test_real_clips_play(dmcgb_data):
    video = Video(pack="video_easy", order="listed", assets=str(dmcgb_data))
    names = _names(video, 6)
    assert names == [f"video{i}.mp4" for i in (1, 2, 6, 8, 9, 0)]


def test_one_part_may_be_named_without_a_list():
    one, listed = (Video(replace=parts, assets="generated") for parts in ("sky", ["sky"]))
    pictures = []
    for video in (one, listed):
        scene = FakeScene()
        video.reset(np.random.default_rng(0), scene)
        pictures.append(video.apply(scene.draw(), scene))
    np.testing.assert_array_equal(*pictures)


def test_an_intensity_is_a_number():
    with pytest.raises(ValueError, match="intensity must lie between 0 and 1, got 'much'"):
        Video(intensity="much", assets="generated")
