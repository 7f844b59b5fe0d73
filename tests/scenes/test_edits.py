"""Edits of a MuJoCo scene, against the same edits made in dm_control's own structures."""

import pickle
from dataclasses import replace

import cv2
import numpy as np
import pytest

from distraction_gym.errors import UnknownName, UnsupportedEnvironment
from distraction_gym.scene import Pose, Solid

pytest.importorskip("dm_control")
from dm_reference import GREEN, load, plain_model, reload_with, scene_of

from distraction_gym.scenes.canvas import mujoco
from distraction_gym.scenes.paints import holding

pytestmark = pytest.mark.render
RED = (1.0, 0.0, 0.0)


@pytest.fixture
def picture(rng):
    return rng.integers(0, 256, (64, 64, 3)).astype(np.uint8)


def everything(scene, picture):
    """Return an edit of every kind, by name: what `restore` and physics have to survive."""

    def place():
        ahead = scene.view().position - 2 * scene.view().rotation[:, 2]
        scene.place([Solid("sphere", tuple(ahead), (0.2, 0.2, 0.2), RED)])

    def darken():
        scene.light([replace(light, diffuse=(0.1, 0.0, 0.0)) for light in scene.lights()])

    def lasting():
        scene.tint(dict.fromkeys(scene.materials(), RED))
        scene.fade("floor", 0.4)
        scene.wrap("sky", picture)
        scene.wrap("floor", picture)
        scene.hide(["sky", "floor"])

    return {
        "turn": lambda: scene.turn(roll=20, pan=5, tilt=5),
        "aim": lambda: scene.aim(Pose(scene.view().position + 0.3, scene.view().rotation)),
        "lights": darken,
        "solids": place,
        "lasting": lasting,
    }


def staged(scene, edit):
    scene.stagehand = edit
    frame = scene.render()
    scene.stagehand = None
    return frame


# Pairing and restoring ---------------------------------------------------------------------------


def test_physics_and_the_model_never_meet_an_edit(picture):
    ours, plain = load("walker", "walk"), load("walker", "walk")
    scene = scene_of(ours, quality="draft")
    model = ours.physics.model.ptr
    names = ("mat_rgba", "geom_rgba", "tex_data", "tex_height", "tex_adr", "mat_reflectance")
    stock = {name: getattr(model, name).copy() for name in names}
    edits = everything(scene, picture)

    def edit():
        for one in edits.values():
            one()

    rng = np.random.default_rng(1)
    for _ in range(10):
        action = rng.uniform(-1, 1, 6)
        rewards = ours.step(action).reward, plain.step(action).reward
        staged(scene, edit)
        assert rewards[0] == rewards[1]
        np.testing.assert_array_equal(ours.physics.get_state(), plain.physics.get_state())
        np.testing.assert_array_equal(ours.physics.data.cam_xpos, plain.physics.data.cam_xpos)
        for name, values in stock.items():
            np.testing.assert_array_equal(getattr(model, name), values, name)


def test_every_edit_shows_and_is_undone(picture):
    scene = scene_of(load("walker", "walk"), quality="fast")
    stock = scene.render()
    for name, edit in everything(scene, picture).items():
        assert (staged(scene, edit) != stock).any(), name
        scene.restore()
        np.testing.assert_array_equal(scene.render(), stock, name)


def test_a_pickle_keeps_colours_and_textures(picture):
    env = load("walker", "walk")
    scene = scene_of(env, quality="draft", relevant=["geom:torso"])
    frame = staged(scene, everything(scene, picture)["lasting"])
    twin, _ = pickle.loads(pickle.dumps((scene, env.physics)))
    twin_frame = twin.render()
    np.testing.assert_array_equal(twin_frame, frame)
    np.testing.assert_array_equal(twin.foreground(frame), scene.foreground(frame))


def test_colours_that_the_environment_changes_stay_its_own():
    # dm_control's visualize_reward writes the body's colour in every step.
    env = load("walker", "walk")
    scene = scene_of(env)
    scene.tint({"grid": RED})
    scene.render()
    env.physics.named.model.mat_rgba["self"] = [0, 0, 1, 1]
    shown = scene.render()[scene.background(["body"], None)]
    assert shown.mean(axis=0).argmax() == 2
    assert scene.materials()["self"] == (0.0, 0.0, 1.0) and scene.materials()["grid"] == RED


# The camera --------------------------------------------------------------------------------------


