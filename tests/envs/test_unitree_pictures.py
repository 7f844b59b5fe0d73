"""Unitree's pictures: dm_control's look, RL-ViGen's cameras, and what each mode replaces."""

import gymnasium as gym
import numpy as np
import pytest

pytest.importorskip("mujoco")

from distraction_gym import env_id
from distraction_gym.assets.colors import STOCK
from distraction_gym.assets.store import color_table
from distraction_gym.envs.unitree.scene import compile_model
from distraction_gym.scenes.gl import load_mujoco
from distraction_gym.wrappers import AddForegroundMask

mujoco = load_mujoco()
pytestmark = pytest.mark.render


def make(task, mode="clean", **kwargs):
    kwargs = {"assets": "generated", **kwargs}
    return gym.make(env_id("unitree", task, mode), disable_env_checker=True, **kwargs)


def stood(env):
    """Return the picture after half a second of getting up, `(84, 84, 3)`, and its info."""
    low, high = env.unwrapped.model.actuator_ctrlrange.T
    action = 2 * (np.tile([0.0, 0.9, -1.8], 4) - low) / (high - low) - 1
    env.reset(seed=3)
    for _ in range(48):  # nobody looks meanwhile
        env.unwrapped.step(action)
    obs, *_, info = env.step(action.astype(np.float32))
    return obs[-3:].transpose(1, 2, 0), info


def stock_texture(model, name):
    texture = model.tex(name)
    size = texture.height[0] * texture.width[0] * texture.nchannel[0]
    return model.tex_data[texture.adr[0] : texture.adr[0] + size]


def test_sky_and_light_are_dm_controls():
    common = pytest.importorskip("dm_control.suite.common")
    files = {
        name.split("/")[-1]: text if isinstance(text, bytes) else text.encode()
        for name, text in common.ASSETS.items()
    }
    included = '<include file="skybox.xml"/><include file="visual.xml"/>'
    theirs = mujoco.MjModel.from_xml_string(f"<mujoco>{included}</mujoco>", files)
    ours = compile_model("walk", "a1", "own")
    np.testing.assert_array_equal(stock_texture(ours, "skybox"), stock_texture(theirs, "skybox"))
    for name in ("ambient", "diffuse", "specular"):
        a, b = getattr(ours.vis.headlight, name), getattr(theirs.vis.headlight, name)
        np.testing.assert_array_equal(a, b)
    assert ours.vis.map.znear == theirs.vis.map.znear
    assert ours.vis.quality.shadowsize == theirs.vis.quality.shadowsize


def test_the_camera_turns_with_the_trunk():
    model = compile_model("walk", "a1", "own")
    assert [model.camera(index).name for index in range(3)] == ["back_above", "y", "y1"]
    data = mujoco.MjData(model)
    places = []
    for half in (0.0, np.pi / 4):  # a quarter turn to the left
        data.qpos[3:7] = np.cos(half), 0, 0, np.sin(half)
        mujoco.mj_forward(model, data)
        camera = data.camera("back_above")
        looks = -camera.xmat.reshape(3, 3)[:, 2]
        places.append((camera.xpos - data.body("trunk").xpos, looks))
    (before, ahead), (after, aside) = places
    np.testing.assert_allclose(before, [0.7, 0, 0.5], atol=1e-9)
    np.testing.assert_allclose(after, [0, 0.7, 0.5], atol=1e-9)
    # from in front it looks back and down, onto the trunk
    np.testing.assert_allclose(ahead, [-np.sin(0.83), 0, -np.cos(0.83)], atol=1e-6)
    np.testing.assert_allclose(aside, [0, -np.sin(0.83), -np.cos(0.83)], atol=1e-6)


def test_what_each_camera_sees_of_the_sky():
    """From RL-ViGen's camera nothing: a clip in place of the sky alone changes no pixel there."""
    shares, frames = {}, {}
    for camera, mode in (("back_above", "clean"), ("back_above", "video_easy"), ("y1", "clean")):
        env = make("stand", mode, camera=camera)
        frames[camera, mode], _ = stood(env)
        scene, clean = (env.get_wrapper_attr(name) for name in ("scene", "undistorted"))
        shares[camera] = scene.background(["sky"], clean).mean()
        env.close()
    assert shares["back_above"] == 0.0
    assert shares["y1"] == pytest.approx(0.286, abs=0.05)
    np.testing.assert_array_equal(*[frames["back_above", mode] for mode in ("clean", "video_easy")])


def test_hard_replaces_the_floor_and_leaves_the_robot():
    clean, hard = make("stand"), AddForegroundMask(make("stand", "video_hard"))
    before, _ = stood(clean)
    after, info = stood(hard)
    robot = info["foreground"]
    assert 0.1 < robot.mean() < 0.5
    np.testing.assert_array_equal(after[robot], before[robot])
    assert (after != before).any(axis=-1)[~robot].mean() > 0.95
    clean.close()
    hard.close()


def test_colours_move_the_robot_and_paint_the_rest():
    env = make("walk", "color_hard")
    _, info = env.reset(seed=3)
    entry = color_table("color_hard", "generated")[info["distraction"][0]["index"]]
    change = np.subtract(entry["self_rgb"], STOCK["self_rgb"])
    shown = env.get_wrapper_attr("scene").materials()
    for name, grey in (("dark", 0.2), ("carbonfibre", 0.25)):
        assert shown[name] == pytest.approx(np.clip(grey + change, 0, 1), abs=1e-6)
    env.close()


def test_the_same_seed_gives_the_same_states_in_every_mode():
    seen = []
    for mode in ("clean", "color_easy", "video_hard"):
        env = make("walk", mode, image_size=16, render_quality="draft")
        env.reset(seed=5)
        env.action_space.seed(0)
        paid = [env.step(env.action_space.sample())[1] for _ in range(10)]
        seen.append((*env.unwrapped.data.qpos, *paid))
        env.close()
    assert seen[0] == seen[1] == seen[2]


def test_protocol():
    env = make("walk", image_size=8, render_quality="draft")
    assert env.observation_space.shape == (9, 8, 8) and env.action_space.shape == (12,)
    env.reset(seed=0)
    env.step(np.zeros(12, np.float32))
    assert env.unwrapped.data.time == pytest.approx(0.02), "two control steps"
    env.close()
    env = make("walk", image_size=8, render_quality="draft", action_repeat=250)
    env.reset(seed=0)
    ends = [env.step(np.zeros(12, np.float32))[2:4] for _ in range(4)]
    assert ends == [(False, False)] * 3 + [(False, True)]
    env.close()
