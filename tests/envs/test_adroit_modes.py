"""Adroit's test levels: what they change, what they leave, and that physics knows nothing of it."""

import json

import gymnasium as gym
import numpy as np
import pytest

pytest.importorskip("gymnasium_robotics")

from distraction_gym.assets.store import color_table
from distraction_gym.distractions.modes import resolve
from distraction_gym.envs.adroit import MODES, TASKS
from distraction_gym.envs.adroit.env import dressed
from distraction_gym.envs.adroit.env import make as build
from distraction_gym.envs.adroit.hand import AdroitEnv
from distraction_gym.envs.adroit.pipelines import pipeline
from distraction_gym.errors import UnknownName
from distraction_gym.registration import env_id
from distraction_gym.wrappers import AddForegroundMask

pytestmark = pytest.mark.render


def make(task, mode="clean", **kwargs):
    kwargs = {"assets": "generated", "render_quality": "draft", "frame_stack": 1, **kwargs}
    return gym.make(env_id("adroit", task, mode), disable_env_checker=True, **kwargs)


def shown(obs):
    return obs.transpose(1, 2, 0)


# The table --------------------------------------------------------------------------------------


def test_levels_are_the_published_ones():
    assert pipeline("clean", []) == []
    kinds = {mode: [item["kind"] for item in pipeline(mode, [])] for mode in MODES[1:]}
    colors = ["repaint", "texture_video"]
    assert kinds["color_easy"] == kinds["color_hard"] == colors
    assert kinds["video_easy"] == kinds["video_hard"] == [*colors, "light_sweep", "video"]
    for mode in MODES:
        json.dumps(resolve(pipeline(mode, ["MatViz"]), assets="generated"))
    for level, step, reach in (("easy", 0.04, 1.2), ("hard", 0.12, 3.0)):
        paint, table, light, video = pipeline(f"video_{level}", [])
        assert paint["table"] == f"color_{level}" and table["pack"] == f"table_{level}"
        assert (light["step"], light["reach"]) == (step, reach)
        assert video["pack"] == f"video_{level}"


def test_objects_with_a_colour_of_their_own_keep_it():
    names = {task: dressed(AdroitEnv(task).model) for task in TASKS}
    for task in TASKS:
        assert {"MatViz", "tablecube", "geom:2"} <= set(names[task])  # hand, table, its legs
        assert "groundplane" not in names[task]
    assert {"MatWood", "MatFoil"} < set(names["door"])  # the door and its latch; not its posts
    assert not {"geom:52", "geom:53"} & set(names["door"])
    assert not {"geom:neck", "geom:head"} & set(names["hammer"])
    assert not {name for name in names["pen"] if "pen" in name or "top" in name}
    assert "MatWoodB" in names["relocate"]  # the ball


def test_unknown_names_are_told():
    with pytest.raises(UnknownName, match=r"video_hrad.*video_hard"):
        build("door", "video_hrad")
    with pytest.raises(UnknownName, match=r"task.*'dor'.*door"):
        build("dor", "clean")
    with pytest.raises(UnknownName, match="camera"):
        make("door", camera="cam1")


# What an episode shows --------------------------------------------------------------------------


def test_the_ground_is_gone_and_the_sky_has_a_colour():
    clean, env = make("door"), make("door", "color_hard")
    clean.reset(seed=4)
    obs, info = env.reset(seed=4)
    scenes = [item.get_wrapper_attr("scene") for item in (clean, env)]
    names = [
        {found.names[index] for index in np.unique(found.ids)}
        for found in (scene.segments(None) for scene in scenes)
    ]
    assert names[0] - names[1] == {"geom:ground"} and "sky" in names[1]
    (drawn, _) = info["distraction"]
    entry = color_table("color_hard", "generated")[drawn["sky"]]
    sky = scenes[1].background(["sky"], shown(obs))
    assert 0.2 < sky.mean() < 0.6
    wanted = np.array(entry["skybox_rgb"]) * 255
    np.testing.assert_allclose(shown(obs)[sky], np.tile(wanted, (sky.sum(), 1)), atol=1)
    paint = color_table("color_hard", "generated")[drawn["materials"]]["self_rgb"]
    worn, own = scenes[1].materials(), scenes[0].materials()
    assert worn["MatViz"] == worn["geom:2"] == paint != own["MatViz"]
    assert worn["geom:52"] == own["geom:52"] == (1.0, 0.0, 0.0)
    clean.close(), env.close()


def test_ten_episodes_show_ten_tables():
    env = make("pen", "color_hard")
    model = env.unwrapped.model
    pictures, textures = [], []
    for seed in (0, *[None] * 9):
        obs, info = env.reset(seed=seed)
        pictures.append(shown(obs)[45:60, 15:30].astype(float).mean(axis=-1))  # bare table
        textures.append(info["distraction"][1]["clip"])
    assert len(set(textures)) == 10
    assert all(picture.std() > 0 for picture in pictures)
    assert env.unwrapped.model is model, "nothing is compiled anew"
    env.close()


def test_the_video_is_where_sky_and_ground_were_and_nowhere_else():
    env = make("door", "video_hard")
    env.reset(seed=2)
    obs, *_ = env.step(np.zeros(28, np.float32))
    below = env.get_wrapper_attr("undistorted")
    sky = env.get_wrapper_attr("scene").background(["sky", "floor"], below)
    assert 0.2 < sky.mean() < 0.6
    assert below[sky].std(axis=0).max() < 1 and shown(obs)[sky].std() > 10
    np.testing.assert_array_equal(shown(obs)[~sky], below[~sky])
    env.close()


@pytest.mark.parametrize(("mode", "step"), [("video_easy", 0.04), ("video_hard", 0.12)])
def test_the_light_moves_along_y(mode, step):
    env = make("hammer", mode, image_size=8)
    env.reset(seed=0)
    places = []
    for _ in range(4):
        lamp = next(
            item for item in env.get_wrapper_attr("scene").lights() if not item.is_headlight
        )
        places.append(lamp.position)
        env.step(np.zeros(26, np.float32))
    np.testing.assert_allclose(places, [(-1, -1 + step * n, 4) for n in range(4)], atol=1e-6)
    assert env.unwrapped.model.light_pos[0].tolist() == [-1, -1, 4], "the model's own stays"
    env.close()


# What it leaves ---------------------------------------------------------------------------------


def test_physics_and_rewards_are_the_same_in_every_mode():
    played = []
    for mode in MODES:
        env = make("pen", mode, image_size=8)
        env.reset(seed=6)
        steps = [env.step(np.full(24, 0.3, np.float32))[1:4] for _ in range(3)]
        played.append((env.unwrapped.data.qpos.tolist(), steps))
        env.close()
    assert all(item == played[0] for item in played)


@pytest.mark.parametrize("task", TASKS)
def test_masks_show_the_hand_and_what_it_is_to_move(task):
    env = AddForegroundMask(make(task, "video_hard"))
    mask = env.reset(seed=0)[1]["foreground"]
    scene = env.get_wrapper_attr("scene")
    parts = scene.foreground(None, ["body:palm"]), scene.foreground(None, ["body:table"])
    assert 0.01 < mask.mean() < 0.5
    assert mask[parts[0]].all() and not mask[parts[1]].any()
    for name in env.unwrapped.task.objects:
        assert mask[scene.foreground(None, [name])].all(), name
    env.close()
