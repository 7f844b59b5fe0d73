"""SMG's arm tasks: looks, cameras, masks, and Menagerie's arm beside our own."""

from __future__ import annotations

import os

import gymnasium as gym
import numpy as np
import pytest

pytest.importorskip("mujoco")

from distraction_gym.envs.arm import TASKS, TESTS
from distraction_gym.envs.arm.env import ArmEnv
from distraction_gym.envs.arm.scene import LOOKS, build
from distraction_gym.envs.arm.tabletops import TABLETOPS
from distraction_gym.scenes.mujoco import MujocoScene
from distraction_gym.scenes.paints import stock_pixels
from distraction_gym.wrappers import AddForegroundMask


def texture(model, name: str) -> np.ndarray:
    return stock_pixels(model, model.tex(name).id)


@pytest.mark.parametrize(
    ("mode", "color", "top"),
    [
        ("clean", (1, 1, 1), "white"),
        ("test1", (1, 0.5, 1), "chipboard"),
        ("test2", (0.5, 0.9, 0.8), "carpet"),
        ("test3", (0.5, 0.1, 0.1), "concrete"),
        ("test4", (0.1, 0.5, 0.8), "wood"),
        ("test5", (0.3, 0.2, 0), "sponge"),
    ],
)
def test_a_look_is_a_colour_and_a_table_top(mode, color, top):
    model = build("push", LOOKS[mode], "own", 0)
    levels = (255 * np.array(color)).astype(int)
    # A cube's bottom is grey, and a sky fades.
    for name, share in (("floor", 1.0), ("block", 0.8), ("sky", 0.001)):
        off = np.abs(texture(model, name).astype(int) - levels).max(axis=-1)
        assert (off <= 3).mean() >= share
    np.testing.assert_array_equal(texture(model, "table"), TABLETOPS[top](256))
    np.testing.assert_allclose(model.mat("floor").rgba[:3], [0.2, 0.3, 0.3], rtol=1e-6)
    np.testing.assert_allclose(model.mat("block").rgba[:3], [0.2, 0.5, 0.2], rtol=1e-6)
    arm = model.geom_bodyid == model.body("arm/link2").id
    np.testing.assert_array_equal(model.geom_rgba[arm], 1.0)
    assert (model.geom_matid[arm] == -1).all()  # no texture: white in every look


def test_table_tops_look_like_what_they_are():
    tops = {name: paint(128).reshape(-1, 3).astype(float) for name, paint in TABLETOPS.items()}
    mean = {name: pixels.mean(axis=0) for name, pixels in tops.items()}
    assert (mean["carpet"] < 80).all() and np.ptp(mean["carpet"]) < 3
    assert (np.abs(mean["concrete"] - 148) < 12).all()
    for name in ("chipboard", "wood", "sponge"):  # brown to yellow
        assert mean[name][0] > mean[name][1] > mean[name][2] + 20
    assert mean["sponge"][2] < 90 < mean["wood"][2] < mean["chipboard"][2]
    assert all(pixels.std(axis=0).max() > 8 for name, pixels in tops.items() if name != "white")


@pytest.mark.parametrize("task", TASKS)
def test_physics_is_the_same_in_every_mode(task):
    envs = [ArmEnv(task, look) for look in ("clean", *TESTS[:2])]
    action = envs[0].action_space.high
    first = [env.reset(seed=5)[0] for env in envs]
    second = [env.step(action)[0] for env in envs]
    for states in (first, second):
        for state in states[1:]:
            np.testing.assert_array_equal(state, states[0])


@pytest.mark.render
def test_an_episode_is_fifty_actions_and_ends_by_truncation():
    name = "distraction_gym/arm-reach-clean-v0"
    env = gym.make(name, image_size=8, action_repeat=10, disable_env_checker=True)
    env.reset(seed=0)
    ends = [env.step(env.action_space.sample())[2:4] for _ in range(5)]
    assert env.unwrapped.data.time == pytest.approx((10 + 50) * 0.04)
    env.close()
    assert ends == [(False, False)] * 4 + [(False, True)]


