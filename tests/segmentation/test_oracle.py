"""Masks from the simulator."""

import pickle

import gymnasium as gym
import numpy as np
import pytest

from distraction_gym import env_id
from distraction_gym.errors import UnknownName, UnsupportedEnvironment
from distraction_gym.scene import Scene, Segments
from distraction_gym.segmentation import make_segmenter
from distraction_gym.wrappers import AddForegroundMask

SIZE = (6, 8)


class Tiled(Scene):
    """Sky above floor; a robot of two links, a ball and something outside of the picture."""

    parts = ("sky", "floor")
    names = ("sky", "link:a", "link:b", "ball", "floor", "gone")

    def __init__(self, soft=False):
        self.soft = soft

    def segments(self, frame):
        assert frame.shape == (*SIZE, 3)
        ids = np.zeros(SIZE, np.int32)
        ids[3:] = 4
        ids[1, 2:5], ids[2, 4:7], ids[4, 1] = 1, 2, 3
        return Segments(ids, self.names)

    def background(self, parts, frame):
        matte = np.isin(self.segments(frame).ids, [self.names.index(part) for part in parts])
        return matte.astype(np.float32) * 0.9 if self.soft else matte

    def foreground(self, frame, objects=None):
        objects = ("link:a", "link:b") if objects is None else objects
        return np.isin(self.segments(frame).ids, [self.names.index(name) for name in objects])

    def owner(self, name):
        return "robot" if name.startswith("link") else name


class World(gym.Env):
    observation_space = gym.spaces.Box(0, 255, (*SIZE, 3), np.uint8)

    def __init__(self, scene=None):
        self.scene = scene or Tiled()


FRAME = np.zeros((1, *SIZE, 3), np.uint8)
SHOWN = Tiled().segments(FRAME[0]).ids


def bound(env, **kwargs):
    segmenter = make_segmenter("oracle", **kwargs)
    segmenter.bind(env)
    return segmenter


@pytest.mark.parametrize("soft", [False, True])
def test_one_mask_per_thing_largest_first(soft):
    masks, scores = bound(World(Tiled(soft)), k=4).segment(FRAME)
    assert masks.shape == (1, 4, *SIZE)
    np.testing.assert_array_equal(masks[0, 0], np.isin(SHOWN, [1, 2]))  # both links of the robot
    np.testing.assert_array_equal(masks[0, 1], SHOWN == 3)
    assert not masks[0, 2:].any()
    np.testing.assert_array_equal(scores, [[1, 1, 0, 0]])


def test_things_may_be_named_and_come_by_size_all_the_same():
    segmenter = bound(World(), objects=["ball", "gone", "link:b", "floor"])
    masks, scores = segmenter.segment(FRAME)
    wanted = np.stack([np.equal(SHOWN, index) for index in (4, 2, 3)])
    np.testing.assert_array_equal(masks[0, :3], wanted)
    assert scores.sum() == 3
    np.testing.assert_array_equal(segmenter.foreground(FRAME)[0], np.isin(SHOWN, [1, 2]))
    with pytest.raises(ValueError):
        bound(World(), objects=["nothing"]).segment(FRAME)


def test_what_a_distraction_hides_is_in_no_mask():
    env = World()
    env.undistorted = FRAME[0]
    env.cover = np.zeros(SIZE, bool)
    env.cover[:, 4:] = True
    masks, _ = bound(env).segment(FRAME)
    np.testing.assert_array_equal(masks[0, 0], np.isin(SHOWN, [1, 2]) & ~env.cover)
    env.cover[:] = True
    assert not bound(env).segment(FRAME).masks.any()
    assert not bound(env).foreground(FRAME).any()


def test_it_knows_the_newest_frame_of_its_environment_only():
    assert not make_segmenter("oracle").is_stateless
    for name in ("propagated", "degraded"):
        assert make_segmenter(name, segmenter="oracle").needs_env
        assert not make_segmenter(name, segmenter="superpixel").needs_env
    with pytest.raises(ValueError, match=r"call bind\(env\) first"):
        make_segmenter("oracle").segment(FRAME)
    with pytest.raises(ValueError, match="newest frame only, and got 2"):
        bound(World()).segment(FRAME.repeat(2, axis=0))
    world = World()
    world.scene = object()
    with pytest.raises(UnsupportedEnvironment, match=r"ObserveScene\(env\)"):
        bound(world)


@pytest.mark.parametrize("mode", ["clean", "video_hard", "sprites"])
def test_masks_of_the_mini_suite_are_its_sprites(mode):
    env = AddForegroundMask(gym.make(env_id("mini", "reach", "clean"), mode=mode), instances=True)
    segmenter = bound(env)
    env.action_space.seed(0)
    for step in range(4):
        obs, *_, info = env.step(env.action_space.sample()) if step else env.reset(seed=2)
        frame = obs[None].transpose(0, 2, 3, 1)
        masks, _ = segmenter.segment(frame)
        ids, names = info["instances"]["ids"], info["instances"]["names"]
        wanted = {(ids == names.index(part)).tobytes() for part in ("body", "goal")}
        assert {mask.tobytes() for mask in masks[0, :2]} == wanted and not masks[0, 2:].any()
        np.testing.assert_array_equal(segmenter.foreground(frame)[0], info["foreground"])
    with pytest.raises(UnknownName):
        bound(env, objects=["boddy"]).segment(frame)


def test_a_pickled_one_follows_the_pickled_environment():
    env = gym.make(env_id("mini", "reach"))
    env.reset(seed=0)
    env, segmenter = pickle.loads(pickle.dumps((env, bound(env))))
    obs, _ = env.reset(seed=5)
    other = gym.make(env_id("mini", "reach"))
    other.reset(seed=5)
    frame = obs[None].transpose(0, 2, 3, 1)
    wanted = bound(other).segment(frame)
    np.testing.assert_array_equal(segmenter.segment(frame).masks, wanted.masks)


@pytest.mark.render
def test_geoms_of_one_body_are_one_thing():
    pytest.importorskip("dm_control")
    env = AddForegroundMask(gym.make(env_id("dmcgb", "cartpole_swingup"), frame_stack=1))
    obs, info = env.reset(seed=0)
    frame = obs[None].transpose(0, 2, 3, 1)
    scene = env.get_wrapper_attr("scene")
    masks, scores = bound(env, k=4).segment(frame)
    named = [scene.foreground(frame[0], [body]) for body in ("body:cart", "body:pole_1")]
    np.testing.assert_array_equal(masks[0, :2], named)  # no rails, no floor
    assert scores[0].tolist() == [1, 1, 0, 0]
    np.testing.assert_array_equal(masks[0].any(axis=0), info["foreground"])
    assert scene.owner("geom:floor") == "geom:floor" and scene.owner("sky") == "sky"
    env.close()
