"""Meta-World: the stock package's physics and pictures, our seeds, masks of what matters."""

import pickle

import gymnasium as gym
import numpy as np
import pytest

import distraction_gym  # noqa: F401
from distraction_gym.envs.metaworld import TASKS
from distraction_gym.errors import UnknownName
from distraction_gym.registration import env_id
from distraction_gym.wrappers import AddForegroundMask

pytest.importorskip("metaworld", exc_type=ImportError)
mujoco = pytest.importorskip("mujoco")
from distraction_gym.envs.metaworld import sawyer  # noqa: E402
from distraction_gym.envs.metaworld.env import behind, relevant  # noqa: E402
from distraction_gym.envs.metaworld.env import make as build  # noqa: E402

pytestmark = pytest.mark.render
FEW = ("coffee_button", "pick_place_wall", "door_open", "hammer", "sweep_into", "soccer")
STOCK_WELD = [0, 0, 0, 0, 0, 0, -1, 0, 0, 0, 5.0]


def make(task, mode="clean", **kwargs):
    kwargs = {"image_size": 24, "render_quality": "draft", "assets": "generated", **kwargs}
    return gym.make(env_id("metaworld", task, mode), disable_env_checker=True, **kwargs)


def blindfold(env):
    """Draw nothing, where only the physics is looked at."""
    scene = env.get_wrapper_attr("scene")
    scene.render = lambda: np.zeros((*scene.size, 3), np.uint8)
    return env


def actions(count):
    return np.random.default_rng(0).uniform(-1, 1, (count, 4)).astype(np.float32)


def play(env, count=12):
    """Return what an environment of states tells step by step."""
    seen = []
    for action in actions(count):
        obs, reward, *_, info = env.step(action)
        seen.append([*obs, reward, float(info["success"]), *env.data.qpos])
    return np.array(seen)


# Physics -----------------------------------------------------------------------------------------


def test_the_tasks_are_meta_worlds():
    assert {f"{task.replace('_', '-')}-v3" for task in TASKS} == set(sawyer.env_dict.ENV_CLS_MAP)
    assert len(TASKS) == 50


def test_welds_hold_meta_worlds_numbers_in_any_version_of_mujoco():
    model = sawyer.MetaWorldEnv("reach").model
    (row,) = model.eq_data
    np.testing.assert_array_equal(row, STOCK_WELD + [0.0] * (row.size - len(STOCK_WELD)))


@pytest.mark.parametrize("task", FEW)
def test_an_episode_is_meta_worlds_bit_for_bit(task):
    """The package's own class, told by `set_task`'s fields what our seed has drawn."""

    def weld(self):
        self.model.eq_data[:] = 0
        self.model.eq_data[:, :11] = STOCK_WELD

    own = sawyer.env_dict.ENV_CLS_MAP[f"{task.replace('_', '-')}-v3"]
    theirs = type("Stock", (own,), {"reset_mocap_welds": weld})()
    ours = sawyer.MetaWorldEnv(task)
    first, _ = ours.reset(seed=5)
    theirs._set_task_called, theirs._last_rand_vec = True, ours.sawyer._last_rand_vec
    theirs._partially_observable = False
    del theirs.sawyer_observation_space
    np.testing.assert_array_equal(first, theirs.reset()[0])
    np.testing.assert_array_equal(play(ours), play(theirs))


@pytest.mark.parametrize("task", FEW)
def test_a_seed_gives_the_same_episode_whatever_came_before(task):
    env = sawyer.MetaWorldEnv(task)
    first, _ = env.reset(seed=1)
    told = play(env)
    unseeded, _ = env.reset()
    play(env)
    again, _ = env.reset(seed=1)
    np.testing.assert_array_equal(again, first)
    np.testing.assert_array_equal(play(env), told)
    other, _ = env.reset(seed=2)
    assert (unseeded != first).any() and (other != first).any()


def test_the_same_seed_gives_the_same_states_in_every_mode():
    seen = []
    for mode in ("clean", "color_hard", "video_hard"):
        env = blindfold(make("peg_insert_side", mode))
        env.reset(seed=4)
        seen.append([env.unwrapped.data.qpos.copy()])
        for action in actions(2):
            env.step(action)
            seen[-1].append(env.unwrapped.data.qpos.copy())
        env.close()
    for states in seen[1:]:
        np.testing.assert_array_equal(states, seen[0])


# Success and time --------------------------------------------------------------------------------


def solve(task, seed=0, steps=250):
    """Return the infos and the ends of an episode under the package's scripted policy."""
    policies = pytest.importorskip("metaworld.policies")
    policy = policies.ENV_POLICY_MAP[f"{task.replace('_', '-')}-v3"]()
    env = blindfold(make(task))
    env.reset(seed=seed)
    state = env.unwrapped.sawyer._get_obs()
    told = []
    for _ in range(steps):
        action = np.clip(policy.get_action(state), -1, 1).astype(np.float32)
        *_, terminated, truncated, info = env.step(action)
        state = env.unwrapped.sawyer._last_stable_obs
        told.append((terminated, truncated, info["success"], info["is_success"]))
    env.close()
    return np.array(told).T


def test_success_counts_for_the_whole_episode_and_does_not_end_it():
    terminated, truncated, success, is_success = solve("coffee_button")
    assert not terminated.any()
    assert truncated.tolist() == [False] * 249 + [True]
    assert success.any()
    np.testing.assert_array_equal(is_success, np.logical_or.accumulate(success))
    assert is_success[0] == 0


@pytest.mark.parametrize("task", ["drawer_close", "button_press"])
def test_scripted_policies_succeed_through_our_wrappers(task):
    *_, is_success = solve(task, steps=80)
    assert is_success[-1]