@pytest.mark.parametrize("domain", ["walker", "cartpole"])
def test_a_moved_camera_is_the_one_written_into_the_data(domain):
    # The Distracting Control Suite and DMC-GB2 overwrite cam_xpos and cam_xmat before they draw.
    env = load(domain, {"walker": "walk", "cartpole": "swingup"}[domain])
    scene = scene_of(env)
    roll = np.radians(30)
    turn = np.array([[np.cos(roll), -np.sin(roll), 0], [np.sin(roll), np.cos(roll), 0], [0, 0, 1]])
    data = env.physics.data
    wanted = Pose(data.cam_xpos[0] + [0.4, 0.3, 0.2], data.cam_xmat[0].reshape(3, 3) @ turn)
    frame = staged(scene, lambda: scene.aim(wanted))
    behind = scene.background(["sky"], frame)
    data.cam_xpos[0], data.cam_xmat[0] = wanted.position, wanted.rotation.ravel()
    np.testing.assert_array_equal(frame, env.physics.render(84, 84, camera_id=0))
    ids = env.physics.render(84, 84, camera_id=0, segmentation=True)
    np.testing.assert_array_equal(behind, ids[..., 1] == -1)


def test_turns_multiply_on_the_right_and_add_to_an_aim():
    scene = scene_of(load("walker", "walk"), quality="draft")
    seen = {}

    def edit():
        seen["start"] = scene.view()
        scene.aim(Pose(seen["start"].position + 1, seen["start"].rotation))
        scene.turn(pan=90)
        scene.turn(tilt=90)
        seen["end"] = scene.view()

    staged(scene, edit)
    right, up, backward = seen["start"].rotation.T
    # Panned to the left, then tilted upwards: it looks up, and what was right is behind it.
    wanted = np.column_stack([-backward, right, -up])
    np.testing.assert_allclose(seen["end"].rotation, wanted, atol=1e-6)
    np.testing.assert_allclose(seen["end"].position, seen["start"].position + 1)
    scene.render()
    np.testing.assert_allclose(scene.view().position, seen["start"].position, atol=1e-6)


def test_the_view_is_the_models_camera():
    env = load("walker", "walk")
    pose = scene_of(env).view()
    np.testing.assert_allclose(pose.position, env.physics.data.cam_xpos[0], atol=1e-6)
    np.testing.assert_allclose(pose.rotation.ravel(), env.physics.data.cam_xmat[0], atol=1e-6)


def test_the_focus_is_what_a_tracking_camera_follows():
    walker, cartpole = load("walker", "walk"), load("cartpole", "swingup")
    com = walker.physics.named.data.subtree_com["torso"]
    np.testing.assert_array_equal(scene_of(walker).focus(), com)
    np.testing.assert_array_equal(scene_of(cartpole).focus(), np.zeros(3))
    np.testing.assert_array_equal(
        scene_of(cartpole, camera=-1).focus(), cartpole.physics.model.stat.center
    )


# Lights and solids -------------------------------------------------------------------------------


def test_lights_that_are_put_back_change_nothing():
    scene = scene_of(load("walker", "walk"))
    stock = scene.render()
    np.testing.assert_array_equal(staged(scene, lambda: scene.light(scene.lights())), stock)
    assert [light.is_headlight for light in scene.lights()] == [True, False]


def test_lights_have_colours_and_shadows():
    scene = scene_of(load("walker", "walk"))
    stock = scene.render().astype(int)

    def paint(**changes):
        return lambda: scene.light([replace(light, **changes) for light in scene.lights()])

    red = staged(scene, paint(ambient=(0.4, 0, 0), diffuse=(0.6, 0, 0), specular=(0, 0, 0)))
    floor = scene.background(["floor"], red)
    assert red[floor].mean(axis=0)[1:].max() < 2 < red[floor].mean(axis=0)[0]
    # Not simply brighter: without shadows MuJoCo's lamps light a floor by its few corners.
    plain = staged(scene, paint(casts_shadow=False))
    assert (plain[floor].astype(int) != stock[floor]).mean() > 0.2
    with pytest.raises(ValueError, match="expected 2 lights, got 1"):
        scene.light(scene.lights()[:1])


