"""The Distracting Control Suite: its levels, its order, and what stays as in dm_control."""

import json
import pickle

import gymnasium as gym
import numpy as np
import pytest

import distraction_gym  # noqa: F401
from distraction_gym.distractions.modes import resolve
from distraction_gym.envs.dcs import MODES, TASKS
from distraction_gym.envs.dcs.pipelines import LEVELS, pipeline, sky_side
from distraction_gym.errors import AssetsMissing
from distraction_gym.registration import env_id

dmc = pytest.importorskip("distraction_gym.envs.dmc", exc_type=ImportError)
pytestmark = pytest.mark.render


def make(task, mode="clean", **kwargs):
    kwargs = {"render_quality": "draft", "assets": "generated", **kwargs}
    return gym.make(env_id("dcs", task, mode), disable_env_checker=True, **kwargs)


# The table --------------------------------------------------------------------------------------


def test_every_mode_has_a_level():
    assert set(LEVELS) == set(MODES) - {"clean"}


def test_the_papers_difficulties():
    scales = {"easy": (0.1, 4), "medium": (0.2, 8), "hard": (0.3, None)}
    for name, (beta, clips) in scales.items():
        assert LEVELS[f"{name}_static"][:3] == (beta, clips, False)
        assert LEVELS[f"{name}_dynamic"][:3] == (beta, clips, True)


def test_dmcgbs_continuous_intensities():
    betas = [LEVELS[mode] for mode in MODES if mode.startswith("beta_")]
    assert [level.beta for level in betas] == [0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5]
    assert [level.clips for level in betas] == [2, 2, 4, 6, 8, None, None, None]
    assert all(level.dynamic for level in betas)


def test_background_then_camera_then_colours():
    sky, camera, colors = pipeline("medium_dynamic", "walker", 4, 84)
    assert [item["kind"] for item in (sky, camera, colors)] == [
        "texture_video",
        "camera",
        "materials",
    ]
    assert camera["intensity"] == colors["intensity"] == 0.2
    assert (sky["pack"], sky["clips"], sky["start"], sky["motion"]) == (
        "davis",
        8,
        "random",
        "bounce",
    )
    for mode in MODES:
        json.dumps(resolve(pipeline(mode, "reacher", 4, 84), assets="generated"))


def test_static_modes_hold_one_pose_one_picture_and_one_set_of_colours():
    sky, camera, colors = pipeline("hard_static", "walker", 4, 84)
    assert (sky["motion"], camera["motion"], colors["dynamic"]) == ("still", "static", False)


@pytest.mark.parametrize("repeat", [1, 2, 4, 8])
def test_moves_are_counted_in_control_steps(repeat):
    every, second = (pipeline(mode, "walker", repeat, 84) for mode in ("hard_dynamic", "beta_03"))
    assert [every[0]["frames_per_step"], every[1]["moves_per_step"]] == [repeat, repeat]
    assert every[2]["moves_per_step"] == repeat
    # DMC-GB's variant moves on every second control step
    assert second[0]["frames_per_step"] == second[1]["moves_per_step"] == repeat / 2


@pytest.mark.parametrize(
    ("domain", "alpha", "upright"),
    [
        ("reacher", 0.0, False),
        ("walker", 1.0, True),
        ("cheetah", 1.0, True),
        ("cartpole", 0.3, True),
        ("finger", 0.3, True),
        ("ball_in_cup", 0.3, True),
    ],
)
def test_floors_and_cameras_differ_by_domain(domain, alpha, upright):
    sky, camera, _ = pipeline("easy_static", domain, 4, 84)
    assert sky["fade"] == {"floor": alpha} and camera["upright"] == upright


@pytest.mark.parametrize(
    ("size", "side"), [(36, 256), (84, 256), (128, 256), (168, 512), (500, 800)]
)
def test_the_sky_has_two_texels_per_pixel_as_far_as_the_suites_own_has(size, side):
    assert sky_side(size) == side


def test_tasks_are_those_of_six_domains():
    assert {task.split("_")[0] for task in TASKS} == {
        "walker",
        "cartpole",
        "ball",
        "finger",
        "cheetah",
        "reacher",
    }


def test_clips_that_cannot_be_fetched_have_to_come_from_the_user(tmp_path):
    with pytest.raises(AssetsMissing, match="No pack of that name can be fetched") as error:
        make("walker_walk", "hard_static", assets=str(tmp_path))
    assert "davis/*.mp4" in str(error.value) and "distraction-gym fetch" not in str(error.value)


# Physics and pictures ----------------------------------------------------------------------------


def play(env, steps=3, seed=5):
    frames, states = [env.reset(seed=seed)[0]], []
    physics = env.unwrapped.physics
    for _ in range(steps):
        states.append(physics.get_state())
        frames.append(env.step(np.full(env.action_space.shape, 0.5, np.float32))[0])
    return np.array(frames), np.array(states)


@pytest.mark.parametrize("task", ["walker_walk", "reacher_easy"])
def test_the_same_seed_gives_the_same_states_in_every_mode(task):
    reference = None
    for mode in ("clean", "hard_static", "hard_dynamic", "beta_05"):
        env = make(task, mode, image_size=16)
        _, states = play(env)
        env.close()
        reference = states if reference is None else reference
        np.testing.assert_array_equal(states, reference, err_msg=mode)


def test_clean_is_dm_controls_picture():
    env = make("cheetah_run", render_quality="standard")
    frames, _ = play(env, 1)
    expected = env.unwrapped.physics.render(84, 84, camera_id=0)
    np.testing.assert_array_equal(frames[-1][-3:], expected.transpose(2, 0, 1))
    env.close()


def test_a_seed_gives_the_same_pictures_again_and_elsewhere():
    env = make("cartpole_swingup", "hard_dynamic")
    first, _ = play(env)
    play(env, seed=6)
    np.testing.assert_array_equal(play(env)[0], first)
    env.close()
    other = make("cartpole_swingup", "hard_dynamic")
    np.testing.assert_array_equal(play(other)[0], first)
    other.close()


def test_a_pickle_goes_on_in_the_middle_of_an_episode():
    env = make("walker_walk", "hard_dynamic")
    play(env)
    copy = pickle.loads(pickle.dumps(env))
    action = np.full(env.action_space.shape, -0.5, np.float32)
    for _ in range(2):
        np.testing.assert_array_equal(env.step(action)[0], copy.step(action)[0])
    env.close()
    copy.close()


def test_static_and_dynamic_modes_begin_alike_everywhere_else_moves():
    def views(mode):
        env = make("finger_spin", mode)
        scene, seen = env.get_wrapper_attr("scene"), []
        env.reset(seed=0)
        for _ in range(3):
            seen.append((scene.view().position.copy(), tuple(scene.materials().values())))
            env.step(env.action_space.sample())
        env.close()
        return seen

    still, moving = views("hard_static"), views("hard_dynamic")
    np.testing.assert_array_equal(still[0][0], still[2][0])
    assert still[0][1] == still[2][1]
    assert (moving[0][0] != moving[2][0]).any() and moving[0][1] != moving[2][1]
