"""Lights: where, of which colour, how bright, and their shadows."""

import numpy as np
import pytest
from fakes import LIGHTS, FakeScene

from distraction_gym.distractions.lights import Light, LightSweep
from distraction_gym.errors import UnknownName


def lit(kind, frames=1, seed=0, scene=None):
    scene = scene or FakeScene()
    kind.reset(np.random.default_rng(seed), scene)
    for _ in range(frames):
        scene.frame(kind)
    return scene.lamps


def test_a_lamp_swings_about_what_the_camera_looks_at_and_keeps_its_distance():
    for seed in range(20):
        lamp = lit(Light(1.0, ["position"]), seed=seed)[1]
        assert np.linalg.norm(lamp.position) == pytest.approx(3)
        # it still shines on the robot
        np.testing.assert_allclose(-3 * np.array(lamp.direction), lamp.position)
        assert lamp.diffuse == LIGHTS[1].diffuse
    assert any(lit(Light(1.0), seed=seed)[1].position[0] for seed in range(3))


def test_the_light_at_the_camera_stays_there_and_changes_its_colour():
    head = lit(Light(1.0))[0]
    assert head.position == LIGHTS[0].position and head.direction == LIGHTS[0].direction
    assert head.diffuse != LIGHTS[0].diffuse


def test_colours_and_strength_have_limits():
    gains = np.array(
        [np.divide(lit(Light(1.0, ["strength"]), seed=s)[1].diffuse, 0.7) for s in range(80)]
    )
    assert np.ptp(gains, axis=1).max() < 1e-12  # brighter or darker, not coloured
    assert 0.3 <= gains.min() < 0.45 and 1.5 < gains.max() <= 1.8
    gains = np.array(
        [np.divide(lit(Light(1.0, ["color"]), seed=s)[1].diffuse, 0.7) for s in range(80)]
    )
    assert 0.2 - 1e-9 <= gains.min() < 0.3 and gains.max() <= 1


@pytest.mark.parametrize(("shadows", "expected"), [("on", {True}), ("off", {False})])
def test_shadows_can_be_set(shadows, expected):
    assert {lamp.casts_shadow for lamp in lit(Light(shadows=shadows))} == expected


def test_random_shadows_hold_for_an_episode():
    seen = set()
    for seed in range(10):
        kind = Light(shadows="random")
        first = lit(kind, seed=seed)[1].casts_shadow
        assert lit(kind, frames=3, seed=seed)[1].casts_shadow == first
        assert kind.describe()["shadows"] == ("on" if first else "off")
        seen.add(first)
    assert seen == {True, False}


def test_light_holds_for_an_episode_unless_it_moves():
    assert lit(Light(), 1) == lit(Light(), 5)
    assert lit(Light(moving=True), 1) != lit(Light(moving=True), 5)
    path = np.array([lit(Light(1.0, moving=True), n)[1].position for n in range(1, 30)])
    assert np.linalg.norm(np.diff(path, axis=0), axis=1).max() < 0.6  # smoothly


def test_unknown_names_and_intensity_0():
    with pytest.raises(UnknownName, match="Did you mean 'color'"):
        Light(change=["colour"])
    with pytest.raises(UnknownName, match="shadows"):
        Light(shadows="none")
    assert lit(Light(0.0, shadows="off")) == LIGHTS


def test_a_sweep_goes_to_and_fro_along_y_and_begins_in_the_middle():
    kind, scene = LightSweep(step=0.5, reach=1.0), FakeScene()
    for _ in range(2):  # episodes
        kind.reset(np.random.default_rng(0), scene)
        lamps = [lit_next(kind, scene) for _ in range(10)]
        places = [lamp.position[1] for _, lamp in lamps]
        assert places == [0, 0.5, 1, 0.5, 0, -0.5, -1, -0.5, 0, 0.5]
        assert all(head == LIGHTS[0] and lamp.direction == (0, 0, -1) for head, lamp in lamps)
    assert lit(LightSweep(0.5, step=0.5), frames=2)[1].position == (0, 0.25, 3)
    assert lit(LightSweep(0.0), frames=2) == LIGHTS
    with pytest.raises(ValueError, match="positive"):
        LightSweep(step=0)


def lit_next(kind, scene):
    scene.frame(kind)
    return scene.lamps
