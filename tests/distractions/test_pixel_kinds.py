"""What disturbs pixels: how much, where, at any size, and by which draws."""

import cv2
import numpy as np
import pytest
from fakes import FakeScene

from distraction_gym.assets.sprites import COUNT, sprites
from distraction_gym.distractions import MODES, build
from distraction_gym.errors import UnknownName
from distraction_gym.seeding import stream

FRONT = [
    {"kind": "overlay", "motion": "still"},
    {"kind": "noise"},
    {"kind": "noise", "pattern": "salt_and_pepper"},
    {"kind": "noise", "static": True},
    {"kind": "blur"},
    {"kind": "cutout"},
    {"kind": "cutout", "speed": 0.03},
    {"kind": "dots"},
    {"kind": "sprites"},
    {"kind": "jitter"},
    {"kind": "jitter", "pace": "drift"},
]
BEHIND = [
    {"kind": "image"},
    {"kind": "dots", "layer": "behind"},
    {"kind": "sprites", "layer": "behind"},
    {"kind": "video", "composite": "blue"},
    {"kind": "video", "start": "random", "motion": "bounce", "grey": True},
]
ITEMS = FRONT + BEHIND
ids = {"ids": str}


def _frames(item, scene, seed=0, steps=3):
    (distraction,) = build([item], assets="generated")
    distraction.reset(stream(seed, "distraction"), scene)
    return [distraction.apply(_locked(scene), scene) for _ in range(steps)], distraction


def _locked(scene):
    frame = scene.draw()
    frame.setflags(write=False)
    return frame


def _change(item, scene, intensity, seed=0):
    (frame,), _ = _frames({**item, "intensity": intensity}, scene, seed, steps=1)
    return np.abs(frame.astype(int) - scene.draw()).mean()


@pytest.mark.parametrize("item", ITEMS, **ids)
def test_the_change_grows_with_the_intensity_from_nothing(item):
    scene = FakeScene(36, 40)
    values = (0.0, 0.1, 0.25, 0.5, 0.75, 1.0)
    changes = [
        np.mean([_change(item, scene, value, seed) for seed in range(4)]) for value in values
    ]
    assert changes[0] == 0
    assert changes[1] > 0 or item["kind"] == "blur", "far below a pixel's width"
    assert (np.diff(changes) > -0.05).all(), changes
    assert changes[-1] > max(1, 2 * changes[1])


@pytest.mark.parametrize("item", ITEMS, **ids)
def test_intensity_0_is_the_same_picture_and_covers_nothing(item):
    scene = FakeScene(36, 40)
    frames, distraction = _frames({**item, "intensity": 0.0}, scene)
    for frame in frames:
        np.testing.assert_array_equal(frame, scene.draw())
    assert distraction.cover is None
    assert scene.calls == []


@pytest.mark.parametrize("shape", [(36, 36), (36, 52), (52, 36)])
@pytest.mark.parametrize("item", ITEMS, **ids)
def test_any_shape(item, shape):
    frames, _ = _frames(item, FakeScene(*shape))
    for frame in frames:
        assert frame.shape == (*shape, 3)
        assert frame.dtype == np.uint8
        assert frame.flags.c_contiguous


# A sensor's noise is as fine as its pixels, and clips have tests of their own.
SCALED = [item for item in ITEMS if item["kind"] not in ("noise", "video")]


@pytest.mark.parametrize("item", SCALED, **ids)
def test_the_same_disturbance_at_any_size(item):
    """Five times as wide and high, the picture shows the same things, five times as large."""
    small = _frames(item, FakeScene(48, 64), steps=3)[0][-1]
    large = _frames(item, FakeScene(240, 320), steps=3)[0][-1]
    shrunk = cv2.resize(large, (64, 48), interpolation=cv2.INTER_AREA)
    clean = FakeScene(48, 64)
    for part in ("body", "sky"):  # the floor's stripes are another floor at another size
        within = cv2.erode(clean._where(part).astype(np.uint8), np.ones((5, 5))) == 1
        off = np.abs(shrunk.astype(int) - small)[within].mean()
        change = np.abs(clean.draw().astype(int) - small)[within].mean()
        assert off < max(2.5, 0.35 * change), (off, change)