@pytest.mark.parametrize("shape", ["sphere", "box", "capsule", "cylinder", "ellipsoid"])
def test_solids_are_in_front_and_do_not_matter(shape):
    scene = scene_of(load("walker", "walk"))
    at = tuple(scene.focus() + 0.5 * scene.view().rotation[:, 2])
    solid = Solid(shape, at, (0.2, 0.2, 0.2), RED)
    bare = scene.foreground(scene.render())
    frame = staged(scene, lambda: scene.place([solid]))
    ids, names = scene.segments(frame)
    shown = ids == names.index("solid:0")
    assert shown.sum() > 50 and frame[shown].mean(axis=0).argmax() == 0
    assert (bare & shown).any()  # it hides a part of the robot
    assert not scene.foreground(frame)[shown].any()
    assert not scene.background(["sky", "floor", "body"], frame)[shown].any()
    assert "solid:0" not in scene.segments(scene.render()).names
    with pytest.raises(UnknownName, match="Did you mean 'sphere'"):
        scene.place([replace(solid, shape="sphear")])


# Colours and textures ----------------------------------------------------------------------------


def test_tints_are_the_materials_rgba():
    env = load("walker", "walk")
    scene = scene_of(env)
    colors = {name: (i % 3 / 2, i % 5 / 4, i % 2 / 1) for i, name in enumerate(scene.materials())}
    assert len(colors) == env.physics.model.nmat
    scene.tint(colors)
    frame = scene.render()
    for name, color in colors.items():
        env.physics.named.model.mat_rgba[name, :3] = color
    np.testing.assert_array_equal(frame, env.physics.render(84, 84, camera_id=0))
    with pytest.raises(UnknownName, match="Did you mean 'grid'"):
        scene.tint({"gird": RED})


def test_an_invisible_floor_shows_the_sky():
    env = load("cartpole", "swingup")
    scene = scene_of(env)
    scene.fade("floor", 0.0)
    frame = scene.render()
    assert not scene.background(["floor"], frame).any()
    env.physics.named.model.mat_rgba["grid", 3] = 0
    np.testing.assert_array_equal(frame, env.physics.render(84, 84, camera_id=0))
    scene.fade("grid", 1.0)  # a material by its name
    with pytest.raises(UnsupportedEnvironment, match="sky"):
        scene.fade("sky", 0.5)
    with pytest.raises(UnknownName, match="material"):
        scene.fade("ceiling", 0.5)


def test_a_wrapped_sky_is_the_distracting_control_suites(picture):
    env = load("walker", "walk")
    scene = scene_of(env)
    scene.wrap("sky", picture)
    frame = scene.render()
    env.physics.render(84, 84, camera_id=0)  # makes dm_control's context
    model = env.physics.model.ptr
    sky = env.physics.model.name2id("skybox", "texture")
    model.tex_height[sky] = model.tex_width[sky] = len(picture)
    start = model.tex_adr[sky]
    model.tex_data[start : start + picture.size] = picture.ravel()
    with env.physics.contexts.gl.make_current() as context:
        context.call(mujoco.mjr_uploadTexture, model, env.physics.contexts.mujoco.ptr, sky)
    np.testing.assert_array_equal(frame, env.physics.render(84, 84, camera_id=0))


def test_a_film_on_the_sky_is_uploaded_once_and_shown_from_then_on(rng):
    scene, fresh = (scene_of(load("walker", "walk")) for _ in range(2))
    clip = rng.integers(0, 256, (3, 128, 128, 3)).astype(np.uint8)
    scene.render()
    sent, upload = [], scene._canvas.upload
    scene._canvas.upload = lambda texture: sent.append(texture) or upload(texture)
    for picture in clip:
        scene.wrap("sky", picture)
        frame = scene.render()
    assert sent == [0]
    fresh.wrap("sky", clip[-1])
    np.testing.assert_array_equal(frame, fresh.render())  # whether it is the first or the last
    scene.wrap("sky", clip[0, :64, :64])  # another size
    fresh.wrap("sky", clip[0, :64, :64])
    np.testing.assert_array_equal(scene.render(), fresh.render())
    scene.flood(["sky"], GREEN), fresh.flood(["sky"], GREEN)
    np.testing.assert_array_equal(scene.render(), fresh.render())
    scene.restore()
    stock = scene.render()
    scene.close()
    np.testing.assert_array_equal(scene.render(), stock)


def test_a_films_mipmaps_are_the_drivers(rng):
    env = load("walker", "walk")
    scene = scene_of(env, image_size=40)  # three of the picture's pixels for one of the frame's
    picture = cv2.GaussianBlur(rng.integers(0, 256, (256, 256, 3)).astype(np.uint8), (0, 0), 1)
    scene.wrap("sky", picture)
    frame = scene.render()
    with holding(scene.model, 0, picture):
        scene._canvas.upload(0)
    difference = np.abs(frame.astype(int) - scene._canvas.draw())
    assert difference.max() <= 2 and difference.mean() < 0.5  # each of two levels is rounded


