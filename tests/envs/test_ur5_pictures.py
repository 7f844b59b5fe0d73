"""The simulated UR5's pictures: what pays, what plays on the screen, masks, and how it is done."""

from __future__ import annotations

import itertools

import gymnasium as gym
import numpy as np
import pytest

pytest.importorskip("mujoco")

from distraction_gym.envs.ur5 import SUITE, task
from distraction_gym.envs.ur5.wrist import WristView
from distraction_gym.wrappers import AddForegroundMask

pytestmark = pytest.mark.render
SHAPE = (90, 160)


def make(mode: str = "clean", **kwargs: object) -> gym.Env:
    name = f"distraction_gym/ur5-reach-{mode}-v0"
    return gym.make(name, assets="generated", disable_env_checker=True, **kwargs)


def shot(env: gym.Env) -> np.ndarray:
    return env.get_wrapper_attr("scene").shot


@pytest.mark.parametrize("robot", ["ur5e", "ur5"])
def test_every_disc_is_in_sight_and_small_where_episodes_begin(robot):
    view = WristView(robot)
    for x in (17, 143):
        for y in (17, 73):
            view.show(x, y)
            mask = task.target_mask(view(task.RESET_POSE))
            assert 0.002 < mask.mean() < 0.01
            rows, columns = np.nonzero(mask)
            assert (columns.mean() < 80) == (x < 80)  # not mirrored
            assert rows.min() > 0 and rows.max() < 89 and columns.min() > 0 and columns.max() < 159
    view.close()


def test_a_picture_lies_on_the_screen_the_right_way_round():
    view = WristView()
    picture = np.zeros((90, 160, 3), np.uint8)
    picture[:30, :50] = (0, 200, 0)
    view.show(143, 17, picture)
    frame = view(task.RESET_POSE).astype(int)
    green = (abs(frame - [0, 200, 0]).max(axis=-1) < 3).nonzero()
    assert green[0].mean() < 45 and green[1].mean() < 80 and len(green[0]) > 400
    view.show(143, 17)
    assert (view(task.RESET_POSE) == 255).all(axis=-1).mean() > 0.5  # white again
    view.close()


def test_clips_play_on_the_screen_and_begin_anew_with_each_disc():
    view = WristView(pack="video_hard", assets="generated", seed=0)
    first = [view(task.RESET_POSE) for _ in range(3)]
    moved = [np.abs(a.astype(int) - b).mean() for a, b in itertools.pairwise(first)]
    assert min(moved) > 0.5 and max(moved) < 60
    assert task.target_mask(first[0], task.HIGHEST_DISTRACTED).mean() > 0.005  # before the clip
    assert (first[0] == 255).all(axis=-1).mean() < 0.2
    view.show(40, 45)
    again = view(task.RESET_POSE)
    assert np.abs(again.astype(int) - first[-1]).mean() > 5
    view.close()
    view = WristView(pack="video_hard", assets="generated", seed=0)
    np.testing.assert_array_equal(view(task.RESET_POSE), first[0])
    view.close()


def test_the_papers_observation_is_the_cameras_picture_and_others_are_scaled():
    whole, square = make(image_size=SHAPE), make()
    for env in (whole, square):
        obs, _ = env.reset(seed=4)
        np.testing.assert_array_equal(obs[:3], obs[-3:])
    step = [env.step(np.full(5, 0.5, np.float32)) for env in (whole, square)]
    assert whole.observation_space.shape == (9, 90, 160)
    assert square.observation_space.shape == (9, 84, 84)
    np.testing.assert_array_equal(shot(whole), shot(square))
    np.testing.assert_array_equal(step[0][0][-3:], shot(whole).transpose(2, 0, 1))
    scaled = task.resized(shot(square), (84, 84))
    np.testing.assert_array_equal(step[1][0][-3:], scaled.transpose(2, 0, 1))
    assert step[0][1] == step[1][1] == task.dense_reward(task.target_mask(shot(whole))) > 0.1
    whole.close()
    square.close()


def test_an_environment_and_a_server_of_pictures_see_the_same():
    env, view = make(image_size=SHAPE, frame_stack=1), WristView()
    env.reset(seed=2)
    for _ in range(5):
        obs, *_ = env.step(np.array([0.3, 0.2, 0, 0.1, 0.3], np.float32))
    arm = env.unwrapped
    disc = arm.data.body("target").xpos - arm.model.body("monitor").pos
    unit = 0.487 / 160
    view.show(80 - disc[0] / unit, 45 + disc[2] / unit)
    served = view(arm.data.qpos[:6]).transpose(2, 0, 1)
    assert np.abs(served.astype(int) - obs).max() <= 1
    env.close()
    view.close()


@pytest.mark.parametrize("mode", SUITE.modes[1:])
def test_distractions_change_the_picture_and_hardly_what_it_pays(mode):
    clean, env = (make(name, image_size=SHAPE, frame_stack=1) for name in ("clean", mode))
    rewards, pictures, states = [], [], []
    for each in (clean, env):
        each.reset(seed=5)
        for _ in range(3):
            obs, reward, *_ = each.step(np.full(5, 0.2, np.float32))
        rewards.append(reward)
        pictures.append(obs.astype(int))
        states.append(np.append(each.unwrapped.data.qpos, each.unwrapped.data.mocap_pos))
    np.testing.assert_array_equal(*states)
    assert np.abs(pictures[0] - pictures[1]).mean() > 8
    assert 0.75 * rewards[0] < rewards[1] <= rewards[0] + 0.02  # blended edges no longer count
    mask = task.target_mask(shot(env), task.HIGHEST_DISTRACTED)
    seen = env.get_wrapper_attr("scene").segments(None)
    elsewhere = mask & (seen.ids != seen.names.index("geom:target"))
    assert elsewhere.sum() <= 3 and mask.sum() > 60
    clean.close()
    env.close()


@pytest.mark.parametrize("size", [84, SHAPE])
def test_masks_keep_the_disc_alone(size):
    env = AddForegroundMask(make("video_hard", image_size=size, frame_stack=1), instances=True)
    obs, info = env.reset(seed=1)
    mask = info["foreground"]
    assert mask.shape == obs.shape[1:]
    ids, names = info["instances"]["ids"], info["instances"]["names"]
    np.testing.assert_array_equal(mask, ids == names.index("geom:target"))
    inside = obs[:, mask]
    assert 0.004 < mask.mean() < 0.012 and np.median(inside[0]) == 255
    assert np.median(inside[1:]) == 0
    env.close()


def test_a_servo_that_knows_the_disc_is_paid_far_more_than_chance():
    env, returns = make(image_size=8, frame_stack=1), []
    env.action_space.seed(0)
    for expert in (True, False):
        env.reset(seed=1)
        total = 0.0
        for _ in range(150):
            action = env.unwrapped.expert() if expert else env.action_space.sample()
            _, reward, _, truncated, info = env.step(action)
            total += reward
        returns.append(total)
        assert truncated and info["is_success"] == expert
    env.close()
    assert returns[0] > 350 and returns[1] < 110


def test_the_sparse_reward_is_success():
    env = make(image_size=8, frame_stack=1, reward="sparse")
    env.reset(seed=1)
    seen = set()
    for _ in range(60):
        _, reward, *_, info = env.step(env.unwrapped.expert())
        assert reward == float(info["success"])
        seen.add(reward)
    env.close()
    assert seen == {0.0, 1.0}