@pytest.mark.parametrize("item", ITEMS, **ids)
def test_frames_that_are_views_of_others_will_do(item):
    """Channel-first observations arrive transposed."""
    scene = FakeScene(36, 40)
    (distraction,) = build([item], assets="generated")
    distraction.reset(stream(0, "distraction"), scene)
    view = np.ascontiguousarray(scene.draw().transpose(2, 0, 1)).transpose(1, 2, 0)
    view.setflags(write=False)
    np.testing.assert_array_equal(distraction.apply(view, scene), _frames(item, scene)[0][0])


@pytest.mark.parametrize("item", ITEMS, **ids)
def test_how_long_an_episode_lasts_changes_nothing_for_the_next_draw(item):
    """Composition: the others of a mode draw the same whatever this one did within an episode."""
    draws = []
    for shape, steps in (((36, 36), 2), ((40, 48), 9)):
        rng, scene = stream(0, "distraction"), FakeScene(*shape)
        (distraction,) = build([item], assets="generated")
        distraction.reset(rng, scene)
        for _ in range(steps):
            distraction.apply(scene.draw(), scene)
        draws.append(rng.random())
    assert draws[0] == draws[1]


# Layers ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["dots", "sprites"])
def test_behind_shows_on_the_backdrop_and_in_front_everywhere(kind):
    scene = FakeScene(60, 60)
    body = scene._where("body")
    for layer in ("front", "behind"):
        item = {"kind": kind, "layer": layer, "count": 40}
        frames, distraction = _frames(item, scene, steps=4)
        changed = np.any([frame != scene.draw() for frame in frames], axis=(0, 3))
        assert changed[~body].any()
        assert changed[body].any() == (layer == "front")
        assert distraction.keeps_foreground == (layer == "behind")
        assert (distraction.cover is None) == (layer == "behind")


@pytest.mark.parametrize("kind", ["dots", "sprites", "cutout"])
def test_cover_is_where_it_lay_in_the_last_frame(kind):
    scene = FakeScene(84, 84)
    (distraction,) = build([{"kind": kind, "speed": 0.02}], assets="generated")
    distraction.reset(stream(0, "distraction"), scene)
    for _ in range(5):
        out = distraction.apply(_locked(scene), scene)
        changed = (out != scene.draw()).any(-1)
        assert distraction.cover.dtype == np.bool_
        assert distraction.cover.shape == (84, 84)
        assert changed[distraction.cover].mean() > 0.97, "a colour may happen to be the same"
        loose = cv2.dilate(distraction.cover.astype(np.uint8), np.ones((5, 5))) == 1
        assert not changed[~loose].any(), "beyond its edge nothing changed"
    first = distraction.cover
    distraction.reset(stream(1, "distraction"), scene)
    assert distraction.cover is None
    distraction.apply(_locked(scene), scene)
    assert (distraction.cover != first).any()


def test_a_scene_without_a_floor_has_a_backdrop():
    class Sky(FakeScene):
        parts = ("sky", "body")

    for kind in ("dots", "sprites"):
        frames, _ = _frames({"kind": kind, "layer": "behind"}, Sky(36, 36))
        assert (frames[0] != Sky(36, 36).draw()).any()


def test_things_move_on_and_stay_in_the_picture():
    for kind in ("dots", "sprites", "cutout"):
        (distraction,) = build([{"kind": kind, "speed": 0.05}], assets="generated")
        scene, covers = FakeScene(60, 80), []
        distraction.reset(stream(0, "distraction"), scene)
        for _ in range(80):
            distraction.apply(scene.draw(), scene)
            covers.append(distraction.cover)
        assert np.diff(covers, axis=0).any((1, 2)).all()
        assert min(cover.mean() for cover in covers) > 0.02
    assert not np.diff(_frames({"kind": "cutout"}, scene)[0], axis=0).any()


# The kinds ---------------------------------------------------------------------------------------