def test_a_new_episode_has_not_succeeded():
    env = sawyer.MetaWorldEnv("reach")
    env.reset(seed=0)
    env.sawyer._target_pos = env.sawyer.tcp_center.copy()
    assert env.step(np.zeros(4, np.float32))[-1]["is_success"]
    env.reset(seed=0)
    assert not env.step(np.zeros(4, np.float32))[-1]["is_success"]


def test_a_pickle_goes_on_in_mid_episode():
    env = make("door_open")
    env.reset(seed=3)
    env.step(actions(1)[0])
    copy = pickle.loads(pickle.dumps(env))
    for action in actions(2):
        ours, theirs = env.step(action), copy.step(action)
        np.testing.assert_array_equal(ours[0], theirs[0])
        assert ours[1] == theirs[1] and ours[0].std() > 0
    np.testing.assert_array_equal(env.unwrapped.data.qpos, copy.unwrapped.data.qpos)
    assert env.unwrapped.data is not copy.unwrapped.data
    env.close()
    copy.close()


# Pictures ----------------------------------------------------------------------------------------


def test_the_picture_is_meta_worlds_turned_by_half_a_turn():
    env = make("coffee_button", image_size=64, frame_stack=1, render_quality="standard")
    env.reset(seed=3)
    ours = env.unwrapped
    model = mujoco.MjModel.from_xml_path(ours.sawyer.model_name)
    model.body("coffee_machine").pos = ours.model.body("coffee_machine").pos
    data = mujoco.MjData(model)
    data.qpos[:], data.mocap_pos[:] = ours.data.qpos, ours.data.mocap_pos
    mujoco.mj_forward(model, data)
    mujoco.mj_forward(ours.model, ours.data)  # a step leaves bodies where it began
    obs = env.get_wrapper_attr("scene").render()
    with mujoco.Renderer(model, 64, 64) as renderer:
        renderer.update_scene(data, "corner2")
        theirs = renderer.render().astype(int)
    env.close()
    print(np.abs(theirs[::-1, ::-1] - obs).mean(), np.abs(theirs[::-1, ::-1] - obs).max())
    assert np.abs(theirs[::-1, ::-1] - obs).mean() < 0.1
    assert np.abs(theirs - obs).mean() > 10


@pytest.mark.parametrize("camera", ["corner", "corner2", "corner3", "corner4"])
def test_no_camera_stands_on_its_head(camera):
    env = sawyer.MetaWorldEnv("reach")
    up = env.data.cam(camera).xmat.reshape(3, 3)[:, 1]
    assert up[2] > 0.4
    if camera == "corner4":
        np.testing.assert_allclose(env.model.camera("corner4").pos, [0.75, 0.075, 0.7])
        assert env.model.camera("corner4").fovy == 60


@pytest.mark.parametrize("wrong", [{"camera": "corner5"}, {"mode": "foggy"}, {"task": "fly"}])
def test_a_name_that_does_not_exist(wrong):
    with pytest.raises(UnknownName):
        build(**{"task": "reach", "mode": "clean", "assets": "generated", **wrong})


def scene_of(task, mode="clean", **kwargs):
    env = make(task, mode, image_size=84, frame_stack=1, **kwargs)
    obs, _ = env.reset(seed=3)
    return env, env.get_wrapper_attr("scene"), obs.transpose(1, 2, 0)


def test_what_matters_is_what_is_neither_room_nor_table():
    env, scene, frame = scene_of("coffee_button")
    mask = scene.foreground(frame)
    np.testing.assert_array_equal(mask, ~scene.background(("sky", "floor"), frame))
    robot, machine, mug = (
        scene.foreground(frame, [f"body:{name}"]) for name in ("right_l1", "cm_link", "mug")
    )
    assert all(part.any() and (part & ~mask).sum() == 0 for part in (robot, machine, mug))
    assert 0.1 < mask.mean() < 0.4
    info = AddForegroundMask(env).reset(seed=3)[1]
    np.testing.assert_array_equal(info["foreground"], mask)
    env.close()


@pytest.mark.parametrize(("task", "bodies"), [("pick_out_of_hole", 3), ("hand_insert", 1)])
def test_tables_with_a_hole_do_not_matter_either(task, bodies):
    model = sawyer.MetaWorldEnv(task).model
    assert len(behind(model)["floor"]) == bodies
    assert "body:obj" in relevant(model) and not set(behind(model)["floor"]) & set(relevant(model))


def test_easy_clips_replace_the_room_hard_ones_the_table_too():
    shown = {}
    for mode in ("clean", "video_easy", "video_hard"):
        env, scene, shown[mode] = scene_of("push")
        if mode == "clean":
            parts = [scene.background((part,), shown[mode]) for part in ("sky", "floor")]
        env.close()
    room, table = parts
    for mode, hidden in (("video_easy", room), ("video_hard", room | table)):
        env, _, frame = scene_of("push", mode)
        env.close()
        changed = (frame != shown["clean"]).any(axis=2)
        assert not changed[~hidden].any() and changed[hidden].mean() > 0.9


def test_colours_change_in_the_lab_and_not_on_robot_and_objects():
    _, scene, clean = scene_of("hand_insert")
    kept, floor = scene.foreground(clean), scene.background(("floor",), clean)
    for mode in ("color_easy", "color_hard"):
        env, _, frame = scene_of("hand_insert", mode)
        env.close()
        changed = (frame != clean).any(axis=2)
        assert not changed[kept].any() and changed[~kept].mean() > 0.9 and changed[floor].any()
