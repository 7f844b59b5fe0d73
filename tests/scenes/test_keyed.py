"""Scenes of environments without a simulator."""

import gymnasium as gym
import numpy as np
import pytest

from distraction_gym.errors import UnknownName, UnsupportedEnvironment
from distraction_gym.scenes import find_scene
from distraction_gym.scenes.keyed import BlendScene, ColorKeyScene, MaskScene, keyed_scene

ENV = gym.Env()


def top_half(frame, env):
    """Keep the upper half."""
    keep = np.zeros(frame.shape[:2], bool)
    keep[: len(keep) // 2] = True
    return keep


@pytest.fixture
def frame(rng):
    return rng.integers(0, 256, (4, 6, 3)).astype(np.uint8)


@pytest.mark.parametrize("function", [top_half, f"{__name__}:top_half"])
def test_a_mask_function_says_what_to_keep(function, frame):
    scene = keyed_scene(function, ENV)
    assert isinstance(scene, MaskScene)
    for parts in (["sky"], ["sky", "floor"]):
        behind = scene.background(parts, frame)
        assert behind.dtype == bool and not behind[:2].any() and behind[2:].all()


def test_soft_masks_become_weights(frame):
    scene = keyed_scene(lambda frame, env: np.full(frame.shape[:2], 0.25), ENV)
    behind = scene.background(["sky"], frame)
    assert behind.dtype == np.float32 and (behind == 0.75).all()


def test_a_mask_of_another_shape_is_refused(frame):
    with pytest.raises(ValueError, match=r"\(4, 6\)"):
        keyed_scene(lambda frame, env: np.ones((2, 2)), ENV).background(["sky"], frame)


def test_a_colour_key_counts_near_colours_as_background(frame):
    frame[0, 0], frame[0, 1], frame[0, 2] = (0, 255, 0), (9, 246, 10), (0, 240, 0)
    scene = keyed_scene({"key": {"color": [0, 255, 0], "tolerance": 10}}, ENV)
    assert isinstance(scene, ColorKeyScene)
    assert scene.background(["sky"], frame)[0, :3].tolist() == [True, True, False]


@pytest.mark.parametrize(("foreground", "weight"), [("blend", 0.5), ({"blend": 0.3}, 0.3)])
def test_a_blend_covers_everything_a_little(foreground, weight, frame):
    scene = keyed_scene(foreground, ENV)
    assert isinstance(scene, BlendScene)
    np.testing.assert_allclose(scene.background(["floor"], frame), weight)


@pytest.mark.parametrize("name", ["fastsam", "no_module:f", f"{__name__}:nothing", {"kee": {}}])
def test_unknown_foregrounds_are_named(name):
    with pytest.raises(UnknownName, match="foreground"):
        keyed_scene(name, ENV)


@pytest.mark.parametrize("bad", [{"key": {"color": [1, 2]}}, {"key": {"color": [0, 0, 999]}}])
def test_impossible_keys_are_refused(bad):
    with pytest.raises(ValueError, match="key colour"):
        keyed_scene(bad, ENV)


def test_colours_and_green_screens_need_a_simulator(frame):
    scene = BlendScene()
    scene.restore()
    for edit in (
        lambda: scene.recolor({"sky": [(0, 0, 0)]}),
        lambda: scene.flood(["sky"], (0, 1, 0)),
    ):
        with pytest.raises(UnsupportedEnvironment, match="simulator"):
            edit()


def test_nothing_is_known_about_a_plain_environment():
    assert find_scene(ENV) is None


def test_masks_of_bytes_are_refused(frame):
    # OpenCV's masks are 0 and 255.
    scene = keyed_scene(lambda frame, env: np.full(frame.shape[:2], 255, np.uint8), None)
    with pytest.raises(ValueError, match=r"weights in \[0, 1\]"):
        scene.background(["sky"], frame)