def test_noise_has_the_deviation_it_says():
    scene = FakeScene(84, 84)
    scene.recolor(dict.fromkeys(("sky", "floor", "body"), ((0.5, 0.5, 0.5),)))
    frames, _ = _frames({"kind": "noise", "intensity": 0.2}, scene)
    differences = [frame.astype(int) - scene.draw() for frame in frames]
    assert np.std(differences[0]) == pytest.approx(0.2 * 0.3 * 255, rel=0.05)
    assert abs(np.mean(differences[0])) < 0.5
    assert np.std(differences[0][..., 0] - differences[0][..., 1]) > 15, "channels of their own"
    assert (frames[0] != frames[1]).any()
    still, _ = _frames({"kind": "noise", "static": True}, scene)
    np.testing.assert_array_equal(still[0], still[2])


def test_salt_and_pepper_replace_the_share_they_say():
    scene = FakeScene(84, 84)
    item = {"kind": "noise", "pattern": "salt_and_pepper", "intensity": 0.5}
    frame = _frames(item, scene)[0][0]
    assert (frame == 0).all(-1).mean() == pytest.approx(0.075, abs=0.015)
    assert (frame == 255).all(-1).mean() == pytest.approx(0.075, abs=0.015)


def test_rectangles_hide_the_share_they_say():
    shares = []
    for seed in range(30):
        _, distraction = _frames({"kind": "cutout", "count": 1, "intensity": 0.5}, _wide(), seed)
        shares.append(distraction.cover.mean())
    assert max(shares) == pytest.approx(0.2, abs=0.01), "two fifths at 1, less at the edges"


def _wide():
    return FakeScene(100, 160)


def test_as_many_things_as_the_intensity_says():
    scene = FakeScene(84, 84)
    for intensity, count in ((0.01, 1), (0.25, 2), (0.5, 4), (1.0, 8)):
        told = _frames({"kind": "sprites", "intensity": intensity}, scene)[1].describe()
        assert len(told["sprites"]) == count
        told = _frames({"kind": "dots", "count": 8, "intensity": intensity}, scene)[1].describe()
        assert told == {"dots": count}
    for kind in ("dots", "sprites", "cutout"):
        with pytest.raises(ValueError, match="at least 1"):
            build([{"kind": kind, "count": 0}])