@pytest.mark.render
def test_the_first_person_sees_what_is_cut_out_of_a_larger_picture():
    ours = ArmEnv("pegbox", "test1", camera="first_person")
    plain = ArmEnv("pegbox", "test1")
    for env in (ours, plain):
        env.reset(seed=1)
    camera = plain.model.camera("first_person").id
    plain.model.cam_sensorsize[camera] = 0
    plain.model.cam_fovy[camera] = 25
    whole = MujocoScene(plain.model, plain.data, image_size=320, camera=camera)
    literal = whole.render()[96:, 96:].copy()  # half of 640, 192 and 112
    literal[:56] = 0
    whole.close()
    scene = MujocoScene(ours.model, ours.data, image_size=224, camera=1)
    shown = scene.render().astype(int)
    scene.close()
    assert np.abs(shown - literal).mean() < 0.1
    assert shown[:56].max() == 0 and shown[57:].std() > 20


@pytest.mark.render
@pytest.mark.parametrize("task", TASKS)
def test_masks_keep_the_arm_and_the_tasks_things(task):
    name = f"distraction_gym/arm-{task}-clean-v0"
    env = AddForegroundMask(gym.make(name, frame_stack=1, disable_env_checker=True))
    kept = env.reset(seed=2)[1]["foreground"]
    ids, names = env.get_wrapper_attr("scene").segments(None)
    seen = {names[index] for index in np.unique(ids[kept])}
    left = {names[index] for index in np.unique(ids[~kept])}
    env.close()
    assert left <= {"sky", "geom:floor", "geom:pedestal", "geom:table"} and "geom:table" in left
    assert not seen & {"sky", "geom:floor", "geom:pedestal", "geom:table"}
    thing = {
        "reach": {"site:target"},
        "push": {"site:target", "geom:cube"},
        "pegbox": {"geom:held/peg"},
        "hammerall": {"geom:board"},
    }
    assert thing[task] <= seen and 0.05 < kept.mean() < 0.4


@pytest.mark.render
def test_the_easy_video_leaves_the_table_and_the_hard_one_does_not():
    changed = {}
    for mode in ("video_easy", "video_hard"):
        name = f"distraction_gym/arm-reach-{mode}-v0"
        env = gym.make(name, assets="generated", frame_stack=1, image_size=42)
        obs, _ = env.reset(seed=2)
        clean, scene = env.get_wrapper_attr("undistorted"), env.get_wrapper_attr("scene")
        ids, names = scene.segments(clean)
        differs = (obs.transpose(1, 2, 0) != clean).any(axis=-1)
        changed[mode] = {names[i] for i in np.unique(ids) if differs[ids == i].mean() > 0.5}
        assert not differs[scene.foreground(clean)].any()
        env.close()
    assert changed["video_easy"] == {"sky", "geom:floor", "geom:pedestal"}
    assert changed["video_hard"] == {"sky", "geom:floor", "geom:pedestal", "geom:table"}


@pytest.mark.skipif(not os.environ.get("MENAGERIE_ROOT"), reason="needs Menagerie's xArm7")
@pytest.mark.parametrize("task", TASKS)
def test_both_models_of_the_arm_move_alike(task):
    own, meshes = ArmEnv(task), ArmEnv(task, model="menagerie")
    for env in (own, meshes):
        env.reset(seed=1)
    rng = np.random.default_rng(1)
    # Menagerie's links weigh more, and sink more; a cube that is hit leaves by chance.
    near = 0.02 if task == "push" else 0.003
    for _ in range(40):
        action = rng.uniform(-1.0, 1.0, own.task.axes)
        rewards = [env.step(action)[1] for env in (own, meshes)]
        hands = [env.task.site("grasp") for env in (own, meshes)]
        assert np.abs(hands[0] - hands[1]).max() < near
        assert abs(rewards[0] - rewards[1]) < 0.06
