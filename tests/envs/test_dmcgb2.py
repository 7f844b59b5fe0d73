"""DMC-GB2: modes as they are written, the screen as DMC-GB2 builds it, physics as dm_control's."""

import json
from xml.etree import ElementTree

import cv2
import gymnasium as gym
import numpy as np
import pytest

import distraction_gym  # noqa: F401
from distraction_gym.distractions.modes import resolve
from distraction_gym.envs.dmcgb2 import MODES, TASKS
from distraction_gym.envs.dmcgb2.pipelines import SCREENS, SHIFT_LIMITS, pipeline
from distraction_gym.registration import env_id

dmc = pytest.importorskip("distraction_gym.envs.dmc", exc_type=ImportError)
pytestmark = pytest.mark.render
DOMAINS = {"walker": "walk", "cheetah": "run", "cartpole": "swingup", "finger": "spin"}
DOMAINS["ball_in_cup"] = "catch"


def make(task, mode="clean", **kwargs):
    kwargs = {"render_quality": "draft", "assets": "generated", **kwargs}
    return gym.make(env_id("dmcgb2", task, mode), disable_env_checker=True, **kwargs)


def kinds(mode, domain="walker"):
    return [item["kind"] for item in pipeline(mode, domain, 84)]


# The table --------------------------------------------------------------------------------------


def test_distractions_act_in_dmcgb2s_order():
    assert kinds("clean") == []
    assert kinds("rotate_shift_hard") == ["shift", "rotate"]
    assert kinds("color_video_easy") == ["color", "texture_video"]
    for mode in MODES[1:]:
        json.dumps(resolve(pipeline(mode, "cheetah", 84), assets="generated"))


def test_easy_halves_the_angles_and_divides_the_offsets_by_one_and_a_half():
    (hard,), (easy,) = pipeline("rotate_hard", "walker", 84), pipeline("rotate_easy", "walker", 84)
    assert (hard["intensity"], easy["intensity"]) == (1.0, 0.5)
    (hard,), (easy,) = (
        pipeline("shift_hard", "cartpole", 84),
        pipeline("shift_easy", "cartpole", 84),
    )
    assert hard["limits"] == easy["limits"] == [8, -8, 10, -10]
    assert easy["intensity"] == pytest.approx(hard["intensity"] / 1.5)
    assert SHIFT_LIMITS["finger"] == SHIFT_LIMITS["ball_in_cup"] == (6, -6, 12, -6)


def test_only_video_hard_removes_the_floor():
    fades = {mode: pipeline(mode, "walker", 84)[-1]["fade"] for mode in MODES if "video" in mode}
    assert {mode for mode, fade in fades.items() if fade} == {"video_hard"}
    assert fades["video_hard"] == {"floor": 0.0}


@pytest.mark.parametrize(("size", "side"), [(36, 128), (84, 128), (100, 256), (500, 256)])
def test_clips_are_as_fine_as_the_picture_needs_and_no_finer_than_dmcgb2s(size, side):
    assert pipeline("video_easy", "walker", size)[0]["size"] == side


def test_packs_and_lists():
    for level in ("easy", "hard"):
        color, video = pipeline(f"color_video_{level}", "walker", 84)
        assert (color["table"], video["pack"]) == (f"color_{level}", f"video_{level}")
        assert color["order"] == video["order"] == "seeded"


# Physics -----------------------------------------------------------------------------------------


def rollout(physics, step, actions):
    seen = [physics().get_state()]
    for action in actions:
        step(action)
        seen.append(physics().get_state())
    return np.array(seen)


@pytest.mark.parametrize("task", TASKS)
def test_physics_is_dm_controls_bit_for_bit(task):
    env = make(task, "video_hard" if task == "walker_walk" else "clean", image_size=8)
    env.reset(seed=7)
    domain, name = dmc.split(task, TASKS, "dmcgb2")
    twin = dmc.suite.load(domain, name, task_kwargs={"random": dmc.physics_random(7)})
    twin.reset()
    env.action_space.seed(0)
    actions = [env.action_space.sample() for _ in range(10)]
    ours = rollout(lambda: env.unwrapped.physics, env.step, actions)
    theirs = rollout(lambda: twin.physics, lambda a: (twin.step(a), twin.step(a)), actions)
    np.testing.assert_array_equal(ours, theirs)
    env.close()


def test_the_same_seed_gives_the_same_states_in_every_mode():
    reference = None
    for mode in ("clean", "rotate_shift_hard", "color_video_easy"):
        env = make("cheetah_run", mode, image_size=16)
        env.reset(seed=5)
        env.action_space.seed(0)
        actions = [env.action_space.sample() for _ in range(3)]
        seen = rollout(lambda env=env: env.unwrapped.physics, env.step, actions)
        env.close()
        reference = seen if reference is None else reference
        np.testing.assert_array_equal(seen, reference, err_msg=mode)


def test_protocol():
    env = make("ball_in_cup_catch", image_size=8)
    assert env.observation_space.shape == (9, 8, 8)
    env.reset(seed=0)
    for step in range(1, 501):
        *_, terminated, truncated, _ = env.step(env.action_space.sample())
        assert not terminated and truncated == (step == 500)
    env.close()


# Pictures ----------------------------------------------------------------------------------------


def play(env, steps=2, seed=3):
    frames = [env.reset(seed=seed)[0]]
    for _ in range(steps):
        frames.append(env.step(np.full(env.action_space.shape, 0.5, np.float32))[0])
    return np.array(frames)


@pytest.mark.parametrize("mode", ["rotate_shift_hard", "color_video_hard"])
def test_a_seed_gives_the_same_pictures_again_and_elsewhere(mode):
    env = make("walker_walk", mode)
    first = play(env)
    play(env, seed=4)
    np.testing.assert_array_equal(play(env), first)
    env.close()
    other = make("walker_walk", mode)
    np.testing.assert_array_equal(play(other), first)
    other.close()