def test_sprites_are_cut_out_and_of_many_looks():
    drawn = sprites(40)
    assert drawn.shape == (COUNT, 40, 40, 4)
    assert sprites(40) is drawn, "drawn once"
    rgb, cover = drawn[..., :3].astype(int), drawn[..., 3]
    assert (rgb <= cover[..., None]).all(), "premultiplied"
    rows, columns = np.indices((40, 40)) - 19.5
    assert (cover[:, np.hypot(rows, columns) > 21] == 0).all(), "they can be turned"
    assert ((cover > 127).mean((1, 2)) > 0.15).all()
    for index in range(COUNT - 1):
        assert np.abs(rgb[index] - rgb[index + 1]).mean() > 10
        assert np.unique(rgb[index][cover[index] == 255] // 16, axis=0).shape[0] > 5


def _jittered(frame, **arguments):
    nothing = {"hue": 0.0, "saturation": 0.0, "contrast": 0.0, "brightness": 0.0}
    (distraction,) = build([{"kind": "jitter", **nothing, **arguments}])
    distraction.reset(stream(0, "distraction"), FakeScene())
    return distraction.apply(frame, FakeScene()), distraction.describe()


def test_jitter_turns_hues_and_keeps_greys():
    frame = np.array([[[200, 60, 60], [128, 128, 128], [0, 0, 0], [255, 255, 255]]], np.uint8)
    out, told = _jittered(frame, hue=[120, 120])
    assert told == {"hue": 120.0, "saturation": 0.0, "contrast": 0.0, "brightness": 0.0}
    np.testing.assert_array_equal(out[0, 1:], frame[0, 1:])
    assert out[0, 0].argmax() != 0
    same, _ = _jittered(frame, hue=[360, 360])
    assert np.abs(same.astype(int) - frame).max() <= 1


def test_jitter_takes_colours_out_and_scales_light(rng):
    frame = rng.integers(60, 180, (9, 8, 3), np.uint8)
    grey, _ = _jittered(frame, saturation=[-1, -1])
    luma = np.round(frame @ [0.299, 0.587, 0.114])
    assert np.abs(grey - luma[..., None]).max() <= 1
    assert np.abs(grey.astype(int) - grey[..., :1]).max() <= 1
    lit, _ = _jittered(frame, brightness=[0.3, 0.3])
    assert np.abs(lit - 1.3 * frame).max() <= 1
    flat, _ = _jittered(frame, contrast=[-0.5, -0.5])
    assert np.abs(flat - (127.5 + 0.5 * (frame - 127.5))).max() <= 1
    with pytest.raises(ValueError, match="lowest to the highest"):
        _jittered(frame, hue=[10, -10])


def test_jitter_keeps_an_episodes_colours_or_lets_them_wander_slowly():
    scene = FakeScene(20, 20)
    kept, _ = _frames({"kind": "jitter"}, scene, steps=20)
    assert not np.diff(np.array(kept, int), axis=0).any()
    moved, _ = _frames({"kind": "jitter", "pace": "drift"}, scene, steps=120)
    changes = np.abs(np.diff(np.array(moved, int), axis=0)).mean((1, 2, 3))
    assert 0 < changes.mean() < 12
    assert np.abs(moved[0].astype(int) - moved[60]).mean() > 2 * changes.mean()


def test_an_image_stays_for_an_episode_and_changes_with_the_next():
    scene, rng = FakeScene(36, 36), stream(0, "distraction")
    (image,) = build([{"kind": "image", "pack": "video_easy"}], assets="generated")
    shown = []
    for _ in range(3):
        image.reset(rng, scene)
        first, *others = [image.apply(_locked(scene), scene) for _ in range(3)]
        assert all((frame == first).all() for frame in others)
        shown.append(first)
    assert (shown[0] != shown[1]).any()
    assert (shown[1] != shown[2]).any()


def test_unknown_names_say_what_is_known():
    for item, said in (
        ({"kind": "noise", "pattern": "gausian"}, "gaussian"),
        ({"kind": "dots", "layer": "font"}, "front"),
        ({"kind": "jitter", "pace": "drifts"}, "drift"),
        ({"kind": "video", "composite": "bleu"}, "blue"),
    ):
        with pytest.raises(UnknownName, match=f"Did you mean '{said}'"):
            build([item], assets="generated")


# Protocols of the papers on world models ---------------------------------------------------------


def test_the_blue_rule_replaces_what_is_bluest_of_all_and_nothing_else():
    scene = FakeScene(36, 40)
    scene.recolor({"body": ((0.2, 0.5, 0.5),)})  # as blue as green: stays
    (frame, *_), _ = _frames({"kind": "video", "composite": "blue"}, scene)
    clean = scene.draw()
    red, green, blue = clean.astype(int).transpose(2, 0, 1)
    bluest = (blue > red) & (blue > green)
    np.testing.assert_array_equal(frame[~bluest], clean[~bluest])
    assert (frame != clean).any(-1)[bluest].mean() > 0.95
    scene.recolor({"body": ((0.1, 0.2, 0.6),)})  # the papers' rule hides a blue robot too
    (frame, *_), distraction = _frames({"kind": "video", "composite": "blue"}, scene)
    assert (frame != scene.draw()).any(-1)[scene._where("body")].mean() > 0.9
    assert not distraction.keeps_foreground


def test_natural_grey_is_one_tape_without_colours():
    (video,) = build("natural_grey", assets="generated")
    scene, told = FakeScene(20, 20), []
    sky = scene._where("sky")
    for seed in (0, 1):
        video.reset(stream(seed, "distraction"), scene)
        frames = [video.apply(_locked(scene), scene) for _ in range(5)]
        assert all((frame[sky] == frame[sky][:, :1]).all() for frame in frames)
        told.append((video.describe()["clip"], video.describe()["frame"]))
    assert told == [("generated0", 0), ("generated0", 5)]


def test_splits_do_not_share_clips():
    packs = {mode: MODES[mode][0]["pack"] for mode in MODES if mode.startswith(("natural", "sd"))}
    for mode, pack in packs.items():
        trains = mode.endswith("_train") or mode == "natural_grey"  # RePo evaluates on the same
        assert pack == ("driving_train" if trains else "driving_test"), mode


def test_a_green_screen_cannot_be_half_transparent():
    with pytest.raises(ValueError, match="composite='exact'"):
        build([{"kind": "video", "intensity": 0.5, "composite": "chroma"}], assets="generated")
