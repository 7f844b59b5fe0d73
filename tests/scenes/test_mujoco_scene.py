"""The MuJoCo scene against dm_control: its pictures, its segmentation, its reloaded XML."""

import pickle

import numpy as np
import pytest

from distraction_gym.errors import UnknownName, UnsupportedEnvironment

pytest.importorskip("dm_control")
from dm_reference import GREEN, load, reload_with, scene_of

pytestmark = pytest.mark.render
TASKS = [("walker", "walk"), ("cartpole", "swingup"), ("finger", "spin")]
COLORS = {
    "sky": [(0.9, 0.3, 0.55)],
    "floor": [(0.5, 0.02, 0.31), (0.6, 0.12, 0.41)],
    "body": [(0.3, 0.9, 0.1)],
}


@pytest.mark.parametrize(("domain", "task"), [*TASKS, ("quadruped", "walk")])
def test_the_picture_is_dm_controls_in_every_pixel(domain, task):
    env = load(domain, task)
    frame = scene_of(env, image_size=84).render()
    assert frame.shape == (84, 84, 3) and frame.dtype == np.uint8
    np.testing.assert_array_equal(frame, env.physics.render(84, 84, camera_id=0))


def test_drawing_leaves_dm_controls_own_context_alone():
    env, other = load("walker", "walk"), load("cartpole", "swingup")
    before = env.physics.render(60, 90, camera_id=1)
    scene_of(other).render()
    np.testing.assert_array_equal(env.physics.render(60, 90, camera_id=1), before)


def test_rectangles_and_named_cameras():
    env = load("walker", "walk")
    frame = scene_of(env, image_size=(60, 90), camera="back").render()
    np.testing.assert_array_equal(frame, env.physics.render(60, 90, camera_id="back"))


def test_masks_are_dm_controls_segmentation():
    env = load("cartpole", "swingup")
    scene = scene_of(env, extra_background={"sky": ["rail1", "rail2"]})
    frame = scene.render()
    ids = env.physics.render(84, 84, camera_id=0, segmentation=True)
    names = [env.physics.model.id2name(index, "geom") for index in range(env.physics.model.ngeom)]
    rails = np.isin(ids[..., 0], [names.index("rail1"), names.index("rail2")]) & (ids[..., 1] == 5)
    floor = (ids[..., 0] == names.index("floor")) & (ids[..., 1] == 5)
    assert rails.any()
    np.testing.assert_array_equal(scene.background(["sky"], frame), (ids[..., 1] == -1) | rails)
    np.testing.assert_array_equal(scene.background(["floor"], frame), floor)
    np.testing.assert_array_equal(
        scene.background(["sky", "floor"], frame), (ids[..., 1] == -1) | rails | floor
    )


def test_the_string_and_the_target_are_no_background():
    env = load("ball_in_cup", "catch")
    scene = scene_of(env)
    ids = env.physics.render(84, 84, camera_id=0, segmentation=True)
    others = (ids[..., 1] != 5) & (ids[..., 1] != -1)
    assert others.any()
    assert not scene.background(["sky", "floor"], scene.render())[others].any()


@pytest.mark.parametrize(("domain", "task"), TASKS)
def test_new_colours_equal_a_reload_of_the_xml(domain, task):
    env = load(domain, task)
    scene = scene_of(env)
    scene.recolor(COLORS)
    frame = scene.render()
    reload_with(env, domain, colors=COLORS)
    reference = env.physics.render(84, 84, camera_id=0)
    assert np.abs(frame.astype(int) - reference).max() <= 1


@pytest.mark.parametrize("parts", [["sky"], ["sky", "floor"]])
def test_a_flood_equals_a_reload_of_the_xml(parts):
    env = load("walker", "walk")
    scene = scene_of(env)
    scene.flood(parts, GREEN)
    frame = scene.render()
    reload_with(env, "walker", flooded=parts)
    reference = env.physics.render(84, 84, camera_id=0)
    assert np.abs(frame.astype(int) - reference).max() <= 1


def test_restore_brings_every_pixel_back():
    scene = scene_of(load("walker", "walk"))
    stock = scene.render()
    scene.recolor(COLORS)
    assert (scene.render() != stock).mean() > 0.5
    scene.flood(["sky", "floor"], GREEN)
    scene.render()
    scene.restore()
    np.testing.assert_array_equal(scene.render(), stock)


