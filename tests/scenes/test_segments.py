"""Which object each pixel of a MuJoCo scene shows, and foregrounds made of such objects."""

import numpy as np
import pytest

from distraction_gym.errors import UnknownName, UnsupportedEnvironment
from distraction_gym.scene import Pose

pytest.importorskip("dm_control")
from dm_reference import load, plain_model, scene_of

from distraction_gym.scenes.canvas import mujoco

pytestmark = pytest.mark.render
RED = (1.0, 0.0, 0.0)


def test_a_state_is_segmented_once():
    env = load("walker", "walk")
    scene = scene_of(env)
    frame = scene.render()
    passes, segments = [], scene._canvas.segments
    scene._canvas.segments = lambda: passes.append(1) or segments()
    scene.background(["sky"], frame), scene.background(["sky", "floor"], frame)
    scene.foreground(frame), scene.segments(frame)
    assert len(passes) == 1
    env.step(np.ones(6))
    moved = scene.foreground(frame)  # of a state that nobody has asked to be drawn
    assert len(passes) == 2
    np.testing.assert_array_equal(moved, scene.foreground(scene.render()))


def test_segments_are_named():
    env = load("ball_in_cup", "catch")
    scene = scene_of(env)
    frame = scene.render()
    ids, names = scene.segments(frame)
    assert ids.shape == (84, 84) and ids.dtype == np.int32
    assert names[0] == "sky" and len(set(names)) == len(names)
    assert {"geom:ball", "geom:ground", "tendon:string"} <= set(names)
    reference = env.physics.render(84, 84, camera_id=0, segmentation=True)
    ball = env.physics.model.name2id("ball", "geom")
    is_ball = (reference[..., 0] == ball) & (reference[..., 1] == 5)
    np.testing.assert_array_equal(ids == names.index("geom:ball"), is_ball)
    string = reference[..., 1] == int(mujoco.mjtObj.mjOBJ_TENDON)
    np.testing.assert_array_equal(scene.foreground(frame, ["tendon:string"]), string)


def test_foregrounds_by_name():
    env = load("ball_in_cup", "catch")
    scene = scene_of(env, relevant=["body:ball", "tendon:string"])
    frame = scene.render()

    def mask(*names):
        return scene.foreground(frame, names)

    np.testing.assert_array_equal(mask("body:ball"), mask("geom:ball"))
    cups = [f"geom:cup_part_{index}" for index in range(5)]
    np.testing.assert_array_equal(mask("body:cup"), mask(*cups))
    np.testing.assert_array_equal(scene.foreground(frame), mask("geom:ball", "tendon:string"))
    ball = env.physics.model.name2id("ball", "geom")
    np.testing.assert_array_equal(mask(f"geom:{ball}"), mask("geom:ball"))
    np.testing.assert_array_equal(mask("group:0"), mask("floor") | mask("body:cup", "body:ball"))
    np.testing.assert_array_equal(mask("sky"), scene.background(["sky"], frame))
    assert mask("body:ball").any() and not mask("site:target").any() and not mask().any()


@pytest.mark.parametrize(
    "name", ["geom:bal", "body:nobody", "group:4", "site:7", "torch", "group:"]
)
def test_unknown_objects_are_named(name):
    env = load("ball_in_cup", "catch")
    with pytest.raises(UnknownName, match=f"unknown object of this MuJoCo scene '{name}'"):
        scene_of(env, relevant=[name])
    with pytest.raises(UnknownName, match="Did you mean 'geom:ball'"):
        scene_of(env).foreground(None, ["geom:bal"])


def test_a_plain_model_without_names_and_cameras():
    from distraction_gym.scenes.mujoco import MujocoScene

    geoms = "<geom size='.3' rgba='1 0 0 1'/><geom pos='1 0 0' size='.3' rgba='0 1 0 1'/>"
    model, data = plain_model(geoms)
    scene = MujocoScene(model, data, quality="draft")
    frame = scene.render()
    assert scene.segments(frame).names == ("sky", "geom:0", "geom:1")
    assert scene.materials() == {"geom:0": RED, "geom:1": (0.0, 1.0, 0.0)}
    scene.tint({"geom:0": (0.0, 0.0, 1.0)})
    frame = scene.render()
    assert frame[scene.foreground(frame, ["geom:0"])].mean(axis=0).argmax() == 2
    assert frame[scene.foreground(frame, ["geom:1"])].mean(axis=0).argmax() == 1
    with pytest.raises(UnsupportedEnvironment, match="no texture"):
        scene.wrap("floor", np.zeros((8, 8, 3), np.uint8))
    np.testing.assert_allclose(scene.focus(), model.stat.center)


def test_more_objects_than_a_colour_channel_can_count():
    from distraction_gym.scenes.mujoco import MujocoScene

    spots = [(column, row) for row in range(20) for column in range(20)]
    model, data = plain_model("".join(f"<geom size='.4' pos='{x} {y} 0'/>" for x, y in spots))
    scene = MujocoScene(model, data, image_size=200, quality="draft")
    scene.stagehand = lambda: scene.aim(Pose(np.array([9.5, 9.5, 30.0]), np.eye(3)))
    frame = scene.render()
    ids, names = scene.segments(frame)
    assert len(names) == 401 and len(np.unique(ids)) == 401
    rows, _ = np.nonzero(ids == names.index("geom:399"))
    assert rows.mean() < 40  # the last one is at the top
