"""DMC-GB: physics, protocol and seeds against dm_control's own suite."""

import gymnasium as gym
import numpy as np
import pytest

import distraction_gym  # noqa: F401
from distraction_gym.envs.dmcgb import SUITE, TASKS
from distraction_gym.errors import UnknownName
from distraction_gym.registration import env_id

module = pytest.importorskip("distraction_gym.envs.dmc", exc_type=ImportError)
pytestmark = pytest.mark.render


def make(task, mode="clean", **kwargs):
    kwargs = {"render_quality": "draft", "assets": "generated", **kwargs}
    return gym.make(env_id("dmcgb", task, mode), disable_env_checker=True, **kwargs)


def states(env, steps, seed=5):
    env.reset(seed=seed)
    env.action_space.seed(0)
    physics = env.unwrapped.physics
    seen = [physics.get_state()]
    for _ in range(steps):
        env.step(env.action_space.sample())
        seen.append(physics.get_state())
    return np.array(seen)


@pytest.mark.parametrize(
    ("task", "repeat", "steps"),
    [("walker_walk", 4, 250), ("cartpole_swingup", 8, 20), ("finger_spin", 2, 20)],
)
def test_physics_and_rewards_are_dm_controls_bit_for_bit(task, repeat, steps):
    domain, _, name = task.partition("_")
    env = make(task)
    env.reset(seed=7)
    twin = module.suite.load(domain, name, task_kwargs={"random": module.physics_random(7)})
    twin.reset()
    env.action_space.seed(0)
    for _ in range(steps):
        action = env.action_space.sample()
        reward = env.step(action)[1]
        expected = 0.0
        for _ in range(repeat):
            expected += twin.step(action).reward
        assert reward == expected
        physics = env.unwrapped.physics
        np.testing.assert_array_equal(physics.get_state(), twin.physics.get_state())
    env.close()


def test_the_same_seed_gives_the_same_states_in_every_mode():
    reference = None
    for mode in SUITE.modes:
        env = make("walker_walk", mode)
        seen = np.concatenate([states(env, 5), states(env, 3, seed=None)])
        env.close()
        reference = seen if reference is None else reference
        np.testing.assert_array_equal(seen, reference, err_msg=mode)
    env = make("walker_walk", "video_hard", composite="chroma")
    np.testing.assert_array_equal(
        np.concatenate([states(env, 5), states(env, 3, seed=None)]), reference
    )
    env.close()


def test_other_seeds_give_other_states():
    env = make("walker_walk")
    assert (states(env, 0, seed=1) != states(env, 0, seed=2)).any()
    env.close()


@pytest.mark.parametrize(
    ("task", "steps"), [("cartpole_swingup", 125), ("walker_stand", 250), ("finger_spin", 500)]
)
def test_the_time_limit_is_truncation_after_1000_control_steps(task, steps):
    env = make(task, image_size=8)
    env.reset(seed=0)
    for step in range(1, steps + 1):
        _, _, terminated, truncated, _ = env.step(env.action_space.sample())
        assert not terminated and truncated == (step == steps)
    env.close()


def test_a_repeat_that_does_not_divide_the_episode_is_rounded_up():
    env = make("cartpole_swingup", action_repeat=300, image_size=8)
    env.reset(seed=0)
    assert [env.step(env.action_space.sample())[3] for _ in range(4)] == [False, False, False, True]
    env.close()


def test_observations_hold_three_frames_oldest_first():
    env = make("walker_walk", image_size=32)
    obs, _ = env.reset(seed=0)
    assert obs.shape == (9, 32, 32) and obs.dtype == np.uint8
    first = env.render()
    assert first.shape == (32, 32, 3)
    for channel in range(9):
        np.testing.assert_array_equal(obs[channel], first[..., channel % 3])
    obs = env.step(env.action_space.sample())[0]
    np.testing.assert_array_equal(obs[:6], np.tile(first.transpose(2, 0, 1), (2, 1, 1)))
    np.testing.assert_array_equal(obs[6:], env.render().transpose(2, 0, 1))
    env.close()


def test_render_shows_what_the_agent_sees():
    env = make("walker_walk", "video_hard")
    obs, _ = env.reset(seed=0)
    np.testing.assert_array_equal(env.render().transpose(2, 0, 1), obs[-3:])
    assert (env.render() != env.get_wrapper_attr("undistorted")).any()
    env.close()


def test_actions_and_rewards_have_the_types_that_libraries_expect():
    env = make("walker_walk")
    assert env.action_space == gym.spaces.Box(-1.0, 1.0, (6,), np.float32)
    env.reset(seed=0)
    assert type(env.step(env.action_space.sample())[1]) is float
    env.close()


def test_the_standard_picture_is_camera_0_or_the_quadrupeds_2():
    for task, camera in (("walker_walk", 0), ("quadruped_walk", 2)):
        env = make(task, render_quality="standard")
        obs, _ = env.reset(seed=0)
        picture = env.unwrapped.physics.render(84, 84, camera_id=camera)
        np.testing.assert_array_equal(obs[-3:], picture.transpose(2, 0, 1))
        env.close()


def test_cartpoles_rails_are_background():
    env = make("cartpole_swingup", "video_hard")
    env.reset(seed=0)
    scene = env.get_wrapper_attr("scene")
    physics = env.unwrapped.physics
    ids = physics.render(84, 84, camera_id=0, segmentation=True)
    rails = [physics.model.name2id(name, "geom") for name in ("rail1", "rail2")]
    on_rail = np.isin(ids[..., 0], rails) & (ids[..., 1] == 5)
    assert on_rail.any() and scene.background(["sky"], env.render())[on_rail].all()
    env.close()


def test_the_frame_rate_is_the_agents():
    for task, rate in (("walker_walk", 10), ("cartpole_swingup", 12), ("finger_spin", 25)):
        env = make(task)
        assert env.metadata == {"render_modes": ["rgb_array"], "render_fps": rate}
        env.close()


@pytest.mark.parametrize("task", TASKS)
def test_every_task_loads_and_never_meets_dm_controls_own_limit(task):
    domain, name = module.split(task, TASKS, "dmcgb")
    control = module.load(domain, name)
    assert control._step_limit > 1e6
    low, high = control.action_spec().minimum, control.action_spec().maximum
    assert np.isfinite(low).all() and np.isfinite(high).all()


def test_unknown_names_are_named():
    from distraction_gym.envs.dmcgb.env import make as dmcgb_make

    with pytest.raises(UnknownName, match="Did you mean 'walker_walk'"):
        dmcgb_make("walker_wlak", "clean")
    with pytest.raises(UnknownName, match="camera"):
        dmcgb_make("walker_walk", "clean", camera="bakc")
    with pytest.raises(UnknownName, match="quality"):
        dmcgb_make("walker_walk", "clean", render_quality="best")
