"""Pictures and clips on surfaces of the scene, and the screen that carries one."""

import numpy as np
import pytest
from fakes import FakeScene, write_clip

from distraction_gym.distractions.texture import Texture, TextureVideo


@pytest.fixture
def assets(tmp_path):
    for index in range(4):
        write_clip(tmp_path / "pack" / f"clip{index}.mp4", frames=12, seed=index)
    return str(tmp_path)


def shown(kind, frames, seed=0):
    """Return which frame of a clip each step shows (grey values tell), and the scene."""
    scene = FakeScene()
    kind.reset(np.random.default_rng(seed), scene)
    seen = []
    for _ in range(frames):
        scene.frame(kind)
        seen.append(round((float(scene.pictures["sky"].mean()) - 10) / 8))
    return seen, scene


def video(assets, **arguments):
    return TextureVideo("pack", size=16, assets=assets, **arguments)


def test_a_clip_plays_from_its_first_frame_on(assets):
    seen, scene = shown(video(assets), 5)
    assert seen == [0, 1, 2, 3, 4]
    assert scene.pictures["sky"].shape == (16, 16, 3)
    assert scene.calls[0] == ("wrap", "sky", 1.0)


def test_the_suites_rules_start_anywhere_go_either_way_and_bounce(assets):
    starts, ways = set(), set()
    for seed in range(30):
        seen, _ = shown(video(assets, start="random", motion="bounce"), 40, seed)
        starts.add(seen[0])
        ways.add(np.sign(seen[1] - seen[0]))
        assert set(np.abs(np.diff(seen))) <= {0, 1} and {0, 11} <= set(seen)
    assert len(starts) > 8 and {-1, 1} <= ways


def test_frames_per_step_skip(assets):
    assert shown(video(assets, frames_per_step=4), 4)[0] == [0, 4, 8, 0]
    assert shown(video(assets, frames_per_step=0.5), 5)[0] == [0, 0, 1, 1, 2]


def test_a_still_clip_is_sent_once_per_episode(assets):
    seen, scene = shown(video(assets, start="random", motion="still"), 4)
    assert len(set(seen)) == 1
    assert len(scene.calls) == 1


def test_only_the_first_clips_take_part(assets):
    names = set()
    for seed in range(20):
        kind = video(assets, clips=2)
        shown(kind, 1, seed)
        names.add(kind.describe()["clip"])
    assert names == {"clip0.mp4", "clip1.mp4"}


def test_seeded_lists_go_on_from_episode_to_episode_and_begin_anew_with_a_seed(assets):
    kind, scene = video(assets, order="seeded"), FakeScene()

    def play(seed):
        rng, names = np.random.default_rng(seed), []
        for _ in range(5):
            kind.reset(rng, scene)
            scene.frame(kind)
            names.append(int(kind.describe()["clip"][4]))
        return names

    first = play(0)
    assert first == [(first[0] + step) % 4 for step in range(5)]
    assert play(0) == first
    assert {play(seed)[0] for seed in range(20)} == {0, 1, 2, 3}


def test_parts_fade_in_proportion_to_the_intensity(assets):
    fade = {"floor": 0.3}
    assert shown(video(assets, fade=fade), 1)[1].alphas == {"floor": pytest.approx(0.3)}
    scene = shown(video(assets, fade=fade, intensity=0.5), 1)[1]
    assert scene.alphas == {"floor": pytest.approx(0.65)}
    assert scene.calls[-1] == ("wrap", "sky", 0.5)


def test_nothing_happens_at_intensity_0(assets):
    scene, kind = FakeScene(), video(assets, intensity=0.0, fade={"floor": 0.0})
    kind.reset(np.random.default_rng(0), scene)
    scene.frame(kind)
    assert scene.calls == [] and scene.alphas == {}


def test_a_texture_is_one_picture_per_episode(assets):
    kind, scene = Texture("pack", "floor", size=16, assets=assets), FakeScene()
    kind.reset(np.random.default_rng(0), scene)
    for _ in range(3):
        scene.frame(kind)
    assert scene.calls == [("wrap", "floor", 1.0)]


def test_a_screen_stands_tilted_and_follows_along_its_axes(assets):
    screen = {
        "material": "screen",
        "position": [1.0, 2.0, 3.0],
        "size": [1.0, 0.1, 1.0],
        "tilt": -30.0,
        "follow": [0, 2],
    }
    kind, scene = video(assets, screen=screen), FakeScene()
    kind.reset(np.random.default_rng(0), scene)
    scene.middle = np.array([10.0, 20.0, 30.0])
    scene.frame(kind)
    (solid,) = scene.solids
    assert solid.position == (11.0, 2.0, 33.0) and solid.material == "screen"
    # tilted back: its upper edge leans away from a camera that looks along +y
    up = np.reshape(solid.rotation, (3, 3))[:, 2]
    np.testing.assert_allclose(up, [0, 0.5, np.sqrt(0.75)])
    with pytest.raises(ValueError, match="axes"):
        video(assets, screen={**screen, "follow": [3]})
