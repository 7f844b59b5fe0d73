"""Conformance: what holds for every kind and every mode, also for those added later."""

import json
import pickle

import numpy as np
import pytest
from fakes import FakeScene

from distraction_gym.distractions import DISTRACTIONS, MODES, build
from distraction_gym.distractions.base import Distraction
from distraction_gym.errors import AssetsMissing, DistractionGymError, UnknownName
from distraction_gym.seeding import stream

# At least one way to write each kind that acts on pixels: a fake scene shows nothing else. On real
# scenes tests/conformance checks all kinds.
ITEMS = [{"kind": kind} for kind, cls in DISTRACTIONS.items() if cls.apply is not Distraction.apply]
ITEMS += [{"kind": "color"}]
ITEMS += [{"kind": "video", "composite": "chroma"}, {"kind": "video", "replace": ["sky"]}]
ITEMS += [{"kind": "video", "pack": "video_easy", "order": "listed"}]


def _play(mode, seed=0, episodes=2, steps=4, scene=None, **kwargs):
    """Return the frames that a mode makes, the frames beneath, and what it says of itself."""
    distractions = build(mode, assets="generated", **kwargs)
    scene, rng = scene or FakeScene(), stream(seed, "distraction")
    shown, beneath, told = [], [], []
    for _ in range(episodes):
        scene.restore()
        for distraction in distractions:
            distraction.reset(rng, scene)
        told.append([distraction.describe() for distraction in distractions])
        for _ in range(steps):
            frame = scene.draw()
            frame.setflags(write=False)
            beneath.append(frame)
            for distraction in distractions:
                frame = distraction.apply(frame, scene)
            shown.append(frame)
    return np.array(shown), np.array(beneath), told


@pytest.mark.parametrize("item", ITEMS, ids=str)
def test_the_same_seed_gives_the_same_pictures(item):
    first, second, other = _play([item])[0], _play([item])[0], _play([item], seed=1)[0]
    np.testing.assert_array_equal(first, second)
    if item.get("order") != "listed" and item["kind"] != "blur":  # these draw nothing
        assert (first != other).any()


@pytest.mark.parametrize("item", ITEMS, ids=str)
def test_frames_stay_frames_and_the_foreground_is_untouched_where_promised(item):
    scene = FakeScene()
    shown, beneath, _ = _play([item], scene=scene)
    assert shown.dtype == np.uint8
    assert shown.shape == beneath.shape
    if not build([item], assets="generated")[0].keeps_foreground and "composite" not in item:
        return
    foreground = ~scene.background(("sky", "floor"), shown[0])
    np.testing.assert_array_equal(shown[:, foreground], beneath[:, foreground])


def test_the_order_of_a_list_is_part_of_the_mode():
    sky = {"kind": "video", "pack": "video_hard", "replace": ["sky"]}
    both = {"kind": "video", "pack": "video_easy", "replace": ["sky", "floor"]}
    assert (_play([sky, both])[0] != _play([both, sky])[0]).any()


@pytest.mark.parametrize("mode", MODES)
def test_modes_are_json_and_say_what_they_drew_in_json(mode):
    plain = json.loads(json.dumps(MODES[mode]))
    shown, _, told = _play(mode)
    again, _, _ = _play(plain)
    np.testing.assert_array_equal(shown, again)
    assert json.loads(json.dumps(told)) == told


@pytest.mark.parametrize("item", ITEMS, ids=str)
def test_pickled_in_the_middle_of_an_episode_it_goes_on(item):
    (distraction,) = build([item], assets="generated")
    scene, rng = FakeScene(), stream(0, "distraction")
    distraction.reset(rng, scene)
    distraction.apply(scene.draw(), scene)
    copy, rng_copy = pickle.loads(pickle.dumps((distraction, rng)))
    for _ in range(2):
        for _ in range(3):
            one, two = (d.apply(scene.draw(), scene) for d in (distraction, copy))
            np.testing.assert_array_equal(one, two)
        scene.restore()
        distraction.reset(rng, scene)
        copy.reset(rng_copy, scene)
        assert copy.describe() == distraction.describe()


def test_clean_changes_nothing():
    shown, beneath, told = _play("clean")
    np.testing.assert_array_equal(shown, beneath)
    assert told == [[], []]


@pytest.mark.parametrize("composite", ["exact", "chroma"])
def test_video_easy_leaves_the_floor_and_video_hard_does_not(composite):
    scene = FakeScene()
    for mode, hidden in (("video_easy", False), ("video_hard", True)):
        shown, beneath, _ = _play(mode, scene=scene, composite=composite)
        floor = scene.background(("floor",), shown[0])
        assert (shown[:, floor] != beneath[:, floor]).any() == hidden


def test_arguments_of_build_fill_in_and_do_not_override():
    scene = FakeScene()
    _play([{"kind": "video", "composite": "exact"}], scene=scene, composite="chroma")
    assert scene.calls == []
    _play([{"kind": "video"}], scene=scene, composite="chroma", episodes=1)
    assert scene.calls[0][0] == "flood"


def test_building_does_not_change_the_mode():
    before = json.dumps(MODES["video_hard"])
    build("video_hard", assets="generated", composite="chroma")
    assert json.dumps(MODES["video_hard"]) == before


def test_errors_say_what_to_type():
    with pytest.raises(UnknownName, match="Did you mean 'video_hard'"):
        build("video_hrad")
    with pytest.raises(UnknownName, match="Did you mean 'video'"):
        build([{"kind": "vidoe"}])
    with pytest.raises(TypeError, match="it takes pack, replace"):
        build([{"kind": "video", "folder": "x"}], assets="generated")
    with pytest.raises(TypeError, match="kind"):
        build([{"pack": "video_hard"}])
    with pytest.raises(AssetsMissing, match=r"(?s)distraction-gym fetch dmcgb.*generated"):
        build("video_hard")
    assert issubclass(AssetsMissing, DistractionGymError)