@pytest.mark.parametrize("part", ["floor", "grid"])
def test_the_floor_is_wrapped_by_part_or_by_texture(part, picture):
    scene = scene_of(load("walker", "walk"))
    stock = scene.render()
    scene.wrap(part, np.full_like(picture, (255, 0, 0)))
    frame = scene.render()
    floor = scene.background(["floor"], frame)
    assert frame[floor][:, 1:].max() < 60 < frame[floor][:, 0].mean()
    assert np.abs(frame[~floor].astype(int) - stock[~floor]).mean() < 3
    scene.wrap(part, np.full_like(picture, (255, 0, 0)), 0.0)
    np.testing.assert_allclose(scene.render(), stock, atol=12)  # the stock texture, scaled


def test_a_picture_larger_than_all_textures_is_scaled_down():
    model, data = plain_model(sky='<texture type="skybox" builtin="flat" width="8" height="8"/>')
    from distraction_gym.scenes.mujoco import MujocoScene

    scene = MujocoScene(model, data, quality="draft")
    stock = scene.render()
    scene.wrap("sky", np.full((300, 300, 3), (0, 255, 0), np.uint8))
    frame = scene.render()
    sky = scene.background(["sky"], frame)
    assert (frame[sky] == (0, 255, 0)).mean() > 0.9
    scene.restore()
    np.testing.assert_array_equal(scene.render(), stock)


@pytest.mark.parametrize(
    ("part", "shape", "error", "message"),
    [
        ("floor", (8, 9, 3), ValueError, r"square picture \(S, S, 3\) uint8, got \(8, 9, 3\)"),
        ("ceiling", (8, 8, 3), UnknownName, "unknown texture 'ceiling'"),
        ("gird", (8, 8, 3), UnknownName, "Did you mean 'grid'"),
    ],
)
def test_what_cannot_be_wrapped_is_named(part, shape, error, message):
    with pytest.raises(error, match=message):
        scene_of(load("walker", "walk")).wrap(part, np.zeros(shape, np.uint8))


def test_smaller_skies_are_within_a_level_of_the_large_ones():
    # At 84 pixels mipmaps of half the size are the finest ever drawn; a large picture sees all.
    env = load("finger", "spin")
    small, large = scene_of(env), scene_of(env, image_size=500)
    assert small._paints._sky_factor == {0: 2} and large._paints._sky_factor == {0: 1}
    colors = {"sky": [(0.9, 0.3, 0.55)], "floor": [RED, GREEN], "body": [RED]}
    small.recolor(colors)
    frame = small.render()
    reload_with(env, "finger", colors=colors)
    reference = env.physics.render(84, 84, camera_id=0)
    assert np.abs(frame.astype(int) - reference).max() <= 1


# Qualities and the shared context ----------------------------------------------------------------


def test_what_is_covered_may_be_drawn_cheaply_except_in_standard():
    env = load("walker", "walk")
    for quality, least, most in (("standard", 0.0, 0.0), ("fast", 0.1, 5.0)):
        scene = scene_of(env, quality=quality)
        stock = scene.render().astype(int)
        scene.hide(["sky", "floor"])
        difference = np.abs(scene.render() - stock)
        keep = scene.foreground(None)
        assert least <= difference.mean() <= most
        assert difference[keep].sum() / difference.size < 0.03
        scene.restore()
        np.testing.assert_array_equal(scene.render(), stock)
    with pytest.raises(UnknownName, match="flor"):
        scene.hide(["flor"])


def test_scenes_that_take_turns_do_not_see_each_other():
    scenes = [
        scene_of(load("walker", "walk"), image_size=48, quality="draft"),
        scene_of(load("cartpole", "swingup"), quality="fast"),
        scene_of(load("fish", "swim"), image_size=(30, 90)),
    ]
    scenes[0].recolor({"sky": [RED]})
    alone = []
    for scene in scenes:
        alone.append((scene.render(), scene.background(["sky", "floor"], None)))
        scene.close()
    for _ in range(2):
        frames = [scene.render() for scene in scenes]
        for scene, frame, (reference, behind) in zip(scenes, frames, alone, strict=True):
            np.testing.assert_array_equal(frame, reference)
            np.testing.assert_array_equal(scene.background(["sky", "floor"], None), behind)
    scenes[0].close()
    np.testing.assert_array_equal(scenes[1].render(), alone[1][0])