def test_colours_that_are_there_already_are_not_sent_again():
    scene = scene_of(load("walker", "walk"))
    scene.render()
    sent = []
    scene._canvas.upload = sent.append
    for _ in range(2):
        scene.restore()
        scene.flood(["sky"], GREEN)
        scene.render()
    assert len(sent) == 1


def test_qualities():
    differences = {}
    for quality in ("fast", "draft"):
        env = load("walker", "walk")
        pairs = []
        standard, cheap = scene_of(env), scene_of(env, quality=quality)
        for _ in range(20):
            env.step(np.zeros(6))
            pairs.append(np.abs(standard.render().astype(int) - cheap.render()).mean())
        differences[quality] = np.mean(pairs)
    assert differences["fast"] < 0.03 < differences["draft"]


def test_the_models_own_settings_survive():
    env = load("walker", "walk")
    model = env.physics.model
    before = (
        model.vis.global_.offwidth,
        model.vis.quality.shadowsize,
        model.vis.quality.offsamples,
    )
    scene_of(env, quality="fast").render()
    after = (model.vis.global_.offwidth, model.vis.quality.shadowsize, model.vis.quality.offsamples)
    assert after == before


def test_a_changed_height_field_is_drawn():
    env = load("quadruped", "escape", steps=0)
    scene = scene_of(env, camera=2)
    for _ in range(2):
        env.reset()
        np.testing.assert_array_equal(scene.render(), env.physics.render(84, 84, camera_id=2))


def test_a_pickle_keeps_colours_and_stock():
    env = load("walker", "walk")
    scene = scene_of(env)
    stock = scene.render()
    scene.recolor(COLORS)
    frame = scene.render()
    twin, state = pickle.loads(pickle.dumps((scene, env.physics)))
    np.testing.assert_array_equal(twin.render(), frame)
    state.step(5)  # the twin draws the physics that were pickled beside it
    assert (twin.render() != frame).any()
    scene.restore(), twin.restore()
    np.testing.assert_array_equal(scene.render(), stock)
    assert (twin.render()[0, 0] == stock[0, 0]).all()


def test_a_closed_scene_opens_again():
    scene = scene_of(load("walker", "walk"))
    frame = scene.render()
    scene.close()
    np.testing.assert_array_equal(scene.render(), frame)


def test_a_sky_without_a_texture_takes_a_plain_colour():
    from distraction_gym.scenes.canvas import mujoco
    from distraction_gym.scenes.mujoco import MujocoScene

    model = mujoco.MjModel.from_xml_string(
        "<mujoco><worldbody><geom size='1'/></worldbody></mujoco>"
    )
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    scene = MujocoScene(model, data)
    stock = scene.render()
    sky = scene.background(["sky"], stock)
    assert sky.any() and not sky.all() and not stock[sky].any(axis=-1).all()
    scene.flood(["sky"], GREEN)
    frame = scene.render()
    assert (frame[sky] == (51, 204, 51)).all()
    np.testing.assert_array_equal(frame[~sky], stock[~sky])
    scene.restore()
    np.testing.assert_array_equal(scene.render(), stock)
    with pytest.raises(UnsupportedEnvironment, match="the sky of this model has no texture"):
        scene.wrap("sky", np.zeros((8, 8, 3), np.uint8))


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"camera": "bakc"}, "Did you mean 'back'"),
        ({"camera": 9}, "unknown camera '9'"),
        ({"quality": "standart"}, "Did you mean 'standard'"),
        ({"extra_background": {"sky": ["flor"]}}, "Did you mean 'floor'"),
        ({"extra_background": {"body": ["floor"]}}, "unknown background part"),
    ],
)
def test_unknown_names_are_named(kwargs, message):
    with pytest.raises(UnknownName, match=message):
        scene_of(load("walker", "walk"), **kwargs)


def test_unknown_parts_are_named():
    scene = scene_of(load("walker", "walk"))
    with pytest.raises(UnknownName, match="floor"):
        scene.background(["flor"], scene.render())
    with pytest.raises(UnknownName, match="sky"):
        scene.recolor({"sku": [(0, 0, 0)]})