def test_a_rotation_is_one_of_the_picture():
    clean, turned = make("walker_walk"), make("walker_walk", "rotate_hard")
    plain, _ = clean.reset(seed=3)
    rolled, info = turned.reset(seed=3)
    plain, rolled, angle = plain[-3:], rolled[-3:], info["distraction"][0]["roll"]
    # the camera rolls counterclockwise, so that its picture turns clockwise: negative in OpenCV
    middle = cv2.getRotationMatrix2D((41.5, 41.5), -angle, 1.0)
    expected = cv2.warpAffine(plain.transpose(1, 2, 0), middle, (84, 84))
    inner = np.hypot(*(np.indices((84, 84)) - 41.5)) < 38
    difference = np.abs(expected[inner].astype(int) - rolled.transpose(1, 2, 0)[inner])
    assert difference.mean() < 6
    clean.close()
    turned.close()


def test_the_models_compile_no_more_after_make(monkeypatch):
    env = make("finger_spin", "color_video_hard")
    physics = env.unwrapped.physics
    monkeypatch.setattr(type(physics), "reload_from_xml_string", None)
    model = physics.model.ptr
    play(env, 1)
    play(env, 1, seed=None)
    assert env.unwrapped.physics.model.ptr is model
    env.close()


def test_video_hard_shows_rails_and_robot_and_color_video_hard_the_floor():
    frames = {}
    for mode in ("video_hard", "color_video_hard", "clean"):
        env = make("cartpole_swingup", mode)
        play(env, 1)
        names = env.get_wrapper_attr("scene").segments(env.get_wrapper_attr("undistorted"))
        frames[mode] = {names.names[index] for index in np.unique(names.ids)}
        env.close()
    assert "geom:floor" not in frames["video_hard"] and "geom:rail2" in frames["video_hard"]
    assert "geom:floor" in frames["color_video_hard"]
    assert "solid:0" in frames["video_hard"] and "solid:0" not in frames["clean"]


@pytest.mark.parametrize("domain", SCREENS)
def test_the_screen_equals_dmcgb2s_own_in_every_pixel(domain):
    """DMC-GB2 compiles a site that wears a skybox texture, and moves it in the data."""
    from distraction_gym.distractions.screen import Screen
    from distraction_gym.envs.dmcgb2.screens import add_screen, common
    from distraction_gym.scenes.gl import load_mujoco
    from distraction_gym.scenes.mujoco import MujocoScene

    clip = np.random.default_rng(0).integers(0, 255, (8, 8, 3), dtype=np.uint8)
    clip = cv2.resize(clip, (256, 256), interpolation=cv2.INTER_NEAREST)

    control = dmc.suite.load(domain, DOMAINS[domain], task_kwargs={"random": 0})
    add_screen(control, domain)
    control.reset()
    scene = MujocoScene(control.physics.model.ptr, control.physics.data.ptr, camera=0)
    screen = Screen(material="video_screen", **SCREENS[domain])
    scene.stagehand = lambda: (screen.stage(scene), scene.wrap("video_screen", clip))
    ours = scene.render()
    scene.close()

    twin = dmc.suite.load(domain, DOMAINS[domain], task_kwargs={"random": 0})
    twin.physics.reload_from_xml_string(*official_model(common, domain))
    twin.reset()
    physics = twin.physics
    if domain in ("walker", "cheetah"):
        x, z = {"walker": (0, -1.07), "cheetah": (-0.05, 0.15)}[domain]
        com, place = physics.data.body("torso").subtree_com, physics.data.site("screen").xpos
        place[0], place[2] = com[0] + x, com[2] + z
    model = physics.model
    texture = model.name2id("projector", "texture")
    model.tex_height[texture] = model.tex_width[texture] = 256
    start = model.tex_adr[texture]
    model.tex_data[start : start + clip.size] = clip.ravel()
    with physics.contexts.gl.make_current() as context:
        drawer = physics.contexts.mujoco.ptr
        context.call(load_mujoco().mjr_uploadTexture, model.ptr, drawer, texture)
    np.testing.assert_array_equal(ours, physics.render(84, 84, camera_id=0))
    physics.free()


def official_model(common, domain):
    wide, narrow = "1.86 .1 1.86", ".66 .1 .66"
    size, position, euler = {
        "walker": (wide, "0 1.96 -.7", "-30 0 0"),
        "cheetah": (wide, "0 1.6 -.7", "0 0 0"),
        "cartpole": (wide, "0 .5 1", "0 0 0"),
        "finger": (narrow, "0 .5 .05", "-27 0 0"),
        "ball_in_cup": (narrow, "0 .5 .05", "-27 0 0"),
    }[domain]
    assets = {k: v.encode() if isinstance(v, str) else v for k, v in common.ASSETS.items()}
    materials = ElementTree.fromstring(assets["./common/materials.xml"])
    texture = {"type": "skybox", "builtin": "flat", "width": "512", "height": "512"}
    ElementTree.SubElement(materials.find("asset"), "texture", name="projector", **texture)
    dull = dict.fromkeys(("specular", "shininess", "reflectance", "emission"), "0")
    ElementTree.SubElement(
        materials.find("asset"), "material", name="projector", texture="projector", **dull
    )
    assets["./common/materials.xml"] = ElementTree.tostring(materials)
    model = ElementTree.fromstring(common.read_model(f"{domain}.xml"))
    ElementTree.SubElement(
        model.find("worldbody"),
        "site",
        {"name": "screen", "type": "box", "size": size, "pos": position, "euler": euler}
        | {"material": "projector"},
    )
    return ElementTree.tostring(model), assets
